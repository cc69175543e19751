//! A world that plays an evidence document: STS, EKS, IAM, CloudTrail and a Kubernetes API answer what the document
//! says they answered. Real host names lead to it through a proxy, as they do in many companies.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use eks_doctor::collect::Surroundings;
use eks_doctor::evidence::{CallerIdentity, Evidence, Observed};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::server::{self, Certificates, Reply, Server, TlsFault};
use crate::services::World;

/// The keys in the environment, and those that the plugin uses.
pub(crate) const SHELL_KEY: &str = "ASIASHELLSHELLSHELL1";
pub(crate) const PLUGIN_KEY: &str = "ASIAPLUGINPLUGINPLU1";
/// The keys of a role that is taken.
pub(crate) const ROLE_KEY: &str = "ASIAROLEROLEROLEROL1";

/// The keys of somebody who may see everything, whatever the document says of others.
pub(crate) const ADMIN_KEY: &str = "ASIAADMINADMINADMIN1";

/// Secrets that must never be seen again.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYCANARYKEY1";
pub(crate) const SESSION_TOKEN: &str = "canary-session-token-0123456789";
pub(crate) const PASSWORD: &str = "canary-proxy-password";

pub(crate) const REGION: &str = "eu-west-1";

/// Items per page, small enough that lists have several.
const SMALL_PAGE: usize = 2;

/// A running world with a home folder in it.
pub(crate) struct Lab {
    pub(crate) certificates: Certificates,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) evidence: Evidence,
    seen: Arc<Mutex<Vec<String>>>,
    server: Server,
    proxy: Server,
    /// What stands at a host where TLS goes wrong.
    _broken: Option<Server>,
}

/// How the world differs from its document.
#[derive(Default, Clone)]
pub(crate) struct Moods {
    /// Operations that misbehave or answer something else.
    pub(crate) replies: BTreeMap<String, Reply>,
    /// A host where TLS goes wrong, and how.
    pub(crate) tls: Option<(String, TlsFault)>,
    /// What every answer waits for.
    pub(crate) latency: Duration,
    /// How much a page of a list holds, if not a very little.
    pub(crate) page: Option<usize>,
}

/// The document that the tests begin with: a role that may read one namespace.
pub(crate) fn base() -> Evidence {
    serde_json::from_str(include_str!("base.json")).unwrap()
}

/// The same where nobody has mapped the role.
pub(crate) fn unmapped() -> Evidence {
    let mut evidence = base();
    if let Observed::Found(entries) = &mut evidence.aws.access_entries {
        entries.retain(|entry| !entry.principal_arn.ends_with("/Dev"));
    }
    evidence
}

impl Lab {
    pub(crate) fn playing(evidence: Evidence) -> Self {
        Self::with_moods(evidence, Moods::default())
    }

    pub(crate) fn with_moods(evidence: Evidence, moods: Moods) -> Self {
        let endpoint = evidence.aws.cluster.found().and_then(|cluster| cluster.endpoint.clone());
        let endpoint = endpoint.unwrap_or("https://no-endpoint.example".to_owned());
        let endpoint_host = endpoint.trim_start_matches("https://").to_owned();
        let names = ["sts", "eks", "iam", "cloudtrail", "logs"].map(|service| match service {
            "iam" => "iam.amazonaws.com".to_owned(),
            service => format!("{service}.{REGION}.amazonaws.com"),
        });
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("portal.sso.eu-west-1.amazonaws.com");
        let hosts = hosts_named(&evidence);
        names.extend(hosts.iter().map(String::as_str));
        names.extend([endpoint_host.as_str(), "127.0.0.1", "localhost"]);
        let certificates = Certificates::new(&names);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let page = moods.page.unwrap_or(SMALL_PAGE);
        let world = World {
            evidence: evidence.clone(),
            ca: STANDARD.encode(&certificates.ca_pem),
            page,
            admin: administrator(),
            clock: world_clock(&evidence),
        };
        let noted = seen.clone();
        let server = server::https(
            &certificates,
            Arc::new(move |request| {
                let (operation, reply) = world.answer(request);
                noted.lock().unwrap().push(format!("{} {operation}", request.method));
                std::thread::sleep(moods.latency);
                moods.replies.get(&operation).cloned().unwrap_or(reply).dated(world.now())
            }),
        );
        let broken = moods.tls.map(|(host, fault)| {
            let server = server::without_tls(fault, &host, &certificates);
            (format!("{}:443", host.to_lowercase()), server)
        });
        let (address, aside) = (server.address, broken.as_ref().map(|(host, server)| (host.clone(), server.address)));
        let proxy = server::connect_proxy(move |target| match &aside {
            Some((host, broken)) if *host == target.to_lowercase() => *broken,
            _ => address,
        });
        let broken = broken.map(|(_, server)| server);
        let lab =
            Self { certificates, folder: tempfile::tempdir().unwrap(), evidence, seen, server, proxy, _broken: broken };
        lab.furnish(&endpoint);
        lab
    }

