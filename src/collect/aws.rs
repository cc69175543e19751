//! What is asked of AWS, and nothing else: the one client that this program has for it offers reading operations
//! only. Answers are kept as the services sent them, errors with code, status, words and request id.

use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_eks as eks;
use aws_sdk_sts as sts;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::request_id::RequestId;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::aws_config::AwsConfig;
use super::failure;
use super::http::Http;
use super::surroundings::Surroundings;
use super::watch::unanswered;
use crate::evidence::redact;
use crate::evidence::{AccessEntryDetails, AssociatedPolicy, CallerIdentity, Cluster, Failure, Observed};

pub(crate) mod answer;
mod assume;
mod signed;

pub(crate) use assume::RoleRequest;
pub(crate) use signed::{EVENT_HISTORY, FILTER_LOG_EVENTS, GET_ROLE, GET_USER, LOOKUP_EVENTS};

/// STS can be asked in any region; without one it is asked where `aws` asks by default.
const DEFAULT_REGION: &str = "us-east-1";

/// How often a throttled call is tried again, and how long the first pause is.
const RETRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// A list of access entries has 100 on a page; no cluster has as many as this.
const MOST_PAGES: usize = 200;

/// AWS as this machine reaches it: its network, its endpoints, a region.
#[derive(Debug, Clone)]
pub(crate) struct Aws<'c> {
    http: Http,
    surroundings: &'c Surroundings,
    config: &'c AwsConfig,
    profile: String,
    region: Option<String>,
}

impl<'c> Aws<'c> {
    /// AWS as seen with this profile in force.
    pub(crate) fn new(
        http: Http,
        surroundings: &'c Surroundings,
        config: &'c AwsConfig,
        profile: &str,
        region: Option<String>,
    ) -> Self {
        Self { http, surroundings, config, profile: profile.to_owned(), region }
    }

