//! The looks themselves and what each one needs. Every look is taken once, as soon as what it needs is there, however
//! many others wait for it; independent ones run at the same time.

use std::rc::Rc;
use std::time::Duration;

use aws_credential_types::Credentials as Keys;
use tokio::sync::OnceCell;

use super::Request;
use super::aws::Aws;
use super::aws_config::{AwsConfig, Selected};
use super::credentials::{self, Chain};
use super::exec::{self, Issued};
use super::http::Clock;
use super::kubeconfig::{Exec, Loaded};
use super::kubernetes::Api;
use super::proxy::Proxies;
use super::subject;
use super::surroundings::Surroundings;
use super::token;
use super::watch::{Look, Watch, found, map, unanswered};
use crate::evidence::{
    Absent, AccessEntry, AccessEntryDetails, AssociatedPolicy, CallerIdentity, Cluster, Credentials, ExecRun, Failure,
    Observed, TokenStatement, UserInfo,
};

mod cluster_side;

/// Programs may take as long as the run.
const PROGRAM: Duration = Duration::from_secs(3600);

/// A plugin's own limit ends a little before the run's, so that what it wrote is not lost.
const MARGIN: Duration = Duration::from_millis(100);

/// What is known before the first call, and the results of the looks so far.
pub(crate) struct Looks<'r> {
    pub(super) request: &'r Request,
    pub(super) surroundings: &'r Surroundings,
    pub(super) watch: &'r Watch<'r>,
    pub(super) clock: Clock,
    pub(super) kubeconfig: &'r Loaded,
    pub(super) config: &'r AwsConfig,
    pub(super) selected: &'r Selected,
    pub(super) proxies: Proxies,
    /// AWS, or why it cannot be asked at all.
    pub(super) aws: Result<Aws<'r>, Failure>,
    /// The EKS cluster's name and region, as far as they are known.
    pub(super) cluster_name: Option<String>,
    pub(super) region: Option<String>,
    pub(super) results: Results,
}

/// Results that other looks wait for.
#[derive(Default)]
pub(crate) struct Results {
    keys: OnceCell<Observed<(Credentials, Keys)>>,
    caller: OnceCell<Observed<CallerIdentity>>,
    cluster: OnceCell<Observed<Cluster>>,
    exec: OnceCell<Observed<(ExecRun, Issued)>>,
    exec_caller: OnceCell<Observed<CallerIdentity>>,
    kubectl_api: OnceCell<Observed<Rc<Api>>>,
    whoami: OnceCell<Observed<UserInfo>>,
    native_api: OnceCell<Observed<Rc<Api>>>,
    native_whoami: OnceCell<Observed<UserInfo>>,
}

impl<'r> Looks<'r> {
    /// A look at a service of AWS.
    fn aws_look(&self, observation: &'static str, operation: &str) -> Look {
        let service = operation.split(':').next().unwrap_or_default();
        let address = self.aws.as_ref().map(|aws| aws.address(service)).unwrap_or_default();
        Look { observation, operation: operation.to_owned(), address, limit: self.watch.call_limit() }
    }

    /// Everything about AWS.
    pub(crate) async fn aws_side(&self) -> crate::evidence::Aws {
        let mut profile = self.config.observe(self.selected);
        if let (Observed::Found(profile), Some(section)) = (&mut profile, self.config.profile(&self.selected.name)) {
            profile.sso_expires_at = credentials::session_end(section, self.config, self.surroundings);
        }
        self.watch.note("aws.profile", &profile);
        let (keys, caller, cluster, cluster_names, access_entries) =
            tokio::join!(self.keys(), self.caller(), self.cluster(), self.cluster_names(), self.access_entries());
        crate::evidence::Aws {
            profile,
            profile_names: self.config.profile_names(),
            credentials: map(keys.clone(), |(credentials, _)| credentials),
            caller: caller.clone(),
            cluster: cluster.clone(),
            cluster_names,
            access_entries,
            ..crate::evidence::Aws::default()
        }
    }

