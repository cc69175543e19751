//! Looks at AWS: the cluster, its access entries, the principal that the diagnosis is about, who created the cluster.

use std::collections::BTreeMap;

use aws_credential_types::Credentials as Keys;

use super::Looks;
use crate::collect::aws::{Aws, EVENT_HISTORY, FILTER_LOG_EVENTS, GET_ROLE, GET_USER, LOOKUP_EVENTS};
use crate::collect::credentials;
use crate::collect::subject::{Principal, worth_describing};
use crate::collect::watch::{Look, found, map};
use crate::evidence::{
    self, Absent, AccessEntry, AccessEntryDetails, AssociatedPolicy, Cluster, CreateClusterEvent, IamPrincipal,
    Observed,
};

/// The details of an entry, and its policies.
type Described = (Observed<AccessEntryDetails>, Observed<Vec<AssociatedPolicy>>);

impl<'r> Looks<'r> {
    /// Everything about AWS.
    pub(crate) async fn aws_side(&self) -> evidence::Aws {
        let mut profile = self.config.observe(self.selected);
        if let (Observed::Found(profile), Some(section)) = (&mut profile, self.config.profile(&self.selected.name)) {
            profile.sso_expires_at = credentials::session_end(section, self.config, self.surroundings);
        }
        self.watch.note("aws.profile", &profile);
        let (keys, caller, principal, cluster, cluster_names, access_entries, create_cluster_event) = tokio::join!(
            self.keys(),
            self.caller(),
            self.principal(),
            self.cluster(),
            self.cluster_names(),
            self.access_entries(),
            self.create_cluster_event(),
        );
        evidence::Aws {
            profile,
            profile_names: self.config.profile_names(),
            credentials: map(keys.clone(), |(credentials, _)| credentials),
            caller: caller.clone(),
            principal: principal.clone(),
            cluster: cluster.clone(),
            cluster_names,
            access_entries,
            create_cluster_event,
        }
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
    async fn cluster_names(&self) -> Observed<Vec<String>> {
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
    async fn access_entries(&self) -> Observed<Vec<AccessEntry>> {
        let (aws, keys, name) = match self.eks().await {
            Ok(asked) => asked,
            Err(why_not) => return why_not,
        };
        let look = self.aws_look("aws.accessEntries", "eks:ListAccessEntries");
        let principals = match found(self.watch.look(look, aws.access_entries(keys, name)).await) {
            Ok(principals) => principals,
            Err(unfinished) => return unfinished,
        };
        let mut described = BTreeMap::new();
        if !principals.is_empty() {
            let mut describe = async |subject: Option<String>| {
                let Some(subject) = subject else { return };
                let near = worth_describing(&subject, principals.iter().map(String::as_str));
                let new = near.into_iter().filter(|arn| !described.contains_key(*arn));
                let looks =
                    new.map(|arn| async move { (arn.to_owned(), self.describe_entry(aws, keys, name, arn).await) });
                let looked = futures_util::future::join_all(looks.collect::<Vec<_>>()).await;
                described.extend(looked);
            };
            // The shell's own identity is known long before the plugin's, and mostly is the same.
            describe(self.likely_subject().await).await;
            describe(self.subject().await).await;
        }
        let entries = principals.into_iter().map(|principal_arn| {
            let (details, policies) = described.remove(&principal_arn).unwrap_or_default();
            AccessEntry { principal_arn, details, policies }
        });
        Observed::Found(entries.collect())
    }

    async fn describe_entry(&self, aws: &Aws<'r>, keys: &Keys, cluster: &str, principal: &str) -> Described {
        let details = self.aws_look("aws.accessEntries", "eks:DescribeAccessEntry");
        let policies = self.aws_look("aws.accessEntries", "eks:ListAssociatedAccessPolicies");
        tokio::join!(
            self.watch.look(details, aws.access_entry(keys, cluster, principal)),
            self.watch.look(policies, aws.access_policies(keys, cluster, principal)),
        )
    }

    /// The ARN of whom the diagnosis is about: the one asked about, else whom the API server sees, else the shell's.
    pub(super) async fn subject(&self) -> Option<String> {
        if self.request.target.principal.is_some() {
            return self.likely_subject().await;
        }
        let seen = self.exec_caller().await.found();
        let caller = match seen {
            Some(caller) => Some(caller),
            None => self.caller().await.found(),
        };
        caller.map(|caller| caller.arn.clone())
    }

    /// Who that is before the plugin has told.
    async fn likely_subject(&self) -> Option<String> {
        match self.request.target.principal.as_deref() {
            Some(arn) if arn.starts_with("arn:") => Some(arn.to_owned()),
            Some(_) => self.principal().await.found().map(|principal| principal.arn.clone()),
            None => self.caller().await.found().map(|caller| caller.arn.clone()),
        }
    }

    /// The principal asked about as an ARN, where it was given by its name.
    pub(crate) async fn asked_principal(&self) -> Option<String> {
        let asked = self.request.target.principal.clone()?;
        let known = self.principal().await.found().map(|principal| principal.arn.clone());
        if asked.starts_with("arn:") { Some(asked) } else { known.or(Some(asked)) }
    }

    /// `iam:GetRole` or `iam:GetUser` of whom the diagnosis is about.
    async fn principal(&self) -> &Observed<IamPrincipal> {
        let look = async || match self.request.target.principal.as_deref() {
            Some(name) if !name.starts_with("arn:") => match self.iam(&Principal::role_named(name)).await {
                Observed::Absent(_) => self.iam(&Principal::user_named(name)).await,
                role => role,
            },
            _ => {
                let likely = self.likely_subject().await;
                let first = match &likely {
                    Some(likely) => self.iam_of(likely).await,
                    None => Observed::not_tried("no principal is known"),
                };
                let same = |subject: &String| {
                    likely.as_deref().is_some_and(|likely| Principal::of(likely) == Principal::of(subject))
                };
                match self.subject().await {
                    Some(subject) if !same(&subject) => self.iam_of(&subject).await,
                    _ => first,
                }
            }
        };
        self.results.principal.get_or_init(|| Box::pin(look())).await
    }

    async fn iam_of(&self, arn: &str) -> Observed<IamPrincipal> {
        let Some(principal) = Principal::of(arn) else { return Observed::not_tried("neither a role nor a user") };
        let own = self.caller().await.found().and_then(|caller| caller.account.as_deref());
        if own.is_some_and(|own| own != principal.account()) {
            return Observed::not_tried("the principal is of another account, whose IAM does not answer this one");
        }
        self.iam(&principal).await
    }

    async fn iam(&self, principal: &Principal<'_>) -> Observed<IamPrincipal> {
        let operation = if principal.role().is_some() { GET_ROLE } else { GET_USER };
        match self.signed().await {
            Ok((aws, keys)) => {
                self.watch.look(self.aws_look("aws.principal", operation), aws.principal(keys, principal)).await
            }
            Err(why_not) => why_not,
        }
    }

    /// `cloudtrail:LookupEvents`, where it could matter: somebody is not let in or refused, and the cluster is young
    /// enough.
    async fn create_cluster_event(&self) -> Observed<CreateClusterEvent> {
        let Some(cluster) = self.cluster().await.found() else { return Observed::default() };
        if self.request.target.principal.is_none() && self.whoami().await.found().is_some() {
            // The creator may be mapped to less than it had.
            let is_refused = self.access_review().await.found().is_some_and(|review| !review.allowed);
            if !is_refused {
                return Observed::not_tried("the caller is let in");
            }
        }
        let age = cluster.created_at.map(|created| super::now().duration_since(created));
        if age.is_some_and(|age| age > EVENT_HISTORY) {
            return Observed::not_tried("the cluster is older than the 90 days that CloudTrail keeps");
        }
        let (aws, keys, name) = match self.eks().await {
            Ok(asked) => asked,
            Err(why_not) => return why_not,
        };
        let place = self.account_and_region().await;
        let look = self.aws_look("aws.createClusterEvent", LOOKUP_EVENTS);
        self.watch.look(look, aws.create_cluster_event(keys, name, &place)).await
    }

    /// `logs:FilterLogEvents`, if it was asked for and the cluster writes that log.
    pub(crate) async fn authenticator_lines(&self) -> Observed<Vec<String>> {
        if !self.request.logs {
            return Observed::default();
        }
        let (aws, keys, name) = match self.eks().await {
            Ok(asked) => asked,
            Err(why_not) => return why_not,
        };
        if self.cluster().await.found().is_some_and(|cluster| !logs_authenticator(cluster)) {
            return Observed::not_tried("authenticator logging is off");
        }
        let look = Look { observation: "logs.authenticator", ..self.aws_look("logs.authenticator", FILTER_LOG_EVENTS) };
        self.watch.look(look, aws.authenticator_lines(keys, name, super::now())).await
    }
}

/// Whether a cluster's settings switch the authenticator's log on.
fn logs_authenticator(cluster: &Cluster) -> bool {
    let setups = cluster.other.get("logging").and_then(|logging| logging.get("clusterLogging")?.as_array());
    setups.into_iter().flatten().any(|setup| {
        let types = setup.get("types").and_then(serde_json::Value::as_array);
        let named = types.is_some_and(|types| types.iter().any(|kind| kind == "authenticator"));
        named && setup.get("enabled").and_then(serde_json::Value::as_bool) == Some(true)
    })
}
