//! What a token says of itself, and what can be judged from that alone.

use base64::Engine;
use jiff::Timestamp;
use serde_json::Value;

use super::super::go_text;
use super::{MAX_BYTES, PREFIX, Rejection, Server, go_time, go_url, host};
use crate::evidence::{TokenKind, TokenStatement};

/// Describes a token. Nothing of it is a secret, and much of it may be unknown where the token is broken.
pub(super) fn describe(token: &str) -> TokenStatement {
    let payload = token.strip_prefix(PREFIX);
    let statement = TokenStatement {
        bytes: u64::try_from(token.len()).ok(),
        prefix_ok: Some(payload.is_some()),
        ..TokenStatement::default()
    };
    match payload {
        Some(payload) => describe_url(payload, statement),
        None => describe_foreign(token, statement),
    }
}

fn describe_url(payload: &str, statement: TokenStatement) -> TokenStatement {
    let padded = payload.contains('=');
    let statement = TokenStatement { kind: Some(TokenKind::Eks), padded: Some(padded), ..statement };
    // Other flavours of base64 are refused; what they say is still worth telling.
    let usual: String = payload.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let Some(url) = super::decode(&usual).ok().and_then(|url| go_url::parse(&url).ok()) else { return statement };
    let parameters = go_url::parse_query(&url.raw_query).unwrap_or_default();
    let value = |wanted: &str| {
        let found = parameters.iter().find(|(name, _)| go_text::lower(name) == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let credential: Vec<&str> = value("x-amz-credential").unwrap_or_default().split('/').collect();
    TokenStatement {
        host: Some(url.host).filter(|host| !host.is_empty()),
        region: credential.get(2).map(|region| (*region).to_owned()),
        access_key_id: credential.first().filter(|id| !id.is_empty()).map(|id| mask(id)),
        date: value("x-amz-date").and_then(|date| go_time::parse(date).ok()),
        expires: value("x-amz-expires").and_then(|expires| expires.parse().ok()),
        signed_headers: value("x-amz-signedheaders").map(|headers| headers.split(';').map(str::to_owned).collect()),
        has_session_token: Some(value("x-amz-security-token").is_some()),
        parameters: Some(parameters.iter().map(|(name, _)| name.clone()).collect()),
        ..statement
    }
}

/// A token that is none of EKS: a JSON web token tells who it is and how long it lives.
fn describe_foreign(token: &str, statement: TokenStatement) -> TokenStatement {
    let claims = token.split('.').nth(1).filter(|_| token.matches('.').count() == 2).and_then(|claims| {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    });
    let text = |key: &str| claims.as_ref()?.get(key)?.as_str().map(str::to_owned);
    let subject = text("sub");
    let is_service_account = subject.as_ref().is_some_and(|subject| subject.starts_with("system:serviceaccount:"));
    let expires_at = claims.as_ref().and_then(|claims| claims.get("exp")?.as_i64());
    TokenStatement {
        kind: Some(if is_service_account { TokenKind::ServiceAccount } else { TokenKind::Opaque }),
        issuer: text("iss"),
        subject,
        expires_at: expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        ..statement
    }
}

/// First and last four characters.
fn mask(access_key_id: &str) -> String {
    let characters: Vec<char> = access_key_id.chars().collect();
    let shown = |position: usize| characters.len() > 8 && (position < 4 || position + 4 >= characters.len());
    let masked = |(position, character): (usize, &char)| if shown(position) { *character } else { 'X' };
    characters.iter().enumerate().map(masked).collect()
}

/// The rejection that follows from what a token says of itself, in the server's order of tests; `None` if nothing wrong
/// shows. What the statement does not mention counts as right.
pub fn judge_statement(statement: &TokenStatement, server: &Server, now: Timestamp) -> Option<Rejection> {
    if let Some(words) = &statement.rejection {
        let kinds = [super::RejectionKind::Format, super::RejectionKind::Sts, super::RejectionKind::Throttled];
        let known = kinds
            .into_iter()
            .find_map(|kind| Some(Rejection { kind, message: words.strip_prefix(kind.lead_in())?.to_owned() }));
        return Some(known.unwrap_or_else(|| Rejection::format(words.clone())));
    }
    judge(statement, server, now).err()
}

fn judge(statement: &TokenStatement, server: &Server, now: Timestamp) -> Result<(), Rejection> {
    if statement.bytes.is_some_and(|bytes| bytes > MAX_BYTES as u64) {
        return Err(super::too_large());
    }
    let foreign = matches!(statement.kind, Some(TokenKind::ServiceAccount | TokenKind::Opaque));
    if foreign || statement.prefix_ok == Some(false) {
        return Err(super::no_prefix());
    }
    if statement.padded == Some(true) {
        // The server also names the byte, which the statement does not tell.
        return Err(Rejection::format("illegal base64 data"));
    }
    if let Some(host) = &statement.host {
        host::verify(host, server)?;
    }
    let lacks = |wanted: &str| {
        let names = statement.parameters.as_ref();
        names.is_some_and(|names| !names.iter().any(|name| go_text::lower(name) == wanted))
    };
    super::check_names(statement.parameters.iter().flatten().map(String::as_str))?;
    if lacks("action") {
        return Err(super::wrong_action());
    }
    if let Some(headers) = &statement.signed_headers {
        super::check_signed_headers(headers.iter().map(String::as_str))?;
    } else if lacks("x-amz-signedheaders") {
        super::check_signed_headers(std::iter::empty())?;
    }
    if let Some(expires) = statement.expires {
        super::check_expires(expires, true)?;
    } else if lacks("x-amz-expires") {
        super::check_expires(0, false)?;
    }
    match statement.date {
        Some(signed_at) => super::check_age(signed_at, now),
        None if lacks("x-amz-date") => Err(super::no_date()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{super::arn::Partition, examine};
    use super::*;

    const NOW: &str = "2026-11-21T10:00:00Z";

    fn server() -> Server {
        Server { partition: Partition::Aws, region: "eu-west-1".to_owned() }
    }

    fn token(url: &str) -> String {
        format!("{PREFIX}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(url))
    }

    const URL: &str = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
        &X-Amz-Credential=ASIAABCDEFGHIJKLWXYZ%2F20261121%2Feu-west-1%2Fsts%2Faws4_request\
        &X-Amz-Date=20261121T095900Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
        &X-Amz-Security-Token=SECRET1&X-Amz-Signature=SECRET2";

    #[test]
    fn a_statement_has_no_secrets_and_judges_like_the_token() {
        let now: Timestamp = NOW.parse().unwrap();
        let examined = examine(&token(URL), &server(), now);
        let statement = examined.statement;
        assert!(examined.outcome.is_ok());
        assert_eq!(statement.access_key_id.as_deref(), Some("ASIAXXXXXXXXXXXXWXYZ"));
        assert_eq!(statement.region.as_deref(), Some("eu-west-1"));
        assert_eq!(statement.has_session_token, Some(true));
        assert!(!format!("{statement:?}").contains("SECRET"));
        assert_eq!(judge_statement(&statement, &server(), now), None);
        let later = now + super::super::LIFETIME;
        assert!(judge_statement(&statement, &server(), later).unwrap().message.contains("is expired"));
    }

    #[test]
    fn statements_show_what_is_wrong() {
        let now: Timestamp = NOW.parse().unwrap();
        for (from, to) in [
            ("sts.eu-west-1.amazonaws.com", "vpce-1.sts.eu-west-1.vpce.amazonaws.com"),
            ("Action=GetCallerIdentity&", ""),
            ("X-Amz-Expires=60", "X-Amz-Expires=901"),
            ("&X-Amz-Expires=60", ""),
            ("%3Bx-k8s-aws-id", ""),
            ("&X-Amz-Date=20261121T095900Z", ""),
            ("X-Amz-Date=20261121T095900Z", "X-Amz-Date=20261121T090000Z"),
            ("&Version=2011-06-15", "&Version=2011-06-15&X-Foo=1"),
        ] {
            let mut examined = examine(&token(&URL.replace(from, to)), &server(), now);
            let rejection = examined.outcome.unwrap_err();
            assert_eq!(judge_statement(&examined.statement, &server(), now), Some(rejection.clone()), "as recorded");
            examined.statement.rejection = None;
            assert_eq!(judge_statement(&examined.statement, &server(), now), Some(rejection), "as concluded: {to}");
        }
    }

    #[test]
    fn tokens_of_others_are_described() {
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(r#"{"iss":"https://oidc.example","sub":"system:serviceaccount:dev:web","exp":1763719200}"#);
        let described = describe(&format!("e30.{claims}.c2ln"));
        assert_eq!(described.kind, Some(TokenKind::ServiceAccount));
        assert_eq!(described.subject.as_deref(), Some("system:serviceaccount:dev:web"));
        assert!(described.expires_at.is_some());
        assert_eq!(describe("secret-token").kind, Some(TokenKind::Opaque));
    }
}
