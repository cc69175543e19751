//! YAML as Go's yaml.v2 resolves it, with places; the authenticator reads aws-auth with that library.
//!
//! The events come from a YAML 1.2 parser; this module gives them the meaning of yaml.v2: YAML 1.1 scalars, repeated
//! keys, merge keys, only the first document, and the limits on aliases. Known differences: nesting beyond 255 levels
//! is refused, U+0085, U+2028 and U+2029 end a line but always read as an ordinary line break, and the two parsers
//! disagree on a few malformed texts (a comment or a `?` right inside a flow collection, a tab between a key and its
//! value's block, a block scalar at column 0). Messages of syntax errors are those of the event parser.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};

mod checks;
mod scalar;

pub(crate) use scalar::Scalar;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where, if one place is to blame.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
}

/// The first document of a text.
#[derive(Debug)]
pub(crate) struct Document {
    nodes: Vec<Node>,
    root: Option<NodeId>,
    /// The text from the next document on, and where it begins.
    pub(crate) rest: Option<(String, Place)>,
}

/// A node of a [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

#[derive(Debug)]
struct Node {
    place: Place,
    tag: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar { text: String, plain: bool, lines: usize },
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    Alias { target: NodeId, inside_itself: bool },
}

/// What a node is once it has become JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool,
    Number,
    Text(Cow<'a, str>),
    List(&'a [NodeId]),
    Object,
}

/// A key of an object, with the value that wins.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: NodeId,
    /// What the same key, repeated in this very mapping, said before.
    pub(crate) shadowed: Vec<(Place, NodeId)>,
    merged: bool,
}

impl Document {
    /// Reads the first document. What follows it is not looked at.
    pub(crate) fn parse(text: &str) -> Result<Self, YamlError> {
        if let Some(place) = control_character(text) {
            let message = "control characters are not allowed".to_owned();
            return Err(YamlError { place: Some(place), message });
        }
        let text = line_breaks(text);
        let mut options = Options::default();
        options.emit_comments = false;
        options.emit_unresolved_aliases = true;
        let parser = Parser::new_from_str_with_options(&text, options);
        let builder = Builder { parser, nodes: Vec::new(), anchors: HashMap::new(), open: Vec::new(), root: None };
        builder.build(&text)
    }

    pub(crate) fn root(&self) -> Option<NodeId> {
        self.root
    }

    pub(crate) fn place(&self, id: NodeId) -> Place {
        self.nodes[id.0].place
    }

    /// Whether the node is a plain scalar that goes over several lines.
    pub(crate) fn is_folded(&self, id: NodeId) -> bool {
        matches!(self.nodes[id.0].content, Content::Scalar { plain: true, lines: 2.., .. })
    }

    /// Text of a scalar as written, and what it means.
    pub(crate) fn scalar(&self, id: NodeId) -> Option<(&str, Result<Scalar, String>)> {
        let node = &self.nodes[self.resolve(id).0];
        let Content::Scalar { text, plain, .. } = &node.content else { return None };
        Some((text, scalar::resolve(&node.tag, text, *plain)))
    }

    /// The node as JSON has it. A scalar that yaml.v2 refuses counts as null: [`Document::check`] finds it first.
    pub(crate) fn value(&self, id: NodeId) -> Value<'_> {
        let node = &self.nodes[self.resolve(id).0];
        match &node.content {
            Content::Sequence(items) => Value::List(items),
            Content::Mapping(_) | Content::Alias { .. } => Value::Object,
            Content::Scalar { text, plain, .. } => match scalar::resolve(&node.tag, text, *plain) {
                Ok(Scalar::Text) => Value::Text(Cow::Borrowed(text)),
                Ok(Scalar::Binary(decoded)) => Value::Text(Cow::Owned(decoded)),
                Ok(Scalar::Bool(_)) => Value::Bool,
                Ok(Scalar::Number { .. } | Scalar::NotFinite) => Value::Number,
                Ok(Scalar::Null) | Err(_) => Value::Null,
            },
        }
    }

    /// The keys of a mapping, sorted by their bytes as Go writes them to JSON, merge keys applied. Of a repeated key the
    /// last one wins, and a merge key counts where it stands: one that is written after a key overrides it.
    pub(crate) fn fields(&self, id: NodeId) -> Vec<Field> {
        let mut fields = HashMap::new();
        self.collect_fields(id, false, &mut fields);
        let mut fields: Vec<Field> = fields.into_values().collect();
        fields.sort_by(|one, other| one.key.cmp(&other.key));
        fields
    }

    /// The scalars at and below a node, aliases not followed.
    pub(crate) fn texts_below(&self, id: NodeId) -> Vec<(&str, Place)> {
        let mut texts = Vec::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            match &self.nodes[id.0].content {
                Content::Scalar { text, .. } => texts.push((text.as_str(), self.place(id))),
                Content::Sequence(items) => waiting.extend(items.iter().rev()),
                Content::Mapping(pairs) => waiting.extend(pairs.iter().rev().flat_map(|(key, value)| [value, key])),
                Content::Alias { .. } => {}
            }
        }
        texts
    }

    fn collect_fields(&self, id: NodeId, merged: bool, fields: &mut HashMap<String, Field>) {
        let Content::Mapping(pairs) = &self.nodes[self.resolve(id).0].content else { return };
        for (key, value) in pairs {
            if self.is_merge_key(*key) {
                match &self.nodes[value.0].content {
                    Content::Sequence(items) => {
                        items.iter().rev().for_each(|item| self.collect_fields(*item, true, fields));
                    }
                    _ => self.collect_fields(*value, true, fields),
                }
                continue;
            }
            let mut field =
                Field { key: self.key(*key), place: self.place(*key), value: *value, shadowed: Vec::new(), merged };
            if let Some(earlier) = fields.remove(&field.key) {
                field.shadowed = earlier.shadowed;
                if !earlier.merged && !merged {
                    field.shadowed.push((earlier.place, earlier.value));
                }
            }
            fields.insert(field.key.clone(), field);
        }
    }

    /// A key as text. Only texts can be keys that somebody looks for, so numbers are kept as written.
    fn key(&self, id: NodeId) -> String {
        match self.scalar(id) {
            Some((_, Ok(Scalar::Bool(value)))) => value.to_string(),
            Some((_, Ok(Scalar::Binary(text)))) => text,
            Some((text, _)) => text.to_owned(),
            None => String::new(),
        }
    }

    fn is_merge_key(&self, id: NodeId) -> bool {
        let node = &self.nodes[id.0];
        let plain_merge = |plain| plain && matches!(node.tag.as_str(), "" | "!") || node.tag.ends_with(",2002:merge");
        matches!(&node.content, Content::Scalar { text, plain, .. } if text == "<<" && plain_merge(*plain))
    }

    fn resolve(&self, id: NodeId) -> NodeId {
        match self.nodes[id.0].content {
            Content::Alias { target, .. } => target,
            _ => id,
        }
    }
}

