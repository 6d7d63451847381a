//! Who speaks: the source behind a bearer token, and how much it may ask.

use crate::error::Error;
use actix_web::http::header::{self, HeaderMap};
use gateway_domain::{Source, SourceId};
use gateway_engine::{Caller, Engine};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// RFC 6750, section 3: without credentials the challenge names no error.
const WHO: &str = "Bearer realm=\"chartgate\"";
const WRONG: &str = "Bearer realm=\"chartgate\", error=\"invalid_token\"";

/// The longest token that is looked at. Ours have some 70 characters; whatever is longer is none.
const LONGEST: usize = 4096;

/// The source that sends this request.
///
/// # Errors
/// 401 when there is no bearer token, or it is not known, revoked or expired: which of them it is, is not told. 503 when the
/// store does not answer.
pub(crate) async fn identify(headers: &HeaderMap, engine: &Engine) -> Result<Caller, Error> {
    let token = bearer(headers)?;
    match engine.authenticate(token).await? {
        Some(source) => Ok(Caller { source }),
        None => {
            Err(Error::unauthorized(WRONG, "The bearer token is not valid. Make a new one: chartgate token create."))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let mut given = headers.get_all(header::AUTHORIZATION);
    let Some(value) = given.next() else {
        return Err(Error::unauthorized(WHO, "A bearer token is needed: Authorization: Bearer ..."));
    };
    if given.next().is_some() {
        return Err(Error::unauthorized(WHO, "There is more than one Authorization header. Send one."));
    }
    let malformed = || Error::unauthorized(WHO, "Authorization must be the word Bearer, a space and the token.");
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    let token = token.trim_matches(' ');
    // RFC 6750, section 2.1: the characters of a token.
    let shaped = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > LONGEST || !token.bytes().all(shaped)
    {
        return Err(malformed());
    }
    Ok(token)
}

/// One bucket per source: it holds ten seconds' worth of requests, so that a burst passes and a flood does not.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    buckets: Mutex<HashMap<SourceId, Arc<Mutex<Bucket>>>>,
}

impl Allowance {
    /// Counts one request.
    ///
    /// # Errors
    /// 429 with the time until the next one is taken.
    pub fn take(&self, source: &Source) -> Result<(), Error> {
        let Some(rate) = source.requests_per_second.filter(|rate| *rate > 0) else { return Ok(()) };
        let now = Instant::now();
        let bucket = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            match buckets.get(&source.id) {
                Some(bucket) => Arc::clone(bucket),
                None => Arc::clone(
                    buckets.entry(source.id.clone()).or_insert_with(|| Arc::new(Mutex::new(Bucket::full(rate, now)))),
                ),
            }
        };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(rate, now).map_err(Error::too_many)
    }
}

/// Requests in hand, refilled by time.
#[derive(Debug)]
struct Bucket {
    hand: f64,
    at: Instant,
}

impl Bucket {
    fn capacity(rate: u32) -> f64 {
        f64::from(rate) * 10.0
    }

    fn full(rate: u32, now: Instant) -> Self {
        Self { hand: Self::capacity(rate), at: now }
    }

    fn take(&mut self, rate: u32, now: Instant) -> Result<(), Duration> {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(rate);
        self.hand = (self.hand + gained).min(Self::capacity(rate));
        self.at = now;
        if self.hand < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.hand) / f64::from(rate)));
        }
        self.hand -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_read_whatever_the_case_of_the_scheme() {
        for value in ["Bearer cg_1.abc", "bearer cg_1.abc", "BEARER  cg_1.abc "] {
            assert_eq!(bearer(&with(&[value])), Ok("cg_1.abc"), "{value}");
        }
    }

    #[test]
    fn whatever_is_no_single_bearer_token_is_401_with_a_challenge() {
        let long = format!("Bearer {}", "a".repeat(LONGEST + 1));
        for values in [
            &[][..],
            &["Basic dTpw"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer \"a\""],
            &[&long],
            &["Bearer a", "Bearer a"],
        ] {
            let error = bearer(&with(values)).unwrap_err();
            assert_eq!((error.scim.status, error.challenge), (401, Some(WHO)), "{values:?}");
        }
    }

    #[test]
    fn a_burst_of_ten_seconds_passes_and_the_next_request_waits_for_its_turn() {
        let start = Instant::now();
        let mut bucket = Bucket::full(5, start);

        let passed = (0..60).filter(|_| bucket.take(5, start).is_ok()).count();
        let wait = bucket.take(5, start).unwrap_err();

        assert_eq!(passed, 50);
        assert_eq!(wait, Duration::from_millis(200));
        assert!(bucket.take(5, start + wait).is_ok(), "who waits as told is let in");
        assert!(bucket.take(5, start + wait).is_err());
    }

    #[test]
    fn a_long_silence_saves_up_no_more_than_one_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::full(2, start);

        let passed = (0..100).filter(|_| bucket.take(2, start + Duration::from_secs(3600)).is_ok()).count();

        assert_eq!(passed, 20);
    }
}
