//! Which proxy a request goes through: the kubeconfig's, else the one of the environment unless `NO_PROXY` excepts the
//! host. The rules are those of Go's `http.ProxyFromEnvironment`, which kubectl follows.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};

use super::surroundings::Surroundings;

/// Where a SOCKS proxy listens unless its URL says otherwise.
const SOCKS_PORT: u16 = 1080;

/// A proxy and the variable or setting that names it. Debug output leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// Its URL, user and password included.
    pub(crate) url: Uri,
    /// `HTTPS_PROXY`, `https_proxy` or `proxy-url`.
    pub(crate) from: String,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Proxy").field(&self.shown()).field(&self.from).finish()
    }
}

/// The environment's proxy for HTTPS and its exceptions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    /// The proxy, or what is wrong with the variable.
    https: Option<Result<Proxy, String>>,
    exceptions: Vec<Exception>,
}

/// One element of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    Address(IpAddr, Option<u16>),
    Network(IpAddr, u32),
    /// A domain without its leading dot, whether the name itself is meant too, and a port.
    Domain(String, bool, Option<u16>),
}

impl Proxy {
    /// A proxy by its URL; a bare `HOST:PORT` is meant as HTTP.
    pub(crate) fn new(text: &str, from: &str) -> Result<Self, String> {
        // Names are looked up by the proxy in either case, as kubectl has it too.
        let full = match text.split_once("://") {
            Some(("socks5h", rest)) => format!("socks5://{rest}"),
            Some(_) => text.to_owned(),
            None => format!("http://{text}"),
        };
        // The text may hold a password, so the message does not repeat it.
        let invalid = |error: http::uri::InvalidUri| format!("{from} is not a URL: {error}");
        let url: Uri = full.parse().map_err(invalid)?;
        let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
        match (url.scheme_str(), url.host().filter(|host| !host.is_empty())) {
            (Some("http" | "https"), Some(_)) => Ok(Self { url, from: from.to_owned() }),
            (Some("socks5"), Some(_)) if has_user => {
                Err(format!("{from}: a SOCKS proxy that wants a password is not supported"))
            }
            (Some("socks5"), Some(host)) => {
                let port = url.port_u16().unwrap_or(SOCKS_PORT);
                let url = format!("socks5://{host}:{port}").parse().map_err(invalid)?;
                Ok(Self { url, from: from.to_owned() })
            }
            (scheme, _) => {
                Err(format!("{from}: proxies of the kind {:?} are not supported", scheme.unwrap_or_default()))
            }
        }
    }

    /// Whether it speaks SOCKS.
    pub(crate) fn is_socks(&self) -> bool {
        self.url.scheme_str() == Some("socks5")
    }

    /// The header for a proxy that wants a user and a password, which its URL holds with percent escapes.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let (user_info, _) = self.url.authority()?.as_str().rsplit_once('@')?;
        let decoded: Vec<u8> = percent_encoding::percent_decode_str(user_info).collect();
        let mut header = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(decoded))).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The URL without user and password.
    pub(crate) fn shown(&self) -> String {
        let place = self.url.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        format!("{}://{place}", self.url.scheme_str().unwrap_or("http"))
    }
}

impl Proxies {
    /// The environment's proxy for HTTPS.
    pub(crate) fn https(&self) -> Option<&Proxy> {
        self.https.as_ref()?.as_ref().ok()
    }

    /// Reads the variables.
    pub(crate) fn of(surroundings: &Surroundings) -> Self {
        let set = |names: [&str; 2]| {
            names.into_iter().find_map(|name| Some((name.to_owned(), surroundings.variable(name)?.to_owned())))
        };
        let https = set(["HTTPS_PROXY", "https_proxy"]).map(|(from, text)| Proxy::new(&text, &from));
        let exceptions = set(["NO_PROXY", "no_proxy"]).map(|(_, list)| list).unwrap_or_default();
        Self { https, exceptions: exceptions.split(',').filter_map(exception).collect() }
    }

    /// The proxy for a URL, or why there can be none. Plain HTTP goes straight: only emulators and instance metadata are
    /// asked that way.
    pub(crate) fn for_url(&self, url: &Uri) -> Result<Option<&Proxy>, String> {
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = url.port_u16().unwrap_or(443);
        if url.scheme_str() != Some("https") || is_loopback(&host) || self.excepts(&host, port) {
            return Ok(None);
        }
        self.https.as_ref().map(|proxy| proxy.as_ref().map_err(Clone::clone)).transpose()
    }

    fn excepts(&self, host: &str, port: u16) -> bool {
        let address = host.parse::<IpAddr>().ok();
        self.exceptions.iter().any(|exception| match exception {
            Exception::Everything => true,
            Exception::Address(excepted, at) => address == Some(*excepted) && at.is_none_or(|at| at == port),
            Exception::Network(network, bits) => address.is_some_and(|address| is_in(address, *network, *bits)),
            Exception::Domain(domain, itself, at) => {
                let below = host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
                (below || (*itself && host == domain)) && at.is_none_or(|at| at == port)
            }
        })
    }
}

