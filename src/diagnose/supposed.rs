//! What would be proven if the stores that were read were all there is. It is far likelier than what only could be.

use super::{Certainty, Evidence, Facts, Library, fold, judge};
use crate::facts::{mapping, value::Describe};

/// The causes that the supposed evidence proves.
pub(super) fn proven(evidence: &Evidence, library: &Library) -> Vec<String> {
    let Some(supposed) = mapping::suppose(evidence) else { return Vec::new() };
    let facts = Facts::derive(&supposed);
    let node = facts.node();
    let (suspects, _) = fold(judge(library, &node, &facts).0);
    let proven = suspects.into_iter().filter(|one| one.certainty == Certainty::Confirmed);
    proven.map(|one| one.rule.id.clone()).collect()
}
