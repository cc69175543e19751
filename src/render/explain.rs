//! One cause in full, from its rule file: without evidence, so that names stand as placeholders.

use std::io::{self, Write};

use super::{
    look::{Look, Tone},
    terminal::{actor, decapitalized},
};
use crate::{
    facts::{
        Facts,
        value::{Describe, Node, Schema, Unknown},
    },
    rule::{self, Fix, Renderer, Rule, Stage, SymptomClass, Template},
};

/// One cause in full, before it is laid out.
struct Page<'a> {
    id: &'a str,
    title: String,
    because: String,
    sections: Vec<Section>,
    docs: &'a [String],
}

struct Section {
    head: String,
    parts: Vec<Part>,
}

enum Part {
    Prose(String),
    /// What the commands are for, if it is not what the section is for, and the commands.
    Commands(&'static str, Vec<String>),
}

impl<'a> Page<'a> {
    fn of(rule: &'a Rule) -> Self {
        let schema = Facts::schema();
        let nothing = Node::Unknown(Unknown::default());
        let renderer = Renderer::new(&schema, &nothing);
        let list = rule.each.as_deref().and_then(|list| rule::schema_of(list, &schema));
        let it = match list.map(Schema::required) {
            Some(Schema::List(element)) => Some(renderer.element(element, &nothing)),
            _ => None,
        };
        let text = |template: &Template| renderer.render(template, it.as_ref());
        let symptoms: Vec<&str> = rule.explains.iter().map(|class| in_words(*class)).collect();
        let mut sections = vec![Section::prose("How it looks", symptoms.join("; "))];
        sections.extend(rule.recognise.as_ref().map(|how| Section::prose("How to recognise it by hand", text(how))));
        let holds: Vec<String> = rule.when.in_words().into_iter().chain(rule.unless.in_words_denied()).collect();
        sections.push(Section::prose("When it is the cause", holds.join("; ")));
        if !rule.refines.is_empty() {
            sections.push(Section::prose("It makes more precise", rule.refines.join(", ")));
        }
        sections.extend(rule.fixes.iter().map(|fix| Section::of_fix(fix, &text)));
        Self { id: &rule.id, title: text(&rule.title), because: text(&rule.because), sections, docs: &rule.docs }
    }
}

impl Section {
    fn prose(head: &str, body: String) -> Self {
        Self { head: head.to_owned(), parts: vec![Part::Prose(body)] }
    }

    fn of_fix(fix: &Fix, text: &dyn Fn(&Template) -> String) -> Self {
        let mut parts = Vec::new();
        let conditions: Vec<String> = fix.when.in_words().into_iter().chain(fix.unless.in_words_denied()).collect();
        if !conditions.is_empty() {
            parts.push(Part::Prose(format!("offered if {}", conditions.join("; "))));
        }
        parts.extend(fix.warning.as_ref().map(|warning| Part::Prose(format!("Warning: {}", text(warning)))));
        if !fix.requires.is_empty() {
            parts.push(Part::Prose(format!("needs {}", fix.requires.join(", "))));
        }
        for (head, templates) in [("", &fix.run), ("Undo", &fix.undo), ("Verify", &fix.verify)] {
            if !templates.is_empty() {
                parts.push(Part::Commands(head, templates.iter().map(text).collect()));
            }
        }
        Self { head: format!("Fix, by {}: {}", actor(fix.actor), decapitalized(&text(&fix.title))), parts }
    }
}

/// Writes one cause in full.
///
/// # Errors
/// The writer fails.
pub fn explain(rule: &Rule, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::of(rule);
    writeln!(out, "{}   {}\n", look.tone(Tone::Strong, &look.line(&page.title)), look.tone(Tone::Faint, page.id))?;
    writeln!(out, "{}", look.prose(&page.because, 2))?;
    for section in &page.sections {
        writeln!(out, "\n{}", look.tone(Tone::Strong, &look.prose(&section.head, 0)))?;
        for part in &section.parts {
            match part {
                Part::Prose(body) => writeln!(out, "{}", look.prose(body, 2))?,
                Part::Commands(head, commands) => {
                    if !head.is_empty() {
                        writeln!(out, "  {head}")?;
                    }
                    commands.iter().try_for_each(|command| writeln!(out, "{}", look.command(command, 4)))?;
                }
            }
        }
    }
    writeln!(out, "\n{}", look.tone(Tone::Strong, "Read more"))?;
    page.docs.iter().try_for_each(|link| writeln!(out, "  {link}"))
}

/// Writes one cause in full as a page in Markdown.
///
/// # Errors
/// The writer fails.
pub fn page(rule: &Rule, out: &mut dyn Write) -> io::Result<()> {
    let page = Page::of(rule);
    writeln!(out, "# {}\n\n`{}`\n\n{}", markdown(&page.title), page.id, markdown(&page.because))?;
    for section in &page.sections {
        writeln!(out, "\n## {}", markdown(&section.head))?;
        for part in &section.parts {
            match part {
                Part::Prose(body) => writeln!(out, "\n{}", markdown(body))?,
                Part::Commands(head, commands) => {
                    if !head.is_empty() {
                        writeln!(out, "\n{head}:")?;
                    }
                    writeln!(out, "\n```sh\n{}\n```", commands.join("\n"))?;
                }
            }
        }
    }
    writeln!(out, "\n## Read more\n")?;
    page.docs.iter().try_for_each(|link| writeln!(out, "- <{link}>"))
}

/// Writes the index of all pages in Markdown: a table per stage, with a link to `<id><extension>`.
///
/// # Errors
/// The writer fails.
pub fn index(rules: &[Rule], extension: &str, out: &mut dyn Write) -> io::Result<()> {
    for stage in Stage::ALL {
        let mut of_stage = rules.iter().filter(|rule| rule.stage == stage).peekable();
        if of_stage.peek().is_some() {
            writeln!(out, "\n## {stage}\n\n| rule | what is wrong |\n| --- | --- |")?;
        }
        for rule in of_stage {
            writeln!(out, "| [{id}]({id}{extension}) | {} |", rule.title.source(), id = rule.id)?;
        }
    }
    Ok(())
}

/// Text whose placeholders are no tags.
fn markdown(text: &str) -> String {
    text.replace('<', "&lt;")
}

/// A symptom class as people see it.
fn in_words(class: SymptomClass) -> &'static str {
    match class {
        SymptomClass::Unauthorized => "401 Unauthorized (\"You must be logged in to the server\")",
        SymptomClass::Forbidden => "403 Forbidden with a user name",
        SymptomClass::Anonymous => "403 Forbidden as system:anonymous",
        SymptomClass::Exec => "the client gets no credentials from its exec plugin",
        SymptomClass::Aws => "an AWS call fails before Kubernetes is asked",
        SymptomClass::Configuration => "the client cannot use its configuration, or talks to localhost",
        SymptomClass::Network => "time-out, no such host, connection refused",
        SymptomClass::Tls => "a certificate error",
        SymptomClass::Console => "the EKS console shows no Kubernetes objects",
        SymptomClass::Node => "a node does not join",
        SymptomClass::Works => "it works, but will surprise",
    }
}
