//! The client's configuration: which context, cluster and user entry kubectl would use, what credential the user
//! entry holds, and whether it leads to the cluster that is asked about.

use serde_json::Value;

use super::{
    pasted::{self, Pasted},
    value::{Fact, Unknown, choice, facts, why_unsettled},
};
use crate::evidence::{Evidence, Kubeconfig, Observed};

pub(crate) mod document;
mod state;
mod target;

use document::{Selected, text};
pub(crate) use document::{authority, select};

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

choice! {
    /// What is wrong with the context in use.
    ContextProblem {
        /// None is selected.
        NoneSelected = "none-selected",
        /// It does not exist.
        ContextMissing = "context-missing",
        /// It names a cluster entry that does not exist.
        ClusterMissing = "cluster-missing",
        /// It names a user entry that does not exist.
        UserMissing = "user-missing",
    }
}

facts! {
    /// The kubeconfig and what kubectl would take from it.
    KubeconfigFacts {
        /// Whether there is a readable kubeconfig on this machine.
        "state" state: Fact<KubeconfigState>,
        /// Whether the failing client finds no kubeconfig.
        "isMissing" is_missing: Fact<bool>,
        /// Whether a file is there that the failing client cannot read or parse.
        "isUnreadable" is_unreadable: Fact<bool>,
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
        /// What is wrong with the context in use; absent if nothing is.
        "contextProblem" context_problem: Fact<Option<ContextProblem>>,
        /// Name of the cluster entry that the context names.
        "clusterEntry" cluster_entry: Fact<Option<String>>,
        /// Name of the user entry that the context names.
        "userEntry" user_entry: Fact<Option<String>>,
        /// Other contexts that use the same user entry.
        "userSharedBy" user_shared_by: Fact<Vec<String>>,
        /// URL of the server.
        "server" server: Fact<Option<String>>,
        /// Whether the client talks to its own machine because no server is set.
        "talksToItself" talks_to_itself: Fact<bool>,
        /// Whether the server is the endpoint that EKS names for the cluster.
        "endpointMatches" endpoint_matches: Fact<bool>,
        /// Whether the kubeconfig's certificate authorities have one in common with the cluster's.
        "certificateAuthorityMatches" certificate_authority_matches: Fact<bool>,
        /// The EKS cluster that the context is about, by the names in its entries.
        "contextCluster" context_cluster: Fact<Option<String>>,
        /// Whether the context is about the cluster that was asked about.
        "isAskedCluster" is_asked_cluster: Fact<bool>,
        /// Another context, which is about the cluster that was asked about.
        "fittingContext" fitting_context: Fact<Option<String>>,
        /// What the user entry authenticates with.
        "credential" credential: Fact<Option<UserCredential>>,
        /// Whether the requests carry no credential, so that the API server takes them for anonymous.
        "isAnonymous" is_anonymous: Fact<bool>,
        /// Whether the client of a pod takes the pod's service account instead of the kubeconfig.
        "takesServiceAccount" takes_service_account: Fact<bool>,
        /// The service account that it takes.
        "serviceAccount" service_account: Fact<Option<String>>,
        /// Command of the exec entry.
        "execCommand" exec_command: Fact<Option<String>>,
        /// Arguments of the exec entry.
        "execArguments" exec_arguments: Fact<Vec<String>>,
        /// Names of the variables that the exec entry sets.
        "execEnvNames" exec_env_names: Fact<Vec<String>>,
        /// API version of the exec entry.
        "execApiVersion" exec_api_version: Fact<Option<String>>,
        /// Cluster that the exec entry makes tokens for.
        "execCluster" exec_cluster: Fact<Option<String>>,
        /// Whether that is the name of the cluster behind the server; upper and lower case count.
        "execClusterMatches" exec_cluster_matches: Fact<bool>,
        /// Region in the arguments of the exec entry.
        "execRegion" exec_region: Fact<Option<String>>,
        /// Profile in the arguments of the exec entry; beats access keys in the environment.
        "execProfile" exec_profile: Fact<Option<String>>,
        /// Profile in the environment of the exec entry; loses to access keys in the environment.
        "execEnvProfile" exec_env_profile: Fact<Option<String>>,
        /// Role that the exec entry assumes.
        "execRole" exec_role: Fact<Option<String>>,
        /// Output format in the arguments of the exec entry.
        "execOutput" exec_output: Fact<Option<String>>,
    }
}

