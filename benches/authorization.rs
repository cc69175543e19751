//! How fast the RBAC model is on a large cluster: 5,000 roles, 20,000 RoleBindings, 4,000 users.

use std::hint::black_box;

use divan::Bencher;
use eks_doctor::evidence::{Action, Kubernetes, Observed, RbacBinding, RbacRole, UserInfo};
use eks_doctor::facts::rbac::{RbacDecision, RbacIndex, RbacLists, authenticated};

fn main() {
    divan::main();
}

const USERS: usize = 4_000;

fn user(number: usize) -> UserInfo {
    let username = format!("arn:aws:sts::111122223333:assumed-role/team-{number}/session");
    authenticated(username, [format!("team-{number}"), format!("division-{}", number % 40), "everybody".to_owned()])
}

fn action(namespace: usize) -> Action {
    let namespace = format!("ns-{namespace}");
    let text = serde_json::json!({"verb": "delete", "resource": "secrets", "namespace": namespace, "name": "x"});
    serde_json::from_value(text).unwrap_or_default()
}

fn cluster() -> Kubernetes {
    let rule = |resource: &str| serde_json::json!({"verbs": ["get", "list", "watch"], "apiGroups": ["", "apps"], "resources": [resource, "pods/log"]});
    let role = |number: usize| {
        serde_json::from_value::<RbacRole>(serde_json::json!({
            "metadata": {"name": format!("role-{number}"), "namespace": format!("ns-{}", number % 500)},
            "rules": [rule("pods"), rule("services"), rule("deployments")],
        }))
    };
    let binding = |number: usize| {
        serde_json::from_value::<RbacBinding>(serde_json::json!({
            "metadata": {"name": format!("binding-{number}"), "namespace": format!("ns-{}", number % 500)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": format!("role-{}", number % 5_000)},
            "subjects": [
                {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": format!("team-{}", number % USERS)},
                {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user(number % USERS).username},
                {"kind": "ServiceAccount", "name": format!("account-{}", number % 100)},
            ],
        }))
    };
    Kubernetes {
        cluster_roles: Observed::Found((0..500).filter_map(|number| role(number).ok()).collect()),
        cluster_role_bindings: Observed::Found((0..500).filter_map(|number| binding(number).ok()).collect()),
        roles: Observed::Found((0..5_000).filter_map(|number| role(number).ok()).collect()),
        role_bindings: Observed::Found((0..20_000).filter_map(|number| binding(number).ok()).collect()),
        ..Kubernetes::default()
    }
}

/// Index and one answer.
#[divan::bench]
fn one_user(bencher: Bencher<'_, '_>) {
    let (cluster, user, action) = (cluster(), user(1), action(1));
    bencher.bench(|| {
        let index = RbacIndex::new(RbacLists::of(black_box(&cluster)));
        matches!(index.authorize(&user, &action), RbacDecision::Denied { .. })
    });
}

/// Index, one answer, and everything that is to be said about the refusal.
#[divan::bench]
fn one_refusal_explained(bencher: Bencher<'_, '_>) {
    let (cluster, user, action) = (cluster(), user(1), action(1));
    bencher.bench(|| {
        let index = RbacIndex::new(RbacLists::of(black_box(&cluster)));
        let denial = index.explain_denial(&user, &action, &["arn:aws:iam::111122223333:role/team-1"]);
        denial.near_misses.len() + denial.elsewhere.len() + denial.sufficient_roles.len()
    });
}

/// Index and an answer for each user, in all namespaces.
#[divan::bench]
fn all_users(bencher: Bencher<'_, '_>) {
    let cluster = cluster();
    let questions = (0..USERS).map(|number| (user(number), action(number % 500))).collect::<Vec<_>>();
    bencher.bench(|| {
        let index = RbacIndex::new(RbacLists::of(black_box(&cluster)));
        let denied =
            |(user, action): &&(UserInfo, Action)| matches!(index.authorize(user, action), RbacDecision::Denied { .. });
        questions.iter().filter(denied).count()
    });
}
