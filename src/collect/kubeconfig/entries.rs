//! The entries of a kubeconfig that count: the context in force, its cluster and its user, and what their names and
//! arguments say about the EKS cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::evidence::{Target, redact};

/// The context in force with its entries, as far as they are there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current {
    pub(crate) context: String,
    pub(crate) cluster: Option<Named<Cluster>>,
    pub(crate) user: Option<Named<User>>,
}

/// An entry of one of the lists.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Named<T> {
    pub(crate) name: String,
    #[serde(alias = "cluster", alias = "context", alias = "user", default = "nothing")]
    content: Option<T>,
}

fn nothing<T>() -> Option<T> {
    None
}

impl<T: Default + Clone> Named<T> {
    /// The entry's content; an entry without one is empty.
    pub(crate) fn content(&self) -> T {
        self.content.clone().unwrap_or_default()
    }
}

/// A cluster entry. The URL of its proxy may hold a password, so Debug output shows the server only.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct Cluster {
    pub(crate) server: Option<String>,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) insecure_skip_tls_verify: Option<bool>,
    pub(crate) certificate_authority: Option<String>,
    pub(crate) certificate_authority_data: Option<String>,
    pub(crate) proxy_url: Option<String>,
    extensions: Option<Vec<Extension>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = self.server.as_deref().map(redact::scrub);
        formatter.debug_struct("Cluster").field("server", &server).finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize)]
struct Extension {
    name: String,
    #[serde(default)]
    extension: Value,
}

/// A user entry, with its secrets.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct User {
    pub(crate) exec: Option<Exec>,
    pub(crate) token: Option<String>,
    #[serde(rename = "tokenFile")]
    pub(crate) token_file: Option<String>,
    pub(crate) client_certificate: Option<String>,
    pub(crate) client_certificate_data: Option<String>,
    pub(crate) client_key: Option<String>,
    pub(crate) client_key_data: Option<String>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("User")
    }
}

/// An exec entry. Its arguments may hold secrets, so Debug output shows the command only.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Exec {
    pub(crate) api_version: Option<String>,
    pub(crate) command: String,
    pub(crate) args: Option<Vec<String>>,
    pub(crate) env: Option<Vec<Variable>>,
    pub(crate) interactive_mode: Option<String>,
    pub(crate) provide_cluster_info: Option<bool>,
    pub(crate) install_hint: Option<String>,
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Exec").field("command", &self.command).finish_non_exhaustive()
    }
}

/// A variable of an exec entry.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
}

/// A whole document.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "current-context")]
    current_context: Option<String>,
    clusters: Option<Vec<Named<Cluster>>>,
    contexts: Option<Vec<Named<Context>>>,
    users: Option<Vec<Named<User>>>,
}

/// Says which value of a document has a type that kubectl refuses.
pub(super) fn check(document: &Value) -> Result<(), String> {
    match document {
        Value::Object(_) => read(document).map(drop),
        // The value itself is not repeated: it may be a secret that was taken for a kubeconfig.
        other => Err(format!("a kubeconfig is a map, not {}", kind(other))),
    }
}

/// What a value is.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn read(document: &Value) -> Result<Document, String> {
    serde_path_to_error::deserialize(document)
        .map_err(|error| format!("{}: {}", error.path(), without_value(&error.inner().to_string())))
}

/// What serde says of a type, without the value that has it: `invalid type: integer, expected a string`.
fn without_value(said: &str) -> String {
    let value = said.find(['"', '`']).zip(said.rfind(", expected "));
    match value.and_then(|(from, to)| Some((said.get(..from)?, said.get(to..)?))) {
        Some((before, after)) => format!("{}{after}", before.trim_end()),
        None => said.to_owned(),
    }
}

impl Current {
    /// The context that the flag or the document names, if it is there.
    pub(super) fn of(document: &Value, context: Option<&str>) -> Option<Self> {
        let document = read(document).ok()?;
        let name = context.map(str::to_owned).or(document.current_context).filter(|name| !name.is_empty())?;
        let context = find(document.contexts, &name)?.content();
        let cluster = find(document.clusters, &context.cluster);
        let user = find(document.users, &context.user);
        Some(Self { context: name, cluster, user })
    }

