//! Templates of user names and groups.
//!
//! Both stores hold templates; the authenticator fills them for every login from what STS said, and asks EC2 for the
//! name of an instance. A value that nobody saw leaves the text unknown, unless the template does not need it.

/// A value that a template can ask for. Only these spellings are replaced; anything else in braces stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placeholder {
    /// `{{EC2PrivateDNSName}}`: the private DNS name of the instance whose id is the session name.
    Ec2PrivateDnsName,
    /// `{{AccountID}}`.
    AccountId,
    /// `{{SessionName}}`: the session name with `-` for every `@`.
    SessionName,
    /// `{{SessionNameRaw}}`.
    SessionNameRaw,
    /// `{{AccessKeyID}}`.
    AccessKeyId,
}

/// What templates are filled with. `None` is what nobody saw.
#[derive(Debug, Clone, Copy, Default)]
pub struct TemplateValues<'a> {
    /// Account id as STS answered it.
    pub account: Option<&'a str>,
    /// Session name; empty for users, root and federated users.
    pub session_name: Option<&'a str>,
    /// Access key id in full.
    pub access_key_id: Option<&'a str>,
    /// What EC2 says about the instance that the session name names.
    pub private_dns_name: PrivateDnsName<'a>,
}

/// What EC2 says about an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PrivateDnsName<'a> {
    /// Nobody asked.
    #[default]
    NotSeen,
    /// There is no such instance in the cluster's account and region.
    NotFound,
    /// Its private DNS name.
    Found(&'a str),
}

/// A filled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// The text.
    Known(String),
    /// The text depends on what nobody saw.
    Unknown {
        /// The template.
        template: String,
        /// What is missing.
        missing: Vec<Placeholder>,
    },
}

/// Why a template cannot be filled: the login is denied then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderError {
    /// The authenticator's words.
    Refused(String),
    /// Whether it can be filled depends on the session name, which nobody saw.
    SessionNameNotSeen,
}

impl Placeholder {
    /// In the order in which they are replaced.
    const ALL: [Self; 5] =
        [Self::Ec2PrivateDnsName, Self::AccountId, Self::SessionName, Self::SessionNameRaw, Self::AccessKeyId];

    /// As it stands in a template.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2PrivateDnsName => "{{EC2PrivateDNSName}}",
            Self::AccountId => "{{AccountID}}",
            Self::SessionName => "{{SessionName}}",
            Self::SessionNameRaw => "{{SessionNameRaw}}",
            Self::AccessKeyId => "{{AccessKeyID}}",
        }
    }

    fn value(self, values: &TemplateValues<'_>) -> Option<String> {
        match self {
            Self::Ec2PrivateDnsName => match values.private_dns_name {
                PrivateDnsName::Found(name) => Some(name.to_owned()),
                PrivateDnsName::NotFound | PrivateDnsName::NotSeen => None,
            },
            Self::AccountId => values.account.map(str::to_owned),
            Self::SessionName => values.session_name.map(|name| name.replace('@', "-")),
            Self::SessionNameRaw => values.session_name.map(str::to_owned),
            Self::AccessKeyId => values.access_key_id.map(str::to_owned),
        }
    }
}

impl Rendered {
    /// The text, if it is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Unknown { .. } => None,
        }
    }
}

/// Fills a template.
pub fn render(template: &str, values: &TemplateValues<'_>) -> Result<Rendered, RenderError> {
    if template.contains(Placeholder::Ec2PrivateDnsName.as_str()) {
        check_instance(values)?;
    }
    let mut text = template.to_owned();
    let mut missing = Vec::new();
    for placeholder in Placeholder::ALL {
        if text.contains(placeholder.as_str()) {
            match placeholder.value(values) {
                Some(value) => text = text.replace(placeholder.as_str(), &value),
                None => missing.push(placeholder),
            }
        }
    }
    Ok(if missing.is_empty() {
        Rendered::Known(text)
    } else {
        Rendered::Unknown { template: template.to_owned(), missing }
    })
}

/// The name of an instance needs a session whose name is an instance id: a node's. People never have one.
fn check_instance(values: &TemplateValues<'_>) -> Result<(), RenderError> {
    let session = values.session_name.ok_or(RenderError::SessionNameNotSeen)?;
    if !is_instance_id(session) {
        return Err(RenderError::Refused("SessionName did not contain an instance id".to_owned()));
    }
    if values.private_dns_name == PrivateDnsName::NotFound {
        return Err(RenderError::Refused(format!("failed to find node {session} ")));
    }
    Ok(())
}

/// Whether a session name is an instance id: `i-` and 8 or 17 word characters.
pub fn is_instance_id(session_name: &str) -> bool {
    let word_character = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    session_name.strip_prefix("i-").is_some_and(|id| matches!(id.len(), 8 | 17) && id.bytes().all(word_character))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: TemplateValues<'_> = TemplateValues {
        account: Some("111122223333"),
        session_name: Some("ada@example.com"),
        access_key_id: None,
        private_dns_name: PrivateDnsName::NotSeen,
    };

    #[test]
    fn templates_are_filled() {
        let known = |template: &str| render(template, &VALUES).unwrap().known().map(str::to_owned);
        assert_eq!(
            known("{{AccountID}}:{{SessionName}}:{{SessionNameRaw}}").unwrap(),
            "111122223333:ada-example.com:ada@example.com"
        );
        assert_eq!(known("{{ SessionName }}{{Session}}").unwrap(), "{{ SessionName }}{{Session}}");
        assert_eq!(known("").unwrap(), "");
        assert_eq!(
            render("k:{{AccessKeyID}}", &VALUES).unwrap(),
            Rendered::Unknown { template: "k:{{AccessKeyID}}".to_owned(), missing: vec![Placeholder::AccessKeyId] }
        );
    }

    #[test]
    fn node_names_need_an_instance() {
        let node = |session_name, private_dns_name| {
            render("{{EC2PrivateDNSName}}", &TemplateValues { session_name, private_dns_name, ..VALUES })
        };
        let refused = |why: &str| Err(RenderError::Refused(why.to_owned()));
        let id = Some("i-0123456789abcdef0");
        assert_eq!(node(id, PrivateDnsName::Found("ip-10-0-1-23")), Ok(Rendered::Known("ip-10-0-1-23".to_owned())));
        assert_eq!(node(id, PrivateDnsName::NotFound), refused("failed to find node i-0123456789abcdef0 "));
        assert!(matches!(node(id, PrivateDnsName::NotSeen), Ok(Rendered::Unknown { .. })));
        assert_eq!(node(Some("ada"), PrivateDnsName::NotSeen), refused("SessionName did not contain an instance id"));
        assert_eq!(node(None, PrivateDnsName::NotSeen), Err(RenderError::SessionNameNotSeen));
        assert!(!is_instance_id("i-012345678") && !is_instance_id("i-0123456!") && is_instance_id("i-01234567"));
    }
}
