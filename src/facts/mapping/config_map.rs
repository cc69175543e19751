//! The aws-auth ConfigMap as an object: whether it is there, in the right place, and which sections do not parse.

use super::super::{
    aws_auth::{ParseError, ParseErrorKind},
    identity_mapping::{DenialKind, EntryRef, NearMiss, NearMissReason},
    value::{Fact, facts, why_unsettled},
};
use super::{AWS_AUTH, SYMPTOM, log, nodes, seen::Seen};
use crate::evidence::Observed;

facts! {
    /// The aws-auth ConfigMap as an object.
    ConfigMapFacts {
        /// Whether there is no aws-auth in kube-system.
        "isAbsent" is_absent: Fact<bool>,
        /// ConfigMaps that were probably meant to be it.
        "misplaced" misplaced: Fact<Vec<Fact<MisplacedConfigMap>>>,
        /// Sections that do not parse, so that all of their entries are lost.
        "brokenSections" broken_sections: Fact<Vec<Fact<BrokenSection>>>,
    }
}

facts! {
    /// A ConfigMap that was probably meant to be aws-auth.
    MisplacedConfigMap {
        /// Its namespace.
        "namespace" namespace: String,
        /// Its name.
        "name" name: String,
        /// Whether there is no right one beside it.
        "isOnlyOne" is_only_one: Fact<bool>,
    }
}

facts! {
    /// A section of aws-auth that does not parse.
    BrokenSection {
        /// Its key.
        "section" section: String,
        /// The line of that text, from 1.
        "line" line: Option<i64>,
        /// The column, from 1.
        "column" column: Option<i64>,
        /// What is wrong there.
        "message" message: String,
        /// The line itself.
        "text" text: Option<String>,
        /// Whether the roles of nodes stand in it.
        "hasNodes" has_nodes: bool,
        /// Whether the subject, or the nodes that are asked about, lose their mapping by it.
        "isFelt" is_felt: Fact<bool>,
    }
}

pub(super) fn derive(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> ConfigMapFacts {
    let is_absent = is_absent(seen);
    ConfigMapFacts {
        misplaced: misplaced(seen, &is_absent),
        broken_sections: match (&seen.aws_auth, &is_absent) {
            (Some(aws_auth), _) => {
                let broken = aws_auth.errors.iter().filter(|error| loses_section(error));
                let sections = broken.map(|error| broken_section(seen, near_misses, error));
                Fact::known(sections.collect(), AWS_AUTH)
            }
            (None, Fact::Known { value: true, source }) => Fact::known(Vec::new(), source.clone()),
            (None, _) => Fact::Unknown(why_unsettled(&seen.evidence.kubernetes.aws_auth, AWS_AUTH)),
        },
        is_absent,
    }
}

fn is_absent(seen: &Seen<'_>) -> Fact<bool> {
    let observed = &seen.evidence.kubernetes.aws_auth;
    match observed {
        Observed::Found(_) => return Fact::known(false, AWS_AUTH),
        Observed::Absent(_) => return Fact::known(true, AWS_AUTH),
        _ => {}
    }
    if seen.pasted.proves("mapping/config-map-missing") {
        return Fact::known(true, SYMPTOM);
    }
    let lines = seen.evidence.logs.authenticator.found().into_iter().flatten();
    let last = lines
        .rev()
        .find(|line| line.contains("Resetting configmap on delete") || line.contains("aws-auth watch event"));
    if last.is_some_and(|line| line.contains("Resetting configmap on delete")) {
        return Fact::known(true, log::OBSERVATION);
    }
    Fact::Unknown(why_unsettled(observed, AWS_AUTH))
}

fn misplaced(seen: &Seen<'_>, is_absent: &Fact<bool>) -> Fact<Vec<Fact<MisplacedConfigMap>>> {
    let observed = &seen.evidence.kubernetes.misplaced_aws_auth;
    Fact::observed(observed, "kubernetes.misplacedAwsAuth").map(|found| {
        let objects = found.into_iter().flatten();
        let facts = objects.map(|object| {
            let misplaced = MisplacedConfigMap {
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                is_only_one: is_absent.clone(),
            };
            Fact::known(misplaced, "kubernetes.misplacedAwsAuth")
        });
        facts.collect()
    })
}

/// Whether an error costs the whole section and not an entry or a field of it.
fn loses_section(error: &ParseError) -> bool {
    match error.kind {
        ParseErrorKind::Yaml | ParseErrorKind::Json => true,
        ParseErrorKind::Type => error.message.contains("Go value of type []config."),
        ParseErrorKind::Validation => false,
    }
}

fn broken_section(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>, error: &ParseError) -> Fact<BrokenSection> {
    let section = error.section.key();
    let config_map = seen.evidence.kubernetes.aws_auth.found();
    let text = config_map.and_then(|config_map| config_map.data.get(section)).map(String::as_str).unwrap_or_default();
    let has_nodes = text.contains("system:node");
    let line = error.place.and_then(|place| text.lines().nth(place.line.saturating_sub(1)));
    let number = |number: usize| i64::try_from(number).ok();
    let source = match error.place {
        Some(place) => format!("{AWS_AUTH} {section} line {}", place.line),
        None => format!("{AWS_AUTH} {section}"),
    };
    let broken = BrokenSection {
        section: section.to_owned(),
        line: error.place.and_then(|place| number(place.line)),
        column: error.place.and_then(|place| number(place.column)),
        message: without_place(&error.message).to_owned(),
        text: line.map(|line| line.trim().chars().take(80).collect()).filter(|line: &String| !line.is_empty()),
        has_nodes,
        is_felt: is_felt(seen, near_misses, section, has_nodes),
    };
    Fact::known(broken, source)
}

/// An error without the place that is told apart.
fn without_place(message: &str) -> &str {
    let message = message.strip_prefix("yaml: ").unwrap_or(message);
    let behind = message.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    behind.filter(|(line, _)| line.bytes().all(|byte| byte.is_ascii_digit())).map_or(message, |(_, behind)| behind)
}

fn is_felt(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>, section: &str, has_nodes: bool) -> Fact<bool> {
    if has_nodes && nodes::is_asked_about(seen) {
        return Fact::known(true, AWS_AUTH);
    }
    let is_here = |near_miss: &NearMiss| {
        near_miss.reason == NearMissReason::SectionMalformed
            && matches!(&near_miss.entry, EntryRef::AwsAuth { section: own, .. } if own == section)
    };
    near_misses.as_ref().and_then(|near_misses| match &seen.verdict {
        _ if !near_misses.iter().any(is_here) => Fact::known(false, AWS_AUTH),
        Fact::Known { .. } => Fact::known(seen.is_denied(DenialKind::NotMapped), AWS_AUTH),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    })
}
