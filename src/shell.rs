//! Words of printed commands: quoted so that a shell reads back exactly the value, whatever it contains.

use std::fmt::Write;

/// Quotes one word for POSIX shells, bash and zsh. Characters that a terminal would act on or hide (control and
/// bidirectional ones) are written as escapes of `$'…'`, so that what is seen is what is pasted.
pub fn quote(word: &str) -> String {
    if word.chars().any(is_deceptive) {
        return ansi_c_quote(word);
    }
    // shlex refuses only NUL, which is a control character.
    shlex::try_quote(word).map_or_else(|_| ansi_c_quote(word), |quoted| quoted.into_owned())
}

/// Quotes several words and joins them with blanks.
pub fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn ansi_c_quote(word: &str) -> String {
    let mut quoted = String::from("$'");
    for character in word.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\'' | '\\' => quoted.extend(['\\', character]),
            c if is_deceptive(c) && c.is_ascii() => write!(quoted, "\\x{:02x}", c as u32).unwrap_or_default(),
            c if is_deceptive(c) && (c as u32) < 0x1_0000 => write!(quoted, "\\u{:04x}", c as u32).unwrap_or_default(),
            c if is_deceptive(c) => write!(quoted, "\\U{:08x}", c as u32).unwrap_or_default(),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// Whether a terminal would act on the character, or hide it or what follows: control, bidirectional and zero-width
/// characters.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a real shell reads the words back")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_plain_and_hostile_ones_stay_one_word() {
        assert_eq!(quote("arn:aws:iam::111122223333:role/team/Dev"), "arn:aws:iam::111122223333:role/team/Dev");
        assert_eq!(quote("prod; rm -rf ~"), "'prod; rm -rf ~'");
        assert_eq!(quote("Dev:{{SessionName}}"), "'Dev:{{SessionName}}'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a\u{1b}[2Jb\u{202e}'"), r"$'a\x1b[2Jb\u202e\''");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bash_reads_back_the_word(word in "[^\\x00]{0,12}") {
            let script = format!("printf %s {}", quote(&word));
            let output = std::process::Command::new("bash").args(["-c", &script]).env("LC_ALL", "C.UTF-8").output();
            prop_assume!(output.is_ok());
            prop_assert_eq!(String::from_utf8_lossy(&output.unwrap().stdout).into_owned(), word);
        }
    }
}
