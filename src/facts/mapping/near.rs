//! What would have matched but for one difference, in terms of facts, and whether it would help.

use super::super::{
    arn::Arn,
    authorization,
    identity_mapping::{DenialKind, NearMiss, NearMissReason, Outcome, Verdict},
    observed_symptom::Answer,
    rbac::{RbacDecision, RbacIndex, RbacLists, authenticated},
    subject::SubjectKind,
    value::Fact,
};
use super::{MASTERS, MappingFacts, NearMissFacts, RootUser, SYMPTOM, observation, place, seen::Seen, source};
use crate::symptom::SymptomClass;

/// How many near misses are kept: the nearest ones, more help nobody.
const MOST_NEAR_MISSES: usize = 20;

/// The near misses, or what would have to be read to know them.
pub(super) fn near_misses(seen: &Seen<'_>) -> Fact<Vec<NearMiss>> {
    seen.near_misses()
}

/// The near misses as facts. `facts` is what else is known of the mapping.
pub(super) fn facts(
    seen: &Seen<'_>,
    near_misses: Fact<Vec<NearMiss>>,
    facts: &MappingFacts,
) -> Fact<Vec<Fact<NearMissFacts>>> {
    near_misses.map(|near_misses| {
        let help = Help::new(seen, facts, &near_misses);
        near_misses
            .into_iter()
            .take(MOST_NEAR_MISSES)
            .map(|near_miss| {
                let source = format!("{} {}", observation(near_miss.store), place(&near_miss.entry));
                Fact::known(near_miss_of(seen, &help, near_miss), source)
            })
            .collect()
    })
}

fn near_miss_of(seen: &Seen<'_>, help: &Help<'_>, near_miss: NearMiss) -> NearMissFacts {
    let would_help = help.from(&near_miss);
    let account =
        Arn::parse(&near_miss.arn).ok().map(|arn| arn.account.to_owned()).filter(|account| !account.is_empty());
    let is_of_cluster_account = seen.cluster.account.clone().and_then(|own| match own {
        Some(own) => Fact::known(account.as_ref() == Some(&own), "aws.cluster"),
        None => Fact::unknown("aws.cluster", "its ARN was not seen"),
    });
    let groups = near_miss.groups;
    NearMissFacts {
        place: place(&near_miss.entry),
        reason: near_miss.reason,
        source: source(near_miss.store),
        would_match: near_miss.expected_arn,
        username: near_miss.username.filter(|username| !username.is_empty()),
        has_reserved_group: groups.iter().any(|group| group.starts_with("system:")),
        is_admin: groups.iter().any(|group| group == MASTERS),
        groups,
        account,
        is_of_cluster_account,
        would_help,
        arn: near_miss.arn,
    }
}

/// Whether another mapping would help somebody who is refused.
struct Help<'a> {
    seen: &'a Seen<'a>,
    is_refused: Fact<bool>,
}

impl<'a> Help<'a> {
    fn new(seen: &'a Seen<'a>, facts: &MappingFacts, near_misses: &[NearMiss]) -> Self {
        let is_refused = if near_misses.is_empty() { Fact::known(false, "") } else { is_refused(seen, facts) };
        Self { seen, is_refused }
    }

    fn from(&self, near_miss: &NearMiss) -> Fact<bool> {
        if self.is_refused.is(&false) {
            return self.is_refused.clone();
        }
        if let Fact::Unknown(unknown) = &self.seen.identity {
            return Fact::Unknown(unknown.clone());
        }
        let logs_in = match (self.seen.verdict.value(), self.seen.trace.value().map(|trace| &trace.outcome)) {
            (Some(Verdict::Denied(_)), _) | (_, Some(Outcome::AnyOf(_))) => false,
            (Some(Verdict::Mapped(_)), _) => true,
            (None, _) => return self.is_refused.clone(),
        };
        if !logs_in {
            return self.is_refused.clone();
        }
        // Whoever is mapped either way is not refused the login for want of the other mapping.
        if self.seen.answer.is(&Answer::Unauthorized) && near_miss.reason != NearMissReason::UniqueId {
            return Fact::known(false, "kubernetes.whoami");
        }
        if near_miss.reason == NearMissReason::UniqueId {
            return self.is_refused.clone();
        }
        let allowed = would_allow(self.seen, near_miss);
        self.is_refused.clone().and_then(|_| allowed)
    }
}

