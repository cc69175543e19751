//! What the server makes of tokens and of the answers of STS.

use base64::Engine;
use eks_doctor::facts::arn::Partition;
use eks_doctor::facts::token::{Rejection, RejectionKind, Server, StsIdentity, examine, interpret_sts_answer};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::vectors;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenVector {
    name: String,
    partition: String,
    url: Option<String>,
    token: Option<String>,
    pad_to: Option<usize>,
    #[serde(default)]
    date_offset_seconds: i64,
    server_region: Option<String>,
    sts_status: Option<u16>,
    sts_body: Option<String>,
    sent_to_sts: bool,
    expect: ExpectedToken,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
enum ExpectedToken {
    #[serde(rename_all = "camelCase")]
    Rejected { rejected: String, message: String },
    #[serde(rename_all = "camelCase")]
    Accepted { canonical_arn: String, unique_id: String, session_name: String, access_key_id: String, sts_host: String },
}

const ALICE: &str = r#"{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "111122223333",
    "Arn": "arn:aws:iam::111122223333:user/alice", "UserId": "AIDAEXAMPLE"}}}"#;

#[test]
fn tokens() {
    let vectors: Vec<TokenVector> = fixture!("tokens");
    assert_eq!(vectors.len(), 53);
    let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    for vector in vectors {
        let signed_at = now + SignedDuration::from_secs(vector.date_offset_seconds);
        let server = Server {
            partition: Partition::from_id(&vector.partition).unwrap(),
            region: vector.server_region.clone().unwrap_or_else(|| "us-west-2".to_owned()),
        };
        let examined = examine(&vector.whole_token(signed_at), &server, now);
        assert_eq!(examined.outcome.is_ok(), vector.sent_to_sts, "{}", vector.name);
        let outcome = examined.outcome.and_then(|request| {
            let body = vector.sts_body.as_deref().unwrap_or(ALICE);
            let StsIdentity { canonical_arn, unique_id, session_name, .. } =
                interpret_sts_answer(&request, vector.sts_status.unwrap_or(200), body)?;
            let canonical_arn = canonical_arn.to_string();
            let (access_key_id, sts_host) = (request.access_key_id, request.host);
            Ok(ExpectedToken::Accepted { canonical_arn, unique_id, session_name, access_key_id, sts_host })
        });
        let time = signed_at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
        assert_eq!(outcome.unwrap_or_else(rejected), vector.expect.with_time(&time), "{}", vector.name);
    }
}

pub(super) fn token_of(url: &str) -> String {
    format!("k8s-aws-v1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(url))
}

impl TokenVector {
    fn whole_token(&self, signed_at: Timestamp) -> String {
        let date = signed_at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut token = self
            .token
            .clone()
            .unwrap_or_else(|| token_of(&self.url.clone().unwrap_or_default().replace("<DATE>", &date)));
        token.extend(std::iter::repeat_n('A', self.pad_to.unwrap_or(0).saturating_sub(token.len())));
        token
    }
}

impl ExpectedToken {
    fn with_time(self, time: &str) -> Self {
        match self {
            Self::Rejected { rejected, message } => {
                Self::Rejected { rejected, message: message.replace("<TIME>", time) }
            }
            accepted @ Self::Accepted { .. } => accepted,
        }
    }
}

fn rejected(rejection: Rejection) -> ExpectedToken {
    let kind = match rejection.kind {
        RejectionKind::Format => "format",
        RejectionKind::Sts => "sts",
        RejectionKind::Throttled => "throttled",
    };
    ExpectedToken::Rejected { rejected: kind.to_owned(), message: rejection.to_string() }
}
