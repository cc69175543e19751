//! Whether IAM refuses the EKS API. kubectl needs no EKS action, so this never explains an answer of the API server;
//! it stops `aws eks update-kubeconfig` and programs that ask the EKS API themselves.

use crate::{
    evidence::{Evidence, Failure, Observed},
    facts::{
        pasted::{self, Pasted},
        value::{Fact, why_unsettled},
    },
    symptom::{self, SymptomClass},
};

/// The action that IAM refuses: the one in the pasted text, else that of the look at the cluster.
pub(super) fn denied_action(evidence: &Evidence, pasted: &Pasted) -> Fact<Option<String>> {
    if let Some(action) = pasted.stated.denied_action.as_ref().filter(|action| action.starts_with("eks:")) {
        return Fact::known(Some(action.clone()), pasted::OBSERVATION);
    }
    if evidence.target.principal.is_some() {
        return Fact::unknown("aws.cluster", "what is seen from here belongs to somebody else");
    }
    match &evidence.aws.cluster {
        Observed::Denied(failure) | Observed::Failed(failure) => Fact::known(action_of(failure), "aws.cluster"),
        Observed::Found(_) | Observed::Absent(_) => Fact::known(None, "aws.cluster"),
        not_tried @ Observed::NotTried(_) => Fact::Unknown(why_unsettled(not_tried, "aws.cluster")),
    }
}

fn action_of(failure: &Failure) -> Option<String> {
    let code = failure.code.as_deref().unwrap_or_default();
    let is_denied = code.starts_with("AccessDenied") || failure.message.contains("not authorized to perform");
    let stated = symptom::recognise(&failure.message).stated.denied_action;
    is_denied.then(|| stated.or_else(|| failure.operation.clone()).unwrap_or_else(|| "eks:DescribeCluster".to_owned()))
}

/// Whether the refusal is what the user is stopped by: it is what they pasted, or nothing else is known to fail.
pub(super) fn denial_stops(evidence: &Evidence, pasted: &Pasted) -> Fact<bool> {
    let has_kubeconfig = evidence.kubeconfig.found().is_some();
    let denied = denied_action(evidence, pasted);
    if matches!(&denied, Fact::Known { source, value: Some(_) } if source == pasted::OBSERVATION) {
        return Fact::known(true, pasted::OBSERVATION);
    }
    let kubernetes = &evidence.kubernetes;
    let answered = kubernetes.whoami.is_settled()
        || kubernetes.access_review.is_settled()
        || [kubernetes.whoami.failure(), kubernetes.access_review.failure(), kubernetes.action_attempt.failure()]
            .into_iter()
            .flatten()
            .any(|failure| failure.status.is_some());
    let is_about_aws = pasted.classes.contains(&SymptomClass::Aws);
    let is_about_other = !pasted.classes.is_empty() && !is_about_aws;
    let works = kubernetes.access_review.found().is_some_and(|review| review.allowed);
    let is_about_program = works && (evidence.target.symptom.is_some() || evidence.target.program.is_some());
    denied.map(|action| {
        action.is_some() && !is_about_other && (is_about_aws || is_about_program || !(answered || has_kubeconfig))
    })
}
