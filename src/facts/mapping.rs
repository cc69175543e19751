//! Who the subject is in Kubernetes, as far as the evidence tells: the two stores are built from what was seen, the
//! exact model is asked, and its answer is put in terms of facts.

use super::{
    cluster::ClusterFacts,
    identity_mapping::{DenialKind, EntryRef, Mapped, NearMissReason, StoreName, Verdict},
    kubeconfig::KubeconfigFacts,
    observed_symptom::SymptomFacts,
    pasted::Pasted,
    subject::Subject,
    username::Rendered,
    value::{Fact, choice, facts},
};
use crate::evidence::{Action, Evidence};

mod config_map;
mod creator;
mod log;
mod near;
mod nodes;
mod seen;
mod stale;
mod supposed;

pub use config_map::{BrokenSection, ConfigMapFacts, MisplacedConfigMap};
pub use creator::CreatorFacts;
pub use log::LogFacts;
pub(crate) use nodes::is_about_nodes;
pub use nodes::{Misuse, NodeFacts, NodeProblem};
use seen::Seen;
pub use stale::StaleFacts;
pub(crate) use supposed::suppose;

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

choice! {
    /// What is known of the IAM path of the principal.
    PrincipalPath {
        /// It has one.
        Some = "some",
        /// It has none.
        None = "none",
        /// Nobody looked.
        Unseen = "unseen",
    }
}

choice! {
    /// Why nobody meant to map this caller.
    RootUser {
        /// The root user of an account.
        Root = "root",
        /// A federated user.
        Federated = "federated-user",
        /// `:root` stands there and was meant as everybody of the account.
        MeantAccount = "meant-account",
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
        /// Whether the user name has a prefix that EKS keeps for itself, in a store that refuses it or by the log.
        "usernameIsReserved" username_is_reserved: Fact<bool>,
        /// The entry that has the subject's ARN, whether or not it lets it in.
        "matched" matched: Fact<Option<MatchedEntry>>,
        /// What would have matched but for one difference.
        "nearMisses" near_misses: Fact<Vec<Fact<NearMissFacts>>>,
        /// What is known of the IAM path of the principal.
        "principalPath" principal_path: Fact<PrincipalPath>,
        /// Why a root or federated user is not mapped.
        "rootUser" root_user: Fact<Option<RootUser>>,
        /// Whether the subject is a root or federated user, or something names the root user who is not meant.
        "isRootConcerned" is_root_concerned: Fact<bool>,
        /// What the entry was made for, if it is used for something else.
        "misuse" misuse: Fact<Option<Misuse>>,
        /// The aws-auth ConfigMap as an object.
        "configMap" config_map: ConfigMapFacts,
        /// Who created the cluster.
        "creator" creator: CreatorFacts,
        /// The roles of nodes.
        "nodes" nodes: NodeFacts,
        /// The age of the subject's access entry.
        "stale" stale: StaleFacts,
        /// What the authenticator's log says about the subject.
        "log" log: LogFacts,
    }
}

facts! {
    /// The entry that has the subject's ARN.
    MatchedEntry {
        /// The ARN as it is written there.
        "arn" arn: String,
        /// The store where it is written.
        "source" source: MappingSource,
        /// Where it is written.
        "place" place: String,
        /// Type of an access entry.
        "type" entry_type: Option<String>,
        /// Template of the user name.
        "username" username: Option<String>,
        /// Groups.
        "groups" groups: Vec<String>,
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
        /// Whether the group system:masters is among them.
        "isAdmin" is_admin: bool,
        /// The account in its ARN.
        "account" account: Option<String>,
        /// Whether that is the cluster's own account.
        "isOfClusterAccount" is_of_cluster_account: Fact<bool>,
        /// Whether the subject is refused now, and this mapping would let it in or let it do what it wants.
        "wouldHelp" would_help: Fact<bool>,
    }
}

