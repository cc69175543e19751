//! EKS access policies: the Kubernetes rules that AWS keeps for each, and where an association applies.
//!
//! EKS evaluates them beside RBAC, for the IAM identity itself: not for a user that somebody impersonates. They only
//! allow. AWS publishes the rules of some of them and changes them in place, so of all others the answer is unknown,
//! never no.

use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::evidence::{AccessEntry, AccessScope, Action, AssociatedPolicy, Observed, PolicyRule};

use super::action::{Scope, built_in};
use super::rbac::{Grant, MissingList, RbacDecision, rule_allows};

/// The access policies that this version knows.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalogue {
    /// The day on which it was true: `2026-11-21`.
    pub as_of: String,
    /// Those for people in front, the least one first.
    pub policies: Vec<AccessPolicy>,
}

/// An access policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessPolicy {
    /// The last part of its ARN: `AmazonEKSViewPolicy`.
    pub name: String,
    /// What it is for, in a few words.
    pub purpose: String,
    /// How well its rules are known.
    pub status: RulesStatus,
    /// Whether it may be associated with any principal; `None` if AWS does not say.
    #[serde(default)]
    pub assignable: Option<bool>,
    /// Whom it is made for.
    pub audience: Audience,
    /// What it allows, as far as published.
    #[serde(default)]
    rules: Vec<PolicyRule>,
    /// What it may or may not allow: published with a gap, or missing where Kubernetes' own role has it.
    #[serde(default)]
    unsure: Vec<PolicyRule>,
}

/// How well the rules of an access policy are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulesStatus {
    /// AWS publishes a table.
    Exact,
    /// AWS describes them in words.
    Prose,
    /// Somebody else than the EKS guide lists them.
    SecondHand,
    /// Only the name is known.
    Unknown,
}

/// Whom an access policy is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// People and their programs.
    People,
    /// The roles of an AWS service.
    Service,
}

/// The access policies of a principal, as far as they are known.
#[derive(Debug, Clone, PartialEq)]
pub enum AssociatedPolicies<'a> {
    /// All of them; none for a principal that has no access entry.
    Read(&'a [AssociatedPolicy]),
    /// Nobody looked or the look failed, and why.
    NotRead(String),
    /// The request impersonates somebody, so they do not count.
    HiddenByImpersonation,
}

/// Why an association allows the action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyGrant<'a> {
    /// The association.
    pub association: &'a AssociatedPolicy,
    /// Its policy.
    pub policy: &'static AccessPolicy,
    /// The first rule that allows it.
    pub rule: &'static PolicyRule,
}

/// What one association comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It allows the action.
    Allows(&'static AccessPolicy, &'static PolicyRule),
    /// It applies where the action happens, and has no rule for it.
    NoRule,
    /// It does not apply where the action happens.
    OutOfScope {
        /// What is wrong with the scope.
        mismatch: ScopeMismatch,
        /// Whether the policy would allow the action with a scope that fits; `None` if that is unknown.
        would_allow: Option<bool>,
    },
    /// It may allow the action or not.
    Unknown(WhyUnknown),
}

/// Why a namespace scope does not reach an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeMismatch {
    /// The action happens in another namespace.
    OtherNamespace,
    /// The action is for all namespaces at once.
    AllNamespaces,
    /// The resource is in no namespace.
    ClusterScoped,
    /// The action is for a path.
    Path,
}

/// Why an association may allow an action or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnknown {
    /// This version does not know the policy.
    PolicyNotInCatalogue,
    /// AWS does not publish the policy's rules, or not as a table.
    RulesNotPublished,
    /// What is published leaves this action open.
    RulesLeaveOpen,
    /// This version does not know the kind of scope, or no scope was seen.
    ScopeNotKnown,
    /// Whether a namespace scope gives the Namespace object itself is not documented.
    NamespaceItself,
}

