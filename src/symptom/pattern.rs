//! One pattern of an error message: a regular expression that is compiled only when the text has the literal parts of it.
//! The literal parts are read from the expression itself, so they cannot fall out of step with it.

use std::sync::OnceLock;

use regex_lite::Regex;

/// The number of bits of a [`Grams`] set.
const BITS: usize = 1 << 15;
/// Bytes of a gram. A literal shorter than this cannot rule a text out.
const GRAM: usize = 4;

/// A regular expression with the literal texts that its matches contain.
pub(crate) struct Pattern {
    source: &'static str,
    parts: Vec<Part>,
    anchors: Vec<String>,
    compiled: OnceLock<Option<Regex>>,
}

/// What a match contains for certain, in lower case.
enum Part {
    Literal(String, Vec<u16>),
    Choice(Vec<Vec<Part>>),
}

impl Pattern {
    pub(crate) fn new(source: &'static str) -> Self {
        let parts = Reader { rest: source.strip_prefix("(?i)").unwrap_or(source) }.whole();
        let anchors = anchors(&parts);
        Self { source, parts, anchors, compiled: OnceLock::new() }
    }

    /// The expression; none if it is not one, which a test rules out.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(self.source).ok()).as_ref()
    }

    /// How many letters each match has for certain: a measure of how much the pattern says.
    pub(crate) fn literal_length(&self) -> usize {
        literal_length(&self.parts)
    }

    /// Texts in lower case one of which is in each match: where one stands, a match may stand.
    pub(crate) fn anchors(&self) -> &[String] {
        &self.anchors
    }

    /// Whether the pattern only matches whole lines.
    pub(crate) fn is_whole_line(&self) -> bool {
        self.source.starts_with('^') || self.source.ends_with('$')
    }

    /// Whether the pattern is too short for [`Grams`] to say anything about it.
    pub(crate) fn is_short(&self) -> bool {
        self.anchors.iter().map(String::len).min().unwrap_or_default() < GRAM
    }

    /// Whether a text with these grams may match.
    pub(crate) fn may_match(&self, text: &Grams) -> bool {
        may_match(&self.parts, text)
    }

    /// The share of the pattern's grams that the text has, from 0 to 1.
    pub(crate) fn likeness(&self, text: &Grams) -> f64 {
        let (shared, total) = likeness(&self.parts, text);
        if total == 0 { 0.0 } else { f64::from(shared) / f64::from(total) }
    }
}

fn literal_length(parts: &[Part]) -> usize {
    let length = |part: &Part| match part {
        Part::Literal(text, _) => text.len(),
        Part::Choice(alternatives) => alternatives.iter().map(|parts| literal_length(parts)).min().unwrap_or_default(),
    };
    parts.iter().map(length).sum()
}

/// The part that is best to look for: the one whose shortest text is longest.
fn anchors(parts: &[Part]) -> Vec<String> {
    let shortest = |texts: &Vec<String>| texts.iter().map(String::len).min().unwrap_or_default();
    let candidates = parts.iter().map(|part| match part {
        Part::Literal(text, _) => vec![text.clone()],
        Part::Choice(alternatives) => {
            let texts: Vec<_> = alternatives.iter().map(|parts| anchors(parts)).collect();
            if texts.iter().any(Vec::is_empty) { Vec::new() } else { texts.concat() }
        }
    });
    candidates.max_by_key(|texts| (shortest(texts), std::cmp::Reverse(texts.len()))).unwrap_or_default()
}

fn may_match(parts: &[Part], text: &Grams) -> bool {
    parts.iter().all(|part| match part {
        Part::Literal(_, grams) => grams.iter().all(|gram| text.has(*gram)),
        Part::Choice(alternatives) => alternatives.iter().any(|parts| may_match(parts, text)),
    })
}

