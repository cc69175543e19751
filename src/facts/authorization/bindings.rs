//! What the user's bindings come to: which hold where the action happens and what they lack, which hold elsewhere, which
//! all but name the user, and which refer to a role that does not exist.

use super::{
    BINDINGS, EVERYBODY,
    asking::{Refusal, service_account},
};
use crate::{
    evidence::{Action, Evidence, Observed, RbacBinding, RbacSubject, UserInfo},
    facts::{
        mapping::is_about_nodes,
        pasted::Pasted,
        rbac::{BindingKind, Bound, BoundRole, Lack, RoleLookup},
        value::{Fact, Unknown, facts, why_unsettled},
    },
};

facts! {
    /// A binding that holds for the user where the action happens.
    BindingFacts {
        /// Its kind and name, as in commands: rolebinding/viewers.
        "binding" binding: String,
        /// Its namespace; absent for a ClusterRoleBinding.
        "namespace" namespace: Option<String>,
        /// The role that it gives.
        "role" role: String,
        /// ClusterRole or Role.
        "roleKind" role_kind: String,
        /// Whom it names.
        "subject" subject: String,
        /// What its role lacks for the action: verb, resource, API group, object name.
        "lacks" lacks: Vec<String>,
        /// Whether its role is aggregated, lags behind the ClusterRoles that it selects, and would allow the action
        /// otherwise.
        "isStale" is_stale: bool,
    }
}

facts! {
    /// A role that a binding refers to and that does not exist.
    MissingRoleFacts {
        /// Its name.
        "role" role: String,
        /// ClusterRole or Role.
        "roleKind" role_kind: String,
        /// Kind and name of the binding.
        "binding" binding: Option<String>,
        /// The binding's namespace; absent for a ClusterRoleBinding.
        "namespace" namespace: Option<String>,
        /// Whether the binding is for all namespaces.
        "isClusterWide" is_cluster_wide: bool,
        /// Kind and name of whom it names: Group dev.
        "subject" subject: Option<String>,
        /// Whether it is what stops the request: the action is refused, or a node group is.
        "matters" matters: Fact<bool>,
    }
}

/// The API server's words for a binding: `rolebinding/viewers`.
pub(super) fn name_of(kind: BindingKind, binding: &RbacBinding) -> String {
    let kind = match kind {
        BindingKind::ClusterRoleBinding => "clusterrolebinding",
        BindingKind::RoleBinding => "rolebinding",
    };
    format!("{kind}/{}", binding.metadata.name)
}

fn is_everybodys(bound: &Bound<'_>) -> bool {
    bound.subject.name == EVERYBODY
}

/// What is missing before the bindings that hold for an action are all known.
pub(super) fn unread(evidence: &Evidence, action: &Action) -> Unknown {
    let kubernetes = &evidence.kubernetes;
    let mut unknown = Unknown::default();
    if !kubernetes.cluster_role_bindings.is_settled() {
        unknown.absorb(&why_unsettled(&kubernetes.cluster_role_bindings, "kubernetes.clusterRoleBindings"));
    }
    if action.namespace.is_some() && !kubernetes.role_bindings.is_settled() {
        unknown.absorb(&why_unsettled(&kubernetes.role_bindings, BINDINGS));
    }
    unknown
}

/// The bindings that hold for the user where the action happens, those of everybody left out.
pub(super) fn held(bound: &[BoundRole<'_>], unread: &Unknown) -> Fact<Vec<Fact<BindingFacts>>> {
    let held: Vec<_> = bound
        .iter()
        .filter(|one| !is_everybodys(&one.bound) && matches!(one.role, RoleLookup::Found(_)))
        .map(|one| Fact::known(binding_facts(one), observation(one.bound.kind)))
        .collect();
    if held.is_empty() && !unread.missing.is_empty() {
        return Fact::Unknown(unread.clone());
    }
    if held.is_empty()
        && let Some(one) =
            bound.iter().find(|one| !is_everybodys(&one.bound) && matches!(one.role, RoleLookup::Unread(_)))
    {
        let list =
            if one.bound.binding.role_ref.kind == "Role" { "kubernetes.roles" } else { "kubernetes.clusterRoles" };
        return Fact::unknown(list, "the role that is bound was not read");
    }
    Fact::known(held, BINDINGS)
}

fn observation(kind: BindingKind) -> &'static str {
    match kind {
        BindingKind::ClusterRoleBinding => "kubernetes.clusterRoleBindings",
        BindingKind::RoleBinding => BINDINGS,
    }
}

