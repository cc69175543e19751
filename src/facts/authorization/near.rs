//! Names that are all but right: a mapped group that differs from a bound one by a typo, a binding that spells the user in
//! another way.

use super::{BINDINGS, bindings::name_of};
use crate::{
    evidence::Evidence,
    facts::{
        aws_auth::AwsAuth,
        mapping::is_about_nodes,
        pasted::Pasted,
        rbac::{NearMiss, NearMissKind},
        value::{Fact, Unknown, choice, facts},
    },
};

choice! {
    /// In what two names differ.
    NameDifference {
        /// Upper and lower case.
        LetterCase = "letter-case",
        /// An @ that becomes a - in session names.
        AtSign = "at-sign",
        /// User, group and service account are confused.
        SubjectKind = "subject-kind",
        /// Another spelling of the same caller, such as its IAM ARN.
        OtherName = "other-name",
        /// The name of another session of the same IAM role.
        SessionName = "session-name",
        /// One or two letters.
        Letters = "letters",
    }
}

facts! {
    /// A name in a binding that is all but the user's or a group's.
    NearNameFacts {
        /// The name in the binding.
        "bound" bound: String,
        /// What the mapping gives.
        "mapped" mapped: String,
        /// In what the two differ.
        "difference" difference: NameDifference,
        /// Kind and name of the binding; absent for a group that Kubernetes itself knows.
        "binding" binding: Option<String>,
        /// The binding's namespace; absent for a ClusterRoleBinding.
        "namespace" namespace: Option<String>,
        /// Kind of the binding's subject.
        "subjectKind" subject_kind: String,
        /// Whether what is mapped is a group, and not the user name.
        "isGroup" is_group: bool,
        /// Whether it is what stops the request: the action is refused, or nodes do not join.
        "matters" matters: Fact<bool>,
    }
}

/// Groups that Kubernetes and EKS bind by themselves and people write by hand.
const KNOWN_GROUPS: [&str; 3] = ["system:masters", "system:bootstrappers", "system:nodes"];

/// All near names, of groups and of the user.
pub(super) fn near_names(
    evidence: &Evidence,
    pasted: &Pasted,
    groups: &Fact<Vec<String>>,
    misses: &[NearMiss<'_>],
    unread: &Unknown,
    refused: &Fact<bool>,
) -> Fact<Vec<Fact<NearNameFacts>>> {
    let mut found = Vec::new();
    let own = groups.value().map(Vec::as_slice).unwrap_or_default();
    for group in own {
        found.extend(misspelt_known_group(group, refused.clone()).map(|near| Fact::known(near, "the mapping")));
    }
    if is_about_nodes(pasted) {
        found.extend(of_node_roles(evidence));
    }
    for miss in misses.iter().filter(|miss| is_likely_slip(miss)) {
        let near = near_name(miss, own, refused);
        if !found.iter().any(|one: &Fact<NearNameFacts>| {
            one.value().is_some_and(|one| one.mapped == near.mapped && one.bound == near.bound)
        }) {
            found.push(Fact::known(near, BINDINGS));
        }
    }
    if found.is_empty() && !unread.missing.is_empty() {
        Fact::Unknown(unread.clone())
    } else {
        Fact::known(found, BINDINGS)
    }
}

fn near_name(miss: &NearMiss<'_>, groups: &[String], refused: &Fact<bool>) -> NearNameFacts {
    NearNameFacts {
        bound: miss.bound.subject.name.to_string(),
        mapped: miss.meant.clone(),
        difference: difference(miss.kind),
        binding: Some(name_of(miss.bound.kind, miss.bound.binding)),
        namespace: miss.bound.namespace().map(str::to_owned),
        subject_kind: miss.bound.subject.kind.to_string(),
        is_group: groups.contains(&miss.meant),
        matters: refused.clone(),
    }
}

fn difference(kind: NearMissKind) -> NameDifference {
    match kind {
        NearMissKind::LetterCase => NameDifference::LetterCase,
        NearMissKind::AtSign => NameDifference::AtSign,
        NearMissKind::SubjectKind | NearMissKind::ServiceAccountNamespace => NameDifference::SubjectKind,
        NearMissKind::OtherName => NameDifference::OtherName,
        NearMissKind::SessionName => NameDifference::SessionName,
        NearMissKind::OneLetter | NearMissKind::TwoLetters => NameDifference::Letters,
    }
}

/// Whether two names that differ by letters differ by a slip. `team-a` and `team-b`, `dev1` and `dev2`, `qa-eu` and
/// `qa-us` are two groups and no slip.
fn is_likely_slip(miss: &NearMiss<'_>) -> bool {
    difference(miss.kind) != NameDifference::Letters || is_slip(&miss.bound.subject.name, &miss.meant)
}

fn is_slip(one: &str, other: &str) -> bool {
    let parts = |name: &str| -> Vec<String> {
        name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).filter(|part| !part.is_empty()).collect()
    };
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    let (own, theirs) = (parts(one), parts(other));
    digits(one) == digits(other)
        && (own.len() != theirs.len()
            || own.iter().zip(&theirs).all(|(a, b)| a == b || (a.chars().count() > 2 && b.chars().count() > 2)))
}