const OBSERVATION: &str = "kubeconfig";

/// The document as the rooms look at it.
struct Look<'a> {
    state: Option<KubeconfigState>,
    document: &'a Value,
    selected: Selected<'a>,
    context: Option<String>,
    unsettled: Unknown,
}

impl<'a> Look<'a> {
    fn at(kubeconfig: &'a Observed<Kubeconfig>, context: Option<&str>) -> Self {
        let (state, document) = match kubeconfig {
            Observed::Found(found) => (Some(KubeconfigState::Present), &found.document),
            Observed::Absent(_) => (Some(KubeconfigState::Missing), &Value::Null),
            Observed::Denied(_) | Observed::Failed(_) => (Some(KubeconfigState::Unreadable), &Value::Null),
            Observed::NotTried(_) => (None, &Value::Null),
        };
        let context = context.map(str::to_owned).or_else(|| text(Some(document), "current-context"));
        let is_excerpt = state == Some(KubeconfigState::Present) && document.get("contexts").is_none();
        Self {
            state,
            document,
            selected: if is_excerpt { document::only_entries(document) } else { select(document, context.as_deref()) },
            context,
            unsettled: why_unsettled(kubeconfig, OBSERVATION),
        }
    }

    /// Whether all lists of a kubeconfig are there. Somebody who shows a part of theirs leaves lists out.
    fn is_whole(&self) -> bool {
        ["clusters", "contexts", "users"].iter().all(|list| self.document.get(list).is_some())
    }

    fn is_present(&self) -> bool {
        self.state == Some(KubeconfigState::Present)
    }

    /// Every part is as well known as the document; the reasons for not knowing it are those of the observation.
    fn part<T>(&self, known: bool, value: T) -> Fact<T> {
        if known { Fact::known(value, OBSERVATION) } else { Fact::Unknown(self.unsettled.clone()) }
    }

    /// A part that is known not to be there if there is no kubeconfig.
    fn text(&self, value: Option<String>) -> Fact<Option<String>> {
        self.part(self.is_present() || self.state == Some(KubeconfigState::Missing), value)
    }
}

/// The namespace of a request that names none, as kubectl takes it.
pub(crate) fn namespace(kubeconfig: &Observed<Kubeconfig>, context: Option<&str>) -> String {
    text(Look::at(kubeconfig, context).selected.context, "namespace").unwrap_or_else(|| "default".to_owned())
}