    /// The network below.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The region, as far as one is known.
    pub(crate) fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(DEFAULT_REGION)
    }

    /// The endpoint that the user configured for a service, in botocore's order.
    pub(crate) fn endpoint_url(&self, service: &str) -> Option<String> {
        let surroundings = self.surroundings;
        if surroundings.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return None;
        }
        let of_service = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        let variable = surroundings.variable(&of_service).or_else(|| surroundings.variable("AWS_ENDPOINT_URL"));
        variable.map(str::to_owned).or_else(|| self.config.endpoint_url(&self.profile, service))
    }

    /// A yes-or-no setting of the environment, else of the profile.
    fn is_set(&self, variable: &str, setting: &str) -> bool {
        let of_profile = || self.config.profile(&self.profile)?.get(setting)?.text();
        match self.surroundings.variable(variable) {
            Some(value) => value.eq_ignore_ascii_case("true"),
            None => of_profile().is_some_and(|value| value.eq_ignore_ascii_case("true")),
        }
    }

    fn sdk_config(&self, service: &str, keys: Option<&Credentials>) -> SdkConfig {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region().to_owned()))
            .http_client(self.http.clone())
            .use_fips(self.is_set("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"))
            .use_dual_stack(self.is_set("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"))
            // A second attempt would correct the clock and so hide what is wrong with it.
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(
                aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig::disabled(),
            );
        let config = match self.endpoint_url(service) {
            Some(url) => config.endpoint_url(url),
            None => config,
        };
        match keys {
            Some(keys) => config.credentials_provider(SharedCredentialsProvider::new(keys.clone())).build(),
            None => config.build(),
        }
    }

    /// The host that a call to a service goes to, for messages.
    pub(crate) fn address(&self, service: &str) -> String {
        let url = self.endpoint_url(service).map(|url| redact::scrub(&url).into_owned());
        url.unwrap_or_else(|| match service {
            "iam" => signed::iam_endpoint(self.region()).1,
            _ => format!("{service}.{}.{}", self.region(), super::token::dns_suffix(self.region())),
        })
    }

    /// `sts:GetCallerIdentity`.
    pub(crate) async fn caller_identity(&self, keys: &Credentials) -> Observed<CallerIdentity> {
        let client = sts::Client::new(&self.sdk_config("sts", Some(keys)));
        let call = async || client.get_caller_identity().send().await;
        match with_retries("sts:GetCallerIdentity", call).await {
            Ok(answer) => match answer.arn {
                Some(arn) => Observed::Found(CallerIdentity { arn, account: answer.account, user_id: answer.user_id }),
                None => Observed::Failed(answer::unreadable("sts:GetCallerIdentity", "no Arn in it")),
            },
            Err(failure) => refused_or_failed(failure),
        }
    }

    /// Sends a presigned `sts:GetCallerIdentity` as the API server does, with the cluster's name in the header that it
    /// substitutes.
    pub(crate) async fn caller_of_presigned(
        &self,
        operation: &str,
        url: &http::Uri,
        cluster: &str,
    ) -> Observed<CallerIdentity> {
        let headers = [(super::token::CLUSTER_HEADER, cluster), ("accept", "application/json")];
        match self.http.get(&url.to_string(), &headers).await {
            Ok(answer) => answer::caller_of_presigned(operation, &answer),
            Err(error) => Observed::Failed(failure::of_error(operation, error.as_ref())),
        }
    }

    /// Makes one EKS call and keeps the answer's body.
    async fn eks<O, E>(
        &self,
        keys: &Credentials,
        operation: &str,
        call: impl AsyncFn(&eks::Client) -> Result<O, SdkError<E, HttpResponse>>,
    ) -> Result<Value, Failure>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let body = Body::default();
        let config = eks::config::Builder::from(&self.sdk_config("eks", Some(keys))).interceptor(body.clone()).build();
        let client = eks::Client::from_conf(config);
        with_retries(operation, async || call(&client).await).await?;
        let mut answer = body.json().map_err(|error| answer::unreadable(operation, &error))?;
        answer::write_times(&mut answer);
        Ok(answer)
    }

    /// `eks:DescribeCluster`.
    pub(crate) async fn cluster(&self, keys: &Credentials, name: &str) -> Observed<Cluster> {
        let operation = "eks:DescribeCluster";
        let call = async |client: &eks::Client| client.describe_cluster().name(name).send().await;
        part(operation, self.eks(keys, operation, call).await, "cluster")
    }

    /// `eks:ListClusters`, all pages.
    pub(crate) async fn cluster_names(&self, keys: &Credentials) -> Observed<Vec<String>> {
        self.all_pages("eks:ListClusters", "clusters", async |next| {
            let call = async |client: &eks::Client| client.list_clusters().set_next_token(next.clone()).send().await;
            self.eks(keys, "eks:ListClusters", call).await
        })
        .await
    }

    /// `eks:ListAccessEntries`, all pages: the ARNs of the principals.
    pub(crate) async fn access_entries(&self, keys: &Credentials, cluster: &str) -> Observed<Vec<String>> {
        self.all_pages("eks:ListAccessEntries", "accessEntries", async |next| {
            let call = async |client: &eks::Client| {
                let request = client.list_access_entries().cluster_name(cluster).max_results(100);
                request.set_next_token(next.clone()).send().await
            };
            self.eks(keys, "eks:ListAccessEntries", call).await
        })
        .await
    }

    /// `eks:DescribeAccessEntry`.
    pub(crate) async fn access_entry(
        &self,
        keys: &Credentials,
        cluster: &str,
        principal: &str,
    ) -> Observed<AccessEntryDetails> {
        let operation = "eks:DescribeAccessEntry";
        let call = async |client: &eks::Client| {
            client.describe_access_entry().cluster_name(cluster).principal_arn(principal).send().await
        };
        let mut answer = self.eks(keys, operation, call).await;
        if let Ok(entry) = &mut answer
            && let Some(entry) = entry.get_mut("accessEntry").and_then(Value::as_object_mut)
        {
            // Both are said by the place where the details stand.
            entry.remove("principalArn");
            entry.remove("clusterName");
        }
        part(operation, answer, "accessEntry")
    }

    /// `eks:ListAssociatedAccessPolicies`, all pages.
    pub(crate) async fn access_policies(
        &self,
        keys: &Credentials,
        cluster: &str,
        principal: &str,
    ) -> Observed<Vec<AssociatedPolicy>> {
        let operation = "eks:ListAssociatedAccessPolicies";
        self.all_pages(operation, "associatedAccessPolicies", async |next| {
            let call = async |client: &eks::Client| {
                let request = client.list_associated_access_policies().cluster_name(cluster).principal_arn(principal);
                request.set_next_token(next.clone()).send().await
            };
            self.eks(keys, operation, call).await
        })
        .await
    }

    async fn all_pages<T: DeserializeOwned>(
        &self,
        operation: &str,
        key: &str,
        page: impl AsyncFn(Option<String>) -> Result<Value, Failure>,
    ) -> Observed<Vec<T>> {
        let mut all = Vec::new();
        let mut next = None;
        for _ in 0..MOST_PAGES {
            let answer = page(next.clone()).await;
            let token = answer.as_ref().ok().and_then(|answer| answer.get("nextToken")?.as_str().map(str::to_owned));
            match part::<Vec<T>>(operation, answer, key) {
                Observed::Found(elements) => all.extend(elements),
                unfinished => return unfinished,
            }
            match token {
                Some(token) if next.as_ref() != Some(&token) => next = Some(token),
                Some(_) => return Observed::Failed(answer::unreadable(operation, "the same page again")),
                None => return Observed::Found(all),
            }
        }
        Observed::Failed(answer::unreadable(operation, "pages without end"))
    }
}

