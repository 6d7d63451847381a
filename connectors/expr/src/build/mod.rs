//! Typed builders: values become DNs, LDAP filters, URLs, XML and JSON only here, each escaped by its own rules.
//!
//! Every builder is pure, and what it makes parses back to what went in. What a protocol cannot carry at all is an error
//! that names the attribute, never the value.

mod dn;
mod json;
mod url;
mod xml;

use std::fmt;

pub use dn::{dn, ldap_filter_value, rdn};
pub use json::json_set;
pub use url::{Path, url};
pub use xml::xml_text;

/// A value that cannot be carried where it was meant to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// The attribute, as the caller named it.
    pub attribute: String,
    /// What is wrong with its value; the value is not shown.
    pub message: &'static str,
}

impl BuildError {
    fn new(attribute: &str, message: &'static str) -> BuildError {
        BuildError { attribute: attribute.to_owned(), message }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.attribute, self.message)
    }
}

impl std::error::Error for BuildError {}
