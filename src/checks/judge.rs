//! What each check comes to, by the facts.

use crate::facts::{
    Facts,
    authorization::is_allowed,
    credentials::CredentialProblem,
    exec::ExecOutcome,
    kubeconfig::{ContextProblem, KubeconfigState},
    mapping::MappingSource,
    observed_symptom::Answer,
    value::{Fact, Unknown},
};

/// What a check has come to.
pub(super) enum Judgement {
    Pass(String),
    Fail(String),
    Unknown(String),
    /// There is nothing to check.
    Skip(String),
}

/// Why something is unknown, in a few words.
fn why(unknown: &Unknown) -> String {
    let reasons = unknown.missing.iter().map(|missing| format!("{}: {}", missing.observation, missing.why));
    let reasons: Vec<String> = reasons.take(2).collect();
    if reasons.is_empty() { "not looked at".to_owned() } else { reasons.join("; ") }
}

fn unknown<T>(fact: &Fact<T>) -> Judgement {
    match fact {
        Fact::Unknown(unknown) => Judgement::Unknown(why(unknown)),
        Fact::Known { source, .. } => Judgement::Unknown(format!("not shown by {source}")),
    }
}

fn text(fact: &Fact<Option<String>>) -> Option<&str> {
    fact.value()?.as_deref()
}

const SOMEBODY_ELSE: &str = "not checked: the question is about somebody else";

pub(super) fn credentials_accepted(facts: &Facts) -> Judgement {
    if facts.subject.is_somebody_else.is(&true) {
        return Judgement::Skip(SOMEBODY_ELSE.to_owned());
    }
    let credentials = &facts.credentials;
    match credentials.problem.value() {
        None => unknown(&credentials.problem),
        Some(Some(problem)) => {
            let message = text(&credentials.problem_message);
            Judgement::Fail(match (problem, message) {
                (CredentialProblem::None, _) => "there are none".to_owned(),
                (_, Some(message)) => message.to_owned(),
                (problem, None) => problem.to_string(),
            })
        }
        Some(None) => {
            let caller = text(&credentials.caller).or(text(&facts.exec.caller)).unwrap_or("the caller");
            let provider = credentials.provider.value().copied().flatten();
            let profile = text(&credentials.profile).filter(|_| {
                provider.is_some_and(|provider| provider != crate::facts::credentials::Provider::Environment)
            });
            Judgement::Pass(match (provider, profile) {
                (Some(provider), Some(profile)) => format!("{caller} ({provider}, profile {profile})"),
                (Some(provider), None) => format!("{caller} ({provider})"),
                (None, _) => caller.to_owned(),
            })
        }
    }
}

/// Why the kubeconfig of this machine is not what is asked about.
fn needs_no_kubeconfig(facts: &Facts) -> Option<&'static str> {
    let kubeconfig = &facts.kubeconfig;
    if facts.subject.is_somebody_else.is(&true) {
        return Some(SOMEBODY_ELSE);
    }
    let is_dispensable = kubeconfig.state.is(&KubeconfigState::Missing) && kubeconfig.is_missing.is(&false);
    is_dispensable.then_some("there is no kubeconfig here, and what fails does not need one")
}

pub(super) fn kubeconfig_readable(facts: &Facts) -> Judgement {
    if let Some(why) = needs_no_kubeconfig(facts) {
        return Judgement::Skip(why.to_owned());
    }
    let files = facts.kubeconfig.files.value().map(|files| files.join(", ")).unwrap_or_default();
    match facts.kubeconfig.state.value() {
        None => unknown(&facts.kubeconfig.state),
        Some(KubeconfigState::Present) => Judgement::Pass(files),
        Some(KubeconfigState::Missing) if files.is_empty() => Judgement::Fail("there is none".to_owned()),
        Some(KubeconfigState::Missing) => Judgement::Fail(format!("none at {files}")),
        Some(KubeconfigState::Unreadable) => {
            Judgement::Fail(text(&facts.kubeconfig.problem).unwrap_or("it cannot be read").to_owned())
        }
    }
}

pub(super) fn context_complete(facts: &Facts) -> Judgement {
    if let Some(why) = needs_no_kubeconfig(facts) {
        return Judgement::Skip(why.to_owned());
    }
    let kubeconfig = &facts.kubeconfig;
    let context = text(&kubeconfig.context).map(|name| format!("context {name}"));
    let context = context.as_deref().unwrap_or("the context");
    match (kubeconfig.context_problem.value(), kubeconfig.state.is(&KubeconfigState::Present)) {
        (Some(Some(problem)), _) => Judgement::Fail(match problem {
            ContextProblem::NoneSelected => "no context is selected".to_owned(),
            ContextProblem::ContextMissing => format!("{context} does not exist"),
            ContextProblem::ClusterMissing => format!("{context} names a cluster entry that is not there"),
            ContextProblem::UserMissing => format!("{context} names a user entry that is not there"),
        }),
        (Some(None), true) => Judgement::Pass(context.to_owned()),
        (Some(None), false) => unknown(&kubeconfig.context),
        (None, _) => unknown(&kubeconfig.context_problem),
    }
}

