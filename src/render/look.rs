//! What the place can show that words are written to: width, colour, letters. Decided once, used everywhere.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::shell::is_deceptive;

/// What the output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether colours and bold letters are wanted.
    pub colour: bool,
    /// Whether letters beyond ASCII arrive whole.
    pub unicode: bool,
    /// Whether everything is shown.
    pub verbose: bool,
}

/// Words of a kind that is set off from the rest. The colours are the terminal's own, so they read on dark and light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Unsure,
    Faint,
    Strong,
}

impl Look {
    /// A look for a pipe: no colour, 80 columns.
    pub fn plain() -> Self {
        Self { width: 80, colour: false, unicode: true, verbose: false }
    }

    /// Words in a tone.
    pub(super) fn tone(self, tone: Tone, words: &str) -> String {
        if !self.colour {
            return words.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Unsure => AnsiColor::Yellow.on_default(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        };
        format!("{style}{words}{style:#}")
    }

    /// A text with everything visible that a terminal would act on or hide, and in ASCII where nothing else arrives.
    /// Line ends stay.
    pub(crate) fn visible(self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '\n' => shown.push('\n'),
                '\t' => shown.push(' '),
                c if is_deceptive(c) => write!(shown, "<U+{:04X}>", c as u32).unwrap_or_default(),
                c if c.is_ascii() || self.unicode => shown.push(c),
                '…' => shown.push_str("..."),
                '–' | '—' => shown.push('-'),
                '“' | '”' | '„' => shown.push('"'),
                '‘' | '’' => shown.push('\''),
                c => write!(shown, "<U+{:04X}>", c as u32).unwrap_or_default(),
            }
        }
        shown
    }

    /// A text on one line.
    pub(super) fn line(self, text: &str) -> String {
        self.visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Prose wrapped to the width, each line behind `indent` blanks. Long words (ARNs) are never cut.
    pub(super) fn prose(self, text: &str, indent: usize) -> String {
        let margin = " ".repeat(indent);
        let options = textwrap::Options::new(self.width.max(40))
            .initial_indent(&margin)
            .subsequent_indent(&margin)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let paragraphs = text.split("\n\n").map(|paragraph| textwrap::fill(&self.line(paragraph), &options));
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    /// A command as it can be pasted: never wrapped, its lines behind `indent` blanks, but for one with a here-document,
    /// whose end has to stand at the beginning of its line.
    pub(super) fn command(self, command: &str, indent: usize) -> String {
        let margin = if command.contains("<<") { 0 } else { indent };
        let lines = command.lines().map(|line| match line {
            "" => String::new(),
            line => format!("{}{}", " ".repeat(margin), self.visible(line)),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Fills `text` with blanks to `width` columns.
    pub(super) fn pad(self, text: &str, width: usize) -> String {
        let missing = width.saturating_sub(text.width());
        format!("{text}{}", " ".repeat(missing))
    }
}
