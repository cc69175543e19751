//! Authentication: every vector in `fixtures/conformance/identity` is an answer of the real aws-iam-authenticator.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use base64::Engine;
use eks_doctor::facts::arn::{Partition, PrincipalArn, PrincipalType, RawArn, arn_like, strip_path};
use eks_doctor::facts::aws_auth::{Account, AwsAuth, Entry, EntryPrincipal, ParseErrorKind, Place, SsoMatcher};
use eks_doctor::facts::identity_mapping::{
    AccessEntry, Backend, Denial, Identity, IdentityMapping, Mapped, Outcome, Seen, Store, StoreName, Verdict, map,
};
use eks_doctor::facts::token::{
    Rejection, RejectionKind, Server, StsIdentity, examine, identify, interpret_sts_answer,
};
use eks_doctor::facts::username::Rendered;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

mod properties;

#[derive(Deserialize)]
struct File<T> {
    vectors: Vec<T>,
}

fn vectors<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str::<File<T>>(text).unwrap().vectors
}

macro_rules! fixture {
    ($name:literal) => {
        vectors(include_str!(concat!("../../fixtures/conformance/identity/", $name, ".json")))
    };
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenVector {
    name: String,
    partition: String,
    url: Option<String>,
    token: Option<String>,
    pad_to: Option<usize>,
    #[serde(default)]
    date_offset_seconds: i64,
    server_region: Option<String>,
    sts_status: Option<u16>,
    sts_body: Option<String>,
    sent_to_sts: bool,
    expect: ExpectedToken,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
enum ExpectedToken {
    #[serde(rename_all = "camelCase")]
    Rejected { rejected: String, message: String },
    #[serde(rename_all = "camelCase")]
    Accepted { canonical_arn: String, unique_id: String, session_name: String, access_key_id: String, sts_host: String },
}

const ALICE: &str = r#"{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "111122223333",
    "Arn": "arn:aws:iam::111122223333:user/alice", "UserId": "AIDAEXAMPLE"}}}"#;

#[test]
fn tokens() {
    let vectors: Vec<TokenVector> = fixture!("tokens");
    assert_eq!(vectors.len(), 53);
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    for vector in vectors {
        let signed_at = now + SignedDuration::from_secs(vector.date_offset_seconds);
        let server = Server {
            partition: Partition::from_id(&vector.partition).unwrap(),
            region: vector.server_region.clone().unwrap_or_else(|| "us-west-2".to_owned()),
        };
        let examined = examine(&vector.whole_token(signed_at), &server, now);
        assert_eq!(examined.outcome.is_ok(), vector.sent_to_sts, "{}", vector.name);
        let outcome = examined.outcome.and_then(|request| {
            let body = vector.sts_body.as_deref().unwrap_or(ALICE);
            let StsIdentity { canonical_arn, unique_id, session_name, .. } =
                interpret_sts_answer(&request, vector.sts_status.unwrap_or(200), body)?;
            let canonical_arn = canonical_arn.to_string();
            let (access_key_id, sts_host) = (request.access_key_id, request.host);
            Ok(ExpectedToken::Accepted { canonical_arn, unique_id, session_name, access_key_id, sts_host })
        });
        let time = signed_at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
        assert_eq!(outcome.unwrap_or_else(rejected), vector.expect.with_time(&time), "{}", vector.name);
    }
}

