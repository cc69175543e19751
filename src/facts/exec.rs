//! The exec plugin's one run: whether the client got a credential from it, and if not, in which way it failed and why.

use super::{
    kubeconfig::{KubeconfigFacts, UserCredential},
    pasted::{self, Pasted},
    value::{Fact, Unknown, choice, facts, why_unsettled},
};
use crate::evidence::{Evidence, ExecRun, Failure, Observed};

choice! {
    /// What became of the exec plugin's run.
    ExecOutcome {
        /// It printed a credential.
        Credential = "credential",
        /// The command is not on the search path.
        CommandMissing = "command-missing",
        /// The command is there and cannot be executed.
        NotExecutable = "not-executable",
        /// It ended with another status than 0.
        Failed = "failed",
        /// It ended with 0 and printed no credential.
        NoCredential = "no-credential",
        /// It did not end in time.
        TimedOut = "timed-out",
        /// The client does not run it, because its entry is not valid.
        Refused = "refused",
    }
}

pub(crate) mod arguments;
mod problem;
mod version;

choice! {
    /// Why the client gets no credential from the exec plugin.
    ExecProblem {
        /// The command is not on the search path.
        CommandMissing = "command-missing",
        /// The command is there and cannot be executed.
        NotExecutable = "not-executable",
        /// The client does not take the API version in the kubeconfig, or the plugin answers a newer one.
        ApiVersion = "api-version",
        /// The plugin is too old.
        Outdated = "outdated",
        /// The plugin prints the credential as text or table.
        OutputFormat = "output-format",
        /// No region is set, or one that does not exist.
        Region = "region",
        /// What should be a role's ARN is none.
        Role = "role",
        /// The plugin does not understand its arguments.
        Usage = "usage",
        /// It did not end in time.
        TimedOut = "timed-out",
        /// The AWS credentials are at fault.
        Credentials = "credentials",
        /// It printed no credential, for another reason.
        NoCredential = "no-credential",
        /// Something else.
        Other = "other",
    }
}

facts! {
    /// The exec plugin.
    ExecFacts {
        /// What became of its run; absent if the user entry has no exec plugin.
        "outcome" outcome: Fact<Option<ExecOutcome>>,
        /// Whether the command was found and started.
        "isStarted" is_started: Fact<bool>,
        /// Why the client gets no credential from it; absent if it does, or if there is no exec plugin.
        "problem" problem: Fact<Option<ExecProblem>>,
        /// The words that tell the problem.
        "message" message: Fact<Option<String>>,
        /// What the plugin says of its version.
        "version" version: Fact<Option<String>>,
        /// The API version that the plugin answered.
        "answeredApiVersion" answered_api_version: Fact<Option<String>>,
        /// The output format that is configured outside the kubeconfig.
        "outputSetting" output_setting: Fact<Option<String>>,
        /// Whether no region is set, or one that cannot work for this cluster. Another one of the same partition can.
        "regionIsWrong" region_is_wrong: Fact<bool>,
        /// Whether the role in the exec entry is none that could be assumed.
        "roleIsWrong" role_is_wrong: Fact<bool>,
        /// The command that the failing client runs for its token.
        "command" command: Fact<Option<String>>,
        /// Whether that is another one than the kubeconfig here names.
        "isAnotherCommand" is_another_command: Fact<bool>,
        /// Exit status.
        "exitCode" exit_code: Fact<Option<i64>>,
        /// What it printed on standard error.
        "stderr" stderr: Fact<Option<String>>,
        /// What is wrong with the credential that it printed.
        "decodeError" decode_error: Fact<Option<String>>,
        /// Who the token is, as STS answers when asked as the API server would ask.
        "caller" caller: Fact<Option<String>>,
        /// The folders in which the failing client looked for the command.
        "searchPath" search_path: Fact<Vec<String>>,
        /// Where the command is, if some folder of this machine's PATH has it.
        "foundAt" found_at: Fact<Option<String>>,
    }
}

const OBSERVATION: &str = "exec";

