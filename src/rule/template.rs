//! The texts and commands of rules: minijinja templates over facts.
//!
//! Nothing undefined can be printed: names are checked when a rule is loaded, and a fact that is not known prints as a
//! visible placeholder such as `<CLUSTER_NAME>`. In commands the engine quotes every value for the shell, so no rule
//! author can forget.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior,
    value::{Enumerator, Object, ObjectRepr, Value},
};

use super::when::schema_at;
use crate::{
    error::InputError,
    facts::value::{Node, Schema, Value as FactValue},
    shell,
};

/// A text with placeholders for facts.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    is_command: bool,
}

/// Fills templates from the facts of one diagnosis.
pub struct Renderer {
    environment: Environment<'static>,
    facts: Value,
}

const COMMAND: &str = "command";
const PROSE: &str = "prose";
const SHELL: &str = "shell";

/// The variables that are no facts: `kubectl` prints kubectl with the context in use, `principalArn` the subject's
/// ARN with its path or, where that is unknown, a command substitution that looks it up.
const VARIABLES: [&str; 2] = ["kubectl", "principalArn"];

impl Template {
    /// A command of our own.
    pub(crate) fn command(source: impl Into<String>) -> Self {
        Self { source: source.into(), is_command: true }
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn name(&self) -> &'static str {
        if self.is_command { COMMAND } else { PROSE }
    }
}

/// A fact that is unknown or absent: false, empty, and printed as a placeholder.
#[derive(Debug)]
struct Unfilled {
    placeholder: String,
}

impl Object for Unfilled {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.placeholder)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_recursion_limit(64);
    environment.set_auto_escape_callback(|name| match name {
        COMMAND => AutoEscape::Custom(SHELL.into()),
        _ => AutoEscape::None,
    });
    // `safe` would let a rule print a value into a command unquoted.
    environment.remove_filter("safe");
    environment.add_filter("words", words);
    environment.add_filter("first", first);
    environment.add_filter("hcl", hcl);
    environment.set_formatter(|out, state, value| {
        if let Some(fact) = value.downcast_object_ref::<Unfilled>() {
            return Ok(out.write_str(&fact.placeholder)?);
        }
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let text = value.to_string();
        if *state.auto_escape() == AutoEscape::Custom(SHELL.into()) && !value.is_safe() {
            return Ok(out.write_str(&shell::quote(&text))?);
        }
        Ok(out.write_str(&text)?)
    });
    environment
}

/// The filter `words`: a list as shell words, each quoted, with blanks between them.
fn words(list: &Value) -> Result<Value, Error> {
    let words: Vec<String> = list.try_iter()?.map(|word| word.to_string()).collect();
    Ok(Value::from_safe_string(shell::join(words.iter().map(String::as_str))))
}

/// The filter `first`: the first element of a list, or the placeholder of a list that is unknown.
fn first(list: &Value) -> Result<Value, Error> {
    match list.downcast_object_ref::<Unfilled>() {
        Some(_) => Ok(list.clone()),
        None => Ok(list.try_iter()?.next().unwrap_or_default()),
    }
}

/// The filter `hcl`: a text as a quoted string of Terraform's language, on one line, for files that a command writes.
fn hcl(text: &Value) -> Value {
    let text = text.to_string();
    let mut quoted = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // The beginnings of interpolations.
            '$' | '%' if characters.peek() == Some(&'{') => quoted.extend([character, character]),
            c if shell::is_deceptive(c) => quoted.push_str(&format!("\\U{:08x}", c as u32)),
            c => quoted.push(c),
        }
    }
    Value::from_safe_string(quoted + "\"")
}

impl Renderer {
    /// A renderer for one set of facts.
    pub fn new(schema: &Schema, facts: &Node) -> Self {
        let mut environment = environment();
        environment.add_global("kubectl", Value::from_safe_string(kubectl(facts)));
        environment.add_global("principalArn", Value::from_safe_string(principal_arn(facts)));
        Self { environment, facts: value_of(schema, facts, "") }
    }

    /// The element at hand as a template value.
    pub fn element(&self, schema: &Schema, node: &Node) -> Value {
        value_of(schema, node, "")
    }

    /// Fills a template.
    pub fn render(&self, template: &Template, it: Option<&Value>) -> String {
        let context = minijinja::context! { it => it.cloned(), ..self.facts.clone() };
        self.environment
            .template_from_named_str(template.name(), &template.source)
            .and_then(|compiled| compiled.render(context))
            .map_or_else(
                |error| format!("(this text of the rule cannot be shown: {error})"),
                |text| text.trim().to_owned(),
            )
    }
}

