//! A scenario as a running world: the machine is furnished as its document describes it, the services answer what it
//! says, and all of it is as if it were today.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eks_doctor::collect::{DEFAULT_TIMEOUT, Request, Surroundings};
use eks_doctor::evidence::{CredentialProvider, Evidence, ExecRun, Failure, Observed, Profile, Target, TokenKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::server::Certificates;
use crate::world::{
    ADMIN_KEY, Lab, Moods, REGION, SECRET_KEY, SESSION_TOKEN, SHELL_KEY, token_of_host, unsigned_token,
};

/// Whether a document tells of a way to the API server that the lab's proxy would hide.
pub(crate) fn has_its_own_network(evidence: &Evidence) -> bool {
    let (network, kubernetes) = (&evidence.network, &evidence.kubernetes);
    let unanswered = |failure: Option<&Failure>| failure.is_some_and(|failure| failure.status.is_none());
    network.proxy.found().is_some()
        || [network.dns.failure(), network.tcp.failure(), network.tls.failure()].iter().any(Option::is_some)
        || network.tls.found().is_some_and(|session| !session.verified)
        || unanswered(kubernetes.version.failure())
        || unanswered(kubernetes.whoami.failure())
}

/// A running scenario.
pub(crate) struct Played {
    pub(crate) lab: Lab,
    /// Of the person whom the document is about.
    pub(crate) surroundings: Surroundings,
    pub(crate) request: Request,
}

/// Plays a document.
pub(crate) fn play(document: &Evidence) -> Played {
    play_slowly(document, Duration::ZERO)
}

/// Plays a document far away: every answer waits so long.
pub(crate) fn play_slowly(document: &Evidence, latency: Duration) -> Played {
    let evidence = as_of_today(document);
    let lab = Lab::with_moods(evidence, Moods { page: Some(100), latency, ..Moods::default() });
    write_kubeconfig(&lab);
    write_plugin(&lab);
    write_profile(&lab);
    let surroundings = surroundings(&lab);
    let logs = document.logs.authenticator.found().is_some();
    let egress_address = document.network.egress_address.found().and_then(|address| address.parse().ok());
    Played {
        request: Request {
            target: document.target.clone(),
            logs,
            egress_address,
            action: None,
            kubeconfig: None,
            timeout: DEFAULT_TIMEOUT,
        },
        lab,
        surroundings,
    }
}

impl Played {
    /// Collects as the person of the document, and then as an administrator what that one could not see but the
    /// document tells.
    pub(crate) fn collect(&self) -> Evidence {
        let mut evidence = crate::collect(&self.request, &self.surroundings);
        let kubernetes = &self.lab.evidence.kubernetes;
        let is_refused = kubernetes.whoami.failure().is_some();
        if is_refused && (kubernetes.aws_auth.is_settled() || kubernetes.cluster_roles.is_settled()) {
            let mut surroundings = self.lab.surroundings();
            surroundings.variables.insert("AWS_ACCESS_KEY_ID".into(), ADMIN_KEY.into());
            surroundings.variables.insert("HOME".into(), "/nonexistent".into());
            surroundings.home = None;
            let subject = self.lab.evidence.exec_caller.found().or(self.lab.evidence.aws.caller.found());
            let target = Target {
                principal: subject.map(|caller| caller.arn.clone()),
                cluster: self.lab.evidence.target.cluster.clone(),
                region: self.lab.evidence.target.region.clone(),
                ..Target::default()
            };
            evidence.complete_with(crate::collect(&Request { target, ..Request::default() }, &surroundings)).unwrap();
        }
        evidence
    }
}

/// The document with all its times moved, so that it was collected now.
fn as_of_today(document: &Evidence) -> Evidence {
    fn shift(value: &mut Value, by: SignedDuration) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| shift(element, by)),
            Value::Object(fields) => fields.values_mut().for_each(|field| shift(field, by)),
            Value::String(text) => {
                if let Ok(time) = text.parse::<Timestamp>() {
                    *text = (time + by).to_string();
                }
            }
            _ => {}
        }
    }
    let Some(then) = document.collected_at else { return document.clone() };
    let now = Timestamp::now().round(jiff::Unit::Second).unwrap();
    let mut value = serde_json::to_value(document).unwrap();
    shift(&mut value, now.duration_since(then));
    serde_json::from_value(value).unwrap()
}

