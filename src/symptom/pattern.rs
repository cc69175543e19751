//! One pattern of an error message: a regular expression that is compiled only when the text has every literal part of it.
//! The literal parts are read from the expression itself, so they cannot fall out of step with it.

use std::sync::OnceLock;

use regex_lite::Regex;

/// The number of bits of a [`Grams`] set.
const BITS: usize = 1 << 15;

/// A regular expression with the literal texts that each of its matches contains.
pub(crate) struct Pattern {
    source: &'static str,
    literals: Vec<Literal>,
    compiled: OnceLock<Option<Regex>>,
}

struct Literal {
    lowercase: String,
    grams: Vec<u16>,
}

impl Pattern {
    pub(crate) fn new(source: &'static str) -> Self {
        let literals = required_literals(source)
            .into_iter()
            .map(|text| {
                let lowercase = text.to_ascii_lowercase();
                let grams = grams(lowercase.as_bytes()).collect();
                Literal { lowercase, grams }
            })
            .collect();
        Self { source, literals, compiled: OnceLock::new() }
    }

    /// The expression; none if it is not one, which a test rules out.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(self.source).ok()).as_ref()
    }

    /// How many letters each match has for certain: a measure of how much the pattern says.
    pub(crate) fn literal_length(&self) -> usize {
        self.literals.iter().map(|literal| literal.lowercase.len()).sum()
    }

    /// The longest literal, in lower case: where it stands, a match may stand.
    pub(crate) fn anchor(&self) -> &str {
        self.literals.iter().map(|literal| literal.lowercase.as_str()).max_by_key(|text| text.len()).unwrap_or_default()
    }

    /// Whether the pattern only matches whole lines.
    pub(crate) fn is_whole_line(&self) -> bool {
        self.source.starts_with('^') || self.source.ends_with('$')
    }

    /// Whether the pattern is too short for [`Grams`] to say anything about it.
    pub(crate) fn is_short(&self) -> bool {
        self.anchor().len() < 4
    }

    /// Whether a text with these grams may match.
    pub(crate) fn may_match(&self, text: &Grams) -> bool {
        self.literals.iter().all(|literal| literal.grams.iter().all(|gram| text.has(*gram)))
    }

    /// The share of the pattern's grams that the text has, from 0 to 1.
    pub(crate) fn likeness(&self, text: &Grams) -> f64 {
        let all = self.literals.iter().flat_map(|literal| &literal.grams);
        let (shared, total) =
            all.fold((0u32, 0u32), |(shared, total), gram| (shared + u32::from(text.has(*gram)), total + 1));
        if total == 0 { 0.0 } else { f64::from(shared) / f64::from(total) }
    }
}

/// Which runs of four bytes a text has, without regard to case and kinds of white space; may claim one too many.
pub(crate) struct Grams(Vec<u64>);

impl Grams {
    pub(crate) fn of(lowercase: &str) -> Self {
        let mut set = vec![0u64; BITS / 64];
        for gram in grams(lowercase.as_bytes()) {
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

fn grams(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.windows(4).map(|window| {
        let value =
            window.iter().fold(0u32, |value, byte| (value << 8) | u32::from(if *byte == b'\n' { b' ' } else { *byte }));
        // Multiplication by a large odd number spreads the value; its upper bits are the best spread.
        (value.wrapping_mul(0x9e37_79b1) >> 17) as u16
    })
}

/// The texts of at least two bytes that every match of `source` contains, in order.
fn required_literals(source: &str) -> Vec<String> {
    let mut reader = LiteralReader { rest: source.strip_prefix("(?i)").unwrap_or(source) };
    let mut literals = reader.alternatives();
    literals.retain(|literal| literal.len() > 1);
    literals
}

struct LiteralReader<'p> {
    rest: &'p str,
}

impl LiteralReader<'_> {
    /// Reads up to the closing bracket. Where there is a choice, nothing is certain.
    fn alternatives(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut run = String::new();
        let mut is_choice = false;
        while let Some(character) = self.next() {
            let literal = match character {
                ')' => break,
                '|' => {
                    is_choice = true;
                    None
                }
                '(' => {
                    self.group_head();
                    let inner = self.alternatives();
                    found.push(std::mem::take(&mut run));
                    if !self.quantifier_allows_none() {
                        found.extend(inner);
                    }
                    None
                }
                '[' => {
                    self.class();
                    self.quantifier_allows_none();
                    None
                }
                '\\' => self.next().filter(|escaped| !escaped.is_ascii_alphanumeric()).or_else(|| {
                    self.quantifier_allows_none();
                    None
                }),
                '.' | '^' | '$' => {
                    self.quantifier_allows_none();
                    None
                }
                other => Some(other),
            };
            match literal {
                Some(character) if self.rest.starts_with(['?', '*', '{']) => {
                    let _ = character;
                    self.quantifier_allows_none();
                    found.push(std::mem::take(&mut run));
                }
                Some(character) => {
                    run.push(character);
                    if self.rest.starts_with('+') {
                        self.quantifier_allows_none();
                        found.push(std::mem::take(&mut run));
                    }
                }
                None => found.push(std::mem::take(&mut run)),
            }
        }
        found.push(run);
        if is_choice { Vec::new() } else { found }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        Some(character)
    }

    /// Skips `?:`, `?P<name>` or `?i:` after an opening bracket.
    fn group_head(&mut self) {
        if self.rest.starts_with("?P<") || self.rest.starts_with("?<") {
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

    /// Skips a quantifier, if there is one, and says whether it allows that nothing is there.
    fn quantifier_allows_none(&mut self) -> bool {
        let allows_none = match self.rest.chars().next() {
            Some('?' | '*') => {
                self.next();
                true
            }
            Some('+') => {
                self.next();
                false
            }
            Some('{') => {
                let allows_none = self.rest.starts_with("{0");
                self.skip_past('}');
                allows_none
            }
            _ => return false,
        };
        if self.rest.starts_with('?') {
            self.next();
        }
        allows_none
    }

    fn skip_past(&mut self, end: char) {
        while self.next().is_some_and(|character| character != end) {}
    }
}