/// Whether the plugin is an AWS CLI of the first with `eks get-token`, whose failures are its own fault.
pub(crate) fn is_ancient(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> bool {
    problem::is_ancient(evidence, kubeconfig)
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, kubeconfig: &KubeconfigFacts, pasted: &Pasted) -> ExecFacts {
    let outcome = outcome(evidence, kubeconfig, pasted);
    let problem = problem::derive(&problem::Case { evidence, kubeconfig, pasted, outcome: &outcome });
    let run = |part: fn(&ExecRun) -> Option<String>| match &evidence.exec {
        Observed::Found(run) => Fact::known(part(run), OBSERVATION),
        other => Fact::Unknown(why_unsettled(other, OBSERVATION)),
    };
    let program = evidence.target.program.as_ref();
    let (command, is_another_command) = command(kubeconfig, pasted);
    ExecFacts {
        region_is_wrong: arguments::region_is_wrong(evidence, kubeconfig, &problem),
        role_is_wrong: arguments::role_is_wrong(kubeconfig, &problem),
        is_started: is_started(evidence, pasted, &outcome, &problem),
        outcome,
        message: problem.clone().map(|problem| problem.map(|(_, message)| message)),
        problem: problem.map(|problem| problem.map(|(problem, _)| problem)),
        version: executable(evidence, &command).map(|found| found.and_then(|(_, version)| version)),
        answered_api_version: problem::answered_api_version(evidence, pasted),
        output_setting: problem::output_setting(evidence, kubeconfig),
        exit_code: match &evidence.exec {
            Observed::Found(run) => Fact::known(run.exit_code.map(i64::from), OBSERVATION),
            other => Fact::Unknown(why_unsettled(other, OBSERVATION)),
        },
        stderr: run(|run| Some(run.stderr.clone()).filter(|text| !text.is_empty())),
        decode_error: run(|run| run.decode_error.clone()),
        caller: Fact::observed(&evidence.exec_caller, "execCaller")
            .map(|caller| caller.map(|caller| caller.arn.clone())),
        search_path: match (program, super::kubeconfig::variable(evidence, "PATH")) {
            (Some(program), _) if !program.search_path.is_empty() => {
                Fact::known(program.search_path.clone(), "target.program")
            }
            (_, path) => path.map(|path| path.unwrap_or_default().split(':').map(str::to_owned).collect()),
        },
        found_at: executable(evidence, &command).map(|found| found.map(|(path, _)| path)),
        command,
        is_another_command,
    }
}

fn outcome(evidence: &Evidence, kubeconfig: &KubeconfigFacts, pasted: &Pasted) -> Fact<Option<ExecOutcome>> {
    match kubeconfig.credential.value() {
        Some(Some(UserCredential::Exec)) => {}
        // Another program may have an exec entry of its own, as Terraform's providers have.
        Some(_) => {
            return match of_pasted(pasted) {
                Some(outcome) => Fact::known(Some(outcome), pasted::OBSERVATION),
                None => kubeconfig.credential.clone().map(|_| None),
            };
        }
        None if evidence.exec.is_unmentioned() => {
            return match of_pasted(pasted) {
                Some(outcome) => Fact::known(Some(outcome), pasted::OBSERVATION),
                None => kubeconfig.credential.clone().map(|_| None),
            };
        }
        None => {}
    }
    if let Some(missing) = missing_for_program(evidence, kubeconfig) {
        return Fact::known(Some(missing), "target.program");
    }
    match &evidence.exec {
        Observed::Found(run) => Fact::known(Some(outcome_of(run)), OBSERVATION),
        Observed::Absent(_) => Fact::known(Some(ExecOutcome::CommandMissing), OBSERVATION),
        Observed::Denied(failure) | Observed::Failed(failure) => match outcome_of_failure(failure) {
            Some(outcome) => Fact::known(Some(outcome), OBSERVATION),
            None => Fact::Unknown(why_unsettled(&evidence.exec, OBSERVATION)),
        },
        // It was not run; but a command that is nowhere cannot run.
        not_tried @ Observed::NotTried(_) => match executable(evidence, &kubeconfig.exec_command) {
            Fact::Known { value: None, source } => Fact::known(Some(ExecOutcome::CommandMissing), source),
            _ => match of_pasted(pasted) {
                Some(outcome) => Fact::known(Some(outcome), pasted::OBSERVATION),
                None => Fact::Unknown(why_unsettled(not_tried, OBSERVATION)),
            },
        },
    }
}

/// A client's message tells its exit status, that the command was not found, or that its answer is no credential.
fn of_pasted(pasted: &Pasted) -> Option<ExecOutcome> {
    if pasted.proves("kubeconfig/exec-command-missing") {
        return Some(ExecOutcome::CommandMissing);
    }
    if pasted.says("decoding stdout") {
        return Some(ExecOutcome::NoCredential);
    }
    let is_failure = pasted.stated.exit_code.as_deref().is_some_and(|code| code != "0");
    is_failure.then_some(ExecOutcome::Failed)
}

/// A shell ends with 126 or 127 if it is a wrapper whose command cannot be started.
fn is_started(
    evidence: &Evidence,
    pasted: &Pasted,
    outcome: &Fact<Option<ExecOutcome>>,
    problem: &Fact<Option<(ExecProblem, String)>>,
) -> Fact<bool> {
    if let Fact::Known { value: Some((ExecProblem::CommandMissing | ExecProblem::NotExecutable, _)), source } = problem
    {
        return Fact::known(false, source.clone());
    }
    let code = evidence.exec.found().and_then(|run| run.exit_code).map(|code| code.to_string());
    let of_shell = matches!(code.as_deref().or(pasted.stated.exit_code.as_deref()), Some("126" | "127"));
    outcome.clone().and_then(|outcome| match outcome {
        Some(ExecOutcome::Credential | ExecOutcome::NoCredential | ExecOutcome::TimedOut) => {
            Fact::known(true, OBSERVATION)
        }
        Some(ExecOutcome::Failed) if !of_shell => Fact::known(true, OBSERVATION),
        _ => Fact::known(false, OBSERVATION),
    })
}

fn outcome_of(run: &ExecRun) -> ExecOutcome {
    if run.exit_code != Some(0) {
        ExecOutcome::Failed
    } else if run.decode_error.is_some() {
        ExecOutcome::NoCredential
    } else {
        ExecOutcome::Credential
    }
}

fn outcome_of_failure(failure: &Failure) -> Option<ExecOutcome> {
    match failure.code.as_deref()? {
        "InvalidExecEntry" => Some(ExecOutcome::Refused),
        "ENOENT" => Some(ExecOutcome::CommandMissing),
        "EACCES" | "ENOEXEC" => Some(ExecOutcome::NotExecutable),
        "Timeout" | "ETIMEDOUT" => Some(ExecOutcome::TimedOut),
        _ => None,
    }
}

/// The command that the failing client runs, and whether it is another one than in the kubeconfig here: a pasted message
/// names it as the kubeconfig of that client does, or by its full path.
fn command(kubeconfig: &KubeconfigFacts, pasted: &Pasted) -> (Fact<Option<String>>, Fact<bool>) {
    let here = &kubeconfig.exec_command;
    let Some(stated) = &pasted.stated.exec_command else { return (here.clone(), here.clone().map(|_| false)) };
    let name = |command: &str| command.rsplit(['/', '\\']).next().unwrap_or(command).to_owned();
    match here.value() {
        Some(Some(own)) if name(own) == name(stated) => (here.clone(), here.clone().map(|_| false)),
        _ => {
            let stated = Fact::known(Some(stated.clone()), pasted::OBSERVATION);
            (stated, here.clone().map(|_| true))
        }
    }
}

/// Where a command is on this machine's PATH, and its version.
fn executable(evidence: &Evidence, command: &Fact<Option<String>>) -> Fact<Option<(String, Option<String>)>> {
    let unknown = Fact::Unknown(Unknown {
        missing: why_unsettled(&Observed::<()>::NotTried(None), "environment.executables").missing,
    });
    let Some(Some(command)) = command.value() else { return unknown };
    match evidence.environment.executables.get(command) {
        Some(Observed::Found(found)) => {
            Fact::known(Some((found.path.clone(), found.version.clone())), "environment.executables")
        }
        Some(Observed::Absent(_)) => Fact::known(None, "environment.executables"),
        _ => unknown,
    }
}

/// The command exists on this machine, but in no folder where the failing client looks.
fn missing_for_program(evidence: &Evidence, kubeconfig: &KubeconfigFacts) -> Option<ExecOutcome> {
    let program = evidence.target.program.as_ref().filter(|program| !program.search_path.is_empty())?;
    let executable = executable(evidence, &kubeconfig.exec_command);
    let (path, _) = executable.value()?.as_ref()?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let searched = program.search_path.iter().any(|searched| searched.trim_end_matches('/') == folder);
    (!searched).then_some(ExecOutcome::CommandMissing)
}
