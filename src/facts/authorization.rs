//! Whether the Kubernetes user may do what was asked, by RBAC and by access policies together, and what the least
//! addition would be.

use super::{
    Facts,
    access_policies::{self, AllowedBy, AssociatedPolicies, Authorization, PoliciesUnknown},
    arn::Partition,
    cluster::ClusterFacts,
    mapping::{MappingFacts, MappingSource},
    rbac::{self, BindingKind, Grant, MissingList, RbacIndex, RbacLists, RoleLookup},
    value::{Fact, Missing, Unknown, facts, why_unsettled},
};
use crate::evidence::{AccessEntry, Action, Evidence, Observed, RbacBinding, RbacSubject, UserInfo};

facts! {
    /// What RBAC and access policies say.
    AuthorizationFacts {
        /// Whether the action is allowed.
        "allowed" allowed: Fact<bool>,
        /// What allows it.
        "by" by: Fact<Option<String>>,
        /// Whether some binding names the user or one of its groups; the group of everybody does not count.
        "isBound" is_bound: Fact<bool>,
        /// Whether the access entry has access policies.
        "hasPolicies" has_policies: Fact<bool>,
        /// ARN of the least access policy that allows the action.
        "leastPolicy" least_policy: Fact<Option<String>>,
        /// The scope with which it does.
        "leastScope" least_scope: Fact<Option<String>>,
        /// The least ClusterRole that allows the action and not much more.
        "leastRole" least_role: Fact<Option<String>>,
        /// A group that is bound already to such a role.
        "suggestedGroup" suggested_group: Fact<Option<String>>,
        /// A name for a new binding.
        "bindingName" binding_name: Fact<String>,
    }
}

const ENTRIES: &str = "aws.accessEntries";
const BINDINGS: &str = "kubernetes.roleBindings";
const EVERYBODY: &str = "system:authenticated";

/// Derives the room.
pub(crate) fn derive(
    evidence: &Evidence,
    cluster: &ClusterFacts,
    mapping: &MappingFacts,
    action: &Action,
) -> AuthorizationFacts {
    let index = RbacIndex::new(RbacLists::of(&evidence.kubernetes));
    let user = asking(evidence, mapping);
    let policies = policies(evidence, mapping);
    let decision = user.as_ref().and_then(|asking| {
        policies.as_ref().and_then(|policies| {
            let rbac = index.authorize(&asking.user, action);
            let decided = decision(access_policies::union(rbac, access_policies::decide(policies, action)));
            match (decided, &asking.open) {
                (Fact::Known { value: None, .. }, Some(open)) => Fact::Unknown(open.clone()),
                (decided, _) => decided,
            }
        })
    });
    let least_role = least_role(evidence, &index, action);
    let binding_name = binding_name(mapping, &least_role);
    let least_policy = least_policy(cluster, action);
    AuthorizationFacts {
        allowed: decision.clone().map(|by| by.is_some()),
        by: decision,
        is_bound: user.and_then(|asking| is_bound(evidence, &asking)),
        has_policies: policies.and_then(|policies| match policies {
            AssociatedPolicies::Read(associations) => Fact::known(!associations.is_empty(), ENTRIES),
            AssociatedPolicies::NotRead(why) => Fact::unknown("aws.accessEntries.policies", why),
            AssociatedPolicies::HiddenByImpersonation => Fact::known(false, ENTRIES),
        }),
        least_scope: least_policy.clone().map(|least| least.map(|(_, scope)| scope)),
        least_policy: least_policy.map(|least| least.map(|(arn, _)| arn)),
        suggested_group: suggested_group(evidence, &index, action),
        least_role,
        binding_name,
    }
}

/// Whether the action is allowed.
pub fn is_allowed(facts: &Facts) -> Fact<bool> {
    facts.authorization.allowed.clone()
}

/// Who asks.
struct Asking {
    /// With the groups that every authenticated user has; the name is a template if what fills it was not seen.
    user: UserInfo,
    /// Why a "no" is not certain: a binding names a user that the template could become.
    open: Option<Unknown>,
}

