//! What is wrong with the text of an ARN in aws-auth, which nothing there checks.

use super::super::arn::{Arn, ArnKind};
use super::super::go_text;
use super::SurpriseKind;

/// Why an ARN as written matches nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArnFlaw {
    /// Characters without ink.
    InvisibleCharacters,
    /// Blanks, tabs, line ends.
    Whitespace,
    /// Quotation marks.
    Quotes,
    /// A placeholder that nobody filled in.
    Placeholder,
    /// Not an ARN.
    Malformed,
    /// A pattern.
    Wildcard,
    /// The ARN of a role session.
    Session,
    /// The ARN of a role with its path.
    RolePath,
    /// Something that never calls.
    NotAPrincipal,
}

impl ArnFlaw {
    /// The first flaw of an ARN as written.
    pub(crate) fn of(text: &str) -> Option<Self> {
        if !is_plain(text)
            && let Some(flaw) = Self::in_characters(text)
        {
            return Some(flaw);
        }
        // Letter case does not count when aws-auth is searched.
        let lower = go_text::lower(text);
        let Ok(arn) = Arn::parse(&lower) else { return Some(Self::Malformed) };
        if is_lettered(arn.account) {
            return Some(Self::Placeholder);
        }
        match arn.kind() {
            ArnKind::Wildcard => Some(Self::Wildcard),
            ArnKind::AssumedRole => Some(Self::Session),
            ArnKind::Role | ArnKind::ServiceLinkedRole | ArnKind::PermissionSetRole if arn.path() != "/" => {
                Some(Self::RolePath)
            }
            ArnKind::Role | ArnKind::ServiceLinkedRole | ArnKind::PermissionSetRole => None,
            ArnKind::User | ArnKind::Root | ArnKind::FederatedUser => None,
            ArnKind::Group
            | ArnKind::InstanceProfile
            | ArnKind::Policy
            | ArnKind::OidcProvider
            | ArnKind::SamlProvider
            | ArnKind::Other => Some(Self::NotAPrincipal),
        }
    }

    fn in_characters(text: &str) -> Option<Self> {
        let invisible = |character: char| !character.is_ascii_whitespace() && go_text::is_unprintable(character);
        if text.contains(invisible) {
            return Some(Self::InvisibleCharacters);
        }
        if text.contains(char::is_whitespace) && !is_placeholder(text) {
            return Some(Self::Whitespace);
        }
        if text.contains(is_quote) {
            return Some(Self::Quotes);
        }
        is_placeholder(text).then_some(Self::Placeholder)
    }

    /// The surprise that it makes.
    pub(super) fn surprise(self) -> SurpriseKind {
        match self {
            Self::InvisibleCharacters => SurpriseKind::ArnInvisibleCharacters,
            Self::Whitespace => SurpriseKind::ArnWhitespace,
            Self::Quotes => SurpriseKind::ArnQuotes,
            Self::Placeholder => SurpriseKind::ArnPlaceholder,
            Self::Malformed => SurpriseKind::ArnMalformed,
            Self::Wildcard => SurpriseKind::ArnWildcard,
            Self::Session => SurpriseKind::ArnOfSession,
            Self::RolePath => SurpriseKind::ArnWithRolePath,
            Self::NotAPrincipal => SurpriseKind::ArnNotAPrincipal,
        }
    }
}

/// The text without blanks, invisible characters and quotation marks.
pub(crate) fn without_noise(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let noise = |character: char| character == ' ' || go_text::is_unprintable(character) || is_quote(character);
    text.chars().filter(|character| !noise(*character)).collect()
}

/// Whether the text has only characters of which ARNs are made, as nearly all have.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/-_+=,.@*?".contains(&byte))
}

fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '`' | '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{2039}' | '\u{203a}')
}

/// `<ROLE_ARN>`, `${ACCOUNT}`, `{{ .Values.role }}`, or letters where the twelve digits of the account belong.
pub(crate) fn is_placeholder(text: &str) -> bool {
    text.contains(['<', '>'])
        || ["${", "{{", "$("].iter().any(|sign| text.contains(sign))
        || Arn::parse(text).is_ok_and(|arn| is_lettered(arn.account))
}

/// Whether there are letters where the twelve digits of the account belong. AWS's own policies have `aws` there.
fn is_lettered(account: &str) -> bool {
    account != "aws" && account.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flaws() {
        for (text, flaw) in [
            ("arn:aws:iam::111122223333:role/A", None),
            ("ARN:AWS:IAM::111122223333:ROLE/A", None),
            ("arn:aws:iam::111122223333:role/A ", Some(ArnFlaw::Whitespace)),
            ("arn:aws:iam::111122223333:role/A\u{200b}", Some(ArnFlaw::InvisibleCharacters)),
            ("arn:aws:iam::111122223333:role/A\u{a0}", Some(ArnFlaw::InvisibleCharacters)),
            ("\u{201c}arn:aws:iam::111122223333:role/A\u{201d}", Some(ArnFlaw::Quotes)),
            ("<ARN of instance role (not instance profile)>", Some(ArnFlaw::Placeholder)),
            ("arn:aws:iam::ACCOUNT_ID:role/A", Some(ArnFlaw::Placeholder)),
            ("arn:aws:iam::${account}:role/A", Some(ArnFlaw::Placeholder)),
            ("KubeAdmin", Some(ArnFlaw::Malformed)),
            ("arn:aws:iam::111122223333:role/*", Some(ArnFlaw::Wildcard)),
            ("arn:aws:sts::111122223333:assumed-role/A/b", Some(ArnFlaw::Session)),
            ("arn:aws:iam::111122223333:role/team/A", Some(ArnFlaw::RolePath)),
            ("arn:aws:iam::111122223333:user/team/a", None),
            ("arn:aws:iam::111122223333:group/a", Some(ArnFlaw::NotAPrincipal)),
            ("arn:aws:iam::aws:policy/A", Some(ArnFlaw::NotAPrincipal)),
        ] {
            assert_eq!(ArnFlaw::of(text), flaw, "{text}");
        }
    }
}
