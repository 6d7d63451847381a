//! What the tests start from. All persons are invented.

use scim::{Aliases, Context, Dialect, Doc, Meta, Parsed, Patch, Resource, ResourceType, ScimError, ScimType, Types};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub const DIALECTS: [Dialect; 3] = [Dialect::Tolerant, Dialect::Rfc, Dialect::Interop];

pub static TYPES: LazyLock<Types> = LazyLock::new(Types::built_in);

pub fn user_type() -> &'static Arc<ResourceType> {
    TYPES.user()
}

pub fn group_type() -> &'static Arc<ResourceType> {
    TYPES.group()
}

pub fn full_user() -> Value {
    json!({
        "schemas": [scim::USER, scim::ENTERPRISE_USER],
        "externalId": "701984",
        "userName": "Testperson.12@hosp.example",
        "name": { "formatted": "Testperson 12 Example", "familyName": "Example", "givenName": "Testperson" },
        "displayName": "Testperson 12",
        "active": true,
        "emails": [
            { "value": "t12@hosp.example", "type": "work", "primary": true },
            { "value": "t12@home.example", "type": "home" },
        ],
        "addresses": [{ "type": "work", "streetAddress": "1 Sample Street", "locality": "Sampletown", "country": "US" }],
        "roles": [{ "value": "nurse" }, { "value": "charge-nurse", "type": "clinical" }],
        scim::ENTERPRISE_USER: { "employeeNumber": "100012", "department": "Imaging", "manager": { "value": "M-1" } },
    })
}

pub fn read(value: Value, ty: &ResourceType, dialect: Dialect) -> Result<Parsed, ScimError> {
    Resource::parse(value, ty, dialect, Context::Create, Aliases::NONE)
}

pub fn user(value: Value) -> Resource {
    read(value, user_type(), Dialect::Tolerant).unwrap().resource
}

pub fn patch_body(operations: Value) -> Value {
    json!({ "schemas": [PATCH_OP], "Operations": operations })
}

pub fn patch(operations: Value, ty: &ResourceType, dialect: Dialect) -> Result<Patch, ScimError> {
    Patch::parse(patch_body(operations), ty, dialect, Aliases::NONE)
}

/// The attributes after a PATCH; unchanged where it changes nothing.
pub fn patched(old: &Resource, operations: Value, dialect: Dialect) -> Result<Value, ScimError> {
    let after = patch(operations, user_type(), dialect)?.apply(old, user_type())?;
    Ok(Value::Object(after.unwrap_or_else(|| old.clone()).attrs))
}

pub fn keyword<T: std::fmt::Debug>(result: Result<T, ScimError>) -> Option<ScimType> {
    let error = result.unwrap_err();
    assert!((400..500).contains(&error.status), "{error}");
    error.scim_type
}

pub fn doc(resource: &Resource) -> Doc<'_> {
    let meta = Meta {
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        last_modified: "2026-07-01T12:00:00Z".parse().unwrap(),
        location: "https://scim.hosp.example/Users/U-12",
        version: "W/\"3\"",
    };
    Doc { id: "U-12", attrs: &resource.attrs, meta, members: &[] }
}
