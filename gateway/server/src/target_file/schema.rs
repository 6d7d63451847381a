//! The JSON Schema of a whole file: a kind's settings, and the cases beside them.

use super::stand;
use connector_cases::Suite;
use connector_spi::ErasedType;
use serde_json::{Value, json};

/// The schema of a target's file of this kind.
#[must_use]
pub fn schema(kind: &dyn ErasedType) -> Value {
    let mut whole = kind.config_schema();
    let of_kind = json!({
        "type": "string", "const": kind.name(),
        "description": "The kind of connector that the file is for. In a configuration the [target] says it.",
    });
    put(&mut whole, "properties", "kind", of_kind);
    if stand(kind.name()).is_none() {
        return whole;
    }
    let mut suite = schemars::schema_for!(Suite).to_value();
    for part in ["properties", "$defs"] {
        let members = suite.get_mut(part).and_then(Value::as_object_mut).map(std::mem::take).unwrap_or_default();
        for (name, schema) in members {
            // A type of the contract has one meaning, whoever uses it; a kind's own type of the same name is another.
            put(&mut whole, part, &name, schema);
        }
    }
    whole
}

fn put(schema: &mut Value, part: &str, name: &str, value: Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let members = schema.entry(part).or_insert_with(|| json!({}));
    if let Some(members) = members.as_object_mut() {
        members.entry(name).or_insert(value);
    }
}
