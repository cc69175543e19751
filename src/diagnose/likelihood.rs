//! How likely a cause is that the evidence neither proves nor rules out: the one place where such figures are set.
//!
//! A cause's weight is the product of
//! - its rule's `weight`, how often it is the cause among real cases of its kind; below 1 for what public threads hardly
//!   know ([`crate::rule::Rule::weight`]);
//! - what the pasted text says ([`by_text`]): the messages in it name causes with weights of their own, which are the
//!   frequencies of causes among reports of that message; the user's own words only hint at a symptom ([`UNHINTED`]);
//! - what the evidence shows of it: signs ([`SIGN`]), or that it would be proven if the stores that were read were all
//!   there is ([`SUPPOSED`]).
//!
//! [`crate::rank`] turns the weights into probabilities.

use std::sync::LazyLock;

use super::Suspect;
use crate::{
    facts::{
        Facts,
        value::{Describe, Node, Value},
    },
    report::Certainty,
    rule::{self, Condition, Outcome, Rule, Scope},
    scenario,
    symptom::SymptomClass,
};

/// The likelihood of a cause that the recognised messages do not name.
const UNNAMED: f64 = 0.002;

/// The part of a named cause's weight that a more precise cause has, which messages do not name.
const SHARE_OF_REFINED: f64 = 0.5;

/// The likelihood of a cause that does not produce what the user's own words hint at.
const UNHINTED: f64 = 0.1;

/// How much likelier a sign makes a cause. A sign is a condition that holds here and in no healthy set-up.
const SIGN: f64 = 10.0;

/// How much likelier a cause is that would be proven if the stores that were read were all there is.
const SUPPOSED: f64 = 1000.0;

/// More signs than this say nothing more: they come from the same thing.
const MOST_SIGNS: i32 = 2;

/// What the pasted text says of causes.
pub(super) struct Hearsay<'a> {
    /// The causes of its messages, with their weights.
    pub(super) named: &'a [(&'static str, f64)],
    /// The symptoms that the user's own words hint at, where no message is known.
    pub(super) hinted: &'a [SymptomClass],
    /// The causes that would be proven if the stores that were read were all there is.
    pub(super) supposed: &'a [String],
}

/// The weight of a suspect. What is confirmed needs no signs.
pub(super) fn weight(suspect: &Suspect<'_>, facts: &Node, hearsay: &Hearsay<'_>) -> f64 {
    let signs = match suspect.certainty {
        Certainty::Confirmed => 0,
        Certainty::Possible => signs(suspect, facts).min(MOST_SIGNS),
    };
    let by_stores = if hearsay.supposed.contains(&suspect.rule.id) { SUPPOSED } else { SIGN.powi(signs) };
    suspect.rule.weight * by_text(suspect.rule, hearsay, signs > 0) * by_stores
}

/// How much the pasted text speaks for a cause, of which a more precise one has a share.
fn by_text(rule: &Rule, hearsay: &Hearsay<'_>, has_signs: bool) -> f64 {
    let named = |id: &str| hearsay.named.iter().find(|(cause, _)| *cause == id).map(|(_, weight)| *weight);
    let share = || rule.refines.iter().filter_map(|id| named(id)).fold(0.0, f64::max) * SHARE_OF_REFINED;
    match (hearsay.named, hearsay.hinted) {
        ([], []) => 1.0,
        ([], hinted) if hinted.iter().any(|class| rule.explains.contains(class)) => 1.0,
        ([], _) => UNHINTED,
        // What a message gives to the general cause is as good as the special one's, once there are signs of that.
        _ if has_signs => named(&rule.id).unwrap_or_default().max(share()).max(UNNAMED),
        _ => named(&rule.id).unwrap_or_else(share).max(UNNAMED),
    }
}

/// How many conditions of a suspect are known to hold that hold in no healthy set-up. The conditions on the element of a
/// list count as two: nothing else would have put it there.
fn signs(suspect: &Suspect<'_>, facts: &Node) -> i32 {
    let rule = suspect.rule;
    if rule.last_resort {
        return 0;
    }
    let here = Scope { facts, it: None };
    let of_facts = |line: &&Condition| !line.is_about_element();
    let wanted = rule.when.lines().filter(of_facts).filter(|line| line.test(here) == Outcome::Yes && !is_healthy(line));
    let unwanted = rule.unless.lines().filter(of_facts);
    let unwanted = unwanted.filter(|line| matches!(line.test(here), Outcome::No(_)) && is_healthy(line));
    let element = rule.each.as_deref().zip(suspect.it).is_some_and(|(list, (_, element))| {
        fits(rule, facts, list, element) && !HEALTHY.iter().any(|healthy| any_fits(rule, healthy, list))
    });
    (wanted.count() + unwanted.count() + 2 * usize::from(element)).try_into().unwrap_or(MOST_SIGNS)
}

/// Whether a condition holds in a healthy set-up.
fn is_healthy(line: &Condition) -> bool {
    HEALTHY.iter().any(|facts| line.test(Scope { facts, it: None }) == Outcome::Yes)
}

/// Whether all conditions on the element of a list hold.
fn fits(rule: &Rule, facts: &Node, list: &str, element: &Node) -> bool {
    let scope = Scope { facts, it: Some((list, element)) };
    rule.when.lines().filter(|line| line.is_about_element()).all(|line| line.test(scope) == Outcome::Yes)
}

fn any_fits(rule: &Rule, facts: &Node, list: &str) -> bool {
    let Ok(Value::List(elements)) = rule::find(facts, list) else { return false };
    elements.iter().any(|element| fits(rule, facts, list, element))
}

/// The facts of the healthy set-ups that ship with the program.
static HEALTHY: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let healthy = scenario::names().filter(|name| scenario::is_healthy(name));
    healthy.filter_map(|name| scenario::evidence(name).ok()).map(|evidence| Facts::derive(&evidence).node()).collect()
});
