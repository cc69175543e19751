//! The roles of nodes: whether a node is meant, whether its role is mapped as a node's must be, and entries that were
//! made for nodes and are used by people, or the other way round.

use super::super::{
    arn::Arn,
    authorization::asking::refusal,
    aws_auth::{Entry, EntryPrincipal},
    go_text,
    identity_mapping::{DenialKind, NearMiss, NearMissReason, StoreName, Verdict},
    observed_symptom::Answer,
    pasted::Pasted,
    subject::SubjectKind,
    subject::canonical,
    username::is_instance_id,
    value::{Fact, choice, facts},
};
use super::{AWS_AUTH, ENTRIES, MappingSource, MatchedEntry, SYMPTOM, seen::Seen};
use crate::symptom::SymptomClass;

choice! {
    /// What is wrong with the mapping of a node's role.
    NodeProblem {
        /// The role is not mapped.
        NotMapped = "not-mapped",
        /// The cluster maps no node role at all.
        NoneMapped = "none-mapped",
        /// The user name is not that of a node.
        WrongUsername = "wrong-username",
        /// The groups are not those of a node.
        WrongGroups = "wrong-groups",
    }
}

choice! {
    /// An entry that is used for something else than it was made for.
    Misuse {
        /// A person uses a role whose access entry is of a node type.
        PersonOnNodeEntry = "person-on-node-entry",
        /// A node's role has an access entry of type STANDARD.
        NodeOnStandardEntry = "node-on-standard-entry",
        /// A person uses a role that is mapped with the name of an instance.
        PersonOnNodeTemplate = "person-on-node-template",
        /// A node is named by its session, which is its instance id.
        NodeNamedBySession = "node-named-by-session",
    }
}

facts! {
    /// The roles of nodes.
    NodeFacts {
        /// Whether the subject is a node.
        "isSubject" is_subject: Fact<bool>,
        /// Whether the question is about nodes, and not about somebody who is refused.
        "isMeant" is_meant: bool,
        /// Whether the question is about nodes, or about the role of one.
        "isConcerned" is_concerned: Fact<bool>,
        /// Whether a mapping for nodes and its users do not fit together, or seem not to.
        "isMisused" is_misused: Fact<bool>,
        /// What is wrong with the mapping of the nodes' role.
        "problem" problem: Fact<Option<NodeProblem>>,
        /// ARN of that role, as aws-auth must spell it.
        "arn" arn: Fact<Option<String>>,
        /// Where its mapping stands.
        "place" place: Fact<Option<String>>,
        /// Template of the user name there.
        "username" username: Fact<Option<String>>,
        /// Groups there.
        "groups" groups: Fact<Vec<String>>,
    }
}

/// What a kubelet asks the API server about. Whoever is known as a node and asks about other things is none.
const OF_KUBELETS: [&str; 20] = [
    "certificatesigningrequests",
    "configmaps",
    "csidrivers",
    "csinodes",
    "endpoints",
    "endpointslices",
    "events",
    "leases",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "resourceclaims",
    "resourceslices",
    "runtimeclasses",
    "secrets",
    "serviceaccounts",
    "services",
    "subjectaccessreviews",
    "volumeattachments",
];

const USERNAME: &str = "system:node:{{EC2PrivateDNSName}}";
const SESSION_USERNAME: &str = "system:node:{{SessionName}}";
const GROUPS: [&str; 2] = ["system:bootstrappers", "system:nodes"];

/// Whether the question is about nodes that do not join.
pub(super) fn is_asked_about(seen: &Seen<'_>) -> bool {
    is_about_nodes(seen.pasted)
}

/// Whether a text speaks of nodes that have trouble, and not of somebody who may not see them.
pub(crate) fn is_about_nodes(pasted: &Pasted) -> bool {
    let text = &pasted.text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_named = says(&["node", "kubelet", "instance", "karpenter", "worker", "join"]);
    let in_words =
        says(&["node", "kubelet", "instance"]) && says(&["join", "notready", "not ready", "kubelet", "register"]);
    let hints = |class| pasted.hinted.contains(&class);
    let in_own_words = hints(SymptomClass::Node) && !hints(SymptomClass::Forbidden);
    pasted.shows(SymptomClass::Node) && is_named || in_words || in_own_words
}

/// Whether an entry of aws-auth was written for nodes.
pub(super) fn is_node_entry(entry: &Entry) -> bool {
    let groups = entry.groups.iter().flatten();
    entry.username.contains("system:node:")
        || groups.into_iter().any(|group| GROUPS.iter().any(|own| group.contains(own)))
}

