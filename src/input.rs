//! Reading documents that people write or machines hand over: JSON or YAML text to a typed value, or an error that
//! names file, line, column and what would be right.

mod path;

use serde::de::DeserializeOwned;

use self::path::{path_at, places_of};

use crate::error::{InputError, did_you_mean};

/// Reads one document. Names that end in `.json` are read as JSON, in `.yaml` or `.yml` as YAML; any other name is
/// read as JSON if the text begins like a JSON object.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, InputError> {
    let text = beginning(name, text)?;
    let lower = name.to_lowercase();
    let is_yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
    if lower.ends_with(".json") || (!is_yaml && text.trim_start().starts_with('{')) {
        parse_json(name, text)
    } else {
        parse_yaml(name, text)
    }
}

/// The text without its byte-order mark; there must be one.
fn beginning<'t>(name: &str, text: &'t str) -> Result<&'t str, InputError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(InputError::new(name, "the document is empty").help("check that the file was written to its end"));
    }
    Ok(text)
}

fn parse_json<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, InputError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column().max(1));
        let path = if error.is_data() || error.is_eof() { path_at(text, line, column) } else { String::new() };
        explain(InputError::new(name, json_message(&error)).at(line, column), &path)
    })
}

/// What serde_json says, without the place at the end of its message.
fn json_message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
    match message {
        _ if error.is_eof() => "the document ends too early",
        "trailing characters" => "something follows the end of the document",
        message if message.starts_with("invalid length 0, expected struct") => "this is a list, not an object",
        message => message,
    }
    .to_owned()
}

/// The options with which every YAML document is read: no inference beyond YAML 1.2, no unbounded aliases.
pub(crate) fn yaml_options() -> serde_yaml::Options {
    serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

/// Reads YAML by way of JSON, so that every type is read by one reader; the place of a mistake is found by its path.
fn parse_yaml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, InputError> {
    let document: serde_json::Value = parse_located(name, text)?;
    let json = document.to_string();
    serde_json::from_str(&json).map_err(|error| {
        let path = path_at(&json, error.line(), error.column().max(1));
        let message = json_message(&error);
        let (key, value) = places_of(text, &path).unwrap_or(((1, 1), (1, 1)));
        let (line, column) = if message.starts_with("unknown field") { key } else { value };
        explain(InputError::new(name, message).at(line, column), &path)
    })
}

/// Reads YAML into a type that keeps the places of its parts.
pub(crate) fn parse_located<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, InputError> {
    let text = beginning(name, text)?;
    serde_yaml::from_str_with_options(text, yaml_options()).map_err(|error| {
        let place = error.location().map(|at| (at.line() as usize, at.column() as usize));
        let path = place.map(|(line, column)| path_at(text, line, column)).unwrap_or_default();
        yaml_error(name, &error, &path)
    })
}

/// A YAML error in our own form.
pub(crate) fn yaml_error(name: &str, error: &serde_yaml::Error, path: &str) -> InputError {
    use serde_yaml::Error::{SerdeUnknownField, SerdeUnknownVariant};
    let error = error.without_snippet();
    let mut message = match error {
        SerdeUnknownField { field, expected, .. } => unknown("field", field, expected),
        SerdeUnknownVariant { variant, expected, .. } => unknown("variant", variant, expected),
        serde_yaml::Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => "expected a text".to_owned(),
        other => other.to_string(),
    };
    let mut input_error = InputError::new(name, "");
    if let Some(location) = error.location() {
        message = message.replace(&format!(" at line {}, column {}", location.line(), location.column()), "");
        input_error = input_error.at(location.line() as usize, location.column() as usize);
    }
    input_error.message = message;
    explain(input_error, path)
}

/// The wording that serde itself uses, which [`explain`] reads.
fn unknown(what: &str, wrong: &str, expected: &[&str]) -> String {
    let expected: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
    format!("unknown {what} `{wrong}`, expected one of {}", expected.join(", "))
}

/// Adds the path of the wrong key and, for a misspelt one, what was probably meant.
fn explain(mut error: InputError, path: &str) -> InputError {
    let quoted: Vec<String> = error.message.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    if let Some((wrong, known)) = quoted.split_first()
        && error.message.starts_with("unknown ")
    {
        let what = if error.message.starts_with("unknown field") { "key" } else { "value" };
        error.help = match did_you_mean(wrong, known.iter().map(String::as_str)) {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None if known.is_empty() => None,
            None => Some(format!("it can be: {}", known.join(", "))),
        };
        let path = path.strip_suffix(wrong.as_str()).unwrap_or(path).trim_end_matches('.');
        error.message = match path {
            "" => format!("unknown {what} `{wrong}`"),
            path => format!("unknown {what} `{wrong}` in `{path}`"),
        };
    } else {
        // A question mark stands for what was not read yet.
        let path = path.trim_end_matches(['?', '.']);
        if !path.is_empty() && !error.message.contains(path) {
            error.message = format!("{path}: {}", error.message);
        }
    }
    error
}
