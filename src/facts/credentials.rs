//! The AWS credentials with which requests are signed: whether there are any, where they come from, what they hide,
//! what AWS says of them, and whether their owner is who the cluster knows.

use super::{
    kubeconfig::variable,
    mapping::{self, MappingFacts},
    pasted::Pasted,
    token_facts::{
        self,
        log::{self, LoggedDenial},
    },
    value::{Fact, choice, facts},
};
use crate::evidence::{CredentialProvider, Evidence, ProfileSource};

pub(crate) mod clock;
mod eks_api;
mod identity;
mod mismatch;
pub(crate) mod problem;
mod roles;

use problem::Seen;

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

choice! {
    /// Whose credentials have the problem.
    Holder {
        /// The shell.
        Shell = "shell",
        /// The exec plugin of the kubeconfig.
        ExecPlugin = "exec-plugin",
        /// The program whose message was pasted.
        Program = "program",
    }
}

choice! {
    /// Which of two identities the cluster knows, where the shell and the exec plugin are different principals.
    Mismatch {
        /// The shell's, but the exec plugin signs as another.
        ShellIsKnown = "shell-is-known",
        /// The exec plugin's, but the failing program signs as the shell.
        PluginIsKnown = "plugin-is-known",
    }
}

facts! {
    /// The credentials with which requests are signed.
    CredentialFacts {
        /// Whether AWS accepts them.
        "accepted" accepted: Fact<bool>,
        /// What is wrong with them; absent if AWS accepts them.
        "problem" problem: Fact<Option<CredentialProblem>>,
        /// What AWS or the configuration says about the problem.
        "problemMessage" problem_message: Fact<Option<String>>,
        /// Whose credentials have the problem.
        "holder" holder: Fact<Option<Holder>>,
        /// Where they come from.
        "provider" provider: Fact<Option<Provider>>,
        /// Access key id, its middle hidden.
        "accessKeyId" access_key_id: Fact<Option<String>>,
        /// When they expire, in UTC.
        "expiresAt" expires_at: Fact<Option<String>>,
        /// Name of the profile in force, for the exec plugin where the problem is its own.
        "profile" profile: Fact<Option<String>>,
        /// Whether the profile was named by somebody, not just the default.
        "profileIsNamed" profile_is_named: Fact<bool>,
        /// Whether the profile logs in through IAM Identity Center.
        "profileIsSso" profile_is_sso: Fact<bool>,
        /// Names of the profiles that exist.
        "profileNames" profile_names: Fact<Vec<String>>,
        /// Whether access keys are set in the environment.
        "keysInEnvironment" keys_in_environment: Fact<bool>,
        /// The profile that somebody chose and that access keys in the environment beat.
        "overriddenProfile" overridden_profile: Fact<Option<String>>,
        /// Whether a temporary access key is used without its session token.
        "sessionTokenMissing" session_token_missing: Fact<bool>,
        /// Whether the local clock is so far off that signatures or tokens are refused.
        "clockIsOff" clock_is_off: Fact<bool>,
        /// How far the local clock is off, in words.
        "clockOffset" clock_offset: Fact<Option<String>>,
        /// The role that is to be assumed.
        "assumedRole" assumed_role: Fact<Option<String>>,
        /// Its name, without account and path.
        "assumedRoleName" assumed_role_name: Fact<Option<String>>,
        /// Who tries to assume it.
        "assumer" assumer: Fact<Option<String>>,
        /// The IAM role or user behind that, as policies name it.
        "assumerPrincipal" assumer_principal: Fact<Option<String>>,
        /// Whether a role is asked to assume itself.
        "assumesItself" assumes_itself: Fact<bool>,
        /// The MFA device that is asked for.
        "mfaDevice" mfa_device: Fact<Option<String>>,
        /// ARN of the caller, as STS spells it.
        "caller" caller: Fact<Option<String>>,
        /// Account of the caller.
        "callerAccount" caller_account: Fact<Option<String>>,
        /// Account of the cluster, by its description or by the ARN in the kubeconfig.
        "clusterAccount" cluster_account: Fact<Option<String>>,
        /// Whether the caller is of another account than the cluster, and nothing there knows it.
        "isOfWrongAccount" is_of_wrong_account: Fact<bool>,
        /// Which of the two identities of shell and exec plugin the cluster knows, if they differ and it knows one.
        "mismatch" mismatch: Fact<Option<Mismatch>>,
        /// Whether something tells that whoever signs is not the one who is meant.
        "isMismatchLikely" is_mismatch_likely: Fact<bool>,
        /// What makes the exec plugin another principal than the shell, in words.
        "mismatchReason" mismatch_reason: Fact<Option<String>>,
        /// The EKS action that IAM refuses.
        "deniedEksAction" denied_eks_action: Fact<Option<String>>,
        /// Whether that refusal is what stops the user, and not just something that could not be looked up.
        "eksDenialStops" eks_denial_stops: Fact<bool>,
    }
}

