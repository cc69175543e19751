//! One section of aws-auth: YAML, or JSON if it begins with `{`, read into a list.

use super::super::go_yaml::{Document, Place, Value, YamlError};
use super::entry::{EntryReader, struct_name, type_name};
use super::{
    Account, Entry, LossReason, LostEntry, ParseError, ParseErrorKind, Section, Surprise, SurpriseKind, go_json_error,
    lost,
};

const BEGIN: Place = Place { line: 1, column: 1 };

/// What is left of `mapRoles` or `mapUsers`.
#[derive(Default)]
pub(super) struct ReadEntries {
    pub(super) entries: Vec<Entry>,
    pub(super) errors: Vec<ParseError>,
    pub(super) surprises: Vec<Surprise>,
    pub(super) lost: Vec<LostEntry>,
}

/// What is left of `mapAccounts`.
#[derive(Default)]
pub(super) struct ReadAccounts {
    pub(super) accounts: Vec<Account>,
    pub(super) errors: Vec<ParseError>,
    pub(super) surprises: Vec<Surprise>,
}

/// Reads `mapRoles` or `mapUsers`.
pub(super) fn read_entries(section: Section, text: &str) -> ReadEntries {
    let mut read = ReadEntries::default();
    if is_skippable(text) {
        return read;
    }
    let document = match document_of(section, text) {
        Ok(document) => document,
        Err(error) => {
            read.errors.push(error);
            read.lost = lost::mentions(text, BEGIN, LossReason::SectionMalformed);
            return read;
        }
    };
    let mut reader =
        EntryReader { document: &document, section, type_error: None, surprises: Vec::new(), lost: Vec::new() };
    let mut refusals = Vec::new();
    match document.root().map(|root| (root, document.value(root))) {
        None | Some((_, Value::Null)) => {}
        Some((_, Value::List(items))) => {
            for item in items {
                match reader.read(*item) {
                    Ok(entry) => read.entries.push(entry),
                    Err(message) => refusals.push((message, document.place(*item))),
                }
            }
        }
        Some((root, value)) => {
            reader.type_error = Some((not_a_list(section, type_name(&value)), document.place(root)));
            reader.lost = lost::mentions(text, BEGIN, LossReason::SectionMalformed);
        }
    }
    let error = |kind| move |(message, place)| ParseError { section, kind, message, place: Some(place) };
    read.errors.extend(reader.type_error.map(error(ParseErrorKind::Type)));
    read.errors.extend(refusals.into_iter().map(error(ParseErrorKind::Validation)));
    (read.surprises, read.lost) = (reader.surprises, reader.lost);
    read.note_rest(section, document.rest);
    read
}

impl ReadEntries {
    /// Whatever follows the first document is not read.
    fn note_rest(&mut self, section: Section, rest: Option<(String, Place)>) {
        let Some((rest, place)) = rest else { return };
        let mut lost = match Document::parse(&rest) {
            // Of the next document the whole mappings are known, of those behind it the ARNs.
            Ok(Document { rest: Some((more, begin)), .. }) => {
                let next = rest.strip_suffix(more.as_str()).unwrap_or(&rest);
                let mut lost = lost::all_entries(section, next, LossReason::OtherDocument);
                lost.extend(lost::mentions(&more, begin, LossReason::OtherDocument));
                lost
            }
            _ => lost::all_entries(section, &rest, LossReason::OtherDocument),
        };
        if lost.is_empty() {
            return;
        }
        lost.iter_mut().for_each(|entry| entry.place.line += place.line - 1);
        self.lost.extend(lost);
        let text = String::new();
        let kind = SurpriseKind::OtherDocument;
        self.surprises.push(Surprise { kind, section: String::new(), place, entry: None, text });
    }
}

/// Reads `mapAccounts`, which takes any scalar as it is written.
pub(super) fn read_accounts(text: &str) -> ReadAccounts {
    let section = Section::MapAccounts;
    let mut read = ReadAccounts::default();
    if is_skippable(text) {
        return read;
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            read.errors.push(yaml_error(section, error));
            return read;
        }
    };
    let list = document.string_list();
    if let Some(failure) = list.failure {
        read.errors.push(yaml_error(section, failure));
    } else if let Some((place, _)) = list.mismatches.first() {
        let lines: Vec<&str> = list.mismatches.iter().map(|(_, line)| line.as_str()).collect();
        let message = format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "));
        read.errors.push(ParseError { section, kind: ParseErrorKind::Type, message, place: Some(*place) });
    }
    for (id, place) in list.items {
        if id.len() != 12 || !id.bytes().all(|digit| digit.is_ascii_digit()) {
            let (kind, section, text) = (SurpriseKind::AccountMalformed, String::new(), id.clone());
            read.surprises.push(Surprise { kind, section, place, entry: Some(place), text });
        }
        read.accounts.push(Account { id, place });
    }
    read
}

/// The document of a section that goes the way of JSON. A text that begins with `{` is no YAML to the authenticator, and
/// as an object it never fits.
fn document_of(section: Section, text: &str) -> Result<Document, ParseError> {
    if text.trim_start().starts_with('{') {
        let (kind, (message, place)) = match go_json_error(text) {
            Some(error) => (ParseErrorKind::Json, error),
            None => (ParseErrorKind::Type, (not_a_list(section, "object"), BEGIN)),
        };
        return Err(ParseError { section, kind, message, place: Some(place) });
    }
    let document = Document::parse(text).map_err(|error| yaml_error(section, error))?;
    document.check().map_err(|error| yaml_error(section, error))?;
    Ok(document)
}

fn not_a_list(section: Section, value: &str) -> String {
    format!("json: cannot unmarshal {value} into Go value of type []config.{}", struct_name(section))
}

fn yaml_error(section: Section, error: YamlError) -> ParseError {
    let line = error.place.map(|place| format!("line {}: ", place.line)).unwrap_or_default();
    let message = format!("yaml: {line}{}", error.message);
    ParseError { section, kind: ParseErrorKind::Yaml, message, place: error.place }
}

/// Whether the authenticator treats the section as absent.
fn is_skippable(text: &str) -> bool {
    matches!(text.trim(), "" | "``" | "\"\"" | "''")
}