/// Derives the room.
pub(crate) fn derive(evidence: &Evidence, pasted: &Pasted) -> KubeconfigFacts {
    let look = Look::at(&evidence.kubeconfig, evidence.target.context.as_deref());
    let Selected { context, cluster, user } = look.selected;
    let exec = user.and_then(|user| user.get("exec"));
    let (files, problem) = match &evidence.kubeconfig {
        Observed::Found(found) => (found.files.clone(), None),
        Observed::Absent(absent) => (absent.looked.clone(), None),
        Observed::Denied(failure) | Observed::Failed(failure) => (Vec::new(), Some(failure.message.clone())),
        Observed::NotTried(_) => (Vec::new(), None),
    };
    let problem = problem.or_else(|| pasted.proves("kubeconfig/unreadable").then(|| first_line(&pasted.text)));
    let service_account = service_account(evidence, pasted);
    KubeconfigFacts {
        state: look
            .state
            .map_or_else(|| Fact::Unknown(look.unsettled.clone()), |state| Fact::known(state, OBSERVATION)),
        is_missing: state::is_missing(&look, pasted),
        is_unreadable: state::is_unreadable(&look, pasted),
        files: look.part(look.state.is_some(), files),
        problem: look.part(look.state.is_some() || problem.is_some(), problem),
        variable: variable(evidence, "KUBECONFIG"),
        context_names: look.part(look.is_present(), document::context_names(look.document)),
        context_problem: state::context_problem(&look, pasted),
        cluster_entry: look.text(text(context, "cluster")),
        user_entry: look.text(text(context, "user").or_else(|| document::only_name(look.document, "users"))),
        user_shared_by: look.part(look.is_present(), target::user_shared_by(&look)),
        server: look.text(text(cluster, "server")),
        talks_to_itself: talks_to_itself(evidence, &look, pasted),
        endpoint_matches: target::endpoint_matches(evidence, &look),
        certificate_authority_matches: target::certificate_authority_matches(evidence, &look),
        context_cluster: look.text(target::context_cluster(&look.selected)),
        is_asked_cluster: target::is_asked_cluster(evidence, &look),
        fitting_context: look.text(target::fitting_context(evidence, &look)),
        credential: look
            .part(look.is_present() || look.state == Some(KubeconfigState::Missing), user.map(document::credential)),
        is_anonymous: is_anonymous(evidence, &look, pasted),
        takes_service_account: takes_service_account(evidence, &look, &service_account),
        service_account,
        exec_command: look.text(text(exec, "command")),
        exec_arguments: look.part(look.is_present(), document::exec_arguments(user)),
        exec_env_names: look.part(look.is_present(), document::exec_variable_names(user)),
        exec_api_version: look.text(text(exec, "apiVersion")),
        exec_cluster: look.text(target::exec_cluster(user)),
        exec_cluster_matches: target::exec_cluster_matches(evidence, &look),
        exec_region: look.text(document::argument(user, &["--region"])),
        exec_profile: look.text(document::argument(user, &["--profile"])),
        exec_env_profile: look.text(document::exec_variable(user, "AWS_PROFILE")),
        exec_role: look.text(document::argument(user, &["--role-arn", "--role", "-r"])),
        exec_output: look.text(document::argument(user, &["--output"])),
        context: look.text(look.context.clone()),
    }
}

