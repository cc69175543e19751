//! Whether the Kubernetes user may do what was asked, by RBAC and by access policies together; if not, what comes near,
//! and what the least addition would be.

use super::{
    Facts,
    access_policies::{self, AllowedBy, AssociatedPolicies, Authorization, PoliciesUnknown, PolicyDecision},
    cluster::ClusterFacts,
    kubeconfig::KubeconfigFacts,
    mapping::{MappingFacts, MappingSource},
    observed_symptom::{Answer, SymptomFacts},
    pasted::Pasted,
    rbac::{self, BindingKind, Grant, MissingList, RbacIndex, RbacLists},
    subject::Subject,
    value::{Fact, Missing, Unknown, choice, facts},
};
use crate::evidence::{Action, Evidence, UserInfo};

pub(crate) mod asking;
mod bindings;
mod gate;
mod groups;
mod near;
mod policies;
mod special;
mod suggestions;

use asking::Asking;

choice! {
    /// What kind of caller the Kubernetes user is.
    CallerKind {
        /// An IAM principal.
        Iam = "iam",
        /// A pod's service account.
        ServiceAccount = "service-account",
        /// A node.
        Node = "node",
        /// Nobody in particular: no credential arrived.
        Anonymous = "anonymous",
        /// The cluster does not know the principal.
        Nobody = "nobody",
    }
}

facts! {
    /// What RBAC and access policies say.
    AuthorizationFacts {
        /// Whether the action is allowed, by the model.
        "allowed" allowed: Fact<bool>,
        /// What allows it.
        "by" by: Fact<Option<String>>,
        /// Whether the action is refused: by the API server's own words, else by the model.
        "refused" refused: Fact<bool>,
        /// What kind of caller it is.
        "caller" caller: Fact<CallerKind>,
        /// Kubernetes user name, by the API server's own words, else by the mapping.
        "username" username: Fact<String>,
        /// Kubernetes groups, without those that everybody has.
        "groups" groups: Fact<Vec<String>>,
        /// Whether there are any groups.
        "hasGroups" has_groups: Fact<bool>,
        /// What is wrong with the groups in aws-auth.
        "groupsProblem" groups_problem: Fact<Option<String>>,
        /// Which store gave the user.
        "source" source: Fact<MappingSource>,
        /// Principal ARN of the access entry, or section and line of aws-auth.
        "entry" entry: Fact<Option<String>>,
        /// Whether some binding names the user or one of its groups; the group of everybody does not count.
        "isBound" is_bound: Fact<bool>,
        /// Whether some binding gives the user a role where the action happens.
        "holdsRole" holds_role: Fact<bool>,
        /// The bindings that give the user a role where the action happens.
        "bindings" bindings: Fact<Vec<Fact<bindings::BindingFacts>>>,
        /// The bindings of other namespaces whose role would allow the action.
        "elsewhere" elsewhere: Fact<Vec<Fact<bindings::BindingFacts>>>,
        /// The roles that the user's bindings refer to and that do not exist.
        "missingRoles" missing_roles: Fact<Vec<Fact<bindings::MissingRoleFacts>>>,
        /// Names in bindings that are all but the user's or a group's.
        "nearNames" near_names: Fact<Vec<Fact<near::NearNameFacts>>>,
        /// Whether the access entry has access policies.
        "hasPolicies" has_policies: Fact<bool>,
        /// The access policies of the access entry.
        "policies" policies: Fact<Vec<policies::PolicyFacts>>,
        /// Why the access policies do not allow the action; absent if there are none or one does.
        "policyGap" policy_gap: Fact<Option<policies::PolicyGap>>,
        /// ARN of the access policy that would allow the action with another scope.
        "widenedPolicy" widened_policy: Fact<Option<String>>,
        /// That scope, beside what it covers now.
        "widenedScope" widened_scope: Fact<Option<String>>,
        /// The scope that it has now.
        "formerScope" former_scope: Fact<Option<String>>,
        /// ARN of the least access policy that allows the action.
        "leastPolicy" least_policy: Fact<Option<String>>,
        /// The scope with which it does.
        "leastScope" least_scope: Fact<Option<String>>,
        /// The least ClusterRole that allows the action and not much more.
        "leastRole" least_role: Fact<Option<String>>,
        /// A group that is bound already to such a role.
        "suggestedGroup" suggested_group: Fact<Option<String>>,
        /// A name for a new binding.
        "bindingName" binding_name: Fact<String>,
        /// The resource as kubectl create role spells it: deployments.apps/scale.
        "neededResource" needed_resource: Fact<Option<String>>,
        /// Whom the kubeconfig impersonates.
        "impersonated" impersonated: Fact<Option<String>>,
        /// What impersonation does to the request.
        "impersonation" impersonation: Fact<Option<special::Impersonation>>,
        /// The group beginning with system: that an access entry was to have and cannot.
        "reservedGroup" reserved_group: Fact<Option<String>>,
        /// What the EKS console lacks.
        "console" console: Fact<Option<special::ConsoleProblem>>,
        /// What behind authorization refused the request.
        "gate" gate: Fact<Option<gate::Gate>>,
        /// Its words.
        "gateWords" gate_words: Fact<Option<String>>,
        /// In what the API server's own answers contradict the model.
        "disagreement" disagreement: Fact<Option<String>>,
    }
}

