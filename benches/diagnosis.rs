//! How long the steps of a diagnosis take, without any look at the world: `cargo bench --bench diagnosis`.
//!
//! Compare the figures with each other, in one run: diagnosing a document against reading it, and the rules that are
//! in force against a hundred.

#![expect(clippy::expect_used, reason = "a benchmark ends at the first surprise")]

use eks_doctor::{diagnose::diagnose, evidence::Evidence, facts::Facts, render, rule::Library, scenario};

fn main() {
    divan::main();
}

/// What every run does once.
#[divan::bench]
fn load_all_rules() -> Library {
    Library::load(&[]).expect("the embedded rules are well-formed")
}

/// One document of the size that a ticket carries.
fn document() -> String {
    let evidence = scenario::evidence("mapping/role-path").expect("it ships with the program");
    serde_json::to_string(&evidence).expect("evidence can be written")
}

#[divan::bench]
fn read_a_document(bencher: divan::Bencher<'_, '_>) {
    let text = document();
    bencher.bench(|| Evidence::from_text("bench.json", &text));
}

#[divan::bench]
fn derive_facts(bencher: divan::Bencher<'_, '_>) {
    let evidence = Evidence::from_text("bench.json", &document()).expect("it is well-formed");
    bencher.bench(|| Facts::derive(&evidence));
}

/// The rules in force, repeated until there are at least `count`.
fn library_of(count: usize) -> Library {
    let rules = Library::load(&[]).expect("the embedded rules are well-formed").rules().to_vec();
    let mut many = Vec::new();
    for round in 0.. {
        if many.len() >= count {
            break;
        }
        many.extend(rules.iter().cloned().map(|mut rule| {
            if round > 0 {
                rule.id = format!("{}-{round}", rule.id);
            }
            rule
        }));
    }
    Library::from_rules(many)
}

#[divan::bench(args = [1, 100])]
fn diagnose_a_document(bencher: divan::Bencher<'_, '_>, at_least: usize) {
    let evidence = Evidence::from_text("bench.json", &document()).expect("it is well-formed");
    let library = library_of(at_least);
    bencher.bench(|| diagnose(&evidence, &library));
}

#[divan::bench]
fn render_a_report(bencher: divan::Bencher<'_, '_>) {
    let evidence = Evidence::from_text("bench.json", &document()).expect("it is well-formed");
    let report = diagnose(&evidence, &library_of(1));
    bencher.bench(|| {
        let mut out = Vec::new();
        render::terminal(&report, render::Look::plain(), &mut out).map(|()| out)
    });
}
