//! The one HTTPS client for everything that is not the Kubernetes API: AWS services, instance metadata. It goes through
//! the proxy and trusts the certificates that the AWS CLI would, and is what the AWS SDK's clients speak through.

#![expect(clippy::disallowed_methods, reason = "the clock and the CA bundle are read here")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector as Tls, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::{Client, connect};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::proxy::{Proxies, Proxy};
use super::surroundings::Surroundings;
use crate::evidence::Failure;

/// How long a connection may take before it counts as impossible.
const CONNECT: Duration = Duration::from_secs(4);

/// No answer of AWS is anywhere near as large.
const LARGEST_BODY: usize = 32 << 20;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Bytes = hyper::body::Bytes;

/// TLS to a server, through a tunnel of a proxy that may itself want TLS.
type Tunnelled = Tls<Tunnel<Tls<Tcp>>>;

/// The client for what goes through the proxy.
#[derive(Clone)]
enum Proxied {
    Tunnel(Client<Tunnelled, Full<Bytes>>),
    Socks(Client<Tls<SocksV5<Tcp>>, Full<Bytes>>),
}

/// The client. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Http {
    direct: Client<Tls<Tcp>, Full<Bytes>>,
    proxied: Option<Proxied>,
    proxies: Proxies,
    clock: Clock,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Http")
    }
}

impl Http {
    /// A client for these surroundings. `ca_bundle` is the setting of the profile in force.
    pub(crate) fn new(surroundings: &Surroundings, ca_bundle: Option<&str>, clock: Clock) -> Result<Self, Failure> {
        let invalid = |code: &str, message: String| super::failure::failure("https:configure", code, message);
        let proxies = Proxies::of(surroundings);
        let roots = roots(surroundings, ca_bundle).map_err(|message| invalid("InvalidCaBundle", message))?;
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid("InvalidTls", error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let direct = over(&tls, tcp.clone());
        let proxied = proxies.https().map(|proxy| match proxy.is_socks() {
            true => Proxied::Socks(client(over(&tls, SocksV5::new(proxy.url.clone(), tcp)))),
            false => Proxied::Tunnel(client(over(&tls, tunnel(proxy, direct.clone())))),
        });
        Ok(Self { direct: client(direct), proxied, proxies, clock })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let asked = self.clock.now();
        let request = request.map(Full::new);
        let secure = request.uri().scheme_str() == Some("https");
        let address = address(request.uri());
        let proxy = self.proxies.for_url(request.uri())?;
        let answer = match self.proxied.as_ref().filter(|_| proxy.is_some()) {
            Some(Proxied::Tunnel(client)) => client.request(request).await,
            Some(Proxied::Socks(client)) => client.request(request).await,
            None => self.direct.request(request).await,
        };
        let answer = answer.map_err(|error| Unreached { address, error })?;
        // Emulators and metadata on this machine say nothing about the time in the world.
        if secure {
            self.clock.note(&asked, answer.headers());
        }
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }

    /// Fetches a URL with some headers.
    pub(crate) async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response<Bytes>, BoxError> {
        let request = headers.iter().fold(Request::get(url), |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Bytes::new())?).await
    }
}

impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
            let answer = http.send(Request::from_parts(head, body)).await.map_err(ConnectorError::io)?;
            HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Why there was no answer, and from where.
#[derive(Debug)]
struct Unreached {
    address: String,
    error: hyper_util::client::legacy::Error,
}

impl std::fmt::Display for Unreached {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.address)
    }
}

impl std::error::Error for Unreached {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

fn client<C>(connector: C) -> Client<C, Full<Bytes>>
where
    C: connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new()).build(connector)
}

fn over<C>(tls: &ClientConfig, connector: C) -> Tls<C> {
    HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1().wrap_connector(connector)
}

fn tunnel(proxy: &Proxy, connector: Tls<Tcp>) -> Tunnel<Tls<Tcp>> {
    let tunnel = Tunnel::new(proxy.url.clone(), connector);
    match proxy.authorization() {
        Some(authorization) => tunnel.with_auth(authorization),
        None => tunnel,
    }
}

