//! The pasted error text, read once for the rooms that draw on it: which cause it states by itself, and what it names.
//! It may be old or of another client, so it never outweighs what was looked up here.

use super::action::{Forbidden, parse_forbidden};
use crate::{
    evidence::Evidence,
    symptom::{
        self, StatedFacts, SymptomClass,
        wording::{self, Wording},
    },
};

/// Where the text stands in the evidence.
pub(crate) const OBSERVATION: &str = "target.symptom";

/// What a pasted text says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pasted {
    /// The text.
    pub(crate) text: String,
    /// The cause that it states by itself.
    pub(crate) proves: Option<&'static str>,
    /// The causes that may be behind it, with their weights.
    pub(crate) causes: Vec<(&'static str, f64)>,
    /// The symptoms that it shows; empty if nothing was recognised.
    pub(crate) classes: Vec<SymptomClass>,
    /// The symptoms that its words hint at, where it holds no known message.
    pub(crate) hinted: Vec<SymptomClass>,
    /// The programs that write such messages.
    pub(crate) clients: Vec<&'static str>,
    /// What it names.
    pub(crate) stated: StatedFacts,
    /// The refusal of an authorizer in it.
    pub(crate) refusal: Option<Forbidden>,
}

impl Pasted {
    /// Reads the text of the evidence, if there is one.
    pub(crate) fn read(evidence: &Evidence) -> Self {
        evidence.target.symptom.as_deref().map(Self::of_text).unwrap_or_default()
    }

    fn of_text(text: &str) -> Self {
        let recognition = symptom::recognise(text);
        let wording = if recognition.messages.is_empty() { wording::read(text) } else { Wording::default() };
        let classes = match wording.status {
            Some(_) => wording.hinted.clone(),
            None => recognition.classes,
        };
        Self {
            text: text.to_owned(),
            proves: recognition.proves.map(|(cause, _)| cause),
            causes: recognition.causes,
            clients: recognition.messages.iter().map(|one| one.message.client).collect(),
            classes,
            hinted: wording.hinted,
            stated: recognition.stated,
            refusal: parse_forbidden(text),
        }
    }

    /// Whether the text states this cause by itself.
    pub(crate) fn proves(&self, cause: &str) -> bool {
        self.proves == Some(cause)
    }

    /// Whether this cause may be behind the text.
    pub(crate) fn may_be(&self, cause: &str) -> bool {
        self.causes.iter().any(|(known, _)| *known == cause)
    }

    /// Whether it shows this symptom.
    pub(crate) fn shows(&self, class: SymptomClass) -> bool {
        self.classes.contains(&class)
    }

    /// Whether it holds these words.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// Whether a client of this name, or one of its relatives, wrote the text.
    pub(crate) fn is_from(&self, client: &str) -> bool {
        self.clients.iter().any(|known| known.contains(client))
    }
}
