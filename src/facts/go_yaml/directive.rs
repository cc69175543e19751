//! What yaml.v2 refuses in a directive: a line that begins with `%` where a document may begin or end.

/// Why it refuses the line, which is given without the `%`.
pub(super) fn fault(directive: &str) -> Option<&'static str> {
    let (name, behind) = split(directive, is_alpha);
    let rest = match name {
        "" => return Some("could not find expected directive name"),
        _ if !behind.is_empty() && !behind.starts_with([' ', '\t']) => {
            return Some("found unexpected non-alphabetical character");
        }
        "YAML" => version(trim(behind)),
        "TAG" => tag(trim(behind)),
        _ => return Some("found unknown directive name"),
    };
    match rest.map(trim) {
        Ok("") => None,
        Ok(rest) if rest.starts_with('#') => None,
        Ok(_) => Some("did not find expected comment or line break"),
        Err(message) => Some(message),
    }
}

/// What follows the version.
fn version(text: &str) -> Result<&str, &'static str> {
    const NO_NUMBER: &str = "did not find expected version number";
    let number = |text| {
        let (digits, behind) = split(text, |character| character.is_ascii_digit());
        if matches!(digits.len(), 1 | 2) { Ok(behind) } else { Err(NO_NUMBER) }
    };
    number(number(text)?.strip_prefix('.').ok_or("did not find expected digit or '.' character")?)
}

/// What follows the handle and the prefix.
fn tag(text: &str) -> Result<&str, &'static str> {
    let (name, behind) = split(text.strip_prefix('!').ok_or("did not find expected '!'")?, is_alpha);
    let behind = match behind.strip_prefix('!') {
        None if !name.is_empty() => return Err("did not find expected '!'"),
        closed => closed.unwrap_or(behind),
    };
    let (blanks, behind) = split(behind, |character| matches!(character, ' ' | '\t'));
    let (prefix, behind) = split(behind, is_tag_character);
    match (blanks, prefix) {
        ("", _) => Err("did not find expected whitespace"),
        (_, "") => Err("did not find expected tag URI"),
        _ if !behind.is_empty() && trim(behind) == behind => Err("did not find expected whitespace or line break"),
        _ => Ok(behind),
    }
}

/// A character that may stand in a tag.
pub(super) fn is_tag_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_;/?:@&=+$,.!~*'()[]%".contains(character)
}

/// A character of a name of a directive, anchor or tag handle.
pub(super) fn is_alpha(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let behind = text.trim_start_matches(belongs);
    (text.strip_suffix(behind).unwrap_or_default(), behind)
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_those_of_yaml_v2() {
        for fine in ["YAML 1.1", "YAML\t1.2 # c", "YAML 1.1#c", "TAG ! tag:x,2026:", "TAG !! !x", "TAG !e! a%41 #"] {
            assert_eq!(fault(fine), None, "{fine}");
        }
        for refused in [
            "",
            " YAML 1.1",
            ":YAML",
            "FOO",
            "YAML",
            "YAML 1",
            "YAML 1.123",
            "YAML 1.1 x",
            "TAG",
            "TAG !e x",
            "TAG ! #",
        ] {
            assert!(fault(refused).is_some(), "{refused}");
        }
    }
}
