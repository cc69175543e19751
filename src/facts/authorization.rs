//! Whether the Kubernetes user may do what was asked, by RBAC and by access policies together, and what stands
//! between.

use super::{
    Facts,
    mapping::{MappingFacts, MappingSource},
    rbac::{self, RbacDecision, RbacIndex, RbacLists},
    value::{Fact, Missing, Unknown, facts},
};
use crate::evidence::{Action, Evidence, UserInfo};

facts! {
    /// What RBAC and access policies say.
    AuthorizationFacts {
        /// Whether the action is allowed.
        "allowed" allowed: Fact<bool>,
        /// What allows it.
        "by" by: Fact<Option<String>>,
        /// Whether a binding names the user or one of its groups; those of everybody do not count.
        "isBound" is_bound: Fact<bool>,
        /// Whether the access entry has access policies.
        "hasPolicies" has_policies: Fact<bool>,
        /// The least access policy that allows the action.
        "leastPolicy" least_policy: Fact<Option<String>>,
        /// The scope with which it does.
        "leastScope" least_scope: Fact<String>,
        /// The least ClusterRole that allows the action.
        "leastRole" least_role: Fact<Option<String>>,
        /// A group that is bound already and that allows the action.
        "suggestedGroup" suggested_group: Fact<Option<String>>,
        /// Name for a new binding.
        "bindingName" binding_name: Fact<String>,
    }
}

/// Who asks, with the groups that every authenticated user has.
fn user(mapping: &MappingFacts) -> Fact<UserInfo> {
    mapping.username.clone().and_then(|username| {
        mapping.groups.clone().map(|groups| rbac::authenticated(username.unwrap_or_default(), groups))
    })
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, mapping: &MappingFacts, action: &Action) -> AuthorizationFacts {
    let index = RbacIndex::new(RbacLists::of(&evidence.kubernetes));
    let user = user(mapping);
    let decision = user.as_ref().and_then(|user| of_rbac(index.authorize(user, action)));
    let _ = MappingSource::None;
    AuthorizationFacts {
        by: decision.clone().map(|by| by),
        allowed: decision.map(|by| by.is_some()),
        is_bound: user.and_then(|user| is_bound(&index, &user, action)),
        has_policies: Fact::unknown("aws.accessEntries", "x"),
        least_policy: Fact::unknown("aws.accessEntries", "x"),
        least_scope: Fact::unknown("aws.accessEntries", "x"),
        least_role: Fact::unknown("aws.accessEntries", "x"),
        suggested_group: Fact::unknown("aws.accessEntries", "x"),
        binding_name: Fact::unknown("aws.accessEntries", "x"),
    }
}

/// What RBAC says: by what it is allowed, or nothing.
fn of_rbac(decision: RbacDecision<'_>) -> Fact<Option<String>> {
    match decision {
        RbacDecision::Allowed(grant) => Fact::known(Some(grant.reason()), "kubernetes RBAC"),
        RbacDecision::Denied { .. } => Fact::known(None, "kubernetes RBAC"),
        RbacDecision::Unknown { missing } => Fact::Unknown(Unknown {
            missing: missing
                .into_iter()
                .map(|list| Missing { observation: format!("kubernetes.{}", list.list).into(), why: list.why })
                .collect(),
        }),
    }
}

fn is_bound(index: &RbacIndex<'_>, user: &UserInfo, action: &Action) -> Fact<bool> {
    let own = index.bindings_of(user, action).into_iter().filter(|bound| bound.subject.name != "system:authenticated");
    Fact::known(own.count() > 0, "kubernetes.clusterRoleBindings")
}

/// Whether the action is allowed.
pub fn is_allowed(facts: &Facts) -> Fact<bool> {
    facts.authorization.allowed.clone()
}
