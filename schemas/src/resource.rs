//! Resources: a body read against its schema, and what is stored of it.

use crate::Object;
use crate::aliases::Aliases;
use crate::clinical;
use crate::complete;
use crate::dialect::{Breach, Context, Dialect, NO_SCHEMAS, UNQUALIFIED};
use crate::error::{ScimError, immutable, syntax};
use crate::path::AttrKey;
use crate::schema::{Attribute, Mutability, Schema};
use crate::types::{CLINICAL_USER, ResourceType};
use crate::value::{Intake, put};
use serde_json::Value;

/// The canonical JSON of a resource: names as the schema spells them, extensions under their URI, nothing unassigned. It
/// holds neither `id` nor `meta`, which the store knows, nor a Group's `members` or a User's `groups`, which are rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// The attributes.
    pub attrs: Object,
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// What is to be stored.
    pub resource: Resource,
    /// A Group's members; `None` where the body does not have them.
    pub members: Option<Vec<Member>>,
    /// The names that were dropped because nothing defines them (`tolerant` only), at most 100.
    pub ignored: Vec<String>,
    /// Where the body breaks the interoperability profile, each way once.
    pub breaches: Vec<Breach>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// The id of the user or group.
    pub value: String,
    /// The name that the client gave it.
    pub display: Option<String>,
    /// `User` or `Group`, where the client said.
    pub kind: Option<String>,
}

impl Resource {
    /// Reads the body of a POST or PUT. Both ask the same of a body; what PUT keeps of the old resource, and what it may not
    /// change, is for [`Resource::replace_into`]. Read-only attributes in it are ignored (RFC 7644, section 3.3 and 3.5.1), `null` and
    /// `[]` are absent, and an absent `active` stays absent.
    ///
    /// # Errors
    /// 400 `invalidSyntax` where it is no object of this type, or names an attribute twice; `invalidValue` where a value
    /// does not fit its attribute or a required one is missing; in `interop` also for what nothing defines.
    pub fn parse(
        value: Value,
        ty: &ResourceType,
        dialect: Dialect,
        _how: Context,
        aliases: &Aliases,
    ) -> Result<Parsed, ScimError> {
        let Value::Object(body) = value else { return Err(syntax("The body must be an object.")) };
        let mut reader = Reader { ty, aliases, intake: Intake::new(dialect), attrs: Object::new(), members: None };
        reader.schemas(&body)?;
        let mut unqualified = Vec::new();
        for (name, value) in body {
            if let Some((name, value)) = reader.member(name, value)? {
                unqualified.push((name, value));
            }
        }
        for (name, value) in unqualified {
            reader.unqualified(name, value)?;
        }
        let Reader { intake, mut attrs, members, .. } = reader;
        if let Some(Value::Object(extension)) = attrs.get_mut(CLINICAL_USER) {
            clinical::unfold(extension)?;
        }
        complete::check(ty, &attrs)?;
        Ok(Parsed { resource: Resource { attrs }, members, ignored: intake.ignored, breaches: intake.breaches })
    }

