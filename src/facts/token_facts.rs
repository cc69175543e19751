//! The bearer token that the client sends: which rule of the server it breaks, and what is wrong with one that is
//! stored in the kubeconfig instead of being made anew.

use jiff::SignedDuration;

use super::{
    arn::Partition,
    cluster::ClusterFacts,
    credentials::clock,
    exec::arguments::cluster_partition,
    kubeconfig::{KubeconfigFacts, UserCredential},
    pasted::{self, Pasted},
    token::{PREFIX, Server, judge_statement},
    value::{Fact, Unknown, choice, facts, why_unsettled},
};
use crate::{
    evidence::{Evidence, TokenKind, TokenStatement},
    symptom::SymptomClass,
};

pub(crate) mod log;

use log::LoggedDenial;

choice! {
    /// The rule of the server that a token breaks.
    TokenProblem {
        /// Its STS host is of another partition than the cluster.
        Partition = "partition",
        /// Its STS host is none of AWS, such as a VPC endpoint's.
        CustomHost = "custom-host",
        /// It is longer than 4096 bytes.
        TooLarge = "too-large",
        /// It is older than 15 minutes.
        Stale = "stale",
        /// It is as old although the plugin gave it just now, by a clock that is right: the plugin keeps tokens.
        Kept = "kept",
        /// It is no EKS token at all.
        Foreign = "foreign",
        /// It is for this cluster by name, and its signature does not fit.
        Signature = "signature",
        /// Something else about its form.
        Malformed = "malformed",
    }
}

choice! {
    /// What is wrong with a stored credential.
    StoredProblem {
        /// An EKS token that was made more than 15 minutes ago.
        StaleToken = "stale-token",
        /// A token that the API server refuses.
        RefusedToken = "refused-token",
        /// A client certificate, which EKS accepts from nobody.
        ClientCertificate = "client-certificate",
        /// A provider that clients no longer have.
        AuthProvider = "auth-provider",
        /// A user name with password, which EKS accepts from nobody.
        Password = "password",
    }
}

facts! {
    /// The token that the client sends.
    TokenFacts {
        /// The rule of the server that it breaks; absent if it breaks none.
        "problem" problem: Fact<Option<TokenProblem>>,
        /// How the server says so.
        "rejection" rejection: Fact<Option<String>>,
        /// STS host that it asks.
        "host" host: Fact<Option<String>>,
        /// Its size in bytes.
        "bytes" bytes: Fact<Option<i64>>,
        /// The setting that leads it to another STS host: a variable, or endpoint_url of a profile.
        "endpointSetting" endpoint_setting: Fact<Option<String>>,
        /// Whether it is stored or made by the program itself, so that no exec entry has a part in it.
        "isStored" is_stored: Fact<bool>,
        /// What is wrong with a stored credential; absent if none is stored or nothing is wrong with it.
        "storedProblem" stored_problem: Fact<Option<StoredProblem>>,
        /// How old a stored token is, in minutes.
        "storedMinutes" stored_minutes: Fact<Option<i64>>,
    }
}

const STATIC: &str = "staticToken";
const EXEC: &str = "exec";

/// Derives the room.
pub(crate) fn derive(
    evidence: &Evidence,
    kubeconfig: &KubeconfigFacts,
    cluster: &ClusterFacts,
    pasted: &Pasted,
) -> TokenFacts {
    let token = sent(evidence, kubeconfig);
    let rejected = rejected(evidence, kubeconfig, cluster, &token, pasted);
    // What a token is rejected for says more than that it is stored; only its age is what storing does to it.
    let is_rejected =
        rejected.value().and_then(Option::as_ref).is_some_and(|(problem, _)| *problem != TokenProblem::Stale);
    let part = |part: fn(&TokenStatement) -> Option<String>| token.clone().map(|token| token.and_then(part));
    TokenFacts {
        problem: rejected.clone().map(|rejected| rejected.map(|(problem, _)| problem)),
        rejection: rejected.map(|rejected| rejected.map(|(_, words)| words)),
        host: part(|token| token.host.clone()),
        bytes: token.clone().map(|token| token.and_then(|token| i64::try_from(token.bytes?).ok())),
        endpoint_setting: endpoint_setting(evidence),
        is_stored: is_stored(evidence, kubeconfig),
        stored_problem: match is_rejected {
            true => Fact::known(None, STATIC),
            false => stored_problem(evidence, kubeconfig, pasted),
        },
        stored_minutes: Fact::observed(&evidence.static_token, STATIC)
            .map(|token| token.and_then(|token| age(evidence, token)).map(|age| age.as_mins())),
    }
}

