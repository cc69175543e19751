//! Who created the cluster. Its right is hidden in CONFIG_MAP clusters and an access entry in the others; where nobody
//! else was ever mapped, everybody else is refused.

use jiff::Timestamp;

use super::super::{
    access_policies::{self, Audience},
    arn::{ArnKind, PrincipalArn, strip_path},
    aws_auth::{EntryPrincipal, LossReason},
    go_text,
    identity_mapping::{AuthenticationMode, NearMiss, StoreName, Verdict},
    value::{Fact, Unknown, facts, why_unsettled},
};
use super::{AWS_AUTH, ENTRIES, MASTERS, near, nodes, seen::Seen};
use crate::evidence::AccessEntry;

facts! {
    /// Who created the cluster.
    CreatorFacts {
        /// ARN of the IAM principal that did, by CloudTrail or by the access entry that was made with the cluster.
        "arn" arn: Fact<Option<String>>,
        /// Whether that is known.
        "isNamed" is_named: bool,
        /// Whether the subject is that principal.
        "isSubject" is_subject: Fact<bool>,
        /// Whether nobody else was ever mapped, but for nodes, AWS' own roles and at most one administrators' role.
        "isOnlyOne" is_only_one: Fact<bool>,
        /// Whether CloudTrail names another principal as the creator; without CloudTrail, as `isOnlyOne`.
        "isOther" is_other: Fact<bool>,
        /// That administrators' role.
        "otherAdmin" other_admin: Fact<Option<String>>,
        /// Whether a mapping of the creator's own ARN hides its right to do everything, and the creator is refused.
        "isOverridden" is_overridden: Fact<bool>,
    }
}

const EVENT: &str = "aws.createClusterEvent";

/// Whoever is mapped within this time after the cluster was made is its creator, if it may do everything. Seconds.
const MADE_WITH_CLUSTER: i64 = 20 * 60;

