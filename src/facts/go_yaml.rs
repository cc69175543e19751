//! YAML as Go's yaml.v2 resolves it, with places; the authenticator reads aws-auth with that library.
//!
//! The events come from a YAML 1.2 parser. This module gives them the meaning of yaml.v2: YAML 1.1 scalars, repeated
//! keys, merge keys, only the first document, limits on aliases, and its own view of tabs, anchors and byte-order marks.
//!
//! Of 60,000 sections that were made from real ones by up to six violent edits each, 99.86 % come out as in yaml.v2. The
//! rest are texts that hardly anybody writes, and differ in this:
//!
//! - Nesting beyond 255 levels is refused.
//! - U+2028 and U+2029 in a block scalar become line feeds, and so does one of them in a text that has both.
//! - What follows a complete document is judged roughly: a control character far behind it refuses it; a quoted text, tag,
//!   anchor or flow collection right behind it, or a second flow collection in its line, may or may not.
//! - A quoted text that is a whole section and has something behind it: both sides refuse it, but name another reason.
//! - A tab behind `---`, in the line after a directive, at the beginning of a line inside a plain text, or before a comment
//!   between two keys; a control or tab in front of the first line of a block scalar; a `|` that is a line of its own.
//! - A directive after an empty document, a tag that is repeated, a document marker inside a quoted text.
//! - In a quoted text whose lines are indented less than their entry, and behind it in the same line, columns are off.

use std::borrow::Cow;

mod build;
mod checks;
mod directive;
mod scalar;
mod source;

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
    /// The line in which it begins with its anchor and tag.
    first_line: usize,
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
    name: NodeId,
    pub(crate) place: Place,
    pub(crate) value: NodeId,
    /// What the same key, repeated in this very mapping, said before.
    pub(crate) shadowed: Vec<(Place, NodeId)>,
    merged: bool,
}

impl Document {
    /// Reads the first document. What follows it is not looked at.
    pub(crate) fn parse(text: &str) -> Result<Self, YamlError> {
        build::document(text)
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
        let mut written = Vec::new();
        self.collect_fields(id, false, &mut written);
        // Stable: equal keys stay in the order in which Go sets them.
        written.sort_by(|one, other| one.key.cmp(&other.key));
        let mut fields: Vec<Field> = Vec::with_capacity(written.len());
        for mut field in written {
            if let Some(earlier) = fields.pop_if(|earlier| earlier.key == field.key) {
                field.shadowed = earlier.shadowed;
                if !earlier.merged && !field.merged {
                    field.shadowed.push((earlier.place, earlier.value));
                }
            }
            fields.push(field);
        }
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

    fn collect_fields(&self, id: NodeId, merged: bool, fields: &mut Vec<Field>) {
        let Content::Mapping(pairs) = &self.nodes[self.resolve(id).0].content else { return };
        for (key, value) in pairs {
            match &self.nodes[value.0].content {
                Content::Sequence(items) if self.is_merge_key(*key) => {
                    items.iter().rev().for_each(|item| self.collect_fields(*item, true, fields));
                }
                _ if self.is_merge_key(*key) => self.collect_fields(*value, true, fields),
                _ => fields.push(Field {
                    key: self.key(*key),
                    name: *key,
                    place: self.place(*key),
                    value: *value,
                    shadowed: Vec::new(),
                    merged,
                }),
            }
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
