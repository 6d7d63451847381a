//! What a write named. An attribute that is returned on request only "is returned in response to any PUT, POST, or PATCH
//! operations if the attribute was specified by the client" (RFC 7643, section 7).

use crate::aliases::Aliases;
use crate::path::AttrPath;
use crate::project::Projection;
use crate::schema::{Mutability, Returned, Schema};
use crate::types::ResourceType;
use serde_json::Value;

impl Projection {
    /// Shows also what this body, a resource or a PATCH, wrote and what is otherwise returned on request only.
    #[must_use]
    pub fn with_written(mut self, body: &Value, ty: &ResourceType, aliases: &Aliases) -> Self {
        let extensions = ty.extensions.iter().map(|extension| (Some(extension.schema.id.as_str()), &extension.schema));
        for (urn, schema) in std::iter::once((None, &ty.schema)).chain(extensions) {
            let named = on_request(schema)
                .filter(|name| writes(body, urn.unwrap_or(&ty.schema.id), name, aliases, urn.is_none()));
            let paths = named.map(|name| AttrPath { urn: urn.map(str::to_owned), name: name.to_owned(), sub: None });
            self.written.extend(paths);
        }
        self
    }
}

/// Names of attributes that a client may write and that are returned on request.
fn on_request(schema: &Schema) -> impl Iterator<Item = &str> {
    let chosen = |attribute: &&crate::schema::Attribute| {
        attribute.returned == Returned::Request && attribute.mutability != Mutability::ReadOnly
    };
    schema.attributes.iter().filter(chosen).map(|attribute| attribute.name.as_str())
}

/// `bare`: the attribute is one of the core schema, so that its name alone stands for it.
fn writes(body: &Value, urn: &str, name: &str, aliases: &Aliases, bare: bool) -> bool {
    let Some(members) = body.as_object() else { return false };
    members.iter().any(|(key, value)| {
        if key.eq_ignore_ascii_case("Operations") {
            return value
                .as_array()
                .into_iter()
                .flatten()
                .any(|operation| operates(operation, urn, name, aliases, bare));
        }
        spells(key, urn, name, aliases)
            || (is(key, urn, aliases) && has(value, name))
            || (bare && key.eq_ignore_ascii_case(name))
    })
}

fn operates(operation: &Value, urn: &str, name: &str, aliases: &Aliases, bare: bool) -> bool {
    let member = |wanted: &str| {
        operation.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    let value = member("value").unwrap_or(&Value::Null);
    match member("path").and_then(Value::as_str) {
        Some(path) => {
            spells(path, urn, name, aliases)
                || (is(path, urn, aliases) && has(value, name))
                || (bare && path.eq_ignore_ascii_case(name))
        }
        None => writes(value, urn, name, aliases, bare),
    }
}

fn has(value: &Value, name: &str) -> bool {
    value.as_object().is_some_and(|members| members.keys().any(|key| key.eq_ignore_ascii_case(name)))
}

fn is(text: &str, urn: &str, aliases: &Aliases) -> bool {
    text.eq_ignore_ascii_case(urn) || aliases.ours(text).is_some_and(|ours| ours.eq_ignore_ascii_case(urn))
}

/// `urn:…:User:name`, in any letter case.
fn spells(text: &str, urn: &str, name: &str, aliases: &Aliases) -> bool {
    text.rsplit_once(':').is_some_and(|(front, last)| last.eq_ignore_ascii_case(name) && is(front, urn, aliases))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::{CLINICAL_USER, Types};
    use serde_json::json;

    fn written(body: Value) -> Vec<String> {
        let types = Types::built_in();
        let projection = Projection::default().with_written(&body, types.user(), Aliases::NONE);
        projection.written.into_iter().map(|path| path.name).collect()
    }

    #[test]
    fn a_write_shows_what_it_named_in_every_form() {
        for body in [
            json!({ CLINICAL_USER: { "facility1": "EAST" } }),
            json!({ format!("{CLINICAL_USER}:facility1"): "EAST" }),
            json!({ "Operations": [{ "op": "add", "path": format!("{CLINICAL_USER}:FACILITY1"), "value": "EAST" }] }),
            json!({ "Operations": [{ "op": "add", "path": CLINICAL_USER, "value": { "facility1": "EAST" } }] }),
            json!({ "operations": [{ "op": "add", "value": { CLINICAL_USER: { "facility1": "EAST" } } }] }),
            json!({ "operations": [{ "op": "add", "value": { format!("{CLINICAL_USER}:facility1"): "EAST" } }] }),
        ] {
            assert_eq!(written(body.clone()), ["facility1"], "{body}");
        }
    }

    #[test]
    fn what_was_not_named_or_cannot_be_written_is_not_shown() {
        for body in [
            json!({ "userName": "a", CLINICAL_USER: { "jobCode": "RN2" } }),
            json!({ crate::types::GOVERNANCE_USER: { "gates": [] } }),
            json!([]),
            json!("facility1"),
        ] {
            assert_eq!(written(body.clone()), [""; 0], "{body}");
        }
    }
}
