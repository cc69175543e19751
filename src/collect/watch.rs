//! Every look at the world goes through here: it gets its time limit, can be stopped, is timed for the report and
//! announced to whoever shows progress. So nothing can hang, and what has not settled in time settles as a time-out.

#![expect(clippy::disallowed_methods, reason = "the clock is read here")]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::failure::{TIMEOUT, timed_out};
use crate::evidence::{Call, Failure, Observed};

/// How long one call may take, if the run lasts long enough.
const CALL: Duration = Duration::from_secs(5);

/// A shorter wait proves nothing about the other side: answers often take as long.
const TELLING: Duration = Duration::from_millis(250);

/// How often the progress is told that time goes by.
const TICK: Duration = Duration::from_millis(100);

/// Follows the looking while it goes on.
pub trait Progress {
    /// A look has begun.
    fn started(&self, look: &Look);
    /// A look has ended.
    fn settled(&self, look: &Look, outcome: Outcome, elapsed: Duration);
    /// Time goes by; called several times a second.
    fn tick(&self);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn started(&self, _: &Look) {}
    fn settled(&self, _: &Look, _: Outcome, _: Duration) {}
    fn tick(&self) {}
}

/// The form of an observation without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Looked, and found.
    Found,
    /// Looked, and not there.
    Absent,
    /// Refused.
    Denied,
    /// Could not be answered.
    Failed,
    /// Not looked at.
    NotTried,
}

impl Outcome {
    fn of<T>(observed: &Observed<T>) -> Self {
        match observed {
            Observed::Found(_) => Self::Found,
            Observed::Absent(_) => Self::Absent,
            Observed::Denied(_) => Self::Denied,
            Observed::Failed(_) => Self::Failed,
            Observed::NotTried(_) => Self::NotTried,
        }
    }
}

/// One look.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The path in the evidence of what it is for: `aws.caller`.
    pub observation: &'static str,
    /// How the call is spelled, as in a failure's `operation`; empty if it takes no waiting.
    pub operation: String,
    /// Where it goes.
    pub address: String,
    /// How long it may take.
    pub limit: Duration,
}

/// The time that is left for a run, and the list of the calls it made.
pub(crate) struct Watch<'p> {
    deadline: Instant,
    call_limit: Duration,
    stop: watch::Receiver<bool>,
    progress: &'p dyn Progress,
    calls: RefCell<Vec<Call>>,
}

impl<'p> Watch<'p> {
    /// A watch over a run that may take this long and ends early when `stop` turns true.
    pub(crate) fn new(timeout: Duration, stop: watch::Receiver<bool>, progress: &'p dyn Progress) -> Self {
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or_else(|| now + Duration::from_secs(3600));
        Self { deadline, call_limit: CALL.min(timeout / 2), stop, progress, calls: RefCell::default() }
    }

    /// How long one call may take: never so long that nothing can come after it.
    pub(crate) fn call_limit(&self) -> Duration {
        self.call_limit
    }

    /// The time that is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Announces a look that took no waiting.
    pub(crate) fn note<T>(&self, observation: &'static str, observed: &Observed<T>) {
        let look = Look { observation, ..Look::default() };
        self.progress.started(&look);
        self.progress.settled(&look, Outcome::of(observed), Duration::ZERO);
    }

    /// Waits for a look within its time.
    pub(crate) async fn look<T>(&self, look: Look, future: impl Future<Output = Observed<T>>) -> Observed<T> {
        self.progress.started(&look);
        let begun = Instant::now();
        let end = self.deadline.min(begun + look.limit);
        let mut stop = self.stop.clone();
        let observed = tokio::select! {
            biased;
            observed = future => match observed {
                // The look's own limit was cut short by the run's.
                Observed::Failed(failure) if failure.code.as_deref() == Some(TIMEOUT) && begun.elapsed() < TELLING => {
                    cut_short(&look, begun.elapsed())
                }
                observed => observed,
            },
            () = tokio::time::sleep_until(end.into()) => self.given_up(&look, begun.elapsed()),
            true = async { stop.wait_for(|stopped| *stopped).await.is_ok() } => {
                Observed::not_tried(format!("{} was stopped before it was answered", look.operation))
            }
        };
        let elapsed = begun.elapsed();
        self.progress.settled(&look, Outcome::of(&observed), elapsed);
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.calls.borrow_mut().push(Call {
            observation: look.observation.to_owned(),
            operation: look.operation,
            milliseconds,
        });
        observed
    }

