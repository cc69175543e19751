//! Who is diagnosed: the principal asked about, else whom the API server sees, else the caller of the shell.

use super::{
    arn::{Arn, ArnKind, NotAnIdentity, RawArn, strip_path},
    kubeconfig::{KubeconfigFacts, UserCredential},
    value::{Fact, choice, facts, why_unsettled},
};
use crate::evidence::{Evidence, Observed};

choice! {
    /// What kind of principal the subject is.
    SubjectKind {
        /// A session of an IAM role, or the role itself.
        Role = "role",
        /// An IAM user.
        User = "user",
        /// The root user of an account.
        Root = "root",
        /// A federated user.
        FederatedUser = "federated-user",
        /// Nothing that EKS accepts.
        Other = "other",
    }
}

choice! {
    /// Which observation says who the subject is.
    SubjectOrigin {
        /// The principal that was asked about.
        Target = "target",
        /// The token of the exec plugin.
        Exec = "exec",
        /// The API server.
        Whoami = "whoami",
        /// The shell's credentials.
        Shell = "shell",
    }
}

facts! {
    /// The principal under diagnosis.
    Subject {
        /// Its ARN as it was asked about or as STS spells it.
        "arn" arn: Fact<String>,
        /// Its ARN as the cluster looks it up: a session becomes its role, the role's path is lost.
        "canonicalArn" canonical_arn: Fact<String>,
        /// The ARN of its IAM role or user with the path, as access entries spell it.
        "principalArn" principal_arn: Fact<String>,
        /// What kind of principal it is.
        "kind" kind: Fact<SubjectKind>,
        /// Its account.
        "account" account: Fact<String>,
        /// Its partition: aws, aws-cn, …
        "partition" partition: Fact<String>,
        /// Name of the role or user, without path.
        "name" name: Fact<String>,
        /// Session name; absent for users.
        "sessionName" session_name: Fact<Option<String>>,
        /// Its unique id, AROA… or AIDA…
        "uniqueId" unique_id: Fact<String>,
        /// Permission set of an IAM Identity Center role.
        "permissionSet" permission_set: Fact<Option<String>>,
        /// Which observation says who it is.
        "origin" origin: Fact<SubjectOrigin>,
        /// Whether it is the principal of the shell's credentials.
        "isShellCaller" is_shell_caller: Fact<bool>,
        /// Whether somebody else's principal was asked about, so that what is seen of this machine proves nothing.
        "isSomebodyElse" is_somebody_else: Fact<bool>,
    }
}

