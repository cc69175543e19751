//! Makes a pasted text readable for patterns: terminal colours, escapes of JSON and HTML, curly quotes, boxes, time stamps
//! and runs of white space are taken back to what the program had printed. Every byte of the result knows where it stood.

/// What becomes of the ends of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// Lines stay lines.
    Lines,
    /// Lines of this many characters were cut in the middle of words: they go on with the next one.
    Cut(usize),
}

/// A readable text and, for each of its bytes, the place of the original character.
pub(crate) struct Readable {
    /// The text: white space is one blank or one line feed, quotes are straight.
    pub(crate) text: String,
    origin: Vec<u32>,
    end: usize,
}

impl Readable {
    /// The place in the original of the byte at `index`, or the end of the original.
    pub(crate) fn origin(&self, index: usize) -> usize {
        self.origin.get(index).map_or(self.end, |&offset| offset as usize)
    }
}

/// The width at which a terminal may have cut the lines of `raw`: that of the longest, if another line follows it.
pub(crate) fn cut_width(raw: &str) -> Option<usize> {
    let mut lines = raw.trim_end().lines().rev();
    lines.next()?;
    lines.map(|line| line.chars().count()).max().filter(|width| *width >= 30)
}

/// Reads `raw`, which is at most 4 GiB long.
pub(crate) fn clean(raw: &str, wrapping: Wrapping) -> Readable {
    let mut readable =
        Readable { text: String::with_capacity(raw.len()), origin: Vec::with_capacity(raw.len()), end: raw.len() };
    let is_log = is_log(raw);
    let mut start = 0;
    for line in raw.split_inclusive('\n') {
        let text = line.trim_end_matches(['\r', '\n']);
        let skipped = if is_log { message_start(text) } else { 0 };
        let mut cleaner = Cleaner { line: text, start, readable: &mut readable, in_windows_path: false };
        let mut at = skipped;
        while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
            at += cleaner.step(at, character);
        }
        if line.len() > text.len() && wrapping != Wrapping::Cut(text.chars().count()) {
            cleaner.put(text.len(), '\n');
        }
        start += line.len();
    }
    if readable.text.ends_with(' ') {
        readable.text.pop();
    }
    readable
}

/// Whether nearly every line begins as those of a log do.
fn is_log(raw: &str) -> bool {
    let lines = || raw.lines().filter(|line| !line.trim().is_empty()).take(200);
    let stamped = lines().filter(|line| message_start(line) > 0).count();
    stamped > 1 && stamped * 5 >= lines().count() * 4
}

struct Cleaner<'t, 'r> {
    line: &'t str,
    /// The place of the line in the text.
    start: usize,
    readable: &'r mut Readable,
    in_windows_path: bool,
}

impl Cleaner<'_, '_> {
    /// Takes the character at `at` and what belongs to it; answers how many bytes that was.
    fn step(&mut self, at: usize, character: char) -> usize {
        let rest = self.line.get(at..).unwrap_or_default();
        let escape = match character {
            '\u{1b}' | '^' | '[' | '\\' => terminal_sequence(rest),
            _ => 0,
        };
        if escape > 0 {
            return escape;
        }
        if character == '\\' {
            return self.backslash(at, rest);
        }
        let (length, meant) = decode(rest, character);
        self.put(at, meant);
        length
    }

    /// An escape of JSON, Go, Python or YAML. A path of Windows keeps its `\n` and `\t`.
    fn backslash(&mut self, at: usize, rest: &str) -> usize {
        let run = rest.len() - rest.trim_start_matches(['\\', '\0']).len();
        let after = rest.get(run..).unwrap_or_default();
        let (length, meant) = after.chars().next().map_or((0, '\\'), |character| decode(after, character));
        match meant {
            '"' | '\'' | '`' | '/' => self.put(at, meant),
            'u' => {
                let code = after.get(1..5).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                if let Some(byte) = code.filter(u8::is_ascii) {
                    self.put(at, char::from(byte));
                    return run + 5;
                }
                self.put(at, '\\');
                return run;
            }
            'n' | 'r' if !self.in_windows_path => self.put(at, '\n'),
            't' if !self.in_windows_path => self.put(at, ' '),
            _ => {
                self.in_windows_path |= self.readable.text.ends_with(':');
                self.put(at, '\\');
                return run;
            }
        }
        run + length
    }

