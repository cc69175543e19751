//! One pattern of an error message: a regular expression that is compiled only when the text has the literal parts of it.
//! The literal parts are read from the expression itself, so they cannot fall out of step with it.
//!
//! Letter case and kinds of quotes say nothing: clients, loggers and people change them.

use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::Regex;

/// The number of bits of a [`Grams`] set.
const BITS: usize = 1 << 15;
/// Bytes of a gram. A literal shorter than this cannot rule a text out.
const GRAM: usize = 4;
/// Fewer grams than this are found together in any text.
const FEW: u32 = 16;

/// A regular expression with the literal texts that its matches contain.
pub(crate) struct Pattern {
    source: &'static str,
    parts: Vec<Part>,
    /// A gram of each match, if one is certain: rules most texts out at once.
    gram: Option<u16>,
    anchors: OnceLock<Vec<String>>,
    compiled: OnceLock<Option<Regex>>,
}

/// What a match contains for certain.
enum Part {
    /// A piece of the expression, to be read without its backslashes and without regard to case.
    Literal(&'static str),
    Choice(Vec<Vec<Part>>),
}

impl Pattern {
    pub(crate) fn new(source: &'static str) -> Self {
        let parts = certain(Reader { body: source, at: 0 }.alternatives());
        let gram = parts.iter().rev().find_map(|part| match part {
            Part::Literal(text) => grams(letters(text)).last(),
            Part::Choice(_) => None,
        });
        Self { source, parts, gram, anchors: OnceLock::new(), compiled: OnceLock::new() }
    }

    /// The expression, for a text whose quotes are all alike ([`same_quotes`]); none if it is not one, which a test
    /// rules out.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&format!("(?i){}", same_quotes(self.source))).ok()).as_ref()
    }

    /// How many letters each match has for certain: a measure of how much the pattern says.
    pub(crate) fn literal_length(&self) -> usize {
        literal_length(&self.parts)
    }

    /// Texts in lower case one of which is in each match: where one stands, a match may stand.
    pub(crate) fn anchors(&self) -> &[String] {
        self.anchors.get_or_init(|| anchors(&self.parts))
    }

    /// Whether the pattern only matches whole lines.
    pub(crate) fn is_whole_line(&self) -> bool {
        self.source.starts_with('^') || self.source.ends_with('$')
    }

    /// Whether the pattern is too short for [`Grams`] to say anything about it.
    pub(crate) fn is_short(&self) -> bool {
        shortest_anchor(&self.parts) < GRAM
    }

    /// Whether a text with these grams may match.
    pub(crate) fn may_match(&self, text: &Grams) -> bool {
        self.gram.is_none_or(|gram| text.has(gram)) && may_match(&self.parts, text)
    }

    /// Whether a text in lower case, with blanks for line feeds and one kind of quotes, has all that a match has for certain.
    pub(crate) fn is_conceivable(&self, lowercase: &str) -> bool {
        is_conceivable(&self.parts, lowercase)
    }

    /// The share of the pattern's grams that the text has, from 0 to 1; 0 if the pattern has too few to compare.
    pub(crate) fn likeness(&self, text: &Grams) -> f64 {
        let (shared, total) = likeness(&self.parts, text);
        if total < FEW { 0.0 } else { f64::from(shared) / f64::from(total) }
    }
}

fn letters(literal: &str) -> impl Iterator<Item = u8> {
    literal.bytes().filter(|byte| *byte != b'\\').map(|byte| match byte {
        b'\'' | b'`' => b'"',
        other => other.to_ascii_lowercase(),
    })
}

/// A text of the same length in which all straight quotes are double ones.
pub(crate) fn same_quotes(text: &str) -> String {
    text.replace(['\'', '`'], "\"")
}

fn lower(literal: &str) -> String {
    letters(literal).map(char::from).collect()
}

fn literal_length(parts: &[Part]) -> usize {
    let length = |part: &Part| match part {
        Part::Literal(text) => letters(text).count(),
        Part::Choice(alternatives) => alternatives.iter().map(|parts| literal_length(parts)).min().unwrap_or_default(),
    };
    parts.iter().map(length).sum()
}

/// The length of the shortest text of the part that is best to look for: the one where that is greatest.
fn shortest_anchor(parts: &[Part]) -> usize {
    parts.iter().map(shortest_text).max().unwrap_or_default()
}

fn shortest_text(part: &Part) -> usize {
    match part {
        Part::Literal(text) => letters(text).count(),
        Part::Choice(alternatives) => alternatives.iter().map(|parts| shortest_anchor(parts)).min().unwrap_or_default(),
    }
}