pub(super) fn server_is_endpoint(facts: &Facts) -> Judgement {
    if let Some(why) = needs_no_kubeconfig(facts) {
        return Judgement::Skip(why.to_owned());
    }
    let server = text(&facts.kubeconfig.server).unwrap_or("no server");
    let context = text(&facts.kubeconfig.context).unwrap_or("in use");
    match facts.kubeconfig.endpoint_matches.value() {
        Some(true) => Judgement::Pass(format!("context {context} points at this cluster")),
        Some(false) => Judgement::Fail(format!("context {context} points at {server}, which is not this cluster")),
        None => unknown(&facts.kubeconfig.endpoint_matches),
    }
}

pub(super) fn credential_obtained(facts: &Facts) -> Judgement {
    if let Some(why) = needs_no_kubeconfig(facts) {
        return Judgement::Skip(why.to_owned());
    }
    let exec = &facts.exec;
    let command = text(&facts.kubeconfig.exec_command).unwrap_or("the exec command");
    match exec.outcome.value() {
        None => unknown(&exec.outcome),
        Some(None) => match facts.kubeconfig.credential.value().copied().flatten() {
            Some(credential) => Judgement::Pass(format!("the user entry holds {credential}")),
            None => unknown(&facts.kubeconfig.credential),
        },
        Some(Some(ExecOutcome::Credential)) => {
            let context = text(&facts.kubeconfig.context).unwrap_or("in use");
            Judgement::Pass(match text(&exec.caller) {
                Some(caller) if facts.subject.is_shell_caller.is(&false) => {
                    format!("{command} gives a token, of another identity than the shell's: {caller}")
                }
                _ => format!("context {context}; {command} gives a token"),
            })
        }
        Some(Some(ExecOutcome::CommandMissing)) if command.contains('/') => {
            Judgement::Fail(format!("{command} does not exist"))
        }
        Some(Some(ExecOutcome::CommandMissing)) => Judgement::Fail(format!("{command} is not on the search path")),
        Some(Some(ExecOutcome::NotExecutable)) => Judgement::Fail(format!("{command} cannot be executed")),
        Some(Some(ExecOutcome::TimedOut)) => Judgement::Fail(format!("{command} did not end in time")),
        Some(Some(ExecOutcome::Refused)) => {
            let why = text(&exec.message).unwrap_or("its entry is not valid");
            Judgement::Fail(format!("the client does not run {command}: {why}"))
        }
        Some(Some(ExecOutcome::NoCredential)) => Judgement::Fail(format!(
            "{command} printed no credential: {}",
            text(&exec.decode_error).unwrap_or_default()
        )),
        Some(Some(ExecOutcome::Failed)) => {
            let status = exec.exit_code.value().copied().flatten();
            let status = status.map_or_else(|| "a signal".to_owned(), |code| format!("status {code}"));
            let last = text(&exec.stderr).and_then(|stderr| stderr.lines().rfind(|line| !line.trim().is_empty()));
            Judgement::Fail(format!("{command} ended with {status}: {}", last.unwrap_or("no message")))
        }
    }
}

pub(super) fn cluster_exists(facts: &Facts) -> Judgement {
    let cluster = &facts.cluster;
    let name = text(&cluster.name).unwrap_or("the cluster");
    match (cluster.exists.value(), cluster.serving.value()) {
        (None, _) => unknown(&cluster.exists),
        (Some(false), _) => {
            let looked = cluster.looked_in.value().map(|places| places.join(", ")).unwrap_or_default();
            Judgement::Fail(format!("no cluster {name} in {looked}"))
        }
        (Some(true), Some(true)) => Judgement::Pass(format!("{name} is {}", text(&cluster.status).unwrap_or("there"))),
        (Some(true), Some(false)) => {
            Judgement::Fail(format!("{name} is {}", text(&cluster.status).unwrap_or("not active")))
        }
        (Some(true), None) => Judgement::Pass(format!("{name} is there")),
    }
}

pub(super) fn api_server_answers(facts: &Facts) -> Judgement {
    if facts.subject.is_somebody_else.is(&true) {
        return Judgement::Skip(SOMEBODY_ELSE.to_owned());
    }
    match facts.network.answers.value() {
        Some(true) => Judgement::Pass("the API server answers".to_owned()),
        Some(false) => Judgement::Fail(text(&facts.network.problem).unwrap_or("no answer").to_owned()),
        None => unknown(&facts.network.answers),
    }
}

pub(super) fn authentication_mode_known(facts: &Facts) -> Judgement {
    match facts.cluster.authentication_mode.value() {
        Some(mode) => Judgement::Pass(mode.clone()),
        None => unknown(&facts.cluster.authentication_mode),
    }
}