fn asking(evidence: &Evidence, mapping: &MappingFacts) -> Fact<Asking> {
    if mapping.source.is(&MappingSource::None) {
        return Fact::unknown(ENTRIES, "the cluster does not know the principal");
    }
    mapping.groups.clone().and_then(|groups| match (&mapping.username, mapping.username_template.value()) {
        (Fact::Unknown(unknown), Some(Some(template))) => {
            let user = rbac::authenticated(template.clone(), groups);
            let open = names_a_user_like(evidence, template).then(|| unknown.clone());
            Fact::known(Asking { user, open }, ENTRIES)
        }
        (username, _) => username.clone().map(|username| {
            let user = rbac::authenticated(username.unwrap_or_default(), groups);
            Asking { user, open: None }
        }),
    })
}

/// Whether some binding names a user that a template could become.
fn names_a_user_like(evidence: &Evidence, template: &str) -> bool {
    let head = template.split("{{").next().unwrap_or_default();
    let tail = template.rsplit("}}").next().unwrap_or_default();
    let kubernetes = &evidence.kubernetes;
    let bindings = [&kubernetes.cluster_role_bindings, &kubernetes.role_bindings];
    let subjects = bindings.into_iter().filter_map(Observed::found).flatten().flat_map(|binding| binding.subjects.iter());
    subjects.flatten().any(|subject| {
        subject.kind == "User" && subject.name.starts_with(head) && subject.name.ends_with(tail)
    })
}

/// The access policies of the entry that maps the subject; none if an entry does not.
fn policies<'a>(evidence: &'a Evidence, mapping: &MappingFacts) -> Fact<AssociatedPolicies<'a>> {
    mapping.source.clone().and_then(|source| {
        if source != MappingSource::AccessEntry {
            return Fact::known(AssociatedPolicies::Read(&[]), ENTRIES);
        }
        let name = mapping.entry.value().cloned().flatten();
        let entries = evidence.aws.access_entries.found().into_iter().flatten();
        let mut entries = entries.filter(|entry: &&AccessEntry| Some(&entry.principal_arn) == name.as_ref());
        match entries.next() {
            Some(entry) => Fact::known(AssociatedPolicies::of(entry), ENTRIES),
            None => Fact::Unknown(why_unsettled(&evidence.aws.access_entries, ENTRIES)),
        }
    })
}

/// By what it is allowed; nothing if it is not.
fn decision(authorization: Authorization<'_>) -> Fact<Option<String>> {
    match authorization {
        Authorization::Allowed(AllowedBy::Rbac(Grant::PrivilegedGroup)) => {
            Fact::known(Some("the group system:masters".to_owned()), "the mapping")
        }
        Authorization::Allowed(AllowedBy::Rbac(Grant::Rule { bound, .. })) => {
            let source = match bound.kind {
                BindingKind::ClusterRoleBinding => "kubernetes.clusterRoleBindings",
                BindingKind::RoleBinding => BINDINGS,
            };
            Fact::known(Some(bound.to_string()), source)
        }
        Authorization::Allowed(AllowedBy::AccessPolicy(grant)) => {
            Fact::known(Some(format!("access policy {}", grant.policy.name)), ENTRIES)
        }
        Authorization::Denied => Fact::known(None, "RBAC and access policies"),
        Authorization::Unknown { rbac, policies } => {
            let mut missing: Vec<Missing> = rbac.into_iter().map(missing_list).collect();
            missing.extend(policies.into_iter().flat_map(missing_policies));
            Fact::Unknown(Unknown { missing })
        }
    }
}

fn missing_list(list: MissingList) -> Missing {
    Missing { observation: format!("kubernetes.{}", list.list).into(), why: list.why }
}

fn missing_policies(unknown: PoliciesUnknown<'_>) -> Vec<Missing> {
    match unknown {
        PoliciesUnknown::NotRead(why) => vec![Missing { observation: "aws.accessEntries.policies".into(), why }],
        PoliciesUnknown::Open(associations) => associations
            .into_iter()
            .map(|(association, why)| Missing {
                observation: "kubernetes.accessReview".into(),
                why: format!("{}: {why}", association.policy_arn),
            })
            .collect(),
    }
}

