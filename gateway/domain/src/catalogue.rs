//! What can be granted: roles and entitlements, as configured.
//!
//! An id is one composite text in every dialect and form of discovery: `target:type:value`, with `@scope` where the
//! entitlement is scoped (`key=value` pairs joined by `,`). Order and dates are no part of it.

use connector_spi::Entitlement;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A role as the catalogue shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleEntry {
    /// Its id and value.
    pub value: String,
    /// What people call it.
    pub display: String,
    /// Its sort, such as `clinical`.
    pub ty: Option<String>,
    /// Ids of the entitlements it gives.
    pub contains: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// It may be held for a limited time only.
    pub time_bound_only: bool,
    /// Holding it needs care.
    pub sensitive: bool,
    /// How many people may hold it, where that is limited.
    pub assignments: Option<u32>,
}

/// An entitlement as the catalogue shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementEntry {
    /// Its id: `target:type:value[@scope]`.
    pub id: String,
    /// The name of the target that holds it.
    pub target: String,
    /// What is given there.
    pub entitlement: Entitlement,
    /// What people call it.
    pub display: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Holding it needs care.
    pub sensitive: bool,
    /// The target still knows it and gives it to nobody new.
    pub retired: bool,
    /// Where the entry comes from: `config`, or `csv:FILE@DAY`.
    pub source: String,
    /// The type takes an order.
    pub ordered: bool,
    /// The type takes a scope.
    pub scoped: bool,
    /// How many people may hold it, where that is limited.
    pub assignments: Option<u32>,
}

/// Everything that can be granted.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    roles: BTreeMap<String, RoleEntry>,
    entitlements: BTreeMap<String, EntitlementEntry>,
}

impl Catalogue {
    /// A catalogue of these; of two with one id the later one counts.
    pub fn new(
        roles: impl IntoIterator<Item = RoleEntry>,
        entitlements: impl IntoIterator<Item = EntitlementEntry>,
    ) -> Self {
        Self {
            roles: roles.into_iter().map(|role| (role.value.clone(), role)).collect(),
            entitlements: entitlements.into_iter().map(|entry| (entry.id.clone(), entry)).collect(),
        }
    }

    /// Whether nothing is configured: then role and entitlement values are free text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.entitlements.is_empty()
    }

    /// The roles, by value.
    pub fn roles(&self) -> impl Iterator<Item = &RoleEntry> {
        self.roles.values()
    }

    /// The entitlements, by id.
    pub fn entitlements(&self) -> impl Iterator<Item = &EntitlementEntry> {
        self.entitlements.values()
    }

    /// The role of this value.
    #[must_use]
    pub fn role(&self, value: &str) -> Option<&RoleEntry> {
        self.roles.get(value)
    }

    /// The entitlement of this id. One that the catalogue has without a scope may be given in any.
    #[must_use]
    pub fn entitlement(&self, id: &str) -> Option<&EntitlementEntry> {
        self.entitlements.get(id).or_else(|| self.entitlements.get(unscoped(id)?))
    }

    /// Types of entitlement that occur.
    #[must_use]
    pub fn entitlement_types(&self) -> Vec<&str> {
        let mut types: Vec<&str> = self.entitlements.values().map(|entry| entry.entitlement.kind.as_str()).collect();
        types.sort_unstable();
        types.dedup();
        types
    }
}

/// The id without its scope, where it has one.
#[must_use]
pub fn unscoped(id: &str) -> Option<&str> {
    id.rsplit_once('@').filter(|(_, scope)| scope.contains('=')).map(|(id, _)| id)
}

/// The composite id of an entitlement in a target.
#[must_use]
pub fn composite(target: &str, entitlement: &Entitlement) -> String {
    let mut id = format!("{target}:{}:{}", entitlement.kind, entitlement.value);
    for (place, (key, value)) in entitlement.scope.iter().enumerate() {
        id.push(if place == 0 { '@' } else { ',' });
        id.push_str(key);
        id.push('=');
        id.push_str(value);
    }
    id
}

/// Reads `target:type:value[@key=value,…]`. The value may contain colons; a scope is only what follows the last `@` and
/// consists of `key=value` pairs, so that an e-mail address stays a value.
#[must_use]
pub fn parse_composite(id: &str) -> Option<(String, Entitlement)> {
    let (target, rest) = id.split_once(':')?;
    let (kind, rest) = rest.split_once(':')?;
    let scoped = rest.rsplit_once('@').and_then(|(value, scope)| Some((value, parse_scope(scope)?)));
    let (value, scope) = scoped.unwrap_or((rest, BTreeMap::new()));
    if target.is_empty() || kind.is_empty() || value.is_empty() {
        return None;
    }
    Some((target.to_owned(), Entitlement { scope, ..Entitlement::new(kind, value) }))
}

fn parse_scope(text: &str) -> Option<BTreeMap<String, String>> {
    text.split(',')
        .map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (!key.is_empty() && !value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_what_it_was_made_from() {
        for id in
            ["ehr:position:RN", "ehr:menu:NUR.FLOOR@facility=EAST", "dir:group:a:b@x=1,y=2", "dir:mail:a@b.example"]
        {
            let parsed = parse_composite(id).map(|(target, entitlement)| composite(&target, &entitlement));
            assert_eq!(parsed.as_deref(), Some(id));
        }
    }

    #[test]
    fn half_an_id_is_none() {
        for id in ["", "ehr", "ehr:position", "ehr::RN", ":position:RN", "ehr:position:"] {
            assert_eq!(parse_composite(id), None, "{id}");
        }
    }
}
