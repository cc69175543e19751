//! The age of the subject's access entry: one that is older than its principal is for another principal of that name,
//! and one that was changed a moment ago may not be in force yet.

use jiff::Timestamp;

use super::super::{
    arn::strip_path,
    credentials::clock,
    go_text,
    identity_mapping::{EntryRef, NearMiss, NearMissReason, StoreName, UniqueIdMatch, Verdict},
    value::{Fact, facts, why_unsettled},
};
use super::{ENTRIES, seen::Seen};
use crate::evidence::{AccessEntry, AssociatedPolicy};

facts! {
    /// The age of the subject's access entry.
    StaleFacts {
        /// Whether the principal is younger than its access entry, so that the entry is not for it.
        "isRecreated" is_recreated: Fact<bool>,
        /// Principal of that entry.
        "entryArn" entry_arn: Fact<Option<String>>,
        /// Type of that entry.
        "entryType" entry_type: Fact<Option<String>>,
        /// Its Kubernetes groups.
        "groups" groups: Fact<Vec<String>>,
        /// Whether its type is the one for people.
        "isStandard" is_standard: bool,
        /// Its access policies.
        "policies" policies: Fact<Vec<PolicyWithScope>>,
        /// When the entry was made.
        "entryCreatedAt" entry_created_at: Fact<Option<String>>,
        /// When the principal was made.
        "principalCreatedAt" principal_created_at: Fact<Option<String>>,
        /// Whether the entry was changed less than two minutes before the evidence was collected.
        "isFresh" is_fresh: Fact<bool>,
        /// How many seconds before.
        "secondsAgo" seconds_ago: Fact<Option<i64>>,
    }
}

facts! {
    /// An access policy and where it counts.
    PolicyWithScope {
        /// ARN of the policy.
        "arn" arn: String,
        /// The scope as the AWS CLI takes it.
        "scope" scope: String,
    }
}

/// Changes of access entries are in force after some seconds. Seconds.
const SETTLED: i64 = 120;

pub(super) fn derive(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> StaleFacts {
    let entry = stale_entry(seen, near_misses);
    let details = entry.and_then(|entry| entry.details.found());
    let created = details.and_then(|details| details.created_at);
    let principal = seen.evidence.aws.principal.found().and_then(|principal| principal.create_date);
    let seconds_ago = seconds_ago(seen);
    StaleFacts {
        is_recreated: is_recreated(seen, near_misses),
        is_standard: details.and_then(|details| details.entry_type.as_deref()).is_none_or(|kind| kind == "STANDARD"),
        policies: policies(entry),
        entry_arn: Fact::known(entry.map(|entry| entry.principal_arn.clone()), ENTRIES),
        entry_type: Fact::known(details.and_then(|details| details.entry_type.clone()), ENTRIES),
        groups: Fact::known(details.and_then(|details| details.kubernetes_groups.clone()).unwrap_or_default(), ENTRIES),
        entry_created_at: Fact::known(created.map(|time| time.to_string()), ENTRIES),
        principal_created_at: Fact::known(principal.map(|time| time.to_string()), "aws.principal"),
        is_fresh: seconds_ago
            .clone()
            .map(|seconds| seconds.is_some_and(|seconds| (-SETTLED..SETTLED).contains(&seconds))),
        seconds_ago,
    }
}

fn policies(entry: Option<&AccessEntry>) -> Fact<Vec<PolicyWithScope>> {
    let Some(entry) = entry else { return Fact::known(Vec::new(), ENTRIES) };
    let Some(found) = entry.policies.found() else {
        return Fact::Unknown(why_unsettled(&entry.policies, "aws.accessEntries.policies"));
    };
    let with_scope = |policy: &AssociatedPolicy| PolicyWithScope {
        arn: policy.policy_arn.clone(),
        scope: match &policy.access_scope {
            Some(scope) if scope.scope_type == "namespace" => {
                format!("type=namespace,namespaces={}", scope.namespaces.join(","))
            }
            _ => "type=cluster".to_owned(),
        },
    };
    Fact::known(found.iter().map(with_scope).collect(), ENTRIES)
}

fn stale_entry<'a>(seen: &Seen<'a>, near_misses: &Fact<Vec<NearMiss>>) -> Option<&'a AccessEntry> {
    near_misses.value()?.iter().find_map(|near_miss| match &near_miss.entry {
        EntryRef::AccessEntry { principal_arn } if near_miss.reason == NearMissReason::UniqueId => {
            seen.access_entry(principal_arn.as_str())
        }
        _ => None,
    })
}

fn is_recreated(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> Fact<bool> {
    if seen.reads(StoreName::AccessEntry) == Some(false) {
        return Fact::known(false, "aws.cluster");
    }
    if stale_entry(seen, near_misses).is_some() {
        return Fact::known(true, "aws.principal");
    }
    match &seen.verdict {
        Fact::Known { value: Verdict::Mapped(mapped), .. } if mapped.store == StoreName::AccessEntry => {
            match mapped.unique_id {
                UniqueIdMatch::NotSeen => Fact::Unknown(why_unsettled(&seen.evidence.aws.principal, "aws.principal")),
                _ => Fact::known(false, "aws.principal"),
            }
        }
        Fact::Known { .. } => Fact::known(false, ENTRIES),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    }
}

/// How long before the evidence the subject's access entry was last changed.
fn seconds_ago(seen: &Seen<'_>) -> Fact<Option<i64>> {
    if seen.reads(StoreName::AccessEntry) == Some(false) {
        return Fact::known(None, "aws.cluster");
    }
    let observed = &seen.evidence.aws.access_entries;
    let Some(entries) = observed.found() else { return Fact::Unknown(why_unsettled(observed, ENTRIES)) };
    seen.subject.canonical_arn.clone().map(|canonical| {
        let is_own = |entry: &&AccessEntry| {
            strip_path(&entry.principal_arn).is_ok_and(|stripped| go_text::equal_fold(&stripped, &canonical))
        };
        let changed = entries.iter().filter(is_own).filter_map(last_change).max()?;
        Some(clock::now(seen.evidence)?.duration_since(changed).as_secs())
    })
}

fn last_change(entry: &AccessEntry) -> Option<Timestamp> {
    let details = entry.details.found();
    let own = details.and_then(|details| details.modified_at.max(details.created_at));
    let policies = entry.policies.found().into_iter().flatten().filter_map(|policy| policy.associated_at).max();
    own.max(policies)
}
