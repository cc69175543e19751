//! EKS bearer tokens: every rule that the server has for them.
//!
//! A token is `k8s-aws-v1.` and the unpadded base64 of a presigned `sts:GetCallerIdentity` URL. The server judges that
//! URL before it sends it to STS; this module judges it the same way, in the same order, with the same words, and reads
//! the answer of STS as the server does. What is said of a token is never a secret of it.

use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

mod go_time;
mod go_url;
mod host;
mod statement;
mod sts_answer;

pub use statement::judge_statement;
pub use sts_answer::{StsIdentity, identify, interpret_sts_answer};

use super::arn::Partition;
use super::go_text;
use crate::evidence::TokenStatement;

/// What every EKS token begins with.
pub const PREFIX: &str = "k8s-aws-v1.";

const MAX_BYTES: usize = 4096;
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
const MAX_EXPIRES: i64 = 900;
/// A presigned STS request lives this long, whatever its `X-Amz-Expires` says.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);
const ALLOWED_PARAMETERS: [&str; 9] = [
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// The settings of the server that a token is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Partition of the cluster.
    pub partition: Partition,
    /// Region of the cluster.
    pub region: String,
}

/// Why the server refuses a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which step failed.
    pub kind: RejectionKind,
    /// The server's words without their lead-in, which [`Rejection`]'s `Display` has.
    pub message: String,
}

/// The step at which the server refuses a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// The token itself.
    Format,
    /// STS, or the identity that it answered.
    Sts,
    /// STS throttled the server.
    Throttled,
}

/// What a look at a whole token gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Examination {
    /// What the token says of itself, and the rejection if there is one.
    pub statement: TokenStatement,
    /// The request that the server would send, or why it sends none.
    pub outcome: Result<StsRequest, Rejection>,
}

/// The request that the server sends to STS for a token: a GET with its own cluster's name in `x-k8s-aws-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsRequest {
    /// STS host.
    pub host: String,
    /// Region of that host; `global` for `sts.amazonaws.com`.
    pub region: String,
    /// Access key id in full: no secret by itself, yet masked in every [`TokenStatement`].
    pub access_key_id: String,
}

impl Rejection {
    pub(crate) fn format(message: impl Into<String>) -> Self {
        Self { kind: RejectionKind::Format, message: go_text::shown(&message.into()) }
    }

    pub(crate) fn sts(message: impl Into<String>) -> Self {
        Self { kind: RejectionKind::Sts, message: message.into() }
    }

    /// The status with which the server answers the API server. 429 is tried again, 403 is not.
    pub fn http_status(&self) -> u16 {
        if self.kind == RejectionKind::Throttled { 429 } else { 403 }
    }
}

impl RejectionKind {
    fn lead_in(self) -> &'static str {
        match self {
            Self::Format => "input token was not properly formatted: ",
            Self::Sts => "sts getCallerIdentity failed: ",
            Self::Throttled => "sts getCallerIdentity was throttled: ",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.kind.lead_in(), self.message)
    }
}

impl std::error::Error for Rejection {}

/// Looks at a whole token as the server would at this time by its clock.
pub fn examine(token: &str, server: &Server, now: Timestamp) -> Examination {
    let outcome = judge(token, server, now);
    let rejection = outcome.as_ref().err().map(Rejection::to_string);
    Examination { statement: TokenStatement { rejection, ..statement::describe(token) }, outcome }
}

