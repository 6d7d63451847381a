//! How durations and bodies travel to a plugin: as plain as any language reads them.

/// A duration as whole milliseconds.
pub mod millis {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A body as text where it is UTF-8, else as `{"bytes": "<base64>"}`.
pub mod body {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// The form on the wire.
    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    pub enum Body {
        /// UTF-8 text.
        Text(String),
        /// Anything else.
        Octets {
            /// The octets in base64.
            bytes: String,
        },
    }

    #[derive(Serialize)]
    struct Octets {
        bytes: String,
    }

    pub fn serialize<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(octets) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Octets { bytes: STANDARD.encode(octets) }.serialize(serializer),
        }
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Body::deserialize(deserializer)? {
            Body::Text(text) => Ok(text.into_bytes()),
            Body::Octets { bytes } => STANDARD.decode(bytes).map_err(|_| D::Error::custom("bytes are no base64")),
        }
    }
}
