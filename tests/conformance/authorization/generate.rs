//! Random but meaningful questions about authorization, biased towards what is easily got wrong. Equal seeds give equal
//! questions.

use eks_doctor::evidence::{
    Action, AggregationRule, LabelSelector, LabelSelectorRequirement, ObjectMeta, PolicyRule, RbacBinding, RbacRole,
    RbacSubject, RoleRef,
};

use eks_doctor::facts::action::{Scope, built_in};
use smol_str::SmolStr;

use super::{Line, Question, ServiceAccount, Subject, World};

const NAMESPACES: &[&str] = &["dev", "prod", "kube-system"];
const USERS: &[&str] = &[
    "ada",
    "Ada",
    "",
    "dev",
    "eks:admin",
    "arn:aws:sts::111122223333:assumed-role/Dev/ada",
    "system:anonymous",
    "system:serviceaccount:dev:runner",
    "system:serviceaccount:prod:runner",
    "system:serviceaccount:dev:a:b",
    "system:serviceaccount:",
    "system:serviceaccount::runner",
];
const GROUPS: &[&str] = &[
    "dev",
    "ops",
    "ada",
    "",
    "Dev",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:serviceaccounts:dev",
    "system:nodes",
    "system:masters",
    "system:Masters",
];
const ACCOUNTS: &[&str] = &["runner", "default", "a:b", "b", ""];
const VERBS: &[&str] =
    &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*", "impersonate", "GET", ""];
const API_GROUPS: &[&str] = &["", "apps", "extensions", "*", "rbac.authorization.k8s.io", "app"];
const RESOURCES: &[&str] = &["pods", "deployments", "nodes", "secrets", "namespaces", "*", "scale", "Pods", "", "*/"];
const SUBRESOURCES: &[&str] = &["log", "exec", "scale", "status", "*", "a/b"];
const NAMES: &[&str] = &["web-0", "web-1", "*", "", "dev"];
const PATHS: &[&str] =
    &["/healthz", "/healthz/ping", "/apis", "/healthz/", "/", "/api", "/apis/apps/v1", "/metrics", "*", "/a*"];
const RULE_PATHS: &[&str] = &["/healthz", "/healthz/*", "/a**", "/*", "*", "/api*", "/metrics", "", "healthz*", "/a*b"];
const ROLE_NAMES: &[&str] = &["r0", "r1", "r2", "r3", "view", "edit", "admin", "cluster-admin"];
const LABELS: &[&str] = &["to-view", "to-edit", "tier"];
const LABEL_VALUES: &[&str] = &["true", "false", ""];

/// A pseudo-random sequence (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Whether something of this percentage happens.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the values, the first ones more often.
    fn pick(&mut self, values: &[&str]) -> String {
        let at = self.below(values.len()).min(self.below(values.len()));
        values[at].to_owned()
    }

    fn some(&mut self, values: &[&str], at_least: usize, at_most: usize) -> Vec<String> {
        (0..at_least + self.below(at_most - at_least + 1)).map(|_| self.pick(values)).collect()
    }
}

/// Worlds with `questions` questions each.
pub(super) fn questions(seed: u64, worlds: usize, questions: usize) -> Vec<Line> {
    let mut dice = Dice(seed);
    let mut lines = Vec::new();
    for _ in 0..worlds {
        let world = world(&mut dice);
        let asked = (0..questions).map(|_| Line::Question(question(&mut dice, &world))).collect::<Vec<_>>();
        lines.push(Line::World(world));
        lines.extend(asked);
    }
    lines
}

/// Actions that rules are about, changed in at most two places. Like every request, only one for a namespaced resource has
/// a namespace.
pub(super) fn actions(seed: u64, rules: &[PolicyRule], count: usize) -> Vec<Action> {
    let mut dice = Dice(seed);
    let mut actions = Vec::new();
    while actions.len() < count {
        let namespace = dice.chance(80).then(|| dice.pick(NAMESPACES));
        let rule = &rules[dice.below(rules.len())];
        let mut action = action(&mut dice, rule, namespace);
        for _ in 0..dice.below(3) {
            change(&mut dice, &mut action);
        }
        let known = built_in(&action.group, action.resource.as_deref().unwrap_or_default());
        if action.path.is_some() || known.is_some_and(|known| known.scope == Scope::Cluster) {
            action.namespace = None;
        }
        actions.push(action);
    }
    actions
}

fn world(dice: &mut Dice) -> World {
    let names = |dice: &mut Dice| {
        let mut names = dice.some(ROLE_NAMES, 5, 12);
        names.sort();
        names.dedup();
        names
    };
    let cluster_roles = names(dice).into_iter().map(|name| cluster_role(dice, name)).collect();
    let mut roles = Vec::new();
    for namespace in NAMESPACES {
        roles.extend(names(dice).into_iter().take(5).map(|name| role(dice, meta(&name, Some(namespace)))));
    }
    let cluster_role_bindings = (0..3 + dice.below(5)).map(|at| binding(dice, meta(&format!("crb-{at}"), None)));
    let cluster_role_bindings = cluster_role_bindings.collect();
    let role_bindings = (0..6 + dice.below(8)).map(|at| {
        let namespace = dice.pick(NAMESPACES);
        binding(dice, meta(&format!("rb-{at}"), Some(&namespace)))
    });
    let role_bindings = role_bindings.collect();
    World { cluster_roles, cluster_role_bindings, roles, role_bindings }
}

