//! The order of findings: one total order, and the probabilities behind it.
//!
//! 1. Confirmed before possible.
//! 2. Among confirmed ones the earliest stage first: it is what stops the request now.
//! 3. Among possible ones the likelier first.
//! 4. Ties end at the id and then at the place in the list that a rule goes through, so that reports are stable.
//!
//! A confirmed cause has the confidence [`PROVEN`]. The possible ones share what is left by weight; what is left is
//! 1 if nothing is confirmed, and 1 − [`PROVEN`] otherwise.

use std::cmp::Ordering;

use crate::{report::Certainty, rule::Stage};

/// The confidence of a confirmed cause. Not 1, because the evidence is older than the report.
pub const PROVEN: f64 = 0.99;

/// What the order of a finding depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The rule.
    pub id: String,
    /// Its stage.
    pub stage: Stage,
    /// How sure it is.
    pub certainty: Certainty,
    /// Its rule's weight; above 0.
    pub weight: f64,
    /// The place of its element in the list that its rule goes through; 0 for rules without a list.
    pub element: usize,
}

/// Sorts candidates, each with whatever belongs to it, and gives each its confidence.
pub fn rank<T>(mut candidates: Vec<(Candidate, T)>) -> Vec<(Candidate, f64, T)> {
    candidates.sort_by(|(a, _), (b, _)| order(a, b));
    let is_proven = |candidate: &Candidate| candidate.certainty == Certainty::Confirmed;
    let total: f64 = candidates.iter().filter(|(c, _)| !is_proven(c)).map(|(c, _)| c.weight).sum();
    let left = if candidates.iter().any(|(c, _)| is_proven(c)) { 1.0 - PROVEN } else { 1.0 };
    candidates
        .into_iter()
        .map(|(candidate, rest)| {
            let confidence = if is_proven(&candidate) { PROVEN } else { left * candidate.weight / total };
            (candidate, confidence, rest)
        })
        .collect()
}

fn order(a: &Candidate, b: &Candidate) -> Ordering {
    let within = match a.certainty {
        Certainty::Confirmed => a.stage.cmp(&b.stage).then(b.weight.total_cmp(&a.weight)),
        Certainty::Possible => b.weight.total_cmp(&a.weight),
    };
    a.certainty
        .cmp(&b.certainty)
        .then(within)
        .then_with(|| a.id.cmp(&b.id))
        .then(a.element.cmp(&b.element))
        .then(a.stage.cmp(&b.stage))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate() -> impl Strategy<Value = Candidate> {
        (0..6_usize, 0..8_usize, any::<bool>(), 1..50_u32, 0..3_usize).prop_map(
            |(id, stage, proven, weight, element)| Candidate {
                id: format!("cause-{id}"),
                stage: Stage::ALL[stage],
                certainty: if proven { Certainty::Confirmed } else { Certainty::Possible },
                weight: f64::from(weight) / 10.0,
                element,
            },
        )
    }

    fn ranked(candidates: &[Candidate]) -> Vec<(Candidate, f64, ())> {
        rank(candidates.iter().map(|candidate| (candidate.clone(), ())).collect())
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_does_not_depend_on_the_order_of_the_rules(
            candidates in proptest::collection::vec(candidate(), 0..12).prop_shuffle(),
            seed in any::<u64>(),
        ) {
            let first = ranked(&candidates);
            let mut shuffled = candidates.clone();
            let mut state = seed;
            for index in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                shuffled.swap(index, (state >> 33) as usize % (index + 1));
            }
            prop_assert_eq!(first, ranked(&shuffled));
            for (a, b) in candidates.iter().zip(candidates.iter().skip(1)) {
                prop_assert_eq!(order(a, b), order(b, a).reverse());
                prop_assert!(order(a, b) != Ordering::Equal || a == b);
            }
        }

        #[test]
        fn confirmed_come_first_and_probabilities_add_up(candidates in proptest::collection::vec(candidate(), 0..12)) {
            let ranked = ranked(&candidates);
            let proven = ranked.iter().filter(|(c, _, ())| c.certainty == Certainty::Confirmed).count();
            for (index, (candidate, confidence, ())) in ranked.iter().enumerate() {
                prop_assert_eq!(candidate.certainty == Certainty::Confirmed, index < proven);
                prop_assert!((0.0..=1.0).contains(confidence));
            }
            let possible: f64 = ranked.iter().skip(proven).map(|(_, confidence, ())| confidence).sum();
            let left = if proven > 0 { 1.0 - PROVEN } else { 1.0 };
            if ranked.len() > proven {
                prop_assert!((possible - left).abs() < 1e-9);
            }
        }

        #[test]
        fn likelier_possible_causes_come_earlier(candidates in proptest::collection::vec(candidate(), 0..12)) {
            let ranked = ranked(&candidates);
            for pair in ranked.windows(2) {
                if pair[0].0.certainty == Certainty::Possible {
                    prop_assert!(pair[0].1 >= pair[1].1);
                }
            }
        }
    }
}
