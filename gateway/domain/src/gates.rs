//! Whether somebody may have access at an instant: opening needs every owner, closing needs any one.

use crate::policy::Policy;
use crate::resolve::Assertion;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use scim::Object;
use serde_json::Value;

/// The URN of our clinical extension.
pub const CLINICAL: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";

/// What a person's facts allow at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Access is allowed.
    Open,
    /// Not yet: the start date is to come.
    NotYet,
    /// Not any more: an owner says inactive, or the end date has passed.
    Closed,
}

/// When a person's access begins and ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// The first instant with access; `None`: it is not limited.
    pub begins: Option<Timestamp>,
    /// The first instant without access; `None`: it is not limited.
    pub ends: Option<Timestamp>,
    /// The day on which it begins, in the zone of the person's facility.
    pub first_day: Option<Date>,
    /// The last day on which there is access, in the zone of the person's facility.
    pub last_day: Option<Date>,
}

/// The dates of a person, as instants: a day begins and ends in the zone of the person's facility, and the last day is
/// included.
#[must_use]
pub fn access(attrs: &Object, policy: &Policy) -> Access {
    let clinical = attrs.get(CLINICAL);
    let zone = policy.zone(facility(clinical));
    let date = |name: &str| clinical.and_then(|clinical| clinical.get(name)).and_then(Value::as_str);
    let begins = date("startDate").and_then(|text| starts(text, &zone));
    let ends = date("endDate").and_then(|text| ends(text, &zone));
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let last = ends.and_then(|end| end.checked_sub(1.nanosecond()).ok());
    Access { begins, ends, first_day: begins.map(day), last_day: last.map(day) }
}

/// The gate at `now`, and the next instant at which it changes by itself.
#[must_use]
pub fn gate(assertions: &[Assertion], attrs: &Object, policy: &Policy, now: Timestamp) -> (Gate, Option<Timestamp>) {
    let closed_by_owner = assertions
        .iter()
        .filter(|assertion| policy.owns(&assertion.source, "active"))
        .any(|assertion| assertion.attrs.get("active") == Some(&Value::Bool(false)));
    if closed_by_owner {
        return (Gate::Closed, None);
    }
    let Access { begins, ends, .. } = access(attrs, policy);
    if ends.is_some_and(|end| end <= now) {
        return (Gate::Closed, None);
    }
    if let Some(start) = begins.filter(|start| now < *start) {
        return (Gate::NotYet, Some(start));
    }
    (Gate::Open, ends)
}

/// The facility whose calendar counts: that of the primary assignment, else of the first.
fn facility(clinical: Option<&Value>) -> Option<&str> {
    let assignments = clinical?.get("assignments")?.as_array()?;
    let primary = assignments.iter().find(|one| one.get("primary") == Some(&Value::Bool(true)));
    primary.or_else(|| assignments.first())?.get("facility")?.as_str()
}

/// The first instant of a date in the zone, or the instant itself.
fn starts(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    instant(text).or_else(|| midnight(text.parse().ok()?, zone))
}

/// The first instant after a date in the zone (the day itself is included), or the instant itself.
fn ends(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    instant(text).or_else(|| midnight(text.parse::<Date>().ok()?.checked_add(1.day()).ok()?, zone))
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    date.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_end_date_is_the_last_day_in_the_zone_of_the_facility() {
        let zone = TimeZone::get("America/New_York").unwrap();
        assert_eq!(ends("2026-09-20", &zone).unwrap().to_string(), "2026-09-21T04:00:00Z");
        // The night in which the clocks go back has 25 hours.
        assert_eq!(ends("2026-11-01", &zone).unwrap().to_string(), "2026-11-02T05:00:00Z");
        assert_eq!(ends("2026-09-20T10:00:00Z", &zone).unwrap().to_string(), "2026-09-20T10:00:00Z");
    }
}
