//! JSON Schema, as far as a configuration's schema needs it: is it one, and where are the secrets?

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Deeper than any sane configuration.
const DEPTH: u32 = 32;
const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// Whether this is a valid schema of an object (JSON Schema 2020-12: the keywords that schemars writes).
pub(super) fn check(schema: &Json) -> Result<(), String> {
    walk(schema, schema, "", DEPTH)?;
    match schema.get("type").and_then(Json::as_str) {
        Some("object") => Ok(()),
        _ if schema.get("$ref").is_some() || schema.get("oneOf").is_some() => Ok(()),
        other => Err(format!("a configuration is an object, the schema says {other:?}")),
    }
}

fn walk(root: &Json, schema: &Json, at: &str, depth: u32) -> Result<(), String> {
    if schema.is_boolean() {
        return Ok(());
    }
    let Some(members) = schema.as_object() else { return Err(format!("{at}: a schema is an object or a Boolean")) };
    let Some(depth) = depth.checked_sub(1) else { return Err(format!("{at}: nested too deeply")) };
    for (keyword, value) in members {
        let here = format!("{at}/{keyword}");
        match keyword.as_str() {
            "type" => types(value, &here)?,
            "properties" | "$defs" | "patternProperties" => {
                let all = value.as_object().ok_or_else(|| format!("{here}: is an object of schemas"))?;
                for (name, one) in all {
                    walk(root, one, &format!("{here}/{name}"), depth)?;
                }
            }
            "items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains" | "propertyNames" => {
                walk(root, value, &here, depth)?;
            }
            "oneOf" | "anyOf" | "allOf" | "prefixItems" => {
                let all = value.as_array().filter(|all| !all.is_empty());
                for one in all.ok_or_else(|| format!("{here}: is a list of schemas and not empty"))? {
                    walk(root, one, &here, depth)?;
                }
            }
            "required" => {
                let names = value.as_array().filter(|names| names.iter().all(Json::is_string));
                names.ok_or_else(|| format!("{here}: is a list of names"))?;
            }
            "enum" => {
                value
                    .as_array()
                    .filter(|all| !all.is_empty())
                    .ok_or_else(|| format!("{here}: is a list and not empty"))?;
            }
            "$ref" => {
                let target = value.as_str().and_then(|text| text.strip_prefix('#'));
                target
                    .and_then(|pointer| root.pointer(pointer))
                    .ok_or_else(|| format!("{here}: {value} leads nowhere"))?;
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" => {
                value.as_u64().ok_or_else(|| format!("{here}: is a count"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn types(value: &Json, at: &str) -> Result<(), String> {
    let known = |one: &Json| one.as_str().is_some_and(|name| TYPES.contains(&name));
    let fine = match value {
        Json::Array(all) => !all.is_empty() && all.iter().all(known),
        one => known(one),
    };
    if fine { Ok(()) } else { Err(format!("{at}: {value} is no type")) }
}

/// Whether the schema marks a secret anywhere (`"x-secret": true`).
pub(crate) fn marks_secrets(schema: &Json) -> bool {
    let mut next = vec![schema];
    while let Some(value) = next.pop() {
        match value {
            Json::Object(members) if members.get("x-secret") == Some(&Json::Bool(true)) => return true,
            Json::Object(members) => next.extend(members.values()),
            Json::Array(all) => next.extend(all),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    false
}

/// JSON pointers to the references to secrets in a configuration: objects with the one member `env` or `file` that names one
/// of the secrets that are given.
pub(super) fn secrets(config: &Json, given: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    seek(config, given, String::new(), DEPTH, &mut found);
    found
}

fn seek(value: &Json, given: &BTreeMap<String, String>, at: String, depth: u32, found: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Json::Object(members) => {
            let name = members.get("env").or_else(|| members.get("file")).and_then(Json::as_str);
            if members.len() == 1 && name.is_some_and(|name| given.contains_key(name)) {
                found.push(at);
                return;
            }
            for (name, one) in members {
                seek(one, given, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), depth, found);
            }
        }
        Json::Array(all) => {
            for (index, one) in all.iter().enumerate() {
                seek(one, given, format!("{at}/{index}"), depth, found);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