fn judge(token: &str, server: &Server, now: Timestamp) -> Result<StsRequest, Rejection> {
    if token.len() > MAX_BYTES {
        return Err(too_large());
    }
    let payload = token.strip_prefix(PREFIX).ok_or_else(no_prefix)?;
    let url = decode(payload)
        .map_err(|position| Rejection::format(format!("illegal base64 data at input byte {position}")))?;
    // The server quotes the URL here. It is a secret.
    let url = go_url::parse(&url).map_err(|why| Rejection::format(format!("parse \"<redacted>\": {why}")))?;
    if url.scheme != "https" {
        let scheme = go_text::quote(&url.scheme);
        return Err(Rejection::format(format!("unexpected scheme {scheme} in pre-signed URL")));
    }
    let region = host::verify(&url.host, server)?;
    if url.path != "/" {
        return Err(Rejection::format("unexpected path in pre-signed URL"));
    }
    let parameters =
        go_url::parse_query(&url.raw_query).ok_or_else(|| Rejection::format("malformed query parameter"))?;
    check_names(parameters.iter().map(|(name, _)| name.as_str()))?;
    let value = |wanted: &str| {
        let found = parameters.iter().find(|(name, _)| go_text::lower(name) == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    if value("action") != "GetCallerIdentity" {
        return Err(wrong_action());
    }
    check_signed_headers(value("x-amz-signedheaders").split(';'))?;
    let expires = value("x-amz-expires");
    check_expires(atoi(expires), expires.parse::<i64>().is_ok())?;
    let date = value("x-amz-date");
    if date.is_empty() {
        return Err(no_date());
    }
    let signed_at = go_time::parse(date).map_err(|why| {
        Rejection::format(format!("error parsing X-Amz-Date parameter {date} into format 20060102T150405Z: {why}"))
    })?;
    check_age(signed_at, now)?;
    let access_key_id = value("x-amz-credential").split('/').next().unwrap_or_default().to_owned();
    Ok(StsRequest { host: url.host, region, access_key_id })
}

fn too_large() -> Rejection {
    Rejection::format("token is too large")
}

fn no_prefix() -> Rejection {
    Rejection::format(format!("token is missing expected \"{PREFIX}\" prefix"))
}

fn wrong_action() -> Rejection {
    Rejection::format("unexpected action parameter in pre-signed URL")
}

fn no_date() -> Rejection {
    Rejection::format("X-Amz-Date parameter must be present in pre-signed URL")
}

/// The rules for the names of parameters. Where several are broken at once, which one the server names varies; here it
/// is the first in the URL.
fn check_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<(), Rejection> {
    let mut spellings: HashMap<String, &str> = HashMap::new();
    for name in names.clone() {
        let first = *spellings.entry(go_text::lower(name)).or_insert(name);
        if first != name {
            let name = go_text::quote(first);
            return Err(Rejection::format(format!("duplicate query parameter found: {name}")));
        }
    }
    let allowed = |name: &str| ALLOWED_PARAMETERS.contains(&go_text::lower(name).as_str());
    if let Some(name) = names.clone().find(|name| !allowed(name)) {
        let name = go_text::quote(name);
        return Err(Rejection::format(format!("non-whitelisted query parameter {name}")));
    }
    if names.count() > spellings.len() {
        return Err(Rejection::format("query parameter with multiple values not supported"));
    }
    Ok(())
}

fn check_signed_headers<'a>(mut headers: impl Iterator<Item = &'a str>) -> Result<(), Rejection> {
    if headers.any(|header| go_text::equal_fold(header, CLUSTER_HEADER)) {
        return Ok(());
    }
    Err(Rejection::format(format!("client did not sign the {CLUSTER_HEADER} header in the pre-signed URL")))
}

fn check_expires(expires: i64, is_number: bool) -> Result<(), Rejection> {
    if is_number && (0..=MAX_EXPIRES).contains(&expires) {
        return Ok(());
    }
    Err(Rejection::format(format!("invalid X-Amz-Expires parameter in pre-signed URL: {expires}")))
}

fn check_age(signed_at: Timestamp, now: Timestamp) -> Result<(), Rejection> {
    if now.duration_since(signed_at) <= LIFETIME {
        return Ok(());
    }
    let signed_at = go_time::print(signed_at);
    Err(Rejection::format(format!("X-Amz-Date parameter is expired (15 minute expiration) {signed_at}")))
}

/// What Go's `strconv.Atoi` leaves behind: zero for what is no number, the nearest limit for one that is too large.
fn atoi(text: &str) -> i64 {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return 0;
    }
    let limit = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    text.parse().unwrap_or(limit)
}

/// Decodes base64 of the URL alphabet without padding as Go does: line breaks are skipped. The error is the position of
/// the first byte that does not belong.
fn decode(payload: &str) -> Result<String, usize> {
    let mut bytes = Vec::with_capacity(payload.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for (position, byte) in payload.bytes().enumerate() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return Err(position),
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // A single character at the end is half a byte.
    if count == 6 {
        return Err(payload.len().saturating_sub(1));
    }
    Ok(go_text::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_go() {
        assert_eq!(decode("aHR0cHM6Ly8").unwrap(), "https://");
        assert_eq!(decode("aHR0\r\ncHM6Ly8").unwrap(), "https://");
        assert_eq!(decode("aHR0cHM6Ly8="), Err(11));
        assert_eq!(decode("aHR0c"), Err(4));
        assert_eq!(decode("aHR0cHM6Ly9-+/8"), Err(12));
    }

    #[test]
    fn expires_is_an_integer_of_go() {
        for (text, value) in
            [("60", 60), ("+60", 60), ("1m", 0), ("", 0), ("-1", -1), ("99999999999999999999", i64::MAX)]
        {
            assert_eq!(atoi(text), value, "{text}");
        }
    }

    #[test]
    fn the_age_counts_from_the_date_alone() {
        let signed_at: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert!(check_age(signed_at, signed_at + LIFETIME).is_ok());
        assert!(check_age(signed_at, signed_at - LIFETIME).is_ok(), "the future is left to STS");
        let rejection = check_age(signed_at, signed_at + LIFETIME + SignedDuration::from_nanos(1)).unwrap_err();
        assert_eq!(
            rejection.to_string(),
            "input token was not properly formatted: X-Amz-Date parameter is expired (15 minute expiration) \
             2026-11-21 10:00:00 +0000 UTC"
        );
    }

    #[test]
    fn names_of_parameters() {
        let message = |names: &[&str]| check_names(names.iter().copied()).map_err(|rejection| rejection.message);
        assert_eq!(message(&["Action", "X-AMZ-DATE"]), Ok(()));
        assert_eq!(message(&["Action", "action"]), Err("duplicate query parameter found: \"Action\"".to_owned()));
        assert_eq!(
            message(&["Action", "Action"]),
            Err("query parameter with multiple values not supported".to_owned())
        );
        assert_eq!(message(&["X", "Action"]), Err("non-whitelisted query parameter \"X\"".to_owned()));
    }
}
