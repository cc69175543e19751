//! Small blocking servers on loopback: HTTPS with a certificate authority of their own, and a CONNECT proxy that leads
//! every name to one of them. They misbehave on request. Their threads end with their sockets.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection that is silent for so long is given up, so that no thread outlives the tests.
const SILENCE: Duration = Duration::from_secs(40);

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A field of a form in the body, unescaped; empty if it is not there.
    pub(crate) fn form(&self, name: &str) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let value = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
        percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()
    }

    /// A parameter of the query, unescaped.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    }
}

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    Misbehave(Fault),
}

impl Reply {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Answer { status, headers, body: body.to_string().into_bytes() }
    }

    pub(crate) fn text(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    /// The same, said at some time.
    pub(crate) fn dated(mut self, at: jiff::Timestamp) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push(("date".to_owned(), at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        }
        self
    }
}

/// Ways to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends without an answer.
    Reset,
    /// Nothing ever comes.
    BlackHole,
    /// The answer's body comes byte by byte and never ends.
    SlowDrip,
    /// Something that is not HTTP.
    Garbage,
    /// A body that no memory should hold.
    Huge,
}

pub(crate) type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A server that stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
    listen_at("127.0.0.1:0", serve)
}

fn listen_at(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if stopped.load(Ordering::SeqCst) {
                break;
            }
            let (Ok(stream), serve) = (stream, serve.clone()) else { continue };
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(SILENCE));
            let _ = stream.set_write_timeout(Some(SILENCE));
            std::thread::spawn(move || serve(stream));
        }
    });
    Server { address, stop }
}

/// An HTTPS server.
pub(crate) fn https(certificates: &Certificates, handler: Handler) -> Server {
    https_with(certificates.server_config.clone(), handler)
}

fn https_with(config: Arc<ServerConfig>, handler: Handler) -> Server {
    listen(move |stream| {
        let Ok(connection) = ServerConnection::new(config.clone()) else { return };
        let raw = stream.try_clone().unwrap();
        let _ = converse(StreamOwned::new(connection, stream), &raw, &handler);
    })
}

/// A plain HTTP server.
pub(crate) fn http(handler: Handler) -> Server {
    listen(move |stream| {
        let raw = stream.try_clone().unwrap();
        let _ = converse(stream, &raw, &handler);
    })
}

/// A proxy that leads every CONNECT to the server that a host name and port have.
pub(crate) fn connect_proxy(server_of: impl Fn(&str) -> SocketAddr + Send + Sync + 'static) -> Server {
    listen(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Ok(Some(request)) = read_request(&mut reader) else { return };
        pass_on(stream, server_of(&request.target), b"HTTP/1.1 200 Connection established\r\n\r\n");
    })
}

/// Leads a connection to a server, after a greeting.
fn pass_on(mut client: TcpStream, server: SocketAddr, greeting: &[u8]) {
    let Ok(mut upstream) = TcpStream::connect(server) else { return };
    let _ = upstream.set_nodelay(true);
    let _ = client.write_all(greeting);
    let (mut from_client, mut to_upstream) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_upstream);
        let _ = to_upstream.shutdown(Shutdown::Both);
    });
    let _ = io::copy(&mut upstream, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

/// Whoever connects to this address is connected to a server.
pub(crate) fn relay(address: &str, server: SocketAddr) -> Server {
    listen_at(address, move |stream| pass_on(stream, server, b""))
}

/// A SOCKS proxy that leads everything to one server, whatever its name. It wants no password.
pub(crate) fn socks_proxy(server: SocketAddr) -> Server {
    listen(move |mut stream| {
        let mut greeting = [0; 2];
        let mut request = [0; 5];
        let _ = stream.read_exact(&mut greeting);
        let _ = stream.read_exact(&mut vec![0; greeting[1].into()]);
        let _ = stream.write_all(&[5, 0]);
        let _ = stream.read_exact(&mut request);
        // The rest of a name, or of an address, and the port.
        let rest = if request[3] == 3 { usize::from(request[4]) + 2 } else { 5 };
        let _ = stream.read_exact(&mut vec![0; rest]);
        pass_on(stream, server, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    })
}

/// Ways in which TLS goes wrong before anything is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// Somebody else's authority has signed the certificate.
    OtherAuthority,
    /// The certificate is for another name.
    OtherName,
    /// The certificate's time is over.
    Expired,
    /// The other side wants no TLS.
    PlainHttp,
    /// The other side ends the handshake with an alert.
    Alert,
    /// The other side hangs up.
    HangUp,
    /// The other side takes up the connection and says nothing.
    Silence,
}

/// What stands at a host where TLS goes wrong so.
pub(crate) fn without_tls(fault: TlsFault, host: &str, certificates: &Certificates) -> Server {
    let nobody: Handler = Arc::new(|_| Reply::text(200, "text/plain", "reached"));
    let showing = |config| https_with(config, nobody.clone());
    match fault {
        TlsFault::OtherAuthority => https(&Certificates::named("Corp Inspection", &[host]), nobody),
        TlsFault::OtherName => showing(certificates.server_config(&["other.example"], LAST_YEAR)),
        TlsFault::Expired => showing(certificates.server_config(&[host], 2020)),
        TlsFault::PlainHttp => parrot(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
        // handshake_failure, fatal
        TlsFault::Alert => parrot(b"\x15\x03\x03\x00\x02\x02\x28"),
        TlsFault::HangUp => listen(|mut stream| drop(stream.read(&mut [0; 4096]))),
        TlsFault::Silence => parrot(b""),
    }
}

/// A server that says this to whoever has said anything, and then no more.
pub(crate) fn parrot(says: &'static [u8]) -> Server {
    listen(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(says);
        let _ = io::copy(&mut stream, &mut io::sink());
    })
}

/// An address where connections are begun and never taken up, because too many others wait there.
pub(crate) struct FullHouse {
    pub(crate) address: SocketAddr,
    _guests: Vec<TcpStream>,
    _runtime: tokio::runtime::Runtime,
    _listener: tokio::net::TcpListener,
}

impl FullHouse {
    pub(crate) fn at(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address.parse().unwrap()).unwrap();
            socket.listen(0).unwrap()
        });
        let address = listener.local_addr().unwrap();
        let guest = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let guests = std::iter::from_fn(guest).take(8).collect();
        Self { address, _guests: guests, _runtime: runtime, _listener: listener }
    }
}

