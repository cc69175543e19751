//! Generated files are current: each test compares, and with EKS_DOCTOR_BLESS=1 rewrites.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and runs the real thing"
)]

use std::{fs, path::Path};

use eks_doctor::{
    evidence::Evidence,
    report::Report,
    rule::{Library, rule_schema},
    scenario,
};

/// Compares a generated text with the file, or rewrites the file.
fn is_current(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("EKS_DOCTOR_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{file} is not current; rewrite it: EKS_DOCTOR_BLESS=1 cargo test --test generated");
}

fn pretty(schema: &schemars::Schema) -> String {
    serde_json::to_string_pretty(schema).unwrap() + "\n"
}

#[test]
fn the_schema_of_evidence_is_current() {
    is_current("schemas/evidence.v1.json", &pretty(&schemars::schema_for!(Evidence)));
}

#[test]
fn the_schema_of_reports_is_current() {
    is_current("schemas/report.v1.json", &pretty(&schemars::schema_for!(Report)));
}

#[test]
fn the_schema_of_rules_is_current() {
    is_current("rules/rule.schema.json", &pretty(&rule_schema()));
}

#[test]
fn the_index_of_rules_is_current() {
    let library = Library::load(&[]).unwrap();
    let mut text = String::from(
        "# Rules\n\nOne file per cause; its path is its id. The format is described by `rule.schema.json`, how to add a \
         rule by `CONTRIBUTING.md`. Fixes that several rules share are in `recipes/`.\n\nThis index is generated: \
         `EKS_DOCTOR_BLESS=1 cargo test --test generated`.\n",
    );
    let mut index = Vec::new();
    eks_doctor::render::rule_index(library.rules(), ".yaml", &mut index).unwrap();
    text.push_str(&String::from_utf8(index).unwrap());
    is_current("rules/README.md", &text);
}

#[test]
fn all_fixtures_validate_against_the_schema_of_evidence() {
    let schema = serde_json::to_value(schemars::schema_for!(Evidence)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in scenario::names() {
        let mut documents = vec![(name.to_owned(), scenario::evidence(name).unwrap())];
        if !scenario::is_healthy(name) {
            let file = scenario::case_file(name).unwrap();
            documents.extend(file.cases.iter().map(|case| (case.name.clone(), file.evidence(name, case).unwrap())));
        }
        for (case, evidence) in documents {
            let document = serde_json::to_value(&evidence).unwrap();
            let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}, {case}: {errors:?}");
            let read: Evidence = serde_json::from_value(document).unwrap();
            assert!(read == evidence, "{name}, {case}: reading back what was written loses something");
        }
    }
}

#[test]
fn the_schema_refuses_a_misspelt_key() {
    let schema = serde_json::to_value(schemars::schema_for!(Evidence)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good = serde_json::json!({ "schema": "eks-doctor/evidence/v1", "target": { "cluster": "prod" } });
    let bad = serde_json::json!({ "schema": "eks-doctor/evidence/v1", "target": { "clutser": "prod" } });
    assert!(validator.is_valid(&good));
    assert!(!validator.is_valid(&bad));
}

#[test]
fn reports_validate_against_their_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(Report)).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let library = Library::load(&[]).unwrap();
    for name in scenario::names() {
        let report = eks_doctor::diagnose::diagnose(&scenario::evidence(name).unwrap(), &library);
        let document = serde_json::to_value(&report).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}
