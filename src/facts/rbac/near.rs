//! Bindings that all but name the user: a slip of the pen, another case, the wrong kind of subject.

use std::collections::HashMap;
use std::str::Chars;

use crate::evidence::{Action, RbacBinding, RbacSubject, UserInfo};

use super::index::binding_namespace;
use super::matching::{Naming, SERVICE_ACCOUNT_PREFIX};
use super::user::is_implicit;
use super::{BindingKind, Bound, RbacIndex, RoleLookup};

/// A binding that does not name the user, but something near to it.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss<'a> {
    /// The binding, and the subject that is near.
    pub bound: Bound<'a>,
    /// What the binding's role comes to: it allows the action, does not exist, or is unread.
    pub role: RoleLookup<'a>,
    /// The user name or group that was probably meant.
    pub meant: String,
    /// In what the two differ.
    pub kind: NearMissKind,
}

/// In what a subject differs from the user or group that was probably meant; the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearMissKind {
    /// Only in upper and lower case.
    LetterCase,
    /// `@` against `-`: the authenticator turns the one into the other in session names.
    AtSign,
    /// The name is right, but as a user and not as a group, or the other way round.
    SubjectKind,
    /// The service account is right, its namespace is missing or another.
    ServiceAccountNamespace,
    /// It is another spelling of the same caller, such as its IAM ARN.
    OtherName,
    /// The same IAM role under another session name.
    SessionName,
    /// In one letter: one too many, too few, another one, or two in the wrong order.
    OneLetter,
    /// In two letters.
    TwoLetters,
}

/// Each subject is compared with each group; somebody in more groups than these did not have them written by hand.
const MAX_GROUPS: usize = 100;

impl<'a> RbacIndex<'a> {
    /// The bindings that would help if their subject were spelled as the user or one of its groups is: they hold where
    /// the action happens, and their role allows it, does not exist or is unread. The surest first.
    ///
    /// `other_names` are further spellings of the same caller.
    pub fn near_misses(&self, user: &UserInfo, action: &Action, other_names: &[&str]) -> Vec<NearMiss<'a>> {
        let mut search = Search::of(user, other_names);
        let mut misses = Vec::new();
        for (kind, binding) in self.bindings_at(action) {
            let Some((near, subject, meant)) = search.nearest(kind, binding) else { continue };
            let bound = Bound { kind, binding, subject };
            let role = self.role_of(kind, binding);
            if matches!(role, RoleLookup::Found(_)) && self.role_allows(&bound, action) != Some(true) {
                continue;
            }
            misses.push(NearMiss { bound, role, meant, kind: near });
        }
        misses.sort_by_key(|miss| miss.kind);
        misses
    }
}

/// What is looked for, and what was already found out about a name.
struct Search<'u, 'a> {
    user: &'u UserInfo,
    naming: Naming<'u>,
    /// Groups that somebody wrote down.
    groups: Vec<&'u str>,
    other_names: &'u [&'u str],
    /// A name occurs in many bindings and is compared once.
    seen: HashMap<(&'a str, &'a str), Option<(NearMissKind, String)>>,
}

