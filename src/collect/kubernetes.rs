//! What is asked of the Kubernetes API, and nothing else: reads, and the two reviews in which a caller asks about
//! itself and which store nothing. Answers are kept as the server sent them.

use std::time::Duration;

use http::{Request, Uri, header};
use http_body_util::{BodyExt, Limited};
use kube::Client;
use kube::client::Body;
use kube::config::{AuthInfo, Config};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::exec::Issued;
use super::failure::{failure, of_error};
use super::http::{Clock, address};
use super::proxy::Proxy;
use super::watch::map;
use crate::evidence::{
    AccessReview, Action, ActionAttempt, ConfigMap, Failure, ObjectName, Observed, ServerVersion, UserInfo,
};

mod answer;

use answer::{Answer, NOT_KUBERNETES, read, scrub_texts, typed, unfound};

/// `GET` of these is what the four lists of RBAC come from.
pub(crate) const CLUSTER_ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
pub(crate) const CLUSTER_ROLE_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
pub(crate) const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/roles";
pub(crate) const ROLE_BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/rolebindings";
pub(crate) const VERSION: &str = "/version";
pub(crate) const AWS_AUTH: &str = "/api/v1/namespaces/kube-system/configmaps/aws-auth";
pub(crate) const CONFIG_MAPS: &str = "/api/v1/configmaps";
pub(crate) const SELF_SUBJECT_REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
pub(crate) const SELF_SUBJECT_ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// The API group of the metrics server.
const METRICS: &str = "metrics.k8s.io";

/// What the server is told when the objects of a list are wanted without their content.
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Items on one page of a list, as kubectl asks for them.
const PAGE: u32 = 500;

const MOST_PAGES: usize = 400;

/// How often a list is begun again when it changed too much under way.
const RESTARTS: usize = 2;

/// How often a busy server is asked again, and how long the pauses are unless it says.
const RETRIES: u32 = 2;
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// All of one page or object must fit in here.
const LARGEST_BODY: usize = 64 << 20;

/// Where an API server is and how its certificate is checked.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) server: Uri,
    /// The trusted certificates; the system's if absent.
    pub(crate) ca: Option<Vec<CertificateDer<'static>>>,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) insecure: bool,
    pub(crate) proxy: Option<Proxy>,
}

/// A client for one API server with one credential.
pub(crate) struct Api {
    client: Client,
    clock: Clock,
    address: String,
}

impl Api {
    /// Prepares a client. The credential may be empty: then requests are anonymous.
    pub(crate) fn new(endpoint: &Endpoint, credential: &Issued, clock: Clock) -> Result<Self, Failure> {
        let mut config = Config::new(endpoint.server.clone());
        config.root_cert = endpoint.ca.as_ref().map(|ca| ca.iter().map(|certificate| certificate.to_vec()).collect());
        config.tls_server_name = endpoint.tls_server_name.clone();
        config.accept_invalid_certs = endpoint.insecure;
        config.proxy_url = endpoint.proxy.as_ref().map(|proxy| proxy.url.clone());
        config.default_retry = false;
        config.auth_info = auth_info(credential)?;
        let client = Client::try_from(config).map_err(|error| of_error("https:configure", &error))?;
        Ok(Self { client, clock, address: address(&endpoint.server) })
    }

    /// `HOST:PORT`, for messages.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether this client and one for the endpoint would ask the same server.
    pub(crate) fn goes_to(&self, endpoint: &Endpoint) -> bool {
        self.address == address(&endpoint.server)
    }

    /// `GET /version`.
    pub(crate) async fn version(&self) -> Observed<ServerVersion> {
        self.read(VERSION, None).await
    }

    /// The ConfigMap `kube-system/aws-auth`, by name.
    pub(crate) async fn aws_auth(&self) -> Observed<ConfigMap> {
        self.read(AWS_AUTH, None).await
    }

    /// ConfigMaps that are called as `aws-auth` is, or nearly so, by name and namespace only. Names must differ or
    /// stand elsewhere to be listed.
    pub(crate) async fn misplaced_aws_auth(&self) -> Observed<Vec<ObjectName>> {
        let all: Observed<Vec<Named>> = self.list(CONFIG_MAPS).await;
        map(all, |all| {
            let names =
                all.into_iter().map(|Named { metadata: Name { namespace, name } }| ObjectName { namespace, name });
            let mut names: Vec<ObjectName> = names.filter(looks_misplaced).collect();
            names.sort_unstable_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
            names
        })
    }

    /// Does what was asked about, if that is a read; nothing of the answer but its status is kept.
    pub(crate) async fn attempt(&self, target: &str) -> Observed<ActionAttempt> {
        let path = target.split('?').next().unwrap_or_default();
        let operation = format!("GET {path}");
        match self.send(&operation, Request::get(target).body(Vec::new())).await {
            Ok(_) => Observed::Found(ActionAttempt { status: 200 }),
            // What the server calls healthy or its version need not be JSON.
            Err(failure) if failure.status.is_some_and(|status| (200..300).contains(&status)) => {
                Observed::Found(ActionAttempt { status: failure.status.unwrap_or(200) })
            }
            Err(failure) => unfound(path, failure),
        }
    }

