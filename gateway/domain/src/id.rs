//! Names of things that never change.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text over.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

id!(
    /// A SCIM resource's id, minted here (UUID version 7) and never changed (RFC 7643, section 3.1).
    ResourceId
);
id!(
    /// A source's id: stays the same when the source is renamed in the configuration.
    SourceId
);
id!(
    /// A target's id: stays the same when the target is renamed in the configuration.
    TargetId
);
