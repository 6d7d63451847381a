//! A server's own time. A proof that a request is fresh is measured by the clock of who checks it, and a connector has no
//! clock of its own: so the time is what the server's answers say (`Date`, RFC 9110 section 6.6.1), carried on by a timer. A
//! gateway whose clock is wrong is then no reason for a refusal.

use connector_spi::HttpResponse;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Seconds that the believed and the told time may lie apart: a `Date` has no fractions, and answers take a while.
const APART: SignedDuration = SignedDuration::from_secs(30);

/// What a server's clock shows, as far as it is known.
#[derive(Debug, Default)]
pub struct ServerTime(Mutex<Option<(Timestamp, Instant)>>);

impl ServerTime {
    /// Takes the time from an answer. True when it is another than was believed: the
    /// server's clock was set.
    pub fn learn(&self, response: &HttpResponse) -> bool {
        let Some(shown) = told(response) else { return false };
        let believed = self.now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((shown, Instant::now()));
        believed.is_some_and(|believed| shown.duration_since(believed).abs() > APART)
    }

    /// The server's time now; `None` until an answer has told it.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let (shown, then) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        shown.checked_add(then.elapsed()).ok()
    }
}

/// The time that an answer tells; `None` without a `Date` that can be read.
#[must_use]
pub fn told(response: &HttpResponse) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(response.header("date")?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_server_s_and_goes_on() {
        let time = ServerTime::default();
        assert_eq!(time.now(), None);
        let answer = |date: &str| HttpResponse {
            status: 405,
            headers: vec![("date".to_owned(), date.to_owned())],
            body: Vec::new(),
        };
        assert!(!time.learn(&answer("Wed, 01 Jul 2026 03:59:58 GMT")));
        assert!(!time.learn(&answer("Wed, 01 Jul 2026 04:00:00 GMT")));
        let now = time.now().unwrap();
        assert_eq!(now.strftime("%F %H:%M").to_string(), "2026-07-01 04:00");
        assert!(time.learn(&answer("Thu, 02 Jul 2026 04:00:00 GMT")), "somebody set it");
        assert!(!time.learn(&answer("soon")));
    }
}
