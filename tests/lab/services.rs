//! The services of the lab: each answers a request as the evidence document says that it answered.

use eks_doctor::evidence::{CallerIdentity, Evidence, Failure, Observed, UserInfo};
use serde::Serialize;
use serde_json::{Value, json};

use crate::server::{Fault, Reply, Request};
use crate::world::{ROLE_KEY, SECRET_KEY, SESSION_TOKEN, is_signed_for};

/// The services and what they know.
pub(crate) struct World {
    pub(crate) evidence: Evidence,
    /// Who has the administrator's keys.
    pub(crate) admin: Observed<CallerIdentity>,
    /// The lab's CA, in base64.
    pub(crate) ca: String,
    /// How much a page of a list holds.
    pub(crate) page: usize,
    /// How far its clock is ahead of this machine's.
    pub(crate) clock: jiff::SignedDuration,
}

impl World {
    /// What time it is in the world.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now() + self.clock
    }

    /// The operation that a request is, and its answer.
    pub(crate) fn answer(&self, request: &Request) -> (String, Reply) {
        // An interface endpoint of STS has the service's label behind its own.
        let labels: Vec<&str> = request.host().split('.').collect();
        let service = if labels.contains(&"sts") { "sts" } else { labels[0] };
        match service {
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
        let authorization =
            request.parameter("X-Amz-Credential").or(request.header("authorization").map(str::to_owned));
        let authorization = authorization.unwrap_or_default();
        let scope = authorization.split_once("Credential=").map_or(authorization.as_str(), |(_, scope)| scope);
        let caller = self.holder(scope.split('/').next().unwrap_or_default());
        let operation = if presigned { "execCaller" } else { "sts:GetCallerIdentity" };
        let url = format!("https://{}{}", request.host(), request.target);
        let is_signed = !presigned || is_signed_for(&url, request.header("x-k8s-aws-id").unwrap_or_default());
        let reply = match (caller, is_signed) {
            (_, false) => sts_error(&Failure {
                status: Some(403),
                code: Some("SignatureDoesNotMatch".to_owned()),
                message: "The request signature we calculated does not match".to_owned(),
                ..Failure::default()
            }),
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
        if let Some(data) = value.pointer_mut("/certificateAuthority/data") {
            *data = self.ca.clone().into();
        }
        // Lines of a log are there where it is switched on.
        if self.evidence.logs.authenticator.found().is_some_and(|lines| !lines.is_empty())
            && value.get("logging").is_none()
        {
            value["logging"] = json!({ "clusterLogging": [{ "types": ["authenticator"], "enabled": true }] });
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
            (None, None) if self.evidence.aws.principal.found().is_none() => {
                let code = Some("AccessDenied".to_owned());
                sts_error(&Failure { status: Some(403), code, ..Failure::default() })
            }
            (None, None) => {
                sts_error(&Failure { status: Some(404), code: Some("NoSuchEntity".into()), ..Failure::default() })
            }
        };
        (format!("iam:{action}"), reply)
    }

    fn events(&self) -> Reply {
        let creation = self.evidence.aws.create_cluster_event.found();
        let time = creation.and_then(|creation| creation.event_time);
        let event = |name: &str, principal: &str| {
            let record = json!({
                "eventTime": time,
                "requestParameters": { "name": name },
                "userIdentity": { "sessionContext": { "sessionIssuer": { "arn": principal } } }
            });
            json!({ "EventName": "CreateCluster", "CloudTrailEvent": record.to_string() })
        };
        let mut events = vec![event("other", "arn:aws:iam::111122223333:role/other")];
        events.extend(creation.map(|creation| event("prod", &creation.principal_arn)));
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
        // Everybody may read it, as by the bindings that Kubernetes begins with.
        if request.path() == "/version"
            && request.header("authorization").is_none()
            && kubernetes.version.found().is_some()
        {
            return (operation, k8s_reply(&kubernetes.version, |version| json!(version)));
        }
        let user = match self.log_in(request) {
            Ok(user) => user,
            Err(refusal) => return (operation, status_reply(&refusal)),
        };
        let list = |kind: &str, items: Value| self.k8s_page(request, kind, items);
        let reply = match request.path() {
            "/version" => k8s_reply(&kubernetes.version, |version| json!(version)),
            "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
                Reply::json(200, &review("authentication.k8s.io/v1", "SelfSubjectReview", &json!({ "userInfo": user })))
            }
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => k8s_reply(&kubernetes.access_review, |said| {
                review("authorization.k8s.io/v1", "SelfSubjectAccessReview", &json!(said))
            }),
            "/api/v1/namespaces/kube-system/configmaps/aws-auth" => {
                k8s_reply(&kubernetes.aws_auth, |map| object("ConfigMap", map))
            }
            "/api/v1/configmaps" => k8s_reply(&kubernetes.misplaced_aws_auth, |names| {
                let items: Vec<_> = names.iter().map(|name| json!({ "metadata": name })).collect();
                list("PartialObjectMetadataList", items.into())
            }),
            path if path.ends_with("/pods") => self.pods(path, &user),
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
            path => discovery(path),
        };
        (operation, reply)
    }

    /// The list of pods of one namespace or of all, which is empty, or the refusal that the access review announces.
    fn pods(&self, path: &str, user: &UserInfo) -> Reply {
        let kubernetes = &self.evidence.kubernetes;
        let namespace = path.strip_prefix("/api/v1/namespaces/").and_then(|rest| rest.split('/').next());
        let place = namespace.map_or("at the cluster scope".to_owned(), |name| format!("in the namespace \"{name}\""));
        let message = format!(
            "pods is forbidden: User \"{}\" cannot list resource \"pods\" in API group \"\" {place}",
            user.username
        );
        match (kubernetes.action_attempt.failure(), kubernetes.access_review.found()) {
            (Some(failure), _) => status_reply(failure),
            (None, Some(review)) if !review.allowed => {
                let code = Some("Forbidden".to_owned());
                status_reply(&Failure { status: Some(403), code, message, ..Failure::default() })
            }
            _ => Reply::json(200, &json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [] })),
        }
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
        let version = match kind.starts_with("Partial") {
            true => "meta.k8s.io/v1",
            false => "rbac.authorization.k8s.io/v1",
        };
        json!({ "kind": kind, "apiVersion": version, "metadata": { "continue": more }, "items": shown })
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

