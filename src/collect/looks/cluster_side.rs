//! Looks at the Kubernetes API: with the credential that kubectl would use, and, where that leads nowhere, with a
//! token made here from the shell's AWS credentials.

use std::rc::Rc;

use super::Looks;
use crate::collect::endpoint;
use crate::collect::exec::Issued;
use crate::collect::kubernetes::{self, Api, Endpoint};
use crate::collect::token;
use crate::collect::watch::{Look, found};
use crate::evidence::{
    AccessReview, ActionAttempt, ConfigMap, Kubernetes, ObjectName, Observed, RbacBinding, RbacRole, ServerVersion,
    UserInfo,
};

impl Looks<'_> {
    /// Everything about the Kubernetes API.
    pub(crate) async fn kubernetes(&self) -> Kubernetes {
        let rbac = async {
            tokio::join!(
                self.list::<RbacRole>("kubernetes.clusterRoles", kubernetes::CLUSTER_ROLES),
                self.list::<RbacBinding>("kubernetes.clusterRoleBindings", kubernetes::CLUSTER_ROLE_BINDINGS),
                self.list::<RbacRole>("kubernetes.roles", kubernetes::ROLES),
                self.list::<RbacBinding>("kubernetes.roleBindings", kubernetes::ROLE_BINDINGS),
            )
        };
        let action = async {
            let review = self.access_review().await;
            (review.clone(), self.action_attempt(review).await)
        };
        let aws_auth = async {
            let aws_auth = self.aws_auth().await;
            // Who is let in is not looked for elsewhere; who asks for somebody else cannot know.
            let is_wanted = matches!(aws_auth, Observed::Absent(_)) || self.request.target.principal.is_some();
            let misplaced = if is_wanted { self.misplaced_aws_auth().await } else { Observed::default() };
            (aws_auth, misplaced)
        };
        let (whoami, native_whoami, version, action, aws_auth, lists) =
            tokio::join!(self.whoami(), self.native_whoami(), self.version(), action, aws_auth, rbac);
        let ((access_review, action_attempt), (aws_auth, misplaced_aws_auth)) = (action, aws_auth);
        let (cluster_roles, cluster_role_bindings, roles, role_bindings) = lists;
        Kubernetes {
            version,
            whoami: whoami.clone(),
            native_whoami: native_whoami.clone(),
            access_review,
            action_attempt,
            aws_auth,
            misplaced_aws_auth,
            cluster_roles,
            cluster_role_bindings,
            roles,
            role_bindings,
        }
    }

    /// The API server, with the credential that kubectl would use.
    async fn kubectl_api(&self) -> &Observed<Rc<Api>> {
        let prepare = async || match self.kubectl_way().await {
            Ok((endpoint, credential)) => self.client(&endpoint, &credential),
            Err(why_not) => why_not,
        };
        self.results.kubectl_api.get_or_init(|| Box::pin(prepare())).await
    }

    async fn kubectl_way(&self) -> Result<(Endpoint, Issued), Observed<Rc<Api>>> {
        let not_tried = |reason: &str| Err(Observed::not_tried(reason));
        let Some(current) = &self.kubeconfig.current else {
            return match (&self.kubeconfig.observed, endpoint::of_pod(self.surroundings)) {
                (Observed::Absent(_), Some(way)) if self.is_in_pod() => way.map_err(Observed::Failed),
                (Observed::Absent(_), _) => not_tried("no kubeconfig"),
                (Observed::Found(_), _) => not_tried("no context is in force"),
                _ => not_tried("the kubeconfig cannot be read"),
            };
        };
        let Some(cluster) = &current.cluster else {
            return not_tried("the context names no cluster entry that is there");
        };
        let endpoint = endpoint::of_kubeconfig(&cluster.content(), &self.proxies).map_err(Observed::Failed)?;
        // For client-go a user entry that is not there is one without anything in it.
        let user = current.user.as_ref().map(|user| user.content()).unwrap_or_default();
        let credential = match endpoint::stored_credential(&user) {
            Some(stored) => stored.map_err(Observed::Failed)?,
            None if user.exec.is_some() => match self.exec().await {
                Observed::Found((_, issued)) if !issued.is_empty() => issued.clone(),
                _ => return not_tried("the exec plugin gave no credential"),
            },
            // kubectl sends such requests too, as nobody.
            None => Issued::default(),
        };
        Ok((endpoint, credential))
    }

    /// The API server, with a token that is made here. Only where the other way did not lead to an identity.
    async fn native_api(&self) -> &Observed<Rc<Api>> {
        let prepare = async || match self.native_way().await {
            Ok((endpoint, credential)) => self.client(&endpoint, &credential),
            Err(why_not) => why_not,
        };
        self.results.native_api.get_or_init(|| Box::pin(prepare())).await
    }

    async fn native_way(&self) -> Result<(Endpoint, Issued), Observed<Rc<Api>>> {
        let whoami = self.whoami().await;
        if whoami.is_settled() {
            return Err(Observed::default());
        }
        let (_, keys) = self.signed().await?;
        let Some(name) = &self.cluster_name else { return Err(Observed::not_tried("no cluster name is known")) };
        let kubectl = self.kubeconfig.current.as_ref().and_then(|current| current.cluster.as_ref());
        let kubectl = kubectl.map(|entry| endpoint::of_kubeconfig(&entry.content(), &self.proxies));
        let described = self.cluster().await.found().and_then(|cluster| endpoint::of_cluster(cluster, &self.proxies));
        let endpoint = match described.or(kubectl.clone()) {
            Some(endpoint) => endpoint.map_err(Observed::Failed)?,
            None => return Err(Observed::not_tried("no API server is known")),
        };
        // A server that cannot be reached is not reached with another token either.
        let unreached = whoami.failure().is_some_and(|failure| failure.status.is_none());
        if unreached && self.kubectl_api().await.found().is_some_and(|api| api.goes_to(&endpoint)) {
            return Err(Observed::default());
        }
        let region = self.region.as_deref().unwrap_or("us-east-1");
        let token = token::make(keys, name, region, now()).map_err(Observed::not_tried)?;
        Ok((endpoint, Issued { token: Some(token), certificate: None }))
    }

    fn client(&self, endpoint: &Endpoint, credential: &Issued) -> Observed<Rc<Api>> {
        match Api::new(endpoint, credential, self.clock.clone()) {
            Ok(api) => Observed::Found(Rc::new(api)),
            Err(failure) => Observed::Failed(failure),
        }
    }

    fn look_at(&self, api: &Api, observation: &'static str, operation: String) -> Look {
        Look { observation, operation, address: api.address().to_owned(), limit: self.watch.call_limit() }
    }

    /// Who the API server says the caller is.
    pub(super) async fn whoami(&self) -> &Observed<UserInfo> {
        let look = async || match found(self.kubectl_api().await.clone()) {
            Ok(api) => {
                let look =
                    self.look_at(&api, "kubernetes.whoami", format!("POST {}", kubernetes::SELF_SUBJECT_REVIEWS));
                self.watch.look(look, api.whoami()).await
            }
            Err(why_not) => why_not,
        };
        self.results.whoami.get_or_init(|| Box::pin(look())).await
    }

    /// Who the API server says the shell's AWS credentials are.
    async fn native_whoami(&self) -> &Observed<UserInfo> {
        let look = async || match found(self.native_api().await.clone()) {
            Ok(api) => {
                let operation = format!("POST {}", kubernetes::SELF_SUBJECT_REVIEWS);
                let look = self.look_at(&api, "kubernetes.nativeWhoami", operation);
                self.watch.look(look, api.whoami()).await
            }
            Err(why_not) => why_not,
        };
        self.results.native_whoami.get_or_init(|| Box::pin(look())).await
    }

    /// Whether the caller may do what was asked about.
    pub(super) async fn access_review(&self) -> &Observed<AccessReview> {
        let look = async || {
            let Some(action) = &self.request.target.action else { return Observed::default() };
            match found(self.kubectl_api().await.clone()) {
                Ok(api) => {
                    let operation = format!("POST {}", kubernetes::SELF_SUBJECT_ACCESS_REVIEWS);
                    let look = self.look_at(&api, "kubernetes.accessReview", operation);
                    self.watch.look(look, api.access_review(action)).await
                }
                Err(why_not) => why_not,
            }
        };
        self.results.access_review.get_or_init(|| Box::pin(look())).await
    }

    /// The version, which EKS mostly tells everybody: so it is asked for as nobody at first, before the plugin has ended
    /// and even if it never gives a credential.
    async fn version(&self) -> Observed<ServerVersion> {
        let (observation, path) = ("kubernetes.version", kubernetes::VERSION);
        if let Ok(endpoint) = self.network_endpoint().await
            && let Observed::Found(api) = self.client(&endpoint, &Issued::default())
        {
            let look = self.look_at(&api, observation, format!("GET {path}"));
            let told = self.watch.look(look, api.version()).await;
            if !matches!(told, Observed::Denied(_)) {
                return told;
            }
        }
        self.read(observation, path, async |api| api.version().await).await
    }

    async fn aws_auth(&self) -> Observed<ConfigMap> {
        self.read("kubernetes.awsAuth", kubernetes::AWS_AUTH, async |api| api.aws_auth().await).await
    }

    /// ConfigMaps that may have been meant to be aws-auth, where there is none.
    async fn misplaced_aws_auth(&self) -> Observed<Vec<ObjectName>> {
        let observation = "kubernetes.misplacedAwsAuth";
        self.read(observation, kubernetes::CONFIG_MAPS, async |api| api.misplaced_aws_auth().await).await
    }

    /// The action itself, where it is a read and the review says no, or speaks for the main API server only.
    async fn action_attempt(&self, review: &Observed<AccessReview>) -> Observed<ActionAttempt> {
        let Some(action) = &self.request.target.action else { return Observed::default() };
        let is_open = |review: &AccessReview| !review.allowed || kubernetes::is_aggregated(action);
        if !review.found().is_some_and(is_open) {
            return Observed::default();
        }
        let Some(target) = kubernetes::path_of_read(action) else {
            return Observed::not_tried("only simple reads are tried");
        };
        match found(self.kubectl_api().await.clone()) {
            Ok(api) => {
                let path = target.split('?').next().unwrap_or_default();
                let look = self.look_at(&api, "kubernetes.actionAttempt", format!("GET {path}"));
                self.watch.look(look, api.attempt(&target)).await
            }
            Err(why_not) => why_not,
        }
    }

    async fn list<T: serde::de::DeserializeOwned>(&self, observation: &'static str, path: &str) -> Observed<Vec<T>> {
        self.read(observation, path, async |api| api.list(path).await).await
    }

    /// Reads something that is the same for everybody: with kubectl's credential, else with our own token.
    async fn read<T>(
        &self,
        observation: &'static str,
        path: &str,
        call: impl AsyncFn(&Api) -> Observed<T>,
    ) -> Observed<T> {
        let look = async |api: &Api| {
            let look = self.look_at(api, observation, format!("GET {path}"));
            self.watch.look(look, call(api)).await
        };
        let first = match found(self.kubectl_api().await.clone()) {
            Ok(api) => look(&api).await,
            Err(why_not) => why_not,
        };
        if first.is_settled() || self.native_whoami().await.found().is_none() {
            return first;
        }
        match self.native_api().await {
            Observed::Found(api) => look(api).await,
            _ => first,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a token carries the time at which it was made")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
