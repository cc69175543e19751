//! Who EKS thinks you are: the model against the real aws-iam-authenticator.

use serde_json::Value;

use crate::{model, oracle, questions};

/// The real answer, without what the model does not claim to know: the wording of YAML errors, and of impossible
/// patterns.
fn comparable(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("id");
        if fields.contains_key("match") {
            fields.remove("error");
        }
    }
    for error in answer.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        if error["kind"] == "yaml" {
            error.as_object_mut().map(|fields| fields.remove("upstream"));
        }
    }
    answer
}

#[test]
#[ignore = "needs Go"]
fn probe() {
    let mut all = questions::logins(20000, 77);
    all.extend(questions::arns(2000, 2));
    all.extend(questions::tokens(1000, 3));
    all.retain(|q| ["canonicalize", "strip_path", "arnlike", "configmap"].contains(&q["kind"].as_str().unwrap()));
    let answers = oracle::ask("identity", &all).unwrap();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("differences.jsonl");
    let mut text = String::new();
    let mut differences = 0;
    for (q, a) in all.iter().zip(&answers) {
        let m = model::answer(q);
        let mut n = m.clone();
        for e in n.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
            e.as_object_mut().map(|f| {
                f.remove("ours");
                f.remove("place")
            });
        }
        if comparable(a) != n {
            differences += 1;
            text += &serde_json::json!({"question": q, "answer": a, "model": m}).to_string();
            text += "\n";
        }
    }
    #[expect(clippy::disallowed_methods, reason = "probe")]
    std::fs::write(path, text).unwrap();
    println!("{} questions, {differences} differences", all.len());
}
