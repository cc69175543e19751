//! Questions for the real authenticator and for the model: random, the same on every machine, and biased towards what
//! people get wrong.

mod arns;
mod aws_auth;
mod logins;
mod principals;
mod random;
mod texts;
mod tokens;
mod yaml_text;

use std::collections::BTreeSet;

use random::Random;
use serde_json::{Value, json};

/// Who a login becomes, and what the aws-auth ConfigMap of that login means by itself.
pub(crate) fn logins(count: usize, seed: u64) -> Vec<Value> {
    let random = &mut Random::new(seed);
    let mut seen = BTreeSet::new();
    let mut questions = Vec::new();
    for _ in 0..count {
        let login = logins::login(random);
        if let Some(data) = login.get("awsAuth").filter(|data| seen.insert(data.to_string())) {
            questions.push(json!({ "kind": "aws-auth", "data": data }));
        }
        questions.push(login);
    }
    numbered("login", questions)
}

/// What an ARN is.
pub(crate) fn arns(count: usize, seed: u64) -> Vec<Value> {
    let random = &mut Random::new(seed);
    numbered("arn", (0..count).map(|_| arns::question(random)).collect())
}

/// What a server says of a token.
pub(crate) fn tokens(count: usize, seed: u64) -> Vec<Value> {
    let random = &mut Random::new(seed);
    numbered("token", (0..count).map(|_| tokens::question(random)).collect())
}

fn numbered(set: &str, mut questions: Vec<Value>) -> Vec<Value> {
    for (number, question) in questions.iter_mut().enumerate() {
        question["id"] = format!("{set}-{number}").into();
    }
    questions
}