/// A group that is nearly one that Kubernetes itself knows: `system:master`. Angle brackets are no slip of the pen, but a
/// placeholder that was copied.
fn misspelt_known_group(group: &str, matters: Fact<bool>) -> Option<NearNameFacts> {
    if group.contains(['<', '>']) {
        return None;
    }
    let known = KNOWN_GROUPS.into_iter().find(|known| {
        group != *known && (group.eq_ignore_ascii_case(known) || strsim::osa_distance(group, known) <= 2)
    })?;
    let differs_in_case = group.eq_ignore_ascii_case(known);
    Some(NearNameFacts {
        bound: known.to_owned(),
        mapped: group.to_owned(),
        difference: if differs_in_case { NameDifference::LetterCase } else { NameDifference::Letters },
        binding: None,
        namespace: None,
        subject_kind: "Group".to_owned(),
        is_group: true,
        matters,
    })
}

/// The misspelt groups of the entries of aws-auth that are made for nodes.
fn of_node_roles(evidence: &Evidence) -> Vec<Fact<NearNameFacts>> {
    let Some(config_map) = evidence.kubernetes.aws_auth.found() else { return Vec::new() };
    let parsed = AwsAuth::parse(&config_map.data);
    let of_nodes = parsed.roles.iter().filter(|entry| entry.username.contains("system:node:"));
    let groups = of_nodes.flat_map(|entry| entry.groups.iter().flatten().map(move |group| (entry, group)));
    groups
        .filter_map(|(entry, group)| {
            let near = misspelt_known_group(group, Fact::known(true, "target.symptom"))?;
            Some(Fact::known(near, format!("kubernetes.awsAuth mapRoles line {}", entry.place.line)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_and_lettered_names_are_no_slips() {
        for (one, other, expected) in [
            ("developers", "developer", true),
            ("dev-viewers", "dev-viewer", true),
            ("admins", "adimns", true),
            ("devs", "dev", true),
            ("team-a", "team-b", false),
            ("dev1", "dev2", false),
            ("dev", "dev2", false),
            ("qa-eu", "qa-us", false),
            ("dev_viewers", "dev-viewers", true),
            ("devviewers", "dev-viewers", true),
        ] {
            assert_eq!(is_slip(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn groups_of_kubernetes_itself_are_known_without_any_list() {
        let known = |group: &str| misspelt_known_group(group, Fact::known(true, "x")).map(|near| near.bound);
        assert_eq!(known("system:master").as_deref(), Some("system:masters"));
        assert_eq!(known("System:Masters").as_deref(), Some("system:masters"));
        assert_eq!(known("system:bootstrapper").as_deref(), Some("system:bootstrappers"));
        assert_eq!(known("<system:nodes>"), None);
        assert_eq!(known("system:masters"), None);
        assert_eq!(known("masters"), None);
    }
}
