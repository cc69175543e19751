//! Conditions against the schema of the facts: every path and value that a rule names exists.

use schemars::Schema as JsonSchema;
use serde_json::json;

use super::{Condition, Conditions};
use crate::{
    error::{InputError, did_you_mean},
    facts::{
        Facts,
        value::{Describe, Schema},
    },
    rule::written::{self, Scalar},
};

/// Finds the schema of a fact path. `it` is the schema of the element at hand.
///
/// # Errors
/// What is wrong with the path, and what was probably meant.
pub(crate) fn schema_at<'a>(
    path: &str,
    facts: &'a Schema,
    it: Option<&'a Schema>,
) -> Result<&'a Schema, (String, Option<String>)> {
    let (mut schema, rest, mut walked) = match path.strip_prefix("it.") {
        None => (facts, path, String::new()),
        Some(rest) => match it {
            Some(element) => (element, rest, "it.".to_owned()),
            None => return Err(("`it` needs `each`".to_owned(), None)),
        },
    };
    for name in rest.split('.') {
        if matches!(schema.required(), Schema::List(_)) {
            let list = walked.trim_end_matches('.');
            return Err((format!("`{list}` is a list"), Some(format!("write `each: {list}` and `it.{name}`"))));
        }
        let fields = schema.fields();
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let meant = did_you_mean(name, fields.iter().map(|field| field.name));
            let help = meant.map(|meant| format!("did you mean `{walked}{meant}`?")).or_else(|| {
                let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                (!names.is_empty()).then(|| format!("known here: {}", names.join(", ")))
            });
            return Err((format!("unknown fact `{walked}{name}`"), help));
        };
        walked.push_str(name);
        walked.push('.');
        schema = &field.schema;
    }
    Ok(schema)
}

/// Turns written lines into checked ones; what is wrong goes to `errors`.
pub(crate) fn check(
    file: &str,
    lines: written::Conditions,
    it: Option<&Schema>,
    facts: &Schema,
    errors: &mut Vec<InputError>,
) -> Conditions {
    let mut checked = Vec::new();
    for line in lines.0 {
        let (row, column) = line.path.place;
        match schema_at(&line.path.value, facts, it) {
            Err((message, help)) => {
                errors.push(InputError { help, ..InputError::new(file, message).at(row, column) });
            }
            Ok(schema) => {
                for scalar in &line.expected {
                    if let Err((message, help)) = check_value(&line.path.value, schema, &scalar.value) {
                        let (row, column) = scalar.place;
                        errors.push(InputError { help, ..InputError::new(file, message).at(row, column) });
                    }
                }
            }
        }
        let expected = line.expected.into_iter().map(|scalar| scalar.value).collect();
        checked.push(Condition { path: line.path.value, expected });
    }
    Conditions(checked)
}

fn check_value(path: &str, schema: &Schema, scalar: &Scalar) -> Result<(), (String, Option<String>)> {
    let wanted = |what: &str| Err((format!("`{path}` is {what}"), None));
    match (schema, scalar) {
        (Schema::Optional(_), Scalar::Null) => Ok(()),
        (Schema::Optional(inner), scalar) => check_value(path, inner, scalar),
        (Schema::List(inner), scalar) => check_value(path, inner, scalar),
        (_, Scalar::Null) => wanted("never absent"),
        (Schema::Bool, Scalar::Bool(_)) | (Schema::Number, Scalar::Number(_)) | (Schema::Text, Scalar::Text(_)) => {
            Ok(())
        }
        (Schema::Bool, _) => wanted("true or false"),
        (Schema::Number, _) => wanted("a whole number"),
        (Schema::Text, _) => wanted("a text"),
        (Schema::Object(_), _) => wanted("an object: name one of its parts"),
        (Schema::Choice(names), Scalar::Text(text)) if names.contains(&text.as_str()) => Ok(()),
        (Schema::Choice(names), scalar) => {
            let text = match scalar {
                Scalar::Text(text) => text.clone(),
                Scalar::Bool(value) => value.to_string(),
                Scalar::Number(value) => value.to_string(),
                Scalar::Null => "null".to_owned(),
            };
            let help = match did_you_mean(&text, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("it can be: {}", names.join(", ")),
            };
            Err((format!("`{path}` is never `{text}`"), Some(help)))
        }
    }
}

/// Every fact path that a condition may name, with what it means and its schema.
pub(crate) fn paths(schema: &Schema, prefix: &str, found: &mut Vec<(String, &'static str, Schema)>) {
    for field in schema.fields() {
        let path = format!("{prefix}{}", field.name);
        match field.schema.required() {
            Schema::Object(_) => paths(&field.schema, &format!("{path}."), found),
            _ => found.push((path, field.doc, field.schema.clone())),
        }
    }
}

/// The JSON Schema of conditions: every fact with its values.
pub(crate) fn json_schema() -> JsonSchema {
    let mut all = Vec::new();
    paths(&Facts::schema(), "", &mut all);
    let properties: serde_json::Map<String, serde_json::Value> = all
        .into_iter()
        .map(|(path, doc, schema)| {
            let value = value_schema(&schema);
            let value = json!({ "description": doc, "anyOf": [value, { "type": "array", "items": value }] });
            (path, value)
        })
        .collect();
    let schema = json!({
        "type": "object",
        "description": "Fact paths and the values they must have; a list means one of.",
        "properties": properties,
        "patternProperties": { "^it\\.": true },
        "additionalProperties": false,
    });
    JsonSchema::try_from(schema).unwrap_or_default()
}

fn value_schema(schema: &Schema) -> serde_json::Value {
    match schema {
        Schema::Bool => json!({ "type": "boolean" }),
        Schema::Number => json!({ "type": "integer" }),
        Schema::Text => json!({ "type": "string" }),
        Schema::Choice(names) => json!({ "enum": names }),
        Schema::Optional(inner) => json!({ "anyOf": [value_schema(inner), { "type": "null" }] }),
        Schema::List(inner) => value_schema(inner),
        Schema::Object(_) => json!({ "type": "null" }),
    }
}

/// The schema of a fact path that was checked before.
pub(crate) fn schema_of<'a>(path: &str, facts: &'a Schema) -> Option<&'a Schema> {
    schema_at(path, facts, None).ok()
}
