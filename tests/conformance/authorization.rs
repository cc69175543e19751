//! The RBAC model against the RBAC authorizer of Kubernetes, with the privileged group before it.
//!
//! `fixtures/conformance/authorization/rbac.jsonl` holds worlds (the four lists), questions and the authorizer's
//! answers. With Go, `cargo test --test conformance -- --ignored` asks the authorizer live; with `EKS_DOCTOR_FREEZE=1`
//! it rewrites the file.

#![expect(clippy::disallowed_methods, reason = "a test reads files and runs the oracle")]

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use eks_doctor::evidence::{Action, Kubernetes, Observed, PolicyRule, RbacBinding, RbacRole, UserInfo};
use eks_doctor::facts::rbac::{Grant, RbacDecision, RbacIndex, RbacLists, authenticated, rule_allows, service_account};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oracle;

mod generate;
mod policies;

/// One line of a file of questions and answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    World(World),
    /// What the controller would fill in, by name of the aggregated ClusterRole; the answer to a world.
    Aggregation(BTreeMap<String, Vec<PolicyRule>>),
    Question(Question),
    Answer(Answer),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct World {
    cluster_roles: Vec<RbacRole>,
    cluster_role_bindings: Vec<RbacBinding>,
    roles: Vec<RbacRole>,
    role_bindings: Vec<RbacBinding>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    user: Subject,
    action: Action,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Subject {
    #[serde(untagged)]
    ServiceAccount {
        #[serde(rename = "serviceAccount")]
        service_account: ServiceAccount,
    },
    #[serde(untagged)]
    Named { username: String, groups: Vec<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ServiceAccount {
    namespace: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    allowed: bool,
    reason: String,
}

impl World {
    fn kubernetes(&self) -> Kubernetes {
        Kubernetes {
            cluster_roles: Observed::Found(self.cluster_roles.clone()),
            cluster_role_bindings: Observed::Found(self.cluster_role_bindings.clone()),
            roles: Observed::Found(self.roles.clone()),
            role_bindings: Observed::Found(self.role_bindings.clone()),
            ..Kubernetes::default()
        }
    }
}

impl Subject {
    fn user(&self) -> UserInfo {
        match self {
            Self::ServiceAccount { service_account: account } => service_account(&account.namespace, &account.name),
            Self::Named { username, groups } => authenticated(username.clone(), groups.clone()),
        }
    }
}

/// What our model says, in the authorizer's words.
fn ours(index: &RbacIndex<'_>, question: &Question) -> Answer {
    let decision = index.authorize(&question.user.user(), &question.action);
    let reason = decision.reason().unwrap_or_else(|| "unknown".to_owned());
    Answer { allowed: matches!(decision, RbacDecision::Allowed(_)), reason }
}

/// Compares our model with every answer; returns the counts of worlds and questions.
fn compare(lines: &[Line]) -> (usize, usize) {
    let (mut worlds, mut questions) = (0, 0);
    let mut rest = lines.iter().peekable();
    while let Some(line) = rest.next() {
        let Line::World(world) = line else { panic!("a world is expected, not {line:?}") };
        let kubernetes = world.kubernetes();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        let Some(Line::Aggregation(filled)) = rest.next() else { panic!("the answer to a world is missing") };
        compare_aggregation(&index, &kubernetes, filled);
        while let Some(Line::Question(question)) = rest.next_if(|line| matches!(line, Line::Question(_))) {
            let Some(Line::Answer(answer)) = rest.next() else { panic!("no answer to {question:?}") };
            assert_eq!(&ours(&index, question), answer, "{question:?} in {}", serde_json::to_string(world).unwrap());
            questions += 1;
        }
        worlds += 1;
    }
    (worlds, questions)
}

/// A drift is what the controller would add and remove.
fn compare_aggregation<'a>(
    index: &RbacIndex<'a>,
    kubernetes: &'a Kubernetes,
    filled: &BTreeMap<String, Vec<PolicyRule>>,
) {
    let key = |rule: &PolicyRule| serde_json::to_string(rule).unwrap();
    let without = |rules: &[PolicyRule], others: &[PolicyRule]| {
        rules.iter().filter(|rule| !others.contains(rule)).map(key).collect::<HashSet<_>>()
    };
    for role in kubernetes.cluster_roles.found().unwrap() {
        let present = role.rules.clone().unwrap_or_default();
        let expected = match filled.get(role.metadata.name.as_str()) {
            Some(filled) => (without(filled, &present), without(&present, filled)),
            None => Default::default(),
        };
        let keys = |rules: Vec<&PolicyRule>| rules.into_iter().map(key).collect::<HashSet<_>>();
        let drift = index.aggregation_drift(role).map(|drift| (keys(drift.missing), keys(drift.surplus)));
        assert_eq!(drift.unwrap_or_default(), expected, "{role:?}");
    }
}

fn frozen_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance/authorization/rbac.jsonl")
}

fn read(text: &str) -> Vec<Line> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn write(lines: &[Line]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

#[test]
fn recorded_answers_of_the_authorizer() {
    let (worlds, questions) = compare(&read(&std::fs::read_to_string(frozen_file()).unwrap()));
    println!("{questions} recorded questions about {worlds} worlds");
    assert!(questions >= 3_000);
}

#[test]
#[ignore = "needs Go"]
fn live_answers_of_the_authorizer() {
    let frozen = ask(&generate::questions(1, 15, 210));
    if std::env::var_os("EKS_DOCTOR_FREEZE").is_some() {
        std::fs::write(frozen_file(), write(&frozen)).unwrap();
    }
    let recorded = read(&std::fs::read_to_string(frozen_file()).unwrap());
    assert!(recorded == frozen, "the recorded answers are not current: run again with EKS_DOCTOR_FREEZE=1");
    let answered = ask(&generate::questions(2, 400, 100));
    let (worlds, questions) = compare(&answered);
    let allowed = answered.iter().filter(|line| matches!(line, Line::Answer(Answer { allowed: true, .. }))).count();
    println!("{questions} live questions about {worlds} worlds, {allowed} of them allowed, no disagreement");
    assert!(questions >= 20_000);
}

/// The lines with the authorizer's answer behind each.
fn ask(lines: &[Line]) -> Vec<Line> {
    let questions: Vec<Value> = lines.iter().map(|line| serde_json::to_value(line).unwrap()).collect();
    let answers = oracle::ask("rbac", &questions).unwrap_or_else(|reason| panic!("{reason}"));
    let answers = answers.into_iter().zip(lines).map(|(answer, line)| match line {
        Line::World(_) => serde_json::from_value(answer).unwrap(),
        _ => Line::Answer(serde_json::from_value(answer).unwrap()),
    });
    let answers = answers.collect::<Vec<_>>();
    lines.iter().cloned().zip(answers).flat_map(|(line, answer)| [line, answer]).collect()
}

/// A generated world with its questions.
fn generated(seed: u64) -> (World, Vec<Question>) {
    let mut lines = generate::questions(seed, 1, 20).into_iter();
    let Some(Line::World(world)) = lines.next() else { panic!("no world") };
    let questions = lines.filter_map(|line| match line {
        Line::Question(question) => Some(question),
        _ => None,
    });
    (world, questions.collect())
}

/// Forgets one of the four lists.
fn forget(kubernetes: &mut Kubernetes, list: usize) {
    match list {
        0 => kubernetes.cluster_roles = Observed::default(),
        1 => kubernetes.cluster_role_bindings = Observed::default(),
        2 => kubernetes.roles = Observed::default(),
        _ => kubernetes.role_bindings = Observed::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_yes_stays_when_bindings_are_added(seed: u64, other: u64) {
        let (world, questions) = generated(seed);
        let mut wider = world.clone();
        let (more, _) = generated(other);
        wider.cluster_role_bindings.extend(more.cluster_role_bindings);
        wider.role_bindings.splice(0..0, more.role_bindings);
        let (before, after) = (world.kubernetes(), wider.kubernetes());
        let (before, after) = (RbacIndex::new(RbacLists::of(&before)), RbacIndex::new(RbacLists::of(&after)));
        for question in &questions {
            prop_assert!(!ours(&before, question).allowed || ours(&after, question).allowed);
        }
    }

    #[test]
    fn an_unread_list_hides_and_never_turns_an_answer(seed: u64, lists in proptest::collection::vec(0..4_usize, 1..4)) {
        let (world, questions) = generated(seed);
        let known = world.kubernetes();
        let mut hidden = known.clone();
        for list in lists {
            forget(&mut hidden, list);
        }
        let (known, hidden) = (RbacIndex::new(RbacLists::of(&known)), RbacIndex::new(RbacLists::of(&hidden)));
        for Question { user, action } in &questions {
            let (known, hidden) = (known.authorize(&user.user(), action), hidden.authorize(&user.user(), action));
            match &hidden {
                RbacDecision::Unknown { .. } => {}
                RbacDecision::Allowed(_) => prop_assert!(matches!(known, RbacDecision::Allowed(_))),
                RbacDecision::Denied { .. } => prop_assert_eq!(&known, &hidden),
            }
        }
    }

    #[test]
    fn what_is_said_to_be_missing_would_do(seed: u64) {
        let (world, questions) = generated(seed);
        let kubernetes = world.kubernetes();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        for Question { user, action } in &questions {
            let denial = index.explain_denial(&user.user(), action, &[]);
            prop_assert!(denial.missing.iter().any(|rule| rule_allows(rule, action)));
            for found in denial.sufficient_roles {
                let rules = found.role.rules.iter().flatten();
                prop_assert!(rules.into_iter().any(|rule| rule_allows(rule, action)));
            }
        }
    }

    #[test]
    fn a_grant_names_a_rule_that_allows(seed: u64) {
        let (world, questions) = generated(seed);
        let kubernetes = world.kubernetes();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        for Question { user, action } in &questions {
            if let RbacDecision::Allowed(Grant::Rule { rule, role, .. }) = index.authorize(&user.user(), action) {
                prop_assert!(rule_allows(rule, action));
                prop_assert!(role.rules.as_ref().unwrap().contains(rule));
            }
        }
    }
}
