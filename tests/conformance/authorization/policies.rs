//! Access policies, as far as AWS publishes their rules: the authorizer is given each as a ClusterRole, bound where the
//! scope of an association reaches.

use eks_doctor::evidence::{
    AccessScope, AssociatedPolicy, ObjectMeta, PolicyRule, RbacBinding, RbacRole, RbacSubject, RoleRef,
};
use eks_doctor::facts::access_policies::{Verdict, WhyUnknown, judge};
use serde::Deserialize;

use super::{Answer, Line, Question, Subject, World, ask, generate};

const CATALOGUE: &str = include_str!("../../../src/facts/access_policies/policies.json");

/// The namespaces of a scope, none of them for the whole cluster, and which of the namespaces asked about they are.
const SCOPES: [(&[&str], &[&str]); 5] = [
    (&[], &[]),
    (&["dev"], &["dev"]),
    (&["pro*", "kube-system"], &["prod", "kube-system"]),
    (&["*d*"], &["dev", "prod"]),
    (&["dev-*", "ev"], &[]),
];

#[derive(Deserialize)]
struct Catalogue {
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    name: String,
    status: String,
    #[serde(default)]
    rules: Vec<PolicyRule>,
    /// What the policy may allow beside.
    #[serde(default)]
    unsure: Vec<PolicyRule>,
}

/// Two ClusterRoles, each of which the user of the same name has where the scope reaches.
fn world(policy: &Policy, scope: &[&str], reached: &[&str]) -> World {
    let role = |name: &str, rules: Vec<PolicyRule>| RbacRole {
        metadata: ObjectMeta { name: name.into(), ..ObjectMeta::default() },
        rules: Some(rules.into()),
        ..RbacRole::default()
    };
    let binding = |name: &str, namespace: Option<&str>| RbacBinding {
        metadata: ObjectMeta { name: name.into(), namespace: namespace.map(Into::into), ..ObjectMeta::default() },
        role_ref: RoleRef { api_group: None, kind: "ClusterRole".into(), name: name.into() },
        subjects: Some(
            [RbacSubject { kind: "User".into(), api_group: None, name: name.into(), namespace: None }].into(),
        ),
        ..RbacBinding::default()
    };
    let names = ["least", "most"];
    let everywhere = names.iter().filter(|_| scope.is_empty()).map(|name| binding(name, None));
    let in_namespaces = reached.iter().flat_map(|namespace| names.map(|name| binding(name, Some(namespace))));
    World {
        cluster_roles: vec![
            role("least", policy.rules.clone()),
            role("most", [&policy.rules[..], &policy.unsure].concat()),
        ],
        cluster_role_bindings: everywhere.collect(),
        roles: Vec::new(),
        role_bindings: in_namespaces.collect(),
    }
}

fn association(policy: &Policy, scope: &[&str]) -> AssociatedPolicy {
    let scope_type = if scope.is_empty() { "cluster" } else { "namespace" };
    AssociatedPolicy {
        policy_arn: format!("arn:aws:eks::aws:cluster-access-policy/{}", policy.name),
        access_scope: Some(AccessScope {
            scope_type: scope_type.to_owned(),
            namespaces: scope.iter().map(|&namespace| namespace.to_owned()).collect(),
            other: Default::default(),
        }),
        associated_at: None,
        other: Default::default(),
    }
}

#[test]
#[ignore = "needs Go"]
fn the_authorizer_decides_alike_on_published_rules() {
    let catalogue: Catalogue = serde_json::from_str(CATALOGUE).unwrap();
    let (mut lines, mut asked) = (Vec::new(), Vec::new());
    for (seed, policy) in (0..).zip(catalogue.policies.iter().filter(|policy| policy.status == "exact")) {
        let rules = [&policy.rules[..], &policy.unsure].concat();
        for (scope, reached) in SCOPES {
            lines.push(Line::World(world(policy, scope, reached)));
            for action in generate::actions(seed, &rules, 100) {
                lines.extend(["least", "most"].map(|name| {
                    let user = Subject::Named { username: name.to_owned(), groups: Vec::new() };
                    Line::Question(Question { user, action: action.clone() })
                }));
                asked.push((policy, scope, action));
            }
        }
    }
    let answers = ask(&lines).into_iter().filter_map(|line| match line {
        Line::Answer(Answer { allowed, .. }) => Some(allowed),
        _ => None,
    });
    let answers = answers.collect::<Vec<_>>();
    let (mut allowed, mut open) = (0, 0);
    for ((policy, scope, action), real) in asked.iter().zip(answers.chunks(2)) {
        let verdict = judge(&association(policy, scope), action);
        let agrees = match verdict {
            Verdict::Allows(..) => real == [true, true],
            Verdict::NoRule | Verdict::OutOfScope { .. } => real == [false, false],
            Verdict::Unknown(WhyUnknown::RulesLeaveOpen) => real == [false, true],
            // What EKS makes of a Namespace object under a namespace scope cannot be had from RBAC.
            Verdict::Unknown(WhyUnknown::NamespaceItself) => !scope.is_empty(),
            Verdict::Unknown(_) => false,
        };
        assert!(agrees, "{} in {scope:?}: {action:?}: {verdict:?}, really {real:?}", policy.name);
        allowed += usize::from(real[0]);
        open += usize::from(matches!(verdict, Verdict::Unknown(_)));
    }
    println!("{} questions about access policies, {allowed} allowed, {open} open, no disagreement", asked.len());
    assert!(asked.len() >= 5_000 && asked.len() * 2 == answers.len());
}