fn meta(name: &str, namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta { name: name.into(), namespace: namespace.map(SmolStr::new), ..ObjectMeta::default() }
}

fn role(dice: &mut Dice, metadata: ObjectMeta) -> RbacRole {
    let rules = (0..dice.below(5)).map(|_| rule(dice)).collect::<Vec<_>>();
    let rules = (!rules.is_empty() || dice.chance(50)).then_some(rules.into());
    RbacRole { metadata, rules, ..RbacRole::default() }
}

fn cluster_role(dice: &mut Dice, name: String) -> RbacRole {
    let mut role = role(dice, meta(&name, None));
    for _ in 0..dice.below(3) {
        role.metadata.labels.get_or_insert_default().insert(dice.pick(LABELS).into(), dice.pick(LABEL_VALUES).into());
    }
    if dice.chance(25) {
        let cluster_role_selectors = (0..dice.below(3)).map(|_| selector(dice)).collect();
        role.aggregation_rule = Some(AggregationRule { cluster_role_selectors });
    }
    role
}

fn selector(dice: &mut Dice) -> LabelSelector {
    let match_labels = (0..dice.below(2)).map(|_| (dice.pick(LABELS).into(), dice.pick(LABEL_VALUES).into())).collect();
    let match_expressions = (0..dice.below(2)).map(|_| LabelSelectorRequirement {
        key: dice.pick(LABELS).into(),
        operator: dice.pick(&["In", "NotIn", "Exists", "DoesNotExist", "Gt"]).into(),
        values: packed(dice.some(LABEL_VALUES, 0, 2)),
    });
    LabelSelector { match_labels, match_expressions: match_expressions.collect() }
}

fn rule(dice: &mut Dice) -> PolicyRule {
    let at_least = usize::from(dice.chance(95));
    let verbs = packed(dice.some(VERBS, at_least, 3));
    if dice.chance(20) {
        return PolicyRule { verbs, non_resource_urls: packed(dice.some(RULE_PATHS, 1, 3)), ..PolicyRule::default() };
    }
    let resources = (0..1 + dice.below(3)).map(|_| rule_resource(dice).into()).collect();
    let resource_names = if dice.chance(25) { packed(dice.some(NAMES, 1, 2)) } else { Box::default() };
    PolicyRule {
        verbs,
        api_groups: packed(dice.some(API_GROUPS, 1, 2)),
        resources,
        resource_names,
        non_resource_urls: Box::default(),
    }
}

fn packed(texts: Vec<String>) -> Box<[SmolStr]> {
    texts.into_iter().map(SmolStr::from).collect()
}

fn rule_resource(dice: &mut Dice) -> String {
    let resource = dice.pick(RESOURCES);
    if dice.chance(40) { format!("{resource}/{}", dice.pick(SUBRESOURCES)) } else { resource }
}

fn binding(dice: &mut Dice, metadata: ObjectMeta) -> RbacBinding {
    let local = if metadata.namespace.is_some() { 45 } else { 5 };
    let kind = if dice.chance(local) { dice.pick(&["Role", "Role", "role", ""]) } else { "ClusterRole".to_owned() };
    let name = if dice.chance(7) { "gone".to_owned() } else { dice.pick(ROLE_NAMES) };
    let subjects = (0..dice.below(5)).map(|_| subject(dice)).collect::<Vec<_>>();
    let subjects = (!subjects.is_empty() || dice.chance(50)).then_some(subjects.into());
    let role_ref = RoleRef { api_group: None, kind: kind.into(), name: name.into() };
    RbacBinding { metadata, subjects, role_ref, ..RbacBinding::default() }
}

fn subject(dice: &mut Dice) -> RbacSubject {
    let kind = dice.pick(&["Group", "User", "ServiceAccount", "ServiceAccount", "user"]);
    let (name, namespace) = match kind.as_str() {
        "ServiceAccount" => (dice.pick(ACCOUNTS), dice.chance(60).then(|| dice.pick(&["dev", "prod", "", "dev:a"]))),
        "Group" => (dice.pick(GROUPS), None),
        _ => (dice.pick(USERS), None),
    };
    RbacSubject { kind: kind.into(), api_group: None, name: name.into(), namespace: namespace.map(SmolStr::from) }
}

