//! A PatchOp message to canonical changes. Here, in [`crate::value`] and in [`crate::resource`] is all that is known of dialects.

use crate::Object;
use crate::aliases::Aliases;
use crate::clinical;
use crate::dialect::{Dialect, NO_PATH, NO_SCHEMAS, OP_CASE, REMOVE_VALUE, UNDEFINED, UNQUALIFIED, WHOLE_ELEMENT};
use crate::error::{ScimError, bad_path, immutable, invalid, no_target, syntax};
use crate::filter::{Filter, qualify};
use crate::patch::{Act, Change, MemberOp, Patch};
use crate::patch_members;
use crate::path::PatchPath;
use crate::schema::{Attribute, Type};
use crate::types::{CLINICAL_USER, Found, Home, ResourceType};
use crate::value::Intake;
use serde_json::Value;

/// The URI of the PATCH message.
pub(crate) const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const MAX_OPERATIONS: usize = 5_000;

/// The three operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Replace,
    Remove,
}

pub(crate) struct Reader<'a> {
    ty: &'a ResourceType,
    aliases: &'a Aliases,
    pub(crate) intake: Intake,
    changes: Vec<Change>,
    pub(crate) members: Vec<MemberOp>,
    flat: bool,
    lists: bool,
}

/// An attribute of the type, as its place and itself.
#[derive(Clone, Copy)]
struct Spot<'a> {
    home: Home,
    at: usize,
    sub: Option<usize>,
    found: Found<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(ty: &'a ResourceType, dialect: Dialect, aliases: &'a Aliases) -> Self {
        let (changes, members) = (Vec::new(), Vec::new());
        Reader { ty, aliases, intake: Intake::new(dialect), changes, members, flat: false, lists: false }
    }

    pub(crate) fn finish(self) -> Result<Patch, ScimError> {
        if self.flat && self.lists {
            return Err(clinical::mixed());
        }
        let Intake { ignored, breaches, .. } = self.intake;
        Ok(Patch { schema: self.ty.schema.id.clone(), changes: self.changes, members: self.members, ignored, breaches })
    }

    pub(crate) fn body(&mut self, mut body: Object) -> Result<(), ScimError> {
        let named = match take(&mut body, "schemas") {
            Some(Value::Array(uris)) => {
                uris.iter().any(|uri| uri.as_str().is_some_and(|u| u.eq_ignore_ascii_case(PATCH_OP)))
            }
            _ => false,
        };
        if !named {
            self.intake.breach(NO_SCHEMAS);
            if !self.tolerant() {
                return Err(syntax(format!("`schemas` must name {PATCH_OP}.")));
            }
        }
        let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
            return Err(syntax("`Operations` must be a list."));
        };
        if operations.is_empty() {
            return Err(syntax("`Operations` must hold at least one operation."));
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(ScimError::payload_too_large(format!(
                "A PATCH cannot have more than {MAX_OPERATIONS} operations."
            )));
        }
        operations.into_iter().try_for_each(|operation| self.operation(operation))
    }

    fn tolerant(&self) -> bool {
        self.intake.dialect.is_tolerant()
    }

    fn operation(&mut self, operation: Value) -> Result<(), ScimError> {
        let Value::Object(mut operation) = operation else { return Err(syntax("An operation must be an object.")) };
        let verb = match take(&mut operation, "op") {
            Some(Value::String(word)) => self.verb(&word)?,
            _ => return Err(syntax("An operation must have an `op`.")),
        };
        let path = match take(&mut operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.trim().is_empty() && self.tolerant() => None,
            Some(Value::String(path)) => Some(path),
            Some(_) => return Err(bad_path("A `path` must be a text.")),
        };
        let value = take(&mut operation, "value");
        if verb != Verb::Remove && value.is_none() {
            return Err(invalid("An add or replace operation must have a `value`."));
        }
        match path {
            Some(path) => self.at_path(verb, &path, value),
            None => self.without_path(verb, value),
        }
    }

    fn verb(&mut self, word: &str) -> Result<Verb, ScimError> {
        let known = [("add", Verb::Add), ("replace", Verb::Replace), ("remove", Verb::Remove)];
        let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        match found {
            Some((name, verb)) if name == word => Ok(verb),
            Some((_, verb)) => {
                self.intake.breach(OP_CASE);
                match self.tolerant() {
                    true => Ok(verb),
                    false => Err(syntax("An `op` is written in lower case.")),
                }
            }
            None => Err(syntax("An `op` is one of add, replace and remove.")),
        }
    }

    /// The value is an object of attributes. Read-only ones in it are ignored, as in PUT: Okta sends the group's id with its name.
    fn without_path(&mut self, verb: Verb, value: Option<Value>) -> Result<(), ScimError> {
        self.intake.breach(NO_PATH);
        if self.intake.dialect == Dialect::Interop {
            return Err(syntax("An operation must have a `path`."));
        }
        if verb == Verb::Remove {
            return Err(no_target("A remove operation must have a `path`."));
        }
        let Some(Value::Object(attributes)) = value else {
            return Err(invalid("Without a `path` the `value` must be an object of attributes."));
        };
        attributes.into_iter().try_for_each(|(name, value)| self.keyed(verb, name, value))
    }

    fn keyed(&mut self, verb: Verb, name: String, value: Value) -> Result<(), ScimError> {
        if let Some(at) = self.ty.schema.position(&name) {
            return self.plain(verb, Home::Core, at, value);
        }
        if let Some(at) = self.ty.common.position(&name) {
            return self.plain(verb, Home::Common, at, value);
        }
        if let Some(at) = self.ty.extension_at(self.aliases.ours(&name).unwrap_or(&name)) {
            return self.extension(verb, at, value);
        }
        if self.tolerant() {
            // aadOptscim062020: the names are paths, with dots, URIs, and sometimes filters.
            let Ok(mut path) = PatchPath::parse(&name) else { return self.intake.undefined("", &name) };
            self.qualify(&mut path);
            match self.spot(&path) {
                Some(spot) if !spot.found.attribute.writable() => return Ok(()),
                Some(spot) => return self.change(verb, spot, path.filter, Some(value)),
                None => {}
            }
        }
        self.intake.undefined("", &name)
    }

    fn plain(&mut self, verb: Verb, home: Home, at: usize, value: Value) -> Result<(), ScimError> {
        match self.ty.found(home, at, None) {
            Some(found) if found.attribute.writable() && found.attribute.name != "schemas" => {
                self.change(verb, Spot { home, at, sub: None, found }, None, Some(value))
            }
            _ => Ok(()),
        }
    }

    fn extension(&mut self, verb: Verb, at: usize, value: Value) -> Result<(), ScimError> {
        let Some(extension) = self.ty.extensions.get(at) else { return Ok(()) };
        let attributes = match value {
            Value::Null => return Ok(()),
            Value::Object(attributes) => attributes,
            _ => return Err(invalid(format!("{} must be an object.", extension.schema.id))),
        };
        for (name, value) in attributes {
            match extension.schema.position(&name) {
                Some(attribute) => self.plain(verb, Home::Extension(at), attribute, value)?,
                None => self.intake.undefined(&extension.schema.id, &name)?,
            }
        }
        Ok(())
    }

    fn at_path(&mut self, verb: Verb, text: &str, value: Option<Value>) -> Result<(), ScimError> {
        let mut path = PatchPath::parse(text)?;
        self.qualify(&mut path);
        if let Some(spot) = self.spot(&path) {
            let found = spot.found;
            if found.attribute.name == "schemas" && spot.home == Home::Common {
                return Ok(()); // It is computed from what is there, so that adding an extension's URI comes true by itself.
            }
            if !found.attribute.writable() || !found.leaf().writable() {
                return Err(immutable(format!("`{}` is read-only.", found.key())));
            }
            return self.change(verb, spot, path.filter, value);
        }
        let named = path.attr.to_string();
        let whole = self.ty.extensions.iter().position(|e| path.attr.spells(&e.schema.id));
        let whole = whole.or_else(|| self.aliases.ours(&named).and_then(|ours| self.ty.extension_at(ours)));
        match (whole, &path.filter) {
            (Some(at), None) if verb == Verb::Remove => self.remove_extension(at),
            (Some(at), None) => self.extension(verb, at, value.unwrap_or_default()),
            _ => self.undefined_path(text),
        }
    }

    fn undefined_path(&mut self, text: &str) -> Result<(), ScimError> {
        match self.intake.dialect {
            Dialect::Rfc => {
                self.intake.breach(UNDEFINED);
                Err(bad_path("The `path` names no attribute of this resource."))
            }
            // The part before a filter: a filter may hold a person's name, and this list is logged.
            Dialect::Tolerant | Dialect::Interop => self.intake.undefined("", text.split('[').next().unwrap_or(text)),
        }
    }

    fn remove_extension(&mut self, at: usize) -> Result<(), ScimError> {
        let Some(extension) = self.ty.extensions.get(at) else { return Ok(()) };
        for (position, attribute) in extension.schema.attributes.iter().enumerate() {
            let flat = extension.schema.id == CLINICAL_USER && clinical::flat(&attribute.name).is_some();
            if attribute.writable() && !flat {
                self.changes.push(Change {
                    act: Act::Clear,
                    home: Home::Extension(at),
                    at: position,
                    sub: None,
                    filter: None,
                    lenient: true,
                    several: true,
                });
            }
        }
        Ok(())
    }

    fn qualify(&mut self, path: &mut PatchPath) {
        let unqualified = path.attr.urn.is_none();
        qualify(&mut path.attr, self.ty, self.intake.dialect, self.aliases);
        if unqualified && path.attr.urn.is_some() {
            self.intake.breach(UNQUALIFIED);
        }
    }

    fn spot(&self, path: &PatchPath) -> Option<Spot<'a>> {
        let (home, at, sub) = self.ty.locate(&path.attr)?;
        Some(Spot { home, at, sub, found: self.ty.found(home, at, sub)? })
    }

    fn change(
        &mut self,
        verb: Verb,
        spot: Spot<'a>,
        filter: Option<Filter>,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        let (attribute, sub) = (spot.found.attribute, spot.found.sub);
        let filter = self.filter(verb, attribute, sub, filter)?;
        if self.ty.accepts_members() && spot.home == Home::Core && attribute.name == "members" {
            return patch_members::read(self, verb, attribute, sub, filter, value);
        }
        let tolerant = self.tolerant();
        let mut change = Change {
            act: Act::Clear,
            home: spot.home,
            at: spot.at,
            sub: spot.sub,
            filter,
            // RFC 7644 makes the element for an add; that it is an error for a replace is the one conflict with Entra.
            lenient: tolerant || verb == Verb::Add,
            several: self.intake.dialect != Dialect::Interop,
        };
        let mut leaf = spot.found.leaf();
        if spot.found.extension == Some(CLINICAL_USER)
            && let Some((at, list, position)) = self.flat(attribute)
        {
            self.flat = true;
            leaf = attribute;
            change = Change {
                at,
                sub: Some(position),
                filter: Some(clinical::chosen(list)),
                lenient: true,
                several: false,
                ..change
            };
        } else if spot.found.extension == Some(CLINICAL_USER)
            && matches!(attribute.name.as_str(), "assignments" | "credentials")
        {
            self.lists = true;
        }
        if change.filter.is_some()
            && sub.is_none()
            && tolerant
            && matches!(value, Some(Value::String(_)))
            && let Some(position) = attribute.sub_position("value")
        {
            // A text for a whole element can only be its value.
            change.sub = Some(position);
            leaf = attribute.sub.get(position).unwrap_or(leaf);
        }
        change.act = match verb {
            Verb::Remove => self.removal(&change, attribute, leaf, value)?,
            Verb::Add | Verb::Replace => match self.assignment(verb, &change, leaf, value.unwrap_or_default())? {
                Some(act) => act,
                None => return Ok(()),
            },
        };
        let unassigned = change.act == Act::Clear && (change.filter.is_none() || change.sub.is_some());
        if unassigned && leaf.required {
            return Err(immutable(format!("`{}` is required, and cannot be removed.", leaf.name)));
        }
        self.changes.push(change);
        Ok(())
    }

    /// For a flat attribute of the clinical extension: the list it stands for, and the sub-attribute there.
    fn flat(&self, attribute: &Attribute) -> Option<(usize, &'static str, usize)> {
        let (list, sub) = clinical::flat(&attribute.name)?;
        let schema = &self.ty.extension(CLINICAL_USER)?.schema;
        let at = schema.position(list)?;
        Some((at, list, schema.attributes.get(at)?.sub_position(sub)?))
    }

    fn filter(
        &mut self,
        verb: Verb,
        attribute: &Attribute,
        sub: Option<&Attribute>,
        filter: Option<Filter>,
    ) -> Result<Option<Filter>, ScimError> {
        let Some(mut filter) = filter else { return Ok(None) };
        if !attribute.multi {
            return Err(bad_path(format!("`{}` has one value, and takes no filter.", attribute.name)));
        }
        if sub.is_none() {
            self.intake.breach(WHOLE_ELEMENT);
            if self.intake.dialect == Dialect::Interop && verb != Verb::Remove {
                return Err(bad_path("A `path` that ends at an element can only be removed."));
            }
        }
        filter.normalise_inner(attribute, self.intake.dialect);
        filter.check_inner(attribute)?;
        Ok(Some(filter))
    }

    fn removal(
        &mut self,
        change: &Change,
        attribute: &Attribute,
        leaf: &Attribute,
        value: Option<Value>,
    ) -> Result<Act, ScimError> {
        match value {
            None | Some(Value::Null) => Ok(Act::Clear),
            Some(value) => {
                self.intake.breach(REMOVE_VALUE);
                // Entra names the values to remove; taking that for "all of them" is a bug of many servers.
                match change.filter.is_none() && change.sub.is_none() && attribute.multi {
                    true => Ok(Act::Without(self.intake.values(leaf, value)?)),
                    false => Ok(Act::Clear),
                }
            }
        }
    }

    /// What an add or a replace does. `None`: nothing, for adding nothing is no change.
    fn assignment(
        &mut self,
        verb: Verb,
        change: &Change,
        leaf: &Attribute,
        value: Value,
    ) -> Result<Option<Act>, ScimError> {
        let nothing = if verb == Verb::Add { None } else { Some(Act::Clear) };
        let element = change.filter.is_some() && change.sub.is_none();
        if leaf.multi && !element {
            let value = if verb == Verb::Add { listed(value) } else { value };
            let values = self.intake.values(leaf, value)?;
            return Ok(match (values.is_empty(), verb) {
                (true, _) => nothing,
                (false, Verb::Add) => Some(Act::Add(Value::Array(values))),
                (false, _) => Some(Act::Set(Value::Array(values))),
            });
        }
        let clear = cleared(leaf, &value);
        let read = match (element, value) {
            (true, Value::Array(mut several)) if several.len() == 1 => {
                self.intake.value(leaf, several.pop().unwrap_or_default())?
            }
            (true, value) => self.intake.value(leaf, value)?,
            (false, value) => self.intake.attribute(leaf, value)?,
        };
        Ok(match (read, verb) {
            (None, Verb::Replace) if !clear.is_empty() => Some(Act::Merge { value: Object::new(), clear }),
            (None, _) => nothing,
            // RFC 7644, section 3.5.2.3: replacing a matched value replaces it, replacing a complex attribute merges.
            (Some(value), Verb::Replace) if element => Some(Act::Set(value)),
            (Some(Value::Object(value)), Verb::Replace) if self.intake.dialect != Dialect::Interop => {
                Some(Act::Merge { value, clear })
            }
            (Some(Value::Object(value)), Verb::Add) => Some(Act::Merge { value, clear: Vec::new() }),
            (Some(value), _) => Some(Act::Set(value)),
        })
    }
}

/// RFC 7644, section 3.5.2.1, adds "a new value" to a list: one alone is as good as a list of one.
pub(crate) fn listed(value: Value) -> Value {
    match value {
        Value::Null | Value::Array(_) => value,
        one => Value::Array(vec![one]),
    }
}

/// The writable sub-attributes that a complex value sets to null: they are unassigned (RFC 7643, section 2.5).
fn cleared(attribute: &Attribute, value: &Value) -> Vec<String> {
    let Value::Object(object) = value else { return Vec::new() };
    if attribute.ty != Type::Complex {
        return Vec::new();
    }
    let nulls = object.iter().filter(|(_, value)| value.is_null());
    nulls.filter_map(|(name, _)| attribute.sub(name).filter(|sub| sub.writable()).map(|sub| sub.name.clone())).collect()
}

/// Takes a member of a message, whose name is read in any letter case.
pub(crate) fn take(object: &mut Object, name: &str) -> Option<Value> {
    object.remove(name).or_else(|| {
        let other = object.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
        object.remove(&other)
    })
}