/// Whether any binding, in whatever namespace, names the user or one of its own groups.
fn is_bound(evidence: &Evidence, asking: &Asking) -> Fact<bool> {
    let user = &asking.user;
    let names = |subject: &RbacSubject| match subject.kind.as_str() {
        "User" => subject.name == user.username,
        "Group" => subject.name != EVERYBODY && user.groups.contains(&subject.name),
        _ => false,
    };
    let kubernetes = &evidence.kubernetes;
    let lists = [
        (&kubernetes.cluster_role_bindings, "kubernetes.clusterRoleBindings"),
        (&kubernetes.role_bindings, BINDINGS),
    ];
    let mut unknown = asking.open.clone().unwrap_or_default();
    for (list, observation) in lists {
        match list {
            Observed::Found(bindings) => {
                if bindings.iter().any(|binding| binding.subjects.iter().flatten().any(names)) {
                    return Fact::known(true, observation);
                }
            }
            Observed::Absent(_) => {}
            unsettled => unknown.absorb(&why_unsettled(unsettled, observation)),
        }
    }
    if unknown.missing.is_empty() { Fact::known(false, BINDINGS) } else { Fact::Unknown(unknown) }
}

fn least_policy(cluster: &ClusterFacts, action: &Action) -> Fact<Option<(String, String)>> {
    let partition = cluster.region.value().cloned().flatten().map_or(Partition::Aws, |region| Partition::of_region(&region));
    let least = access_policies::least_policy(action).map(|least| {
        let arn = format!("arn:{}:eks::aws:cluster-access-policy/{}", partition.id(), least.policy.name);
        let scope = match least.scope.namespaces.as_slice() {
            [] => format!("type={}", least.scope.scope_type),
            namespaces => format!("type={},namespaces={}", least.scope.scope_type, namespaces.join(",")),
        };
        (arn, scope)
    });
    Fact::known(least, "target.action")
}

fn least_role(evidence: &Evidence, index: &RbacIndex<'_>, action: &Action) -> Fact<Option<String>> {
    Fact::observed(&evidence.kubernetes.cluster_roles, "kubernetes.clusterRoles").map(|_| {
        let roles = index.roles_that_allow(action);
        roles.first().filter(|found| found.fitting).map(|found| found.role.metadata.name.clone())
    })
}

/// A group of people that is bound, where the action happens, to a role that allows it and not much more.
fn suggested_group(evidence: &Evidence, index: &RbacIndex<'_>, action: &Action) -> Fact<Option<String>> {
    let fitting: Vec<&str> = index
        .roles_that_allow(action)
        .into_iter()
        .filter(|found| found.fitting)
        .map(|found| found.role.metadata.name.as_str())
        .collect();
    let rank = |kind: BindingKind, binding: &RbacBinding| match index.role_of(kind, binding) {
        RoleLookup::Found(role) => fitting.iter().position(|name| *name == role.metadata.name),
        _ => None,
    };
    let kubernetes = &evidence.kubernetes;
    let namespaced = kubernetes.role_bindings.found().into_iter().flatten().filter(|binding| {
        action.namespace.is_some() && binding.metadata.namespace == action.namespace
    });
    let clustered = kubernetes.cluster_role_bindings.found().into_iter().flatten();
    let bindings = namespaced
        .map(|binding| (BindingKind::RoleBinding, binding))
        .chain(clustered.map(|binding| (BindingKind::ClusterRoleBinding, binding)));
    let best = bindings
        .filter_map(|(kind, binding)| {
            let mut subjects = binding.subjects.iter().flatten();
            let group = subjects.find(|subject| subject.kind == "Group" && !subject.name.starts_with("system:"))?;
            Some((rank(kind, binding)?, &group.name))
        })
        .min();
    Fact::observed(&kubernetes.role_bindings, BINDINGS).map(|_| best.map(|(_, group)| group.clone()))
}

fn binding_name(mapping: &MappingFacts, least_role: &Fact<Option<String>>) -> Fact<String> {
    let subject = mapping.groups.value().and_then(|groups| groups.first()).cloned();
    let role = least_role.value().cloned().flatten().unwrap_or_else(|| "access".to_owned());
    // Names of RBAC objects may hold anything but slashes and per cents.
    let name = format!("{}-{role}", subject.unwrap_or_else(|| "eks".to_owned())).replace(['/', '%'], "-");
    Fact::known(name, "the mapping")
}
