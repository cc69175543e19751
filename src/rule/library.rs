//! The set of rules in force: those inside the binary, and the user's, which override them by id.

use std::collections::BTreeMap;

use schemars::Schema as JsonSchema;

use super::{
    Rule,
    check::{self, File},
    written,
};
use crate::{
    error::InputError,
    facts::{Facts, value::Describe},
};

/// The rule files inside the binary: path below `rules/`, text, and the same as JSON.
static EMBEDDED: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The folder of the fixes that several rules share.
const RECIPES: &str = "recipes/";

/// The rules in force, sorted by id.
#[derive(Debug, Clone)]
pub struct Library {
    rules: Vec<Rule>,
}

impl Library {
    /// The rules inside the binary and on top of them `user_files`: path below the rules folder and text. A file of
    /// the same id takes the place of the embedded one. The templates of embedded rules are taken as they are.
    ///
    /// # Errors
    /// Everything that is wrong with any file, in the order of files and lines.
    pub fn load(user_files: &[(String, String)]) -> Result<Self, Vec<InputError>> {
        let mut files: BTreeMap<String, File<'_>> = BTreeMap::new();
        for (path, text, json) in EMBEDDED {
            files.insert(id_of(path), File { path, text, embedded: Some(json) });
        }
        let mut errors = Vec::new();
        let mut of_user: BTreeMap<String, &str> = BTreeMap::new();
        for (path, text) in user_files {
            let id = id_of(path);
            if let Some(other) = of_user.insert(id.clone(), path) {
                let error = InputError::new(path, format!("the id `{id}` is taken by {other}"));
                errors.push(error.help("keep one of the two files"));
            }
            files.insert(id, File { path, text, embedded: None });
        }
        let schema = Facts::schema();
        let mut recipes = check::Recipes::new();
        for (id, file) in &files {
            let Some(name) = id.strip_prefix(RECIPES) else { continue };
            match check::recipe(*file, &schema) {
                Ok(recipe) => drop(recipes.insert(name.to_owned(), recipe)),
                Err(more) => errors.extend(more),
            }
        }
        files.retain(|id, _| !id.starts_with(RECIPES));
        let mut loaded = Vec::new();
        for (id, file) in &files {
            match check::rule(*file, id, &schema, &recipes) {
                Ok(rule) => loaded.push(rule),
                Err(more) => errors.extend(more),
            }
        }
        let ids: Vec<&str> = files.keys().map(String::as_str).collect();
        errors.extend(loaded.iter().flat_map(|rule| check::references(rule, &ids)));
        if errors.is_empty() {
            Ok(Self { rules: loaded.into_iter().map(|loaded| loaded.rule).collect() })
        } else {
            Err(errors)
        }
    }

    /// The files inside the binary, as [`Library::load`] takes them to check them to the last template.
    pub fn embedded_files() -> Vec<(String, String)> {
        EMBEDDED.iter().map(|(path, text, _)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    /// The rules, sorted by id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The library with only these rules, for tests of order.
    pub fn from_rules(rules: Vec<Rule>) -> Self {
        Self { rules }
    }
}

fn id_of(path: &str) -> String {
    path.strip_suffix(".yaml").or_else(|| path.strip_suffix(".yml")).unwrap_or(path).to_owned()
}

/// The JSON Schema of rule files, for editors.
pub fn schema() -> JsonSchema {
    schemars::schema_for!(written::Rule)
}
