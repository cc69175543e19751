//! Error texts: which messages a text contains, what they mean, what may be behind them, and what they state for certain.
//!
//! Pure: a text goes in, a [`Recognition`] comes out, whatever the text is. A text of any length is read to its end in
//! passages; a passage is looked at closely only where a known message may be.

mod catalogue;
mod clean;
mod combine;
mod pattern;
mod scan;
mod stated;
pub(crate) mod wording;

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use catalogue::{CauseId, Message, Precision, messages};
pub use stated::StatedFacts;

/// What is seen from outside. A cause that does not produce the symptom cannot be behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SymptomClass {
    /// The API server answered 401.
    Unauthorized,
    /// The API server answered 403 to a user that it knows.
    Forbidden,
    /// The API server answered 403 to `system:anonymous`.
    Anonymous,
    /// The client could not get credentials from its exec plugin.
    Exec,
    /// A call to AWS failed before Kubernetes was asked.
    Aws,
    /// The client cannot use its configuration.
    Configuration,
    /// Time-out, no such host, connection refused, or somebody else answered.
    Network,
    /// The certificate was not accepted.
    Tls,
    /// The EKS console shows no Kubernetes objects.
    Console,
    /// A node does not join.
    Node,
    /// It works, or what failed is not access.
    Works,
}

impl SymptomClass {
    /// All classes with their names in files.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Unauthorized, "unauthorized"),
        (Self::Forbidden, "forbidden"),
        (Self::Anonymous, "anonymous"),
        (Self::Exec, "exec"),
        (Self::Aws, "aws"),
        (Self::Configuration, "configuration"),
        (Self::Network, "network"),
        (Self::Tls, "tls"),
        (Self::Console, "console"),
        (Self::Node, "node"),
        (Self::Works, "works"),
    ];

    /// The name in files, such as `unauthorized`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for SymptomClass {
    type Err = String;

    /// Reads the name in files; an unknown name is an error that lists the known ones.
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(class, _)| *class).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("unknown symptom class {name}; known are {}", known.join(", "))
        })
    }
}

/// A message of the catalogue that the text contains.
pub struct Recognised<'t> {
    /// The message.
    pub message: &'static Message,
    /// The words that were recognised, without colours and escapes.
    pub excerpt: Cow<'t, str>,
    /// Where they stand in the text, in bytes.
    pub range: Range<usize>,
    /// The line on which they begin, from 1.
    pub line: usize,
    /// What these words state.
    pub stated: StatedFacts,
    /// Whether the same words are recognised as a message that says more; this one then counts for nothing.
    pub is_subsumed: bool,
    pub(crate) specificity: usize,
}

/// What a text says.
pub struct Recognition<'t> {
    /// The messages, those that say most first: precise ones in the order of the text, then broad and general ones, then
    /// those whose words already belong to another.
    pub messages: Vec<Recognised<'t>>,
    /// The causes that may be behind all of them, most likely first; the weights add up to 1.
    pub causes: Vec<(CauseId, f64)>,
    /// A cause that the text states by itself, and the message that does.
    pub proves: Option<(CauseId, &'static Message)>,
    /// The symptoms that the text shows. Empty if nothing was recognised: then nothing is ruled out.
    pub classes: Vec<SymptomClass>,
    /// What the whole text states.
    pub stated: StatedFacts,
    /// If no message was recognised: the one that is most like the text, if any is.
    pub nearest: Option<&'static Message>,
    /// Whether the whole text was looked at. A text that is full of fragments of messages is given up after a while.
    pub is_complete: bool,
}

impl Recognition<'_> {
    /// Whether a cause that produces the symptoms `produces` can be behind the text: it shows one of them, or a message
    /// of the text names the cause, or nothing was recognised.
    pub fn allows(&self, cause: &str, produces: &[SymptomClass]) -> bool {
        self.messages.is_empty()
            || self.classes.iter().any(|class| produces.contains(class))
            || self.causes.iter().any(|(named, _)| *named == cause)
    }
}

/// Finds all known messages in `text`.
pub fn recognise(text: &str) -> Recognition<'_> {
    combine::combine(text, scan::scan(text, catalogue::catalogue()))
}
