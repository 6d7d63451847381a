//! How long a target asks us to wait.

use connector_spi::HttpResponse;
use jiff::{Timestamp, civil::DateTime, fmt::rfc2822, tz::TimeZone};
use std::time::Duration;

/// No target can make us wait longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The time that the answer's `Retry-After` asks for, at most a day (RFC 9110 section 10.2.3).
///
/// A date is measured against the answer's own `Date`, so neither side's clock need be right; without a `Date` it is not
/// used, and neither is one that cannot be read.
#[must_use]
pub fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let until = http_date(text)?;
    let now = http_date(response.header("date")?.trim())?;
    let wait = until.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO).min(LONGEST))
}

/// The three forms of RFC 9110 section 5.6.7: the preferred one, and the two that must still be read.
fn http_date(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(instant);
    }
    let civil = DateTime::strptime("%A, %d-%b-%y %H:%M:%S GMT", text)
        .or_else(|_| DateTime::strptime("%a %b %e %H:%M:%S %Y", text))
        .ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry_after_field: &str) -> Option<u64> {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![field("date", "Sun, 06 Nov 1994 08:49:37 GMT"), field("retry-after", retry_after_field)];
        retry_after(&HttpResponse { status: 503, headers, body: Vec::new() }).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_all_three_forms_of_a_date_are_understood() {
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sun Nov  6 08:50:37 1994"), Some(60));
    }

    #[test]
    fn a_date_that_has_passed_means_at_once_and_a_century_means_a_day() {
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(wait("99999999999"), Some(86_400));
    }

    #[test]
    fn nonsense_is_no_wish() {
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-5"), None);
        assert_eq!(wait(""), None);
    }
}
