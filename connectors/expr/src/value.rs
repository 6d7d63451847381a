//! The value an expression works on: borrowed from the variables wherever it can be.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Number, Value};

use crate::error::EvalError;

/// One value. `Seq` and `Fields` borrow JSON; `Built` and `Made` were made by the expression.
#[derive(Clone, Debug)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Time(Timestamp),
    Seq(&'a [Value]),
    Built(Rc<Vec<Val<'a>>>),
    Fields(&'a Map<String, Value>),
    Made(Rc<Vec<(String, Val<'a>)>>),
}

impl<'a> Val<'a> {
    pub(crate) fn of(json: &'a Value) -> Val<'a> {
        match json {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Number(n) => match n.as_i64() {
                Some(whole) => Val::Int(whole),
                None => Val::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(s) => Val::Text(Cow::Borrowed(s)),
            Value::Array(items) => Val::Seq(items),
            Value::Object(fields) => Val::Fields(fields),
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Val<'a> {
        Val::Text(Cow::Owned(text.into()))
    }

    pub(crate) fn list(items: Vec<Val<'a>>) -> Val<'a> {
        Val::Built(Rc::new(items))
    }

    /// The word for the type in messages; never the value itself.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "a boolean",
            Val::Int(_) => "an integer",
            Val::Float(_) => "a decimal",
            Val::Text(_) => "text",
            Val::Time(_) => "a timestamp",
            Val::Seq(_) | Val::Built(_) => "a list",
            Val::Fields(_) | Val::Made(_) => "an object",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Val::Null)
    }

    /// The attribute, or null when there is none or this is null.
    pub(crate) fn select(&self, field: &str) -> Result<Val<'a>, EvalError> {
        match self {
            Val::Null => Ok(Val::Null),
            Val::Fields(fields) => Ok(fields.get(field).map_or(Val::Null, Val::of)),
            Val::Made(fields) => {
                Ok(fields.iter().find(|(name, _)| name == field).map_or(Val::Null, |(_, value)| value.clone()))
            }
            other => Err(EvalError::wrong_type(format!(
                "`{field}` is selected from {}, which has no attributes",
                other.kind()
            ))),
        }
    }

    /// How many elements, if this is a list.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Val::Seq(items) => Some(items.len()),
            Val::Built(items) => Some(items.len()),
            _ => None,
        }
    }

    /// An element of a list, if it is there.
    pub(crate) fn at(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Val::Seq(items) => items.get(index).map(Val::of),
            Val::Built(items) => items.get(index).cloned(),
            _ => None,
        }
    }

    /// The elements of a list; none for anything else.
    pub(crate) fn items<'s>(&'s self) -> impl Iterator<Item = Val<'a>> + use<'s, 'a> {
        (0..self.len().unwrap_or(0)).filter_map(move |index| self.at(index))
    }

    /// The attributes of an object; none for anything else.
    fn fields<'s>(&'s self) -> Box<dyn Iterator<Item = (&'s str, Val<'a>)> + 's> {
        match self {
            Val::Fields(fields) => Box::new(fields.iter().map(|(name, value)| (name.as_str(), Val::of(value)))),
            Val::Made(fields) => Box::new(fields.iter().map(|(name, value)| (name.as_str(), value.clone()))),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// The keys of an object as texts.
    pub(crate) fn keys(&self) -> Vec<Val<'a>> {
        self.fields().map(|(name, _)| Val::text(name)).collect()
    }

    /// How many attributes, if this is an object.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            Val::Fields(fields) => Some(fields.len()),
            Val::Made(fields) => Some(fields.len()),
            _ => None,
        }
    }

    /// Equality as CEL has it: values of different types differ, numbers are compared by value. A timestamp equals the
    /// text that spells it.
    pub(crate) fn same(&self, other: &Val<'_>) -> bool {
        match (self, other) {
            (Val::Null, Val::Null) => true,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::Int(a), Val::Int(b)) => a == b,
            (Val::Text(a), Val::Text(b)) => a == b,
            (Val::Int(_) | Val::Float(_), Val::Int(_) | Val::Float(_))
            | (Val::Time(_), Val::Time(_) | Val::Text(_))
            | (Val::Text(_), Val::Time(_)) => self.order(other) == Some(Ordering::Equal),
            _ => match (self.len(), other.len(), self.width(), other.width()) {
                (Some(a), Some(b), _, _) => a == b && self.items().zip(other.items()).all(|(a, b)| a.same(&b)),
                (_, _, Some(a), Some(b)) => {
                    a == b
                        && self.fields().all(|(name, value)| other.fields().any(|(n, v)| n == name && value.same(&v)))
                }
                _ => false,
            },
        }
    }

    /// Order, where there is one: numbers, texts by code point, booleans, instants.
    pub(crate) fn order(&self, other: &Val<'_>) -> Option<Ordering> {
        match (self, other) {
            (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
            (Val::Float(a), Val::Float(b)) => a.partial_cmp(b),
            #[allow(clippy::cast_precision_loss)] // as CEL compares across number types
            (Val::Int(a), Val::Float(b)) => (*a as f64).partial_cmp(b),
            #[allow(clippy::cast_precision_loss)]
            (Val::Float(a), Val::Int(b)) => a.partial_cmp(&(*b as f64)),
            (Val::Text(a), Val::Text(b)) => Some(a.cmp(b)),
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
            (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
            (Val::Time(a), Val::Text(b)) => Some(a.cmp(&instant(b)?)),
            (Val::Text(a), Val::Time(b)) => Some(instant(a)?.cmp(b)),
            _ => None,
        }
    }

    /// The value as JSON. A timestamp becomes RFC 3339 text in UTC.
    pub(crate) fn json(&self) -> Result<Value, EvalError> {
        Ok(match self {
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(*b),
            Val::Int(n) => Value::Number((*n).into()),
            Val::Float(n) => Value::Number(
                Number::from_f64(*n).ok_or_else(|| EvalError::value("the result is not a finite number"))?,
            ),
            Val::Text(text) => Value::String(text.to_string()),
            Val::Time(time) => Value::String(time.to_string()),
            Val::Seq(items) => Value::Array(items.to_vec()),
            Val::Built(items) => Value::Array(items.iter().map(Val::json).collect::<Result<_, _>>()?),
            Val::Fields(fields) => Value::Object((*fields).clone()),
            Val::Made(fields) => Value::Object(
                fields.iter().map(|(name, value)| Ok((name.clone(), value.json()?))).collect::<Result<_, _>>()?,
            ),
        })
    }
}

/// The instant that a text spells: RFC 3339, a date and time without offset (taken as UTC), or a date (midnight UTC).
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil = match date(text) {
        Some(date) => date.to_datetime(jiff::civil::Time::midnight()),
        None => text.parse::<DateTime>().ok()?,
    };
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The date that a text spells as `YYYY-MM-DD`, and nothing more.
pub(crate) fn date(text: &str) -> Option<Date> {
    if text.len() == 10 { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_date_is_midnight_in_utc() {
        assert_eq!(instant("2026-07-01").unwrap().to_string(), "2026-07-01T00:00:00Z");
        assert_eq!(instant("2026-07-01T00:00:00-04:00").unwrap().to_string(), "2026-07-01T04:00:00Z");
        assert_eq!(instant("tomorrow"), None);
        assert_eq!(instant(""), None);
    }

    #[test]
    fn objects_are_equal_whatever_their_order_and_origin() {
        let json = serde_json::json!({"a": 1, "b": [true, null]});
        let made = Val::Made(Rc::new(vec![
            ("b".to_owned(), Val::list(vec![Val::Bool(true), Val::Null])),
            ("a".to_owned(), Val::Float(1.0)),
        ]));
        assert!(Val::of(&json).same(&made));
        assert!(made.same(&Val::of(&json)));
    }
}