/// Builds a [`Document`] from events, without recursion.
struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    nodes: Vec<Node>,
    anchors: HashMap<usize, NodeId>,
    /// The collections that are not closed yet; of a mapping also the key that waits for its value.
    open: Vec<(NodeId, Option<NodeId>)>,
    root: Option<NodeId>,
}

impl<'a> Builder<'a> {
    fn build(mut self, text: &str) -> Result<Document, YamlError> {
        let mut rest = None;
        let mut ended = false;
        while let Some((event, span)) = self.next_event(ended)? {
            match event {
                Event::DocumentStart(..) if ended => {
                    let begin = span.start.byte_offset();
                    rest = begin.and_then(|begin| Some((text.get(begin..)?.to_owned(), start_of(&span))));
                    break;
                }
                Event::DocumentEnd => ended = true,
                Event::StreamEnd => break,
                Event::SequenceEnd | Event::MappingEnd => {
                    self.open.pop();
                }
                event => self.node(event, &span)?,
            }
        }
        Ok(Document { nodes: self.nodes, root: self.root, rest })
    }

    /// The next event. Behind the first document an error is nobody's business.
    fn next_event(&mut self, ended: bool) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) if !ended => {
                let place = Place { line: error.marker().line(), column: error.marker().col() + 1 };
                Err(YamlError { place: Some(place), message: error.info() })
            }
            Some(Err(_)) | None => Ok(None),
        }
    }

    fn node(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let place = start_of(span);
        let (content, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                // The parser says `~` where nothing is written.
                let nothing = span.byte_range().is_some_and(|range| range.is_empty()) && text == "~";
                let text = if nothing { String::new() } else { text.into_owned() };
                let plain = style == ScalarStyle::Plain;
                (Content::Scalar { text, plain, lines: 1 + span.end.line() - span.start.line() }, anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (Content::Sequence(Vec::new()), anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Content::Mapping(Vec::new()), anchor, tag),
            Event::Alias(anchor) => (self.alias(anchor, place)?, 0, None),
            Event::UnresolvedAlias(name) => {
                return Err(YamlError { place: Some(place), message: format!("unknown anchor '{name}' referenced") });
            }
            _ => return Ok(()),
        };
        let collection = matches!(content, Content::Sequence(_) | Content::Mapping(_));
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { place, tag: tag.as_deref().map(full_tag).unwrap_or_default(), content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id);
        if collection {
            self.open.push((id, None));
        }
        Ok(())
    }

    fn alias(&self, anchor: usize, place: Place) -> Result<Content, YamlError> {
        let unknown = || YamlError { place: Some(place), message: "unknown anchor referenced".to_owned() };
        let target = *self.anchors.get(&anchor).ok_or_else(unknown)?;
        Ok(Content::Alias { target, inside_itself: self.open.iter().any(|(id, _)| *id == target) })
    }

    fn attach(&mut self, id: NodeId) {
        let Some((parent, key)) = self.open.last_mut() else {
            self.root.get_or_insert(id);
            return;
        };
        match &mut self.nodes[parent.0].content {
            Content::Sequence(items) => items.push(id),
            Content::Mapping(pairs) => match key.take() {
                Some(key) => pairs.push((key, id)),
                None => *key = Some(id),
            },
            Content::Scalar { .. } | Content::Alias { .. } => {}
        }
    }
}

fn start_of(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn full_tag(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn control_character(text: &str) -> Option<Place> {
    let forbidden = |character: char| match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        _ => character.is_control(),
    };
    let position = text.find(forbidden)?;
    let before = &text[..position];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some(Place { line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() })
}

/// The text with the line breaks of YAML 1.1 that YAML 1.2 dropped replaced by one that both know.
fn line_breaks(text: &str) -> Cow<'_, str> {
    const DROPPED: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    if text.contains(DROPPED) { Cow::Owned(text.replace(DROPPED, "\n")) } else { Cow::Borrowed(text) }
}
