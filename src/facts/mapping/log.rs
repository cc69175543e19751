//! What the authenticator's log says about the subject: the last login of its ARN, granted or denied and why. The log
//! is the only place where the reason of a refusal is written down.

use super::super::{
    arn::RawArn,
    go_text,
    value::{Fact, facts, why_unsettled},
};
use super::{MappingDenial, seen::Seen};

pub(super) const OBSERVATION: &str = "logs.authenticator";

facts! {
    /// The last login of the subject in the authenticator's log.
    LogFacts {
        /// Why it was denied; absent if it was granted, or if the log does not have one.
        "denial" denial: Fact<Option<MappingDenial>>,
        /// The line.
        "line" line: Fact<Option<String>>,
    }
}

/// The last line about a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) denial: Option<MappingDenial>,
    /// User name and groups of a login that was granted.
    pub(super) granted: Option<(String, Vec<String>)>,
    pub(super) line: String,
}

pub(super) fn derive(seen: &Seen<'_>) -> LogFacts {
    let lines = &seen.evidence.logs.authenticator;
    let Some(_) = lines.found() else {
        let unknown = why_unsettled(lines, OBSERVATION);
        return LogFacts { denial: Fact::Unknown(unknown.clone()), line: Fact::Unknown(unknown) };
    };
    if let Fact::Unknown(unknown) = &seen.subject.canonical_arn {
        return LogFacts { denial: Fact::Unknown(unknown.clone()), line: Fact::Unknown(unknown.clone()) };
    }
    LogFacts {
        denial: Fact::known(seen.logged.as_ref().and_then(|logged| logged.denial), OBSERVATION),
        line: Fact::known(seen.logged.as_ref().map(|logged| logged.line.clone()), OBSERVATION),
    }
}

/// The last login of this principal. Lines without an ARN are about tokens, not about principals.
pub(super) fn last_about(lines: &[String], canonical_arn: &str) -> Option<Logged> {
    lines.iter().rev().find_map(|line| {
        let arn = RawArn::new(field(line, "arn")?).canonicalize().ok()?.0;
        if !go_text::equal_fold(arn.as_str(), canonical_arn) {
            return None;
        }
        let logged = |denial, granted| Some(Logged { denial, granted, line: line.trim().to_owned() });
        if line.contains("access granted") {
            return logged(None, field(line, "username").map(|username| (username, groups(line))));
        }
        if line.contains("access denied") {
            return logged(Some(denial(line)?), None);
        }
        None
    })
}

/// The reason in the wording of any version.
fn denial(line: &str) -> Option<MappingDenial> {
    let line = line.to_lowercase();
    [
        ("username must not begin with", MappingDenial::ReservedPrefix),
        ("did not contain an instance id", MappingDenial::TemplateError),
        ("rendertemplates error", MappingDenial::TemplateError),
        ("failed mapping username", MappingDenial::TemplateError),
        ("does not match user id", MappingDenial::UniqueIdMismatch),
        ("not mapped", MappingDenial::NotMapped),
    ]
    .into_iter()
    .find_map(|(words, denial)| line.contains(words).then_some(denial))
}

/// A field of a line in logrus' text format, also where the line was escaped once more on its way.
fn field(line: &str, name: &str) -> Option<String> {
    let value = rest_of_field(line, name)?.trim_start_matches(['\\', '"']);
    let end = value.find(['"', '\\', ' ', ',']).unwrap_or(value.len());
    Some(value[..end].to_owned()).filter(|value| !value.is_empty())
}

fn groups(line: &str) -> Vec<String> {
    let list = rest_of_field(line, "groups").and_then(|rest| rest.split_once('[')?.1.split_once(']'));
    list.map(|(list, _)| list.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

fn rest_of_field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.match_indices(name).find_map(|(start, _)| {
        let is_field = start == 0 || line[..start].ends_with([' ', '\t']);
        let rest = line[start + name.len()..].strip_prefix('=')?;
        is_field.then_some(rest)
    })
}

/// The one principal that the lines refuse, if it is one.
pub(super) fn only_refused(lines: &[String]) -> Option<String> {
    let mut refused = lines.iter().filter(|line| line.contains("access denied")).filter_map(|line| field(line, "arn"));
    let first = refused.next()?;
    refused.all(|arn| go_text::equal_fold(&arn, &first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:iam::111122223333:role/Dev";

    fn last(lines: &[&str]) -> Option<Logged> {
        last_about(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), ARN)
    }

    #[test]
    fn the_last_login_of_the_principal_counts() {
        let denied = r#"time="2026-11-21T09:59:58Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/dev" client="127.0.0.1:42" error="identity is not mapped" method=POST path=/authenticate"#;
        let granted = r#"level=info msg="access granted" arn="arn:aws:iam::111122223333:role/Dev" groups="[a b]" uid="x" username="dev:ada""#;
        let other = r#"level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/Ops" error="Identity is not mapped""#;
        assert_eq!(last(&[granted, denied, other]).unwrap().denial, Some(MappingDenial::NotMapped));
        let now = last(&[denied, granted, other]).unwrap();
        assert_eq!(now.granted, Some(("dev:ada".to_owned(), vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(last(&[other]), None);
        assert_eq!(last(&[r#"msg="access denied" error="input token was not properly formatted""#]), None);
    }

    #[test]
    fn reasons_in_the_words_of_old_and_new_versions() {
        let of = |error: &str| last(&[&format!(r#"msg="access denied" arn={ARN} error="{error}""#)]).unwrap().denial;
        assert_eq!(of("ARN is not mapped: arn:aws:iam::111122223333:role/dev"), Some(MappingDenial::NotMapped));
        assert_eq!(
            of(
                "invalid username 'eks:x' for mapper DynamicFile: username must not begin with with the following prefixes: [aws:]"
            ),
            Some(MappingDenial::ReservedPrefix)
        );
        assert_eq!(
            of(
                r#"failed mapping username: error rendering username template \"system:node:{{EC2PrivateDNSName}}\": SessionName did not contain an instance id"#
            ),
            Some(MappingDenial::TemplateError)
        );
        assert_eq!(
            of("mapper DynamicFile Map error: ARN does not match User ID"),
            Some(MappingDenial::UniqueIdMismatch)
        );
    }

    #[test]
    fn escaped_lines_are_read() {
        let line = r#"{"message":"time=\"x\" level=warning msg=\"access denied\" arn=\"arn:aws:iam::111122223333:role/Dev\" error=\"identity is not mapped\""}"#;
        assert_eq!(last(&[line]).unwrap().denial, Some(MappingDenial::NotMapped));
    }
}