pub(super) fn principal_known(facts: &Facts) -> Judgement {
    let mapping = &facts.mapping;
    let user = text(&mapping.username).map(|username| format!("as Kubernetes user {username}")).unwrap_or_default();
    match facts.symptom.answer.value() {
        Some(Answer::Unauthorized) => return Judgement::Fail("the API server answers 401 Unauthorized".to_owned()),
        Some(Answer::Anonymous) => {
            return Judgement::Fail("the API server takes the request for system:anonymous".to_owned());
        }
        Some(Answer::Allowed | Answer::Forbidden | Answer::Authenticated) => {
            return Judgement::Pass(if user.is_empty() { "authenticated".to_owned() } else { user });
        }
        None => {}
    }
    match mapping.source.value() {
        None => unknown(&mapping.source),
        Some(MappingSource::None) => Judgement::Fail("the cluster does not know this principal".to_owned()),
        Some(source) => Judgement::Pass(format!("{source} {user}")),
    }
}

pub(super) fn action_allowed(facts: &Facts) -> Judgement {
    let action = &facts.action.words;
    match facts.symptom.answer.value() {
        Some(Answer::Allowed) => return Judgement::Pass(format!("{action}: allowed")),
        Some(Answer::Forbidden) => return Judgement::Fail(format!("{action}: the API server answers no")),
        _ => {}
    }
    let allowed = is_allowed(facts);
    match allowed.value() {
        None => unknown(&allowed),
        Some(true) => {
            let by = text(&facts.authorization.by).unwrap_or("the evidence");
            Judgement::Pass(format!("{action}: allowed by {by}"))
        }
        Some(false) => Judgement::Fail(format!("{action}: nothing allows it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;

    fn context(document: &str) -> (&'static str, String) {
        said(context_complete, &format!("kubeconfig: {{ found: {{ document: {document} }} }}"))
    }

    /// What a check says of this evidence.
    fn said(check: fn(&Facts) -> Judgement, evidence: &str) -> (&'static str, String) {
        let text = format!("schema: eks-doctor/evidence/v1\n{evidence}");
        match check(&Facts::derive(&Evidence::from_text("test", &text).unwrap())) {
            Judgement::Pass(words) => ("pass", words),
            Judgement::Fail(words) => ("fail", words),
            Judgement::Unknown(words) => ("unknown", words),
            Judgement::Skip(words) => ("skip", words),
        }
    }

    #[test]
    fn a_command_with_a_path_is_not_looked_for() {
        let of = |command: &str| {
            let users = format!("users: [{{ name: a, user: {{ exec: {{ command: {command} }} }} }}]");
            let contexts = "contexts: [{ name: a, context: { cluster: a, user: a } }], current-context: a";
            let exec = "exec: { failed: { code: ENOENT, message: no such file } }";
            let kubeconfig =
                format!("kubeconfig: {{ found: {{ document: {{ {contexts}, {users}, clusters: [] }} }} }}");
            said(credential_obtained, &format!("{kubeconfig}\n{exec}"))
        };
        assert_eq!(of("/opt/token"), ("fail", "/opt/token does not exist".to_owned()));
        assert_eq!(of("token"), ("fail", "token is not on the search path".to_owned()));
    }

    #[test]
    fn where_the_shell_does_not_tell_who_it_is_the_plugin_does() {
        let arn = "arn:aws:sts::111122223333:assumed-role/Dev/ada";
        let found = format!("execCaller: {{ found: {{ arn: '{arn}', account: '111122223333', userId: 'AROA:ada' }} }}");
        let run = "exec: { found: { command: aws, exitCode: 0, stderr: '', token: { bytes: 1, prefixOk: true } } }";
        let (outcome, words) = said(credentials_accepted, &format!("{run}\n{found}"));
        assert_eq!((outcome, words.as_str()), ("pass", arn));
    }

    #[test]
    fn what_was_not_seen_of_a_kubeconfig_is_not_missing_in_it() {
        let users = "users: [{ name: prod, user: {} }]";
        assert_eq!(
            context(&format!("{{ {users} }}")),
            ("unknown", "kubeconfig: only a part of it was seen".to_owned())
        );
        let contexts = "contexts: [{ name: prod, context: { cluster: prod, user: prod } }]";
        assert_eq!(context(&format!("{{ {contexts}, current-context: prod, {users} }}")).0, "unknown");
    }

    #[test]
    fn what_is_missing_in_a_kubeconfig_is_named() {
        let of = |current: &str, lists: &str| {
            let contexts = "contexts: [{ name: prod, context: { cluster: prod, user: prod } }]";
            context(&format!("{{ {current}{contexts}, {lists} }}"))
        };
        let (cluster, user) =
            ("clusters: [{ name: prod, cluster: { server: s } }]", "users: [{ name: prod, user: {} }]");
        let (prod, both) = ("current-context: prod, ", format!("{cluster}, {user}"));
        assert_eq!(of(prod, &both), ("pass", "context prod".to_owned()));
        assert_eq!(of("", &both), ("fail", "no context is selected".to_owned()));
        assert_eq!(of("current-context: dev, ", &both), ("fail", "context dev does not exist".to_owned()));
        let no_cluster = of(prod, &format!("clusters: [], {user}"));
        assert_eq!(no_cluster, ("fail", "context prod names a cluster entry that is not there".to_owned()));
        let no_user = of(prod, &format!("{cluster}, users: []"));
        assert_eq!(no_user, ("fail", "context prod names a user entry that is not there".to_owned()));
    }
}
