//! Credentials of a profile: keys, roles taken with those of another profile, web identity.

use aws_credential_types::Credentials as Keys;

use super::{Chain, OPERATION, partial, text};
use crate::collect::aws::RoleRequest;
use crate::collect::failure::{failure, os_code};
use crate::collect::ini::Section;
use crate::evidence::Failure;

/// Longer chains of profiles are a loop or a joke.
const LONGEST_CHAIN: usize = 10;

/// A profile's roles, its own first, and what the keys to take the last one with come from.
struct Plan<'c> {
    roles: Vec<RoleRequest>,
    base: Base<'c>,
}

/// Where a chain of roles begins.
enum Base<'c> {
    /// A profile with credentials of its own.
    Profile(&'c str, &'c Section),
    /// `credential_source`.
    Source(&'c str),
}

impl Chain<'_> {
    /// The keys of a profile, by whatever it is configured with.
    pub(super) async fn of_profile(&self, name: &str) -> Result<Keys, Failure> {
        let plan = self.plan(name)?;
        // The AWS CLI keeps the keys of roles, and asks no code for MFA while they last.
        let cached = plan.roles.iter().enumerate().find_map(|(place, role)| Some((place, self.cached_role(role)?)));
        let (mut keys, roles) = match cached {
            Some((place, keys)) => (keys, plan.roles.get(..place).unwrap_or_default()),
            None => {
                if let Some(role) = plan.roles.iter().find(|role| role.mfa_serial.is_some()) {
                    return Err(mfa_required(role));
                }
                let keys = match plan.base {
                    Base::Profile(name, profile) => self.own_keys(name, profile).await?,
                    Base::Source(source) => self.of_source(source).await?,
                };
                (keys, plan.roles.as_slice())
            }
        };
        for role in roles.iter().rev() {
            if role.mfa_serial.is_some() {
                return Err(mfa_required(role));
            }
            keys = self.aws.assume_role(&keys, role).await?;
        }
        Ok(keys)
    }

    /// Follows a profile down to the one that holds credentials of its own.
    fn plan<'s>(&'s self, name: &'s str) -> Result<Plan<'s>, Failure> {
        let mut roles = Vec::new();
        let mut visited: Vec<&str> = Vec::new();
        let mut name = name;
        let base = loop {
            let Some(profile) = self.config.profile(name) else {
                return Err(invalid(format!("The source_profile \"{name}\" does not exist.")));
            };
            let first = visited.is_empty();
            if visited.contains(&name) || visited.len() >= LONGEST_CHAIN {
                let visited = visited.join(" -> ");
                return Err(invalid(format!(
                    "Infinite loop in credential configuration detected: {visited} -> {name}"
                )));
            }
            visited.push(name);
            let takes_role = text(profile, "role_arn").is_some() && text(profile, "web_identity_token_file").is_none();
            // Below the first profile keys of its own come before a role.
            if !takes_role || (!first && holds_keys(profile)) {
                break Base::Profile(name, profile);
            }
            roles.push(role_request(profile));
            match (text(profile, "source_profile"), text(profile, "credential_source")) {
                (Some(source), None) if source == name && holds_keys(profile) => break Base::Profile(name, profile),
                (Some(source), None) => name = source,
                (None, Some(source)) => break Base::Source(source),
                (Some(_), Some(_)) => {
                    let message = format!("The profile \"{name}\" contains both source_profile and credential_source.");
                    return Err(invalid(message));
                }
                (None, None) => return Err(partial("assume-role", "source_profile or credential_source")),
            }
        };
        Ok(Plan { roles, base })
    }

    /// The keys that a profile itself is configured for, in botocore's order.
    async fn own_keys(&self, name: &str, profile: &Section) -> Result<Keys, Failure> {
        let has = |key: &str| text(profile, key).is_some();
        let in_credentials_file =
            self.config.in_credentials_file(name).filter(|section| section.contains_key("aws_access_key_id"));
        if has("web_identity_token_file") {
            self.web_identity(name, false).await
        } else if has("sso_role_name") || has("sso_account_id") {
            self.sso(profile).await
        } else if let Some(section) = in_credentials_file {
            static_keys(section, "shared-credentials-file")
        } else if let Some(session) = text(profile, "login_session") {
            self.login(name, session).await
        } else if let Some(command) = text(profile, "credential_process") {
            self.process(command).await
        } else if profile.contains_key("aws_access_key_id") {
            static_keys(profile, "config-file")
        } else {
            Err(invalid(format!("The source profile \"{name}\" must have credentials.")))
        }
    }

    async fn of_source(&self, source: &str) -> Result<Keys, Failure> {
        match source {
            "Environment" => self.environment(),
            "EcsContainer" => self.container().await,
            "Ec2InstanceMetadata" => match self.instance_keys().await? {
                Some(keys) => Ok(keys),
                None => Err(failure(
                    OPERATION,
                    "NoCredentials",
                    "No credentials found in credential_source referenced in profile: Ec2InstanceMetadata",
                )),
            },
            other => Err(invalid(format!("The credential source \"{other}\" is not valid."))),
        }
    }

    /// Web identity, configured by variables or by a profile.
    pub(super) async fn web_identity(&self, name: &str, by_variables: bool) -> Result<Keys, Failure> {
        let profile = self.config.profile(name);
        let setting = |variable: &str, key: &str| {
            let of_environment = self.surroundings.variable(variable).filter(|_| by_variables);
            of_environment.or_else(|| text(profile?, key)).map(str::to_owned)
        };
        let path = setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file").unwrap_or_default();
        let Some(role_arn) = setting("AWS_ROLE_ARN", "role_arn") else {
            return Err(invalid(
                "configured to assume role with web identity but has no role ARN configured".to_owned(),
            ));
        };
        let path = self.surroundings.expand_home(&path);
        let token = crate::collect::file::read_text(&path).map_err(|error| Failure {
            operation: Some(format!("read {}", path.display())),
            code: os_code(&error),
            message: format!("{}: {error}", path.display()),
            ..Failure::default()
        })?;
        let role = RoleRequest {
            role_arn,
            session_name: setting("AWS_ROLE_SESSION_NAME", "role_session_name"),
            ..RoleRequest::default()
        };
        self.aws.assume_role_with_web_identity(token.trim(), &role).await
    }
}

