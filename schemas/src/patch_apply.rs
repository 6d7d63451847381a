//! Canonical changes to a copy of a resource's attributes.

use crate::Object;
use crate::error::{ScimError, bad_filter, no_target};
use crate::filter::{Filter, Literal, Op, inner_attribute};
use crate::matches::{Element, element_matches, fold};
use crate::patch::{Act, Change};
use crate::resource::fixed;
use crate::schema::{Attribute, Mutability, Type};
use crate::types::{Home, ResourceType};
use crate::value::{MAX_VALUES, is_primary, too_many};
use serde_json::Value;

/// How many pairs of values one PATCH may have compared. A list of 2,000 can be added to itself once.
const MAX_WORK: usize = 4_100_000;

/// The attributes while changes are made to them.
pub(crate) struct Sheet<'t> {
    ty: &'t ResourceType,
    pub(crate) attrs: Object,
    work: usize,
}

impl<'t> Sheet<'t> {
    pub(crate) fn new(ty: &'t ResourceType, attrs: Object) -> Self {
        Sheet { ty, attrs, work: 0 }
    }

    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), ScimError> {
        let ty = self.ty;
        let Some(found) = ty.found(change.home, change.at, change.sub) else { return Ok(()) };
        let attribute = found.attribute;
        let urn = match change.home {
            Home::Extension(_) => found.extension,
            Home::Core | Home::Common => None,
        };
        let mut holder = match urn {
            None => std::mem::take(&mut self.attrs),
            Some(urn) => match self.attrs.remove(urn) {
                Some(Value::Object(object)) => object,
                _ => Object::new(),
            },
        };
        let done = self.within(&mut holder, change, attribute, found.sub);
        match urn {
            None => self.attrs = holder,
            Some(urn) if !holder.is_empty() => drop(self.attrs.insert(urn.to_owned(), Value::Object(holder))),
            Some(_) => {}
        }
        done
    }

    fn within(
        &mut self,
        holder: &mut Object,
        change: &Change,
        attribute: &Attribute,
        sub: Option<&Attribute>,
    ) -> Result<(), ScimError> {
        let name = attribute.name.as_str();
        if attribute.multi && (change.filter.is_some() || sub.is_some()) {
            let mut values = match holder.remove(name) {
                Some(Value::Array(values)) => values,
                _ => Vec::new(),
            };
            self.elements(&mut values, change, attribute, sub)?;
            if !values.is_empty() {
                holder.insert(name.to_owned(), Value::Array(values));
            }
            return Ok(());
        }
        if let Some(sub) = sub {
            let mut object = match holder.remove(name) {
                Some(Value::Object(object)) => object,
                _ => Object::new(),
            };
            part(&mut object, &change.act, attribute, sub)?;
            if !object.is_empty() {
                holder.insert(name.to_owned(), Value::Object(object));
            }
            return Ok(());
        }
        match &change.act {
            Act::Clear => drop(holder.remove(name)),
            Act::Set(value) => drop(holder.insert(name.to_owned(), with_read_only(attribute, holder.get(name), value))),
            Act::Merge { value, clear } => {
                let object = holder.entry(name).or_insert_with(|| Value::Object(Object::new()));
                if let Value::Object(object) = object {
                    merge(object, value, clear, attribute)?;
                    if object.is_empty() {
                        holder.remove(name);
                    }
                }
            }
            Act::Add(Value::Array(new)) => {
                let values = holder.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(values) = values {
                    self.append(values, new, attribute)?;
                }
            }
            Act::Add(value) => drop(holder.insert(name.to_owned(), value.clone())),
            Act::Without(gone) => {
                if let Some(Value::Array(values)) = holder.get_mut(name) {
                    self.spend(values.len().saturating_mul(gone.len()))?;
                    values.retain(|value| !gone.iter().any(|one| same(attribute, value, one)));
                    if values.is_empty() {
                        holder.remove(name);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the values that are not there yet; one that is there takes over what the new one says more.
    fn append(&mut self, values: &mut Vec<Value>, new: &[Value], attribute: &Attribute) -> Result<(), ScimError> {
        self.spend(values.len().saturating_add(new.len()).saturating_mul(new.len()))?;
        let mut primary = None;
        for value in new {
            let at = match values.iter().position(|old| same(attribute, old, value)) {
                Some(at) => {
                    if let (Some(Value::Object(old)), Value::Object(value)) = (values.get_mut(at), value) {
                        merge(old, value, &[], attribute)?;
                    }
                    at
                }
                None if values.len() >= MAX_VALUES => return Err(too_many(attribute)),
                None => {
                    values.push(value.clone());
                    values.len() - 1
                }
            };
            if value.as_object().is_some_and(is_primary) {
                primary = Some(at);
            }
        }
        only_primary(values, primary);
        Ok(())
    }

    /// Changes the elements that the filter picks, or a part of all elements where there is none.
    fn elements(
        &mut self,
        values: &mut Vec<Value>,
        change: &Change,
        attribute: &Attribute,
        sub: Option<&Attribute>,
    ) -> Result<(), ScimError> {
        self.spend(values.len())?;
        let picked = |value: &Value| match &change.filter {
            Some(filter) => element_matches(filter, attribute, &Element::Json(value)),
            None => true,
        };
        let chosen: Vec<usize> =
            values.iter().enumerate().filter(|(_, value)| picked(value)).map(|(at, _)| at).collect();
        if chosen.len() > 1 && !change.several && change.filter.is_some() {
            return Err(bad_filter(format!("The filter on `{}` matches several values.", attribute.name)));
        }
        if chosen.is_empty() {
            return self.nothing_there(values, change, attribute, sub);
        }
        if change.act == Act::Clear && sub.is_none() {
            let mut at = 0;
            values.retain(|_| {
                at += 1;
                chosen.binary_search(&(at - 1)).is_err()
            });
            return Ok(());
        }
        let mut primary = None;
        for at in chosen {
            let Some(value) = values.get_mut(at) else { continue };
            match (sub, &mut *value, &change.act) {
                (Some(sub), Value::Object(object), act) => part(object, act, attribute, sub)?,
                (None, value, Act::Set(new) | Act::Add(new)) => {
                    check_parts(attribute, value, new)?;
                    *value = with_read_only(attribute, Some(value), new);
                }
                (None, Value::Object(object), Act::Merge { value, clear }) => merge(object, value, clear, attribute)?,
                _ => {}
            }
            let touches = sub.is_none_or(|sub| sub.name == "primary");
            if touches && primary.is_none() && value.as_object().is_some_and(is_primary) {
                primary = Some(at);
            }
        }
        values.retain(|value| value.as_object().is_none_or(|object| !object.is_empty()));
        only_primary(values, primary);
        Ok(())
    }

    /// Entra adds to and replaces elements that are not there yet: the filter says what they look like.
    fn nothing_there(
        &mut self,
        values: &mut Vec<Value>,
        change: &Change,
        attribute: &Attribute,
        sub: Option<&Attribute>,
    ) -> Result<(), ScimError> {
        let missing = || no_target(format!("No value of `{}` is there that the path names.", attribute.name));
        if matches!(change.act, Act::Clear | Act::Without(_)) {
            return if change.lenient || change.filter.is_none() { Ok(()) } else { Err(missing()) };
        }
        let Some(mut made) = change.lenient.then(|| shape(change.filter.as_ref(), attribute)).flatten() else {
            return Err(missing());
        };
        match (sub, &mut made, &change.act) {
            (Some(sub), Value::Object(object), act) => part(object, act, attribute, sub)?,
            (None, Value::Object(object), Act::Merge { value, clear }) => merge(object, value, clear, attribute)?,
            (None, Value::Object(object), Act::Set(Value::Object(value)) | Act::Add(Value::Object(value))) => {
                merge(object, value, &[], attribute)?;
            }
            (None, made, Act::Set(value) | Act::Add(value)) => *made = value.clone(),
            _ => {}
        }
        self.append(values, &[made], attribute)
    }

    fn spend(&mut self, work: usize) -> Result<(), ScimError> {
        self.work = self.work.saturating_add(work);
        match self.work > MAX_WORK {
            true => Err(ScimError::payload_too_large("The PATCH has too many operations for lists of this length.")),
            false => Ok(()),
        }
    }
}

/// Changes one sub-attribute of one value.
fn part(object: &mut Object, act: &Act, attribute: &Attribute, sub: &Attribute) -> Result<(), ScimError> {
    let name = sub.name.as_str();
    let new = match act {
        Act::Clear | Act::Without(_) => None,
        Act::Add(Value::Array(more)) => {
            let mut all = object.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            for value in more {
                if !all.contains(value) {
                    all.push(value.clone());
                }
            }
            if all.len() > MAX_VALUES {
                return Err(too_many(sub));
            }
            Some(Value::Array(all))
        }
        Act::Set(value) | Act::Add(value) => Some(value.clone()),
        Act::Merge { value, .. } => Some(Value::Object(value.clone())),
    };
    match new {
        Some(new) => merge(object, &Object::from_iter([(name.to_owned(), new)]), &[], attribute),
        None => merge(object, &Object::new(), std::slice::from_ref(&sub.name), attribute),
    }
}

/// Puts parts into a value and takes others out. With another `value` the old reference and what the service said about the
/// old one are wrong, so they go.
fn merge(object: &mut Object, new: &Object, clear: &[String], attribute: &Attribute) -> Result<(), ScimError> {
    for sub in attribute.sub.iter().filter(|sub| sub.mutability == Mutability::Immutable) {
        let moved = new.get(&sub.name).map(Some).or(clear.contains(&sub.name).then_some(None));
        if let (Some(old), Some(moved)) = (object.get(&sub.name), moved)
            && moved != Some(old)
        {
            return Err(fixed(sub));
        }
    }
    for name in clear {
        object.remove(name);
    }
    let other = new.get("value").is_some_and(|new| object.get("value").is_some_and(|old| old != new));
    if other || clear.iter().any(|name| name == "value") {
        object.retain(|name, _| {
            let stale = |sub: &Attribute| !sub.writable() || (sub.ty == Type::Reference && sub.name == "$ref");
            !attribute.sub(name).is_some_and(stale)
        });
    }
    for (name, value) in new {
        object.insert(name.clone(), value.clone());
    }
    Ok(())
}

/// A new value of a complex attribute, with the read-only parts of the old one while it is still the same `value`.
fn with_read_only(attribute: &Attribute, old: Option<&Value>, new: &Value) -> Value {
    let mut out = new.clone();
    if let (Some(Value::Object(old)), Value::Object(out)) = (old, &mut out)
        && old.get("value") == out.get("value")
    {
        for sub in attribute.sub.iter().filter(|sub| !sub.writable()) {
            if let Some(kept) = old.get(&sub.name) {
                out.insert(sub.name.clone(), kept.clone());
            }
        }
    }
    out
}

fn check_parts(attribute: &Attribute, old: &Value, new: &Value) -> Result<(), ScimError> {
    let moved = |sub: &&Attribute| match old.get(&sub.name) {
        Some(value) => new.get(&sub.name) != Some(value),
        None => false,
    };
    match attribute.sub.iter().filter(|sub| sub.mutability == Mutability::Immutable).find(moved) {
        Some(sub) => Err(fixed(sub)),
        None => Ok(()),
    }
}

/// Whether two values of an attribute are the same one: equal, or of one `value`, and of one `type` where the second says one.
fn same(attribute: &Attribute, old: &Value, new: &Value) -> bool {
    let equal = |attribute: &Attribute, one: &Value, two: &Value| match (one, two) {
        (Value::String(one), Value::String(two)) => fold(attribute, one) == fold(attribute, two),
        _ => one == two,
    };
    let (Value::Object(one), Value::Object(two)) = (old, new) else { return equal(attribute, old, new) };
    let Some(sub) = attribute.default_sub() else { return one == two };
    match (one.get("value"), two.get("value")) {
        (Some(a), Some(b)) if equal(sub, a, b) => match (attribute.sub("type"), two.get("type")) {
            (Some(sub), Some(wanted)) => one.get("type").is_some_and(|ty| equal(sub, ty, wanted)),
            _ => true,
        },
        (Some(_), Some(_)) => false,
        _ => one == two,
    }
}

/// One value was made primary: the others are it no more.
fn only_primary(values: &mut [Value], primary: Option<usize>) {
    let Some(primary) = primary else { return };
    for (at, value) in values.iter_mut().enumerate() {
        if let Value::Object(object) = value
            && at != primary
            && is_primary(object)
        {
            object.insert("primary".into(), false.into());
        }
    }
}

/// The value that a filter of nothing but `eq` and `and` describes.
fn shape(filter: Option<&Filter>, attribute: &Attribute) -> Option<Value> {
    let mut object = Object::new();
    for term in filter.map(Filter::conjuncts).unwrap_or_default() {
        let Filter::Compare { path, op: Op::Eq, value } = term else { return None };
        let sub = inner_attribute(attribute, path)?;
        let value = match value {
            Literal::Text(text) => Value::String(text.clone()),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Bool(flag) => Value::Bool(*flag),
            Literal::Null => continue,
        };
        if attribute.ty != Type::Complex {
            return Some(value);
        }
        if sub.writable() {
            object.insert(sub.name.clone(), value);
        }
    }
    Some(Value::Object(object))
}
