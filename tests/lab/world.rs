//! A world that plays an evidence document: STS, EKS, IAM, CloudTrail and a Kubernetes API answer what the document
//! says they answered. Real host names lead to it through a proxy, as they do in many companies.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use eks_doctor::collect::Surroundings;
use eks_doctor::evidence::{Evidence, Failure, Observed};
use serde::Serialize;
use serde_json::{Value, json};

use crate::server::{self, Certificates, Fault, Reply, Request, Server};

/// The keys in the environment, and those that the plugin uses.
pub(crate) const SHELL_KEY: &str = "ASIASHELLSHELLSHELL1";
pub(crate) const PLUGIN_KEY: &str = "ASIAPLUGINPLUGINPLU1";
/// The keys of a role that is taken.
pub(crate) const ROLE_KEY: &str = "ASIAROLEROLEROLEROL1";

/// Secrets that must never be seen again.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYCANARYKEY1";
pub(crate) const SESSION_TOKEN: &str = "canary-session-token-0123456789";
pub(crate) const PASSWORD: &str = "canary-proxy-password";

const REGION: &str = "eu-west-1";

/// Items per page, small enough that lists have several.
const SMALL_PAGE: usize = 2;

/// A running world with a home folder in it.
pub(crate) struct Lab {
    pub(crate) certificates: Certificates,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) evidence: Evidence,
    seen: Arc<Mutex<Vec<String>>>,
    server: Server,
    proxy: Server,
}

/// How the world differs from its document.
#[derive(Default, Clone)]
pub(crate) struct Moods {
    /// Operations that misbehave or answer something else.
    pub(crate) replies: BTreeMap<String, Reply>,
    /// What every answer waits for.
    pub(crate) latency: Duration,
    /// How much a page of a list holds, if not a very little.
    pub(crate) page: Option<usize>,
}

/// The document that the tests begin with: a role that may read one namespace.
pub(crate) fn base() -> Evidence {
    serde_json::from_str(include_str!("base.json")).unwrap()
}

impl Lab {
    pub(crate) fn playing(evidence: Evidence) -> Self {
        Self::with_moods(evidence, Moods::default())
    }

    pub(crate) fn with_moods(evidence: Evidence, moods: Moods) -> Self {
        let endpoint = evidence.aws.cluster.found().and_then(|cluster| cluster.endpoint.clone());
        let endpoint = endpoint.unwrap_or("https://no-endpoint.example".to_owned());
        let endpoint_host = endpoint.trim_start_matches("https://").to_owned();
        let names = ["sts", "eks", "iam", "cloudtrail", "logs"].map(|service| match service {
            "iam" => "iam.amazonaws.com".to_owned(),
            service => format!("{service}.{REGION}.amazonaws.com"),
        });
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("portal.sso.eu-west-1.amazonaws.com");
        names.extend([endpoint_host.as_str(), "127.0.0.1", "localhost"]);
        let certificates = Certificates::new(&names);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let page = moods.page.unwrap_or(SMALL_PAGE);
        let world = World { evidence: evidence.clone(), ca: STANDARD.encode(&certificates.ca_pem), page };
        let noted = seen.clone();
        let server = server::https(
            &certificates,
            Arc::new(move |request| {
                let (operation, reply) = world.answer(request);
                noted.lock().unwrap().push(format!("{} {operation}", request.method));
                std::thread::sleep(moods.latency);
                moods.replies.get(&operation).cloned().unwrap_or(reply)
            }),
        );
        let proxy = server::connect_proxy(server.address, |_| {});
        let lab = Self { certificates, folder: tempfile::tempdir().unwrap(), evidence, seen, server, proxy };
        lab.furnish(&endpoint);
        lab
    }

    /// A home folder with a kubeconfig, a CA bundle and a plugin called `aws`.
    fn furnish(&self, endpoint: &str) {
        let folder = self.folder.path();
        for part in [".kube", ".aws", "bin"] {
            std::fs::create_dir(folder.join(part)).unwrap();
        }
        std::fs::write(folder.join("ca.pem"), &self.certificates.ca_pem).unwrap();
        self.write_kubeconfig(endpoint, &json!({}));
        let token = presigned_token("prod");
        let credential = json!({
            "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {},
            "status": { "token": token, "expirationTimestamp": "2030-01-01T00:00:00Z" }
        });
        self.write_plugin(&format!("cat <<'END'\n{credential}\nEND"));
    }

    /// Writes the kubeconfig; `exec` changes its exec entry.
    pub(crate) fn write_kubeconfig(&self, server: &str, exec: &Value) {
        self.write_kubeconfig_with_ca(server, &self.certificates.ca_pem, exec);
    }

