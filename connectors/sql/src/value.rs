//! Values between the contract and a column. Pure.

use crate::{
    config::{Attribute, Flag, Form},
    database::{Bound, Cell},
};
use connector_spi::{Value, ValueType};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// The zones of a target.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    /// In which days are counted.
    pub(crate) days: TimeZone,
    /// Of columns without a zone.
    pub(crate) naive: TimeZone,
}

/// How an attribute's column holds its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) ty: ValueType,
    pub(crate) form: Form,
    pub(crate) flag: Option<&'a Flag>,
}

impl<'a> From<&'a Attribute> for Shape<'a> {
    fn from(attribute: &'a Attribute) -> Self {
        Self { ty: attribute.ty, form: attribute.form, flag: attribute.flag.as_ref() }
    }
}

impl Shape<'_> {
    /// An instant in a column of this form.
    pub(crate) fn instant(form: Form) -> Self {
        Self { ty: ValueType::Timestamp, form, flag: None }
    }
    #[cfg(test)]
    pub(crate) fn plain(ty: ValueType) -> Self {
        Self { ty, form: Form::Plain, flag: None }
    }
}

/// A value as it is bound; `None` is a NULL of the column's type.
///
/// # Errors
/// In words, why the value does not fit.
pub(crate) fn bound(shape: Shape<'_>, value: Option<&Value>, zones: &Zones) -> Result<Bound, &'static str> {
    if let Some(flag) = shape.flag {
        return match value {
            None => Ok(Bound::Text(None)),
            Some(Value::Bool(truth)) => Ok(Bound::Text(Some(if *truth { flag.yes.clone() } else { flag.no.clone() }))),
            Some(_) => Err("is not true or false"),
        };
    }
    match shape.form {
        Form::Plain => plain(shape.ty, value),
        Form::LocalTime => match value {
            None => Ok(Bound::Local(None)),
            Some(Value::At { at }) => Ok(Bound::Local(Some(zones.naive.to_datetime(*at)))),
            Some(_) => Err("is not an instant"),
        },
        Form::Day | Form::ExclusiveDay | Form::InclusiveDay => {
            value.map(|value| day(shape.form, value, zones)).transpose().map(Bound::Day)
        }
    }
}

fn plain(ty: ValueType, value: Option<&Value>) -> Result<Bound, &'static str> {
    match (ty, value) {
        (ValueType::Text, None) => Ok(Bound::Text(None)),
        (ValueType::Text, Some(Value::Text(text))) if text.contains('\0') => Err("holds a NUL character"),
        (ValueType::Text, Some(Value::Text(text))) => Ok(Bound::Text(Some(text.clone()))),
        (ValueType::Text, Some(_)) => Err("is not text"),
        (ValueType::Integer, None) => Ok(Bound::Int(None)),
        (ValueType::Integer, Some(Value::Int(number))) => Ok(Bound::Int(Some(*number))),
        (ValueType::Integer, Some(_)) => Err("is not an integer"),
        (ValueType::Boolean, None) => Ok(Bound::Bool(None)),
        (ValueType::Boolean, Some(Value::Bool(truth))) => Ok(Bound::Bool(Some(*truth))),
        (ValueType::Boolean, Some(_)) => Err("is not true or false"),
        (ValueType::Bytes, None) => Ok(Bound::Bytes(None)),
        (ValueType::Bytes, Some(Value::Bytes { bytes })) => Ok(Bound::Bytes(Some(bytes.clone()))),
        (ValueType::Bytes, Some(_)) => Err("is not octets"),
        (ValueType::Timestamp, None) => Ok(Bound::Instant(None)),
        (ValueType::Timestamp, Some(Value::At { at })) => Ok(Bound::Instant(Some(*at))),
        (ValueType::Timestamp, Some(_)) => Err("is not an instant"),
    }
}

