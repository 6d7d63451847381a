//! PATCH (RFC 7644, section 3.5.2): what a request asks, read once into canonical changes, then applied all or nothing.

use crate::Object;
use crate::aliases::Aliases;
use crate::clinical;
use crate::complete;
use crate::dialect::{Breach, Dialect};
use crate::error::{ScimError, syntax};
use crate::filter::Filter;
use crate::patch_apply::Sheet;
use crate::patch_parse::Reader;
use crate::resource::{Member, Resource, fixed};
use crate::schema::{Mutability, Schema};
use crate::types::{CLINICAL_USER, Home, ResourceType};
use serde_json::Value;

/// A PATCH that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    pub(crate) schema: String,
    pub(crate) changes: Vec<Change>,
    pub(crate) members: Vec<MemberOp>,
    pub(crate) ignored: Vec<String>,
    pub(crate) breaches: Vec<Breach>,
}

/// A change of a group's members, which are rows and no part of the document.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberOp {
    /// These are members too. One that is a member already stays one, once.
    Add(Vec<Member>),
    /// These ids are no members any more. One that was none is no error.
    Remove(Vec<String>),
    /// Those that match are no members any more: a filter over `value`, `type`, `display` and `$ref`, see [`member_matches`].
    RemoveWhere(Filter),
    /// Exactly these are the members.
    ReplaceAll(Vec<Member>),
    /// There are no members.
    RemoveAll,
}

/// One change of one attribute, with its dialect already decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) act: Act,
    pub(crate) home: Home,
    pub(crate) at: usize,
    pub(crate) sub: Option<usize>,
    pub(crate) filter: Option<Filter>,
    /// Where the filter matches nothing: make the element, or find nothing to remove, without an error.
    pub(crate) lenient: bool,
    /// Whether the filter may match several elements.
    pub(crate) several: bool,
}

/// What a change does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// Adds values to a list, or merges into one value.
    Add(Value),
    /// Sets; a complex value is merged, and `clear` of it unassigned.
    Merge { value: Object, clear: Vec<String> },
    /// Sets all of it.
    Set(Value),
    /// Unassigns.
    Clear,
    /// Takes these values out of a list.
    Without(Vec<Value>),
}

impl Patch {
    /// Reads a PatchOp. What a dialect allows is decided here; nothing after it knows a dialect.
    ///
    /// # Errors
    /// 400 with the keyword that RFC 7644, table 9, has for it: `invalidSyntax` for a malformed message, `invalidPath` and
    /// `invalidFilter` for a path, `noTarget` for a remove without one, `invalidValue` for a value that does not fit,
    /// `mutability` for an attribute that cannot be written or removed. 413 beyond 5,000 operations.
    pub fn parse(value: Value, ty: &ResourceType, dialect: Dialect, aliases: &Aliases) -> Result<Patch, ScimError> {
        let Value::Object(body) = value else { return Err(syntax("The body must be an object.")) };
        let mut reader = Reader::new(ty, dialect, aliases);
        reader.body(body)?;
        reader.finish()
    }

    /// The changes of a group's members, in the order of the request. Empty for every other type.
    pub fn members(&self) -> &[MemberOp] {
        &self.members
    }

    /// The names and paths that were dropped because nothing defines them (`tolerant` only), at most 100.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Where the request breaks the interoperability profile, each way once.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Whether it changes nothing but members, or nothing at all.
    pub fn is_members_only(&self) -> bool {
        self.changes.is_empty()
    }

    /// Applies it to a resource: all of it or, with an error, nothing. `None`: the resource is already as the PATCH wants
    /// it, so nothing is to be written and `meta.lastModified` stays.
    ///
    /// # Errors
    /// 400 `noTarget` where a filter matches nothing, `mutability` where an immutable attribute would change,
    /// `invalidValue` where the resource would lack what it must have; 413 where the changes and the values there are too
    /// many to compare.
    pub fn apply(&self, old: &Resource, ty: &ResourceType) -> Result<Option<Resource>, ScimError> {
        if self.schema != ty.schema.id {
            return Err(syntax("The PATCH was read for another resource type."));
        }
        if self.changes.is_empty() {
            return Ok(None);
        }
        let mut sheet = Sheet::new(ty, old.attrs.clone());
        for change in &self.changes {
            sheet.apply(change)?;
        }
        let mut attrs = sheet.attrs;
        if let Some(Value::Object(after)) = attrs.get_mut(CLINICAL_USER) {
            clinical::follow(old.attrs.get(CLINICAL_USER).and_then(Value::as_object), after);
        }
        if attrs == old.attrs {
            return Ok(None);
        }
        unmoved(&ty.schema, &old.attrs, &attrs)?;
        for extension in &ty.extensions {
            if let Some(Value::Object(before)) = old.attrs.get(&extension.schema.id) {
                let none = Object::new();
                let after = attrs.get(&extension.schema.id).and_then(Value::as_object).unwrap_or(&none);
                unmoved(&extension.schema, before, after)?;
            }
        }
        complete::check(ty, &attrs)?;
        Ok(Some(Resource { attrs }))
    }
}

/// What is immutable and had a value still has it.
fn unmoved(schema: &Schema, before: &Object, after: &Object) -> Result<(), ScimError> {
    for attribute in &schema.attributes {
        let Some(old) = before.get(&attribute.name) else { continue };
        let new = after.get(&attribute.name);
        if attribute.mutability == Mutability::Immutable && new != Some(old) {
            return Err(fixed(attribute));
        }
        let (Value::Object(old), Some(Value::Object(new))) = (old, new) else { continue };
        for sub in attribute.sub.iter().filter(|sub| sub.mutability == Mutability::Immutable) {
            if old.contains_key(&sub.name) && old.get(&sub.name) != new.get(&sub.name) {
                return Err(fixed(sub));
            }
        }
    }
    Ok(())
}

/// Whether a member matches the filter of a [`MemberOp::RemoveWhere`]. A `$ref` matches by its end, for the base URL is not known here.
pub fn member_matches(filter: &Filter, ty: &ResourceType, member: &Member) -> bool {
    match ty.schema.attribute("members") {
        Some(members) => crate::matches::element_matches(filter, members, &crate::matches::Element::Member(member)),
        None => false,
    }
}
