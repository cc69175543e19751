//! The file format of the shared AWS configuration: that of Python's `configparser`, with one level of nesting as
//! botocore adds it. What Python refuses is refused here, since `aws` then stops too.

use std::collections::{BTreeMap, BTreeSet};

/// The settings of a section. Python's parser lowers the letter case of their names.
pub(crate) type Section = BTreeMap<String, Value>;

/// A value of a setting. Debug output does not show it: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text, over several lines if continuation lines follow.
    Text(String),
    /// Indented settings below a setting without a value on its own line.
    Nested(BTreeMap<String, String>),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => formatter.write_str("Text"),
            Self::Nested(settings) => formatter.debug_tuple("Nested").field(&settings.keys()).finish(),
        }
    }
}

impl Value {
    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nested(_) => None,
        }
    }

    /// The nested settings, if there are some.
    pub(crate) fn nested(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Text(_) => None,
            Self::Nested(settings) => Some(settings),
        }
    }
}

/// The section whose settings all others inherit.
const INHERITED: &str = "DEFAULT";

/// A file while it is read, line by line.
#[derive(Default)]
struct Reader {
    sections: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    section: Option<String>,
    setting: Option<String>,
    indentation: usize,
    seen: BTreeSet<(String, Option<String>)>,
    malformed: Option<String>,
}

/// Parses a file into its sections, or says what is wrong in which line.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Section>, String> {
    let mut reader = Reader::default();
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    for (place, line) in lines.split('\n').enumerate() {
        reader.read_line(line, place + 1)?;
    }
    if let Some(malformed) = reader.malformed {
        return Err(malformed);
    }
    let inherited = reader.sections.remove(INHERITED).unwrap_or_default();
    let with_inherited = |settings: BTreeMap<String, Vec<String>>| {
        let mut all = inherited.clone();
        all.extend(settings);
        all.into_iter().map(|(name, lines)| Ok((name, value(&lines)?))).collect::<Result<Section, String>>()
    };
    reader.sections.into_iter().map(|(name, settings)| Ok((name, with_inherited(settings)?))).collect()
}

impl Reader {
    fn read_line(&mut self, line: &str, number: usize) -> Result<(), String> {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            if content.is_empty()
                && let Some(lines) = self.current()
            {
                lines.push(String::new());
            }
            return Ok(());
        }
        let indentation = line.chars().take_while(|letter| letter.is_whitespace()).count();
        if indentation > self.indentation
            && let Some(lines) = self.current()
        {
            lines.push(content.to_owned());
            return Ok(());
        }
        self.indentation = indentation;
        match section_name(content) {
            Some(name) => self.open_section(name, number),
            None => self.add_setting(content, number),
        }
    }

    /// The lines of the setting that a continuation would belong to.
    fn current(&mut self) -> Option<&mut Vec<String>> {
        self.sections.get_mut(self.section.as_ref()?)?.get_mut(self.setting.as_ref()?)
    }

    fn open_section(&mut self, name: &str, number: usize) -> Result<(), String> {
        if name != INHERITED && !self.seen.insert((name.to_owned(), None)) {
            return Err(format!("line {number}: section {name:?} already exists"));
        }
        self.sections.entry(name.to_owned()).or_default();
        self.section = Some(name.to_owned());
        self.setting = None;
        Ok(())
    }

    fn add_setting(&mut self, content: &str, number: usize) -> Result<(), String> {
        let Some(section) = self.section.clone() else {
            return Err(format!("line {number}: file contains no section headers"));
        };
        // A line without a delimiter does not stop Python from reading on, where it may find something worse.
        let (name, value) = match content.split_once(['=', ':']) {
            Some((name, value)) if !name.trim().is_empty() => (name.trim_end().to_lowercase(), value.trim()),
            _ => {
                // The line is not repeated: it may be a secret that lost its delimiter.
                self.malformed.get_or_insert(format!("line {number}: contains parsing errors: no \"=\" after a name"));
                return Ok(());
            }
        };
        if !self.seen.insert((section.clone(), Some(name.clone()))) {
            return Err(format!("line {number}: option {name:?} in section {section:?} already exists"));
        }
        self.sections.entry(section).or_default().insert(name.clone(), vec![value.to_owned()]);
        self.setting = Some(name);
        Ok(())
    }
}

