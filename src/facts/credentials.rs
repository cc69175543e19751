//! The shell's AWS credentials: whether there are any, where they come from, what they hide, and what AWS says of
//! them.

use super::{
    kubeconfig::{KubeconfigFacts, variable},
    value::{Fact, Unknown, choice, facts, why_unsettled},
};
use crate::evidence::{CredentialProvider, Evidence, Failure, Observed, ProfileSource};

choice! {
    /// What is wrong with the credentials.
    CredentialProblem {
        /// No provider yields any.
        None = "none",
        /// Half a key pair.
        Incomplete = "incomplete",
        /// Their session has ended, or an SSO login is needed.
        Expired = "expired",
        /// AWS does not know the access key.
        UnknownAccessKey = "unknown-access-key",
        /// The secret does not fit the access key.
        WrongSecretKey = "wrong-secret-key",
        /// A temporary key without its session token.
        SessionTokenMissing = "session-token-missing",
        /// The local clock is too far off.
        ClockSkew = "clock-skew",
        /// The named profile does not exist.
        ProfileNotFound = "profile-not-found",
        /// A role could not be assumed.
        AssumeRoleDenied = "assume-role-denied",
        /// The role or key needs MFA.
        MfaRequired = "mfa-required",
        /// STS does not answer.
        StsUnreachable = "sts-unreachable",
        /// Something else.
        Other = "other",
    }
}

choice! {
    /// Where credentials come from.
    Provider {
        /// Variables of the environment.
        Environment = "environment",
        /// Keys in a profile.
        Profile = "profile",
        /// IAM Identity Center.
        Sso = "sso",
        /// A role assumed by a profile.
        AssumeRole = "assume-role",
        /// A web identity token file.
        WebIdentity = "web-identity",
        /// ECS or EKS Pod Identity.
        Container = "container",
        /// EC2 instance metadata.
        Imds = "imds",
        /// A credential process.
        Process = "process",
        /// A console login.
        Login = "login",
        /// Something else.
        Other = "other",
    }
}

facts! {
    /// The credentials of the shell.
    CredentialFacts {
        /// Whether AWS accepts them.
        "accepted" accepted: Fact<bool>,
        /// What is wrong with them; absent if AWS accepts them.
        "problem" problem: Fact<Option<CredentialProblem>>,
        /// What AWS or the configuration says about the problem.
        "problemMessage" problem_message: Fact<Option<String>>,
        /// Where they come from.
        "provider" provider: Fact<Option<Provider>>,
        /// Access key id, its middle hidden.
        "accessKeyId" access_key_id: Fact<Option<String>>,
        /// When they expire, in UTC.
        "expiresAt" expires_at: Fact<Option<String>>,
        /// Name of the profile in force.
        "profile" profile: Fact<Option<String>>,
        /// Whether the profile was named by somebody, not just the default.
        "profileIsNamed" profile_is_named: Fact<bool>,
        /// Whether the profile logs in through IAM Identity Center.
        "profileIsSso" profile_is_sso: Fact<bool>,
        /// The profile that somebody named and that access keys in the environment beat.
        "overriddenProfile" overridden_profile: Fact<Option<String>>,
        /// ARN of the caller, as STS spells it.
        "caller" caller: Fact<Option<String>>,
    }
}

const CALLER: &str = "aws.caller";
const CREDENTIALS: &str = "aws.credentials";

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> CredentialFacts {
    let aws = &evidence.aws;
    let credentials = Fact::observed(&aws.credentials, CREDENTIALS);
    let profile = Fact::observed(&aws.profile, "aws.profile");
    let problem = problem(evidence);
    CredentialFacts {
        accepted: problem.clone().map(|problem| problem.is_none()),
        problem_message: problem.clone().map(|problem| problem.and_then(|(_, message)| message)),
        problem: problem.map(|problem| problem.map(|(problem, _)| problem)),
        provider: credentials.clone().map(|found| found.map(|found| provider(found.provider))),
        access_key_id: credentials.clone().map(|found| found.and_then(|found| found.access_key_id.clone())),
        expires_at: credentials.map(|found| found.and_then(|found| found.expires_at).map(|time| time.to_string())),
        profile: profile.clone().map(|found| found.map(|found| found.name.clone())),
        profile_is_named: profile
            .clone()
            .map(|found| found.is_some_and(|found| found.source != ProfileSource::Default)),
        profile_is_sso: profile
            .map(|found| found.is_some_and(|found| found.settings.iter().any(|setting| setting.starts_with("sso_")))),
        overridden_profile: overridden_profile(evidence, kubeconfig),
        caller: Fact::observed(&aws.caller, CALLER).map(|caller| caller.map(|caller| caller.arn.clone())),
    }
}

fn provider(provider: CredentialProvider) -> Provider {
    match provider {
        CredentialProvider::Environment => Provider::Environment,
        CredentialProvider::Profile => Provider::Profile,
        CredentialProvider::Sso => Provider::Sso,
        CredentialProvider::AssumeRole => Provider::AssumeRole,
        CredentialProvider::WebIdentity => Provider::WebIdentity,
        CredentialProvider::Container => Provider::Container,
        CredentialProvider::Imds => Provider::Imds,
        CredentialProvider::Process => Provider::Process,
        CredentialProvider::Login => Provider::Login,
        CredentialProvider::Other => Provider::Other,
    }
}

