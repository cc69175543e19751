//! What yaml.v2 and the step to JSON refuse although the syntax is fine, and how yaml.v2 reads a list of strings.

use super::scalar::{self, Scalar};
use super::{Content, Document, Node, NodeId, Place, YamlError};

const CONTAINS_ITSELF: &str = "an anchor's value contains itself";

/// The outcome of reading a document into a list of strings.
#[derive(Debug, Default)]
pub(crate) struct StringList {
    /// The items that fit, with their places.
    pub(crate) items: Vec<(String, Place)>,
    /// One line of yaml.v2's message for everything that does not fit.
    pub(crate) mismatches: Vec<(Place, String)>,
    /// What stopped the reading. The items behind it are empty strings then.
    pub(crate) failure: Option<YamlError>,
}

/// Counts decoded nodes as yaml.v2 does to refuse documents that consist of little but aliases.
#[derive(Default)]
struct AliasBudget {
    decoded: u32,
    by_alias: u32,
}

impl AliasBudget {
    /// Allowed share of aliases: 99 % up to this many nodes, …
    const SMALL: f64 = 400_000.0;
    /// … falling to 10 % at this many.
    const LARGE: f64 = 4_000_000.0;

    fn spend(&mut self, aliased: bool) -> Result<(), YamlError> {
        self.decoded += 1;
        self.by_alias += u32::from(aliased);
        if self.by_alias <= 100 || self.decoded <= 1000 {
            return Ok(());
        }
        let (decoded, by_alias) = (f64::from(self.decoded), f64::from(self.by_alias));
        let beyond = ((decoded - Self::SMALL) / (Self::LARGE - Self::SMALL)).clamp(0.0, 1.0);
        if by_alias / decoded > 0.99 - 0.89 * beyond {
            return Err(YamlError { place: None, message: "document contains excessive aliasing".to_owned() });
        }
        Ok(())
    }
}

impl Document {
    /// Whether yaml.v2 can read the document without a type in mind, and JSON can say what has become of it.
    pub(crate) fn check(&self) -> Result<(), YamlError> {
        self.check_reading()?;
        self.check_result()
    }

    fn check_reading(&self) -> Result<(), YamlError> {
        let mut budget = AliasBudget::default();
        budget.spend(false)?;
        // Last in, first out; whether the node is reached through an alias stands beside it.
        let mut waiting: Vec<(NodeId, bool)> = self.root().map(|root| (root, false)).into_iter().collect();
        while let Some((id, aliased)) = waiting.pop() {
            budget.spend(aliased)?;
            match &self.nodes[id.0].content {
                Content::Scalar { .. } => self.check_scalar(id)?,
                Content::Sequence(items) => waiting.extend(items.iter().rev().map(|item| (*item, aliased))),
                Content::Mapping(pairs) => {
                    for (key, value) in pairs.iter().rev() {
                        if self.is_merge_key(*key) {
                            let sources = self.merge_sources(*value)?;
                            waiting.extend(sources.iter().map(|source| (*source, aliased)));
                        } else {
                            self.check_key(*key)?;
                            budget.spend(aliased)?;
                            waiting.push((*value, aliased));
                        }
                    }
                }
                Content::Alias { inside_itself: true, .. } => {
                    return Err(self.error(id, CONTAINS_ITSELF.to_owned()));
                }
                Content::Alias { target, .. } => waiting.push((*target, true)),
            }
        }
        Ok(())
    }

