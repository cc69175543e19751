//! Finds the places in a text where messages stand. The text is read in passages, each cheaply ruled out for nearly all
//! messages; an expression then only sees the line, or a few joined lines, around the literal part of its message.

use std::borrow::Cow;
use std::ops::Range;

use super::catalogue::{Catalogue, Message};
use super::clean::{Readable, Wrapping, clean, cut_width, message_start};
use super::pattern::{Grams, Pattern, same_quotes};
use super::stated::StatedFacts;

/// Bytes that are read at once. A message longer than the overlap of two passages may be missed where they meet.
const PASSAGE: usize = 16 * 1024;
const OVERLAP: usize = 2 * 1024;
/// Bytes before and after a literal in which the rest of its message is looked for, if it is spread over lines.
const BEFORE: usize = 400;
const AFTER: usize = 1000;
/// A line is not examined beyond this.
const LINE: usize = 4 * 1024;
/// Bytes that expressions may examine in one text, together: about a second of work.
const BUDGET: usize = 6 * 1024 * 1024;
/// Places of one literal that are examined in one passage.
const PLACES: usize = 16;
/// The share of a message's literal parts that a line must have to be called like it.
const ALIKE: f64 = 0.6;
/// Matches of one message that are kept.
const MATCHES: usize = 16;

/// A place that was recognised.
pub(crate) struct Match {
    /// None for a statement that many messages share.
    pub(crate) message: Option<&'static Message>,
    /// In the original text.
    pub(crate) range: Range<usize>,
    /// How many letters the pattern has for certain: a measure of how much it says.
    pub(crate) specificity: usize,
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
    let found = vec![0; catalogue.messages.len() + catalogue.statements.len()];
    let mut scanner = Scanner { text, catalogue, matches: Vec::new(), found, budget: BUDGET, nearest: None };
    let mut start = 0;
    while start < text.len() && scanner.budget > 0 {
        let end = passage_end(text, start);
        scanner.passage(start..end);
        start = if end == text.len() { end } else { overlap_start(text, start, end) };
    }
    let nearest = scanner.nearest.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, message)| message);
    Scan { matches: scanner.matches, nearest, is_complete: scanner.budget > 0 }
}

struct Scanner<'t> {
    text: &'t str,
    catalogue: &'static Catalogue,
    matches: Vec<Match>,
    /// How often each message, and after them each statement, was found.
    found: Vec<usize>,
    budget: usize,
    nearest: Option<(f64, &'static Message)>,
}

/// A passage, ready to be searched.
struct Passage<'t> {
    raw: &'t str,
    start: usize,
    readable: Readable,
    /// The same with one kind of quotes; of the same length.
    plain: String,
    /// The same in lower case and with blanks for line feeds.
    lowercase: String,
    grams: Grams,
}

impl<'t> Passage<'t> {
    fn new(text: &'t str, range: Range<usize>, wrapping: Wrapping) -> Self {
        let raw = text.get(range.clone()).unwrap_or_default();
        let readable = clean(raw, wrapping);
        let plain = same_quotes(&readable.text);
        let lowercase = plain.to_ascii_lowercase().replace('\n', " ");
        let grams = Grams::of(&lowercase);
        Self { raw, start: range.start, readable, plain, lowercase, grams }
    }

    /// Where the rest of a message may be whose literal stands at `place`: on its line, else on some lines around it.
    /// What was read before, up to `from`, is not read again.
    fn windows(&self, pattern: &Pattern, place: &Range<usize>, from: usize) -> Vec<Window> {
        let text = self.readable.text.as_str();
        let line = line_around(text, place);
        if pattern.is_whole_line() {
            let quoted = quoted_around(text, place).filter(|_| !pattern.is_short());
            let ranges = [Some(bare_line(text, line.clone())), Some(line), quoted];
            return ranges.into_iter().flatten().map(|range| Window { range, is_joined: false }).collect();
        }
        let around = boundaries(text, place.start.saturating_sub(BEFORE).max(from)..place.end + AFTER);
        let line = line.start.max(from)..line.end;
        vec![Window { range: line, is_joined: false }, Window { range: around, is_joined: true }]
    }

    /// Looks for the message in a window; answers where it ends there, its place in the original, its words and facts.
    fn examine(&self, pattern: &Pattern, window: &Window) -> Option<(usize, Range<usize>, String, StatedFacts)> {
        let words = window.read(&self.plain)?;
        let original = window.read(&self.readable.text)?;
        let regex = pattern.regex()?;
        let captures = regex.captures(&words)?;
        let whole = captures.get(0)?.range();
        let mut stated = StatedFacts::default();
        for name in regex.capture_names().flatten() {
            if let Some(value) = captures.name(name).and_then(|found| original.get(found.range())) {
                stated.state(name, value);
            }
        }
        let excerpt = original.get(whole.clone())?.to_owned();
        let (start, end) = (window.range.start + whole.start, window.range.start + whole.end);
        let last = self.readable.origin(end.saturating_sub(1));
        let last_length = self.raw.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let range = self.start + self.readable.origin(start)..self.start + last + last_length;
        Some((end, range, excerpt, stated))
    }
}

