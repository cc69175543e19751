//! The Kubernetes RBAC authorizer: may this user do this, which binding says so, and if none does, what is missing.
//!
//! The four lists may each be unread. A grant that was seen stands whatever else is unread; a refusal stands only if
//! no unread list could hold a grant. "Could not look" is never "nothing there".

use std::collections::BTreeSet;
use std::fmt;

use smol_str::format_smolstr;

use crate::evidence::{Action, Kubernetes, Observed, PolicyRule, RbacBinding, RbacRole, RbacSubject, UserInfo};

mod aggregation;
mod denial;
mod index;
mod matching;
mod near;
mod suggest;
mod user;

pub use aggregation::AggregationDrift;
pub use denial::{BoundRole, Denial, Lack, RelatedRule};
pub use index::RbacIndex;
pub use matching::rule_allows;
pub use near::{NearMiss, NearMissKind};
pub use suggest::{Breadth, SufficientRole};
pub use user::{anonymous, authenticated, service_account};

/// Members of this group may do everything; the API server asks no other authorizer about them.
pub const PRIVILEGED_GROUP: &str = "system:masters";

/// One of the four RBAC lists, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub enum RbacList<'a, T> {
    /// All of it.
    Read(&'a [T]),
    /// Nobody looked or the look failed, and why.
    NotRead(String),
}

/// The four RBAC lists.
#[derive(Debug, Clone, PartialEq)]
pub struct RbacLists<'a> {
    /// All ClusterRoles.
    pub cluster_roles: RbacList<'a, RbacRole>,
    /// All ClusterRoleBindings.
    pub cluster_role_bindings: RbacList<'a, RbacBinding>,
    /// The Roles of all namespaces.
    pub roles: RbacList<'a, RbacRole>,
    /// The RoleBindings of all namespaces.
    pub role_bindings: RbacList<'a, RbacBinding>,
}

/// The name of one of the four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListName {
    /// `clusterRoles`
    ClusterRoles,
    /// `clusterRoleBindings`
    ClusterRoleBindings,
    /// `roles`
    Roles,
    /// `roleBindings`
    RoleBindings,
}

/// The two kinds of bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingKind {
    /// Holds in the whole cluster.
    ClusterRoleBinding,
    /// Holds in its namespace.
    RoleBinding,
}

/// A binding, and the first of its subjects that is the user or one of the user's groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound<'a> {
    /// Which kind it is.
    pub kind: BindingKind,
    /// The binding.
    pub binding: &'a RbacBinding,
    /// The subject.
    pub subject: &'a RbacSubject,
}

/// What became of a binding's reference to its role.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RoleLookup<'a> {
    /// The role.
    Found(&'a RbacRole),
    /// There is no such role: the binding grants nothing.
    Dangling,
    /// The list that would hold it is unread.
    Unread(ListName),
}

/// Why a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grant<'a> {
    /// The user is a member of [`PRIVILEGED_GROUP`].
    PrivilegedGroup,
    /// A binding gives the user a role with a rule for it.
    Rule {
        /// The binding and its subject.
        bound: Bound<'a>,
        /// The role.
        role: &'a RbacRole,
        /// The first rule of the role that allows it.
        rule: &'a PolicyRule,
    },
}

/// A list whose content could turn a refusal into a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingList {
    /// The list.
    pub list: ListName,
    /// Why it is unread.
    pub why: String,
}

/// What the RBAC authorizer answers.
#[derive(Debug, Clone, PartialEq)]
pub enum RbacDecision<'a> {
    /// Allowed, whatever else may be unread.
    Allowed(Grant<'a>),
    /// Nothing allows it.
    Denied {
        /// The user's bindings whose role does not exist, in the order in which the authorizer meets them.
        dangling: Vec<Bound<'a>>,
    },
    /// Nothing that was seen allows it, and these lists could.
    Unknown {
        /// Without duplicates, in the order of [`ListName`].
        missing: Vec<MissingList>,
    },
}

impl<'a> RbacLists<'a> {
    /// The lists of an evidence document.
    pub fn of(kubernetes: &'a Kubernetes) -> Self {
        Self {
            cluster_roles: RbacList::of(&kubernetes.cluster_roles),
            cluster_role_bindings: RbacList::of(&kubernetes.cluster_role_bindings),
            roles: RbacList::of(&kubernetes.roles),
            role_bindings: RbacList::of(&kubernetes.role_bindings),
        }
    }
}

impl<'a, T> RbacList<'a, T> {
    /// A list of an evidence document.
    pub fn of(observed: &'a Observed<Vec<T>>) -> Self {
        match observed {
            Observed::Found(items) => Self::Read(items),
            Observed::Absent(_) => Self::Read(&[]),
            Observed::Denied(failure) | Observed::Failed(failure) => Self::NotRead(failure.summary()),
            Observed::NotTried(why) => Self::NotRead(why.clone().unwrap_or_else(|| "not looked at".to_owned())),
        }
    }

    fn items(&self) -> &'a [T] {
        match self {
            Self::Read(items) => items,
            Self::NotRead(_) => &[],
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Read(_))
    }
}

