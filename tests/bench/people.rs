//! The people that are pushed: visibly invented, all different, about as much of each as identity providers send.

use serde_json::{Value, json};

/// The schemas of a user as pushed.
const SCHEMAS: [&str; 2] =
    ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];

/// Person `n` as a create's body. People of different `batch`es are different people.
pub fn user(batch: &str, n: usize) -> Value {
    let name = user_name(batch, n);
    json!({
        "schemas": SCHEMAS,
        "externalId": format!("ext-{batch}-{n}"),
        "userName": name,
        "displayName": format!("Testperson {n} Example"),
        "name": {
            "familyName": format!("Example{n}"),
            "givenName": "Testperson",
            "formatted": format!("Testperson Example{n}")
        },
        "emails": [{ "value": name, "type": "work", "primary": true }],
        "active": true,
        "title": "Registered Nurse",
        "userType": "Employee",
        "preferredLanguage": "en-US",
        SCHEMAS[1]: { "employeeNumber": format!("{batch}{n}"), "department": "NUR-4W", "costCenter": "4130" }
    })
}

/// Person `n`'s user name.
pub fn user_name(batch: &str, n: usize) -> String {
    format!("testperson.{batch}{n}@hosp.example")
}

/// A PATCH that gives one attribute a value, as Entra's newer flavour sends it.
pub fn replace(path: &str, value: &Value) -> String {
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
    json!({ "schemas": schemas, "Operations": [{ "op": "replace", "path": path, "value": value }] }).to_string()
}

/// A PATCH that adds one member.
pub fn add_member(id: &str) -> String {
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
    let operation = json!({ "op": "add", "path": "members", "value": [{ "value": id }] });
    json!({ "schemas": schemas, "Operations": [operation] }).to_string()
}
