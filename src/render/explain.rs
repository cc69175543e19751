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
    rule::{self, Fix, Renderer, Rule, SymptomClass, Template},
};

/// Writes one cause in full.
///
/// # Errors
/// The writer fails.
pub fn explain(rule: &Rule, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let schema = Facts::schema();
    let nothing = Node::Unknown(Unknown::default());
    let renderer = Renderer::new(&schema, &nothing);
    let list = rule.each.as_deref().and_then(|list| rule::schema_of(list, &schema));
    let it = match list.map(Schema::required) {
        Some(Schema::List(element)) => Some(renderer.element(element, &nothing)),
        _ => None,
    };
    let text = |template: &Template| renderer.render(template, it.as_ref());

    writeln!(
        out,
        "{}   {}\n",
        look.tone(Tone::Strong, &look.line(&text(&rule.title))),
        look.tone(Tone::Faint, &rule.id)
    )?;
    writeln!(out, "{}", look.prose(&text(&rule.because), 2))?;
    let symptoms: Vec<&str> = rule.explains.iter().map(|class| in_words(*class)).collect();
    section("How it looks", &symptoms.join("; "), look, out)?;
    if let Some(recognise) = &rule.recognise {
        section("How to recognise it by hand", &text(recognise), look, out)?;
    }
    let holds: Vec<String> = rule.when.in_words().into_iter().chain(rule.unless.in_words_denied()).collect();
    section("When it is the cause", &holds.join("; "), look, out)?;
    if !rule.refines.is_empty() {
        section("It makes more precise", &rule.refines.join(", "), look, out)?;
    }
    for fix in &rule.fixes {
        write_fix(fix, &text, look, out)?;
    }
    writeln!(out, "\n{}", look.tone(Tone::Strong, "Read more"))?;
    rule.docs.iter().try_for_each(|link| writeln!(out, "  {link}"))
}

fn section(head: &str, body: &str, look: Look, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}\n{}", look.tone(Tone::Strong, head), look.prose(body, 2))
}

fn write_fix(fix: &Fix, text: &dyn Fn(&Template) -> String, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let head = format!("Fix, by {}: {}", actor(fix.actor), decapitalized(&text(&fix.title)));
    writeln!(out, "\n{}", look.tone(Tone::Strong, &look.prose(&head, 0)))?;
    let conditions: Vec<String> = fix.when.in_words().into_iter().chain(fix.unless.in_words_denied()).collect();
    if !conditions.is_empty() {
        writeln!(out, "{}", look.prose(&format!("offered if {}", conditions.join("; ")), 2))?;
    }
    if let Some(warning) = &fix.warning {
        writeln!(out, "{}", look.prose(&format!("Warning: {}", text(warning)), 2))?;
    }
    commands(&fix.run, text, look, out)?;
    if !fix.requires.is_empty() {
        writeln!(out, "{}", look.prose(&format!("needs {}", fix.requires.join(", ")), 4))?;
    }
    for (head, templates) in [("  Undo", &fix.undo), ("  Verify", &fix.verify)] {
        if !templates.is_empty() {
            writeln!(out, "{head}")?;
            commands(templates, text, look, out)?;
        }
    }
    Ok(())
}

fn commands(
    templates: &[Template],
    text: &dyn Fn(&Template) -> String,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    for template in templates {
        text(template).lines().try_for_each(|line| writeln!(out, "    {}", look.visible(line)))?;
    }
    Ok(())
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