/// The texts of the part that is best to look for.
fn anchors(parts: &[Part]) -> Vec<String> {
    match parts.iter().max_by_key(|part| (shortest_text(part), matches!(part, Part::Literal(_)))) {
        Some(Part::Literal(text)) => vec![lower(text)],
        Some(Part::Choice(alternatives)) => alternatives.iter().flat_map(|parts| anchors(parts)).collect(),
        None => Vec::new(),
    }
}

fn may_match(parts: &[Part], text: &Grams) -> bool {
    parts.iter().all(|part| match part {
        Part::Literal(literal) => grams(letters(literal)).all(|gram| text.has(gram)),
        Part::Choice(alternatives) => alternatives.iter().any(|parts| may_match(parts, text)),
    })
}

fn is_conceivable(parts: &[Part], lowercase: &str) -> bool {
    parts.iter().all(|part| match part {
        Part::Literal(literal) => lowercase.contains(lower(literal).as_str()),
        Part::Choice(alternatives) => alternatives.iter().any(|parts| is_conceivable(parts, lowercase)),
    })
}

/// How many of the grams the text has, and how many there are; of a choice, the alternative that it has most of.
fn likeness(parts: &[Part], text: &Grams) -> (u32, u32) {
    let counts = parts.iter().map(|part| match part {
        Part::Literal(literal) => grams(letters(literal))
            .fold((0, 0), |(shared, total), gram| (shared + u32::from(text.has(gram)), total + 1)),
        Part::Choice(alternatives) => alternatives
            .iter()
            .map(|parts| likeness(parts, text))
            .max_by_key(|(shared, total)| shared * 1000 / (total + 1))
            .unwrap_or_default(),
    });
    counts.fold((0, 0), |(shared, total), (more_shared, more)| (shared + more_shared, total + more))
}

/// Which runs of four bytes a text has; may claim one too many.
pub(crate) struct Grams(Vec<u64>);

impl Grams {
    /// Reads a text in lower case, with blanks for line feeds and one kind of quotes.
    pub(crate) fn of(lowercase: &str) -> Self {
        let mut set = vec![0u64; BITS / 64];
        for gram in grams(lowercase.bytes()) {
            if let Some(word) = set.get_mut(usize::from(gram) / 64) {
                *word |= 1 << (gram % 64);
            }
        }
        Self(set)
    }

    fn has(&self, gram: u16) -> bool {
        self.0.get(usize::from(gram) / 64).is_some_and(|word| word & (1 << (gram % 64)) != 0)
    }
}

