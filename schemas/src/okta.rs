//! The catalogue in the form that Okta's governance discovers (governance 4.5; a source's `discovery = "okta"`): the same
//! roles and entitlements, under Okta's schemas, with one resource type per type of entitlement.

use crate::Object;
use crate::schema::Schema;
use crate::types::{ResourceType, compiled_in};
use serde_json::json;
use std::sync::{Arc, LazyLock};

/// The URI that a resource type must name for Okta to take its resources for roles.
pub const OKTA_ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// The URI that a resource type must name for Okta to take its resources for entitlements.
pub const OKTA_ENTITLEMENT: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";

static ROLE: LazyLock<Arc<Schema>> = LazyLock::new(|| compiled_in(include_str!("../json/core/okta-role.json")));
static ENTITLEMENT: LazyLock<Arc<Schema>> =
    LazyLock::new(|| compiled_in(include_str!("../json/core/okta-entitlement.json")));

/// The resource types to announce: `Role` at `/Roles`, and one for each type of entitlement, such as `EhrSubTemplate` at
/// `/EhrSubTemplates`. They take the places of the catalogue types of [`crate::Types`] in answers to such a source.
///
/// # Errors
/// The first type whose name cannot be that of a resource type: it must begin with a letter and hold letters, digits, `-`
/// and `_` only.
pub fn okta_types<'a>(entitlement_types: impl IntoIterator<Item = &'a str>) -> Result<Vec<Arc<ResourceType>>, String> {
    let make = |name: &str, endpoint: String, schema: &Arc<Schema>| {
        let mut ty =
            ResourceType::new(name.to_owned(), endpoint, schema.description.clone(), schema.clone(), Vec::new());
        ty.catalogue = true;
        Arc::new(ty)
    };
    let mut types = vec![make("Role", "/Roles".to_owned(), &ROLE)];
    for name in entitlement_types {
        if !crate::load::is_name(name) || name.starts_with('$') {
            return Err(name.to_owned());
        }
        types.push(make(name, format!("/{name}s"), &ENTITLEMENT));
    }
    Ok(types)
}

/// A role or an entitlement as such a source reads it. `ty` is the entitlement's type; a role has none. The id is the
/// value that a user's `roles` or `entitlements` hold.
pub fn okta_document(id: &str, display_name: &str, ty: Option<&str>) -> Object {
    let schema = if ty.is_some() { OKTA_ENTITLEMENT } else { OKTA_ROLE };
    let mut out = Object::new();
    out.insert("schemas".into(), json!([schema]));
    out.insert("id".into(), id.into());
    out.insert("displayName".into(), display_name.into());
    out.extend(ty.map(|ty| ("type".to_owned(), ty.into())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn several_resource_types_share_the_entitlement_schema() {
        let types = okta_types(["EhrSubTemplate", "License"]).unwrap();

        let announced: Vec<(String, String)> =
            types.iter().map(|ty| (ty.endpoint.clone(), ty.schema.id.clone())).collect();
        let expected = [("/Roles", OKTA_ROLE), ("/EhrSubTemplates", OKTA_ENTITLEMENT), ("/Licenses", OKTA_ENTITLEMENT)];
        assert_eq!(announced, expected.map(|(endpoint, schema)| (endpoint.to_owned(), schema.to_owned())));
        assert_eq!(crate::Types::schemas_of(&types).len(), 2);
    }

    #[test]
    fn a_type_that_cannot_be_an_endpoint_is_refused() {
        assert_eq!(okta_types(["Sub Template"]), Err("Sub Template".to_owned()));
    }

    #[test]
    fn members_carry_an_id_and_a_display_name() {
        let role = okta_document("resident-im", "Resident, internal medicine", None);

        let expected =
            json!({"schemas": [OKTA_ROLE], "id": "resident-im", "displayName": "Resident, internal medicine"});
        assert_eq!(Value::Object(role), expected);
        assert_eq!(okta_document("x", "y", Some("License"))["type"], "License");
    }
}
