//! Every case of every rule: all rules run on every case, the verdicts are asserted, and the first case of each file
//! is rendered as a snapshot.

#![expect(clippy::expect_used, reason = "a test ends at the first surprise, and runs the real thing")]

use eks_doctor::{
    diagnose::diagnose,
    render::{self, Look},
    report::{Certainty, Report, Verdict},
    rule::Library,
    scenario::{self, Case, Expect},
};

fn library() -> Library {
    Library::load(&[]).expect("the embedded rules are well-formed")
}

fn rendered(report: &Report) -> String {
    let mut out = Vec::new();
    render::terminal(report, Look::plain(), &mut out).expect("a vector can be written to");
    String::from_utf8(out).expect("reports are UTF-8")
}

fn verdict_of(report: &Report, id: &str) -> Option<Certainty> {
    report.findings.iter().find(|finding| finding.id == id).map(|finding| finding.verdict)
}

/// What is wrong with the report of a case.
fn complaints(rule: &str, case: &Case, report: &Report) -> Vec<String> {
    let expect = &case.expect;
    let mut wrong = Vec::new();
    if *expect == Expect::default() {
        wrong.push("the case expects nothing".to_owned());
    }
    let first = report.findings.first();
    if let Some(top) = &expect.top {
        let is_top = first.is_some_and(|first| first.id == *top && first.verdict == Certainty::Confirmed);
        if !is_top {
            wrong.push(format!("{top} is not the first, confirmed finding"));
        }
    }
    for id in &expect.confirmed {
        if verdict_of(report, id) != Some(Certainty::Confirmed) {
            wrong.push(format!("{id} is not confirmed"));
        }
    }
    for id in &expect.folded {
        let folds = first.is_some_and(|first| first.refines.contains(id));
        if !folds || verdict_of(report, id).is_some() {
            wrong.push(format!("{id} is not folded into the first finding"));
        }
    }
    if expect.silent && verdict_of(report, rule).is_some() {
        wrong.push(format!("{rule} is not silent"));
    }
    if expect.possible && verdict_of(report, rule) != Some(Certainty::Possible) {
        wrong.push(format!("{rule} is not possible"));
    }
    if expect.verdict.is_some_and(|verdict| verdict != report.verdict) {
        wrong.push(format!("the verdict is {:?}", report.verdict));
    }
    wrong
}

fn findings(report: &Report) -> String {
    let lines = report.findings.iter().map(|finding| {
        format!("    {} {:?} {:.2} {:?}", finding.id, finding.verdict, finding.confidence, finding.evidence)
    });
    let ruled_out = report.ruled_out.iter().map(|out| format!("    not {}: {}", out.id, out.because));
    lines.chain(ruled_out).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_case_has_its_verdict() {
    let library = library();
    let mut failed = Vec::new();
    let mut count = 0;
    for name in scenario::names().filter(|name| !scenario::is_healthy(name)) {
        let file = scenario::case_file(name).unwrap_or_else(|error| panic!("{error}"));
        for case in &file.cases {
            let evidence = file.evidence(name, case).unwrap_or_else(|error| panic!("{error}"));
            let report = diagnose(&evidence, &library);
            count += 1;
            for complaint in complaints(name, case, &report) {
                failed.push(format!("{name}, \"{}\": {complaint}\n{}", case.name, findings(&report)));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count} cases:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 0);
}

#[test]
fn healthy_set_ups_are_healthy() {
    let library = library();
    for name in scenario::names().filter(|name| scenario::is_healthy(name)) {
        let report = diagnose(&scenario::evidence(name).unwrap(), &library);
        assert_eq!(report.verdict, Verdict::Healthy, "{name}\n{}", rendered(&report));
        assert!(report.findings.is_empty(), "{name}\n{}", findings(&report));
    }
}

#[test]
fn reports_read_as_they_did() {
    let library = library();
    for name in scenario::names() {
        let report = diagnose(&scenario::evidence(name).unwrap(), &library);
        insta::assert_snapshot!(name.replace('/', "__"), rendered(&report));
    }
}

#[test]
fn the_order_of_the_rules_does_not_matter() {
    let library = library();
    let mut reversed: Vec<_> = library.rules().to_vec();
    reversed.reverse();
    let reversed = Library::from_rules(reversed);
    for name in scenario::names() {
        let evidence = scenario::evidence(name).unwrap();
        assert_eq!(diagnose(&evidence, &library).findings, diagnose(&evidence, &reversed).findings, "{name}");
    }
}

#[test]
fn every_finding_cites_a_fact_and_every_fact_its_observation() {
    let library = library();
    for name in scenario::names() {
        let report = diagnose(&scenario::evidence(name).unwrap(), &library);
        for finding in &report.findings {
            assert!(!finding.evidence.is_empty(), "{name}: {} cites nothing", finding.id);
            assert!(finding.evidence.iter().all(|fact| !fact.source.is_empty()), "{name}: {}", finding.id);
        }
    }
}
