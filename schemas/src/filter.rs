//! Filters: what they say, how they print, and whether they fit a resource type (RFC 7644, section 3.4.2.2).

use crate::aliases::Aliases;
use crate::dialect::Dialect;
use crate::error::{ScimError, ScimType, bad_filter};
use crate::matches::instant;
use crate::path::AttrPath;
use crate::schema::{Attribute, Returned, Type};
use crate::types::ResourceType;
use serde_json::Number;
use std::fmt;

/// A filter. One that was parsed has no `And` directly inside an `And`, and no `Or` directly inside an `Or`.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of two or more.
    And(Vec<Filter>),
    /// Any of two or more.
    Or(Vec<Filter>),
    /// Not.
    Not(Box<Filter>),
    /// An attribute compared with a literal.
    Compare {
        /// The attribute; inside a value path, the sub-attribute.
        path: AttrPath,
        /// How.
        op: Op,
        /// With what.
        value: Literal,
    },
    /// `pr`: the attribute has a value that is not empty.
    Present(AttrPath),
    /// `emails[type eq "work" and value co "@"]`: one element satisfies all of it.
    ValuePath {
        /// The attribute.
        path: AttrPath,
        /// The filter over its sub-attributes.
        inner: Box<Filter>,
    },
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are the RFC's own
pub enum Op {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Op {
    /// The operator as it is printed; it is read in any letter case.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Eq => "eq",
            Op::Ne => "ne",
            Op::Co => "co",
            Op::Sw => "sw",
            Op::Ew => "ew",
            Op::Gt => "gt",
            Op::Ge => "ge",
            Op::Lt => "lt",
            Op::Le => "le",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        const ALL: [Op; 9] = [Op::Eq, Op::Ne, Op::Co, Op::Sw, Op::Ew, Op::Gt, Op::Ge, Op::Lt, Op::Le];
        ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(word))
    }
}

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// `null`: `eq null` means absent (RFC 7643, section 2.5).
    Null,
}

impl Filter {
    /// Reads a filter: `and` binds tighter than `or`; `not (` and `not(` mean the same (erratum 7319 of RFC 7644);
    /// operators, names and URIs in any letter case; `emails[type eq "work"].value eq "x"`, which Entra sends, reads as
    /// `emails[type eq "work" and value eq "x"]`.
    ///
    /// # Errors
    /// 400 `invalidFilter` for what the grammar does not have, for brackets inside brackets (errata 4690 and 7322), and
    /// beyond 32 levels, 256 terms or 16 KiB.
    pub fn parse(text: &str) -> Result<Filter, ScimError> {
        crate::filter_parse::parse(text, false)
    }

    /// Reads what stands between the brackets of a PATCH path.
    pub(crate) fn parse_inner(text: &str) -> Result<Filter, ScimError> {
        crate::filter_parse::parse(text, true)
    }

    /// Checks that each attribute is one of the type's, and that each operator fits its data type.
    ///
    /// # Errors
    /// 400 `invalidFilter`; 403 `sensitive` for an attribute that is never returned, such as a password: a filter would
    /// tell what it is (RFC 7644, section 7.5.2).
    pub fn check(&self, ty: &ResourceType) -> Result<(), ScimError> {
        match self {
            Filter::And(terms) | Filter::Or(terms) => terms.iter().try_for_each(|term| term.check(ty)),
            Filter::Not(inner) => inner.check(ty),
            Filter::Compare { path, op, value } => {
                let found = ty.resolve(path).ok_or_else(|| unknown(path))?;
                if found.attribute.returned == Returned::Never {
                    return Err(sensitive());
                }
                fits(found.leaf(), *op, value)
            }
            Filter::Present(path) => match ty.resolve(path) {
                Some(found) if found.leaf().returned == Returned::Never => Err(sensitive()),
                Some(_) => Ok(()),
                None => Err(unknown(path)),
            },
            Filter::ValuePath { path, inner } => match ty.resolve(path) {
                Some(found) if found.sub.is_none() => inner.check_inner(found.attribute),
                _ => Err(unknown(path)),
            },
        }
    }