    /// What has not answered in its time timed out. What the end of the run cut short proves nothing about the other side.
    fn given_up<T>(&self, look: &Look, after: Duration) -> Observed<T> {
        if after < TELLING.max(look.limit.min(self.call_limit) / 2) {
            return cut_short(look, after);
        }
        Observed::Failed(timed_out(&look.operation, &look.address, after))
    }

    /// Lets the progress know that time goes by. Never ends.
    pub(crate) async fn tick(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(TICK).await;
            self.progress.tick();
        }
    }

    /// The calls in the order of their end.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }
}

fn cut_short<T>(look: &Look, after: Duration) -> Observed<T> {
    let seconds = after.as_secs_f64();
    let operation = &look.operation;
    Observed::not_tried(format!(
        "the run's time was up {seconds:.1} s after {operation} began; a longer --timeout lets it end"
    ))
}

/// What was found, or the same observation about something else.
pub(crate) fn found<T, U>(observed: Observed<T>) -> Result<T, Observed<U>> {
    match observed {
        Observed::Found(value) => Ok(value),
        Observed::Absent(absent) => Err(Observed::Absent(absent)),
        Observed::Denied(failure) => Err(Observed::Denied(failure)),
        Observed::Failed(failure) => Err(Observed::Failed(failure)),
        Observed::NotTried(reason) => Err(Observed::NotTried(reason)),
    }
}

/// An observation with its content changed.
pub(crate) fn map<T, U>(observed: Observed<T>, change: impl FnOnce(T) -> U) -> Observed<U> {
    match found(observed) {
        Ok(value) => Observed::Found(change(value)),
        Err(other) => other,
    }
}

/// A failure as an observation: 401 and 403 are refusals, everything else got no answer.
pub(crate) fn unanswered<T>(failure: Failure) -> Observed<T> {
    match failure.status {
        Some(401 | 403) => Observed::Denied(failure),
        _ => Observed::Failed(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(limit: Duration) -> Look {
        Look { observation: "exec", operation: "exec aws".into(), address: "aws".into(), limit }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn what_does_not_end_settles_as_a_time_out() {
        let (_sender, stop) = watch::channel(false);
        for (run_limit, look_limit) in [(400, 300), (5_000, 300)] {
            let watch = Watch::new(Duration::from_millis(run_limit), stop.clone(), &NoProgress);
            let never = std::future::pending::<Observed<()>>();
            let observed = run(watch.look(look(Duration::from_millis(look_limit)), never));
            assert_eq!(observed.failure().and_then(|failure| failure.code.as_deref()), Some("Timeout"));
            assert_eq!(watch.calls().len(), 1);
        }
    }

    #[test]
    fn a_stop_ends_every_look() {
        let (sender, stop) = watch::channel(false);
        let watch = Watch::new(Duration::from_secs(60), stop, &NoProgress);
        let observed = run(async {
            let never = std::future::pending::<Observed<()>>();
            let (observed, _) =
                tokio::join!(watch.look(look(Duration::from_secs(60)), never), async { sender.send(true) });
            observed
        });
        assert_eq!(observed, Observed::not_tried("exec aws was stopped before it was answered"));
    }

    #[test]
    fn what_the_end_of_the_run_cuts_short_is_no_time_out() {
        let (_sender, stop) = watch::channel(false);
        let watch = Watch::new(Duration::from_millis(100), stop, &NoProgress);
        let observed = run(async {
            tokio::time::sleep(Duration::from_millis(90)).await;
            watch.look(look(Duration::from_secs(5)), std::future::pending::<Observed<()>>()).await
        });
        assert!(matches!(&observed, Observed::NotTried(Some(why)) if why.starts_with("the run's time was up")));
    }

    #[test]
    fn a_run_that_is_too_short_for_any_answer_blames_nobody() {
        let (_sender, stop) = watch::channel(false);
        let watch = Watch::new(Duration::from_millis(20), stop, &NoProgress);
        let limit = Duration::from_millis(10);
        let never = run(watch.look(look(limit), std::future::pending::<Observed<()>>()));
        let own = async { Observed::<()>::Failed(timed_out("exec aws", "aws", limit)) };
        for observed in [never, run(watch.look(look(limit), own))] {
            assert!(matches!(&observed, Observed::NotTried(Some(why)) if why.starts_with("the run's time was up")));
        }
    }

    #[test]
    fn a_stop_that_nobody_can_give_any_more_ends_nothing() {
        let (sender, stop) = watch::channel(false);
        drop(sender);
        let watch = Watch::new(Duration::from_millis(300), stop, &NoProgress);
        let observed = run(watch.look(look(Duration::from_secs(60)), std::future::pending::<Observed<()>>()));
        assert_eq!(observed.failure().and_then(|failure| failure.code.as_deref()), Some("Timeout"));
    }
}