fn binding_facts(one: &BoundRole<'_>) -> BindingFacts {
    let binding = one.bound.binding;
    // The rule that comes nearest says best what is missing.
    let nearest = one.related.iter().min_by_key(|related| related.lacks.len());
    let lacks = nearest.map(|related| related.lacks.as_slice()).unwrap_or_default();
    BindingFacts {
        binding: name_of(one.bound.kind, binding),
        namespace: one.bound.namespace().map(str::to_owned),
        role: binding.role_ref.name.to_string(),
        role_kind: binding.role_ref.kind.to_string(),
        subject: format!("{} {}", one.bound.subject.kind, one.bound.subject.name),
        lacks: lacks.iter().map(|lack| words_of(*lack).to_owned()).collect(),
        is_stale: one.stale.is_some(),
    }
}

fn words_of(lack: Lack) -> &'static str {
    match lack {
        Lack::Verb => "verb",
        Lack::ApiGroup => "API group",
        Lack::Resource => "resource",
        Lack::ResourceName => "object name",
        Lack::Path => "path",
    }
}

/// The bindings of other namespaces whose role would allow the action.
pub(super) fn elsewhere(evidence: &Evidence, bound: &[Bound<'_>]) -> Fact<Vec<Fact<BindingFacts>>> {
    let of = |bound: &Bound<'_>| BindingFacts {
        binding: name_of(bound.kind, bound.binding),
        namespace: bound.binding.metadata.namespace.as_ref().map(ToString::to_string),
        role: bound.binding.role_ref.name.to_string(),
        role_kind: bound.binding.role_ref.kind.to_string(),
        subject: format!("{} {}", bound.subject.kind, bound.subject.name),
        lacks: Vec::new(),
        is_stale: false,
    };
    let found: Vec<_> =
        bound.iter().filter(|bound| !is_everybodys(bound)).map(|bound| Fact::known(of(bound), BINDINGS)).collect();
    if found.is_empty() && !evidence.kubernetes.role_bindings.is_settled() {
        return Fact::Unknown(why_unsettled(&evidence.kubernetes.role_bindings, BINDINGS));
    }
    Fact::known(found, BINDINGS)
}

