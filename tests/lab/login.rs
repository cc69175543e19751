//! Logins as the API server of EKS takes them: the token is judged, STS is asked whose it is, and the identity is
//! looked up in the stores that the cluster's mode reads.

use eks_doctor::evidence::{self, CallerIdentity, Evidence, Failure, Observed, UserInfo};
use eks_doctor::facts::arn::{Partition, PrincipalArn};
use eks_doctor::facts::aws_auth::AwsAuth;
use eks_doctor::facts::identity_mapping::{
    AccessEntry, AuthenticationMode, Identity, Mapped, MappingIndex, Outcome, Seen, Store, Verdict,
};
use eks_doctor::facts::token::{self, StsIdentity};
use eks_doctor::facts::username::Rendered;

use crate::server::Request;
use crate::services::World;
use crate::world::{ADMIN_KEY, PLUGIN_KEY, REGION, is_signed_for};

/// Groups that every login has.
const EVERYBODY: &str = "system:authenticated";

impl World {
    /// The user that a request comes from; the refusal if it is nobody's.
    pub(crate) fn log_in(&self, request: &Request) -> Result<UserInfo, Failure> {
        let kubernetes = &self.evidence.kubernetes;
        let Some(token) = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
            return Err(kubernetes
                .whoami
                .failure()
                .filter(|failure| failure.status == Some(403))
                .cloned()
                .unwrap_or_else(nobody));
        };
        if let Some((subject, ends)) = service_account(token) {
            let known = kubernetes.whoami.found().filter(|user| user.username == subject && ends > self.now());
            return known.cloned().ok_or_else(unauthorized);
        }
        let (key, identity) = self.identify(token).ok_or_else(unauthorized)?;
        // What the document says of another token than the plugin's, if it says anything.
        let whoami = match &kubernetes.native_whoami {
            native if key != PLUGIN_KEY && !native.is_unmentioned() => native,
            _ => &kubernetes.whoami,
        };
        if key == ADMIN_KEY {
            let groups = vec!["system:masters".to_owned(), EVERYBODY.to_owned()];
            return Ok(UserInfo { username: "admin".to_owned(), groups, ..UserInfo::default() });
        }
        if let Observed::Failed(failure) = whoami {
            return Err(failure.clone());
        }
        match self.stores().map(&self.with_principal(&identity, &key)).outcome {
            // The mapping is there, and the server has its own reasons: it is new, or STS did not answer.
            Outcome::Always(Verdict::Mapped(_)) if let Observed::Denied(refusal) = whoami => Err(refusal.clone()),
            Outcome::Always(Verdict::Mapped(mapped)) => Ok(self.user(&identity, &mapped).ok_or_else(unauthorized)?),
            Outcome::Always(Verdict::Denied(_)) => Err(unauthorized()),
            // The document does not tell what the server knows, but may tell what it said.
            Outcome::AnyOf(_) | Outcome::Unknown(_) => {
                whoami.found().cloned().ok_or_else(|| whoami.failure().cloned().unwrap_or_else(unauthorized))
            }
        }
    }

    /// Who has these keys.
    pub(crate) fn holder(&self, access_key_id: &str) -> &Observed<CallerIdentity> {
        match &self.evidence.exec_caller {
            _ if access_key_id == ADMIN_KEY => &self.admin,
            Observed::NotTried(_) => &self.evidence.aws.caller,
            plugin if access_key_id == PLUGIN_KEY => plugin,
            _ => &self.evidence.aws.caller,
        }
    }

    /// The name under which the cluster asks STS.
    fn cluster_name(&self) -> Option<&str> {
        let described = self.evidence.aws.cluster.found().and_then(|cluster| cluster.name.as_deref());
        described.or(self.evidence.target.cluster.as_deref())
    }

    /// The keys in a token and whose they are, if the server takes it.
    fn identify(&self, token: &str) -> Option<(String, StsIdentity)> {
        let region = self.evidence.target.region.clone().unwrap_or(REGION.to_owned());
        let server = token::Server { partition: Partition::of_region(&region), region };
        let asked = token::examine(token, &server, self.now()).outcome.ok()?;
        let caller = self.holder(&asked.access_key_id).found()?;
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let identity = token::identify(&caller.arn, &text(&caller.user_id), &text(&caller.account)).ok()?;
        is_signed_for(&presigned_url(token)?, self.cluster_name()?).then_some((asked.access_key_id, identity))
    }

    /// The identity with what IAM knows of it and the document tells.
    fn with_principal(&self, identity: &StsIdentity, key: &str) -> Identity {
        let plain = Identity { access_key_id: Some(key.to_owned()), ..Identity::from(identity.clone()) };
        let same = |id: &String| *id == identity.unique_id;
        match self.evidence.aws.principal.found() {
            Some(principal) if principal.unique_id.as_ref().is_none_or(same) => Identity {
                principal_arn: Some(PrincipalArn::new(principal.arn.clone())),
                created_at: principal.create_date,
                ..plain
            },
            _ => plain,
        }
    }

    fn stores(&self) -> MappingIndex {
        let Evidence { aws, kubernetes, .. } = &self.evidence;
        let mode =
            aws.cluster.found().and_then(|cluster| cluster.access_config.as_ref()?.authentication_mode.as_deref());
        let mode = mode.and_then(AuthenticationMode::parse);
        let unknown = || Seen::Unknown("not in the document".to_owned());
        let none: &[evidence::AccessEntry] = &[];
        let entries = match &aws.access_entries {
            Observed::Found(entries) => Some(entries.as_slice()),
            Observed::Absent(_) => Some(none),
            _ => None,
        };
        MappingIndex {
            mode: mode.map_or_else(|| Seen::Unknown("not in the document".to_owned()), Seen::Known),
            access_entries: entries
                .map_or_else(unknown, |all| Seen::Known(Store::access_entries(all.iter().map(entry)))),
            aws_auth: match &kubernetes.aws_auth {
                Observed::Found(map) => Seen::Known(Store::aws_auth(&AwsAuth::parse(&map.data))),
                Observed::Absent(_) => Seen::Known(Store::aws_auth(&AwsAuth::default())),
                _ => unknown(),
            },
            creator: aws.create_cluster_event.found().map(|event| PrincipalArn::new(event.principal_arn.clone())),
        }
    }

    /// The user as the document describes it if that is the same one, else as the mapping makes it.
    fn user(&self, identity: &StsIdentity, mapped: &Mapped) -> Option<UserInfo> {
        let known = |text: &Rendered| match text {
            Rendered::Known(text) => Some(text.clone()),
            Rendered::Unknown { .. } => None,
        };
        let username = known(mapped.username.as_ref()?)?;
        let kubernetes = &self.evidence.kubernetes;
        let described = [&kubernetes.whoami, &kubernetes.native_whoami].into_iter().filter_map(Observed::found);
        if let Some(user) = described.into_iter().find(|user| user.username == username) {
            return Some(user.clone());
        }
        let groups = mapped.groups.iter().flatten().map(known);
        let groups = groups.chain([Some(EVERYBODY.to_owned())]).collect::<Option<_>>()?;
        let extra = [("arn", identity.raw_arn.as_str()), ("sessionName", &identity.session_name)];
        Some(UserInfo {
            username,
            uid: Some(format!("aws-iam-authenticator:{}:{}", identity.account, identity.unique_id)),
            groups,
            extra: extra.map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).into(),
        })
    }
}

