//! The symptoms: what the evidence shows from outside, and what the user pasted.

use super::{
    exec::{ExecFacts, ExecOutcome},
    kubeconfig::{KubeconfigFacts, KubeconfigState},
    network::{NetworkFacts, Obstacle},
    value::{Fact, choice, facts},
};
use crate::{
    evidence::{Evidence, Failure, Observed},
    symptom::{self, SymptomClass},
};

choice! {
    /// How the API server answers the subject.
    Answer {
        /// It knows the user and allows the action.
        Allowed = "allowed",
        /// It knows the user and refuses the action.
        Forbidden = "forbidden",
        /// It knows the user; the action was not tried.
        Authenticated = "authenticated",
        /// It takes the request for anonymous.
        Anonymous = "anonymous",
        /// It does not accept the credential.
        Unauthorized = "unauthorized",
    }
}

facts! {
    /// What is seen from outside.
    SymptomFacts {
        /// How the API server answers the subject.
        "answer" answer: Fact<Answer>,
        /// The words of a refusal.
        "refusal" refusal: Fact<Option<String>>,
        /// The symptom classes of the text that the user pasted.
        "pasted" pasted: Fact<Vec<String>>,
    }
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence) -> SymptomFacts {
    SymptomFacts {
        answer: answer(evidence),
        refusal: refusal(evidence),
        pasted: Fact::known(
            pasted_classes(evidence).into_iter().map(|class| class.name().to_owned()).collect(),
            "target.symptom",
        ),
    }
}

fn pasted_classes(evidence: &Evidence) -> Vec<SymptomClass> {
    evidence.target.symptom.as_deref().map(|text| symptom::recognise(text).classes).unwrap_or_default()
}

/// What the API server says to the subject. It proves nothing when somebody else's principal was asked about.
fn answer(evidence: &Evidence) -> Fact<Answer> {
    let kubernetes = &evidence.kubernetes;
    if evidence.target.principal.is_some() {
        return Fact::unknown("kubernetes.whoami", "what is seen from here belongs to somebody else");
    }
    match &kubernetes.action_attempt {
        Observed::Found(_) => return Fact::known(Answer::Allowed, "kubernetes.actionAttempt"),
        Observed::Denied(failure) => {
            if let Some(answer) = refused(failure) {
                return Fact::known(answer, "kubernetes.actionAttempt");
            }
        }
        _ => {}
    }
    if let Some(review) = kubernetes.access_review.found() {
        let answer = if review.allowed { Answer::Allowed } else { Answer::Forbidden };
        return Fact::known(answer, "kubernetes.accessReview");
    }
    match &kubernetes.whoami {
        Observed::Found(user) if user.username == "system:anonymous" => {
            Fact::known(Answer::Anonymous, "kubernetes.whoami")
        }
        Observed::Found(_) => Fact::known(Answer::Authenticated, "kubernetes.whoami"),
        Observed::Denied(failure) if refused(failure).is_some() => {
            Fact::known(refused(failure).unwrap_or(Answer::Unauthorized), "kubernetes.whoami")
        }
        other => Fact::Unknown(super::value::why_unsettled(other, "kubernetes.whoami")),
    }
}

fn refused(failure: &Failure) -> Option<Answer> {
    match failure.status {
        Some(401) => Some(Answer::Unauthorized),
        Some(403) if failure.message.contains("system:anonymous") => Some(Answer::Anonymous),
        Some(403) => Some(Answer::Forbidden),
        _ => None,
    }
}

fn refusal(evidence: &Evidence) -> Fact<Option<String>> {
    let kubernetes = &evidence.kubernetes;
    let failures = [
        ("kubernetes.actionAttempt", kubernetes.action_attempt.failure()),
        ("kubernetes.accessReview", kubernetes.access_review.failure()),
        ("kubernetes.whoami", kubernetes.whoami.failure()),
    ];
    match failures.into_iter().find_map(|(observation, failure)| failure.map(|failure| (observation, failure))) {
        Some((observation, failure)) => Fact::known(Some(failure.summary()), observation),
        None => Fact::known(None, "kubernetes"),
    }
}

/// The symptom classes in evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classes {
    /// What was seen or pasted for certain. A cause that produces none of it is not what the user sees. Empty means
    /// that nothing was seen, and nothing is ruled out.
    pub decisive: Vec<SymptomClass>,
    /// What also goes wrong here, without being what stops a request.
    pub incidental: Vec<SymptomClass>,
}

impl Classes {
    /// Whether a cause that produces these classes can be what is seen.
    pub fn allow(&self, explains: &[SymptomClass]) -> bool {
        let seen = |class| self.decisive.contains(class) || self.incidental.contains(class);
        self.decisive.is_empty() || explains.iter().any(seen)
    }
}

/// Gathers the symptom classes in evidence.
pub(crate) fn classes(
    evidence: &Evidence,
    symptom: &SymptomFacts,
    kubeconfig: &KubeconfigFacts,
    exec: &ExecFacts,
    network: &NetworkFacts,
) -> Classes {
    let mut classes = Classes { decisive: pasted_classes(evidence), incidental: Vec::new() };
    if evidence.target.principal.is_some() {
        return classes;
    }
    classes.decisive.extend(match symptom.answer.value() {
        Some(Answer::Allowed) => Some(SymptomClass::Works),
        Some(Answer::Forbidden) => Some(SymptomClass::Forbidden),
        Some(Answer::Anonymous) => Some(SymptomClass::Anonymous),
        Some(Answer::Unauthorized) => Some(SymptomClass::Unauthorized),
        Some(Answer::Authenticated) | None => None,
    });
    if matches!(kubeconfig.state.value(), Some(KubeconfigState::Missing | KubeconfigState::Unreadable)) {
        classes.decisive.push(SymptomClass::Configuration);
    }
    if matches!(exec.outcome.value(), Some(Some(outcome)) if *outcome != ExecOutcome::Credential) {
        classes.decisive.push(SymptomClass::Exec);
    }
    classes.decisive.extend(of_network(network));
    classes.incidental.extend(of_aws(evidence));
    classes
}

fn of_aws(evidence: &Evidence) -> Option<SymptomClass> {
    let aws = &evidence.aws;
    let fails = aws.caller.failure().is_some()
        || !matches!(aws.credentials, Observed::Found(_) | Observed::NotTried(_))
        || !matches!(aws.cluster, Observed::Found(_) | Observed::NotTried(_));
    fails.then_some(SymptomClass::Aws)
}

fn of_network(network: &NetworkFacts) -> Option<SymptomClass> {
    match network.obstacle.value()?.as_ref()? {
        Obstacle::Certificate => Some(SymptomClass::Tls),
        _ => Some(SymptomClass::Network),
    }
}