/// How many of the grams the text has, and how many there are; of a choice, the alternative that it has most of.
fn likeness(parts: &[Part], text: &Grams) -> (u32, u32) {
    let counts = parts.iter().map(|part| match part {
        Part::Literal(_, grams) => {
            grams.iter().fold((0, 0), |(shared, total), gram| (shared + u32::from(text.has(*gram)), total + 1))
        }
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
    /// Reads a text in lower case, with blanks for line feeds.
    pub(crate) fn of(lowercase: &str) -> Self {
        let mut set = vec![0u64; BITS / 64];
        for gram in grams(lowercase) {
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

fn grams(lowercase: &str) -> impl Iterator<Item = u16> {
    lowercase.as_bytes().windows(GRAM).map(|window| {
        let value = window.iter().fold(0u32, |value, byte| (value << 8) | u32::from(*byte));
        // Multiplication by a large odd number spreads the value; its upper bits are spread best.
        (value.wrapping_mul(0x9e37_79b1) >> 17) as u16
    })
}

/// Reads the literal parts of a regular expression, in the syntax that the catalogue uses.
struct Reader<'p> {
    rest: &'p str,
}

impl Reader<'_> {
    fn whole(mut self) -> Vec<Part> {
        let mut alternatives = self.alternatives();
        if alternatives.len() == 1 { alternatives.pop().unwrap_or_default() } else { vec![Part::Choice(alternatives)] }
    }

    /// Reads up to the closing bracket of the group, or to the end.
    fn alternatives(&mut self) -> Vec<Vec<Part>> {
        let mut alternatives = vec![Vec::new()];
        let mut run = String::new();
        while let Some(character) = self.next() {
            let mut parts = Vec::new();
            let mut literal = None;
            match character {
                ')' => break,
                '|' => {
                    end_run(&mut run, &mut alternatives);
                    alternatives.push(Vec::new());
                    continue;
                }
                '(' => {
                    self.group_head();
                    parts.push(Part::Choice(self.alternatives()));
                }
                '[' => self.class(),
                '\\' => literal = self.next().filter(|escaped| !escaped.is_ascii_alphanumeric()),
                '.' | '^' | '$' => {}
                other => literal = Some(other),
            }
            let quantifier = self.quantifier();
            match literal {
                Some(character) if quantifier != Quantifier::MayBeNone => run.push(character.to_ascii_lowercase()),
                _ => {}
            }
            if literal.is_none() || quantifier != Quantifier::Once {
                end_run(&mut run, &mut alternatives);
            }
            if quantifier != Quantifier::MayBeNone
                && let Some(last) = alternatives.last_mut()
            {
                last.append(&mut parts);
            }
        }
        end_run(&mut run, &mut alternatives);
        alternatives
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        Some(character)
    }

    /// Skips `?:`, `?P<name>` or `?i:` after an opening bracket.
    fn group_head(&mut self) {
        if self.rest.starts_with("?P<") {
            self.skip_past('>');
        } else if self.rest.starts_with('?') {
            self.skip_past(':');
        }
    }

    /// Skips a class such as `[^"]` or `[\]a]`; its opening bracket is already read.
    fn class(&mut self) {
        let mut is_first = true;
        while let Some(character) = self.next() {
            match character {
                '\\' => {
                    self.next();
                }
                '^' if is_first => continue,
                ']' if !is_first => return,
                _ => {}
            }
            is_first = false;
        }
    }

    fn quantifier(&mut self) -> Quantifier {
        let quantifier = match self.rest.chars().next() {
            Some('?' | '*') => Quantifier::MayBeNone,
            Some('+') => Quantifier::Repeated,
            Some('{') if self.rest.starts_with("{0") => Quantifier::MayBeNone,
            Some('{') => Quantifier::Repeated,
            _ => return Quantifier::Once,
        };
        if self.rest.starts_with('{') {
            self.skip_past('}');
        } else {
            self.next();
        }
        if self.rest.starts_with('?') {
            self.next();
        }
        quantifier
    }

    fn skip_past(&mut self, end: char) {
        while self.next().is_some_and(|character| character != end) {}
    }
}

#[derive(PartialEq, Eq)]
enum Quantifier {
    Once,
    Repeated,
    MayBeNone,
}

/// Puts the literal that has been read so far with the alternative that is being read. Single letters say nothing.
fn end_run(run: &mut String, alternatives: &mut [Vec<Part>]) {
    let text = std::mem::take(run);
    if text.len() > 1
        && let Some(last) = alternatives.last_mut()
    {
        let grams = grams(&text).collect();
        last.push(Part::Literal(text, grams));
    }
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
        assert_eq!(anchors_of(r"(?i)Colou?r is blue"), ["r is blue"]);
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