    /// JSON has neither a null as a key nor infinite numbers. What a later key has replaced does not matter.
    fn check_result(&self) -> Result<(), YamlError> {
        let mut seen = vec![false; self.nodes.len()];
        let mut waiting: Vec<NodeId> = self.root().into_iter().collect();
        while let Some(id) = waiting.pop().map(|id| self.resolve(id)) {
            if std::mem::replace(&mut seen[id.0], true) {
                continue;
            }
            match &self.nodes[id.0].content {
                Content::Sequence(items) => waiting.extend(items.iter().rev()),
                Content::Mapping(_) => {
                    for field in self.fields(id).iter().rev() {
                        self.check_resulting_key(field.name)?;
                        waiting.push(field.value);
                    }
                }
                Content::Scalar { .. } | Content::Alias { .. } => {
                    if let Some((text, Ok(Scalar::NotFinite))) = self.scalar(id) {
                        return Err(self.error(id, format!("json: unsupported value: {text}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the document into a list of strings.
    pub(crate) fn string_list(&self) -> StringList {
        let mut list = StringList::default();
        let Some(root) = self.root() else { return list };
        let items = match &self.nodes[root.0].content {
            Content::Sequence(items) => items,
            _ => {
                match self.scalar(root) {
                    Some((_, Ok(Scalar::Null))) => {}
                    Some((_, Err(message))) => list.failure = Some(self.error(root, message)),
                    _ => list.mismatches.push(self.mismatch(root, "[]string")),
                }
                return list;
            }
        };
        for item in items {
            let place = self.place(*item);
            let inside_itself = matches!(self.nodes[item.0].content, Content::Alias { inside_itself: true, .. });
            match self.scalar(*item) {
                _ if inside_itself => list.failure = Some(self.error(*item, CONTAINS_ITSELF.to_owned())),
                Some((_, Ok(Scalar::Null))) => list.items.push((String::new(), place)),
                Some((_, Ok(Scalar::Binary(text)))) => list.items.push((text, place)),
                Some((text, Ok(_))) => list.items.push((text.to_owned(), place)),
                Some((_, Err(message))) => list.failure = Some(self.error(*item, message)),
                None => list.mismatches.push(self.mismatch(*item, "string")),
            }
            if list.failure.is_some() {
                list.items.resize(items.len(), (String::new(), place));
                break;
            }
        }
        list
    }

    fn check_scalar(&self, id: NodeId) -> Result<(), YamlError> {
        match self.scalar(id) {
            Some((_, Err(message))) => Err(self.error(id, message)),
            _ => Ok(()),
        }
    }

    fn check_key(&self, id: NodeId) -> Result<(), YamlError> {
        match self.scalar(id) {
            None => Err(self.error(id, format!("invalid map key: {}", self.outline(id)))),
            Some((_, Err(message))) => Err(self.error(id, message)),
            Some(_) => Ok(()),
        }
    }

    /// As a key even an infinite number is fine: it becomes a text.
    fn check_resulting_key(&self, id: NodeId) -> Result<(), YamlError> {
        match self.scalar(id) {
            Some((text, Ok(Scalar::Null | Scalar::Number { usable_as_key: false }))) => {
                Err(self.error(id, format!("unsupported map key: {text}")))
            }
            _ => Ok(()),
        }
    }

    /// The mappings that a merge key names, in the order in which they are applied from the back of the result.
    fn merge_sources(&self, value: NodeId) -> Result<Vec<NodeId>, YamlError> {
        let sources = match &self.nodes[value.0].content {
            Content::Sequence(items) => items.clone(),
            _ => vec![value],
        };
        match sources.iter().find(|source| !matches!(self.nodes[self.resolve(**source).0].content, Content::Mapping(_)))
        {
            Some(wrong) => {
                Err(self.error(*wrong, "map merge requires map or sequence of maps as the value".to_owned()))
            }
            None => Ok(sources),
        }
    }

    /// A collection in a few words: `{SessionName}`.
    fn outline(&self, id: NodeId) -> String {
        match &self.nodes[self.resolve(id).0].content {
            Content::Mapping(pairs) => {
                let keys: Vec<String> = pairs.iter().take(3).map(|(key, _)| self.key(*key)).collect();
                format!("{{{}}}", keys.join(", "))
            }
            _ => "a list".to_owned(),
        }
    }

    fn mismatch(&self, id: NodeId, wanted: &str) -> (Place, String) {
        let id = self.resolve(id);
        let Node { tag, place, first_line, content } = &self.nodes[id.0];
        let (own_tag, text) = match content {
            Content::Sequence(_) => ("!!seq", ""),
            Content::Mapping(_) | Content::Alias { .. } => ("!!map", ""),
            Content::Scalar { text, plain, .. } => match self.scalar(id) {
                Some((_, Ok(meaning))) if *plain || meaning != Scalar::Text => {
                    (scalar::tag_of(&meaning, text), text.as_str())
                }
                _ => ("!!str", text.as_str()),
            },
        };
        let tag = if tag.is_empty() { own_tag.to_owned() } else { scalar::short_tag(tag) };
        let value = match text.as_bytes().get(..7) {
            _ if matches!(tag.as_str(), "!!seq" | "!!map") => text.to_owned(),
            Some(beginning) if text.len() > 10 => format!(" `{}...`", scalar::as_text(beginning)),
            _ => format!(" `{text}`"),
        };
        (*place, format!("line {first_line}: cannot unmarshal {tag}{value} into {wanted}"))
    }

    fn error(&self, id: NodeId, message: String) -> YamlError {
        YamlError { place: Some(self.place(id)), message }
    }
}
