//! Which API server is asked, and with what: the kubeconfig's, a pod's own, or the one that EKS describes.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

use super::exec::Issued;
use super::failure::{failure, os_code};
use super::http::certificates;
use super::kubeconfig::{Cluster, User};
use super::kubernetes::Endpoint;
use super::proxy::{Proxies, Proxy};
use super::surroundings::Surroundings;
use crate::evidence::{self, Failure, redact};

/// The operation of putting a client together.
const OPERATION: &str = "https:configure";

type Ca = Option<Vec<CertificateDer<'static>>>;

/// The API server of a kubeconfig's cluster entry.
pub(crate) fn of_kubeconfig(cluster: &Cluster, proxies: &Proxies) -> Result<Endpoint, Failure> {
    let server = cluster.server.as_deref().unwrap_or_default();
    let server: http::Uri = parse_server(server)?;
    let ca = match (cluster.ca_data(), cluster.certificate_authority.as_deref().filter(|path| !path.is_empty())) {
        (Some(data), _) => Some(data.and_then(|pem| certificates(&pem)).map_err(|error| invalid_ca(&error))?),
        (None, Some(path)) => {
            Some(certificates(&read(path)?).map_err(|error| invalid_ca(&format!("{path}: {error}")))?)
        }
        (None, None) => None,
    };
    let named = cluster.proxy_url.as_deref().filter(|url| !url.is_empty());
    let proxy = match named {
        Some(url) => Some(Proxy::new(url, "proxy-url").map_err(|error| failure(OPERATION, "InvalidProxy", error))?),
        None => proxy(proxies, &server)?,
    };
    Ok(Endpoint {
        server,
        ca,
        tls_server_name: cluster.tls_server_name.clone().filter(|name| !name.is_empty()),
        insecure: cluster.insecure_skip_tls_verify.unwrap_or_default(),
        proxy,
    })
}

/// The API server of a cluster as EKS describes it.
pub(crate) fn of_cluster(cluster: &evidence::Cluster, proxies: &Proxies) -> Option<Result<Endpoint, Failure>> {
    let server = cluster.endpoint.as_deref().filter(|endpoint| !endpoint.is_empty())?;
    Some(of_described(server, cluster, proxies))
}

fn of_described(server: &str, cluster: &evidence::Cluster, proxies: &Proxies) -> Result<Endpoint, Failure> {
    let server = parse_server(server)?;
    let data = cluster.certificate_authority.as_ref().and_then(|authority| authority.data.as_deref());
    let ca = data.map(ca_of_base64).transpose().map_err(|error| invalid_ca(&error))?;
    let proxy = proxy(proxies, &server)?;
    Ok(Endpoint { server, ca, tls_server_name: None, insecure: false, proxy })
}

/// The certificates of a CA bundle in base64, as EKS and kubeconfigs hold it.
pub(crate) fn ca_of_base64(data: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let compact: String = data.split_whitespace().collect();
    certificates(&STANDARD.decode(compact).map_err(|error| error.to_string())?)
}

/// The API server and the token of the pod that this runs in, if it does.
pub(crate) fn of_pod(surroundings: &Surroundings) -> Option<Result<(Endpoint, Issued), Failure>> {
    let host = surroundings.variable("KUBERNETES_SERVICE_HOST")?;
    let port = surroundings.variable("KUBERNETES_SERVICE_PORT")?;
    let token = surroundings.service_account.join("token");
    token.is_file().then(|| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let server = parse_server(&format!("https://{host}:{port}"))?;
        let ca: Ca = match read(&surroundings.service_account.join("ca.crt").display().to_string()) {
            Ok(pem) => Some(certificates(&pem).map_err(|error| invalid_ca(&error))?),
            Err(_) => None,
        };
        let issued = Issued { token: Some(read_token(&token)?), certificate: None };
        Ok((Endpoint { server, ca, tls_server_name: None, insecure: false, proxy: None }, issued))
    })
}

/// A credential that a user entry holds or points to; nothing if it has none of its own.
pub(crate) fn stored_credential(user: &User) -> Option<Result<Issued, Failure>> {
    let set = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    let token = match (set(&user.token_file), set(&user.token)) {
        // kubectl reads the file again and again, and prefers it.
        (Some(path), _) => Some(read_token(Path::new(&path))),
        (None, token) => token.map(Ok),
    };
    let certificate = user.has_certificate().then(|| {
        let certificate = pem(user.client_certificate_data.as_deref(), user.client_certificate.as_deref())?;
        Ok((certificate, pem(user.client_key_data.as_deref(), user.client_key.as_deref())?))
    });
    if token.is_none() && certificate.is_none() {
        return None;
    }
    let both = || Ok(Issued { token: token.transpose()?, certificate: certificate.transpose()? });
    Some(both())
}

fn proxy(proxies: &Proxies, server: &http::Uri) -> Result<Option<Proxy>, Failure> {
    proxies.for_url(server).map(Option::<&Proxy>::cloned).map_err(|error| failure(OPERATION, "InvalidProxy", error))
}

fn pem(data: Option<&str>, path: Option<&str>) -> Result<String, Failure> {
    let bytes = match (data.filter(|data| !data.is_empty()), path) {
        (Some(data), _) => {
            STANDARD.decode(data.trim()).map_err(|_| failure(OPERATION, "InvalidCertificate", "not base64"))?
        }
        (None, path) => read(path.unwrap_or_default())?,
    };
    String::from_utf8(bytes)
        .map_err(|_| failure(OPERATION, "InvalidCertificate", "a client certificate or key is not PEM"))
}

fn parse_server(server: &str) -> Result<http::Uri, Failure> {
    let invalid =
        |why: String| failure(OPERATION, "InvalidServer", format!("server {:?}: {why}", redact::scrub(server)));
    let url: http::Uri = server.parse().map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
    match (url.scheme_str(), url.host()) {
        (Some("https" | "http"), Some(_)) => Ok(url),
        _ => Err(invalid("not a URL with https".to_owned())),
    }
}

fn invalid_ca(error: &str) -> Failure {
    failure(OPERATION, "InvalidCa", format!("certificate authority: {error}"))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let bytes = read(&path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn read(path: &str) -> Result<Vec<u8>, Failure> {
    super::file::read(Path::new(path)).map_err(|error| Failure {
        operation: Some(format!("read {path}")),
        code: os_code(&error),
        message: format!("{path}: {error}"),
        ..Failure::default()
    })
}
