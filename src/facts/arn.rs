//! AWS ARNs: the raw one that STS returns, the canonical one that EKS looks up, the principal's own with its path.
//!
//! Parsing, canonical form, path stripping and pattern matching are those of the EKS authenticator (its `pkg/arn`),
//! with its error texts. The three kinds of ARN are three types: only this module turns one into another.

use std::fmt;

mod partition;

pub use partition::Partition;

use super::go_text;

/// An ARN as STS answers it: a role session stands there as `assumed-role/NAME/SESSION`, without the role's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct RawArn(String);

/// The ARN that EKS looks up: a role session has become the ARN of its role, still without the path; everything else
/// is the raw ARN. Letter case is kept here and ignored when stores are searched.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct CanonicalArn(String);

/// The ARN of an IAM role or user as IAM and access entries spell it, with its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct PrincipalArn(String);

/// The sections of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// `iam`, `sts`, …
    pub service: &'a str,
    /// Region; empty for IAM.
    pub region: &'a str,
    /// Account id. Nothing checks it.
    pub account: &'a str,
    /// Everything behind the fifth colon.
    pub resource: &'a str,
}

/// What an ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArnKind {
    /// An IAM user.
    User,
    /// An IAM role that is none of the special ones.
    Role,
    /// A role that belongs to an AWS service.
    ServiceLinkedRole,
    /// A role that IAM Identity Center made for a permission set; see [`Arn::permission_set`].
    PermissionSetRole,
    /// A session of a role.
    AssumedRole,
    /// A session made by `sts:GetFederationToken`.
    FederatedUser,
    /// The root user of an account. In policies the same text means the whole account; here it never does.
    Root,
    /// An IAM group, which can never call anything.
    Group,
    /// An EC2 instance profile, often mistaken for the role in it.
    InstanceProfile,
    /// An IAM policy.
    Policy,
    /// An OpenID Connect provider.
    OidcProvider,
    /// A SAML provider.
    SamlProvider,
    /// A resource with `*` or `?`: a pattern, which EKS takes literally.
    Wildcard,
    /// Anything else.
    Other,
}

/// The kinds of caller that EKS accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalType {
    /// An IAM role, as STS never reports it itself.
    Role,
    /// An IAM user.
    User,
    /// An account's root user.
    Root,
    /// A federated user.
    FederatedUser,
    /// A session of a role.
    AssumedRole,
}

/// Why a text is no ARN of an identity, in the authenticator's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnIdentity(String);

impl<'a> Arn<'a> {
    /// Splits an ARN as the AWS SDK for Go does: the literal prefix `arn:` and at least six sections. Further colons
    /// stay in the resource.
    pub fn parse(text: &'a str) -> Result<Self, NotAnIdentity> {
        let invalid = |why: &str| NotAnIdentity(format!("arn '{text}' is invalid: 'arn: {why}'"));
        let rest = text.strip_prefix("arn:").ok_or_else(|| invalid("invalid prefix"))?;
        let mut sections = rest.splitn(5, ':');
        let mut next = || sections.next().ok_or_else(|| invalid("not enough sections"));
        Ok(Self { partition: next()?, service: next()?, region: next()?, account: next()?, resource: next()? })
    }

    /// The first part of the resource: `role`, `assumed-role`, `root`.
    pub fn resource_type(&self) -> &'a str {
        self.resource.split_once('/').map_or(self.resource, |(resource_type, _)| resource_type)
    }

    /// Name without path; of a role session the name of the role. Empty for the root user.
    pub fn name(&self) -> &'a str {
        let path_and_name = self.path_and_name();
        path_and_name.rsplit_once('/').map_or(path_and_name, |(_, name)| name)
    }

    /// IAM path, with the slashes at both ends that IAM writes; `/` if there is none.
    pub fn path(&self) -> String {
        self.path_and_name().rsplit_once('/').map_or_else(|| "/".to_owned(), |(path, _)| format!("/{path}/"))
    }

    /// Session name of a role session.
    pub fn session(&self) -> Option<&'a str> {
        let session = self.resource.strip_prefix("assumed-role/")?.rsplit_once('/')?.1;
        (self.service == "sts").then_some(session)
    }

    /// Permission set and suffix of a role that IAM Identity Center made, or of a session of it.
    pub fn permission_set(&self) -> Option<(&'a str, &'a str)> {
        self.name().strip_prefix("AWSReservedSSO_")?.rsplit_once('_')
    }

    /// What it names.
    pub fn kind(&self) -> ArnKind {
        let resource_type = self.resource_type();
        match (self.service, resource_type) {
            ("iam" | "sts", _) if self.resource.contains(['*', '?']) => ArnKind::Wildcard,
            ("iam", "user") => ArnKind::User,
            ("iam", "role") if self.is_service_linked() => ArnKind::ServiceLinkedRole,
            ("iam", "role") if self.permission_set().is_some() => ArnKind::PermissionSetRole,
            ("iam", "role") => ArnKind::Role,
            ("iam", "root") => ArnKind::Root,
            ("iam", "group") => ArnKind::Group,
            ("iam", "instance-profile") => ArnKind::InstanceProfile,
            ("iam", "policy") => ArnKind::Policy,
            ("iam", "oidc-provider") => ArnKind::OidcProvider,
            ("iam", "saml-provider") => ArnKind::SamlProvider,
            ("sts", "assumed-role") => ArnKind::AssumedRole,
            ("sts", "federated-user") => ArnKind::FederatedUser,
            _ => ArnKind::Other,
        }
    }

    fn is_service_linked(&self) -> bool {
        self.resource.starts_with("role/aws-service-role/") || self.name().starts_with("AWSServiceRoleFor")
    }

    /// The resource without its type and, for a role session, without the session.
    fn path_and_name(&self) -> &'a str {
        let rest = self.resource.split_once('/').map_or("", |(_, rest)| rest);
        match (self.service, self.resource_type()) {
            ("sts", "assumed-role") => rest.rsplit_once('/').map_or(rest, |(role, _)| role),
            _ => rest,
        }
    }
}

