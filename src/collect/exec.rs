//! Runs a program for what it prints: the exec plugin of the kubeconfig, once, as client-go runs it, but bounded in
//! time and with everything kept that kubectl throws away; and other programs that hand out credentials.

#![expect(clippy::disallowed_methods, reason = "this is where programs are run")]

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::failure::{TIMEOUT, failure, os_code};
use super::kubeconfig::{self, Cluster, Exec};
use super::surroundings::Surroundings;
use super::token;
use crate::evidence::redact::{self, Secrets};
use crate::evidence::{ExecCredential, ExecRun, Failure, Observed};

/// More output than this is read and thrown away.
const LARGEST_OUTPUT: usize = 1 << 20;

/// Of a long standard error the end is kept: the reason comes last.
const LARGEST_STDERR: usize = 16 << 10;

/// The API group of exec plugins.
const GROUP: &str = "client.authentication.k8s.io/";

/// What a plugin handed out: a secret.
#[derive(Clone, Default)]
pub(crate) struct Issued {
    pub(crate) token: Option<String>,
    /// A client certificate and its key, as PEM.
    pub(crate) certificate: Option<(String, String)>,
}

impl Issued {
    /// Whether it holds no credential at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.token.is_none() && self.certificate.is_none()
    }
}

/// What a program wrote, and how it ended.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// How the run is called in failures.
pub(crate) fn operation(exec: &Exec) -> String {
    format!("exec {}", exec.command)
}

/// Runs an exec entry as client-go does. Its token is judged as by a server in the region.
pub(crate) async fn run(
    exec: &Exec,
    cluster: Option<&Cluster>,
    region: Option<&str>,
    surroundings: &Surroundings,
    limit: Duration,
) -> Observed<(ExecRun, Issued)> {
    let operation = operation(exec);
    let refuse = |code: &str, message: String| Observed::Failed(failure(&operation, code, message));
    let api_version = exec.api_version.as_deref().unwrap_or_default();
    if let Err(message) = usable(exec, api_version) {
        return refuse("InvalidExecEntry", message);
    }
    let hint = exec.install_hint.as_deref().map(|hint| format!("\n{}", redact::scrub(hint))).unwrap_or_default();
    let path = match find(&exec.command, surroundings) {
        Ok(path) => path,
        Err(code) => return refuse(code, format!("exec: executable {} not found{hint}", exec.command)),
    };
    let info = json!({ "kind": "ExecCredential", "apiVersion": api_version, "spec": spec(exec, cluster) });
    let own = exec.env.iter().flatten().map(|variable| (variable.name.clone(), variable.value.clone()));
    let surroundings = surroundings.with(own.chain([("KUBERNETES_EXEC_INFO".to_owned(), info.to_string())]));
    let arguments = exec.args.as_deref().unwrap_or_default();
    let output = match output(&operation, path, &exec.command, arguments, &surroundings, limit).await {
        Ok(output) => output,
        Err(failure) => return Observed::Failed(failure),
    };
    Observed::Found(read(exec, api_version, region, &output))
}

/// Whether client-go would run the entry at all, in its own words.
fn usable(exec: &Exec, api_version: &str) -> Result<(), String> {
    let version = api_version.strip_prefix(GROUP);
    let mode = exec.interactive_mode.as_deref().unwrap_or_default();
    match (version, mode) {
        _ if exec.command.is_empty() => Err("command must be specified to use exec authentication plugin".to_owned()),
        (Some("v1"), "") => {
            Err(format!("interactiveMode must be specified to use exec authentication plugin {api_version}"))
        }
        (Some("v1" | "v1beta1"), "Always") => {
            Err("exec plugin cannot support interactive mode: standard input is not a terminal".to_owned())
        }
        (Some("v1" | "v1beta1"), "" | "Never" | "IfAvailable") => Ok(()),
        (Some("v1" | "v1beta1"), mode) => Err(format!("invalid interactiveMode: {mode:?}")),
        _ => Err(format!("exec plugin: invalid apiVersion {api_version:?}")),
    }
}

/// The executable: as it stands with a slash in it, else looked up on the PATH of the surroundings.
fn find(command: &str, surroundings: &Surroundings) -> Result<PathBuf, &'static str> {
    if !command.contains('/') {
        return match surroundings.find_executable(command) {
            Observed::Found(executable) => Ok(executable.path.into()),
            _ => Err("ENOENT"),
        };
    }
    let path = surroundings.folder.join(command);
    if path.exists() { Ok(path) } else { Err("ENOENT") }
}

/// What the plugin is told. Nobody can answer its questions here, so it is not interactive.
fn spec(exec: &Exec, cluster: Option<&Cluster>) -> Value {
    let mut spec = json!({ "interactive": false });
    if exec.provide_cluster_info == Some(true)
        && let Some(cluster) = cluster
    {
        spec["cluster"] = cluster.for_plugins();
    }
    spec
}

