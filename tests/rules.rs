//! What holds for every rule, and what is said about a malformed one.

#![expect(clippy::disallowed_methods, reason = "a test ends at the first surprise, and runs the real thing")]

use std::{collections::BTreeSet, fs, path::Path};

use eks_doctor::{
    rule::{Changes, Library},
    scenario::{self, Expect},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every rule has a case that proves it, one that does not fire, and one in which it stays open.
#[test]
fn every_rule_has_its_cases() {
    let library = Library::load(&[]).unwrap();
    for rule in library.rules() {
        let file = scenario::case_file(&rule.id).unwrap_or_else(|error| panic!("{}: {error}", rule.id));
        let proves = |expect: &Expect| {
            expect.top.as_deref() == Some(&rule.id)
                || expect.confirmed.contains(&rule.id)
                || (!rule.provable && expect.possible)
        };
        assert!(file.cases.iter().any(|case| proves(&case.expect)), "{}: no case in which it fires", rule.id);
        assert!(file.cases.iter().any(|case| case.expect.silent), "{}: no case in which it is silent", rule.id);
        assert!(file.cases.iter().any(|case| case.expect.possible), "{}: no case in which it stays open", rule.id);
    }
}

#[test]
fn every_case_file_belongs_to_a_rule() {
    let library = Library::load(&[]).unwrap();
    let others = scenario::names().filter(|name| !scenario::is_healthy(name) && library.get(name).is_none());
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn every_fix_says_how_to_verify_and_how_to_take_it_back() {
    let library = Library::load(&[]).unwrap();
    for rule in library.rules() {
        assert!(!rule.fixes.is_empty(), "{}: no fix", rule.id);
        assert!(rule.recognise.is_some(), "{}: not said how to recognise it by hand", rule.id);
        assert!(!rule.docs.is_empty(), "{}: no link", rule.id);
        for fix in &rule.fixes {
            let changes = !matches!(fix.changes, Changes::Nothing | Changes::Shell);
            let what = format!("{}, \"{}\"", rule.id, fix.title.source());
            assert!(!fix.verify.is_empty(), "{what}: not said how to verify it");
            assert!(
                !changes || !fix.undo.is_empty() || fix.warning.is_some(),
                "{what}: cannot be undone, without a warning"
            );
        }
    }
}

#[test]
fn rules_validate_against_their_schema() {
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join("rules/rule.schema.json")).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for rule in Library::load(&[]).unwrap().rules() {
        let document: serde_json::Value = serde_yaml::from_str(&rule.text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", rule.id);
    }
}

/// A rule that is well-formed, to be damaged.
const RULE: &str = "\
title: Something
explains: [unauthorized]
when:
  cluster.authenticationMode: API
because: |
  The cluster {{ cluster.name }} has it.
docs: https://docs.example/x
";

fn complaints(files: &[(&str, &str)]) -> String {
    let files: Vec<(String, String)> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    match Library::load(&files) {
        Ok(_) => String::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn a_rule_of_the_user_is_added_and_one_of_the_same_id_replaces() {
    let added = Library::load(&[("mapping/own.yaml".to_owned(), RULE.to_owned())]).unwrap();
    assert_eq!(added.rules().len(), Library::load(&[]).unwrap().rules().len() + 1);
    let replaced = Library::load(&[("mapping/none.yaml".to_owned(), RULE.to_owned())]).unwrap();
    assert_eq!(replaced.get("mapping/none").unwrap().title.source(), "Something");
}

#[test]
fn malformed_rules_are_refused_with_place_and_suggestion() {
    let damaged = |from: &str, to: &str| {
        assert!(RULE.contains(from));
        complaints(&[("mapping/own.yaml", &RULE.replace(from, to))])
    };
    insta::assert_snapshot!(
        [
            damaged("cluster.authenticationMode", "cluster.authenticatonMode"),
            damaged("cluster.authenticationMode: API", "credentials.problem: expried"),
            damaged("cluster.authenticationMode: API", "credentials.accepted: maybe"),
            damaged("cluster.authenticationMode: API", "mapping.nearMisses.reason: role-path"),
            damaged("cluster.authenticationMode: API", "it.reason: role-path"),
            damaged("{{ cluster.name }}", "{{ cluster.nmae }}"),
            damaged("{{ cluster.name }}", "{{ cluster.name | uper }}"),
            damaged("{{ cluster.name }}", "{{ cluster.name"),
            damaged(
                "docs: https",
                "fix: [{title: x, actor: you, changes: nothing, run: \"x '{{ cluster.name }}'\"}]\ndocs: https"
            ),
            damaged("docs: https", "fix: [{title: x, actor: me, changes: nothing, run: x}]\ndocs: https"),
            damaged("docs: https", "refines: mapping/nnoe\ndocs: https"),
            damaged("docs: https", "recipes: grant-acess-entry\ndocs: https"),
            damaged("docs: https", "each: cluster.name\ndocs: https"),
            damaged("docs: https", "wieght: 3\ndocs: https"),
            damaged("docs: https", "weight: -3\ndocs: https"),
            damaged("[unauthorized]", "[unauthorised]"),
            damaged("[unauthorized]", "[]"),
            damaged("https://docs.example/x", "docs.example/x"),
            complaints(&[("maping/own.yaml", RULE)]),
            complaints(&[("mapping/own.yaml", RULE), ("mapping/own.yml", RULE)]),
            complaints(&[("mapping/own.yaml", "")]),
        ]
        .join("\n")
    );
}

/// The program takes the templates of its own rules as they are; here they are checked as those of users are.
#[test]
fn the_rules_of_the_program_are_well_formed() {
    let files = Library::embedded_files();
    let library = Library::load(&files).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    });
    assert!(!library.rules().is_empty() && files.len() > library.rules().len(), "rules and recipes");
    // What is embedded as JSON is what the YAML says.
    let embedded = Library::load(&[]).unwrap();
    for (embedded, written) in embedded.rules().iter().zip(library.rules()) {
        assert_eq!(format!("{embedded:#?}"), format!("{written:#?}"));
    }
    assert_eq!(embedded.rules().len(), library.rules().len());
}

/// Folders of rules and fixtures hold nothing that the program does not know.
#[test]
fn no_file_is_forgotten() {
    let known: BTreeSet<String> = Library::load(&[]).unwrap().rules().iter().map(|rule| rule.id.clone()).collect();
    for stage in
        fs::read_dir(root().join("rules")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let stage_name = stage.file_name().unwrap().to_string_lossy().into_owned();
        for file in fs::read_dir(&stage).unwrap().map(|entry| entry.unwrap().path()) {
            let cause = file.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(stage_name == "recipes" || known.contains(&format!("{stage_name}/{cause}")), "{}", file.display());
        }
    }
}
