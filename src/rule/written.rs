//! A rule as people write it in `rules/<stage>/<cause>.yaml`. Its doc comments become `rules/rule.schema.json`.
//!
//! Nothing here is checked beyond its shape; [`super::check`] turns a written rule into a checked one.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{Actor, Changes, SymptomClass};

/// One cause: when it is the cause, why that stops a request, and what to type.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// What is wrong, in one line, as a statement: "aws-auth maps the role with its IAM path".
    pub(crate) title: Located<String>,
    /// Ids of the more general causes that this one makes more precise; they are folded into it.
    #[serde(default)]
    pub(crate) refines: Many<Located<String>>,
    /// How often this is the cause, relative to the others of its stage. 1 if left out.
    pub(crate) weight: Option<f64>,
    /// The symptom classes that this cause produces; all others rule it out.
    pub(crate) explains: Vec<SymptomClass>,
    /// Whether the evidence can prove it. `false` for causes that can only ever be suspected.
    pub(crate) provable: Option<bool>,
    /// Whether it is the cause of last resort, shown only if no other cause is confirmed.
    pub(crate) last_resort: Option<bool>,
    /// A list-valued fact; the rule is tried for each of its elements, which the rule calls `it`.
    pub(crate) each: Option<Located<String>>,
    /// All of these must hold: a fact's path and the value it must have.
    pub(crate) when: Conditions,
    /// None of these may hold.
    #[serde(default)]
    pub(crate) unless: Conditions,
    /// Two or three sentences that say why, with the user's own names in them.
    pub(crate) because: Located<String>,
    /// What to do, the least right first.
    #[serde(default)]
    pub(crate) fix: Vec<Fix>,
    /// Names of files in `rules/recipes`: ways to mend it that several causes share, offered after its own.
    #[serde(default)]
    pub(crate) recipes: Many<Located<String>>,
    /// Commands that show whether a fix has worked.
    #[serde(default)]
    pub(crate) verify: Many<Located<String>>,
    /// How to recognise this cause by hand.
    pub(crate) recognise: Option<Located<String>>,
    /// Pages that say more.
    pub(crate) docs: Many<Located<String>>,
}

/// One way to mend it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fix {
    /// What the commands do, as an imperative.
    pub(crate) title: Located<String>,
    /// Who can run them.
    pub(crate) actor: Actor,
    /// Offered only if all of these hold for certain.
    #[serde(default)]
    pub(crate) when: Conditions,
    /// Not offered if one of these holds for certain.
    #[serde(default)]
    pub(crate) unless: Conditions,
    /// What the actor needs: IAM actions, Kubernetes rights.
    #[serde(default)]
    pub(crate) requires: Many<Located<String>>,
    /// What the commands change.
    pub(crate) changes: Changes,
    /// A warning to read first.
    pub(crate) warning: Option<Located<String>>,
    /// Commands, each complete; a command may have several lines.
    pub(crate) run: Many<Located<String>>,
    /// Commands that take it back. Left out where that is impossible or nothing was changed.
    #[serde(default)]
    pub(crate) undo: Many<Located<String>>,
    /// Commands that show whether it has worked, if they differ from the rule's.
    #[serde(default)]
    pub(crate) verify: Many<Located<String>>,
}

/// The lines of `when` or `unless`, in their order.
#[derive(Debug, Default)]
pub(crate) struct Conditions(pub(crate) Vec<Condition>);

/// One line of `when` or `unless`.
#[derive(Debug)]
pub(crate) struct Condition {
    /// The fact.
    pub(crate) path: Located<String>,
    /// The values it may have.
    pub(crate) expected: Vec<Located<Scalar>>,
}

/// A value in a condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// Absent.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// One value, or a list of values.
#[derive(Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

/// A value with its place in the file.
#[derive(Debug, Clone)]
pub(crate) struct Located<T> {
    /// The value.
    pub(crate) value: T,
    /// Line and column of its first character, counted from 1.
    pub(crate) place: (usize, usize),
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_yaml::Spanned::<T>::deserialize(deserializer)?;
        let at = spanned.referenced;
        Ok(Self { value: spanned.value, place: (at.line() as usize, at.column() as usize) })
    }
}

impl<'de> Deserialize<'de> for Many<Located<String>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_yaml::Spanned::<ManyTexts>::deserialize(deserializer)?;
        let at = spanned.referenced;
        Ok(Self(match spanned.value {
            ManyTexts::One(value) => {
                vec![Located { value, place: (at.line() as usize, at.column() as usize) }]
            }
            ManyTexts::Several(values) => values,
        }))
    }
}

/// A text or a list of texts.
enum ManyTexts {
    One(String),
    Several(Vec<Located<String>>),
}

impl<'de> Deserialize<'de> for ManyTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ManyTexts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ManyTexts, E> {
                Ok(ManyTexts::One(text.to_owned()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<ManyTexts, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(ManyTexts::Several(values))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor(PhantomData<()>);

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Conditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of fact paths to the values they must have")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
                let mut lines = Vec::new();
                while let Some(path) = map.next_key::<Located<String>>()? {
                    let Alternatives(expected) = map.next_value()?;
                    lines.push(Condition { path, expected });
                }
                Ok(Conditions(lines))
            }
        }

        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

/// A scalar or a list of scalars.
struct Alternatives(Vec<Located<Scalar>>);

impl<'de> Deserialize<'de> for Alternatives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = serde_yaml::Spanned::<ScalarOrList>::deserialize(deserializer)?;
        let at = spanned.referenced;
        Ok(Self(match spanned.value {
            ScalarOrList::Scalar(value) => vec![Located { value, place: (at.line() as usize, at.column() as usize) }],
            ScalarOrList::List(values) => values,
        }))
    }
}

enum ScalarOrList {
    Scalar(Scalar),
    List(Vec<Located<Scalar>>),
}

impl<'de> Deserialize<'de> for ScalarOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ScalarOrList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true, false, null, or a list of these")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<ScalarOrList, E> {
                Ok(ScalarOrList::Scalar(Scalar::Bool(value)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ScalarOrList, E> {
                Ok(ScalarOrList::Scalar(Scalar::Number(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ScalarOrList, E> {
                i64::try_from(value).map(|value| ScalarOrList::Scalar(Scalar::Number(value))).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ScalarOrList, E> {
                Ok(ScalarOrList::Scalar(Scalar::Text(text.to_owned())))
            }

            fn visit_unit<E: de::Error>(self) -> Result<ScalarOrList, E> {
                Ok(ScalarOrList::Scalar(Scalar::Null))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<ScalarOrList, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(ScalarOrList::List(values))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match ScalarOrList::deserialize(deserializer)? {
            ScalarOrList::Scalar(scalar) => Ok(scalar),
            ScalarOrList::List(_) => Err(de::Error::custom("a list inside a list")),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Many".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one.clone(), { "type": "array", "items": one }] })
    }
}

impl JsonSchema for Conditions {
    fn schema_name() -> Cow<'static, str> {
        "Conditions".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        super::when::json_schema()
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("absent"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}
