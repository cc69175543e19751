//! Whether the caller is a pod, and as whom it then speaks: as its service account, or with the AWS credentials that it was
//! given.

use super::{
    authorization::{AuthorizationFacts, CallerKind, asking::service_account},
    credentials::clock,
    pasted::Pasted,
    value::{Fact, choice, facts, why_unsettled},
};
use crate::evidence::{CredentialProvider, Evidence, TokenKind, TokenStatement};

choice! {
    /// Where a pod's AWS credentials come from.
    PodCredentials {
        /// IAM roles for service accounts.
        Irsa = "irsa",
        /// EKS Pod Identity.
        PodIdentity = "pod-identity",
        /// The node's instance profile.
        Node = "node",
        /// None are set up.
        None = "none",
    }
}

choice! {
    /// What goes wrong for a pod.
    PodProblem {
        /// Its service account may not do it.
        ServiceAccount = "service-account",
        /// AWS refuses it the IAM role of its service account.
        RoleRefused = "role-refused",
        /// It asks as an IAM role that the cluster does not know.
        NotMapped = "not-mapped",
    }
}

facts! {
    /// A caller inside a cluster.
    WorkloadFacts {
        /// Whether the caller runs in a pod.
        "isPod" is_pod: Fact<bool>,
        /// Whether a pod is what fails, as far as is seen: what its trouble is is certain, or the caller is a pod.
        "isConcerned" is_concerned: Fact<bool>,
        /// Namespace and name of the service account that the API server sees: dev:app.
        "serviceAccount" service_account: Fact<Option<String>>,
        /// Its namespace.
        "namespace" namespace: Fact<Option<String>>,
        /// Its name.
        "name" name: Fact<Option<String>>,
        /// Where the pod's AWS credentials come from.
        "credentials" credentials: Fact<PodCredentials>,
        /// What goes wrong for it, because it is a pod.
        "problem" problem: Fact<Option<PodProblem>>,
        /// Whether the caller sends a service-account token that has expired.
        "tokenExpired" token_expired: Fact<bool>,
        /// When that token expired.
        "tokenExpiredAt" token_expired_at: Fact<Option<String>>,
    }
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, pasted: &Pasted, authorization: &AuthorizationFacts) -> WorkloadFacts {
    let account = authorization
        .username
        .clone()
        .map(|username| service_account(&username).map(|(namespace, name)| (namespace.to_owned(), name.to_owned())));
    let problem = problem(evidence, pasted, authorization);
    WorkloadFacts {
        is_concerned: match (&problem, is_pod(evidence, pasted)) {
            (Fact::Known { value, source }, _) => Fact::known(value.is_some(), source.clone()),
            (Fact::Unknown(_), Fact::Known { value: true, source }) => Fact::known(true, source),
            (Fact::Unknown(unknown), _) => Fact::Unknown(unknown.clone()),
        },
        is_pod: is_pod(evidence, pasted),
        credentials: credentials(evidence),
        problem,
        token_expired: token_expired(evidence, pasted),
        token_expired_at: Fact::observed(&evidence.static_token, "staticToken")
            .map(|token| token.and_then(|token| token.expires_at).map(|at| at.to_string())),
        service_account: account.clone().map(|account| account.map(|(namespace, name)| format!("{namespace}:{name}"))),
        namespace: account.clone().map(|account| account.map(|(namespace, _)| namespace)),
        name: account.map(|account| account.map(|(_, name)| name)),
    }
}

fn variable<'a>(evidence: &'a Evidence, name: &str) -> Option<&'a str> {
    evidence.environment.variables.as_ref()?.get(name).map(String::as_str)
}

const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const CONTAINER_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// Where EKS mounts the token of IRSA.
const IRSA_TOKEN: &str = "/var/run/secrets/eks.amazonaws.com/";
/// Where the agent of EKS Pod Identity answers.
const POD_IDENTITY_AGENTS: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

fn is_irsa(evidence: &Evidence) -> bool {
    variable(evidence, TOKEN_FILE).is_some_and(|file| file.starts_with(IRSA_TOKEN))
}

fn is_pod_identity(evidence: &Evidence) -> bool {
    variable(evidence, CONTAINER_URI).is_some_and(|uri| POD_IDENTITY_AGENTS.iter().any(|agent| uri.contains(agent)))
}

/// Whether the text says that a pod is where it fails.
fn speaks_of_pod(pasted: &Pasted) -> bool {
    let text = pasted.text.to_lowercase();
    let words = ["from a pod", "in a pod", "inside a pod", "within a pod", "inside the pod", "pod identity", "irsa"];
    words.iter().any(|word| text.contains(word))
}

fn is_pod(evidence: &Evidence, pasted: &Pasted) -> Fact<bool> {
    if speaks_of_pod(pasted) {
        return Fact::known(true, "target.symptom");
    }
    if evidence.target.principal.is_some() {
        return Fact::unknown("environment.variables", "what is set here is not set where it fails");
    }
    if evidence.environment.variables.is_none() {
        return Fact::unknown("environment.variables", "not looked at");
    }
    let in_cluster = variable(evidence, "KUBERNETES_SERVICE_HOST").is_some();
    Fact::known(in_cluster || is_irsa(evidence) || is_pod_identity(evidence), "environment.variables")
}

