//! Secrets in a plugin's own settings: only references, and only those may be asked for.

use connector_spi::{ConfigIssue, SecretRef};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

/// Deeper than any sane settings or schema.
const DEPTH: u32 = 32;

/// Every reference to a secret in the settings, by shape.
pub(crate) fn references(config: &Json) -> HashSet<SecretRef> {
    let mut found = HashSet::new();
    seek(config, DEPTH, &mut found);
    found
}

fn seek(value: &Json, depth: u32, found: &mut HashSet<SecretRef>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Json::Object(members) => match reference(value) {
            Some(reference) => {
                found.insert(reference);
            }
            None => members.values().for_each(|one| seek(one, depth, found)),
        },
        Json::Array(all) => all.iter().for_each(|one| seek(one, depth, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn reference(value: &Json) -> Option<SecretRef> {
    serde::Deserialize::deserialize(value).ok()
}

/// Pointers to texts, below `at`, whose names are those of secrets. Without its process a plugin's schema is not known, and a
/// secret in a file is to be told before anything starts.
pub(crate) fn named_like_one(config: &Map<String, Json>, at: &str) -> Vec<String> {
    const ENDINGS: [&str; 6] = ["password", "passphrase", "secret", "token", "apikey", "privatekey"];
    let mut found = Vec::new();
    let mut open: Vec<(String, &Map<String, Json>, u32)> = vec![(at.to_owned(), config, DEPTH)];
    while let Some((at, members, depth)) = open.pop() {
        for (name, value) in members {
            let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            let plain = name.replace(['_', '-'], "").to_ascii_lowercase();
            match value {
                Json::String(_) if ENDINGS.iter().any(|ending| plain.ends_with(ending)) => found.push(pointer),
                Json::Object(inner) if depth > 0 => open.push((pointer, inner, depth - 1)),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Literals where the plugin's schema has `"x-secret": true`. A plugin must refuse them too; but what stands there is a secret
/// that somebody mistyped, and the gateway does not rely on others to keep it from going on.
pub(crate) fn literals(schema: &Json, config: &Json) -> Vec<ConfigIssue> {
    let mut found = Vec::new();
    walk(schema, schema, config, "", DEPTH, &mut found);
    found.dedup();
    found
}

fn walk(root: &Json, schema: &Json, value: &Json, at: &str, depth: u32, found: &mut Vec<ConfigIssue>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if value.is_null() {
        return;
    }
    if let Some(pointer) = schema.get("$ref").and_then(Json::as_str).and_then(|text| text.strip_prefix('#'))
        && let Some(target) = root.pointer(pointer)
    {
        walk(root, target, value, at, depth, found);
    }
    if schema.get("x-secret") == Some(&Json::Bool(true)) {
        if reference(value).is_none() {
            found.push(ConfigIssue {
                pointer: at.to_owned(),
                message: "a literal secret is refused".to_owned(),
                hint: Some("write where it is kept: { env = \"NAME\" } or { file = \"/path\" }".to_owned()),
            });
        }
        return;
    }
    for alternatives in ["oneOf", "anyOf", "allOf"] {
        let all = schema.get(alternatives).and_then(Json::as_array);
        for one in all.into_iter().flatten().filter(|one| fits(root, one, value)) {
            walk(root, one, value, at, depth, found);
        }
    }
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                let own = schema.get("properties").and_then(|all| all.get(name));
                if let Some(schema) = own.or_else(|| schema.get("additionalProperties")) {
                    let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    walk(root, schema, member, &at, depth, found);
                }
            }
        }
        Json::Array(all) => {
            if let Some(schema) = schema.get("items") {
                for (place, item) in all.iter().enumerate() {
                    walk(root, schema, item, &format!("{at}/{place}"), depth, found);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Whether the constants of an alternative (its tag, mostly) are those of the value.
fn fits(root: &Json, schema: &Json, value: &Json) -> bool {
    let schema = match schema.get("$ref").and_then(Json::as_str).and_then(|text| text.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(schema),
        None => schema,
    };
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return true };
    properties.iter().all(|(name, one)| match (one.get("const"), value.get(name)) {
        (Some(constant), Some(given)) => constant == given,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_by_shape_wherever_they_stand() {
        let config = json!({"a": {"env": "ONE"}, "b": [{"c": {"file": "/two"}}], "d": {"env": 1}, "e": "env"});
        let expected = HashSet::from([SecretRef::Env("ONE".to_owned()), SecretRef::File("/two".to_owned())]);
        assert_eq!(references(&config), expected);
    }

    #[test]
    fn a_literal_is_refused_where_the_schema_says_secret_and_not_repeated() {
        let secret = json!({"x-secret": true});
        let schema = json!({
            "properties": {
                "token": {"$ref": "#/$defs/Secret"}, "more": {"items": {"anyOf": [secret, {"type": "null"}]}},
                "auth": {"oneOf": [
                    {"properties": {"type": {"const": "basic"}, "value": secret}},
                    {"properties": {"type": {"const": "plain"}, "value": {"type": "string"}}},
                ]},
            },
            "$defs": {"Secret": secret},
        });
        let pointers =
            |config: Json| literals(&schema, &config).into_iter().map(|issue| issue.pointer).collect::<Vec<_>>();

        assert_eq!(pointers(json!({"token": "hunter2", "more": [{"env": "A"}, "x", null]})), ["/more/1", "/token"]);
        assert_eq!(pointers(json!({"auth": {"type": "basic", "value": "x"}})), ["/auth/value"]);
        assert_eq!(pointers(json!({"auth": {"type": "plain", "value": "x"}, "token": {"file": "/t"}})), [""; 0]);
        assert!(!format!("{:?}", literals(&schema, &json!({"token": "hunter2"}))).contains("hunter2"));
    }
}
