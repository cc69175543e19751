//! Takes secrets out of texts that go into the evidence: access keys, session and bearer tokens, presigned URLs,
//! private keys, passwords. It knows their shapes and, where the caller names them, the very secrets.
//! Everything else stays letter for letter, because causes are recognised by it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

/// What stands in the place of a secret.
pub const REDACTED: &str = "<redacted>";

/// Text that is shorter than the shortest secret is left alone without a look.
const SHORTEST: usize = 8;

/// Length of an AWS secret access key.
const SECRET_ACCESS_KEY: usize = 40;

/// A run of base64 as long as this is a key, a token or a certificate.
const LONG_BASE64: usize = 100;

/// Random base64 changes between letter cases, digits and signs about 25 times in 40 characters; words and paths do
/// so rarely.
const CHANGES_PER_FORTY: usize = 14;

/// A shape of secrets. The hints, in small letters, are what a text must hold for the shape to occur in it: looking for
/// them is much quicker than looking for the shape.
struct Shape {
    hints: &'static [&'static str],
    pattern: Regex,
    replacement: &'static str,
}

/// Hints, pattern and replacement of every shape, in the order in which they are looked for.
const SHAPES: [(&[&str], &str, &str); 12] = [
    (
        &["private key-----"],
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)",
        "<redacted>",
    ),
    (&["k8s-aws-v1."], r"k8s-aws-v1\.[A-Za-z0-9_=+/-]+", "k8s-aws-v1.<redacted>"),
    (&["eyj"], r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?", "<redacted>"),
    (
        &["authorization"],
        r#"(?i)(\bauthorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|aws4-hmac-sha256)\s+)?)[^\s"',<]+"#,
        "$1<redacted>",
    ),
    (&["bearer"], r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{16,}", "$1<redacted>"),
    (&["x-amz-s"], r#"(?i)(x-amz-(?:signature|security-token)(?:=|%3D|["']?\s*:\s*["']?))[^&\s"'<>]+"#, "$1<redacted>"),
    (
        &["secret", "token", "device", "passw", "passphrase", "client-key-data"],
        r#"(?i)((?:secret_?access_?key|secret_?key|session_?token|security_?token|client_?secret|refresh_?token|access_?token|id_?token|device_?code|passw(?:or)?d|passphrase|client-key-data)["']?(?:=|\s*:\s*)["']?)[^\s"',;&}<]{8,}"#,
        "$1<redacted>",
    ),
    (
        &["\"token\"", "\"password\"", "\"passwd\"", "\"secret\""],
        r#"(?i)("(?:token|password|passwd|secret)"\s*:\s*")[^"<]+"#,
        "$1<redacted>",
    ),
    (&["token="], r#"(?i)(\btoken=["']?)[^\s"',;&}<]{8,}"#, "$1<redacted>"),
    (
        &["token", "password", "secret"],
        r#"(?i)(--?[a-z-]*(?:token|password|secret|secret-access-key)[= ]["']?)[^-\s"'<][^\s"'<]{7,}"#,
        "$1<redacted>",
    ),
    (
        &["iqojb3jpz2lu", "fwogzxivyxdz", "fqogzxivyxdz", "fqodyxdz", "aqodyxdz"],
        r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|FQoDYXdz|AQoDYXdz)[A-Za-z0-9+/=%_-]*",
        "<redacted>",
    ),
    (&["://"], r#"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/@:"'<>]*:)[^\s"'<>]*@"#, "$1<redacted>@"),
];

static COMPILED: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let compile =
        |(hints, pattern, replacement)| Some(Shape { hints, pattern: Regex::new(pattern).ok()?, replacement });
    SHAPES.into_iter().filter_map(compile).collect()
});

static ACCESS_KEY_ID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,124}\b").ok());

