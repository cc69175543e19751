//! What is wrong with AWS credentials, told from the words of AWS, of its clients and of exec plugins; and which of
//! the observations says so.

use super::{CredentialProblem, clock};
use crate::{
    evidence::{Evidence, Failure, Observed},
    facts::{
        exec,
        kubeconfig::{KubeconfigFacts, UserCredential},
        pasted::{self, Pasted},
        token_facts::host_of_other_partition,
        value::{Fact, Unknown, why_unsettled},
    },
    symptom::SymptomClass,
};

/// A problem, the words that tell it, and where they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) problem: CredentialProblem,
    pub(crate) message: String,
    pub(crate) observation: &'static str,
}

type Words = &'static [&'static str];

/// In this order, which runs from the particular to the general: a problem and the texts that tell it, in lower case.
/// A text is told by all words of one line.
const TABLE: &[(CredentialProblem, &[Words])] = &[
    (
        CredentialProblem::MfaRequired,
        &[
            &["multifactorauthentication"],
            &["mfa code"],
            &["mfa token"],
            &["mfa one time"],
            &["getpasswarning"],
            &["assumeroletokenprovidernotset"],
            &["explicit deny", "mfa"],
        ],
    ),
    (
        CredentialProblem::ClockSkew,
        &[
            &["signature expired:"],
            &["signature not yet current"],
            &["requesttimetooskewed"],
            &["requestexpired"],
            &["is earlier than", "signature"],
        ],
    ),
    (
        CredentialProblem::ProfileNotFound,
        &[
            &["config profile (", "could not be found"],
            &["profilenotfound"],
            &["failed to get shared config profile"],
            &["source_profile", "does not exist"],
            &["sso-session does not exist"],
            &["could not find profile"],
            &["profile", "not found in"],
            &["profile file contained no information for profile"],
        ],
    ),
    (
        CredentialProblem::Expired,
        &[
            &["expiredtoken"],
            &["tokenexpired"],
            &["token included in the request is expired"],
            &["credentials", "expired"],
            &["session", "expired"],
            &["token has expired"],
            &["token is expired"],
            &["refresh failed"],
            &["error loading sso token"],
            &["error when retrieving token from sso"],
            &["unauthorizedssotoken"],
            &["ssotokenloaderror"],
            &["ssotokenexpired"],
            &["logintokenloaderror"],
            &["error loading login session token"],
            &["session token not found or invalid"],
            &["failed to load the cached sso token"],
            &["aws sso login"],
            &["reauthenticate"],
        ],
    ),
    (
        CredentialProblem::AssumeRoleDenied,
        &[
            &["not authorized to perform: sts:"],
            &["not authorized to perform sts:"],
            &["accessdenied", "assumerole"],
            &["access denied", "assumerole"],
            // aws-iam-authenticator asks STS for nothing but a role.
            &["could not get token", "accessdenied"],
            &["forbiddenexception", "getrolecredentials"],
            &["invalididentitytoken"],
            &["role chaining"],
        ],
    ),
    (
        CredentialProblem::UnknownAccessKey,
        &[
            &["invalidclienttokenid"],
            &["unrecognizedclient"],
            &["invalidaccesskeyid"],
            &["token included in the request is invalid"],
        ],
    ),
    (
        CredentialProblem::WrongSecretKey,
        &[&["signaturedoesnotmatch"], &["invalidsignatureexception"], &["signature we calculated does not match"]],
    ),
    (CredentialProblem::Incomplete, &[&["partial credentials"], &["partialcredentials"]]),
    (
        CredentialProblem::None,
        &[
            &["unable to locate credentials"],
            &["nocredentials"],
            &["nocredentialproviders"],
            &["no credentials"],
            &["no valid credential"],
            &["no valid providers"],
            &["unable to load credentials"],
            &["could not load credentials"],
            &["credentials could not be loaded"],
            &["no ec2 imds role found"],
            &["must have credentials"],
        ],
    ),
    (CredentialProblem::StsUnreachable, &[&["regiondisabled"], &["sts is not activated in this region"]]),
];

/// Signs that the way to a service is at fault, in lower case.
const UNREACHABLE: &[&str] = &[
    "could not connect to the endpoint",
    "connect timeout",
    "read timeout",
    "timeout",
    "timed out",
    "nxdomain",
    "no such host",
    "econnrefused",
    "econnreset",
    "ehostunreach",
    "enetunreach",
    "eai_again",
    "connecterror",
    "connection refused",
    "name resolution",
    "failed to lookup",
    "invalid endpoint",
];

/// Texts whose "expired" and "denied" speak of something else than credentials.
const OF_OTHERS: &[&str] = &["x509", "certificate", "x-amz-date parameter", "proxy", "ssl validation"];

