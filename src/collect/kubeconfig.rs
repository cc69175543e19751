//! The kubeconfig, found and merged as kubectl does it: which files, which entry wins, what relative paths mean. A
//! broken file is described with its line instead of hiding everything behind one error.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::failure::os_code;
use super::surroundings::Surroundings;
use crate::evidence::redact::{self, REDACTED};
use crate::evidence::{Absent, Failure, Kubeconfig, Observed};

mod entries;

pub(crate) use entries::{Cluster, Current, Exec, User};

/// The three lists of a kubeconfig and the key of an entry's content.
const LISTS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// The kubeconfig with its secrets, for use, and without them, for the evidence.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) observed: Observed<Kubeconfig>,
    pub(crate) current: Option<Current>,
}

/// Loads the kubeconfig of these surroundings. `path` and `context` are kubectl's flags.
pub(crate) fn load(surroundings: &Surroundings, path: Option<&Path>, context: Option<&str>) -> Loaded {
    let candidates = candidates(surroundings, path);
    let mut documents = Vec::new();
    for file in &candidates {
        match read(file) {
            Ok(Some(document)) => documents.push((file.display().to_string(), document)),
            Ok(None) => {}
            Err(failure) => return Loaded { observed: Observed::Failed(failure), current: None },
        }
    }
    if documents.is_empty() {
        let looked = candidates.iter().map(|file| file.display().to_string()).collect();
        return Loaded { observed: Observed::Absent(Absent { looked }), current: None };
    }
    let files = documents.iter().map(|(file, _)| file.clone()).collect();
    let merged = merge(documents.into_iter().map(|(_, document)| document));
    let current = Current::of(&merged, context);
    Loaded { observed: Observed::Found(Kubeconfig { files, document: without_secrets(merged) }), current }
}

/// The files in the order of their precedence: the flag alone, else the list in `KUBECONFIG`, else the one at home.
fn candidates(surroundings: &Surroundings, path: Option<&Path>) -> Vec<PathBuf> {
    let absolute = |path: &Path| surroundings.folder.join(path);
    if let Some(path) = path {
        return vec![absolute(path)];
    }
    if let Some(list) = surroundings.variables.get(std::ffi::OsStr::new("KUBECONFIG")).filter(|list| !list.is_empty()) {
        let mut files: Vec<PathBuf> = Vec::new();
        for file in std::env::split_paths(list).filter(|file| !file.as_os_str().is_empty()) {
            if !files.contains(&absolute(&file)) {
                files.push(absolute(&file));
            }
        }
        return files;
    }
    // kubectl knows no user database: without HOME it looks in the working folder.
    let home = surroundings.variables.get(std::ffi::OsStr::new("HOME")).map(PathBuf::from).unwrap_or_default();
    vec![absolute(&home.join(".kube/config"))]
}

/// One file, checked and with its relative paths resolved; nothing if it is not there.
fn read(path: &Path) -> Result<Option<Value>, Failure> {
    let failure = |code: Option<String>, what: String| Failure {
        operation: Some(format!("read {}", path.display())),
        code,
        message: redact::scrub(&format!("error loading config file \"{}\": {what}", path.display())).into_owned(),
        ..Failure::default()
    };
    let bytes = match super::file::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure(os_code(&error), error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        failure(None, format!("line {line}: not UTF-8"))
    })?;
    let mut document = parse(&text).map_err(|what| failure(None, what))?;
    entries::check(&document).map_err(|what| failure(None, what))?;
    resolve_paths(&mut document, path.parent().unwrap_or(Path::new("/")));
    Ok(Some(document))
}

/// Reads YAML, of which JSON is a part, or says what is wrong in which line. An empty file is an empty document.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let options = serde_yaml::options! {
        duplicate_keys: serde_yaml::DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
        budget: serde_yaml::budget! { max_nodes: 1_000_000 },
        with_snippet: false,
    };
    match serde_yaml::from_multiple_with_options::<Option<Value>>(text, options) {
        // kubectl reads the first document and none of the others.
        Ok(documents) => Ok(documents.into_iter().next().flatten().unwrap_or_else(|| json!({}))),
        Err(error) => {
            let what = error.to_string();
            match error.location() {
                Some(place) if !what.contains("line ") => Err(format!("line {}: {what}", place.line())),
                _ => Err(what),
            }
        }
    }
}