fn holds_keys(profile: &Section) -> bool {
    profile.contains_key("aws_access_key_id") || profile.contains_key("aws_secret_access_key")
}

fn static_keys(section: &Section, place: &str) -> Result<Keys, Failure> {
    let Some(id) = text(section, "aws_access_key_id") else { return Err(partial(place, "aws_access_key_id")) };
    let Some(secret) = text(section, "aws_secret_access_key") else {
        return Err(partial(place, "aws_secret_access_key"));
    };
    let token = text(section, "aws_security_token").or_else(|| text(section, "aws_session_token"));
    Ok(Keys::new(id, secret, token.map(str::to_owned), None, "profile"))
}

fn role_request(profile: &Section) -> RoleRequest {
    let owned = |key: &str| text(profile, key).map(str::to_owned);
    RoleRequest {
        role_arn: owned("role_arn").unwrap_or_default(),
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        duration_seconds: owned("duration_seconds").and_then(|seconds| seconds.parse().ok()),
        mfa_serial: owned("mfa_serial"),
    }
}

fn mfa_required(role: &RoleRequest) -> Failure {
    let serial = role.mfa_serial.as_deref().unwrap_or_default();
    let message = format!("{} is taken with a code of {serial}, and nobody can be asked for it here", role.role_arn);
    failure(OPERATION, "MfaRequired", message)
}

fn invalid(message: String) -> Failure {
    failure(OPERATION, "InvalidConfiguration", message)
}
