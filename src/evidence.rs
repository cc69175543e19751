//! Evidence: everything that was seen, and nothing that was concluded.
//!
//! This is the public file format `eks-doctor/evidence/v1`. `collect` writes it, `check --evidence` reads it, a
//! fixture is one, a support ticket carries one. Once released, v1 only grows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod aws;
mod client;
mod kubernetes;
mod merge;
mod observed;
mod packed;
pub mod redact;

pub use aws::*;
pub use client::*;
pub use kubernetes::*;
pub use observed::{Absent, Failure, Observed};
pub use packed::Unread;

/// The fields of an API object that this version of eks-doctor has no name for, kept as they came.
pub type OtherFields = serde_json::Map<String, serde_json::Value>;

/// The version of the evidence format; the only value of the `schema` key that this version reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EvidenceSchema {
    /// Version 1.
    #[default]
    #[serde(rename = "eks-doctor/evidence/v1")]
    V1,
}

/// One evidence document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// The format and its version.
    pub schema: EvidenceSchema,
    /// When the looking began, in UTC by the local clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collected_at: Option<Timestamp>,
    /// The program that wrote the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Tool>,
    /// What was asked.
    #[serde(default)]
    pub target: Target,
    /// The machine on which the client runs.
    #[serde(default)]
    pub environment: Environment,
    /// What AWS and its configuration files say.
    #[serde(default)]
    pub aws: Aws,
    /// The kubeconfig, merged as kubectl merges it.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub kubeconfig: Observed<Kubeconfig>,
    /// One run of the current user's exec entry, in its own environment.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub exec: Observed<ExecRun>,
    /// A token that is stored in the user entry.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub static_token: Observed<TokenStatement>,
    /// Who the exec entry's token is, as STS answers when asked as the API server would ask.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub exec_caller: Observed<CallerIdentity>,
    /// The way to the API server.
    #[serde(default)]
    pub network: Network,
    /// What the API server says.
    #[serde(default)]
    pub kubernetes: Kubernetes,
    /// Control-plane logs.
    #[serde(default)]
    pub logs: Logs,
    /// Every call that was made, in the order of its end, with its duration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
}

/// The program that wrote a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `eks-doctor`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One call to a service, for timings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// The observation that the call was made for, as a path in this document: `aws.caller`.
    pub observation: String,
    /// The operation, spelled as in [`Failure::operation`].
    pub operation: String,
    /// How long it took.
    pub milliseconds: u64,
}

/// What was asked. Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Name of the kubeconfig context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Name of the EKS cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// AWS region of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// AWS profile that was named on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// IAM ARN of the principal asked about; absent means the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The client that fails, if it is not kubectl on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// What the subject wants to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The error text that the user pasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symptom: Option<String>,
}

/// A client program other than kubectl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Program {
    /// Its name: `terraform`.
    pub name: String,
    /// The folders in which it looks for executables, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_path: Vec<String>,
}

/// A request to the Kubernetes API, in the terms of a SubjectAccessReview.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Action {
    /// `get`, `list`, `create`, `*`, …
    pub verb: String,
    /// API group; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// Plural resource name. Absent for a request to a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Subresource: `log`, `scale`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// Namespace; absent for a cluster-scoped request or for all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the one object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Path of a request that is not for a resource: `/healthz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// The machine on which the client runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// `linux`, `macos`, `windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The variables that matter to AWS, kubectl and proxies; secrets redacted. Absent means that nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<BTreeMap<String, String>>,
    /// Executables by name, looked up on the PATH as kubectl would.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub executables: BTreeMap<String, Observed<Executable>>,
    /// Local clock minus the server's `Date`, in seconds; positive means that the local clock is ahead.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub clock_offset_seconds: Observed<f64>,
}

/// An executable on the PATH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Executable {
    /// Absolute path.
    pub path: String,
    /// What it says of its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Control-plane logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// Lines of the authenticator's log stream.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub authenticator: Observed<Vec<String>>,
}

impl Evidence {
    /// Reads a document from JSON or YAML text; `name` is the file name for errors.
    ///
    /// # Errors
    /// The text is no evidence document of a version that this program knows.
    pub fn from_text(name: &str, text: &str) -> Result<Self, crate::error::InputError> {
        crate::input::parse(name, text)
    }
}
