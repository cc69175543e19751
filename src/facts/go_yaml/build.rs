//! From the events of the YAML 1.2 parser to a document, with what yaml.v2 sees differently in the syntax.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::{Content, Document, Node, NodeId, Place, YamlError};

/// How often blanks are put into a text where the YAML 1.2 parser wants them and yaml.v2 does not.
const REPAIRS: usize = 8;

/// Reads the first document of a text.
pub(super) fn document(text: &str) -> Result<Document, YamlError> {
    if let Some(place) = control_character(text) {
        return Err(YamlError { place: Some(place), message: "control characters are not allowed".to_owned() });
    }
    let mark = byte_order_mark_substitute(text);
    let mut text = prepare(text, mark);
    let mut repairs = 0;
    loop {
        let failure = match Builder::new(&text, mark).build() {
            Err(failure) => failure,
            Ok(document) => return Ok(document),
        };
        match failure.missing_blanks.and_then(|blanks| insert(&text, &blanks)) {
            Some(repaired) if repairs < REPAIRS => text = Cow::Owned(repaired),
            _ => return Err(failure.error),
        }
        repairs += 1;
    }
}

/// Why a document could not be built, and which blanks would help.
struct Failure {
    error: YamlError,
    missing_blanks: Option<MissingBlanks>,
}

/// Blanks that mean nothing to yaml.v2, and where the YAML 1.2 parser wants them.
struct MissingBlanks {
    place: Place,
    count: usize,
}

impl From<YamlError> for Failure {
    fn from(error: YamlError) -> Self {
        Self { error, missing_blanks: None }
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
    is_block: bool,
    is_sequence: bool,
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
                Err(_) if complete => break,
                Err(error) => return Err(failure(&error)),
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

    fn node(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let place = start_of(span);
        let refuse = |message: &str| Err(YamlError { place: Some(place), message: message.to_owned() });
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
            Event::UnresolvedAlias(name) => return refuse(&format!("unknown anchor '{name}' referenced")),
            Event::Anchor(_, name) if !name.chars().all(is_anchor_character) => {
                return refuse("did not find expected alphabetic or numeric character");
            }
            _ => return Ok(()),
        };
        if self.open.last().is_some_and(|parent| parent.is_block && parent.is_sequence) && self.follows_tab(span) {
            return refuse("found character that cannot start any token");
        }
        let id = NodeId(self.nodes.len());
        let is_sequence = matches!(content, Content::Sequence(_));
        self.nodes.push(Node { place, tag: tag.as_deref().map(full_tag).unwrap_or_default(), content });
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id);
        if let Some(style) = style {
            let is_block = style == StructureStyle::Block;
            self.open.push(Collection { id, key: None, is_block, is_sequence });
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: &Span) -> Result<Content, YamlError> {
        let place = start_of(span);
        let refuse = |message: &str| Err(YamlError { place: Some(place), message: message.to_owned() });
        let range = span.byte_range().unwrap_or_default();
        let plain = style == ScalarStyle::Plain;
        // The parser says `~` where nothing is written.
        let nothing = plain && range.is_empty();
        let mut text = if nothing { String::new() } else { text.replace(self.mark, "\u{feff}") };
        let parent = self.open.last();
        if nothing && parent.is_some_and(|parent| !parent.is_sequence && parent.key.is_none()) {
            return refuse("did not find expected key");
        }
        if plain && text.contains('?') && parent.is_some_and(|parent| !parent.is_block) {
            return refuse("did not find expected ',' or ']'");
        }
        if plain && self.tab_in_indentation_behind(range.end) {
            return refuse("found a tab character that violates indentation");
        }
        // At the end of the text, yaml.v2 adds no line break to a block scalar.
        let in_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
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

    fn attach(&mut self, id: NodeId) {
        let Some(Collection { id: parent, key, .. }) = self.open.last_mut() else {
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

fn failure(error: &ScanError) -> Failure {
    let place = Place { line: error.marker().line(), column: error.marker().col() + 1 };
    let message = in_words_of_go(error.kind()).map_or_else(|| error.info(), str::to_owned);
    let missing_blanks = match error.kind() {
        // A line of a quoted text that is indented less than its entry.
        ErrorKind::InvalidQuotedScalarIndent => Some(MissingBlanks { place: Place { column: 1, ..place }, count: 40 }),
        // A `#` right behind a quoted text.
        ErrorKind::CommentNotSeparated => Some(MissingBlanks { place, count: 1 }),
        _ => None,
    };
    Failure { error: YamlError { place: Some(place), message }, missing_blanks }
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

fn control_character(text: &str) -> Option<Place> {
    let forbidden = |character: char| match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        _ => character.is_control(),
    };
    let (before, _) = text.split_at(text.find(forbidden)?);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Some(Place { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count() })
}

/// A character that the text does not have. The YAML 1.2 parser refuses byte-order marks inside a document; to yaml.v2
/// they are characters like others.
fn byte_order_mark_substitute(text: &str) -> char {
    let mut candidates = '\u{e000}'..='\u{f8ff}';
    candidates.find(|candidate| !text.contains(*candidate)).unwrap_or('\u{f8ff}')
}

/// The text with the substitute for byte-order marks, except for one at the beginning, and with the line breaks that only
/// YAML 1.1 has replaced by one that both know.
fn prepare(text: &str, mark: char) -> Cow<'_, str> {
    const BYTE_ORDER_MARK: char = '\u{feff}';
    const OLD_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if !body.contains(BYTE_ORDER_MARK) && !body.contains(OLD_BREAKS) {
        return Cow::Borrowed(body);
    }
    Cow::Owned(body.replace(OLD_BREAKS, "\n").replace(BYTE_ORDER_MARK, mark.encode_utf8(&mut [0; 4])))
}

/// The text with more blanks. A document marker at the beginning of a line stays where it is.
fn insert(text: &str, blanks: &MissingBlanks) -> Option<String> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let line = lines.get_mut(blanks.place.line.checked_sub(1)?)?;
    if blanks.place.column == 1 && (line.starts_with("---") || line.starts_with("...")) {
        return None;
    }
    let (before, behind) = line.split_at(line.char_indices().nth(blanks.place.column - 1)?.0);
    let repaired = format!("{before}{:1$}{behind}", "", blanks.count);
    *line = &repaired;
    Some(lines.join("\n"))
}