const ENTRIES: &str = "aws.accessEntries";
const BINDINGS: &str = "kubernetes.roleBindings";
const EVERYBODY: &str = "system:authenticated";

/// What the other rooms know and this one builds on.
pub(crate) struct Known<'a> {
    pub(crate) pasted: &'a Pasted,
    pub(crate) subject: &'a Subject,
    pub(crate) kubeconfig: &'a KubeconfigFacts,
    pub(crate) cluster: &'a ClusterFacts,
    pub(crate) mapping: &'a MappingFacts,
    pub(crate) symptom: &'a SymptomFacts,
}

/// Derives the room for the action `asked`.
pub(crate) fn derive(evidence: &Evidence, known: &Known<'_>, asked: &Action) -> AuthorizationFacts {
    let index = RbacIndex::new(RbacLists::of(&evidence.kubernetes));
    let impersonated = special::impersonated(evidence, known.kubeconfig);
    let impersonates = impersonated.value().is_some_and(Option::is_some);
    let refusal = asking::refusal(evidence, known.pasted);
    let asking = Asking::of(evidence, known.mapping, refusal.as_ref());
    let (policies, own_policies_allow) = effective_policies(evidence, &asking, impersonates, asked);
    let user = asking.user(evidence);
    let model = Model { index: &index, user: &user, policies: &policies };
    let decision = model.decide(asked);
    let allowed = decision.clone().map(|by| by.is_some());
    let (refused, by_server) = refused(known.symptom, refusal.as_ref(), asked, &allowed);
    let facts_of_bindings = of_bindings(evidence, known, &model, asked, refusal.as_ref(), &refused);
    let judged = policies.as_ref().and_then(|policies| policies::judged(policies, asked));
    let gate = gate::gate(evidence, known.pasted);
    let least_role = suggestions::least_role(evidence, &index, asked);
    let least_policy = policies::least(known.cluster, asked);
    let widened = policies::widened(&judged, asked);
    AuthorizationFacts {
        disagreement: special::disagreement(evidence, known.subject, known.mapping, asked, &allowed),
        impersonation: special::impersonation(refusal.as_ref(), &impersonated, own_policies_allow),
        impersonated: impersonated.map(|user| user.map(|(name, _)| name)),
        console: special::console(
            evidence,
            known.pasted,
            known.mapping,
            &model.decide(&special::console_action()).map(|by| by.is_some()),
        ),
        reserved_group: special::reserved_group(known.pasted),
        allowed,
        by: decision,
        refused,
        caller: asking.kind(),
        has_groups: asking.groups.clone().map(|groups| !groups.is_empty()),
        groups_problem: groups::problem(evidence, asking.entry.as_deref()),
        is_bound: facts_of_bindings.is_bound,
        holds_role: facts_of_bindings.held.clone().map(|held| !held.is_empty()),
        bindings: facts_of_bindings.held,
        elsewhere: facts_of_bindings.elsewhere,
        missing_roles: facts_of_bindings.missing_roles,
        near_names: facts_of_bindings.near_names,
        has_policies: judged.clone().map(|policies| !policies.is_empty()),
        policy_gap: policies::gap(&judged, by_server, asked),
        policies: judged,
        widened_scope: widened.clone().map(|widened| widened.map(|widened| widened.scope)),
        former_scope: widened.clone().map(|widened| widened.map(|widened| widened.former)),
        widened_policy: widened.map(|widened| widened.map(|widened| widened.arn)),
        least_scope: least_policy.clone().map(|least| least.map(|(_, scope)| scope)),
        least_policy: least_policy.map(|least| least.map(|(arn, _)| arn)),
        suggested_group: suggestions::group(evidence, &index, asked),
        binding_name: suggestions::binding_name(&asking.groups, &least_role),
        least_role,
        needed_resource: Fact::known(suggestions::resource(asked), "target.action"),
        gate_words: gate.clone().map(|gate| gate.map(|(_, words)| words)),
        gate: gate.map(|gate| gate.map(|(gate, _)| gate)),
        entry: Fact::known(asking.entry, "the mapping"),
        username: asking.username,
        groups: asking.groups,
        source: asking.source,
    }
}