fn entry(entry: &evidence::AccessEntry) -> AccessEntry {
    let details = entry.details.found();
    AccessEntry {
        principal_arn: PrincipalArn::new(entry.principal_arn.clone()),
        unique_id: None,
        entry_type: details.and_then(|details| details.entry_type.clone()),
        username: details.and_then(|details| details.username.clone()),
        groups: details.map(|details| details.kubernetes_groups.clone().unwrap_or_default()),
        created_at: details.and_then(|details| details.created_at),
    }
}

/// Whose token a service account's is, and when it ends.
fn service_account(token: &str) -> Option<(String, jiff::Timestamp)> {
    use base64::Engine as _;
    let [_, said, _] = token.split('.').collect::<Vec<_>>()[..] else { return None };
    let said = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(said).ok()?;
    let said: serde_json::Value = serde_json::from_slice(&said).ok()?;
    Some((said["sub"].as_str()?.to_owned(), jiff::Timestamp::from_second(said["exp"].as_i64()?).ok()?))
}

/// The URL in an EKS token.
fn presigned_url(token: &str) -> Option<String> {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.strip_prefix(token::PREFIX)?).ok()?;
    String::from_utf8(body).ok()
}

/// What the server says to whoever brings no token.
fn nobody() -> Failure {
    Failure {
        status: Some(403),
        code: Some("Forbidden".into()),
        message: "forbidden: User \"system:anonymous\" cannot do this".into(),
        ..Failure::default()
    }
}

fn unauthorized() -> Failure {
    Failure {
        status: Some(401),
        code: Some("Unauthorized".into()),
        message: "Unauthorized".into(),
        ..Failure::default()
    }
}

#[test]
fn only_a_token_that_is_right_in_all_its_parts_logs_in() {
    use crate::world::{Lab, base, presigned_token};
    let lab = Lab::playing(base());
    let status = |token: &str| {
        let credential = serde_json::json!({
            "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "status": { "token": token }
        });
        lab.write_plugin(&format!("echo '{credential}'"));
        let evidence = crate::collect(&crate::request(), &lab.surroundings());
        let seen = evidence.kubernetes.whoami;
        (seen.found().map(|user| user.groups.len()), seen.failure().and_then(|failure| failure.status))
    };
    let right = presigned_token("prod");
    let mut forged = presigned_url(&right).unwrap();
    forged.pop();
    assert_eq!(status(&right), (Some(2), None));
    for wrong in [presigned_token("other"), format!("{right}="), encode(&format!("{forged}x")), "sesame".to_owned()] {
        assert_eq!(status(&wrong), (None, Some(401)), "{wrong}");
    }
}

fn encode(url: &str) -> String {
    use base64::Engine as _;
    format!("{}{}", token::PREFIX, base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(url))
}
