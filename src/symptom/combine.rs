//! Puts together what was found: which messages count, what may be behind all of them, and which symptoms they show.
//!
//! Causes: each message states how likely its causes are. Messages with different lists are different observations of one
//! failure, so their weights multiply; a cause that a message does not list keeps a small weight, because lists are never
//! complete. Messages with the same list are the same observation, told twice: they count once. Only the most precise
//! messages count; of those that are not precise only the one that says most.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

use super::catalogue::{CauseId, Message, Precision};
use super::scan::{Match, Scan};
use super::{Recognised, Recognition, StatedFacts, SymptomClass};

/// The weight of a cause that a message does not list.
const UNLISTED: f64 = 0.005;
/// Bytes within which a message that is known to say more than another does so.
const NEAR: usize = 400;

pub(crate) fn combine(text: &str, scan: Scan) -> Recognition<'_> {
    let (mut found, mut statements): (Vec<_>, Vec<_>) = scan.matches.into_iter().partition(|one| one.message.is_some());
    found.sort_by_key(|one| (one.range.start, one.message.map(|message| message.id), Reverse(one.specificity)));
    let mut messages = recognised(text, most_specific(found));
    messages.sort_by_key(|one| {
        let precision = one.message.precision;
        let says = if precision == Precision::Precise { 0 } else { one.specificity };
        (one.is_subsumed, precision, Reverse(says))
    });
    statements.sort_by_key(|one| one.range.start);
    let mut stated = StatedFacts::default();
    for facts in messages.iter().map(|one| &one.stated).chain(statements.iter().map(|one| &one.stated)) {
        stated.complete_with(facts);
    }
    let speaking: Vec<&'static Message> = speaking(&messages);
    let causes = causes(&speaking);
    let proof = |(cause, _): &(CauseId, f64)| {
        speaking.iter().find(|message| message.proves == Some(*cause)).map(|message| (*cause, *message))
    };
    Recognition {
        proves: causes.iter().find_map(proof),
        causes,
        classes: classes(&speaking),
        stated,
        nearest: if messages.is_empty() { scan.nearest } else { None },
        messages,
        is_complete: scan.is_complete,
    }
}

/// Of several wordings of one message that share words, the one that says most.
fn most_specific(found: Vec<Match>) -> Vec<Match> {
    let mut kept: Vec<Match> = Vec::with_capacity(found.len());
    for one in found {
        let same = |earlier: &&mut Match| {
            earlier.message.map(|message| message.id) == one.message.map(|message| message.id)
                && distance(&earlier.range, &one.range) == 0
        };
        match kept.iter_mut().rev().take(64).find(same) {
            Some(earlier) if earlier.specificity < one.specificity => *earlier = one,
            Some(_) => {}
            None => kept.push(one),
        }
    }
    kept.sort_by_key(|one| one.range.start);
    kept
}

/// Matches, in the order of the text, with their lines; one that says again what is known already is left out.
fn recognised(text: &str, found: Vec<Match>) -> Vec<Recognised<'_>> {
    let subsumed = subsumed(&found);
    let mut lines = LineCounter { text, at: 0, line: 1 };
    let mut messages: Vec<Recognised<'_>> = Vec::new();
    for (one, is_subsumed) in found.into_iter().zip(subsumed) {
        let Some(message) = one.message else { continue };
        let is_repeated = |earlier: &Recognised<'_>| {
            earlier.message.id == message.id && (earlier.stated == one.stated || one.range.start < earlier.range.end)
        };
        if messages.iter().any(is_repeated) {
            continue;
        }
        let excerpt = match text.get(one.range.clone()) {
            Some(original) if original == one.excerpt => Cow::Borrowed(original),
            _ => Cow::Owned(one.excerpt),
        };
        messages.push(Recognised {
            message,
            excerpt,
            line: lines.line_of(one.range.start),
            range: one.range,
            stated: one.stated,
            is_subsumed,
            specificity: one.specificity,
        });
    }
    messages
}

/// For each match: whether another one is read from the same words, or near them, and says more. What says most is
/// decided first, so of words that several messages share one always counts.
fn subsumed(found: &[Match]) -> Vec<bool> {
    let rank = |one: &Match| one.message.map(|message| (message.precision, Reverse(one.specificity), message.id));
    let mut by_rank: Vec<usize> = (0..found.len()).collect();
    by_rank.sort_by_key(|index| found.get(*index).and_then(rank));
    let mut subsumed = vec![true; found.len()];
    for index in by_rank {
        let Some((this, mine)) = found.get(index).and_then(|this| Some((this, this.message?))) else { continue };
        // Matches are at most some kilobytes long, so those that share words stand near in the order of their starts.
        let near = found.iter().zip(&subsumed).skip(index.saturating_sub(64)).take(128);
        let is_less =
            near.filter_map(|(other, is_out)| Some((other, other.message?, *is_out))).any(|(other, theirs, is_out)| {
                let distance = distance(&other.range, &this.range);
                theirs.id != mine.id
                    && (distance <= NEAR && theirs.over.contains(&mine.id)
                        || distance == 0 && !is_out && !mine.over.contains(&theirs.id))
            });
        if let Some(flag) = subsumed.get_mut(index) {
            *flag = is_less;
        }
    }
    subsumed
}

/// The bytes between two places; 0 if they share one.
fn distance(a: &Range<usize>, b: &Range<usize>) -> usize {
    if a.start < b.end && b.start < a.end { 0 } else { (a.start.max(b.start) - a.end.min(b.end)).max(1) }
}

/// The messages that count.
fn speaking(messages: &[Recognised<'_>]) -> Vec<&'static Message> {
    let primary = || messages.iter().filter(|one| !one.is_subsumed).map(|one| one.message);
    let precise: Vec<_> = primary().filter(|message| message.precision == Precision::Precise).collect();
    if precise.is_empty() { primary().take(1).collect() } else { precise }
}

fn causes(messages: &[&'static Message]) -> Vec<(CauseId, f64)> {
    let mut lists: Vec<&[(CauseId, f64)]> = Vec::new();
    for message in messages {
        if !lists.contains(&message.causes.as_slice()) {
            lists.push(&message.causes);
        }
    }
    let mut weights: Vec<(CauseId, f64)> = Vec::new();
    for (cause, _) in lists.iter().copied().flatten() {
        if weights.iter().all(|(known, _)| known != cause) {
            weights.push((cause, 1.0));
        }
    }
    for list in lists {
        for (cause, weight) in &mut weights {
            *weight *= list.iter().find(|(listed, _)| listed == cause).map_or(UNLISTED, |(_, listed)| *listed);
        }
        // Keeps the numbers in range, however many lists there are.
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.iter_mut().for_each(|(_, weight)| *weight /= sum);
    }
    weights.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    weights
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