/// A part of a readable text that an expression is to see; with blanks for line feeds, if it is joined.
struct Window {
    range: Range<usize>,
    is_joined: bool,
}

impl Window {
    fn read<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        let words = text.get(self.range.clone())?;
        Some(if self.is_joined { Cow::Owned(words.replace('\n', " ")) } else { Cow::Borrowed(words) })
    }
}

impl Scanner<'_> {
    fn passage(&mut self, range: Range<usize>) {
        let is_whole = range == (0..self.text.len());
        let passage = Passage::new(self.text, range.clone(), Wrapping::Lines);
        let mut is_found = self.search(&passage, is_whole);
        if let Some(width) = cut_width(passage.raw) {
            is_found |= self.search(&Passage::new(self.text, range, Wrapping::Cut(width)), false);
        }
        if !is_found {
            self.compare(&passage);
        }
    }

    /// Searches for all messages and, if there is one, for the statements; answers whether there is one.
    fn search(&mut self, passage: &Passage<'_>, with_short: bool) -> bool {
        let before = self.matches.len();
        let catalogue = self.catalogue;
        for (slot, message) in catalogue.messages.iter().enumerate() {
            for pattern in message.patterns.iter().filter(|pattern| pattern.may_match(&passage.grams)) {
                if with_short || !pattern.is_short() {
                    self.find(passage, pattern, Some(message), slot);
                }
            }
        }
        let is_found = self.matches.len() > before;
        if is_found {
            for (slot, statement) in catalogue.statements.iter().enumerate() {
                if statement.may_match(&passage.grams) {
                    self.find(passage, statement, None, catalogue.messages.len() + slot);
                }
            }
        }
        is_found
    }

    fn find(&mut self, passage: &Passage<'_>, pattern: &Pattern, message: Option<&'static Message>, slot: usize) {
        if !pattern.is_conceivable(&passage.lowercase) {
            return;
        }
        for anchor in pattern.anchors() {
            let mut from = 0;
            for _ in 0..PLACES {
                let Some(count) = self.found.get_mut(slot).filter(|count| **count < MATCHES) else { return };
                let found = passage.lowercase.get(from..).and_then(|rest| rest.find(anchor));
                let Some(start) = found.map(|found| from + found) else { break };
                let place = start..start + anchor.len();
                let seen = passage.windows(pattern, &place, from).into_iter().find_map(|window| {
                    // Looking for the literals is much quicker than the expression, and nearly always decides.
                    self.budget = self.budget.saturating_sub(window.range.len() / 256 + 1);
                    if self.budget == 0 || !pattern.is_conceivable(passage.lowercase.get(window.range.clone())?) {
                        return None;
                    }
                    self.budget = self.budget.saturating_sub(window.range.len());
                    passage.examine(pattern, &window)
                });
                from = place.end;
                if let Some((end, range, excerpt, stated)) = seen {
                    *count += 1;
                    from = from.max(end);
                    let specificity = pattern.literal_length();
                    self.matches.push(Match { message, range, specificity, excerpt, stated });
                }
            }
        }
    }

    /// Remembers the message that is most like one of the lines.
    fn compare(&mut self, passage: &Passage<'_>) {
        if passage.start > 0 {
            return;
        }
        for line in passage.plain.lines().take(64) {
            let start = line.get(..line.floor_char_boundary(1000)).unwrap_or_default();
            let grams = Grams::of(&start.to_ascii_lowercase());
            for message in &self.catalogue.messages {
                let likeness = message.patterns.iter().map(|pattern| pattern.likeness(&grams)).fold(0.0, f64::max);
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

/// A line without what a log writes before its message and without quotes around it.
fn bare_line(text: &str, line: Range<usize>) -> Range<usize> {
    let words = text.get(line.clone()).unwrap_or_default();
    let message = words.get(message_start(words)..).unwrap_or_default().trim_start_matches(['"', '\'', '`', ' ']);
    let bare = message.trim_end_matches(['"', '\'', '`', '}', ']', ',', ' ']);
    let start = line.end - message.len();
    start..start + bare.len()
}

/// The string, as of JSON, in which `place` stands.
fn quoted_around(text: &str, place: &Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..place.start)?.rfind('"')? + 1;
    let end = place.start + text.get(place.start..)?.find('"')?;
    Some(start..end)
}

fn boundaries(text: &str, range: Range<usize>) -> Range<usize> {
    boundary_before(text, range.start)..boundary_before(text, range.end)
}

fn boundary_before(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}
