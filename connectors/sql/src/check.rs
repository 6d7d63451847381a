//! What is refused before anything is sent: by name, and alike for every engine. Pure.
//!
//! Engines differ in what they make of a value that does not fit: one refuses it without saying which, another cuts it, a third
//! keeps it. So what the file declares is held here.

use crate::{
    config::Attribute,
    database::Database,
    plan::KindPlan,
    value::{self, Shape, Zones},
};
use connector_spi::{Attrs, ConnError, Result, Value};
use std::collections::BTreeMap;

/// The values of a new record.
pub(crate) fn new<'v>(
    kind: &KindPlan,
    attrs: &'v Attrs,
    zones: &Zones,
    database: &dyn Database,
) -> Result<BTreeMap<&'v str, &'v Value>> {
    let mut values = BTreeMap::new();
    for (name, given) in attrs {
        let attribute = known(kind, name)?;
        if !attribute.creatable {
            return Err(refused(name, "cannot be given on create"));
        }
        if let Some(value) = single(name, given)? {
            fits(name, attribute, value, zones, database)?;
            values.insert(name.as_str(), value);
        }
    }
    let named = kind.config.create.as_ref().and_then(|create| create.name.as_ref());
    let made = |name: &String| named.is_some_and(|naming| naming.attribute == *name && naming.from.is_some());
    for (name, _) in kind.config.attributes.iter().filter(|(name, attribute)| attribute.required && !made(name)) {
        if !values.contains_key(name.as_str()) {
            return Err(refused(name, "is required"));
        }
    }
    Ok(values)
}

/// The value that an attribute is to have; `None` clears it.
pub(crate) fn changed<'v>(
    kind: &KindPlan,
    name: &str,
    given: Option<&'v Value>,
    zones: &Zones,
    database: &dyn Database,
) -> Result<Option<&'v Value>> {
    let attribute = known(kind, name)?;
    if !attribute.updatable {
        return Err(refused(name, "cannot be changed"));
    }
    match given {
        None if attribute.required => Err(refused(name, "is required")),
        None => Ok(None),
        Some(value) => fits(name, attribute, value, zones, database).map(|()| given),
    }
}

/// The one value of an attribute.
pub(crate) fn single<'v>(name: &str, given: &'v [Value]) -> Result<Option<&'v Value>> {
    match given {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(refused(name, "holds one value and is given several")),
    }
}

fn known<'k>(kind: &'k KindPlan, name: &str) -> Result<&'k Attribute> {
    kind.config.attributes.get(name).ok_or_else(|| refused(name, "is not an attribute of this kind"))
}

fn fits(name: &str, attribute: &Attribute, value: &Value, zones: &Zones, database: &dyn Database) -> Result<()> {
    value::bound(Shape::from(attribute), Some(value), zones).map_err(|why| refused(name, why))?;
    let Some(text) = value.as_text() else { return Ok(()) };
    let most = attribute.max_length.and_then(|most| usize::try_from(most).ok());
    if most.is_some_and(|most| database.length(text) > most) {
        return Err(refused(name, "is longer than the target allows"));
    }
    if !attribute.allowed.is_empty() && !attribute.allowed.iter().any(|allowed| allowed == text) {
        return Err(refused(name, "has a value that the target does not list"));
    }
    Ok(())
}

pub(crate) fn refused(name: &str, why: &str) -> ConnError {
    ConnError::invalid(format!("{name} {why}")).attribute(name)
}
