//! Schema files to schemas. A deployment's files pass the same reader as ours, so both mean the same.

use crate::names::Names;
use crate::schema::{Attribute, Mutability, Returned, Schema, Type, Uniqueness};
use serde_json::{Map, Value};
use std::fmt;

/// Why a deployment's schema file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeError {
    /// Which of the files given, from 0.
    pub file: usize,
    /// Where in it, as a JSON pointer.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "schema file {}, {}: {}",
            self.file,
            if self.pointer.is_empty() { "/" } else { &self.pointer },
            self.reason
        )
    }
}

impl std::error::Error for TypeError {}

/// A JSON object and where it stands: each reading of a member names its place when it fails.
#[derive(Clone)]
pub(crate) struct Place<'a> {
    pub(crate) file: usize,
    pub(crate) pointer: String,
    pub(crate) object: &'a Map<String, Value>,
}

impl<'a> Place<'a> {
    pub(crate) fn of(file: usize, pointer: String, value: &'a Value) -> Result<Self, TypeError> {
        match value.as_object() {
            Some(object) => Ok(Place { file, pointer, object }),
            None => Err(TypeError { file, pointer, reason: "must be an object".into() }),
        }
    }

    pub(crate) fn error(&self, member: &str, reason: impl Into<String>) -> TypeError {
        let pointer = if member.is_empty() { self.pointer.clone() } else { format!("{}/{member}", self.pointer) };
        TypeError { file: self.file, pointer, reason: reason.into() }
    }

    pub(crate) fn only(&self, members: &[&str]) -> Result<(), TypeError> {
        match self.object.keys().find(|key| !members.contains(&key.as_str())) {
            Some(unknown) => Err(self.error(unknown, "is not known here")),
            None => Ok(()),
        }
    }

    pub(crate) fn text(&self, member: &str) -> Result<String, TypeError> {
        match self.object.get(member).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.error(member, "must be a text that is not empty")),
        }
    }

    pub(crate) fn flag(&self, member: &str) -> Result<bool, TypeError> {
        match self.object.get(member) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.error(member, "must be true or false")),
        }
    }

    pub(crate) fn texts(&self, member: &str) -> Result<Vec<String>, TypeError> {
        let Some(value) = self.object.get(member) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect());
        texts.ok_or_else(|| self.error(member, "must be a list of texts"))
    }

    pub(crate) fn places(&self, member: &str) -> Result<Vec<Place<'a>>, TypeError> {
        let Some(value) = self.object.get(member) else { return Ok(Vec::new()) };
        let Some(list) = value.as_array() else { return Err(self.error(member, "must be a list")) };
        let at = |(n, value)| Place::of(self.file, format!("{}/{member}/{n}", self.pointer), value);
        list.iter().enumerate().map(at).collect()
    }
}

/// Reads a schema whose attributes nest so many levels of complex ones: one, but for the Schema of schemas (RFC 7643,
/// section 2.3.8).
pub(crate) fn schema(place: &Place<'_>, nesting: usize) -> Result<Schema, TypeError> {
    place.only(&["schemas", "id", "name", "description", "attributes", "meta"])?;
    let id = place.text("id")?;
    let urn_like = id.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"));
    if !urn_like || id.len() > 200 || !id.bytes().all(|b| b.is_ascii_graphic() && !b"[]()\"\\".contains(&b)) {
        return Err(
            place.error("id", "must be a URN of at most 200 printable ASCII characters without brackets and quotes")
        );
    }
    let attributes = attributes(place, "attributes", nesting)?;
    let names = named(place, "attributes", &attributes)?;
    let description = place.text("description").unwrap_or_default();
    Ok(Schema { id, name: place.text("name")?, description, attributes, names })
}

fn attributes(place: &Place<'_>, member: &str, depth: usize) -> Result<Vec<Attribute>, TypeError> {
    place.places(member)?.iter().map(|at| attribute(at, depth)).collect()
}

fn named(place: &Place<'_>, member: &str, attributes: &[Attribute]) -> Result<Names, TypeError> {
    Names::new(attributes.iter().map(|a| a.name.as_str())).map_err(|twice| {
        place.error(member, format!("names `{twice}` twice; letter case does not tell attributes apart"))
    })
}

const MEMBERS: [&str; 13] = [
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "canonicalValues",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "referenceTypes",
    "subAttributes",
    "closed",
];

fn attribute(place: &Place<'_>, depth: usize) -> Result<Attribute, TypeError> {
    let mut members = MEMBERS.to_vec();
    members.push("format");
    place.only(&members)?;
    let name = place.text("name")?;
    if !is_name(&name) {
        return Err(
            place.error("name", "must begin with a letter (or be `$ref`) and hold letters, digits, - and _ only")
        );
    }
    let ty = word(place, "type", Type::from_word, Type::String)?;
    let sub = attributes(place, "subAttributes", depth.saturating_sub(1))?;
    if ty == Type::Complex && (sub.is_empty() || depth == 0) {
        return Err(place.error("type", "is complex: it needs sub-attributes, and cannot be one itself"));
    }
    if ty != Type::Complex && !sub.is_empty() {
        return Err(place.error("subAttributes", "are for the type complex only"));
    }
    let names = named(place, "subAttributes", &sub)?;
    let uniqueness = word(place, "uniqueness", Uniqueness::from_word, Uniqueness::None)?;
    let textual =
        matches!(ty, Type::String | Type::Reference | Type::Integer | Type::Binary | Type::DateTime | Type::Decimal);
    if uniqueness != Uniqueness::None && !textual {
        return Err(place.error("uniqueness", "is not possible for a Boolean or a complex attribute"));
    }
    let (mutability, returned) = (
        word(place, "mutability", Mutability::from_word, Mutability::ReadWrite)?,
        word(place, "returned", Returned::from_word, Returned::Default)?,
    );
    let day = match place.object.get("format").map(Value::as_str) {
        None => false,
        Some(Some("day")) if ty == Type::String => true,
        Some(_) => return Err(place.error("format", "can only be `day`, on the type string")),
    };
    let case_exact = match ty {
        // These types are exact whatever the file says (RFC 7643, sections 2.3.6 and 2.3.7).
        Type::Reference | Type::Binary | Type::DateTime => true,
        _ => place.flag("caseExact")?,
    };
    let canonical = place.texts("canonicalValues")?;
    let closed = place.flag("closed")?;
    if closed && canonical.is_empty() {
        return Err(place.error("closed", "needs canonicalValues"));
    }
    Ok(Attribute {
        name,
        ty,
        multi: place.flag("multiValued")?,
        description: place.text("description").unwrap_or_default(),
        required: place.flag("required")?,
        canonical,
        case_exact,
        mutability,
        returned,
        uniqueness,
        references: place.texts("referenceTypes")?,
        sub,
        closed,
        day,
        names,
    })
}

/// ATTRNAME of RFC 7643, section 2.1, and `$ref`, which the same RFC uses against its own grammar.
pub(crate) fn is_name(name: &str) -> bool {
    let body = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    name.eq_ignore_ascii_case("$ref")
        || (name.len() <= 100 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && body(name))
}

fn word<T>(place: &Place<'_>, member: &str, read: fn(&str) -> Option<T>, default: T) -> Result<T, TypeError> {
    match place.object.get(member) {
        None => Ok(default),
        Some(value) => value
            .as_str()
            .and_then(read)
            .ok_or_else(|| place.error(member, "is none of the words that RFC 7643 has for it")),
    }
}