const CALLER: &str = "aws.caller";
const CREDENTIALS: &str = "aws.credentials";

/// The rooms that this one draws on.
#[derive(Clone, Copy)]
pub(crate) struct Rooms<'a> {
    pub(crate) known: mapping::Known<'a>,
    pub(crate) mapping: &'a MappingFacts,
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, rooms: Rooms<'_>) -> CredentialFacts {
    let mapping::Known { pasted, kubeconfig, .. } = rooms.known;
    let aws = &evidence.aws;
    let credentials = Fact::observed(&aws.credentials, CREDENTIALS);
    let shell_profile = Fact::observed(&aws.profile, "aws.profile");
    let problem = with_log(evidence, pasted, problem::of_subject(evidence, kubeconfig, pasted));
    let holder = problem.clone().map(|problem| problem.map(|seen| holder(seen.observation)));
    let assumption = roles::Assumption::of(evidence, rooms, &problem);
    let mismatch = mismatch::mismatch(evidence, rooms);
    CredentialFacts {
        accepted: problem.clone().map(|problem| problem.is_none()),
        profile: profile(evidence, rooms, &holder),
        session_token_missing: session_token_missing(evidence, &problem),
        clock_is_off: clock::is_off(evidence, &problem),
        clock_offset: clock::offset(evidence),
        overridden_profile: identity::overridden_profile(evidence, rooms, &problem),
        problem_message: problem.clone().map(|problem| problem.map(|seen| seen.message)),
        problem: problem.map(|problem| problem.map(|seen| seen.problem)),
        holder,
        provider: credentials.clone().map(|found| found.map(|found| provider(found.provider))),
        access_key_id: credentials.clone().map(|found| found.and_then(|found| found.access_key_id.clone())),
        expires_at: credentials.map(|found| found.and_then(|found| found.expires_at).map(|time| time.to_string())),
        profile_is_named: shell_profile
            .clone()
            .map(|found| found.is_some_and(|found| found.source != ProfileSource::Default)),
        profile_is_sso: shell_profile
            .map(|found| found.is_some_and(|found| found.settings.iter().any(|setting| setting.starts_with("sso_")))),
        profile_names: Fact::observed(&aws.profile_names, "aws.profileNames")
            .map(|names| names.cloned().unwrap_or_default()),
        keys_in_environment: keys_win(evidence),
        assumed_role_name: assumption.role.clone().map(|role| role.and_then(|role| roles::name(&role))),
        assumed_role: assumption.role,
        assumer_principal: assumption.assumer.clone().map(|assumer| assumer.and_then(|arn| roles::principal(&arn))),
        assumer: assumption.assumer,
        assumes_itself: assumption.is_of_itself,
        mfa_device: roles::mfa_device(evidence, pasted),
        caller: Fact::observed(&aws.caller, CALLER).map(|caller| caller.map(|caller| caller.arn.clone())),
        caller_account: identity::caller_account(evidence),
        cluster_account: identity::cluster_account(evidence, rooms),
        is_of_wrong_account: identity::is_of_wrong_account(evidence, rooms),
        is_mismatch_likely: mismatch::is_likely(evidence, rooms, &mismatch),
        mismatch_reason: mismatch::reason(evidence, rooms),
        mismatch,
        denied_eks_action: eks_api::denied_action(evidence, pasted),
        eks_denial_stops: eks_api::denial_stops(evidence, pasted),
    }
}

fn holder(observation: &str) -> Holder {
    match observation {
        "exec" | "execCaller" => Holder::ExecPlugin,
        super::pasted::OBSERVATION | log::OBSERVATION => Holder::Program,
        _ => Holder::Shell,
    }
}

