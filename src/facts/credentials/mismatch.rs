//! Whether the request is signed by another principal than the one that the cluster knows: the exec plugin's identity
//! against the shell's, and signs that neither is the one who is meant.

use super::{CALLER, Mismatch, Rooms, identity::is_of_other_account, roles::principal};
use crate::{
    evidence::{CallerIdentity, CredentialProvider, Evidence, Observed},
    facts::{
        kubeconfig::{KubeconfigFacts, variable},
        mapping::{self, MappingSource},
        observed_symptom::Answer,
        subject,
        value::{Fact, why_unsettled},
    },
    symptom::SymptomClass,
};

const OBSERVATION: &str = "execCaller";

/// Which identity the cluster knows, where shell and exec plugin are different principals and the one that is used is
/// the one that it does not know.
pub(super) fn mismatch(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<Option<Mismatch>> {
    if evidence.target.principal.is_some() {
        return Fact::unknown(OBSERVATION, "what is seen from here belongs to somebody else");
    }
    match (told(evidence, rooms), sign(evidence, rooms)) {
        (Fact::Known { value: None, source }, Some(sign)) => Fact::unknown(source, sign),
        (told, _) => told,
    }
}

fn told(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<Option<Mismatch>> {
    let plugin = plugin(evidence, rooms);
    let shell = match &evidence.aws.caller {
        Observed::Found(caller) => Fact::known(caller.arn.clone(), CALLER),
        other => Fact::Unknown(why_unsettled(other, CALLER)),
    };
    plugin.and_then(|plugin| {
        shell.and_then(|shell| match principal(&plugin) == principal(&shell) {
            true => Fact::known(None, OBSERVATION),
            false => of_two(evidence, rooms, plugin),
        })
    })
}

/// Who the exec plugin signs as: STS says so, else the API server that it has reached, else the role in its entry, unless
/// that could not be assumed.
fn plugin(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<String> {
    if let Some(caller) = evidence.exec_caller.found() {
        return Fact::known(caller.arn.clone(), OBSERVATION);
    }
    if let Some((arn, observation)) = seen_by_server(evidence, rooms) {
        return Fact::known(arn, observation);
    }
    let kubeconfig = rooms.known.kubeconfig;
    let works = match &evidence.exec {
        Observed::Found(run) => run.exit_code == Some(0),
        other => matches!(other, Observed::NotTried(_)),
    };
    match kubeconfig.exec_role.value().cloned().flatten().filter(|_| works) {
        Some(role) => Fact::known(role, "kubeconfig"),
        None => Fact::Unknown(why_unsettled(&evidence.exec_caller, OBSERVATION)),
    }
}

/// Who the API server sees: the ARN that the authenticator adds to the user, or a user name that is one, as access
/// entries give by default.
fn seen_by_server(evidence: &Evidence, rooms: Rooms<'_>) -> Option<(String, &'static str)> {
    let user = evidence.kubernetes.whoami.found();
    let added = user.and_then(|user| user.extra.get("arn")?.first());
    let is_arn = |name: &&String| name.starts_with("arn:") && principal(name).is_some();
    let named = added.or(user.map(|user| &user.username)).filter(is_arn);
    let stated = rooms.known.pasted.stated.username.as_ref().filter(is_arn);
    let named = named.map(|arn| (arn, "kubernetes.whoami"));
    named.or(stated.map(|arn| (arn, "target.symptom"))).map(|(arn, observation)| (arn.clone(), observation))
}

/// Shell and plugin are different principals.
fn of_two(evidence: &Evidence, rooms: Rooms<'_>, plugin: String) -> Fact<Option<Mismatch>> {
    let is_of_shell = is_of_other_program(evidence, rooms);
    // Who is answered is known, and whoever gets a 401 is not.
    if is_of_shell && is_answered(rooms) && rooms.known.pasted.shows(SymptomClass::Unauthorized) {
        return Fact::known(Some(Mismatch::PluginIsKnown), "target.symptom");
    }
    let knows = |source: Fact<MappingSource>| source.map(|source| source != MappingSource::None);
    let knows_plugin = knows(match evidence.exec_caller.found() {
        Some(_) => rooms.mapping.source.clone(),
        None => mapping_of(evidence, rooms, Some(plugin)),
    });
    let knows_shell = knows(mapping_of(evidence, rooms, None));
    knows_plugin.and_then(|knows_plugin| {
        knows_shell.and_then(|knows_shell| match (knows_shell, knows_plugin) {
            // A role that the exec entry names is meant; that nobody mapped it is a cause of its own.
            (true, false) if rooms.known.kubeconfig.exec_role.value().is_some_and(Option::is_some) => {
                Fact::unknown("kubeconfig", "the exec entry names a role, which may be meant")
            }
            (true, false) => Fact::known(Some(Mismatch::ShellIsKnown), OBSERVATION),
            (false, true) if is_of_shell => Fact::known(Some(Mismatch::PluginIsKnown), OBSERVATION),
            _ => Fact::known(None, OBSERVATION),
        })
    })
}

/// Whether the failing program signs as the shell instead of running the exec plugin.
fn is_of_other_program(evidence: &Evidence, rooms: Rooms<'_>) -> bool {
    let named = evidence.target.program.as_ref().is_some_and(|program| program.name.to_lowercase().contains("eksctl"));
    named || rooms.known.pasted.is_from("eksctl")
}

/// Whether the API server knows the plugin's identity.
fn is_answered(rooms: Rooms<'_>) -> bool {
    let answer = rooms.known.symptom.answer.value();
    matches!(answer, Some(Answer::Allowed | Answer::Authenticated | Answer::Forbidden))
}

/// What the cluster makes of a principal instead of the subject; without one, of the shell.
fn mapping_of(evidence: &Evidence, rooms: Rooms<'_>, arn: Option<String>) -> Fact<MappingSource> {
    let mut asked = evidence.clone();
    asked.exec_caller = match arn {
        Some(arn) => Observed::Found(CallerIdentity { arn, account: None, user_id: None }),
        None => Observed::NotTried(None),
    };
    asked.aws.principal = Observed::NotTried(None);
    let subject = subject::derive(&asked, rooms.known.kubeconfig);
    mapping::derive(&asked, mapping::Known { subject: &subject, ..rooms.known }).source
}

/// Whether something tells that whoever signs is not the one who is meant.
pub(super) fn is_likely(evidence: &Evidence, rooms: Rooms<'_>, mismatch: &Fact<Option<Mismatch>>) -> Fact<bool> {
    match (mismatch, sign(evidence, rooms)) {
        (Fact::Known { value: Some(_), source }, _) => Fact::known(true, source.clone()),
        (_, Some(_)) => Fact::known(true, "the identities that were seen"),
        (Fact::Known { value: None, source }, None) => Fact::known(false, source.clone()),
        (Fact::Unknown(unknown), None) => Fact::Unknown(unknown.clone()),
    }
}

/// What tells that, in words.
fn sign(evidence: &Evidence, rooms: Rooms<'_>) -> Option<String> {
    if evidence.target.principal.is_some() {
        return None;
    }
    let kubeconfig = rooms.known.kubeconfig;
    let is_set = |fact: &Fact<Option<String>>| fact.value().is_some_and(Option::is_some);
    let has_own =
        [&kubeconfig.exec_role, &kubeconfig.exec_profile, &kubeconfig.exec_env_profile].into_iter().any(is_set);
    if has_own && is_of_other_program(evidence, rooms) {
        return Some("eksctl signs as the shell and not as the kubeconfig says".to_owned());
    }
    if let (Some((seen, _)), Some(shell)) = (seen_by_server(evidence, rooms), evidence.aws.caller.found())
        && principal(&seen) != principal(&shell.arn)
        && !is_set(&kubeconfig.exec_role)
    {
        return Some(format!("the API server sees {seen}"));
    }
    if let Some(twin) = has_own.then(|| twin(kubeconfig)).flatten() {
        return Some(format!(
            "context {twin} is about the same cluster and shares the user entry, which names one identity"
        ));
    }
    if is_answered(rooms) {
        return None;
    }
    if let Some(profile) = hidden_profile(evidence) {
        return Some(format!("credentials of the machine are used, and {profile} is not"));
    }
    if has_own || !is_set(&kubeconfig.exec_command) {
        return None;
    }
    // A person who may assume roles; a session of another role is more likely one that nobody mapped. Where aws-auth
    // was seen, who is mapped tells more.
    let creator = rooms.mapping.creator.arn.value().cloned().flatten().filter(|arn| arn.contains(":role/"));
    let used = evidence.exec_caller.found().or(evidence.aws.caller.found());
    let may_assume = used.is_none_or(|caller| caller.arn.contains(":user/"));
    match creator {
        Some(creator) if may_assume && evidence.kubernetes.aws_auth.found().is_none() => {
            Some(format!("{creator} created the cluster, and the exec entry assumes no role"))
        }
        _ if is_of_other_account(evidence, rooms).is(&true) => {
            Some("the caller is of another account than the cluster, and the exec entry assumes no role".to_owned())
        }
        _ => None,
    }
}

/// Another context with the same user entry and the same cluster entry. `aws eks update-kubeconfig` names the user entry
/// after the cluster, so of two runs with different roles the last one counts for both aliases.
fn twin(kubeconfig: &KubeconfigFacts) -> Option<&String> {
    let user = kubeconfig.user_entry.value()?.as_ref()?;
    let cluster = kubeconfig.cluster_entry.value()?.as_ref()?;
    (user == cluster).then(|| kubeconfig.user_shared_by.value()?.first()).flatten()
}

/// The profile whose keys are not used because the machine has credentials of its own, as Cloud9 has.
fn hidden_profile(evidence: &Evidence) -> Option<String> {
    let of_cloud9 = evidence.aws.caller.found().is_some_and(|caller| caller.arn.contains("/AWSCloud9"));
    let found = evidence.aws.credentials.found()?;
    let is_of_machine =
        matches!(found.provider, CredentialProvider::Container | CredentialProvider::Imds | CredentialProvider::Other);
    let hidden = found.shadowed.iter().find(|one| one.starts_with("profile ")).filter(|_| is_of_machine);
    hidden.cloned().or_else(|| of_cloud9.then(|| "the profile of `aws configure`".to_owned()))
}

/// What makes the exec plugin another principal than the shell.
pub(super) fn reason(evidence: &Evidence, rooms: Rooms<'_>) -> Fact<Option<String>> {
    let kubeconfig = rooms.known.kubeconfig;
    let text = |fact: &Fact<Option<String>>| fact.value().cloned().flatten();
    let reason = if let Some(sign) = sign(evidence, rooms) {
        Some(sign)
    } else if let Some(role) = text(&kubeconfig.exec_role) {
        Some(format!("the exec entry assumes {role}"))
    } else if let Some(profile) = text(&kubeconfig.exec_profile) {
        Some(format!("the exec entry names profile {profile}"))
    } else if let Some(profile) = text(&kubeconfig.exec_env_profile) {
        Some(format!("the exec entry sets AWS_PROFILE to {profile}"))
    } else if let Some(role) = text(&variable(evidence, "DEFAULT_ROLE")) {
        Some(format!("the variable DEFAULT_ROLE makes aws-iam-authenticator assume {role}"))
    } else if kubeconfig.exec_arguments.value().is_some_and(|arguments| arguments.iter().any(|one| one == "--cache")) {
        Some("the exec entry has --cache, which keeps the credentials of an earlier identity".to_owned())
    } else {
        None
    };
    kubeconfig.exec_command.clone().map(|_| reason)
}
