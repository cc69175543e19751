//! The shared AWS configuration files, read as botocore reads them: which profiles there are, which one is in force,
//! what it sets. The files follow the rules of Python's `configparser`, not those of the SDKs, because `aws` is what
//! makes most tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::evidence::{Absent, Failure, Observed, Profile, ProfileSource};

use super::ini::{self, Section};
use super::surroundings::Surroundings;

/// The shared configuration files, parsed.
#[derive(Debug, Default)]
pub(crate) struct AwsConfig {
    /// The profiles, with the credentials file laid over the config file.
    profiles: BTreeMap<String, Section>,
    /// Sections of the credentials file by their literal names.
    credentials: BTreeMap<String, Section>,
    /// Profiles of the config file alone.
    config: BTreeMap<String, Section>,
    sso_sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
    /// The two files, whether they are there or not.
    files: Vec<PathBuf>,
    /// What is wrong with them. The AWS CLI does nothing at all then.
    error: Option<Failure>,
}

/// The name of the profile in force and what selected it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) name: String,
    pub(crate) source: ProfileSource,
}

/// The profile in force. botocore asks `AWS_DEFAULT_PROFILE` before `AWS_PROFILE`.
pub(crate) fn selected_profile(flag: Option<&str>, surroundings: &Surroundings) -> Selected {
    let named = [
        (flag, ProfileSource::Flag),
        (surroundings.variable("AWS_DEFAULT_PROFILE"), ProfileSource::AwsDefaultProfile),
        (surroundings.variable("AWS_PROFILE"), ProfileSource::AwsProfile),
    ];
    let named = named.into_iter().find_map(|(name, source)| Some(Selected { name: name?.to_owned(), source }));
    named.unwrap_or_else(|| Selected { name: "default".to_owned(), source: ProfileSource::Default })
}

impl AwsConfig {
    /// Reads both files.
    pub(crate) fn read(surroundings: &Surroundings) -> Self {
        let path = |variable: &str, default: &str| {
            surroundings.expand_home(surroundings.variable(variable).unwrap_or(default))
        };
        let files =
            vec![path("AWS_CONFIG_FILE", "~/.aws/config"), path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")];
        let mut read = Self { files: files.clone(), ..Self::default() };
        for (place, file) in files.iter().enumerate() {
            match read_file(file) {
                Ok(Some(sections)) if place == 0 => read.add_config(sections),
                Ok(Some(sections)) => read.add_credentials(sections),
                Ok(None) => {}
                Err(failure) => read.error = read.error.or(Some(failure)),
            }
        }
        read
    }

    fn add_config(&mut self, sections: BTreeMap<String, Section>) {
        for (name, section) in sections {
            // botocore looks at the beginning of the section's name, then wants exactly one word after the first.
            let second_word = || match shlex::split(&name).as_deref() {
                Some([_, second]) => Some(second.clone()),
                _ => None,
            };
            let (kind, key) = if name.starts_with("profile") {
                (&mut self.config, second_word())
            } else if name.starts_with("sso-session") {
                (&mut self.sso_sessions, second_word())
            } else if name.starts_with("services") {
                (&mut self.services, second_word())
            } else {
                (&mut self.config, (name == "default").then(|| name.clone()))
            };
            if let Some(key) = key {
                kind.insert(key, section);
            }
        }
        self.profiles = self.config.clone();
    }

    fn add_credentials(&mut self, sections: BTreeMap<String, Section>) {
        for (name, section) in &sections {
            self.profiles.entry(name.clone()).or_default().extend(section.clone());
        }
        self.credentials = sections;
    }

    /// What is wrong with the files.
    pub(crate) fn error(&self) -> Option<&Failure> {
        self.error.as_ref()
    }

    /// A profile with all its settings.
    pub(crate) fn profile(&self, name: &str) -> Option<&Section> {
        self.profiles.get(name)
    }

    /// A section of the credentials file.
    pub(crate) fn in_credentials_file(&self, name: &str) -> Option<&Section> {
        self.credentials.get(name)
    }

    /// A profile's settings in the config file alone.
    pub(crate) fn in_config_file(&self, name: &str) -> Option<&Section> {
        self.config.get(name)
    }

    /// A section `[sso-session NAME]`.
    pub(crate) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.sso_sessions.get(name)
    }