    /// The same, trusting another certificate authority.
    pub(crate) fn write_kubeconfig_with_ca(&self, server: &str, ca_pem: &str, exec: &Value) {
        let arn = format!("arn:aws:eks:{REGION}:111122223333:cluster/prod");
        let mut entry = json!({
            "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws",
            "args": ["--region", REGION, "eks", "get-token", "--cluster-name", "prod", "--output", "json"]
        });
        entry.as_object_mut().unwrap().extend(exec.as_object().unwrap().clone());
        let document = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "prod",
            "clusters": [{ "name": arn, "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) } }],
            "contexts": [{ "name": "prod", "context": { "cluster": arn, "user": "ada" } }],
            "users": [{ "name": "ada", "user": { "exec": entry } }]
        });
        std::fs::write(self.folder.path().join(".kube/config"), document.to_string()).unwrap();
    }

    /// Writes the script that is called `aws`.
    pub(crate) fn write_plugin(&self, script: &str) {
        let path = self.folder.path().join("bin/aws");
        // A new file each time: one that runs cannot be written.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The surroundings of somebody who works in this world.
    pub(crate) fn surroundings(&self) -> Surroundings {
        let folder = self.folder.path();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let variables = [
            ("HOME", text(folder)),
            ("PATH", format!("{}:/usr/bin:/bin", text(&folder.join("bin")))),
            ("HTTPS_PROXY", format!("http://ada:{PASSWORD}@{}", self.proxy.address)),
            ("AWS_CA_BUNDLE", text(&folder.join("ca.pem"))),
            ("AWS_ACCESS_KEY_ID", SHELL_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Surroundings {
            variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            home: Some(folder.to_owned()),
            folder: folder.to_owned(),
            service_account: folder.join("nowhere"),
            interactive: false,
        }
    }

    /// The API server as it stands, without a proxy before it.
    pub(crate) fn direct(&self) -> String {
        format!("https://{}", self.server.address)
    }

    /// `METHOD OPERATION` of every request so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// A token as `aws eks get-token` makes it, for the plugin's keys.
pub(crate) fn presigned_token(cluster: &str) -> String {
    let url = format!("https://sts.{REGION}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(60));
    let keys = aws_credential_types::Credentials::new(PLUGIN_KEY, SECRET_KEY, Some(SESSION_TOKEN.into()), None, "lab");
    let identity = keys.into();
    let parameters = aws_sigv4::sign::v4::SigningParams::builder().identity(&identity).region(REGION).name("sts");
    let parameters = parameters.time(SystemTime::now()).settings(settings).build().unwrap().into();
    let headers = [("x-k8s-aws-id", cluster)].into_iter();
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b"")).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    let mut signed = http::Request::get(&url).body(()).unwrap();
    instructions.apply_to_request_http1x(&mut signed);
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string()))
}

/// The services and what they know.
struct World {
    evidence: Evidence,
    ca: String,
    page: usize,
}

impl World {
    /// The operation that a request is, and its answer.
    fn answer(&self, request: &Request) -> (String, Reply) {
        match request.host().split('.').next().unwrap_or_default() {
            "sts" if !request.body.is_empty() && !request.form("Action").contains("GetCallerIdentity") => {
                taken_role(request)
            }
            "sts" => self.sts(request),
            "portal" => portal(request),
            "eks" => self.eks(request),
            "iam" => self.iam(request),
            "cloudtrail" => ("cloudtrail:LookupEvents".to_owned(), self.events()),
            "logs" => ("logs:FilterLogEvents".to_owned(), self.lines()),
            _ => self.kubernetes(request),
        }
    }

    fn sts(&self, request: &Request) -> (String, Reply) {
        let presigned = request.parameter("X-Amz-Signature").is_some();
        let caller = if !presigned || self.evidence.exec_caller.is_unmentioned() {
            &self.evidence.aws.caller
        } else {
            &self.evidence.exec_caller
        };
        let operation = if presigned { "execCaller" } else { "sts:GetCallerIdentity" };
        let reply = match (caller, request.header("x-k8s-aws-id")) {
            (Observed::Found(_), cluster) if presigned && cluster != self.evidence.target.cluster.as_deref() => {
                sts_error(&Failure {
                    status: Some(403),
                    code: Some("SignatureDoesNotMatch".to_owned()),
                    message: "The request signature we calculated does not match".to_owned(),
                    ..Failure::default()
                })
            }
            (Observed::Found(caller), _) => Reply::text(
                200,
                "text/xml",
                &format!(
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r-sts</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
                    caller.arn,
                    caller.user_id.as_deref().unwrap_or_default(),
                    caller.account.as_deref().unwrap_or_default()
                ),
            ),
            (other, _) => other.failure().map_or(Reply::Misbehave(Fault::Reset), sts_error),
        };
        (operation.to_owned(), reply)
    }