fn age(evidence: &Evidence, token: &TokenStatement) -> Option<SignedDuration> {
    Some(clock::now(evidence)?.duration_since(token.date?))
}

/// The token that goes to the server: a stored one before that of the plugin. Absent if the client sends none.
fn sent<'e>(evidence: &'e Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Option<&'e TokenStatement>> {
    if evidence.target.principal.is_some() {
        return Fact::unknown(EXEC, "what is seen from here belongs to somebody else");
    }
    if let Some(token) = evidence.static_token.found() {
        return Fact::known(Some(token), STATIC);
    }
    if let Some(run) = evidence.exec.found() {
        return Fact::known(run.token.as_ref(), EXEC);
    }
    match kubeconfig.credential.value().copied().flatten() {
        Some(UserCredential::StaticToken) => Fact::Unknown(why_unsettled(&evidence.static_token, STATIC)),
        Some(UserCredential::Exec) | None => Fact::Unknown(why_unsettled(&evidence.exec, EXEC)),
        Some(_) => Fact::known(None, "kubeconfig"),
    }
}

fn is_stored(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<bool> {
    if evidence.static_token.found().is_some() {
        return Fact::known(true, STATIC);
    }
    if evidence.exec.found().is_some() {
        return Fact::known(false, EXEC);
    }
    kubeconfig.credential.clone().map(|credential| credential == Some(UserCredential::StaticToken))
}

/// The rule that the token breaks, and the words of the server.
fn rejected(
    evidence: &Evidence,
    kubeconfig: &KubeconfigFacts,
    cluster: &ClusterFacts,
    token: &Fact<Option<&TokenStatement>>,
    pasted: &Pasted,
) -> Fact<Option<(TokenProblem, String)>> {
    if let Some((LoggedDenial::Malformed, line)) = log::only_denial(evidence)
        && is_refused(evidence, pasted)
    {
        return Fact::known(Some((of_words(line), reason(line))), log::OBSERVATION);
    }
    if pasted.proves("kubeconfig/token-rejected") {
        return Fact::known(Some((of_words(&pasted.text), reason(&pasted.text))), pasted::OBSERVATION);
    }
    let (token, source) = match token {
        Fact::Known { value: Some(token), source } => (token, source),
        Fact::Known { value: None, source } => return Fact::known(None, source.clone()),
        Fact::Unknown(unknown) => return Fact::Unknown(unknown.clone()),
    };
    // The API server itself knows tokens of service accounts and of others that it was told to trust.
    if matches!(token.kind, Some(TokenKind::ServiceAccount | TokenKind::Opaque))
        && evidence.static_token.found().is_some()
    {
        return Fact::known(None, source.clone());
    }
    let Some(server) = server(cluster) else {
        return match &token.rejection {
            Some(words) => Fact::known(Some((of_words(words), words.clone())), source.clone()),
            None => Fact::unknown("aws.cluster", "the cluster's region is not known"),
        };
    };
    // Without a time the age cannot be judged, everything else can.
    let now = clock::now(evidence).or(token.date).unwrap_or_default();
    if let Some(rejection) = judge_statement(token, &server, now) {
        let problem = match foreign_partition(token.host.as_deref(), server.partition) {
            true => TokenProblem::Partition,
            false => match of_words(&rejection.to_string()) {
                TokenProblem::Stale if source == EXEC && clock::makes_fresh_tokens(evidence) => TokenProblem::Kept,
                problem => problem,
            },
        };
        return Fact::known(Some((problem, rejection.to_string())), source.clone());
    }
    match of_signature(evidence, kubeconfig) {
        Some(words) => Fact::known(Some((TokenProblem::Signature, words)), "execCaller"),
        None => Fact::known(None, source.clone()),
    }
}

fn server(cluster: &ClusterFacts) -> Option<Server> {
    let region = cluster.region.value().cloned().flatten()?;
    let arn = cluster.arn.value().cloned().flatten();
    let partition = arn.and_then(|arn| Partition::from_id(arn.split(':').nth(1)?));
    Some(Server { partition: partition.unwrap_or_else(|| Partition::of_region(&region)), region })
}

/// A signature that fails although the same credentials work, and the name in the exec entry is the cluster's or is
/// not known to matter to the program: the token was made or carried wrongly.
fn of_signature(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<String> {
    let failure = evidence.exec_caller.failure()?;
    let is_signature = failure.code.as_deref() == Some("SignatureDoesNotMatch")
        && !failure.message.to_lowercase().contains("signature expired");
    let names_other = kubeconfig.exec_cluster_matches.value() == Some(&false);
    let is_known_plugin = kubeconfig.exec_cluster.value().is_some_and(Option::is_some)
        && kubeconfig.exec_cluster_matches.value().is_none();
    (is_signature && evidence.aws.caller.found().is_some() && !names_other && !is_known_plugin)
        .then(|| failure.summary())
}

/// Whether a host is that of STS in another partition than this one.
fn foreign_partition(host: Option<&str>, partition: Partition) -> bool {
    let Some(host) = host else { return false };
    let own = [partition.dns_suffix(), partition.dual_stack_dns_suffix()];
    let domain = match host.split_once('.') {
        Some(("sts" | "sts-fips", "amazonaws.com")) => "amazonaws.com",
        Some(("sts" | "sts-fips", rest)) => rest.split_once('.').map_or("", |(_, domain)| domain),
        _ => return false,
    };
    let known = Partition::ALL.iter().flat_map(|other| [other.dns_suffix(), other.dual_stack_dns_suffix()]);
    let is_global_abroad = host == "sts.amazonaws.com" && partition != Partition::Aws;
    is_global_abroad || (known.into_iter().any(|suffix| suffix == domain) && !own.contains(&domain))
}

/// The STS host of the client's token, if it is of another partition than the cluster.
pub(crate) fn host_of_other_partition<'e>(evidence: &'e Evidence, kubeconfig: &KubeconfigFacts) -> Option<&'e str> {
    let partition = cluster_partition(evidence, kubeconfig)?;
    let host = sent(evidence, kubeconfig).value().copied().flatten()?.host.as_deref()?;
    foreign_partition(Some(host), partition).then_some(host)
}