fn grams(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u16> {
    let windows = bytes.scan(0u32, |value, byte| {
        *value = (*value << 8) | u32::from(byte);
        Some(*value)
    });
    // Multiplication by a large odd number spreads the value; its upper bits are spread best.
    windows.skip(GRAM - 1).map(|value| (value.wrapping_mul(0x9e37_79b1) >> 17) as u16)
}

/// What is certain of alternatives: if there is one, its parts; if one of several says nothing, nothing.
fn certain(mut alternatives: Vec<Vec<Part>>) -> Vec<Part> {
    if alternatives.len() < 2 {
        alternatives.pop().unwrap_or_default()
    } else if alternatives.iter().any(Vec::is_empty) {
        Vec::new()
    } else {
        vec![Part::Choice(alternatives)]
    }
}

/// Reads the literal parts of a regular expression, in the syntax that the catalogue uses.
struct Reader {
    body: &'static str,
    at: usize,
}

impl Reader {
    /// Reads up to the closing bracket of the group, or to the end.
    fn alternatives(&mut self) -> Vec<Vec<Part>> {
        let mut alternatives = Vec::new();
        let mut parts = Vec::new();
        let mut run = self.at..self.at;
        loop {
            // All letters but the last of a run of letters are certain; a quantifier may follow the last.
            self.at += self.plain_letters().saturating_sub(1);
            run.end = run.end.max(self.at);
            let mut group = Vec::new();
            let mut is_literal = false;
            match self.next() {
                None | Some(b')') => {
                    self.end_run(&run, &mut parts);
                    alternatives.push(parts);
                    return alternatives;
                }
                Some(b'|') => {
                    self.end_run(&run, &mut parts);
                    alternatives.push(std::mem::take(&mut parts));
                    run = self.at..self.at;
                    continue;
                }
                Some(b'(') => {
                    self.group_head();
                    group = certain(self.alternatives());
                }
                Some(b'[') => self.class(),
                Some(b'\\') => is_literal = self.next().is_some_and(|escaped| !escaped.is_ascii_alphanumeric()),
                Some(b'.' | b'^' | b'$') => {}
                Some(_) => is_literal = true,
            }
            let end = self.at;
            let quantifier = self.quantifier();
            if is_literal && quantifier != Quantifier::MayBeNone {
                run.end = end;
            }
            if !is_literal || quantifier != Quantifier::Once {
                self.end_run(&run, &mut parts);
                run = self.at..self.at;
            }
            if quantifier != Quantifier::MayBeNone {
                parts.append(&mut group);
            }
        }
    }

    fn plain_letters(&self) -> usize {
        let is_plain = |byte: &u8| {
            !matches!(byte, b'(' | b')' | b'[' | b'\\' | b'|' | b'.' | b'^' | b'$' | b'?' | b'*' | b'+' | b'{')
        };
        self.body.as_bytes().get(self.at..).unwrap_or_default().iter().take_while(|byte| is_plain(byte)).count()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    /// Puts the literal that has been read so far with the parts. Single letters say nothing.
    fn end_run(&self, run: &Range<usize>, parts: &mut Vec<Part>) {
        if run.len() > 1
            && let Some(text) = self.body.get(run.clone())
        {
            parts.push(Part::Literal(text));
        }
    }

    /// Skips `?:`, `?P<name>` or `?i:` after an opening bracket.
    fn group_head(&mut self) {
        if self.peek() == Some(b'?') {
            let end = if self.body.as_bytes().get(self.at + 1) == Some(&b'P') { b'>' } else { b':' };
            self.skip_past(end);
        }
    }

    /// Skips a class such as `[^"]` or `[\]a]`; its opening bracket is already read.
    fn class(&mut self) {
        let mut is_first = true;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => {
                    self.next();
                }
                b'^' if is_first => continue,
                b']' if !is_first => return,
                _ => {}
            }
            is_first = false;
        }
    }

    fn quantifier(&mut self) -> Quantifier {
        let quantifier = match self.peek() {
            Some(b'?' | b'*') => Quantifier::MayBeNone,
            Some(b'+') => Quantifier::Repeated,
            Some(b'{') if self.body.as_bytes().get(self.at + 1) == Some(&b'0') => Quantifier::MayBeNone,
            Some(b'{') => Quantifier::Repeated,
            _ => return Quantifier::Once,
        };
        if self.next() == Some(b'{') {
            self.skip_past(b'}');
        }
        if self.peek() == Some(b'?') {
            self.next();
        }
        quantifier
    }

    fn skip_past(&mut self, end: u8) {
        while self.next().is_some_and(|byte| byte != end) {}
    }
}

#[derive(PartialEq, Eq)]
enum Quantifier {
    Once,
    Repeated,
    MayBeNone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors_of(source: &'static str) -> Vec<String> {
        Pattern::new(source).anchors().to_vec()
    }

    #[test]
    fn the_longest_certain_literal_is_the_anchor() {
        assert_eq!(anchors_of(r#"lookup (?P<host>\S+) on .*: no such host"#), [": no such host"]);
        assert_eq!(anchors_of(r"Colou?r is (?-i:B)lue"), ["r is "]);
        assert_eq!(anchors_of(r"abc(?:defg)?hi[a-z\]]jk"), ["abc"]);
        assert_eq!(anchors_of(r"exit\.code \(x+\)"), ["exit.code (x"]);
        assert_eq!(anchors_of(r"\d+"), Vec::<String>::new());
    }

    #[test]
    fn a_choice_is_an_anchor_if_each_alternative_has_one() {
        assert_eq!(anchors_of(r"(?:first thing|second)"), ["first thing", "second"]);
        assert_eq!(anchors_of(r"one|twofold"), ["one", "twofold"]);
        assert_eq!(anchors_of(r"(?:first thing|\d)x?"), Vec::<String>::new());
        assert_eq!(anchors_of(r"see (?:first thing|second)"), ["first thing", "second"]);
    }

    #[test]
    fn a_text_without_the_literals_is_ruled_out() {
        let pattern = Pattern::new(r"cannot (?:list|get|watch) resource \d+ in namespace");
        assert!(pattern.may_match(&Grams::of("x cannot watch resource 3 in namespace y")));
        assert!(!pattern.may_match(&Grams::of("x cannot watch resource 3 in spaces")));
        assert!(pattern.likeness(&Grams::of("he cannot see resource 3")) > 0.4);
    }
}