    fn eks(&self, request: &Request) -> (String, Reply) {
        let aws = &self.evidence.aws;
        let parts: Vec<String> = request
            .path()
            .split('/')
            .skip(1)
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let entry = |principal: &str| {
            let entries = aws.access_entries.found().into_iter().flatten();
            entries.into_iter().find(|entry| entry.principal_arn == principal)
        };
        let (operation, reply) = match parts[..] {
            ["clusters"] => {
                let names = |names: &Vec<String>| self.page(request, names, "clusters");
                ("eks:ListClusters", eks_reply(&aws.cluster_names, names))
            }
            ["clusters", _] => {
                ("eks:DescribeCluster", eks_reply(&aws.cluster, |cluster| self.describe_cluster(cluster)))
            }
            ["clusters", _, "access-entries"] => {
                let principals = |entries: &Vec<eks_doctor::evidence::AccessEntry>| {
                    self.page(
                        request,
                        &entries.iter().map(|entry| &entry.principal_arn).collect::<Vec<_>>(),
                        "accessEntries",
                    )
                };
                ("eks:ListAccessEntries", eks_reply(&aws.access_entries, principals))
            }
            ["clusters", _, "access-entries", principal] => {
                let details = entry(principal).map(|entry| &entry.details);
                let whole = |details: &_| {
                    let mut value = serde_json::to_value(details).unwrap();
                    value["principalArn"] = principal.into();
                    json!({ "accessEntry": value })
                };
                ("eks:DescribeAccessEntry", details.map_or(missing(), |details| eks_reply(details, whole)))
            }
            ["clusters", _, "access-entries", principal, "access-policies"] => {
                let policies = entry(principal).map(|entry| &entry.policies);
                let list = |policies: &Vec<_>| self.page(request, policies, "associatedAccessPolicies");
                ("eks:ListAssociatedAccessPolicies", policies.map_or(missing(), |policies| eks_reply(policies, list)))
            }
            _ => ("eks:?", missing()),
        };
        (operation.to_owned(), reply)
    }

    fn describe_cluster(&self, cluster: &eks_doctor::evidence::Cluster) -> Value {
        let mut value = serde_json::to_value(cluster).unwrap();
        if value.pointer("/certificateAuthority/data").is_some_and(|data| data == "LAB") {
            value["certificateAuthority"]["data"] = self.ca.clone().into();
        }
        json!({ "cluster": value })
    }

    fn iam(&self, request: &Request) -> (String, Reply) {
        let action = request.parameter("Action").unwrap_or_default();
        let name = request.parameter("RoleName").or(request.parameter("UserName")).unwrap_or_default();
        let kind = action.trim_start_matches("Get").to_lowercase();
        let known = self.evidence.aws.principal.found().filter(|principal| {
            principal.arn.contains(&format!(":{kind}/")) && principal.arn.ends_with(&format!("/{name}"))
        });
        let reply = match (known, self.evidence.aws.principal.failure()) {
            (Some(principal), _) => Reply::text(
                200,
                "text/xml",
                &format!(
                    "<R><Role><Path>/</Path><Arn>{}</Arn><RoleId>{id}</RoleId><UserId>{id}</UserId><CreateDate>{}</CreateDate></Role></R>",
                    principal.arn,
                    principal.create_date.unwrap(),
                    id = principal.unique_id.as_deref().unwrap_or_default(),
                ),
            ),
            (None, Some(failure)) => sts_error(failure),
            (None, None) => {
                sts_error(&Failure { status: Some(404), code: Some("NoSuchEntity".into()), ..Failure::default() })
            }
        };
        (format!("iam:{action}"), reply)
    }

    fn events(&self) -> Reply {
        let event = |name: &str, principal: &str| {
            let record = json!({
                "eventTime": "2026-01-01T00:00:00Z",
                "requestParameters": { "name": name },
                "userIdentity": { "sessionContext": { "sessionIssuer": { "arn": principal } } }
            });
            json!({ "EventName": "CreateCluster", "CloudTrailEvent": record.to_string() })
        };
        let mut events = vec![event("other", "arn:aws:iam::111122223333:role/other")];
        events.extend(
            self.evidence.aws.create_cluster_event.found().map(|creation| event("prod", &creation.principal_arn)),
        );
        match self.evidence.aws.create_cluster_event.failure() {
            Some(failure) => eks_error(failure),
            None => Reply::json(200, &json!({ "Events": events })),
        }
    }

