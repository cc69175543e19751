//! A URL and its query as Go's `net/url` reads them.

use std::net::Ipv6Addr;

use super::super::go_text;

/// The parts of a URL that the authenticator looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    /// With port, without user information.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) raw_query: String,
}

/// Splits a URL. The error is Go's, without the URL itself, which is a secret here.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = split_scheme(text)?;
    let (rest, raw_query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut url = Url {
        scheme: scheme.to_ascii_lowercase(),
        host: String::new(),
        path: String::new(),
        raw_query: raw_query.to_owned(),
    };
    let mut path = rest;
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            // Opaque: there is neither host nor path.
            unescape(fragment, Mode::Path)?;
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if let Some(authority) = rest.strip_prefix("//").filter(|rest| !url.scheme.is_empty() || !rest.starts_with('/')) {
        let (authority, rest) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
        url.host = host(authority)?;
        path = rest;
    }
    url.path = go_text::from_bytes(&unescape(path, Mode::Path)?);
    unescape(fragment, Mode::Path)?;
    Ok(url)
}

/// The parameters of a query in their order; `None` if it is malformed.
pub(super) fn parse_query(query: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return None;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |escaped: &str| Some(go_text::from_bytes(&unescape(escaped, Mode::Query).ok()?));
        parameters.push((text(name)?, text(value)?));
    }
    Some(parameters)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Path,
    Query,
    Host,
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if position > 0 => {}
            b':' if position == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => {
                return Ok((text.get(..position).unwrap_or_default(), text.get(position + 1..).unwrap_or_default()));
            }
            _ => break,
        }
    }
    Ok(("", text))
}

fn host(authority: &str) -> Result<String, String> {
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let allowed_in_user =
        |character: char| character.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(character);
    if user.is_some_and(|user| !user.chars().all(allowed_in_user)) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (address, port) = match host.rfind('[') {
        Some(0) => {
            let end = host.rfind(']').ok_or("missing ']' in host")?;
            (host.get(1..end), host.get(end + 1..))
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => (None, host.find(':').and_then(|colon| host.get(colon..))),
    };
    let port = port.unwrap_or_default();
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
    {
        return Err(format!("invalid port {} after host", go_text::quote(port)));
    }
    if let Some(address) = address.filter(|address| address.parse::<Ipv6Addr>().is_err()) {
        return Err(format!("invalid host: ParseAddr({}): unable to parse IP", go_text::quote(address)));
    }
    Ok(go_text::from_bytes(&unescape(host, Mode::Host)?))
}

fn unescape(text: &str, mode: Mode) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut unescaped = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        position += 1;
        match byte {
            b'%' => {
                let digits = bytes.get(position..position + 2).and_then(|digits| std::str::from_utf8(digits).ok());
                let decoded = digits
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                // In a host, only bytes beyond ASCII may be escaped, and the percent sign itself.
                let allowed = |decoded: &u8| mode != Mode::Host || !decoded.is_ascii() || *decoded == b'%';
                let Some(decoded) = decoded.filter(allowed) else {
                    let escape: String = text.get(position - 1..).unwrap_or_default().chars().take(3).collect();
                    return Err(format!("invalid URL escape {}", go_text::quote(&escape)));
                };
                unescaped.push(decoded);
                position += 2;
            }
            b'+' if mode == Mode::Query => unescaped.push(b' '),
            b' ' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'?' if mode == Mode::Host => {
                let character = go_text::quote(&char::from(*byte).to_string());
                return Err(format!("invalid character {character} in host name"));
            }
            _ => unescaped.push(*byte),
        }
    }
    Ok(unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_as_go_splits_them() {
        let url = parse("HTTPS://user:p@sts.amazonaws.com:443/%2f?a=1?#f").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str()), ("https", "sts.amazonaws.com:443"));
        assert_eq!((url.path.as_str(), url.raw_query.as_str()), ("//", "a=1?"));
        assert_eq!(parse("https:x").unwrap().host, "");
        assert_eq!(parse("").unwrap().scheme, "");
        assert_eq!(parse("https://a:b/").unwrap_err(), "invalid port \":b\" after host");
        assert_eq!(parse("https://[::1]:443/").unwrap().host, "[::1]:443");
        assert_eq!(parse("https://[::1/").unwrap_err(), "missing ']' in host");
        assert_eq!(parse("https://a[b]/").unwrap_err(), "invalid IP-literal");
        assert_eq!(parse("https://a%41/").unwrap_err(), "invalid URL escape \"%41\"");
        assert_eq!(parse("https://a/%zz").unwrap_err(), "invalid URL escape \"%zz\"");
        assert_eq!(parse("a:b\n").unwrap_err(), "net/url: invalid control character in URL");
        assert_eq!(parse("1a:b").unwrap_err(), "first path segment in URL cannot contain colon");
    }

    #[test]
    fn queries() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parse_query("a=1+2&&b&c=%3B").unwrap(), [pair("a", "1 2"), pair("b", ""), pair("c", ";")]);
        assert_eq!(parse_query("a=1;b=2"), None);
        assert_eq!(parse_query("a=%"), None);
    }
}
