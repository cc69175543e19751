//! Who is bound by what, and which role is meant: looked up in time that does not depend on the length of the lists.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::evidence::{Action, RbacBinding, RbacRole, UserInfo};

use super::matching::{SERVICE_ACCOUNT_PREFIX, is_service_account, namespace, service_account_namespace};
use super::{BindingKind, Bound, ListName, MissingList, RbacList, RbacLists, RoleLookup};

/// The four lists, indexed once for any number of questions. Borrows them.
#[derive(Debug)]
pub struct RbacIndex<'a> {
    pub(super) lists: RbacLists<'a>,
    cluster_roles: HashMap<&'a str, &'a RbacRole>,
    /// By namespace and name.
    roles: HashMap<(&'a str, &'a str), &'a RbacRole>,
    cluster_bindings: Bindings<'a>,
    /// By namespace.
    bindings: HashMap<&'a str, Bindings<'a>>,
}

/// The bindings of the cluster or of one namespace, and who is named in them, which is found out when it is asked for.
#[derive(Debug, Default)]
struct Bindings<'a> {
    bindings: Vec<&'a RbacBinding>,
    subjects: OnceLock<Subjects<'a>>,
}

/// Where each subject is named.
#[derive(Debug, Default)]
struct Subjects<'a> {
    users: HashMap<&'a str, Vec<Place>>,
    groups: HashMap<&'a str, Vec<Place>>,
    /// By the ends of namespace and name, because nothing says where between them the one ends and the other begins.
    accounts: HashMap<(&'a str, &'a str), Vec<Place>>,
}

/// The places of a binding among others and of a subject in the binding.
type Place = (usize, usize);

impl<'a> RbacIndex<'a> {
    /// Indexes the lists, in time linear in their size.
    pub fn new(lists: RbacLists<'a>) -> Self {
        let mut cluster_roles = HashMap::with_capacity(lists.cluster_roles.items().len());
        for role in lists.cluster_roles.items() {
            cluster_roles.entry(role.metadata.name.as_str()).or_insert(role);
        }
        let mut roles = HashMap::with_capacity(lists.roles.items().len());
        for role in lists.roles.items() {
            roles.entry((role_namespace(role), role.metadata.name.as_str())).or_insert(role);
        }
        let cluster_bindings = lists.cluster_role_bindings.items().iter().collect();
        let cluster_bindings = Bindings { bindings: cluster_bindings, subjects: OnceLock::new() };
        let mut bindings = HashMap::<_, Bindings<'_>>::new();
        for binding in lists.role_bindings.items() {
            bindings.entry(binding_namespace(binding)).or_default().bindings.push(binding);
        }
        Self { lists, cluster_roles, roles, cluster_bindings, bindings }
    }

    /// The bindings that hold for the user where the action happens, in the authorizer's order.
    pub fn bindings_of(&self, user: &UserInfo, action: &Action) -> Vec<Bound<'a>> {
        let mut bound = self.cluster_bindings.of_user(BindingKind::ClusterRoleBinding, "", user);
        let local = namespace(action).and_then(|namespace| self.bindings.get_key_value(namespace));
        if let Some((namespace, bindings)) = local {
            bound.extend(bindings.of_user(BindingKind::RoleBinding, namespace, user));
        }
        bound
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

    /// The bindings that hold where the action happens, whomever they name.
    pub(super) fn bindings_at(&self, action: &Action) -> impl Iterator<Item = (BindingKind, &'a RbacBinding)> {
        let cluster = self.cluster_bindings.bindings.iter();
        let cluster = cluster.map(|binding| (BindingKind::ClusterRoleBinding, *binding));
        let local = namespace(action).and_then(|namespace| self.bindings.get(namespace));
        let local = local.into_iter().flat_map(|local| &local.bindings);
        cluster.chain(local.map(|binding| (BindingKind::RoleBinding, *binding)))
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

impl<'a> Bindings<'a> {
    /// The bindings that name the user, in the order of the list, each with the first subject that does.
    fn of_user(&self, kind: BindingKind, namespace: &str, user: &UserInfo) -> Vec<Bound<'a>> {
        let subjects = self.subjects.get_or_init(|| Subjects::of(&self.bindings, kind));
        let bound = subjects.places(user).into_iter().filter_map(|(at, nth)| {
            let binding = *self.bindings.get(at)?;
            let subject = binding.subjects.as_ref()?.get(nth)?;
            let is_other = subject.kind == "ServiceAccount" && !is_service_account(subject, namespace, &user.username);
            (!is_other).then_some(Bound { kind, binding, subject })
        });
        let mut bound = bound.collect::<Vec<_>>();
        bound.dedup_by_key(|bound| std::ptr::from_ref(bound.binding));
        bound
    }
}

impl<'a> Subjects<'a> {
    fn of(bindings: &[&'a RbacBinding], kind: BindingKind) -> Self {
        let mut subjects = Self::default();
        for (at, binding) in bindings.iter().enumerate() {
            let namespace = if kind == BindingKind::RoleBinding { binding_namespace(binding) } else { "" };
            for (nth, subject) in binding.subjects.iter().flatten().enumerate() {
                let places = match subject.kind.as_str() {
                    "User" => subjects.users.entry(&subject.name).or_default(),
                    "Group" => subjects.groups.entry(&subject.name).or_default(),
                    "ServiceAccount" => {
                        let ends = ends(service_account_namespace(subject, namespace), &subject.name);
                        subjects.accounts.entry(ends).or_default()
                    }
                    _ => continue,
                };
                places.push((at, nth));
            }
        }
        subjects
    }

    /// Where the user is named, in the order of the bindings; also where a service account is that may be the user.
    fn places(&self, user: &UserInfo) -> Vec<Place> {
        let account = user.username.strip_prefix(SERVICE_ACCOUNT_PREFIX).and_then(|account| account.split_once(':'));
        let by_account = account.and_then(|(namespace, name)| self.accounts.get(&ends(namespace, name)));
        let by_name = self.users.get(user.username.as_str());
        let by_group = user.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
        let mut places = by_account.into_iter().chain(by_name).chain(by_group).flatten().copied().collect::<Vec<_>>();
        places.sort_unstable();
        places
    }
}

/// The first part of a service account's namespace and the last one of its name.
fn ends<'t>(namespace: &'t str, name: &'t str) -> (&'t str, &'t str) {
    (namespace.split(':').next().unwrap_or_default(), name.rsplit(':').next().unwrap_or_default())
}

pub(super) fn binding_namespace(binding: &RbacBinding) -> &str {
    binding.metadata.namespace.as_deref().unwrap_or_default()
}

fn role_namespace(role: &RbacRole) -> &str {
    role.metadata.namespace.as_deref().unwrap_or_default()
}
