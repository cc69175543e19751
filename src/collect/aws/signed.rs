//! The few calls to IAM, CloudTrail and CloudWatch Logs, signed here: their SDKs would double this program's size.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::Request;
use hyper::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::answer::{self, error_of, field};
use super::{Aws, RETRIES, is_throttled, pause, refused_or_failed};
use crate::collect::failure;
use crate::collect::subject::Principal;
use crate::collect::token::dns_suffix;
use crate::evidence::redact;
use crate::evidence::{Absent, CreateClusterEvent, Failure, IamPrincipal, Observed};

pub(crate) const GET_ROLE: &str = "iam:GetRole";
pub(crate) const GET_USER: &str = "iam:GetUser";
pub(crate) const LOOKUP_EVENTS: &str = "cloudtrail:LookupEvents";
pub(crate) const FILTER_LOG_EVENTS: &str = "logs:FilterLogEvents";

/// CloudTrail keeps events for 90 days, and may be asked twice a second.
pub(crate) const EVENT_HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);
const MOST_EVENT_PAGES: usize = 3;

/// How far back logs are read, and how many lines are kept.
const LOG_HISTORY: SignedDuration = SignedDuration::from_hours(3);
const MOST_LINES: usize = 100;
const MOST_LOG_PAGES: usize = 5;

/// A request before it is signed.
struct Plain<'p> {
    operation: &'p str,
    /// `None` is a GET of the query, `Some` a POST of JSON with a target.
    target: Option<&'static str>,
    region: String,
    url: String,
    body: String,
}

impl Aws<'_> {
    /// `iam:GetRole` or `iam:GetUser`.
    pub(crate) async fn principal(&self, keys: &Credentials, principal: &Principal<'_>) -> Observed<IamPrincipal> {
        let (operation, parameter, name, id) = match principal.role() {
            Some(role) => (GET_ROLE, "RoleName", role, "RoleId"),
            None => (GET_USER, "UserName", principal.name(), "UserId"),
        };
        let (region, host) = iam_endpoint(self.region());
        let action = operation.split(':').nth(1).unwrap_or_default();
        let endpoint = self.endpoint_url("iam").unwrap_or(format!("https://{host}"));
        let url = format!(
            "{}/?Action={action}&{parameter}={}&Version=2010-05-08",
            endpoint.trim_end_matches('/'),
            escape(name)
        );
        let plain = Plain { operation, target: None, region, url, body: String::new() };
        let body = match self.signed(keys, &plain).await {
            Ok(body) => body,
            Err(failure) => return refused_or_failed(failure),
        };
        match field(&body, "Arn") {
            Some(arn) => Observed::Found(IamPrincipal {
                arn,
                unique_id: field(&body, id),
                create_date: field(&body, "CreateDate").and_then(|date| date.parse().ok()),
            }),
            None => Observed::Failed(answer::unreadable(operation, &body)),
        }
    }

    /// `cloudtrail:LookupEvents`: the event of a cluster's creation in the last 90 days.
    pub(crate) async fn create_cluster_event(
        &self,
        keys: &Credentials,
        cluster: &str,
        place: &str,
    ) -> Observed<CreateClusterEvent> {
        let mut body = json!({
            "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": "CreateCluster" }],
            "MaxResults": 50,
        });
        for _ in 0..MOST_EVENT_PAGES {
            let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
            let answer = match self.json_call(keys, LOOKUP_EVENTS, target, &body).await {
                Ok(answer) => answer,
                Err(failure) => return refused_or_failed(failure),
            };
            let events = answer.get("Events").and_then(Value::as_array).into_iter().flatten();
            if let Some(event) = events.filter_map(|event| creation(event, cluster)).next() {
                return Observed::Found(event);
            }
            match answer.get("NextToken").filter(|token| token.is_string()) {
                Some(token) => body["NextToken"] = token.clone(),
                None => return Observed::Absent(Absent { looked: vec![place.to_owned()] }),
            }
        }
        Observed::Failed(failure::failure(
            LOOKUP_EVENTS,
            "TooManyEvents",
            "not among the last 150 clusters that were created here",
        ))
    }

    /// `logs:FilterLogEvents`: what the authenticator refused lately.
    pub(crate) async fn authenticator_lines(
        &self,
        keys: &Credentials,
        cluster: &str,
        now: Timestamp,
    ) -> Observed<Vec<String>> {
        let mut body = json!({
            "logGroupName": format!("/aws/eks/{cluster}/cluster"),
            "logStreamNamePrefix": "authenticator",
            "startTime": now.saturating_sub(LOG_HISTORY).unwrap_or(now).as_millisecond(),
            "filterPattern": "?denied ?error ?warning",
        });
        let mut lines = Vec::new();
        for _ in 0..MOST_LOG_PAGES {
            let answer = match self.json_call(keys, FILTER_LOG_EVENTS, "Logs_20140328.FilterLogEvents", &body).await {
                Ok(answer) => answer,
                Err(failure) => return refused_or_failed(failure),
            };
            let events = answer.get("events").and_then(Value::as_array).into_iter().flatten();
            lines.extend(
                events
                    .filter_map(|event| event.get("message")?.as_str())
                    .map(|line| redact::scrub(line.trim_end()).into_owned()),
            );
            match answer.get("nextToken").filter(|token| token.is_string()) {
                Some(token) => body["nextToken"] = token.clone(),
                None => break,
            }
        }
        // The newest come last.
        lines.drain(..lines.len().saturating_sub(MOST_LINES));
        Observed::Found(lines)
    }

    async fn json_call(
        &self,
        keys: &Credentials,
        operation: &str,
        target: &'static str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let service = operation.split(':').next().unwrap_or_default();
        let region = self.region().to_owned();
        let endpoint =
            self.endpoint_url(service).unwrap_or(format!("https://{service}.{region}.{}", dns_suffix(&region)));
        let plain = Plain {
            operation,
            target: Some(target),
            region,
            url: format!("{}/", endpoint.trim_end_matches('/')),
            body: body.to_string(),
        };
        let body = self.signed(keys, &plain).await?;
        serde_json::from_str(&body).map_err(|_| answer::unreadable(operation, &body))
    }

    /// Signs and sends a request, again after a pause while the service throttles. The answer's body.
    async fn signed(&self, keys: &Credentials, plain: &Plain<'_>) -> Result<String, Failure> {
        let operation = plain.operation;
        let mut attempt = 0;
        loop {
            let request =
                sign_request(keys, plain).map_err(|error| failure::failure(operation, "InvalidRequest", error))?;
            let answer = self.http.send(request).await.map_err(|error| failure::of_error(operation, error.as_ref()))?;
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            if answer.status().is_success() {
                return Ok(body);
            }
            let failure = error_of(operation, answer.status().as_u16(), &body);
            if attempt >= RETRIES || !is_throttled(&failure) {
                return Err(failure);
            }
            pause(attempt).await;
            attempt += 1;
        }
    }
}