/// The identity as it was seen, before anything is concluded from it.
struct Seen {
    arn: String,
    user_id: Option<String>,
    origin: SubjectOrigin,
    observation: &'static str,
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Subject {
    let seen = seen(evidence, kubeconfig);
    let of_arn = |part: fn(&Arn<'_>) -> String| {
        seen.as_ref().and_then(|seen| match Arn::parse(&seen.arn) {
            Ok(arn) => Fact::known(part(&arn), seen.observation),
            Err(error) => Fact::unknown(seen.observation, error.to_string()),
        })
    };
    let canonical_arn = seen.as_ref().and_then(|seen| match canonical(&seen.arn) {
        Ok(canonical) => Fact::known(canonical, seen.observation),
        Err(error) => Fact::unknown(seen.observation, error.to_string()),
    });
    Subject {
        kind: seen.as_ref().map(|seen| Arn::parse(&seen.arn).map_or(SubjectKind::Other, |arn| kind(arn.kind()))),
        account: of_arn(|arn| arn.account.to_owned()),
        partition: of_arn(|arn| arn.partition.to_owned()),
        name: of_arn(|arn| arn.name().to_owned()),
        session_name: seen.as_ref().and_then(|seen| match Arn::parse(&seen.arn) {
            Ok(arn) => Fact::known(arn.session().map(str::to_owned), seen.observation),
            Err(error) => Fact::unknown(seen.observation, error.to_string()),
        }),
        permission_set: seen.as_ref().map(|seen| {
            let arn = Arn::parse(&seen.arn).ok();
            arn.and_then(|arn| arn.permission_set().map(|(set, _)| set.to_owned()))
        }),
        unique_id: unique_id(evidence, &seen),
        origin: seen.as_ref().map(|seen| seen.origin),
        is_shell_caller: is_shell_caller(evidence, &canonical_arn),
        is_somebody_else: Fact::known(evidence.target.principal.is_some(), "target.principal"),
        principal_arn: principal_arn(evidence, &seen, &canonical_arn),
        canonical_arn,
        arn: seen.map(|seen| seen.arn),
    }
}

/// The ARN as the cluster would look it up. A role that was asked about by its own ARN comes as a session of it, and
/// so without its path.
pub(crate) fn canonical(arn: &str) -> Result<String, NotAnIdentity> {
    let (canonical, _) = RawArn::new(arn.to_owned()).canonicalize()?;
    Ok(strip_path(canonical.as_str()).unwrap_or_else(|_| canonical.as_str().to_owned()))
}

fn kind(kind: ArnKind) -> SubjectKind {
    match kind {
        ArnKind::Role | ArnKind::AssumedRole | ArnKind::PermissionSetRole | ArnKind::ServiceLinkedRole => {
            SubjectKind::Role
        }
        ArnKind::User => SubjectKind::User,
        ArnKind::Root => SubjectKind::Root,
        ArnKind::FederatedUser => SubjectKind::FederatedUser,
        _ => SubjectKind::Other,
    }
}

/// The order of the evidence format: the target, the token's identity, what the API server says of a static
/// credential, the shell's caller.
fn seen(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Seen> {
    if let Some(arn) = &evidence.target.principal {
        let seen =
            Seen { arn: arn.clone(), user_id: None, origin: SubjectOrigin::Target, observation: "target.principal" };
        return Fact::known(seen, "target.principal");
    }
    if let Some(caller) = evidence.exec_caller.found() {
        let (arn, user_id) = (caller.arn.clone(), caller.user_id.clone());
        let seen = Seen { arn, user_id, origin: SubjectOrigin::Exec, observation: "execCaller" };
        return Fact::known(seen, "execCaller");
    }
    let holds_static_credential =
        kubeconfig.credential.value().copied().flatten().is_some_and(|credential| credential != UserCredential::Exec);
    if holds_static_credential {
        return match arn_of_whoami(evidence) {
            Some(arn) => {
                let seen = Seen {
                    arn: arn.clone(),
                    user_id: None,
                    origin: SubjectOrigin::Whoami,
                    observation: "kubernetes.whoami",
                };
                Fact::known(seen, "kubernetes.whoami")
            }
            None => Fact::Unknown(why_unsettled(&evidence.kubernetes.whoami, "kubernetes.whoami")),
        };
    }
    match &evidence.aws.caller {
        Observed::Found(caller) => {
            let (arn, user_id) = (caller.arn.clone(), caller.user_id.clone());
            Fact::known(Seen { arn, user_id, origin: SubjectOrigin::Shell, observation: "aws.caller" }, "aws.caller")
        }
        // Whoever asked is who is seen, if nobody looked who the shell's credentials are.
        Observed::NotTried(_) if let Some(arn) = arn_of_whoami(evidence) => {
            let (arn, origin) = (arn.clone(), SubjectOrigin::Whoami);
            Fact::known(Seen { arn, user_id: None, origin, observation: "kubernetes.whoami" }, "kubernetes.whoami")
        }
        // Somebody looked its role or user up, and nothing says that anybody else is meant.
        Observed::NotTried(_) if let Some(principal) = evidence.aws.principal.found() => {
            let (arn, user_id) = (principal.arn.clone(), principal.unique_id.clone());
            Fact::known(
                Seen { arn, user_id, origin: SubjectOrigin::Target, observation: "aws.principal" },
                "aws.principal",
            )
        }
        other => Fact::Unknown(why_unsettled(other, "aws.caller")),
    }
}

fn arn_of_whoami(evidence: &Evidence) -> Option<&String> {
    evidence.kubernetes.whoami.found()?.extra.get("arn")?.first()
}

fn unique_id(evidence: &Evidence, seen: &Fact<Seen>) -> Fact<String> {
    if let Some(id) = evidence.aws.principal.found().and_then(|principal| principal.unique_id.clone()) {
        return Fact::known(id, "aws.principal");
    }
    seen.as_ref().and_then(|seen| match &seen.user_id {
        Some(id) => Fact::known(id.split(':').next().unwrap_or_default().to_owned(), seen.observation),
        None => Fact::Unknown(why_unsettled(&evidence.aws.principal, "aws.principal")),
    })
}

fn is_shell_caller(evidence: &Evidence, canonical: &Fact<String>) -> Fact<bool> {
    let shell = Fact::observed(&evidence.aws.caller, "aws.caller");
    canonical.clone().and_then(|canonical| {
        shell.and_then(|caller| {
            let shell = caller.and_then(|caller| super::subject::canonical(&caller.arn).ok());
            Fact::known(shell.is_some_and(|shell| shell == canonical), "aws.caller")
        })
    })
}

/// The ARN with the path: as IAM tells it, or as it was asked about, or that of a user, which STS spells in full, or
/// that of the one access entry which differs from the canonical ARN by a path only.
fn principal_arn(evidence: &Evidence, seen: &Fact<Seen>, canonical: &Fact<String>) -> Fact<String> {
    if let Some(principal) = evidence.aws.principal.found() {
        return Fact::known(principal.arn.clone(), "aws.principal");
    }
    seen.as_ref().and_then(|seen| {
        let arn = Arn::parse(&seen.arn);
        let is_spelled_in_full = arn.is_ok_and(|arn| arn.service == "iam");
        if is_spelled_in_full {
            return Fact::known(seen.arn.clone(), seen.observation);
        }
        let entries = evidence.aws.access_entries.found().into_iter().flatten();
        let mut same = entries.filter(|entry| {
            let stripped = strip_path(&entry.principal_arn);
            stripped.is_ok_and(|stripped| canonical.is(&stripped))
        });
        match (same.next(), same.next()) {
            (Some(entry), None) => Fact::known(entry.principal_arn.clone(), "aws.accessEntries"),
            _ => Fact::Unknown(why_unsettled::<()>(&Observed::NotTried(None), "aws.principal")),
        }
    })
}
