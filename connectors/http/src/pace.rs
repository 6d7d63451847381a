//! A steady pace of requests: a target's quota is per request, not per operation.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// The timer wakes no finer than this: a shorter wait would take this long, and a sole caller would never get its rate.
const GRAIN: Duration = Duration::from_millis(1);

/// Lets requests through at most so many a second, evenly but for what the timer cannot tell apart.
pub(crate) struct Pace {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most `per_second` requests a second; without a number, no limit.
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        let gap = per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { gap, next: Mutex::new(None) }
    }

    /// Waits for the next turn; `false`, without taking it, when that comes after `deadline`.
    pub(crate) async fn turn(&self, deadline: Instant) -> bool {
        if self.gap.is_zero() {
            return Instant::now() < deadline;
        }
        let (now, at) = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = next.map_or(now, |next| next.max(now));
            if at > deadline {
                return false;
            }
            *next = Some(at + self.gap);
            (now, at)
        };
        if at >= now + GRAIN {
            sleep_until(at).await;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_evenly_spaced_and_none_is_given_past_the_deadline() {
        let pace = Pace::new(Some(20));
        let start = Instant::now();
        let deadline = start + Duration::from_millis(160);
        for _ in 0..4 {
            assert!(pace.turn(deadline).await);
        }
        assert!(start.elapsed() >= Duration::from_millis(150));
        assert!(!pace.turn(deadline).await);
    }

    /// The clock moves only while somebody waits, so what is measured is the waits alone.
    #[tokio::test(start_paused = true)]
    async fn a_sole_caller_gets_a_rate_that_is_finer_than_the_timer() {
        let pace = Pace::new(Some(10_000));
        let start = Instant::now();
        for _ in 0..1_000 {
            assert!(pace.turn(start + Duration::from_secs(5)).await);
        }
        let took = start.elapsed();
        assert!((Duration::from_millis(97)..=Duration::from_millis(102)).contains(&took), "{took:?}");
    }
}