/// Makes the paths in a document absolute. They are relative to the file's folder; a command without a slash is looked
/// up on the PATH instead.
fn resolve_paths(document: &mut Value, folder: &Path) {
    let resolve = |value: Option<&mut Value>| {
        if let Some(Value::String(path)) = value
            && !path.is_empty()
        {
            *path = folder.join(&*path).display().to_string();
        }
    };
    for entry in contents_mut(document, "clusters", "cluster") {
        resolve(entry.get_mut("certificate-authority"));
    }
    for entry in contents_mut(document, "users", "user") {
        for key in ["client-certificate", "client-key", "tokenFile"] {
            resolve(entry.get_mut(key));
        }
        let command = entry.get_mut("exec").and_then(|exec| exec.get_mut("command"));
        resolve(command.filter(|command| command.as_str().is_some_and(|command| command.contains('/'))));
    }
}

fn contents_mut<'d>(
    document: &'d mut Value,
    list: &str,
    key: &'d str,
) -> impl Iterator<Item = &'d mut Map<String, Value>> {
    let entries = document.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
    entries.filter_map(move |entry| entry.get_mut(key)?.as_object_mut())
}

/// Merges documents: of every named entry and of every single value the first one stands.
fn merge(documents: impl Iterator<Item = Value>) -> Value {
    let mut merged: Map<String, Value> = LISTS.iter().map(|(list, _)| ((*list).to_owned(), json!([]))).collect();
    for document in documents {
        let Value::Object(document) = document else { continue };
        for (key, value) in document {
            let is_list = LISTS.iter().any(|(list, _)| *list == key);
            match (merged.get_mut(&key), value) {
                (Some(Value::Array(known)), Value::Array(more)) if is_list => {
                    let name = |entry: &Value| entry.get("name").and_then(Value::as_str).map(str::to_owned);
                    let names: BTreeSet<String> = known.iter().filter_map(name).collect();
                    known.extend(
                        more.into_iter().filter(|entry| !name(entry).is_some_and(|name| names.contains(&name))),
                    );
                }
                (None | Some(Value::Null), value) => {
                    merged.insert(key, value);
                }
                (Some(Value::String(known)), value) if known.is_empty() => {
                    merged.insert(key, value);
                }
                _ => {}
            }
        }
    }
    Value::Object(merged)
}

/// The document without what must not leave this machine.
fn without_secrets(mut document: Value) -> Value {
    for user in contents_mut(&mut document, "users", "user") {
        if let Some(exec) = user.get_mut("exec").and_then(Value::as_object_mut) {
            hide_in_exec(exec);
        }
        let settings = user.get_mut("auth-provider").and_then(|provider| provider.get_mut("config"));
        hide_by_name(settings.and_then(Value::as_object_mut));
        hide_by_name(Some(user));
    }
    scrub_all(&mut document);
    document
}

fn hide_by_name(fields: Option<&mut Map<String, Value>>) {
    for (name, value) in fields.into_iter().flatten() {
        let holds_something = !value.is_null() && value.as_str() != Some("") && !value.is_object();
        if holds_something && redact::is_secret_name(name) {
            *value = REDACTED.into();
        }
    }
}

fn hide_in_exec(exec: &mut Map<String, Value>) {
    for variable in exec.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        let secret = variable.get("name").and_then(Value::as_str).is_some_and(redact::is_secret_name);
        if let Some(value) = variable.get_mut("value").filter(|_| secret) {
            *value = REDACTED.into();
        }
    }
    if let Some(Value::Array(arguments)) = exec.get_mut("args") {
        let texts: Option<Vec<String>> =
            arguments.iter().map(|argument| argument.as_str().map(str::to_owned)).collect();
        *arguments = redact::scrub_arguments(&texts.unwrap_or_default()).into_iter().map(Value::String).collect();
    }
}

/// Scrubs every text but certificates, which are public and look like secrets.
fn scrub_all(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact::scrub(text).into_owned(),
        Value::Array(elements) => elements.iter_mut().for_each(scrub_all),
        Value::Object(fields) => {
            let public = ["certificate-authority-data", "client-certificate-data"];
            fields
                .iter_mut()
                .filter(|(name, _)| !public.contains(&name.as_str()))
                .for_each(|(_, value)| scrub_all(value));
        }
        _ => {}
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the files to be read are written here")]
mod tests;
