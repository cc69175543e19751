//! Who is bound by what, and which role is meant: looked up in time that does not depend on the length of the lists.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::evidence::{Action, RbacBinding, RbacRole, UserInfo};

use super::matching::{namespace, service_account_username};
use super::{BindingKind, Bound, ListName, MissingList, RbacList, RbacLists, RoleLookup};

/// The four lists, indexed once for any number of questions. Borrows them.
#[derive(Debug)]
pub struct RbacIndex<'a> {
    pub(super) lists: RbacLists<'a>,
    cluster_roles: HashMap<&'a str, &'a RbacRole>,
    /// By namespace and name.
    roles: HashMap<(&'a str, &'a str), &'a RbacRole>,
    cluster_bindings: Subjects<'a>,
    bindings: Subjects<'a>,
}

/// Where a subject is named: the places of the binding in its list and of the subject in the binding.
type Place = (usize, usize);

/// Bindings by namespace (empty for ClusterRoleBindings) and subject.
#[derive(Debug, Default)]
struct Subjects<'a> {
    /// By user name, which for a service account is spelled out.
    users: HashMap<(&'a str, Cow<'a, str>), Vec<Place>>,
    groups: HashMap<(&'a str, &'a str), Vec<Place>>,
}

impl<'a> RbacIndex<'a> {
    /// Indexes the lists, in time linear in their size.
    pub fn new(lists: RbacLists<'a>) -> Self {
        let mut cluster_roles = HashMap::new();
        for role in lists.cluster_roles.items() {
            cluster_roles.entry(role.metadata.name.as_str()).or_insert(role);
        }
        let mut roles = HashMap::new();
        for role in lists.roles.items() {
            roles.entry((role_namespace(role), role.metadata.name.as_str())).or_insert(role);
        }
        let cluster_bindings = Subjects::of(lists.cluster_role_bindings.items(), |_| "");
        let bindings = Subjects::of(lists.role_bindings.items(), binding_namespace);
        Self { lists, cluster_roles, roles, cluster_bindings, bindings }
    }

    /// The bindings that hold for the user where the action happens, in the authorizer's order.
    pub fn bindings_of(&self, user: &UserInfo, action: &Action) -> Vec<Bound<'a>> {
        let lists = &self.lists;
        let cluster = self.cluster_bindings.of_user("", user);
        let cluster = bound(BindingKind::ClusterRoleBinding, lists.cluster_role_bindings.items(), cluster);
        let Some(namespace) = namespace(action) else { return cluster.collect() };
        let local = self.bindings.of_user(namespace, user);
        cluster.chain(bound(BindingKind::RoleBinding, lists.role_bindings.items(), local)).collect()
    }

    /// The role that a binding refers to. A ClusterRoleBinding has no namespace in which to look for a Role.
    pub fn role_of(&self, kind: BindingKind, binding: &RbacBinding) -> RoleLookup<'a> {
        let name = binding.role_ref.name.as_str();
        let (found, list) = match (binding.role_ref.kind.as_str(), kind) {
            ("ClusterRole", _) => (self.cluster_roles.get(name), ListName::ClusterRoles),
            ("Role", BindingKind::RoleBinding) => {
                (self.roles.get(&(binding_namespace(binding), name)), ListName::Roles)
            }
            _ => return RoleLookup::Dangling,
        };
        match found {
            Some(role) => RoleLookup::Found(role),
            None if self.unread(list).is_some() => RoleLookup::Unread(list),
            None => RoleLookup::Dangling,
        }
    }

    /// The unread lists of bindings that could hold a grant for the action.
    pub(super) fn unread_bindings(&self, action: &Action) -> impl Iterator<Item = ListName> {
        let local = namespace(action).is_some().then_some(ListName::RoleBindings);
        [Some(ListName::ClusterRoleBindings), local].into_iter().flatten().filter(|list| self.unread(*list).is_some())
    }

    pub(super) fn missing(&self, list: ListName) -> MissingList {
        MissingList { list, why: self.unread(list).unwrap_or_default().to_owned() }
    }

    /// Why the list is unread, if it is.
    fn unread(&self, list: ListName) -> Option<&str> {
        fn why<'b, T>(list: &'b RbacList<'_, T>) -> Option<&'b str> {
            match list {
                RbacList::Read(_) => None,
                RbacList::NotRead(why) => Some(why),
            }
        }
        match list {
            ListName::ClusterRoles => why(&self.lists.cluster_roles),
            ListName::ClusterRoleBindings => why(&self.lists.cluster_role_bindings),
            ListName::Roles => why(&self.lists.roles),
            ListName::RoleBindings => why(&self.lists.role_bindings),
        }
    }
}

impl<'a> Subjects<'a> {
    fn of(bindings: &'a [RbacBinding], namespace_of: impl Fn(&'a RbacBinding) -> &'a str) -> Self {
        let mut subjects = Self::default();
        for (at, binding) in bindings.iter().enumerate() {
            let namespace = namespace_of(binding);
            for (nth, subject) in binding.subjects.iter().flatten().enumerate() {
                let places = match subject.kind.as_str() {
                    "User" => subjects.users.entry((namespace, Cow::Borrowed(&subject.name))).or_default(),
                    "Group" => subjects.groups.entry((namespace, &subject.name)).or_default(),
                    "ServiceAccount" => match service_account_username(subject, namespace) {
                        Some(username) => subjects.users.entry((namespace, Cow::Owned(username))).or_default(),
                        None => continue,
                    },
                    _ => continue,
                };
                places.push((at, nth));
            }
        }
        subjects
    }

    /// The bindings of one namespace that name the user, in the order of the list, each with its first such subject.
    fn of_user(&self, namespace: &str, user: &UserInfo) -> Vec<Place> {
        let by_name = self.users.get(&(namespace, Cow::Borrowed(user.username.as_str())));
        let by_group = user.groups.iter().filter_map(|group| self.groups.get(&(namespace, group.as_str())));
        let mut places = by_name.into_iter().chain(by_group).flatten().copied().collect::<Vec<_>>();
        places.sort_unstable();
        places.dedup_by_key(|(binding, _)| *binding);
        places
    }
}

fn bound<'a>(kind: BindingKind, bindings: &'a [RbacBinding], places: Vec<Place>) -> impl Iterator<Item = Bound<'a>> {
    places.into_iter().filter_map(move |(at, nth)| {
        let binding = bindings.get(at)?;
        Some(Bound { kind, binding, subject: binding.subjects.as_ref()?.get(nth)? })
    })
}

pub(super) fn binding_namespace(binding: &RbacBinding) -> &str {
    binding.metadata.namespace.as_deref().unwrap_or_default()
}

fn role_namespace(role: &RbacRole) -> &str {
    role.metadata.namespace.as_deref().unwrap_or_default()
}