/// The problem that a text tells. STS is named in it, unless `asks_sts` says that nothing else was asked.
pub(crate) fn of_text(text: &str, asks_sts: bool) -> Option<CredentialProblem> {
    let text = text.to_lowercase();
    let has = |word: &&str| text.contains(*word);
    if OF_OTHERS.iter().any(has) {
        return None;
    }
    let told = TABLE.iter().find(|(_, lines)| lines.iter().any(|words| words.iter().all(has)));
    if let Some((problem, _)) = told {
        return Some(*problem);
    }
    let names_sts = asks_sts || text.contains("sts.") || text.contains("assumerole");
    (names_sts && UNREACHABLE.iter().any(has)).then_some(CredentialProblem::StsUnreachable)
}

fn of_failure(failure: &Failure) -> Option<CredentialProblem> {
    let operation = failure.operation.as_deref().unwrap_or_default();
    let code = failure.code.as_deref().unwrap_or_default();
    of_text(&format!("{operation} {code} {}", failure.message), operation.starts_with("sts:"))
}

/// What one side of the machine says of its credentials.
enum Side {
    Problem(Seen),
    Works,
    /// It failed or was left out for a reason that says nothing of credentials.
    Silent,
    Unknown(Unknown),
}

/// What stops the credentials with which the subject's requests are signed. The exec plugin goes before the shell,
/// because its token is what the API server sees; a pasted text counts where nothing was looked up.
pub(crate) fn of_subject(evidence: &Evidence, kubeconfig: &KubeconfigFacts, pasted: &Pasted) -> Fact<Option<Seen>> {
    // What an ancient plugin says of credentials is its own fault.
    let stated = if exec::is_ancient(evidence, kubeconfig) { None } else { of_pasted(pasted) };
    let known = |seen: Option<Seen>, observation: &'static str| {
        let observation = seen.as_ref().map_or(observation, |seen| seen.observation);
        Fact::known(seen, observation)
    };
    if evidence.target.principal.is_some() {
        return match stated {
            Some(seen) => known(Some(seen), pasted::OBSERVATION),
            None => Fact::unknown("aws.caller", "what is seen from here belongs to somebody else"),
        };
    }
    if let Some(seen) = of_partition(evidence, kubeconfig) {
        return known(Some(seen), "exec");
    }
    let asks_aws = pasted.classes.contains(&SymptomClass::Aws);
    match (of_exec(evidence, kubeconfig), of_shell(evidence)) {
        (Side::Problem(seen), _) => known(Some(seen), "exec"),
        (Side::Works, Side::Problem(seen)) if asks_aws => known(Some(seen), "aws.caller"),
        (Side::Works, _) => of_elsewhere(evidence, pasted, stated, "execCaller"),
        // The plugin signs with a profile of its own, and fails for a reason of its own.
        (Side::Silent, Side::Problem(_)) if !uses_shell(kubeconfig) => known(stated, "exec"),
        (Side::Silent | Side::Unknown(_), Side::Problem(seen)) => known(Some(seen), "aws.caller"),
        (Side::Silent, Side::Works) => of_elsewhere(evidence, pasted, stated, "aws.caller"),
        (Side::Unknown(_), Side::Works) if stated.is_some() || uses_shell(kubeconfig) => {
            of_elsewhere(evidence, pasted, stated, "aws.caller")
        }
        (Side::Unknown(unknown), Side::Works) => Fact::Unknown(unknown),
        (_, Side::Unknown(unknown)) => match stated {
            Some(seen) => known(Some(seen), pasted::OBSERVATION),
            None => Fact::Unknown(unknown),
        },
        (_, Side::Silent) => known(stated, "aws.caller"),
    }
}

/// Credentials work here. What a text states by itself holds for another program, which may have other ones; without
/// such a program it may be of another time or place, as may a text that leaves the reason open.
fn of_elsewhere(evidence: &Evidence, pasted: &Pasted, stated: Option<Seen>, works: &'static str) -> Fact<Option<Seen>> {
    let is_of_program = evidence.target.program.as_ref().is_some_and(|program| !program.name.contains("kubectl"));
    let is_of_credentials = |class| matches!(class, &SymptomClass::Aws | &SymptomClass::Exec);
    let speaks = !pasted.classes.is_empty() && pasted.classes.iter().all(is_of_credentials);
    let is_named = |problem: &CredentialProblem| pasted.may_be(&format!("credentials/{problem}"));
    match stated {
        Some(seen) if is_of_program || works == "aws.caller" => Fact::known(Some(seen), pasted::OBSERVATION),
        None if !speaks || !CredentialProblem::ALL.iter().any(is_named) => Fact::known(None, works),
        _ => Fact::unknown(works, "they work here, but the failing program may have other ones"),
    }
}

