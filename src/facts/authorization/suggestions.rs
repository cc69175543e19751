//! The least addition that would allow the action: a role, a group that is bound already, the words of a new rule.

use super::BINDINGS;
use crate::{
    evidence::{Action, Evidence, RbacBinding},
    facts::{
        rbac::{BindingKind, RbacIndex, RoleLookup},
        value::Fact,
    },
};

/// The least ClusterRole that allows the action and not much more.
pub(super) fn least_role(evidence: &Evidence, index: &RbacIndex<'_>, action: &Action) -> Fact<Option<String>> {
    Fact::observed(&evidence.kubernetes.cluster_roles, "kubernetes.clusterRoles").map(|_| {
        let roles = index.roles_that_allow(action);
        roles.first().filter(|found| found.fitting).map(|found| found.role.metadata.name.to_string())
    })
}

/// A group of people that is bound, where the action happens, to a role that allows it and not much more.
pub(super) fn group(evidence: &Evidence, index: &RbacIndex<'_>, action: &Action) -> Fact<Option<String>> {
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
        action.namespace.is_some() && binding.metadata.namespace.as_deref() == action.namespace.as_deref()
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
    Fact::observed(&kubernetes.role_bindings, BINDINGS).map(|_| best.map(|(_, group)| group.to_string()))
}

/// A name for a new binding. Names of RBAC objects may hold anything but slashes and per cents.
pub(super) fn binding_name(groups: &Fact<Vec<String>>, least_role: &Fact<Option<String>>) -> Fact<String> {
    let subject = groups.value().and_then(|groups| groups.first()).cloned();
    let role = least_role.value().cloned().flatten().unwrap_or_else(|| "access".to_owned());
    let name = format!("{}-{role}", subject.unwrap_or_else(|| "eks".to_owned())).replace(['/', '%'], "-");
    Fact::known(name, "the mapping")
}

/// The resource as `kubectl create role --resource=` spells it: `deployments.apps/scale`; absent for a path.
pub(super) fn resource(action: &Action) -> Option<String> {
    let mut resource = action.resource.clone()?;
    if !action.group.is_empty() {
        resource = format!("{resource}.{}", action.group);
    }
    match action.subresource.as_deref().filter(|subresource| !subresource.is_empty()) {
        Some(subresource) => Some(format!("{resource}/{subresource}")),
        None => Some(resource),
    }
}