/// What the access policies of a principal come to.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyDecision<'a> {
    /// One of them allows the action.
    Allowed(PolicyGrant<'a>),
    /// None of them does.
    Denied,
    /// These could allow it.
    Unknown(PoliciesUnknown<'a>),
}

/// What keeps the access policies from a clear answer.
#[derive(Debug, Clone, PartialEq)]
pub enum PoliciesUnknown<'a> {
    /// The associations are unread, and why.
    NotRead(String),
    /// Associations that may allow the action.
    Open(Vec<(&'a AssociatedPolicy, WhyUnknown)>),
}

/// What RBAC and access policies come to together.
#[derive(Debug, Clone, PartialEq)]
pub enum Authorization<'a> {
    /// One of the two allows the action.
    Allowed(AllowedBy<'a>),
    /// Neither does.
    Denied,
    /// Neither is known to allow it, and not both are known to refuse.
    Unknown {
        /// RBAC lists that are missing.
        rbac: Vec<MissingList>,
        /// What is missing of the access policies.
        policies: Option<PoliciesUnknown<'a>>,
    },
}

/// Which of the two allows an action.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AllowedBy<'a> {
    /// RBAC, or the group `system:masters`.
    Rbac(Grant<'a>),
    /// An access policy.
    AccessPolicy(PolicyGrant<'a>),
}

/// A policy to associate so that an action is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The policy.
    pub policy: &'static AccessPolicy,
    /// The narrowest scope that will do.
    pub scope: AccessScope,
}

/// The access policies that this version knows.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    // The file is part of the program and a test reads it; without it every policy would be unknown.
    CATALOGUE.get_or_init(|| serde_json::from_str(include_str!("access_policies/policies.json")).unwrap_or_default())
}

/// The name in a policy's ARN, in whatever partition: `arn:aws:eks::aws:cluster-access-policy/NAME`.
pub fn policy_name(arn: &str) -> Option<&str> {
    let (head, name) = arn.split_once(":cluster-access-policy/")?;
    (head.starts_with("arn:") && !name.is_empty()).then_some(name)
}

/// The policy of this ARN, if this version knows it.
pub fn policy(arn: &str) -> Option<&'static AccessPolicy> {
    let name = policy_name(arn)?;
    catalogue().policies.iter().find(|policy| policy.name == name)
}

/// Decides an action by the access policies alone.
pub fn decide<'a>(policies: &AssociatedPolicies<'a>, action: &Action) -> PolicyDecision<'a> {
    let associations = match policies {
        AssociatedPolicies::Read(associations) => *associations,
        AssociatedPolicies::NotRead(why) => return PolicyDecision::Unknown(PoliciesUnknown::NotRead(why.clone())),
        AssociatedPolicies::HiddenByImpersonation => &[],
    };
    let mut open = Vec::new();
    for association in associations {
        match judge(association, action) {
            Verdict::Allows(policy, rule) => return PolicyDecision::Allowed(PolicyGrant { association, policy, rule }),
            Verdict::Unknown(why) => open.push((association, why)),
            Verdict::NoRule | Verdict::OutOfScope { .. } => {}
        }
    }
    if open.is_empty() { PolicyDecision::Denied } else { PolicyDecision::Unknown(PoliciesUnknown::Open(open)) }
}

/// What one association comes to.
pub fn judge(association: &AssociatedPolicy, action: &Action) -> Verdict {
    let policy = policy(&association.policy_arn);
    let by_rules = match policy {
        Some(policy) => policy.judge(action),
        None => Verdict::Unknown(WhyUnknown::PolicyNotInCatalogue),
    };
    let scope = association.access_scope.as_ref();
    match scope.map(|scope| (scope.scope_type.as_str(), scope)) {
        Some(("cluster", _)) => by_rules,
        Some(("namespace", scope)) => match mismatch(scope, action) {
            Some(mismatch) => Verdict::OutOfScope { mismatch, would_allow: by_rules.allows() },
            None if is_namespace_object(action) && by_rules.allows() == Some(true) => {
                Verdict::Unknown(WhyUnknown::NamespaceItself)
            }
            None => by_rules,
        },
        _ if by_rules == Verdict::NoRule => Verdict::NoRule,
        _ => Verdict::Unknown(WhyUnknown::ScopeNotKnown),
    }
}

/// RBAC and access policies together: the API server allows what either allows.
pub fn union<'a>(rbac: RbacDecision<'a>, policies: PolicyDecision<'a>) -> Authorization<'a> {
    match (rbac, policies) {
        (RbacDecision::Allowed(grant), _) => Authorization::Allowed(AllowedBy::Rbac(grant)),
        (_, PolicyDecision::Allowed(grant)) => Authorization::Allowed(AllowedBy::AccessPolicy(grant)),
        (RbacDecision::Denied { .. }, PolicyDecision::Denied) => Authorization::Denied,
        (rbac, policies) => Authorization::Unknown {
            rbac: match rbac {
                RbacDecision::Unknown { missing } => missing,
                _ => Vec::new(),
            },
            policies: match policies {
                PolicyDecision::Unknown(unknown) => Some(unknown),
                _ => None,
            },
        },
    }
}

