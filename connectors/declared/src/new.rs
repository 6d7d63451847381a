//! What a target need not be asked about a new record.

use connector_spi::{Attrs, ConnError, KindSchema, Result, Value};

/// Refuses what the target would refuse, with the attribute's name and before anything is sent.
///
/// # Errors
/// `Invalid`: an attribute that there is not or that cannot be given, a text that is too long or not among the allowed
/// ones, several values where one fits, a required attribute that is missing.
pub fn check_new(schema: &KindSchema, attrs: &Attrs) -> Result<()> {
    let invalid = |name: &str, why: &str| Err(ConnError::invalid(format!("{name} {why}")).attribute(name));
    for (name, values) in attrs {
        let Some(attribute) = schema.attrs.get(name) else {
            return invalid(name, "is not an attribute of this kind");
        };
        if !attribute.creatable {
            return invalid(name, "cannot be given on create");
        }
        if !attribute.multi && values.len() > 1 {
            return invalid(name, "holds one value and is given several");
        }
        for text in values.iter().filter_map(Value::as_text) {
            let most = attribute.max_length.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
            if most.is_some_and(|most| text.chars().count() > most) {
                return invalid(name, "is longer than the target allows");
            }
            if !attribute.allowed.is_empty() && !attribute.allowed.iter().any(|allowed| allowed == text) {
                return invalid(name, "has a value that the target does not list");
            }
        }
    }
    for (name, _) in schema.attrs.iter().filter(|(_, attribute)| attribute.required) {
        if attrs.get(name).is_none_or(Vec::is_empty) {
            return invalid(name, "is required");
        }
    }
    Ok(())
}
