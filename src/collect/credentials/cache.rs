//! The caches of the AWS CLI below `~/.aws`: where their files are, and the keys of roles that it took before. Nothing is
//! ever written there.

use std::path::Path;

use aws_credential_types::Credentials as Keys;
use jiff::{SignedDuration, Timestamp};
use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use super::{Chain, now};
use crate::collect::aws::RoleRequest;

/// The CLI renews the keys of a role this long before their end.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_mins(15);

impl Chain<'_> {
    /// The keys that the CLI still has for a role.
    pub(super) fn cached_role(&self, role: &RoleRequest) -> Option<Keys> {
        let file = cache_file("cli", &SHA1_FOR_LEGACY_USE_ONLY, &cache_key(role));
        let cached = read_cache(&self.surroundings.expand_home(&file)).ok()?;
        let cached = cached.get("Credentials")?;
        let field = |key: &str| cached.get(key).and_then(Value::as_str);
        let end = time(cached, "Expiration")?;
        let lasts = end.duration_since(now()) > RENEWED_BEFORE;
        let token = field("SessionToken").map(str::to_owned);
        lasts.then(|| {
            Some(Keys::new(field("AccessKeyId")?, field("SecretAccessKey")?, token, Some(end.into()), "cli cache"))
        })?
    }
}

/// What the CLI takes the digest of: the request's parameters as Python writes them.
fn cache_key(role: &RoleRequest) -> String {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let parameters = [
        ("DurationSeconds", role.duration_seconds.map(Value::from)),
        ("ExternalId", text(&role.external_id)),
        ("RoleArn", Some(json!(role.role_arn))),
        ("RoleSessionName", text(&role.session_name)),
        ("SerialNumber", text(&role.mfa_serial)),
    ];
    let given = parameters.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\": {}", value?)));
    format!("{{{}}}", given.collect::<Vec<_>>().join(", "))
}

/// A file of one of the CLI's caches, below the home folder.
pub(super) fn cache_file(kind: &str, algorithm: &'static Algorithm, key: &str) -> String {
    format!("~/.aws/{kind}/cache/{}.json", hexadecimal(algorithm, key))
}

/// The name that a cache's file has for a key.
pub(super) fn hexadecimal(algorithm: &'static Algorithm, text: &str) -> String {
    digest(algorithm, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of a cache, or what is wrong with it.
pub(super) fn read_cache(path: &Path) -> Result<Value, String> {
    let shown = |error: String| format!("{}: {error}", path.display());
    let text = crate::collect::file::read(path).map_err(|error| shown(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|_| shown("not JSON".to_owned()))
}

/// A time in a cache: RFC 3339, or with `UTC` for `Z` as older CLIs wrote it.
pub(super) fn time(cached: &Value, key: &str) -> Option<Timestamp> {
    cached.get(key)?.as_str()?.replace("UTC", "Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_botocore_names_them() {
        let role =
            |external_id: Option<&str>, serial: Option<&str>, session: Option<&str>, duration_seconds| RoleRequest {
                role_arn: "arn:aws:iam::111122223333:role/top".into(),
                session_name: session.map(str::to_owned),
                external_id: external_id.map(str::to_owned),
                duration_seconds,
                mfa_serial: serial.map(str::to_owned),
            };
        let name = |role: RoleRequest| hexadecimal(&SHA1_FOR_LEGACY_USE_ONLY, &cache_key(&role));
        let with_all = role(Some("x"), Some("arn:aws:iam::111122223333:mfa/ada"), None, Some(3600));
        assert_eq!(name(with_all), "9109e93552b42f7b9e09feebccbeecaa4debb3e0");
        assert_eq!(name(role(None, None, Some("s"), None)), "4a04ebeceab397a687e69f615d05804fd0a00edc");
        assert_eq!(name(role(None, None, None, None)), "ac1a66f3f78bf53b25a79d6b7a30db304c63b83d");
    }
}
