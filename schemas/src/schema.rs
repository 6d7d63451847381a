//! Schemas: what attributes there are, and what holds for each (RFC 7643, sections 2 and 7).

use crate::names::Names;
use serde_json::{Map, Value, json};

/// The URI of a Schema resource.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// A named set of attributes, as read from a file under `json/` or from a deployment's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The URI.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The attributes, in the file's order.
    pub attributes: Vec<Attribute>,
    pub(crate) names: Names,
}

/// An attribute and its characteristics (RFC 7643, section 2.2 and 7).
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The name, in the only spelling that is stored and answered.
    pub name: String,
    /// The data type of each value.
    pub ty: Type,
    /// Whether it holds a list of values.
    pub multi: bool,
    /// What it is for.
    pub description: String,
    /// Whether a resource (or, for a sub-attribute, a value that holds any other) must have it.
    pub required: bool,
    /// Suggested values. Others are stored too, unless `closed`.
    pub canonical: Vec<String>,
    /// Whether letter case matters when values are compared.
    pub case_exact: bool,
    /// Who may write it, and when.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// How far a value is unique.
    pub uniqueness: Uniqueness,
    /// What a reference may point to: resource type names, `uri`, `external`.
    pub references: Vec<String>,
    /// The sub-attributes of a complex attribute; empty for any other type.
    pub sub: Vec<Attribute>,
    /// Whether values other than `canonical` are refused. Not part of RFC 7643, and not served.
    pub closed: bool,
    /// Whether each value is a day (`2026-07-01`) or an exact moment (an RFC 3339 date-time). Not part of RFC 7643, and not served.
    pub day: bool,
    pub(crate) names: Names,
}

/// The data types of RFC 7643, section 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are the RFC's own
pub enum Type {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

/// Who may write an attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    /// Set once; then it stays.
    Immutable,
    WriteOnly,
}

/// When an attribute is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Returned {
    Always,
    Never,
    Default,
    /// Only when a request names it.
    Request,
}

/// How far a value is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Uniqueness {
    None,
    /// Among the resources of its type in this service.
    Server,
    /// Everywhere. Held here like `Server`: nobody can check more.
    Global,
}

/// Ties an enum of characteristics to the words of RFC 7643.
macro_rules! words {
    ($ty:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $ty {
            /// The word in a schema file.
            pub fn as_str(self) -> &'static str {
                match self { $($ty::$variant => $word),+ }
            }

            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some($ty::$variant),)+ _ => None }
            }
        }
    };
}

words!(Type {
    String = "string",
    Boolean = "boolean",
    Decimal = "decimal",
    Integer = "integer",
    DateTime = "dateTime",
    Binary = "binary",
    Reference = "reference",
    Complex = "complex",
});
words!(Mutability {
    ReadOnly = "readOnly",
    ReadWrite = "readWrite",
    Immutable = "immutable",
    WriteOnly = "writeOnly"
});
words!(Returned { Always = "always", Never = "never", Default = "default", Request = "request" });
words!(Uniqueness { None = "none", Server = "server", Global = "global" });

impl Schema {
    /// Finds an attribute by name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.position(name).and_then(|at| self.attributes.get(at))
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.names.find(name)
    }

    /// The schema as `/Schemas` serves it, without `meta`, whose location the caller knows (errata 8417 of RFC 7643
    /// wants `schemas` and `meta` on each).
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [SCHEMA],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Attribute {
    /// Finds a sub-attribute by name, in any letter case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        self.sub_position(name).and_then(|at| self.sub.get(at))
    }

    pub(crate) fn sub_position(&self, name: &str) -> Option<usize> {
        self.names.find(name)
    }

    /// Whether a client may write it at all.
    pub fn writable(&self) -> bool {
        self.mutability != Mutability::ReadOnly
    }

    /// Whether it is complex and has a `value`: then a comparison of the whole compares that.
    pub fn default_sub(&self) -> Option<&Attribute> {
        if self.ty == Type::Complex { self.sub("value") } else { None }
    }

    /// The characteristics that `/Schemas` serves.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("name".into(), self.name.clone().into());
        out.insert("type".into(), self.ty.as_str().into());
        out.insert("multiValued".into(), self.multi.into());
        out.insert("description".into(), self.description.clone().into());
        out.insert("required".into(), self.required.into());
        if !self.canonical.is_empty() {
            out.insert("canonicalValues".into(), self.canonical.clone().into());
        }
        if matches!(self.ty, Type::String | Type::Reference | Type::Binary | Type::DateTime) {
            out.insert("caseExact".into(), self.case_exact.into());
        }
        out.insert("mutability".into(), self.mutability.as_str().into());
        out.insert("returned".into(), self.returned.as_str().into());
        if self.ty != Type::Boolean {
            out.insert("uniqueness".into(), self.uniqueness.as_str().into());
        }
        if !self.references.is_empty() {
            out.insert("referenceTypes".into(), self.references.clone().into());
        }
        if self.ty == Type::Complex {
            out.insert("subAttributes".into(), self.sub.iter().map(Attribute::to_json).collect());
        }
        Value::Object(out)
    }
}