    /// What the entries say about the EKS cluster: its name, and its region. What goes with the server comes first: the
    /// plugin's arguments may be wrong about it, which is a fault of its own.
    pub(crate) fn hints(&self) -> Target {
        let exec = self.user.as_ref().and_then(|user| user.content().exec).unwrap_or_default();
        let names = [self.cluster.as_ref().map(|entry| entry.name.as_str()), Some(self.context.as_str())];
        let by_name = names.into_iter().flatten().find_map(cluster_of_name);
        let (name, region) = by_name.unzip();
        let server = self.cluster.as_ref().and_then(|entry| entry.content().server);
        Target {
            cluster: name.or_else(|| exec.flag(&["--cluster-name", "--cluster-id", "-i"])),
            region: region
                .or_else(|| server.as_deref().and_then(region_of_endpoint))
                .or_else(|| exec.flag(&["--region"]))
                .or_else(|| exec.variable("AWS_REGION").or_else(|| exec.variable("AWS_DEFAULT_REGION"))),
            ..Target::default()
        }
    }
}

impl Cluster {
    /// The CA certificates as PEM, if the entry holds them itself.
    pub(crate) fn ca_data(&self) -> Option<Result<Vec<u8>, String>> {
        let data = self.certificate_authority_data.as_ref().filter(|data| !data.is_empty())?;
        let compact: String = data.split_whitespace().collect();
        Some(STANDARD.decode(compact).map_err(|error| format!("certificate-authority-data: {error}")))
    }

    /// The entry as exec plugins are told of it.
    pub(crate) fn for_plugins(&self) -> Value {
        let extension = self.extensions.iter().flatten().find(|e| e.name == "client.authentication.k8s.io/exec");
        let mut info = serde_json::Map::new();
        let mut add = |key: &str, value: Option<Value>| value.map(|value| info.insert(key.to_owned(), value));
        let text = |value: &Option<String>| value.clone().filter(|text| !text.is_empty()).map(Value::String);
        add("server", text(&self.server));
        add("tls-server-name", text(&self.tls_server_name));
        add("insecure-skip-tls-verify", self.insecure_skip_tls_verify.filter(|skip| *skip).map(Value::Bool));
        add("certificate-authority-data", text(&self.certificate_authority_data));
        add("proxy-url", text(&self.proxy_url));
        add("config", extension.map(|extension| extension.extension.clone()));
        Value::Object(info)
    }
}

impl User {
    /// Whether the entry holds a client certificate.
    pub(crate) fn has_certificate(&self) -> bool {
        let set = |value: &Option<String>| value.as_ref().is_some_and(|text| !text.is_empty());
        set(&self.client_certificate) || set(&self.client_certificate_data)
    }
}

impl Exec {
    /// The value of a flag, as `--flag VALUE` or `--flag=VALUE`.
    pub(crate) fn flag(&self, names: &[&str]) -> Option<String> {
        let arguments = self.args.as_deref().unwrap_or_default();
        arguments.iter().enumerate().find_map(|(place, argument)| match argument.split_once('=') {
            Some((name, value)) if names.contains(&name) => Some(value.to_owned()),
            None if names.contains(&argument.as_str()) => arguments.get(place + 1).cloned(),
            _ => None,
        })
    }

    /// The value of a variable of the entry.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.env.iter().flatten().find(|variable| variable.name == name).map(|variable| variable.value.clone())
    }
}

fn find<T>(list: Option<Vec<Named<T>>>, name: &str) -> Option<Named<T>> {
    list.into_iter().flatten().find(|entry| entry.name == name)
}

/// Cluster name and region in an entry's name: an ARN as `aws eks update-kubeconfig` writes it, or eksctl's
/// `[IDENTITY@]NAME.REGION.eksctl.io`.
fn cluster_of_name(name: &str) -> Option<(String, String)> {
    if let Some(rest) = name.strip_prefix("arn:") {
        let parts: Vec<&str> = rest.splitn(5, ':').collect();
        let [_, "eks", region, _, resource] = parts[..] else { return None };
        return Some((resource.strip_prefix("cluster/")?.to_owned(), region.to_owned()));
    }
    let eksctl = name.strip_suffix(".eksctl.io")?;
    let (cluster, region) = eksctl.rsplit('@').next()?.rsplit_once('.')?;
    Some((cluster.to_owned(), region.to_owned()))
}

/// The region in the host name of an EKS endpoint: `ID.gr7.REGION.eks.amazonaws.com` or `….REGION.api.aws`.
fn region_of_endpoint(server: &str) -> Option<String> {
    let url: http::Uri = server.parse().ok()?;
    let labels: Vec<&str> = url.host()?.split('.').collect();
    let is_aws = ["amazonaws", "api", "amazonwebservices"].iter().any(|label| labels.contains(label));
    let service = labels.iter().rposition(|label| matches!(*label, "eks" | "api"))?;
    let region = labels.get(service.checked_sub(1)?)?;
    // In `REGION.eks.api.aws`-like names the label before `api` is the service.
    let region = if *region == "eks" { labels.get(service.checked_sub(2)?)? } else { region };
    (is_aws && region.contains('-')).then(|| (*region).to_owned())
}
