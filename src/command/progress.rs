//! What goes on while evidence is gathered, on standard error: a line per look as it settles, and which call is being
//! waited for. A run that is over at once says nothing, and nor does one without a terminal unless it is `--verbose`.

#![expect(clippy::disallowed_methods, reason = "progress needs the clock and the terminal")]

use std::{
    cell::RefCell,
    env,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    time::{Duration, Instant},
};

use crate::{
    collect::{Look, Outcome, Progress},
    shell::is_deceptive,
};

/// A run that is over before this shows nothing, and a call that is over before this is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the terminal's last line away.
const ERASE: &str = "\r\x1b[2K";

/// The progress of a run on standard error.
pub(super) struct Lines {
    board: RefCell<Board>,
    began: Instant,
}

impl Lines {
    /// With `verbose` every call is told, with its time, however fast it is.
    pub(super) fn on_stderr(verbose: bool) -> Self {
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let columns = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let width = (io::stderr().is_terminal() && !is_dumb).then_some(columns);
        Self { board: RefCell::new(Board { width, verbose, ..Board::default() }), began: Instant::now() }
    }

    /// Takes the spinner away.
    pub(super) fn end(&self) {
        write(&self.board.borrow().erase());
    }
}

fn write(text: &str) {
    if !text.is_empty() {
        let mut stderr = io::stderr().lock();
        // If standard error is closed there is nobody to show progress to.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

impl Progress for Lines {
    fn started(&self, look: &Look) {
        self.board.borrow_mut().started(look, self.began.elapsed());
    }

    fn settled(&self, look: &Look, outcome: Outcome, elapsed: Duration) {
        let mut board = self.board.borrow_mut();
        board.settled(look, outcome, elapsed);
        write(&board.show(self.began.elapsed()));
    }

    fn tick(&self) {
        write(&self.board.borrow_mut().show(self.began.elapsed()));
    }
}

/// What there is to show, without a clock and a stream of its own.
#[derive(Default)]
struct Board {
    /// The columns of a terminal; nothing elsewhere.
    width: Option<usize>,
    verbose: bool,
    pending: Vec<Pending>,
    /// Lines that were not written yet.
    lines: String,
    /// What the terminal's last line shows.
    spinner: String,
}

/// A call that has not ended.
struct Pending {
    observation: &'static str,
    call: String,
    since: Duration,
    told: bool,
}

impl Board {
    fn started(&mut self, look: &Look, now: Duration) {
        let call = call_of(look);
        self.pending.push(Pending { observation: look.observation, call, since: now, told: false });
    }

    fn settled(&mut self, look: &Look, outcome: Outcome, elapsed: Duration) {
        let call = call_of(look);
        let is_it = |pending: &Pending| pending.observation == look.observation && pending.call == call;
        if let Some(index) = self.pending.iter().position(is_it) {
            self.pending.swap_remove(index);
        }
        let (words, milliseconds) = (words(outcome), elapsed.as_millis());
        let call = if self.verbose && !call.is_empty() { format!("  {call}") } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(self.lines, "{words:<9} {milliseconds:>6} ms  {}{call}", look.observation);
    }

    /// What is to be written now.
    fn show(&mut self, now: Duration) -> String {
        if !self.verbose && (self.width.is_none() || now < PATIENCE) {
            return String::new();
        }
        if self.width.is_none() {
            for pending in self.pending.iter_mut().filter(|one| !one.told && now >= one.since + PATIENCE) {
                pending.told = true;
                let _ = writeln!(self.lines, "waiting for {}", pending.call);
            }
        }
        let lines = std::mem::take(&mut self.lines);
        let spinner = self.width.and_then(|width| self.spinner(width, now)).unwrap_or_default();
        if lines.is_empty() && spinner == self.spinner {
            return String::new();
        }
        let shown = format!("{}{lines}{spinner}", self.erase());
        self.spinner = spinner;
        shown
    }

    /// The call that is waited for longest, on one line of the terminal.
    fn spinner(&self, width: usize, now: Duration) -> Option<String> {
        const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
        let oldest = self.pending.iter().min_by_key(|pending| pending.since)?;
        let frame = usize::try_from(now.as_millis() / 100).unwrap_or_default() % FRAMES.len();
        let frame = FRAMES.get(frame).copied().unwrap_or_default();
        let more = match self.pending.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        let seconds = now.saturating_sub(oldest.since).as_secs();
        let line = format!("{frame} {seconds} s: waiting for {}{more}", oldest.call);
        // A line that breaks could not be taken away again.
        Some(line.chars().take(width.saturating_sub(1)).collect())
    }

    fn erase(&self) -> String {
        if self.spinner.is_empty() { String::new() } else { ERASE.to_owned() }
    }
}

/// The call in words, with nothing in it that a terminal would act on.
fn call_of(look: &Look) -> String {
    let call = match look.address.is_empty() || look.operation.ends_with(&look.address) {
        true => look.operation.clone(),
        false => format!("{} at {}", look.operation, look.address),
    };
    call.chars().map(|character| if is_deceptive(character) { '?' } else { character }).collect()
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Found => "found",
        Outcome::Absent => "not there",
        Outcome::Denied => "refused",
        Outcome::Failed => "no answer",
        Outcome::NotTried => "not tried",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(observation: &'static str, operation: &str) -> Look {
        let (operation, address) = (operation.to_owned(), "sts.example".to_owned());
        Look { observation, operation, address, ..Look::default() }
    }

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A board after one look that ended at once and one that goes on.
    fn board(width: Option<usize>, verbose: bool) -> Board {
        let mut board = Board { width, verbose, ..Board::default() };
        board.started(&look("aws.caller", "sts:GetCallerIdentity"), milliseconds(0));
        board.started(&look("exec", "exec aws"), milliseconds(0));
        board.settled(&look("aws.caller", "sts:GetCallerIdentity"), Outcome::Found, milliseconds(43));
        board
    }

    #[test]
    fn a_fast_run_says_nothing() {
        let mut board = board(Some(80), false);
        assert_eq!(board.show(milliseconds(900)), "");
        assert_eq!(board.erase(), "");
    }

    #[test]
    fn a_pipe_gets_nothing_unless_it_is_asked_for() {
        assert_eq!(board(None, false).show(milliseconds(9000)), "");
        let mut board = board(None, true);
        let found = "found         43 ms  aws.caller  sts:GetCallerIdentity at sts.example\n";
        assert_eq!(board.show(milliseconds(1000)), format!("{found}waiting for exec aws at sts.example\n"));
        assert_eq!(board.show(milliseconds(2000)), "");
        board.settled(&look("exec", "exec aws"), Outcome::Failed, milliseconds(2500));
        assert_eq!(board.show(milliseconds(2500)), "no answer   2500 ms  exec  exec aws at sts.example\n");
    }

    #[test]
    fn a_terminal_has_a_line_that_is_rewritten_and_never_breaks() {
        let mut board = board(Some(30), false);
        assert_eq!(board.show(milliseconds(1000)), "found         43 ms  aws.caller\n- 1 s: waiting for exec aws a");
        assert_eq!(board.show(milliseconds(1000)), "");
        assert_eq!(board.show(milliseconds(2100)), "\r\x1b[2K/ 2 s: waiting for exec aws a");
        board.settled(&look("exec", "exec aws"), Outcome::Denied, milliseconds(2500));
        assert_eq!(board.show(milliseconds(2500)), "\r\x1b[2Krefused     2500 ms  exec\n");
        assert_eq!(board.erase(), "");
    }

    #[test]
    fn verbose_tells_every_call_at_once() {
        let mut board = board(None, true);
        let call = "sts:GetCallerIdentity at sts.example";
        assert_eq!(board.show(milliseconds(43)), format!("found         43 ms  aws.caller  {call}\n"));
    }

    #[test]
    fn nothing_that_a_terminal_would_act_on_gets_through() {
        assert!(!call_of(&look("exec", "exec \u{1b}]0;x\u{7}")).contains('\u{1b}'));
    }
}