/// The least access policy for people that is known to allow the action, and the narrowest scope in which it does.
pub fn least_policy(action: &Action) -> Option<Suggestion> {
    let for_people = catalogue().policies.iter().filter(|policy| {
        policy.audience == Audience::People && policy.assignable == Some(true) && policy.status == RulesStatus::Exact
    });
    let policy = for_people.into_iter().find(|policy| policy.judge(action).allows() == Some(true))?;
    // Whether a namespace scope gives the Namespace object itself is not documented.
    let namespace = place(action).ok().filter(|_| !is_namespace_object(action));
    let (scope_type, namespaces) = match namespace {
        Some(namespace) => ("namespace", vec![namespace.to_owned()]),
        None => ("cluster", Vec::new()),
    };
    let scope = AccessScope { scope_type: scope_type.to_owned(), namespaces, other: Default::default() };
    Some(Suggestion { policy, scope })
}

impl AccessPolicy {
    /// What the rules say, wherever they apply.
    fn judge(&'static self, action: &Action) -> Verdict {
        if self.status != RulesStatus::Exact {
            return Verdict::Unknown(WhyUnknown::RulesNotPublished);
        }
        match self.rules.iter().find(|rule| rule_allows(rule, action)) {
            Some(rule) => Verdict::Allows(self, rule),
            None if self.unsure.iter().any(|rule| rule_allows(rule, action)) => {
                Verdict::Unknown(WhyUnknown::RulesLeaveOpen)
            }
            None => Verdict::NoRule,
        }
    }
}

