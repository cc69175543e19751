//! Looks at the client: the exec plugin, who its token is, a stored token, the programs involved.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Looks, PROGRAM};
use crate::collect::endpoint;
use crate::collect::exec::{self, Issued};
use crate::collect::kubeconfig::Exec;
use crate::collect::token;
use crate::collect::watch::{Look, map, unanswered};
use crate::evidence::{CallerIdentity, ExecRun, Executable, Observed, TokenStatement};

/// A plugin's own limit ends a little before the run's, so that what it wrote is not lost.
const MARGIN: Duration = Duration::from_millis(100);

/// Programs that make tokens or requests, and how each is asked for its version.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("aws", &["--version"]),
    ("aws-iam-authenticator", &["version"]),
    ("kubectl", &["version", "--client", "-o", "json"]),
];

impl Looks<'_> {
    /// The exec entry of the user in force, unless a stored credential takes its place.
    fn exec_entry(&self) -> Result<Exec, String> {
        let reason = |reason: &str| Err(reason.to_owned());
        let Some(current) = &self.kubeconfig.current else {
            return match &self.kubeconfig.observed {
                Observed::Found(_) => reason("no context is in force"),
                Observed::Absent(_) => reason("no kubeconfig"),
                _ => reason("the kubeconfig cannot be read"),
            };
        };
        let Some(user) = &current.user else { return reason("the context names no user entry that is there") };
        let user = user.content();
        let is_set = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.is_empty());
        match user.exec {
            Some(_) if is_set(&user.token) || is_set(&user.token_file) => {
                reason("the user entry has a token, which is used instead of exec")
            }
            Some(exec) => Ok(exec),
            None => reason("the user entry has no exec"),
        }
    }

    /// One run of the exec plugin.
    pub(super) async fn exec(&self) -> &Observed<(ExecRun, Issued)> {
        let look = async || {
            let exec = match self.exec_entry() {
                Ok(exec) => exec,
                Err(reason) => return Observed::not_tried(reason),
            };
            let operation = exec::operation(&exec);
            let look = Look { observation: "exec", operation, address: exec.command.clone(), limit: PROGRAM };
            let entry = self.kubeconfig.current.as_ref().and_then(|current| current.cluster.as_ref());
            let cluster = entry.map(|entry| entry.content());
            let limit = self.watch.remaining().saturating_sub(MARGIN);
            self.watch
                .look(look, exec::run(&exec, cluster.as_ref(), self.region.as_deref(), self.surroundings, limit))
                .await
        };
        self.results.exec.get_or_init(|| Box::pin(look())).await
    }

    /// The run as it goes into the evidence.
    pub(crate) async fn exec_run(&self) -> Observed<ExecRun> {
        map(self.exec().await.clone(), |(run, _)| run)
    }

    /// Asks STS who the plugin's token is, as the API server would: same request, the real cluster's name in the
    /// signed header. Sent to STS's own hosts only, since whoever receives it could use it.
    pub(crate) async fn exec_caller(&self) -> &Observed<CallerIdentity> {
        let look = async || {
            let Some(token) = self.exec().await.found().and_then(|(_, issued)| issued.token.clone()) else {
                return Observed::not_tried("the exec plugin gave no token");
            };
            let Some(url) = token::presigned_url(&token) else {
                return Observed::not_tried("the token is no EKS token");
            };
            let host = url.authority().map(|host| host.as_str().to_owned()).unwrap_or_default();
            if url.scheme_str() != Some("https") || !token::is_sts_host(&host) {
                return Observed::not_tried(format!("the token's host {host} is none of STS"));
            }
            let (Ok(aws), Some(cluster)) = (&self.aws, &self.cluster_name) else {
                return Observed::not_tried("no cluster name is known");
            };
            let operation = "sts:GetCallerIdentity";
            let limit = self.watch.call_limit();
            let look = Look { observation: "execCaller", operation: operation.to_owned(), address: host, limit };
            self.watch.look(look, aws.caller_of_presigned(operation, &url, cluster)).await
        };
        self.results.exec_caller.get_or_init(|| Box::pin(look())).await
    }

    /// A token that the user entry stores, described.
    pub(crate) fn static_token(&self) -> Observed<TokenStatement> {
        if let Some(user) = self.kubeconfig.current.as_ref().and_then(|current| current.user.as_ref()) {
            let user = user.content();
            return match endpoint::stored_credential(&user) {
                Some(Ok(Issued { token: Some(token), .. })) => Observed::Found(self.describe(&token)),
                Some(Ok(_)) => Observed::not_tried("the user entry has a client certificate"),
                Some(Err(failure)) => unanswered(failure),
                None if user.exec.is_some() => Observed::not_tried("the user entry has exec"),
                None => Observed::absent(),
            };
        }
        match endpoint::of_pod(self.surroundings).filter(|_| self.is_in_pod()) {
            Some(Ok((_, issued))) => {
                issued.token.map_or(Observed::absent(), |token| Observed::Found(self.describe(&token)))
            }
            Some(Err(failure)) => Observed::Failed(failure),
            None => Observed::not_tried("no user entry is in force"),
        }
    }

    fn describe(&self, token: &str) -> TokenStatement {
        token::describe(token, self.region.as_deref())
    }

    /// Whether kubectl would use a pod's service account: there is no kubeconfig.
    pub(super) fn is_in_pod(&self) -> bool {
        matches!(self.kubeconfig.observed, Observed::Absent(_)) && self.request.kubeconfig.is_none()
    }

    /// The programs involved. Their versions are asked for only where the plugin did not do its work: Python takes
    /// longer to say its version than everything else here together.
    pub(crate) async fn executables(&self) -> BTreeMap<String, Observed<Executable>> {
        let mut names: Vec<&str> = PROGRAMS.iter().map(|(name, _)| *name).collect();
        let entry = self.exec_entry().ok();
        let command = entry.as_ref().map(|exec| exec.command.as_str()).filter(|command| !command.contains('/'));
        names.extend(command.filter(|command| !command.is_empty() && !names.contains(command)));
        let mut executables: BTreeMap<String, _> =
            names.into_iter().map(|name| (name.to_owned(), self.surroundings.find_executable(name))).collect();
        let worked = match self.exec().await {
            Observed::Found((_, issued)) => !issued.is_empty(),
            other => matches!(other, Observed::NotTried(_)),
        };
        if !worked {
            let involved =
                executables.iter_mut().filter(|(name, _)| Some(name.as_str()) == command || *name == "kubectl");
            let asked = involved.filter_map(|(name, observed)| match observed {
                Observed::Found(executable) => Some(self.ask_version(name, executable)),
                _ => None,
            });
            futures_util::future::join_all(asked.collect::<Vec<_>>()).await;
        }
        executables
    }

    async fn ask_version(&self, name: &str, executable: &mut Executable) {
        let Some((_, arguments)) = PROGRAMS.iter().find(|(known, _)| *known == name) else { return };
        let operation = format!("exec {name} {}", arguments.join(" "));
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let limit = self.watch.call_limit().min(self.watch.remaining().saturating_sub(MARGIN));
        let look = Look {
            observation: "environment.executables",
            operation: operation.clone(),
            address: name.to_owned(),
            limit,
        };
        let path = executable.path.clone().into();
        let run = async {
            match exec::output(&operation, path, name, &arguments, self.surroundings, limit).await {
                Ok(output) => Observed::Found(version(&String::from_utf8_lossy(&output.stdout))),
                Err(failure) => Observed::Failed(failure),
            }
        };
        executable.version = self.watch.look(look, run).await.found().cloned().flatten();
    }
}

/// The version in what a program says: a word such as `aws-cli/2.36.7`, or a field of JSON.
fn version(said: &str) -> Option<String> {
    let json: Option<serde_json::Value> = serde_json::from_str(said).ok();
    let text = match &json {
        Some(json) => json.pointer("/clientVersion/gitVersion").or_else(|| json.get("Version"))?.as_str()?,
        None => said.split_whitespace().next()?,
    };
    Some(crate::evidence::redact::scrub(text).chars().take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_words_and_from_json() {
        for (said, expected) in [
            ("aws-cli/2.36.7 Python/3.13.4 Linux/6.8\n", Some("aws-cli/2.36.7")),
            (r#"{"Version":"0.7.2","Commit":"abc"}"#, Some("0.7.2")),
            (r#"{"clientVersion":{"gitVersion":"v1.32.4"}}"#, Some("v1.32.4")),
            ("", None),
            ("{}", None),
        ] {
            assert_eq!(version(said).as_deref(), expected, "{said}");
        }
    }
}
