//! Programs in Go that answer questions with the code of the real components. They are built on demand; a machine
//! without Go can still compare with the frozen answers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// Why there are no answers.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// There is no `go` on the PATH.
    GoIsNotInstalled,
    /// Go or the program failed; the text says how.
    Failed(String),
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::GoIsNotInstalled => {
                f.write_str("Go is not installed, so the real component cannot be asked (https://go.dev/dl)")
            }
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// Builds `tests/oracle/<name>` and asks it; the answers come in the order of the questions.
pub(crate) fn ask(name: &str, questions: &[Value]) -> Result<Vec<Value>, NoAnswer> {
    let program = build(name)?;
    let mut lines = Vec::new();
    for question in questions {
        serde_json::to_writer(&mut lines, question).map_err(|error| failed("writing a question", &error))?;
        lines.push(b'\n');
    }
    let mut child = command(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed("starting the oracle", &error))?;
    // The program answers while it reads, so one thread has to write while this one reads.
    let mut input = child.stdin.take().ok_or_else(|| NoAnswer::Failed("the oracle has no input".to_owned()))?;
    let writer = std::thread::spawn(move || input.write_all(&lines));
    let output = child.wait_with_output().map_err(|error| failed("waiting for the oracle", &error))?;
    let written = writer.join().map_err(|_| NoAnswer::Failed("the questions could not be written".to_owned()))?;
    if !output.status.success() {
        return Err(NoAnswer::Failed(format!("the oracle stopped: {}", String::from_utf8_lossy(&output.stderr))));
    }
    written.map_err(|error| failed("writing the questions", &error))?;
    let answers: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect();
    let answers = answers.map_err(|error| failed("reading the answers", &error))?;
    if answers.len() == questions.len() {
        Ok(answers)
    } else {
        Err(NoAnswer::Failed(format!("{} questions, {} answers", questions.len(), answers.len())))
    }
}

/// One build at a time: tests run side by side.
static BUILDING: Mutex<()> = Mutex::new(());

fn build(name: &str) -> Result<PathBuf, NoAnswer> {
    let _building = BUILDING.lock();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(name);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{name}{}", std::env::consts::EXE_SUFFIX));
    let build = command(Path::new("go")).arg("build").arg("-o").arg(&program).arg(".").current_dir(source).output();
    match build {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(NoAnswer::GoIsNotInstalled),
        Err(error) => Err(failed("starting go", &error)),
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => Err(NoAnswer::Failed(format!("go build: {}", String::from_utf8_lossy(&output.stderr)))),
    }
}

#[expect(clippy::disallowed_methods, reason = "an oracle is a program of its own")]
fn command(program: &Path) -> Command {
    Command::new(program)
}

fn failed(what: &str, error: &dyn std::error::Error) -> NoAnswer {
    NoAnswer::Failed(format!("{what}: {error}"))
}
