//! Turns errors of the operating system, of TLS and of HTTP into [`Failure`]s: the real reason from the bottom of the
//! chain, a code that can be compared, and the words.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::time::Duration;

use crate::evidence::{Failure, redact};

/// The code of everything that took too long.
pub(crate) const TIMEOUT: &str = "Timeout";

/// The code of a name that does not resolve.
const NXDOMAIN: &str = "NXDOMAIN";

/// A call that was not answered in time.
pub(crate) fn timed_out(operation: &str, address: &str, after: Duration) -> Failure {
    let seconds = after.as_secs_f64();
    failure(operation, TIMEOUT, format!("no answer from {address} within {seconds:.1} s"))
}

/// A failure with a code and a message, both as they are.
pub(crate) fn failure(operation: &str, code: &str, message: impl Into<String>) -> Failure {
    Failure {
        operation: Some(operation.to_owned()),
        code: Some(code.to_owned()),
        message: message.into(),
        ..Failure::default()
    }
}

/// A call that never got an HTTP answer.
pub(crate) fn of_error(operation: &str, error: &(dyn Error + 'static)) -> Failure {
    let code = code(error);
    let meaning = match code.as_deref() {
        Some("InvalidMessage") => " (the other side does not speak TLS)",
        _ => "",
    };
    let message = chain(error).join(": ");
    let message = format!("{}{meaning}", redact::scrub(&without_request(&message)));
    Failure { operation: Some(operation.to_owned()), code, message, ..Failure::default() }
}

/// The AWS SDK prints a whole request, as it looks in Rust, where an endpoint is no URL.
fn without_request(message: &str) -> Cow<'_, str> {
    match message
        .split_once(" to request `Request {")
        .and_then(|(before, rest)| Some((before, rest.rsplit_once("}`")?.1)))
    {
        Some((before, after)) => Cow::Owned(format!("{before}{after}")),
        None => Cow::Borrowed(message),
    }
}

/// The texts of an error and of its sources, each once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for link in links(error) {
        let text = link.to_string();
        // Many errors repeat their source's text; some put it behind their own.
        match texts.last_mut() {
            Some(last) if last.ends_with(&text) => {}
            _ => texts.push(text),
        }
    }
    texts
}

/// A name of the reason that can be compared: an `errno` name, `NXDOMAIN`, `Timeout` or rustls's name of what is wrong
/// with a certificate.
fn code(error: &(dyn Error + 'static)) -> Option<String> {
    let links: Vec<_> = links(error).collect();
    let tls = links.iter().rev().find_map(|link| link.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return Some(tls_code(tls));
    }
    if let Some(name) = links.iter().rev().find_map(|link| name_code(&link.to_string())) {
        return Some(name.to_owned());
    }
    links.iter().rev().find_map(|link| os_code(link.downcast_ref::<io::Error>()?))
}

/// The links of an error's chain. An `io::Error` hides the error that it carries from `source`, so it is asked for it.
fn links<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&link| match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => link.source(),
    })
}

/// The code of a failed name lookup. Rust has no number for it, only the C library's words.
pub(crate) fn name_code(text: &str) -> Option<&'static str> {
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says(&["Name or service not known", "No address associated", "Name does not resolve", "nodename nor servname"]) {
        Some(NXDOMAIN)
    } else if says(&["Temporary failure in name resolution", "Try again"]) {
        Some("EAI_AGAIN")
    } else {
        None
    }
}

/// The `errno` name of an operating system's error.
pub(crate) fn os_code(error: &io::Error) -> Option<String> {
    /// `ENOEXEC`, which Rust has no kind for: the same on Linux and the BSDs.
    const NO_EXECUTABLE_FORMAT: i32 = 8;
    let name = match error.kind() {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::ConnectionReset => "ECONNRESET",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::NetworkDown => "ENETDOWN",
        io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::TimedOut => TIMEOUT,
        io::ErrorKind::UnexpectedEof => "UnexpectedEof",
        _ if cfg!(unix) && error.raw_os_error() == Some(NO_EXECUTABLE_FORMAT) => "ENOEXEC",
        _ => return error.raw_os_error().map(|number| format!("errno {number}")),
    };
    Some(name.to_owned())
}

/// What rustls calls the fault: `UnknownIssuer`, `NotValidForName`, `Expired`, … All clusters' authorities have the same
/// name, so that a certificate of another one fails by its signature; that is an unknown issuer too.
pub(crate) fn tls_code(error: &rustls::Error) -> String {
    let debug = match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature) => "UnknownIssuer".to_owned(),
        rustls::Error::InvalidCertificate(certificate) => format!("{certificate:?}"),
        other => format!("{other:?}"),
    };
    let name: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    name.strip_suffix("Context").map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<dyn Error>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref()
        }
    }

    #[test]
    fn the_reason_comes_from_the_bottom_of_the_chain() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let io = io::Error::new(io::ErrorKind::InvalidData, tls);
        let failure = of_error("tls:handshake", &Layer("client error (Connect)", Some(Box::new(io))));
        assert_eq!(failure.code.as_deref(), Some("UnknownIssuer"));
        assert_eq!(failure.message, "client error (Connect): invalid peer certificate: UnknownIssuer");
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_told_without_the_request() {
        let text = "failed to apply endpoint `x` to request `Request { body: SdkBody { .. }, headers: {} }`: no scheme";
        assert_eq!(of_error("eks:ListClusters", &Layer(text, None)).message, "failed to apply endpoint `x`: no scheme");
    }

    #[test]
    fn names_that_do_not_resolve_are_told_from_resolvers_that_fail() {
        let lookup = |text: &str| io::Error::other(format!("failed to lookup address information: {text}"));
        let code = |text: &str| of_error("dns:lookup", &lookup(text)).code;
        assert_eq!(code("Name or service not known").as_deref(), Some("NXDOMAIN"));
        assert_eq!(code("Temporary failure in name resolution").as_deref(), Some("EAI_AGAIN"));
    }

    #[test]
    fn operating_system_errors_have_their_names() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(of_error("tcp:connect", &refused).code.as_deref(), Some("ECONNREFUSED"));
        #[cfg(unix)]
        assert_eq!(os_code(&io::Error::from_raw_os_error(8)).as_deref(), Some("ENOEXEC"));
        assert_eq!(
            timed_out("tcp:connect", "192.0.2.1:443", Duration::from_millis(1500)).message,
            "no answer from 192.0.2.1:443 within 1.5 s"
        );
    }
}
