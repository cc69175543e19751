//! Renderers: a finished report and a writer in, words out.

use std::io::{self, Write};

use crate::report::Report;

mod explain;
mod look;
pub mod permissions;
mod recognition;
mod rules;
mod terminal;

pub use explain::{explain, index as rule_index, page as rule_page};
pub use look::Look;
pub use recognition::{recognition, recognition_json};
pub use rules::{list as rule_list, list_json as rule_list_json, scenarios as scenario_list};
pub use terminal::terminal;

/// Writes a report in the format `eks-doctor/report/v1`.
///
/// # Errors
/// The writer fails.
pub fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
