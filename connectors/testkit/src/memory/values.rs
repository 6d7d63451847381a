//! Values against the schema: types, lengths, letter case.

use connector_spi::{AttrSchema, ConnError, Delta, Result, Value, ValueType};

/// The value as it is compared: folded to lower case where case does not count.
pub(super) fn fold(attr: Option<&AttrSchema>, value: &Value) -> Value {
    match value {
        Value::Text(text) if attr.is_none_or(|attr| !attr.case_exact) => Value::Text(text.to_lowercase()),
        other => other.clone(),
    }
}

/// The values in the order and form in which they are compared; the text itself counts, only the order does not.
pub(super) fn normal(attr: &AttrSchema, values: Option<&Vec<Value>>) -> Vec<Value> {
    let mut all = values.cloned().unwrap_or_default();
    if attr.multi {
        all.sort();
    }
    all
}

/// What becomes of the values.
pub(super) fn apply_delta(attr: &AttrSchema, held: Option<&Vec<Value>>, delta: &Delta) -> Vec<Value> {
    match delta {
        Delta::Set(values) => values.clone(),
        Delta::Clear => Vec::new(),
        Delta::Patch { add, remove } => {
            let same = |a: &Value, b: &Value| fold(Some(attr), a) == fold(Some(attr), b);
            let mut all = held.cloned().unwrap_or_default();
            all.retain(|value| !remove.iter().any(|gone| same(gone, value)));
            for value in add {
                if !all.iter().any(|other| same(other, value)) {
                    all.push(value.clone());
                }
            }
            all
        }
    }
}

/// Refuses what the schema does not allow, and names the attribute.
pub(super) fn check_values(name: &str, attr: &AttrSchema, values: Option<&Vec<Value>>) -> Result<()> {
    let values = values.map_or(&[] as &[Value], Vec::as_slice);
    let refuse = |why: &str| Err(ConnError::invalid(why.to_owned()).attribute(name));
    if attr.required && values.is_empty() {
        return refuse("is required");
    }
    if !attr.multi && values.len() > 1 {
        return refuse("holds one value");
    }
    for value in values {
        let fits = match value {
            Value::Text(_) => attr.ty == ValueType::Text,
            Value::Int(_) => attr.ty == ValueType::Integer,
            Value::Bool(_) => attr.ty == ValueType::Boolean,
            Value::Bytes { .. } => attr.ty == ValueType::Bytes,
            Value::At { .. } => attr.ty == ValueType::Timestamp,
        };
        if !fits {
            return refuse("is of another type");
        }
        let Value::Text(text) = value else { continue };
        if attr.max_length.is_some_and(|most| text.chars().count() > usize::try_from(most).unwrap_or(usize::MAX)) {
            return refuse("is too long");
        }
        if !attr.allowed.is_empty() && !attr.allowed.contains(text) {
            return refuse("is none of the allowed values");
        }
    }
    Ok(())
}
