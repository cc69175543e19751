//! Finds the places in a text where messages stand. The text is read in passages, each cheaply ruled out for nearly all
//! messages; an expression then only sees the line, or a few joined lines, around the literal part of its message.

use std::ops::Range;

use super::catalogue::{Catalogue, Message};
use super::clean::{Readable, Wrapping, clean, message_start};
use super::pattern::{Grams, Pattern};
use super::stated::StatedFacts;

/// Bytes that are read at once. A message longer than the overlap of two passages may be missed where they meet.
const PASSAGE: usize = 16 * 1024;
const OVERLAP: usize = 2 * 1024;
/// Bytes before and after a literal in which the rest of its message is looked for, if it is spread over lines.
const BEFORE: usize = 400;
const AFTER: usize = 1000;
/// A line is not examined beyond this.
const LINE: usize = 4 * 1024;
/// Bytes that expressions may examine in one text, together: some seconds' work at worst.
const BUDGET: usize = 16 * 1024 * 1024;
/// Places of one literal that are examined in one passage.
const PLACES: usize = 16;
/// Matches that are kept.
const MATCHES: usize = 512;

/// A place that was recognised.
pub(crate) struct Match {
    /// None for a statement that many messages share.
    pub(crate) message: Option<&'static Message>,
    /// In the original text.
    pub(crate) range: Range<usize>,
    /// The words as they were read.
    pub(crate) excerpt: String,
    pub(crate) stated: StatedFacts,
}

/// What was found in a text.
pub(crate) struct Scan {
    pub(crate) matches: Vec<Match>,
    pub(crate) nearest: Option<&'static Message>,
    pub(crate) is_complete: bool,
}

pub(crate) fn scan(text: &str, catalogue: &'static Catalogue) -> Scan {
    let mut scanner = Scanner { text, catalogue, matches: Vec::new(), budget: BUDGET, nearest: None };
    let mut start = 0;
    while start < text.len() {
        let end = passage_end(text, start);
        scanner.passage(start..end);
        if end == text.len() || scanner.budget == 0 {
            break;
        }
        start = overlap_start(text, start, end);
    }
    let nearest = scanner.nearest.filter(|(likeness, _)| *likeness >= 0.5).map(|(_, message)| message);
    Scan { matches: scanner.matches, nearest, is_complete: scanner.budget > 0 }
}

struct Scanner<'t> {
    text: &'t str,
    catalogue: &'static Catalogue,
    matches: Vec<Match>,
    budget: usize,
    nearest: Option<(f64, &'static Message)>,
}

/// A passage, ready to be searched.
struct Passage<'t> {
    raw: &'t str,
    start: usize,
    readable: Readable,
    /// In lower case and with blanks for line feeds; of the same length.
    lowercase: String,
    grams: Grams,
}

impl<'t> Passage<'t> {
    fn new(text: &'t str, range: Range<usize>, wrapping: Wrapping) -> Self {
        let raw = text.get(range.clone()).unwrap_or_default();
        let readable = clean(raw, wrapping);
        let lowercase = readable.text.to_ascii_lowercase().replace('\n', " ");
        let grams = Grams::of(&lowercase);
        Self { raw, start: range.start, readable, lowercase, grams }
    }
}