impl Verdict {
    fn allows(self) -> Option<bool> {
        match self {
            Self::Allows(..) => Some(true),
            Self::NoRule | Self::OutOfScope { .. } => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

/// Why a namespace scope does not reach the action; `None` if it does.
fn mismatch(scope: &AccessScope, action: &Action) -> Option<ScopeMismatch> {
    match place(action) {
        Err(mismatch) => Some(mismatch),
        Ok(namespace) => {
            let reached = scope.namespaces.iter().any(|pattern| matches_wildcard(pattern, namespace));
            (!reached).then_some(ScopeMismatch::OtherNamespace)
        }
    }
}

/// The namespace in which the action happens, or why it happens in none.
fn place(action: &Action) -> Result<&str, ScopeMismatch> {
    let given = |text: &'_ Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if given(&action.path) {
        return Err(ScopeMismatch::Path);
    }
    if is_namespace_object(action) {
        return action.name.as_deref().ok_or(ScopeMismatch::ClusterScoped);
    }
    let known = built_in(&action.group, action.resource.as_deref().unwrap_or_default());
    match (known.map(|known| known.scope), action.namespace.as_deref()) {
        (Some(Scope::Cluster), _) => Err(ScopeMismatch::ClusterScoped),
        (_, None | Some("")) => Err(ScopeMismatch::AllNamespaces),
        (_, Some(namespace)) => Ok(namespace),
    }
}

/// Whether the action is for one Namespace object, which the API server takes to be in itself.
fn is_namespace_object(action: &Action) -> bool {
    let named = action.name.as_deref().is_some_and(|name| !name.is_empty());
    named && action.group.is_empty() && action.resource.as_deref() == Some("namespaces")
}

/// Whether a scope's namespace, in which `*` stands for any text, takes in a namespace.
fn matches_wildcard(pattern: &str, namespace: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = namespace.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

impl<'a> AssociatedPolicies<'a> {
    /// Those of an access entry.
    pub fn of(entry: &'a AccessEntry) -> Self {
        match &entry.policies {
            Observed::Found(policies) => Self::Read(policies),
            Observed::Absent(_) => Self::Read(&[]),
            Observed::Denied(failure) | Observed::Failed(failure) => Self::NotRead(failure.summary()),
            Observed::NotTried(why) => Self::NotRead(why.clone().unwrap_or_else(|| "not looked at".to_owned())),
        }
    }
}

impl fmt::Display for WhyUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PolicyNotInCatalogue => "this version of eks-doctor does not know the policy",
            Self::RulesNotPublished => "AWS does not publish the policy's rules",
            Self::RulesLeaveOpen => "the policy's published rules leave this open",
            Self::ScopeNotKnown => "the scope of the association is not known",
            Self::NamespaceItself => "AWS does not say whether a namespace scope gives the Namespace object itself",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::action::parse;
    use crate::facts::rbac::ListName;
    use serde_json::json;

    fn action(words: &str) -> Action {
        parse(words).unwrap().in_namespace("default")
    }

    fn association(name: &str, namespaces: &[&str]) -> AssociatedPolicy {
        let scope = if namespaces.is_empty() {
            json!({"type": "cluster"})
        } else {
            json!({"type": "namespace", "namespaces": namespaces})
        };
        let arn = format!("arn:aws-cn:eks::aws:cluster-access-policy/{name}");
        serde_json::from_value(json!({"policyArn": arn, "accessScope": scope})).unwrap()
    }

    /// yes, no or unknown
    fn answer(name: &str, namespaces: &[&str], words: &str) -> &'static str {
        let associations = [association(name, namespaces)];
        match decide(&AssociatedPolicies::Read(&associations), &action(words)) {
            PolicyDecision::Allowed(_) => "yes",
            PolicyDecision::Denied => "no",
            PolicyDecision::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn the_catalogue_is_complete_and_its_rules_can_match() {
        let catalogue = catalogue();
        assert_eq!(catalogue.policies.len(), 38);
        let count = |status| catalogue.policies.iter().filter(|policy| policy.status == status).count();
        let counts = [RulesStatus::Exact, RulesStatus::Prose, RulesStatus::SecondHand, RulesStatus::Unknown].map(count);
        assert_eq!(counts, [13, 15, 2, 8]);
        for policy in &catalogue.policies {
            assert_eq!(policy.status == RulesStatus::Exact, !policy.rules.is_empty(), "{}", policy.name);
            for rule in policy.rules.iter().chain(&policy.unsure) {
                let targets = rule.api_groups.len() * rule.resources.len() + rule.non_resource_urls.len();
                assert!(targets > 0 && !rule.verbs.is_empty(), "{}: {rule:?}", policy.name);
            }
        }
    }

    #[test]
    fn what_people_ask_most() {
        let policies = ["View", "SecretReader", "AdminView", "Edit", "Admin", "ClusterAdmin"];
        for (words, expected) in [
            ("list pods", "yes no yes yes yes yes"),
            ("get pods --subresource=log", "yes no yes yes yes yes"),
            ("create pods --subresource=exec", "no no no yes yes yes"),
            ("get secrets", "no yes yes yes yes yes"),
            ("delete pods", "no no no yes yes yes"),
            ("patch deployments --subresource=scale", "no no no yes yes yes"),
            ("create rolebindings", "no no no no yes yes"),
            ("list nodes", "no no yes no no yes"),
            ("list namespaces", "yes no yes yes yes yes"),
            ("create namespaces", "no no no no no yes"),
            ("list widgets.example.com", "no no yes no no yes"),
            ("list pods.metrics.k8s.io", "no no yes unknown unknown yes"),
            ("create pods --subresource=eviction", "no no no unknown unknown yes"),
            ("get /metrics", "no no no no no yes"),
            ("* *", "no no no no no yes"),
        ] {
            let answers = policies.map(|name| answer(&format!("AmazonEKS{name}Policy"), &[], words));
            assert_eq!(answers.join(" "), expected, "{words}");
        }
    }

    #[test]
    fn a_namespace_scope_gives_what_is_in_its_namespaces() {
        for (namespaces, words, expected) in [
            (["dev"], "list pods -n dev", "yes"),
            (["dev-*"], "list pods -n dev-1", "yes"),
            (["dev-*"], "list pods -n dev", "no"),
            (["*"], "list pods -n anything", "yes"),
            (["dev"], "list pods -n prod", "no"),
            (["dev"], "list pods -A", "no"),
            (["*"], "list pods -A", "no"),
            (["*"], "list nodes", "no"),
            (["*"], "get /metrics", "no"),
            (["*"], "list namespaces", "no"),
            (["dev"], "get namespaces/dev", "unknown"),
            (["dev"], "get namespaces/prod", "no"),
        ] {
            assert_eq!(answer("AmazonEKSClusterAdminPolicy", &namespaces, words), expected, "{namespaces:?} {words}");
        }
        assert_eq!(answer("AmazonEKSSecretReaderPolicy", &["dev"], "get namespaces/dev"), "no");
    }

    #[test]
    fn what_is_not_published_is_unknown_and_never_denied() {
        for name in ["AmazonEKSSecretAdminPolicy", "AmazonAIOpsAssistantPolicy", "AmazonEKSAutoNodePolicy", "NewPolicy"]
        {
            assert_eq!(answer(name, &[], "get secrets"), "unknown", "{name}");
            // Where it does not apply, its rules do not matter.
            assert_eq!(answer(name, &["dev"], "get secrets -n prod"), "no", "{name}");
        }
        let strange = json!({"policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "accessScope": {"type": "fleet"}});
        let strange: AssociatedPolicy = serde_json::from_value(strange).unwrap();
        assert_eq!(judge(&strange, &action("get pods")), Verdict::Unknown(WhyUnknown::ScopeNotKnown));
        assert_eq!(judge(&strange, &action("get secrets")), Verdict::NoRule);
        assert_eq!(policy_name("AmazonEKSViewPolicy"), None);
    }

    #[test]
    fn a_scope_that_does_not_fit_says_whether_another_would() {
        let verdict = |name: &str, words: &str| judge(&association(name, &["dev"]), &action(words));
        let other = |would_allow| Verdict::OutOfScope { mismatch: ScopeMismatch::OtherNamespace, would_allow };
        assert_eq!(verdict("AmazonEKSViewPolicy", "get pods -n prod"), other(Some(true)));
        assert_eq!(verdict("AmazonEKSViewPolicy", "get secrets -n prod"), other(Some(false)));
        assert_eq!(verdict("AmazonEMRJobPolicy", "get secrets -n prod"), other(None));
    }

    #[test]
    fn the_least_policy_and_the_narrowest_scope_are_suggested() {
        for (words, policy, namespaces) in [
            ("list pods -n dev", "AmazonEKSViewPolicy", vec!["dev"]),
            ("list pods -A", "AmazonEKSViewPolicy", vec![]),
            ("get secrets -n dev", "AmazonEKSSecretReaderPolicy", vec!["dev"]),
            ("delete pods -n dev", "AmazonEKSEditPolicy", vec!["dev"]),
            ("create roles -n dev", "AmazonEKSAdminPolicy", vec!["dev"]),
            ("list nodes", "AmazonEKSAdminViewPolicy", vec![]),
            ("get namespaces/dev", "AmazonEKSViewPolicy", vec![]),
            ("delete nodes", "AmazonEKSClusterAdminPolicy", vec![]),
        ] {
            let suggestion = least_policy(&action(words)).unwrap();
            let scope = if namespaces.is_empty() { "cluster" } else { "namespace" };
            let found =
                (suggestion.policy.name.as_str(), suggestion.scope.scope_type.as_str(), suggestion.scope.namespaces);
            assert_eq!(found, (policy, scope, namespaces.into_iter().map(str::to_owned).collect()), "{words}");
        }
    }

    #[test]
    fn the_union_is_three_valued() {
        let yes = || RbacDecision::Allowed(Grant::PrivilegedGroup);
        let no = || RbacDecision::Denied { dangling: Vec::new() };
        let missing = vec![MissingList { list: ListName::Roles, why: "403".to_owned() }];
        let unknown = || RbacDecision::Unknown { missing: missing.clone() };
        let view = [association("AmazonEKSViewPolicy", &[])];
        let view = |words| decide(&AssociatedPolicies::Read(&view), &action(words));
        let unread = || decide(&AssociatedPolicies::NotRead("403".to_owned()), &action("get pods"));
        assert!(matches!(union(yes(), unread()), Authorization::Allowed(AllowedBy::Rbac(_))));
        assert!(matches!(union(unknown(), view("get pods")), Authorization::Allowed(AllowedBy::AccessPolicy(_))));
        assert_eq!(union(no(), view("get secrets")), Authorization::Denied);
        let expected = Authorization::Unknown { rbac: missing.clone(), policies: None };
        assert_eq!(union(unknown(), view("get secrets")), expected);
        let policies = Some(PoliciesUnknown::NotRead("403".to_owned()));
        assert_eq!(union(no(), unread()), Authorization::Unknown { rbac: Vec::new(), policies });
        let hidden = decide(&AssociatedPolicies::HiddenByImpersonation, &action("get pods"));
        assert_eq!(union(no(), hidden), Authorization::Denied);
    }

    #[test]
    fn wildcards_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("dev", "dev", true),
            ("dev", "dev1", false),
            ("*", "", true),
            ("*", "dev", true),
            ("dev-*", "dev-", true),
            ("*-dev", "a-dev", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches_wildcard(pattern, name), expected, "{pattern} {name}");
        }
    }
}
