//! How strictly a request is read, and what reading it brought to light.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a source's requests are read. The dialect matters while parsing and nowhere after it: what is
/// stored and answered is canonical in all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Takes what identity providers are known to send, and lists what it dropped. The default.
    #[default]
    Tolerant,
    /// RFC 7643, 7644 and 9865 to the letter.
    Rfc,
    /// The interoperability profile (draft-zollner-scim-interop-profile).
    Interop,
}

impl Dialect {
    /// The name that configuration and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Tolerant => "tolerant",
            Dialect::Rfc => "rfc",
            Dialect::Interop => "interop",
        }
    }

    pub(crate) fn is_tolerant(self) -> bool {
        self == Dialect::Tolerant
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Dialect::Tolerant, Dialect::Rfc, Dialect::Interop]
            .into_iter()
            .find(|d| d.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownDialect)
    }
}

/// A name that is none of `tolerant`, `rfc` and `interop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownDialect;

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dialect is one of tolerant, rfc and interop")
    }
}

impl std::error::Error for UnknownDialect {}

/// For which request a body is read: it decides what is required and what is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// POST: a new resource.
    Create,
    /// PUT: all of an existing resource.
    Replace,
}

/// One way in which a request breaks the interoperability profile (or the RFC on which it stands). Counted per
/// source, so that a hospital sees how far its provider is from the profile before it switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Breach {
    /// The section of the profile, such as `5.3`, or of an RFC, such as `7644 3.5.2`.
    pub section: &'static str,
    /// What the request did, without any of its values.
    pub what: &'static str,
}

pub(crate) const UNDEFINED: Breach =
    Breach { section: "5.3", what: "an attribute or schema that the service does not define" };
pub(crate) const NO_PATH: Breach = Breach { section: "6.5.1.1", what: "a PATCH operation without a path" };
pub(crate) const WHOLE_ELEMENT: Breach = Breach { section: "6.5.2.2", what: "a path that ends at an element" };
pub(crate) const WRONG_TYPE: Breach = Breach { section: "7643 2.3", what: "a value of another type than the schema's" };
pub(crate) const NO_SCHEMAS: Breach = Breach { section: "7644 3.1", what: "a message without its schema URI" };
pub(crate) const OP_CASE: Breach = Breach { section: "7644 3.5.2", what: "an operation name not in lower case" };
pub(crate) const REMOVE_VALUE: Breach = Breach { section: "7644 3.5.2.2", what: "a remove operation with a value" };
pub(crate) const UNQUALIFIED: Breach =
    Breach { section: "7644 3.10", what: "an extension attribute without its schema URI" };
pub(crate) const TWO_PRIMARIES: Breach = Breach { section: "7643 2.4", what: "more than one primary value" };
