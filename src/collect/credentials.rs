//! Which AWS credentials are in force, what they shadow, and the keys themselves. The order is botocore's, because
//! `aws` makes most tokens: the environment first unless a profile was named by flag, instance metadata last and only
//! when there is nothing else.

use aws_credential_types::Credentials as Keys;
use jiff::Timestamp;

use super::aws::Aws;
use super::aws_config::{AwsConfig, Selected};
use super::failure::failure;
use super::ini::{Section, Value};
use super::surroundings::Surroundings;
use super::watch::unanswered;
use crate::evidence::redact;
use crate::evidence::{Absent, CredentialProvider, Credentials, Failure, Observed, ProfileSource};

mod cache;
mod metadata;
mod profile;
mod program;
mod sso;

pub(crate) use sso::session_end;

/// The operation of a look at credentials that makes no call.
const OPERATION: &str = "credentials";

/// A place that credentials may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Environment,
    AssumeRole,
    WebIdentity,
    Sso,
    CredentialsFile,
    Login,
    Process,
    ConfigFile,
    Container,
    InstanceMetadata,
}

/// Where credentials are looked for.
pub(crate) struct Chain<'c> {
    pub(crate) surroundings: &'c Surroundings,
    pub(crate) config: &'c AwsConfig,
    pub(crate) selected: &'c Selected,
    pub(crate) aws: &'c Aws<'c>,
}

impl Chain<'_> {
    /// The credentials in force and their keys.
    pub(crate) async fn resolve(&self) -> Observed<(Credentials, Keys)> {
        if let Some(failure) = self.config.error() {
            return Observed::Failed(failure.clone());
        }
        let name = &self.selected.name;
        if self.selected.source != ProfileSource::Default && self.config.profile(name).is_none() {
            return Observed::Failed(failure(
                OPERATION,
                "ProfileNotFound",
                format!("The config profile ({name}) could not be found"),
            ));
        }
        let sources = self.sources();
        let Some((source, others)) = sources.split_first() else { return self.instance_metadata().await };
        match self.load(source).await {
            Ok(keys) => {
                let shadowed = self.shadowed(source, others);
                Observed::Found((describe(provider(source), &keys, shadowed), keys))
            }
            Err(failure) => unanswered(failure),
        }
    }

    /// The sources that are configured, in the order in which they win.
    fn sources(&self) -> Vec<Source> {
        let by_flag = self.selected.source == ProfileSource::Flag;
        let set = |variable: &str| self.surroundings.variable(variable).is_some();
        let profile = self.profile();
        let has = |key: &str| profile.is_some_and(|profile| profile.contains_key(key));
        let holds_key =
            |section: Option<&Section>| section.is_some_and(|section| section.contains_key("aws_access_key_id"));
        let name = &self.selected.name;
        [
            (!by_flag && set("AWS_ACCESS_KEY_ID"), Source::Environment),
            (has("role_arn") && !has("web_identity_token_file"), Source::AssumeRole),
            (!by_flag && set("AWS_WEB_IDENTITY_TOKEN_FILE") || has("web_identity_token_file"), Source::WebIdentity),
            (has("sso_role_name") || has("sso_account_id"), Source::Sso),
            (holds_key(self.config.in_credentials_file(name)), Source::CredentialsFile),
            (has("login_session"), Source::Login),
            (has("credential_process"), Source::Process),
            (holds_key(self.config.in_config_file(name)), Source::ConfigFile),
            (
                set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
                Source::Container,
            ),
        ]
        .into_iter()
        .filter_map(|(configured, source)| configured.then_some(source))
        .collect()
    }

    fn profile(&self) -> Option<&Section> {
        self.config.profile(&self.selected.name)
    }

    async fn load(&self, source: &Source) -> Result<Keys, Failure> {
        match source {
            Source::Environment => self.environment(),
            Source::WebIdentity => {
                self.web_identity(&self.selected.name, self.selected.source != ProfileSource::Flag).await
            }
            Source::Container => self.container().await,
            // Read by `instance_metadata`, since nothing says beforehand whether it is there.
            Source::InstanceMetadata => Err(failure(OPERATION, "NoCredentials", "no instance metadata")),
            _ => self.of_profile(&self.selected.name).await,
        }
    }

    /// What would have been used otherwise. Everything in a profile is one thing, named by the profile.
    fn shadowed(&self, winner: &Source, others: &[Source]) -> Vec<String> {
        let label = |source: &Source| match source {
            Source::WebIdentity if self.surroundings.variable("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() => {
                "web-identity".to_owned()
            }
            Source::Container => "container".to_owned(),
            _ => format!("profile {}", self.selected.name),
        };
        let own = if *winner == Source::Environment { String::new() } else { label(winner) };
        let mut labels: Vec<String> = others.iter().map(label).filter(|label| *label != own).collect();
        labels.dedup();
        labels
    }

    fn environment(&self) -> Result<Keys, Failure> {
        let variable = |name: &str| self.surroundings.variable(name);
        let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
            return Err(partial("env", "AWS_SECRET_ACCESS_KEY"));
        };
        let token = variable("AWS_SECURITY_TOKEN").or_else(|| variable("AWS_SESSION_TOKEN")).map(str::to_owned);
        let expires = variable("AWS_CREDENTIAL_EXPIRATION").and_then(|time| time.parse::<Timestamp>().ok());
        if let Some(end) = expires.filter(|end| *end < now()) {
            return Err(failure(OPERATION, "ExpiredToken", format!("AWS_CREDENTIAL_EXPIRATION was {end}")));
        }
        Ok(Keys::new(id, secret, token, expires.map(Into::into), "environment"))
    }

    /// Instance metadata, when nothing else is configured.
    async fn instance_metadata(&self) -> Observed<(Credentials, Keys)> {
        if !self.surroundings.is_true("AWS_EC2_METADATA_DISABLED") {
            match self.instance_keys().await {
                Ok(Some(keys)) => {
                    return Observed::Found((describe(provider(&Source::InstanceMetadata), &keys, Vec::new()), keys));
                }
                Ok(None) => {}
                Err(failure) => return unanswered(failure),
            }
        }
        let looked =
            [vec!["environment".to_owned()], self.config.paths(), vec!["container".to_owned(), "imds".to_owned()]];
        Observed::Absent(Absent { looked: looked.concat() })
    }
}