    /// A home folder with a kubeconfig, a CA bundle and a plugin called `aws`.
    fn furnish(&self, endpoint: &str) {
        let folder = self.folder.path();
        for part in [".kube", ".aws", "bin"] {
            std::fs::create_dir(folder.join(part)).unwrap();
        }
        std::fs::write(folder.join("ca.pem"), &self.certificates.ca_pem).unwrap();
        self.write_kubeconfig(endpoint, &json!({}));
        let token = presigned_token("prod");
        let credential = json!({
            "kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {},
            "status": { "token": token, "expirationTimestamp": "2030-01-01T00:00:00Z" }
        });
        self.write_plugin(&format!("cat <<'END'\n{credential}\nEND"));
    }

    /// The certificate authority as a kubeconfig has it.
    pub(crate) fn ca_data(&self) -> String {
        STANDARD.encode(&self.certificates.ca_pem)
    }

    /// Writes the kubeconfig; `exec` changes its exec entry.
    pub(crate) fn write_kubeconfig(&self, server: &str, exec: &Value) {
        self.write_kubeconfig_with_ca(server, &self.certificates.ca_pem, exec);
    }

    /// The same, trusting another certificate authority.
    pub(crate) fn write_kubeconfig_with_ca(&self, server: &str, ca_pem: &str, exec: &Value) {
        let arn = format!("arn:aws:eks:{REGION}:111122223333:cluster/prod");
        let mut entry = json!({
            "apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws",
            "args": ["--region", REGION, "eks", "get-token", "--cluster-name", "prod", "--output", "json"]
        });
        entry.as_object_mut().unwrap().extend(exec.as_object().unwrap().clone());
        let document = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "prod",
            "clusters": [{ "name": arn, "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca_pem) } }],
            "contexts": [{ "name": "prod", "context": { "cluster": arn, "user": "ada" } }],
            "users": [{ "name": "ada", "user": { "exec": entry } }]
        });
        std::fs::write(self.folder.path().join(".kube/config"), document.to_string()).unwrap();
    }

    /// Writes the script that is called `aws`.
    pub(crate) fn write_plugin(&self, script: &str) {
        self.write_program("aws", script);
    }

    /// Writes a script that is found on the PATH by this name.
    pub(crate) fn write_program(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        // A new file each time: one that runs cannot be written.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The surroundings of somebody who works in this world.
    pub(crate) fn surroundings(&self) -> Surroundings {
        let folder = self.folder.path();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let variables = [
            ("HOME", text(folder)),
            ("PATH", format!("{}:/usr/bin:/bin", text(&folder.join("bin")))),
            ("HTTPS_PROXY", format!("http://ada:{PASSWORD}@{}", self.proxy.address)),
            ("AWS_CA_BUNDLE", text(&folder.join("ca.pem"))),
            ("AWS_ACCESS_KEY_ID", SHELL_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Surroundings {
            variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            home: Some(folder.to_owned()),
            folder: folder.to_owned(),
            service_account: folder.join("nowhere"),
        }
    }

    /// The API server as it stands, without a proxy before it.
    pub(crate) fn direct(&self) -> String {
        format!("https://{}", self.server.address)
    }

    /// Where the one server of this world listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address
    }

    /// `METHOD OPERATION` of every request so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// A token as `aws eks get-token` makes it, for the plugin's keys.
pub(crate) fn presigned_token(cluster: &str) -> String {
    token_of_host(&format!("sts.{REGION}.amazonaws.com"), REGION, Some(SESSION_TOKEN), cluster, SystemTime::now())
}

/// A token that goes to a host of STS, made at some time.
pub(crate) fn token_of_host(host: &str, region: &str, session: Option<&str>, cluster: &str, at: SystemTime) -> String {
    let url = presign(host, region, (PLUGIN_KEY, session), cluster, at, 60);
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url))
}

/// A service account's token, but for its signature, which nobody in the lab looks at.
pub(crate) fn unsigned_token(subject: Option<&str>, ends: Option<jiff::Timestamp>) -> String {
    let issuer = "https://kubernetes.default.svc";
    let said = json!({ "iss": issuer, "sub": subject, "exp": ends.map(jiff::Timestamp::as_second) });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(said.to_string()))
}