fn exception(element: &str) -> Option<Exception> {
    let element = element.trim().to_ascii_lowercase();
    if element.is_empty() {
        return None;
    }
    if element == "*" {
        return Some(Exception::Everything);
    }
    if let Some((network, bits)) = element.split_once('/') {
        return Some(Exception::Network(network.parse().ok()?, bits.parse().ok()?));
    }
    if let Ok(address) = element.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Exception::Address(address, None));
    }
    let (host, port) = match element.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), Some(port.parse().ok()?)),
        None => (element, None),
    };
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Exception::Address(address, port));
    }
    let domain = host.strip_prefix("*").unwrap_or(&host);
    let itself = !domain.starts_with('.');
    Some(Exception::Domain(domain.trim_start_matches('.').to_owned(), itself, port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((address, width), (network, same)) = (number(address), number(network));
    width == same && bits <= width && (bits == 0 || (address ^ network) >> (width - bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::super::surroundings::tests::surroundings;
    use super::*;

    fn goes_through(no_proxy: &str, url: &str) -> bool {
        let variables = surroundings(&[("HTTPS_PROXY", "proxy.example:3128"), ("NO_PROXY", no_proxy)]);
        Proxies::of(&variables).for_url(&url.parse().unwrap()).unwrap().is_some()
    }

    #[test]
    fn debug_output_holds_no_password() {
        let proxies = Proxies::of(&surroundings(&[("HTTPS_PROXY", "http://ada:swordfish@proxy.example:3128")]));
        let shown = format!("{proxies:?}");
        assert!(shown.contains("http://proxy.example:3128") && !shown.contains("swordfish"), "{shown}");
    }

    #[test]
    fn no_proxy_excepts_what_go_excepts() {
        for (no_proxy, url, through) in [
            ("", "https://a.example/", true),
            ("", "http://a.example/", false),
            ("", "https://localhost:6443/", false),
            ("", "https://127.0.0.1:6443/", false),
            ("", "https://[::1]:6443/", false),
            ("a.example", "https://a.example/", false),
            ("example", "https://a.example/", false),
            (".example", "https://a.example/", false),
            (".a.example", "https://a.example/", true),
            ("*.example", "https://a.example/", false),
            ("b.example, ,A.EXAMPLE,", "https://a.example/", false),
            ("ample", "https://a.example/", true),
            ("a.example:444", "https://a.example/", true),
            ("a.example:443", "https://a.example/", false),
            ("10.0.0.0/8", "https://10.1.2.3/", false),
            ("10.0.0.0/8", "https://11.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.3/", false),
            ("fd00::/8", "https://[fd00::1]/", false),
            ("0.0.0.0/0", "https://11.1.2.3/", false),
            ("*", "https://a.example/", false),
        ] {
            assert_eq!(goes_through(no_proxy, url), through, "NO_PROXY={no_proxy} {url}");
        }
    }

    #[test]
    fn the_variable_in_capitals_wins_and_is_named() {
        let both = surroundings(&[("HTTPS_PROXY", "http://a.example"), ("https_proxy", "http://b.example")]);
        let proxies = Proxies::of(&both);
        let proxy = proxies.for_url(&"https://c.example/".parse().unwrap()).unwrap().unwrap();
        assert_eq!((proxy.from.as_str(), proxy.url.host()), ("HTTPS_PROXY", Some("a.example")));
    }

    #[test]
    fn socks_proxies_have_a_port_of_their_own() {
        for (text, url) in [
            ("socks5://a.example", "socks5://a.example:1080"),
            ("socks5h://127.0.0.1:1081", "socks5://127.0.0.1:1081"),
            ("socks5://[::1]", "socks5://[::1]:1080"),
        ] {
            let proxy = Proxy::new(text, "proxy-url").unwrap();
            assert_eq!((proxy.shown().as_str(), proxy.is_socks()), (url, true));
        }
    }

    #[test]
    fn what_is_no_proxy_is_an_error_without_the_password() {
        let socks = [("https_proxy", "socks5://ada:swordfish@a.example"), ("NO_PROXY", "c.example")];
        let proxies = Proxies::of(&surroundings(&socks));
        let error = proxies.for_url(&"https://b.example/".parse().unwrap()).unwrap_err();
        assert_eq!(error, "https_proxy: a SOCKS proxy that wants a password is not supported");
        let error = Proxy::new("ftp://ada:swordfish@a.example", "proxy-url").unwrap_err();
        assert_eq!(error, "proxy-url: proxies of the kind \"ftp\" are not supported");
        assert_eq!(proxies.for_url(&"https://c.example/".parse().unwrap()), Ok(None));
    }
}
