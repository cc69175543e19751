//! What goes on while evidence is gathered: one line on a terminal that is rewritten, nothing on a pipe.

#![expect(clippy::disallowed_methods, reason = "a spinner needs the clock")]

use std::{
    cell::RefCell,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::collect::{Outcome, Progress};

/// A run that is over before this shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// The observations that are under way, on one line of standard error.
pub(super) struct Line {
    pending: RefCell<Vec<String>>,
    began: Instant,
    is_terminal: bool,
}

impl Line {
    pub(super) fn on_stderr() -> Self {
        Self { pending: RefCell::default(), began: Instant::now(), is_terminal: io::stderr().is_terminal() }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.is_terminal {
            // If standard error is closed there is nobody to show progress to.
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }

    fn show(&self) {
        if !self.is_terminal || self.began.elapsed() < PATIENCE {
            return;
        }
        let pending = self.pending.borrow();
        let shown: Vec<&str> = pending.iter().take(3).map(String::as_str).collect();
        let more = if pending.len() > shown.len() { ", …" } else { "" };
        let _ = write!(io::stderr().lock(), "\r\x1b[2Klooking at {}{more}", shown.join(", "));
        let _ = io::stderr().lock().flush();
    }
}

impl Progress for Line {
    fn started(&self, observation: &str) {
        self.pending.borrow_mut().push(observation.to_owned());
        self.show();
    }

    fn settled(&self, observation: &str, _: Outcome, _: Duration) {
        self.pending.borrow_mut().retain(|pending| pending != observation);
        self.show();
    }
}
