//! What a YAML scalar means to Go's yaml.v2: the YAML 1.1 rules for plain text, and explicit tags.

use base64::Engine;

const LONG_TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// The meaning of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// Nothing.
    Null,
    /// `yes`, `off`, `true`, …
    Bool(bool),
    /// A number that JSON can say, and whether Go accepts it as the key of an object.
    Number {
        /// False for an integer beyond the signed 64 bits.
        usable_as_key: bool,
    },
    /// `.nan`, `.inf`: JSON cannot say it.
    NotFinite,
    /// Text. Dates are text, too.
    Text,
    /// The decoded text of a `!!binary` scalar.
    Binary(String),
}

/// Resolves a scalar by its tag (in full, empty if there is none), or by its text if it is plain. The error is yaml.v2's.
pub(super) fn resolve(tag: &str, text: &str, plain: bool) -> Result<Scalar, String> {
    let Some(kind) = tag.strip_prefix(LONG_TAG_PREFIX) else {
        return Ok(if tag.is_empty() && plain { resolve_plain(text) } else { Scalar::Text });
    };
    let found = match kind {
        "binary" => return decode_binary(text),
        "str" => return Ok(Scalar::Text),
        "timestamp" if is_timestamp(text) => return Ok(Scalar::Text),
        "bool" | "int" | "float" | "null" | "timestamp" => resolve_plain(text),
        _ => return Ok(Scalar::Text),
    };
    let fits = match (kind, &found) {
        ("bool", Scalar::Bool(_)) | ("null", Scalar::Null) => true,
        ("float", Scalar::NotFinite) => true,
        ("float", Scalar::Number { usable_as_key }) => *usable_as_key,
        ("int", Scalar::Number { .. }) => is_integer(text),
        _ => false,
    };
    if fits { Ok(found) } else { Err(format!("cannot decode {} `{text}` as a !!{kind}", tag_of(&found, text))) }
}

/// The short tag that yaml.v2 names in its messages for a scalar of this meaning.
pub(super) fn tag_of(scalar: &Scalar, text: &str) -> &'static str {
    match scalar {
        Scalar::Null => "!!null",
        Scalar::Bool(_) => "!!bool",
        Scalar::Number { .. } if is_integer(text) => "!!int",
        Scalar::Number { .. } | Scalar::NotFinite => "!!float",
        Scalar::Text if is_timestamp(text) => "!!timestamp",
        Scalar::Text => "!!str",
        Scalar::Binary(_) => "!!binary",
    }
}

/// `!!str` for `tag:yaml.org,2002:str`; other tags as they are.
pub(super) fn short_tag(tag: &str) -> String {
    tag.strip_prefix(LONG_TAG_PREFIX).map_or_else(|| tag.to_owned(), |kind| format!("!!{kind}"))
}

fn resolve_plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Scalar::NotFinite,
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => is_float(&text.replace('_', "")).then_some(true),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let digits = text.replace('_', "");
            parse_integer(&digits).or_else(|| is_float(&digits).then_some(true))
        }
        _ => None,
    };
    number.map_or(Scalar::Text, |usable_as_key| Scalar::Number { usable_as_key })
}

fn is_integer(text: &str) -> bool {
    parse_integer(&text.replace('_', "")).is_some()
}

/// Whether the text is an integer of Go (decimal, `0x`, `0o`, `0b`, or octal by a leading zero), and then whether it
/// fits the signed 64 bits.
fn parse_integer(text: &str) -> Option<bool> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let prefixed = |prefix: &str| {
        let lower = unsigned.get(..prefix.len())?.to_ascii_lowercase();
        (lower == prefix).then(|| unsigned.get(prefix.len()..))?
    };
    let (radix, digits) = if let Some(digits) = prefixed("0x") {
        (16, digits)
    } else if let Some(digits) = prefixed("0o") {
        (8, digits)
    } else if let Some(digits) = prefixed("0b") {
        (2, digits)
    } else if let Some(digits) = unsigned.strip_prefix('0').filter(|digits| !digits.is_empty()) {
        (8, digits)
    } else {
        (10, unsigned)
    };
    if !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (_, Ok(_)) => Some(true),
        (true, Err(_)) => (magnitude == i64::MIN.unsigned_abs()).then_some(true),
        (false, Err(_)) => (!text.starts_with('+')).then_some(false),
    }
}