    fn put(&mut self, at: usize, character: char) {
        let text = &mut self.readable.text;
        if character == '\n' || character == '\r' {
            self.in_windows_path = false;
            if text.ends_with(' ') {
                text.pop();
                self.readable.origin.pop();
            }
            if text.is_empty() || text.ends_with('\n') {
                return;
            }
            text.push('\n');
        } else if character.is_whitespace() {
            self.in_windows_path = false;
            if text.is_empty() || text.ends_with([' ', '\n']) {
                return;
            }
            text.push(' ');
        } else if character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
        {
            return;
        } else {
            text.push(character);
        }
        self.readable.origin.resize(self.readable.text.len(), u32::try_from(self.start + at).unwrap_or(u32::MAX));
    }
}

/// What a character, or the sequence that begins with it, stands for, and how long that is.
fn decode(text: &str, character: char) -> (usize, char) {
    let sequence = match character {
        '&' => html_entity(text),
        'â' => misread_utf8(text),
        _ => None,
    };
    let meant = match character {
        '‘' | '’' | '‚' | '‛' | '′' => '\'',
        '“' | '”' | '„' | '‟' | '″' => '"',
        '‐' | '‑' | '‒' | '–' | '—' => '-',
        '\u{2500}'..='\u{259f}' => ' ',
        other => other,
    };
    sequence.unwrap_or((character.len_utf8(), meant))
}

/// The length of a terminal's control sequence at the start of `text`, also where a log has lost or spelt out its escape
/// character; 0 if there is none.
fn terminal_sequence(text: &str) -> usize {
    const SPELT: [&str; 7] = ["\u{1b}", "\\u001b", "\\u001B", "\\x1b", "\\033", "^[", "\\e"];
    let introducer = SPELT.iter().find(|spelling| text.starts_with(**spelling)).map_or(0, |spelling| spelling.len());
    let bytes = text.as_bytes();
    match bytes.get(introducer) {
        Some(b'[') => {
            let parameters =
                bytes.iter().skip(introducer + 1).take(32).take_while(|byte| (0x20..0x40).contains(*byte)).count();
            let last = introducer + 1 + parameters;
            match bytes.get(last) {
                Some(b'm') if introducer > 0 || parameters > 0 => last + 1,
                Some(0x40..=0x7e) if introducer > 0 => last + 1,
                _ => usize::from(introducer == 1 && text.starts_with('\u{1b}')),
            }
        }
        // A title or a hyperlink, ended by BEL or by ESC \.
        Some(b']') if introducer > 0 && text.starts_with('\u{1b}') => {
            let body = bytes.iter().take(2048).position(|byte| *byte == 0x07);
            let closed = bytes.windows(2).take(2048).skip(1).position(|pair| pair == b"\x1b\\");
            match (body, closed) {
                (Some(bell), Some(closed)) => (bell + 1).min(closed + 3),
                (Some(bell), None) => bell + 1,
                (None, Some(closed)) => closed + 3,
                (None, None) => 1,
            }
        }
        Some(byte) if text.starts_with('\u{1b}') && byte.is_ascii() => 2,
        _ => usize::from(text.starts_with('\u{1b}')),
    }
}

/// An entity that logs and web pages put in place of a quote or an angle bracket.
fn html_entity(text: &str) -> Option<(usize, char)> {
    const ENTITIES: [(&str, char); 12] = [
        ("&quot;", '"'),
        ("&#34;", '"'),
        ("&#x22;", '"'),
        ("&#39;", '\''),
        ("&#x27;", '\''),
        ("&apos;", '\''),
        ("&rsquo;", '\''),
        ("&lsquo;", '\''),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&amp;", '&'),
        ("&nbsp;", ' '),
    ];
    ENTITIES.iter().find(|(entity, _)| text.starts_with(entity)).map(|(entity, meant)| (entity.len(), *meant))
}

/// Punctuation in UTF-8 that was read as Windows-1252 on its way here.
fn misread_utf8(text: &str) -> Option<(usize, char)> {
    const MISREAD: [(&str, char); 7] =
        [("â€™", '\''), ("â€˜", '\''), ("â€œ", '"'), ("â€\u{9d}", '"'), ("â€“", '-'), ("â€”", '-'), ("â€", '"')];
    MISREAD.iter().find(|(wrong, _)| text.starts_with(wrong)).map(|(wrong, meant)| (wrong.len(), *meant))
}

/// Where the message of a line begins, after time stamps, levels and names that a log writes before it.
pub(crate) fn message_start(line: &str) -> usize {
    let mut at = line.len() - line.trim_start().len();
    let indentation = at;
    while let Some((word, rest)) = line.get(at..).and_then(|rest| rest.split_once(' ')) {
        let skipped = rest.len() - rest.trim_start().len();
        if is_prefix(word) {
            at += word.len() + 1 + skipped;
        } else if let Some(after) = rest.trim_start().strip_prefix("| ").filter(|_| at == indentation) {
            // `name | message`, as docker compose writes it.
            at = line.len() - after.len();
        } else {
            break;
        }
    }
    let message = line.get(at..).unwrap_or_default();
    let annotation =
        ["##[error]", "##[warning]", "::error::", "::warning::"].iter().find(|mark| message.starts_with(**mark));
    let start = at + annotation.map_or(0, |mark| mark.len());
    if start == indentation { 0 } else { start }
}