const ENTRIES: &str = "aws.accessEntries";
const AWS_AUTH: &str = "kubernetes.awsAuth";
const SYMPTOM: &str = "target.symptom";

/// The group that may do everything.
const MASTERS: &str = "system:masters";

/// What the other rooms know and this one builds on.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) pasted: &'a Pasted,
    pub(crate) subject: &'a Subject,
    pub(crate) kubeconfig: &'a KubeconfigFacts,
    pub(crate) cluster: &'a ClusterFacts,
    pub(crate) symptom: &'a SymptomFacts,
    pub(crate) asked: &'a Action,
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, known: Known<'_>) -> MappingFacts {
    let seen = Seen::new(evidence, known);
    let mapping = &seen.verdict;
    let near_misses = near::near_misses(&seen);
    let mapped = |part: fn(&Mapped) -> Fact<Option<String>>| {
        mapping.as_ref().and_then(|verdict| match verdict {
            Verdict::Mapped(mapped) => part(mapped),
            Verdict::Denied(_) => Fact::known(None, "the mapping"),
        })
    };
    let groups = mapping.as_ref().and_then(|verdict| match verdict {
        Verdict::Mapped(mapped) => groups(mapped),
        Verdict::Denied(_) => Fact::known(Vec::new(), "the mapping"),
    });
    let username = mapped(|mapped| {
        let not_read = || Fact::unknown("aws.accessEntries.details", "the entry's details were not read");
        mapped.username.as_ref().map_or_else(not_read, |name| text(name).map(Some))
    });
    let (username, groups) = seen.as_the_server_says(username, groups);
    let misuse = nodes::misuse(&seen, &near_misses);
    let mut facts = MappingFacts {
        source: mapping.clone().and_then(|verdict| match verdict {
            Verdict::Mapped(mapped) => Fact::known(source(mapped.store), observation(mapped.store)),
            Verdict::Denied(_) => Fact::known(MappingSource::None, seen.denied_by()),
        }),
        denial: mapping.clone().map(|verdict| match verdict {
            Verdict::Mapped(_) => None,
            Verdict::Denied(denial) => Some(of_denial(denial.kind)),
        }),
        entry: mapped(|mapped| Fact::known(mapped.entry.as_ref().map(place), observation(mapped.store))),
        username_template: mapped(|mapped| {
            let template = mapped.username.as_ref().map(|name| match name {
                Rendered::Known(text) => text.clone(),
                Rendered::Unknown { template, .. } => template.clone(),
            });
            Fact::known(template, observation(mapped.store))
        }),
        username,
        has_groups: groups.clone().map(|groups| !groups.is_empty()),
        groups,
        username_is_reserved: seen.verdict.as_ref().map(|_| seen.is_denied(DenialKind::ReservedPrefix)),
        matched: seen.matched_fact(),
        near_misses: Fact::known(Vec::new(), "the mapping"),
        principal_path: principal_path(known.subject),
        is_root_concerned: near::is_root_concerned(&seen, &near_misses),
        root_user: near::root_user(&seen, &near_misses),
        config_map: config_map::derive(&seen, &near_misses),
        creator: creator::derive(&seen, &near_misses),
        nodes: nodes::derive(&seen, &misuse),
        misuse,
        stale: stale::derive(&seen, &near_misses),
        log: log::derive(&seen),
    };
    facts.near_misses = near::facts(&seen, near_misses, &facts);
    facts
}

fn principal_path(subject: &Subject) -> Fact<PrincipalPath> {
    match &subject.principal_arn {
        Fact::Known { value, source } => {
            let has_path = super::arn::Arn::parse(value).is_ok_and(|arn| arn.path() != "/");
            let path = if has_path { PrincipalPath::Some } else { PrincipalPath::None };
            Fact::Known { value: path, source: source.clone() }
        }
        Fact::Unknown(_) => Fact::known(PrincipalPath::Unseen, "aws.principal"),
    }
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

#[cfg(test)]
mod tests;
