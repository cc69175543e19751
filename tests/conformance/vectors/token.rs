//! Vectors about tokens.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use eks_doctor::facts::arn::Partition;
use eks_doctor::facts::token::{Rejection, RejectionKind, Server, StsIdentity, examine, interpret_sts_answer};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Vector, compare};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenVector {
    #[serde(default)]
    why: String,
    partition: String,
    url: Option<String>,
    token: Option<String>,
    pad_to: Option<usize>,
    #[serde(default)]
    date_offset_seconds: i64,
    #[serde(default = "default_region")]
    server_region: String,
    #[serde(default = "default_now")]
    now: Timestamp,
    #[serde(default = "default_status")]
    sts_status: u16,
    #[serde(default = "default_body")]
    sts_body: String,
    sent_to_sts: bool,
    expect: ExpectedToken,
}

fn default_region() -> String {
    "us-west-2".to_owned()
}

fn default_now() -> Timestamp {
    Timestamp::constant(1_795_255_200, 0) // 2026-11-21T10:00:00Z
}

fn default_status() -> u16 {
    200
}

fn default_body() -> String {
    r#"{"GetCallerIdentityResponse": {"GetCallerIdentityResult": {"Account": "111122223333",
        "Arn": "arn:aws:iam::111122223333:user/alice", "UserId": "AIDAEXAMPLE"}}}"#
        .to_owned()
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", untagged)]
enum ExpectedToken {
    /// Which of several wrong parameters is named is random.
    #[serde(rename_all = "camelCase")]
    AnyOf { any_of: Vec<Self> },
    #[serde(rename_all = "camelCase")]
    Rejected { rejected: String, message: String },
    #[serde(rename_all = "camelCase")]
    Accepted { canonical_arn: String, unique_id: String, session_name: String, access_key_id: String, sts_host: String },
}

impl Vector for TokenVector {
    fn why(&self) -> &str {
        &self.why
    }

    fn difference(&self) -> Option<String> {
        let partition = Partition::from_id(&self.partition).expect("a known partition");
        let server = Server { partition, region: self.server_region.clone() };
        let examined = examine(&self.token(), &server, self.now);
        let sent_to_sts = examined.outcome.is_ok();
        let outcome = examined.outcome.and_then(|request| {
            let StsIdentity { canonical_arn, unique_id, session_name, .. } =
                interpret_sts_answer(&request, self.sts_status, &self.sts_body)?;
            let canonical_arn = canonical_arn.to_string();
            let (access_key_id, sts_host) = (request.access_key_id, request.host);
            Ok(ExpectedToken::Accepted { canonical_arn, unique_id, session_name, access_key_id, sts_host })
        });
        let model = outcome.unwrap_or_else(rejected);
        let real = match &self.expect {
            ExpectedToken::AnyOf { any_of } if any_of.contains(&model) => model.clone(),
            ExpectedToken::Rejected { rejected, message } => {
                ExpectedToken::Rejected { rejected: rejected.clone(), message: self.with_time(message) }
            }
            other => other.clone(),
        };
        compare(&(sent_to_sts, model), &(self.sent_to_sts, real))
    }
}

impl TokenVector {
    /// The token in question.
    pub(crate) fn token(&self) -> String {
        let date = self.signed_at().strftime("%Y%m%dT%H%M%SZ").to_string();
        let url = self.url.as_deref().unwrap_or_default().replace("<DATE>", &date);
        let mut token = self.token.clone().unwrap_or_else(|| token_of(&url));
        token.extend(std::iter::repeat_n('A', self.pad_to.unwrap_or(0).saturating_sub(token.len())));
        token
    }

    /// The server's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// A message with the time of the token.
    pub(crate) fn with_time(&self, message: &str) -> String {
        message.replace("<TIME>", &self.signed_at().strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string())
    }

    fn signed_at(&self) -> Timestamp {
        self.now + SignedDuration::from_secs(self.date_offset_seconds)
    }
}

/// The token that holds this URL.
pub(crate) fn token_of(url: &str) -> String {
    format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(url))
}

fn rejected(rejection: Rejection) -> ExpectedToken {
    let kind = match rejection.kind {
        RejectionKind::Format => "format",
        RejectionKind::Sts => "sts",
        RejectionKind::Throttled => "throttled",
    };
    ExpectedToken::Rejected { rejected: kind.to_owned(), message: rejection.to_string() }
}
