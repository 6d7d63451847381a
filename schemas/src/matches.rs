//! Does a resource match a filter? The rules of RFC 7644, section 3.4.2.2; the store must agree with every answer here.

use crate::Object;
use crate::filter::{Filter, Literal, Op, inner_attribute};
use crate::path::AttrPath;
use crate::project::Meta;
use crate::resource::Member;
use crate::schema::{Attribute, Type};
use crate::types::{Found, ResourceType};
use jiff::Timestamp;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A resource as a filter or a sort order sees it.
#[derive(Debug, Clone, Copy)]
pub struct Doc<'a> {
    /// Its id.
    pub id: &'a str,
    /// The stored attributes, as in [`crate::Resource`]. A User's `groups` are seen where the caller puts them in.
    pub attrs: &'a Object,
    /// What the service knows about it.
    pub meta: Meta<'a>,
    /// A group's members. May be empty where the filter does not name them.
    pub members: &'a [Member],
}

/// Whether a resource matches a filter. A path that the type does not have matches nothing, as at the root.
///
/// An attribute with several values matches if any of them does. `ne` is true of an absent attribute: the RFC has an
/// attribute without a value and one with `null` mean the same (RFC 7643, section 2.5), and `null` differs from any
/// literal. So `ne` is the opposite of `eq` for an attribute with one value, and not for one with several.
pub fn matches(filter: &Filter, ty: &ResourceType, doc: &Doc<'_>) -> bool {
    match filter {
        Filter::And(terms) => terms.iter().all(|term| matches(term, ty, doc)),
        Filter::Or(terms) => terms.iter().any(|term| matches(term, ty, doc)),
        Filter::Not(inner) => !matches(inner, ty, doc),
        Filter::Compare { path, op, value } => {
            let Some(found) = ty.resolve(path) else { return false };
            let leaf = found.leaf();
            let compared = leaf.default_sub().unwrap_or(leaf);
            // A complex attribute named as a whole stands for its `value`.
            let sub = found.sub.or(found.attribute.default_sub());
            let mut present = false;
            let any = any_element(ty, doc, &found, &mut |element| match element.leaf(sub) {
                Some(seen) => {
                    present = true;
                    satisfies(compared, *op, &seen, value)
                }
                None => false,
            });
            decided(*op, value, present, any)
        }
        Filter::Present(path) => match ty.resolve(path) {
            Some(found) => any_element(ty, doc, &found, &mut |element| {
                element.leaf(found.sub).is_some_and(|seen| !seen.is_empty())
            }),
            None => false,
        },
        Filter::ValuePath { path, inner } => match ty.resolve(path) {
            Some(found) => {
                any_element(ty, doc, &found, &mut |element| element_matches(inner, found.attribute, &element))
            }
            None => false,
        },
    }
}

/// The text by which values are compared, indexed and held unique: as it is where letter case matters, and otherwise in
/// lower case, character by character (so that the start of a text folds to the start of the folded text).
pub fn fold<'t>(attribute: &Attribute, text: &'t str) -> Cow<'t, str> {
    let exact = match attribute.ty {
        Type::String => attribute.case_exact,
        _ => true,
    };
    if exact || !text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.chars().flat_map(char::to_lowercase).collect(),
    })
}