/// Whether the subject is a node: a role of which a node, or what happens to nodes, is told.
fn is_subject(seen: &Seen<'_>) -> Fact<bool> {
    let (Some(SubjectKind::Role), Some(arn)) = (seen.subject.kind.value(), seen.subject.arn.value()) else {
        return match &seen.subject.kind {
            Fact::Known { source, .. } => Fact::known(false, source.clone()),
            Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
        };
    };
    let is_asked = is_asked_about(seen);
    let name = seen.subject.name.value().map(|name| name.to_lowercase()).unwrap_or_default();
    let is_named = name.contains("node");
    match Arn::parse(arn).ok().and_then(|arn| arn.session().map(is_instance_id)) {
        Some(true) if is_asked || is_named => Fact::known(true, "the subject"),
        Some(true) => Fact::unknown(SYMPTOM, "whether this instance is a node was not said"),
        Some(false) => Fact::known(false, "the subject"),
        None => Fact::known(is_asked || is_named, "the subject"),
    }
}

pub(super) fn derive(seen: &Seen<'_>, misuse: &Fact<Option<Misuse>>) -> NodeFacts {
    let is_subject = is_subject(seen);
    let (problem, entry) = match is_subject.value() {
        Some(true) => of_subject(seen),
        _ if is_asked_about(seen) => of_all(seen),
        _ => (is_subject.as_ref().map(|_| None), None),
    };
    let arn = match (&entry, is_subject.is(&true)) {
        (_, true) => seen.subject.canonical_arn.clone().map(Some),
        (Some(entry), _) => Fact::known(Some(entry.arn.clone()), AWS_AUTH),
        (None, _) => Fact::known(None, AWS_AUTH),
    };
    let is_person = is_subject.is(&false) && seen.answer.is(&Answer::Unauthorized);
    NodeFacts {
        is_concerned: match &is_subject {
            _ if is_asked_about(seen) => Fact::known(true, SYMPTOM),
            is_subject => is_subject.clone(),
        },
        is_misused: is_misused(seen, misuse),
        is_meant: is_asked_about(seen) && !is_person,
        is_subject,
        arn,
        place: Fact::known(entry.as_ref().map(|entry| entry.place.clone()), AWS_AUTH),
        username: Fact::known(entry.as_ref().and_then(|entry| entry.username.clone()), AWS_AUTH),
        groups: Fact::known(entry.map(|entry| entry.groups).unwrap_or_default(), AWS_AUTH),
        problem,
    }
}

/// The mapping of the node's role that is the subject.
fn of_subject(seen: &Seen<'_>) -> (Fact<Option<NodeProblem>>, Option<MatchedEntry>) {
    if seen.is_denied(DenialKind::NotMapped) {
        return (Fact::known(Some(NodeProblem::NotMapped), seen.denied_by()), None);
    }
    match seen.matched() {
        Some(entry) if entry.source == MappingSource::AwsAuth => {
            (Fact::known(problem_of(entry.username.as_deref(), &entry.groups), AWS_AUTH), Some(entry))
        }
        Some(entry) => (Fact::known(None, ENTRIES), Some(entry)),
        None => (seen.verdict.as_ref().map(|_| None), None),
    }
}

/// Nodes are asked about, and it is not known which role they have.
fn of_all(seen: &Seen<'_>) -> (Fact<Option<NodeProblem>>, Option<MatchedEntry>) {
    let unread = |store: &super::super::identity_mapping::Seen<_>| store.known().is_none();
    let (entries, aws_auth) = (seen.reads(StoreName::AccessEntry), seen.reads(StoreName::AwsAuth));
    let missing = [
        (entries != Some(false) && unread(&seen.index.access_entries), ENTRIES),
        (aws_auth != Some(false) && unread(&seen.index.aws_auth), AWS_AUTH),
    ];
    if let Some((_, observation)) = missing.into_iter().find(|(is_missing, _)| *is_missing) {
        return (Fact::unknown(observation, "which roles it maps was not read"), None);
    }
    let of_nodes = |entry: &&crate::evidence::AccessEntry| {
        let entry_type = entry.details.found().and_then(|details| details.entry_type.as_deref());
        entry_type.is_none_or(|entry_type| entry_type != "STANDARD")
    };
    let has_entry = entries != Some(false)
        && seen.evidence.aws.access_entries.found().into_iter().flatten().any(|entry| of_nodes(&entry));
    let mapped: Vec<&Entry> = if aws_auth == Some(false) {
        Vec::new()
    } else {
        seen.aws_auth_entries().filter(|entry| is_node_entry(entry)).collect()
    };
    let wrong =
        mapped.iter().find_map(|entry| Some((problem_of(Some(&entry.username), entry.groups.as_deref()?)?, *entry)));
    let all_wrong = mapped
        .iter()
        .all(|entry| problem_of(Some(&entry.username), entry.groups.as_deref().unwrap_or_default()).is_some());
    match wrong {
        Some((problem, entry)) if all_wrong && !has_entry => (Fact::known(Some(problem), AWS_AUTH), as_matched(entry)),
        _ if mapped.is_empty() && !has_entry && seen.index.mode.known().is_some() => {
            (Fact::known(Some(NodeProblem::NoneMapped), seen.denied_by()), None)
        }
        _ => (Fact::unknown("target.principal", "which IAM role the nodes have was not said"), None),
    }
}

