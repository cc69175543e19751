//! The way to the API server, step by step: name, connection, TLS. kubectl's own words mix these up; here each step
//! says what became of it, and the certificates that were shown are looked at instead of only refused.

#![expect(clippy::disallowed_methods, reason = "this is where the network is tried")]

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::{failure, name_code, of_error, tls_code};
use super::proxy::Proxy;
use super::x509;
use crate::evidence::{Failure, Observed, TcpConnection, TlsSession, Via, redact};

pub(crate) const LOOKUP: &str = "dns:lookup";
pub(crate) const CONNECT: &str = "tcp:connect";
pub(crate) const HANDSHAKE: &str = "tls:handshake";

/// No proxy says more before the tunnel stands.
const LONGEST_HEAD: usize = 16 << 10;

/// An address without a machine behind it, for asking which local address would be used. Nothing is sent there.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 9);

/// Looks a name up as every program here would. An address is its own answer.
pub(crate) async fn resolve(host: &str) -> Observed<Vec<IpAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse() {
        return Observed::Found(vec![address]);
    }
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            found.map(|address| address.ip()).for_each(|address| {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            });
            Observed::Found(addresses)
        }
        Err(error) => {
            let code = name_code(&error.to_string()).map(str::to_owned);
            Observed::Failed(Failure { message: format!("{host}: {error}"), code, ..of_error(LOOKUP, &error) })
        }
    }
}

/// The local address that packets to an address would carry. Sends nothing.
pub(crate) fn local_address(to: Option<IpAddr>) -> Observed<Vec<String>> {
    let to = to.map_or(NOBODY, |address| SocketAddr::new(address, NOBODY.port()));
    let any: IpAddr =
        if to.is_ipv4() { std::net::Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind((any, 0));
    match socket.and_then(|socket| socket.connect(to).and_then(|()| socket.local_addr())) {
        Ok(address) => Observed::Found(vec![address.ip().to_string()]),
        Err(error) => Observed::Failed(of_error("route", &error)),
    }
}

/// Connects to whichever address answers first.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16) -> Result<(TcpStream, TcpConnection), Failure> {
    let begun = Instant::now();
    let attempts = addresses.iter().map(|address| {
        let address = SocketAddr::new(*address, port);
        Box::pin(async move { TcpStream::connect(address).await.map_err(|error| (address, error)) })
    });
    let attempts: Vec<_> = attempts.collect();
    if attempts.is_empty() {
        return Err(failure(CONNECT, "NXDOMAIN", "the name has no address"));
    }
    match futures_util::future::select_ok(attempts).await {
        Ok((stream, _)) => {
            let address = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
            let milliseconds = u64::try_from(begun.elapsed().as_millis()).ok();
            Ok((stream, TcpConnection { address, via: Some(Via::Direct), milliseconds }))
        }
        Err((address, error)) => Err(Failure { message: format!("{address}: {error}"), ..of_error(CONNECT, &error) }),
    }
}

/// Connects to a proxy and has it connect to a server.
pub(crate) async fn tunnel(proxy: &Proxy, target: &str) -> Result<(TcpStream, TcpConnection), Failure> {
    let (host, port) = (proxy.url.host().unwrap_or_default(), proxy.url.port_u16().unwrap_or(80));
    let connected = match resolve(host).await {
        Observed::Found(addresses) => connect(&addresses, port).await,
        other => Err(other.failure().cloned().unwrap_or_default()),
    };
    let (mut stream, connection) = connected.map_err(|failure| Failure {
        operation: Some(CONNECT.to_owned()),
        message: format!("cannot connect to proxy {}: {}", proxy.shown(), failure.message),
        ..failure
    })?;
    let said = match proxy.is_socks() {
        true => socks(&mut stream, target).await,
        false => http_connect(&mut stream, proxy, target).await,
    };
    let refusal = said.map_err(|error| of_error(CONNECT, &error))?;
    match refusal {
        None => Ok((stream, TcpConnection { via: Some(Via::Proxy), ..connection })),
        Some((status, words)) => {
            let message = format!("the proxy {} does not connect to {target}: {words}", proxy.shown());
            Err(Failure { status, ..failure(CONNECT, "ProxyRefused", message) })
        }
    }
}

/// What a proxy says instead of connecting: its HTTP status, if it has one, and its words.
type Refusal = Option<(Option<u16>, String)>;

async fn http_connect(stream: &mut TcpStream, proxy: &Proxy, target: &str) -> std::io::Result<Refusal> {
    let authorization = proxy.authorization();
    let authorization = authorization.as_ref().and_then(|header| header.to_str().ok());
    let authorization = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let status = line.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
    Ok((!matches!(status, Some(200..=299))).then(|| (status, redact::scrub(line).into_owned())))
}