impl TokenVector {
    fn whole_token(&self, signed_at: Timestamp) -> String {
        let date = signed_at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut token = self.token.clone().unwrap_or_else(|| {
            let url = self.url.clone().unwrap_or_default().replace("<DATE>", &date);
            format!("k8s-aws-v1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(url))
        });
        token.extend(std::iter::repeat_n('A', self.pad_to.unwrap_or(0).saturating_sub(token.len())));
        token
    }
}

impl ExpectedToken {
    fn with_time(self, time: &str) -> Self {
        match self {
            Self::Rejected { rejected, message } => {
                Self::Rejected { rejected, message: message.replace("<TIME>", time) }
            }
            accepted @ Self::Accepted { .. } => accepted,
        }
    }
}

fn rejected(rejection: Rejection) -> ExpectedToken {
    let kind = match rejection.kind {
        RejectionKind::Format => "format",
        RejectionKind::Sts => "sts",
        RejectionKind::Throttled => "throttled",
    };
    ExpectedToken::Rejected { rejected: kind.to_owned(), message: rejection.to_string() }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MappingVector {
    name: String,
    backends: Vec<String>,
    #[serde(default)]
    aws_auth: BTreeMap<String, String>,
    #[serde(default)]
    dynamic_file: Mappings,
    #[serde(default)]
    mounted_file: Mappings,
    #[serde(default)]
    user_id_strict: bool,
    #[serde(default)]
    sso_role_match: bool,
    #[serde(default)]
    reserved_prefixes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    private_dns_names: BTreeMap<String, String>,
    identity: StsAnswer,
    expect: Expected,
}

/// The file of the backends that read one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Mappings {
    map_roles: Vec<FileEntry>,
    map_users: Vec<FileEntry>,
    map_accounts: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileEntry {
    #[serde(alias = "rolearn", alias = "userarn")]
    arn: String,
    #[serde(rename = "userid")]
    unique_id: String,
    username: String,
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StsAnswer {
    arn: String,
    unique_id: String,
    session_name: String,
    account: String,
    access_key_id: Option<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
enum Expected {
    #[serde(rename_all = "camelCase")]
    AnyOf {
        any_of: Vec<Expected>,
    },
    Denied {
        denied: String,
        message: String,
    },
    Mapped {
        username: String,
        groups: Vec<String>,
    },
}

#[test]
fn mappings() {
    let vectors: Vec<MappingVector> = fixture!("mapping");
    assert_eq!(vectors.len(), 78);
    for vector in vectors {
        assert_eq!(vector.outcome(), vector.expect, "{}", vector.name);
    }
}

impl MappingVector {
    fn outcome(&self) -> Expected {
        let StsAnswer { arn, unique_id, session_name, account, access_key_id } = &self.identity;
        let user_id = if session_name.is_empty() { unique_id.clone() } else { format!("{unique_id}:{session_name}") };
        let mapping = match identify(arn, &user_id, account) {
            Err(rejection) => IdentityMapping::from(rejection),
            Ok(identity) => {
                let private_dns_name = Some(self.private_dns_names.get(session_name).cloned());
                let access_key_id = access_key_id.clone();
                self.map(&Identity { access_key_id, private_dns_name, ..Identity::from(identity) })
            }
        };
        match mapping.outcome {
            Outcome::Always(verdict) => expected(verdict),
            Outcome::AnyOf(verdicts) => {
                let mut any_of: Vec<_> = verdicts.into_iter().map(expected).collect();
                any_of.sort();
                Expected::AnyOf { any_of }
            }
            Outcome::Unknown(reasons) => panic!("{}: {reasons:?}", self.name),
        }
    }

    fn map(&self, identity: &Identity) -> IdentityMapping {
        let stores: Vec<_> = self.backends.iter().map(|backend| (backend.as_str(), self.store(backend))).collect();
        let prefixes: Vec<Vec<&str>> = stores.iter().map(|(backend, _)| self.prefixes(backend)).collect();
        let chain: Vec<Backend<'_>> = stores
            .iter()
            .zip(&prefixes)
            .map(|((backend, store), reserved_prefixes)| {
                let name = if *backend == "DynamicFile" { StoreName::AccessEntry } else { StoreName::AwsAuth };
                Backend { name, store: Seen::Known(store), reserved_prefixes }
            })
            .collect();
        map(identity, &chain)
    }

    fn prefixes(&self, backend: &str) -> Vec<&str> {
        self.reserved_prefixes.get(backend).into_iter().flatten().map(String::as_str).collect()
    }

    fn store(&self, backend: &str) -> Store {
        match backend {
            "EKSConfigMap" => Store::by_arn(&AwsAuth::parse(&self.aws_auth), self.sso_role_match),
            "DynamicFile" if self.user_id_strict => self.dynamic_file.by_unique_id(),
            "DynamicFile" => Store::by_arn(&self.dynamic_file.canonical(), false),
            "MountedFile" => Store::by_arn(&self.mounted_file.canonical(), self.sso_role_match),
            _ => panic!("{}: {backend}", self.name),
        }
    }
}

impl Mappings {
    /// The file that EKS feeds with access entries. One entry without an id makes the server refuse all of it.
    fn by_unique_id(&self) -> Store {
        // Roles are searched first; in the store, the later entry with an id wins.
        let entries = || self.map_users.iter().chain(&self.map_roles);
        if entries().any(|entry| entry.unique_id.is_empty()) {
            return Store::default();
        }
        let entries = entries().map(|entry| AccessEntry {
            principal_arn: PrincipalArn::new(&entry.arn),
            unique_id: Some(entry.unique_id.clone()),
            entry_type: None,
            username: Some(entry.username.clone()),
            groups: Some(entry.groups.clone()),
            created_at: None,
        });
        Store::access_entries(entries).with_accounts(self.map_accounts.iter().cloned())
    }

    /// Files that go by ARN have it canonicalised, unlike aws-auth.
    fn canonical(&self) -> AwsAuth {
        let place = Place { line: 1, column: 1 };
        let entries = |entries: &[FileEntry]| {
            let entries = entries.iter().map(|entry| {
                let canonical = RawArn::new(entry.arn.to_lowercase()).canonicalize();
                let arn = canonical.map_or(String::new(), |(arn, _)| arn.to_string());
                let groups = Some(entry.groups.clone());
                let principal = EntryPrincipal::Arn { arn, place };
                Entry { place, principal, username: entry.username.clone(), groups }
            });
            entries.collect()
        };
        let accounts = self.map_accounts.iter().map(|id| Account { id: id.clone(), place });
        AwsAuth {
            roles: entries(&self.map_roles),
            users: entries(&self.map_users),
            accounts: accounts.collect(),
            ..AwsAuth::default()
        }
    }
}

fn expected(verdict: Verdict) -> Expected {
    match verdict {
        Verdict::Mapped(Mapped { username, groups, .. }) => Expected::Mapped {
            username: known(username.unwrap()),
            groups: groups.unwrap().into_iter().map(known).collect(),
        },
        Verdict::Denied(Denial { kind, message, .. }) => {
            let denied = serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
            Expected::Denied { denied, message }
        }
    }
}

fn known(rendered: Rendered) -> String {
    rendered.known().unwrap().to_owned()
}