/// Whether a word is what a log writes before its message: a time, a level, a bar, a bracketed name.
fn is_prefix(word: &str) -> bool {
    let bare = word.trim_matches(|character: char| !character.is_ascii_alphanumeric());
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    let is_time =
        digits >= 4 && digits * 2 >= bare.len() && bare.bytes().any(|byte| matches!(byte, b':' | b'-' | b'/'));
    let is_level = matches!(
        bare.to_ascii_lowercase().as_str(),
        "" | "err"
            | "erro"
            | "warn"
            | "info"
            | "inf"
            | "debug"
            | "fatal"
            | "ftl"
            | "wrn"
            | "stderr"
            | "stdout"
            | "remote"
    );
    let is_bracketed = word.len() > 2 && word.starts_with('[') && word.ends_with(']');
    is_time || is_level && !word.starts_with(['"', '\'']) || is_bracketed && word != "[ERROR]:"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_around_the_words_is_taken_away() {
        let cases = [
            ("\u{1b}[1;31mError:\u{1b}[0m it\u{1b}[K", "Error: it"),
            ("\\u001b[31mError:\\u001b[0m it \\x1b[2K", "Error: it"),
            ("[31mError:[0m [Errno 2] [x]", "Error: [Errno 2] [x]"),
            ("\u{1b}]8;;https://example.com\u{7}link\u{1b}]8;;\u{7}!", "link!"),
            ("\u{1b}]0;title\u{1b}\\rest", "rest"),
            (r#"{\"msg\":\"can\'t\"}"#, r#"{"msg":"can't"}"#),
            (r#"err=\\\"a\nb\\\""#, "err=\"a\nb\""),
            (r"C:\Users\nadia\.kube\temp", r"C:\Users\nadia\.kube\temp"),
            (r"a\u003cb\u003e \u00e4", r"a<b> \u00e4"),
            ("&lt;Code&gt; &quot;x&quot; &amp;&#39; & co", "<Code> \"x\" &' & co"),
            ("doesn’t “work” – no", "doesn't \"work\" - no"),
            ("doesnâ€™t â€œworkâ€\u{9d}", "doesn't \"work\""),
            ("│ a\n│\n│   b  ", "a\nb"),
            ("e\0r\0r\0", "err"),
            ("a\r\n\r\n b\rc", "a\nb\nc"),
            ("zero\u{200b}width", "zerowidth"),
        ];
        for (raw, expected) in cases {
            assert_eq!(clean(raw, Wrapping::Lines).text, expected, "{raw:?}");
        }
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let raw = "\u{1b}[31mä “b”\u{1b}[0m  c";
        let readable = clean(raw, Wrapping::Lines);
        assert_eq!(readable.text, "ä \"b\" c");
        for (index, letter) in [(0, "ä"), (3, "“"), (4, "b"), (5, "”"), (7, "c")] {
            assert!(raw[readable.origin(index)..].starts_with(letter), "{letter}");
        }
        assert_eq!(readable.origin(99), raw.len());
    }

    #[test]
    fn lines_that_were_cut_go_on() {
        let raw = "error: You must be logged in to the serv\ner (Unauthorized)\n$ \n";
        assert_eq!(cut_width(raw), Some(40));
        let readable = clean(raw, Wrapping::Cut(40));
        assert_eq!(readable.text, "error: You must be logged in to the server (Unauthorized)\n$\n");
    }

    #[test]
    fn a_message_starts_after_what_a_log_writes_before_it() {
        let cases = [
            ("2026-11-21T10:00:00.123Z no", "no"),
            ("2026-11-21 10:00:00,123 [main] ERROR: it", "ERROR: it"),
            ("2026-11-21 10:00:00 WARN [http-1] it", "it"),
            ("2026-11-21T10:00:00Z ##[error]it", "it"),
            ("ci-1  | it", "it"),
            ("> it", "it"),
            ("[2026-11-21T10:00:00.123Z] it", "it"),
            ("aws: [ERROR]: it", "aws: [ERROR]: it"),
            ("  error: EOF", "  error: EOF"),
            ("10.0.4.17 is an address", "10.0.4.17 is an address"),
        ];
        for (line, message) in cases {
            assert_eq!(&line[message_start(line)..], message, "{line}");
        }
    }
}