    /// The two files' paths.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.files.iter().map(|file| file.display().to_string()).collect()
    }

    /// Names of all profiles.
    pub(crate) fn profile_names(&self) -> Observed<Vec<String>> {
        match &self.error {
            Some(failure) => Observed::Failed(failure.clone()),
            None => Observed::Found(self.profiles.keys().cloned().collect()),
        }
    }

    /// The profile in force as an observation. That there is no profile `default` is no fault unless it was asked for.
    pub(crate) fn observe(&self, selected: &Selected) -> Observed<Profile> {
        if let Some(failure) = &self.error {
            return Observed::Failed(failure.clone());
        }
        let Some(section) = self.profiles.get(&selected.name) else {
            return match selected.source {
                ProfileSource::Default => Observed::not_tried("no profile is named, and none is called default"),
                _ => Observed::Absent(Absent { looked: self.paths() }),
            };
        };
        let text = |key: &str| section.get(key).and_then(ini::Value::text).map(str::to_owned);
        Observed::Found(Profile {
            name: selected.name.clone(),
            source: selected.source,
            region: text("region"),
            settings: section.keys().cloned().collect(),
            output: text("output"),
            sso_expires_at: None,
            role_arn: text("role_arn"),
            source_profile: text("source_profile"),
            mfa_serial: text("mfa_serial"),
            endpoint_url: self.endpoint_url(&selected.name, "sts").or_else(|| text("endpoint_url")),
        })
    }

    /// `endpoint_url` of a service in the `services` section that a profile names, else of the profile itself.
    pub(crate) fn endpoint_url(&self, profile: &str, service: &str) -> Option<String> {
        let section = self.profiles.get(profile)?;
        let services = section.get("services").and_then(ini::Value::text);
        let nested = services.and_then(|name| self.services.get(name)?.get(service)?.nested()?.get("endpoint_url"));
        nested.map(String::as_str).or_else(|| section.get("endpoint_url")?.text()).map(str::to_owned)
    }
}

/// One file's sections; nothing if there is no such file.
fn read_file(path: &Path) -> Result<Option<BTreeMap<String, Section>>, Failure> {
    let failure = |code: Option<String>, what: String| Failure {
        operation: Some(format!("read {}", path.display())),
        code,
        message: format!("Unable to parse config file: {}: {what}", path.display()),
        ..Failure::default()
    };
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = match super::file::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Err(failure(super::failure::os_code(&error), error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        failure(None, format!("line {line} is not UTF-8"))
    })?;
    ini::parse(&text).map(Some).map_err(|error| failure(None, error))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the files to be read are written here")]
mod tests {
    use super::super::surroundings::tests::surroundings;
    use super::*;

    fn config(config: &str, credentials: &str) -> AwsConfig {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), config).unwrap();
        std::fs::write(folder.path().join("credentials"), credentials).unwrap();
        AwsConfig::read(&surroundings(&[
            ("AWS_CONFIG_FILE", folder.path().join("config").to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials").to_str().unwrap()),
        ]))
    }

    #[test]
    fn profiles_need_their_prefix_in_the_config_file_only() {
        let read =
            config("[default]\nregion=a\n[profile dev]\nregion=b\n[forgotten]\nregion=c\n", "[ops]\nregion = d\n");
        assert_eq!(read.profile_names(), Observed::Found(vec!["default".into(), "dev".into(), "ops".into()]));
    }

    #[test]
    fn the_credentials_file_is_laid_over_the_config_file() {
        let read = config("[profile dev]\nregion = a\noutput = json\n", "[dev]\nregion = b\n");
        let profile = read.observe(&Selected { name: "dev".into(), source: ProfileSource::AwsProfile });
        let profile = profile.found().unwrap();
        assert_eq!((profile.region.as_deref(), profile.output.as_deref()), (Some("b"), Some("json")));
        assert_eq!(profile.settings, ["output", "region"]);
    }

    #[test]
    fn a_service_section_beats_the_profile() {
        let text = "[profile dev]\nservices = lab\nendpoint_url = http://a.example\n[services lab]\nsts =\n  endpoint_url = http://b.example\n";
        let read = config(text, "");
        assert_eq!(read.endpoint_url("dev", "sts").as_deref(), Some("http://b.example"));
        assert_eq!(read.endpoint_url("dev", "eks").as_deref(), Some("http://a.example"));
    }

    #[test]
    fn a_broken_file_is_a_failure_with_its_line() {
        let read = config("[default]\nregion = a\nregion = b\n", "");
        let failure = read.error().unwrap();
        assert!(failure.message.contains("line 3"), "{}", failure.message);
        assert!(read.observe(&selected_profile(None, &surroundings(&[]))).failure().is_some());
    }

    #[test]
    fn a_missing_profile_says_where_it_was_looked_for() {
        let read = config("", "");
        let missing = read.observe(&selected_profile(Some("nope"), &surroundings(&[])));
        assert!(matches!(missing, Observed::Absent(Absent { looked }) if looked.len() == 2));
    }

    #[test]
    fn the_flag_beats_the_variables() {
        let both = surroundings(&[("AWS_PROFILE", "a"), ("AWS_DEFAULT_PROFILE", "b")]);
        assert_eq!(selected_profile(Some("c"), &both).name, "c");
        assert_eq!(selected_profile(None, &both).source, ProfileSource::AwsDefaultProfile);
        assert_eq!(selected_profile(None, &surroundings(&[("AWS_PROFILE", "")])).name, "default");
    }
}
