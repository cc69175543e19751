//! Why the client gets no credential from the exec plugin: told by what it printed, by the client's own words, and by
//! versions and settings that cannot work together.

use super::{ExecOutcome, ExecProblem, version};
use crate::{
    evidence::{Evidence, Observed},
    facts::{
        credentials::problem as credentials,
        kubeconfig::{KubeconfigFacts, variable},
        pasted::{self, Pasted},
        value::{Fact, Unknown, why_unsettled},
    },
};

/// What the problem is told from.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) kubeconfig: &'a KubeconfigFacts,
    pub(super) pasted: &'a Pasted,
    pub(super) outcome: &'a Fact<Option<ExecOutcome>>,
}

type Told = Fact<Option<(ExecProblem, String)>>;

const ALPHA: &str = "client.authentication.k8s.io/v1alpha1";

/// The problem and the words that tell it.
pub(super) fn derive(case: &Case<'_>) -> Told {
    if let Some(told) = of_client(case) {
        return told;
    }
    if case.evidence.target.principal.is_some() {
        return Fact::unknown("exec", "what is seen from here belongs to somebody else");
    }
    if let Some(told) = of_versions(case) {
        return told;
    }
    let (outcome, source) = match case.outcome {
        Fact::Known { value: Some(outcome), source } => (*outcome, source.clone()),
        Fact::Known { value: None, source } => return Fact::known(None, source.clone()),
        Fact::Unknown(unknown) => return of_unknown_run(case, unknown),
    };
    let text = words(case);
    let told = |problem| Fact::known(Some((problem, line(&text, problem))), source.clone());
    match outcome {
        ExecOutcome::Credential => Fact::known(None, source),
        ExecOutcome::CommandMissing => told(ExecProblem::CommandMissing),
        ExecOutcome::NotExecutable => told(ExecProblem::NotExecutable),
        ExecOutcome::TimedOut => told(of_text(&text, case).unwrap_or(ExecProblem::TimedOut)),
        ExecOutcome::Refused => told(of_text(&text, case).unwrap_or(ExecProblem::Other)),
        ExecOutcome::NoCredential if is_misformatted(case) => told(ExecProblem::OutputFormat),
        ExecOutcome::NoCredential if complains_of_format(&text) && is_format_open(case) => {
            Fact::unknown("aws.profile", "the configured output format is not known")
        }
        ExecOutcome::NoCredential => told(of_text(&text, case).unwrap_or(ExecProblem::NoCredential)),
        ExecOutcome::Failed => match of_text(&text, case).or_else(|| of_status(case)) {
            Some(problem) if is_ancient(case.evidence, case.kubeconfig) && problem != ExecProblem::CommandMissing => {
                told(ExecProblem::Outdated)
            }
            Some(problem) => told(problem),
            // A status alone, as clients report it, does not tell the reason.
            None if text.trim().is_empty() || source == pasted::OBSERVATION => {
                Fact::unknown("exec", "its words on standard error were not seen")
            }
            None => told(ExecProblem::Other),
        },
    }
}

/// What the failing client itself says, which holds for it whatever works here.
fn of_client(case: &Case<'_>) -> Option<Told> {
    let problem = match case.pasted.proves {
        Some("kubeconfig/exec-command-missing") => ExecProblem::CommandMissing,
        Some("kubeconfig/exec-api-version") => ExecProblem::ApiVersion,
        Some("kubeconfig/exec-outdated") => ExecProblem::Outdated,
        Some("kubeconfig/exec-output-format") => ExecProblem::OutputFormat,
        Some("kubeconfig/exec-wrong-region") => ExecProblem::Region,
        Some("kubeconfig/exec-wrong-role") => ExecProblem::Role,
        Some("kubeconfig/exec-failed") => ExecProblem::Other,
        _ => of_text(&case.pasted.text, case).filter(|problem| {
            matches!(problem, ExecProblem::CommandMissing | ExecProblem::ApiVersion | ExecProblem::Outdated)
        })?,
    };
    Some(known_from_paste(problem, case))
}

fn known_from_paste(problem: ExecProblem, case: &Case<'_>) -> Told {
    Fact::known(Some((problem, line(&case.pasted.text, problem))), pasted::OBSERVATION)
}

/// What the plugin and its client printed, in that order.
fn words(case: &Case<'_>) -> String {
    let mut words = match &case.evidence.exec {
        Observed::Found(run) => format!("{}\n{}", run.stderr, run.decode_error.as_deref().unwrap_or_default()),
        Observed::Denied(failure) | Observed::Failed(failure) => failure.message.clone(),
        Observed::Absent(_) | Observed::NotTried(_) => String::new(),
    };
    if words.trim().is_empty() {
        words.clone_from(&case.pasted.text);
    }
    words
}

