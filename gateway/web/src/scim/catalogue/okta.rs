//! The catalogue as Okta's entitlement management discovers it: one resource type for roles and one per type of entitlement,
//! each at an endpoint of its own, told apart by two schema URIs.

use gateway_domain::catalogue::Catalogue;
use scim::{Object, RESOURCE_TYPE, SCHEMA, Types};
use serde_json::{Value, json};

pub(crate) const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";
pub(crate) const ENTITLEMENT: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";

/// Names that mean something else.
const TAKEN: [&str; 8] =
    ["User", "Group", "Role", "Entitlement", "Schema", "ResourceType", "ServiceProviderConfig", "Bulk"];

/// The resource type's name for a type of entitlement: `sub-template` becomes `SubTemplate`, and `group`, which would be taken
/// for SCIM's own, `GroupEntitlement`. The endpoint is the name and an `s`.
pub(crate) fn type_name(entitlement_type: &str) -> String {
    let mut name = String::with_capacity(entitlement_type.len() + 11);
    for word in entitlement_type.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    if TAKEN.contains(&name.as_str()) || name.is_empty() {
        name.push_str("Entitlement");
    }
    name
}

/// The resource types, without `meta`.
pub(crate) fn resource_types(catalogue: &Catalogue, types: &Types) -> Vec<Value> {
    if catalogue.is_empty() {
        return Vec::new();
    }
    let document = |name: &str, endpoint: &str, schema: &str, description: &str| {
        json!({
            "schemas": [RESOURCE_TYPE], "id": name, "name": name, "endpoint": endpoint, "description": description,
            "schema": schema,
        })
    };
    let mut names: Vec<String> = catalogue.entitlement_types().into_iter().map(type_name).collect();
    names.sort_unstable();
    names.dedup();
    // A deployment's own type of that name is stored, and comes first wherever a path is looked up.
    names.retain(|name| types.by_endpoint(&format!("/{name}s")).is_none());
    std::iter::once(document("Role", "/Roles", ROLE, "Roles that can be granted"))
        .chain(
            names.iter().map(|name| {
                document(name, &format!("/{name}s"), ENTITLEMENT, &format!("Entitlements of the type {name}"))
            }),
        )
        .collect()
}

/// The two schemas, without `meta`.
pub(crate) fn schemas() -> Vec<Value> {
    let attribute = |name: &str, description: &str| {
        json!({
            "name": name, "type": "string", "multiValued": false, "description": description, "required": true,
            "caseExact": true, "mutability": "readOnly", "returned": "default", "uniqueness": "none",
        })
    };
    let display = attribute("displayName", "What people call it.");
    vec![
        json!({
            "schemas": [SCHEMA], "id": ROLE, "name": "Role", "description": "A role that can be granted",
            "attributes": [display],
        }),
        json!({
            "schemas": [SCHEMA], "id": ENTITLEMENT, "name": "Entitlement", "description": "An entitlement that can be granted",
            "attributes": [display, attribute("type", "The type of entitlement.")],
        }),
    ]
}

/// Names the schema of a document.
pub(crate) fn name(document: &mut Object, schema: &str) {
    document.insert("schemas".into(), json!([schema]));
}

/// A role, without its id and its schema.
pub(crate) fn role(display: &str, location: &str) -> Object {
    object(json!({
        "displayName": display, "meta": { "resourceType": "Role", "location": location },
    }))
}

/// An entitlement, without its id and its schema.
pub(crate) fn entitlement(name: &str, ty: Value, display: &str, location: &str) -> Object {
    object(json!({
        "displayName": display, "type": ty,
        "meta": { "resourceType": name, "location": location },
    }))
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_entitlement_becomes_a_name_that_a_path_can_hold() {
        for (given, name) in [
            ("position", "Position"),
            ("EhrSubTemplate", "EhrSubTemplate"),
            ("sub-template", "SubTemplate"),
            ("menu/role 2", "MenuRole2"),
            ("group", "GroupEntitlement"),
            ("…", "Entitlement"),
        ] {
            assert_eq!(type_name(given), name);
        }
    }
}
