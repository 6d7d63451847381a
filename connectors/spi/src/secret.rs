//! Secrets, and references to them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};
use zeroize::Zeroizing;

/// Where a secret is kept. Configuration holds these and never the secret itself.
///
/// A literal in its place is refused, and the refusal does not repeat it: the literal is a secret that somebody mistyped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// The environment variable of this name.
    Env(String),
    /// The file at this path; one trailing newline is dropped.
    File(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "environment variable {name}"),
            SecretRef::File(path) => write!(f, "file {path}"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Place)
    }
}

const EXPECTED: &str =
    "where the secret is kept, { env = \"NAME\" } or { file = \"/path\" }; a literal secret is refused";

/// Reads a [`SecretRef`]; serde's own messages would quote what was found.
struct Place;

impl<'de> Visitor<'de> for Place {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<SecretRef, E> {
        Err(E::custom(EXPECTED))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretRef, E> {
        Err(E::custom(EXPECTED))
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<SecretRef, E> {
        Err(E::custom(EXPECTED))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretRef, E> {
        Err(E::custom(EXPECTED))
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
        Err(E::custom(EXPECTED))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let found = match map.next_key::<String>()?.as_deref() {
            Some("env") => SecretRef::Env(map.next_value()?),
            Some("file") => SecretRef::File(map.next_value()?),
            Some(_) | None => return Err(A::Error::custom(EXPECTED)),
        };
        match map.next_key::<String>()? {
            None => Ok(found),
            Some(_) => Err(A::Error::custom(EXPECTED)),
        }
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is kept: { env = \"NAME\" } or { file = \"/path\" }. A literal secret is refused.",
            "x-secret": true,
            "oneOf": [
                { "type": "object", "properties": { "env": { "type": "string" } }, "required": ["env"], "additionalProperties": false },
                { "type": "object", "properties": { "file": { "type": "string" } }, "required": ["file"], "additionalProperties": false }
            ]
        })
    }
}

/// A secret in memory: wiped when dropped, never shown, never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one line that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn a_reference_survives_the_wire() {
        for reference in [SecretRef::Env("A".into()), SecretRef::File("/b".into())] {
            assert_eq!(from_value::<SecretRef>(to_value(&reference).unwrap()).unwrap(), reference);
        }
    }

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        for literal in [json!("hunter2"), json!(7_031_999), json!(["hunter2"]), json!({ "hunter2": "x" }), json!({})] {
            let message = from_value::<SecretRef>(literal).unwrap_err().to_string();
            assert!(!message.contains("hunter2") && !message.contains("7031999"), "{message}");
        }
    }

    #[test]
    fn two_places_at_once_are_refused() {
        assert!(from_value::<SecretRef>(json!({ "env": "A", "file": "/b" })).is_err());
    }
}