/// The line that tells the problem: the last with any words, since plugins print the reason last.
fn line(text: &str, problem: ExecProblem) -> String {
    let telling = match problem {
        ExecProblem::Credentials => text.lines().rfind(|line| credentials::of_text(line, false).is_some()),
        _ => text.lines().rfind(|line| mismatched_versions(line).is_some() || line.contains("exec:")),
    };
    telling.or_else(|| text.lines().rfind(|line| !line.trim().is_empty())).unwrap_or_default().trim().to_owned()
}

/// The problem that a text tells.
fn of_text(text: &str, case: &Case<'_>) -> Option<ExecProblem> {
    if let Some(problem) = mismatch(text, case) {
        return Some(problem);
    }
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["executable file not found", "could not find command", "could not find any of the authenticator"])
        || (has(&["executable "]) && has(&[" not found"]))
        || (has(&["fork/exec"]) && has(&["no such file"]))
    {
        return Some(ExecProblem::CommandMissing);
    }
    if has(&["exec format error"]) || (has(&["fork/exec"]) && has(&["permission denied"])) {
        return Some(ExecProblem::NotExecutable);
    }
    if has(&["invalid choice"]) {
        return Some(ExecProblem::Outdated);
    }
    if has(&["must specify a region", "noregion", "missing region", "match a supported format", "invalid endpoint"]) {
        return Some(ExecProblem::Region);
    }
    if (has(&["validationerror", "invalid length for parameter"]) && has(&["rolearn"])) || has(&["no such role"]) {
        return Some(ExecProblem::Role);
    }
    if credentials::of_text(text, false).is_some() {
        return Some(ExecProblem::Credentials);
    }
    has(&[
        "usage: ",
        "unknown options",
        "unknown flag",
        "arguments are required",
        "--cluster-name or --cluster-id",
        "cluster id not specified",
    ])
    .then_some(ExecProblem::Usage)
}

/// What the status tells where the words do not: 252 is a command line that the AWS CLI cannot read, 127 a command
/// inside a wrapper that is not there.
fn of_status(case: &Case<'_>) -> Option<ExecProblem> {
    match case.evidence.exec.found().and_then(|run| run.exit_code)? {
        252 => Some(ExecProblem::Usage),
        127 => Some(ExecProblem::CommandMissing),
        126 => Some(ExecProblem::NotExecutable),
        _ => None,
    }
}

/// The API versions that a client found to differ: the one in the kubeconfig and the plugin's.
fn mismatched_versions(text: &str) -> Option<(&str, &str)> {
    let rest = text.split_once("configured to use API version ")?.1;
    let (configured, rest) = rest.split_once(", plugin returned version ")?;
    let returned = rest.split(|c: char| c.is_whitespace() || c == '"').next()?;
    Some((configured, returned))
}

/// Which side of a disagreement on the API version is at fault. The old version is v1alpha1, which kubectl 1.24 dropped.
fn mismatch(text: &str, case: &Case<'_>) -> Option<ExecProblem> {
    if text.contains("exec plugin: invalid apiVersion") || text.contains("interactiveMode must be specified") {
        return Some(ExecProblem::ApiVersion);
    }
    if text.contains("no kind \"ExecCredential\" is registered") {
        let is_old_entry =
            case.kubeconfig.exec_api_version.value().is_some_and(|version| version.as_deref() == Some(ALPHA));
        return Some(if is_old_entry { ExecProblem::ApiVersion } else { ExecProblem::Outdated });
    }
    let (configured, returned) = mismatched_versions(text)?;
    match (configured, returned) {
        (ALPHA, _) => Some(ExecProblem::ApiVersion),
        (_, ALPHA) => Some(ExecProblem::Outdated),
        // Go's name for "none": the plugin printed no version at all.
        (_, returned) if returned.contains("__internal") => None,
        _ => Some(ExecProblem::ApiVersion),
    }
}

/// Versions that cannot work together, whether or not anybody has tried.
fn of_versions(case: &Case<'_>) -> Option<Told> {
    let entry = case.kubeconfig.exec_api_version.value()?.as_deref()?;
    let run = case.evidence.exec.found();
    let answered = run.and_then(|run| run.credential.as_ref()?.api_version.as_deref());
    let told = |problem, message: String, source: &'static str| Some(Fact::known(Some((problem, message)), source));
    if let Some(answered) = answered.filter(|answered| *answered != entry) {
        let problem = if answered == ALPHA { ExecProblem::Outdated } else { ExecProblem::ApiVersion };
        return told(problem, format!("the plugin answers {answered}"), "exec");
    }
    let is_known = matches!(entry.strip_prefix("client.authentication.k8s.io/"), Some("v1alpha1" | "v1beta1" | "v1"));
    if !is_known {
        return told(ExecProblem::ApiVersion, format!("no client knows {entry}"), "kubeconfig");
    }
    let kubectl = client_version(case.evidence)?;
    let refuses = !version::takes(kubectl, entry) && case.evidence.target.program.is_none();
    let (major, minor, _) = kubectl;
    refuses.then(|| {
        let message = format!("kubectl {major}.{minor} does not take {entry}");
        Fact::known(Some((ExecProblem::ApiVersion, message)), "environment.executables")
    })
}

