//! From a rule as written to a rule as checked: every fact, value, template variable and referenced rule exists, or
//! the file, line and column of what does not are named together with what was probably meant.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{
    Fix, Rule, Stage, Template,
    template::Checker,
    when,
    written::{self, Located, Many},
};
use crate::{
    error::{InputError, did_you_mean},
    facts::value::Schema,
};

/// A file of rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// Its path below the rules folder.
    pub(super) path: &'a str,
    /// Its text.
    pub(super) text: &'a str,
    /// For a file inside the binary: the same as JSON, which is read faster. It has no places, and needs none.
    pub(super) embedded: Option<&'a str>,
}

impl File<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<InputError>> {
        match self.embedded {
            Some(json) => {
                serde_json::from_str(json).map_err(|error| vec![InputError::new(self.path, error.to_string())])
            }
            None => crate::input::parse_located(self.path, self.text).map_err(|error| vec![error]),
        }
    }
}

/// A rule with the places of what it refers to, until the other rules are known.
pub(super) struct Loaded {
    pub(super) rule: Rule,
    pub(super) file: String,
    pub(super) refines: Vec<Located<String>>,
}

/// The shared fixes by name.
pub(super) type Recipes = BTreeMap<String, Fix>;

/// Checks one recipe file.
pub(super) fn recipe(file: File<'_>, facts: &Schema) -> Result<Fix, Vec<InputError>> {
    let written: written::Fix = file.read()?;
    let checker = Checker::new(&file, facts, None);
    let mut errors = Vec::new();
    let fix = check_fix(file.path, written, &[], None, facts, &mut Texts { checker: &checker, errors: &mut errors });
    if errors.is_empty() { Ok(fix) } else { Err(errors) }
}

/// Checks one rule file. `id` is its path without the extension.
pub(super) fn rule(source: File<'_>, id: &str, facts: &Schema, recipes: &Recipes) -> Result<Loaded, Vec<InputError>> {
    let File { path: file, text, .. } = source;
    let stage = id.split_once('/').and_then(|(stage, cause)| Stage::named(stage).filter(|_| is_cause_name(cause)));
    let Some(stage) = stage else {
        let stages: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
        let help = format!("a rule is a file <stage>/<cause>.yaml; the stages are {}", stages.join(", "));
        return Err(vec![InputError::new(file, format!("`{id}` is no id of a rule")).help(help)]);
    };
    let written: written::Rule = source.read()?;
    let mut errors = Vec::new();
    let each = written.each.and_then(|path| check_each(file, path, facts, &mut errors));
    let it = each.as_ref().map(|(_, schema)| schema);
    let checker = Checker::new(&source, facts, it);
    let mut texts = Texts { checker: &checker, errors: &mut errors };

    let title = texts.prose(&written.title);
    let because = texts.prose(&written.because);
    let recognise = written.recognise.as_ref().map(|text| texts.prose(text));
    let verify = texts.commands(&written.verify);
    let mut fixes: Vec<Fix> =
        written.fix.into_iter().map(|fix| check_fix(file, fix, &verify, it, facts, &mut texts)).collect();
    fixes.extend(shared_fixes(file, &written.recipes, &verify, recipes, texts.errors));
    let when = when::check(file, written.when, it, facts, &mut errors);
    let unless = when::check(file, written.unless, it, facts, &mut errors);
    check_shape(file, &written.explains, written.weight, &written.docs, &mut errors);
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.place);
        return Err(errors);
    }
    let refines = written.refines.0;
    let rule = Rule {
        id: id.to_owned(),
        stage,
        title,
        refines: refines.iter().map(|id| id.value.clone()).collect(),
        weight: written.weight.unwrap_or(1.0),
        explains: written.explains,
        provable: written.provable.unwrap_or(true),
        last_resort: written.last_resort.unwrap_or(false),
        each: each.map(|(path, _)| path),
        when,
        unless,
        because,
        fixes,
        recognise,
        docs: written.docs.0.into_iter().map(|link| link.value).collect(),
        text: text.to_owned(),
    };
    Ok(Loaded { rule, file: file.to_owned(), refines })
}