/// The day that stands in the column.
fn day(form: Form, value: &Value, zones: &Zones) -> Result<Date, &'static str> {
    let far = "lies beyond the calendar";
    let midnight = |at: Timestamp| zones.days.to_datetime(at);
    match (form, value) {
        (Form::Day | Form::InclusiveDay, Value::Text(text)) => read_day(text).ok_or("is no day"),
        (Form::ExclusiveDay, Value::Text(text)) => {
            read_day(text).ok_or("is no day")?.checked_add(1.day()).map_err(|_| far)
        }
        (Form::Day, Value::At { at }) => Ok(midnight(*at).date()),
        // The last instant with access, and its day: for an end at midnight the day before.
        (Form::InclusiveDay, Value::At { at }) => {
            Ok(midnight(at.checked_sub(SignedDuration::from_nanos(1)).map_err(|_| far)?).date())
        }
        (Form::ExclusiveDay, Value::At { at }) => {
            let last = midnight(at.checked_sub(SignedDuration::from_nanos(1)).map_err(|_| far)?).date();
            last.checked_add(1.day()).map_err(|_| far)
        }
        _ => Err("is neither a day nor an instant"),
    }
}

/// What a column holds; `Ok(None)` for a NULL.
///
/// # Errors
/// In words, why it cannot be understood.
pub(crate) fn read(shape: Shape<'_>, cell: &Cell, zones: &Zones) -> Result<Option<Value>, String> {
    if *cell == Cell::Null {
        return Ok(None);
    }
    if let Cell::Strange(of) = cell {
        return Err(format!("is of type {of}, which the statement must cast"));
    }
    if let Some(flag) = shape.flag {
        return match text(cell) {
            Some(held) if held == flag.yes => Ok(Some(Value::Bool(true))),
            Some(held) if held == flag.no => Ok(Some(Value::Bool(false))),
            _ => Err("holds neither of the two texts".to_owned()),
        };
    }
    let value = match (shape.form, shape.ty) {
        (Form::Plain, ValueType::Text) => text(cell).map(Value::Text),
        (Form::Plain, ValueType::Integer) => integer(cell).map(Value::Int),
        (Form::Plain, ValueType::Boolean) => truth(cell).map(Value::Bool),
        (Form::Plain, ValueType::Bytes) => match cell {
            Cell::Bytes(bytes) => Some(Value::Bytes { bytes: bytes.clone() }),
            Cell::Text(text) => Some(Value::Bytes { bytes: text.clone().into_bytes() }),
            _ => None,
        },
        (Form::Plain | Form::LocalTime, _) => instant(cell, zones).map(|at| Value::At { at }),
        (Form::Day | Form::ExclusiveDay | Form::InclusiveDay, ty) => {
            cell_day(cell).and_then(|day| told(shape.form, ty, day, zones))
        }
    };
    value.map(Some).ok_or_else(|| "cannot be read as its type".to_owned())
}

/// A day of a column in the contract's words.
fn told(form: Form, ty: ValueType, day: Date, zones: &Zones) -> Option<Value> {
    if ty == ValueType::Text {
        let day = if form == Form::ExclusiveDay { day.checked_sub(1.day()).ok()? } else { day };
        return Some(Value::Text(day.to_string()));
    }
    let day = if form == Form::InclusiveDay { day.checked_add(1.day()).ok()? } else { day };
    let at = day.to_zoned(zones.days.clone()).ok()?.timestamp();
    Some(Value::At { at })
}

/// The day that a database's clock shows in the zone of days.
pub(crate) fn today(now: Timestamp, zones: &Zones) -> Date {
    zones.days.to_datetime(now).date()
}

/// A cell as text.
pub(crate) fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.clone()),
        Cell::Int(number) => Some(number.to_string()),
        Cell::Bool(truth) => Some(truth.to_string()),
        Cell::Day(day) => Some(day.to_string()),
        Cell::Instant(at) => Some(at.to_string()),
        Cell::Local(at) => Some(at.to_string()),
        Cell::Null | Cell::Bytes(_) | Cell::Strange(_) => None,
    }
}

/// A cell as a number.
pub(crate) fn integer(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(number) => Some(*number),
        Cell::Bool(truth) => Some(i64::from(*truth)),
        Cell::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A cell as true or false.
pub(crate) fn truth(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Bool(truth) => Some(*truth),
        other => integer(other).map(|number| number != 0),
    }
}

fn instant(cell: &Cell, zones: &Zones) -> Option<Timestamp> {
    let naive = |at: DateTime| zones.naive.to_ambiguous_zoned(at).compatible().ok().map(|zoned| zoned.timestamp());
    match cell {
        Cell::Instant(at) => Some(*at),
        Cell::Local(at) => naive(*at),
        Cell::Day(day) => naive(day.to_datetime(jiff::civil::Time::midnight())),
        Cell::Text(text) => text.parse().ok().or_else(|| naive(text.parse().ok()?)),
        _ => None,
    }
}