fn client_version(evidence: &Evidence) -> Option<version::Version> {
    version::parse(evidence.environment.executables.get("kubectl")?.found()?.version.as_deref()?)
}

/// The base name of the command and the plugin's version.
fn plugin(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<(String, version::Version)> {
    let command = kubeconfig.exec_command.value()?.as_deref()?;
    let found = evidence.environment.executables.get(command)?.found()?;
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command).trim_end_matches(".exe").to_owned();
    Some((name, version::parse(found.version.as_deref()?)?))
}

/// Whether the plugin is an AWS CLI whose failures are its own fault.
pub(super) fn is_ancient(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> bool {
    plugin(evidence, kubeconfig).is_some_and(|(name, version)| name == "aws" && version::is_ancient_cli(version))
}

/// The plugin was not run, or nobody knows how it ended. What its words, version and settings would lead to is still
/// worth telling, and some of it rules out everything else.
fn of_unknown_run(case: &Case<'_>, unknown: &Unknown) -> Told {
    let known = |problem, source: &'static str| Fact::known(Some((problem, words_of_setting(case, problem))), source);
    let plugin = plugin(case.evidence, case.kubeconfig);
    // The first AWS CLIs know no get-token, the next ones lose profile and region on the way.
    let is_told = of_text(&case.pasted.text, case).is_some_and(|problem| problem != ExecProblem::CommandMissing);
    if plugin.as_ref().is_some_and(|(name, version)| name == "aws" && *version < (1, 16, 156))
        || is_told && is_ancient(case.evidence, case.kubeconfig)
    {
        return known(ExecProblem::Outdated, "environment.executables");
    }
    if complains_of_format(&case.pasted.text) && is_misformatted(case) {
        return known(ExecProblem::OutputFormat, "aws.profile");
    }
    if let Some((name, version)) = plugin
        && version::answers_alpha(&name, version)
        && client_version(case.evidence).is_some_and(|kubectl| !version::takes(kubectl, ALPHA))
    {
        return known(ExecProblem::Outdated, "environment.executables");
    }
    Fact::Unknown(unknown.clone())
}

fn words_of_setting(case: &Case<'_>, problem: ExecProblem) -> String {
    let version = case.evidence.environment.executables.get("aws").and_then(Observed::found);
    let version = version.and_then(|found| found.version.clone()).unwrap_or_default();
    match problem {
        ExecProblem::Outdated => version,
        _ => line(&case.pasted.text, problem),
    }
}

/// A client that could not read what the plugin printed.
fn complains_of_format(text: &str) -> bool {
    text.contains("decoding stdout") || text.contains("get version/kind") || text.contains("unmarshal")
}

/// The output format that the AWS CLI takes where its arguments name none.
pub(super) fn output_setting(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Fact<Option<String>> {
    let in_entry =
        kubeconfig.exec_env_names.value().is_some_and(|names| names.iter().any(|name| name == "AWS_DEFAULT_OUTPUT"));
    let in_shell = variable(evidence, "AWS_DEFAULT_OUTPUT");
    if let Some(Some(output)) = in_shell.value().filter(|_| !in_entry) {
        return Fact::known(Some(output.clone()), "environment.variables");
    }
    let profile = Fact::observed(&evidence.aws.profile, "aws.profile");
    profile.map(|profile| profile.and_then(|profile| profile.output.clone()))
}

/// Whether the AWS CLI is left to print text, a table or a list, which no client can read. YAML happens to be readable.
fn is_misformatted(case: &Case<'_>) -> bool {
    let setting = output_setting(case.evidence, case.kubeconfig);
    let setting = setting.value().and_then(Option::as_deref);
    let is_named = case.kubeconfig.exec_output.value().is_some_and(Option::is_some);
    let named = case.kubeconfig.exec_output.value().and_then(Option::as_deref);
    let format = if is_named { named } else { setting };
    matches!(format, Some("text" | "table" | "yaml-stream" | "off"))
}

/// Whether the output format is left to arguments or settings that nobody looked at.
fn is_format_open(case: &Case<'_>) -> bool {
    match case.kubeconfig.exec_output.value() {
        Some(Some(_)) => false,
        Some(None) => matches!(output_setting(case.evidence, case.kubeconfig), Fact::Unknown(_)),
        None => true,
    }
}

/// The API version that the plugin answered, as seen or as the client told.
pub(super) fn answered_api_version(evidence: &Evidence, pasted: &Pasted) -> Fact<Option<String>> {
    if let Some(version) = &pasted.stated.plugin_api_version {
        return Fact::known(Some(version.clone()), pasted::OBSERVATION);
    }
    match &evidence.exec {
        Observed::Found(run) => {
            let of_credential = run.credential.as_ref().and_then(|credential| credential.api_version.clone());
            let of_error =
                run.decode_error.as_deref().and_then(mismatched_versions).map(|(_, returned)| returned.to_owned());
            Fact::known(of_credential.or(of_error), "exec")
        }
        other => Fact::Unknown(why_unsettled(other, "exec")),
    }
}