impl RawArn {
    /// An ARN as STS, or a log line, spells it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The canonical form and the kind of caller, or the authenticator's words why this is nobody that may log in.
    pub fn canonicalize(&self) -> Result<(CanonicalArn, PrincipalType), NotAnIdentity> {
        let text = &self.0;
        let arn = Arn::parse(text)?;
        check_partition(text, &arn)?;
        let unchanged = |principal_type| Ok((CanonicalArn(text.clone()), principal_type));
        match (arn.service, arn.resource_type()) {
            ("sts", "federated-user") => unchanged(PrincipalType::FederatedUser),
            ("sts", "assumed-role") => {
                let (role, _session) = arn
                    .resource
                    .split_once('/')
                    .and_then(|(_, rest)| rest.rsplit_once('/'))
                    .ok_or_else(|| NotAnIdentity(format!("assumed-role arn '{text}' does not have a role")))?;
                let canonical = format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account);
                Ok((CanonicalArn(canonical), PrincipalType::AssumedRole))
            }
            ("iam", "role") => unchanged(PrincipalType::Role),
            ("iam", "user") => unchanged(PrincipalType::User),
            ("iam", "root") => unchanged(PrincipalType::Root),
            (service @ ("sts" | "iam"), _) => {
                Err(NotAnIdentity(format!("unrecognized resource {} for service {service}", arn.resource)))
            }
            (service, _) => {
                Err(NotAnIdentity(format!("service {service} in arn {text} is not a valid service for identities")))
            }
        }
    }
}

impl CanonicalArn {
    /// The key under which stores are searched: letter case does not count.
    pub(crate) fn lookup_key(&self) -> String {
        go_text::lower(&self.0)
    }
}

impl PrincipalArn {
    /// An ARN as IAM, an access entry or a user spells it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The canonical ARN with which this principal reaches a cluster: sessions of a role come without its path, users
    /// with theirs. Also takes the ARN of a role session.
    pub fn canonicalize(&self) -> Result<(CanonicalArn, PrincipalType), NotAnIdentity> {
        RawArn(strip_path(&self.0)?).canonicalize()
    }
}

