//! The ordered check table: how far a request gets.
//!
//! One affirmative sentence each, in the order in which a request can die. A check whose ground an earlier failure has
//! taken away is skipped and says which one.

mod judge;

use self::judge::Judgement;
use crate::{
    evidence::Call,
    facts::Facts,
    report::{Check, CheckOutcome, Hop},
    rule::Stage,
};

struct Definition {
    id: &'static str,
    stage: Stage,
    title: &'static str,
    /// The checks whose failure takes the ground away.
    needs: &'static [&'static str],
    /// The observations that it rests on, for its duration.
    observations: &'static [&'static str],
    judge: fn(&Facts) -> Judgement,
}

const TABLE: &[Definition] = &[
    Definition {
        id: "credentials-accepted",
        stage: Stage::Credentials,
        title: "AWS accepts the credentials",
        needs: &[],
        observations: &["aws.credentials", "aws.caller"],
        judge: judge::credentials_accepted,
    },
    Definition {
        id: "kubeconfig-readable",
        stage: Stage::Kubeconfig,
        title: "there is a kubeconfig that can be read",
        needs: &[],
        observations: &["kubeconfig"],
        judge: judge::kubeconfig_readable,
    },
    Definition {
        id: "context-complete",
        stage: Stage::Kubeconfig,
        title: "the context names a cluster and a user that exist",
        needs: &["kubeconfig-readable"],
        observations: &["kubeconfig"],
        judge: judge::context_complete,
    },
    Definition {
        id: "server-is-endpoint",
        stage: Stage::Kubeconfig,
        title: "the context points at this cluster",
        needs: &["context-complete"],
        observations: &["kubeconfig", "aws.cluster"],
        judge: judge::server_is_endpoint,
    },
    Definition {
        id: "credential-obtained",
        stage: Stage::Kubeconfig,
        title: "the client gets a credential",
        needs: &["context-complete"],
        observations: &["exec", "execCaller"],
        judge: judge::credential_obtained,
    },
    Definition {
        id: "cluster-exists",
        stage: Stage::Cluster,
        title: "the cluster exists and is active",
        needs: &["credentials-accepted"],
        observations: &["aws.cluster"],
        judge: judge::cluster_exists,
    },
    Definition {
        id: "api-server-answers",
        stage: Stage::Network,
        title: "the API server answers",
        needs: &["context-complete"],
        observations: &["network.dns", "network.tcp", "network.tls", "kubernetes.version"],
        judge: judge::api_server_answers,
    },
    Definition {
        id: "authentication-mode-known",
        stage: Stage::Mode,
        title: "the cluster's authentication mode is known",
        needs: &["cluster-exists"],
        observations: &["aws.cluster"],
        judge: judge::authentication_mode_known,
    },
    Definition {
        id: "principal-known",
        stage: Stage::Mapping,
        title: "the cluster knows this principal",
        needs: &["credential-obtained", "cluster-exists", "api-server-answers"],
        observations: &["kubernetes.whoami", "aws.accessEntries", "kubernetes.awsAuth"],
        judge: judge::principal_known,
    },
    Definition {
        id: "action-allowed",
        stage: Stage::Authorization,
        title: "this Kubernetes user may do it",
        needs: &["principal-known"],
        observations: &["kubernetes.accessReview", "kubernetes.clusterRoleBindings", "kubernetes.roleBindings"],
        judge: judge::action_allowed,
    },
];

/// Runs all checks, in order.
pub fn run(facts: &Facts, calls: &[Call]) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::with_capacity(TABLE.len());
    for definition in TABLE {
        let in_the_way = definition.needs.iter().find_map(|need| {
            let earlier = checks.iter().find(|check| check.id == *need)?;
            match earlier.outcome {
                CheckOutcome::Fail => Some(earlier.title.clone()),
                _ => None,
            }
        });
        let (outcome, detail) = match in_the_way {
            Some(title) => (CheckOutcome::Skipped, format!("not reached: failed before at \"{title}\"")),
            None => match (definition.judge)(facts) {
                Judgement::Pass(detail) => (CheckOutcome::Pass, detail),
                Judgement::Fail(detail) => (CheckOutcome::Fail, detail),
                Judgement::Unknown(detail) => (CheckOutcome::Unknown, detail),
                Judgement::Skip(detail) => (CheckOutcome::Skipped, detail),
            },
        };
        let durations = calls.iter().filter(|call| definition.observations.contains(&call.observation.as_str()));
        checks.push(Check {
            id: definition.id.to_owned(),
            stage: definition.stage,
            title: definition.title.to_owned(),
            outcome,
            detail,
            milliseconds: durations.map(|call| call.milliseconds).max(),
        });
    }
    checks
}

/// The stations of the request: for each stage the check that says most.
pub fn trace(checks: &[Check]) -> Vec<Hop> {
    let says_most = |outcome: CheckOutcome| match outcome {
        CheckOutcome::Fail => 3,
        CheckOutcome::Unknown => 2,
        CheckOutcome::Pass => 1,
        CheckOutcome::Skipped => 0,
    };
    Stage::ALL
        .into_iter()
        .filter_map(|stage| {
            let of_stage = checks.iter().filter(|check| check.stage == stage);
            // Of several that say as much, the last is the furthest that the request gets; of failures the first.
            let told = of_stage.reduce(|told, check| {
                let is_more = says_most(check.outcome) > says_most(told.outcome);
                let is_further = check.outcome == told.outcome && check.outcome == CheckOutcome::Pass;
                if is_more || is_further { check } else { told }
            })?;
            Some(Hop { hop: stage, outcome: told.outcome, detail: told.detail.clone() })
        })
        .collect()
}
