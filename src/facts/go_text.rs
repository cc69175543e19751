//! Text as Go treats it: letter case, comparison, quoting. The authenticator is a Go program, and these decide which
//! ARNs are equal and how its messages spell a value.

/// Added to a byte that is no UTF-8, this makes the character of private use that stands for it.
const BYTE_STAND_INS: u32 = 0x10_ff00;

/// Bytes as text. A byte that is no UTF-8 gets a stand-in, which [`lower`] and [`quote`] treat as Go treats the byte.
pub(crate) fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(BYTE_STAND_INS + u32::from(*byte))));
    }
    text
}

/// The bytes of [`from_bytes`].
pub(crate) fn bytes_of(character: char) -> Vec<u8> {
    if is_stand_in(character) {
        return vec![(u32::from(character) & 0xff) as u8];
    }
    character.to_string().into_bytes()
}

/// A text in which every stand-in of [`from_bytes`] is a replacement character.
pub(crate) fn shown(text: &str) -> String {
    text.replace(is_stand_in, "\u{fffd}")
}

fn is_stand_in(character: char) -> bool {
    u32::from(character) >= BYTE_STAND_INS + 0x80
}

/// `strings.ToLower`: every character by itself, with the simple mapping.
pub(crate) fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(lower_char).collect()
}

/// A key that is equal for two texts exactly where `strings.EqualFold` (and the key matching of `encoding/json`) calls
/// them equal.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(fold_char).collect()
}

/// `strings.EqualFold`.
pub(crate) fn equal_fold(one: &str, other: &str) -> bool {
    one.chars().map(fold_char).eq(other.chars().map(fold_char))
}

/// `strconv.Quote`.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            ' ' => quoted.push(' '),
            _ if u32::from(character) < 0x20 || character == '\u{7f}' => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            _ if is_stand_in(character) => quoted.push_str(&format!("\\x{:02x}", u32::from(character) & 0xff)),
            _ if is_unprintable(character) => match u32::from(character) {
                code @ 0x10000.. => quoted.push_str(&format!("\\U{code:08x}")),
                code => quoted.push_str(&format!("\\u{code:04x}")),
            },
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether the character leaves no ink of its own: white space other than the blank, control and format characters.
pub(crate) fn is_unprintable(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_whitespace() || character.is_control() || is_format(character)
}

/// The format characters (general category Cf) that turn up in pasted text: soft hyphen, zero-width characters,
/// direction marks, byte-order mark.
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn lower_char(character: char) -> char {
    // The one character whose lower case has two characters in Unicode's full mapping and one in its simple mapping.
    if character == '\u{130}' {
        return 'i';
    }
    if is_stand_in(character) {
        return char::REPLACEMENT_CHARACTER;
    }
    single(character.to_lowercase()).unwrap_or(character)
}

fn fold_char(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    // The dotted and the dotless i of Turkish fold to themselves only.
    if matches!(character, '\u{130}' | '\u{131}') {
        return character;
    }
    let upper = single(character.to_uppercase()).unwrap_or(character);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next();
    if mapped.next().is_none() { first } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_is_unicode_simple_folding() {
        assert!(equal_fold("role/KubeAdmin", "ROLE/kubeadmin"));
        assert!(equal_fold("\u{212a}ubeAdmin", "kubeadmin"), "the Kelvin sign is a k");
        assert!(equal_fold("me\u{17f}\u{17f}age", "MESSAGE"), "the long s is an s");
        assert!(!equal_fold("stra\u{df}e", "strasse"));
        assert!(!equal_fold("\u{131}", "i"));
        assert_eq!(fold("ΣΑΣ"), fold("σας"));
        assert_eq!(lower("ΑΣ"), "ασ", "no final sigma");
        assert_eq!(lower("\u{130}\u{212a}"), "ik");
    }

    #[test]
    fn quoting_is_that_of_go() {
        assert_eq!(quote(&from_bytes(b"a\xff\xe2\x80\xc3\xa9")), r#""a\xff\xe2\x80é""#);
        assert_eq!(lower(&from_bytes(b"A\xff\x80")), "a\u{fffd}\u{fffd}");
        assert_eq!(quote("a\"b\\c\n\u{7f}\u{a0}\u{feff}é"), r#""a\"b\\c\n\x7f\u00a0\ufeffé""#);
    }
}
