//! Setting a value in a JSON document by pointer (RFC 6901).

use serde_json::{Map, Value};

use super::BuildError;

/// The deepest pointer, in steps.
const DEPTH: usize = 32;

/// Sets the value that a JSON pointer names, making the objects on the way. `-` appends to an array; an index must be one
/// that is there or the next.
///
/// # Errors
/// A pointer that does not start with `/`, has more than 32 steps, goes through a scalar, or names an array element that
/// cannot be. The error names the pointer. The document is then unchanged but for empty objects made on the way.
pub fn json_set(document: &mut Value, pointer: &str, value: Value) -> Result<(), BuildError> {
    let fail = |message| Err(BuildError::new(pointer, message));
    if pointer.is_empty() {
        *document = value;
        return Ok(());
    }
    let Some(steps) = pointer.strip_prefix('/') else {
        return fail("is no JSON pointer: it starts with /");
    };
    if steps.split('/').count() > DEPTH {
        return fail("is a JSON pointer of more than 32 steps");
    }
    let mut at = document;
    for step in steps.split('/') {
        let step = step.replace("~1", "/").replace("~0", "~");
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(fields) => fields.entry(step).or_insert(Value::Null),
            Value::Array(items) => {
                let index = if step == "-" { Some(items.len()) } else { index(&step) };
                match index {
                    Some(index) if index == items.len() => items.push(Value::Null),
                    Some(index) if index < items.len() => {}
                    _ => return fail("names an array element that cannot be"),
                }
                match index.and_then(|index| items.get_mut(index)) {
                    Some(item) => item,
                    None => return fail("names an array element that cannot be"),
                }
            }
            _ => return fail("goes through a value that has no members"),
        };
    }
    *at = value;
    Ok(())
}

/// RFC 6901 section 4: digits without leading zeros.
fn index(step: &str) -> Option<usize> {
    let leading_zero = step.len() > 1 && step.starts_with('0');
    if leading_zero || !step.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    step.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn objects_are_made_on_the_way_and_arrays_grow_by_one() {
        let mut document = json!({"a": [1]});
        json_set(&mut document, "/position/code", json!("RESIDENT")).unwrap();
        json_set(&mut document, "/a/-", json!(2)).unwrap();
        json_set(&mut document, "/a/2", json!(3)).unwrap();
        json_set(&mut document, "/a/0", json!(0)).unwrap();
        assert_eq!(document, json!({"a": [0, 2, 3], "position": {"code": "RESIDENT"}}));
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        let mut document = json!({"a": [1], "s": "x"});
        for pointer in ["a", "/a/5", "/a/01", "/a/x", "/s/t"] {
            assert!(json_set(&mut document, pointer, json!(1)).is_err(), "{pointer}");
        }
        assert!(json_set(&mut document, &"/a".repeat(33), json!(1)).is_err());
        assert_eq!(document, json!({"a": [1], "s": "x"}));
    }

    proptest! {
        #[test]
        fn what_was_set_is_found_by_the_same_pointer(steps in proptest::collection::vec(any::<String>(), 1..6)) {
            let pointer: String = steps.iter().map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1"))).collect();
            let mut document = Value::Null;
            json_set(&mut document, &pointer, json!("v")).unwrap();
            prop_assert_eq!(document.pointer(&pointer), Some(&json!("v")));
        }
    }
}
