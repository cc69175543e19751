//! Who EKS thinks you are: the model against the real aws-iam-authenticator, on random questions.
//!
//! The real answers to a part of the questions are frozen in `fixtures/conformance/identity/frozen.jsonl`, so that the
//! comparison needs no Go. The ignored tests ask the real authenticator:
//! `cargo test --test conformance -- --ignored identity_oracle`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::vectors::{AnyVector, TokenVector, Vector};
use crate::{oracle, questions};

const FROZEN: &str = include_str!("../../fixtures/conformance/identity/frozen.jsonl");

/// Every so many questions, the answer is frozen.
const FROZEN_EVERY: usize = 6;

fn generated() -> Vec<Value> {
    [questions::logins(5000, 1), questions::arns(2000, 2), questions::tokens(1000, 3)].concat()
}

/// The questions with the real answers, which make them vectors.
fn answered(questions: Vec<Value>) -> Vec<Value> {
    let answers = oracle::ask("identity", &questions).unwrap_or_else(|why| panic!("{why}"));
    questions.into_iter().zip(answers).map(|(question, answer)| merged(question, answer)).collect()
}

fn merged(mut question: Value, answer: Value) -> Value {
    if let (Some(fields), Value::Object(answer)) = (question.as_object_mut(), answer) {
        fields.extend(answer);
    }
    question
}

/// What differs, by the id of the question.
fn differences(vectors: &[Value]) -> BTreeMap<String, String> {
    let difference = |vector: &Value| {
        let id = vector["id"].as_str().unwrap_or_default().to_owned();
        match serde_json::from_value::<AnyVector>(vector.clone()) {
            Ok(vector) => Some((id, vector.difference()?)),
            Err(error) => Some((id, format!("{error}: {vector}"))),
        }
    };
    vectors.iter().filter_map(difference).collect()
}

fn assert_equal(vectors: &[Value]) {
    let differences = differences(vectors);
    let list: Vec<String> = differences.iter().map(|(id, difference)| format!("{id}\n {difference}")).collect();
    assert!(list.is_empty(), "{} of {} answers differ:\n{}", list.len(), vectors.len(), list.join("\n"));
}

#[test]
fn frozen_answers() {
    let vectors: Vec<Value> = FROZEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(vectors.len() > 1500);
    assert_equal(&vectors);
}

#[test]
#[ignore = "needs Go"]
fn live_answers() {
    let vectors = answered(generated());
    println!("{} questions asked", vectors.len());
    assert_equal(&vectors);
}

/// With `EKS_DOCTOR_FREEZE=1` it writes the file anew.
#[test]
#[ignore = "needs Go"]
fn frozen_answers_are_those_of_the_real_authenticator() {
    let questions = generated().into_iter().step_by(FROZEN_EVERY).collect();
    let lines: String = answered(questions).iter().map(|vector| format!("{vector}\n")).collect();
    #[expect(clippy::disallowed_methods, reason = "a test that writes a fixture on request")]
    if std::env::var_os("EKS_DOCTOR_FREEZE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/conformance/identity/frozen.jsonl");
        std::fs::write(path, lines).unwrap();
        return;
    }
    assert!(lines == FROZEN, "run it again with EKS_DOCTOR_FREEZE=1 to write the file anew");
}

/// The vectors were taken from another build of the authenticator: this one must agree with every one of them.
#[test]
#[ignore = "needs Go"]
fn the_real_authenticator_gives_the_answers_of_all_vectors() {
    for (kind, text) in [
        ("canonicalize", include_str!("../../fixtures/conformance/identity/canonicalize.json")),
        ("strip-path", include_str!("../../fixtures/conformance/identity/strip-path.json")),
        ("arn-like", include_str!("../../fixtures/conformance/identity/arn-like.json")),
        ("aws-auth", include_str!("../../fixtures/conformance/identity/aws-auth.json")),
        ("mapping", include_str!("../../fixtures/conformance/identity/mapping.json")),
        ("token", include_str!("../../fixtures/conformance/identity/tokens.json")),
    ] {
        let mut file: Value = serde_json::from_str(text).unwrap();
        let vectors: Vec<Value> = serde_json::from_value(file["vectors"].take()).unwrap();
        let questions = vectors.iter().map(|vector| question(kind, vector.clone())).collect();
        for (vector, answered) in vectors.iter().zip(answered(questions)) {
            let expected = expected(kind, vector, &answered);
            assert_eq!(answered, merged(answered.clone(), expected), "{}", vector["why"]);
        }
    }
}

fn question(kind: &str, mut vector: Value) -> Value {
    vector["kind"] = kind.into();
    if kind == "token" {
        let token: TokenVector = serde_json::from_value(vector.clone()).unwrap();
        vector["token"] = token.token().into();
        vector["now"] = token.now().to_string().into();
        vector["serverRegion"] = "us-west-2".into();
    }
    vector
}

/// The vector as the oracle spells it. Its token may have a time for a placeholder, or one of several random answers.
fn expected(kind: &str, vector: &Value, answered: &Value) -> Value {
    let mut expected = vector.clone();
    if kind == "token" {
        let token: TokenVector = serde_json::from_value(vector.clone()).unwrap();
        if let Some(message) = expected["expect"]["message"].as_str() {
            expected["expect"]["message"] = token.with_time(message).into();
        }
        if answered["expect"]["anyOf"].as_array().is_some_and(|any_of| any_of.contains(&expected["expect"])) {
            expected["expect"] = answered["expect"].clone();
        }
    }
    if let Some(any_of) = expected["expect"]["anyOf"].as_array() {
        let mut any_of = any_of.clone();
        any_of.sort_by_key(Value::to_string);
        expected["expect"] = json!({ "anyOf": any_of });
    }
    expected
}