/// The name in a section's header: everything up to the last bracket.
fn section_name(content: &str) -> Option<&str> {
    let inside = content.strip_prefix('[')?;
    let name = &inside[..inside.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

fn value(lines: &[String]) -> Result<Value, String> {
    let text = lines.join("\n");
    let text = text.trim_end();
    if !text.starts_with('\n') {
        return Ok(Value::Text(text.to_owned()));
    }
    // What Python takes for the end of a line inside a value.
    let ends = ['\n', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    let settings = text.split(ends).map(str::trim).filter(|line| !line.is_empty());
    let settings = settings.map(|line| {
        let (name, value) = line.split_once('=').ok_or("nested line without \"=\"")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    settings.collect::<Result<_, String>>().map(Value::Nested)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(sections: &'a BTreeMap<String, Section>, section: &str, setting: &str) -> Option<&'a str> {
        sections.get(section)?.get(setting)?.text()
    }

    #[test]
    fn debug_output_holds_no_values() {
        let read = parse("[default]\naws_secret_access_key = swordfish\ns3 =\n  nested = swordfish\n").unwrap();
        let shown = format!("{read:?}");
        assert!(shown.contains("aws_secret_access_key") && shown.contains("nested"), "{shown}");
        assert!(!shown.contains("swordfish"), "{shown}");
    }

    #[test]
    fn both_delimiters_comments_and_letter_case() {
        let read = parse("# c\n[default]\nRegion = eu-west-1 ; not a comment\n ; c\noutput:json\n").unwrap();
        assert_eq!(text(&read, "default", "region"), Some("eu-west-1 ; not a comment"));
        assert_eq!(text(&read, "default", "output"), Some("json"));
    }

    #[test]
    fn indented_lines_continue_or_nest() {
        let read = parse("[default]\na = x\n  y\n\n  z\nb =\n  c = d\n  e= f\n").unwrap();
        assert_eq!(text(&read, "default", "a"), Some("x\ny\n\nz"));
        let nested = read["default"]["b"].nested().unwrap();
        assert_eq!(nested.get("c").map(String::as_str), Some("d"));
        assert_eq!(nested.get("e").map(String::as_str), Some("f"));
    }

    #[test]
    fn what_python_refuses_is_refused_with_its_line() {
        for (file, line) in [
            ("region = a\n", "line 1"),
            ("\u{feff}[default]\n", "line 1"),
            ("[a]\nx = 1\n[a]\n", "line 3"),
            ("[a]\nx = 1\nX: 2\n", "line 3"),
            ("[a]\nnonsense\n", "line 2"),
            ("[a]\n= 1\n", "line 2"),
        ] {
            let error = parse(file).unwrap_err();
            assert!(error.starts_with(line), "{file:?}: {error}");
        }
        assert!(parse("[a]\nb =\n  nonsense\n").is_err());
    }

    #[test]
    fn errors_repeat_no_line_that_may_be_a_secret() {
        for file in ["[a]\naws_secret_access_key swordfish\n", "[a]\naws_session_token =\n  swordfish\n"] {
            let error = parse(file).unwrap_err();
            assert!(!error.contains("swordfish"), "{error}");
        }
    }

    #[test]
    fn the_section_default_in_capitals_is_inherited() {
        let read = parse("[DEFAULT]\nregion = a\n[profile dev]\noutput = b\n").unwrap();
        assert_eq!(text(&read, "profile dev", "region"), Some("a"));
        assert!(!read.contains_key("DEFAULT"));
    }
}
