//! The process's surroundings: environment variables, home folder, executables on the PATH. Read once, then passed
//! on, so that everything below can be shown another machine.

#![expect(clippy::disallowed_methods, reason = "this is where the environment is read")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::evidence::redact;
use crate::evidence::{Absent, Executable, Observed};

/// Where Kubernetes puts the service account of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Variables that matter besides those with one of the prefixes, whatever their letter case.
const VARIABLES: &[&str] =
    &["KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "DEFAULT_ROLE", "HOME", "SUDO_USER", "CI"];

/// Prefixes of variables that matter to AWS, kubectl and TLS.
const PREFIXES: &[&str] =
    &["AWS_", "KUBERNETES_SERVICE_", "KUBERNETES_AWS_AUTHENTICATOR_", "SSL_CERT_", "REQUESTS_CA_BUNDLE"];

/// What a process inherits. Debug output names the variables without their values, among which are secrets.
#[derive(Clone)]
pub struct Surroundings {
    /// The environment variables. They may hold any bytes.
    pub variables: BTreeMap<OsString, OsString>,
    /// The home folder, from `HOME` or the user database.
    pub home: Option<PathBuf>,
    /// The working folder, to which relative paths are relative.
    pub folder: PathBuf,
    /// The folder with the files of a pod's service account.
    pub service_account: PathBuf,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { variables, home, folder, service_account } = self;
        let names: Vec<_> = variables.keys().collect();
        formatter
            .debug_struct("Surroundings")
            .field("variables", &names)
            .field("home", home)
            .field("folder", folder)
            .field("service_account", service_account)
            .finish()
    }
}

impl Surroundings {
    /// The surroundings of this process.
    pub fn of_this_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            home: std::env::home_dir(),
            folder: std::env::current_dir().unwrap_or_default(),
            service_account: SERVICE_ACCOUNT.into(),
        }
    }

    /// A variable that is set, not empty and text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }

    /// Whether a variable holds `true`, in any letter case.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A path as the AWS tools expand it: `$VARIABLE`s are left alone, a leading `~` is the home folder.
    pub(crate) fn expand_home(&self, path: &str) -> PathBuf {
        match (path.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => self.folder.join(path),
        }
    }

    /// The same surroundings with further variables, as the child of a process sees them.
    pub(crate) fn with(&self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut changed = self.clone();
        changed.variables.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        changed
    }

    /// The variables that matter, without secrets.
    pub(crate) fn shown_variables(&self) -> BTreeMap<String, String> {
        self.variables
            .iter()
            .map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy()))
            .filter(|(name, _)| matters(name))
            .map(|(name, value)| (name.to_string(), shown_value(&name, &value)))
            .collect()
    }

    /// The folders of the PATH. An empty element means the working folder.
    pub(crate) fn search_path(&self) -> Vec<PathBuf> {
        let path = self.variables.get(OsStr::new("PATH"));
        path.map(|path| std::env::split_paths(path).map(|folder| self.folder.join(folder)).collect())
            .unwrap_or_default()
    }

    /// Looks an executable up as `execvp` and Go's `exec.LookPath` do: the first file on the PATH that may be executed.
    pub(crate) fn find_executable(&self, name: &str) -> Observed<Executable> {
        let folders = self.search_path();
        match folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path)) {
            Some(path) => Observed::Found(Executable { path: path.display().to_string(), version: None }),
            None => {
                Observed::Absent(Absent { looked: folders.iter().map(|folder| folder.display().to_string()).collect() })
            }
        }
    }
}

/// Whether a file is there and may be executed by somebody.
pub(crate) fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    #[cfg(unix)]
    let allowed = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let allowed = true;
    metadata.is_file() && allowed
}

fn matters(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || VARIABLES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn shown_value(name: &str, value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else if redact::is_secret_name(name) {
        redact::REDACTED.to_owned()
    } else if name == "AWS_ACCESS_KEY_ID" {
        redact::access_key_id(value)
    } else {
        redact::scrub(value).into_owned()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Surroundings with these variables and nothing else.
    pub(crate) fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            home: Some("/home/ada".into()),
            folder: "/home/ada/project".into(),
            service_account: "/nowhere".into(),
        }
    }

    #[test]
    fn variables_that_matter_are_shown_without_secrets() {
        let surroundings = surroundings(&[
            ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "swordfish"),
            ("AWS_SESSION_TOKEN", ""),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
            ("https_proxy", "http://ada:swordfish@proxy.example:3128"),
            ("EDITOR", "ed"),
        ]);
        let shown = surroundings.shown_variables();
        let shown: Vec<_> = shown.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("AWS_ACCESS_KEY_ID", "ASIAXXXXXXXXXXXXMPLE"),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
                ("AWS_SECRET_ACCESS_KEY", "<redacted>"),
                ("AWS_SESSION_TOKEN", ""),
                ("https_proxy", "http://ada:<redacted>@proxy.example:3128"),
            ]
        );
    }

    #[test]
    fn debug_output_holds_no_values() {
        let shown = format!("{:?}", surroundings(&[("AWS_SECRET_ACCESS_KEY", "swordfish")]));
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("swordfish"), "{shown}");
    }

    #[test]
    fn a_leading_tilde_is_the_home_folder() {
        let surroundings = surroundings(&[]);
        for (path, expanded) in [
            ("~/x", "/home/ada/x"),
            ("~", "/home/ada"),
            ("/x", "/x"),
            ("x", "/home/ada/project/x"),
            ("~eve/x", "/home/ada/project/~eve/x"),
        ] {
            assert_eq!(surroundings.expand_home(path), Path::new(expanded));
        }
    }

    #[test]
    fn executables_are_looked_up_in_the_order_of_the_path() {
        let nowhere = surroundings(&[("PATH", "/nowhere:/nowhere/else")]);
        let looked = vec!["/nowhere".to_owned(), "/nowhere/else".to_owned()];
        assert_eq!(nowhere.find_executable("sh"), Observed::Absent(Absent { looked }));
        let found = surroundings(&[("PATH", "/nowhere:/bin")]).find_executable("sh");
        assert_eq!(found.found().map(|executable| executable.path.as_str()), Some("/bin/sh"));
    }
}
