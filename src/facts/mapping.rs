//! Who the subject is in Kubernetes, as far as the evidence tells: the two stores are built from what was seen, the
//! exact model is asked, and its answer is put in terms of facts.

use super::{
    arn::{PrincipalArn, RawArn},
    aws_auth::AwsAuth,
    cluster::ClusterFacts,
    identity_mapping::{
        AccessEntry, AuthenticationMode, DenialKind, EntryRef, Identity, IdentityMapping, Mapped, MappingIndex,
        NearMiss, NearMissReason, Outcome, Seen, Store, StoreName, Verdict, near_misses,
    },
    subject::Subject,
    username::Rendered,
    value::{Fact, Missing, Unknown, choice, facts, why_unsettled},
};
use crate::evidence::{self, Evidence, Observed};

choice! {
    /// Which store gave the Kubernetes user.
    MappingSource {
        /// An access entry.
        AccessEntry = "access-entry",
        /// The aws-auth ConfigMap.
        AwsAuth = "aws-auth",
        /// The hidden right of the principal that created the cluster.
        Creator = "creator",
        /// None of them: the login is refused.
        None = "none",
    }
}

choice! {
    /// Why a login is refused.
    MappingDenial {
        /// No store has the principal.
        NotMapped = "not-mapped",
        /// An access entry has the unique id with another ARN.
        UniqueIdMismatch = "unique-id-mismatch",
        /// A template of the entry cannot be filled for this session.
        TemplateError = "template-error",
        /// The user name has a reserved prefix.
        ReservedPrefix = "reserved-prefix",
        /// STS, or what it answered, is refused.
        IdentityRejected = "identity-rejected",
    }
}

facts! {
    /// What the cluster makes of the subject.
    MappingFacts {
        /// Which store gave the Kubernetes user.
        "source" source: Fact<MappingSource>,
        /// The access entry's principal, or the section and line of aws-auth.
        "entry" entry: Fact<Option<String>>,
        /// Why the login is refused.
        "denial" denial: Fact<Option<MappingDenial>>,
        /// Kubernetes user name, its template resolved.
        "username" username: Fact<Option<String>>,
        /// Template of the user name.
        "usernameTemplate" username_template: Fact<Option<String>>,
        /// Kubernetes groups, without those that everybody has.
        "groups" groups: Fact<Vec<String>>,
        /// Whether there are any groups.
        "hasGroups" has_groups: Fact<bool>,
        /// What would have matched but for one difference.
        "nearMisses" near_misses: Fact<Vec<Fact<NearMissFacts>>>,
    }
}

facts! {
    /// A mapping that would have matched but for one difference.
    NearMissFacts {
        /// The ARN as it is written there.
        "arn" arn: String,
        /// In what it differs.
        "reason" reason: NearMissReason,
        /// The store where it is written.
        "source" source: MappingSource,
        /// Where it is written.
        "place" place: String,
        /// The ARN that would match there.
        "wouldMatch" would_match: String,
        /// Template of the user name.
        "username" username: Option<String>,
        /// Groups.
        "groups" groups: Vec<String>,
        /// Whether one of the groups begins with system:, which an access entry refuses.
        "hasReservedGroup" has_reserved_group: bool,
    }
}

const ENTRIES: &str = "aws.accessEntries";
const AWS_AUTH: &str = "kubernetes.awsAuth";

/// How many near misses are kept: the nearest ones, more help nobody.
const MOST_NEAR_MISSES: usize = 20;

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, subject: &Subject, cluster: &ClusterFacts) -> MappingFacts {
    let index = index(evidence, cluster);
    let identity = identity(evidence, subject);
    let mapping = identity.as_ref().and_then(|identity| verdict(&index, &index.map(identity)));
    let mapped = |part: fn(&Mapped) -> Fact<Option<String>>| {
        mapping.clone().and_then(|verdict| match verdict {
            Verdict::Mapped(mapped) => part(&mapped),
            Verdict::Denied(_) => Fact::known(None, "the mapping"),
        })
    };
    let groups = mapping.clone().and_then(|verdict| match verdict {
        Verdict::Mapped(mapped) => groups(&mapped),
        Verdict::Denied(_) => Fact::known(Vec::new(), "the mapping"),
    });
    MappingFacts {
        source: mapping.clone().and_then(|verdict| match verdict {
            Verdict::Mapped(mapped) => Fact::known(source(mapped.store), observation(mapped.store)),
            Verdict::Denied(_) => Fact::known(MappingSource::None, stores_read(cluster)),
        }),
        denial: mapping.clone().map(|verdict| match verdict {
            Verdict::Mapped(_) => None,
            Verdict::Denied(denial) => Some(of_denial(denial.kind)),
        }),
        entry: mapped(|mapped| Fact::known(mapped.entry.as_ref().map(place), observation(mapped.store))),
        username: mapped(|mapped| {
            let not_read = || Fact::unknown("aws.accessEntries.details", "the entry's details were not read");
            mapped.username.as_ref().map_or_else(not_read, |name| text(name).map(Some))
        }),
        username_template: mapped(|mapped| {
            let template = mapped.username.as_ref().map(|name| match name {
                Rendered::Known(text) => text.clone(),
                Rendered::Unknown { template, .. } => template.clone(),
            });
            Fact::known(template, observation(mapped.store))
        }),
        has_groups: groups.clone().map(|groups| !groups.is_empty()),
        groups,
        near_misses: near_miss_facts(&index, &identity),
    }
}

