//! Whether the local clock is too far off for AWS, and what time it really is.

use jiff::{SignedDuration, Timestamp};

use super::{CredentialProblem, problem::Seen};
use crate::{evidence::Evidence, facts::value::Fact};

const OBSERVATION: &str = "environment.clockOffsetSeconds";

/// AWS takes signatures from five minutes ahead of its clock.
const MOST_AHEAD: f64 = 300.0;
/// A clock that is slower than this is doubtful: AWS services differ, and tokens lose that much of their life.
const DOUBTFULLY_SLOW: f64 = -300.0;
/// A token lives 15 minutes from the date in it: with a slower clock it is dead before it is sent.
const MOST_BEHIND: f64 = -900.0;

/// Whether signatures or tokens are refused because of the clock.
pub(super) fn is_off(evidence: &Evidence, problem: &Fact<Option<Seen>>) -> Fact<bool> {
    if let Some(Some(seen)) =
        problem.value().filter(|seen| seen.as_ref().is_some_and(|seen| seen.problem == CredentialProblem::ClockSkew))
    {
        return Fact::known(true, seen.observation);
    }
    if evidence.target.principal.is_some() {
        return Fact::unknown(OBSERVATION, "what is seen from here belongs to somebody else");
    }
    let is_accepted = evidence.aws.caller.found().is_some();
    Fact::observed(&evidence.environment.clock_offset_seconds, OBSERVATION).and_then(|offset| match offset {
        Some(offset) if *offset > MOST_AHEAD || *offset < MOST_BEHIND => Fact::known(true, OBSERVATION),
        Some(offset) if *offset < DOUBTFULLY_SLOW && is_accepted => {
            Fact::unknown(OBSERVATION, "AWS still takes signatures, but tokens end early")
        }
        Some(offset) => Fact::known(*offset < DOUBTFULLY_SLOW, OBSERVATION),
        None => Fact::unknown(OBSERVATION, "the server sent no date"),
    })
}

/// The time of the evidence by a right clock.
pub(crate) fn now(evidence: &Evidence) -> Option<Timestamp> {
    let offset = evidence.environment.clock_offset_seconds.found().copied().unwrap_or_default();
    evidence.collected_at?.checked_sub(SignedDuration::try_from_secs_f64(offset).ok()?).ok()
}

/// Whether the clock is known not to be so slow that it makes tokens look old.
pub(crate) fn makes_fresh_tokens(evidence: &Evidence) -> bool {
    evidence.environment.clock_offset_seconds.found().is_some_and(|offset| *offset >= DOUBTFULLY_SLOW)
}

/// How far the clock is off, in words.
pub(super) fn offset(evidence: &Evidence) -> Fact<Option<String>> {
    Fact::observed(&evidence.environment.clock_offset_seconds, OBSERVATION).map(|offset| offset.copied().map(in_words))
}

fn in_words(offset: f64) -> String {
    let side = if offset < 0.0 { "behind" } else { "ahead" };
    let seconds = offset.abs();
    if seconds < 120.0 {
        format!("{seconds:.0} seconds {side}")
    } else if seconds < 7200.0 {
        format!("{:.0} minutes {side}", seconds / 60.0)
    } else {
        format!("{:.0} hours {side}", seconds / 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CallerIdentity, Observed};

    fn off(offset: f64, accepted: bool) -> Option<bool> {
        let mut evidence = Evidence::default();
        evidence.environment.clock_offset_seconds = Observed::Found(offset);
        if accepted {
            let caller = CallerIdentity { arn: String::new(), account: None, user_id: None };
            evidence.aws.caller = Observed::Found(caller);
        }
        is_off(&evidence, &Fact::known(None, "aws.caller")).value().copied()
    }

    #[test]
    fn limits_of_the_clock() {
        assert_eq!(off(301.0, false), Some(true));
        assert_eq!(off(299.0, false), Some(false));
        assert_eq!(off(-299.0, true), Some(false));
        assert_eq!(off(-400.0, false), Some(true));
        assert_eq!(off(-400.0, true), None, "tokens end early, which may or may not matter");
        assert_eq!(off(-901.0, true), Some(true));
        assert_eq!(off(f64::NAN, true), Some(false));
    }

    #[test]
    fn offsets_in_words() {
        assert_eq!(in_words(-17.4), "17 seconds behind");
        assert_eq!(in_words(420.0), "7 minutes ahead");
        assert_eq!(in_words(-10800.0), "3 hours behind");
    }
}
