//! The condition language of rules: a fact path and the values it may have, evaluated in three values.
//!
//! Scalar = equal, list = one of, `null` = absent; a list-valued fact matches if it contains the value. There are no
//! operators: anything harder is a fact with a name and a unit test.

mod schema;

pub(crate) use self::schema::{check, json_schema, schema_at, schema_of};
use super::written::Scalar;
use crate::facts::value::{Missing, Node, Source, Unknown, Value};

/// Checked lines of `when` or `unless`, in their order.
#[derive(Debug, Clone, Default)]
pub struct Conditions(pub(crate) Vec<Condition>);

/// A checked line.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The fact's path; `it.…` for a part of the element at hand.
    pub path: String,
    expected: Vec<Scalar>,
}

/// What the evidence says about a rule or a line of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It holds.
    Yes,
    /// It does not hold, and this is the fact that shows it.
    No(Cited),
    /// The evidence does not settle it.
    Unknown(Unknown),
}

/// A known fact as a report cites it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cited {
    /// The fact's path, with `it` spelled out.
    pub fact: String,
    /// Its value as text.
    pub value: String,
    /// Where it was read.
    pub source: Source,
}

/// The facts that a rule sees.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// All facts.
    pub facts: &'a Node,
    /// The element at hand and the path of its list, for rules with `each`.
    pub it: Option<(&'a str, &'a Node)>,
}

impl Outcome {
    /// Both hold: no beats unknown, unknown beats yes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (no @ Self::No(_), _) | (_, no @ Self::No(_)) => no,
            (Self::Unknown(mut all), Self::Unknown(more)) => {
                all.absorb(&more);
                Self::Unknown(all)
            }
            (unknown @ Self::Unknown(_), Self::Yes) | (Self::Yes, unknown) => unknown,
        }
    }
}

impl Conditions {
    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// Whether all lines hold.
    pub fn all(&self, scope: Scope<'_>) -> Outcome {
        let mut outcome = Outcome::Yes;
        for line in &self.0 {
            match line.test(scope) {
                no @ Outcome::No(_) => return no,
                other => outcome = outcome.and(other),
            }
        }
        outcome
    }

    /// Whether none of the lines holds.
    pub fn none(&self, scope: Scope<'_>) -> Outcome {
        let mut outcome = Outcome::Yes;
        for line in &self.0 {
            match line.test(scope) {
                Outcome::Yes => return Outcome::No(line.cite(scope)),
                Outcome::No(_) => {}
                unknown => outcome = outcome.and(unknown),
            }
        }
        outcome
    }

    /// Whether all lines hold that do not speak of `it`.
    pub fn all_without_it(&self, facts: &Node) -> Outcome {
        let lines = self.0.iter().filter(|line| !line.is_about_element()).cloned().collect();
        Self(lines).all(Scope { facts, it: None })
    }

    /// The known facts that the lines are about.
    pub fn cited(&self, scope: Scope<'_>) -> Vec<Cited> {
        self.0.iter().filter(|line| line.is_known(scope)).map(|line| line.cite(scope)).collect()
    }
}

impl Condition {
    /// Whether it is about the element at hand.
    pub fn is_about_element(&self) -> bool {
        self.path.starts_with("it.")
    }

    /// Whether it holds.
    pub fn test(&self, scope: Scope<'_>) -> Outcome {
        match resolve(scope, &self.path) {
            Resolved::Unknown(unknown) => Outcome::Unknown(unknown.clone()),
            Resolved::Known(value, _) => match self.matches(value) {
                Some(true) => Outcome::Yes,
                Some(false) => Outcome::No(self.cite(scope)),
                None => Outcome::Unknown(elements_unknown(value)),
            },
        }
    }

    /// Whether a known value is one of the expected; nothing if an unknown element of a list could be.
    fn matches(&self, value: &Value) -> Option<bool> {
        let Value::List(elements) = value else {
            return Some(self.expected.iter().any(|scalar| equal(scalar, value)));
        };
        let found = elements.iter().any(|element| match element {
            Node::Known(value, _) => self.expected.iter().any(|scalar| equal(scalar, value)),
            Node::Unknown(_) => false,
        });
        let open = elements.iter().any(|element| matches!(element, Node::Unknown(_)));
        if found { Some(true) } else { (!open).then_some(false) }
    }

