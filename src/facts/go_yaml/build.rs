//! From the events of the YAML 1.2 parser to a document, with what yaml.v2 sees differently in the syntax.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::source::{self, Repair};
use super::{Content, Document, Node, NodeId, Place, YamlError};

/// How often a text is changed that yaml.v2 takes and the YAML 1.2 parser does not.
const REPAIRS: usize = 50;

/// Reads the first document of a text.
pub(super) fn document(text: &str) -> Result<Document, YamlError> {
    source::refuse_outright(text)?;
    let mark = source::byte_order_mark_substitute(text);
    let mut text = source::prepare(text, mark);
    let mut repairs = 0;
    loop {
        let failure = match Builder::new(&text, mark).build() {
            Err(failure) => failure,
            Ok(document) => return Ok(document),
        };
        match failure.repair.and_then(|repair| repair.apply(&text)) {
            Some(repaired) if repairs < REPAIRS => text = Cow::Owned(repaired),
            _ => return Err(failure.error),
        }
        repairs += 1;
    }
}

/// Why a document could not be built, and what would help.
struct Failure {
    error: YamlError,
    repair: Option<Repair>,
}

impl From<YamlError> for Failure {
    fn from(error: YamlError) -> Self {
        Self { error, repair: None }
    }
}

/// Builds a [`Document`] from events, without recursion.
struct Builder<'a> {
    text: &'a str,
    /// What stands for byte-order marks.
    mark: char,
    parser: Parser<'a, StrInput<'a>>,
    nodes: Vec<Node>,
    anchors: HashMap<usize, NodeId>,
    open: Vec<Collection>,
    root: Option<NodeId>,
    /// Up to where the text has been searched for tabs that indent.
    searched: usize,
}

