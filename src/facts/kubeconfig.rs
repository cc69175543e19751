//! The client's configuration: which context, cluster and user entry kubectl would use, what credential the user
//! entry holds, and whether the server is the cluster's endpoint.

use serde_json::Value;

use super::value::{Fact, choice, facts};
use crate::evidence::{Evidence, Observed};

choice! {
    /// Whether there is a kubeconfig.
    KubeconfigState {
        /// It was read.
        Present = "present",
        /// None of the files exists.
        Missing = "missing",
        /// A file is there and cannot be read or parsed.
        Unreadable = "unreadable",
    }
}

choice! {
    /// What a user entry authenticates with.
    UserCredential {
        /// An exec plugin.
        Exec = "exec",
        /// A stored bearer token.
        StaticToken = "token",
        /// A client certificate.
        ClientCertificate = "client-certificate",
        /// A provider that clients no longer have.
        AuthProvider = "auth-provider",
        /// User name and password.
        Basic = "basic",
        /// Nothing: requests are anonymous.
        None = "none",
    }
}

facts! {
    /// The kubeconfig and what kubectl would take from it.
    KubeconfigFacts {
        /// Whether there is a readable kubeconfig.
        "state" state: Fact<KubeconfigState>,
        /// The files that were looked at.
        "files" files: Fact<Vec<String>>,
        /// What is wrong with an unreadable file.
        "problem" problem: Fact<Option<String>>,
        /// Value of the variable KUBECONFIG.
        "variable" variable: Fact<Option<String>>,
        /// Name of the context in use.
        "context" context: Fact<Option<String>>,
        /// Names of all contexts.
        "contextNames" context_names: Fact<Vec<String>>,
        /// Whether the context in use exists.
        "contextExists" context_exists: Fact<bool>,
        /// Name of the cluster entry that the context names.
        "clusterEntry" cluster_entry: Fact<Option<String>>,
        /// Whether that cluster entry exists.
        "clusterEntryExists" cluster_entry_exists: Fact<bool>,
        /// Name of the user entry that the context names.
        "userEntry" user_entry: Fact<Option<String>>,
        /// Whether that user entry exists.
        "userEntryExists" user_entry_exists: Fact<bool>,
        /// URL of the server.
        "server" server: Fact<Option<String>>,
        /// Whether the server is the endpoint that EKS names for the cluster.
        "endpointMatches" endpoint_matches: Fact<bool>,
        /// What the user entry authenticates with.
        "credential" credential: Fact<Option<UserCredential>>,
        /// Command of the exec entry.
        "execCommand" exec_command: Fact<Option<String>>,
        /// API version of the exec entry.
        "execApiVersion" exec_api_version: Fact<Option<String>>,
        /// Cluster that the exec entry makes tokens for.
        "execCluster" exec_cluster: Fact<Option<String>>,
        /// Region in the arguments of the exec entry.
        "execRegion" exec_region: Fact<Option<String>>,
        /// Profile in the arguments of the exec entry; beats access keys in the environment.
        "execProfile" exec_profile: Fact<Option<String>>,
        /// Profile in the environment of the exec entry; loses to access keys in the environment.
        "execEnvProfile" exec_env_profile: Fact<Option<String>>,
        /// Role that the exec entry assumes.
        "execRole" exec_role: Fact<Option<String>>,
    }
}

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

/// The body of the entry called `name` in one of the document's three lists.
fn entry<'a>(document: &'a Value, list: &str, body: &str, name: &str) -> Option<&'a Value> {
    let entries = document.get(list)?.as_array()?;
    entries.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))?.get(body)
}

fn text(value: Option<&Value>, key: &str) -> Option<String> {
    value?.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What the context `name` selects.
pub(crate) fn select<'a>(document: &'a Value, name: Option<&str>) -> Selected<'a> {
    let context = name.and_then(|name| entry(document, "contexts", "context", name));
    let reference = |key: &str| context.and_then(|context| context.get(key)).and_then(Value::as_str);
    Selected {
        context,
        cluster: reference("cluster").and_then(|name| entry(document, "clusters", "cluster", name)),
        user: reference("user").and_then(|name| entry(document, "users", "user", name)),
    }
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