fn cell_day(cell: &Cell) -> Option<Date> {
    match cell {
        Cell::Day(day) => Some(*day),
        Cell::Local(at) => Some(at.date()),
        Cell::Text(text) => read_day(text.get(..10)?),
        _ => None,
    }
}

fn read_day(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn zones() -> Zones {
        Zones { days: TimeZone::get("America/New_York").unwrap(), naive: TimeZone::UTC }
    }

    fn at(text: &str) -> Value {
        Value::At { at: text.parse().unwrap() }
    }

    fn column(form: Form, ty: ValueType, value: &Value) -> String {
        let shape = Shape { ty, form, flag: None };
        match bound(shape, Some(value), &zones()).unwrap() {
            Bound::Day(Some(day)) => day.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_inclusive_last_day_is_written_as_each_column_means_it() {
        let last = Value::from("2026-09-20");
        let midnight = at("2026-09-21T00:00:00-04:00");
        assert_eq!(column(Form::ExclusiveDay, ValueType::Text, &last), "2026-09-21");
        assert_eq!(column(Form::ExclusiveDay, ValueType::Timestamp, &midnight), "2026-09-21");
        assert_eq!(column(Form::InclusiveDay, ValueType::Text, &last), "2026-09-20");
        assert_eq!(column(Form::InclusiveDay, ValueType::Timestamp, &midnight), "2026-09-20");
    }

    #[test]
    fn an_end_within_a_day_keeps_that_day_and_a_beginning_opens_it() {
        let noon = at("2026-09-20T12:00:00-04:00");
        assert_eq!(column(Form::ExclusiveDay, ValueType::Timestamp, &noon), "2026-09-21");
        assert_eq!(column(Form::InclusiveDay, ValueType::Timestamp, &noon), "2026-09-20");
        assert_eq!(column(Form::Day, ValueType::Timestamp, &noon), "2026-09-20");
    }

    #[test]
    fn a_day_is_read_back_as_it_was_given() {
        for form in [Form::Day, Form::ExclusiveDay, Form::InclusiveDay] {
            for (ty, value) in
                [(ValueType::Text, Value::from("2026-11-01")), (ValueType::Timestamp, at("2026-11-02T00:00:00-05:00"))]
            {
                let shape = Shape { ty, form, flag: None };
                let Bound::Day(Some(day)) = bound(shape, Some(&value), &zones()).unwrap() else { panic!() };
                for cell in [Cell::Day(day), Cell::Text(day.to_string())] {
                    assert_eq!(read(shape, &cell, &zones()).unwrap(), Some(value.clone()), "{form:?}");
                }
            }
        }
    }

    #[test]
    fn a_flag_reads_only_its_two_texts() {
        let flag = Flag { yes: "Y".into(), no: "N".into() };
        let shape = Shape { ty: ValueType::Boolean, form: Form::Plain, flag: Some(&flag) };
        assert_eq!(bound(shape, Some(&Value::Bool(false)), &zones()).unwrap(), Bound::Text(Some("N".into())));
        assert_eq!(read(shape, &Cell::Text("Y".into()), &zones()).unwrap(), Some(Value::Bool(true)));
        assert!(read(shape, &Cell::Text("X".into()), &zones()).is_err());
    }

    #[test]
    fn an_absent_value_is_a_null_of_its_type() {
        for (ty, null) in [
            (ValueType::Text, Bound::Text(None)),
            (ValueType::Integer, Bound::Int(None)),
            (ValueType::Boolean, Bound::Bool(None)),
            (ValueType::Bytes, Bound::Bytes(None)),
            (ValueType::Timestamp, Bound::Instant(None)),
        ] {
            assert_eq!(bound(Shape::plain(ty), None, &zones()).unwrap(), null);
        }
        assert_eq!(bound(Shape::instant(Form::ExclusiveDay), None, &zones()).unwrap(), Bound::Day(None));
    }

    #[test]
    fn a_nul_character_is_refused_for_every_engine() {
        assert!(bound(Shape::plain(ValueType::Text), Some(&"a\0b".into()), &zones()).is_err());
    }
}
