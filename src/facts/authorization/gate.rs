//! Refusals that are none of RBAC: a 403 from admission, a quota, Pod Security or a webhook, and errors that are no
//! question of access at all.

use crate::{
    evidence::{Evidence, Failure},
    facts::{
        action::parse_forbidden,
        pasted::Pasted,
        value::{Fact, choice, why_unsettled},
    },
    symptom::SymptomClass,
};

choice! {
    /// What refused a request that authorization let pass.
    Gate {
        /// A quota.
        Quota = "quota",
        /// The Pod Security standard of a namespace.
        PodSecurity = "pod-security",
        /// An admission webhook or policy.
        Admission = "admission",
        /// Too many requests at once.
        Throttling = "throttling",
        /// The object or the request: not found, in conflict, invalid, or the server failed.
        Request = "request",
    }
}

/// The gate and its words, if the request met one; absent if an authorizer refused it or it worked.
pub(super) fn gate(evidence: &Evidence, pasted: &Pasted) -> Fact<Option<(Gate, String)>> {
    let text = pasted.text.as_str();
    if let Some(gate) = in_words(text) {
        return Fact::known(Some((gate, first_line(text, gate))), "target.symptom");
    }
    if pasted.proves("authorization/not-rbac") {
        return Fact::known(Some((Gate::Throttling, text.trim().to_owned())), "target.symptom");
    }
    if pasted.refusal.is_some() {
        return Fact::known(None, "target.symptom");
    }
    let attempt = &evidence.kubernetes.action_attempt;
    if evidence.target.principal.is_none()
        && let Some(failure) = attempt.failure()
    {
        return Fact::known(of_failure(failure).map(|gate| (gate, failure.summary())), "kubernetes.actionAttempt");
    }
    // A pasted 403 without the authorizer's words may come from anywhere.
    if attempt.found().is_none() && pasted.shows(SymptomClass::Forbidden) {
        return Fact::Unknown(why_unsettled(attempt, "kubernetes.actionAttempt"));
    }
    Fact::known(None, "kubernetes.actionAttempt")
}

fn of_failure(failure: &Failure) -> Option<Gate> {
    if let Some(gate) = in_words(&failure.message) {
        return Some(gate);
    }
    match failure.status? {
        429 => Some(Gate::Throttling),
        // A 403 in other words than an authorizer's comes from behind it; so does what has been asked in detail.
        403 if parse_forbidden(&failure.message).is_none() && !failure.message.trim().is_empty() => {
            let is_bare = failure.message.trim().eq_ignore_ascii_case("forbidden");
            (!is_bare && failure.message.contains("forbidden")).then_some(Gate::Admission)
        }
        404 | 409 | 422 => Some(Gate::Request),
        500..=599 => Some(Gate::Request),
        _ => None,
    }
}

fn in_words(text: &str) -> Option<Gate> {
    let kinds: [(Gate, &[&str]); 3] = [
        (Gate::Quota, &["exceeded quota", "failed quota", "maximum memory usage per", "maximum cpu usage per"]),
        (Gate::PodSecurity, &["violates PodSecurity", "violates the PodSecurity"]),
        (
            Gate::Admission,
            &["admission webhook", "denied the request", "ValidatingAdmissionPolicy", "denied by policy"],
        ),
    ];
    kinds.into_iter().find(|(_, needles)| needles.iter().any(|needle| text.contains(needle))).map(|(gate, _)| gate)
}

/// The line of a pasted text that names the gate.
fn first_line(text: &str, gate: Gate) -> String {
    let line = text.lines().find(|line| in_words(line) == Some(gate));
    line.unwrap_or(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_behind_the_authorizer_have_words_of_their_own() {
        for (status, message, expected) in [
            (
                403,
                r#"pods "web" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4"#,
                Some(Gate::Quota),
            ),
            (
                403,
                r#"pods "web" is forbidden: violates PodSecurity "restricted:latest": privileged"#,
                Some(Gate::PodSecurity),
            ),
            (
                403,
                r#"admission webhook "validate.kyverno.svc" denied the request: no latest tag"#,
                Some(Gate::Admission),
            ),
            (
                403,
                r#"pods "web" is forbidden: error looking up service account dev/app: serviceaccount "app" not found"#,
                Some(Gate::Admission),
            ),
            (
                403,
                r#"pods is forbidden: User "ada" cannot list resource "pods" in API group "" in the namespace "dev""#,
                None,
            ),
            (403, "Forbidden", None),
            (404, r#"pods "web" not found"#, Some(Gate::Request)),
            (429, "too many requests", Some(Gate::Throttling)),
            (401, "Unauthorized", None),
        ] {
            let failure = Failure { status: Some(status), message: message.to_owned(), ..Failure::default() };
            assert_eq!(of_failure(&failure), expected, "{message}");
        }
    }
}
