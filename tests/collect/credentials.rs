//! Every source of AWS credentials, played by the lab.

use eks_doctor::evidence::{CredentialProvider, Evidence, Observed};
use serde_json::json;

use crate::server::{self, Reply};
use crate::world::{self, Lab, base};
use crate::{code, collect, found, request, without};

/// A lab where the shell has no keys of its own, but these files and variables.
fn collect_with(config: &str, variables: &[(&str, &str)], prepare: impl FnOnce(&Lab)) -> (Evidence, Vec<String>) {
    let lab = Lab::playing(base());
    std::fs::write(lab.folder.path().join(".aws/config"), config).unwrap();
    prepare(&lab);
    let mut surroundings = lab.surroundings();
    without(&mut surroundings, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]);
    surroundings.variables.extend(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    (collect(&request(), &surroundings), lab.seen())
}

/// That the caller is known by keys that some provider handed out.
fn assert_by(evidence: &Evidence, provider: CredentialProvider, key: &str) {
    let credentials = found(&evidence.aws.credentials);
    assert_eq!(credentials.provider, provider);
    let masked = format!("{}XXXXXXXXXXXX{}", &key[..4], &key[16..]);
    assert_eq!(credentials.access_key_id.as_deref(), Some(masked.as_str()));
    assert!(evidence.aws.caller.found().is_some(), "{:?}", evidence.aws.caller);
    let document = serde_json::to_string(evidence).unwrap();
    assert!(!document.contains(world::SECRET_KEY) && !document.contains(world::SESSION_TOKEN));
}