/// The log of the authenticator tells what the client cannot see, where nothing else was seen to be wrong.
fn with_log(evidence: &Evidence, pasted: &Pasted, seen: Fact<Option<Seen>>) -> Fact<Option<Seen>> {
    if matches!(seen.value(), Some(Some(_))) || !token_facts::is_refused(evidence, pasted) {
        return seen;
    }
    let Some((denial, line)) = log::only_denial(evidence) else { return seen };
    let problem = match denial {
        LoggedDenial::CredentialsExpired => CredentialProblem::Expired,
        LoggedDenial::UnknownAccessKey => CredentialProblem::UnknownAccessKey,
        _ => return seen,
    };
    let seen = Seen { problem, message: line.to_owned(), observation: log::OBSERVATION };
    Fact::known(Some(seen), log::OBSERVATION)
}

/// The profile that the problem is about: that of the exec entry if the plugin has it, else that of the shell.
fn profile(evidence: &Evidence, rooms: Rooms<'_>, holder: &Fact<Option<Holder>>) -> Fact<Option<String>> {
    let shell = Fact::observed(&evidence.aws.profile, "aws.profile").map(|found| found.map(|found| found.name.clone()));
    let of_exec = [&rooms.known.kubeconfig.exec_profile, &rooms.known.kubeconfig.exec_env_profile];
    let of_exec = of_exec.into_iter().find(|profile| matches!(profile.value(), Some(Some(_))));
    if let Some(stated) = &rooms.known.pasted.stated.profile {
        return Fact::known(Some(stated.clone()), super::pasted::OBSERVATION);
    }
    match (holder.value().copied().flatten(), of_exec) {
        (Some(Holder::ExecPlugin), Some(profile)) => profile.clone(),
        (Some(Holder::ExecPlugin), None) => match variable(evidence, "AWS_PROFILE") {
            named @ Fact::Known { value: Some(_), .. } => named,
            _ => shell,
        },
        _ => shell,
    }
}

/// Whether access keys in the environment are what is used.
pub(crate) fn keys_win(evidence: &Evidence) -> Fact<bool> {
    match evidence.aws.credentials.found() {
        Some(found) => Fact::known(found.provider == CredentialProvider::Environment, CREDENTIALS),
        None => variable(evidence, "AWS_ACCESS_KEY_ID").map(|key| key.is_some()),
    }
}

/// AWS says the same of an unknown key and of a temporary one without its session token.
fn session_token_missing(evidence: &Evidence, problem: &Fact<Option<Seen>>) -> Fact<bool> {
    let is_invalid = |seen: &Seen| {
        matches!(seen.problem, CredentialProblem::UnknownAccessKey | CredentialProblem::SessionTokenMissing)
    };
    problem.as_ref().and_then(|seen| match seen {
        Some(seen) if seen.problem == CredentialProblem::SessionTokenMissing => Fact::known(true, seen.observation),
        Some(seen) if is_invalid(seen) => lacks_session_token(evidence),
        _ => Fact::known(false, CALLER),
    })
}

/// A temporary key whose session token is not there.
fn lacks_session_token(evidence: &Evidence) -> Fact<bool> {
    let key = evidence.aws.credentials.found().and_then(|found| found.access_key_id.clone());
    let in_environment = variable(evidence, "AWS_ACCESS_KEY_ID");
    let token = [&evidence.exec.found().and_then(|run| run.token.as_ref()), &evidence.static_token.found()];
    let of_token = token.into_iter().flatten().find(|token| token.access_key_id.is_some());
    if let Some(token) = of_token
        && let (Some(id), Some(has_token)) = (&token.access_key_id, token.has_session_token)
    {
        return Fact::known(id.starts_with("ASIA") && !has_token, "exec");
    }
    let Some(key) = key.or_else(|| in_environment.value().cloned().flatten()) else {
        return Fact::unknown(CREDENTIALS, "the access key id is not known");
    };
    if !key.starts_with("ASIA") {
        return Fact::known(false, CREDENTIALS);
    }
    let is_in_environment = keys_win(evidence).is(&true);
    let profile = evidence.aws.profile.found();
    match (&evidence.environment.variables, profile) {
        (Some(variables), _) if is_in_environment => {
            let has_token =
                ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"].iter().any(|name| variables.contains_key(*name));
            Fact::known(!has_token, "environment.variables")
        }
        (_, Some(profile)) if !is_in_environment && !profile.settings.is_empty() => {
            let has_token = profile.settings.iter().any(|key| key.contains("session_token") || key.starts_with("sso_"));
            let holds_keys = profile.settings.iter().any(|key| key == "aws_access_key_id");
            Fact::known(holds_keys && !has_token, "aws.profile")
        }
        _ => Fact::unknown("environment.variables", "whether a session token is set was not seen"),
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