    /// The same for a filter over the sub-attributes of one attribute. A simple attribute's own value is called `value`.
    pub(crate) fn check_inner(&self, attribute: &Attribute) -> Result<(), ScimError> {
        match self {
            Filter::And(terms) | Filter::Or(terms) => terms.iter().try_for_each(|term| term.check_inner(attribute)),
            Filter::Not(inner) => inner.check_inner(attribute),
            Filter::Compare { path, op, value } => {
                fits(inner_attribute(attribute, path).ok_or_else(|| unknown(path))?, *op, value)
            }
            Filter::Present(path) => inner_attribute(attribute, path).map(|_| ()).ok_or_else(|| unknown(path)),
            Filter::ValuePath { .. } => Err(bad_filter("A filter in brackets cannot hold brackets.")),
        }
    }

    /// Whether it mentions an attribute, with or without a sub-attribute, in any letter case.
    pub fn names(&self, attr: &str) -> bool {
        match self {
            Filter::And(terms) | Filter::Or(terms) => terms.iter().any(|term| term.names(attr)),
            Filter::Not(inner) => inner.names(attr),
            Filter::Compare { path, .. } | Filter::Present(path) | Filter::ValuePath { path, .. } => {
                path.name.eq_ignore_ascii_case(attr)
            }
        }
    }

    /// The terms that must all hold: those of a top-level `And`, or the filter itself.
    pub fn conjuncts(&self) -> &[Filter] {
        match self {
            Filter::And(terms) => terms,
            one => std::slice::from_ref(one),
        }
    }

    /// Puts it into canonical words: our URIs for a source's own, and in `tolerant` also the missing URI of an extension
    /// (Entra filters on `manager`) and literals of another type that can only mean one thing (`primary eq "True"`).
    pub(crate) fn normalise(&mut self, ty: &ResourceType, dialect: Dialect, aliases: &Aliases) {
        match self {
            Filter::And(terms) | Filter::Or(terms) => {
                terms.iter_mut().for_each(|term| term.normalise(ty, dialect, aliases));
            }
            Filter::Not(inner) => inner.normalise(ty, dialect, aliases),
            Filter::Compare { path, op, value } => {
                qualify(path, ty, dialect, aliases);
                if let (true, Some(found)) = (dialect.is_tolerant(), ty.resolve(path)) {
                    retype(value, found.leaf());
                }
                if let Some((list, chosen, sub)) = crate::clinical::stored(path) {
                    let compare = Filter::Compare { path: sub, op: *op, value: value.clone() };
                    *self = Filter::ValuePath { path: list, inner: Box::new(Filter::And(vec![chosen, compare])) };
                }
            }
            Filter::Present(path) => {
                qualify(path, ty, dialect, aliases);
                if let Some((list, chosen, sub)) = crate::clinical::stored(path) {
                    let inner = Filter::And(vec![chosen, Filter::Present(sub)]);
                    *self = Filter::ValuePath { path: list, inner: Box::new(inner) };
                }
            }
            Filter::ValuePath { path, inner } => {
                qualify(path, ty, dialect, aliases);
                if let Some(found) = ty.resolve(path) {
                    inner.normalise_inner(found.attribute, dialect);
                }
            }
        }
    }

    pub(crate) fn normalise_inner(&mut self, attribute: &Attribute, dialect: Dialect) {
        match self {
            Filter::And(terms) | Filter::Or(terms) => {
                terms.iter_mut().for_each(|term| term.normalise_inner(attribute, dialect));
            }
            Filter::Not(inner) => inner.normalise_inner(attribute, dialect),
            Filter::Compare { path, value, .. } => {
                if let (true, Some(sub)) = (dialect.is_tolerant(), inner_attribute(attribute, path)) {
                    retype(value, sub);
                }
            }
            Filter::Present(_) | Filter::ValuePath { .. } => {}
        }
    }
}