fn sign_request(keys: &Credentials, plain: &Plain<'_>) -> Result<Request<Bytes>, String> {
    let service = plain.operation.split(':').next().unwrap_or_default();
    let identity = keys.clone().into();
    let parameters = v4::SigningParams::builder().identity(&identity).region(&plain.region).name(service).time(now());
    let parameters = parameters.settings(SigningSettings::default()).build().map_err(|error| error.to_string())?.into();
    let method = if plain.target.is_some() { "POST" } else { "GET" };
    let headers = plain.target.map(|target| [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)]);
    let headers: Vec<_> = headers.into_iter().flatten().collect();
    let body = SignableBody::Bytes(plain.body.as_bytes());
    let signable =
        SignableRequest::new(method, &plain.url, headers.iter().copied(), body).map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
    let request = headers.iter().fold(Request::builder().method(method).uri(&plain.url), |request, (name, value)| {
        request.header(*name, *value)
    });
    let mut request = request.body(Bytes::from(plain.body.clone())).map_err(|error| error.to_string())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// Region and host of IAM, of which each partition has one.
pub(super) fn iam_endpoint(region: &str) -> (String, String) {
    let (home, host) = match dns_suffix(region) {
        "amazonaws.com" if region.starts_with("us-gov-") => ("us-gov-west-1", "iam.us-gov.amazonaws.com".to_owned()),
        "amazonaws.com" => ("us-east-1", "iam.amazonaws.com".to_owned()),
        suffix => {
            let home = match suffix {
                "amazonaws.com.cn" => "cn-north-1",
                "amazonaws.eu" => "eusc-de-east-1",
                "c2s.ic.gov" => "us-iso-east-1",
                "sc2s.sgov.gov" => "us-isob-east-1",
                "cloud.adc-e.uk" => "eu-isoe-west-1",
                _ => "us-isof-south-1",
            };
            (home, format!("iam.{home}.{suffix}"))
        }
    };
    (home.to_owned(), host)
}

/// The creation of a cluster in an event, if it is that.
fn creation(event: &Value, cluster: &str) -> Option<CreateClusterEvent> {
    let record: Value = serde_json::from_str(event.get("CloudTrailEvent")?.as_str()?).ok()?;
    let text = |path: &str| record.pointer(path).and_then(Value::as_str);
    if text("/requestParameters/name") != Some(cluster) || text("/errorCode").is_some() {
        return None;
    }
    // A session's creator is its role, which alone has the path.
    let principal = text("/userIdentity/sessionContext/sessionIssuer/arn").or_else(|| text("/userIdentity/arn"))?;
    let mut identity = record.get("userIdentity")?.clone();
    if let Some(id) = identity.get_mut("accessKeyId").filter(|id| id.is_string()) {
        *id = redact::access_key_id(id.as_str().unwrap_or_default()).into();
    }
    Some(CreateClusterEvent {
        event_time: text("/eventTime").and_then(|time| time.parse().ok()),
        principal_arn: principal.to_owned(),
        other: [("userIdentity".to_owned(), identity)].into_iter().collect(),
    })
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[expect(clippy::disallowed_methods, reason = "a signature carries the time at which it was made")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_own_iam() {
        for (region, home, host) in [
            ("eu-west-1", "us-east-1", "iam.amazonaws.com"),
            ("us-gov-east-1", "us-gov-west-1", "iam.us-gov.amazonaws.com"),
            ("cn-northwest-1", "cn-north-1", "iam.cn-north-1.amazonaws.com.cn"),
            ("us-iso-west-1", "us-iso-east-1", "iam.us-iso-east-1.c2s.ic.gov"),
        ] {
            assert_eq!(iam_endpoint(region), (home.to_owned(), host.to_owned()), "{region}");
        }
    }

    #[test]
    fn the_creator_is_the_sessions_role() {
        let record = json!({
            "eventTime": "2026-01-01T00:00:00Z",
            "requestParameters": { "name": "prod" },
            "userIdentity": {
                "arn": "arn:aws:sts::111122223333:assumed-role/ci/x",
                "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                "sessionContext": { "sessionIssuer": { "arn": "arn:aws:iam::111122223333:role/team/ci" } }
            }
        });
        let event = json!({ "CloudTrailEvent": record.to_string() });
        let creation = creation(&event, "prod").unwrap();
        assert_eq!(creation.principal_arn, "arn:aws:iam::111122223333:role/team/ci");
        assert!(!format!("{creation:?}").contains("ASIAIOSFODNN7EXAMPLE"));
        assert_eq!(super::creation(&event, "other"), None);
    }
}