/// SOCKS version 5 without a password, as RFC 1928 has it; the proxy looks the name up.
async fn socks(stream: &mut TcpStream, target: &str) -> std::io::Result<Refusal> {
    const GREETING: [u8; 3] = [5, 1, 0];
    const REFUSALS: [&str; 8] = [
        "general failure",
        "not allowed by its rules",
        "network unreachable",
        "host unreachable",
        "connection refused",
        "time to live expired",
        "command not supported",
        "address type not supported",
    ];
    let (host, port) = target.rsplit_once(':').unwrap_or((target, "443"));
    let port: u16 = port.parse().unwrap_or(443);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    stream.write_all(&GREETING).await?;
    let mut accepted = [0; 2];
    stream.read_exact(&mut accepted).await?;
    match accepted {
        [5, 0] => {}
        [5, _] => return Ok(Some((None, "it wants a password".to_owned()))),
        _ => return Ok(Some((None, "it does not speak SOCKS version 5".to_owned()))),
    }
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => request.extend([&[1][..], &address.octets()].concat()),
        Ok(IpAddr::V6(address)) => request.extend([&[4][..], &address.octets()].concat()),
        Err(_) => {
            request.extend([3, u8::try_from(host.len()).unwrap_or(u8::MAX)]);
            request.extend(host.bytes().take(usize::from(u8::MAX)));
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    let [_, status, _, kind] = answer;
    if let Some(index) = usize::from(status).checked_sub(1) {
        let words = REFUSALS.get(index).copied().unwrap_or("unknown reason");
        return Ok(Some((None, format!("{words} (SOCKS status {status})"))));
    }
    // Which address the proxy uses is of no interest, but stands before the server's first byte.
    let length = match kind {
        4 => 16,
        3 => stream.read_u8().await?.into(),
        _ => 4,
    };
    stream.read_exact(&mut vec![0; length + 2]).await?;
    Ok(None)
}

/// A handshake that accepts whatever is shown, so that it can be looked at. Nothing is sent over it.
pub(crate) async fn handshake(
    stream: TcpStream,
    name: &str,
    trusted: Option<&[CertificateDer<'static>]>,
) -> Result<(TlsSession, Shown), Failure> {
    let server_name = ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']').to_owned());
    let server_name = server_name.map_err(|error| failure(HANDSHAKE, "InvalidName", format!("{name}: {error}")))?;
    let recorder = Arc::new(Recorder::default());
    let config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| of_error(HANDSHAKE, &error))?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();
    let connected = TlsConnector::from(Arc::new(config)).connect(server_name.clone(), stream).await;
    if let Err(error) = connected {
        let failed = of_error(HANDSHAKE, &error);
        return Err(Failure { message: format!("{name}: {}", failed.message), ..failed });
    }
    let chain = recorder.chain.lock().map(|chain| chain.clone()).unwrap_or_default();
    let shown = Shown { chain, server_name };
    let verdict = shown.verify(trusted);
    let session = TlsSession {
        verified: verdict.is_ok(),
        issuer: shown.chain.first().and_then(|certificate| x509::issuer(certificate)),
        sha256: shown.chain.iter().map(|certificate| fingerprint(certificate)).collect(),
        error: verdict.err(),
        ..TlsSession::default()
    };
    Ok((session, shown))
}

/// The certificates that a server showed, for some name.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    server_name: ServerName<'static>,
}

impl Shown {
    /// Whether these roots, or the system's, vouch for the chain and the name; else what rustls calls the fault.
    pub(crate) fn verify(&self, trusted: Option<&[CertificateDer<'static>]>) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        match trusted {
            Some(trusted) => roots.add_parsable_certificates(trusted.iter().cloned()),
            None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        };
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider::default_provider()));
        let verifier = verifier.build().map_err(|_| "NoRoots".to_owned())?;
        let Some((leaf, intermediates)) = self.chain.split_first() else { return Err("NoCertificate".to_owned()) };
        let verified = verifier.verify_server_cert(leaf, intermediates, &self.server_name, &[], UnixTime::now());
        verified.map(drop).map_err(|error| tls_code(&error))
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Accepts every certificate and remembers it; signatures must be right all the same.
#[derive(Debug)]
struct Recorder {
    provider: CryptoProvider,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { provider: provider::default_provider(), chain: Mutex::default() }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut chain) = self.chain.lock() {
            *chain = std::iter::once(leaf)
                .chain(intermediates)
                .map(|certificate| certificate.clone().into_owned())
                .collect();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn addresses_are_their_own_names() {
        assert_eq!(run(resolve("203.0.113.7")), Observed::Found(vec!["203.0.113.7".parse().unwrap()]));
        assert_eq!(run(resolve("[::1]")), Observed::Found(vec!["::1".parse().unwrap()]));
    }

    #[test]
    fn a_closed_port_refuses_with_its_address() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = run(connect(&["127.0.0.1".parse().unwrap()], port)).unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("ECONNREFUSED"));
        assert!(refused.message.starts_with(&format!("127.0.0.1:{port}: ")));
    }

    #[test]
    fn a_local_address_is_known_without_asking_anybody() {
        assert_eq!(local_address("127.0.0.1".parse().ok()), Observed::Found(vec!["127.0.0.1".to_owned()]));
    }
}