fn as_matched(entry: &Entry) -> Option<MatchedEntry> {
    let EntryPrincipal::Arn { arn, place } = &entry.principal else { return None };
    Some(MatchedEntry {
        arn: arn.clone(),
        source: MappingSource::AwsAuth,
        place: format!("mapRoles line {}", place.line),
        entry_type: None,
        username: Some(entry.username.clone()),
        groups: entry.groups.clone().unwrap_or_default(),
    })
}

/// What a node needs: the name of a node, and the groups of nodes.
fn problem_of(username: Option<&str>, groups: &[String]) -> Option<NodeProblem> {
    if !username.is_some_and(|name| [USERNAME, SESSION_USERNAME].contains(&name)) {
        return Some(NodeProblem::WrongUsername);
    }
    let has = |own: &str| groups.iter().any(|group| group == own);
    let has_all = has(GROUPS[1]) && (has(GROUPS[0]) || has("system:node-proxier"));
    (!has_all).then_some(NodeProblem::WrongGroups)
}

/// Whether the entry that matches was made for something else.
pub(super) fn misuse(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> Fact<Option<Misuse>> {
    let matched = seen.matched();
    let is_node = is_subject(seen);
    let has = |reason| {
        near_misses.value().is_some_and(|near_misses| near_misses.iter().any(|near_miss| near_miss.reason == reason))
    };
    let decided = |misuse| seen.verdict.clone().map(|_| Some(misuse));
    if has(NearMissReason::EntryType) {
        return decided(Misuse::PersonOnNodeEntry);
    }
    if has(NearMissReason::NodeTemplate) {
        return decided(Misuse::PersonOnNodeTemplate);
    }
    if let Some(standard) = standard_entry_of_nodes(seen, &is_node) {
        return standard;
    }
    if let Some(observation) = asks_what_no_kubelet_asks(seen) {
        return Fact::known(Some(Misuse::PersonOnNodeTemplate), observation);
    }
    if let Some(named) = named_by_session(seen, matched.as_ref()) {
        return named;
    }
    let Some(entry) = matched else {
        let by_log =
            seen.logged.as_ref().is_some_and(|logged| logged.denial == Some(super::MappingDenial::TemplateError));
        return match &seen.verdict {
            Fact::Known { .. } if by_log => Fact::known(Some(Misuse::PersonOnNodeTemplate), super::log::OBSERVATION),
            Fact::Known { .. } => Fact::known(None, seen.denied_by()),
            Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
        };
    };
    let is_standard = entry.entry_type.as_deref() == Some("STANDARD");
    if is_standard && is_node.is(&true) && is_asked_about(seen) {
        return Fact::known(Some(Misuse::NodeOnStandardEntry), ENTRIES);
    }
    // Of a role that was asked about by its name, the sessions are not known.
    let needs_instance = entry.username.as_deref().is_some_and(|name| name.contains("{{EC2PrivateDNSName}}"));
    if needs_instance && seen.verdict.value().is_none() && !is_node.is(&true) {
        return Fact::unknown("target.principal", "whether a person or a node uses the role was not said");
    }
    Fact::known(None, "the mapping")
}

/// An entry for people whose role has the name of one of nodes, where nodes are asked about and none is named.
fn standard_entry_of_nodes(seen: &Seen<'_>, is_node: &Fact<bool>) -> Option<Fact<Option<Misuse>>> {
    if !is_asked_about(seen) || is_node.value().is_some() {
        return None;
    }
    let entries = seen.evidence.aws.access_entries.found()?.iter();
    let mut entries = entries.filter(|entry| {
        let name = Arn::parse(&entry.principal_arn).map(|arn| arn.name().to_lowercase()).unwrap_or_default();
        let entry_type = entry.details.found().and_then(|details| details.entry_type.as_deref());
        name.contains("node") && entry_type == Some("STANDARD")
    });
    entries.next().map(|_| Fact::known(Some(Misuse::NodeOnStandardEntry), ENTRIES))
}

/// Whether a mapping for nodes is used by others, as far as is seen: what misuse is certain, or that the creator of the
/// cluster or a person is mapped as a node, or that a node is named by its instance id.
fn is_misused(seen: &Seen<'_>, misuse: &Fact<Option<Misuse>>) -> Fact<bool> {
    if let Fact::Known { value, source } = misuse {
        return Fact::known(value.is_some(), source.clone());
    }
    let creator = seen.evidence.aws.create_cluster_event.found().map(|event| event.principal_arn.as_str());
    let is_session =
        |arn: &&str| Arn::parse(arn).is_ok_and(|arn| arn.session().is_some_and(|name| !is_instance_id(name)));
    let people = [creator, seen.subject.arn.value().map(String::as_str).filter(is_session)];
    let people: Vec<String> = people.into_iter().flatten().filter_map(|arn| canonical(arn).ok()).collect();
    let mut entries = seen.aws_auth_entries().filter(|entry| is_node_entry(entry));
    let is_person = entries.any(|entry| {
        matches!(&entry.principal, EntryPrincipal::Arn { arn, .. } if people.iter().any(|own| go_text::equal_fold(own, arn)))
    });
    let named = seen.pasted.stated.username.as_deref().and_then(|name| name.strip_prefix("system:node:"));
    if is_person || named.is_some_and(is_instance_id) {
        return Fact::known(true, if is_person { AWS_AUTH } else { SYMPTOM });
    }
    misuse.as_ref().map(|_| false)
}

/// Where a user with the name of a node is refused what no kubelet asks for.
fn asks_what_no_kubelet_asks(seen: &Seen<'_>) -> Option<&'static str> {
    let is_other = |resource: &str| !OF_KUBELETS.contains(&resource);
    if let Some(refusal) = refusal(seen.evidence, seen.pasted)
        && let Some(resource) = refusal.words.action.as_ref().and_then(|action| action.resource.as_deref())
    {
        let is_node = refusal.words.username.starts_with("system:node:");
        return (is_node && is_other(resource)).then_some(refusal.observation);
    }
    // The rest of the message may have been cut off.
    let (_, rest) = seen.pasted.text.split_once("User \"system:node:")?;
    let resource = rest.split_once("cannot ")?.1.split_once("resource \"")?.1.split('"').next()?;
    is_other(resource).then_some(SYMPTOM)
}

/// `system:node:i-…` is the name of a node only where EKS itself names it by its instance id.
fn named_by_session(seen: &Seen<'_>, matched: Option<&MatchedEntry>) -> Option<Fact<Option<Misuse>>> {
    let rendered = match seen.verdict.value() {
        Some(Verdict::Mapped(mapped)) => mapped.username.as_ref().and_then(|name| name.known()).map(str::to_owned),
        _ => None,
    };
    let whoami = seen.evidence.kubernetes.whoami.found().filter(|_| seen.evidence.target.principal.is_none());
    let username = seen.pasted.stated.username.clone().or(rendered).or_else(|| Some(whoami?.username.clone()))?;
    username.strip_prefix("system:node:").filter(|name| is_instance_id(name))?;
    let by_session = |name: &str| name == SESSION_USERNAME;
    let in_aws_auth = seen.aws_auth_entries().any(|entry| by_session(&entry.username));
    let by_subject = matched.is_some_and(|entry| {
        entry.username.as_deref().is_some_and(by_session)
            && entry.entry_type.as_deref().is_none_or(|kind| kind == "FARGATE_LINUX")
    });
    let mut entries = seen.evidence.aws.access_entries.found().into_iter().flatten();
    let fargate = entries
        .any(|entry| entry.details.found().and_then(|details| details.entry_type.as_deref()) == Some("FARGATE_LINUX"));
    Some(if in_aws_auth || by_subject || fargate {
        Fact::known(Some(Misuse::NodeNamedBySession), AWS_AUTH)
    } else {
        Fact::unknown(AWS_AUTH, "which mapping gives the node this name was not seen")
    })
}