/// The access policies that count for the request, and whether the caller's own would allow it.
fn effective_policies<'a>(
    evidence: &'a Evidence,
    asking: &Asking,
    impersonates: bool,
    asked: &Action,
) -> (Fact<AssociatedPolicies<'a>>, bool) {
    let own = policies::associated(evidence, asking, false);
    let decide = |own| matches!(access_policies::decide(own, asked), PolicyDecision::Allowed(_));
    let allow = own.value().is_some_and(decide);
    (if impersonates { policies::associated(evidence, asking, true) } else { own }, allow)
}

/// Whether the action is allowed.
pub fn is_allowed(facts: &Facts) -> Fact<bool> {
    facts.authorization.allowed.clone()
}

/// The model of both authorizers for one caller.
struct Model<'a, 'e> {
    index: &'a RbacIndex<'e>,
    user: &'a Fact<(UserInfo, Option<Unknown>)>,
    policies: &'a Fact<AssociatedPolicies<'e>>,
}

impl Model<'_, '_> {
    /// What allows an action; absent if nothing does.
    fn decide(&self, action: &Action) -> Fact<Option<String>> {
        self.user.as_ref().and_then(|(user, open)| {
            let rbac = self.index.authorize(user, action);
            let policies = match self.policies {
                Fact::Known { value, .. } => access_policies::decide(value, action),
                Fact::Unknown(unknown) => PolicyDecision::Unknown(PoliciesUnknown::NotRead(why(unknown))),
            };
            match (decision(access_policies::union(rbac, policies)), open) {
                (Fact::Known { value: None, .. }, Some(open)) => Fact::Unknown(open.clone()),
                (decided, _) => decided,
            }
        })
    }
}

fn why(unknown: &Unknown) -> String {
    unknown.missing.first().map_or_else(|| "not looked at".to_owned(), |missing| missing.why.clone())
}

/// Whether the action is refused, and whether the API server itself says so. A pasted refusal counts as its word.
fn refused(
    symptom: &SymptomFacts,
    refusal: Option<&asking::Refusal>,
    asked: &Action,
    allowed: &Fact<bool>,
) -> (Fact<bool>, bool) {
    let is_asked = |action: &Action| super::action::as_requested(action) == *asked;
    let of_refusal = refusal.filter(|refusal| refusal.words.action.as_ref().is_none_or(is_asked));
    let server = match (&symptom.answer, of_refusal) {
        (Fact::Known { value: Answer::Allowed, source }, _) => Some((false, source.clone())),
        (_, Some(refusal)) => Some((true, refusal.observation.into())),
        (Fact::Known { value: Answer::Forbidden, source }, None) => Some((true, source.clone())),
        _ => None,
    };
    match (server, allowed) {
        (Some((true, source)), Fact::Known { value: true, .. }) => {
            (Fact::unknown(source, "the API server refuses what the model allows"), true)
        }
        (Some((says_no, source)), _) => (Fact::known(says_no, source), says_no),
        (None, allowed) => (allowed.clone().map(|allowed| !allowed), false),
    }
}

