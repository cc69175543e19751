//! Scenarios: the fixtures that ship with the program. Healthy ones are whole evidence documents; the others are
//! cases of a rule, written as the difference from a healthy one (RFC 7386).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    error::{InputError, did_you_mean},
    evidence::Evidence,
    input,
    report::Verdict,
};

/// The fixtures inside the binary: path below `fixtures/`, and the file as JSON.
static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

/// The cases of one rule.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseFile {
    /// The healthy fixture that the cases differ from; without one, nothing was tried.
    pub base: Option<String>,
    /// Where the case is known from.
    pub source: Option<String>,
    /// What is different from the base in all cases.
    #[serde(default)]
    pub evidence: Value,
    /// The cases; the first one is the scenario.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// Another base than the file's.
    pub base: Option<String>,
    /// What is different from the base.
    #[serde(default)]
    pub evidence: Value,
    /// What the report must say.
    #[serde(default)]
    pub expect: Expect,
}

/// What the report of a case must say.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// The first finding, confirmed.
    pub top: Option<String>,
    /// Further confirmed findings.
    #[serde(default)]
    pub confirmed: Vec<String>,
    /// General causes that the first finding folds.
    #[serde(default)]
    pub folded: Vec<String>,
    /// The rule of this file finds nothing.
    #[serde(default)]
    pub silent: bool,
    /// The rule of this file is possible, and not confirmed.
    #[serde(default)]
    pub possible: bool,
    /// The verdict.
    pub verdict: Option<Verdict>,
}

/// The names of all scenarios, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(path, _)| name_of(path))
}

fn name_of(path: &str) -> &str {
    path.strip_suffix(".yaml").unwrap_or(path)
}

fn json_of(name: &str) -> Result<&'static str, InputError> {
    let found = EMBEDDED.iter().find(|(path, _)| name_of(path) == name);
    found.map(|(_, json)| *json).ok_or_else(|| {
        let error = InputError::new(name, "there is no such scenario");
        match did_you_mean(name, names()) {
            Some(meant) => error.help(format!("did you mean {meant}?")),
            None => error.help("`eks-doctor demo` lists all scenarios"),
        }
    })
}

/// The evidence of a scenario: a healthy document, or the first case of a rule.
///
/// # Errors
/// There is no such scenario.
pub fn evidence(name: &str) -> Result<Evidence, InputError> {
    if is_healthy(name) {
        return Evidence::from_text(name, json_of(name)?);
    }
    let file = case_file(name)?;
    let case = file.cases.first().ok_or_else(|| InputError::new(name, "the file has no cases"))?;
    file.evidence(name, case)
}

/// Whether a fixture is a whole evidence document.
pub fn is_healthy(name: &str) -> bool {
    name.starts_with("healthy/")
}

/// The cases of a rule.
///
/// # Errors
/// There is no such file, or it is malformed.
pub fn case_file(name: &str) -> Result<CaseFile, InputError> {
    input::parse(name, json_of(name)?)
}

impl CaseFile {
    /// The evidence of a case.
    ///
    /// # Errors
    /// The base does not exist, or the result is no evidence document.
    pub fn evidence(&self, name: &str, case: &Case) -> Result<Evidence, InputError> {
        let mut document = match case.base.as_deref().or(self.base.as_deref()) {
            Some(base) => input::parse(base, json_of(base)?)?,
            None => json!({ "schema": "eks-doctor/evidence/v1" }),
        };
        merge(&mut document, &self.evidence);
        merge(&mut document, &case.evidence);
        Evidence::from_text(&format!("{name}, case \"{}\"", case.name), &document.to_string())
    }
}

/// Merges `patch` over `document` as RFC 7386 says: null removes a key, objects merge, everything else replaces. An
/// observation is replaced as a whole when the patch gives it another form.
fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *document = patch.clone();
        }
        return;
    };
    if !document.is_object() {
        *document = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = document else { return };
    const FORMS: [&str; 5] = ["found", "absent", "denied", "failed", "notTried"];
    if patch.keys().any(|key| FORMS.contains(&key.as_str())) {
        target.retain(|key, _| patch.contains_key(key));
    }
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
