//! Where the evidence of a diagnosis comes from: the world, or files; and what the command line asks about it.

#![expect(clippy::disallowed_methods, reason = "the edge of the program: its own files and signals")]

use std::{fs, path::Path, time::Duration};

use super::{progress, read, read_lossy_stdin};
use crate::{
    cli::{CheckArgs, LookArgs},
    collect::{self, Surroundings},
    error::{Error, InputError},
    evidence::{Evidence, Observed, Target},
    facts::{
        action::{self, ParsedAction},
        kubeconfig,
    },
};

/// Looks at the world; tells of every call if it is to be `verbose`.
pub(super) fn look_around(args: &LookArgs, verbose: bool) -> Result<Evidence, Error> {
    let surroundings = Surroundings::of_this_process();
    let mut target = Target { profile: args.profile.clone(), ..Target::default() };
    ask(args, &mut target)?;
    let defaults = collect::Request::default();
    let request = collect::Request {
        target,
        action: action(args)?,
        kubeconfig: args.kubeconfig.clone(),
        timeout: args.timeout.map_or(defaults.timeout, Duration::from_secs_f64),
        logs: args.logs,
        egress_address: args.egress_address,
    };
    let progress = progress::Lines::on_stderr(verbose);
    let evidence = collect::collect_blocking(&request, &surroundings, &progress, interrupted());
    progress.end();
    evidence.map_err(|error| InputError::new("this machine", format!("cannot be looked at: {error}")).into())
}

/// Ends when somebody wants the run to end: by Ctrl-C, or by SIGTERM as CI systems and `timeout` do.
async fn interrupted() {
    let ctrl_c = async {
        // Without a handler Ctrl-C ends the process at once, which is what it did before.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = ctrl_c => {}
        _ = terminated => {}
    }
}

/// Puts what the command line asks into the target of the diagnosis, all but the action.
fn ask(args: &LookArgs, target: &mut Target) -> Result<(), Error> {
    for (asked, known) in [
        (&args.context, &mut target.context),
        (&args.cluster, &mut target.cluster),
        (&args.region, &mut target.region),
        (&args.principal, &mut target.principal),
    ] {
        if asked.is_some() {
            known.clone_from(asked);
        }
    }
    target.symptom = match args.error.as_deref() {
        None => target.symptom.take(),
        Some("-") => Some(read_lossy_stdin()?),
        Some(text) => Some(text.to_owned()),
    };
    Ok(())
}

/// The action that the command line asks about.
fn action(args: &LookArgs) -> Result<Option<ParsedAction>, Error> {
    let parse = |words: &String| {
        action::parse(words).map_err(|error| Error::Usage {
            message: format!("--action '{words}': {} (column {})", error.problem, error.column),
            help: error.help.or_else(|| Some("write it as for `kubectl auth can-i`: 'get pods -n dev'".to_owned())),
        })
    };
    args.action.as_ref().map(parse).transpose()
}

/// Reads and merges the files of `--evidence`.
pub(super) fn evidence_of_files(args: &CheckArgs) -> Result<Evidence, Error> {
    let stdin = args.evidence.iter().filter(|path| path.as_path() == Path::new("-")).count();
    if stdin + usize::from(args.look.error.as_deref() == Some("-")) > 1 {
        return Err(Error::usage("standard input can be read once only", "give the others as files"));
    }
    let mut all: Option<Evidence> = None;
    for path in &args.evidence {
        let (name, text) = read(path)?;
        let document = Evidence::from_text(&name, &text)?;
        match &mut all {
            None => all = Some(document),
            Some(first) => first.complete_with(document).map_err(|message| {
                let error = InputError::new(&name, message);
                error.help("merge documents of two people about one cluster only")
            })?,
        }
    }
    let mut evidence = all.ok_or_else(|| Error::usage("there is no evidence", "give --evidence FILE"))?;
    if let Some(address) = args.look.egress_address {
        evidence.network.egress_address = Observed::Found(address.to_string());
    }
    ask(&args.look, &mut evidence.target)?;
    if let Some(action) = action(&args.look)? {
        let namespace = kubeconfig::namespace(&evidence.kubeconfig, evidence.target.context.as_deref());
        evidence.target.action = Some(action.in_namespace(&namespace));
    }
    Ok(evidence)
}

/// Writes evidence to a file.
pub(super) fn save(evidence: &Evidence, path: &Path) -> Result<(), Error> {
    let failed = |error: String| InputError::new(path.display().to_string(), format!("cannot be written: {error}"));
    let text = serde_json::to_string_pretty(evidence).map_err(|error| failed(error.to_string()))?;
    fs::write(path, text + "\n").map_err(|error| failed(error.to_string()).into())
}
