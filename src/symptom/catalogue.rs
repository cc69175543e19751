//! The catalogue of error messages: data in `messages/*.txt`, read once, at the first use.
//!
//! The first line of a message is its id, the others are `  key: value`. `[client]` begins the messages of another client;
//! a line that starts with `#` is a remark. Keys:
//!
//! - `pattern`: a regular expression; any blank stands for any white space, letter case and kinds of quotes do not matter,
//!   and a group with the name of a fact ([`StatedFacts`](super::StatedFacts)) states that fact. `or`: a further wording.
//! - `sample`: a real text of this kind, in one line, with `\n`, `\t` and `\\`.
//! - `classes`: the symptoms that it can be.
//! - `causes`: rule ids with weights, or the name of a list in `causes.txt`.
//! - `meaning`: one or two sentences for somebody who sees the text for the first time. `note`: what to know besides.
//! - `proves`: the cause that the text states by itself. It must be the likeliest one.
//! - `precision`: `broad` or `general` ([`Precision`]); else precise.
//! - `over`: messages that count for nothing where this one is read from the same words or within a few lines. Else the
//!   one with more certain letters counts.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::SymptomClass;
use super::pattern::Pattern;

/// The id of a cause, which is the path of its rule: `mapping/role-path`.
pub type CauseId = &'static str;

/// How much a message says beside others. Only the most precise ones of a text count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// It speaks of this failure and no other.
    Precise,
    /// Programs that have nothing to do with AWS or Kubernetes write it too.
    Broad,
    /// An envelope, a notice, or what follows from the failure: any other message near it says more.
    General,
}

/// An error message that some client, service or log writes.
pub struct Message {
    /// Stable name, such as `kubectl-401-unauthorized`.
    pub id: &'static str,
    /// The program, service or log that writes it.
    pub client: &'static str,
    /// The symptoms that this text can be; only a cause that produces one of them can be behind it.
    pub classes: Vec<SymptomClass>,
    sample: &'static str,
    /// What it means, in one or two sentences.
    pub meaning: &'static str,
    /// What a reader should know besides.
    pub note: Option<&'static str>,
    /// What may be behind it, most likely first; the weights add up to 1.
    pub causes: Vec<(CauseId, f64)>,
    /// The cause that this text states by itself, so that nothing else need be looked up.
    pub proves: Option<CauseId>,
    /// How much it says beside other messages.
    pub precision: Precision,
    /// Messages that say less than this one where both are read from the same words.
    pub(crate) over: Vec<&'static str>,
    /// Expressions for its wordings; the first one is that of the sample.
    pub(crate) patterns: Vec<Pattern>,
}

impl Message {
    /// A real text of this kind.
    pub fn sample(&self) -> String {
        unescape(self.sample)
    }

    /// The stage at which the request has died, as far as this text alone tells: that of the likeliest cause.
    pub fn stage(&self) -> &'static str {
        self.causes.first().and_then(|(cause, _)| cause.split_once('/')).map_or("other", |(stage, _)| stage)
    }
}

/// Everything that is known about error texts.
pub(crate) struct Catalogue {
    pub(crate) messages: Vec<Message>,
    /// Statements that many messages share: they add facts, and mean nothing by themselves.
    pub(crate) statements: Vec<Pattern>,
}

const CAUSES: &str = include_str!("messages/causes.txt");
const STATEMENTS: &str = include_str!("messages/statements.txt");
const MESSAGES: [&str; 13] = [
    include_str!("messages/kubectl.txt"),
    include_str!("messages/exec-plugin.txt"),
    include_str!("messages/aws-cli.txt"),
    include_str!("messages/eks-api.txt"),
    include_str!("messages/console.txt"),
    include_str!("messages/helm.txt"),
    include_str!("messages/terraform.txt"),
    include_str!("messages/eksctl.txt"),
    include_str!("messages/desktop.txt"),
    include_str!("messages/node.txt"),
    include_str!("messages/control-plane.txt"),
    include_str!("messages/sdk.txt"),
    include_str!("messages/kube-clients.txt"),
];

static CATALOGUE: LazyLock<Result<Catalogue, String>> = LazyLock::new(read);
static EMPTY: Catalogue = Catalogue { messages: Vec::new(), statements: Vec::new() };

/// The catalogue. It cannot be empty: a test reads it.
pub(crate) fn catalogue() -> &'static Catalogue {
    CATALOGUE.as_ref().unwrap_or(&EMPTY)
}

/// All messages, in the order of the catalogue.
pub fn messages() -> &'static [Message] {
    &catalogue().messages
}

type Weights = Vec<(CauseId, f64)>;
type Keys = Vec<(&'static str, &'static str)>;

fn read() -> Result<Catalogue, String> {
    let shared = content(CAUSES)
        .map(|line| {
            let (name, list) = line.split_once(": ").ok_or_else(|| format!("no list of causes: {line}"))?;
            Ok((name, weights(list)?))
        })
        .collect::<Result<BTreeMap<&str, Weights>, String>>()?;
    let mut messages = Vec::new();
    for file in MESSAGES {
        read_file(file, &shared, &mut messages)?;
    }
    Ok(Catalogue { messages, statements: content(STATEMENTS).map(Pattern::new).collect() })
}