    /// The values of an attribute or sub-attribute: none, one, or all of several.
    pub fn get<'a>(&'a self, key: &AttrKey) -> impl Iterator<Item = &'a Value> + use<'a> {
        let holder = match key.extension() {
            None => Some(&self.attrs),
            Some(urn) => self.attrs.get(urn).and_then(Value::as_object),
        };
        let values = match holder.and_then(|object| object.get(key.name())) {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        let sub = key.sub().map(str::to_owned);
        values.iter().filter_map(move |value| match &sub {
            Some(sub) => value.get(sub),
            None => Some(value),
        })
    }

    /// The text of an attribute of the resource itself, in the schema's spelling: `text("userName")`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attrs.get(name).and_then(Value::as_str)
    }

    /// Whether it is active. `None` where it does not say: that reads as true, which is the gateway's to say and not the store's.
    pub fn active(&self) -> Option<bool> {
        self.attrs.get("active").and_then(Value::as_bool)
    }

    /// The identifier that the client gave it.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// What PUT makes of an old resource: this one, with the old read-only values, and the old write-only ones where it
    /// brings none (RFC 7644, section 3.5.1).
    ///
    /// # Errors
    /// 400 `mutability` where an immutable attribute has a value and would get another.
    pub fn replace_into(mut self, old: &Resource, ty: &ResourceType) -> Result<Resource, ScimError> {
        keep(&ty.schema, &old.attrs, &mut self.attrs)?;
        for extension in &ty.extensions {
            let urn = extension.schema.id.as_str();
            let Some(Value::Object(before)) = old.attrs.get(urn) else { continue };
            let mut after = match self.attrs.remove(urn) {
                Some(Value::Object(object)) => object,
                _ => Object::new(),
            };
            keep(&extension.schema, before, &mut after)?;
            if !after.is_empty() {
                self.attrs.insert(urn.to_owned(), Value::Object(after));
            }
        }
        Ok(self)
    }

    /// Takes out what is write-only, such as a password, so that it can be handed on and not stored.
    pub fn take_write_only(&mut self, ty: &ResourceType) -> Object {
        let mut taken = Object::new();
        for attribute in ty.schema.attributes.iter().filter(|a| a.mutability == Mutability::WriteOnly) {
            if let Some((name, value)) = self.attrs.remove_entry(&attribute.name) {
                taken.insert(name, value);
            }
        }
        taken
    }
}

fn keep(schema: &Schema, before: &Object, after: &mut Object) -> Result<(), ScimError> {
    for attribute in &schema.attributes {
        let Some(old) = before.get(&attribute.name) else { continue };
        match attribute.mutability {
            Mutability::ReadOnly => {
                after.insert(attribute.name.clone(), old.clone());
            }
            Mutability::WriteOnly => {
                after.entry(attribute.name.clone()).or_insert_with(|| old.clone());
            }
            Mutability::Immutable => match after.get(&attribute.name) {
                Some(new) if new != old => return Err(fixed(attribute)),
                Some(_) => {}
                None => {
                    after.insert(attribute.name.clone(), old.clone());
                }
            },
            Mutability::ReadWrite => {
                if let (Value::Object(old), Some(Value::Object(new))) = (old, after.get_mut(&attribute.name)) {
                    keep_subs(attribute, old, new)?;
                }
            }
        }
    }
    Ok(())
}