    fn lines(&self) -> Reply {
        let lines = self.evidence.logs.authenticator.found().into_iter().flatten();
        let events: Vec<_> = lines.map(|line| json!({ "timestamp": 0, "message": line })).collect();
        Reply::json(200, &json!({ "events": events }))
    }

    fn kubernetes(&self, request: &Request) -> (String, Reply) {
        let kubernetes = &self.evidence.kubernetes;
        let operation = format!("{} {}", request.method, request.path());
        let key = request.header("authorization").and_then(key_of_token);
        let whoami = match key.as_deref() {
            Some(SHELL_KEY) if !kubernetes.native_whoami.is_unmentioned() => &kubernetes.native_whoami,
            Some(SHELL_KEY | PLUGIN_KEY) => &kubernetes.whoami,
            _ => &Observed::NotTried(None),
        };
        let unauthorized = Failure {
            status: Some(401),
            code: Some("Unauthorized".into()),
            message: "Unauthorized".into(),
            ..Failure::default()
        };
        if whoami.found().is_none() {
            return (operation, status_reply(whoami.failure().unwrap_or(&unauthorized)));
        }
        let list = |kind: &str, items: Value| self.k8s_page(request, kind, items);
        let reply = match request.path() {
            "/version" => k8s_reply(&kubernetes.version, |version| json!(version)),
            "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
                k8s_reply(whoami, |user| json!({ "kind": "SelfSubjectReview", "status": { "userInfo": user } }))
            }
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => k8s_reply(
                &kubernetes.access_review,
                |review| json!({ "kind": "SelfSubjectAccessReview", "status": review }),
            ),
            "/api/v1/namespaces/kube-system/configmaps/aws-auth" => k8s_reply(&kubernetes.aws_auth, |map| json!(map)),
            "/api/v1/configmaps" => k8s_reply(&kubernetes.misplaced_aws_auth, |names| {
                let items: Vec<_> = names.iter().map(|name| json!({ "metadata": name })).collect();
                list("PartialObjectMetadataList", items.into())
            }),
            path if path.ends_with("/pods") => match kubernetes.action_attempt.failure() {
                Some(failure) => status_reply(failure),
                None => Reply::json(200, &json!({ "kind": "PodList", "items": [] })),
            },
            "/apis/rbac.authorization.k8s.io/v1/clusterroles" => {
                k8s_reply(&kubernetes.cluster_roles, |items| list("ClusterRoleList", json!(items)))
            }
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings" => {
                k8s_reply(&kubernetes.cluster_role_bindings, |items| list("ClusterRoleBindingList", json!(items)))
            }
            "/apis/rbac.authorization.k8s.io/v1/roles" => {
                k8s_reply(&kubernetes.roles, |items| list("RoleList", json!(items)))
            }
            "/apis/rbac.authorization.k8s.io/v1/rolebindings" => {
                k8s_reply(&kubernetes.role_bindings, |items| list("RoleBindingList", json!(items)))
            }
            _ => Reply::text(404, "text/plain", "404 page not found"),
        };
        (operation, reply)
    }

    /// One page of a list of EKS.
    fn page(&self, request: &Request, all: &[impl Serialize], key: &str) -> Value {
        let from: usize = request.parameter("nextToken").and_then(|token| token.parse().ok()).unwrap_or_default();
        let items: Vec<_> = all.iter().skip(from).take(self.page).collect();
        let next = from + items.len();
        let mut answer = json!({ key: items });
        if next < all.len() {
            answer["nextToken"] = next.to_string().into();
        }
        answer
    }

    /// One page of a list of the Kubernetes API.
    fn k8s_page(&self, request: &Request, kind: &str, items: Value) -> Value {
        let items = items.as_array().cloned().unwrap_or_default();
        let from: usize = request.parameter("continue").and_then(|token| token.parse().ok()).unwrap_or_default();
        let shown: Vec<_> = items.iter().skip(from).take(self.page).cloned().collect();
        let next = from + shown.len();
        let more = if next < items.len() { next.to_string() } else { String::new() };
        json!({ "kind": kind, "metadata": { "continue": more }, "items": shown })
    }
}