/// The certificates to trust: those that a variable or the profile names, else the system's.
fn roots(surroundings: &Surroundings, ca_bundle: Option<&str>) -> Result<RootCertStore, String> {
    let named = [
        ("AWS_CA_BUNDLE", surroundings.variable("AWS_CA_BUNDLE")),
        ("ca_bundle", ca_bundle),
        ("REQUESTS_CA_BUNDLE", surroundings.variable("REQUESTS_CA_BUNDLE")),
    ];
    let mut roots = RootCertStore::empty();
    match named.into_iter().find_map(|(name, path)| Some((name, path?))) {
        Some((name, path)) => {
            for certificate in
                bundle(&surroundings.expand_home(path)).map_err(|error| format!("{name}={path}: {error}"))?
            {
                roots.add(certificate).map_err(|error| format!("{name}={path}: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

fn bundle(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = super::file::read(path).map_err(|error| error.to_string())?;
    certificates(&pem)
}

/// The certificates of a PEM text; none is an error.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("no certificate in it".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("not PEM: {error}")),
    }
}

/// The offset of the local clock, from the `Date` headers of answers. The answer that came back fastest tells best.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<Option<Reading>>>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    took: Duration,
    offset: f64,
}

/// When a request was sent.
pub(crate) struct Asked(std::time::Instant);

impl Clock {
    /// Remembers the beginning of a request.
    pub(crate) fn now(&self) -> Asked {
        Asked(std::time::Instant::now())
    }

    /// Takes the reading of an answer.
    pub(crate) fn note(&self, asked: &Asked, headers: &HeaderMap) {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) else { return };
        let took = asked.0.elapsed();
        // The header has whole seconds: on average the answer was written half a second later.
        let written = date.timestamp().as_duration().as_secs_f64() + 0.5;
        let local = jiff::Timestamp::now().as_duration().as_secs_f64() - took.as_secs_f64() / 2.0;
        if let Ok(mut reading) = self.0.lock()
            && reading.is_none_or(|known| took < known.took)
        {
            *reading = Some(Reading { took, offset: local - written });
        }
    }

    /// Local clock minus server clock in seconds, to a tenth.
    pub(crate) fn offset(&self) -> Option<f64> {
        let reading = (*self.0.lock().ok()?)?;
        Some((reading.offset * 10.0).round() / 10.0)
    }
}

/// `HOST:PORT` of a URL, for messages.
pub(crate) fn address(url: &Uri) -> String {
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    format!("{}:{port}", url.host().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::surroundings::tests::surroundings;
    use super::*;

    #[test]
    fn a_broken_ca_bundle_is_a_failure_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let garbage = "-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n";
        for (name, content) in [("empty", ""), ("garbage", garbage), ("cut", "-----BEGIN CERTIFICATE-----\nZ2Fy")] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let broken = surroundings(&[("AWS_CA_BUNDLE", path.to_str().unwrap())]);
            let failure = Http::new(&broken, None, Clock::default()).unwrap_err();
            assert_eq!(failure.code.as_deref(), Some("InvalidCaBundle"), "{name}: {}", failure.message);
        }
        let missing = surroundings(&[("AWS_CA_BUNDLE", "/nowhere")]);
        assert!(Http::new(&missing, None, Clock::default()).is_err());
    }

    #[test]
    fn the_clock_offset_comes_from_the_date_header() {
        let clock = Clock::default();
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, "Fri, 01 Jan 2021 00:00:00 GMT".parse().unwrap());
        clock.note(&clock.now(), &headers);
        let since = jiff::Timestamp::now().as_second() - 1_609_459_200;
        assert!((clock.offset().unwrap() - since as f64).abs() < 3.0);
        clock.note(&Asked(std::time::Instant::now() - Duration::from_secs(1)), &HeaderMap::new());
        assert!(clock.offset().is_some());
    }
}