/// The facts that rest on bindings.
struct OfBindings {
    is_bound: Fact<bool>,
    held: Fact<Vec<Fact<bindings::BindingFacts>>>,
    elsewhere: Fact<Vec<Fact<bindings::BindingFacts>>>,
    missing_roles: Fact<Vec<Fact<bindings::MissingRoleFacts>>>,
    near_names: Fact<Vec<Fact<near::NearNameFacts>>>,
}

fn of_bindings(
    evidence: &Evidence,
    known: &Known<'_>,
    model: &Model<'_, '_>,
    asked: &Action,
    refusal: Option<&asking::Refusal>,
    refused: &Fact<bool>,
) -> OfBindings {
    let subject = known.subject;
    let arns =
        [&subject.arn, &subject.canonical_arn, &subject.principal_arn].map(|arn| arn.value().map(String::as_str));
    let other_names: Vec<&str> = arns.into_iter().flatten().collect();
    match model.user {
        Fact::Known { value: (user, open), .. } => {
            let denial = model.index.explain_denial(user, asked, &other_names);
            let mut unread = bindings::unread(evidence, asked);
            let own: Vec<String> = user.groups.iter().filter(|group| *group != EVERYBODY).cloned().collect();
            let groups = Fact::known(own, ENTRIES);
            let is_bound = bindings::is_bound(evidence, user, open.as_ref());
            unread.absorb(&open.clone().unwrap_or_default());
            OfBindings {
                is_bound,
                held: bindings::held(&denial.bound, &unread),
                elsewhere: bindings::elsewhere(evidence, &denial.elsewhere),
                missing_roles: bindings::missing_roles(
                    evidence,
                    known.pasted,
                    &denial.bound,
                    refusal,
                    &unread,
                    refused,
                ),
                near_names: near::near_names(evidence, known.pasted, &groups, &denial.near_misses, &unread, refused),
            }
        }
        Fact::Unknown(unknown) => OfBindings {
            is_bound: Fact::Unknown(unknown.clone()),
            held: Fact::Unknown(unknown.clone()),
            elsewhere: Fact::Unknown(unknown.clone()),
            missing_roles: bindings::missing_roles(evidence, known.pasted, &[], refusal, unknown, refused),
            near_names: near::near_names(
                evidence,
                known.pasted,
                &Fact::known(Vec::new(), ENTRIES),
                &[],
                unknown,
                refused,
            ),
        },
    }
}

fn decision(authorization: Authorization<'_>) -> Fact<Option<String>> {
    match authorization {
        Authorization::Allowed(AllowedBy::Rbac(Grant::PrivilegedGroup)) => {
            Fact::known(Some(format!("the group {}", rbac::PRIVILEGED_GROUP)), "the mapping")
        }
        Authorization::Allowed(AllowedBy::Rbac(Grant::Rule { bound, .. })) => {
            let source = match bound.kind {
                BindingKind::ClusterRoleBinding => "kubernetes.clusterRoleBindings",
                BindingKind::RoleBinding => BINDINGS,
            };
            Fact::known(Some(bound.to_string()), source)
        }
        Authorization::Allowed(AllowedBy::AccessPolicy(grant)) => {
            Fact::known(Some(format!("access policy {}", grant.policy.name)), ENTRIES)
        }
        Authorization::Denied => Fact::known(None, "RBAC and access policies"),
        Authorization::Unknown { rbac, policies } => {
            let mut missing: Vec<Missing> = rbac.into_iter().map(missing_list).collect();
            missing.extend(policies.into_iter().flat_map(missing_policies));
            Fact::Unknown(Unknown { missing })
        }
    }
}

fn missing_list(list: MissingList) -> Missing {
    Missing { observation: format!("kubernetes.{}", list.list).into(), why: list.why }
}

fn missing_policies(unknown: PoliciesUnknown<'_>) -> Vec<Missing> {
    match unknown {
        PoliciesUnknown::NotRead(why) => vec![Missing { observation: "aws.accessEntries.policies".into(), why }],
        PoliciesUnknown::Open(associations) => associations
            .into_iter()
            .map(|(association, why)| Missing {
                observation: "kubernetes.accessReview".into(),
                why: format!("{}: {why}", association.policy_arn),
            })
            .collect(),
    }
}