fn text<'a>(facts: &'a Node, path: &str) -> Option<&'a str> {
    match super::find(facts, path) {
        Ok(FactValue::Text(text)) => Some(text),
        _ => None,
    }
}

fn kubectl(facts: &Node) -> String {
    match text(facts, "kubeconfig.context") {
        Some(context) => format!("kubectl --context {}", shell::quote(context)),
        None => "kubectl".to_owned(),
    }
}

fn principal_arn(facts: &Node) -> String {
    match (text(facts, "subject.principalArn"), text(facts, "subject.kind"), text(facts, "subject.name")) {
        (Some(arn), _, _) => shell::quote(arn),
        (None, Some("role"), Some(name)) => {
            format!("\"$(aws iam get-role --role-name {} --query Role.Arn --output text)\"", shell::quote(name))
        }
        _ => placeholder("subject.principalArn"),
    }
}

/// The placeholders in filled commands, each once, in order.
pub(crate) fn placeholders<'a>(commands: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for command in commands {
        for (start, _) in command.match_indices('<') {
            let rest = command.get(start + 1..).unwrap_or_default();
            let Some((name, _)) = rest.split_once('>') else { continue };
            let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let placeholder = format!("<{name}>");
            if is_name && !found.contains(&placeholder) {
                found.push(placeholder);
            }
        }
    }
    found
}

/// A fact as a template value; what is unknown or absent keeps its shape and prints as a placeholder.
fn value_of(schema: &Schema, node: &Node, path: &str) -> Value {
    match (schema.required(), node) {
        (Schema::Object(fields), node) => fields
            .iter()
            .map(|field| {
                let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
                let missing = Node::Unknown(crate::facts::value::Unknown::default());
                let part = match node {
                    Node::Known(..) => node.part(field.name).unwrap_or(&missing),
                    Node::Unknown(_) => &missing,
                };
                (field.name, value_of(&field.schema, part, &path))
            })
            .collect::<BTreeMap<_, _>>()
            .into(),
        (Schema::List(element), Node::Known(FactValue::List(nodes), _)) => {
            nodes.iter().map(|node| value_of(element, node, path)).collect()
        }
        (_, Node::Known(FactValue::Bool(value), _)) => Value::from(*value),
        (_, Node::Known(FactValue::Number(value), _)) => Value::from(*value),
        (_, Node::Known(FactValue::Text(text), _)) => Value::from(text.as_str()),
        _ => Value::from_object(Unfilled { placeholder: placeholder(path) }),
    }
}

