//! Puts together what was found: which messages count, what may be behind all of them, and which symptoms they show.
//!
//! Causes: each message states how likely its causes are. Messages with different lists are different observations of one
//! failure, so their weights multiply; a cause that a message does not list keeps a small weight, because lists are never
//! complete. Messages with the same list are the same observation, told twice: they count once. General messages count
//! only if there is nothing else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::catalogue::{CauseId, Message};
use super::scan::{Match, Scan};
use super::{Recognised, Recognition, StatedFacts, SymptomClass};

/// The weight of a cause that a message does not list.
const UNLISTED: f64 = 0.01;

pub(crate) fn combine(text: &str, scan: Scan) -> Recognition<'_> {
    let mut statements = Vec::new();
    let mut found = Vec::new();
    for one in scan.matches {
        match one.message {
            Some(message) => found.push((message, one)),
            None => statements.push(one),
        }
    }
    found.sort_by_key(|(message, one)| (one.range.start, one.range.end, message.id));
    found.dedup_by(|(later, other), (message, one)| later.id == message.id && other.range.start < one.range.end);
    let subsumed = subsumed(&found);
    let mut lines = LineCounter { text, at: 0, line: 1 };
    let mut messages: Vec<Recognised<'_>> = Vec::with_capacity(found.len());
    for ((message, one), is_subsumed) in found.into_iter().zip(subsumed) {
        let line = lines.line_of(one.range.start);
        let is_repeated = messages
            .iter()
            .rev()
            .take(32)
            .any(|earlier| earlier.message.id == message.id && earlier.stated == one.stated);
        if !is_repeated {
            messages.push(recognised(text, message, one, line, is_subsumed));
        }
    }
    messages.sort_by_key(|one| (one.is_subsumed, one.message.is_general));
    statements.sort_by_key(|one| one.range.start);
    let mut stated = StatedFacts::default();
    for facts in messages.iter().map(|one| &one.stated).chain(statements.iter().map(|one| &one.stated)) {
        stated.complete_with(facts);
    }
    let speaking: Vec<&'static Message> = speaking(&messages);
    Recognition {
        causes: causes(&speaking),
        proves: speaking.iter().find_map(|message| message.proves.map(|cause| (cause, *message))),
        classes: classes(&speaking),
        stated,
        nearest: if messages.is_empty() { scan.nearest } else { None },
        messages,
        is_complete: scan.is_complete,
    }
}

fn recognised<'t>(
    text: &'t str,
    message: &'static Message,
    one: Match,
    line: usize,
    is_subsumed: bool,
) -> Recognised<'t> {
    let excerpt = match text.get(one.range.clone()) {
        Some(original) if original == one.excerpt => Cow::Borrowed(original),
        _ => Cow::Owned(one.excerpt),
    };
    Recognised { message, excerpt, range: one.range, line, stated: one.stated, is_subsumed }
}

/// For each match, sorted by place: whether another one is read from the same words and says more.
fn subsumed(found: &[(&'static Message, Match)]) -> Vec<bool> {
    let says_more = |a: &Message, b: &Message| {
        let rank = |message: &Message| (!message.is_general, message.pattern.literal_length());
        a.over.contains(&b.id) || (!b.over.contains(&a.id) && (rank(a), b.id) > (rank(b), a.id))
    };
    let mut subsumed = Vec::with_capacity(found.len());
    for (index, (message, one)) in found.iter().enumerate() {
        // Matches are at most some kilobytes long, so those that overlap stand near in the order of their starts.
        let near = found.iter().skip(index.saturating_sub(64)).take(128);
        let overlapping =
            near.filter(|(_, other)| other.range.start < one.range.end && one.range.start < other.range.end);
        subsumed.push(overlapping.into_iter().any(|(other, _)| other.id != message.id && says_more(other, message)));
    }
    subsumed
}

/// The messages that count.
fn speaking(messages: &[Recognised<'_>]) -> Vec<&'static Message> {
    let primary = || messages.iter().filter(|one| !one.is_subsumed).map(|one| one.message);
    let precise: Vec<_> = primary().filter(|message| !message.is_general).collect();
    if precise.is_empty() { primary().collect() } else { precise }
}

fn causes(messages: &[&'static Message]) -> Vec<(CauseId, f64)> {
    let mut lists: Vec<&[(CauseId, f64)]> = Vec::new();
    for message in messages {
        if !lists.contains(&message.causes.as_slice()) {
            lists.push(&message.causes);
        }
    }
    let mut weights: BTreeMap<CauseId, f64> =
        lists.iter().flat_map(|list| list.iter().map(|(cause, _)| (*cause, 1.0))).collect();
    for list in lists {
        for (cause, weight) in &mut weights {
            *weight *=
                list.iter().find(|(listed, _)| listed == cause).map_or(UNLISTED, |(_, weight)| weight + UNLISTED);
        }
        // Keeps the numbers in range, however many lists there are.
        normalise(&mut weights);
    }
    let mut ranked: Vec<_> = weights.into_iter().collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    ranked
}

fn normalise(weights: &mut BTreeMap<CauseId, f64>) {
    let sum: f64 = weights.values().sum();
    for weight in weights.values_mut() {
        *weight /= sum;
    }
}

/// Messages that can be of one class describe one failure, so their classes narrow each other; those that cannot are
/// different failures, and all count.
fn classes(messages: &[&'static Message]) -> Vec<SymptomClass> {
    let mut failures: Vec<Vec<SymptomClass>> = Vec::new();
    for message in messages {
        let shared = failures.iter_mut().find(|failure| failure.iter().any(|class| message.classes.contains(class)));
        match shared {
            Some(failure) => failure.retain(|class| message.classes.contains(class)),
            None => failures.push(message.classes.clone()),
        }
    }
    let mut classes: Vec<_> = failures.into_iter().flatten().collect();
    classes.sort();
    classes.dedup();
    classes
}

struct LineCounter<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl LineCounter<'_> {
    /// The line, from 1, on which `index` stands; to be asked in ascending order.
    fn line_of(&mut self, index: usize) -> usize {
        let passed = self.text.as_bytes().get(self.at..index).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = self.at.max(index);
        self.line
    }
}
