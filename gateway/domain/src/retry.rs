//! When to try again after a failure: the class of the error alone decides, and how often it was tried.
//!
//! The schedule is a value on the link and survives a restart; nothing sleeps. It replaces a retry library on purpose: those
//! repeat inside one future in memory, which a restart forgets.

use crate::link::{Lane, Parked};
use connector_spi::{Class, ConnError};
use std::time::Duration;

/// The first pause of the back-off.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause of the back-off.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest pause of a closing: somebody who left must not wait for the end of a long back-off.
const LONGEST_LEAVER: Duration = Duration::from_secs(60);
/// A closing that the target refuses is tried again after this long, for ever (decision 9).
const REFUSED_LEAVER: Duration = Duration::from_secs(60 * 60);
/// A target that pauses for its credentials or its configuration is asked again after this long.
const PAUSED: Duration = Duration::from_secs(30);
/// Answers that a fresh read should cure are read again at once this often before they count as refused.
const READS: u32 = 3;
/// A call that made the connector fail in an unknown way is tried this often before the link is parked: a value that kills a
/// connector must not do so for ever.
const UNKNOWNS: u32 = 12;

/// What happens to a link after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again after this long. What was seen is still believed.
    Again(Duration),
    /// Forget what was seen and read first, after this long.
    ReadFirst(Duration),
    /// Wait for the target as a whole: it is paused, the attempt does not count.
    WithTarget(Duration),
    /// Nothing more until the wanted state changes or an operator says so.
    Park(Parked),
}

/// Decides what follows `error`, the `attempt`-th failure in a row (from 1). `roll` is a random number from 0 up to 1: it
/// spreads the pause over its whole length, so that links that failed together do not come back together.
#[must_use]
pub fn after(error: &ConnError, attempt: u32, lane: Lane, roll: f64) -> Next {
    let leaver = lane == Lane::Leaver;
    let refused = || if leaver { Next::Again(REFUSED_LEAVER) } else { Next::Park(Parked::Refused) };
    match error.class {
        Class::Transient => Next::Again(pause(attempt, leaver, roll)),
        Class::Timeout => Next::ReadFirst(pause(attempt, leaver, roll)),
        Class::Unknown if attempt < UNKNOWNS || leaver => Next::ReadFirst(pause(attempt, leaver, roll)),
        Class::Unknown => refused(),
        Class::Throttled => {
            let wait = error.retry_after_ms.map_or_else(|| pause(attempt, leaver, roll), Duration::from_millis);
            Next::WithTarget(wait)
        }
        Class::AlreadyExists | Class::NotFound | Class::StaleVersion if attempt <= READS => {
            Next::ReadFirst(if attempt == 1 { Duration::ZERO } else { pause(attempt, leaver, roll) })
        }
        Class::Conflict if attempt <= 1 => Next::ReadFirst(Duration::ZERO),
        Class::AlreadyExists | Class::NotFound | Class::StaleVersion | Class::Conflict => refused(),
        Class::Invalid | Class::Forbidden | Class::Unsupported | Class::Permanent => refused(),
        Class::Auth | Class::Config => Next::WithTarget(PAUSED),
    }
}

/// Exponential back-off with full jitter: uniformly between nothing and `FIRST · 2^(attempt-1)`, bounded; never under 50 ms,
/// so that a target that refuses at once is not hammered.
fn pause(attempt: u32, leaver: bool, roll: f64) -> Duration {
    let longest = if leaver { LONGEST_LEAVER } else { LONGEST };
    let ceiling = FIRST.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX)).min(longest);
    ceiling.mul_f64(roll.clamp(0.0, 1.0)).max(Duration::from_millis(50))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_spi::Effect;
    use proptest::prelude::*;

    fn error(class: Class) -> ConnError {
        ConnError::new(class, "x")
    }

    #[test]
    fn in_the_leaver_lane_no_class_is_terminal() {
        for class in Class::ALL {
            for attempt in [1, 5, 1_000_000] {
                assert!(
                    !matches!(after(&error(class), attempt, Lane::Leaver, 0.5), Next::Park(_)),
                    "{class} parked a closing"
                );
            }
        }
    }

    #[test]
    fn what_may_have_happened_is_read_before_it_is_tried_again() {
        for class in Class::ALL {
            if class.default_effect() == Effect::Maybe {
                assert!(matches!(after(&error(class), 1, Lane::Interactive, 0.5), Next::ReadFirst(_)), "{class}");
            }
        }
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        for class in [Class::Invalid, Class::Forbidden, Class::Unsupported, Class::Permanent] {
            assert_eq!(after(&error(class), 1, Lane::Interactive, 0.5), Next::Park(Parked::Refused), "{class}");
        }
    }

    #[test]
    fn the_time_that_the_target_names_is_kept() {
        let error = error(Class::Throttled).retry_after(Duration::from_secs(7));
        assert_eq!(after(&error, 9, Lane::Bulk, 0.0), Next::WithTarget(Duration::from_secs(7)));
    }

    proptest! {
        #[test]
        fn pauses_are_bounded_whatever_the_attempt(attempt in 0..u32::MAX, roll in 0.0..1.0_f64, leaver: bool) {
            let pause = pause(attempt, leaver, roll);
            prop_assert!(pause >= Duration::from_millis(50));
            let longest = if leaver { LONGEST_LEAVER } else { LONGEST };
            prop_assert!(pause <= longest);
        }
    }
}