/// Mostly a question that some binding of the world is about, changed in at most two places.
fn question(dice: &mut Dice, world: &World) -> Question {
    let bindings = world.cluster_role_bindings.iter().chain(&world.role_bindings).collect::<Vec<_>>();
    let binding = bindings[dice.below(bindings.len())];
    let roles = world.cluster_roles.iter().chain(&world.roles);
    let role = roles.into_iter().find(|role| {
        let scope = if binding.role_ref.kind == "Role" { &binding.metadata.namespace } else { &None };
        role.metadata.name == binding.role_ref.name && &role.metadata.namespace == scope
    });
    let rules = role.and_then(|role| role.rules.as_deref()).unwrap_or_default();
    let namespace = binding.metadata.namespace.as_ref().map(ToString::to_string);
    let namespace = namespace.or_else(|| dice.chance(60).then(|| dice.pick(NAMESPACES)));
    let rule = if rules.is_empty() { rule(dice) } else { rules[dice.below(rules.len())].clone() };
    let mut action = action(dice, &rule, namespace);
    for _ in 0..dice.below(4).saturating_sub(1) {
        change(dice, &mut action);
    }
    let subjects = binding.subjects.as_deref().unwrap_or_default();
    let user = match subjects {
        [] => user(dice),
        _ if dice.chance(15) => user(dice),
        _ => {
            let subject = &subjects[dice.below(subjects.len())];
            named(dice, subject, binding)
        }
    };
    Question { user, action }
}

/// An action that the rule is about.
fn action(dice: &mut Dice, rule: &PolicyRule, namespace: Option<String>) -> Action {
    let one = |dice: &mut Dice, values: &[SmolStr], otherwise: &[&str]| {
        let value = if values.is_empty() { String::new() } else { values[dice.below(values.len())].to_string() };
        // A wildcard of a rule stands for anything.
        if value.contains('*') && dice.chance(80) { dice.pick(otherwise) } else { value }
    };
    let verb = one(dice, &rule.verbs, VERBS);
    if !rule.non_resource_urls.is_empty() {
        let namespace = namespace.filter(|_| dice.chance(10));
        let path = Some(one(dice, &rule.non_resource_urls, PATHS)).filter(|path| !path.is_empty());
        return Action { verb, path, namespace, ..Action::default() };
    }
    let resource = rule.resources.get(dice.below(rule.resources.len().max(1))).cloned().unwrap_or_default();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (resource.to_string(), dice.chance(15).then(|| dice.pick(SUBRESOURCES))),
    };
    let resource = if resource == "*" && dice.chance(80) { dice.pick(RESOURCES) } else { resource };
    let name = if rule.resource_names.is_empty() {
        dice.chance(30).then(|| dice.pick(NAMES))
    } else {
        Some(one(dice, &rule.resource_names, NAMES))
    };
    Action {
        verb,
        group: one(dice, &rule.api_groups, API_GROUPS),
        resource: Some(resource),
        subresource,
        namespace,
        name,
        path: None,
    }
}

fn change(dice: &mut Dice, action: &mut Action) {
    match dice.below(8) {
        0 => action.verb = dice.pick(VERBS),
        1 => action.group = dice.pick(API_GROUPS),
        2 => action.resource = Some(dice.pick(RESOURCES)),
        3 => action.subresource = dice.chance(50).then(|| dice.pick(SUBRESOURCES)),
        4 => action.namespace = dice.chance(60).then(|| dice.pick(NAMESPACES)),
        5 => action.name = dice.chance(50).then(|| dice.pick(NAMES)),
        6 if action.path.is_some() => action.path = Some(dice.pick(PATHS)),
        _ => {}
    }
}

fn user(dice: &mut Dice) -> Subject {
    if dice.chance(20) {
        return Subject::ServiceAccount {
            service_account: ServiceAccount { namespace: dice.pick(NAMESPACES), name: dice.pick(ACCOUNTS) },
        };
    }
    Subject::Named { username: dice.pick(USERS), groups: dice.some(GROUPS, 0, 3) }
}

/// Somebody whom the subject names, or nearly.
fn named(dice: &mut Dice, subject: &RbacSubject, binding: &RbacBinding) -> Subject {
    match subject.kind.as_str() {
        "ServiceAccount" => {
            let namespace = subject.namespace.clone().or_else(|| binding.metadata.namespace.clone());
            let namespace = namespace.map_or_else(|| dice.pick(NAMESPACES), String::from);
            let name = subject.name.to_string();
            if dice.chance(50) {
                return Subject::ServiceAccount { service_account: ServiceAccount { namespace, name } };
            }
            Subject::Named { username: format!("system:serviceaccount:{namespace}:{name}"), groups: Vec::new() }
        }
        "Group" => {
            let mut groups = dice.some(GROUPS, 0, 2);
            groups.insert(dice.below(groups.len() + 1), subject.name.to_string());
            Subject::Named { username: dice.pick(USERS), groups }
        }
        _ => Subject::Named { username: subject.name.to_string(), groups: dice.some(GROUPS, 0, 2) },
    }
}
