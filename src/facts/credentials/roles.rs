//! The role that a profile or the exec entry assumes: which one, by whom, and whether it is asked to assume itself.

use super::{CredentialProblem, Rooms, problem::Seen};
use crate::{
    evidence::Evidence,
    facts::{
        arn::{RawArn, strip_path},
        pasted::{self, Pasted},
        value::{Fact, why_unsettled},
    },
};

/// Who is to assume what.
pub(super) struct Assumption {
    pub(super) role: Fact<Option<String>>,
    pub(super) assumer: Fact<Option<String>>,
    pub(super) is_of_itself: Fact<bool>,
}

impl Assumption {
    /// AWS names both in its refusal; else the role is that of the exec entry or profile, and the caller that of the shell.
    pub(super) fn of(evidence: &Evidence, rooms: Rooms<'_>, problem: &Fact<Option<Seen>>) -> Self {
        let refusal = problem.value().cloned().flatten();
        let refusal = refusal.filter(|seen| {
            matches!(seen.problem, CredentialProblem::AssumeRoleDenied | CredentialProblem::MfaRequired)
        });
        let message = refusal.as_ref().map_or("", |seen| seen.message.as_str());
        let observation = refusal.as_ref().map_or("kubeconfig", |seen| seen.observation);
        let role = match arn_after(message, "on resource: ") {
            Some(role) => Fact::known(Some(role), observation),
            None => configured(evidence, rooms),
        };
        let assumer = match arn_after(message, "User: ") {
            Some(principal) => Fact::known(Some(principal), observation),
            None => caller(evidence),
        };
        let is_of_itself = match refusal {
            Some(_) => is_of_itself(&role, &assumer),
            None => problem.clone().map(|_| false),
        };
        Self { role, assumer, is_of_itself }
    }
}

/// The ARN behind these words in a refusal of AWS.
fn arn_after(message: &str, words: &str) -> Option<String> {
    let rest = message.split_once(words)?.1;
    let arn = rest.split(|c: char| c.is_whitespace() || c == '"' || c == ',').next()?;
    arn.starts_with("arn:").then(|| arn.to_owned())
}

fn configured(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<Option<String>> {
    let of_profile = evidence.aws.profile.found().and_then(|profile| profile.role_arn.clone());
    match (&rooms.known.kubeconfig.exec_role, of_profile) {
        (Fact::Known { value: None, .. } | Fact::Unknown(_), Some(role)) => Fact::known(Some(role), "aws.profile"),
        (of_exec, _) => of_exec.clone(),
    }
}

fn caller(evidence: &Evidence) -> Fact<Option<String>> {
    match evidence.aws.caller.found() {
        Some(caller) => Fact::known(Some(caller.arn.clone()), "aws.caller"),
        None => Fact::Unknown(why_unsettled(&evidence.aws.caller, "aws.caller")),
    }
}

/// Role and caller are compared without path and session, which the caller's ARN does not have or does not share.
fn is_of_itself(role: &Fact<Option<String>>, assumer: &Fact<Option<String>>) -> Fact<bool> {
    role.as_ref().and_then(|role| {
        assumer.as_ref().and_then(|assumer| match (role, assumer) {
            (Some(role), Some(assumer)) => {
                let is_same = principal(assumer).is_some_and(|own| strip_path(role).is_ok_and(|role| role == own));
                Fact::known(is_same, "the caller and the role")
            }
            _ => Fact::known(false, "kubeconfig"),
        })
    })
}

/// The IAM role or user behind an ARN, without session and without the role's path.
pub(super) fn principal(arn: &str) -> Option<String> {
    let (canonical, _) = RawArn::new(arn).canonicalize().ok()?;
    Some(canonical.as_str().to_owned())
}

/// The name of a role in its ARN.
pub(super) fn name(role: &str) -> Option<String> {
    role.split_once(":role/").and_then(|(_, path)| path.rsplit('/').next()).map(str::to_owned)
}

/// The MFA device in a prompt or in the profile.
pub(super) fn mfa_device(evidence: &Evidence, pasted: &Pasted) -> Fact<Option<String>> {
    if let Some(device) = &pasted.stated.mfa_serial {
        return Fact::known(Some(device.clone()), pasted::OBSERVATION);
    }
    let prompt = evidence.exec.found().map(|run| run.stderr.clone());
    let prompt = prompt.or_else(|| evidence.exec.failure().map(|failure| failure.message.clone()));
    if let Some(device) = prompt.and_then(|text| arn_after(&text, "MFA code for ")) {
        let device = device.trim_end_matches(':').to_owned();
        return Fact::known(Some(device), "exec");
    }
    Fact::observed(&evidence.aws.profile, "aws.profile")
        .map(|profile| profile.and_then(|found| found.mfa_serial.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn itself(role: &str, assumer: &str) -> Option<bool> {
        let fact = |text: &str| Fact::known(Some(text.to_owned()), "test");
        is_of_itself(&fact(role), &fact(assumer)).value().copied()
    }

    #[test]
    fn a_role_that_assumes_itself() {
        let session = "arn:aws:sts::111122223333:assumed-role/ci/run-7";
        assert_eq!(itself("arn:aws:iam::111122223333:role/ci", session), Some(true));
        assert_eq!(itself("arn:aws:iam::111122223333:role/build/ci", session), Some(true), "STS drops the path");
        assert_eq!(itself("arn:aws:iam::444455556666:role/ci", session), Some(false));
        assert_eq!(itself("arn:aws:iam::111122223333:role/admin", session), Some(false));
        assert_eq!(itself("no arn", session), Some(false));
        assert_eq!(name("arn:aws:iam::111122223333:role/build/ci").as_deref(), Some("ci"));
    }
}
