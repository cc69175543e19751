#![expect(clippy::disallowed_methods, reason = "the tests write the files that are read")]

use super::super::aws_config::selected_profile;
use super::super::http::{Clock, Http};
use super::super::surroundings::tests::surroundings;
use super::*;

const CREDENTIALS: &str = "[dev]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = swordfish\n[half]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n";

const CONFIG: &str = "
[profile process]
credential_process = /bin/echo '{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS000000001\",\"SecretAccessKey\":\"swordfish\"}'
[profile broken]
credential_process = /bin/sh -c 'echo nothing here >&2; exit 3'
[profile loop]
role_arn = arn:aws:iam::111122223333:role/a
source_profile = loop2
[profile loop2]
role_arn = arn:aws:iam::111122223333:role/b
source_profile = loop
[profile mfa]
role_arn = arn:aws:iam::111122223333:role/a
source_profile = dev
mfa_serial = arn:aws:iam::111122223333:mfa/ada
[profile sourceless]
role_arn = arn:aws:iam::111122223333:role/a
[profile sso]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Dev
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.example/start
";

/// Resolves with both files above in a home folder, these variables and this `--profile`.
fn resolve_with(
    variables: &[(&str, &str)],
    flag: Option<&str>,
    prepare: impl FnOnce(&std::path::Path),
) -> Observed<Credentials> {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".aws/sso/cache")).unwrap();
    std::fs::write(home.path().join(".aws/config"), CONFIG).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), CREDENTIALS).unwrap();
    prepare(home.path());
    let mut surroundings = surroundings(variables);
    surroundings.variables.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
    surroundings.home = Some(home.path().to_owned());
    surroundings.folder = home.path().to_owned();
    let config = AwsConfig::read(&surroundings);
    let selected = selected_profile(flag, &surroundings);
    let http = Http::new(&surroundings, None, Clock::default()).unwrap();
    let aws = Aws::new(http, &surroundings, &config, &selected.name, None);
    let chain = Chain { surroundings: &surroundings, config: &config, selected: &selected, aws: &aws };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    super::super::watch::map(runtime.block_on(chain.resolve()), |(credentials, _)| credentials)
}

fn resolve(variables: &[(&str, &str)], flag: Option<&str>) -> Observed<Credentials> {
    resolve_with(variables, flag, |_| {})
}

fn code(observed: &Observed<Credentials>) -> &str {
    observed.failure().and_then(|failure| failure.code.as_deref()).unwrap_or_default()
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "swordfish")];

#[test]
fn the_environment_beats_a_profile_in_a_variable_but_not_one_in_a_flag() {
    let with_profile = [KEYS[0], KEYS[1], ("AWS_PROFILE", "dev")];
    let by_variable = resolve(&with_profile, None);
    let by_variable = by_variable.found().unwrap();
    assert_eq!(by_variable.provider, CredentialProvider::Environment);
    assert_eq!(by_variable.shadowed, ["profile dev"]);
    let by_flag = resolve(&KEYS, Some("dev"));
    assert_eq!(by_flag.found().unwrap().provider, CredentialProvider::Profile);
    assert_eq!(by_flag.found().unwrap().access_key_id.as_deref(), Some("AKIAXXXXXXXXXXXXMPLE"));
}

#[test]
fn half_a_pair_is_not_no_credentials() {
    assert_eq!(code(&resolve(&KEYS[..1], None)), "PartialCredentials");
    assert_eq!(code(&resolve(&[("AWS_PROFILE", "half")], None)), "PartialCredentials");
}

#[test]
fn a_profile_that_is_missing_is_named() {
    let missing = resolve(&[("AWS_PROFILE", "nope")], None);
    assert_eq!(missing.failure().unwrap().message, "The config profile (nope) could not be found");
}

#[test]
fn nothing_at_all_says_where_it_was_looked_for() {
    let nothing = resolve(&[], None);
    let Observed::Absent(Absent { looked }) = nothing else { panic!("{nothing:?}") };
    assert_eq!((looked.first().map(String::as_str), looked.len()), (Some("environment"), 5));
}

#[test]
fn a_program_hands_out_keys_or_says_why_not() {
    let found = resolve(&[("AWS_PROFILE", "process")], None);
    assert_eq!(found.found().unwrap().provider, CredentialProvider::Process);
    let broken = resolve(&[("AWS_PROFILE", "broken")], None);
    assert_eq!((code(&broken), broken.failure().unwrap().message.as_str()), ("exit status 3", "nothing here"));
}

#[test]
fn impossible_chains_are_refused_in_botocores_words() {
    assert!(resolve(&[("AWS_PROFILE", "loop")], None).failure().unwrap().message.contains("Infinite loop"));
    assert_eq!(code(&resolve(&[("AWS_PROFILE", "sourceless")], None)), "PartialCredentials");
}

#[test]
fn a_role_with_mfa_needs_what_the_cli_has_kept() {
    let mfa = [("AWS_PROFILE", "mfa")];
    assert_eq!(code(&resolve(&mfa, None)), "MfaRequired");
    let keep = |end: &'static str| {
        move |home: &std::path::Path| {
            let folder = home.join(".aws/cli/cache");
            std::fs::create_dir_all(&folder).unwrap();
            let keys = format!(
                r#"{{"Credentials":{{"AccessKeyId":"ASIAROLEROLEROLEROL1","SecretAccessKey":"swordfish","SessionToken":"swordfish","Expiration":"{end}"}}}}"#
            );
            std::fs::write(folder.join("86d832eed2086447969741c796cffdc3956c89b8.json"), keys).unwrap();
        }
    };
    let kept = resolve_with(&mfa, None, keep("2030-01-01T00:00:00Z"));
    assert_eq!(kept.found().unwrap().provider, CredentialProvider::AssumeRole);
    assert_eq!(code(&resolve_with(&mfa, None, keep("2020-01-01T00:00:00Z"))), "MfaRequired");
}

#[test]
fn an_sso_session_that_is_over_or_was_never_there() {
    let sso = [("AWS_PROFILE", "sso")];
    assert_eq!(code(&resolve(&sso, None)), "SSOTokenLoadError");
    // The SHA-1 of "corp".
    let name = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
    let write = |text: &'static str| move |home: &std::path::Path| std::fs::write(home.join(name), text).unwrap();
    let over = resolve_with(&sso, None, write(r#"{"accessToken":"swordfish","expiresAt":"2020-01-01T00:00:00UTC"}"#));
    assert_eq!(code(&over), "SSOTokenExpired");
    assert!(!format!("{over:?}").contains("swordfish"));
}

#[test]
fn expired_keys_in_the_environment_are_known_without_a_call() {
    let expired = resolve(&[KEYS[0], KEYS[1], ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")], None);
    assert_eq!(code(&expired), "ExpiredToken");
}
