//! The scenarios of the demonstration, live: what is collected from a world that plays one is diagnosed as its document
//! is.

use std::io::Read as _;
use std::time::Duration;

use eks_doctor::diagnose::diagnose;
use eks_doctor::evidence::{AccessEntry, Evidence, Observed};
use eks_doctor::report::{Certainty, Report};
use eks_doctor::scenario;

use crate::played::{has_its_own_network, play, play_slowly};
use crate::{library, program};

/// What is said of evidence, to compare it.
pub(crate) fn said(evidence: &Evidence) -> Vec<String> {
    let report = diagnose(evidence, library());
    [gist(&report), causes(&report)].concat()
}

/// What a report says for certain: the verdict and the confirmed findings.
fn gist(report: &Report) -> Vec<String> {
    let mut gist: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Certainty::Confirmed)
        .map(|finding| finding.id.clone())
        .collect();
    gist.push(format!("{:?}", report.verdict));
    gist.sort();
    gist
}

/// All causes in their order and how sure each is, but for that of the proxy, which only the lab has.
fn causes(report: &Report) -> Vec<String> {
    let others = report.findings.iter().filter(|finding| finding.id != "network/proxy");
    others.map(|finding| format!("{} {:?}", finding.id, finding.verdict)).collect()
}

/// All scenarios that have a network of their own, or all others.
pub(crate) fn scenarios(own_network: bool) -> Vec<(&'static str, Evidence)> {
    // Files that are no scenarios are embedded beside them.
    let all = scenario::names().filter_map(|name| Some((name, scenario::evidence(name).ok()?)));
    all.filter(|(_, document)| has_its_own_network(document) == own_network).collect()
}

#[test]
fn the_live_diagnosis_is_the_offline_diagnosis() {
    let playable = scenarios(false);
    let mut different = Vec::new();
    for (name, document) in &playable {
        let (live, offline) = (said(&play(document).collect()), said(document));
        if live != offline {
            different.push(format!("{name}\n  live    {live:?}\n  offline {offline:?}"));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), playable.len(), different.join("\n"));
    println!("{} scenarios played", playable.len());
}

#[test]
fn what_was_saved_gives_the_same_report() {
    for name in ["healthy/access-entry-role", "mapping/none", "authorization/no-policy", "credentials/none"] {
        let played = play(&scenario::evidence(name).unwrap());
        let check = ["check", "--output", "json", "--action", "list pods -n dev"];
        let run = |more: &[&str]| {
            let output = program(&played.surroundings, &[&check[..], more].concat()).output().unwrap();
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), report, String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let live = run(&["--save-evidence", "saved.json"]);
        let calls = played.lab.seen().len();
        let saved = run(&["--evidence", "saved.json"]);
        assert_eq!(live, saved, "{name}");
        assert_eq!(played.lab.seen().len(), calls, "{name}: saved evidence needs no look");
    }
}

/// The lab for programs of other processes, such as `benches/runbook.sh`: it plays `LAB_SCENARIO` with
/// `LAB_MILLISECONDS` added to every answer and, if `LAB_ENTRIES` says so, with so many access entries more; writes the
/// environment of its person to the file `LAB_ENVIRONMENT` for a shell to read, and stands until its standard input ends.
#[test]
#[ignore = "stands until its standard input ends"]
fn the_lab_stands() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let latency = Duration::from_millis(variable("LAB_MILLISECONDS").parse().unwrap());
    let mut document = scenario::evidence(&variable("LAB_SCENARIO")).unwrap();
    let more: usize = std::env::var("LAB_ENTRIES").map_or(0, |count| count.parse().unwrap());
    if let Observed::Found(entries) = &mut document.aws.access_entries {
        let principal = |number| format!("arn:aws:iam::111122223333:role/somebody-{number}");
        let (details, policies) = (Observed::default(), Observed::default());
        let entry = AccessEntry { principal_arn: String::new(), details, policies };
        entries.extend((0..more).map(|number| AccessEntry { principal_arn: principal(number), ..entry.clone() }));
    }
    let played = play_slowly(&document, latency);
    let variables = played.surroundings.variables.iter().filter(|(name, _)| *name != "PATH");
    let exports =
        variables.map(|(name, value)| format!("export {}='{}'\n", name.to_str().unwrap(), value.to_str().unwrap()));
    // Renamed into place, so that nobody reads half of it.
    let half = format!("{}.half", variable("LAB_ENVIRONMENT"));
    std::fs::write(&half, exports.collect::<String>()).unwrap();
    std::fs::rename(half, variable("LAB_ENVIRONMENT")).unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
