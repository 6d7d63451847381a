//! Which attributes are looked up by value, and what must be unique.
//!
//! One rule serves filters, uniqueness and the store's index: values are folded by the attribute's `caseExact`
//! ([`scim::fold`]), so what a filter finds is exactly what a second create collides with.

use crate::SourceId;
use scim::{AttrKey, AttrPath, Attribute, Resource, ResourceType};
use serde_json::Value;
use std::collections::BTreeMap;

/// One entry of the store's index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Index {
    /// The attribute, as [`AttrKey`] prints it; `externalId@SOURCE` for a source's own name.
    pub key: String,
    /// The folded value.
    pub value: String,
    /// Whether another resource of the type may have it too.
    pub unique: Unique,
}

/// Whether a value may occur twice among resources of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unique {
    /// It may.
    No,
    /// It may not.
    Yes,
}

/// Attributes that are indexed although they need not be unique, because identity providers look people up by them
/// (`spec/idp-clients`: Entra's matching attributes, Okta's and SailPoint's look-ups).
const LOOKED_UP: [&str; 4] = [
    "displayName",
    "emails.value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User:npi",
];

/// The index key of a source's own name of a resource.
#[must_use]
pub fn external_id_key(source: &SourceId) -> String {
    format!("externalId@{source}")
}

/// The index key under which a filter on `path` can be answered, when there is one. `source` is who asks: its `externalId` is
/// its own.
#[must_use]
pub fn key(ty: &ResourceType, path: &AttrPath, source: &SourceId) -> Option<String> {
    if path.urn.is_none() && path.sub.is_none() && path.name.eq_ignore_ascii_case("externalId") {
        return Some(external_id_key(source));
    }
    let key = ty.resolve(path)?.key();
    is_indexed(ty, &key).then(|| key.to_string())
}

/// What [`Plan::of`] would have a key for, without making the plan: filters ask this for each of their terms.
fn is_indexed(ty: &ResourceType, key: &AttrKey) -> bool {
    ty.unique_attributes().contains(key) || LOOKED_UP.iter().any(|name| ty.key(name).is_some_and(|one| one == *key))
}

/// What is indexed of one resource type. Made once per type.
#[derive(Debug, Clone)]
pub struct Plan {
    keys: Vec<Indexed>,
}

#[derive(Debug, Clone)]
struct Indexed {
    key: AttrKey,
    attribute: Attribute,
    unique: Unique,
}

impl Plan {
    /// The plan of a resource type: its unique attributes and those that people are looked up by.
    #[must_use]
    pub fn of(ty: &ResourceType) -> Plan {
        let mut keys: Vec<Indexed> = Vec::new();
        let mut add = |key: AttrKey, unique: Unique| {
            let found = AttrPath::parse(key.as_str()).ok().and_then(|path| ty.resolve(&path).map(|f| f.leaf().clone()));
            if let Some(attribute) = found
                && !keys.iter().any(|indexed| indexed.key == key)
            {
                keys.push(Indexed { key, attribute, unique });
            }
        };
        for key in ty.unique_attributes() {
            add(key, Unique::Yes);
        }
        for key in LOOKED_UP.iter().filter_map(|name| ty.key(name)) {
            add(key, Unique::No);
        }
        Plan { keys }
    }

    /// The index entries of a resource, sorted, each once.
    #[must_use]
    pub fn entries(&self, resource: &Resource, external_ids: &BTreeMap<SourceId, String>) -> Vec<Index> {
        let mut entries = Vec::with_capacity(self.keys.len() + external_ids.len());
        for Indexed { key, attribute, unique } in &self.keys {
            for value in resource.get(key) {
                let value = match value {
                    Value::String(text) => scim::fold(attribute, text).into_owned(),
                    Value::Bool(_) | Value::Number(_) => value.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => continue,
                };
                entries.push(Index { key: key.as_str().to_owned(), value, unique: *unique });
            }
        }
        for (source, external_id) in external_ids {
            entries.push(Index { key: external_id_key(source), value: external_id.clone(), unique: Unique::Yes });
        }
        entries.sort_unstable();
        entries.dedup();
        entries
    }
}

/// What to add and what to remove to get from one sorted list of entries to another.
#[must_use]
pub fn difference(old: &[Index], new: &[Index]) -> (Vec<Index>, Vec<Index>) {
    let less = |from: &[Index], other: &[Index]| -> Vec<Index> {
        from.iter().filter(|entry| other.binary_search(entry).is_err()).cloned().collect()
    };
    (less(new, old), less(old, new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim::Types;

    #[test]
    fn a_filter_finds_a_key_exactly_where_the_plan_has_one() {
        for ty in Types::built_in().all() {
            let plan = Plan::of(ty);
            let names =
                ["title", "active", "name.familyName", "userName", "displayName", "emails.value", "emails.type"];
            let planned = plan.keys.iter().map(|indexed| indexed.key.clone());
            let keys = names.iter().filter_map(|name| ty.key(name)).chain(planned);
            for key in keys {
                let in_plan = plan.keys.iter().any(|indexed| indexed.key == key);
                assert_eq!(is_indexed(ty, &key), in_plan, "{key}");
            }
        }
    }
}