/// Takes everything out of a free text that has the shape of a secret.
pub fn scrub(text: &str) -> Cow<'_, str> {
    if text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    let mut scrubbed = Cow::Borrowed(text);
    let small = text.to_ascii_lowercase();
    let hinted = |hints: &[&str]| hints.iter().any(|hint| small.contains(hint));
    for shape in COMPILED.iter().filter(|shape| hinted(shape.hints)) {
        if let Cow::Owned(replaced) = shape.pattern.replace_all(&scrubbed, shape.replacement) {
            scrubbed = Cow::Owned(replaced);
        }
    }
    if let Some(shape) = ACCESS_KEY_ID.as_ref().filter(|_| hinted(&["akia", "asia", "abia", "acca"]))
        && let Cow::Owned(masked) = shape.replace_all(&scrubbed, |id: &Captures<'_>| access_key_id(&id[0]))
    {
        scrubbed = Cow::Owned(masked);
    }
    match without_random_base64(&scrubbed) {
        Some(replaced) => Cow::Owned(replaced),
        None => scrubbed,
    }
}

/// Takes secrets out of a command line, where `--token` and its value are two arguments.
pub fn scrub_arguments(arguments: &[String]) -> Vec<String> {
    let mut value_is_secret = false;
    arguments
        .iter()
        .map(|argument| {
            let secret = std::mem::replace(&mut value_is_secret, argument.starts_with('-') && is_secret_name(argument));
            if secret && !argument.starts_with('-') { REDACTED.to_owned() } else { scrub(argument).into_owned() }
        })
        .collect()
}

/// An access key id with its four-letter prefix and last four characters; all of a shorter one is masked.
pub fn access_key_id(id: &str) -> String {
    let shown = |place: usize, length: usize| length > 8 && (place < 4 || place >= length - 4);
    let length = id.chars().count();
    id.chars().enumerate().map(|(place, letter)| if shown(place, length) { letter } else { 'X' }).collect()
}

/// Whether a variable, setting, flag or field of this name holds a secret. Names of files, of key ids and of things
/// that merely concern secrets do not.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let ends =
        ["token", "password", "passwd", "passphrase", "secret", "secretaccesskey", "secretkey", "apikey", "privatekey"];
    let holds = ["bearertoken", "clientkeydata", "clientsecret", "privatekey"];
    ends.iter().any(|end| plain.ends_with(end))
        || holds.iter().any(|part| plain.contains(part) && !plain.ends_with("file"))
}

/// Secrets that are known by their letters, taken out wherever they stand.
#[derive(Default)]
pub struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Remembers a secret. Very short ones are ignored, since they would tear texts apart by accident.
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            self.0.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// Takes the known secrets and everything that has the shape of one out of a text.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
            }
        }
        scrub(&text).into_owned()
    }
}

/// Replaces runs of base64 that look like a secret access key or like longer key material.
fn without_random_base64(text: &str) -> Option<String> {
    let in_run = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=');
    let mut kept = String::new();
    let mut copied = 0;
    let mut start = None;
    for (place, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match (in_run(letter), start) {
            (true, None) => start = Some(place),
            (false, Some(from)) => {
                start = None;
                if looks_random(&text[from..place]) {
                    kept.push_str(&text[copied..from]);
                    kept.push_str(REDACTED);
                    copied = place;
                }
            }
            _ => {}
        }
    }
    (copied > 0).then(|| kept + &text[copied..])
}

