//! Vectors: a question about authentication together with the real answer, and whether the model gives the same. They
//! stand in `fixtures/conformance/identity`, and the oracle's answers have the same shape.

use std::collections::BTreeMap;

use eks_doctor::facts::arn::{PrincipalType, RawArn, arn_like, strip_path};
use eks_doctor::facts::aws_auth::{AwsAuth, Entry, EntryPrincipal, ParseErrorKind, SsoMatcher};
use serde::Deserialize;

mod mapping;
mod token;

pub(crate) use mapping::{MappingVector, expected};
pub(crate) use token::{TokenVector, token_of};

/// A question and its answer.
pub(crate) trait Vector {
    /// What it is about.
    fn why(&self) -> &str;

    /// How the model's answer differs from the real one.
    fn difference(&self) -> Option<String>;
}

fn compare<T: PartialEq + std::fmt::Debug>(model: &T, real: &T) -> Option<String> {
    (model != real).then(|| format!("the model: {model:?}\n the real: {real:?}"))
}

/// A vector of any kind.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum AnyVector {
    Canonicalize(CanonicalVector),
    StripPath(StripVector),
    ArnLike(LikeVector),
    AwsAuth(AwsAuthVector),
    Mapping(MappingVector),
    Token(TokenVector),
}

impl AnyVector {
    fn inner(&self) -> &dyn Vector {
        match self {
            Self::Canonicalize(vector) => vector,
            Self::StripPath(vector) => vector,
            Self::ArnLike(vector) => vector,
            Self::AwsAuth(vector) => vector,
            Self::Mapping(vector) => vector,
            Self::Token(vector) => vector,
        }
    }
}

impl Vector for AnyVector {
    fn why(&self) -> &str {
        self.inner().why()
    }

    fn difference(&self) -> Option<String> {
        self.inner().difference()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CanonicalVector {
    arn: String,
    #[serde(default)]
    why: String,
    canonical: Option<String>,
    principal_type: Option<String>,
    error: Option<String>,
}

impl Vector for CanonicalVector {
    fn why(&self) -> &str {
        &self.why
    }

    fn difference(&self) -> Option<String> {
        let model = match RawArn::new(&self.arn).canonicalize() {
            Ok((arn, principal_type)) => (Some(arn.to_string()), Some(name_of_type(principal_type).to_owned()), None),
            Err(error) => (None, None, Some(error.to_string())),
        };
        compare(&model, &(self.canonical.clone(), self.principal_type.clone(), self.error.clone()))
    }
}

fn name_of_type(principal_type: PrincipalType) -> &'static str {
    match principal_type {
        PrincipalType::Role => "role",
        PrincipalType::User => "user",
        PrincipalType::Root => "root",
        PrincipalType::FederatedUser => "federated-user",
        PrincipalType::AssumedRole => "assumed-role",
    }
}

#[derive(Deserialize)]
pub(crate) struct StripVector {
    arn: String,
    #[serde(default)]
    why: String,
    stripped: Option<String>,
}

impl Vector for StripVector {
    fn why(&self) -> &str {
        &self.why
    }

    fn difference(&self) -> Option<String> {
        compare(&strip_path(&self.arn).ok(), &self.stripped)
    }
}

#[derive(Deserialize)]
pub(crate) struct LikeVector {
    arn: String,
    pattern: String,
    r#match: bool,
    #[serde(default)]
    why: String,
}

impl Vector for LikeVector {
    fn why(&self) -> &str {
        &self.why
    }

    fn difference(&self) -> Option<String> {
        compare(&arn_like(&self.arn, &self.pattern), &self.r#match)
    }
}

#[derive(Deserialize)]
pub(crate) struct AwsAuthVector {
    #[serde(default)]
    why: String,
    data: BTreeMap<String, String>,
    roles: Vec<ExpectedEntry>,
    users: Vec<ExpectedEntry>,
    accounts: Vec<String>,
    errors: Vec<ExpectedError>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct ExpectedEntry {
    arn: Option<String>,
    sso: Option<ExpectedSso>,
    username: String,
    groups: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct ExpectedSso {
    #[serde(rename = "permissionSetName")]
    permission_set_name: String,
    #[serde(rename = "accountID")]
    account_id: String,
    #[serde(default)]
    partition: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct ExpectedError {
    section: String,
    kind: String,
    message: String,
}

impl Vector for AwsAuthVector {
    fn why(&self) -> &str {
        &self.why
    }

    fn difference(&self) -> Option<String> {
        let read = AwsAuth::parse(&self.data);
        let entries = |entries: &[Entry]| entries.iter().map(expected_entry).collect::<Vec<_>>();
        let accounts: Vec<_> = read.accounts.iter().map(|account| account.id.clone()).collect();
        let errors = read.errors.iter().map(|error| {
            let section = error.section.key().to_owned();
            ExpectedError { section, kind: name_of_kind(error.kind).to_owned(), message: error.message.clone() }
        });
        compare(
            &(entries(&read.roles), entries(&read.users), accounts, errors.map(worded).collect::<Vec<_>>()),
            &(
                self.roles.clone(),
                self.users.clone(),
                self.accounts.clone(),
                self.errors.iter().cloned().map(worded).collect(),
            ),
        )
    }
}

/// The words of YAML errors are those of the parser.
fn worded(mut error: ExpectedError) -> ExpectedError {
    if error.kind == "yaml" {
        error.message.clear();
    }
    error
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

fn name_of_kind(kind: ParseErrorKind) -> &'static str {
    match kind {
        ParseErrorKind::Yaml => "yaml",
        ParseErrorKind::Json => "json",
        ParseErrorKind::Type => "type",
        ParseErrorKind::Validation => "validation",
    }
}
