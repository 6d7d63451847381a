//! What must hold for a whole resource, after a body was read or a PATCH applied.

use crate::Object;
use crate::clinical;
use crate::error::{ScimError, invalid};
use crate::schema::{Attribute, Schema};
use crate::types::{CLINICAL_USER, ResourceType};
use serde_json::Value;

/// Required attributes are there and not empty, required sub-attributes are there in each value that is there, and
/// required extensions are there.
pub(crate) fn check(ty: &ResourceType, attrs: &Object) -> Result<(), ScimError> {
    schema(&ty.schema, attrs)?;
    for extension in &ty.extensions {
        match attrs.get(&extension.schema.id) {
            Some(Value::Object(object)) => schema(&extension.schema, object)?,
            _ if extension.required => {
                return Err(invalid(format!("The extension {} is required.", extension.schema.id)));
            }
            _ => {}
        }
    }
    match attrs.get(CLINICAL_USER) {
        Some(Value::Object(extension)) => clinical::check(extension),
        _ => Ok(()),
    }
}

fn schema(schema: &Schema, object: &Object) -> Result<(), ScimError> {
    for attribute in &schema.attributes {
        match object.get(&attribute.name) {
            None if attribute.required && attribute.writable() => return Err(missing(attribute)),
            Some(Value::String(text)) if attribute.required && text.trim().is_empty() => {
                return Err(missing(attribute));
            }
            Some(Value::Object(value)) => subs(attribute, value)?,
            Some(Value::Array(values)) if attribute.sub.iter().any(|sub| sub.required) => {
                values.iter().filter_map(Value::as_object).try_for_each(|value| subs(attribute, value))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn subs(attribute: &Attribute, value: &Object) -> Result<(), ScimError> {
    let absent = |sub: &&Attribute| match value.get(&sub.name) {
        None => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    match attribute.sub.iter().filter(|sub| sub.required && sub.writable()).find(absent) {
        Some(sub) => Err(invalid(format!("`{}.{}` is required.", attribute.name, sub.name))),
        None => Ok(()),
    }
}

fn missing(attribute: &Attribute) -> ScimError {
    invalid(format!("`{}` is required.", attribute.name))
}