/// A program that asks STS of another partition, although nothing in the exec entry says so.
fn of_partition(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<Seen> {
    let host = host_of_other_partition(evidence, kubeconfig)?;
    let is_named = kubeconfig.exec_region.value().is_some_and(Option::is_some);
    let message = format!("the token asks {host}, which is not STS of the cluster's partition");
    let observation = if evidence.static_token.found().is_some() { "staticToken" } else { "exec" };
    (!is_named).then_some(Seen { problem: CredentialProblem::StsUnreachable, message, observation })
}

fn of_pasted(pasted: &Pasted) -> Option<Seen> {
    let name = pasted.proves?.strip_prefix("credentials/")?;
    let problem = CredentialProblem::ALL.iter().find(|problem| problem.as_str() == name)?;
    let line = pasted.text.lines().find(|line| of_text(line, false) == Some(*problem));
    let message = line.or_else(|| pasted.text.lines().next()).unwrap_or_default().trim().to_owned();
    Some(Seen { problem: *problem, message, observation: pasted::OBSERVATION })
}

/// Whether the exec plugin would take the credentials of the shell.
fn uses_shell(kubeconfig: &KubeconfigFacts) -> bool {
    let unset = |fact: &Fact<Option<String>>| matches!(fact.value(), Some(None));
    let is_exec = matches!(kubeconfig.credential.value(), Some(Some(UserCredential::Exec)));
    let sets_own = [&kubeconfig.exec_profile, &kubeconfig.exec_env_profile, &kubeconfig.exec_role];
    !is_exec || (sets_own.into_iter().all(unset) && kubeconfig.exec_env_names.value().is_none_or(Vec::is_empty))
}

fn of_exec(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Side {
    const OBSERVATION: &str = "exec";
    if matches!(kubeconfig.credential.value(), Some(credential) if *credential != Some(UserCredential::Exec)) {
        return Side::Silent;
    }
    if exec::is_ancient(evidence, kubeconfig) {
        return Side::Silent;
    }
    let told = |text: &str| match of_text(text, false) {
        Some(problem) => Side::Problem(Seen { problem, message: last_line(text), observation: OBSERVATION }),
        None => Side::Silent,
    };
    match &evidence.exec {
        Observed::Found(run) if run.exit_code != Some(0) => told(&run.stderr),
        Observed::Found(run) if run.decode_error.is_some() => told(&run.stderr),
        Observed::Found(_) => of_token(evidence, kubeconfig),
        Observed::Denied(failure) | Observed::Failed(failure) => told(&failure.message),
        Observed::Absent(_) => Side::Silent,
        not_tried @ Observed::NotTried(_) => match lost_profile(evidence, kubeconfig) {
            Some(seen) if evidence.exec_caller.found().is_none() => Side::Problem(seen),
            _ => Side::Unknown(why_unsettled(not_tried, OBSERVATION)),
        },
    }
}

/// The profile that the exec entry names is not among those that exist.
fn lost_profile(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<Seen> {
    let names = evidence.aws.profile_names.found()?;
    if super::keys_win(evidence).is(&true) {
        return None;
    }
    let named = [&kubeconfig.exec_profile, &kubeconfig.exec_env_profile];
    let named = named.into_iter().find_map(|profile| profile.value()?.as_ref())?;
    let message = format!("the exec entry names {named}, and there is no such profile");
    let seen = Seen { problem: CredentialProblem::ProfileNotFound, message, observation: "exec" };
    (!names.contains(named)).then_some(seen)
}

/// The line that says most: plugins print progress first and the reason last.
fn last_line(text: &str) -> String {
    let telling = text.lines().rfind(|line| of_text(line, false).is_some());
    telling.or_else(|| text.lines().rfind(|line| !line.trim().is_empty())).unwrap_or_default().trim().to_owned()
}

/// What STS says of the plugin's token. A signature that does not fit is the secret's fault only if it does not fit
/// the shell's own request either: it also fails for a token that is made for another cluster.
fn of_token(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Side {
    const OBSERVATION: &str = "execCaller";
    let Some(failure) = evidence.exec_caller.failure() else {
        return match &evidence.exec_caller {
            Observed::Found(_) => Side::Works,
            _ if uses_shell(kubeconfig) => Side::Silent,
            other => Side::Unknown(why_unsettled(other, OBSERVATION)),
        };
    };
    let shell = || evidence.aws.caller.failure().and_then(of_failure);
    match of_failure(failure) {
        Some(CredentialProblem::WrongSecretKey) if shell() != Some(CredentialProblem::WrongSecretKey) => Side::Silent,
        // Whether STS can be reached from here says nothing of a token.
        Some(CredentialProblem::StsUnreachable) | None => Side::Silent,
        Some(problem) => Side::Problem(Seen { problem, message: failure.summary(), observation: OBSERVATION }),
    }
}

/// What the shell's own request to STS says, or the look for credentials before it, or the next AWS call after it.
fn of_shell(evidence: &Evidence) -> Side {
    const CREDENTIALS: &str = "aws.credentials";
    const CALLER: &str = "aws.caller";
    let aws = &evidence.aws;
    let told = |failure: &Failure, observation: &'static str| {
        let problem = of_failure(failure).unwrap_or(CredentialProblem::Other);
        let problem = if problem == CredentialProblem::StsUnreachable && is_offline(evidence) {
            CredentialProblem::Other
        } else {
            problem
        };
        Side::Problem(Seen { problem, message: failure.summary(), observation })
    };
    if aws.caller.found().is_some() {
        return Side::Works;
    }
    if let Observed::Absent(_) = &aws.credentials {
        let message = "no provider of the chain has any".to_owned();
        return Side::Problem(Seen { problem: CredentialProblem::None, message, observation: CREDENTIALS });
    }
    if let Some(failure) = aws.credentials.failure() {
        return told(failure, CREDENTIALS);
    }
    if let Some(failure) = aws.caller.failure() {
        return told(failure, CALLER);
    }
    let end = aws.credentials.found().and_then(|found| found.expires_at);
    if let Some(end) = end.filter(|end| clock::now(evidence).is_some_and(|now| *end < now)) {
        let message = format!("the session ended at {end}");
        return Side::Problem(Seen { problem: CredentialProblem::Expired, message, observation: CREDENTIALS });
    }
    if let Some(failure) = aws.cluster.failure()
        && of_failure(failure).is_some_and(|problem| problem != CredentialProblem::StsUnreachable)
    {
        return told(failure, "aws.cluster");
    }
    let mut unknown = why_unsettled(&aws.caller, CALLER);
    if !aws.credentials.is_settled() {
        unknown.absorb(&why_unsettled(&aws.credentials, CREDENTIALS));
    }
    Side::Unknown(unknown)
}

/// Whether the way to the API server is shut as well: then the network is at fault, not STS.
fn is_offline(evidence: &Evidence) -> bool {
    evidence.network.dns.failure().is_some() || evidence.network.tcp.failure().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<CredentialProblem> {
        of_text(text, false)
    }

    #[test]
    fn texts_of_many_clients() {
        use CredentialProblem::*;
        for (text, problem) in [
            ("Unable to locate credentials. You can configure credentials by running \"aws configure\".", None),
            ("could not get token: NoCredentialProviders: no valid providers in chain. Deprecated.", None),
            ("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY", Incomplete),
            ("Error when retrieving token from sso: Token has expired and refresh failed", Expired),
            ("Error loading SSO Token: Token for corp does not exist", Expired),
            ("could not get token: ExpiredToken: The security token included in the request is expired", Expired),
            ("AWS credentials for profile 'dev' have expired.", Expired),
            (
                "An error occurred (InvalidClientTokenId) when calling the AssumeRole operation: invalid",
                UnknownAccessKey,
            ),
            ("The config profile (prod/administrators) could not be found", ProfileNotFound),
            ("could not create config: failed to get shared config profile, prod", ProfileNotFound),
            ("could not get token: AccessDenied: Access denied\n\tstatus code: 403", AssumeRoleDenied),
            ("User: x is not authorized to perform: sts:AssumeRole on resource: y", AssumeRoleDenied),
            ("AccessDenied when calling the AssumeRole operation: MultiFactorAuthentication failed", MfaRequired),
            ("Assume Role MFA token code: ", MfaRequired),
            ("(SignatureDoesNotMatch) Signature expired: 20261121T194501Z is now earlier than", ClockSkew),
            ("(SignatureDoesNotMatch) The request signature we calculated does not match", WrongSecretKey),
            ("Could not connect to the endpoint URL: \"https://sts.eu-west-1.amazonaws.com/\"", StsUnreachable),
        ] {
            assert_eq!(told(text), Some(problem), "{text}");
        }
    }

    #[test]
    fn texts_that_speak_of_something_else() {
        for text in [
            "x509: certificate has expired or is not yet valid",
            "X-Amz-Date parameter is expired (15 minute expiration)",
            "Could not connect to the endpoint URL: \"https://eks.eu-west-1.amazonaws.com/clusters/prod\"",
            "Failed to connect to proxy URL: \"http://proxy.example:3128\" for sts.eu-west-1.amazonaws.com",
            "usage: aws [options] <command>",
            "",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
