//! The lists of rules and scenarios.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};

use super::look::Look;
use crate::rule::Rule;

/// Writes the rules as a table.
///
/// # Errors
/// The writer fails.
pub fn list(rules: &[Rule], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let rows = rules.iter().map(|rule| [rule.id.clone(), look.line(rule.title.source())]);
    table(["id", "what is wrong"], rows, look, out)
}

/// Writes the rules as a JSON array.
///
/// # Errors
/// The writer fails.
pub fn list_json(rules: &[Rule], out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            serde_json::json!({
                "id": rule.id, "stage": rule.stage, "title": rule.title.source(), "weight": rule.weight,
                "explains": rule.explains, "refines": rule.refines, "docs": rule.docs,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rules)?;
    writeln!(out)
}

/// Writes the scenarios of `demo` as a table: name and what it shows.
///
/// # Errors
/// The writer fails.
pub fn scenarios(scenarios: &[(String, String)], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let rows = scenarios.iter().map(|(name, what)| [name.clone(), look.line(what)]);
    table(["scenario", "what it shows"], rows, look, out)
}

fn table(head: [&str; 2], rows: impl Iterator<Item = [String; 2]>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(look.width).unwrap_or(u16::MAX));
    table.set_header(head);
    table.add_rows(rows);
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
