//! The model's answers to the oracle's questions, in the oracle's shape.

use std::collections::BTreeMap;

use eks_doctor::facts::arn::{self, PrincipalType, RawArn};
use eks_doctor::facts::aws_auth::{AwsAuth, Entry, EntryPrincipal, ParseErrorKind};
use serde_json::{Value, json};

/// What the model answers. Messages of YAML syntax errors are left out: they are the parser's own.
pub(crate) fn answer(question: &Value) -> Value {
    let text = |key: &str| question[key].as_str().unwrap_or_default();
    match text("kind") {
        "canonicalize" => match RawArn::new(text("arn")).canonicalize() {
            Ok((canonical, kind)) => json!({ "ok": true, "canonical": canonical.as_str(), "type": type_name(kind) }),
            Err(error) => json!({ "ok": false, "canonical": null, "error": error.to_string() }),
        },
        "strip_path" => match arn::strip_path(text("arn")) {
            Ok(stripped) => json!({ "ok": true, "stripped": stripped }),
            Err(error) => json!({ "ok": false, "stripped": null, "error": error.to_string() }),
        },
        "arnlike" => json!({ "match": arn::arn_like(text("arn"), text("pattern")) }),
        "configmap" => config_map(&data(question)),
        kind => panic!("a question of kind {kind:?}"),
    }
}

fn type_name(kind: PrincipalType) -> &'static str {
    match kind {
        PrincipalType::Role => "ROLE",
        PrincipalType::User => "USER",
        PrincipalType::Root => "ROOT",
        PrincipalType::FederatedUser => "FEDERATED_USER",
        PrincipalType::AssumedRole => "ASSUMED_ROLE",
    }
}

fn data(question: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(question["data"].clone()).expect("data is a map of texts")
}

fn config_map(data: &BTreeMap<String, String>) -> Value {
    let read = AwsAuth::parse(data);
    let errors: Vec<Value> = read
        .errors
        .iter()
        .map(|error| match error.kind {
            ParseErrorKind::Yaml => json!({ "section": error.section.key(), "kind": error.kind, "ours": error.message, "place": error.place }),
            _ => json!({ "section": error.section.key(), "kind": error.kind, "upstream": error.message }),
        })
        .collect();
    json!({
        "roles": read.roles.iter().map(|entry| entry_as_json(entry, "rolearn")).collect::<Vec<_>>(),
        "users": read.users.iter().map(|entry| entry_as_json(entry, "userarn")).collect::<Vec<_>>(),
        "accounts": read.accounts.iter().map(|account| &account.id).collect::<Vec<_>>(),
        "errors": errors,
    })
}

fn entry_as_json(entry: &Entry, arn_key: &str) -> Value {
    let mut json = json!({ "username": entry.username, "groups": entry.groups });
    match &entry.principal {
        EntryPrincipal::Arn { arn, .. } => json[arn_key] = arn.as_str().into(),
        EntryPrincipal::Sso(sso) => {
            json["sso"] = json!({ "permissionSetName": sso.permission_set_name, "accountID": sso.account_id });
            if !sso.partition.is_empty() {
                json["sso"]["partition"] = sso.partition.as_str().into();
            }
        }
    }
    json
}
