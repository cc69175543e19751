//! What looking for a thing outside the process can come to.

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The outcome of one look outside the process. "Could not look" is never "nothing there".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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

/// The one key of an observation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", variant_identifier)]
enum Form {
    Found,
    Absent,
    Denied,
    Failed,
    NotTried,
}

const ONE_FORM: &str =
    "an observation is an object with exactly one of the keys found, absent, denied, failed, notTried";

/// Derived reading would end in "expected value" where an observation has two keys; this says what is wrong.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Observed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Observed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ONE_FORM)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let Some(form) = map.next_key()? else { return Err(de::Error::custom(ONE_FORM)) };
                let observed = match form {
                    Form::Found => Observed::Found(map.next_value()?),
                    Form::Absent => Observed::Absent(map.next_value()?),
                    Form::Denied => Observed::Denied(map.next_value()?),
                    Form::Failed => Observed::Failed(map.next_value()?),
                    Form::NotTried => Observed::NotTried(map.next_value()?),
                };
                match map.next_key::<de::IgnoredAny>()? {
                    None => Ok(observed),
                    Some(_) => Err(de::Error::custom(ONE_FORM)),
                }
            }
        }

        deserializer.deserialize_map(Visitor(PhantomData))
    }
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