    /// The credentials in force and their keys.
    pub(crate) async fn keys(&self) -> &Observed<(Credentials, Keys)> {
        let look = async || {
            let aws = match &self.aws {
                Ok(aws) => aws,
                Err(failure) => return Observed::Failed(failure.clone()),
            };
            let chain = Chain { surroundings: self.surroundings, config: self.config, selected: self.selected, aws };
            let look = Look {
                observation: "aws.credentials",
                operation: "credentials".to_owned(),
                address: format!("profile {}", self.selected.name),
                limit: PROGRAM,
            };
            self.watch.look(look, chain.resolve()).await
        };
        self.results.keys.get_or_init(|| Box::pin(look())).await
    }

    /// AWS and keys for it, or the reason why nothing can be asked.
    pub(super) async fn signed<T>(&self) -> Result<(&Aws<'r>, &Keys), Observed<T>> {
        match (&self.aws, self.keys().await) {
            (Ok(aws), Observed::Found((_, keys))) => Ok((aws, keys)),
            _ => Err(Observed::not_tried("no AWS credentials")),
        }
    }

    /// `sts:GetCallerIdentity` with the credentials in force.
    pub(crate) async fn caller(&self) -> &Observed<CallerIdentity> {
        let look = async || match self.signed().await {
            Ok((aws, keys)) => {
                self.watch.look(self.aws_look("aws.caller", "sts:GetCallerIdentity"), aws.caller_identity(keys)).await
            }
            Err(why_not) => why_not,
        };
        self.results.caller.get_or_init(|| Box::pin(look())).await
    }

    /// `eks:DescribeCluster`. Where a cluster is not found is a matter of the account and the region asked.
    pub(crate) async fn cluster(&self) -> &Observed<Cluster> {
        let look = async || {
            let (aws, keys, name) = match self.eks().await {
                Ok(asked) => asked,
                Err(why_not) => return why_not,
            };
            match self.watch.look(self.aws_look("aws.cluster", "eks:DescribeCluster"), aws.cluster(keys, name)).await {
                Observed::Absent(_) => Observed::Absent(Absent { looked: vec![self.account_and_region().await] }),
                other => other,
            }
        };
        self.results.cluster.get_or_init(|| Box::pin(look())).await
    }

    async fn account_and_region(&self) -> String {
        let account = self.caller().await.found().and_then(|caller| caller.account.clone());
        let region = self.region.clone().unwrap_or_default();
        account.map_or(region.clone(), |account| format!("{account}/{region}"))
    }

    /// What every call to EKS needs.
    async fn eks<T>(&self) -> Result<(&Aws<'r>, &Keys, &str), Observed<T>> {
        let Some(name) = self.cluster_name.as_deref() else {
            return Err(Observed::not_tried("no cluster name is known"));
        };
        if self.region.is_none() && self.aws.as_ref().is_ok_and(|aws| aws.endpoint_url("eks").is_none()) {
            return Err(Observed::not_tried("no region is known"));
        }
        let (aws, keys) = self.signed().await?;
        Ok((aws, keys, name))
    }

    /// `eks:ListClusters`, to say what there is where a cluster is not.
    pub(crate) async fn cluster_names(&self) -> Observed<Vec<String>> {
        if !matches!(self.cluster().await, Observed::Absent(_)) {
            return Observed::default();
        }
        match self.signed().await {
            Ok((aws, keys)) => {
                self.watch.look(self.aws_look("aws.clusterNames", "eks:ListClusters"), aws.cluster_names(keys)).await
            }
            Err(why_not) => why_not,
        }
    }

    /// `eks:ListAccessEntries`, with details of those that concern the subject.
    pub(crate) async fn access_entries(&self) -> Observed<Vec<AccessEntry>> {
        let (aws, keys, name) = match self.eks().await {
            Ok(asked) => asked,
            Err(why_not) => return why_not,
        };
        let look = self.aws_look("aws.accessEntries", "eks:ListAccessEntries");
        let principals = match found(self.watch.look(look, aws.access_entries(keys, name)).await) {
            Ok(principals) => principals,
            Err(unfinished) => return unfinished,
        };
        let subject = if principals.is_empty() { None } else { self.subject().await };
        let described =
            subject.map(|subject| subject::worth_describing(&subject, principals.iter().map(String::as_str)));
        let described = described.unwrap_or_default();
        let entries = principals.iter().map(|principal| async {
            let mut entry = AccessEntry {
                principal_arn: principal.clone(),
                details: Observed::default(),
                policies: Observed::default(),
            };
            if described.contains(&principal.as_str()) {
                (entry.details, entry.policies) = self.describe_entry(aws, keys, name, principal).await;
            }
            entry
        });
        Observed::Found(futures_util::future::join_all(entries).await)
    }

