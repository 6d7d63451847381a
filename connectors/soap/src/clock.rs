//! The target's own time. A proof that a request is fresh is measured by the clock of who checks it, and a connector has
//! no clock of its own: so the time is what the target's answers say (`Date`, RFC 9110 section 6.6.1), carried on by a timer.
//! A gateway whose clock is wrong is then no reason for a refusal.

use connector_spi::HttpResponse;
use jiff::{Timestamp, fmt::rfc2822};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// What the target's clock shows, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct TargetTime(Mutex<Option<(Timestamp, Instant)>>);

impl TargetTime {
    /// Takes the time from an answer.
    pub(crate) fn learn(&self, response: &HttpResponse) {
        if let Some(shown) = told(response) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((shown, Instant::now()));
        }
    }

    /// The time now; `None` until an answer has told it.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let (shown, then) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        shown.checked_add(then.elapsed()).ok()
    }
}

/// The time that an answer tells.
pub(crate) fn told(response: &HttpResponse) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(response.header("date")?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_target_s_and_goes_on() {
        let time = TargetTime::default();
        assert_eq!(time.now(), None);
        let date = ("date".to_owned(), "Wed, 01 Jul 2026 04:00:00 GMT".to_owned());
        time.learn(&HttpResponse { status: 405, headers: vec![date], body: Vec::new() });
        let now = time.now().unwrap();
        assert_eq!(now.strftime("%F %H:%M").to_string(), "2026-07-01 04:00");
    }
}
