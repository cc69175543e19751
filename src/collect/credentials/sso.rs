//! Credentials of IAM Identity Center and of `aws login`. The session that `aws sso login` left in the CLI's cache is
//! used as it is; renewing it is left to the CLI, since that changes the cache.

use aws_credential_types::Credentials as Keys;
use jiff::Timestamp;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde_json::Value;

use super::cache::{cache_file, hexadecimal, read_cache, time};
use super::{Chain, OPERATION, now, text};
use crate::collect::aws::answer;
use crate::collect::aws_config::AwsConfig;
use crate::collect::failure::{self, failure};
use crate::collect::ini::Section;
use crate::collect::surroundings::Surroundings;
use crate::evidence::Failure;

/// The header that carries the session's token to the portal.
const HEADER: &str = "x-amz-sso_bearer_token";

const PORTAL: &str = "sso:GetRoleCredentials";

/// A profile's settings for IAM Identity Center, with those of its `sso-session` section.
struct Settings<'s> {
    cache_key: &'s str,
    region: &'s str,
    account: &'s str,
    role: &'s str,
}

impl<'s> Settings<'s> {
    fn of(profile: &'s Section, config: &'s AwsConfig) -> Result<Self, String> {
        let session = text(profile, "sso_session");
        let shared = match session {
            Some(name) => Some(
                config
                    .sso_session(name)
                    .ok_or_else(|| format!("The specified sso-session does not exist: \"{name}\""))?,
            ),
            None => None,
        };
        let setting = |key: &str| {
            let value = text(profile, key).or_else(|| text(shared?, key));
            value.ok_or_else(|| format!("configured to use SSO but is missing required configuration: {key}"))
        };
        let start_url = setting("sso_start_url")?;
        Ok(Self {
            cache_key: session.unwrap_or(start_url),
            region: setting("sso_region")?,
            account: setting("sso_account_id")?,
            role: setting("sso_role_name")?,
        })
    }
}

/// When the cached session of a profile ends, or has ended. Only the time is read from the cache.
pub(crate) fn session_end(profile: &Section, config: &AwsConfig, surroundings: &Surroundings) -> Option<Timestamp> {
    let settings = Settings::of(profile, config).ok()?;
    let path = surroundings.expand_home(&cache_file("sso", &SHA1_FOR_LEGACY_USE_ONLY, settings.cache_key));
    time(&read_cache(&path).ok()?, "expiresAt")
}

impl Chain<'_> {
    /// The keys of an account and role of IAM Identity Center.
    pub(super) async fn sso(&self, profile: &Section) -> Result<Keys, Failure> {
        let settings = Settings::of(profile, self.config)
            .map_err(|message| failure(OPERATION, "InvalidConfiguration", message))?;
        let path = self.surroundings.expand_home(&cache_file("sso", &SHA1_FOR_LEGACY_USE_ONLY, settings.cache_key));
        let does_not_exist = |_| {
            let message = format!("Error loading SSO Token: Token for {} does not exist", settings.cache_key);
            failure(&format!("read {}", path.display()), "SSOTokenLoadError", message)
        };
        let cached = read_cache(&path).map_err(does_not_exist)?;
        let (Some(token), Some(end)) = (cached.get("accessToken").and_then(Value::as_str), time(&cached, "expiresAt"))
        else {
            return Err(does_not_exist(String::new()));
        };
        if end <= now() {
            let can_renew = cached.get("refreshToken").is_some()
                && time(&cached, "registrationExpiresAt").is_some_and(|end| end > now());
            if can_renew && text(profile, "sso_session").is_some() {
                return self.by_aws_cli(&self.selected.name).await;
            }
            let message = format!(
                "The SSO session associated with this profile has expired or is otherwise invalid: it ended at {end}"
            );
            return Err(failure(OPERATION, "SSOTokenExpired", message));
        }
        self.role_credentials(&settings, token).await
    }

    async fn role_credentials(&self, settings: &Settings<'_>, token: &str) -> Result<Keys, Failure> {
        let host =
            format!("https://portal.sso.{}.{}", settings.region, crate::collect::token::dns_suffix(settings.region));
        let endpoint = self.aws.endpoint_url("sso").unwrap_or(host);
        let query =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let url = format!(
            "{}/federation/credentials?role_name={}&account_id={}",
            endpoint.trim_end_matches('/'),
            query(settings.role),
            query(settings.account)
        );
        let answer = self
            .aws
            .http()
            .get(&url, &[(HEADER, token)])
            .await
            .map_err(|error| failure::of_error(PORTAL, error.as_ref()))?;
        let body = String::from_utf8_lossy(answer.body());
        if !answer.status().is_success() {
            let named = answer.headers().get("x-amzn-errortype").and_then(|name| name.to_str().ok());
            let failure = answer::error_of(PORTAL, answer.status().as_u16(), &body);
            let code = named.and_then(|name| name.split(':').next()).map(str::to_owned);
            return Err(Failure {
                message: answer::field(&body, "message").unwrap_or(failure.message),
                code: code.or(failure.code),
                ..failure
            });
        }
        let issued: Value = serde_json::from_str(&body).unwrap_or_default();
        let issued = issued.get("roleCredentials").cloned().unwrap_or_default();
        let field = |key: &str| issued.get(key).and_then(Value::as_str);
        let (Some(id), Some(secret)) = (field("accessKeyId"), field("secretAccessKey")) else {
            return Err(answer::unreadable(PORTAL, "no roleCredentials in it"));
        };
        let expires =
            issued.get("expiration").and_then(Value::as_i64).and_then(|time| Timestamp::from_millisecond(time).ok());
        Ok(Keys::new(id, secret, field("sessionToken").map(str::to_owned), expires.map(Into::into), "sso"))
    }

    /// The keys of a session of `aws login`: those in the cache while they last, else what the CLI makes of it.
    pub(super) async fn login(&self, name: &str, session: &str) -> Result<Keys, Failure> {
        let folder =
            self.surroundings.variable("AWS_LOGIN_CACHE_DIRECTORY").map(|folder| self.surroundings.expand_home(folder));
        let path = match folder {
            Some(folder) => folder.join(format!("{}.json", hexadecimal(&SHA256, session))),
            None => self.surroundings.expand_home(&cache_file("login", &SHA256, session)),
        };
        let cached = read_cache(&path)
            .map_err(|error| failure(&format!("read {}", path.display()), "LoginTokenLoadError", error))?;
        let field = |key: &str| cached.get("accessToken")?.get(key)?.as_str();
        let expires = field("expiresAt").and_then(|time| time.parse::<Timestamp>().ok());
        match (field("accessKeyId"), field("secretAccessKey"), expires) {
            (Some(id), Some(secret), Some(end)) if end > now() => {
                Ok(Keys::new(id, secret, field("sessionToken").map(str::to_owned), Some(end.into()), "login"))
            }
            _ => self.by_aws_cli(name).await,
        }
    }
}
