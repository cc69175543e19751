//! From the events of the YAML 1.2 parser to a document.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, StructureStyle, Tag};

mod dialect;

use super::directive::is_alpha;
use super::source::{self, Repair, StandIns};
use super::{Content, Document, Node, NodeId, Place, YamlError};

/// How often a text is changed that yaml.v2 takes and the YAML 1.2 parser does not.
const REPAIRS: usize = 50;

/// Reads the first document of a text.
pub(super) fn document(text: &str) -> Result<Document, YamlError> {
    let stand_ins = StandIns::of(text);
    let mut text = stand_ins.prepare(text);
    source::refuse_outright(&text)?;
    let mut repairs = 0;
    loop {
        let failure = match Builder::new(&text, stand_ins).build() {
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
    stand_ins: StandIns,
    /// Whether there are any tabs.
    has_tabs: bool,
    parser: Parser<'a, StrInput<'a>>,
    nodes: Vec<Node>,
    anchors: HashMap<usize, NodeId>,
    open: Vec<Collection>,
    root: Option<NodeId>,
    /// Up to where the text has been searched for tabs that indent.
    searched: usize,
    /// At which byte the latest scalar or alias ends, or the beginning of the latest collection if that is later.
    node_end: usize,
    /// At which byte the latest scalar or alias ends.
    text_end: usize,
}

/// A collection that is not closed yet.
struct Collection {
    id: NodeId,
    /// Of a mapping, the key that waits for its value.
    key: Option<NodeId>,
    /// Whether a `?` stands before that key, at which line it begins with its anchor and tag, and at which byte it ends.
    key_is_explicit: bool,
    key_line: usize,
    key_end: usize,
    is_block: bool,
    is_sequence: bool,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, stand_ins: StandIns) -> Self {
        let mut options = Options::default();
        options.emit_comments = false;
        options.emit_unresolved_aliases = true;
        options.emit_anchor_events = true;
        let parser = Parser::new_from_str_with_options(text, options);
        Self {
            text,
            stand_ins,
            has_tabs: text.contains('\t'),
            parser,
            nodes: Vec::new(),
            anchors: HashMap::new(),
            open: Vec::new(),
            root: None,
            searched: 0,
            node_end: 0,
            text_end: 0,
        }
    }

    fn build(mut self) -> Result<Document, Failure> {
        let mut rest = None;
        let (mut ended, mut marked) = (false, false);
        while let Some(event) = self.parser.next_event() {
            // Once the first document is complete, yaml.v2 reads no further.
            let complete = self.root.is_some() && self.open.is_empty();
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) if complete && (marked || !dialect::spoils_the_end(error.kind())) => {
                    let behind = error.marker().byte_offset().filter(|_| !marked).unwrap_or_default();
                    self.refuse_tabs_before(behind)?;
                    break;
                }
                Err(error) => return Err(self.failure(&error)),
            };
            if self.has_tabs && !marked {
                self.refuse_tabs_before(span.start.byte_offset().unwrap_or_default())?;
                self.skip_tabs_in(&event, &span);
            }
            match event {
                Event::DocumentStart(..) if ended => {
                    let begin = span.start.byte_offset();
                    rest = begin.and_then(|begin| Some((self.text.get(begin..)?.to_owned(), start_of(&span))));
                    break;
                }
                Event::DocumentEnd => (ended, marked) = (true, !span.is_empty()),
                Event::StreamEnd => break,
                Event::SequenceEnd | Event::MappingEnd => {
                    self.open.pop();
                }
                event => self.node(event, &span)?,
            }
        }
        if !marked {
            self.refuse_directive_behind()?;
        }
        Ok(Document { nodes: self.nodes, root: self.root, rest })
    }

    fn node(&mut self, event: Event<'_>, span: &Span) -> Result<(), Failure> {
        let place = start_of(span);
        let refuse = |message: &str| Err(refusal(place, message));
        let is_block_scalar = matches!(event, Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..));
        let (content, anchor, tag, style) = match event {
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, span)?, anchor, tag, None),
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
            Event::UnresolvedAlias(name) => {
                let repair = self.end_name(&name, span);
                return Err(Failure { repair, ..refusal(place, &format!("unknown anchor '{name}' referenced")) });
            }
            Event::Anchor(_, name) if !name.chars().all(is_alpha) || self.opens_behind(&name, span) => {
                let repair = self.end_name(&name, span);
                let message = "did not find expected alphabetic or numeric character";
                return Err(Failure { repair, ..refusal(place, message) });
            }
            Event::Anchor(..) => {
                // It comes behind its node, here perhaps a key that waits for its value.
                if let Some(node) = self.nodes.last_mut() {
                    node.first_line = node.first_line.min(place.line);
                }
                if let Some(parent) = self.open.last_mut().filter(|parent| parent.key.is_some()) {
                    parent.key_line = parent.key_line.min(place.line);
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let in_block_sequence = self.open.last().is_some_and(|parent| parent.is_block && parent.is_sequence);
        if self.has_tabs && in_block_sequence && self.follows_tab(span) {
            return refuse("found character that cannot start any token");
        }
        if let Some(tag_span) = span.tag_span() {
            self.tag(&tag_span)?;
        }
        let id = NodeId(self.nodes.len());
        let is_sequence = matches!(content, Content::Sequence(_));
        let first_line = span.tag_span().map_or(span.start, |tag| tag.start).line();
        let first_line = if is_block_scalar { self.last_line_before(span).min(first_line) } else { first_line };
        self.nodes.push(Node { place, first_line, tag: tag.as_deref().map(full_tag).unwrap_or_default(), content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id, span)?;
        if let Some(style) = style {
            let is_block = style == StructureStyle::Block;
            self.open.push(Collection {
                id,
                key: None,
                key_is_explicit: false,
                key_line: 0,
                key_end: 0,
                is_block,
                is_sequence,
            });
        }
        Ok(())
    }

    fn attach(&mut self, id: NodeId, span: &Span) -> Result<(), Failure> {
        let before = span.start.byte_offset().and_then(|start| self.text.get(..start)).unwrap_or_default();
        self.node_end = span.end.byte_offset().unwrap_or_default();
        if matches!(self.nodes[id.0].content, Content::Scalar { .. } | Content::Alias { .. }) {
            self.text_end = self.node_end;
        }
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(id);
            return Ok(());
        };
        let (parent_id, in_flow, is_sequence) = (parent.id, !parent.is_block, parent.is_sequence);
        let key = if is_sequence { None } else { parent.key.take() };
        if key.is_none() && !is_sequence {
            parent.key = Some(id);
            parent.key_is_explicit = before.trim_end().ends_with('?');
            parent.key_line = span.tag_span().map_or(span.start, |tag| tag.start).line();
            parent.key_end = self.node_end;
        }
        match key {
            Some(key) if in_flow => self.check_flow_key(key, span)?,
            Some(_) => self.check_block_value(span)?,
            None => {}
        }
        match (&mut self.nodes[parent_id.0].content, key) {
            (Content::Sequence(items), _) => items.push(id),
            (Content::Mapping(pairs), Some(key)) => pairs.push((key, id)),
            _ => {}
        }
        Ok(())
    }
}

fn refusal(place: Place, message: &str) -> Failure {
    YamlError { place: Some(place), message: message.to_owned() }.into()
}

fn start_of(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn full_tag(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}