fn credentials(evidence: &Evidence) -> Fact<PodCredentials> {
    if is_irsa(evidence) {
        return Fact::known(PodCredentials::Irsa, "environment.variables");
    }
    if is_pod_identity(evidence) {
        return Fact::known(PodCredentials::PodIdentity, "environment.variables");
    }
    let credentials = Fact::observed(&evidence.aws.credentials, "aws.credentials");
    credentials.map(|credentials| match credentials.map(|credentials| credentials.provider) {
        Some(CredentialProvider::WebIdentity) => PodCredentials::Irsa,
        Some(CredentialProvider::Container) => PodCredentials::PodIdentity,
        Some(CredentialProvider::Imds) => PodCredentials::Node,
        _ => PodCredentials::None,
    })
}

/// Whether AWS refuses sts:AssumeRoleWithWebIdentity, as a call says or the pasted text.
fn role_refused(evidence: &Evidence, pasted: &Pasted) -> Fact<bool> {
    let aws = &evidence.aws;
    let is_it = |text: &str| text.contains("AssumeRoleWithWebIdentity") || text.contains("OpenIDConnect provider");
    let calls = [
        ("aws.credentials", aws.credentials.failure()),
        ("aws.caller", aws.caller.failure()),
        ("exec", evidence.exec.failure()),
    ];
    for (observation, failure) in calls {
        let failure =
            failure.filter(|failure| is_it(&failure.message) || failure.operation.as_deref().is_some_and(is_it));
        if failure.is_some() {
            return Fact::known(true, observation);
        }
    }
    if evidence.exec.found().is_some_and(|run| run.exit_code != Some(0) && is_it(&run.stderr)) {
        return Fact::known(true, "exec");
    }
    if is_it(&pasted.text) {
        return Fact::known(true, "target.symptom");
    }
    Fact::observed(&aws.caller, "aws.caller").map(|_| false)
}

/// What goes wrong because the caller is a pod.
fn problem(evidence: &Evidence, pasted: &Pasted, authorization: &AuthorizationFacts) -> Fact<Option<PodProblem>> {
    match (&authorization.caller, &authorization.refused) {
        (Fact::Known { value: CallerKind::ServiceAccount, source }, Fact::Known { value: true, .. }) => {
            return Fact::known(Some(PodProblem::ServiceAccount), source.clone());
        }
        (Fact::Known { value: CallerKind::ServiceAccount, .. }, refused) => return refused.clone().map(|_| None),
        _ => {}
    }
    if pasted.proves("other/workload-identity") {
        return Fact::known(Some(PodProblem::RoleRefused), "target.symptom");
    }
    is_pod(evidence, pasted).and_then(|is_pod| {
        if !is_pod {
            return Fact::known(None, "environment.variables");
        }
        match (role_refused(evidence, pasted), &authorization.caller) {
            (Fact::Known { value: true, source }, _) => Fact::known(Some(PodProblem::RoleRefused), source),
            (_, Fact::Known { value, source }) => {
                Fact::known((*value == CallerKind::Nobody).then_some(PodProblem::NotMapped), source.clone())
            }
            (_, Fact::Unknown(unknown)) => Fact::Unknown(unknown.clone()),
        }
    })
}

fn is_service_account_token(token: &TokenStatement) -> bool {
    token.kind == Some(TokenKind::ServiceAccount)
        || token.subject.as_deref().is_some_and(|subject| subject.starts_with("system:serviceaccount:"))
}

/// Whether the token that is sent is a service account's and has expired; also by the API server's own words.
fn token_expired(evidence: &Evidence, pasted: &Pasted) -> Fact<bool> {
    const EXPIRED: &str = "service account token has expired";
    if pasted.says(EXPIRED) {
        return Fact::known(true, "target.symptom");
    }
    let lines = evidence.logs.authenticator.found();
    if lines.is_some_and(|lines| lines.iter().any(|line| line.contains(EXPIRED))) {
        return Fact::known(true, "logs.authenticator");
    }
    if evidence.target.principal.is_some() {
        return Fact::Unknown(why_unsettled(&evidence.static_token, "staticToken"));
    }
    match evidence.static_token.found() {
        Some(token) if is_service_account_token(token) => match (token.expires_at, clock::now(evidence)) {
            (Some(expires), Some(now)) => Fact::known(expires < now, "staticToken"),
            _ => Fact::unknown("staticToken", "the token does not say when it expires"),
        },
        Some(_) => Fact::known(false, "staticToken"),
        // An exec plugin gives a token that is none of a service account.
        None if evidence.exec.found().is_some() => Fact::known(false, "exec"),
        None => Fact::observed(&evidence.static_token, "staticToken").map(|_| false),
    }
}