    /// SelfSubjectReview: who the server takes the caller for.
    pub(crate) async fn whoami(&self) -> Observed<UserInfo> {
        let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
        self.review(SELF_SUBJECT_REVIEWS, body, "/status/userInfo").await
    }

    /// SelfSubjectAccessReview: whether the caller may do something.
    pub(crate) async fn access_review(&self, action: &Action) -> Observed<AccessReview> {
        let spec = match &action.path {
            Some(path) => json!({ "nonResourceAttributes": { "path": path, "verb": action.verb } }),
            None => json!({ "resourceAttributes": {
                "verb": action.verb,
                "group": action.group,
                "resource": action.resource,
                "subresource": action.subresource,
                "namespace": action.namespace,
                "name": action.name,
            } }),
        };
        let body = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec });
        self.review(SELF_SUBJECT_ACCESS_REVIEWS, body, "/status").await
    }

    /// A whole list, page by page.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str) -> Observed<Vec<T>> {
        let operation = format!("GET {path}");
        let (mut items, mut next, mut restarts) = (Vec::new(), String::new(), 0);
        for _ in 0..MOST_PAGES {
            let page = match next.is_empty() {
                true => format!("limit={PAGE}"),
                false => format!("limit={PAGE}&continue={}", escape(&next)),
            };
            let mut list: Value = match self.read(path, Some(&page)).await {
                Observed::Found(list) => list,
                // The list's snapshot is gone: its beginning no longer fits its end.
                Observed::Failed(failure) if failure.status == Some(410) && restarts < RESTARTS => {
                    (items, next, restarts) = (Vec::new(), String::new(), restarts + 1);
                    continue;
                }
                other => return map(other, |_| Vec::new()),
            };
            let more = list.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
            let page = list.get_mut("items").map(Value::take).unwrap_or_default();
            match serde_json::from_value::<Option<Vec<T>>>(page) {
                Ok(page) => items.extend(page.unwrap_or_default()),
                Err(error) => return Observed::Failed(failure(&operation, NOT_KUBERNETES, error.to_string())),
            }
            if more.is_empty() {
                return Observed::Found(items);
            }
            next = more;
        }
        Observed::Failed(failure(&operation, NOT_KUBERNETES, "pages without end"))
    }

    async fn review<T: DeserializeOwned>(&self, path: &str, body: Value, part: &str) -> Observed<T> {
        let operation = format!("POST {path}");
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(body.to_string().into_bytes());
        match self.send(&operation, request).await {
            Ok(mut answer) => {
                let mut part = answer.pointer_mut(part).map(Value::take).unwrap_or_default();
                // Among what the server knows of a caller is the access key id.
                scrub_texts(&mut part);
                typed(&operation, part)
            }
            Err(failure) => unfound(path, failure),
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, query: Option<&str>) -> Observed<T> {
        let operation = format!("GET {path}");
        let target = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
        // ConfigMaps may hold anything, and are many: of those in a list only the names are asked for.
        let accept = if path == CONFIG_MAPS { NAMES_ONLY } else { "application/json" };
        match self.send(&operation, Request::get(target).header(header::ACCEPT, accept).body(Vec::new())).await {
            Ok(answer) => typed(&operation, answer),
            Err(failure) => unfound(path, failure),
        }
    }

    /// Sends a request, again after a pause while the server is too busy and says so.
    async fn send(&self, operation: &str, request: http::Result<Request<Vec<u8>>>) -> Result<Value, Failure> {
        let request = request.map_err(|error| of_error(operation, &error))?;
        let mut attempt = 0;
        loop {
            let answer = self.exchange(operation, request.clone()).await?;
            if answer.status != 429 || attempt >= RETRIES {
                return read(operation, &answer);
            }
            let asked = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            tokio::time::sleep(asked.map_or(PAUSE, Duration::from_secs).min(LONGEST_PAUSE)).await;
            attempt += 1;
        }
    }

    async fn exchange(&self, operation: &str, request: Request<Vec<u8>>) -> Result<Answer, Failure> {
        let asked = self.clock.now();
        let answer = self.client.send(request.map(Body::from)).await;
        let answer = answer.map_err(|error| {
            let failure = transport(operation, &error);
            Failure { message: format!("{}: {}", self.address, failure.message), ..failure }
        })?;
        self.clock.note(&asked, answer.headers());
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await;
        let body = body.map_err(|error| of_error(operation, error.as_ref()))?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

/// An object of a list, by its name alone.
#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    namespace: String,
    name: String,
}

/// Whether a ConfigMap may have been meant to be `kube-system/aws-auth`.
fn looks_misplaced(object: &ObjectName) -> bool {
    const NAME: &str = "aws-auth";
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let alike = plain(&object.name) == plain(NAME) || strsim::levenshtein(&object.name, NAME) <= 2;
    match object.namespace.as_str() {
        "kube-system" => alike && object.name != NAME,
        _ => object.name == NAME,
    }
}

/// Whether a server of its own answers, which judges by itself whom it lets in. The one that most clusters have is
/// behind `kubectl top`.
pub(crate) fn is_aggregated(action: &Action) -> bool {
    action.group == METRICS
}

/// The path of a read that was asked about. Only the API groups that every cluster has are known here; a watch never
/// ends and everything else changes something.
pub(crate) fn path_of_read(action: &Action) -> Option<String> {
    if let Some(path) = &action.path {
        return (action.verb == "get" && path.starts_with('/') && !path.contains('*')).then(|| path.clone());
    }
    const GROUPS: [(&str, &str); 9] = [
        ("", "api/v1"),
        ("apps", "apis/apps/v1"),
        ("batch", "apis/batch/v1"),
        ("networking.k8s.io", "apis/networking.k8s.io/v1"),
        ("rbac.authorization.k8s.io", "apis/rbac.authorization.k8s.io/v1"),
        ("policy", "apis/policy/v1"),
        ("storage.k8s.io", "apis/storage.k8s.io/v1"),
        ("apiextensions.k8s.io", "apis/apiextensions.k8s.io/v1"),
        (METRICS, "apis/metrics.k8s.io/v1beta1"),
    ];
    let (_, root) = GROUPS.iter().find(|(group, _)| *group == action.group)?;
    let resource = action.resource.as_deref().filter(|resource| *resource != "*")?;
    let namespace = action.namespace.as_deref().map(|namespace| format!("/namespaces/{}", escape(namespace)));
    let base = format!("/{root}{}/{}", namespace.unwrap_or_default(), escape(resource));
    match (action.verb.as_str(), action.name.as_deref(), action.subresource.as_deref()) {
        ("list", None, None) => Some(format!("{base}?limit=1")),
        ("get", Some(name), None) => Some(format!("{base}/{}", escape(name))),
        _ => None,
    }
}

/// The credential in the form that the client takes.
fn auth_info(credential: &Issued) -> Result<AuthInfo, Failure> {
    use base64::Engine as _;
    let base64 = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
    let mut info = AuthInfo::default();
    // The client panics on a token that is no header.
    if let Some(token) = &credential.token {
        if http::HeaderValue::from_str(token).is_err() {
            return Err(failure(
                "https:configure",
                "InvalidToken",
                "the token holds characters that no header may hold",
            ));
        }
        info.token = Some(token.clone().into());
    }
    if let Some((certificate, key)) = &credential.certificate {
        info.client_certificate_data = Some(base64(certificate));
        info.client_key_data = Some(base64(key).into());
    }
    Ok(info)
}

/// The error below kube's own words.
fn transport(operation: &str, error: &kube::Error) -> Failure {
    match error {
        kube::Error::Service(inner) => of_error(operation, inner.as_ref()),
        other => of_error(operation, other),
    }
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_of_aws_auth_are_recognised() {
        let looks = |namespace: &str, name: &str| {
            looks_misplaced(&ObjectName { namespace: namespace.into(), name: name.into() })
        };
        assert!(looks("default", "aws-auth") && looks("kube-system", "aws_auth") && looks("kube-system", "awsauth"));
        assert!(looks("kube-system", "aws-auht") && !looks("kube-system", "aws-auth"));
        assert!(!looks("default", "aws-auths") && !looks("kube-system", "aws-node"));
    }

    #[test]
    fn only_simple_reads_have_a_path() {
        let action = |verb: &str, group: &str, resource: &str, name: Option<&str>, namespace: Option<&str>| Action {
            verb: verb.into(),
            group: group.into(),
            resource: Some(resource.into()),
            name: name.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            ..Action::default()
        };
        let path = |action: Action| path_of_read(&action);
        assert_eq!(
            path(action("list", "", "pods", None, Some("dev"))).as_deref(),
            Some("/api/v1/namespaces/dev/pods?limit=1")
        );
        assert_eq!(
            path(action("list", "apps", "deployments", None, None)).as_deref(),
            Some("/apis/apps/v1/deployments?limit=1")
        );
        assert_eq!(path(action("get", "", "nodes", Some("a/b"), None)).as_deref(), Some("/api/v1/nodes/a%2Fb"));
        assert_eq!(
            path(Action { verb: "get".into(), path: Some("/healthz".into()), ..Action::default() }).as_deref(),
            Some("/healthz")
        );
        for action in [
            action("delete", "", "pods", Some("a"), Some("dev")),
            action("watch", "", "pods", None, None),
            action("list", "x.example", "xs", None, None),
            action("*", "", "*", None, None),
        ] {
            assert_eq!(path(action), None);
        }
    }

    #[test]
    fn a_token_that_is_no_header_is_a_failure_and_no_panic() {
        let credential = Issued { token: Some("a\nb".into()), certificate: None };
        assert_eq!(auth_info(&credential).unwrap_err().code.as_deref(), Some("InvalidToken"));
    }
}
