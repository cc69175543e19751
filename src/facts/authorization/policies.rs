//! What the access policies of the caller's entry come to, and which one would be enough.

use super::{ENTRIES, asking::Asking};
use crate::{
    evidence::{AccessEntry, Action, AssociatedPolicy, Evidence},
    facts::{
        access_policies::{self, AssociatedPolicies, ScopeMismatch, Verdict},
        arn::Partition,
        cluster::ClusterFacts,
        mapping::MappingSource,
        value::{Fact, choice, facts, why_unsettled},
    },
};

choice! {
    /// Why access policies do not allow an action.
    PolicyGap {
        /// One of them would, but applies elsewhere.
        Scope = "scope",
        /// None of them has a rule for it.
        Rules = "rules",
    }
}

choice! {
    /// What one access policy comes to.
    PolicyVerdict {
        /// It allows the action.
        Allows = "allows",
        /// It applies there and has no rule for it.
        NoRule = "no-rule",
        /// It applies to other namespaces.
        OtherNamespace = "other-namespace",
        /// It applies to single namespaces, and the action is for all of them or for the cluster.
        WholeCluster = "whole-cluster",
        /// AWS does not publish enough to tell.
        Unknown = "unknown",
    }
}

facts! {
    /// An access policy of the caller's entry.
    PolicyFacts {
        /// Its name.
        "name" name: String,
        /// Its ARN.
        "arn" arn: String,
        /// Whether it applies to the whole cluster.
        "isClusterWide" is_cluster_wide: bool,
        /// The namespaces to which it applies.
        "namespaces" namespaces: Vec<String>,
        /// What it comes to.
        "verdict" verdict: PolicyVerdict,
        /// Whether it would allow the action if it applied there.
        "wouldAllow" would_allow: Option<bool>,
    }
}

/// The access policies of the entry that maps the caller; none if an entry does not.
pub(super) fn associated<'a>(
    evidence: &'a Evidence,
    asking: &Asking,
    impersonates: bool,
) -> Fact<AssociatedPolicies<'a>> {
    if impersonates {
        return Fact::known(AssociatedPolicies::HiddenByImpersonation, "kubeconfig");
    }
    asking.source.clone().and_then(|source| {
        if source != MappingSource::AccessEntry {
            return Fact::known(AssociatedPolicies::Read(&[]), ENTRIES);
        }
        let entries = evidence.aws.access_entries.found().into_iter().flatten();
        let mut entries = entries.filter(|entry: &&AccessEntry| Some(&entry.principal_arn) == asking.entry.as_ref());
        match entries.next() {
            Some(entry) => Fact::known(AssociatedPolicies::of(entry), ENTRIES),
            None => Fact::Unknown(why_unsettled(&evidence.aws.access_entries, ENTRIES)),
        }
    })
}

/// What each of them comes to.
pub(super) fn judged(policies: &AssociatedPolicies<'_>, action: &Action) -> Fact<Vec<PolicyFacts>> {
    match policies {
        AssociatedPolicies::Read(associations) => {
            Fact::known(associations.iter().map(|association| policy_facts(association, action)).collect(), ENTRIES)
        }
        AssociatedPolicies::NotRead(why) => Fact::unknown("aws.accessEntries.policies", why.clone()),
        AssociatedPolicies::HiddenByImpersonation => Fact::known(Vec::new(), ENTRIES),
    }
}

fn policy_facts(association: &AssociatedPolicy, action: &Action) -> PolicyFacts {
    let (verdict, would_allow) = match access_policies::judge(association, action) {
        Verdict::Allows(..) => (PolicyVerdict::Allows, Some(true)),
        Verdict::NoRule => (PolicyVerdict::NoRule, Some(false)),
        Verdict::OutOfScope { mismatch: ScopeMismatch::OtherNamespace, would_allow } => {
            (PolicyVerdict::OtherNamespace, would_allow)
        }
        Verdict::OutOfScope { would_allow, .. } => (PolicyVerdict::WholeCluster, would_allow),
        Verdict::Unknown(_) => (PolicyVerdict::Unknown, None),
    };
    let scope = association.access_scope.as_ref();
    PolicyFacts {
        name: access_policies::policy_name(&association.policy_arn).unwrap_or(&association.policy_arn).to_owned(),
        arn: association.policy_arn.clone(),
        is_cluster_wide: scope.is_some_and(|scope| scope.scope_type == "cluster"),
        namespaces: scope.map(|scope| scope.namespaces.clone()).unwrap_or_default(),
        verdict,
        would_allow,
    }
}

