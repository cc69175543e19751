//! Who EKS thinks you are: the model against the real aws-iam-authenticator, on random questions.

use serde_json::Value;

use crate::vectors::{AnyVector, Vector};
use crate::{oracle, questions};

fn generated() -> Vec<Value> {
    [questions::logins(15000, 101), questions::arns(10, 102), questions::tokens(10, 103)].concat()
}

/// The questions with the real answers.
fn answered(questions: Vec<Value>) -> Vec<Value> {
    let answers = match oracle::ask("identity", &questions) {
        Ok(answers) => answers,
        Err(why) => panic!("{why}"),
    };
    questions.into_iter().zip(answers).map(|(question, answer)| merged(question, answer)).collect()
}

fn merged(mut question: Value, answer: Value) -> Value {
    if let (Some(fields), Value::Object(answer)) = (question.as_object_mut(), answer) {
        fields.extend(answer);
    }
    question
}

/// The ids of the questions where model and reality differ, with the difference.
fn differences(vectors: &[Value]) -> Vec<(String, String)> {
    let difference = |vector: &Value| {
        let id = vector["id"].as_str().unwrap_or_default().to_owned();
        match serde_json::from_value::<AnyVector>(vector.clone()) {
            Ok(vector) => vector.difference().map(|difference| (id, difference)),
            Err(error) => Some((id, format!("{error}: {vector}"))),
        }
    };
    vectors.iter().filter_map(difference).collect()
}

#[test]
#[ignore = "needs Go"]
fn live() {
    let vectors = answered(generated());
    let differences = differences(&vectors);
    let mut text = String::new();
    for (id, difference) in &differences {
        let v = vectors.iter().find(|v| v["id"] == **id).unwrap();
        text += &serde_json::json!({"id": id, "vector": v, "difference": difference}).to_string();
        text += "\n";
    }
    #[expect(clippy::disallowed_methods, reason = "probe")]
    std::fs::write(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("differences.jsonl"), text).unwrap();
    println!("{} questions, {} differences", vectors.len(), differences.len());
}
