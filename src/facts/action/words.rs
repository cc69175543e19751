//! Splits a text into words as a shell does, and remembers where each begins.

use super::{ActionError, error};

/// A word and the column at which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) column: usize,
}

/// Splits at white space; quotes and backslashes keep it in a word.
pub(super) fn split(text: &str) -> Result<Vec<Word>, ActionError> {
    if let Some(before) = text.chars().position(|letter| letter == '\0') {
        return Err(error(before + 1, "no argument can have a NUL character".to_owned(), None));
    }
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut letters = (1..).zip(text.chars());
    while let Some((column, letter)) = letters.next() {
        if letter.is_whitespace() {
            words.extend(current.take());
            continue;
        }
        let word = &mut current.get_or_insert_with(|| Word { text: String::new(), column }).text;
        match letter {
            '\'' | '"' => loop {
                match letters.next() {
                    Some((_, end)) if end == letter => break,
                    Some((_, '\\')) if letter == '"' => word.extend(letters.next().map(|(_, escaped)| escaped)),
                    Some((_, inner)) => word.push(inner),
                    None => return Err(error(column, "the quote is not closed".to_owned(), None)),
                }
            },
            '\\' => word.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => word.push(letter),
        }
    }
    words.extend(current);
    Ok(words)
}