/// Why they do not allow the action. `is_refused_by_server` says that the API server itself refuses it, so that what AWS
/// does not publish of a policy does not matter.
pub(super) fn gap(
    judged: &Fact<Vec<PolicyFacts>>,
    is_refused_by_server: bool,
    action: &Action,
) -> Fact<Option<PolicyGap>> {
    // Whatever policies there are, none but the administrators' would do.
    if judged.value().is_none() && is_refused_by_server && is_beyond_policies(action) {
        return Fact::known(Some(PolicyGap::Rules), "target.action");
    }
    judged.as_ref().and_then(|policies| {
        let is_out_of_scope = |policy: &&PolicyFacts| {
            matches!(policy.verdict, PolicyVerdict::OtherNamespace | PolicyVerdict::WholeCluster)
        };
        if policies.is_empty() || policies.iter().any(|policy| policy.verdict == PolicyVerdict::Allows) {
            return Fact::known(None, ENTRIES);
        }
        if policies.iter().filter(is_out_of_scope).any(|policy| policy.would_allow == Some(true)) {
            return Fact::known(Some(PolicyGap::Scope), ENTRIES);
        }
        let may_allow_elsewhere = policies.iter().filter(is_out_of_scope).any(|policy| policy.would_allow.is_none());
        let may_allow_here = policies.iter().any(|policy| policy.verdict == PolicyVerdict::Unknown);
        if may_allow_elsewhere || (may_allow_here && !is_refused_by_server) {
            return Fact::unknown(
                "kubernetes.accessReview",
                "AWS does not publish what one of the access policies allows",
            );
        }
        Fact::known(Some(PolicyGap::Rules), ENTRIES)
    })
}

/// Whether only the policies for everything allow the action, as with custom resources.
fn is_beyond_policies(action: &Action) -> bool {
    const OF_EVERYTHING: [&str; 2] = ["AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy"];
    access_policies::least_policy(action).is_none_or(|least| OF_EVERYTHING.contains(&least.policy.name.as_ref()))
}

/// ARN and scope of the least access policy that allows the action.
pub(super) fn least(cluster: &ClusterFacts, action: &Action) -> Fact<Option<(String, String)>> {
    let partition =
        cluster.region.value().cloned().flatten().map_or(Partition::Aws, |region| Partition::of_region(&region));
    let least = access_policies::least_policy(action).map(|least| {
        let arn = format!("arn:{}:eks::aws:cluster-access-policy/{}", partition.id(), least.policy.name);
        let scope = match least.scope.namespaces.as_slice() {
            [] => format!("type={}", least.scope.scope_type),
            namespaces => format!("type={},namespaces={}", least.scope.scope_type, namespaces.join(",")),
        };
        (arn, scope)
    });
    Fact::known(least, "target.action")
}

/// The policy that would allow the action with a wider scope, and its scope.
#[derive(Debug, Clone)]
pub(super) struct Widened {
    pub(super) arn: String,
    /// The scope as it is.
    pub(super) former: String,
    /// The scope that takes in the action as well.
    pub(super) scope: String,
}

/// The first policy that would allow the action if it applied there.
pub(super) fn widened(judged: &Fact<Vec<PolicyFacts>>, action: &Action) -> Fact<Option<Widened>> {
    judged.as_ref().map(|policies| {
        let policy = policies
            .iter()
            .find(|policy| policy.would_allow == Some(true) && policy.verdict != PolicyVerdict::Allows)?;
        let former = format!("type=namespace,namespaces={}", policy.namespaces.join(","));
        let scope = match (&action.namespace, policy.verdict) {
            (Some(namespace), PolicyVerdict::OtherNamespace) => format!("{former},{namespace}"),
            _ => "type=cluster".to_owned(),
        };
        Some(Widened { arn: policy.arn.clone(), former, scope })
    })
}
