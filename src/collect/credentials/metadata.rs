//! Credentials that the place where the program runs hands out: a container's endpoint (ECS, EKS Pod Identity) and
//! EC2 instance metadata. Asked over plain HTTP on link-local addresses, never through a proxy.

use std::time::Duration;

use aws_credential_types::Credentials as Keys;
use http::Request;
use hyper::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{Chain, OPERATION};
use crate::collect::aws::answer;
use crate::collect::failure::{self, failure};
use crate::evidence::Failure;

/// Where a relative URI is asked.
const CONTAINER: &str = "http://169.254.170.2";

const INSTANCE: &str = "http://169.254.169.254";

/// Off EC2 nobody answers, and everybody waits this long.
const INSTANCE_LIMIT: Duration = Duration::from_millis(500);

const INSTANCE_ROLES: &str = "latest/meta-data/iam/security-credentials/";

impl Chain<'_> {
    /// The keys of a container's task role or Pod Identity.
    pub(super) async fn container(&self) -> Result<Keys, Failure> {
        let operation = "GET container credentials";
        let relative = self.surroundings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let full = self.surroundings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let url = relative.map(|path| format!("{CONTAINER}{path}")).or(full.map(str::to_owned)).unwrap_or_default();
        let token = match self.surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(path) => {
                let path = self.surroundings.expand_home(path);
                let read = crate::collect::file::read_text(&path);
                Some(read.map_err(|error| failure(OPERATION, "ENOENT", format!("{}: {error}", path.display())))?)
            }
            None => self.surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
        };
        let token = token.as_deref().map(str::trim_end);
        let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
        let answer = self.aws.http().get(&url, &headers).await;
        let answer = answer.map_err(|error| failure::of_error(operation, error.as_ref()))?;
        let body = String::from_utf8_lossy(answer.body());
        if !answer.status().is_success() {
            return Err(answer::error_of(operation, answer.status().as_u16(), &body));
        }
        keys(&body, "container").ok_or_else(|| answer::unreadable(operation, "no keys in it"))
    }

    /// The keys of the instance's role; nothing if this is no instance or it has no role.
    pub(super) async fn instance_keys(&self) -> Result<Option<Keys>, Failure> {
        let endpoint =
            self.surroundings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(INSTANCE).trim_end_matches('/');
        let token = Request::put(format!("{endpoint}/latest/api/token"))
            .header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        let Ok(token) = token.body(Bytes::new()) else { return Ok(None) };
        let token = match tokio::time::timeout(INSTANCE_LIMIT, self.aws.http().send(token)).await {
            Ok(Ok(answer)) if answer.status().is_success() => String::from_utf8_lossy(answer.body()).into_owned(),
            _ => return Ok(None),
        };
        let get = async |path: &str| {
            let url = format!("{endpoint}/{INSTANCE_ROLES}{path}");
            let answer = self.aws.http().get(&url, &[("x-aws-ec2-metadata-token", &token)]).await;
            answer.map_err(|error| failure::of_error("GET instance metadata", error.as_ref()))
        };
        let roles = get("").await?;
        let role = String::from_utf8_lossy(roles.body()).lines().next().unwrap_or_default().to_owned();
        if !roles.status().is_success() || role.is_empty() {
            return Ok(None);
        }
        let answer = get(&role).await?;
        let read = keys(&String::from_utf8_lossy(answer.body()), "imds");
        read.map(Some).ok_or_else(|| answer::unreadable("GET instance metadata", "no keys in it"))
    }
}

fn keys(body: &str, provider: &'static str) -> Option<Keys> {
    let issued: Value = serde_json::from_str(body).ok()?;
    let field = |key: &str| issued.get(key).and_then(Value::as_str);
    let expires = field("Expiration").and_then(|time| time.parse::<Timestamp>().ok());
    let token = field("Token").map(str::to_owned);
    Some(Keys::new(field("AccessKeyId")?, field("SecretAccessKey")?, token, expires.map(Into::into), provider))
}
