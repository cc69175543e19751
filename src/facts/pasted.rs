//! The error text that the user pasted, read once for all rooms.

use super::action::{Forbidden, parse_forbidden};
use crate::{
    evidence::Evidence,
    symptom::{self, Recognition, SymptomClass},
};

/// The pasted text and what it says.
pub(crate) struct Pasted<'a> {
    /// The text.
    pub(crate) text: Option<&'a str>,
    /// What is recognised in it.
    pub(crate) recognition: Option<Recognition<'a>>,
    /// The refusal of an authorizer in it.
    pub(crate) refusal: Option<Forbidden>,
}

impl<'a> Pasted<'a> {
    /// Reads the text.
    pub(crate) fn of(evidence: &'a Evidence) -> Self {
        let text = evidence.target.symptom.as_deref();
        Self { text, recognition: text.map(symptom::recognise), refusal: text.and_then(parse_forbidden) }
    }

    /// The symptom classes that it shows.
    pub(crate) fn classes(&self) -> &[SymptomClass] {
        self.recognition.as_ref().map(|recognition| recognition.classes.as_slice()).unwrap_or_default()
    }

    /// Whether it shows this class.
    pub(crate) fn shows(&self, class: SymptomClass) -> bool {
        self.classes().contains(&class)
    }

    /// Whether it states this cause by itself.
    pub(crate) fn states(&self, cause: &str) -> bool {
        let proved = self.recognition.as_ref().and_then(|recognition| recognition.proves);
        proved.is_some_and(|(proved, _)| proved == cause)
    }

    /// Whether it holds these words.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.text.is_some_and(|text| text.contains(words))
    }
}