/// Keeps the body of the last answer: the SDK's own types drop what they do not know, and do not serialize.
#[derive(Debug, Clone, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Body {
    fn json(&self) -> Result<Value, String> {
        let body = self.0.lock().map_err(|_| "lost".to_owned())?;
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(bytes), Ok(mut body)) = (context.response().body().bytes(), self.0.lock()) {
            *body = bytes.to_vec();
        }
        Ok(())
    }
}

/// Makes a call, again after a pause while the service throttles.
async fn with_retries<O, E>(
    operation: &str,
    call: impl AsyncFn() -> Result<O, SdkError<E, HttpResponse>>,
) -> Result<O, Failure>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    for attempt in 0.. {
        let failure = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => failure_of(operation, &error),
        };
        if attempt >= RETRIES || !is_throttled(&failure) {
            return Err(failure);
        }
        pause(attempt).await;
    }
    Err(answer::unreadable(operation, "no attempt"))
}

/// Waits before the next attempt, twice as long each time.
async fn pause(attempt: u32) {
    tokio::time::sleep(PAUSE * 2_u32.saturating_pow(attempt)).await;
}

fn is_throttled(failure: &Failure) -> bool {
    failure.status == Some(429)
        || failure.code.as_deref().is_some_and(|code| code.contains("Throttl") || code.contains("TooManyRequests"))
}

fn failure_of<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let Some(response) = error.raw_response() else {
        // The client's own words add nothing to those of the network below.
        let network = match error {
            SdkError::DispatchFailure(dispatch) => dispatch.as_connector_error().and_then(|error| error.source()),
            _ => None,
        };
        return failure::of_error(operation, network.unwrap_or(error));
    };
    let status = Some(response.status().as_u16());
    let body = || response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    match error.code() {
        Some(code) => Failure {
            operation: Some(operation.to_owned()),
            status,
            code: Some(code.to_owned()),
            message: redact::scrub(error.message().unwrap_or_default()).into_owned(),
            request_id: error.request_id().map(str::to_owned),
        },
        None => Failure { status, ..answer::unreadable(operation, &body()) },
    }
}

/// What a failure means as an observation: the service refused, has no such thing, or gave no answer.
fn refused_or_failed<T>(failure: Failure) -> Observed<T> {
    match failure.code.as_deref() {
        Some("ResourceNotFoundException" | "NoSuchEntity") => Observed::absent(),
        // Something in between refused, such as a proxy with a page of its own.
        Some(answer::UNREADABLE) => Observed::Failed(failure),
        Some(code)
            if code.contains("AccessDenied")
                || code.contains("ExpiredToken")
                || code == "UnrecognizedClientException" =>
        {
            Observed::Denied(failure)
        }
        _ => unanswered(failure),
    }
}

/// One key of an answer.
fn part<T: DeserializeOwned>(operation: &str, answer: Result<Value, Failure>, key: &str) -> Observed<T> {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return refused_or_failed(failure),
    };
    let part = answer.get_mut(key).map(Value::take).unwrap_or_default();
    match serde_json::from_value(part) {
        Ok(value) => Observed::Found(value),
        Err(error) => Observed::Failed(answer::unreadable(operation, &format!("{key}: {error}"))),
    }
}
