//! What a fact is: known with its source, or unknown with the reasons; and the one description of all facts from
//! which rules and templates are checked when they are loaded.

use std::borrow::Cow;

use crate::evidence::Observed;

/// Where a known fact was read: an observation's path in the evidence, perhaps with a place inside it
/// (`kubernetes.awsAuth mapRoles line 7`).
pub type Source = Cow<'static, str>;

/// Something that follows from the evidence, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// The evidence shows it.
    Known {
        /// What it is.
        value: T,
        /// Where it was read.
        source: Source,
    },
    /// The evidence does not show it.
    Unknown(Unknown),
}

/// Why a fact is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknown {
    /// The observations that are missing; at least one.
    pub missing: Vec<Missing>,
}

/// An observation that would be needed and is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Its path in the evidence: `kubernetes.awsAuth`.
    pub observation: Cow<'static, str>,
    /// Why it is not there: `403 Forbidden`, `not looked at`.
    pub why: String,
}

impl<T> Fact<T> {
    /// A fact with its source.
    pub fn known(value: T, source: impl Into<Source>) -> Self {
        Self::Known { value, source: source.into() }
    }

    /// A fact that needs an observation which is not there.
    pub fn unknown(observation: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self::Unknown(Unknown { missing: vec![Missing { observation: observation.into(), why: why.into() }] })
    }

    /// The value, if it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Whether it is known to be this.
    pub fn is(&self, expected: &T) -> bool
    where
        T: PartialEq,
    {
        self.value() == Some(expected)
    }

    /// The same fact seen by reference.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known { value, source } => Fact::Known { value, source: source.clone() },
            Self::Unknown(unknown) => Fact::Unknown(unknown.clone()),
        }
    }

    /// What follows from a known value, with the same source.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known { value, source } => Fact::Known { value: f(value), source },
            Self::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }

    /// What follows from a known value together with other evidence.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Fact<U>) -> Fact<U> {
        match self {
            Self::Known { value, .. } => f(value),
            Self::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }
}

impl<'a, T> Fact<Option<&'a T>> {
    /// An observation as a fact: found is some, absent is none, everything else is unknown and says why.
    pub fn observed(observed: &'a Observed<T>, observation: &'static str) -> Self {
        match observed {
            Observed::Found(value) => Self::known(Some(value), observation),
            Observed::Absent(_) => Self::known(None, observation),
            other => Self::Unknown(why_unsettled(other, observation)),
        }
    }
}

/// Why an observation that is neither found nor absent settles nothing.
pub fn why_unsettled<T>(observed: &Observed<T>, observation: &'static str) -> Unknown {
    let why = match observed {
        Observed::Found(_) => "answered".to_owned(),
        Observed::Absent(_) => "not there".to_owned(),
        Observed::Denied(failure) | Observed::Failed(failure) => failure.summary(),
        Observed::NotTried(Some(reason)) => reason.clone(),
        Observed::NotTried(None) => "not looked at".to_owned(),
    };
    Unknown { missing: vec![Missing { observation: observation.into(), why }] }
}

impl Unknown {
    /// Takes in the reasons of another unknown, each once.
    pub fn absorb(&mut self, other: &Unknown) {
        for missing in &other.missing {
            if !self.missing.contains(missing) {
                self.missing.push(missing.clone());
            }
        }
    }
}

/// A fact without its Rust type, as rules and templates see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Known; the source is absent where the element around it has one.
    Known(Value, Option<Source>),
    /// Unknown.
    Unknown(Unknown),
}

/// The value of a known fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Known not to be there.
    Absent,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text, or one of the names of a choice.
    Text(String),
    /// Several.
    List(Vec<Node>),
    /// Named parts, in the order of their declaration.
    Object(Vec<(&'static str, Node)>),
}

/// What values a fact can have.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Yes or no.
    Bool,
    /// A whole number.
    Number,
    /// Any text.
    Text,
    /// One of these names. An open choice also carries names that this version does not know.
    Choice(&'static [&'static str]),
    /// The value or nothing.
    Optional(Box<Schema>),
    /// Several.
    List(Box<Schema>),
    /// Named parts.
    Object(Vec<Field>),
}

