//! EKS bearer tokens: what one says of itself, the presigned request in it, and making one without the AWS CLI.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;

use crate::evidence::TokenStatement;
use crate::facts::arn::Partition;
use crate::facts::token::{PREFIX, Server, examine};

/// The header that ties a token to a cluster.
pub(crate) const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// What a token says of itself, and why the API server of a cluster in this region refuses it, if it does. Without a
/// region that is left open.
pub(crate) fn describe(token: &str, region: Option<&str>) -> TokenStatement {
    let of = region.unwrap_or_default();
    let server = Server { partition: Partition::of_region(of), region: of.to_owned() };
    let statement = examine(token, &server, super::now()).statement;
    TokenStatement { rejection: statement.rejection.filter(|_| region.is_some()), ..statement }
}

/// The presigned request in a token. Padding, which the server refuses, is forgiven here.
pub(crate) fn presigned_url(token: &str) -> Option<Uri> {
    let body = token.strip_prefix(PREFIX)?.trim_end_matches('=');
    String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?.parse().ok()
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
#[expect(clippy::disallowed_methods, reason = "tokens are judged by the time of day")]
mod tests {
    use super::*;

    fn keys() -> Credentials {
        Credentials::new("ASIAIOSFODNN7EXAMPLE", "swordfish", Some("session-swordfish".into()), None, "test")
    }

    #[test]
    fn a_made_token_says_what_it_is() {
        let token = make(&keys(), "prod", "eu-west-1", SystemTime::now()).unwrap();
        let said = describe(&token, Some("eu-west-1"));
        assert_eq!(said.host.as_deref(), Some("sts.eu-west-1.amazonaws.com"));
        assert_eq!(said.region.as_deref(), Some("eu-west-1"));
        assert_eq!(said.access_key_id.as_deref(), Some("ASIAXXXXXXXXXXXXMPLE"));
        assert_eq!((said.expires, said.padded, said.has_session_token), (Some(60), Some(false), Some(true)));
        assert_eq!(said.signed_headers, Some(vec!["host".to_owned(), CLUSTER_HEADER.to_owned()]));
        assert_eq!((said.date.is_some(), said.rejection.as_deref()), (true, None));
        assert!(!serde_json::to_string(&said).unwrap().contains("swordfish"));
    }

    #[test]
    fn a_token_that_the_server_refuses_says_so_where_the_server_is_known() {
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_255_200);
        let old = make(&keys(), "prod", "eu-west-1", old - Duration::from_secs(400_000_000)).unwrap();
        let rejection = |token: &str, region| describe(token, region).rejection.unwrap_or_default();
        assert!(rejection(&old, Some("eu-west-1")).contains("is expired"));
        assert_eq!(rejection(&old, None), "");
        let abroad = make(&keys(), "prod", "cn-north-1", SystemTime::now()).unwrap();
        assert!(rejection(&abroad, Some("eu-west-1")).contains("does not support hostname"));
        assert!(rejection("abcdef0123456789", Some("eu-west-1")).contains("is missing expected"));
        assert_eq!(describe("k8s-aws-v1.%%%", None).host, None);
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
