//! Where yaml.v2 and the YAML 1.2 parser see different syntax: tabs, tags, keys of flow mappings, the end of the document.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};

use super::super::directive::{self, is_alpha, is_tag_character};
use super::super::source::Repair;
use super::super::{Content, Node, NodeId, Place, YamlError};
use super::{Builder, Collection, Failure, refusal, start_of};

impl<'a> Builder<'a> {
    /// yaml.v2 knows no flow indicators in a tag: in `[!a, b]` the comma belongs to it.
    pub(super) fn tag(&self, span: &Span) -> Result<(), Failure> {
        let range = span.byte_range().unwrap_or_default();
        let written = self.text.get(range.clone()).unwrap_or_default();
        let is_verbatim = written.starts_with("!<");
        let characters = written.strip_prefix("!<").map_or(written, |verbatim| verbatim.trim_end_matches('>'));
        if !characters.chars().all(is_tag_character) {
            return Err(refusal(start_of(span), "did not find expected whitespace or line break"));
        }
        let behind = self.text.get(range.end..).unwrap_or_default();
        match Repair::encode(self.text, range.end).filter(|_| !is_verbatim) {
            None if !behind.starts_with(['{', '}']) => Ok(()),
            repair => {
                Err(Failure { repair, ..refusal(start_of(span), "did not find expected whitespace or line break") })
            }
        }
    }

    /// Whether a collection begins right behind the name of an anchor, which yaml.v2 does not allow.
    pub(super) fn opens_behind(&self, name: &str, span: &Span) -> bool {
        let end = span.start.byte_offset().unwrap_or_default() + 1 + name.len();
        self.text.get(end..).is_some_and(|behind| behind.starts_with(['[', '{']))
    }

    /// yaml.v2 ends the name of an anchor or alias before certain characters: in `&arn:aws` the text is `:aws`.
    pub(super) fn end_name(&self, name: &str, span: &Span) -> Option<Repair> {
        let end = name.find(|character| !is_alpha(character)).filter(|end| *end > 0)?;
        let at = span.start.byte_offset()? + 1 + end;
        self.text.get(at..)?.starts_with(['?', ':', ',', ']', '}', '%', '@', '`']).then(|| Repair::blanks(at, 1))
    }