macro_rules! text_of {
    ($($name:ident),*) => {$(
        impl $name {
            /// The ARN.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its sections; `None` for a text that is no ARN.
            pub fn sections(&self) -> Option<Arn<'_>> {
                Arn::parse(&self.0).ok()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

text_of!(RawArn, CanonicalArn, PrincipalArn);

impl fmt::Display for NotAnIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for NotAnIdentity {}

/// The ARN of a role without its path; every other ARN as it is, that of a role session included.
pub fn strip_path(text: &str) -> Result<String, NotAnIdentity> {
    let arn = Arn::parse(text)?;
    check_partition(text, &arn)?;
    match (arn.resource_type(), arn.resource.rsplit_once('/')) {
        ("role", Some((path, name))) if path.contains('/') => {
            Ok(format!("arn:{}:iam::{}:role/{name}", arn.partition, arn.account))
        }
        _ => Ok(text.to_owned()),
    }
}

/// Whether an ARN fits a pattern, section by section: `*` is any run of characters, and `?` is one character or none
/// (in IAM policies it is exactly one). Letter case counts. What is no ARN fits nothing.
pub fn arn_like(text: &str, pattern: &str) -> bool {
    let (Ok(text), Ok(pattern)) = (Arn::parse(text), Arn::parse(pattern)) else { return false };
    let pairs = [
        (text.partition, pattern.partition),
        (text.service, pattern.service),
        (text.region, pattern.region),
        (text.account, pattern.account),
        (text.resource, pattern.resource),
    ];
    pairs.into_iter().all(|(text, pattern)| glob(text, pattern))
}

fn glob(text: &str, pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // `reached[i]`: the characters read so far fit the first `i` characters of the pattern.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_optional(&pattern, &mut reached);
    for character in text.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (position, symbol) in pattern.iter().enumerate().filter(|(position, _)| reached[*position]) {
            match symbol {
                '*' if character != '\n' => next[position] = true,
                '?' if character != '\n' => next[position + 1] = true,
                _ if *symbol == character => next[position + 1] = true,
                _ => {}
            }
        }
        skip_optional(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

fn skip_optional(pattern: &[char], reached: &mut [bool]) {
    for (position, symbol) in pattern.iter().enumerate() {
        if matches!(symbol, '*' | '?') && reached[position] {
            reached[position + 1] = true;
        }
    }
}

fn check_partition(text: &str, arn: &Arn<'_>) -> Result<(), NotAnIdentity> {
    match Partition::from_id(arn.partition) {
        Some(_) => Ok(()),
        None => Err(NotAnIdentity(format!("arn '{text}' does not have a recognized partition"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_arn() {
        let role = Arn::parse("arn:aws:iam::111122223333:role/team/dev/KubeAdmin").unwrap();
        assert_eq!((role.name(), role.path().as_str(), role.session()), ("KubeAdmin", "/team/dev/", None));
        let session = Arn::parse("arn:aws:sts::111122223333:assumed-role/KubeAdmin/ada@example.com").unwrap();
        assert_eq!((session.name(), session.path().as_str()), ("KubeAdmin", "/"));
        assert_eq!(session.session(), Some("ada@example.com"));
        let root = Arn::parse("arn:aws:iam::111122223333:root").unwrap();
        assert_eq!((root.name(), root.resource_type()), ("", "root"));
        let sso = Arn::parse("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Dev_Ops_0123456789abcdef/ada");
        assert_eq!(sso.unwrap().permission_set(), Some(("Dev_Ops", "0123456789abcdef")));
    }

    #[test]
    fn kinds() {
        for (resource, kind) in [
            ("iam::111122223333:user/a/b", ArnKind::User),
            ("iam::111122223333:role/b", ArnKind::Role),
            (
                "iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
                ArnKind::ServiceLinkedRole,
            ),
            ("iam::111122223333:role/AWSReservedSSO_Dev_0123456789abcdef", ArnKind::PermissionSetRole),
            ("sts::111122223333:assumed-role/b/c", ArnKind::AssumedRole),
            ("sts::111122223333:federated-user/b", ArnKind::FederatedUser),
            ("iam::111122223333:root", ArnKind::Root),
            ("iam::111122223333:group/devs", ArnKind::Group),
            ("iam::111122223333:instance-profile/b", ArnKind::InstanceProfile),
            ("iam::aws:policy/AdministratorAccess", ArnKind::Policy),
            ("iam::111122223333:oidc-provider/x", ArnKind::OidcProvider),
            ("iam::111122223333:saml-provider/Okta", ArnKind::SamlProvider),
            ("iam::111122223333:role/*", ArnKind::Wildcard),
            ("eks:eu-west-1:111122223333:fargateprofile/prod/p/1", ArnKind::Other),
        ] {
            assert_eq!(Arn::parse(&format!("arn:aws:{resource}")).unwrap().kind(), kind, "{resource}");
        }
    }

    #[test]
    fn a_principal_reaches_the_cluster_without_its_role_path() {
        let canonical = |text: &str| PrincipalArn::new(text).canonicalize().map(|(arn, _)| arn.to_string());
        assert_eq!(
            canonical("arn:aws:iam::111122223333:role/team/Dev").as_deref(),
            Ok("arn:aws:iam::111122223333:role/Dev")
        );
        assert_eq!(
            canonical("arn:aws:iam::111122223333:user/team/ada").as_deref(),
            Ok("arn:aws:iam::111122223333:user/team/ada")
        );
        assert!(canonical("arn:aws:iam::111122223333:group/devs").is_err());
    }

    #[test]
    fn a_question_mark_is_optional() {
        assert!(glob("ab", "a?b?") && glob("", "*?") && glob("a.b", "a.b") && glob("abc", "*"));
        assert!(!glob("axxb", "a?b") && !glob("a\nb", "a*b") && !glob("axb", "a.b"));
    }
}
