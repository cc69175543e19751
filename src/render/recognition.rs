//! What an error text means: the messages in it, and the causes that may be behind them, without any look at the world.

use std::io::{self, Write};

use super::look::{Look, Tone};
use crate::{
    rule::Library,
    symptom::{Recognition, StatedFacts},
};

/// How many causes are named.
const SHOWN_CAUSES: usize = 8;
/// How many messages are explained.
const SHOWN_MESSAGES: usize = 4;

/// Writes what a text means.
///
/// # Errors
/// The writer fails.
pub fn recognition(found: &Recognition<'_>, library: &Library, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if found.messages.is_empty() {
        writeln!(out, "No known error message was found in the text.")?;
        if let Some(nearest) = found.nearest {
            writeln!(out, "\nThe nearest known one is this ({}):", nearest.client)?;
            writeln!(out, "{}", look.prose(&nearest.sample(), 4))?;
        }
        return writeln!(out, "\n`eks-doctor check` looks for itself what is wrong.");
    }
    for recognised in found.messages.iter().filter(|recognised| !recognised.is_subsumed).take(SHOWN_MESSAGES) {
        let head = format!("line {}, {}", recognised.line, recognised.message.client);
        writeln!(out, "{}", look.tone(Tone::Strong, &head))?;
        writeln!(out, "{}", look.tone(Tone::Faint, &look.prose(&recognised.excerpt, 2)))?;
        writeln!(out, "{}", look.prose(recognised.message.meaning, 4))?;
        if let Some(note) = recognised.message.note {
            writeln!(out, "{}", look.prose(note, 4))?;
        }
        writeln!(out)?;
    }
    stated(&found.stated, look, out)?;
    if let Some((cause, _)) = found.proves {
        writeln!(out, "{} {cause}", look.tone(Tone::Bad, "The text states the cause by itself:"))?;
    }
    writeln!(out, "{}", look.tone(Tone::Strong, "What may be behind it, most likely first"))?;
    for (cause, weight) in found.causes.iter().take(SHOWN_CAUSES) {
        let title = library.get(cause).map(|rule| look.line(rule.title.source())).unwrap_or_default();
        let line = format!("{:>3.0} %  {cause}: {title}", weight * 100.0);
        writeln!(out, "{}", look.prose(&line, 2))?;
    }
    writeln!(out, "\n`eks-doctor explain ID` has each cause in full; `eks-doctor check` finds out which it is.")
}

fn stated(facts: &StatedFacts, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let Ok(serde_json::Value::Object(facts)) = serde_json::to_value(facts) else { return Ok(()) };
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", look.tone(Tone::Strong, "What the text states"))?;
    for (name, value) in &facts {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writeln!(out, "{}", look.prose(&format!("{name}: {value}"), 2))?;
    }
    writeln!(out)
}

/// Writes the same as JSON.
///
/// # Errors
/// The writer fails.
pub fn recognition_json(found: &Recognition<'_>, out: &mut dyn Write) -> io::Result<()> {
    let messages: Vec<_> = found
        .messages
        .iter()
        .map(|recognised| {
            serde_json::json!({
                "id": recognised.message.id, "client": recognised.message.client, "line": recognised.line,
                "excerpt": recognised.excerpt, "meaning": recognised.message.meaning, "stage": recognised.message.stage(),
                "isSubsumed": recognised.is_subsumed, "stated": recognised.stated,
            })
        })
        .collect();
    let causes: Vec<_> =
        found.causes.iter().map(|(id, weight)| serde_json::json!({ "id": id, "confidence": weight })).collect();
    let document = serde_json::json!({
        "messages": messages, "causes": causes, "proves": found.proves.map(|(cause, _)| cause),
        "classes": found.classes, "stated": found.stated, "nearest": found.nearest.map(|message| message.id),
        "isComplete": found.is_complete,
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
