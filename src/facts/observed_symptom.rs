//! The symptoms: what the evidence shows from outside, and what the user pasted.

use super::{
    authorization::asking::is_about,
    exec::{ExecFacts, ExecOutcome},
    kubeconfig::{KubeconfigFacts, KubeconfigState},
    network::{NetworkFacts, Obstacle, classify, is_bare_refusal, may_answer_itself},
    pasted::Pasted,
    value::{Fact, choice, facts},
};
use crate::{
    evidence::{Action, Evidence, Failure, Observed},
    symptom::SymptomClass,
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
        /// Whether anything was seen or pasted that fails.
        "fails" fails: Fact<bool>,
        /// Whether what was seen contradicts what the user pasted.
        "isContradicted" is_contradicted: Fact<bool>,
        /// Whether STS throttled the control plane when it checked the token.
        "stsThrottled" sts_throttled: Fact<bool>,
    }
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, pasted: &Pasted, asked: &Action) -> SymptomFacts {
    let answer = answer(evidence, asked);
    SymptomFacts {
        fails: Fact::known(false, "target.symptom"),
        is_contradicted: is_contradicted(evidence, pasted, &answer),
        sts_throttled: sts_throttled(evidence, pasted),
        answer,
        refusal: refusal(evidence),
        pasted: Fact::known(pasted.classes.iter().map(|class| class.name().to_owned()).collect(), "target.symptom"),
    }
}

/// What the API server says to the subject. It proves nothing when somebody else's principal was asked about.
fn answer(evidence: &Evidence, asked: &Action) -> Fact<Answer> {
    let kubernetes = &evidence.kubernetes;
    if evidence.target.principal.is_some() {
        return Fact::unknown("kubernetes.whoami", "what is seen from here belongs to somebody else");
    }
    let has_proxy = may_answer_itself(evidence);
    if is_about(evidence, asked) {
        match &kubernetes.action_attempt {
            Observed::Found(_) => return Fact::known(Answer::Allowed, "kubernetes.actionAttempt"),
            attempt => {
                if let Some(answer) = attempt.failure().and_then(|failure| refused(failure, has_proxy)) {
                    return Fact::known(answer, "kubernetes.actionAttempt");
                }
            }
        }
        if let Some(review) = kubernetes.access_review.found() {
            let answer = if review.allowed { Answer::Allowed } else { Answer::Forbidden };
            return Fact::known(answer, "kubernetes.accessReview");
        }
    }
    match &kubernetes.whoami {
        Observed::Found(user) if user.username == "system:anonymous" => {
            Fact::known(Answer::Anonymous, "kubernetes.whoami")
        }
        Observed::Found(_) => Fact::known(Answer::Authenticated, "kubernetes.whoami"),
        Observed::Denied(failure) if refused(failure, has_proxy).is_some() => {
            Fact::known(refused(failure, has_proxy).unwrap_or(Answer::Unauthorized), "kubernetes.whoami")
        }
        other => Fact::Unknown(super::value::why_unsettled(other, "kubernetes.whoami")),
    }
}

/// What a refusal says, by its status, else by its code or words.
fn refused(failure: &Failure, has_proxy: bool) -> Option<Answer> {
    let is = |word: &str| failure.code.as_deref() == Some(word) || failure.message.contains(word);
    let status = failure.status.or_else(|| match (is("Unauthorized"), is("Forbidden") || is("forbidden")) {
        (true, _) => Some(401),
        (false, true) => Some(403),
        (false, false) => None,
    });
    let by_proxy =
        matches!(classify(failure), Obstacle::Proxy | Obstacle::OtherServer) || has_proxy && is_bare_refusal(failure);
    match status.filter(|_| !by_proxy)? {
        401 => Some(Answer::Unauthorized),
        403 if failure.message.contains("system:anonymous") => Some(Answer::Anonymous),
        403 => Some(Answer::Forbidden),
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

/// Whether anything fails, once everything else is known.
pub(crate) fn fails(classes: &Classes, allowed: &Fact<bool>) -> Fact<bool> {
    let is_failure = |class: &SymptomClass| *class != SymptomClass::Works;
    if classes.decisive.iter().any(is_failure) {
        return Fact::known(true, "what was seen");
    }
    Fact::known(allowed.is(&false) && classes.decisive.is_empty(), "what was seen")
}

/// Whether the API server answers otherwise than the pasted text says. A text about something else than an answer of the API
/// server is settled by any answer.
fn is_contradicted(evidence: &Evidence, pasted: &Pasted, answer: &Fact<Answer>) -> Fact<bool> {
    let is_of = |class: SymptomClass| pasted.shows(class);
    // Nodes, the console and calls to AWS are no clients of the API server from here.
    let is_elsewhere = [SymptomClass::Node, SymptomClass::Console, SymptomClass::Aws].into_iter().any(is_of);
    if is_elsewhere || matches!(pasted.classes.as_slice(), [] | [SymptomClass::Works]) {
        return Fact::known(false, "target.symptom");
    }
    // A refusal that names another user than the one seen here is no contradiction.
    let other_user = pasted.refusal.as_ref().is_some_and(|refusal| {
        evidence.kubernetes.whoami.found().is_some_and(|user| user.username != refusal.username)
    });
    match answer {
        Fact::Known { value, source } => {
            let contradicts = match value {
                Answer::Allowed => !other_user,
                Answer::Authenticated | Answer::Forbidden => !is_of(SymptomClass::Forbidden),
                Answer::Unauthorized | Answer::Anonymous => false,
            };
            Fact::known(contradicts, source.clone())
        }
        // Nothing was seen that could.
        Fact::Unknown(_) => Fact::known(false, "target.symptom"),
    }
}

/// Whether the authenticator's log, or a line of it that was pasted, shows a refusal because STS throttled it.
fn sts_throttled(evidence: &Evidence, pasted: &Pasted) -> Fact<bool> {
    let shows = |line: &str| {
        let is_throttling = ["Throttling", "Rate exceeded", "TooManyRequests"].iter().any(|word| line.contains(word));
        is_throttling && (line.contains("access denied") || line.contains("getCallerIdentity"))
    };
    if pasted.text.lines().any(shows) {
        return Fact::known(true, "target.symptom");
    }
    let lines = Fact::observed(&evidence.logs.authenticator, "logs.authenticator");
    lines.map(|lines| lines.is_some_and(|lines| lines.iter().any(|line| shows(line))))
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
    pasted: &Pasted,
    symptom: &SymptomFacts,
    kubeconfig: &KubeconfigFacts,
    exec: &ExecFacts,
    network: &NetworkFacts,
) -> Classes {
    let mut classes = Classes { decisive: pasted.classes.to_vec(), incidental: Vec::new() };
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