/// How far the world's clock is ahead of this machine's: what the document says of a clock that is wrong.
fn world_clock(evidence: &Evidence) -> SignedDuration {
    let offset = evidence.environment.clock_offset_seconds.found().copied().unwrap_or_default();
    if offset.abs() > 60.0 { SignedDuration::from_secs_f64(-offset) } else { SignedDuration::ZERO }
}

fn administrator() -> Observed<CallerIdentity> {
    Observed::Found(CallerIdentity {
        arn: "arn:aws:sts::111122223333:assumed-role/Admin/eve".to_owned(),
        account: Some("111122223333".to_owned()),
        user_id: Some("AROAEXAMPLEADMIN00001:eve".to_owned()),
    })
}

/// The servers that the document's kubeconfig and variables name.
fn hosts_named(evidence: &Evidence) -> Vec<String> {
    let clusters = evidence.kubeconfig.found().and_then(|kubeconfig| kubeconfig.document["clusters"].as_array());
    let servers = clusters.into_iter().flatten().filter_map(|entry| entry["cluster"]["server"].as_str());
    // Endpoints of AWS that somebody configured lead here too.
    let variables = evidence.environment.variables.iter().flatten();
    let configured = variables.filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL")).map(|(_, url)| url.as_str());
    let hosts =
        servers.chain(configured).filter_map(|server| server.parse::<http::Uri>().ok()?.host().map(str::to_owned));
    hosts.filter(|host| !host.is_empty()).collect()
}

/// The presigned request `sts:GetCallerIdentity`, tied to a cluster.
fn presign(
    host: &str,
    region: &str,
    (key, session): (&str, Option<&str>),
    cluster: &str,
    at: SystemTime,
    expires: u64,
) -> String {
    let url = format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_secs(expires));
    let keys = aws_credential_types::Credentials::new(key, SECRET_KEY, session.map(str::to_owned), None, "lab");
    let identity = keys.into();
    let parameters = aws_sigv4::sign::v4::SigningParams::builder().identity(&identity).region(region).name("sts");
    let parameters = parameters.time(at).settings(settings).build().unwrap().into();
    let headers = [("x-k8s-aws-id", cluster)].into_iter();
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b"")).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    let mut signed = http::Request::get(&url).body(()).unwrap();
    instructions.apply_to_request_http1x(&mut signed);
    signed.uri().to_string()
}

/// Whether a presigned URL has the signature that STS calculates for it and this cluster's name.
pub(crate) fn is_signed_for(url: &str, cluster: &str) -> bool {
    let parameters = |url: &str| -> BTreeMap<String, String> {
        let query = url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, value)| {
                (name.to_owned(), percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
            })
            .collect()
    };
    let said = parameters(url);
    let part = |name: &str| said.get(name).map(String::as_str).unwrap_or_default();
    let host = url.trim_start_matches("https://").split('/').next().unwrap_or_default();
    let scope: Vec<&str> = part("X-Amz-Credential").split('/').collect();
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", part("X-Amz-Date"));
    let at = at.ok().and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let (Some(at), [key, _, region, ..], Ok(expires)) = (at, &scope[..], part("X-Amz-Expires").parse()) else {
        return false;
    };
    let session = said.get("X-Amz-Security-Token").map(String::as_str);
    let expected = presign(host, region, (key, session), cluster, at.timestamp().into(), expires);
    parameters(&expected).get("X-Amz-Signature") == said.get("X-Amz-Signature")
}