impl<'a> RbacIndex<'a> {
    /// Whether `user` may do `action`, decided as the API server's authorizers `system:masters` and RBAC decide it:
    /// ClusterRoleBindings first, then the RoleBindings of the action's namespace, the first rule that fits wins.
    ///
    /// `user.groups` must be complete, implicit groups included: see [`authenticated`] and its fellows.
    pub fn authorize(&self, user: &UserInfo, action: &Action) -> RbacDecision<'a> {
        if user.groups.iter().any(|group| group == PRIVILEGED_GROUP) {
            return RbacDecision::Allowed(Grant::PrivilegedGroup);
        }
        let mut unread = self.unread_bindings(action).collect::<BTreeSet<_>>();
        let mut dangling = Vec::new();
        for bound in self.bindings_of(user, action) {
            match self.role_of(bound.kind, bound.binding) {
                RoleLookup::Found(role) => {
                    if let Some(rule) = role.rules.iter().flatten().find(|rule| rule_allows(rule, action)) {
                        return RbacDecision::Allowed(Grant::Rule { bound, role, rule });
                    }
                }
                RoleLookup::Dangling => dangling.push(bound),
                RoleLookup::Unread(list) => {
                    unread.insert(list);
                }
            }
        }
        if unread.is_empty() {
            return RbacDecision::Denied { dangling };
        }
        RbacDecision::Unknown { missing: unread.into_iter().map(|list| self.missing(list)).collect() }
    }
}

impl RbacDecision<'_> {
    /// The reason that a SubjectAccessReview would give; `None` if the decision is unknown.
    ///
    /// The API server meets bindings in no fixed order, so where several grant, its reason may name another one.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Allowed(grant) => Some(grant.reason()),
            Self::Denied { dangling } if dangling.is_empty() => Some(String::new()),
            Self::Denied { dangling } => {
                let mut errors = Vec::new();
                for error in dangling.iter().map(Bound::lookup_error) {
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                }
                match errors.as_slice() {
                    [error] => Some(format!("RBAC: {error}")),
                    _ => Some(format!("RBAC: [{}]", errors.join(", "))),
                }
            }
            Self::Unknown { .. } => None,
        }
    }
}

impl Grant<'_> {
    /// The reason that a SubjectAccessReview would give; empty for the privileged group.
    pub fn reason(&self) -> String {
        match self {
            Self::PrivilegedGroup => String::new(),
            Self::Rule { bound, .. } => format!("RBAC: allowed by {bound}"),
        }
    }
}

impl<'a> Bound<'a> {
    /// The namespace in which the binding holds; `None` for the whole cluster.
    pub fn namespace(&self) -> Option<&'a str> {
        match self.kind {
            BindingKind::ClusterRoleBinding => None,
            BindingKind::RoleBinding => Some(self.binding.metadata.namespace.as_deref().unwrap_or_default()),
        }
    }

    /// What the authorizer says of a role that it does not find.
    fn lookup_error(&self) -> String {
        let role_ref = &self.binding.role_ref;
        match role_ref.kind.as_str() {
            "Role" => format!("role.rbac.authorization.k8s.io {:?} not found", role_ref.name),
            "ClusterRole" => format!("clusterrole.rbac.authorization.k8s.io {:?} not found", role_ref.name),
            kind => format!("unsupported role reference kind: {kind:?}"),
        }
    }
}

impl fmt::Display for Bound<'_> {
    /// As the authorizer writes it: `RoleBinding "devs/dev" of ClusterRole "view" to Group "devs"`. The namespace
    /// stands behind the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (binding, subject) = (self.binding, self.subject);
        let name = match self.namespace() {
            None => binding.metadata.name.clone(),
            Some(namespace) => format_smolstr!("{}/{namespace}", binding.metadata.name),
        };
        let subject_name = match subject.kind.as_str() {
            "ServiceAccount" => {
                let namespace = matching::service_account_namespace(subject, self.namespace().unwrap_or_default());
                format_smolstr!("{}/{namespace}", subject.name)
            }
            _ => subject.name.clone(),
        };
        let role_ref = &binding.role_ref;
        write!(
            f,
            "{} {name:?} of {} {:?} to {} {subject_name:?}",
            self.kind, role_ref.kind, role_ref.name, subject.kind
        )
    }
}

impl fmt::Display for BindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::RoleBinding => "RoleBinding",
        })
    }
}

impl fmt::Display for ListName {
    /// The key in the evidence under `kubernetes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClusterRoles => "clusterRoles",
            Self::ClusterRoleBindings => "clusterRoleBindings",
            Self::Roles => "roles",
            Self::RoleBindings => "roleBindings",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn kubernetes(lists: Value) -> Kubernetes {
        serde_json::from_value(lists).unwrap()
    }

    fn action(verb: &str, resource: &str, namespace: Option<&str>) -> Action {
        let (resource, namespace) = (Some(resource.to_owned()), namespace.map(str::to_owned));
        Action { verb: verb.to_owned(), resource, namespace, ..Action::default() }
    }

