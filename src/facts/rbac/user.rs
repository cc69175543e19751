//! The user that the API server makes of a caller: name and groups, with the groups that nobody writes down.

use std::collections::BTreeMap;

use crate::evidence::UserInfo;

const ANONYMOUS: &str = "system:anonymous";
const ALL_AUTHENTICATED: &str = "system:authenticated";
const ALL_UNAUTHENTICATED: &str = "system:unauthenticated";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

/// Whoever authenticated by IAM, a certificate or OIDC: the API server adds `system:authenticated`, except for somebody
/// who calls himself `system:anonymous` or already is in one of the two groups.
pub fn authenticated(username: impl Into<String>, groups: impl IntoIterator<Item = String>) -> UserInfo {
    let (username, mut groups) = (username.into(), groups.into_iter().collect::<Vec<_>>());
    let settled = groups.iter().any(|group| group == ALL_AUTHENTICATED || group == ALL_UNAUTHENTICATED);
    if username != ANONYMOUS && !settled {
        groups.push(ALL_AUTHENTICATED.to_owned());
    }
    UserInfo { username, uid: None, groups, extra: BTreeMap::new() }
}

/// A pod's service account.
pub fn service_account(namespace: &str, name: &str) -> UserInfo {
    let username = format!("{}{namespace}:{name}", super::matching::SERVICE_ACCOUNT_PREFIX);
    authenticated(username, [SERVICE_ACCOUNTS.to_owned(), format!("{SERVICE_ACCOUNTS}:{namespace}")])
}

/// Whoever sent no credentials, where the API server lets such requests pass.
pub fn anonymous() -> UserInfo {
    authenticated(ANONYMOUS, [ALL_UNAUTHENTICATED.to_owned()])
}

/// Whether the API server gives this group, so that no mapping can have misspelt it.
pub(super) fn is_implicit(group: &str) -> bool {
    [ALL_AUTHENTICATED, ALL_UNAUTHENTICATED].contains(&group) || group.starts_with(SERVICE_ACCOUNTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implicit_groups_are_added_once() {
        assert_eq!(authenticated("ada", ["dev".to_owned()]).groups, ["dev", "system:authenticated"]);
        assert_eq!(authenticated("ada", [ALL_AUTHENTICATED.to_owned()]).groups, ["system:authenticated"]);
        assert_eq!(authenticated(ANONYMOUS, []).groups, [""; 0]);
        assert_eq!(anonymous().groups, ["system:unauthenticated"]);
        let account = service_account("ci", "runner");
        assert_eq!(account.username, "system:serviceaccount:ci:runner");
        assert_eq!(account.groups, ["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"]);
    }
}
