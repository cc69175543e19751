//! Writes a tree as YAML in one of the many ways in which it can be written, right or almost right.

use super::random::Random;
use super::texts::TRAPS;

pub(crate) enum Node {
    /// A value, in whatever style.
    Word(String),
    /// Text that stands there just so.
    Verbatim(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
    Anchored(&'static str, Box<Self>),
}

impl Node {
    pub(crate) fn word(text: &str) -> Self {
        Self::Word(text.to_owned())
    }

    pub(crate) fn verbatim(text: &str) -> Self {
        Self::Verbatim(text.to_owned())
    }

    pub(crate) fn trap(random: &mut Random) -> Self {
        Self::verbatim(random.pick(TRAPS))
    }
}

/// The habits of one author.
pub(crate) struct Writer<'a> {
    random: &'a mut Random,
    /// Blanks by which a list is indented below its key.
    list_indent: usize,
    map_indent: usize,
    /// Share of flow collections and of quoted scalars, in percent.
    flow: usize,
    quotes: usize,
    comments: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(random: &'a mut Random) -> Self {
        let list_indent = random.pick(&[0, 0, 2, 2, 2, 4, 1]);
        let map_indent = random.pick(&[2, 2, 2, 4, 1, 8]);
        let flow = random.pick(&[0, 0, 10, 60]);
        let quotes = random.pick(&[2, 10, 30, 90]);
        let comments = random.pick(&[0, 0, 0, 10]);
        Self { random, list_indent, map_indent, flow, quotes, comments }
    }

    pub(crate) fn document(&mut self, node: &Node) -> String {
        let indent = self.random.pick(&[0, 0, 0, 0, 2, 3]);
        match node {
            Node::List(items) if !self.random.percent(self.flow / 2) => self.block_list(items, indent),
            Node::Map(fields) if !self.random.percent(self.flow / 2) => self.block_map(fields, indent, true),
            other => self.flow(other) + "\n",
        }
    }

    fn block_list(&mut self, items: &[Node], indent: usize) -> String {
        let mut text = String::new();
        for item in items {
            self.comment(&mut text, indent);
            let blanks = self.random.pick(&[1, 1, 1, 1, 1, 3]);
            text += &" ".repeat(indent);
            text += "-";
            text += &self.item(item, indent + 1 + blanks, blanks);
        }
        text
    }

    /// What follows a dash: a compact collection, or a scalar.
    fn item(&mut self, item: &Node, indent: usize, blanks: usize) -> String {
        let gap = " ".repeat(blanks);
        match item {
            Node::Anchored(name, node) => {
                let below = self.collection_below(node, indent).unwrap_or_else(|| format!(" {}\n", self.flow(node)));
                format!(" &{name}{below}")
            }
            Node::Map(fields) if !fields.is_empty() && !self.random.percent(self.flow) => {
                gap + &self.block_map(fields, indent, false)
            }
            Node::List(items) if !items.is_empty() && !self.random.percent(self.flow) => {
                gap + self.block_list(items, indent).trim_start_matches(' ')
            }
            other => gap + &self.inline(other, indent),
        }
    }

    fn block_map(&mut self, fields: &[(String, Node)], indent: usize, pad_first: bool) -> String {
        let mut text = String::new();
        for (index, (key, value)) in fields.iter().enumerate() {
            if index > 0 || pad_first {
                self.comment(&mut text, indent);
                text += &" ".repeat(indent);
            }
            if self.random.mishap(1) {
                text += &format!("? {key}\n{}: {}\n", " ".repeat(indent), self.flow(value));
                continue;
            }
            text += &self.key(key);
            text += ":";
            text += &self.value(value, indent);
        }
        text
    }

    /// What follows the colon of a key.
    fn value(&mut self, value: &Node, indent: usize) -> String {
        if let Node::Anchored(name, node) = value {
            return format!(" &{name} {}\n", self.flow(node));
        }
        if let Some(below) = self.collection_below(value, indent).filter(|_| !self.random.percent(self.flow)) {
            return below;
        }
        let gap = if self.random.mishap(6) { self.random.pick(&["  ", "\t", " \t", "\u{a0}"]) } else { " " };
        gap.to_owned() + &self.inline(value, indent)
    }

    fn collection_below(&mut self, value: &Node, indent: usize) -> Option<String> {
        match value {
            Node::List(items) if !items.is_empty() => {
                Some("\n".to_owned() + &self.block_list(items, indent + self.list_indent))
            }
            Node::Map(fields) if !fields.is_empty() => {
                Some("\n".to_owned() + &self.block_map(fields, indent + self.map_indent, true))
            }
            _ => None,
        }
    }

    fn inline(&mut self, value: &Node, indent: usize) -> String {
        if let Node::Word(text) = value
            && self.random.percent(4)
        {
            return self.block_scalar(text, indent);
        }
        let tail = if self.random.percent(self.comments) { " # see above\n" } else { "\n" };
        self.flow(value) + tail
    }

    fn block_scalar(&mut self, text: &str, indent: usize) -> String {
        if !self.random.mishap(50) {
            let style = self.random.pick(&["|-", ">-", "|-", "|"]);
            return format!("{style}\n{}{text}\n", " ".repeat(indent + 2));
        }
        let style = self.random.pick(&["|", "|-", "|+", ">", ">-", "|2", ">1-", "|-2", "|9"]);
        let tail = self.random.pick(&["", "", "", " ", " # note", "\t"]);
        let pad = " ".repeat(indent + self.random.pick(&[2, 2, 2, 1, 4, 0]));
        let lines: String = text.split('\n').map(|line| format!("{pad}{line}\n")).collect();
        let end = self.random.pick(&["", "", "\n", "\n\n"]);
        format!("{style}{tail}\n{lines}{end}")
    }

    fn flow(&mut self, node: &Node) -> String {
        match node {
            Node::Word(text) => self.scalar(text, reads_back(text)),
            Node::Verbatim(text) => text.clone(),
            Node::Anchored(name, node) => format!("&{name} {}", self.flow(node)),
            Node::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.inside_flow(item)).collect();
                if items.is_empty() {
                    return "[]".to_owned();
                }
                let (open, between, close) = self.random.pick(&[
                    ("[", ", ", "]"),
                    ("[", ",", "]"),
                    ("[ ", ", ", " ]"),
                    ("[", ", ", ", ]"),
                    ("[", ",\n    ", "]"),
                ]);
                format!("{open}{}{close}", items.join(between))
            }
            Node::Map(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(key, value)| {
                        let colon = if self.random.mishap(10) { ":" } else { ": " };
                        self.key(key) + colon + &self.inside_flow(value)
                    })
                    .collect();
                let (open, between, close) =
                    self.random.pick(&[("{", ", ", "}"), ("{", ",", "}"), ("{ ", ", ", " }"), ("{", ",\n     ", ",}")]);
                format!("{open}{}{close}", fields.join(between))
            }
        }
    }

    fn inside_flow(&mut self, node: &Node) -> String {
        match node {
            Node::Word(text) => self.scalar(text, reads_back(text) && !text.contains(['{', '}', ','])),
            other => self.flow(other),
        }
    }

    fn key(&mut self, key: &str) -> String {
        let blank = if self.random.mishap(2) { " " } else { "" };
        let quoted = key.is_empty() || key.ends_with([' ', ':']);
        match self.random.below(40) {
            0 => quote_single(key) + blank,
            1 => quote_double(self.random, key) + blank,
            _ if quoted => quote_single(key) + blank,
            _ => key.to_owned() + blank,
        }
    }

    fn scalar(&mut self, text: &str, plain: bool) -> String {
        let tagged = if self.random.mishap(4) { self.random.below(4) } else { 4 };
        let tag = match tagged {
            0 => "!!str ",
            1 => "! ",
            2 => "!local ",
            3 => self.random.pick(&[
                "!!int ",
                "!!float ",
                "!!bool ",
                "!!null ",
                "!!binary ",
                "!!seq ",
                "!<tag:yaml.org,2002:str> ",
                "!e!x ",
                "&x ",
                "&a-1 !!str ",
            ]),
            _ => "",
        };
        let needs_quotes = !plain && !self.random.mishap(10);
        let body = if needs_quotes || self.random.percent(self.quotes) {
            if self.random.percent(50) { quote_single(text) } else { quote_double(self.random, text) }
        } else {
            text.to_owned()
        };
        format!("{tag}{body}")
    }

    fn comment(&mut self, text: &mut String, indent: usize) {
        if self.random.percent(self.comments) {
            let indent = self.random.pick(&[indent, 0, indent + 3]);
            *text += &format!(
                "{}{}\n",
                " ".repeat(indent),
                self.random.pick(&["# people", "#", "# - rolearn: x", "", "   "])
            );
        }
    }
}

/// Whether the text may stand as a plain scalar without being taken for something else (a cautious guess).
fn reads_back(text: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || "-_.+/@=:{}~<*' ".contains(c) || c > '\u{a0}';
    !text.is_empty()
        && text.chars().all(fine)
        && !text.starts_with(['{', '@', '*', '\'', ' ', ':'])
        && !["- ", "--", "-"].contains(&text)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
}

fn quote_single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quote_double(random: &mut Random, text: &str) -> String {
    let escape = random.pick(&[0, 0, 0, 20]);
    let body: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            '\n' => "\\n".to_owned(),
            '\t' if escape > 0 => "\\t".to_owned(),
            '\u{85}' => "\\N".to_owned(),
            '\u{a0}' if escape > 0 => "\\_".to_owned(),
            '\u{2028}' => "\\L".to_owned(),
            c if random.percent(escape) => match u32::from(c) {
                code @ 0..=0xff if random.percent(50) => format!("\\x{code:02x}"),
                code @ 0..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08X}"),
            },
            c => c.to_string(),
        })
        .collect();
    format!("\"{body}\"")
}