/// One value of an attribute.
pub(crate) enum Element<'a> {
    Json(&'a Value),
    Text(&'a str),
    Member(&'a Member),
    Meta(&'a Meta<'a>, &'a str),
}

/// A value that can be compared.
pub(crate) enum Seen<'a> {
    Json(&'a Value),
    Text(Cow<'a, str>),
    Whole,
}

impl<'a> Element<'a> {
    pub(crate) fn leaf(&self, sub: Option<&Attribute>) -> Option<Seen<'a>> {
        let text = |text: Option<&'a str>| text.map(|text| Seen::Text(text.into()));
        match (self, sub) {
            (Element::Json(Value::Null), _) => None,
            (Element::Json(value), None) => Some(Seen::Json(value)),
            (Element::Json(Value::Object(object)), Some(sub)) => {
                object.get(&sub.name).filter(|value| !value.is_null()).map(Seen::Json)
            }
            // Inside brackets a simple value is called `value`: the attribute stands for its own sub-attribute.
            (Element::Json(value), Some(_)) => Some(Seen::Json(value)),
            (Element::Text(value), _) => text(Some(*value)),
            (Element::Member(_) | Element::Meta(..), None) => Some(Seen::Whole),
            (Element::Member(member), Some(sub)) => match sub.name.as_str() {
                "value" => text(Some(&member.value)),
                "display" => text(member.display.as_deref()),
                "type" => text(member.kind.as_deref()),
                "$ref" => Some(Seen::Text(reference(member).into())),
                _ => None,
            },
            (Element::Meta(meta, resource_type), Some(sub)) => match sub.name.as_str() {
                "resourceType" => text(Some(*resource_type)),
                "created" => Some(Seen::Text(meta.created.to_string().into())),
                "lastModified" => Some(Seen::Text(meta.last_modified.to_string().into())),
                "location" => text(Some(meta.location)),
                "version" => text(Some(meta.version)),
                _ => None,
            },
        }
    }
}

/// A member's `$ref` without the base URL, which is not known here.
fn reference(member: &Member) -> String {
    let endpoint = if member.kind.as_deref() == Some("Group") { "Groups" } else { "Users" };
    format!("/{endpoint}/{}", member.value)
}

impl Seen<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Seen::Json(Value::String(text)) => text.is_empty(),
            Seen::Json(Value::Object(object)) => object.is_empty(),
            Seen::Json(value) => value.is_null(),
            Seen::Text(text) => text.is_empty(),
            Seen::Whole => false,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Seen::Json(value) => value.as_str(),
            Seen::Text(text) => Some(text),
            Seen::Whole => None,
        }
    }

    fn json(&self) -> Option<&Value> {
        match self {
            Seen::Json(value) => Some(value),
            Seen::Text(_) | Seen::Whole => None,
        }
    }
}

