//! Which access entries are worth a closer look: the subject's own, and those that may have been meant for it. The
//! verdict over them is not made here; this only bounds the calls.

/// Entries that are described because they may be the subject's.
const MOST_MATCHES: usize = 2;

/// Entries that are described because they look like a mistake.
const MOST_NEAR_MISSES: usize = 2;

/// Names that differ by no more letters than this may be typos of each other.
const TYPO: usize = 2;

/// The parts of an ARN by which a principal is found again: a session's ARN has lost its role's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal<'a> {
    account: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl<'a> Principal<'a> {
    /// The principal that an ARN of IAM or STS names; a session stands for its role.
    pub(crate) fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let ("arn", _, service, _, account, resource) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        let (kind, rest) = resource.split_once('/')?;
        match (service, kind) {
            ("sts", "assumed-role") => Some(Self { account, kind: "role", name: rest.split('/').next()? }),
            ("iam", "role" | "user") => Some(Self { account, kind, name: rest.rsplit('/').next()? }),
            _ => None,
        }
    }

    /// A role by its bare name, in an account that it is then looked for in.
    pub(crate) fn role_named(name: &'a str) -> Self {
        Self { account: "", kind: "role", name }
    }

    /// A user by its bare name.
    pub(crate) fn user_named(name: &'a str) -> Self {
        Self { account: "", kind: "user", name }
    }

    /// The name, if it is a role.
    pub(crate) fn role(&self) -> Option<&'a str> {
        (self.kind == "role").then_some(self.name)
    }

    /// The name.
    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    /// The account.
    pub(crate) fn account(&self) -> &'a str {
        self.account
    }

    /// How far another principal is from being this one; nothing if they have nothing to do with each other.
    fn distance(&self, other: &Self) -> Option<usize> {
        if self == other {
            return Some(0);
        }
        let same_permission_set =
            permission_set(self.name).is_some() && permission_set(self.name) == permission_set(other.name);
        let typos = strsim::levenshtein(&self.name.to_lowercase(), &other.name.to_lowercase());
        (same_permission_set || typos <= TYPO).then_some(1 + typos)
    }
}

/// The name of the permission set in the name of a role that IAM Identity Center made.
fn permission_set(name: &str) -> Option<&str> {
    Some(name.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?.0)
}

/// The principals among these whose entries are described, nearest first.
pub(crate) fn worth_describing<'a>(subject: &str, principals: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let Some(subject) = Principal::of(subject) else { return Vec::new() };
    let mut near: Vec<(usize, &str)> =
        principals.into_iter().filter_map(|arn| Some((subject.distance(&Principal::of(arn)?)?, arn))).collect();
    near.sort_unstable();
    let matches = near.iter().take_while(|(distance, _)| *distance == 0).count();
    // A match makes the near misses uninteresting.
    let most = if matches > 0 { matches.min(MOST_MATCHES) } else { MOST_NEAR_MISSES };
    near.into_iter().take(most).map(|(_, arn)| arn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subjects_own_entry_comes_alone() {
        let entries = [
            "arn:aws:iam::111122223333:role/Dew",
            "arn:aws:iam::111122223333:role/team/Dev",
            "arn:aws:iam::111122223333:user/Dev",
        ];
        let session = "arn:aws:sts::111122223333:assumed-role/Dev/ada";
        assert_eq!(worth_describing(session, entries), [entries[1]]);
        assert_eq!(worth_describing("arn:aws:iam::111122223333:user/team/Dev", entries), [entries[2]]);
    }

    #[test]
    fn without_one_the_nearest_are_looked_at() {
        let entries = [
            "arn:aws:iam::111122223333:role/Operations",
            "arn:aws:iam::444455556666:role/Dev",
            "arn:aws:iam::111122223333:role/Devs",
            "arn:aws:iam::111122223333:role/dev",
        ];
        let near = worth_describing("arn:aws:iam::111122223333:role/Dev", entries);
        assert_eq!(near, [entries[3], entries[1]]);
        let sso =
            ["arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"];
        let session = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_fedcba9876543210/ada";
        assert_eq!(worth_describing(session, sso), sso);
    }

    #[test]
    fn what_is_no_principal_has_none() {
        for arn in ["", "arn:aws:iam::1:root", "arn:aws:sts::1:federated-user/ada", "arn:aws:iam::1:group/ada", "ada"] {
            assert!(worth_describing(arn, ["arn:aws:iam::1:role/ada"]).is_empty(), "{arn}");
        }
    }
}