/// Within one complex value: a read-only part (the manager's display name) stays as long as it is still the same value.
fn keep_subs(attribute: &Attribute, before: &Object, after: &mut Object) -> Result<(), ScimError> {
    let same = attribute.default_sub().is_none_or(|sub| before.get(&sub.name) == after.get(&sub.name));
    for sub in &attribute.sub {
        let Some(old) = before.get(&sub.name) else { continue };
        match sub.mutability {
            Mutability::Immutable if after.get(&sub.name).is_some_and(|new| new != old) => return Err(fixed(sub)),
            Mutability::ReadOnly | Mutability::Immutable if same => {
                after.insert(sub.name.clone(), old.clone());
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn fixed(attribute: &Attribute) -> ScimError {
    immutable(format!("`{}` has a value, and cannot be given another.", attribute.name))
}

struct Reader<'a> {
    ty: &'a ResourceType,
    aliases: &'a Aliases,
    intake: Intake,
    attrs: Object,
    members: Option<Vec<Member>>,
}

impl Reader<'_> {
    /// `schemas` must name the type; what else it names must be an extension of it.
    fn schemas(&mut self, body: &Object) -> Result<(), ScimError> {
        let tolerant = self.intake.dialect.is_tolerant();
        let value = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")).map(|(_, value)| value);
        let uris = match value {
            Some(Value::Array(uris)) => uris.as_slice(),
            Some(one @ Value::String(_)) if tolerant => std::slice::from_ref(one),
            None | Some(Value::Null) => &[],
            Some(_) => return Err(syntax("`schemas` must be a list of URIs.")),
        };
        let mut named = false;
        for uri in uris {
            let Some(uri) = uri.as_str() else { return Err(syntax("`schemas` must be a list of URIs.")) };
            let ours = self.aliases.ours(uri).unwrap_or(uri);
            let core = ours.eq_ignore_ascii_case(&self.ty.schema.id);
            named |= core;
            if !core && self.ty.extension(ours).is_none() {
                self.intake.undefined("", uri)?;
            }
        }
        if !named {
            self.intake.breach(NO_SCHEMAS);
            if !tolerant {
                return Err(syntax(format!("`schemas` must name {}.", self.ty.schema.id)));
            }
        }
        Ok(())
    }

    /// One member of the body. Gives it back where it may be an extension's attribute without its URI: a qualified one wins.
    fn member(&mut self, name: String, value: Value) -> Result<Option<(String, Value)>, ScimError> {
        if let Some(attribute) = self.ty.schema.attribute(&name) {
            if attribute.name == "members" && self.ty.accepts_members() {
                if self.members.is_some() {
                    return Err(syntax("`members` stands there twice; letter case does not tell names apart."));
                }
                self.members = Some(self.intake.members(attribute, value)?);
            } else if attribute.writable()
                && let Some(value) = self.intake.attribute(attribute, value)?
            {
                put(&mut self.attrs, &attribute.name, name, value)?;
            }
            return Ok(None);
        }
        if let Some(attribute) = self.ty.common.attribute(&name) {
            if attribute.name == "externalId"
                && let Some(value) = self.intake.attribute(attribute, value)?
            {
                put(&mut self.attrs, &attribute.name, name, value)?;
            }
            return Ok(None);
        }
        let ours = self.aliases.ours(&name).unwrap_or(&name);
        if let Some(at) = self.ty.extension_at(ours) {
            self.extension(at, value)?;
            return Ok(None);
        }
        match value.is_null() && self.intake.dialect.is_tolerant() {
            // Entra's second documented sample: null for attributes that are unknown at the top. Nothing is lost with them.
            true => self.intake.undefined("", &name).map(|()| None),
            false => Ok(Some((name, value))),
        }
    }

    fn extension(&mut self, at: usize, value: Value) -> Result<(), ScimError> {
        let Some(extension) = self.ty.extensions.get(at) else { return Ok(()) };
        let urn = extension.schema.id.as_str();
        let object = match value {
            Value::Null => return Ok(()),
            Value::Object(object) => object,
            _ => return Err(syntax(format!("{urn} must be an object."))),
        };
        let mut out = Object::new();
        for (name, value) in object {
            match extension.schema.attribute(&name) {
                Some(attribute) if attribute.writable() => {
                    if let Some(value) = self.intake.attribute(attribute, value)? {
                        put(&mut out, &attribute.name, name, value)?;
                    }
                }
                Some(_) => {}
                None => self.intake.undefined(urn, &name)?,
            }
        }
        match out.is_empty() {
            true => Ok(()),
            false => put(&mut self.attrs, urn, String::new(), Value::Object(out)),
        }
    }

    /// `tolerant` takes `"manager": "123"` at the top as the extension's, where only one extension has such an attribute.
    fn unqualified(&mut self, name: String, value: Value) -> Result<(), ScimError> {
        let found = if self.intake.dialect.is_tolerant() { self.ty.unqualified(&name) } else { None };
        let Some((extension, attribute)) = found.and_then(|(e, a)| {
            let extension = self.ty.extensions.get(e)?;
            Some((extension, extension.schema.attributes.get(a)?))
        }) else {
            return self.intake.undefined("", &name);
        };
        self.intake.breach(UNQUALIFIED);
        let Some(value) = self.intake.attribute(attribute, value)? else { return Ok(()) };
        let holder = self.attrs.entry(extension.schema.id.clone()).or_insert_with(|| Value::Object(Object::new()));
        if let Value::Object(holder) = holder {
            holder.entry(attribute.name.clone()).or_insert(value);
        }
        Ok(())
    }
}