/// The kubeconfig as the document has it. Where it trusts what the cluster has, it trusts the lab, else another authority.
fn write_kubeconfig(lab: &Lab) {
    let path = lab.folder.path().join(".kube/config");
    let kubeconfig = match &lab.evidence.kubeconfig {
        Observed::Found(kubeconfig) => kubeconfig,
        // A certificate that was pasted over several lines.
        Observed::Failed(_) => {
            let broken =
                "clusters:\n- cluster:\n    certificate-authority-data: LS0tLS1CRUdJTiBDRV\nJUSUZJQ0FURS0tLS0tCg==\n";
            return std::fs::write(path, broken).unwrap();
        }
        _ => return std::fs::remove_file(path).unwrap(),
    };
    let described = lab.evidence.aws.cluster.found().and_then(|cluster| cluster.certificate_authority.as_ref());
    let described = described.and_then(|authority| authority.data.as_deref());
    let mut document = kubeconfig.document.clone();
    for entry in document["clusters"].as_array_mut().into_iter().flatten() {
        if let Some(data) = entry.pointer_mut("/cluster/certificate-authority-data") {
            let is_the_clusters = described.is_none_or(|described| data == described);
            let other = || STANDARD.encode(Certificates::new(&["other.example"]).ca_pem);
            *data = if is_the_clusters { lab.ca_data() } else { other() }.into();
        }
    }
    for user in document["users"].as_array_mut().into_iter().flatten() {
        if let Some(token) = user.pointer_mut("/user/token") {
            *token = stored_token(lab).into();
        }
    }
    std::fs::write(path, document.to_string()).unwrap();
}

/// A token that is as the document describes the one in the kubeconfig.
fn stored_token(lab: &Lab) -> String {
    let Some(described) = lab.evidence.static_token.found() else { return "sesame".to_owned() };
    match described.kind {
        Some(TokenKind::Eks) => {
            let region = described.region.as_deref().unwrap_or(REGION);
            let host = described.host.clone().unwrap_or_else(|| format!("sts.{region}.amazonaws.com"));
            let cluster = lab.evidence.target.cluster.as_deref().unwrap_or_default();
            let at = described.date.unwrap_or_else(Timestamp::now);
            token_of_host(&host, region, Some(SESSION_TOKEN), cluster, at.into())
        }
        _ => unsigned_token(described.subject.as_deref(), described.expires_at),
    }
}