/// The two stores and the mode, as far as they were seen. Reasons begin with the observation that is missing.
fn index(evidence: &Evidence, cluster: &ClusterFacts) -> MappingIndex {
    let mode = match &cluster.authentication_mode {
        Fact::Known { value, .. } => match AuthenticationMode::parse(value) {
            Some(mode) => Seen::Known(mode),
            None => Seen::Unknown(format!("aws.cluster: this version does not know the authentication mode {value}")),
        },
        Fact::Unknown(unknown) => Seen::Unknown(reason(unknown)),
    };
    MappingIndex {
        mode,
        access_entries: match &evidence.aws.access_entries {
            Observed::Found(entries) => Seen::Known(Store::access_entries(entries.iter().map(access_entry))),
            Observed::Absent(_) => Seen::Known(Store::access_entries([])),
            other => Seen::Unknown(reason(&why_unsettled(other, ENTRIES))),
        },
        aws_auth: match &evidence.kubernetes.aws_auth {
            Observed::Found(config_map) => Seen::Known(Store::aws_auth(&AwsAuth::parse(&config_map.data))),
            Observed::Absent(_) => Seen::Known(Store::aws_auth(&AwsAuth::default())),
            other => Seen::Unknown(reason(&why_unsettled(other, AWS_AUTH))),
        },
        creator: evidence.aws.create_cluster_event.found().map(|event| PrincipalArn::new(event.principal_arn.clone())),
    }
}

fn access_entry(entry: &evidence::AccessEntry) -> AccessEntry {
    let details = entry.details.found();
    AccessEntry {
        principal_arn: PrincipalArn::new(entry.principal_arn.clone()),
        unique_id: None,
        entry_type: details.and_then(|details| details.entry_type.clone()),
        username: details.and_then(|details| details.username.clone()),
        groups: details.map(|details| details.kubernetes_groups.clone().unwrap_or_default()),
        created_at: details.and_then(|details| details.created_at),
    }
}

fn identity(evidence: &Evidence, subject: &Subject) -> Fact<Identity> {
    subject.arn.clone().and_then(|arn| {
        subject.canonical_arn.clone().and_then(|canonical| {
            let raw = RawArn::new(arn);
            let canonical = RawArn::new(canonical).canonicalize().map(|(canonical, _)| canonical);
            let Ok(canonical) = canonical else { return Fact::unknown("aws.caller", "its ARN is malformed") };
            let session = subject.session_name.value().cloned().map(Option::unwrap_or_default);
            // The name of a role alone does not tell the session that it will have.
            let is_role_itself = raw.as_str().contains(":role/");
            Fact::known(
                Identity {
                    raw_arn: Some(raw),
                    principal_arn: subject.principal_arn.value().cloned().map(PrincipalArn::new),
                    unique_id: subject.unique_id.value().cloned(),
                    session_name: session.filter(|_| !is_role_itself),
                    created_at: evidence.aws.principal.found().and_then(|principal| principal.create_date),
                    ..Identity::new(canonical)
                },
                "the subject",
            )
        })
    })
}

/// The end of the login, if it is known and always the same.
fn verdict(index: &MappingIndex, mapping: &IdentityMapping) -> Fact<Verdict> {
    match &mapping.outcome {
        Outcome::Always(verdict) => Fact::known(verdict.clone(), "the mapping"),
        Outcome::AnyOf(_) => Fact::unknown(AWS_AUTH, "two entries match, and chance decides at every login"),
        Outcome::Unknown(reasons) => {
            let fallback = || match index.mode.known() {
                Some(mode) if mode.reads(StoreName::AwsAuth) => AWS_AUTH,
                _ => ENTRIES,
            };
            let missing = reasons.iter().map(|reason| match reason.split_once(": ") {
                Some((observation, why)) if crate::observation::is_known(observation) => {
                    Missing { observation: observation.to_owned().into(), why: why.to_owned() }
                }
                _ => Missing { observation: fallback().into(), why: reason.clone() },
            });
            Fact::Unknown(Unknown { missing: missing.collect() })
        }
    }
}