/// What clients ask to find out which resources there are.
fn discovery(path: &str) -> Reply {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let resources = |version: &str, names: &[(&str, &str, bool)]| {
        let resources: Vec<_> = names
            .iter()
            .map(|(name, kind, namespaced)| json!({ "name": name, "singularName": "", "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"] }))
            .collect();
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources })
    };
    let answer = match path {
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => {
            let version = json!({ "groupVersion": RBAC, "version": "v1" });
            let group =
                json!({ "name": "rbac.authorization.k8s.io", "versions": [version], "preferredVersion": version });
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group] })
        }
        "/api/v1" => resources("v1", &[("pods", "Pod", true), ("configmaps", "ConfigMap", true)]),
        "/apis/rbac.authorization.k8s.io/v1" => resources(
            RBAC,
            &[
                ("clusterroles", "ClusterRole", false),
                ("clusterrolebindings", "ClusterRoleBinding", false),
                ("roles", "Role", true),
                ("rolebindings", "RoleBinding", true),
            ],
        ),
        _ => return Reply::text(404, "text/plain", "404 page not found"),
    };
    Reply::json(200, &answer)
}

fn review(version: &str, kind: &str, status: &Value) -> Value {
    json!({ "kind": kind, "apiVersion": version, "metadata": {}, "status": status })
}

fn object(kind: &str, content: impl Serialize) -> Value {
    let mut object = json!({ "kind": kind, "apiVersion": "v1" });
    if let (Value::Object(object), Value::Object(content)) = (&mut object, json!(content)) {
        object.extend(content);
    }
    object
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
