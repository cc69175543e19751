//! What the authenticator's log says of tokens: a denial without an ARN died before anybody was identified.
//!
//! Such a line does not say whose token it was. It counts for the subject only if the subject is refused, and if all
//! denials in the log are of this one kind.

use crate::evidence::Evidence;

/// Where the lines stand in the evidence.
pub(crate) const OBSERVATION: &str = "logs.authenticator";

/// Why the authenticator refused a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoggedDenial {
    /// It is older than 15 minutes.
    Stale,
    /// It does not begin as an EKS token does.
    NoPrefix,
    /// It breaks another rule for its form.
    Malformed,
    /// The credentials that signed it have expired.
    CredentialsExpired,
    /// STS does not know the access key.
    UnknownAccessKey,
    /// Its signature does not fit.
    Signature,
}

/// The one kind of denial in the log, with its last line.
pub(crate) fn only_denial(evidence: &Evidence) -> Option<(LoggedDenial, &str)> {
    let lines = evidence.logs.authenticator.found()?;
    let mut denials = lines.iter().filter(|line| line.to_lowercase().contains("access denied"));
    let first = denials.next()?;
    let kind = kind(first)?;
    let mut last = first.as_str();
    for line in denials {
        if self::kind(line) != Some(kind) {
            return None;
        }
        last = line;
    }
    Some((kind, last))
}

fn kind(line: &str) -> Option<LoggedDenial> {
    let line = line.to_lowercase();
    let has = |word: &str| line.contains(word);
    if has(" arn=") {
        return None;
    }
    if has("x-amz-date parameter is expired") {
        Some(LoggedDenial::Stale)
    } else if has("k8s-aws-v1.") && has("prefix") {
        Some(LoggedDenial::NoPrefix)
    } else if has("not properly formatted") {
        Some(LoggedDenial::Malformed)
    } else if has("expiredtoken") {
        Some(LoggedDenial::CredentialsExpired)
    } else if has("invalidclienttokenid") {
        Some(LoggedDenial::UnknownAccessKey)
    } else if has("signaturedoesnotmatch") {
        Some(LoggedDenial::Signature)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Logs, Observed};

    const STALE: &str = r#"level=warning msg="access denied" client="127.0.0.1:1" error="input token was not properly formatted: X-Amz-Date parameter is expired (15 minute expiration) 2020-05-06 01:09:00 UTC""#;
    const UNMAPPED: &str =
        r#"level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/x" error="identity is not mapped""#;

    fn denial(lines: &[&str]) -> Option<LoggedDenial> {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let logs = Logs { authenticator: Observed::Found(lines) };
        only_denial(&Evidence { logs, ..Evidence::default() }).map(|(kind, _)| kind)
    }

    #[test]
    fn only_denials_of_one_kind_count() {
        assert_eq!(denial(&[STALE, "level=info msg=\"access granted\"", STALE]), Some(LoggedDenial::Stale));
        assert_eq!(denial(&[STALE, UNMAPPED]), None);
        assert_eq!(denial(&[UNMAPPED]), None);
        assert_eq!(denial(&[]), None);
    }
}