    fn is_known(&self, scope: Scope<'_>) -> bool {
        matches!(resolve(scope, &self.path), Resolved::Known(..))
    }

    fn cite(&self, scope: Scope<'_>) -> Cited {
        let fact = match (self.path.strip_prefix("it."), scope.it) {
            (Some(rest), Some((list, _))) => format!("{list}.{rest}"),
            _ => self.path.clone(),
        };
        let (value, source) = match resolve(scope, &self.path) {
            Resolved::Known(value, source) => (display(value), source.cloned()),
            Resolved::Unknown(_) => ("unknown".to_owned(), None),
        };
        Cited { fact, value, source: source.unwrap_or(Source::Borrowed("target")) }
    }
}

enum Resolved<'a> {
    Known(&'a Value, Option<&'a Source>),
    Unknown(&'a Unknown),
}

static ABSENT: Value = Value::Absent;
static NO_ELEMENT: Unknown = Unknown { missing: Vec::<Missing>::new() };

fn resolve<'a>(scope: Scope<'a>, path: &str) -> Resolved<'a> {
    let (mut node, path) = match path.strip_prefix("it.") {
        Some(rest) => match scope.it {
            Some((_, element)) => (element, rest),
            None => return Resolved::Unknown(&NO_ELEMENT),
        },
        None => (scope.facts, path),
    };
    let mut source = None;
    for name in path.split('.') {
        match node {
            Node::Unknown(unknown) => return Resolved::Unknown(unknown),
            Node::Known(_, own) => {
                source = own.as_ref().or(source);
                // A part of something absent is absent; misspelt parts cannot get here.
                match node.part(name) {
                    Some(part) => node = part,
                    None => return Resolved::Known(&ABSENT, source),
                }
            }
        }
    }
    match node {
        Node::Unknown(unknown) => Resolved::Unknown(unknown),
        Node::Known(value, own) => Resolved::Known(value, own.as_ref().or(source)),
    }
}

fn equal(scalar: &Scalar, value: &Value) -> bool {
    match (scalar, value) {
        (Scalar::Null, Value::Absent) => true,
        (Scalar::Bool(expected), Value::Bool(value)) => expected == value,
        (Scalar::Number(expected), Value::Number(value)) => expected == value,
        (Scalar::Text(expected), Value::Text(value)) => expected == value,
        _ => false,
    }
}

fn elements_unknown(value: &Value) -> Unknown {
    let mut all = Unknown::default();
    if let Value::List(elements) = value {
        for element in elements {
            if let Node::Unknown(unknown) = element {
                all.absorb(unknown);
            }
        }
    }
    all
}

/// A value as text, lists with their first elements.
pub(crate) fn display(value: &Value) -> String {
    const SHOWN: usize = 5;
    match value {
        Value::Absent => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(elements) if elements.is_empty() => "none".to_owned(),
        Value::List(elements) => {
            let mut shown: Vec<String> = elements.iter().take(SHOWN).map(display_node).collect();
            if elements.len() > SHOWN {
                shown.push(format!("and {} more", elements.len() - SHOWN));
            }
            shown.join(", ")
        }
        Value::Object(parts) => parts.first().map(|(_, node)| display_node(node)).unwrap_or_default(),
    }
}

fn display_node(node: &Node) -> String {
    match node {
        Node::Known(value, _) => display(value),
        Node::Unknown(_) => "unknown".to_owned(),
    }
}

/// The value of a fact, or why it is unknown.
///
/// # Errors
/// The fact is unknown.
pub(crate) fn find<'a>(facts: &'a Node, path: &str) -> Result<&'a Value, &'a Unknown> {
    match resolve(Scope { facts, it: None }, path) {
        Resolved::Known(value, _) => Ok(value),
        Resolved::Unknown(unknown) => Err(unknown),
    }
}

impl Conditions {
    /// The lines in words, for `explain`.
    pub(crate) fn in_words(&self) -> Vec<String> {
        self.0.iter().map(|line| line.in_words("is")).collect()
    }

    /// The lines of `unless` in words.
    pub(crate) fn in_words_denied(&self) -> Vec<String> {
        self.0.iter().map(|line| line.in_words("is not")).collect()
    }
}

impl Condition {
    fn in_words(&self, verb: &str) -> String {
        let values: Vec<String> = self.expected.iter().map(Scalar::to_string).collect();
        format!("{} {verb} {}", self.path, values.join(" or "))
    }
}