/// A collection that is not closed yet.
struct Collection {
    id: NodeId,
    /// Of a mapping, the key that waits for its value.
    key: Option<NodeId>,
    /// Whether a `?` stands before that key, and at which byte the key ends.
    key_is_explicit: bool,
    key_end: usize,
    is_block: bool,
    is_sequence: bool,
    /// A mapping of one pair in a flow sequence, without braces.
    is_bare_pair: bool,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, mark: char) -> Self {
        let mut options = Options::default();
        options.emit_comments = false;
        options.emit_unresolved_aliases = true;
        options.emit_anchor_events = true;
        let parser = Parser::new_from_str_with_options(text, options);
        Self {
            text,
            mark,
            parser,
            nodes: Vec::new(),
            anchors: HashMap::new(),
            open: Vec::new(),
            root: None,
            searched: 0,
        }
    }

    fn build(mut self) -> Result<Document, Failure> {
        let mut rest = None;
        let mut ended = false;
        while let Some(event) = self.parser.next_event() {
            // Once the first document is complete, yaml.v2 reads no further.
            let complete = self.root.is_some() && self.open.is_empty();
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) if complete && !(spoils_the_end(error.kind()) && !ended) => break,
                Err(error) => return Err(self.failure(&error)),
            };
            self.refuse_tabs_before(&event, &span)?;
            match event {
                Event::DocumentStart(..) if ended => {
                    let begin = span.start.byte_offset();
                    rest = begin.and_then(|begin| Some((self.text.get(begin..)?.to_owned(), start_of(&span))));
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

    fn node(&mut self, event: Event<'_>, span: &Span) -> Result<(), Failure> {
        let place = start_of(span);
        let refuse = |message: &str| Err(refusal(place, message));
        let (content, anchor, tag, style) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(&text, style, span)?, anchor, tag, None),
            Event::SequenceStart(style, anchor, tag) => (Content::Sequence(Vec::new()), anchor, tag, Some(style)),
            Event::MappingStart(style, anchor, tag) => (Content::Mapping(Vec::new()), anchor, tag, Some(style)),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(target) => {
                    let inside_itself = self.open.iter().any(|collection| collection.id == *target);
                    (Content::Alias { target: *target, inside_itself }, 0, None, None)
                }
                None => return refuse("unknown anchor referenced"),
            },
            Event::DocumentStart(_, Some(version)) if (version.major, version.minor) != (1, 1) => {
                return refuse("found incompatible YAML document");
            }
            Event::UnresolvedAlias(name) => return refuse(&format!("unknown anchor '{name}' referenced")),
            Event::Anchor(_, name) if !name.chars().all(is_anchor_character) => {
                return refuse("did not find expected alphabetic or numeric character");
            }
            _ => return Ok(()),
        };
        if self.open.last().is_some_and(|parent| parent.is_block && parent.is_sequence) && self.follows_tab(span) {
            return refuse("found character that cannot start any token");
        }
        if let Some(tag_span) = span.tag_span() {
            self.tag(&tag_span)?;
        }
        let id = NodeId(self.nodes.len());
        let is_sequence = matches!(content, Content::Sequence(_));
        self.nodes.push(Node { place, tag: tag.as_deref().map(full_tag).unwrap_or_default(), content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id, span)?;
        if let Some(style) = style {
            let is_block = style == StructureStyle::Block;
            let is_bare_pair = !is_block && span.is_empty();
            self.open.push(Collection {
                id,
                key: None,
                key_is_explicit: false,
                key_end: 0,
                is_block,
                is_sequence,
                is_bare_pair,
            });
        }
        Ok(())
    }

    /// yaml.v2 knows no flow indicators in a tag: in `[!a, b]` the comma belongs to it.
    fn tag(&self, span: &Span) -> Result<(), Failure> {
        let range = span.byte_range().unwrap_or_default();
        let written = self.text.get(range.clone()).unwrap_or_default();
        let behind = self.text.get(range.end..).and_then(|behind| behind.chars().next());
        let is_verbatim = written.starts_with("!<");
        let is_tag_character =
            |character: char| character.is_ascii_alphanumeric() || "-_;/?:@&=+$,.!~*'()[]%".contains(character);
        if !is_verbatim && !written.chars().all(is_tag_character) {
            return Err(refusal(start_of(span), "did not find expected whitespace or line break"));
        }
        let repair = match behind {
            Some(indicator @ (',' | '[' | ']')) if !is_verbatim => {
                Repair { range: range.end..range.end + 1, by: format!("%{:02X}", u32::from(indicator)) }
            }
            Some('{' | '}') => return Err(refusal(start_of(span), "did not find expected whitespace or line break")),
            _ => return Ok(()),
        };
        Err(Failure {
            repair: Some(repair),
            ..refusal(start_of(span), "did not find expected whitespace or line break")
        })
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: &Span) -> Result<Content, Failure> {
        let place = start_of(span);
        let refuse = |message: &str| Err(refusal(place, message));
        let range = span.byte_range().unwrap_or_default();
        let plain = style == ScalarStyle::Plain;
        // The parser says `~` where nothing is written.
        let nothing = plain && range.is_empty();
        let mut text = if nothing { String::new() } else { text.replace(self.mark, "\u{feff}") };
        let parent = self.open.last();
        let explicit = self.text.get(..range.start).unwrap_or_default().trim_end().ends_with('?');
        if nothing && !explicit && parent.is_some_and(|parent| !parent.is_sequence && parent.key.is_none()) {
            return refuse("did not find expected key");
        }
        if plain && parent.is_some_and(|parent| !parent.is_block) {
            if text.starts_with(':') {
                return refuse("did not find expected node content");
            }
            if text.contains('?') {
                let repair = text.starts_with('?').then(|| Repair::blanks(range.start + 1, 1));
                return Err(Failure { repair, ..refusal(place, "did not find expected ',' or ']'") });
            }
        }
        if plain && self.tab_in_indentation_behind(range.end) {
            return refuse("found a tab character that violates indentation");
        }
        // At the end of the text, yaml.v2 adds no line break to a block scalar.
        let in_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if in_block && parent.is_none() && span.start.col() == 0 && !text.is_empty() {
            // Its lines have to be indented, even where nothing is around it.
            let repair = Some(Repair::cut(self.text, range.start));
            return Err(Failure { repair, ..refusal(place, "did not find expected <document start>") });
        }
        if in_block && range.end >= self.text.len() && !self.text.ends_with(['\n', '\r']) && text.ends_with('\n') {
            text.pop();
        }
        Ok(Content::Scalar { text, plain, lines: 1 + span.end.line() - span.start.line() })
    }

    /// Between tokens, a line must not begin with a tab, not even an empty one, except inside a flow collection.
    fn refuse_tabs_before(&mut self, event: &Event<'_>, span: &Span) -> Result<(), YamlError> {
        let Some(range) = span.byte_range() else { return Ok(()) };
        let in_flow = self.open.last().is_some_and(|collection| !collection.is_block);
        let gap = self.text.get(self.searched..range.start).unwrap_or_default();
        if !in_flow && gap.contains('\t') {
            for (index, line) in gap.split('\n').enumerate() {
                let at_line_start = index > 0 || self.searched == 0;
                let column = line.len() - line.trim_start_matches(' ').len();
                if at_line_start && line[column..].starts_with('\t') {
                    let before = self.text.get(..self.searched).unwrap_or_default();
                    let place = Place { line: 1 + before.matches('\n').count() + index, column: column + 1 };
                    let message = "found character that cannot start any token".to_owned();
                    return Err(YamlError { place: Some(place), message });
                }
            }
        }
        self.searched = self.searched.max(range.end);
        if matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..)) && !range.is_empty() {
            self.searched += self.space_behind(range.end).len();
        }
        Ok(())
    }

    /// The white space behind a plain scalar, which belongs to it.
    fn space_behind(&self, end: usize) -> &'a str {
        let behind = self.text.get(end..).unwrap_or_default();
        let length = behind.find(|character| !" \t\r\n".contains(character)).unwrap_or(behind.len());
        behind.get(..length).unwrap_or_default()
    }

    /// Whether the item of a block sequence is separated from its dash by a tab.
    fn follows_tab(&self, span: &Span) -> bool {
        let before = span.start.byte_offset().and_then(|start| self.text.get(..start)).unwrap_or_default();
        let blanks = before.len() - before.trim_end_matches([' ', '\t']).len();
        let (before, blanks) = before.split_at(before.len() - blanks);
        before.ends_with('-') && blanks.contains('\t')
    }

    /// Whether the white space behind a plain scalar has a line with a tab where only blanks may indent.
    fn tab_in_indentation_behind(&self, end: usize) -> bool {
        let block = self.open.iter().rev().find(|collection| collection.is_block);
        let indent = block.map_or(0, |block| self.nodes[block.id.0].place.column);
        self.space_behind(end).split('\n').skip(1).any(|line| line.find('\t').is_some_and(|column| column < indent))
    }

    fn attach(&mut self, id: NodeId, span: &Span) -> Result<(), Failure> {
        let before = span.start.byte_offset().and_then(|start| self.text.get(..start)).unwrap_or_default();
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(id);
            return Ok(());
        };
        let (parent_id, in_flow, is_sequence) = (parent.id, !parent.is_block, parent.is_sequence);
        let key = if is_sequence { None } else { parent.key.take() };
        if key.is_none() && !is_sequence {
            parent.key = Some(id);
            parent.key_is_explicit = before.trim_end().ends_with('?');
            parent.key_end = span.end.byte_offset().unwrap_or_default();
        }
        if let Some(key) = key.filter(|_| in_flow)
            && self.flow_pair(key, span)?
        {
            return Ok(());
        }
        match (&mut self.nodes[parent_id.0].content, key) {
            (Content::Sequence(items), _) => items.push(id),
            (Content::Mapping(pairs), Some(key)) => pairs.push((key, id)),
            _ => {}
        }
        Ok(())
    }

    /// What yaml.v2 sees differently in a key of a flow mapping, now that its value has come. True if there is no
    /// mapping: `[a:]` is a list with the text `a:`.
    fn flow_pair(&mut self, key: NodeId, value: &Span) -> Result<bool, Failure> {
        let Some(&Collection { id: parent, key_is_explicit, key_end, is_bare_pair, .. }) = self.open.last() else {
            return Ok(false);
        };
        let (before, behind) =
            value.start.byte_offset().and_then(|start| self.text.split_at_checked(start)).unwrap_or_default();
        let has_colon = !value.is_empty() || behind.starts_with(':');
        let Node { content: Content::Scalar { text, plain, lines }, place, .. } = &mut self.nodes[key.0] else {
            return Ok(false);
        };
        let gap = before.get(key_end..).and_then(|gap| gap.split(':').next()).unwrap_or_default();
        if has_colon && !key_is_explicit && (*lines > 1 || gap.contains('\n')) {
            return Err(refusal(*place, "did not find expected ',' or '}'"));
        }
        let colon_belongs_to_key = *plain
            && value.is_empty()
            && before.ends_with(text.as_str())
            && [":,", ":]", ":}"].iter().any(|end| behind.starts_with(end));
        if colon_belongs_to_key {
            text.push(':');
            if is_bare_pair {
                self.nodes[parent.0].content = Content::Scalar { text: std::mem::take(text), plain: true, lines: 1 };
            }
        }
        Ok(colon_belongs_to_key && is_bare_pair)
    }

    /// A scan error, and the change that lets the YAML 1.2 parser see what yaml.v2 sees.
    fn failure(&self, error: &ScanError) -> Failure {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or_default();
        let place = Place { line: marker.line(), column: marker.col() + 1 };
        let message = in_words_of_go(error.kind()).map_or_else(|| error.info(), str::to_owned);
        let repair = match error.kind() {
            // A line of a quoted text that is indented less than its entry.
            ErrorKind::InvalidQuotedScalarIndent | ErrorKind::TabInIndentation => Repair::indent(self.text, at),
            // A `#` right behind a quoted text.
            ErrorKind::CommentNotSeparated => Some(Repair::blanks(at, 1)),
            // Something behind a text or a flow collection that is the whole document, or to the left of the document.
            ErrorKind::InvalidTrailingSingleQuotedScalar
            | ErrorKind::InvalidTrailingDoubleQuotedScalar
            | ErrorKind::MisplacedFlowCollectionEnd
                if self.ends_at(at, place) =>
            {
                Some(Repair::cut(self.text, at))
            }
            _ => None,
        };
        Failure { repair, ..refusal(place, &message) }
    }

    /// Whether the document ends before this byte, and what follows is no mistake by itself.
    fn ends_at(&self, end: usize, place: Place) -> bool {
        let (before, behind) = self.text.split_at_checked(end).unwrap_or_default();
        let inside = self.open.first().is_some_and(|root| place.column >= self.nodes[root.id.0].place.column);
        let starts_token = !behind.starts_with(['@', '`', '%', '|', '>', '&', '*', '!', '\'', '"']);
        let complete = !self.open.is_empty() || before.trim_end().ends_with([']', '}', '\'', '"']);
        !inside && complete && starts_token && self.open.iter().all(|collection| collection.is_block)
    }
}

