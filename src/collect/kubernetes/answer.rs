//! Reading answers of the Kubernetes API: its own errors told from those of others, its objects without what is noise
//! or could hide a secret.

use http::HeaderMap;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::collect::failure::failure;
use crate::collect::watch::unanswered;
use crate::evidence::redact;
use crate::evidence::{Absent, Failure, Observed};

/// The code of an answer that does not come from a Kubernetes API server.
pub(super) const NOT_KUBERNETES: &str = "NotKubernetes";

/// Of somebody else's page this much is shown.
const SHOWN: usize = 200;

/// An answer of any status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Reads an answer: JSON of the API, an error in the API's own form, or something that is not from there.
pub(super) fn read(operation: &str, answer: &Answer) -> Result<Value, Failure> {
    let mut value: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kind = value.as_ref().and_then(|value| value.get("kind")?.as_str().map(str::to_owned));
    let is_success = (200..300).contains(&answer.status);
    if is_success && let Some(value) = value.take().filter(Value::is_object) {
        return Ok(value);
    }
    let base = Failure { operation: Some(operation.to_owned()), status: Some(answer.status), ..Failure::default() };
    let text = |key: &str| value.as_ref().and_then(|value| value.get(key)?.as_str());
    if !is_success && kind.as_deref() == Some("Status") {
        return Err(Failure {
            code: text("reason").map(str::to_owned),
            message: redact::scrub(text("message").unwrap_or_default()).into_owned(),
            request_id: header("audit-id"),
            ..base
        });
    }
    let page: String = String::from_utf8_lossy(&answer.body).split_whitespace().collect::<Vec<_>>().join(" ");
    let page: String = page.chars().take(SHOWN).collect();
    let content = header("content-type").unwrap_or("no content type".to_owned());
    let message = format!("this is no answer of a Kubernetes API server ({content}): {}", redact::scrub(&page));
    Err(Failure { code: Some(NOT_KUBERNETES.to_owned()), message, ..base })
}

/// An error as an observation. Only the API server's own 404 says that something is not there.
pub(super) fn unfound<T>(path: &str, failure: Failure) -> Observed<T> {
    match (failure.status, failure.code.as_deref()) {
        (_, Some(NOT_KUBERNETES)) => Observed::Failed(failure),
        (Some(404), _) => Observed::Absent(Absent { looked: vec![path.to_owned()] }),
        _ => unanswered(failure),
    }
}

/// An answer as our own type, without what is noise or could hide a secret.
pub(super) fn typed<T: DeserializeOwned>(operation: &str, mut value: Value) -> Observed<T> {
    tidy(&mut value);
    serde_json::from_value(value).map_or_else(
        |error| Observed::Failed(failure(operation, NOT_KUBERNETES, format!("unexpected answer: {error}"))),
        Observed::Found,
    )
}

/// Drops the bookkeeping of field managers and scrubs what could hold a secret by accident, in an object or in every
/// item of a list.
fn tidy(value: &mut Value) {
    for item in value.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        tidy(item);
    }
    if let Some(data) = value.get_mut("data") {
        scrub_texts(data);
    }
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    metadata.remove("managedFields");
    if let Some(annotations) = metadata.get_mut("annotations") {
        scrub_texts(annotations);
    }
}

/// Scrubs every text in a value.
pub(super) fn scrub_texts(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(scrubbed) = redact::scrub(text) {
                *text = scrubbed;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(scrub_texts),
        Value::Object(fields) => fields.values_mut().for_each(scrub_texts),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        headers.insert("audit-id", "a-1".parse().unwrap());
        Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn the_servers_own_errors_are_told_from_those_of_others() {
        let status = r#"{"kind":"Status","message":"forbidden: User \"ada\"","reason":"Forbidden","code":403}"#;
        let denied = read("GET /x", &answer(403, "application/json", status)).unwrap_err();
        assert_eq!((denied.code.as_deref(), denied.request_id.as_deref()), (Some("Forbidden"), Some("a-1")));
        assert!(matches!(unfound::<()>("/x", denied), Observed::Denied(_)));
        let page = read("GET /x", &answer(403, "text/html", "<html><title>Blocked</title></html>")).unwrap_err();
        assert!(matches!(unfound::<()>("/x", page), Observed::Failed(failure) if failure.message.contains("Blocked")));
        let missing =
            read("GET /x", &answer(404, "application/json", r#"{"kind":"Status","reason":"NotFound"}"#)).unwrap_err();
        assert!(matches!(unfound::<()>("/x", missing), Observed::Absent(_)));
        let other_404 = read("GET /x", &answer(404, "text/html", "404 page not found")).unwrap_err();
        assert!(matches!(unfound::<()>("/x", other_404), Observed::Failed(_)));
        let page = read("GET /x", &answer(200, "text/html", "<html>log in</html>")).unwrap_err();
        assert_eq!(page.code.as_deref(), Some(NOT_KUBERNETES));
    }

    #[test]
    fn bookkeeping_goes_and_annotations_are_scrubbed() {
        let mut list = json!({ "items": [{ "metadata": {
            "name": "a", "managedFields": [1], "annotations": { "x": "password=swordfish1", "y": "plain" }
        } }] });
        tidy(&mut list);
        assert_eq!(
            list["items"][0]["metadata"],
            json!({ "name": "a", "annotations": { "x": "password=<redacted>", "y": "plain" } })
        );
    }
}
