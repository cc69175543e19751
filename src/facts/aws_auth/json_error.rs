//! The words of Go's `encoding/json` for a text that is no JSON.

use serde::de::IgnoredAny;

use super::super::go_text;
use super::super::go_yaml::Place;

/// The first syntax error in `encoding/json`'s words, with its place; `None` if the text is JSON.
pub(crate) fn go_json_error(text: &str) -> Option<(String, Place)> {
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    // serde_json counts bytes, and points at the last character that it read.
    let place = Place { line: error.line(), column: error.column().max(1) };
    if error.is_eof() {
        return Some(("unexpected end of JSON input".to_owned(), place));
    }
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let words = error.to_string();
    let mut context = CONTEXTS
        .iter()
        .find(|(ours, _)| words.starts_with(ours))
        .map_or("looking for beginning of value", |(_, go)| go);
    // A control character is not read any more; of the digits behind `\u`, all four are.
    let mut position = if context == "in string literal" { error.column() } else { error.column().saturating_sub(1) };
    let escape =
        line.get(..position).and_then(|before| before.rfind("\\u")).filter(|_| words.starts_with("invalid escape"));
    if let Some(digits) = escape.and_then(|escape| line.get(escape + 2..)) {
        context = "in \\u hexadecimal character escape";
        position = line.len() - digits.trim_start_matches(|digit: char| digit.is_ascii_hexdigit()).len();
    }
    // Go names a byte, as the character of that number.
    let character = match line.as_bytes().get(position).copied().map_or('\n', char::from) {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        character => format!("'{}'", go_text::quote(&character.to_string()).trim_matches('"')),
    };
    Some((format!("invalid character {character} {context}"), place))
}

/// The beginnings of serde_json's messages, and what `encoding/json` says instead.
const CONTEXTS: [(&str, &str); 10] = [
    ("key must be a string", "looking for beginning of object key string"),
    ("trailing comma", "looking for beginning of object key string"),
    ("expected `:`", "after object key"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("trailing characters", "after top-level value"),
    ("control character", "in string literal"),
    ("invalid escape", "in string escape code"),
    ("invalid number", "in numeric literal"),
    ("expected ident", "in literal"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_go() {
        let error = |text: &str| go_json_error(text).map(|(words, _)| words);
        assert_eq!(error("{rolearn: x}").unwrap(), "invalid character 'r' looking for beginning of object key string");
        assert_eq!(error("<html>").unwrap(), "invalid character '<' looking for beginning of value");
        assert_eq!(error("{\"a\" 1}").unwrap(), "invalid character '1' after object key");
        assert_eq!(error("{\"a\": 1").unwrap(), "unexpected end of JSON input");
        assert_eq!(error("").unwrap(), "unexpected end of JSON input");
        assert_eq!(error("{} x").unwrap(), "invalid character 'x' after top-level value");
        assert_eq!(error("\u{a0}{").unwrap(), "invalid character 'Â' looking for beginning of value");
        assert_eq!(error("{\u{2028}").unwrap(), "invalid character 'â' looking for beginning of object key string");
        assert_eq!(error("{}"), None);
    }
}