fn refusal(place: Place, message: &str) -> Failure {
    YamlError { place: Some(place), message: message.to_owned() }.into()
}

/// Whether yaml.v2 meets the error too, although the document before it is complete: it looks one token ahead.
fn spoils_the_end(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::MappingValueNotAllowed
            | ErrorKind::BlockSequenceEntryNotAllowed
            | ErrorKind::UnexpectedCharacter { .. }
            | ErrorKind::TabNotAllowed
    )
}

/// What yaml.v2 says for the mistakes that people make.
fn in_words_of_go(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::TabInPlainScalar | ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation => {
            Some("found a tab character that violates indentation")
        }
        ErrorKind::UnexpectedCharacter { .. } | ErrorKind::TabNotAllowed => {
            Some("found character that cannot start any token")
        }
        ErrorKind::MappingValueNotAllowed => Some("mapping values are not allowed in this context"),
        ErrorKind::ExpectedBlockSequenceEntry => Some("did not find expected '-' indicator"),
        ErrorKind::ExpectedBlockMappingKey => Some("did not find expected key"),
        ErrorKind::ExpectedFlowSequenceSeparator => Some("did not find expected ',' or ']'"),
        ErrorKind::ExpectedFlowMappingSeparator => Some("did not find expected ',' or '}'"),
        ErrorKind::MissingAnchorOrAliasName => Some("did not find expected alphabetic or numeric character"),
        ErrorKind::UnclosedQuotedScalar => Some("found unexpected end of stream"),
        ErrorKind::SimpleKeyExpected => Some("could not find expected ':'"),
        _ => None,
    }
}

fn start_of(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn full_tag(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

fn is_anchor_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}
