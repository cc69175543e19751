//! The kubeconfig document as client-go reads it: what a context selects, and what an exec entry says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::UserCredential;

/// The entries of a kubeconfig document that a context selects.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Selected<'a> {
    /// The body of the context entry.
    pub(crate) context: Option<&'a Value>,
    /// The body of the cluster entry.
    pub(crate) cluster: Option<&'a Value>,
    /// The body of the user entry.
    pub(crate) user: Option<&'a Value>,
}

pub(crate) fn text(value: Option<&Value>, key: &str) -> Option<String> {
    value?.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What the context `name` selects.
pub(crate) fn select<'a>(document: &'a Value, name: Option<&str>) -> Selected<'a> {
    name.map(|name| Entries::of(document).select(name)).unwrap_or_default()
}

/// The entries of a kubeconfig by their names, since many contexts may be looked at. Of two of one name the first
/// counts.
pub(crate) struct Entries<'a> {
    contexts: BTreeMap<&'a str, &'a Value>,
    clusters: BTreeMap<&'a str, &'a Value>,
    users: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Entries<'a> {
    pub(crate) fn of(document: &'a Value) -> Self {
        let by_name = |list: &str| {
            let entries = document.get(list).and_then(Value::as_array).into_iter().flatten().rev();
            entries.filter_map(|entry| Some((entry.get("name")?.as_str()?, entry))).collect()
        };
        Self { contexts: by_name("contexts"), clusters: by_name("clusters"), users: by_name("users") }
    }

    /// What the context `name` selects.
    pub(crate) fn select(&self, name: &str) -> Selected<'a> {
        let context = self.contexts.get(name).and_then(|entry| entry.get("context"));
        let reference = |key: &str| context.and_then(|context| context.get(key)).and_then(Value::as_str);
        Selected {
            context,
            cluster: reference("cluster").and_then(|name| self.clusters.get(name)?.get("cluster")),
            user: reference("user").and_then(|name| self.users.get(name)?.get("user")),
        }
    }
}

/// The name of the only entry in one of the document's lists.
pub(crate) fn only_name(document: &Value, list: &str) -> Option<String> {
    match document.get(list)?.as_array()?.as_slice() {
        [entry] => text(Some(entry), "name"),
        _ => None,
    }
}

/// What an excerpt without contexts is about: the only user entry and the only cluster entry in it.
pub(crate) fn only_entries(document: &Value) -> Selected<'_> {
    let only = |list: &str, body: &str| match document.get(list)?.as_array()?.as_slice() {
        [entry] => entry.get(body),
        _ => None,
    };
    Selected { context: None, cluster: only("clusters", "cluster"), user: only("users", "user") }
}

/// The value of the first of `flags` in the arguments of an exec entry, as `--flag VALUE` or `--flag=VALUE`.
pub(crate) fn argument(user: Option<&Value>, flags: &[&str]) -> Option<String> {
    let args: Vec<&str> = user?.get("exec")?.get("args")?.as_array()?.iter().filter_map(Value::as_str).collect();
    args.iter().enumerate().find_map(|(index, arg)| {
        flags.iter().find_map(|flag| match arg.strip_prefix(flag)? {
            "" => args.get(index + 1).map(|value| (*value).to_owned()),
            rest => rest.strip_prefix('=').map(str::to_owned),
        })
    })
}

/// The value of a variable that an exec entry sets.
pub(crate) fn exec_variable(user: Option<&Value>, name: &str) -> Option<String> {
    let variables = user?.get("exec")?.get("env")?.as_array()?;
    variables
        .iter()
        .rev()
        .find(|variable| variable.get("name").and_then(Value::as_str) == Some(name))
        .and_then(|variable| variable.get("value")?.as_str().map(str::to_owned))
}

pub(crate) fn credential(user: &Value) -> UserCredential {
    // The order in which client-go prefers them: a token goes before the plugin.
    let has = |key: &str| user.get(key).is_some_and(|value| !value.is_null() && value.as_str() != Some(""));
    if has("token") || has("tokenFile") {
        UserCredential::StaticToken
    } else if has("exec") {
        UserCredential::Exec
    } else if has("client-certificate") || has("client-certificate-data") {
        UserCredential::ClientCertificate
    } else if has("auth-provider") {
        UserCredential::AuthProvider
    } else if has("username") {
        UserCredential::Basic
    } else {
        UserCredential::None
    }
}

/// The host and port of a URL in comparable form.
pub(crate) fn authority(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    Some(authority.strip_suffix(":443").unwrap_or(&authority).trim_end_matches('.').to_owned())
}

/// The names of the contexts.
pub(crate) fn context_names(document: &Value) -> Vec<String> {
    let contexts = document.get("contexts").and_then(Value::as_array);
    contexts.into_iter().flatten().filter_map(|context| text(Some(context), "name")).collect()
}

/// The names of the variables that an exec entry sets.
pub(crate) fn exec_variable_names(user: Option<&Value>) -> Vec<String> {
    let variables = user.and_then(|user| user.get("exec")?.get("env")?.as_array());
    variables.into_iter().flatten().filter_map(|variable| text(Some(variable), "name")).collect()
}

/// The arguments of an exec entry.
pub(crate) fn exec_arguments(user: Option<&Value>) -> Vec<String> {
    let arguments = user.and_then(|user| user.get("exec")?.get("args")?.as_array());
    arguments.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The name of the EKS cluster that a cluster entry is called after: by `aws` the ARN, by `eksctl` NAME.REGION.eksctl.io.
pub(crate) fn cluster_of_entry(entry: &str) -> Option<&str> {
    let by_aws = entry.starts_with("arn:").then(|| entry.rsplit_once(":cluster/")).flatten().map(|(_, name)| name);
    let by_eksctl = || entry.strip_suffix(".eksctl.io")?.rsplit_once('.').map(|(name, _)| name);
    by_aws.or_else(by_eksctl)
}

/// Whether a server is this machine itself.
pub(crate) fn is_local(server: &str) -> bool {
    let authority = authority(server).unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    matches!(host, "localhost" | "[::1]" | "0.0.0.0") || host.starts_with("127.")
}