/// Checks that the rules named under `refines` exist.
pub(super) fn references(loaded: &Loaded, ids: &[&str]) -> Vec<InputError> {
    let unknown = loaded.refines.iter().filter(|id| !ids.contains(&id.value.as_str()));
    unknown
        .map(|id| {
            let error =
                InputError::new(&loaded.file, format!("unknown rule `{}`", id.value)).at(id.place.0, id.place.1);
            match did_you_mean(&id.value, ids.iter().copied()) {
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error.help("`eks-doctor rules list` names all rules"),
            }
        })
        .collect()
}

fn shared_fixes(
    file: &str,
    names: &Many<Located<String>>,
    verify: &[Template],
    recipes: &Recipes,
    errors: &mut Vec<InputError>,
) -> Vec<Fix> {
    let mut fixes = Vec::new();
    for name in &names.0 {
        match recipes.get(&name.value) {
            Some(recipe) => {
                let verify = if recipe.verify.is_empty() { verify.to_vec() } else { recipe.verify.clone() };
                fixes.push(Fix { verify, ..recipe.clone() });
            }
            None => {
                let error =
                    InputError::new(file, format!("unknown recipe `{}`", name.value)).at(name.place.0, name.place.1);
                let help = match did_you_mean(&name.value, recipes.keys().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known are {}", recipes.keys().cloned().collect::<Vec<_>>().join(", ")),
                };
                errors.push(error.help(help));
            }
        }
    }
    fixes
}

fn is_cause_name(cause: &str) -> bool {
    !cause.is_empty() && cause.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn check_each(
    file: &str,
    path: Located<String>,
    facts: &Schema,
    errors: &mut Vec<InputError>,
) -> Option<(String, Schema)> {
    let error = |message: String| InputError::new(file, message).at(path.place.0, path.place.1);
    match when::schema_at(&path.value, facts, None) {
        Err((message, help)) => errors.push(InputError { help, ..error(message) }),
        Ok(schema) => match schema.required() {
            Schema::List(element) => return Some((path.value, (**element).clone())),
            _ => errors.push(error(format!("`{}` is no list", path.value)).help("`each` goes through a list fact")),
        },
    }
    None
}

fn check_shape(
    file: &str,
    explains: &[super::SymptomClass],
    weight: Option<f64>,
    docs: &Many<Located<String>>,
    errors: &mut Vec<InputError>,
) {
    if explains.is_empty() {
        errors.push(
            InputError::new(file, "`explains` is empty").help("name the symptom classes that this cause produces"),
        );
    }
    if weight.is_some_and(|weight| !weight.is_finite() || weight <= 0.0) {
        errors.push(InputError::new(file, "`weight` is not above 0"));
    }
    for link in docs.0.iter().filter(|link| !link.value.starts_with("https://")) {
        let error = InputError::new(file, format!("`{}` is no link", link.value)).at(link.place.0, link.place.1);
        errors.push(error.help("links begin with https://"));
    }
}

/// Turns written texts into templates and gathers what is wrong with them.
struct Texts<'a, 'b> {
    checker: &'a Checker<'a>,
    errors: &'b mut Vec<InputError>,
}

impl Texts<'_, '_> {
    fn template(&mut self, text: &Located<String>, is_command: bool) -> Template {
        let (template, errors) = self.checker.check(&text.value, text.place, is_command);
        self.errors.extend(errors);
        template
    }

    fn prose(&mut self, text: &Located<String>) -> Template {
        self.template(text, false)
    }

    fn commands(&mut self, texts: &Many<Located<String>>) -> Vec<Template> {
        texts.0.iter().map(|text| self.template(text, true)).collect()
    }
}

fn check_fix(
    file: &str,
    fix: written::Fix,
    verify: &[Template],
    it: Option<&Schema>,
    facts: &Schema,
    texts: &mut Texts<'_, '_>,
) -> Fix {
    let title = texts.prose(&fix.title);
    let warning = fix.warning.as_ref().map(|text| texts.prose(text));
    let run = texts.commands(&fix.run);
    let undo = texts.commands(&fix.undo);
    let own_verify = texts.commands(&fix.verify);
    Fix {
        title,
        actor: fix.actor,
        when: when::check(file, fix.when, it, facts, texts.errors),
        unless: when::check(file, fix.unless, it, facts, texts.errors),
        requires: fix.requires.0.into_iter().map(|right| right.value).collect(),
        changes: fix.changes,
        warning,
        run,
        undo,
        verify: if own_verify.is_empty() { verify.to_vec() } else { own_verify },
    }
}
