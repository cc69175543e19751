//! What a rule matches and whom a subject names, decided as the authorizer's helpers decide it.

use std::collections::HashSet;

use smol_str::SmolStr;

use crate::evidence::{Action, PolicyRule, RbacSubject, UserInfo};

/// The user names of service accounts are this, the namespace, a colon and the name.
pub(super) const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// Whether the rule allows the action, in whatever namespace the rule's binding holds.
///
/// `*` in a request is a value like any other: only a rule's own `*` matches it.
pub fn rule_allows(rule: &PolicyRule, action: &Action) -> bool {
    match non_resource_path(action) {
        Some(path) => verb_matches(rule, action) && path_matches(rule, path),
        None => {
            verb_matches(rule, action)
                && group_matches(rule, action)
                && resource_matches(rule, action)
                && name_matches(rule, action)
        }
    }
}

/// The path of a request that is not for a resource.
pub(super) fn non_resource_path(action: &Action) -> Option<&str> {
    action.path.as_deref().filter(|path| !path.is_empty())
}

/// The namespace of a request; `None` if it is for the cluster, for all namespaces, or for a path.
///
/// The authorizer takes the RoleBindings of whatever namespace the request carries, also if it is for a path; such a
/// request carries none.
pub(super) fn namespace(action: &Action) -> Option<&str> {
    action.namespace.as_deref().filter(|namespace| !namespace.is_empty())
}

pub(super) fn verb_matches(rule: &PolicyRule, action: &Action) -> bool {
    any_or(&rule.verbs, |verb| verb == action.verb)
}

pub(super) fn group_matches(rule: &PolicyRule, action: &Action) -> bool {
    any_or(&rule.api_groups, |group| group == action.group)
}

/// `*` matches subresources too; `pods` does not match `pods/log`; `*/scale` matches no bare resource.
pub(super) fn resource_matches(rule: &PolicyRule, action: &Action) -> bool {
    let resource = action.resource.as_deref().unwrap_or_default();
    let subresource = action.subresource.as_deref().filter(|subresource| !subresource.is_empty());
    any_or(&rule.resources, |ruled| match subresource {
        None => ruled == resource,
        Some(subresource) => {
            ruled.strip_prefix("*/") == Some(subresource)
                || ruled.strip_prefix(resource).and_then(|rest| rest.strip_prefix('/')) == Some(subresource)
        }
    })
}

/// A rule with names matches no request without a name, such as a list.
pub(super) fn name_matches(rule: &PolicyRule, action: &Action) -> bool {
    let requested = action.name.as_deref().unwrap_or_default();
    rule.resource_names.is_empty() || rule.resource_names.iter().any(|name| name == requested)
}

pub(super) fn path_matches(rule: &PolicyRule, path: &str) -> bool {
    any_or(&rule.non_resource_urls, |url| {
        url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
    })
}

fn any_or(values: &[SmolStr], matches: impl Fn(&str) -> bool) -> bool {
    values.iter().any(|value| value == "*" || matches(value))
}

/// The namespace of a ServiceAccount subject. A RoleBinding may leave it out and means its own.
pub(super) fn service_account_namespace<'t>(subject: &'t RbacSubject, binding_namespace: &'t str) -> &'t str {
    subject.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(binding_namespace)
}

/// Whether a ServiceAccount subject is this user. Without a namespace it is nobody.
pub(super) fn is_service_account(subject: &RbacSubject, binding_namespace: &str, username: &str) -> bool {
    let namespace = service_account_namespace(subject, binding_namespace);
    let account = username.strip_prefix(SERVICE_ACCOUNT_PREFIX);
    let name = account.and_then(|account| account.strip_prefix(namespace)).and_then(|rest| rest.strip_prefix(':'));
    !namespace.is_empty() && name == Some(subject.name.as_str())
}

/// A user, prepared for being looked for among many subjects.
pub(super) struct Naming<'u> {
    username: &'u str,
    groups: HashSet<&'u str>,
}

impl<'u> Naming<'u> {
    pub(super) fn of(user: &'u UserInfo) -> Self {
        Self { username: &user.username, groups: user.groups.iter().map(String::as_str).collect() }
    }

    /// The first subject that is the user or one of its groups.
    pub(super) fn first<'a>(&self, subjects: &'a [RbacSubject], binding_namespace: &str) -> Option<&'a RbacSubject> {
        subjects.iter().find(|subject| self.is_named_by(subject, binding_namespace))
    }

    /// Whether the subject is the user or one of its groups.
    pub(super) fn is_named_by(&self, subject: &RbacSubject, binding_namespace: &str) -> bool {
        match subject.kind.as_str() {
            "User" => subject.name == self.username,
            "Group" => self.groups.contains(subject.name.as_str()),
            "ServiceAccount" => is_service_account(subject, binding_namespace, self.username),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: serde_json::Value) -> PolicyRule {
        serde_json::from_value(text).unwrap()
    }

    fn action(text: serde_json::Value) -> Action {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn subresources_are_resources_of_their_own() {
        let pods = rule(serde_json::json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}));
        let log = rule(serde_json::json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}));
        let any_log = rule(serde_json::json!({"verbs": ["get"], "apiGroups": [""], "resources": ["*/log"]}));
        let all = rule(serde_json::json!({"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}));
        let get_pods = action(serde_json::json!({"verb": "get", "resource": "pods"}));
        let get_log = action(serde_json::json!({"verb": "get", "resource": "pods", "subresource": "log"}));
        let allowed = |action| [&pods, &log, &any_log, &all].map(|rule| rule_allows(rule, action));
        assert_eq!(allowed(&get_pods), [true, false, false, true]);
        assert_eq!(allowed(&get_log), [false, true, true, true]);
    }

    #[test]
    fn a_trailing_star_matches_any_rest_of_a_path() {
        let rule = rule(serde_json::json!({"verbs": ["get"], "nonResourceURLs": ["/healthz/*", "/logs*", "/a**"]}));
        let matched = ["/healthz", "/healthz/", "/healthz/ping", "/logs", "/logsome", "/a", "/abc", "/b"]
            .map(|path| rule_allows(&rule, &action(serde_json::json!({"verb": "get", "path": path}))));
        assert_eq!(matched, [false, true, true, true, true, true, true, false]);
    }

    #[test]
    fn a_rule_with_names_matches_no_list() {
        let named = rule(serde_json::json!({
            "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["web-0"]
        }));
        assert!(rule_allows(&named, &action(serde_json::json!({"verb": "get", "resource": "pods", "name": "web-0"}))));
        assert!(!rule_allows(&named, &action(serde_json::json!({"verb": "list", "resource": "pods"}))));
    }

    #[test]
    fn a_star_in_a_request_is_no_wildcard() {
        let everything = action(serde_json::json!({"verb": "*", "group": "*", "resource": "*"}));
        let pods = rule(serde_json::json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}));
        let all = rule(serde_json::json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        assert!(!rule_allows(&pods, &everything));
        assert!(rule_allows(&all, &everything));
    }
}
