//! Vectors about logins: who an identity becomes in the stores of a server.

use std::collections::BTreeMap;

use eks_doctor::facts::arn::{PrincipalArn, RawArn};
use eks_doctor::facts::aws_auth::{Account, AwsAuth, Entry, EntryPrincipal, Place};
use eks_doctor::facts::identity_mapping::{
    AccessEntry, Backend, Denial, Identity, IdentityMapping, Mapped, Outcome, Seen, Store, StoreName, Verdict, map,
};
use eks_doctor::facts::token::identify;
use eks_doctor::facts::username::Rendered;
use serde::Deserialize;

use super::{Vector, compare};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MappingVector {
    #[serde(default)]
    why: String,
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

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
pub(crate) enum Expected {
    #[serde(rename_all = "camelCase")]
    AnyOf {
        any_of: Vec<Self>,
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

impl Vector for MappingVector {
    fn why(&self) -> &str {
        &self.why
    }

    fn difference(&self) -> Option<String> {
        let mut real = self.expect.clone();
        if let Expected::AnyOf { any_of } = &mut real {
            any_of.sort();
        }
        compare(&self.outcome(), &real)
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
                let access_key_id = Some(access_key_id.clone().unwrap_or_default());
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
            Outcome::Unknown(reasons) => Expected::Denied { denied: "unknown".to_owned(), message: reasons.join("; ") },
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
            "DynamicFile" => self.dynamic_file.by_arn(),
            "MountedFile" => Store::by_arn(&self.mounted_file.canonical(), self.sso_role_match),
            _ => panic!("{}: {backend}", self.why),
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

    /// The same file where the server goes by ARN.
    fn by_arn(&self) -> Store {
        if self.map_users.iter().chain(&self.map_roles).any(|entry| entry.arn.is_empty()) {
            return Store::default();
        }
        Store::by_arn(&self.canonical(), false)
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
                Entry { place, principal, username: entry.username.clone(), groups, has_odd_key: false }
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

/// A verdict as vectors spell it.
pub(crate) fn expected(verdict: Verdict) -> Expected {
    match verdict {
        Verdict::Mapped(Mapped { username, groups, .. }) => Expected::Mapped {
            username: username.map(known).expect("a user name"),
            groups: groups.expect("groups").into_iter().map(known).collect(),
        },
        Verdict::Denied(Denial { kind, message, .. }) => {
            let denied = serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
            Expected::Denied { denied: denied.expect("a kind"), message }
        }
    }
}

fn known(rendered: Rendered) -> String {
    rendered.known().expect("everything is known").to_owned()
}
