//! The report for people: the stations of the request, then the causes with their commands, then what would settle
//! the rest. One screen for the common case.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::look::{Look, Tone};
use crate::{
    report::{Certainty, CheckOutcome, Finding, Fix, Report, Unseen, Verdict},
    rule::Actor,
};

/// The columns of a stage's name.
const STAGE: usize = 15;
/// Blanks before commands.
const COMMAND_INDENT: usize = 6;

/// Writes a report for a terminal, or plainly for a pipe.
///
/// # Errors
/// The writer fails.
pub fn terminal(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let page = Page { report, look };
    page.head(out)?;
    page.stations(out)?;
    page.conclusion(out)?;
    for finding in report.findings.iter().filter(|finding| page.is_shown(finding)) {
        page.finding(finding, out)?;
    }
    page.unknowns(out)?;
    if look.verbose {
        page.details(out)?;
    } else {
        page.more(out)?;
    }
    Ok(())
}

struct Page<'a> {
    report: &'a Report,
    look: Look,
}

impl Page<'_> {
    fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        let target = &self.report.target;
        let look = self.look;
        let cluster = match (&target.cluster, &target.region) {
            (Some(cluster), Some(region)) => Some(format!("cluster {cluster} ({region})")),
            (Some(cluster), None) => Some(format!("cluster {cluster}")),
            (None, Some(region)) => Some(format!("region {region}")),
            (None, None) => None,
        };
        let principal = target.principal.as_ref().map(|arn| format!("principal {arn}"));
        let name = format!("{} {}", self.report.tool.name, self.report.tool.version);
        let mut line = look.tone(Tone::Strong, &name);
        let mut columns = name.width();
        for part in [cluster, principal].into_iter().flatten() {
            let part = look.line(&part);
            if columns + 3 + part.width() > look.width {
                writeln!(out, "{line}")?;
                line = format!("  {part}");
                columns = line.width();
            } else {
                line = format!("{line}   {part}");
                columns += 3 + part.width();
            }
        }
        writeln!(out, "{line}\n")
    }

    fn stations(&self, out: &mut dyn Write) -> io::Result<()> {
        let look = self.look;
        for hop in &self.report.trace {
            let (mark, tone) = self.mark(hop.outcome);
            let detail = look.line(&hop.detail);
            let room = look.width.saturating_sub(4 + STAGE + 2).max(30);
            let options = textwrap::Options::new(room).break_words(false);
            let wrapped = textwrap::wrap(&detail, options);
            let name = look.pad(hop.hop.as_str(), STAGE);
            let name = if hop.outcome == CheckOutcome::Fail { look.tone(Tone::Strong, &name) } else { name };
            let first = wrapped.first().map(|line| line.as_ref()).unwrap_or_default();
            let faint = hop.outcome == CheckOutcome::Skipped;
            let shade = |text: &str| if faint { look.tone(Tone::Faint, text) } else { text.to_owned() };
            writeln!(out, "  {} {name}  {}", look.tone(tone, mark), shade(first))?;
            for line in wrapped.iter().skip(1) {
                writeln!(out, "    {}  {}", " ".repeat(STAGE), shade(line))?;
            }
        }
        writeln!(out)
    }

    fn mark(&self, outcome: CheckOutcome) -> (&'static str, Tone) {
        match (outcome, self.look.unicode) {
            (CheckOutcome::Pass, true) => ("✓", Tone::Good),
            (CheckOutcome::Pass, false) => ("+", Tone::Good),
            (CheckOutcome::Fail, true) => ("✗", Tone::Bad),
            (CheckOutcome::Fail, false) => ("x", Tone::Bad),
            (CheckOutcome::Unknown, _) => ("?", Tone::Unsure),
            (CheckOutcome::Skipped, true) => ("·", Tone::Faint),
            (CheckOutcome::Skipped, false) => ("-", Tone::Faint),
        }
    }

    fn conclusion(&self, out: &mut dyn Write) -> io::Result<()> {
        let look = self.look;
        let (head, tone) = match self.report.verdict {
            Verdict::Healthy => ("Healthy".to_owned(), Tone::Good),
            Verdict::Blocked => (format!("Why: blocked{}", self.at()), Tone::Bad),
            Verdict::Inconclusive => {
                let proven = self.report.findings.first().is_some_and(|first| first.verdict == Certainty::Confirmed);
                let why = if proven { "the API server says yes" } else { "nothing is proven" };
                (format!("Inconclusive{}: {why}", self.at()), Tone::Unsure)
            }
        };
        writeln!(out, "{}", look.tone(tone, &head))?;
        let alone = self.report.findings.is_empty() || self.report.verdict == Verdict::Healthy;
        if alone {
            writeln!(out, "{}", look.prose(&self.report.summary, 2))?;
        }
        Ok(())
    }

    fn at(&self) -> String {
        self.report.blocked_at.map(|stage| format!(" at {stage}")).unwrap_or_default()
    }

    /// Whether a finding is shown: beside what is proven, what is merely possible is noise.
    fn is_shown(&self, finding: &Finding) -> bool {
        self.look.verbose || finding.verdict == Certainty::Confirmed || self.report.verdict != Verdict::Blocked
    }

    /// Whether a finding is shown with its reasons and fixes.
    fn is_shown_whole(&self, finding: &Finding) -> bool {
        self.look.verbose || finding.rank == 1 || finding.verdict == Certainty::Confirmed
    }

    fn finding(&self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        let look = self.look;
        let sure = match finding.verdict {
            Certainty::Confirmed => look.tone(Tone::Bad, "confirmed"),
            Certainty::Possible => look.tone(Tone::Unsure, &percent(finding.confidence)),
        };
        let title = look.line(&finding.title);
        let used = 4 + title.width() + 3 + finding.id.width() + 3 + 9;
        writeln!(out)?;
        let title_shown = look.tone(Tone::Strong, &title);
        let id = look.tone(Tone::Faint, &finding.id);
        if used <= look.width {
            let gap = " ".repeat(look.width - used + 3);
            writeln!(out, "{:>2}  {title_shown}{gap}{id}   {sure}", finding.rank)?;
        } else {
            writeln!(out, "{:>2}  {title_shown}\n    {id}   {sure}", finding.rank)?;
        }
        if self.is_shown_whole(finding) {
            if let (Certainty::Possible, Some(open)) = (finding.verdict, open_facts(finding)) {
                writeln!(out, "{}", look.tone(Tone::Unsure, &look.prose(&open, 4)))?;
            }
            writeln!(out, "{}", look.prose(&finding.because, 4))?;
            for fact in finding.evidence.iter().filter(|_| look.verbose) {
                let line = format!("{}: {} ({})", fact.fact, fact.value, fact.source);
                writeln!(out, "      {}", look.tone(Tone::Faint, &look.line(&line)))?;
            }
            self.fixes(finding, out)?;
        }
        Ok(())
    }

    fn fixes(&self, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
        let mut verified: Option<&[String]> = None;
        for fix in &finding.fixes {
            // Fixes that are verified alike share one "Verify" behind the last of them.
            if let Some(commands) = verified.filter(|commands| *commands != fix.verify) {
                self.commands("Verify", commands, out)?;
            }
            verified = Some(&fix.verify);
            self.fix(fix, out)?;
        }
        match verified {
            Some(commands) => self.commands("Verify", commands, out),
            None => Ok(()),
        }
    }

    fn fix(&self, fix: &Fix, out: &mut dyn Write) -> io::Result<()> {
        let look = self.look;
        let head = format!("Fix, by {}: {}", actor(fix.actor), decapitalized(&fix.title));
        writeln!(out, "\n{}", look.prose(&head, 4))?;
        if let Some(warning) = &fix.warning {
            writeln!(out, "{}", look.tone(Tone::Bad, &look.prose(&format!("Warning: {warning}"), 6)))?;
        }
        if !fix.reversible {
            writeln!(out, "{}", look.tone(Tone::Bad, &look.prose("This cannot be undone.", 6)))?;
        }
        for step in &fix.steps {
            writeln!(out, "{}", self.look.command(&step.run, COMMAND_INDENT))?;
        }
        if !fix.requires.is_empty() {
            writeln!(out, "{}", look.tone(Tone::Faint, &look.prose(&format!("needs {}", fix.requires.join(", ")), 6)))?;
        }
        if !fix.fill_in.is_empty() {
            writeln!(out, "{}", look.prose(&format!("fill in {}", fix.fill_in.join(", ")), 6))?;
        }
        if !fix.undo.is_empty() && look.verbose {
            self.commands("Undo", &fix.undo, out)?;
        }
        Ok(())
    }

    fn commands(&self, head: &str, commands: &[String], out: &mut dyn Write) -> io::Result<()> {
        if commands.is_empty() {
            return Ok(());
        }
        writeln!(out, "    {head}")?;
        commands.iter().try_for_each(|command| writeln!(out, "{}", self.look.command(command, COMMAND_INDENT)))
    }

    fn unknowns(&self, out: &mut dyn Write) -> io::Result<()> {
        let wanted =
            self.report.unknowns.iter().filter(|_| self.report.verdict != Verdict::Blocked || self.look.verbose);
        let shown: Vec<&Unseen> = wanted.take(if self.look.verbose { usize::MAX } else { 4 }).collect();
        if shown.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", self.look.tone(Tone::Strong, "What would settle it"))?;
        for unseen in shown {
            let line = format!("{} was not seen: {}", unseen.observation, unseen.why);
            writeln!(out, "{}", self.look.prose(&line, 2))?;
            writeln!(out, "    by {}:", actor(unseen.actor))?;
            writeln!(out, "{}", self.look.command(&unseen.ask, COMMAND_INDENT))?;
        }
        Ok(())
    }

    fn details(&self, out: &mut dyn Write) -> io::Result<()> {
        let look = self.look;
        writeln!(out, "\n{}", look.tone(Tone::Strong, "Checks"))?;
        for check in &self.report.checks {
            let (mark, tone) = self.mark(check.outcome);
            let time = check.milliseconds.map(|ms| format!(" [{ms} ms]")).unwrap_or_default();
            let line = format!("{}: {}{time}", check.title, check.detail);
            writeln!(out, "  {} {}", look.tone(tone, mark), look.prose(&line, 4).trim_start())?;
        }
        if !self.report.ruled_out.is_empty() {
            writeln!(out, "\n{}", look.tone(Tone::Strong, "Ruled out"))?;
        }
        for ruled_out in &self.report.ruled_out {
            writeln!(out, "{}", look.prose(&format!("{}: {}", ruled_out.id, ruled_out.because), 2))?;
        }
        Ok(())
    }

    fn more(&self, out: &mut dyn Write) -> io::Result<()> {
        let hidden = self.report.findings.iter().filter(|finding| !self.is_shown_whole(finding)).count();
        let line = match (hidden, self.report.verdict) {
            (_, Verdict::Healthy) => return Ok(()),
            (0, _) => "--verbose shows undo commands, the evidence and what is ruled out.",
            (_, Verdict::Blocked) => {
                "--verbose shows undo commands, the evidence, what else is possible and what is ruled out."
            }
            (_, _) => "--verbose shows the reasons and fixes of all causes, the evidence and what is ruled out.",
        };
        writeln!(out, "\n{}", self.look.tone(Tone::Faint, &self.look.prose(line, 0)))
    }
}

/// What a possible cause rests on without having been seen.
fn open_facts(finding: &Finding) -> Option<String> {
    let open = finding
        .evidence
        .iter()
        .filter_map(|fact| fact.value.strip_prefix("unknown: ").map(|why| format!("{} ({why})", fact.fact)));
    let open: Vec<String> = open.take(3).collect();
    (!open.is_empty()).then(|| format!("Not proven: it depends on {}.", open.join(", ")))
}

/// Who somebody is, in words.
pub(super) fn actor(actor: Actor) -> &'static str {
    match actor {
        Actor::You => "you",
        Actor::ClusterAdmin => "a cluster admin",
        Actor::AwsAdmin => "an AWS admin",
        Actor::ClusterCreator => "the cluster's creator",
    }
}

fn percent(confidence: f64) -> String {
    let percent = confidence * 100.0;
    match percent {
        ..1.0 => "< 1 %".to_owned(),
        99.0.. => "> 99 %".to_owned(),
        _ => format!("{percent:.0} %"),
    }
}

/// A sentence's beginning in the middle of another; names in capitals stay.
pub(super) fn decapitalized(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}