/// Whether the text is a decimal floating-point number of finite value.
fn is_float(text: &str) -> bool {
    let shaped = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    shaped && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether the text is a date, or a date and time, in one of the four layouts of yaml.v2.
fn is_timestamp(text: &str) -> bool {
    let mut rest = text;
    let date = (
        number(&mut rest, 4, 4),
        eat(&mut rest, "-"),
        number(&mut rest, 1, 2),
        eat(&mut rest, "-"),
        number(&mut rest, 1, 2),
    );
    let (Some(year), true, Some(month), true, Some(day)) = date else { return false };
    if jiff::civil::Date::new(year, month as i8, day as i8).is_err() {
        return false;
    }
    let zoned = match rest.chars().next() {
        None => return true,
        Some('T' | 't') => true,
        Some(' ') => false,
        Some(_) => return false,
    };
    rest = rest.get(1..).unwrap_or_default();
    let below = |number: Option<i16>, limit| number.is_some_and(|number| number < limit);
    let clock = below(number(&mut rest, 1, 2), 24)
        && eat(&mut rest, ":")
        && below(number(&mut rest, 1, 2), 60)
        && eat(&mut rest, ":")
        && below(number(&mut rest, 1, 2), 60);
    if let Some(fraction) =
        rest.strip_prefix(['.', ',']).filter(|fraction| fraction.starts_with(|c: char| c.is_ascii_digit()))
    {
        rest = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
    }
    let zone = match rest.strip_prefix(['+', '-']) {
        _ if !zoned => true,
        None => eat(&mut rest, "Z"),
        Some(offset) => {
            rest = offset;
            below(number(&mut rest, 2, 2), 25) && eat(&mut rest, ":") && below(number(&mut rest, 2, 2), 61)
        }
    };
    clock && zone && rest.is_empty()
}

/// Takes a number of so many digits off the text.
fn number(rest: &mut &str, least: usize, most: usize) -> Option<i16> {
    let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, behind) = rest.split_at_checked(digits).filter(|_| digits >= least)?;
    *rest = behind;
    number.parse().ok()
}

fn eat(rest: &mut &str, expected: &str) -> bool {
    let behind = rest.strip_prefix(expected);
    *rest = behind.unwrap_or(rest);
    behind.is_some()
}

fn decode_binary(text: &str) -> Result<Scalar, String> {
    let compact: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map(|bytes| Scalar::Binary(as_text(&bytes)))
        .map_err(|_| "!!binary value contains invalid base64 data".to_owned())
}

/// Bytes as text, with a replacement character for every single byte that is none.
pub(super) fn as_text(bytes: &[u8]) -> String {
    bytes.utf8_chunks().flat_map(|chunk| [chunk.valid().to_owned(), "\u{fffd}".repeat(chunk.invalid().len())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_yaml_1_1() {
        const INT: Scalar = Scalar::Number { usable_as_key: true };
        for (text, meaning) in [
            ("yes", Scalar::Bool(true)),
            ("yEs", Scalar::Text),
            ("n", Scalar::Bool(false)),
            ("~", Scalar::Null),
            ("0123", INT),
            ("08", INT),
            ("0x1f", INT),
            ("1_000", INT),
            ("1e3", INT),
            ("-.5", INT),
            ("18446744073709551615", Scalar::Number { usable_as_key: false }),
            ("18446744073709551616", INT),
            ("-9223372036854775808", INT),
            ("1e400", Scalar::Text),
            ("2026-11-21", Scalar::Text),
            ("0x", Scalar::Text),
            ("-", Scalar::Text),
            (".", Scalar::Text),
            (".inf", Scalar::NotFinite),
            ("12:30", Scalar::Text),
            ("<<", Scalar::Text),
        ] {
            assert_eq!(resolve("", text, true), Ok(meaning), "{text}");
        }
        assert_eq!(resolve("", "12", false), Ok(Scalar::Text));
    }

    #[test]
    fn dates_are_those_of_go() {
        for text in
            ["2026-11-21", "2026-1-2", "2026-11-21T1:2:3Z", "2026-11-21t10:00:00.5+02:00", "2026-11-21 10:00:00"]
        {
            assert!(is_timestamp(text), "{text}");
        }
        for text in
            ["2026-11-2-", "2026-02-30", "26-11-21", "2026-11-21T10:00:00", "2026-11-21 10:00:00Z", "2026-11-21 24:0:0"]
        {
            assert!(!is_timestamp(text), "{text}");
        }
    }

    #[test]
    fn tags_decide() {
        let tagged = |kind: &str, text: &str| resolve(&format!("{LONG_TAG_PREFIX}{kind}"), text, false);
        assert_eq!(tagged("int", "12"), Ok(Scalar::Number { usable_as_key: true }));
        assert_eq!(tagged("str", "12"), Ok(Scalar::Text));
        assert_eq!(tagged("binary", "aGk="), Ok(Scalar::Binary("hi".to_owned())));
        assert_eq!(tagged("int", "abc"), Err("cannot decode !!str `abc` as a !!int".to_owned()));
        assert_eq!(tagged("timestamp", "2026-11-21"), Ok(Scalar::Text));
        assert_eq!(resolve("!foo", "12", true), Ok(Scalar::Text));
    }
}