fn of_words(words: &str) -> TokenProblem {
    let has = |word: &str| words.contains(word);
    if has("too large") {
        TokenProblem::TooLarge
    } else if has("is expired (15 minute") {
        TokenProblem::Stale
    } else if has(PREFIX) && has("prefix") {
        TokenProblem::Foreign
    } else if has("does not support hostname") || has("global endpoint unsupported") {
        TokenProblem::Partition
    } else if has("unexpected hostname") || has("could not parse region") || has("invalid region identifier") {
        TokenProblem::CustomHost
    } else {
        TokenProblem::Malformed
    }
}

/// The server's reason in a line of its log.
fn reason(text: &str) -> String {
    let from = text.find("input token").or_else(|| text.find("sts getCallerIdentity")).unwrap_or_default();
    let reason = text.get(from..).unwrap_or(text).lines().next().unwrap_or_default();
    reason.split("\" ").next().unwrap_or(reason).trim_end_matches('"').replace("\\\"", "\"")
}

/// Whether the API server refuses the subject with 401, as seen from here or as pasted.
pub(crate) fn is_refused(evidence: &Evidence, pasted: &Pasted) -> bool {
    let kubernetes = &evidence.kubernetes;
    let failures =
        [kubernetes.whoami.failure(), kubernetes.access_review.failure(), kubernetes.action_attempt.failure()];
    let seen = evidence.target.principal.is_none() && failures.into_iter().flatten().any(|one| one.status == Some(401));
    seen || pasted.classes.contains(&SymptomClass::Unauthorized) || pasted.text.contains("Unauthorized")
}

fn endpoint_setting(evidence: &Evidence) -> Fact<Option<String>> {
    let names = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
    let variables = evidence.environment.variables.as_ref();
    if let Some(name) = names.into_iter().find(|name| variables.is_some_and(|all| all.contains_key(*name))) {
        return Fact::known(Some(name.to_owned()), "environment.variables");
    }
    if let Some(profile) = evidence.aws.profile.found().filter(|profile| profile.endpoint_url.is_some()) {
        return Fact::known(Some(format!("endpoint_url of profile {}", profile.name)), "aws.profile");
    }
    match variables {
        Some(_) => Fact::known(None, "environment.variables"),
        None => Fact::unknown("environment.variables", "not looked at"),
    }
}

