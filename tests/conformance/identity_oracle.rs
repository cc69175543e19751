//! Who EKS thinks you are: the model against the real aws-iam-authenticator.

use crate::{oracle, questions};

#[test]
#[ignore = "needs Go"]
fn probe() {
    let mut all = questions::logins(5000, 1);
    all.extend(questions::arns(2000, 2));
    all.extend(questions::tokens(1000, 3));
    let answers = oracle::ask("identity", &all).unwrap();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe.jsonl");
    let mut text = String::new();
    for (q, a) in all.iter().zip(&answers) {
        text += &serde_json::json!({"question": q, "answer": a}).to_string();
        text += "\n";
    }
    #[expect(clippy::disallowed_methods, reason = "probe")]
    std::fs::write(path, text).unwrap();
}