const CHAIN: &str = "
[profile base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = 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
[profile middle]
role_arn = arn:aws:iam::111122223333:role/middle
source_profile = base
[profile top]
role_arn = arn:aws:iam::111122223333:role/top
source_profile = middle
external_id = x
[profile refused]
role_arn = arn:aws:iam::111122223333:role/forbidden
source_profile = base
";

#[test]
fn a_chain_of_roles_is_taken() {
    let (evidence, seen) = collect_with(CHAIN, &[("AWS_PROFILE", "top")], |_| {});
    assert_by(&evidence, CredentialProvider::AssumeRole, world::ROLE_KEY);
    assert_eq!(seen.iter().filter(|call| call.ends_with("sts:AssumeRole")).count(), 2);
    assert!(found(&evidence.aws.credentials).expires_at.is_some());
    assert_eq!(found(&evidence.aws.profile).source_profile.as_deref(), Some("middle"));
}

#[test]
fn a_role_that_may_not_be_taken_says_so() {
    let (evidence, _) = collect_with(CHAIN, &[("AWS_PROFILE", "refused")], |_| {});
    let Observed::Denied(denied) = &evidence.aws.credentials else { panic!("{:?}", evidence.aws.credentials) };
    assert_eq!((denied.operation.as_deref(), denied.code.as_deref()), (Some("sts:AssumeRole"), Some("AccessDenied")));
    assert!(denied.message.contains("role/forbidden"));
    // What needs keys says why there are none.
    assert_eq!(evidence.aws.caller, Observed::not_tried(format!("no AWS credentials: {}", denied.message)));
    // The plugin has keys of its own, so that the rest is seen as far as it needs none of ours.
    assert!(evidence.kubernetes.whoami.found().is_some());
}

#[test]
fn a_web_identity_is_exchanged() {
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod");
    let write = |lab: &Lab| std::fs::write(lab.folder.path().join("identity"), "e30.e30.c2ln\n").unwrap();
    let (evidence, _) = collect_with("", &[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", "identity")], write);
    assert_by(&evidence, CredentialProvider::WebIdentity, world::ROLE_KEY);
    let (evidence, _) = collect_with("", &[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", "nowhere")], |_| {});
    assert_eq!(code(&evidence.aws.credentials), "ENOENT");
}

#[test]
fn an_sso_session_is_used_and_its_end_is_known() {
    let config = "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n";
    let cached = |token: &'static str| {
        move |lab: &Lab| {
            let folder = lab.folder.path().join(".aws/sso/cache");
            std::fs::create_dir_all(&folder).unwrap();
            let cached = json!({ "accessToken": token, "expiresAt": "2030-01-01T00:00:00Z" });
            // The SHA-1 of "corp".
            std::fs::write(folder.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"), cached.to_string()).unwrap();
        }
    };
    let (evidence, _) = collect_with(config, &[("AWS_PROFILE", "sso")], cached(world::SESSION_TOKEN));
    assert_by(&evidence, CredentialProvider::Sso, world::ROLE_KEY);
    assert!(found(&evidence.aws.profile).sso_expires_at.is_some());
    let (evidence, _) = collect_with(config, &[("AWS_PROFILE", "sso")], cached("another-session-token"));
    let Observed::Denied(denied) = &evidence.aws.credentials else { panic!("{:?}", evidence.aws.credentials) };
    assert_eq!((denied.status, denied.code.as_deref()), (Some(401), Some("UnauthorizedException")));
}

#[test]
fn a_session_that_wants_renewing_is_left_to_the_aws_cli() {
    let config = "[profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n";
    let prepare = |lab: &Lab| {
        let folder = lab.folder.path().join(".aws/sso/cache");
        std::fs::create_dir_all(&folder).unwrap();
        let cached = json!({
            "accessToken": "old", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "canary", "registrationExpiresAt": "2030-01-01T00:00:00Z"
        });
        // The SHA-1 of "corp".
        std::fs::write(folder.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json"), cached.to_string()).unwrap();
        let keys = json!({ "Version": 1, "AccessKeyId": world::ROLE_KEY, "SecretAccessKey": world::SECRET_KEY, "SessionToken": world::SESSION_TOKEN });
        lab.write_plugin(&format!("[ \"$1 $4\" = 'configure sso' ] && echo '{keys}' || exit 1"));
    };
    let (evidence, _) = collect_with(config, &[("AWS_PROFILE", "sso")], prepare);
    assert_by(&evidence, CredentialProvider::Sso, world::ROLE_KEY);
    assert_eq!(found(&evidence.exec).exit_code, Some(1));
}

/// Somebody on the machine who hands out keys over plain HTTP, to those who know how to ask.
fn metadata() -> server::Server {
    let keys = json!({ "AccessKeyId": world::ROLE_KEY, "SecretAccessKey": world::SECRET_KEY, "Token": world::SESSION_TOKEN, "Expiration": "2030-01-01T00:00:00Z" });
    server::http(std::sync::Arc::new(move |request| {
        let instance = request.header("x-aws-ec2-metadata-token") == Some("instance");
        match (request.method.as_str(), request.path()) {
            ("PUT", "/latest/api/token") => Reply::text(200, "text/plain", "instance"),
            ("GET", "/latest/meta-data/iam/security-credentials/") if instance => {
                Reply::text(200, "text/plain", "node")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/node") if instance => Reply::json(200, &keys),
            ("GET", "/pod") if request.header("authorization") == Some("pod-secret-token") => Reply::json(200, &keys),
            _ => Reply::json(401, &json!({ "code": "Unauthorized", "message": "no" })),
        }
    }))
}

#[test]
fn keys_of_a_container_and_of_an_instance_are_fetched() {
    let server = metadata();
    let (pod, instance) = (format!("http://{}/pod", server.address), format!("http://{}", server.address));
    let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.as_str());
    let (evidence, _) =
        collect_with("", &[container, ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-secret-token")], |_| {});
    assert_by(&evidence, CredentialProvider::Container, world::ROLE_KEY);
    assert!(!serde_json::to_string(&evidence).unwrap().contains("pod-secret-token"));
    let endpoint = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.as_str()), ("AWS_EC2_METADATA_DISABLED", "false")];
    let (evidence, _) = collect_with("", &endpoint, |_| {});
    assert_by(&evidence, CredentialProvider::Imds, world::ROLE_KEY);
}