fn read_file(file: &'static str, shared: &BTreeMap<&str, Weights>, messages: &mut Vec<Message>) -> Result<(), String> {
    let mut client = "";
    let mut lines = content(file).peekable();
    while let Some(id) = lines.next() {
        if let Some(name) = id.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            client = name;
            continue;
        }
        let mut keys = Keys::with_capacity(8);
        while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
            keys.push(key_and_value(line).ok_or_else(|| format!("{id}: no known key and value: {line}"))?);
        }
        messages.push(message(id, client, &keys, shared).map_err(|why| format!("{id}: {why}"))?);
    }
    Ok(())
}

fn content(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn key_and_value(line: &'static str) -> Option<(&'static str, &'static str)> {
    const KNOWN: [&str; 10] =
        ["pattern", "or", "sample", "classes", "causes", "meaning", "proves", "precision", "over", "note"];
    let (key, value) = line.trim_start().split_once(':')?;
    KNOWN.contains(&key).then_some((key, value.strip_prefix(' ')?))
}

fn message(
    id: &'static str,
    client: &'static str,
    keys: &Keys,
    shared: &BTreeMap<&str, Weights>,
) -> Result<Message, String> {
    let optional = |key: &str| keys.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    let required = |key: &str| optional(key).ok_or_else(|| format!("no {key}"));
    let causes = required("causes")?;
    Ok(Message {
        id,
        client,
        classes: required("classes")?.split(' ').map(str::parse).collect::<Result<_, _>>()?,
        sample: required("sample")?,
        meaning: required("meaning")?,
        note: optional("note"),
        causes: match shared.get(causes) {
            Some(list) => list.clone(),
            None => weights(causes)?,
        },
        proves: optional("proves"),
        precision: match optional("precision") {
            None => Precision::Precise,
            Some("broad") => Precision::Broad,
            Some("general") => Precision::General,
            Some(other) => return Err(format!("no precision: {other}")),
        },
        over: optional("over").map(|ids| ids.split(' ').collect()).unwrap_or_default(),
        patterns: std::iter::once(required("pattern")?)
            .chain(keys.iter().filter(|(key, _)| *key == "or").map(|(_, value)| *value))
            .map(Pattern::new)
            .collect(),
    })
}

/// Samples are written in one line: `\n`, `\t` and `\\` stand for what they stand for elsewhere.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

/// Reads `mapping/none 20, credentials/expired 11`; only the proportions matter.
fn weights(list: &'static str) -> Result<Weights, String> {
    let mut weights = list
        .split(", ")
        .map(|item| {
            let (cause, weight) = item.split_once(' ').ok_or_else(|| format!("no cause and weight: {item}"))?;
            Ok((cause, weight.parse::<f64>().map_err(|why| format!("{item}: {why}"))?))
        })
        .collect::<Result<Weights, String>>()?;
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut weights {
        *weight /= sum;
    }
    weights.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::symptom::StatedFacts;

    fn patterns(catalogue: &'static Catalogue) -> impl Iterator<Item = (&'static str, &'static Pattern)> {
        let messages =
            catalogue.messages.iter().flat_map(|message| message.patterns.iter().map(|pattern| (message.id, pattern)));
        messages.chain(catalogue.statements.iter().map(|pattern| ("statement", pattern)))
    }

    #[test]
    fn the_catalogue_is_read() {
        let catalogue = read().unwrap();
        let ids: BTreeSet<_> = catalogue.messages.iter().map(|message| message.id).collect();
        assert_eq!(ids.len(), catalogue.messages.len(), "ids are unique");
        for message in &catalogue.messages {
            assert!(message.over.iter().all(|id| ids.contains(id)), "{}: {:?}", message.id, message.over);
            assert!(message.proves.is_none_or(|proven| message.causes[0].0 == proven), "{}", message.id);
            assert!(message.meaning.ends_with('.') && message.meaning.len() < 400, "{}", message.id);
            assert!(!message.client.is_empty() && !message.classes.is_empty(), "{}", message.id);
            let mutual = |other: &&Message| message.over.contains(&other.id) && other.over.contains(&message.id);
            assert!(
                !catalogue.messages.iter().any(|other| mutual(&other)),
                "{} is over another that is over it",
                message.id
            );
        }
    }

    #[test]
    fn every_pattern_is_an_expression_with_a_literal_and_known_groups() {
        for (id, pattern) in patterns(catalogue()) {
            let regex = pattern.regex().unwrap_or_else(|| panic!("{id} does not compile"));
            for name in regex.capture_names().flatten() {
                assert!(StatedFacts::NAMES.contains(&name), "{id}: {name} is no fact");
            }
            assert!(
                !pattern.is_short() || pattern.is_whole_line(),
                "{id} has no literal to look for: {:?}",
                pattern.anchors()
            );
        }
    }
}
