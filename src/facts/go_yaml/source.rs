//! The text before the events: what yaml.v2 refuses or skips there, and what has to change for the YAML 1.2 parser.

use std::borrow::Cow;
use std::ops::Range;

use super::{Place, YamlError, directive};

/// A change that means nothing to yaml.v2, and that lets the YAML 1.2 parser read what yaml.v2 reads.
pub(super) struct Repair {
    /// The bytes that go.
    pub(super) range: Range<usize>,
    /// What takes their place.
    pub(super) by: String,
}

impl Repair {
    /// Blanks before a byte.
    pub(super) fn blanks(at: usize, count: usize) -> Self {
        Self { range: at..at, by: " ".repeat(count) }
    }

    /// Blanks before the line of a byte, unless that would hide a document marker.
    pub(super) fn indent(text: &str, at: usize) -> Option<Self> {
        let before = text.get(..at)?;
        let start = before.rfind(['\n', '\r']).map_or(0, |line_break| line_break + 1);
        let line = text.get(start..)?;
        (!line.starts_with("---") && !line.starts_with("...")).then(|| Self::blanks(start, 40))
    }

    /// The end of the text from a byte on, which comes after the end of the first document.
    pub(super) fn cut(text: &str, at: usize) -> Self {
        Self { range: at..text.len(), by: String::new() }
    }

    /// An indicator as a part of a tag.
    pub(super) fn encode(text: &str, at: usize) -> Option<Self> {
        let indicator =
            text.get(at..)?.chars().next().filter(|indicator| matches!(indicator, ',' | '[' | ']' | '!'))?;
        Some(Self { range: at..at + 1, by: format!("%{:02X}", u32::from(indicator)) })
    }

    /// The changed text.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        Some([text.get(..self.range.start)?, &self.by, text.get(self.range.end..)?].concat())
    }
}

/// What yaml.v2 refuses before it comes to the first node: control characters anywhere, directives that it does not
/// know, and the end of a document that has not begun.
pub(super) fn refuse_outright(text: &str) -> Result<(), YamlError> {
    let refuse = |place, message: &str| Err(YamlError { place: Some(place), message: message.to_owned() });
    if let Some(place) = control_character(text) {
        return refuse(place, "control characters are not allowed");
    }
    for (index, line) in text.lines().enumerate() {
        let place = Place { line: index + 1, column: 1 };
        let content = line.trim_matches([' ', '\t']);
        if let Some(directive) = line.strip_prefix('%') {
            if let Some(message) = directive::fault(directive) {
                return refuse(place, message);
            }
        } else if content.starts_with('%') {
            return refuse(place, "found character that cannot start any token");
        } else if line.starts_with("...") && matches!(content.get(3..4), None | Some(" " | "\t")) {
            return refuse(place, "did not find expected node content");
        } else if !content.is_empty() && !content.starts_with('#') {
            break;
        }
    }
    Ok(())
}

fn control_character(text: &str) -> Option<Place> {
    let forbidden = |character: char| match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        _ => character.is_control(),
    };
    let (before, _) = text.split_at(text.find(forbidden)?);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some(Place { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count() })
}

/// What the YAML 1.2 parser is given for a separator. No other line break keeps its carriage return.
const SEPARATOR: &str = "\r\n";

/// Characters that the text does not have. They stand for characters that the YAML 1.2 parser would misread.
#[derive(Clone, Copy)]
pub(super) struct StandIns {
    byte_order_mark: char,
    /// For a colon that belongs to a plain text.
    pub(super) colon: char,
    /// Before a line break that is meant to be the separator.
    separator_mark: char,
    /// U+2028 or U+2029, whichever the text has: a line break that stays in a text.
    separator: Option<char>,
}

impl StandIns {
    pub(super) fn of(text: &str) -> Self {
        let is_unused = |candidate: &char| text.is_ascii() || !text.contains(*candidate);
        let mut unused = ('\u{e000}'..='\u{f8ff}').filter(is_unused);
        let mut next = || unused.next().unwrap_or('\u{f8ff}');
        let separator = text.matches(['\u{2028}', '\u{2029}']).next().and_then(|separator| separator.chars().next());
        Self { byte_order_mark: next(), colon: next(), separator_mark: next(), separator }
    }

    /// A quoted or plain text whose separators are line breaks, with their marks.
    pub(super) fn mark_separators(self, written: &str) -> Option<String> {
        let found = self.separator.is_some() && written.contains(SEPARATOR);
        found.then(|| written.replace(SEPARATOR, &format!("{}\n", self.separator_mark)))
    }

    /// The text that was read with marks: a separator takes the place of the blanks around it.
    pub(super) fn restore_separators(self, text: &str) -> String {
        let mut lines = text.split(self.separator_mark);
        let mut restored = lines.next().unwrap_or_default().to_owned();
        for line in lines {
            restored.truncate(restored.trim_end_matches([' ', '\t']).len());
            restored.extend(self.separator);
            restored.push_str(line.strip_prefix(' ').unwrap_or(line));
        }
        restored
    }

    /// A text with the characters that were meant.
    pub(super) fn restore(self, text: Cow<'_, str>) -> String {
        if text.is_ascii() {
            return text.into_owned();
        }
        text.replace(self.byte_order_mark, "\u{feff}").replace(self.colon, ":")
    }

    /// The text for the YAML 1.2 parser: stand-ins for byte-order marks, and line feeds for carriage returns and for the
    /// line breaks that only YAML 1.1 has; the separator keeps a carriage return. At the beginning of the text, one
    /// byte-order mark is nothing, another one is a blank.
    pub(super) fn prepare(self, text: &str) -> Cow<'_, str> {
        const BYTE_ORDER_MARK: char = '\u{feff}';
        const ODD_BREAKS: [char; 4] = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
        let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if !body.contains(BYTE_ORDER_MARK) && !body.contains(ODD_BREAKS) {
            return Cow::Borrowed(body);
        }
        let mut lines = String::with_capacity(body.len());
        for character in body.replace("\r\n", "\n").chars() {
            match character {
                _ if self.separator == Some(character) => lines.push_str(SEPARATOR),
                _ if ODD_BREAKS.contains(&character) => lines.push('\n'),
                _ => lines.push(character),
            }
        }
        let stand_in = self.byte_order_mark.to_string();
        Cow::Owned(match lines.strip_prefix(BYTE_ORDER_MARK) {
            Some(behind) => format!(" {}", behind.replace(BYTE_ORDER_MARK, &stand_in)),
            None => lines.replace(BYTE_ORDER_MARK, &stand_in),
        })
    }
}
