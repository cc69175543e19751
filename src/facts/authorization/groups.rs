//! Why a mapping of aws-auth gives no groups: what stands there and is not read as groups.

use crate::{
    evidence::Evidence,
    facts::{
        aws_auth::{AwsAuth, SurpriseKind},
        value::{Fact, why_unsettled},
    },
};

/// What is wrong with the groups of the entry at `place` (`mapRoles line 7`), in words; absent if there is nothing to say.
pub(super) fn problem(evidence: &Evidence, place: Option<&str>) -> Fact<Option<String>> {
    let Some(config_map) = evidence.kubernetes.aws_auth.found() else {
        return Fact::Unknown(why_unsettled(&evidence.kubernetes.aws_auth, "kubernetes.awsAuth"));
    };
    let Some((section, line)) = place.and_then(|place| place.split_once(" line ")) else {
        return Fact::known(None, "kubernetes.awsAuth");
    };
    let parsed = AwsAuth::parse(&config_map.data);
    let of_entry = parsed.surprises.iter().filter(|surprise| {
        surprise.section == section && surprise.entry.is_some_and(|entry| entry.line.to_string() == line)
    });
    let words = of_entry.filter_map(|surprise| {
        let at = format!("line {}", surprise.place.line);
        Some(match surprise.kind {
            SurpriseKind::GroupsLost => format!("groups is no list ({at})"),
            SurpriseKind::UnknownKey => format!("{} is a key that nobody reads ({at})", surprise.text),
            SurpriseKind::GroupEmpty => format!("a group is no text ({at})"),
            SurpriseKind::GroupFolded => format!("a group has swallowed the line below it ({at})"),
            SurpriseKind::GroupsMissing => "it has no groups".to_owned(),
            _ => return None,
        })
    });
    // The one that says what stands there instead says more than that there are none.
    let mut words: Vec<String> = words.collect();
    words.sort_by_key(|words| words == "it has no groups");
    Fact::known(words.into_iter().next(), "kubernetes.awsAuth")
}