/// A text setting of a profile.
fn text<'s>(section: &'s Section, key: &str) -> Option<&'s str> {
    section.get(key).and_then(Value::text).filter(|text| !text.is_empty())
}

/// Half a key pair, in botocore's words.
fn partial(place: &str, missing: &str) -> Failure {
    failure(OPERATION, "PartialCredentials", format!("Partial credentials found in {place}, missing: {missing}"))
}

fn describe(provider: CredentialProvider, keys: &Keys, shadowed: Vec<String>) -> Credentials {
    Credentials {
        provider,
        access_key_id: Some(redact::access_key_id(keys.access_key_id())),
        expires_at: keys.expiry().and_then(|time| Timestamp::try_from(time).ok()),
        shadowed,
    }
}

fn provider(source: &Source) -> CredentialProvider {
    match source {
        Source::Environment => CredentialProvider::Environment,
        Source::AssumeRole => CredentialProvider::AssumeRole,
        Source::WebIdentity => CredentialProvider::WebIdentity,
        Source::Sso => CredentialProvider::Sso,
        Source::CredentialsFile | Source::ConfigFile => CredentialProvider::Profile,
        Source::Login => CredentialProvider::Login,
        Source::Process => CredentialProvider::Process,
        Source::Container => CredentialProvider::Container,
        Source::InstanceMetadata => CredentialProvider::Imds,
    }
}

/// The local clock's time.
#[expect(clippy::disallowed_methods, reason = "whether credentials have expired depends on the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests;
