//! The answer of STS: who the caller is, in the server's eyes.

use serde_json::Value;

use super::super::arn::{CanonicalArn, PrincipalType, RawArn};
use super::super::aws_auth::go_json_error;
use super::super::go_text;
use super::{Rejection, RejectionKind, StsRequest};

/// Who a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsIdentity {
    /// The ARN as STS spells it.
    pub raw_arn: RawArn,
    /// The ARN that is looked up.
    pub canonical_arn: CanonicalArn,
    /// Account id.
    pub account: String,
    /// Unique id: `AROA…`, `AIDA…`; the account id for the root user, `ACCOUNT:NAME` for a federated user.
    pub unique_id: String,
    /// Session name of a role session; empty for everybody else.
    pub session_name: String,
}

/// Reads the answer of STS to the request that the server sends for a token.
pub fn interpret_sts_answer(request: &StsRequest, status: u16, body: &str) -> Result<StsIdentity, Rejection> {
    if status != 200 {
        if body.contains("Throttling") {
            return Err(Rejection { kind: RejectionKind::Throttled, message: body.to_owned() });
        }
        let region = &request.region;
        return Err(Rejection::sts(format!(
            "error from AWS (expected 200, got {status}) on {region} endpoint. Body: {body}"
        )));
    }
    if let Some((message, _)) = go_json_error(body) {
        return Err(Rejection::sts(message));
    }
    let answer: Value = serde_json::from_str(body).map_err(|error| Rejection::sts(error.to_string()))?;
    let path = ["GetCallerIdentityResponse", "GetCallerIdentityResult"];
    let result = path.iter().fold(&answer, |value, key| member(value, key));
    let text = |key: &str| member(result, key).as_str().unwrap_or_default();
    identify(text("Arn"), text("UserId"), text("Account"))
}

/// Who `sts:GetCallerIdentity` says the caller is: unique id and session come out of the user id, which for role sessions
/// must be exactly `ID:SESSION`.
pub fn identify(arn: &str, user_id: &str, account: &str) -> Result<StsIdentity, Rejection> {
    let raw_arn = RawArn::new(arn);
    let (canonical_arn, principal_type) = raw_arn.canonicalize().map_err(|error| Rejection::sts(error.to_string()))?;
    let (unique_id, session_name) = match principal_type {
        PrincipalType::User | PrincipalType::Root | PrincipalType::FederatedUser => (user_id, ""),
        PrincipalType::AssumedRole | PrincipalType::Role => match user_id.split_once(':') {
            Some((unique_id, session)) if !session.contains(':') => (unique_id, session),
            _ => return Err(Rejection::sts(format!("malformed UserID {}", go_text::quote(user_id)))),
        },
    };
    Ok(StsIdentity {
        raw_arn,
        canonical_arn,
        account: account.to_owned(),
        unique_id: unique_id.to_owned(),
        session_name: session_name.to_owned(),
    })
}

/// A member of an object, by `encoding/json`'s rule for keys; null if there is none.
fn member<'a>(value: &'a Value, key: &str) -> &'a Value {
    let exact = value.get(key);
    let folded = || value.as_object()?.iter().find(|(name, _)| go_text::equal_fold(name, key)).map(|(_, value)| value);
    exact.or_else(folded).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_name_nobody() {
        let region = "eu-west-1".to_owned();
        let request = StsRequest { host: String::new(), region, access_key_id: String::new() };
        let message = |status: u16, body: &str| interpret_sts_answer(&request, status, body).unwrap_err().to_string();
        assert_eq!(
            message(200, "<html>"),
            "sts getCallerIdentity failed: invalid character '<' looking for beginning of value"
        );
        assert_eq!(message(200, "{}"), "sts getCallerIdentity failed: arn '' is invalid: 'arn: invalid prefix'");
        let throttled = interpret_sts_answer(&request, 503, "Throttling").unwrap_err();
        assert_eq!((throttled.http_status(), throttled.kind), (429, RejectionKind::Throttled));
    }
}
