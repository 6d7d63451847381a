//! An expression's result in the target's own types.
//!
//! What is wanted is compared with what is read back, so it is kept in the type that the target reads in: an end date that was
//! wanted as text and read as an instant would differ for ever, and most targets refuse the text in the first place. The type
//! is what the mapping says, else what the target's settings declare, else what the expression itself tells.

use connector_expr::{Expr, Type};
use connector_spi::{Value as Native, ValueType};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The type of an attribute's values, as far as it is known before anything runs. `None`: a value is passed on as what it is.
#[must_use]
pub fn type_of(said: Option<ValueType>, declared: Option<ValueType>, expr: &Expr) -> Option<ValueType> {
    let told = match single(expr.result()) {
        Type::Timestamp => Some(ValueType::Timestamp),
        _ => None,
    };
    said.or(declared).or(told)
}

/// Whether an expression of this type can give values of that one. What is not known beforehand can.
#[must_use]
pub fn fits(ty: ValueType, of: &Type) -> bool {
    match (ty, single(of)) {
        (_, Type::Any | Type::Text) | (ValueType::Timestamp, Type::Timestamp) => true,
        (ValueType::Text, Type::Integer | Type::Decimal | Type::Boolean | Type::Timestamp) => true,
        (ValueType::Integer, Type::Integer | Type::Decimal) | (ValueType::Boolean, Type::Boolean) => true,
        // Told when it is met, with what to do about it.
        (_, Type::List(_) | Type::Object(_) | Type::Map(_)) => true,
        (ValueType::Timestamp | ValueType::Integer | ValueType::Boolean | ValueType::Bytes, _) => false,
    }
}

/// The word for values of a type in messages.
#[must_use]
pub fn name(ty: ValueType) -> &'static str {
    match ty {
        ValueType::Text => "text",
        ValueType::Integer => "integers",
        ValueType::Boolean => "true or false",
        ValueType::Bytes => "octets",
        ValueType::Timestamp => "instants",
    }
}

fn single(of: &Type) -> &Type {
    match of {
        Type::List(element) => element,
        other => other,
    }
}

/// The values of one attribute: null and empty text are no value, a list is many.
///
/// # Errors
/// Why a value cannot be of the type; holds no value.
pub fn values(value: Value, ty: Option<ValueType>) -> Result<Vec<Native>, &'static str> {
    match value {
        Value::Array(items) => items.into_iter().filter_map(|item| one(item, ty).transpose()).collect(),
        single => Ok(one(single, ty)?.into_iter().collect()),
    }
}

fn one(value: Value, ty: Option<ValueType>) -> Result<Option<Native>, &'static str> {
    let as_is = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::Array(_) | Value::Object(_) => {
            return Err("the expression gives an object; select one of its attributes");
        }
        Value::Bool(truth) => Native::Bool(truth),
        Value::String(text) => Native::Text(text),
        Value::Number(number) => number.as_i64().map_or_else(|| Native::Text(number.to_string()), Native::Int),
    };
    match ty {
        None => Ok(as_is),
        Some(ty) => typed(as_is, ty),
    }
    .map(Some)
}

fn typed(value: Native, ty: ValueType) -> Result<Native, &'static str> {
    match (ty, value) {
        (ValueType::Text, Native::Bool(truth)) => Ok(Native::Text(truth.to_string())),
        (ValueType::Text, Native::Int(number)) => Ok(Native::Text(number.to_string())),
        (ValueType::Integer, Native::Text(text)) => {
            text.parse().map(Native::Int).map_err(|_| "the expression gives no integer")
        }
        (ValueType::Boolean, Native::Text(text)) => {
            text.parse().map(Native::Bool).map_err(|_| "the expression gives neither true nor false")
        }
        // A day is no instant: whether it is the first or the last moment of it, and where, is not in it.
        (ValueType::Timestamp, Native::Text(text)) => text.parse::<Timestamp>().map(|at| Native::At { at }).map_err(|_| {
            "the expression gives no instant; access.begins and access.ends are, and timestamp(day) is its midnight in UTC"
        }),
        (ValueType::Bytes, Native::Text(text)) => {
            serde_json::from_value(json!({ "bytes": text })).map_err(|_| "the expression gives no base64")
        }
        (ValueType::Text, value @ Native::Text(_))
        | (ValueType::Integer, value @ Native::Int(_))
        | (ValueType::Boolean, value @ Native::Bool(_))
        | (ValueType::Bytes, value @ Native::Bytes { .. })
        | (ValueType::Timestamp, value @ Native::At { .. }) => Ok(value),
        (_, Native::Bool(_) | Native::Int(_) | Native::Bytes { .. } | Native::At { .. }) => {
            Err("the expression gives a value of another type")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_the_type_that_the_target_reads_it_in() {
        let at: Timestamp = "2026-09-21T04:00:00Z".parse().unwrap();
        for (value, ty, native) in [
            (json!("2026-09-21T00:00:00-04:00"), ValueType::Timestamp, Native::from(at)),
            (json!("42"), ValueType::Integer, Native::Int(42)),
            (json!(42), ValueType::Text, Native::from("42")),
            (json!("true"), ValueType::Boolean, Native::Bool(true)),
            (json!(true), ValueType::Text, Native::from("true")),
            (json!("AP8="), ValueType::Bytes, Native::from(vec![0, 255])),
        ] {
            assert_eq!(values(value, Some(ty)).unwrap(), [native]);
        }
    }

    #[test]
    fn a_day_is_no_instant() {
        assert!(values(json!("2026-09-20"), Some(ValueType::Timestamp)).unwrap_err().contains("access.ends"));
    }

    #[test]
    fn nothing_is_of_every_type() {
        for ty in [ValueType::Text, ValueType::Integer, ValueType::Boolean, ValueType::Bytes, ValueType::Timestamp] {
            assert_eq!(values(json!([null, ""]), Some(ty)).unwrap(), []);
        }
    }

    #[test]
    fn without_a_type_a_text_that_looks_like_a_date_stays_a_text() {
        assert_eq!(values(json!("2026-09-21T04:00:00Z"), None).unwrap(), [Native::from("2026-09-21T04:00:00Z")]);
    }
}