/// Calls `test` on each value of an attribute until one passes.
pub(crate) fn any_element(
    ty: &ResourceType,
    doc: &Doc<'_>,
    found: &Found<'_>,
    test: &mut dyn FnMut(Element<'_>) -> bool,
) -> bool {
    let holder = match found.extension {
        None => doc.attrs,
        Some(urn) => match doc.attrs.get(urn) {
            Some(Value::Object(object)) => object,
            _ => return false,
        },
    };
    match (found.extension, found.attribute.name.as_str()) {
        (None, "id") => return test(Element::Text(doc.id)),
        (None, "meta") => return test(Element::Meta(&doc.meta, &ty.name)),
        (None, "members") if ty.accepts_members() => return doc.members.iter().any(|m| test(Element::Member(m))),
        (None, "schemas") => {
            let extensions =
                ty.extensions.iter().map(|e| e.schema.id.as_str()).filter(|urn| doc.attrs.contains_key(*urn));
            return std::iter::once(ty.schema.id.as_str()).chain(extensions).any(|urn| test(Element::Text(urn)));
        }
        _ => {}
    }
    match holder.get(&found.attribute.name) {
        Some(Value::Array(values)) => values.iter().any(|value| test(Element::Json(value))),
        Some(value) => test(Element::Json(value)),
        None => false,
    }
}

/// Whether one value of an attribute matches the filter that stood in brackets.
pub(crate) fn element_matches(filter: &Filter, attribute: &Attribute, element: &Element<'_>) -> bool {
    let leaf = |path: &AttrPath| {
        let sub = inner_attribute(attribute, path)?;
        Some((sub, element.leaf(Some(sub))))
    };
    match filter {
        Filter::And(terms) => terms.iter().all(|term| element_matches(term, attribute, element)),
        Filter::Or(terms) => terms.iter().any(|term| element_matches(term, attribute, element)),
        Filter::Not(inner) => !element_matches(inner, attribute, element),
        Filter::Compare { path, op, value } => match leaf(path) {
            Some((sub, Some(Seen::Json(Value::Array(several))))) => {
                let any = several.iter().any(|one| satisfies(sub, *op, &Seen::Json(one), value));
                decided(*op, value, !several.is_empty(), any)
            }
            Some((sub, Some(seen))) => {
                let member_ref = matches!(element, Element::Member(_)) && sub.name == "$ref";
                let any = match (member_ref, value) {
                    (true, Literal::Text(text)) => {
                        (*op == Op::Eq) == seen.text().is_some_and(|end| text.ends_with(end))
                    }
                    _ => satisfies(sub, *op, &seen, value),
                };
                decided(*op, value, true, any)
            }
            Some((_, None)) => decided(*op, value, false, false),
            None => false,
        },
        Filter::Present(path) => matches!(leaf(path), Some((_, Some(seen))) if !seen.is_empty()),
        Filter::ValuePath { .. } => false,
    }
}

fn decided(op: Op, value: &Literal, present: bool, any: bool) -> bool {
    match (op, value) {
        (Op::Eq, Literal::Null) => !present,
        (Op::Ne, Literal::Null) => present,
        (Op::Ne, _) => any || !present,
        _ => any,
    }
}

/// Whether one value stands in a relation to a literal.
fn satisfies(attribute: &Attribute, op: Op, seen: &Seen<'_>, literal: &Literal) -> bool {
    match literal {
        Literal::Null => false,
        Literal::Bool(wanted) => match seen.json().and_then(Value::as_bool) {
            Some(flag) => (op == Op::Eq && flag == *wanted) || (op == Op::Ne && flag != *wanted),
            None => op == Op::Ne,
        },
        Literal::Number(wanted) => match seen.json().and_then(Value::as_number) {
            Some(number) => ordered(op, compare_numbers(number, wanted)),
            None => op == Op::Ne,
        },
        Literal::Text(wanted) => {
            let Some(text) = seen.text() else { return op == Op::Ne };
            if attribute.ty == Type::DateTime
                && let (Some(this), Some(that)) = (instant(text), instant(wanted))
                && !matches!(op, Op::Co | Op::Sw | Op::Ew)
            {
                return ordered(op, Some(this.cmp(&that)));
            }
            let (text, wanted) = (fold(attribute, text), fold(attribute, wanted));
            match op {
                Op::Co => text.contains(&*wanted),
                Op::Sw => text.starts_with(&*wanted),
                Op::Ew => text.ends_with(&*wanted),
                _ => ordered(op, Some(text.cmp(&wanted))),
            }
        }
    }
}

fn ordered(op: Op, ordering: Option<Ordering>) -> bool {
    let Some(ordering) = ordering else { return false };
    match op {
        Op::Eq => ordering.is_eq(),
        Op::Ne => ordering.is_ne(),
        Op::Gt => ordering.is_gt(),
        Op::Ge => ordering.is_ge(),
        Op::Lt => ordering.is_lt(),
        Op::Le => ordering.is_le(),
        Op::Co | Op::Sw | Op::Ew => false,
    }
}

pub(crate) fn compare_numbers(one: &Number, two: &Number) -> Option<Ordering> {
    match (one.as_i64(), two.as_i64()) {
        (Some(one), Some(two)) => Some(one.cmp(&two)),
        _ => one.as_f64()?.partial_cmp(&two.as_f64()?),
    }
}

/// Reads a dateTime (RFC 7643, section 2.3.5): date and time, and an offset; without one it is UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    if text.len() > 40 || !text.bytes().any(|byte| byte == b'T' || byte == b't') {
        return None;
    }
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}