impl<'u, 'a> Search<'u, 'a> {
    fn of(user: &'u UserInfo, other_names: &'u [&'u str]) -> Self {
        let groups =
            user.groups.iter().map(String::as_str).filter(|group| !is_implicit(group)).take(MAX_GROUPS).collect();
        Self { user, naming: Naming::of(user), groups, other_names, seen: HashMap::new() }
    }

    /// The nearest subject of a binding that does not name the user.
    fn nearest(
        &mut self,
        kind: BindingKind,
        binding: &'a RbacBinding,
    ) -> Option<(NearMissKind, &'a RbacSubject, String)> {
        let subjects = binding.subjects.as_deref().unwrap_or_default();
        let namespace = if kind == BindingKind::RoleBinding { binding_namespace(binding) } else { "" };
        if self.naming.first(subjects, namespace).is_some() {
            return None;
        }
        let near = subjects.iter().filter_map(|subject| {
            let (near, meant) = match subject.kind.as_str() {
                "ServiceAccount" => self.account(subject)?,
                _ => (self.seen.get(&(&subject.kind, &subject.name)).cloned()).unwrap_or_else(|| {
                    let found = self.compare(subject);
                    self.seen.insert((&subject.kind, &subject.name), found.clone());
                    found
                })?,
            };
            Some((near, subject, meant))
        });
        near.min_by_key(|(near, ..)| *near)
    }

    /// A User or Group subject against the user's name and groups.
    fn compare(&self, subject: &RbacSubject) -> Option<(NearMissKind, String)> {
        let name = subject.name.as_str();
        if is_implicit(name) {
            return None;
        }
        let username = self.user.username.as_str();
        let (same_kind, other_kind) = match subject.kind.as_str() {
            "User" => (vec![username], self.groups.clone()),
            "Group" => (self.groups.clone(), vec![username]),
            _ => return None,
        };
        let spelled = same_kind.into_iter().filter_map(|wanted| Some((spelling(name, wanted)?, wanted)));
        let confused = other_kind.into_iter().filter(|wanted| *wanted == name);
        let confused = confused.map(|wanted| (NearMissKind::SubjectKind, wanted));
        // A service account that is bound as a user by its bare name.
        let account = username.strip_prefix(SERVICE_ACCOUNT_PREFIX);
        let account =
            account.filter(|account| *account == name || account.split_once(':').is_some_and(|it| it.1 == name));
        let account = account.map(|_| (NearMissKind::SubjectKind, username));
        let renamed = self.other_names.iter().any(|other| *other == name && *other != username);
        let renamed = renamed.then_some((NearMissKind::OtherName, username));
        let all = spelled.chain(confused).chain(account).chain(renamed);
        all.min_by_key(|(kind, _)| *kind).map(|(kind, meant)| (kind, meant.to_owned()))
    }

    /// A ServiceAccount subject: of the same name but another namespace, or a user or group that is none.
    fn account(&self, subject: &RbacSubject) -> Option<(NearMissKind, String)> {
        let username = self.user.username.as_str();
        let name = subject.name.as_str();
        if let Some(account) = username.strip_prefix(SERVICE_ACCOUNT_PREFIX) {
            let same = account.split_once(':').is_some_and(|(_, own)| own == name);
            return same.then(|| (NearMissKind::ServiceAccountNamespace, username.to_owned()));
        }
        let meant = [username].into_iter().chain(self.groups.iter().copied()).find(|wanted| *wanted == name)?;
        Some((NearMissKind::SubjectKind, meant.to_owned()))
    }
}

/// In what two different names differ, if they are near.
fn spelling(name: &str, wanted: &str) -> Option<NearMissKind> {
    if name == wanted {
        return None;
    }
    if name.eq_ignore_ascii_case(wanted) {
        return Some(NearMissKind::LetterCase);
    }
    let folded = |letter: u8| if letter == b'@' { b'-' } else { letter.to_ascii_lowercase() };
    if name.len() == wanted.len() && name.bytes().map(folded).eq(wanted.bytes().map(folded)) {
        return Some(NearMissKind::AtSign);
    }
    if same_assumed_role(name, wanted) {
        return Some(NearMissKind::SessionName);
    }
    // Of a short name, two letters are too much to be a slip.
    let slips = name.chars().count().min(wanted.chars().count()) / 3;
    match slips.min(2) {
        1.. if within(name.chars(), wanted.chars(), 1) => Some(NearMissKind::OneLetter),
        2 if within(name.chars(), wanted.chars(), 2) => Some(NearMissKind::TwoLetters),
        _ => None,
    }
}

/// Whether both are ARNs of sessions of one IAM role.
fn same_assumed_role(one: &str, other: &str) -> bool {
    let of = |name: &str| name.contains(":assumed-role/").then(|| name.rfind('/')).flatten();
    match (of(one), of(other)) {
        (Some(end), Some(other_end)) => one.get(..end) == other.get(..other_end) && one.matches('/').count() > 1,
        _ => false,
    }
}

/// Whether `slips` edits (insert, delete, replace, swap neighbours) are enough to turn one text into the other. Takes
/// time linear in the texts for a fixed number of slips.
fn within(mut one: Chars<'_>, mut other: Chars<'_>, slips: usize) -> bool {
    loop {
        let (one_rest, other_rest) = (one.clone(), other.clone());
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(left), Some(right)) if left == right => {}
            _ if slips == 0 => return false,
            (left, right) => {
                let less = slips - 1;
                let swapped = left != right && {
                    let (mut one, mut other) = (one.clone(), other.clone());
                    one.next() == right && other.next() == left && within(one, other, less)
                };
                return swapped
                    || (left.is_some() && within(one.clone(), other_rest, less))
                    || (right.is_some() && within(one_rest, other.clone(), less))
                    || (left.is_some() && right.is_some() && within(one, other, less));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RbacLists, authenticated, service_account};
    use super::*;
    use crate::evidence::Kubernetes;
    use serde_json::{Value, json};

    /// The near misses of `user` at getting pods in `dev`, where one binding of each subject gives the right.
    fn misses(user: &UserInfo, subjects: Value, other_names: &[&str]) -> Vec<(NearMissKind, String)> {
        let subjects = subjects.as_array().unwrap().iter();
        let bindings = subjects.map(|subject| {
            json!({"metadata": {"name": "b", "namespace": "dev"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [subject]})
        });
        let view = json!({"metadata": {"name": "view"}, "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]});
        let kubernetes: Kubernetes = serde_json::from_value(json!({
            "clusterRoles": {"found": [view]}, "roleBindings": {"found": bindings.collect::<Vec<_>>()},
        }))
        .unwrap();
        let index = RbacIndex::new(RbacLists::of(&kubernetes));
        let action = serde_json::from_value(json!({"verb": "get", "resource": "pods", "namespace": "dev"})).unwrap();
        let misses = index.near_misses(user, &action, other_names);
        misses.into_iter().map(|miss| (miss.kind, miss.bound.subject.name.to_string())).collect()
    }

    fn groups(names: &[&str]) -> Value {
        names.iter().map(|name| json!({"kind": "Group", "name": name})).collect()
    }

    #[test]
    fn slips_of_the_pen_are_found_nearest_first() {
        let user = authenticated("ada", ["developers".to_owned()]);
        let found = misses(&user, groups(&["developres", "Developers", "devlopres", "operators", "developer"]), &[]);
        let expected = [
            (NearMissKind::LetterCase, "Developers"),
            (NearMissKind::OneLetter, "developres"),
            (NearMissKind::OneLetter, "developer"),
            (NearMissKind::TwoLetters, "devlopres"),
        ];
        assert_eq!(found, expected.map(|(kind, name)| (kind, name.to_owned())));
    }

    #[test]
    fn of_short_names_only_small_slips_count() {
        let user = authenticated("x", ["dev".to_owned(), "qa".to_owned()]);
        let found = misses(&user, groups(&["devs", "deaf", "qs", "ops"]), &[]);
        assert_eq!(found, [(NearMissKind::OneLetter, "devs".to_owned())]);
    }

    #[test]
    fn implicit_groups_are_nobodys_slip() {
        let user = authenticated("ada", []);
        assert_eq!(misses(&user, groups(&["system:unauthenticated", "system:authenticate"]), &[]), []);
    }

    #[test]
    fn session_names_lose_their_at_sign_and_differ_between_sessions() {
        let user = authenticated("arn:aws:sts::111122223333:assumed-role/Dev/ada-example.com", []);
        let subjects = json!([
            {"kind": "User", "name": "arn:aws:sts::111122223333:assumed-role/Dev/ada@example.com"},
            {"kind": "User", "name": "arn:aws:sts::111122223333:assumed-role/Dev/somebody-else"},
            {"kind": "User", "name": "arn:aws:iam::111122223333:role/Dev"},
            {"kind": "User", "name": "arn:aws:iam::111122223333:role/Other"},
        ]);
        let found = misses(&user, subjects, &["arn:aws:iam::111122223333:role/Dev"]);
        let kinds = found.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds, [NearMissKind::AtSign, NearMissKind::OtherName, NearMissKind::SessionName]);
    }

    #[test]
    fn the_kind_of_a_subject_is_part_of_it() {
        let user = authenticated("ada", ["developers".to_owned()]);
        let subjects = json!([
            {"kind": "User", "name": "developers"}, {"kind": "Group", "name": "ada"},
            {"kind": "ServiceAccount", "name": "ada", "namespace": "dev"}, {"kind": "Robot", "name": "ada"},
        ]);
        let kinds = misses(&user, subjects, &[]).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds, [NearMissKind::SubjectKind; 3]);
        let account = service_account("ci", "runner");
        let subjects = json!([
            {"kind": "ServiceAccount", "name": "runner"}, {"kind": "User", "name": "ci:runner"},
            {"kind": "ServiceAccount", "name": "other", "namespace": "ci"},
        ]);
        let kinds = misses(&account, subjects, &[]).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds, [NearMissKind::SubjectKind, NearMissKind::ServiceAccountNamespace]);
    }

    #[test]
    fn one_slip_is_an_insertion_a_deletion_a_replacement_or_a_swap() {
        for (one, other, slips) in [
            ("admins", "adimns", 1),
            ("admins", "admin", 1),
            ("admins", "adminss", 1),
            ("admins", "admims", 1),
            ("admins", "dmin", 2),
            ("admins", "daimns", 2),
            ("ab", "ba", 1),
            ("", "a", 1),
            ("", "", 0),
        ] {
            assert!(within(one.chars(), other.chars(), slips), "{one} {other}");
            assert!(slips == 0 || !within(one.chars(), other.chars(), slips - 1), "{one} {other}");
        }
    }
}