impl Scanner<'_> {
    fn passage(&mut self, range: Range<usize>) {
        let is_whole = range == (0..self.text.len());
        let passage = Passage::new(self.text, range.clone(), Wrapping::Lines);
        if self.search(&passage, is_whole) {
            return;
        }
        // Nothing: perhaps because the lines were cut in the middle of words.
        if passage.readable.text.contains('\n') {
            self.search(&Passage::new(self.text, range, Wrapping::Cut), false);
        }
        if self.matches.is_empty() {
            self.compare(&passage);
        }
    }

    /// Searches for all messages and, if there is one, for the statements; answers whether there is one.
    fn search(&mut self, passage: &Passage<'_>, with_short: bool) -> bool {
        let before = self.matches.len();
        let catalogue = self.catalogue;
        for message in &catalogue.messages {
            if !message.pattern.is_short() || with_short {
                self.find(passage, &message.pattern, Some(message));
            }
        }
        let is_found = self.matches.len() > before;
        if is_found {
            for statement in &catalogue.statements {
                self.find(passage, &statement.pattern, None);
            }
        }
        is_found
    }

    fn find(&mut self, passage: &Passage<'_>, pattern: &Pattern, message: Option<&'static Message>) {
        if !pattern.may_match(&passage.grams) {
            return;
        }
        let anchor = pattern.anchor();
        let mut from = 0;
        for _ in 0..PLACES {
            let Some(place) =
                passage.lowercase.get(from..).and_then(|rest| rest.find(anchor)).map(|found| from + found)
            else {
                return;
            };
            let end = self.examine(passage, pattern, message, place..place + anchor.len());
            from = end.max(place + anchor.len());
        }
    }

    /// Looks closely at the surroundings of a literal; answers where the search goes on.
    fn examine(
        &mut self,
        passage: &Passage<'_>,
        pattern: &Pattern,
        message: Option<&'static Message>,
        place: Range<usize>,
    ) -> usize {
        let text = passage.readable.text.as_str();
        let line = line_around(text, &place);
        let mut windows = vec![(line.clone(), false)];
        if pattern.is_whole_line() {
            windows.insert(0, (bare_line(text, line), false));
        } else {
            windows.push((boundaries(text, place.start.saturating_sub(BEFORE)..place.end + AFTER), true));
        }
        for (window, is_joined) in windows {
            if self.budget < window.len() || self.matches.len() >= MATCHES {
                self.budget = 0;
                return text.len();
            }
            self.budget -= window.len();
            let words = text.get(window.clone()).unwrap_or_default();
            let joined = if is_joined { words.replace('\n', " ") } else { String::new() };
            let words = if is_joined { joined.as_str() } else { words };
            let Some((regex, captures)) =
                pattern.regex().and_then(|regex| regex.captures(words).map(|found| (regex, found)))
            else {
                continue;
            };
            let Some(whole) = captures.get(0) else { continue };
            let mut stated = StatedFacts::default();
            for name in regex.capture_names().flatten() {
                if let Some(value) = captures.name(name) {
                    stated.state(name, value.as_str());
                }
            }
            let found = window.start + whole.start()..window.start + whole.end();
            let start = passage.start + passage.readable.origin(found.start);
            let end = passage.start + self.end_in_original(passage, found.end);
            self.matches.push(Match { message, range: start..end, excerpt: whole.as_str().to_owned(), stated });
            return found.end;
        }
        place.end
    }

    /// The end in the original of the words that end before `end`.
    fn end_in_original(&self, passage: &Passage<'_>, end: usize) -> usize {
        let last = passage.readable.origin(end.saturating_sub(1));
        last + passage.raw.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
    }

    /// Remembers the message that is most like one of the lines.
    fn compare(&mut self, passage: &Passage<'_>) {
        if passage.start > 0 {
            return;
        }
        for line in passage.readable.text.lines().take(64) {
            let grams = Grams::of(&line.to_ascii_lowercase());
            for message in &self.catalogue.messages {
                let likeness = message.pattern.likeness(&grams);
                if self.nearest.is_none_or(|(best, _)| likeness > best) {
                    self.nearest = Some((likeness, message));
                }
            }
        }
    }
}

/// The end of the passage that begins at `start`: after a line, if there is one in its second half.
fn passage_end(text: &str, start: usize) -> usize {
    if text.len() - start <= PASSAGE {
        return text.len();
    }
    let end = boundary_before(text, start + PASSAGE);
    let half = boundary_before(text, start + PASSAGE / 2);
    text.get(half..end).and_then(|second| second.rfind('\n')).map_or(end, |found| half + found + 1)
}

/// Where the next passage begins: a little before the end of the last one, at a line if possible, and always further on.
fn overlap_start(text: &str, start: usize, end: usize) -> usize {
    let earliest = boundary_before(text, end - OVERLAP.min((end - start) / 2));
    text.get(earliest..end)
        .and_then(|tail| tail.find('\n'))
        .map_or(earliest, |found| earliest + found + 1)
        .max(start + 1)
}

/// The line that holds `place`, cut around it if it is very long. A place that spans lines belongs to the first.
fn line_around(text: &str, place: &Range<usize>) -> Range<usize> {
    let start = text.get(..place.start).and_then(|head| head.rfind('\n')).map_or(0, |found| found + 1);
    let end = text.get(place.start..).and_then(|tail| tail.find('\n')).map_or(text.len(), |found| place.start + found);
    boundaries(text, start.max(place.start.saturating_sub(LINE / 2))..end.min(place.start + LINE / 2))
}

/// A line without what a log writes before its message and without closing quotes.
fn bare_line(text: &str, line: Range<usize>) -> Range<usize> {
    let words = text.get(line.clone()).unwrap_or_default();
    let start = line.start + message_start(words);
    let bare = words.trim_end_matches(['"', '\'', '`', '}', ']', ',', ' ']);
    start.min(line.end)..(line.start + bare.len()).max(start.min(line.end))
}

fn boundaries(text: &str, range: Range<usize>) -> Range<usize> {
    boundary_before(text, range.start)..boundary_before(text, range.end)
}

fn boundary_before(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}
