//! Answers that are read without the SDK: what is wrong with unreadable ones, times as numbers, and who a presigned
//! request is.

use http::Response;
use jiff::Timestamp;
use serde_json::Value;

use crate::collect::failure;
use crate::evidence::redact;
use crate::evidence::{CallerIdentity, Failure, Observed};

/// The code of an answer that no service of AWS gives.
pub(super) const UNREADABLE: &str = "UnreadableAnswer";

/// Of an unreadable answer this much is shown.
const SHOWN: usize = 200;

/// An answer that is not what the service sends: a proxy's page, a captive portal, garbage.
pub(crate) fn unreadable(operation: &str, what: &str) -> Failure {
    let text: String = what.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = text.chars().take(SHOWN).collect();
    failure::failure(operation, UNREADABLE, format!("this is no answer of the service: {}", redact::scrub(&shown)))
}

/// Turns the times of an answer, which EKS sends as seconds since 1970, into texts.
pub(super) fn write_times(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(write_times),
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_time = ["At", "Expiry", "Time", "Date"].iter().any(|end| name.ends_with(end));
                match value.as_f64().filter(|_| is_time).and_then(time) {
                    Some(time) => *value = Value::String(time.to_string()),
                    None => write_times(value),
                }
            }
        }
        _ => {}
    }
}

/// A time from seconds since 1970, to a thousandth.
fn time(seconds: f64) -> Option<Timestamp> {
    let milliseconds = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "the value is in range, and jiff checks it again")]
    (milliseconds.abs() < 1e15).then(|| Timestamp::from_millisecond(milliseconds as i64).ok()).flatten()
}

/// Reads the answer to a presigned `sts:GetCallerIdentity`.
pub(crate) fn caller_of_presigned(operation: &str, answer: &Response<hyper::body::Bytes>) -> Observed<CallerIdentity> {
    let body = String::from_utf8_lossy(answer.body());
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return match field(&body, "Arn") {
            Some(arn) => Observed::Found(CallerIdentity {
                arn,
                account: field(&body, "Account"),
                user_id: field(&body, "UserId"),
            }),
            None => Observed::Failed(Failure { status: Some(status), ..unreadable(operation, &body) }),
        };
    }
    super::refused_or_failed(error_of(operation, status, &body))
}

/// Reads an error in JSON or XML.
pub(crate) fn error_of(operation: &str, status: u16, body: &str) -> Failure {
    let code = field(body, "Code").or_else(|| field(body, "__type")).map(|code| match code.rsplit_once('#') {
        Some((_, code)) => code.to_owned(),
        None => code,
    });
    let Some(code) = code else { return Failure { status: Some(status), ..unreadable(operation, body) } };
    let message = field(body, "Message").or_else(|| field(body, "message")).unwrap_or_default();
    Failure {
        operation: Some(operation.to_owned()),
        status: Some(status),
        code: Some(code),
        message: redact::scrub(&message).into_owned(),
        request_id: field(body, "RequestId"),
    }
}

/// The first text of a name in a JSON or XML document.
pub(crate) fn field(body: &str, name: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body) {
        Ok(document) => find(&document, name),
        Err(_) => {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let from = body.find(&open)? + open.len();
            let text = body.get(from..)?.split(&close).next()?;
            Some(unescape(text))
        }
    }
}

fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(fields) => match fields.get(name).and_then(Value::as_str) {
            Some(text) => Some(text.to_owned()),
            None => fields.values().find_map(|value| find(value, name)),
        },
        Value::Array(elements) => elements.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

fn unescape(text: &str) -> String {
    let replace = |text: String, (entity, letter): &(&str, &str)| text.replace(entity, letter);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#x27;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.trim().to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Observed<CallerIdentity> {
        let answer =
            Response::builder().status(status).body(hyper::body::Bytes::copy_from_slice(body.as_bytes())).unwrap();
        caller_of_presigned("sts:GetCallerIdentity", &answer)
    }

    #[test]
    fn both_formats_of_sts_are_read() {
        let json = r#"{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"1","Arn":"arn:aws:iam::1:user/a","UserId":"AIDA"}}}"#;
        let xml = "<R><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/a</Arn><UserId>AIDA</UserId><Account>1</Account></GetCallerIdentityResult></R>";
        let expected = CallerIdentity {
            arn: "arn:aws:iam::1:user/a".into(),
            account: Some("1".into()),
            user_id: Some("AIDA".into()),
        };
        assert_eq!(answer(200, json), Observed::Found(expected.clone()));
        assert_eq!(answer(200, xml), Observed::Found(expected));
    }

    #[test]
    fn refusals_keep_their_code_and_pages_of_others_are_failures() {
        let json =
            r#"{"Error":{"Code":"SignatureDoesNotMatch","Message":"no & no","Type":"Sender"},"RequestId":"r-1"}"#;
        let xml = "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>a &amp; b</Message></Error><RequestId>r-2</RequestId></ErrorResponse>";
        let Observed::Denied(failure) = answer(403, json) else { panic!() };
        assert_eq!(
            (failure.code.as_deref(), failure.request_id.as_deref()),
            (Some("SignatureDoesNotMatch"), Some("r-1"))
        );
        let Observed::Denied(failure) = answer(403, xml) else { panic!() };
        assert_eq!(failure.message, "a & b");
        let Observed::Failed(failure) = answer(403, "<html>blocked</html>") else { panic!() };
        assert_eq!((failure.code.as_deref(), failure.status), (Some(UNREADABLE), Some(403)));
    }

    #[test]
    fn times_become_texts_and_other_numbers_stay() {
        let mut value = serde_json::json!({ "createdAt": 1_795_255_200.5, "count": 3, "nested": [{ "modifiedAt": 0 }], "expiresAt": "x" });
        write_times(&mut value);
        let expected = serde_json::json!({
            "createdAt": "2026-11-21T10:00:00.5Z", "count": 3, "nested": [{ "modifiedAt": "1970-01-01T00:00:00Z" }], "expiresAt": "x"
        });
        assert_eq!(value, expected);
    }
}
