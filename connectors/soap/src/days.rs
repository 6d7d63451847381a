//! Days and instants: the target's dates in its own zone, as the gateway's instants and back. Pure.

use crate::config::EndDate;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// From the last second at which something holds to the first at which it does not.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// How a target counts days.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    pub(crate) zone: TimeZone,
    pub(crate) end: EndDate,
}

/// What the dates of an entitlement are, in every form that a target may want.
pub(crate) struct Spelled {
    pub(crate) first_day: Option<String>,
    pub(crate) last_day: Option<String>,
    pub(crate) end_day: Option<String>,
    pub(crate) last_second: Option<String>,
}

impl Calendar {
    /// The first instant of what begins at this text: a day begins with its own first instant.
    pub(crate) fn begin(&self, text: &str) -> Option<Timestamp> {
        match day(text) {
            Some(day) => self.starts(day),
            None => instant(text, &self.zone),
        }
    }

    /// The first instant at which what ends at this text no longer holds.
    pub(crate) fn end(&self, text: &str) -> Option<Timestamp> {
        match (day(text), self.end) {
            (Some(day), EndDate::InclusiveDay | EndDate::LastSecond) => self.starts(day.tomorrow().ok()?),
            (Some(day), EndDate::ExclusiveDay | EndDate::Instant) => self.starts(day),
            (None, EndDate::LastSecond) => instant(text, &self.zone)?.checked_add(SECOND).ok(),
            (None, _) => instant(text, &self.zone),
        }
    }

    /// The dates of something that holds from `from` until before `to`.
    pub(crate) fn spell(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Spelled {
        let day = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        let last = to.and_then(|to| to.checked_sub(SECOND).ok());
        let last_day = last.map(day);
        Spelled {
            first_day: from.map(day).map(|day| day.to_string()),
            last_day: last_day.map(|day| day.to_string()),
            end_day: last_day.and_then(|day| day.tomorrow().ok()).map(|day| day.to_string()),
            last_second: last.map(|at| at.to_string()),
        }
    }

    fn starts(&self, day: Date) -> Option<Timestamp> {
        Some(day.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

/// A bare day. XML Schema lets a zone follow (`2026-07-01Z`); it says nothing of the day itself.
fn day(text: &str) -> Option<Date> {
    let text = text.trim();
    let (day, zone) = text.split_at_checked(10)?;
    let zoned =
        zone.is_empty() || zone == "Z" || (zone.len() == 6 && zone.starts_with(['+', '-']) && zone.contains(':'));
    day.parse().ok().filter(|_| zoned)
}

/// An instant; one without an offset is the zone's own.
fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(zone.clone()).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(end: EndDate) -> Calendar {
        Calendar { zone: TimeZone::get("America/New_York").unwrap(), end }
    }

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_end_is_the_first_instant_after_it_whatever_the_target_calls_an_end() {
        let midnight = at("2026-09-21T00:00:00-04:00");
        assert_eq!(calendar(EndDate::InclusiveDay).end("2026-09-20"), midnight);
        assert_eq!(calendar(EndDate::ExclusiveDay).end("2026-09-21"), midnight);
        assert_eq!(calendar(EndDate::Instant).end("2026-09-21T04:00:00Z"), midnight);
        assert_eq!(calendar(EndDate::LastSecond).end("2026-09-20T23:59:59-04:00"), midnight);
        assert_eq!(calendar(EndDate::Instant).end("2026-09-21T00:00:00"), midnight);
        assert_eq!(calendar(EndDate::InclusiveDay).end("soon"), None);
    }

    #[test]
    fn a_day_that_is_written_is_the_day_that_is_read_also_when_the_clock_changes() {
        let calendar = calendar(EndDate::InclusiveDay);
        for text in ["2026-03-08", "2026-07-01", "2026-11-01", "2028-02-29"] {
            let spelled = calendar.spell(calendar.begin(text), calendar.end(text));
            assert_eq!(spelled.first_day.as_deref(), Some(text));
            assert_eq!(spelled.last_day.as_deref(), Some(text));
        }
        let spelled = calendar.spell(None, at("2026-09-20T15:00:00-04:00"));
        assert_eq!((spelled.last_day.as_deref(), spelled.end_day.as_deref()), (Some("2026-09-20"), Some("2026-09-21")));
    }

    #[test]
    fn a_day_may_carry_the_zone_of_xml_schema() {
        assert_eq!(day("2026-07-01Z"), day("2026-07-01"));
        assert_eq!(day("2026-07-01-05:00"), day("2026-07-01"));
        assert_eq!(day("2026-07-01T00:00:00Z"), None);
    }
}