/// Runs a program to its end, or ends it with all its children when the time is over.
pub(crate) async fn output(
    operation: &str,
    path: PathBuf,
    name: &str,
    arguments: &[String],
    surroundings: &Surroundings,
    limit: Duration,
) -> Result<Output, Failure> {
    let is_there = path.exists();
    let mut command = Command::new(path);
    command.args(arguments).env_clear().envs(&surroundings.variables).current_dir(&surroundings.folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.arg0(name).process_group(0);
    let mut child = command.spawn().map_err(|error| Failure {
        operation: Some(operation.to_owned()),
        // A script is there although the program that its first line names is not.
        code: if is_there && error.kind() == ErrorKind::NotFound {
            Some("ENOEXEC".to_owned())
        } else {
            os_code(&error)
        },
        message: format!("exec: {name}: {error}"),
        ..Failure::default()
    })?;
    let _group = ProcessGroup::of(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut printed, mut complained) = (Vec::new(), Vec::new());
    let ended = async {
        tokio::join!(
            read_first(stdout, &mut printed, LARGEST_OUTPUT),
            read_last(stderr, &mut complained, LARGEST_STDERR),
        );
        child.wait().await
    };
    match tokio::time::timeout(limit, ended).await {
        Ok(Ok(status)) => Ok(Output { status, stdout: printed, stderr: complained }),
        Ok(Err(error)) => Err(failure(operation, "wait", error.to_string())),
        Err(_) => {
            let seconds = limit.as_secs_f64();
            let wrote = redact::scrub(String::from_utf8_lossy(&complained).trim()).into_owned();
            let wrote = if wrote.is_empty() { String::new() } else { format!("; it wrote: {wrote}") };
            Err(failure(operation, TIMEOUT, format!("{name} did not end within {seconds:.1} s{wrote}")))
        }
    }
}

/// Ends a program's process group when it is dropped: a shell that is killed leaves its children behind otherwise.
struct ProcessGroup(Option<u32>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        Self(child.id())
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
            // An error means that nobody is left.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

/// Reads to the end, keeps the beginning. A read error is an end.
async fn read_first(reader: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, limit: usize) {
    read_chunks(reader, |chunk| kept.extend(chunk.iter().take(limit - kept.len().min(limit)))).await;
}

/// Reads to the end, keeps the end.
async fn read_last(reader: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, limit: usize) {
    read_chunks(reader, |chunk| {
        kept.extend(chunk);
        kept.drain(..kept.len().saturating_sub(limit));
    })
    .await;
}

async fn read_chunks(reader: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut reader) = reader else { return };
    let mut chunk = [0; 8192];
    while let Ok(size @ 1..) = reader.read(&mut chunk).await {
        take(chunk.get(..size).unwrap_or_default());
    }
}

/// Reads what the plugin left.
fn read(exec: &Exec, api_version: &str, region: Option<&str>, output: &Output) -> (ExecRun, Issued) {
    let mut run = ExecRun { command: exec.command.clone(), exit_code: output.status.code(), ..ExecRun::default() };
    let mut issued = Issued::default();
    if output.status.success() {
        match decode(&output.stdout, api_version) {
            Ok((credential, secrets)) => {
                run.credential = Some(credential);
                run.token = secrets.token.as_deref().map(|token| token::describe(token, region));
                issued = secrets;
            }
            Err(reason) => run.decode_error = Some(reason),
        }
    }
    let mut secrets = Secrets::default();
    issued.token.iter().for_each(|token| secrets.add(token));
    for variable in exec.env.iter().flatten().filter(|variable| redact::is_secret_name(&variable.name)) {
        secrets.add(&variable.value);
    }
    run.stderr = secrets.scrub(&String::from_utf8_lossy(&output.stderr));
    (run, issued)
}

/// Reads an ExecCredential as client-go does. The reasons never repeat what was printed: it may be a secret.
fn decode(stdout: &[u8], api_version: &str) -> Result<(ExecCredential, Issued), String> {
    let text = std::str::from_utf8(stdout).map_err(|_| "decoding stdout: not UTF-8")?;
    let credential = serde_json::from_str(text).or_else(|_| kubeconfig::parse(text));
    let credential: Value = credential.map_err(|_| "decoding stdout: neither JSON nor YAML")?;
    let text = |path: &str| credential.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some("ExecCredential"), Some(returned)) = (text("/kind"), text("/apiVersion")) else {
        return Err("decoding stdout: couldn't get version/kind of an ExecCredential".to_owned());
    };
    if returned != api_version {
        return Err(format!(
            "exec plugin is configured to use API version {api_version}, plugin returned version {}",
            redact::scrub(returned)
        ));
    }
    if !credential.get("status").is_some_and(Value::is_object) {
        return Err("exec plugin didn't return a status field".to_owned());
    }
    let token = text("/status/token").map(str::to_owned);
    let certificate = match (text("/status/clientCertificateData"), text("/status/clientKeyData")) {
        (Some(certificate), Some(key)) => Some((certificate.to_owned(), key.to_owned())),
        (None, None) if token.is_none() => return Err("exec plugin didn't return a token or cert/key pair".to_owned()),
        (None, None) => None,
        _ => return Err("exec plugin returned only certificate or key, not both".to_owned()),
    };
    let expires = text("/status/expirationTimestamp");
    let expires =
        expires.map(|time| time.parse().map_err(|_| "decoding stdout: expirationTimestamp is no RFC 3339 time"));
    let shown = ExecCredential { api_version: Some(returned.to_owned()), expiration_timestamp: expires.transpose()? };
    Ok((shown, Issued { token, certificate }))
}

#[cfg(test)]
mod tests;
