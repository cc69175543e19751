//! Aggregated ClusterRoles: whether the rules in the object are what the controller would fill in.
//!
//! The authorizer only reads the rules in the object. Where they differ, the controller has not run yet or cannot.

use std::collections::HashSet;

use smol_str::SmolStr;

use crate::evidence::{LabelSelector, LabelSelectorRequirement, ObjectMeta, PolicyRule, RbacRole};

use super::RbacIndex;

/// How an aggregated ClusterRole differs from what the controller would fill in.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregationDrift<'a> {
    /// Rules of the selected ClusterRoles that the object lacks.
    pub missing: Vec<&'a PolicyRule>,
    /// Rules of the object that no selected ClusterRole has: the controller will remove them.
    pub surplus: Vec<&'a PolicyRule>,
}

impl<'a> RbacIndex<'a> {
    /// How the rules of an aggregated ClusterRole differ from what the controller would fill in, the order of rules
    /// aside. `None` if they do not differ, the ClusterRole is not aggregated, its selectors are invalid (the
    /// controller then leaves it alone), or the ClusterRoles are unread.
    pub fn aggregation_drift(&self, role: &'a RbacRole) -> Option<AggregationDrift<'a>> {
        let aggregation = role.aggregation_rule.as_ref()?;
        let selectors = &aggregation.cluster_role_selectors;
        if !self.lists.cluster_roles.is_read() || !selectors.iter().all(is_valid) {
            return None;
        }
        let selected = self.lists.cluster_roles.items().iter().filter(|other| {
            other.metadata.name != role.metadata.name
                && selectors.iter().any(|selector| selects(selector, &other.metadata))
        });
        let wanted = distinct(selected.flat_map(|other| other.rules.iter().flatten()));
        let present = distinct(role.rules.iter().flatten());
        let drift = AggregationDrift { missing: difference(&wanted, &present), surplus: difference(&present, &wanted) };
        (!drift.missing.is_empty() || !drift.surplus.is_empty()).then_some(drift)
    }
}

fn distinct<'a>(rules: impl Iterator<Item = &'a PolicyRule>) -> Vec<&'a PolicyRule> {
    let mut seen = HashSet::new();
    rules.filter(|rule| seen.insert(*rule)).collect()
}

fn difference<'a>(rules: &[&'a PolicyRule], without: &[&'a PolicyRule]) -> Vec<&'a PolicyRule> {
    let without: HashSet<_> = without.iter().collect();
    rules.iter().copied().filter(|rule| !without.contains(rule)).collect()
}

/// Whether the controller can use the selector: `In` and `NotIn` need values, the other two must have none.
fn is_valid(selector: &LabelSelector) -> bool {
    selector.match_expressions.iter().all(|requirement| match requirement.operator.as_str() {
        "In" | "NotIn" => !requirement.values.is_empty(),
        "Exists" | "DoesNotExist" => requirement.values.is_empty(),
        _ => false,
    })
}

/// Whether the selector takes in an object by its labels; the empty selector takes in all.
fn selects(selector: &LabelSelector, object: &ObjectMeta) -> bool {
    let labelled = |label: &SmolStr| object.labels.as_ref().and_then(|labels| labels.get(label));
    selector.match_labels.iter().all(|(label, value)| labelled(label) == Some(value))
        && selector.match_expressions.iter().all(|requirement| meets(requirement, labelled(&requirement.key)))
}

fn meets(requirement: &LabelSelectorRequirement, value: Option<&SmolStr>) -> bool {
    let listed = value.is_some_and(|value| requirement.values.contains(value));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::RbacLists;
    use super::*;
    use crate::evidence::Kubernetes;
    use serde_json::{Value, json};

    fn rule(resource: &str) -> Value {
        json!({"verbs": ["get"], "apiGroups": [""], "resources": [resource]})
    }

    /// Resources of the missing and of the surplus rules of `view`, filled by `selector`.
    fn drift(selector: Value, rules: Value) -> Option<(Vec<String>, Vec<String>)> {
        let view = json!({
            "metadata": {"name": "view", "labels": {"to-view": "true"}},
            "aggregationRule": {"clusterRoleSelectors": [selector]}, "rules": rules,
        });
        let kubernetes: Kubernetes = serde_json::from_value(json!({"clusterRoles": {"found": [
            view,
            {"metadata": {"name": "a", "labels": {"to-view": "true"}}, "rules": [rule("pods"), rule("services")]},
            {"metadata": {"name": "b", "labels": {"to-view": "true", "tier": "x"}}, "rules": [rule("pods"), rule("jobs")]},
            {"metadata": {"name": "c", "labels": {"tier": "y"}}, "rules": [rule("nodes")]},
            {"metadata": {"name": "d"}, "rules": null},
        ]}}))
        .unwrap();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        let roles = kubernetes.cluster_roles.found().unwrap();
        let names =
            |rules: Vec<&PolicyRule>| rules.iter().flat_map(|rule| &rule.resources).map(ToString::to_string).collect();
        index.aggregation_drift(&roles[0]).map(|drift| (names(drift.missing), names(drift.surplus)))
    }

    #[test]
    fn rules_are_compared_with_those_of_the_selected_roles() {
        let labelled = json!({"matchLabels": {"to-view": "true"}});
        assert_eq!(drift(labelled.clone(), json!([rule("jobs"), rule("pods"), rule("services")])), None);
        let (missing, surplus) = drift(labelled, json!([rule("pods"), rule("mine")])).unwrap();
        assert_eq!(missing, ["services", "jobs"]);
        assert_eq!(surplus, ["mine"]);
    }

    #[test]
    fn selectors_select_as_in_kubernetes() {
        let expression =
            |key, operator, values| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let missing = |selector| drift(selector, Value::Null).map(|(missing, _)| missing.join(" "));
        assert_eq!(missing(json!({})).as_deref(), Some("pods services jobs nodes"));
        assert_eq!(missing(expression("tier", "Exists", json!([]))).as_deref(), Some("pods jobs nodes"));
        assert_eq!(missing(expression("tier", "DoesNotExist", json!([]))).as_deref(), Some("pods services"));
        assert_eq!(missing(expression("tier", "In", json!(["y", "z"]))).as_deref(), Some("nodes"));
        assert_eq!(missing(expression("tier", "NotIn", json!(["y", "z"]))).as_deref(), Some("pods services jobs"));
        assert_eq!(missing(expression("tier", "Near", json!([]))), None);
        assert_eq!(missing(expression("tier", "In", json!([]))), None);
    }
}