fn credential(user: &Value) -> UserCredential {
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

const OBSERVATION: &str = "kubeconfig";

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence) -> KubeconfigFacts {
    let empty = Value::Null;
    let (state, problem, files, document) = match &evidence.kubeconfig {
        Observed::Found(found) => (Some(KubeconfigState::Present), None, found.files.clone(), &found.document),
        Observed::Absent(absent) => (Some(KubeconfigState::Missing), None, absent.looked.clone(), &empty),
        Observed::Denied(failure) | Observed::Failed(failure) => {
            (Some(KubeconfigState::Unreadable), Some(failure.message.clone()), Vec::new(), &empty)
        }
        Observed::NotTried(_) => (None, None, Vec::new(), &empty),
    };
    let current = text(Some(document), "current-context");
    let context = evidence.target.context.clone().or(current);
    let selected = select(document, context.as_deref());
    let user = selected.user;
    // Every part is as well known as the document; the reasons for not knowing it are those of the observation.
    let unsettled = super::value::why_unsettled(&evidence.kubeconfig, OBSERVATION);
    let readable = state == Some(KubeconfigState::Present);
    fn part<T>(known: bool, unsettled: &super::value::Unknown, value: T) -> Fact<T> {
        if known { Fact::known(value, OBSERVATION) } else { Fact::Unknown(unsettled.clone()) }
    }
    let in_document =
        |value: Option<String>| part(readable || state == Some(KubeconfigState::Missing), &unsettled, value);
    let in_exec = |value: Option<String>| in_document(value);
    KubeconfigFacts {
        state: state.map_or_else(|| Fact::Unknown(unsettled.clone()), |state| Fact::known(state, OBSERVATION)),
        files: part(state.is_some(), &unsettled, files),
        problem: part(state.is_some(), &unsettled, problem),
        variable: variable(evidence, "KUBECONFIG"),
        context_names: part(readable, &unsettled, names(document)),
        context_exists: part(readable, &unsettled, selected.context.is_some()),
        cluster_entry: in_document(text(selected.context, "cluster")),
        cluster_entry_exists: part(readable, &unsettled, selected.cluster.is_some()),
        user_entry: in_document(text(selected.context, "user")),
        user_entry_exists: part(readable, &unsettled, selected.user.is_some()),
        server: in_document(text(selected.cluster, "server")),
        endpoint_matches: endpoint_matches(evidence, in_document(text(selected.cluster, "server"))),
        credential: part(readable, &unsettled, user.map(credential)),
        exec_command: in_exec(text(user.and_then(|user| user.get("exec")), "command")),
        exec_api_version: in_exec(text(user.and_then(|user| user.get("exec")), "apiVersion")),
        exec_cluster: in_exec(argument(user, &["--cluster-name", "--cluster-id", "-i"])),
        exec_region: in_exec(argument(user, &["--region"])),
        exec_profile: in_exec(argument(user, &["--profile"])),
        exec_env_profile: in_exec(exec_variable(user, "AWS_PROFILE")),
        exec_role: in_exec(argument(user, &["--role-arn", "--role", "-r"])),
        context: in_document(context),
    }
}

/// An environment variable of the client.
pub(crate) fn variable(evidence: &Evidence, name: &str) -> Fact<Option<String>> {
    match &evidence.environment.variables {
        Some(variables) => Fact::known(variables.get(name).cloned(), "environment.variables"),
        None => Fact::unknown("environment.variables", "not looked at"),
    }
}

fn names(document: &Value) -> Vec<String> {
    let contexts = document.get("contexts").and_then(Value::as_array);
    contexts.into_iter().flatten().filter_map(|context| text(Some(context), "name")).collect()
}

fn endpoint_matches(evidence: &Evidence, server: Fact<Option<String>>) -> Fact<bool> {
    let endpoint = Fact::observed(&evidence.aws.cluster, "aws.cluster");
    server.and_then(|server| {
        endpoint.and_then(|cluster| match (server, cluster.and_then(|cluster| cluster.endpoint.as_ref())) {
            (Some(server), Some(endpoint)) => {
                Fact::known(authority(&server) == authority(endpoint), "kubeconfig and aws.cluster endpoint")
            }
            (None, _) => Fact::unknown(OBSERVATION, "the context names no server"),
            (_, None) => Fact::unknown("aws.cluster", "the cluster has no endpoint yet"),
        })
    })
}
