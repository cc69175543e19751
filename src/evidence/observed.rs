//! What looking for a thing outside the process can come to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of one look outside the process. "Could not look" is never "nothing there".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Observed<T> {
    /// Looked, and this is it.
    Found(T),
    /// Looked, and it is certainly not there.
    Absent(Absent),
    /// Refused for lack of permission or identity.
    Denied(Failure),
    /// Could not be answered: time-out, throttling, DNS, TLS, malformed answer.
    Failed(Failure),
    /// Not looked at, and why. Leaving the key out means the same without a reason.
    NotTried(Option<String>),
}

/// Where something was looked for in vain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// Paths, or `account/region`, that were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked: Vec<String>,
}

/// Why a look got no answer. Texts are kept as the service sent them, without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// `service:Operation` for AWS, method and path for Kubernetes, else what was done (`exec aws …`, `dns:lookup`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The service's error code or the operating system's: `AccessDeniedException`, `ENOENT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The service's words.
    pub message: String,
    /// The service's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl<T> Default for Observed<T> {
    fn default() -> Self {
        Self::NotTried(None)
    }
}

impl<T> Observed<T> {
    /// An absence without a place.
    pub fn absent() -> Self {
        Self::Absent(Absent::default())
    }

    /// Not looked at, for this reason.
    pub fn not_tried(reason: impl Into<String>) -> Self {
        Self::NotTried(Some(reason.into()))
    }

    /// The value, if it was found.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) => Some(value),
            _ => None,
        }
    }

    /// The failure, if the look was refused or could not be answered.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Denied(failure) | Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether somebody looked and got an answer, be it "not there".
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Found(_) | Self::Absent(_))
    }

    /// Whether the key would be left out when the document is written.
    pub fn is_unmentioned(&self) -> bool {
        matches!(self, Self::NotTried(None))
    }
}

impl Failure {
    /// The failure in a few words: `403 AccessDeniedException: User: … is not authorized`.
    pub fn summary(&self) -> String {
        let head = [self.status.map(|status| status.to_string()), self.code.clone()];
        let head = head.into_iter().flatten().collect::<Vec<_>>().join(" ");
        match (head.is_empty(), self.message.is_empty()) {
            (true, _) => self.message.clone(),
            (false, true) => head,
            (false, false) => format!("{head}: {}", self.message),
        }
    }
}