/// What is wrong, with the service's words. STS has the last word: whoever it names is accepted.
fn problem(evidence: &Evidence) -> Fact<Option<(CredentialProblem, Option<String>)>> {
    let Observed::Found(_) = &evidence.aws.caller else {
        return match &evidence.aws.credentials {
            Observed::Absent(_) => Fact::known(Some((CredentialProblem::None, None)), CREDENTIALS),
            failed if failed.failure().is_some() => of_failure(evidence, failed.failure(), CREDENTIALS),
            _ if evidence.aws.caller.failure().is_some() => of_failure(evidence, evidence.aws.caller.failure(), CALLER),
            unsettled => {
                let mut unknown = why_unsettled(&evidence.aws.caller, CALLER);
                if !unsettled.is_settled() {
                    unknown.absorb(&why_unsettled(unsettled, CREDENTIALS));
                }
                Fact::Unknown(unknown)
            }
        };
    };
    Fact::known(None, CALLER)
}

fn of_failure(
    evidence: &Evidence,
    failure: Option<&Failure>,
    observation: &'static str,
) -> Fact<Option<(CredentialProblem, Option<String>)>> {
    match failure {
        Some(failure) => {
            let problem = classify(evidence, failure);
            Fact::known(Some((problem, Some(failure.summary()))), observation)
        }
        None => Fact::Unknown(Unknown::default()),
    }
}

/// The problem behind an error code or text of the credential chain or of STS.
fn classify(evidence: &Evidence, failure: &Failure) -> CredentialProblem {
    let code = failure.code.as_deref().unwrap_or_default();
    let message = failure.message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenExpired" => CredentialProblem::Expired,
        "InvalidClientTokenId" | "UnrecognizedClientException" if lacks_session_token(evidence) => {
            CredentialProblem::SessionTokenMissing
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => CredentialProblem::UnknownAccessKey,
        "RequestExpired" | "RequestTimeTooSkewed" => CredentialProblem::ClockSkew,
        "SignatureDoesNotMatch" if says(&["signature expired", "signature not yet current"]) => {
            CredentialProblem::ClockSkew
        }
        "SignatureDoesNotMatch" => CredentialProblem::WrongSecretKey,
        "AccessDenied" if says(&["multifactor", "mfa"]) => CredentialProblem::MfaRequired,
        "AccessDenied" if says(&["sts:assumerole"]) => CredentialProblem::AssumeRoleDenied,
        "ProfileNotFound" => CredentialProblem::ProfileNotFound,
        "PartialCredentials" => CredentialProblem::Incomplete,
        "Timeout" | "NXDOMAIN" | "ECONNREFUSED" | "ConnectError" => CredentialProblem::StsUnreachable,
        _ if says(&["has expired", "is expired", "token expired", "refresh failed"]) => CredentialProblem::Expired,
        _ if says(&["partial credentials", "missing aws_secret_access_key", "missing aws_access_key_id"]) => {
            CredentialProblem::Incomplete
        }
        _ if says(&["could not be found", "profile not found"]) && says(&["profile"]) => {
            CredentialProblem::ProfileNotFound
        }
        _ => CredentialProblem::Other,
    }
}

/// A temporary key in the environment whose session token is not there.
fn lacks_session_token(evidence: &Evidence) -> bool {
    let credentials = evidence.aws.credentials.found();
    let is_temporary =
        credentials.and_then(|found| found.access_key_id.as_deref()).is_some_and(|id| id.starts_with("ASIA"));
    let from_environment = credentials.is_some_and(|found| found.provider == CredentialProvider::Environment);
    let variables = evidence.environment.variables.as_ref();
    let has_token = variables.is_none_or(|variables| {
        ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"].iter().any(|name| variables.contains_key(*name))
    });
    is_temporary && from_environment && !has_token
}

/// The profile that somebody named, in the shell or in the kubeconfig, while access keys in the environment are what
/// is used. A profile given as an argument beats the environment and is therefore never overridden.
fn overridden_profile(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Option<String>> {
    let keys_win = match evidence.aws.credentials.found() {
        Some(found) => Fact::known(found.provider == CredentialProvider::Environment, CREDENTIALS),
        None => variable(evidence, "AWS_ACCESS_KEY_ID").map(|key| key.is_some()),
    };
    keys_win.and_then(|keys_win| {
        let from_shell = evidence.aws.credentials.found().and_then(|found| {
            found.shadowed.iter().find_map(|shadowed| shadowed.strip_prefix("profile ")).map(str::to_owned)
        });
        let named =
            evidence.aws.profile.found().filter(|profile| {
                matches!(profile.source, ProfileSource::AwsProfile | ProfileSource::AwsDefaultProfile)
            });
        let from_shell = from_shell.or_else(|| named.map(|profile| profile.name.clone()));
        let from_exec = kubeconfig.exec_env_profile.value().cloned().flatten();
        let is_argument = kubeconfig.exec_profile.value().is_some_and(Option::is_some);
        let overridden = from_exec.or(from_shell).filter(|_| keys_win && !is_argument);
        Fact::known(overridden, CREDENTIALS)
    })
}
