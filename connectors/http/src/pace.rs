//! A steady pace of requests: a target's quota is per request, not per operation.

use std::time::Duration;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Lets requests through at most so many a second, evenly.
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
        let at = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let at = next.map_or(now, |next| next.max(now));
            if at > deadline {
                return false;
            }
            *next = Some(at + self.gap);
            at
        };
        sleep_until(at).await;
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
}
