//! The looks themselves and what each one needs. Every look is taken once, as soon as what it needs is there, however
//! many others wait for it; independent ones run at the same time.

use std::rc::Rc;
use std::time::Duration;

use aws_credential_types::Credentials as Keys;
use tokio::sync::OnceCell;

use super::Request;
use super::aws::Aws;
use super::aws_config::{AwsConfig, Selected};
use super::credentials::Chain;
use super::exec::Issued;
use super::http::Clock;
use super::kubeconfig::Loaded;
use super::kubernetes::Api;
use super::now;
use super::proxy::Proxies;
use super::surroundings::Surroundings;
use super::watch::{Look, Watch};
use crate::evidence::{
    AccessReview, CallerIdentity, Cluster, Credentials, ExecRun, Failure, IamPrincipal, Observed, UserInfo,
};

mod aws_side;
mod client_side;
mod cluster_side;
mod network;

/// Programs may take as long as the run.
const PROGRAM: Duration = Duration::from_secs(3600);

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
    principal: OnceCell<Observed<IamPrincipal>>,
    whoami: OnceCell<Observed<UserInfo>>,
    access_review: OnceCell<Observed<AccessReview>>,
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
    async fn signed<T>(&self) -> Result<(&Aws<'r>, &Keys), Observed<T>> {
        match (&self.aws, self.keys().await) {
            (Ok(aws), Observed::Found((_, keys))) => Ok((aws, keys)),
            (_, Observed::Failed(failure) | Observed::Denied(failure)) => {
                Err(Observed::not_tried(format!("no AWS credentials: {}", failure.message)))
            }
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
}
