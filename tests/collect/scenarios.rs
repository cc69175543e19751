//! The scenarios of the demonstration, live: what is collected from a world that plays one is diagnosed as its document
//! is.

use std::collections::BTreeMap;

use eks_doctor::diagnose::diagnose;
use eks_doctor::evidence::Evidence;
use eks_doctor::report::Report;
use eks_doctor::rule::Library;
use eks_doctor::scenario;

use crate::played::{play, unplayable};

/// Scenarios whose documents could be played and still come out differently, and why that is right.
const OTHERWISE: &[(&str, &str)] = &[];

/// The lab stands behind a proxy. Where the document says nothing of an answer from behind it, that is one more possible
/// cause.
const OF_THE_LAB: &str = "network/proxy Possible";

/// What a report says, in short: the verdict and the findings.
pub(crate) fn gist(report: &Report) -> Vec<String> {
    let mut gist: Vec<_> =
        report.findings.iter().map(|finding| format!("{} {:?}", finding.id, finding.verdict)).collect();
    gist.push(format!("{:?}", report.verdict));
    gist.sort();
    gist
}

/// All scenarios that the lab plays.
pub(crate) fn playable() -> (Vec<(&'static str, Evidence)>, BTreeMap<&'static str, &'static str>) {
    let (mut playable, mut others) = (Vec::new(), BTreeMap::from_iter(OTHERWISE.iter().copied()));
    for name in scenario::names() {
        // Files that are no scenarios are embedded beside them.
        let Ok(document) = scenario::evidence(name) else { continue };
        match unplayable(&document) {
            Some(reason) => drop(others.insert(name, reason)),
            None if others.contains_key(name) => {}
            None => playable.push((name, document)),
        }
    }
    (playable, others)
}

#[test]
fn the_live_diagnosis_is_the_offline_diagnosis() {
    let library = Library::load(&[]).unwrap();
    let (playable, others) = playable();
    others.iter().for_each(|(name, reason)| println!("not played: {name}: {reason}"));
    let mut different = Vec::new();
    for (name, document) in &playable {
        let played = play(document);
        let mut live = gist(&diagnose(&played.collect(), &library));
        let offline = gist(&diagnose(document, &library));
        if !offline.contains(&OF_THE_LAB.to_owned()) {
            live.retain(|finding| finding != OF_THE_LAB);
        }
        if live != offline {
            different.push(format!("{name}\n  live    {live:?}\n  offline {offline:?}"));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), playable.len(), different.join("\n"));
    println!("{} scenarios played", playable.len());
}
