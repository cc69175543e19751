//! The one thing that is wanted of a certificate's inside: who issued it. A reader for as much DER as that takes.

/// The tags on the way to the issuer's name.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// Attributes of a name that are usual in issuers, by the last part of their object identifier 2.5.4.x.
const ATTRIBUTES: [(u8, &str); 6] = [(3, "CN"), (6, "C"), (7, "L"), (8, "ST"), (10, "O"), (11, "OU")];

/// The issuer's name in a DER certificate: `CN=kubernetes`, `CN=Corp Proxy, O=Corp`. Nothing if it is no certificate.
pub(crate) fn issuer(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(certificate)?;
    let (SEQUENCE, mut fields, _) = element(certificate)? else { return None };
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // The serial number and the signature's algorithm come before it.
    let fields = element(fields)?.2;
    let fields = element(fields)?.2;
    let (SEQUENCE, name, _) = element(fields)? else { return None };
    Some(elements(name).filter_map(attribute).collect::<Vec<_>>().join(", "))
}

/// `CN=…` of one part of a name.
fn attribute((tag, part): (u8, &[u8])) -> Option<String> {
    let (SEQUENCE, pair, _) = element(part).filter(|_| tag == SET)? else { return None };
    let mut pair = elements(pair);
    let [0x55, 0x04, kind] = pair.next()?.1 else { return None };
    let (_, label) = ATTRIBUTES.iter().find(|(known, _)| known == kind)?;
    let value =
        String::from_utf8_lossy(pair.next()?.1).chars().filter(|letter| !letter.is_control()).collect::<String>();
    Some(format!("{label}={value}"))
}

fn elements(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, after) = element(rest)?;
        rest = after;
        Some((tag, content))
    })
}

/// Tag, content and what follows the first element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let bytes = usize::from(first & 0x7f);
        if bytes == 0 || bytes > 4 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(bytes)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Corp Proxy");
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Corp");
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_issuer_is_read() {
        assert_eq!(issuer(&certificate()).as_deref(), Some("CN=Corp Proxy, O=Corp"));
    }

    #[test]
    fn what_is_no_certificate_has_none_and_panics_nowhere() {
        let certificate = certificate();
        for length in 0..certificate.len() {
            let _ = issuer(&certificate[..length]);
        }
        assert_eq!(issuer(b"\x30\x80"), None);
        assert_eq!(issuer(b"\x30\x84\xff\xff\xff\xff"), None);
    }
}