/// Keys for whoever takes a role, but for one that nobody may take.
fn taken_role(request: &Request) -> (String, Reply) {
    let (action, role) = (request.form("Action"), request.form("RoleArn"));
    let refused = Failure {
        status: Some(403),
        code: Some("AccessDenied".into()),
        message: format!(
            "User: arn:aws:iam::111122223333:user/eve is not authorized to perform: sts:{action} on resource: {role}"
        ),
        ..Failure::default()
    };
    let reply = match role.ends_with("/forbidden") {
        true => sts_error(&refused),
        false => Reply::text(
            200,
            "text/xml",
            &format!(
                "<{action}Response><{action}Result><Credentials><AccessKeyId>{ROLE_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey><SessionToken>{SESSION_TOKEN}</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
            ),
        ),
    };
    (format!("sts:{action}"), reply)
}

/// Keys for a role of IAM Identity Center.
fn portal(request: &Request) -> (String, Reply) {
    let known = request.header("x-amz-sso_bearer_token") == Some(SESSION_TOKEN);
    let reply = match known && request.parameter("role_name").as_deref() == Some("Dev") {
        true => Reply::json(
            200,
            &json!({ "roleCredentials": {
                "accessKeyId": ROLE_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": SESSION_TOKEN, "expiration": 1_893_456_000_000_i64
            } }),
        ),
        false => eks_error(&Failure {
            status: Some(401),
            code: Some("UnauthorizedException".into()),
            message: "Session token not found or invalid".into(),
            ..Failure::default()
        }),
    };
    ("sso:GetRoleCredentials".to_owned(), reply)
}

/// The access key id in an EKS token.
fn key_of_token(authorization: &str) -> Option<String> {
    let body = authorization.strip_prefix("Bearer k8s-aws-v1.")?;
    let url = String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
    let scope = url.split("X-Amz-Credential=").nth(1)?;
    Some(scope.split(['/', '%']).next()?.to_owned())
}

fn eks_reply<T>(observed: &Observed<T>, answer: impl FnOnce(&T) -> Value) -> Reply {
    match observed {
        Observed::Found(value) => {
            let mut answer = answer(value);
            numbers_for_times(&mut answer);
            Reply::json(200, &answer)
        }
        Observed::Absent(_) => missing(),
        Observed::Denied(failure) | Observed::Failed(failure) => eks_error(failure),
        Observed::NotTried(_) => {
            eks_error(&Failure { code: Some("AccessDeniedException".into()), status: Some(403), ..Failure::default() })
        }
    }
}

fn missing() -> Reply {
    eks_error(&Failure {
        status: Some(404),
        code: Some("ResourceNotFoundException".into()),
        message: "No cluster found for name: prod.".into(),
        ..Failure::default()
    })
}

fn eks_error(failure: &Failure) -> Reply {
    let Some(status) = failure.status else { return Reply::Misbehave(Fault::BlackHole) };
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-amzn-errortype".to_owned(), failure.code.clone().unwrap_or_default()),
        ("x-amzn-requestid".to_owned(), "r-eks".to_owned()),
    ];
    Reply::Answer { status, headers, body: json!({ "message": failure.message }).to_string().into_bytes() }
}

fn sts_error(failure: &Failure) -> Reply {
    let Some(status) = failure.status else { return Reply::Misbehave(Fault::BlackHole) };
    let code = failure.code.as_deref().unwrap_or_default();
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>r-sts</RequestId></ErrorResponse>",
        failure.message
    );
    Reply::text(status, "text/xml", &body)
}

fn k8s_reply<T>(observed: &Observed<T>, answer: impl FnOnce(&T) -> Value) -> Reply {
    match observed {
        Observed::Found(value) => Reply::json(200, &answer(value)),
        Observed::Absent(_) => {
            status_reply(&Failure { status: Some(404), code: Some("NotFound".into()), ..Failure::default() })
        }
        Observed::Denied(failure) | Observed::Failed(failure) => status_reply(failure),
        Observed::NotTried(_) => {
            status_reply(&Failure { status: Some(403), code: Some("Forbidden".into()), ..Failure::default() })
        }
    }
}

fn status_reply(failure: &Failure) -> Reply {
    let Some(status) = failure.status else { return Reply::Misbehave(Fault::BlackHole) };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": failure.message, "reason": failure.code, "code": status
    });
    Reply::json(status, &body)
}

/// EKS sends times as seconds since 1970.
fn numbers_for_times(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(numbers_for_times),
        Value::Object(fields) => {
            for (name, value) in fields {
                let time = value
                    .as_str()
                    .filter(|_| name.ends_with("At"))
                    .and_then(|text| text.parse::<jiff::Timestamp>().ok());
                match time {
                    Some(time) => *value = json!(time.as_millisecond() as f64 / 1000.0),
                    None => numbers_for_times(value),
                }
            }
        }
        _ => {}
    }
}
