//! A store of mappings, indexed by what the authenticator looks for: the canonical ARN, or the unique id of a principal.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::super::arn::{ArnKind, CanonicalArn, PrincipalArn, arn_like, strip_path};
use super::super::aws_auth::{
    ArnFlaw, AwsAuth, Entry, EntryPrincipal, LossReason, LostEntry, Place, Section, SsoMatcher, without_noise,
};
use super::super::go_text;
use super::{Identity, UniqueIdMatch};

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreName {
    /// Access entries.
    AccessEntry,
    /// The aws-auth ConfigMap.
    AwsAuth,
    /// The hidden mapping of the cluster's creator.
    Creator,
}

/// An access entry, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// Its principal, with path. Empty for an entry that goes by unique id alone, which EKS never makes.
    pub principal_arn: PrincipalArn,
    /// The unique id that EKS compares. No EKS call shows it.
    pub unique_id: Option<String>,
    /// `STANDARD`, `EC2_LINUX`, …
    pub entry_type: Option<String>,
    /// Template of the user name.
    pub username: Option<String>,
    /// Kubernetes groups.
    pub groups: Option<Vec<String>>,
    /// When the entry was created.
    pub created_at: Option<Timestamp>,
}

/// Where a mapping stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryRef {
    /// In aws-auth: key of the ConfigMap's data as written, and the place in that text.
    AwsAuth {
        /// `mapRoles`, …
        section: String,
        /// Where the ARN stands.
        place: Place,
        /// Where the entry begins, for those that are kept.
        entry: Option<Place>,
    },
    /// An access entry, by its principal.
    AccessEntry {
        /// Its principal.
        principal_arn: PrincipalArn,
    },
    /// The hidden mapping of the creator.
    Creator,
}

/// A store of mappings.
#[derive(Debug, Clone, Default)]
pub struct Store {
    pub(super) records: Vec<Record>,
    /// By `mapRoles`, then by `mapUsers`; of several candidates each can win.
    by_arn: [HashMap<String, Vec<usize>>; 2],
    sso_patterns: Vec<(String, usize)>,
    by_unique_id: HashMap<String, usize>,
    /// Access entries by the ARN without path.
    by_stripped_arn: HashMap<String, Vec<usize>>,
    /// Accounts, and where they are listed.
    accounts: HashMap<String, Option<Place>>,
}

/// A mapping as written.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) entry: EntryRef,
    /// Empty for `sso` entries.
    pub(super) arn: String,
    pub(super) reading: Reading,
    pub(super) sso: Option<Box<SsoMatcher>>,
    pub(super) username: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) fate: Fate,
    /// Whether the key of its ARN is not all in small letters, which some versions did not read.
    pub(super) has_odd_key: bool,
    /// The access entry; its user name and groups stand above.
    pub(super) access_entry: Option<AccessEntry>,
}

/// An ARN as whoever wrote it may have meant it, in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// Without blanks, invisible characters and quotation marks.
    pub(super) clean: String,
    /// The same without the path of a role, where it has one.
    pub(super) stripped: Option<String>,
    pub(super) flaw: Option<ArnFlaw>,
}

/// What has become of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is searched.
    Active,
    /// A later one with the same ARN has taken its place.
    Overridden,
    /// It is not read.
    Lost(LossReason),
}