    pub(super) fn scalar(&self, text: Cow<'_, str>, style: ScalarStyle, span: &Span) -> Result<Content, Failure> {
        let place = start_of(span);
        let refuse = |message: &str| Err(refusal(place, message));
        let range = span.byte_range().unwrap_or_default();
        let plain = style == ScalarStyle::Plain;
        // The parser says `~` where nothing is written.
        let nothing = plain && range.is_empty();
        let in_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let written = self.text.get(range.clone()).unwrap_or_default();
        let with_separators = self.stand_ins.mark_separators(written).filter(|_| !in_block).and_then(|marked| {
            let text = alone(&marked)?;
            Some(self.stand_ins.restore_separators(&text).into())
        });
        let mut text = if nothing { String::new() } else { self.stand_ins.restore(with_separators.unwrap_or(text)) };
        let parent = self.open.last();
        let explicit = self.text.get(..range.start).unwrap_or_default().trim_end().ends_with('?');
        let unmarked = nothing && !explicit && span.tag_span().is_none();
        if unmarked && parent.is_some_and(|parent| !parent.is_sequence && parent.key.is_none()) {
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
        if plain && self.has_tabs && self.tab_in_indentation_behind(range.end) {
            return refuse("found a tab character that violates indentation");
        }
        if style == ScalarStyle::DoubleQuoted && escape(written, '/').is_some() {
            // Only YAML 1.2 knows it.
            return refuse("found unknown escape character");
        }
        // At the end of the text, yaml.v2 adds no line break to a block scalar.
        if in_block && parent.is_none() && span.start.col() == 0 && !text.is_empty() {
            // Its lines have to be indented, even where nothing is around it.
            let repair = Some(Repair::cut(self.text, range.start));
            return Err(Failure { repair, ..refusal(place, "did not find expected <document start>") });
        }
        if in_block && self.has_tabs && self.tab_in_block_indentation(&range) {
            return refuse("found a tab character where an indentation space is expected");
        }
        let last_line = self.text.rsplit('\n').next().unwrap_or_default();
        if in_block && range.end >= self.text.len() && !last_line.trim().is_empty() && text.ends_with('\n') {
            text.pop();
        }
        Ok(Content::Scalar { text, plain, lines: 1 + span.end.line() - span.start.line() })
    }

    /// Between tokens, a line must not begin with a tab, not even an empty one, except inside a flow collection.
    pub(super) fn refuse_tabs_before(&self, start: usize) -> Result<(), YamlError> {
        let in_flow = self.open.last().is_some_and(|collection| !collection.is_block);
        let gap = self.text.get(self.searched..start).unwrap_or_default();
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
        Ok(())
    }

    /// A directive behind the document, which yaml.v2 reads without need.
    pub(super) fn refuse_directive_behind(&self) -> Result<(), YamlError> {
        let is_nothing = |line: &&str| {
            let line = line.trim_start_matches([' ', ']', '}', ',', ':', '-', '?']);
            line.is_empty() || line.starts_with('#')
        };
        let behind = self.text.get(self.text_end..).unwrap_or_default();
        let at_line_start = self.text.get(..self.text_end).is_some_and(|before| before.ends_with('\n'));
        let Some(line) = behind.lines().skip(usize::from(!at_line_start)).find(|line| !is_nothing(line)) else {
            return Ok(());
        };
        match line.strip_prefix('%').and_then(directive::fault) {
            Some(message) => Err(YamlError { place: None, message: message.to_owned() }),
            None => Ok(()),
        }
    }

    pub(super) fn skip_tabs_in(&mut self, event: &Event<'_>, span: &Span) {
        let Some(range) = span.byte_range() else { return };
        self.searched = self.searched.max(range.end);
        if matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..)) && !range.is_empty() {
            self.searched += self.space_behind(range.end).len();
        }
    }

    /// The white space behind a plain scalar, which belongs to it.
    fn space_behind(&self, end: usize) -> &'a str {
        let behind = self.text.get(end..).unwrap_or_default();
        let length = behind.find(|character| !" \t\r\n".contains(character)).unwrap_or(behind.len());
        behind.get(..length).unwrap_or_default()
    }

    /// Whether a tab follows the dash of this item of a block sequence.
    pub(super) fn follows_tab(&self, span: &Span) -> bool {
        let start = span.start.byte_offset().unwrap_or_default();
        let gap = self.text.get(self.text_end..start).unwrap_or_default();
        gap.lines().any(|line| {
            let dashes = line.trim_start_matches([' ', '?', ':']);
            let mut rest = dashes;
            while let Some(behind) = rest.strip_prefix('-') {
                rest = behind.trim_start_matches(' ');
            }
            rest.starts_with('\t') && rest.len() < dashes.len()
        })
    }

    /// Whether the white space behind a plain scalar has a line with a tab where only blanks may indent.
    fn tab_in_indentation_behind(&self, end: usize) -> bool {
        let block = self.open.iter().rev().find(|collection| collection.is_block);
        let indent = block.map_or(0, |block| self.nodes[block.id.0].place.column);
        self.space_behind(end).split('\n').skip(1).any(|line| line.find('\t').is_some_and(|column| column < indent))
    }

    /// The last line before a node that is not empty: that of the `|` of a block scalar.
    pub(super) fn last_line_before(&self, span: &Span) -> usize {
        let before = span.start.byte_offset().and_then(|start| self.text.get(..start)).unwrap_or_default();
        let gap = before.get(before.trim_end().len()..).unwrap_or_default();
        span.start.line() - gap.matches('\n').count()
    }

    /// Whether a line of a block scalar, or an empty one behind it, has a tab where its blanks belong.
    fn tab_in_block_indentation(&self, range: &Range<usize>) -> bool {
        let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let start = self.text.get(..range.start).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        let written = self.text.get(start..range.end).unwrap_or_default();
        let Some(indent) = written.lines().filter(|line| !line.trim().is_empty()).map(blanks).min() else {
            return false;
        };
        let behind = self.text.get(range.end..).unwrap_or_default();
        let empty = behind.lines().take_while(|line| line.trim().is_empty());
        written.lines().chain(empty).any(|line| blanks(line) < indent && line.trim_start_matches(' ').starts_with('\t'))
    }

    /// What yaml.v2 sees differently in a key of a flow mapping, now that its value has come.
    pub(super) fn check_flow_key(&self, key: NodeId, value: &Span) -> Result<(), Failure> {
        let Some(&Collection { key_is_explicit, key_line, key_end, .. }) = self.open.last() else {
            return Ok(());
        };
        let (before, behind) =
            value.start.byte_offset().and_then(|start| self.text.split_at_checked(start)).unwrap_or_default();
        let has_colon = !value.is_empty() || behind.starts_with(':');
        let Node { content: Content::Scalar { plain, lines, .. }, place, .. } = &self.nodes[key.0] else {
            return Ok(());
        };
        let gap = before.get(key_end..).and_then(|gap| gap.split(':').next()).unwrap_or_default();
        if has_colon && !key_is_explicit && (key_line < place.line || *lines > 1 || gap.contains('\n')) {
            return Err(refusal(*place, "did not find expected ',' or '}'"));
        }
        if *plain && value.is_empty() && gap.is_empty() && ends_with_colon(behind) {
            let repair = Some(self.plain_colon(before.len()));
            return Err(Failure { repair, ..refusal(*place, "did not find expected key") });
        }
        Ok(())
    }

    /// A tab between the colon behind a `? key` and its value.
    pub(super) fn check_block_value(&self, value: &Span) -> Result<(), Failure> {
        let parent = self.open.last().filter(|parent| self.has_tabs && parent.key_is_explicit);
        let start = value.start.byte_offset().unwrap_or_default();
        match parent.and_then(|parent| self.text.get(parent.key_end..start)) {
            Some(gap) if gap.contains(":\t") => {
                Err(refusal(start_of(value), "found character that cannot start any token"))
            }
            _ => Ok(()),
        }
    }

    /// Has a colon read as a part of the plain text before it, as yaml.v2 does at the end of an item of a flow collection.
    fn plain_colon(&self, at: usize) -> Repair {
        Repair { range: at..at + 1, by: self.stand_ins.colon.to_string() }
    }

    /// A scan error, and the change that lets the YAML 1.2 parser see what yaml.v2 sees.
    pub(super) fn failure(&self, error: &ScanError) -> Failure {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or_default();
        let place = Place { line: marker.line(), column: marker.col() + 1 };
        let message = in_words_of_go(error.kind()).map_or_else(|| error.info(), str::to_owned);
        let repair = match error.kind() {
            // A line of a quoted text that is indented less than its entry.
            ErrorKind::InvalidQuotedScalarIndent | ErrorKind::TabInIndentation => Repair::indent(self.text, at),
            // A `#` right behind a quoted text.
            ErrorKind::CommentNotSeparated => Some(Repair::blanks(at, 1)),
            ErrorKind::TabInBlockIndentation => self.flow_tab(at),
            // A block scalar that is the whole document, and a line that is not indented.
            ErrorKind::InvalidBlockScalarIndent if self.open.is_empty() && place.column == 1 => {
                Some(Repair::cut(self.text, at))
            }
            // `!a,b c`, `!!!a`
            ErrorKind::InvalidTagTerminator | ErrorKind::MissingTagUri => self.text.get(at..).and_then(|tag| {
                let name = tag.strip_prefix('!')?.trim_start_matches(is_alpha);
                let suffix = name.strip_prefix('!').unwrap_or(name);
                let indicator = at + tag.len() - suffix.len() + suffix.find([',', '[', ']', '!', ' ', '\n'])?;
                Repair::encode(self.text, indicator)
            }),
            // `{a: b:}`
            ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::InvalidColonPlacement
                if self.text.get(at..).is_some_and(ends_with_colon) =>
            {
                Some(self.plain_colon(at))
            }
            // `... a`
            ErrorKind::InvalidDocumentEnd => Some(Repair::cut(self.text, at)),
            // A block scalar whose `|` is not indented, behind a tag or anchor.
            ErrorKind::SimpleKeyExpected if self.text.get(at..).is_some_and(|text| text.starts_with(['|', '>'])) => {
                let word = self.text.get(..at).and_then(|before| before.split_whitespace().next_back());
                word.filter(|word| word.starts_with(['!', '&'])).map(|_| Repair::blanks(at, 1))
            }
            // `[-]`
            ErrorKind::PlainScalarStartsWithDashFlowIndicator if self.text.get(at..).is_some_and(is_lone_dash) => {
                Some(Repair { range: at..at + 1, by: "'-'".to_owned() })
            }
            // `"\'"`
            ErrorKind::UnknownQuotedScalarEscape => {
                let backslash = self.text.get(at..).and_then(|quoted| Some(at + escape(quoted, '\'')?));
                backslash.map(|at| Repair { range: at..at + 1, by: String::new() })
            }
            // A quoted text to the left of the document, and something behind it.
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar
                if self.quoted_on_the_left(at).is_some() =>
            {
                self.quoted_on_the_left(at).map(|start| Repair::cut(self.text, start))
            }
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

    /// Has a tab read as a blank that indents a line inside a flow collection, where yaml.v2 does not mind.
    fn flow_tab(&self, behind: usize) -> Option<Repair> {
        let before = self.text.get(..behind)?;
        let content = before.trim_end().len();
        let in_flow =
            before.get(..content)?.ends_with([',', '[', '{']) || self.text.get(behind..)?.starts_with([']', '}']);
        let tab = content + before.get(content..)?.find('\t')?;
        in_flow.then(|| Repair { range: tab..tab + 1, by: " ".to_owned() })
    }

    /// Where a quoted text begins that ends before this byte and is not a part of the document.
    fn quoted_on_the_left(&self, end: usize) -> Option<usize> {
        let root = self.nodes[self.open.first()?.id.0].place;
        let gap = self.text.get(self.node_end..end)?;
        let before_it = |character: char| character == ':' || character.is_whitespace();
        let start = end - gap.trim_start_matches(before_it).len();
        let line = self.text.get(..start)?.rsplit('\n').next()?;
        let is_first = line.trim_start().is_empty() && line.chars().count() + 1 < root.column;
        (is_first && self.open.iter().all(|collection| collection.is_block)).then_some(start)
    }

    /// Whether the document ends before this byte, and what follows is no mistake by itself.
    fn ends_at(&self, end: usize, place: Place) -> bool {
        let (before, behind) = self.text.split_at_checked(end).unwrap_or_default();
        let inside = self.open.first().is_some_and(|root| place.column >= self.nodes[root.id.0].place.column);
        let line = behind.lines().next().unwrap_or_default();
        let continues = line.contains(": ") || line.ends_with(':') || matches!(line.get(..2), Some("- " | "? "));
        if self.open.is_empty() && (continues || matches!(line, "-" | "?")) {
            return false;
        }
        let starts_token = !behind.starts_with([':', '@', '`', '%', '|', '>', '&', '*', '!', '\'', '"']);
        let complete = !self.open.is_empty() || before.trim_end().ends_with([']', '}', '\'', '"']);
        !inside && complete && starts_token && self.open.iter().all(|collection| collection.is_block)
    }
}

/// The text that a scalar comes to when it is read by itself.
fn alone(written: &str) -> Option<String> {
    Parser::new_from_str(written).find_map(|event| match event.ok()?.0 {
        Event::Scalar(text, ..) => Some(text.into_owned()),
        _ => None,
    })
}

/// Whether a plain text in a flow collection ends with the colon that begins here.
fn ends_with_colon(text: &str) -> bool {
    text.starts_with(":,") || text.starts_with(":]") || text.starts_with(":}")
}

fn is_lone_dash(text: &str) -> bool {
    text.starts_with("-,") || text.starts_with("-]") || text.starts_with("-}")
}

/// Whether yaml.v2 meets the error too, although the document before it is complete: it looks one token ahead.
pub(super) fn spoils_the_end(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::MappingValueNotAllowed
            | ErrorKind::BlockSequenceEntryNotAllowed
            | ErrorKind::UnexpectedCharacter { .. }
            | ErrorKind::TabNotAllowed
            | ErrorKind::UnclosedQuotedScalar
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

/// Where a double-quoted text has a backslash before this character that does not stand for itself.
fn escape(quoted: &str, wanted: char) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in quoted.char_indices().skip(1) {
        match character {
            _ if escaped && character == wanted => return Some(at - 1),
            '"' if !escaped => return None,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::{Document, Value};

    fn reads(text: &str) -> bool {
        Document::parse(text).is_ok_and(|document| document.check().is_ok())
    }

    #[test]
    fn what_yaml_v2_takes_is_taken() {
        for text in [
            "- \"a\nb\"",
            "- 'a\n\n\tb'",
            "- \"a\"#c",
            "- {a: -, b: [-]}",
            "- {a: b:}",
            "[a\nb:, c]",
            "- a\n... b",
            "- a: !b\n  |\t\n- c",
            "- {\n\ta: b,\n\tc: \"d\"\n\t}",
            "- !a,b c",
            "- !!!seq c",
            "- !!,a c",
            "- !!binary!e!x c",
            "'a' b",
            "[a] ]",
            "  - a\n]",
            "  - a\n \"b\" c",
            "  - a: \"\\'\"",
            "- a\n...\n\t@",
            "- a\n%YAML 1.1",
            "\u{feff}\u{feff}- a",
            "- .inf: a",
            "- {a: .nan, a: b}",
            "--- |\nnot indented: [",
            "--- |\n  \n- not indented: [",
        ] {
            assert!(reads(text), "{text:?}");
        }
    }

    #[test]
    fn what_yaml_v2_refuses_is_refused() {
        for text in [
            "%YAML 1.2\n---\n- a",
            "%FOO\n---\n- a",
            "...\n- a",
            "-\ta",
            "- \t\n\n  a",
            "- a:\n  -\t a",
            "- !<a#b> c",
            "- &a[b]",
            "- a\n|",
            "- |\n a\n%FOO",
            "# a\n- \"a\" b",
            "'a'- ",
            "[a] b: c",
            "- >\n a\n\t\n- b",
            "- a\n%FOO",
            "[a]\n%YAML 1.x",
            " %YAML 1.1\n---\n- a",
            "%TAG !e! a#b\n---\n- a",
            "? a\n:\tb",
            "\t\n- a",
            "- a\n\t",
            "- :",
            "[a? b]",
            "- {a: :b}",
            "- {a\n b: c}",
            "- {&a\n b: c}",
            "- {!a\n b: c}",
            "- {a\n: c}",
            "- !a#b c",
            "- {a: !b}",
            "- \"\\/\"",
            "a\n\n- b: c",
            "'a' @",
            "- {a: .nan}",
        ] {
            assert!(!reads(text), "{text:?}");
        }
    }

    #[test]
    fn what_belongs_to_a_text() {
        let first = |text: &str| {
            let document = Document::parse(text).unwrap();
            match document.value(document.root().unwrap()) {
                Value::List(items) => match document.value(items[0]) {
                    Value::Text(text) => text.into_owned(),
                    other => format!("{other:?}"),
                },
                other => format!("{other:?}"),
            }
        };
        assert_eq!(first("[\"a \\\\\\'\"]"), "a \\'");
        assert_eq!(first("[a \u{2028} b]"), "a\u{2028}b");
        assert_eq!(first("- \"a\n \u{2029}\u{2029} b\\t\""), "a\u{2029}\u{2029}b\t");
        assert_eq!(first("- 'a\u{2028}\n b'\n- c"), "a\u{2028}\nb");
        assert_eq!(first("[a:]"), "a:");
        assert_eq!(first("- &arn:aws:iam"), ":aws:iam");
        assert_eq!(first("[a:, b]"), "a:");
        assert_eq!(first("[!x, b]"), "b");
        assert_eq!(first("[-]"), "-");
        assert_eq!(first("- |\n  a"), "a");
        assert_eq!(first("- |\n  a\n "), "a\n");
    }
}