/// Gives a path our URI in place of a source's own, and in `tolerant` the URI of the extension that it leaves out.
pub(crate) fn qualify(path: &mut AttrPath, ty: &ResourceType, dialect: Dialect, aliases: &Aliases) {
    match &path.urn {
        Some(urn) => {
            if let Some(ours) = aliases.ours(urn) {
                path.urn = Some(ours.to_owned());
            }
        }
        None if dialect.is_tolerant() && ty.resolve(&AttrPath::name(path.name.as_str())).is_none() => {
            if let Some((at, _)) = ty.unqualified(&path.name) {
                path.urn = ty.extensions.get(at).map(|e| e.schema.id.clone());
            }
        }
        None => {}
    }
}

/// The sub-attribute that a path in brackets names.
pub(crate) fn inner_attribute<'a>(attribute: &'a Attribute, path: &AttrPath) -> Option<&'a Attribute> {
    match (attribute.ty, &path.urn, &path.sub) {
        (Type::Complex, None, None) => attribute.sub(&path.name),
        (_, None, None) if path.name.eq_ignore_ascii_case("value") => Some(attribute),
        _ => None,
    }
}

fn retype(value: &mut Literal, attribute: &Attribute) {
    let leaf = attribute.default_sub().unwrap_or(attribute);
    let other = match (leaf.ty, &*value) {
        (Type::Boolean, Literal::Text(text)) if text.eq_ignore_ascii_case("true") => Literal::Bool(true),
        (Type::Boolean, Literal::Text(text)) if text.eq_ignore_ascii_case("false") => Literal::Bool(false),
        (Type::Integer | Type::Decimal, Literal::Text(text)) => match serde_json::from_str(text) {
            Ok(number) => Literal::Number(number),
            Err(_) => return,
        },
        (Type::String | Type::Reference, Literal::Number(number)) => Literal::Text(number.to_string()),
        (Type::String | Type::Reference, Literal::Bool(flag)) => Literal::Text(flag.to_string()),
        _ => return,
    };
    *value = other;
}

/// Whether an operator and a literal fit a data type. RFC 7644 names gt, ge, lt and le on Boolean and binary.
fn fits(attribute: &Attribute, op: Op, value: &Literal) -> Result<(), ScimError> {
    let leaf = attribute.default_sub().unwrap_or(attribute);
    let equality = matches!(op, Op::Eq | Op::Ne);
    let within = matches!(op, Op::Co | Op::Sw | Op::Ew);
    let fits = match (leaf.ty, value) {
        (_, Literal::Null) => equality,
        (Type::Complex, _) => false,
        (Type::Boolean, Literal::Bool(_)) => equality,
        (Type::Integer | Type::Decimal, Literal::Number(_)) => !within,
        (Type::DateTime, Literal::Text(text)) => within || instant(text).is_some(),
        (Type::Binary, Literal::Text(_)) => equality || within,
        (Type::String | Type::Reference, Literal::Text(_)) => true,
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(bad_filter(format!(
            "`{}` cannot be compared like this: it is of type {}.",
            attribute.name,
            leaf.ty.as_str()
        ))),
    }
}

fn unknown(path: &AttrPath) -> ScimError {
    bad_filter(format!("`{path}` is no attribute that can be filtered here."))
}

fn sensitive() -> ScimError {
    ScimError::new(403, Some(ScimType::Sensitive), "An attribute that is never returned cannot be filtered.")
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::And(terms) => joined(f, terms, " and ", |term| matches!(term, Filter::And(_) | Filter::Or(_))),
            Filter::Or(terms) => joined(f, terms, " or ", |term| matches!(term, Filter::Or(_))),
            Filter::Not(inner) => write!(f, "not ({inner})"),
            Filter::Compare { path, op, value } => write!(f, "{path} {} {value}", op.as_str()),
            Filter::Present(path) => write!(f, "{path} pr"),
            Filter::ValuePath { path, inner } => write!(f, "{path}[{inner}]"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, terms: &[Filter], word: &str, grouped: fn(&Filter) -> bool) -> fmt::Result {
    for (n, term) in terms.iter().enumerate() {
        if n > 0 {
            f.write_str(word)?;
        }
        if grouped(term) { write!(f, "({term})")? } else { write!(f, "{term}")? }
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Literal::Number(number) => write!(f, "{number}"),
            Literal::Bool(flag) => write!(f, "{flag}"),
            Literal::Null => f.write_str("null"),
        }
    }
}
