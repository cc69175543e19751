//! Credentials that another program hands out: `credential_process`, and the AWS CLI for kinds that only it knows.
//! What the programs print is a secret and goes nowhere.

use std::time::Duration;

use aws_credential_types::Credentials as Keys;
use jiff::Timestamp;
use serde_json::Value;

use super::Chain;
use crate::collect::exec::{self, Output};
use crate::collect::failure::failure;
use crate::evidence::redact;
use crate::evidence::{Failure, Observed};

/// How long a program may take. The whole run may end sooner.
const LIMIT: Duration = Duration::from_secs(30);

impl Chain<'_> {
    /// `credential_process`, split as a shell would split it.
    pub(super) async fn process(&self, command: &str) -> Result<Keys, Failure> {
        let words = shlex::split(command).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            return Err(failure("exec credential_process", "InvalidConfiguration", "No closing quotation"));
        };
        self.run("exec credential_process", program, arguments).await
    }

    /// A session of `aws login`, or of SSO that wants renewing: the AWS CLI keeps those in caches of its own.
    pub(super) async fn by_aws_cli(&self, profile: &str) -> Result<Keys, Failure> {
        let arguments = ["configure", "export-credentials", "--profile", profile, "--format", "process"];
        self.run("exec aws configure export-credentials", "aws", &arguments.map(str::to_owned)).await
    }

    async fn run(&self, operation: &str, program: &str, arguments: &[String]) -> Result<Keys, Failure> {
        let path = match self.surroundings.find_executable(program) {
            _ if program.contains('/') => self.surroundings.folder.join(program),
            Observed::Found(executable) => executable.path.into(),
            _ => return Err(failure(operation, "ENOENT", format!("executable {program} not found"))),
        };
        let output = exec::output(operation, path, program, arguments, self.surroundings, LIMIT).await?;
        read(operation, &output)
    }
}

/// Reads what a `credential_process` prints.
fn read(operation: &str, output: &Output) -> Result<Keys, Failure> {
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let message = redact::scrub(stderr.trim()).into_owned();
        let code = output.status.code().map_or("Signal".to_owned(), |code| format!("exit status {code}"));
        return Err(failure(operation, &code, message));
    }
    let printed: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| failure(operation, "InvalidOutput", "what it printed is not JSON"))?;
    if printed.get("Version").and_then(Value::as_i64) != Some(1) {
        return Err(failure(
            operation,
            "InvalidOutput",
            "Unsupported version for credential process provider, supported versions: 1",
        ));
    }
    let text = |key: &str| printed.get(key).and_then(Value::as_str);
    let missing = |key: &str| failure(operation, "InvalidOutput", format!("Missing required key in response: '{key}'"));
    let id = text("AccessKeyId").ok_or_else(|| missing("AccessKeyId"))?;
    let secret = text("SecretAccessKey").ok_or_else(|| missing("SecretAccessKey"))?;
    let expires = text("Expiration").and_then(|time| time.parse::<Timestamp>().ok());
    Ok(Keys::new(id, secret, text("SessionToken").map(str::to_owned), expires.map(Into::into), "process"))
}