    fn sample() -> Value {
        json!({
            "clusterRoles": {"found": [
                {"metadata": {"name": "view"}, "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "nodes"]}]},
            ]},
            "clusterRoleBindings": {"found": [
                {"metadata": {"name": "gone"}, "roleRef": {"kind": "ClusterRole", "name": "gone"}, "subjects": [{"kind": "Group", "name": "dev"}]},
                {"metadata": {"name": "local"}, "roleRef": {"kind": "Role", "name": "reader"}, "subjects": [{"kind": "Group", "name": "dev"}]},
            ]},
            "roles": {"found": [
                {"metadata": {"name": "reader", "namespace": "dev"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]},
            ]},
            "roleBindings": {"found": [
                {"metadata": {"name": "readers", "namespace": "dev"}, "roleRef": {"kind": "Role", "name": "reader"},
                    "subjects": [{"kind": "User", "name": "eve"}, {"kind": "ServiceAccount", "name": "runner"}]},
                {"metadata": {"name": "viewers", "namespace": "dev"}, "roleRef": {"kind": "ClusterRole", "name": "view"},
                    "subjects": [{"kind": "User", "name": "ada"}, {"kind": "Group", "name": "dev"}]},
            ]},
        })
    }

    fn reason(lists: &Value, user: &UserInfo, action: &Action) -> Option<String> {
        RbacIndex::new(RbacLists::of(&kubernetes(lists.clone()))).authorize(user, action).reason()
    }

    #[test]
    fn the_first_rule_that_fits_is_named_as_the_api_server_names_it() {
        let ada = authenticated("ada", ["dev".to_owned()]);
        let get_pods = reason(&sample(), &ada, &action("get", "pods", Some("dev")));
        let expected = r#"RBAC: allowed by RoleBinding "viewers/dev" of ClusterRole "view" to User "ada""#;
        assert_eq!(get_pods.as_deref(), Some(expected));
        let runner = service_account("dev", "runner");
        let get_secrets = reason(&sample(), &runner, &action("get", "secrets", Some("dev")));
        let expected = r#"RBAC: allowed by RoleBinding "readers/dev" of Role "reader" to ServiceAccount "runner/dev""#;
        assert_eq!(get_secrets.as_deref(), Some(expected));
    }

    #[test]
    fn a_refusal_names_the_roles_that_do_not_exist() {
        let dev = authenticated("x", ["dev".to_owned()]);
        let denied = reason(&sample(), &dev, &action("delete", "pods", Some("dev")));
        let expected = "RBAC: [clusterrole.rbac.authorization.k8s.io \"gone\" not found, \
                        role.rbac.authorization.k8s.io \"reader\" not found]";
        assert_eq!(denied.as_deref(), Some(expected));
    }

    #[test]
    fn role_bindings_do_not_reach_beyond_their_namespace() {
        let ada = authenticated("ada", []);
        for (resource, namespace) in [("pods", Some("prod")), ("pods", None), ("nodes", None)] {
            assert_eq!(reason(&sample(), &ada, &action("list", resource, namespace)).as_deref(), Some(""));
        }
    }

    #[test]
    fn masters_need_no_list() {
        let root = authenticated("root", [PRIVILEGED_GROUP.to_owned()]);
        assert_eq!(reason(&json!({}), &root, &action("*", "*", None)).as_deref(), Some(""));
    }

    #[test]
    fn an_unread_list_makes_a_no_unknown_and_leaves_a_yes() {
        let ada = authenticated("ada", []);
        let mut lists = sample();
        lists["clusterRoleBindings"] = json!({"denied": {"status": 403, "message": "Forbidden"}});
        lists["roles"] = json!({"notTried": null});
        let kubernetes = kubernetes(lists);
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        assert!(matches!(index.authorize(&ada, &action("get", "pods", Some("dev"))), RbacDecision::Allowed(_)));
        // The Roles do not matter: no binding of hers refers to one.
        let why = MissingList { list: ListName::ClusterRoleBindings, why: "403: Forbidden".to_owned() };
        let unknown = RbacDecision::Unknown { missing: vec![why.clone()] };
        assert_eq!(index.authorize(&ada, &action("delete", "pods", Some("dev"))), unknown);
        let eve = authenticated("eve", []);
        let roles = MissingList { list: ListName::Roles, why: "not looked at".to_owned() };
        let unknown = RbacDecision::Unknown { missing: vec![why, roles] };
        assert_eq!(index.authorize(&eve, &action("get", "secrets", Some("dev"))), unknown);
    }

    #[test]
    fn lists_that_cannot_matter_are_not_missed() {
        let mut lists = sample();
        lists["roleBindings"] = json!({"denied": {"status": 403, "message": "Forbidden"}});
        lists["roles"] = lists["roleBindings"].clone();
        let kubernetes = kubernetes(lists);
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        let ada = authenticated("ada", []);
        let denied = RbacDecision::Denied { dangling: Vec::new() };
        assert_eq!(index.authorize(&ada, &action("list", "nodes", None)), denied);
        let healthz = Action { verb: "get".to_owned(), path: Some("/healthz".to_owned()), ..Action::default() };
        assert_eq!(index.authorize(&ada, &healthz), denied);
    }
}