/// Whether a run of base64 characters has the length and the disorder of a secret.
fn looks_random(run: &str) -> bool {
    // A name in front, as in `key=VALUE`, is not part of the value.
    let run = run.trim_end_matches('=').rsplit('=').next().unwrap_or(run);
    if run.len() != SECRET_ACCESS_KEY && run.len() < LONG_BASE64 {
        return false;
    }
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let bytes = run.as_bytes();
    let changes = bytes.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let (lower, upper) = (bytes.iter().any(u8::is_ascii_lowercase), bytes.iter().any(u8::is_ascii_uppercase));
    lower && upper && changes * SECRET_ACCESS_KEY >= CHANGES_PER_FORTY * bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn every_shape_is_recognised_when_it_is_compiled() {
        assert_eq!(COMPILED.len(), SHAPES.len());
        assert!(ACCESS_KEY_ID.is_some());
    }

    #[test]
    fn secrets_of_every_shape_are_taken_out() {
        let session = format!("IQoJb3JpZ2luX2VjE{}", "aB3/".repeat(60));
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl";
        let url = format!(
            "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Security-Token={session}&X-Amz-Signature=0123abcd0123abcd"
        );
        let private_key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----";
        for (text, secret) in [
            (format!("AWS_SECRET_ACCESS_KEY={SECRET}"), SECRET),
            (format!("the key {SECRET} is wrong"), SECRET),
            (format!("export AWS_SESSION_TOKEN={session}"), session.as_str()),
            (format!("{{\"SecretAccessKey\": \"{SECRET}\", \"x\": 1}}"), SECRET),
            ("token k8s-aws-v1.aHR0cHM6Ly9zdHM was sent".to_owned(), "aHR0cHM6Ly9zdHM"),
            (format!("Authorization: Bearer {jwt}"), jwt),
            ("bearer 0123456789abcdef0123".to_owned(), "0123456789abcdef0123"),
            (url, "0123abcd0123abcd"),
            ("proxy http://ada:hunter2@proxy.example:3128 refused".to_owned(), "hunter2"),
            ("proxy http://ada:hun/t@er2@proxy.example:3128 refused".to_owned(), "er2"),
            (private_key.to_owned(), "MIIEowIBAAKCAQEA"),
            ("{\"status\":{\"token\":\"opaque-value\"}}".to_owned(), "opaque-value"),
            ("kubectl --token abcdefghijkl get pods".to_owned(), "abcdefghijkl"),
            ("login failed, token=abcdefghijkl".to_owned(), "abcdefghijkl"),
        ] {
            let scrubbed = scrub(&text);
            assert!(!scrubbed.contains(secret), "{secret} is left in {scrubbed}");
            assert_eq!(scrub(&scrubbed), scrubbed, "scrubbing twice changes {scrubbed}");
        }
    }

    #[test]
    fn access_key_ids_keep_both_ends() {
        assert_eq!(scrub("key ASIAIOSFODNN7EXAMPLE expired"), "key ASIAXXXXXXXXXXXXMPLE expired");
        assert_eq!(access_key_id("AKIDEX"), "XXXXXX");
    }

    #[test]
    fn texts_that_name_causes_stay_as_they_are() {
        for text in [
            "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
            "Error loading SSO Token: Token for dev does not exist",
            "The security token included in the request is expired",
            "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY",
            "User: arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ada@example.com is not authorized",
            "Bearer token authentication is not allowed for user kubelet",
            "https://ABCDEF0123456789ABCDEF0123456789.gr7.eu-west-1.eks.amazonaws.com/version",
            "open /home/ada/Library/Caches/Homebrew4/Cellar/kubectl/1.33/bin: no such file",
            "exec: executable aws-iam-authenticator not found; --token-only -i prod",
            "sha 0123456789abcdef0123456789abcdef01234567",
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    #[test]
    fn names_of_secrets_are_told_from_names_of_files() {
        for name in
            ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "--token", "password", "client-key-data", "VAULT_TOKEN"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE", "tokenFile", "--cluster-name"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn the_value_after_a_secret_flag_is_taken_out() {
        let arguments = ["login", "--password", "swordfish", "--cluster-name", "prod"].map(str::to_owned);
        assert_eq!(scrub_arguments(&arguments), ["login", "--password", REDACTED, "--cluster-name", "prod"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_scrubbed_once_and_for_all(text in ".{0,300}", secret in "[A-Za-z0-9/+]{40}") {
            let scrubbed = scrub(&text).into_owned();
            proptest::prop_assert_eq!(scrub(&scrubbed).into_owned(), scrubbed.clone());
            let named = format!("{text}\naws_secret_access_key = {secret}\n{text}");
            proptest::prop_assert!(!scrub(&named).contains(&secret));
        }
    }

    #[test]
    fn known_secrets_go_wherever_they_stand() {
        let mut secrets = Secrets::default();
        secrets.add("swordfish-1");
        secrets.add("short");
        assert_eq!(secrets.scrub("it is swordfish-1, in short"), "it is <redacted>, in short");
        assert_eq!(format!("{secrets:?}"), "Secrets(1)");
    }
}