/// What a store says to an identity.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// Each of these can win; more than one means that chance decides.
    Records(Vec<&'a Record>, UniqueIdMatch),
    /// The unique id matches an entry with another ARN.
    Mismatch(&'a Record),
    /// Entries with the right ARN, all for principals that are gone.
    Recreated(Vec<&'a Record>),
    /// The path of the role would tell which entry is meant.
    Ambiguous,
    Nothing,
}

impl Store {
    /// The store that the authenticator builds from aws-auth. EKS does not switch on the feature that makes `sso` entries
    /// match.
    pub fn aws_auth(aws_auth: &AwsAuth) -> Self {
        Self::by_arn(aws_auth, false)
    }

    /// The same with `sso` entries that match, if the server has the feature gate `SSORoleMatch`.
    pub fn by_arn(aws_auth: &AwsAuth, sso_role_match: bool) -> Self {
        let mut store = Self::default();
        for (section, entries) in [(Section::MapRoles, &aws_auth.roles), (Section::MapUsers, &aws_auth.users)] {
            // Go keeps the entries in a map: equal keys override, and keys that differ in letter case both stay.
            let mut keys = HashMap::new();
            for entry in entries {
                let index = store.records.len();
                store.records.push(Record::of_aws_auth(section, entry));
                if let Some(earlier) = keys.insert(map_key(section, entry), index) {
                    store.records[earlier].fate = Fate::Overridden;
                }
            }
            let mut kept: Vec<usize> = keys.into_values().collect();
            kept.sort_unstable();
            for index in kept {
                let record = &store.records[index];
                if record.sso.is_none() {
                    let [roles, users] = &mut store.by_arn;
                    let index_of = if section == Section::MapRoles { roles } else { users };
                    index_of.entry(go_text::fold(&record.arn)).or_default().push(index);
                } else if sso_role_match {
                    store.sso_patterns.extend(record.sso.as_ref().map(|sso| (sso_pattern(sso), index)));
                }
            }
        }
        store.records.extend(aws_auth.lost.iter().map(Record::of_lost));
        let accounts = aws_auth.accounts.iter().map(|account| (account.id.clone(), Some(account.place)));
        store.accounts = accounts.collect();
        store
    }

    /// The store that EKS builds from access entries. It compares unique ids first, then ARNs without path.
    pub fn access_entries(entries: impl IntoIterator<Item = AccessEntry>) -> Self {
        let entries = entries.into_iter();
        let mut store = Self { records: Vec::with_capacity(entries.size_hint().0), ..Self::default() };
        for entry in entries {
            let index = store.records.len();
            if let Some(unique_id) = &entry.unique_id {
                store.by_unique_id.insert(unique_id.clone(), index);
            }
            if let Ok(stripped) = strip_path(entry.principal_arn.as_str()) {
                store.by_stripped_arn.entry(go_text::lower(&stripped)).or_default().push(index);
            }
            store.records.push(Record::of_access_entry(entry));
        }
        store
    }

    /// The store with accounts whose identities all become users of their ARN. EKS never adds any to access entries.
    #[must_use]
    pub fn with_accounts(mut self, accounts: impl IntoIterator<Item = String>) -> Self {
        self.accounts.extend(accounts.into_iter().map(|account| (account, None)));
        self
    }

    /// The hidden mapping of the cluster's creator.
    pub(super) fn creator(creator: &CanonicalArn) -> Self {
        let record = Record {
            entry: EntryRef::Creator,
            arn: creator.to_string(),
            reading: Reading::default(),
            sso: None,
            username: Some("kubernetes-admin".to_owned()),
            groups: Some(vec!["system:masters".to_owned()]),
            fate: Fate::Active,
            has_odd_key: false,
            access_entry: None,
        };
        let roles = HashMap::from([(go_text::fold(creator.as_str()), vec![0])]);
        Self { records: vec![record], by_arn: [roles, HashMap::new()], ..Self::default() }
    }

    /// Looks for an identity.
    pub(super) fn find(&self, identity: &Identity) -> Found<'_> {
        let key = identity.canonical_arn.lookup_key();
        let [roles, users] = &self.by_arn;
        let folded = go_text::fold(&key);
        let mut candidates: Vec<usize> = roles.get(&folded).cloned().unwrap_or_default();
        let by_pattern = self.sso_patterns.iter().filter(|(pattern, _)| arn_like(&key, pattern));
        candidates.extend(by_pattern.map(|(_, index)| index));
        if candidates.is_empty() {
            candidates = users.get(&folded).cloned().unwrap_or_default();
        }
        if !candidates.is_empty() {
            let records = candidates.iter().filter_map(|index| self.records.get(*index)).collect();
            return Found::Records(records, UniqueIdMatch::NotCompared);
        }
        if let Some(unique_id) = &identity.unique_id
            && let Some(record) = self.by_unique_id.get(unique_id).and_then(|index| self.records.get(*index))
        {
            return match strip_path(&record.arn) {
                Ok(stripped) if go_text::lower(&stripped) == key => Found::Records(vec![record], UniqueIdMatch::Same),
                _ if record.arn.is_empty() => Found::Records(vec![record], UniqueIdMatch::Same),
                _ => Found::Mismatch(record),
            };
        }
        self.find_by_stripped_arn(identity, &key)
    }

    /// The entries with the right ARN, where not both unique ids are known.
    fn find_by_stripped_arn(&self, identity: &Identity, key: &str) -> Found<'_> {
        let indexes = self.by_stripped_arn.get(key).map(Vec::as_slice).unwrap_or_default();
        let entries: Vec<&Record> = indexes.iter().filter_map(|index| self.records.get(*index)).collect();
        let (mut alive, mut gone) = (Vec::new(), Vec::new());
        for record in entries {
            match record.access_entry.as_ref().map(|entry| same_principal(identity, entry)) {
                Some(UniqueIdMatch::Different) => gone.push(record),
                Some(certainty) => alive.push((record, certainty)),
                None => {}
            }
        }
        match alive.as_slice() {
            [] if gone.is_empty() => Found::Nothing,
            [] => Found::Recreated(gone),
            [(record, certainty)] => Found::Records(vec![*record], *certainty),
            _ => Found::Ambiguous,
        }
    }

    /// Whether the identity's account is listed, and where.
    pub(super) fn account(&self, identity: &Identity) -> Option<Option<Place>> {
        self.accounts.get(identity.account.as_ref()?).copied()
    }
}