/// `cluster.name` prints as `<CLUSTER_NAME>`, `subject.principalArn` as `<PRINCIPAL_ARN>`.
fn placeholder(path: &str) -> String {
    let mut name = String::from("<");
    for character in path.strip_prefix("subject.").unwrap_or(path).chars() {
        match character {
            '.' => name.push('_'),
            c if c.is_ascii_uppercase() => name.extend(['_', c]),
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name + ">"
}

/// Where a rule's template stands and what it may name, for checking.
pub(crate) struct Checker<'a> {
    file: &'a str,
    /// The text of the rule file, to find the line of a wrong name.
    text: &'a str,
    facts: &'a Schema,
    it: Option<&'a Schema>,
    /// Nothing for the files inside the binary, whose templates are checked by a test: that would take most of the time
    /// of a run.
    trial: Option<Trial>,
}

/// What a template is tried out with.
struct Trial {
    environment: Environment<'static>,
    /// A value for every name.
    context: Value,
}

impl Trial {
    fn new(facts: &Schema, it: Option<&Schema>) -> Self {
        let mut environment = environment();
        for variable in VARIABLES {
            environment.add_global(variable, variable);
        }
        let it = it.map(|schema| value_of(schema, &sample(schema), ""));
        let facts = value_of(facts, &sample(facts), "");
        Self { environment, context: minijinja::context! { it => it, ..facts } }
    }
}

impl<'a> Checker<'a> {
    /// A checker for the templates of one file, whose templates are taken as they are if it is embedded.
    pub(crate) fn new(file: &super::check::File<'a>, facts: &'a Schema, it: Option<&'a Schema>) -> Self {
        let trial = file.embedded.is_none().then(|| Trial::new(facts, it));
        Self { file: file.path, text: file.text, facts, it, trial }
    }

    /// Takes a written text as a template and says what is wrong with it.
    pub(crate) fn check(&self, source: &str, place: (usize, usize), is_command: bool) -> (Template, Vec<InputError>) {
        let template = Template { source: source.to_owned(), is_command };
        let mut errors = Vec::new();
        let Some(trial) = &self.trial else { return (template, errors) };
        if is_command && let Some(message) = interpolation_in_quotes(source) {
            errors.push(self.error(message, place, "{{").help("leave the quotes out: values are quoted by the engine"));
        }
        match trial.environment.template_from_named_str(template.name(), source) {
            Err(error) => errors.push(self.syntax_error(&error, place)),
            Ok(compiled) => {
                let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
                names.sort();
                errors.extend(names.iter().filter_map(|name| self.unknown_name(name, place)));
                if errors.is_empty() {
                    // Finds wrong filters, wrong loops and printed objects.
                    let error = compiled.render(&trial.context).err();
                    errors.extend(error.map(|error| self.syntax_error(&error, place)));
                }
            }
        }
        (template, errors)
    }

    fn unknown_name(&self, name: &str, place: (usize, usize)) -> Option<InputError> {
        if VARIABLES.contains(&name) || (name == "it" && self.it.is_some()) {
            return None;
        }
        let (message, help) = schema_at(name, self.facts, self.it).err()?;
        Some(InputError { help, ..self.error(message, place, name) })
    }

    fn syntax_error(&self, error: &Error, place: (usize, usize)) -> InputError {
        let message =
            error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
        let line = place.0 + error.line().unwrap_or(1).saturating_sub(1);
        InputError::new(self.file, message).at(line, place.1)
    }

    /// An error at the first mention of `name` at or after the template's start.
    fn error(&self, message: String, place: (usize, usize), name: &str) -> InputError {
        let lines = self.text.lines().enumerate().skip(place.0.saturating_sub(1));
        for (index, line) in lines {
            let from = if index + 1 == place.0 { place.1.saturating_sub(1) } else { 0 };
            let offset = line.char_indices().nth(from).map_or(line.len(), |(offset, _)| offset);
            if let Some(found) = line.get(offset..).and_then(|rest| rest.find(name)) {
                let column = line.get(..offset + found).map_or(0, |head| head.chars().count()) + 1;
                return InputError::new(self.file, message).at(index + 1, column);
            }
        }
        InputError::new(self.file, message).at(place.0, place.1)
    }
}

/// Says if a value stands inside the quotes of a command, where quoting it would break the word.
fn interpolation_in_quotes(source: &str) -> Option<String> {
    let mut quote = None;
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        if rest.starts_with("{{") && quote.is_some() {
            return Some("a value stands inside quotes".to_owned());
        }
        let end = ["{{", "{%", "{#"].iter().zip(["}}", "%}", "#}"]).find(|(open, _)| rest.starts_with(**open));
        if let Some((_, close)) = end {
            rest = after_tag(rest, close);
            continue;
        }
        match (character, quote) {
            ('\\', None | Some('"')) => {
                rest = rest.get(1..).unwrap_or_default();
            }
            ('\'' | '"', None) => quote = Some(character),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        rest = rest.chars().next().and_then(|c| rest.get(c.len_utf8()..)).unwrap_or_default();
    }
    None
}

/// What follows a template tag; texts inside the tag may hold its closing braces.
fn after_tag<'a>(tag: &'a str, close: &str) -> &'a str {
    let mut quote = None;
    for (at, character) in tag.char_indices().skip(2) {
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (c, Some(open)) if c == open => quote = None,
            (_, None) if tag.get(at..).is_some_and(|rest| rest.starts_with(close)) => {
                return tag.get(at + close.len()..).unwrap_or_default();
            }
            _ => {}
        }
    }
    ""
}

/// Some value that fits a schema.
fn sample(schema: &Schema) -> Node {
    let value = match schema.required() {
        Schema::Bool => FactValue::Bool(true),
        Schema::Number => FactValue::Number(7),
        Schema::Text => FactValue::Text("sample".to_owned()),
        Schema::Choice(names) => FactValue::Text(names.first().copied().unwrap_or_default().to_owned()),
        Schema::List(element) => FactValue::List(vec![sample(element)]),
        Schema::Object(fields) => {
            FactValue::Object(fields.iter().map(|field| (field.name, sample(&field.schema))).collect())
        }
        Schema::Optional(_) => FactValue::Absent,
    };
    Node::Known(value, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_for_terraform_is_read_back_as_it_was() {
        for (text, quoted) in [
            ("arn:aws:iam::111122223333:role/Dev", r#""arn:aws:iam::111122223333:role/Dev""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("${file(\"/etc/passwd\")} %{if} $5 100%", r#""$${file(\"/etc/passwd\")} %%{if} $5 100%""#),
            ("EOF\nx\u{202e}", r#""EOF\U0000000ax\U0000202e""#),
        ] {
            let value = hcl(&Value::from(text));
            assert_eq!(value.to_string(), quoted);
            let body: hcl_edit::structure::Body = format!("x = {value}\n").parse().unwrap();
            assert_eq!(body.attributes().count(), 1, "{quoted}");
        }
    }
}