fn reason(unknown: &Unknown) -> String {
    let first = unknown.missing.first();
    first.map_or_else(|| "not looked at".to_owned(), |missing| format!("{}: {}", missing.observation, missing.why))
}

fn source(store: StoreName) -> MappingSource {
    match store {
        StoreName::AccessEntry => MappingSource::AccessEntry,
        StoreName::AwsAuth => MappingSource::AwsAuth,
        StoreName::Creator => MappingSource::Creator,
    }
}

fn observation(store: StoreName) -> &'static str {
    match store {
        StoreName::AccessEntry => ENTRIES,
        StoreName::AwsAuth => AWS_AUTH,
        StoreName::Creator => "aws.createClusterEvent",
    }
}

/// The observations that a "nobody has it" rests on.
fn stores_read(cluster: &ClusterFacts) -> &'static str {
    match (cluster.reads_access_entries.value(), cluster.reads_aws_auth.value()) {
        (Some(true), Some(false)) => ENTRIES,
        (Some(false), Some(true)) => AWS_AUTH,
        _ => "aws.accessEntries and kubernetes.awsAuth",
    }
}

fn of_denial(kind: DenialKind) -> MappingDenial {
    match kind {
        DenialKind::NotMapped => MappingDenial::NotMapped,
        DenialKind::UseridArnMismatch => MappingDenial::UniqueIdMismatch,
        DenialKind::TemplateError => MappingDenial::TemplateError,
        DenialKind::ReservedPrefix => MappingDenial::ReservedPrefix,
        DenialKind::IdentityRejected => MappingDenial::IdentityRejected,
    }
}

fn text(rendered: &Rendered) -> Fact<String> {
    match rendered {
        Rendered::Known(text) => Fact::known(text.clone(), "the mapping"),
        Rendered::Unknown { template, .. } => {
            Fact::unknown("kubernetes.whoami", format!("what fills the template {template} was not seen"))
        }
    }
}

fn groups(mapped: &Mapped) -> Fact<Vec<String>> {
    let Some(groups) = &mapped.groups else {
        return Fact::unknown("aws.accessEntries.details", "the entry's details were not read");
    };
    let mut known = Vec::new();
    for group in groups {
        match text(group) {
            Fact::Known { value, .. } => known.push(value),
            Fact::Unknown(unknown) => return Fact::Unknown(unknown),
        }
    }
    Fact::known(known, observation(mapped.store))
}

/// Where a mapping stands, in words.
fn place(entry: &EntryRef) -> String {
    match entry {
        EntryRef::AccessEntry { principal_arn } => principal_arn.to_string(),
        EntryRef::AwsAuth { section, place, .. } => format!("{section} line {}", place.line),
        EntryRef::Creator => "the cluster's creator".to_owned(),
    }
}

fn near_miss_facts(index: &MappingIndex, identity: &Fact<Identity>) -> Fact<Vec<Fact<NearMissFacts>>> {
    // A store that nobody could read may hold one; one that the mode does not read is of interest, but not needed.
    for (name, unread) in [
        (StoreName::AccessEntry, index.access_entries.known().is_none()),
        (StoreName::AwsAuth, index.aws_auth.known().is_none()),
    ] {
        let is_read = index.mode.known().is_none_or(|mode| mode.reads(name));
        let is_kept_anyway = name == StoreName::AwsAuth;
        if unread && (is_read || is_kept_anyway) {
            let why = match name {
                StoreName::AccessEntry => &index.access_entries,
                _ => &index.aws_auth,
            };
            let Seen::Unknown(why) = why else { continue };
            let (observation, why) = why.split_once(": ").unwrap_or((observation(name), why));
            return Fact::unknown(observation.to_owned(), why);
        }
    }
    identity.clone().map(|identity| {
        near_misses(&identity, index, &index.map(&identity))
            .into_iter()
            .take(MOST_NEAR_MISSES)
            .map(|near_miss| {
                let source = format!("{} {}", observation(near_miss.store), place(&near_miss.entry));
                Fact::known(near_miss_of(near_miss), source)
            })
            .collect()
    })
}

fn near_miss_of(near_miss: NearMiss) -> NearMissFacts {
    let groups = near_miss.groups;
    NearMissFacts {
        place: place(&near_miss.entry),
        reason: near_miss.reason,
        source: source(near_miss.store),
        would_match: near_miss.expected_arn,
        username: near_miss.username.filter(|username| !username.is_empty()),
        has_reserved_group: groups.iter().any(|group| group.starts_with("system:")),
        groups,
        arn: near_miss.arn,
    }
}