/// Answers requests until the connection ends.
fn converse(stream: impl Read + Write, raw: &TcpStream, handler: &Handler) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream)? {
        let writer = stream.get_mut();
        match handler(&request) {
            Reply::Answer { status, headers, body } => write_answer(writer, status, &headers, &body)?,
            Reply::Misbehave(fault) => return misbehave(writer, raw, fault),
        }
    }
    Ok(())
}

fn write_answer(writer: &mut impl Write, status: u16, headers: &[(String, String)], body: &[u8]) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    writer.write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
    writer.flush()
}

fn misbehave(writer: &mut (impl Read + Write), raw: &TcpStream, fault: Fault) -> io::Result<()> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    match fault {
        Fault::Reset => {
            let _ = raw.shutdown(Shutdown::Both);
        }
        Fault::BlackHole => {
            writer.read_to_end(&mut Vec::new())?;
        }
        Fault::SlowDrip => {
            writer.write_all(head)?;
            writer.write_all(b"content-length: 100000\r\n\r\n")?;
            for _ in 0..400 {
                writer.write_all(b" ")?;
                writer.flush()?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Fault::Garbage => writer.write_all(b"\x00\xff nonsense \r\n\r\n")?,
        Fault::Huge => {
            writer.write_all(head)?;
            writer.write_all(b"content-length: 400000000\r\n\r\n")?;
            let chunk = vec![b' '; 1 << 20];
            for _ in 0..400 {
                writer.write_all(&chunk)?;
            }
        }
    }
    writer.flush()
}

/// Reads one request; nothing at the connection's end.
fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// A certificate authority and a server certificate for some names.
pub(crate) struct Certificates {
    /// The authority's certificate.
    pub(crate) ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
    server_config: Arc<ServerConfig>,
}

impl Certificates {
    pub(crate) fn new(names: &[&str]) -> Self {
        Self::named("lab", names)
    }

    /// The same by an authority of another name.
    pub(crate) fn named(authority_name: &str, names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, authority_name);
        let ca_pem = authority.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(authority, key);
        let server_config = signed(&issuer, names, LAST_YEAR);
        Self { ca_pem, issuer, server_config }
    }

    /// A certificate of the same authority for other names or another time: its last year.
    fn server_config(&self, names: &[&str], last_year: i32) -> Arc<ServerConfig> {
        signed(&self.issuer, names, last_year)
    }
}

/// The last year of a certificate that is in order.
const LAST_YEAR: i32 = 4096;

fn signed(issuer: &Issuer<'static, KeyPair>, names: &[&str], last_year: i32) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut certificate = CertificateParams::new(names).unwrap();
    certificate.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let certificate = certificate.signed_by(&key, issuer).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    Arc::new(config)
}