fn stored_problem(evidence: &Evidence, kubeconfig: &KubeconfigFacts, pasted: &Pasted) -> Fact<Option<StoredProblem>> {
    let refused = is_refused(evidence, pasted);
    if let Some((LoggedDenial::Stale, _)) = log::only_denial(evidence)
        && refused
    {
        return Fact::known(Some(StoredProblem::StaleToken), log::OBSERVATION);
    }
    let credential = kubeconfig.credential.as_ref().map(|credential| *credential);
    let works = evidence.kubernetes.whoami.found().is_some_and(|user| user.username != "system:anonymous");
    if evidence.target.principal.is_some() {
        return Fact::unknown(STATIC, "what is seen from here belongs to somebody else");
    }
    if let Some(token) = evidence.static_token.found() {
        return of_stored_token(evidence, token, refused, works);
    }
    match credential.value() {
        Some(Some(UserCredential::AuthProvider)) => Fact::known(Some(StoredProblem::AuthProvider), "kubeconfig"),
        Some(Some(UserCredential::Basic)) => Fact::known(Some(StoredProblem::Password), "kubeconfig"),
        Some(Some(UserCredential::ClientCertificate)) if works => Fact::known(None, "kubernetes.whoami"),
        Some(Some(UserCredential::ClientCertificate)) => {
            Fact::known(Some(StoredProblem::ClientCertificate), "kubeconfig")
        }
        Some(Some(UserCredential::StaticToken)) if works => Fact::known(None, "kubernetes.whoami"),
        Some(Some(UserCredential::StaticToken)) if refused => {
            Fact::known(Some(StoredProblem::RefusedToken), "kubeconfig")
        }
        Some(Some(UserCredential::StaticToken)) => Fact::Unknown(why_unsettled(&evidence.static_token, STATIC)),
        _ if pasted.proves("kubeconfig/static-credential") => {
            let is_provider = pasted.text.contains("auth plugin");
            let problem = if is_provider { StoredProblem::AuthProvider } else { StoredProblem::ClientCertificate };
            Fact::known(Some(problem), pasted::OBSERVATION)
        }
        // The failing program may keep a token of its own, as Terraform and Jenkins do.
        Some(_) if evidence.target.program.is_some() && refused => {
            Fact::Unknown(why_unsettled(&evidence.static_token, STATIC))
        }
        Some(_) => Fact::known(None, "kubeconfig"),
        None => Fact::Unknown(unknown_of(&kubeconfig.credential)),
    }
}

fn unknown_of<T>(fact: &Fact<T>) -> Unknown {
    match fact {
        Fact::Unknown(unknown) => unknown.clone(),
        Fact::Known { .. } => Unknown::default(),
    }
}

/// An EKS token lives 15 minutes. One of a service account may be meant, and its age is a matter of its own.
fn of_stored_token(
    evidence: &Evidence,
    token: &TokenStatement,
    refused: bool,
    works: bool,
) -> Fact<Option<StoredProblem>> {
    let known = |problem| Fact::known(problem, STATIC);
    let has_expired = matches!((token.expires_at, clock::now(evidence)), (Some(end), Some(now)) if end < now);
    match token.kind {
        _ if works => known(None),
        None | Some(TokenKind::Eks) if age(evidence, token).is_some_and(|age| age > SignedDuration::from_mins(15)) => {
            known(Some(StoredProblem::StaleToken))
        }
        Some(TokenKind::ServiceAccount) if has_expired || !refused => known(None),
        None | Some(TokenKind::Eks) if token.date.is_some() => known(None),
        Some(TokenKind::Eks) => Fact::unknown(STATIC, "when the token was made is not known"),
        _ if refused => known(Some(StoredProblem::RefusedToken)),
        _ => Fact::unknown("kubernetes.whoami", "whether the API server accepts the stored token was not seen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_other_partitions() {
        let foreign = |host, partition| foreign_partition(Some(host), partition);
        assert!(foreign("sts.cn-north-1.amazonaws.com", Partition::AwsCn), "the domain lacks .cn");
        assert!(foreign("sts.amazonaws.com", Partition::AwsCn));
        assert!(foreign("sts.cn-north-1.amazonaws.com.cn", Partition::Aws));
        assert!(!foreign("sts.eu-west-1.amazonaws.com", Partition::Aws));
        assert!(!foreign("sts.us-gov-west-1.amazonaws.com", Partition::AwsUsGov));
        assert!(!foreign("vpce-1-abc.sts.eu-west-1.vpce.amazonaws.com", Partition::Aws), "custom, not foreign");
        assert!(!foreign_partition(None, Partition::Aws));
    }

    #[test]
    fn the_reason_in_a_line_of_the_log() {
        let line = r#"level=warning msg="access denied" client="1:2" error="input token was not properly formatted: token is too large" method=POST"#;
        assert_eq!(reason(line), "input token was not properly formatted: token is too large");
        assert_eq!(of_words(line), TokenProblem::TooLarge);
        assert_eq!(of_words("unexpected hostname \"localhost.x.y\" in pre-signed URL"), TokenProblem::CustomHost);
        assert_eq!(of_words("token is missing expected \"k8s-aws-v1.\" prefix"), TokenProblem::Foreign);
    }
}
