//! Which existing ClusterRoles would allow an action, the least one first.

use smol_str::{SmolStr, format_smolstr};

use crate::evidence::{Action, PolicyRule, RbacRole};

use super::matching::non_resource_path;
use super::{RbacIndex, rule_allows};

/// A ClusterRole that would allow the action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SufficientRole<'a> {
    /// The role.
    pub role: &'a RbacRole,
    /// How far it goes.
    pub breadth: Breadth,
    /// Whether it goes no further than the action itself: it may be offered as a fix.
    pub fitting: bool,
}

/// How far a role, or an action, goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breadth {
    /// Only looks, and not at Secrets.
    Read,
    /// Looks at Secrets too.
    ReadSecrets,
    /// Changes things.
    Write,
    /// Changes who may do what: RBAC objects, `bind`, `escalate`, `impersonate`.
    Grant,
    /// Everything, everywhere.
    Everything,
}

impl<'a> RbacIndex<'a> {
    /// The ClusterRoles that would allow the action, the one to be offered first in front: fitting ones first, by
    /// breadth; of equal breadth Kubernetes' own `view`, `edit` and `admin`, then the one with the fewest rights.
    /// Roles whose name begins with `system:` belong to the control plane and are left out.
    pub fn roles_that_allow(&self, action: &Action) -> Vec<SufficientRole<'a>> {
        let needed = Breadth::of_rules([&required(action)].into_iter());
        let mut roles = (self.lists.cluster_roles.items().iter())
            .filter(|role| !role.metadata.name.starts_with("system:"))
            .filter(|role| role.rules.iter().flatten().any(|rule| rule_allows(rule, action)))
            .map(|role| {
                let breadth = Breadth::of_role(role);
                SufficientRole { role, breadth, fitting: breadth <= needed }
            })
            .collect::<Vec<_>>();
        roles.sort_by_cached_key(|found| {
            let name = found.role.metadata.name.as_str();
            (!found.fitting, found.breadth, !is_user_facing(name), rights(found.role), name)
        });
        roles
    }
}

/// The rule that allows the action, whatever the name of the object.
pub(super) fn required(action: &Action) -> PolicyRule {
    let verbs = [action.verb.as_str().into()].into();
    if let Some(path) = non_resource_path(action) {
        return PolicyRule { verbs, non_resource_urls: [path.into()].into(), ..PolicyRule::default() };
    }
    let resource = action.resource.as_deref().unwrap_or_default();
    let resource = match action.subresource.as_deref() {
        None | Some("") => resource.into(),
        Some(subresource) => format_smolstr!("{resource}/{subresource}"),
    };
    let api_groups = [action.group.as_str().into()].into();
    PolicyRule { verbs, api_groups, resources: [resource].into(), ..PolicyRule::default() }
}

fn is_user_facing(name: &str) -> bool {
    matches!(name, "view" | "edit" | "admin")
}

/// How many combinations of verb, group and resource the role spells out.
fn rights(role: &RbacRole) -> usize {
    let of_rule = |rule: &PolicyRule| {
        let things = rule.api_groups.len().saturating_mul(rule.resources.len());
        rule.verbs.len().saturating_mul(things.saturating_add(rule.non_resource_urls.len()))
    };
    role.rules.iter().flatten().fold(0, |sum, rule| sum.saturating_add(of_rule(rule)))
}

impl Breadth {
    fn of_role(role: &RbacRole) -> Self {
        match role.metadata.name.as_str() {
            // It may impersonate service accounts, and is what people mean by "may change things".
            "edit" => Self::Write,
            _ => Self::of_rules(role.rules.iter().flatten()),
        }
    }

    fn of_rules<'a>(rules: impl Iterator<Item = &'a PolicyRule>) -> Self {
        rules.map(Self::of_rule).max().unwrap_or(Self::Read)
    }

    fn of_rule(rule: &PolicyRule) -> Self {
        let has = |values: &[SmolStr], wanted: &[&str]| values.iter().any(|value| wanted.contains(&value.as_str()));
        let writes = !rule.verbs.iter().all(|verb| ["get", "list", "watch"].contains(&verb.as_str()));
        let all_resources = has(&rule.resources, &["*"]);
        let rbac = has(&rule.api_groups, &["*", "rbac.authorization.k8s.io"]);
        if has(&rule.verbs, &["*"]) && all_resources && has(&rule.api_groups, &["*"]) {
            Self::Everything
        } else if has(&rule.verbs, &["bind", "escalate", "impersonate"])
            || writes
                && rbac
                && has(&rule.resources, &["*", "roles", "rolebindings", "clusterroles", "clusterrolebindings"])
        {
            Self::Grant
        } else if writes {
            Self::Write
        } else if has(&rule.api_groups, &["*", ""]) && has(&rule.resources, &["*", "secrets"]) {
            Self::ReadSecrets
        } else {
            Self::Read
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RbacLists;
    use super::*;
    use crate::evidence::Kubernetes;
    use serde_json::json;

    /// The ClusterRoles for an action, fitting ones and the others.
    fn offered(action: serde_json::Value) -> (Vec<String>, Vec<String>) {
        let role = |name, rules| json!({"metadata": {"name": name}, "rules": rules});
        let kubernetes: Kubernetes = serde_json::from_value(json!({"clusterRoles": {"found": [
            role("cluster-admin", json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])),
            role("admin", json!([{"verbs": ["create", "get"], "apiGroups": ["", "rbac.authorization.k8s.io"], "resources": ["roles", "pods", "secrets"]}])),
            role("edit", json!([{"verbs": ["create", "get"], "apiGroups": [""], "resources": ["pods", "secrets"]},
                                {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["serviceaccounts"]}])),
            role("a-reader", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
            role("secret-reader", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}])),
            role("system:node", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
            role("view", json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "services"]}])),
        ]}}))
        .unwrap();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        let action = serde_json::from_value(action).unwrap();
        let roles = index.roles_that_allow(&action);
        let (fitting, others) = roles.into_iter().partition::<Vec<_>, _>(|found| found.fitting);
        let names =
            |roles: Vec<SufficientRole<'_>>| roles.iter().map(|found| found.role.metadata.name.to_string()).collect();
        (names(fitting), names(others))
    }

    #[test]
    fn no_more_is_offered_than_is_needed() {
        let (fitting, others) = offered(json!({"verb": "get", "resource": "pods"}));
        assert_eq!(fitting, ["view", "a-reader"]);
        assert_eq!(others, ["edit", "admin", "cluster-admin"]);
        let (fitting, others) = offered(json!({"verb": "get", "resource": "secrets"}));
        assert_eq!(fitting, ["secret-reader"]);
        assert_eq!(others, ["edit", "admin", "cluster-admin"]);
        let (fitting, others) = offered(json!({"verb": "create", "resource": "pods"}));
        assert_eq!(fitting, ["edit"]);
        assert_eq!(others, ["admin", "cluster-admin"]);
        let (fitting, others) =
            offered(json!({"verb": "create", "group": "rbac.authorization.k8s.io", "resource": "roles"}));
        assert_eq!(fitting, ["admin"]);
        assert_eq!(others, ["cluster-admin"]);
    }
}
