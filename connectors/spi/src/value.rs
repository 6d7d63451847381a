//! Values as they travel between the gateway and a target.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One attribute value. Attributes are always lists of these; a single-valued attribute is a list of one.
///
/// On the wire a text, integer or Boolean is the JSON value of that type; bytes are `{"bytes": "<base64>"}` and an instant is
/// `{"at": "<RFC 3339>"}`, so that a text that looks like a date stays a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// Unicode text, as is: escaping for a protocol is the connector's duty.
    Text(String),
    /// Opaque octets.
    Bytes {
        /// The octets, base64 on the wire.
        #[serde(with = "octets")]
        #[schemars(with = "String")]
        bytes: Vec<u8>,
    },
    /// An instant, in UTC.
    At {
        /// The instant.
        #[schemars(with = "String")]
        at: Timestamp,
    },
}

impl Value {
    /// The text, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Int(_) | Value::Bytes { .. } | Value::At { .. } => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}
impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Value::At { at }
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes { bytes }
    }
}

/// Plain text for a protocol that knows only text: integers in decimal, Booleans as `true`/`false`, instants in RFC 3339,
/// octets in lower-case hexadecimal.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Bytes { bytes } => bytes.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
            Value::At { at } => write!(f, "{at}"),
        }
    }
}

mod octets {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_the_wire() {
        let all = vec![
            Value::from(true),
            Value::from(-7),
            Value::from("2026-07-01T00:00:00Z"),
            Value::from(vec![0, 255]),
            Value::from("2026-07-01T00:00:00Z".parse::<Timestamp>().unwrap()),
        ];
        let wire = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Value>>(&wire).unwrap(), all);
    }
}