/// A named part of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name in camel case.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What values it can have.
    pub schema: Schema,
}

/// A Rust type that rules can see.
pub trait Describe {
    /// What values it can have.
    fn schema() -> Schema;
    /// This value.
    fn node(&self) -> Node;
}

impl Node {
    /// A part of an object by name; nothing if this is no object or has no such part.
    pub fn part(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Known(Value::Object(parts), _) => parts.iter().find(|(key, _)| *key == name).map(|(_, node)| node),
            _ => None,
        }
    }
}

impl Schema {
    /// The schema of the value itself, without "or nothing".
    pub fn required(&self) -> &Schema {
        match self {
            Self::Optional(inner) => inner.required(),
            other => other,
        }
    }

    /// The parts, if this describes an object.
    pub fn fields(&self) -> &[Field] {
        match self.required() {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }
}

impl Describe for bool {
    fn schema() -> Schema {
        Schema::Bool
    }
    fn node(&self) -> Node {
        Node::Known(Value::Bool(*self), None)
    }
}

impl Describe for i64 {
    fn schema() -> Schema {
        Schema::Number
    }
    fn node(&self) -> Node {
        Node::Known(Value::Number(*self), None)
    }
}

impl Describe for String {
    fn schema() -> Schema {
        Schema::Text
    }
    fn node(&self) -> Node {
        Node::Known(Value::Text(self.clone()), None)
    }
}

impl<T: Describe> Describe for Option<T> {
    fn schema() -> Schema {
        Schema::Optional(Box::new(T::schema()))
    }
    fn node(&self) -> Node {
        self.as_ref().map_or(Node::Known(Value::Absent, None), Describe::node)
    }
}

impl<T: Describe> Describe for Vec<T> {
    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
    }
    fn node(&self) -> Node {
        Node::Known(Value::List(self.iter().map(Describe::node).collect()), None)
    }
}

impl<T: Describe> Describe for Fact<T> {
    fn schema() -> Schema {
        T::schema()
    }
    fn node(&self) -> Node {
        match self {
            Self::Unknown(unknown) => Node::Unknown(unknown.clone()),
            Self::Known { value, source } => match value.node() {
                Node::Known(value, inner) => Node::Known(value, inner.or_else(|| Some(source.clone()))),
                unknown => unknown,
            },
        }
    }
}

/// Declares a struct of facts; its doc comments and types become the schema that rules are checked against.
macro_rules! facts {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $part_doc:literal])+ $key:literal $part:ident: $type:ty,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $part_doc])+ pub $part: $type,)+
        }

        impl $crate::facts::value::Describe for $name {
            fn schema() -> $crate::facts::value::Schema {
                $crate::facts::value::Schema::Object(vec![$($crate::facts::value::Field {
                    name: $key,
                    doc: concat!($($part_doc),+).trim_ascii(),
                    schema: <$type as $crate::facts::value::Describe>::schema(),
                }),+])
            }

            fn node(&self) -> $crate::facts::value::Node {
                let parts = vec![$(($key, $crate::facts::value::Describe::node(&self.$part))),+];
                $crate::facts::value::Node::Known($crate::facts::value::Value::Object(parts), None)
            }
        }
    };
}

/// Declares an enum whose variants rules name by a text.
macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $variant_doc])+ $variant,)+
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that rules and reports use.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::facts::value::Describe for $name {
            fn schema() -> $crate::facts::value::Schema {
                $crate::facts::value::Schema::Choice(&[$($text),+])
            }

            fn node(&self) -> $crate::facts::value::Node {
                let text = self.as_str().to_owned();
                $crate::facts::value::Node::Known($crate::facts::value::Value::Text(text), None)
            }
        }
    };
}

pub(crate) use {choice, facts};