/// The roles that bindings of the user refer to and that do not exist: as the lists show it, or as the authorizer says in
/// its refusal.
pub(super) fn missing_roles(
    evidence: &Evidence,
    pasted: &Pasted,
    bound: &[BoundRole<'_>],
    refusal: Option<&Refusal>,
    unread: &Unknown,
    refused: &Fact<bool>,
) -> Fact<Vec<Fact<MissingRoleFacts>>> {
    let dangling = bound.iter().filter(|one| matches!(one.role, RoleLookup::Dangling));
    let mut missing: Vec<_> =
        dangling.map(|one| Fact::known(missing_role(&one.bound, refused), observation(one.bound.kind))).collect();
    if let Some(refusal) = refusal {
        for (role_kind, role) in named_missing(refusal.words.reason.as_deref().unwrap_or_default()) {
            let is_known = missing.iter().any(|one| one.value().is_some_and(|one| one.role == role));
            if !is_known {
                missing.push(Fact::known(MissingRoleFacts::named(role_kind, role, refused), refusal.observation));
            }
        }
    }
    missing.extend(node_manager(evidence, pasted));
    if missing.is_empty() && !unread.missing.is_empty() {
        Fact::Unknown(unread.clone())
    } else {
        Fact::known(missing, BINDINGS)
    }
}

/// The roles in `RBAC: clusterrole.rbac.authorization.k8s.io "x" not found`.
fn named_missing(reason: &str) -> Vec<(&'static str, String)> {
    const HEAD: &str = "role.rbac.authorization.k8s.io \"";
    let mut found = Vec::new();
    for (at, _) in reason.match_indices(HEAD) {
        let kind =
            if reason.get(..at).is_some_and(|before| before.ends_with("cluster")) { "ClusterRole" } else { "Role" };
        let rest = reason.get(at + HEAD.len()..).and_then(|rest| rest.split_once('"'));
        if let Some((name, rest)) = rest
            && rest.trim_start().starts_with("not found")
        {
            found.push((kind, name.to_owned()));
        }
    }
    found
}

impl MissingRoleFacts {
    /// A role of which only its name is known.
    fn named(role_kind: &str, role: String, matters: &Fact<bool>) -> Self {
        let (role_kind, matters) = (role_kind.to_owned(), matters.clone());
        Self { role, role_kind, binding: None, namespace: None, is_cluster_wide: false, subject: None, matters }
    }
}

fn missing_role(bound: &Bound<'_>, refused: &Fact<bool>) -> MissingRoleFacts {
    MissingRoleFacts {
        role: bound.binding.role_ref.name.to_string(),
        role_kind: bound.binding.role_ref.kind.to_string(),
        binding: Some(name_of(bound.kind, bound.binding)),
        namespace: bound.namespace().map(str::to_owned),
        is_cluster_wide: bound.kind == BindingKind::ClusterRoleBinding,
        subject: Some(format!("{} {}", bound.subject.kind, bound.subject.name)),
        matters: refused.clone(),
    }
}

/// The ClusterRole that EKS needs to make nodes join, if the lists show that it is gone and a node group complains.
fn node_manager(evidence: &Evidence, pasted: &Pasted) -> Option<Fact<MissingRoleFacts>> {
    const NODE_MANAGER: &str = "eks:node-manager";
    if !pasted.may_be("authorization/role-missing") || !is_about_nodes(pasted) {
        return None;
    }
    let matters = Fact::known(true, "target.symptom");
    let named = MissingRoleFacts::named("ClusterRole", NODE_MANAGER.to_owned(), &matters);
    match &evidence.kubernetes.cluster_roles {
        Observed::Found(roles) if roles.iter().any(|role| role.metadata.name == NODE_MANAGER) => None,
        Observed::Found(_) | Observed::Absent(_) => Some(Fact::known(named, "kubernetes.clusterRoles")),
        other => Some(Fact::Unknown(why_unsettled(other, "kubernetes.clusterRoles"))),
    }
}

/// Whether any binding, in whatever namespace, names the user or one of its own groups.
pub(super) fn is_bound(evidence: &Evidence, user: &UserInfo, open: Option<&Unknown>) -> Fact<bool> {
    let account = service_account(&user.username);
    let names = |subject: &RbacSubject| match subject.kind.as_str() {
        "User" => subject.name == user.username,
        "Group" => subject.name != EVERYBODY && user.groups.iter().any(|group| *group == subject.name),
        "ServiceAccount" => account.is_some_and(|(namespace, name)| {
            subject.name == name && subject.namespace.as_deref().is_none_or(|own| own == namespace)
        }),
        _ => false,
    };
    let kubernetes = &evidence.kubernetes;
    let lists =
        [(&kubernetes.cluster_role_bindings, "kubernetes.clusterRoleBindings"), (&kubernetes.role_bindings, BINDINGS)];
    let mut unknown = open.cloned().unwrap_or_default();
    for (list, observation) in lists {
        match list {
            Observed::Found(bindings) => {
                if bindings.iter().any(|binding| binding.subjects.iter().flatten().any(names)) {
                    return Fact::known(true, observation);
                }
            }
            Observed::Absent(_) => {}
            unsettled => unknown.absorb(&why_unsettled(unsettled, observation)),
        }
    }
    if unknown.missing.is_empty() { Fact::known(false, BINDINGS) } else { Fact::Unknown(unknown) }
}