impl Reading {
    fn of(arn: &str) -> Self {
        let clean = go_text::lower(&without_noise(arn));
        let stripped = strip_path(&clean).ok().filter(|stripped| *stripped != clean);
        Self { clean, stripped, flaw: ArnFlaw::of(arn) }
    }

    /// What EKS would look up.
    pub(super) fn key(&self) -> &str {
        self.stripped.as_deref().unwrap_or(&self.clean)
    }
}

impl Record {
    fn of_aws_auth(section: Section, entry: &Entry) -> Self {
        let (arn, place, sso) = match &entry.principal {
            EntryPrincipal::Arn { arn, place } => (arn.clone(), *place, None),
            EntryPrincipal::Sso(sso) => (String::new(), entry.place, Some(Box::new(sso.clone()))),
        };
        let reference = EntryRef::AwsAuth { section: section.key().to_owned(), place, entry: Some(entry.place) };
        Self {
            entry: reference,
            reading: Reading::of(&arn),
            arn,
            sso,
            username: Some(entry.username.clone()),
            groups: Some(entry.groups.clone().unwrap_or_default()),
            fate: Fate::Active,
            has_odd_key: entry.has_odd_key,
            access_entry: None,
        }
    }

    fn of_lost(lost: &LostEntry) -> Self {
        Self {
            entry: EntryRef::AwsAuth { section: lost.section.clone(), place: lost.place, entry: None },
            arn: lost.arn.clone(),
            reading: Reading::of(&lost.arn),
            sso: None,
            username: Some(lost.username.clone()).filter(|username| !username.is_empty()),
            groups: Some(lost.groups.clone()),
            fate: Fate::Lost(lost.reason),
            has_odd_key: false,
            access_entry: None,
        }
    }

    fn of_access_entry(mut entry: AccessEntry) -> Self {
        Self {
            entry: EntryRef::AccessEntry { principal_arn: entry.principal_arn.clone() },
            arn: entry.principal_arn.as_str().to_owned(),
            reading: Reading::of(entry.principal_arn.as_str()),
            sso: None,
            username: entry.username.take(),
            groups: entry.groups.take(),
            fate: Fate::Active,
            has_odd_key: false,
            access_entry: Some(entry),
        }
    }

    /// Whether EKS itself chose the user name, which may then have a reserved prefix: entries of nodes and of its own
    /// service-linked role.
    pub(super) fn is_named_by_eks(&self) -> bool {
        let of_eks = |entry: &AccessEntry| {
            let service_linked =
                entry.principal_arn.sections().map(|arn| arn.kind()) == Some(ArnKind::ServiceLinkedRole);
            service_linked || entry.is_for_nodes()
        };
        self.access_entry.as_ref().is_some_and(of_eks)
    }
}

impl AccessEntry {
    /// Whether its type is one for nodes: such entries map instances, not people.
    pub fn is_for_nodes(&self) -> bool {
        self.entry_type.as_ref().is_some_and(|entry_type| entry_type != "STANDARD")
    }
}

/// Whether the entry is for this very principal, not for one of the same name that is gone.
pub(super) fn same_principal(identity: &Identity, entry: &AccessEntry) -> UniqueIdMatch {
    if identity.unique_id.is_some() && entry.unique_id.is_some() {
        // Both are known, and the index of unique ids did not find the entry.
        return UniqueIdMatch::Different;
    }
    // The path of a role cannot be changed.
    let another_path = |own: &PrincipalArn| !go_text::equal_fold(own.as_str(), entry.principal_arn.as_str());
    if identity.principal_arn.as_ref().is_some_and(another_path) {
        return UniqueIdMatch::Different;
    }
    match (identity.created_at, entry.created_at) {
        (Some(principal), Some(entry)) if principal > entry => UniqueIdMatch::Different,
        (Some(_), Some(_)) => UniqueIdMatch::SameByDates,
        _ => UniqueIdMatch::NotSeen,
    }
}

/// The key under which Go keeps an entry.
fn map_key(section: Section, entry: &Entry) -> String {
    match (&entry.principal, section) {
        (EntryPrincipal::Arn { arn, .. }, Section::MapRoles) => go_text::lower(arn),
        (EntryPrincipal::Arn { arn, .. }, _) => arn.clone(),
        (EntryPrincipal::Sso(sso), _) => sso_pattern(sso),
    }
}

/// The pattern that the authenticator makes of an `sso` entry. It loses the partition if one is given, and then matches
/// nothing.
fn sso_pattern(sso: &SsoMatcher) -> String {
    let partition = if sso.partition.is_empty() { "aws" } else { "" };
    let SsoMatcher { account_id, permission_set_name, .. } = sso;
    go_text::lower(&format!("arn:{partition}:iam::{account_id}:role/AWSReservedSSO_{permission_set_name}_*"))
}
