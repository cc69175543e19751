//! The grammar of `--action` against `kubectl auth can-i`.
//!
//! `fixtures/conformance/authorization/can-i.jsonl` holds words and what kubectl 1.33 asked a server about, which serves
//! the discovery documents of Kubernetes 1.33 and nothing else; the context has no namespace. `ours` stands where the
//! action is read on purpose as the API server would see the request itself.

#![expect(clippy::disallowed_methods, reason = "a test reads files")]

use eks_doctor::evidence::Action;
use eks_doctor::facts::action::{display, parse};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    words: String,
    asked: Action,
    ours: Option<Action>,
}

#[test]
fn actions_are_read_as_kubectl_reads_them() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/conformance/authorization/can-i.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    for line in text.lines() {
        let Case { words, asked, ours } = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let action = parse(&words).unwrap_or_else(|error| panic!("{words}: {error}")).in_namespace("default");
        assert_eq!(action, ours.unwrap_or(asked), "{words}");
        assert_eq!(parse(&display(&action)).unwrap().in_namespace("default"), action, "{words} and back");
    }
}
