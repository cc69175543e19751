//! The client's side: kubeconfig, exec plugin, tokens and the way to the API server.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Observed;

/// The kubeconfig.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kubeconfig {
    /// The files it was merged from, in order of precedence.
    #[serde(default)]
    pub files: Vec<String>,
    /// The merged document with its own field names, secrets redacted.
    pub document: serde_json::Value,
}

/// One run of an exec entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecRun {
    /// The command, as the entry names it.
    pub command: String,
    /// Exit status; absent if a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its standard error, without secrets.
    #[serde(default)]
    pub stderr: String,
    /// What the ExecCredential says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ExecCredential>,
    /// It ended with 0, but what it printed is no ExecCredential: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode_error: Option<String>,
    /// What the token says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenStatement>,
}

/// The parts of an ExecCredential that are no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecCredential {
    /// `client.authentication.k8s.io/v1beta1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// When the client will ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_timestamp: Option<Timestamp>,
}

/// What a bearer token says of itself; never the token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenStatement {
    /// What kind of token it is. Absent means an EKS token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<TokenKind>,
    /// Size of the whole token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether it begins with `k8s-aws-v1.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_ok: Option<bool>,
    /// Whether its base64 carries `=` padding, which the server refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padded: Option<bool>,
    /// STS host of the presigned URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Region of the credential scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Access key id: four-letter prefix and last four characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Names of the query parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<String>>,
    /// `X-Amz-Date`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
    /// `X-Amz-Expires`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// End of life, for tokens that state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Issuer of a service-account token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Subject of a service-account token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Signed headers of the presigned URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_headers: Option<Vec<String>>,
    /// Whether the URL carries a session token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_session_token: Option<bool>,
    /// The authenticator's own words, where the whole token was at hand and breaks one of its rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
}

/// Kinds of bearer tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// A presigned STS request.
    Eks,
    /// A service-account token.
    ServiceAccount,
    /// Anything else.
    Opaque,
}

/// The way to the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Addresses of this machine.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub local_addresses: Observed<Vec<String>>,
    /// Address from which the internet sees this machine, if the user gave it.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub egress_address: Observed<String>,
    /// Addresses that the endpoint's name resolves to.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub dns: Observed<Vec<String>>,
    /// A TCP connection to the endpoint.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub tcp: Observed<TcpConnection>,
    /// A TLS handshake with the endpoint.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub tls: Observed<TlsSession>,
    /// The proxy that applies to the endpoint.
    #[serde(default, skip_serializing_if = "Observed::is_unmentioned")]
    pub proxy: Observed<ProxySetting>,
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpConnection {
    /// `ADDRESS:PORT`.
    pub address: String,
    /// Direct, or through a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
}

/// How a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Straight to the server.
    Direct,
    /// Through a proxy.
    Proxy,
}

/// A TLS handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSession {
    /// Whether the chain is signed by the kubeconfig's CA and fits the name.
    pub verified: bool,
    /// Issuer of the server's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// SHA-256 fingerprints of the chain, in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<String>,
    /// What is wrong with the chain, if it is not verified: `UnknownIssuer`, `NotValidForName`, `Expired`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the CA of the cluster as EKS describes it signs the chain; looked at if the kubeconfig's does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by_cluster: Option<bool>,
    /// Whether the system's own roots vouch for the chain; looked at if the kubeconfig's CA does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_by_system: Option<bool>,
}

/// A proxy and what names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxySetting {
    /// Its URL, without password.
    pub url: String,
    /// The variable, or `proxy-url`.
    pub from: String,
}
