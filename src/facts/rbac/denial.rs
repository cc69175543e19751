//! Why RBAC refuses: what the user's bindings give instead, where else they would do, and what is missing.

use smol_str::SmolStr;

use crate::evidence::{Action, PolicyRule, UserInfo};

use super::index::binding_namespace;
use super::matching::{self, namespace, non_resource_path};
use super::near::NearMiss;
use super::suggest::{SufficientRole, required};
use super::{BindingKind, Bound, RbacIndex, RoleLookup, rule_allows};

/// What is to be said about a refusal. Lists that are unread are as if empty here.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial<'a> {
    /// The smallest set of rules that would allow the action, if the user had them where the action happens.
    pub missing: Vec<PolicyRule>,
    /// The bindings that hold for the user there, in the authorizer's order.
    pub bound: Vec<BoundRole<'a>>,
    /// The RoleBindings of other namespaces that name the user and whose role has a rule for the action. For a request
    /// that is for the cluster or for all namespaces, every RoleBinding is one of another namespace.
    pub elsewhere: Vec<Bound<'a>>,
    /// Bindings that would help if they named the user as it is; the nearest first.
    pub near_misses: Vec<NearMiss<'a>>,
    /// The ClusterRoles that would allow the action, the one to be offered first in front.
    pub sufficient_roles: Vec<SufficientRole<'a>>,
}

/// A binding that holds for the user, and what it comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundRole<'a> {
    /// The binding.
    pub bound: Bound<'a>,
    /// Its role.
    pub role: RoleLookup<'a>,
    /// The rules of the role that come near to the action.
    pub related: Vec<RelatedRule<'a>>,
    /// A rule that the role would have if the controller had filled it in, and that would allow the action.
    pub stale: Option<&'a PolicyRule>,
}

/// A rule for the same resource, or one that fails in one respect only.
#[derive(Debug, Clone, PartialEq)]
pub struct RelatedRule<'a> {
    /// The rule.
    pub rule: &'a PolicyRule,
    /// In what it does not fit.
    pub lacks: Vec<Lack>,
}

/// A respect in which a rule does not fit an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It has other verbs.
    Verb,
    /// It has other API groups.
    ApiGroup,
    /// It has other resources or subresources.
    Resource,
    /// It is for objects of other names only.
    ResourceName,
    /// It has other paths.
    Path,
}

impl<'a> RbacIndex<'a> {
    /// Everything that is to be said about a refusal of `action` to `user`.
    ///
    /// `other_names` are further spellings of the same caller, such as its IAM ARNs: a binding that names one of them
    /// is a near miss. Takes time linear in the lists.
    pub fn explain_denial(&self, user: &UserInfo, action: &Action, other_names: &[&str]) -> Denial<'a> {
        let bound = self.bindings_of(user, action).into_iter().map(|bound| self.bound_role(bound, action));
        let bound = bound.collect::<Vec<_>>();
        Denial {
            missing: vec![missing_rule(&bound, action)],
            elsewhere: self.bound_elsewhere(user, action),
            near_misses: self.near_misses(user, action, other_names),
            sufficient_roles: self.roles_that_allow(action),
            bound,
        }
    }

    fn bound_role(&self, bound: Bound<'a>, action: &Action) -> BoundRole<'a> {
        let role = self.role_of(bound.kind, bound.binding);
        let RoleLookup::Found(found) = role else { return BoundRole { bound, role, related: Vec::new(), stale: None } };
        let related = found.rules.iter().flatten().filter_map(|rule| related(rule, action)).collect();
        let drift = self.aggregation_drift(found);
        let stale = drift.and_then(|drift| drift.missing.into_iter().find(|rule| rule_allows(rule, action)));
        BoundRole { bound, role, related, stale }
    }

    /// The RoleBindings of other namespaces that name the user and whose role has a rule for the action.
    fn bound_elsewhere(&self, user: &UserInfo, action: &Action) -> Vec<Bound<'a>> {
        if non_resource_path(action).is_some() {
            return Vec::new();
        }
        let naming = matching::Naming::of(user);
        let bindings = self.lists.role_bindings.items().iter();
        let elsewhere = bindings.filter(|binding| Some(binding_namespace(binding)) != namespace(action));
        let naming_user = elsewhere.filter_map(|binding| {
            let subject = naming.first(binding.subjects.as_deref().unwrap_or_default(), binding_namespace(binding))?;
            Some(Bound { kind: BindingKind::RoleBinding, binding, subject })
        });
        naming_user.filter(|bound| self.role_allows(bound, action) == Some(true)).collect()
    }

    /// Whether the binding's role has a rule for the action; `None` if the role is unread.
    pub(super) fn role_allows(&self, bound: &Bound<'a>, action: &Action) -> Option<bool> {
        match self.role_of(bound.kind, bound.binding) {
            RoleLookup::Found(role) => Some(role.rules.iter().flatten().any(|rule| rule_allows(rule, action))),
            RoleLookup::Dangling => Some(false),
            RoleLookup::Unread(_) => None,
        }
    }
}