/// An environment variable of the client.
pub(crate) fn variable(evidence: &Evidence, name: &str) -> Fact<Option<String>> {
    match &evidence.environment.variables {
        Some(variables) => Fact::known(variables.get(name).cloned(), "environment.variables"),
        None => Fact::unknown("environment.variables", "not looked at"),
    }
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

/// Without a server clients dial this machine: kubectl port 8080, Go programs such as Terraform's provider port 80.
/// Another port with TLS is a tunnel that somebody has made.
fn talks_to_itself(evidence: &Evidence, look: &Look<'_>, pasted: &Pasted) -> Fact<bool> {
    let server = text(look.selected.cluster, "server");
    if state::dials_port_80(&pasted.text) {
        return Fact::known(true, pasted::OBSERVATION);
    }
    let refused = evidence.network.tcp.failure().or(evidence.kubernetes.action_attempt.failure());
    if refused.is_some_and(|failure| state::dials_port_80(&failure.message)) {
        return Fact::known(true, "network.tcp");
    }
    match (&look.selected.cluster, server) {
        (Some(_), None) => Fact::known(true, OBSERVATION),
        (Some(_), Some(server)) if document::is_local(&server) && server.starts_with("http://") => {
            Fact::known(true, OBSERVATION)
        }
        (Some(_), Some(_)) if pasted.text.contains("localhost:8080") => {
            Fact::unknown(OBSERVATION, "it names a server here, but the failing program seems to read another one")
        }
        (Some(_), Some(_)) => Fact::known(false, OBSERVATION),
        // There is no cluster entry to hold a server: that is a cause of its own.
        (None, _) => look.part(look.state.is_some(), false),
    }
}

/// A request without a token is anonymous; one with a bad token never is. So the name alone tells that none was sent.
fn is_anonymous(evidence: &Evidence, look: &Look<'_>, pasted: &Pasted) -> Fact<bool> {
    const ANONYMOUS: &str = "system:anonymous";
    const WHOAMI: &str = "kubernetes.whoami";
    if pasted.text.contains(ANONYMOUS) || pasted.stated.username.as_deref() == Some(ANONYMOUS) {
        return Fact::known(true, pasted::OBSERVATION);
    }
    if evidence.target.principal.is_some() {
        return Fact::unknown(WHOAMI, "what is seen from here belongs to somebody else");
    }
    let kubernetes = &evidence.kubernetes;
    let refusals = [
        ("kubernetes.actionAttempt", kubernetes.action_attempt.failure()),
        ("kubernetes.accessReview", kubernetes.access_review.failure()),
        (WHOAMI, kubernetes.whoami.failure()),
    ];
    let named = refusals.into_iter().find(|(_, failure)| failure.is_some_and(|one| one.message.contains(ANONYMOUS)));
    match (named, kubernetes.whoami.found()) {
        (Some((observation, _)), _) => Fact::known(true, observation),
        (None, Some(user)) => Fact::known(user.username == ANONYMOUS, WHOAMI),
        (None, None) => match look.selected.user.map(document::credential) {
            Some(UserCredential::None) => Fact::known(true, OBSERVATION),
            Some(_) => Fact::known(false, OBSERVATION),
            None if look.is_present() => Fact::known(false, OBSERVATION),
            None => Fact::Unknown(look.unsettled.clone()),
        },
    }
}

/// The service account that the API server sees.
fn service_account(evidence: &Evidence, pasted: &Pasted) -> Fact<Option<String>> {
    const PREFIX: &str = "system:serviceaccount:";
    const WHOAMI: &str = "kubernetes.whoami";
    let of_name = |name: &str| name.starts_with(PREFIX).then(|| name.to_owned());
    if let Some(name) = pasted.stated.username.as_deref().and_then(of_name) {
        return Fact::known(Some(name), pasted::OBSERVATION);
    }
    if evidence.target.principal.is_some() {
        return Fact::unknown(WHOAMI, "what is seen from here belongs to somebody else");
    }
    let kubernetes = &evidence.kubernetes;
    let refusals =
        [("kubernetes.actionAttempt", kubernetes.action_attempt.failure()), (WHOAMI, kubernetes.whoami.failure())];
    let in_refusal = refusals.into_iter().find_map(|(observation, failure)| {
        let from = failure?.message.split_once(PREFIX)?.1;
        let name = from.split(['"', ' ', '\'']).next()?;
        Some((observation, format!("{PREFIX}{name}")))
    });
    match (&kubernetes.whoami, in_refusal) {
        (Observed::Found(user), _) => Fact::known(of_name(&user.username), WHOAMI),
        (_, Some((observation, name))) => Fact::known(Some(name), observation),
        (Observed::Denied(_), None) => Fact::known(None, WHOAMI),
        (other, None) => Fact::Unknown(why_unsettled(other, WHOAMI)),
    }
}

/// In a pod, clients with an empty or default configuration take the service account. It is a fault only where a
/// kubeconfig with another credential is there and meant.
fn takes_service_account(evidence: &Evidence, look: &Look<'_>, seen: &Fact<Option<String>>) -> Fact<bool> {
    let in_pod = variable(evidence, "KUBERNETES_SERVICE_HOST").map(|host| host.is_some());
    let credential = look.selected.user.map(document::credential);
    let is_meant = look.is_present() && credential.is_some_and(|credential| credential != UserCredential::StaticToken);
    seen.clone().and_then(|seen| match seen {
        None => Fact::known(false, "kubernetes.whoami"),
        Some(_) if look.state.is_some() && !is_meant => Fact::known(false, OBSERVATION),
        Some(_) if look.state.is_none() => Fact::Unknown(look.unsettled.clone()),
        Some(_) => in_pod,
    })
}