pub(super) fn derive(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> CreatorFacts {
    let arn = creator(seen);
    let people = people(seen, arn.value().and_then(Option::as_deref));
    let is_known = seen.evidence.aws.create_cluster_event.found().is_some();
    let is_only_one = is_only_one(seen, near_misses, &people, is_known);
    CreatorFacts {
        is_subject: is_subject(seen),
        is_other: if is_known { Fact::known(!is_subject(seen).is(&true), EVENT) } else { is_only_one.clone() },
        is_only_one,
        other_admin: people.map(|people| people.admin),
        is_overridden: is_overridden(seen),
        is_named: arn.value().is_some_and(Option::is_some),
        arn,
    }
}

/// Who created the cluster: CloudTrail says so, or the access entry that was made with the cluster tells.
fn creator(seen: &Seen<'_>) -> Fact<Option<String>> {
    if let Some(event) = seen.evidence.aws.create_cluster_event.found() {
        return Fact::known(Some(event.principal_arn.clone()), EVENT);
    }
    let made = seen.evidence.aws.cluster.found().and_then(|cluster| cluster.created_at);
    let entries = seen.evidence.aws.access_entries.found().into_iter().flatten();
    let first = entries
        .filter(|entry| made.is_some_and(|made| is_made_with(entry, made)) && is_cluster_admin(entry))
        .min_by_key(|entry| entry.details.found().and_then(|details| details.created_at));
    match first {
        Some(entry) => Fact::known(Some(entry.principal_arn.clone()), ENTRIES),
        None => Fact::Unknown(why_unsettled(&seen.evidence.aws.create_cluster_event, EVENT)),
    }
}

fn is_made_with(entry: &AccessEntry, made: Timestamp) -> bool {
    let created = entry.details.found().and_then(|details| details.created_at);
    created.is_some_and(|created| (0..MADE_WITH_CLUSTER).contains(&created.duration_since(made).as_secs()))
}

fn is_cluster_admin(entry: &AccessEntry) -> bool {
    entry.policies.found().into_iter().flatten().any(|policy| {
        let is_whole_cluster = policy.access_scope.as_ref().is_none_or(|scope| scope.scope_type == "cluster");
        access_policies::policy_name(&policy.policy_arn) == Some("AmazonEKSClusterAdminPolicy") && is_whole_cluster
    })
}

fn is_same(one: &str, other: &str) -> bool {
    matches!((strip_path(one), strip_path(other)), (Ok(one), Ok(other)) if go_text::equal_fold(&one, &other))
}

fn is_subject(seen: &Seen<'_>) -> Fact<bool> {
    let event = &seen.evidence.aws.create_cluster_event;
    let Some(event) = event.found() else { return Fact::Unknown(why_unsettled(event, EVENT)) };
    seen.subject.canonical_arn.clone().map(|arn| is_same(&event.principal_arn, &arn))
}

/// Whoever was meant to log in besides the creator.
#[derive(Debug, Clone, Default)]
struct People {
    count: usize,
    /// One that may do everything.
    admin: Option<String>,
}

impl People {
    /// Whether the creator, and at most one administrator that the same tool mapped, are all there is.
    fn is_creator_alone(&self) -> bool {
        self.count == 0 || self.count == 1 && self.admin.is_some()
    }

    fn add(&mut self, arn: &str, is_admin: bool) {
        self.count += 1;
        self.admin = Some(arn.to_owned()).filter(|_| is_admin).or_else(|| self.admin.take());
    }
}

/// The people in the stores that the cluster reads, those included whose mapping is lost.
fn people(seen: &Seen<'_>, creator: Option<&str>) -> Fact<People> {
    let mut people = People::default();
    let mut unread = None;
    if seen.reads(StoreName::AccessEntry) != Some(false) {
        let entries = &seen.evidence.aws.access_entries;
        if entries.found().is_none() {
            unread = Some(why_unsettled(entries, ENTRIES));
        }
        let found = entries.found().map(Vec::as_slice).unwrap_or_default().iter();
        let others = found.filter(|entry| creator.is_none_or(|arn| !is_same(arn, &entry.principal_arn)));
        others.filter(|entry| is_for_people(entry)).for_each(|entry| people.add(&entry.principal_arn, false));
    }
    if seen.reads(StoreName::AwsAuth) != Some(false) {
        match (&seen.aws_auth, &seen.index.aws_auth) {
            (Some(aws_auth), _) => {
                for entry in seen.aws_auth_entries().filter(|entry| !nodes::is_node_entry(entry)) {
                    let groups = entry.groups.iter().flatten();
                    match &entry.principal {
                        EntryPrincipal::Arn { arn, .. } if creator.is_some_and(|creator| is_same(creator, arn)) => {}
                        EntryPrincipal::Arn { arn, .. } => {
                            people.add(arn, groups.into_iter().any(|name| name == MASTERS))
                        }
                        EntryPrincipal::Sso(sso) => people.add(&sso.permission_set_name, false),
                    }
                }
                // In a section that does not parse only ARNs can be told, and one may be that of the nodes.
                let certain = |reason| reason != LossReason::SectionMalformed;
                people.count +=
                    aws_auth.lost.iter().filter(|lost| certain(lost.reason)).count() + aws_auth.accounts.len();
            }
            (None, super::super::identity_mapping::Seen::Known(_)) => {}
            (None, _) => unread = Some(why_unsettled(&seen.evidence.kubernetes.aws_auth, AWS_AUTH)),
        }
    }
    match unread {
        // A store that was not read can only hold more of them.
        Some(unread) if people.is_creator_alone() => Fact::Unknown(unread),
        _ => Fact::known(people, seen.denied_by()),
    }
}

/// Whether an entry was made for people: not for nodes, not for a service of AWS.
fn is_for_people(entry: &AccessEntry) -> bool {
    let details = entry.details.found();
    let is_standard = details.and_then(|details| details.entry_type.as_deref()).is_none_or(|kind| kind == "STANDARD");
    let arn = PrincipalArn::new(entry.principal_arn.clone());
    let is_service_linked = arn.sections().map(|arn| arn.kind()) == Some(ArnKind::ServiceLinkedRole);
    let is_of_eks =
        details.and_then(|details| details.username.as_deref()).is_some_and(|name| name.starts_with("eks:"));
    let mut policies =
        entry.policies.found().into_iter().flatten().map(|policy| access_policies::policy(&policy.policy_arn));
    let first = policies.next();
    let is_for_service = |policy: Option<&access_policies::AccessPolicy>| {
        policy.is_some_and(|policy| policy.audience == Audience::Service)
    };
    let is_of_service = first.is_some_and(is_for_service) && policies.all(is_for_service);
    is_standard && !is_service_linked && !is_of_eks && !is_of_service
}

fn is_only_one(
    seen: &Seen<'_>,
    near_misses: &Fact<Vec<NearMiss>>,
    people: &Fact<People>,
    is_known: bool,
) -> Fact<bool> {
    if seen.cluster.authentication_mode.is(&"CONFIG_MAP".to_owned()) {
        let config = seen.evidence.aws.cluster.found().and_then(|cluster| cluster.access_config.as_ref());
        if config.and_then(|config| config.bootstrap_cluster_creator_admin_permissions) == Some(false) {
            return Fact::known(false, "aws.cluster");
        }
    }
    // Whoever wrote something that nearly fits meant more people to log in.
    if near_misses.value().is_some_and(|near_misses| !near_misses.is_empty()) {
        return Fact::known(false, seen.denied_by());
    }
    if is_subject(seen).is(&true) {
        return Fact::known(false, EVENT);
    }
    let has_creator = is_known || seen.reads(StoreName::AccessEntry) == Some(false) || creator(seen).value().is_some();
    people.clone().and_then(|people| {
        let is_only_one = match (people.count, &people.admin) {
            (0, _) => has_creator,
            (1, Some(_)) => is_known,
            _ => false,
        };
        match &seen.index.mode {
            super::super::identity_mapping::Seen::Unknown(_) if is_only_one => Fact::Unknown(mode_unknown(seen)),
            _ => Fact::known(is_only_one, seen.denied_by()),
        }
    })
}

fn mode_unknown(seen: &Seen<'_>) -> Unknown {
    match &seen.cluster.authentication_mode {
        Fact::Unknown(unknown) => unknown.clone(),
        Fact::Known { .. } => Unknown::default(),
    }
}

/// Whether aws-auth maps the creator itself, with less than it has by itself.
fn is_overridden(seen: &Seen<'_>) -> Fact<bool> {
    if seen.index.mode.known().is_some_and(|mode| *mode != AuthenticationMode::ConfigMap) {
        return Fact::known(false, "aws.cluster");
    }
    let Some(matched) = seen.matched() else {
        return match &seen.trace {
            Fact::Known { .. } if seen.index.aws_auth.known().is_some() => Fact::known(false, AWS_AUTH),
            _ => Fact::Unknown(why_unsettled(&seen.evidence.kubernetes.aws_auth, AWS_AUTH)),
        };
    };
    if matched.groups.iter().any(|group| group == MASTERS) && matches!(seen.verdict.value(), Some(Verdict::Mapped(_))) {
        return Fact::known(false, AWS_AUTH);
    }
    match is_subject(seen) {
        Fact::Known { value: true, .. } => near::is_seen_refused(seen),
        other => other,
    }
}