/// The rule that is missing. It names the object only where the user already has the right for other objects, which
/// says that rights are given by name here, and where the API server knows the name when it decides.
fn missing_rule(bound: &[BoundRole<'_>], action: &Action) -> PolicyRule {
    let mut rule = required(action);
    let by_name = bound.iter().flat_map(|role| &role.related).any(|related| related.lacks == [Lack::ResourceName]);
    let name = action.name.as_deref().filter(|name| !name.is_empty());
    let subresource = action.subresource.as_deref().is_some_and(|subresource| !subresource.is_empty());
    if by_name && (subresource || !["create", "deletecollection"].contains(&action.verb.as_str())) {
        rule.resource_names = name.map(SmolStr::new).into_iter().collect();
    }
    rule
}

fn related<'a>(rule: &'a PolicyRule, action: &Action) -> Option<RelatedRule<'a>> {
    let respects = match non_resource_path(action) {
        Some(path) => {
            vec![(Lack::Verb, matching::verb_matches(rule, action)), (Lack::Path, matching::path_matches(rule, path))]
        }
        None => vec![
            (Lack::Verb, matching::verb_matches(rule, action)),
            (Lack::ApiGroup, matching::group_matches(rule, action)),
            (Lack::Resource, matching::resource_matches(rule, action)),
            (Lack::ResourceName, matching::name_matches(rule, action)),
        ],
    };
    let lacks = respects.into_iter().filter(|(_, fits)| !fits).map(|(lack, _)| lack).collect::<Vec<_>>();
    let is_related = match lacks.as_slice() {
        // Another resource with the same verb is no relation, unless it is a part of the same one.
        [Lack::Resource] => same_resource(rule, action),
        [Lack::Path] => false,
        [] | [_] | [Lack::Verb, Lack::ResourceName] => true,
        _ => false,
    };
    is_related.then_some(RelatedRule { rule, lacks })
}

/// Whether the rule names the resource of the action with or without another subresource.
fn same_resource(rule: &PolicyRule, action: &Action) -> bool {
    rule.resources.iter().any(|resource| resource.split('/').next() == action.resource.as_deref())
}

#[cfg(test)]
mod tests {
    use super::super::{RbacLists, authenticated};
    use super::*;
    use crate::evidence::Kubernetes;
    use serde_json::{Value, json};

    /// What is to be said to `ada`, who is bound to a Role with these rules in `dev`, about an action.
    fn explain<T>(rules: Value, action: Value, look: impl Fn(Denial<'_>) -> T) -> T {
        let kubernetes: Kubernetes = serde_json::from_value(json!({
            "clusterRoles": {"found": [{"metadata": {"name": "view"}, "rules": [
                {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]}]},
            "roles": {"found": [{"metadata": {"name": "r", "namespace": "dev"}, "rules": rules}]},
            "roleBindings": {"found": [
                {"metadata": {"name": "b", "namespace": "dev"}, "roleRef": {"kind": "Role", "name": "r"},
                    "subjects": [{"kind": "User", "name": "ada"}]},
                {"metadata": {"name": "c", "namespace": "prod"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
                    "subjects": [{"kind": "User", "name": "ada"}]},
            ]},
        }))
        .unwrap();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        look(index.explain_denial(&authenticated("ada", []), &serde_json::from_value(action).unwrap(), &[]))
    }

    fn missing(rules: Value, action: Value) -> Value {
        explain(rules, action, |denial| serde_json::to_value(denial.missing).unwrap())
    }

    #[test]
    fn the_missing_rule_is_no_wider_than_the_action() {
        let action =
            json!({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "dev", "name": "web-0"});
        let expected = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}]);
        assert_eq!(missing(json!([]), action), expected);
        let expected = json!([{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]);
        assert_eq!(missing(json!([]), json!({"verb": "get", "path": "/healthz"})), expected);
    }

    #[test]
    fn the_missing_rule_names_the_object_where_rights_are_given_by_name() {
        let rules = json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a"]}]);
        let get = json!({"verb": "get", "resource": "secrets", "namespace": "dev", "name": "b"});
        let expected = json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["b"]}]);
        assert_eq!(missing(rules.clone(), get), expected);
        // The API server does not know the name when it decides about a create.
        let create = json!({"verb": "create", "resource": "secrets", "namespace": "dev", "name": "b"});
        let expected = json!([{"verbs": ["create"], "apiGroups": [""], "resources": ["secrets"]}]);
        assert_eq!(missing(rules, create), expected);
    }

    #[test]
    fn related_rules_say_in_what_they_do_not_fit() {
        let rules = json!([
            {"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]},
            {"verbs": ["patch"], "apiGroups": ["extensions"], "resources": ["deployments"]},
            {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments/scale"]},
            {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["statefulsets"]},
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        ]);
        let patch = json!({"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "dev"});
        let lacks = explain(rules, patch, |denial| {
            let related = denial.bound.iter().flat_map(|bound| &bound.related);
            related.map(|related| related.lacks.clone()).collect::<Vec<_>>()
        });
        assert_eq!(lacks, [[Lack::Verb], [Lack::ApiGroup], [Lack::Resource]]);
    }

    #[test]
    fn bindings_of_other_namespaces_count_if_their_role_would_do() {
        for namespace in [json!("dev"), Value::Null] {
            let list = json!({"verb": "list", "resource": "pods", "namespace": namespace});
            let names = |denial: Denial<'_>| {
                denial.elsewhere.iter().map(|bound| bound.binding.metadata.name.clone()).collect::<Vec<_>>()
            };
            assert_eq!(explain(json!([]), list, names), ["c"]);
        }
        let delete = json!({"verb": "delete", "resource": "pods", "namespace": "dev"});
        assert_eq!(explain(json!([]), delete, |denial| denial.elsewhere.len()), 0);
    }
}
