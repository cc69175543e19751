//! Authentication: every vector in `fixtures/conformance/identity` is an answer of the real aws-iam-authenticator.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use eks_doctor::facts::arn::{PrincipalType, RawArn, arn_like, strip_path};
use eks_doctor::facts::aws_auth::{AwsAuth, Entry, EntryPrincipal, ParseErrorKind, SsoMatcher};
use serde::Deserialize;
use serde::de::DeserializeOwned;

macro_rules! fixture {
    ($name:literal) => {
        vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/conformance/identity/", $name, ".json")))
    };
}

mod mappings;
mod properties;
mod tokens;

#[derive(Deserialize)]
struct File<T> {
    vectors: Vec<T>,
}

fn vectors<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str::<File<T>>(text).unwrap().vectors
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalVector {
    arn: String,
    why: String,
    canonical: Option<String>,
    principal_type: Option<String>,
    error: Option<String>,
}

#[test]
fn canonical_arns() {
    let vectors: Vec<CanonicalVector> = fixture!("canonicalize");
    assert_eq!(vectors.len(), 51);
    for vector in vectors {
        match RawArn::new(&vector.arn).canonicalize() {
            Ok((arn, principal_type)) => {
                assert_eq!(Some(arn.as_str()), vector.canonical.as_deref(), "{}", vector.why);
                let name = match principal_type {
                    PrincipalType::Role => "role",
                    PrincipalType::User => "user",
                    PrincipalType::Root => "root",
                    PrincipalType::FederatedUser => "federated-user",
                    PrincipalType::AssumedRole => "assumed-role",
                };
                assert_eq!(Some(name), vector.principal_type.as_deref(), "{}", vector.why);
            }
            Err(error) => assert_eq!(Some(error.to_string()), vector.error, "{}", vector.why),
        }
    }
}

#[derive(Deserialize)]
struct StripVector {
    arn: String,
    why: String,
    stripped: Option<String>,
}

#[test]
fn stripped_paths() {
    let vectors: Vec<StripVector> = fixture!("strip-path");
    assert_eq!(vectors.len(), 10);
    for vector in vectors {
        assert_eq!(strip_path(&vector.arn).ok(), vector.stripped, "{}", vector.why);
    }
}

#[derive(Deserialize)]
struct LikeVector {
    arn: String,
    pattern: String,
    r#match: bool,
    why: String,
}

#[test]
fn arn_patterns() {
    let vectors: Vec<LikeVector> = fixture!("arn-like");
    assert_eq!(vectors.len(), 10);
    for vector in vectors {
        assert_eq!(arn_like(&vector.arn, &vector.pattern), vector.r#match, "{}", vector.why);
    }
}

#[derive(Deserialize)]
struct AwsAuthVector {
    name: String,
    data: BTreeMap<String, String>,
    roles: Vec<ExpectedEntry>,
    users: Vec<ExpectedEntry>,
    accounts: Vec<String>,
    errors: Vec<ExpectedError>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct ExpectedEntry {
    arn: Option<String>,
    sso: Option<ExpectedSso>,
    username: String,
    groups: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct ExpectedSso {
    #[serde(rename = "permissionSetName")]
    permission_set_name: String,
    #[serde(rename = "accountID")]
    account_id: String,
    #[serde(default)]
    partition: String,
}

#[derive(Debug, PartialEq, Deserialize)]
struct ExpectedError {
    section: String,
    kind: String,
    message: String,
}

#[test]
fn aws_auth() {
    let vectors: Vec<AwsAuthVector> = fixture!("aws-auth");
    assert_eq!(vectors.len(), 76);
    for vector in vectors {
        let read = AwsAuth::parse(&vector.data);
        let entries = |entries: &[Entry]| entries.iter().map(expected_entry).collect::<Vec<_>>();
        assert_eq!(entries(&read.roles), vector.roles, "{}", vector.name);
        assert_eq!(entries(&read.users), vector.users, "{}", vector.name);
        let accounts: Vec<_> = read.accounts.into_iter().map(|account| account.id).collect();
        assert_eq!(accounts, vector.accounts, "{}", vector.name);
        let errors: Vec<_> = read.errors.iter().map(|error| (error.section.key(), name_of(error.kind))).collect();
        let expected: Vec<_> =
            vector.errors.iter().map(|error| (error.section.as_str(), error.kind.as_str())).collect();
        assert_eq!(errors, expected, "{}", vector.name);
        for (error, expected) in read.errors.iter().zip(&vector.errors) {
            if error.kind != ParseErrorKind::Yaml {
                assert_eq!(error.message, expected.message, "{}", vector.name);
            }
        }
    }
}

fn expected_entry(entry: &Entry) -> ExpectedEntry {
    let (arn, sso) = match &entry.principal {
        EntryPrincipal::Arn { arn, .. } => (Some(arn.clone()), None),
        EntryPrincipal::Sso(SsoMatcher { permission_set_name, account_id, partition }) => {
            let (permission_set_name, account_id) = (permission_set_name.clone(), account_id.clone());
            (None, Some(ExpectedSso { permission_set_name, account_id, partition: partition.clone() }))
        }
    };
    ExpectedEntry { arn, sso, username: entry.username.clone(), groups: entry.groups.clone() }
}

fn name_of(kind: ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::Yaml => "yaml",
        ParseErrorKind::Json => "json",
        ParseErrorKind::Type => "type",
        ParseErrorKind::Validation => "validation",
    }
}
