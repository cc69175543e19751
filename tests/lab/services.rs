//! The services of the lab: each answers a request as the evidence document says that it answered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eks_doctor::evidence::{Evidence, Failure, Observed};
use serde::Serialize;
use serde_json::{Value, json};

use crate::server::{Fault, Reply, Request};
use crate::world::{PLUGIN_KEY, ROLE_KEY, SECRET_KEY, SESSION_TOKEN, SHELL_KEY};

/// The services and what they know.
pub(crate) struct World {
    pub(crate) evidence: Evidence,
    /// The lab's CA, in base64.
    pub(crate) ca: String,
    /// How much a page of a list holds.
    pub(crate) page: usize,
}

impl World {
    /// The operation that a request is, and its answer.
    pub(crate) fn answer(&self, request: &Request) -> (String, Reply) {
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