/// Whether the subject does not get what it wants: seen, pasted, or as the model says.
fn is_refused(seen: &Seen<'_>, facts: &MappingFacts) -> Fact<bool> {
    let is_seen = is_seen_refused(seen);
    if is_seen.value().is_some() {
        return is_seen;
    }
    seen.verdict.as_ref().and_then(|verdict| match verdict {
        Verdict::Denied(_) => Fact::known(true, "the mapping"),
        Verdict::Mapped(_) => {
            let known = authorization::Known {
                pasted: seen.pasted,
                subject: seen.subject,
                kubeconfig: seen.known.kubeconfig,
                cluster: seen.cluster,
                mapping: facts,
                symptom: seen.known.symptom,
            };
            authorization::derive(seen.evidence, &known, seen.known.asked).allowed.map(|yes| !yes)
        }
    })
}

/// Whether the subject is refused by what was seen or pasted.
pub(super) fn is_seen_refused(seen: &Seen<'_>) -> Fact<bool> {
    match &seen.answer {
        Fact::Known { value: Answer::Allowed | Answer::Anonymous, source } => {
            return Fact::known(false, source.clone());
        }
        Fact::Known { value: Answer::Forbidden | Answer::Unauthorized, source } => {
            return Fact::known(true, source.clone());
        }
        _ => {}
    }
    let refusals = [SymptomClass::Unauthorized, SymptomClass::Forbidden, SymptomClass::Node];
    if refusals.iter().any(|class| seen.pasted.classes.contains(class)) {
        return Fact::known(true, SYMPTOM);
    }
    Fact::unknown("kubernetes.actionAttempt", "whether the subject is refused was not seen")
}

/// Whether the groups of a mapping allow the action.
fn would_allow(seen: &Seen<'_>, near_miss: &NearMiss) -> Fact<bool> {
    let user = authenticated(near_miss.username.clone().unwrap_or_default(), near_miss.groups.iter().cloned());
    let index = RbacIndex::new(RbacLists::of(&seen.evidence.kubernetes));
    match index.authorize(&user, seen.known.asked) {
        RbacDecision::Allowed(_) => Fact::known(true, observation(near_miss.store)),
        RbacDecision::Denied { .. } => Fact::known(false, "kubernetes.roleBindings"),
        RbacDecision::Unknown { .. } => Fact::unknown("kubernetes.roleBindings", "what its groups may do was not read"),
    }
}

/// Whether the subject is a root or federated user, or something names the root user who is not meant.
pub(super) fn is_root_concerned(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> Fact<bool> {
    seen.subject.kind.clone().and_then(|kind| match kind {
        SubjectKind::Root | SubjectKind::FederatedUser => Fact::known(true, "the subject"),
        _ => near_misses.as_ref().map(|near_misses| {
            near_misses.iter().any(|near_miss| near_miss.reason == NearMissReason::RootMeantAccount)
        }),
    })
}

/// Why a root or federated user is not mapped, or what `:root` was meant to be.
pub(super) fn root_user(seen: &Seen<'_>, near_misses: &Fact<Vec<NearMiss>>) -> Fact<Option<RootUser>> {
    let denied = match &seen.verdict {
        Fact::Known { .. } => Fact::known(seen.is_denied(DenialKind::NotMapped), seen.denied_by()),
        Fact::Unknown(unknown) => Fact::Unknown(unknown.clone()),
    };
    seen.subject.kind.clone().and_then(|kind| match kind {
        SubjectKind::Root => denied.map(|denied| denied.then_some(RootUser::Root)),
        SubjectKind::FederatedUser => denied.map(|denied| denied.then_some(RootUser::Federated)),
        _ => near_misses.as_ref().and_then(|near_misses| {
            let meant = near_misses.iter().any(|near_miss| near_miss.reason == NearMissReason::RootMeantAccount);
            denied.map(|denied| (denied && meant).then_some(RootUser::MeantAccount))
        }),
    })
}