/// The command of the exec entry: it does what it did in the document.
fn write_plugin(lab: &Lab) {
    std::fs::remove_file(lab.folder.path().join("bin/aws")).unwrap();
    let (exec, executables) = (&lab.evidence.exec, &lab.evidence.environment.executables);
    if let Some(asked) = exec.failure().and_then(|failure| failure.message.split_once("it wrote: ")) {
        return lab.write_program("aws", &format!("printf '%s' {} >&2\nsleep 60", quote(asked.1)));
    }
    let Some(run) = exec.found() else { return };
    let name = if run.command.is_empty() { "aws" } else { &run.command };
    let version = executables.get(name).and_then(|found| found.found()?.version.clone()).unwrap_or_default();
    let stdout = match (&run.token, run.decode_error.as_deref()) {
        (Some(_), _) => credential(lab, run).to_string(),
        (None, Some(error)) if error.contains("plugin returned version") => credential(lab, run).to_string(),
        // What `--output table` makes of it.
        (None, Some(_)) => "-----------\n|  GetToken  |\n+-----------+".to_owned(),
        (None, None) => String::new(),
    };
    let (stderr, exit) = (quote(&run.stderr), run.exit_code.unwrap_or(0));
    let version = format!("[ \"$1\" = --version ] && echo {} && exit", quote(&version));
    lab.write_program(name, &format!("{version}\nprintf '%s' {stderr} >&2\ncat <<'END'\n{stdout}\nEND\nexit {exit}"));
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What a plugin prints, for the cluster that its arguments name.
fn credential(lab: &Lab, run: &ExecRun) -> Value {
    let token = run.token.as_ref();
    let region = token.and_then(|token| token.region.as_deref()).unwrap_or(REGION);
    let host = token.and_then(|token| token.host.clone()).unwrap_or_else(|| format!("sts.{region}.amazonaws.com"));
    let session = (!lacks_session_token(lab)).then_some(SESSION_TOKEN);
    let users = lab.evidence.kubeconfig.found().and_then(|kubeconfig| kubeconfig.document["users"].as_array());
    let arguments = users.into_iter().flatten().filter_map(|user| user["user"]["exec"]["args"].as_array());
    let arguments: Vec<&str> = arguments.flatten().filter_map(Value::as_str).collect();
    let named = arguments.windows(2).find(|pair| ["--cluster-name", "--cluster-id", "-i"].contains(&pair[0]));
    let cluster = named.map(|pair| pair[1]).or(lab.evidence.target.cluster.as_deref()).unwrap_or_default();
    let returned = run.decode_error.as_deref().and_then(|error| error.split_once("plugin returned version "));
    let version = run.credential.as_ref().and_then(|credential| credential.api_version.as_deref());
    let version = returned.map(|(_, version)| version).or(version);
    json!({
        "kind": "ExecCredential",
        "apiVersion": version.unwrap_or("client.authentication.k8s.io/v1beta1"),
        "status": { "token": token_of_host(&host, region, session, cluster, SystemTime::now()), "expirationTimestamp": "2030-01-01T00:00:00Z" }
    })
}

/// The profile, as far as it can be told from the names of its settings.
fn write_profile(lab: &Lab) {
    let aws = &lab.evidence.aws;
    let mut names: Vec<&str> = aws.profile_names.found().into_iter().flatten().map(String::as_str).collect();
    let profile = aws.profile.found();
    names.extend(profile.map(|profile| profile.name.as_str()).filter(|name| !names.contains(name)));
    let mut text = String::new();
    for name in names {
        let section = if name == "default" { "default".to_owned() } else { format!("profile {name}") };
        text += &format!("[{section}]\n");
        match profile {
            Some(profile) if profile.name == name => text += &settings(profile),
            Some(profile) if profile.source_profile.as_deref() == Some(name) => {
                text += &format!("aws_access_key_id = {SHELL_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
            }
            _ => {}
        }
    }
    text += "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n";
    let folder = lab.folder.path().join(".aws");
    std::fs::write(folder.join("config"), text).unwrap();
    if aws.credentials.found().is_some() {
        std::fs::create_dir_all(folder.join("sso/cache")).unwrap();
        let cached = json!({ "accessToken": SESSION_TOKEN, "expiresAt": "2030-01-01T00:00:00Z" });
        // The SHA-1 of "corp".
        let name = "sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
        std::fs::write(folder.join(name), cached.to_string()).unwrap();
    }
}

fn settings(profile: &Profile) -> String {
    let region = profile.region.iter().map(|region| format!("region = {region}\n"));
    let value = |name: &str| {
        Some(match name {
            "sso_session" => "corp",
            "sso_account_id" => "111122223333",
            "sso_role_name" => "Dev",
            "aws_access_key_id" => SHELL_KEY,
            "aws_secret_access_key" => SECRET_KEY,
            "aws_session_token" => SESSION_TOKEN,
            "role_arn" => profile.role_arn.as_deref()?,
            "source_profile" => profile.source_profile.as_deref()?,
            "mfa_serial" => profile.mfa_serial.as_deref()?,
            _ => return None,
        })
    };
    let settings = profile.settings.iter().filter_map(|name| Some(format!("{name} = {}\n", value(name)?)));
    let output = profile.output.iter().map(|output| format!("output = {output}\n"));
    region.chain(settings).chain(output).collect()
}

/// Whether somebody copied two of three values. The lab's keys are temporary ones, and those of others need no third.
fn lacks_session_token(lab: &Lab) -> bool {
    let token = lab.evidence.exec.found().and_then(|run| run.token.as_ref());
    let is_temporary = |id: &String| id.starts_with("ASIA");
    token.is_some_and(|token| token.has_session_token == Some(false) && token.access_key_id.iter().any(is_temporary))
}

/// The document's variables, but for those that say where things are on its machine.
fn surroundings(lab: &Lab) -> Surroundings {
    let mut surroundings = lab.surroundings();
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let credentials = &lab.evidence.aws.credentials;
    let provider = credentials.found().map(|credentials| credentials.provider);
    if !credentials.is_unmentioned() && provider != Some(CredentialProvider::Environment) {
        keys.iter().for_each(|key| drop(surroundings.variables.remove(std::ffi::OsStr::new(key))));
    }
    if lacks_session_token(lab) {
        surroundings.variables.remove(std::ffi::OsStr::new("AWS_SESSION_TOKEN"));
    }
    let own = ["PATH", "HOME", "KUBECONFIG", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED"];
    let is_own = |name: &str| own.contains(&name) || keys.contains(&name) || name.to_lowercase().ends_with("_proxy");
    let variables = lab.evidence.environment.variables.iter().flatten().filter(|(name, _)| !is_own(name));
    surroundings.variables.extend(variables.map(|(name, value)| (name.into(), value.into())));
    surroundings
}
