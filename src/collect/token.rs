//! EKS bearer tokens: what one says of itself, the presigned request in it, and making one without the AWS CLI.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use jiff::Timestamp;
use serde_json::Value;

use crate::evidence::redact;
use crate::evidence::{TokenKind, TokenStatement};

/// What every EKS token begins with.
const PREFIX: &str = "k8s-aws-v1.";

/// The header that ties a token to a cluster.
pub(crate) const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// What a token says of itself.
pub(crate) fn describe(token: &str) -> TokenStatement {
    let said = TokenStatement { bytes: u64::try_from(token.len()).ok(), ..TokenStatement::default() };
    if let Some(body) = token.strip_prefix(PREFIX) {
        let said = TokenStatement { prefix_ok: Some(true), padded: Some(body.contains('=')), ..said };
        return presigned_url(token).map_or(said.clone(), |url| describe_url(&url, said));
    }
    match claims(token) {
        Some(claims) => TokenStatement {
            kind: Some(TokenKind::ServiceAccount),
            prefix_ok: Some(false),
            issuer: claims.get("iss").and_then(Value::as_str).map(str::to_owned),
            subject: claims.get("sub").and_then(Value::as_str).map(str::to_owned),
            expires_at: claims
                .get("exp")
                .and_then(Value::as_i64)
                .and_then(|second| Timestamp::from_second(second).ok()),
            ..said
        },
        None => TokenStatement { kind: Some(TokenKind::Opaque), prefix_ok: Some(false), ..said },
    }
}

/// The presigned request in a token. Padding, which the server refuses, is forgiven here.
pub(crate) fn presigned_url(token: &str) -> Option<Uri> {
    let body = token.strip_prefix(PREFIX)?.trim_end_matches('=');
    String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?.parse().ok()
}

fn describe_url(url: &Uri, said: TokenStatement) -> TokenStatement {
    let parameters: Vec<(String, String)> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| {
            (name.to_owned(), percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
        })
        .collect();
    let value = |wanted: &str| {
        parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    };
    let scope: Vec<&str> = value("X-Amz-Credential").map(|scope| scope.split('/').collect()).unwrap_or_default();
    TokenStatement {
        host: url.authority().map(|host| host.as_str().to_owned()),
        region: scope.get(2).map(|region| (*region).to_owned()),
        access_key_id: scope.first().map(|id| redact::access_key_id(id)),
        parameters: Some(parameters.iter().map(|(name, _)| name.clone()).collect()),
        date: value("X-Amz-Date").and_then(amz_date),
        expires: value("X-Amz-Expires").and_then(|seconds| seconds.parse().ok()),
        signed_headers: value("X-Amz-SignedHeaders").map(|names| names.split(';').map(str::to_owned).collect()),
        has_session_token: Some(value("X-Amz-Security-Token").is_some()),
        ..said
    }
}

/// A time as AWS writes it: `20261121T100000Z`.
fn amz_date(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// The claims of a JSON web token.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()
}

/// Makes a token as `aws eks get-token` does: the presigned request `sts:GetCallerIdentity` of a region's STS host,
/// tied to the cluster. Purely local.
pub(crate) fn make(keys: &Credentials, cluster: &str, region: &str, at: SystemTime) -> Result<String, String> {
    let url = format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", sts_host(region));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(60));
    let identity = keys.clone().into();
    let parameters =
        v4::SigningParams::builder().identity(&identity).region(region).name("sts").time(at).settings(settings);
    let parameters = parameters.build().map_err(|error| error.to_string())?.into();
    let headers = [(CLUSTER_HEADER, cluster)].into_iter();
    let request =
        SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b"")).map_err(|error| error.to_string())?;
    let (instructions, _) = sign(request, &parameters).map_err(|error| error.to_string())?.into_parts();
    let mut signed = http::Request::get(&url).body(()).map_err(|error| error.to_string())?;
    instructions.apply_to_request_http1x(&mut signed);
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string())))
}

/// The plain STS host of a region.
fn sts_host(region: &str) -> String {
    format!("sts.{region}.{}", dns_suffix(region))
}

/// The domain of the services in a region's partition.
pub(crate) fn dns_suffix(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "amazonaws.com.cn",
        _ if region.starts_with("eusc-") => "amazonaws.eu",
        _ if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ if region.starts_with("eu-isoe-") => "cloud.adc-e.uk",
        _ if region.starts_with("us-isof-") => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    }
}

/// Whether a host is one of STS's own, to which a presigned request may be sent. Anything else could be anybody's.
pub(crate) fn is_sts_host(host: &str) -> bool {
    const DUAL_STACK: [&str; 3] = ["api.aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu"];
    let Some((service, rest)) = host.split_once('.') else { return false };
    let Some((region, domain)) = rest.split_once('.') else { return false };
    let is_region =
        region.contains('-') && region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    host == "sts.amazonaws.com"
        || matches!(service, "sts" | "sts-fips")
            && is_region
            && (domain == dns_suffix(region) || DUAL_STACK.contains(&domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Credentials {
        Credentials::new("ASIAIOSFODNN7EXAMPLE", "swordfish", Some("session-swordfish".into()), None, "test")
    }

    #[test]
    fn a_made_token_says_what_it_is() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_255_200);
        let token = make(&keys(), "prod", "eu-west-1", at).unwrap();
        let said = describe(&token);
        assert_eq!(said.host.as_deref(), Some("sts.eu-west-1.amazonaws.com"));
        assert_eq!(said.region.as_deref(), Some("eu-west-1"));
        assert_eq!(said.access_key_id.as_deref(), Some("ASIAXXXXXXXXXXXXMPLE"));
        assert_eq!(said.date.map(|date| date.as_second()), Some(1_795_255_200));
        assert_eq!((said.expires, said.padded, said.has_session_token), (Some(60), Some(false), Some(true)));
        assert_eq!(said.signed_headers, Some(vec!["host".to_owned(), CLUSTER_HEADER.to_owned()]));
        assert!(!serde_json::to_string(&said).unwrap().contains("swordfish"));
    }

    #[test]
    fn other_tokens_are_told_apart() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"i","sub":"system:serviceaccount:a:b","exp":1795255200}"#);
        let said = describe(&format!("e30.{claims}.c2ln"));
        assert_eq!((said.kind, said.issuer.as_deref()), (Some(TokenKind::ServiceAccount), Some("i")));
        assert!(said.expires_at.is_some());
        assert_eq!(describe("abcdef0123456789").kind, Some(TokenKind::Opaque));
        assert_eq!(describe("k8s-aws-v1.%%%").host, None);
    }

    #[test]
    fn only_hosts_of_sts_are_sent_a_presigned_request() {
        for host in [
            "sts.amazonaws.com",
            "sts.eu-west-1.amazonaws.com",
            "sts-fips.us-gov-west-1.amazonaws.com",
            "sts.eu-west-1.api.aws",
            "sts.cn-north-1.amazonaws.com.cn",
            "sts.cn-north-1.api.amazonwebservices.com.cn",
        ] {
            assert!(is_sts_host(host), "{host}");
        }
        for host in [
            "127.0.0.1:5000",
            "sts.eu-west-1.amazonaws.com.evil.example",
            "sts.evil.example",
            "vpce-1.sts.eu-west-1.vpce.amazonaws.com",
            "sts.eu-west-1.amazonaws.com:444",
            "user@sts.eu-west-1.amazonaws.com",
            "sts.cn-north-1.amazonaws.com",
        ] {
            assert!(!is_sts_host(host), "{host}");
        }
    }
}