    async fn describe_entry(
        &self,
        aws: &Aws<'r>,
        keys: &Keys,
        cluster: &str,
        principal: &str,
    ) -> (Observed<AccessEntryDetails>, Observed<Vec<AssociatedPolicy>>) {
        let details = self.aws_look("aws.accessEntries", "eks:DescribeAccessEntry");
        let policies = self.aws_look("aws.accessEntries", "eks:ListAssociatedAccessPolicies");
        tokio::join!(
            self.watch.look(details, aws.access_entry(keys, cluster, principal)),
            self.watch.look(policies, aws.access_policies(keys, cluster, principal)),
        )
    }

    /// The ARN of whom the diagnosis is about: the one asked about, else whom the API server sees, else the shell's.
    pub(super) async fn subject(&self) -> Option<String> {
        if let Some(principal) = &self.request.target.principal {
            return Some(principal.clone());
        }
        let seen = self.exec_caller().await.found();
        let caller = match seen {
            Some(caller) => Some(caller),
            None => self.caller().await.found(),
        };
        caller.map(|caller| caller.arn.clone())
    }

    /// The exec entry of the user in force, unless a stored credential takes its place.
    fn exec_entry(&self) -> Result<Exec, String> {
        let reason = |reason: &str| Err(reason.to_owned());
        let Some(current) = &self.kubeconfig.current else {
            return reason(if self.kubeconfig.observed.found().is_some() {
                "no context is in force"
            } else {
                "no kubeconfig"
            });
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
            let look = Look {
                observation: "exec",
                operation: exec::operation(&exec),
                address: exec.command.clone(),
                limit: PROGRAM,
            };
            let entry = self.kubeconfig.current.as_ref().and_then(|current| current.cluster.as_ref());
            let cluster = entry.map(|entry| entry.content());
            let limit = self.watch.remaining().saturating_sub(MARGIN);
            self.watch.look(look, exec::run(&exec, cluster.as_ref(), self.surroundings, limit)).await
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
            let look = Look {
                observation: "execCaller",
                operation: operation.to_owned(),
                address: host,
                limit: self.watch.call_limit(),
            };
            self.watch.look(look, aws.caller_of_presigned(operation, &url, cluster)).await
        };
        self.results.exec_caller.get_or_init(|| Box::pin(look())).await
    }

    /// A token that the user entry stores, described.
    pub(crate) fn static_token(&self) -> Observed<TokenStatement> {
        if let Some(user) = self.kubeconfig.current.as_ref().and_then(|current| current.user.as_ref()) {
            let user = user.content();
            return match super::endpoint::stored_credential(&user) {
                Some(Ok(Issued { token: Some(token), .. })) => Observed::Found(token::describe(&token)),
                Some(Ok(_)) => Observed::not_tried("the user entry has a client certificate"),
                Some(Err(failure)) => unanswered(failure),
                None if user.exec.is_some() => Observed::not_tried("the user entry has exec"),
                None => Observed::absent(),
            };
        }
        match super::endpoint::of_pod(self.surroundings).filter(|_| self.is_in_pod()) {
            Some(Ok((_, issued))) => {
                issued.token.map_or(Observed::absent(), |token| Observed::Found(token::describe(&token)))
            }
            Some(Err(failure)) => Observed::Failed(failure),
            None => Observed::not_tried("no user entry is in force"),
        }
    }

    /// Whether kubectl would use a pod's service account: there is no kubeconfig.
    pub(super) fn is_in_pod(&self) -> bool {
        matches!(self.kubeconfig.observed, Observed::Absent(_)) && self.request.kubeconfig.is_none()
    }
}
