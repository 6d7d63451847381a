//! A change as edits of a resource, and the two ways to send them: PATCH operations (RFC 7644, section 3.5.2), or the
//! document with the edits made. Pure.

use crate::config::UserList;
use crate::{
    discovery::{self, Resource},
    path::{Path, Pick, member},
    plan::{Attribute, KindPlan},
    record::{element, entitlement, list_of, wire},
};
use connector_spi::{Attrs, ConnError, Delta, Entitlement, Result, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The schema of a PATCH body.
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One edit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// An attribute or sub-attribute gets this value.
    Set(Path, Json),
    /// An attribute or sub-attribute goes.
    Clear(Path),
    /// The picked element of a list changes; where it is not there it is made.
    Element { list: Path, pick: Pick, set: BTreeMap<String, Json>, clear: Vec<String>, there: bool },
    /// Elements are added to a list.
    Add(Path, Vec<Json>),
    /// The elements that fit all of these go.
    Remove(Path, Vec<(String, Json)>),
}

/// Whether the resource must be read before the edits of these attributes can be worked out.
pub(crate) fn needs_resource(kind: &KindPlan, deltas: &BTreeMap<String, Delta>) -> bool {
    deltas.iter().any(|(name, delta)| {
        let clears = match delta {
            Delta::Set(values) => values.is_empty(),
            Delta::Clear => true,
            Delta::Patch { .. } => false,
        };
        clears || kind.attrs.get(name).is_some_and(|attribute| attribute.path.pick.is_some() || attribute.schema.multi)
    })
}

/// The edits of attributes; `raw` is the resource as it is, where [`needs_resource`].
///
/// # Errors
/// `Invalid` with the name of an attribute that is unknown, cannot be changed or has a value that does not fit.
pub(crate) fn of_attributes(kind: &KindPlan, deltas: &BTreeMap<String, Delta>, raw: &Json) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for (name, delta) in deltas {
        let attribute = kind.attrs.get(name).ok_or_else(|| unknown(name))?;
        if !attribute.schema.updatable {
            return Err(ConnError::invalid(format!("{name} cannot be changed")).attribute(name));
        }
        if attribute.schema.multi {
            several(&mut edits, name, attribute, delta, raw)?;
        } else {
            single(&mut edits, name, attribute, &one_value(name, attribute, delta, raw)?, raw)?;
        }
    }
    Ok(edits)
}

/// The edits that fill a new resource.
///
/// # Errors
/// As [`of_attributes`]; also for a required attribute that is missing.
pub(crate) fn of_new(kind: &KindPlan, attrs: &Attrs) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for (name, values) in attrs {
        let attribute = kind.attrs.get(name).ok_or_else(|| unknown(name))?;
        if !attribute.schema.creatable {
            return Err(ConnError::invalid(format!("{name} cannot be given on create")).attribute(name));
        }
        let delta = Delta::Set(values.clone());
        if attribute.schema.multi {
            several(&mut edits, name, attribute, &delta, &Json::Null)?;
        } else {
            single(&mut edits, name, attribute, &one_value(name, attribute, &delta, &Json::Null)?, &Json::Null)?;
        }
    }
    for (name, _) in kind.attrs.iter().filter(|(_, attribute)| attribute.schema.required) {
        if attrs.get(name).is_none_or(Vec::is_empty) {
            return Err(ConnError::invalid(format!("{name} is required")).attribute(name));
        }
    }
    // An edit that clears has nothing to do in a resource that is being made.
    edits.retain(|edit| !matches!(edit, Edit::Clear(_)));
    Ok(edits)
}

fn unknown(name: &str) -> ConnError {
    ConnError::invalid(format!("{name} is not an attribute of this kind")).attribute(name)
}

/// What a single-valued attribute is to hold; `None` clears it.
fn one_value(name: &str, attribute: &Attribute, delta: &Delta, raw: &Json) -> Result<Option<Json>> {
    let several = || ConnError::invalid(format!("{name} holds one value and is given several")).attribute(name);
    match delta {
        Delta::Clear => Ok(None),
        Delta::Set(values) => match values.as_slice() {
            [] => Ok(None),
            [one] => wire(name, attribute, one).map(Some),
            _ => Err(several()),
        },
        Delta::Patch { add, remove } => match add.as_slice() {
            [one] => wire(name, attribute, one).map(Some),
            [] => {
                let gone: Vec<Json> = remove.iter().map(|one| wire(name, attribute, one)).collect::<Result<_>>()?;
                let held = attribute.path.values(raw).into_iter().next().cloned();
                Ok(held.filter(|held| !gone.contains(held)))
            }
            _ => Err(several()),
        },
    }
}

fn single(edits: &mut Vec<Edit>, name: &str, attribute: &Attribute, value: &Option<Json>, raw: &Json) -> Result<()> {
    let path = &attribute.path;
    let Some(pick) = &path.pick else {
        match value {
            Some(value) => edits.push(Edit::Set(path.clone(), value.clone())),
            None if path.values(raw).is_empty() => {}
            None => edits.push(Edit::Clear(path.clone())),
        }
        return Ok(());
    };
    let sub = path.sub.clone().ok_or_else(|| unknown(name))?;
    let list = path.attribute();
    // Several sub-attributes of one element are one edit: two additions would make two elements.
    let same = edits.iter_mut().find_map(|edit| match edit {
        Edit::Element { list: other, pick: picked, set, clear, .. } if *other == list && picked == pick => {
            Some((set, clear))
        }
        _ => None,
    });
    match (same, value) {
        (Some((set, _)), Some(value)) => drop(set.insert(sub, value.clone())),
        (Some((_, clear)), None) => clear.push(sub),
        (None, value) => {
            let there = list.elements(raw).iter().any(|one| pick.fits(one));
            let set = value.iter().map(|value| (sub.clone(), value.clone())).collect();
            let clear = if value.is_none() { vec![sub] } else { Vec::new() };
            edits.push(Edit::Element { list, pick: pick.clone(), set, clear, there });
        }
    }
    Ok(())
}

fn several(edits: &mut Vec<Edit>, name: &str, attribute: &Attribute, delta: &Delta, raw: &Json) -> Result<()> {
    let (path, list) = (&attribute.path, attribute.path.attribute());
    let wired = |values: &[Value]| values.iter().map(|one| wire(name, attribute, one)).collect::<Result<Vec<Json>>>();
    let leaf = |element: &Json| match &path.sub {
        None => Some(element.clone()),
        Some(sub) => element.as_object().and_then(|element| member(element, sub)).cloned(),
    };
    let made = |value: Json| match &path.sub {
        None => value,
        Some(sub) => Json::Object(Map::from_iter([(sub.clone(), value)])),
    };
    let held: Vec<(Json, Json)> =
        list.elements(raw).iter().filter_map(|element| Some((leaf(element)?, element.clone()))).collect();
    match delta {
        Delta::Clear => {
            if !held.is_empty() {
                edits.push(Edit::Clear(list));
            }
        }
        Delta::Set(values) if values.is_empty() => {
            if !held.is_empty() {
                edits.push(Edit::Clear(list));
            }
        }
        Delta::Set(values) => {
            let wanted = wired(values)?;
            // An element that stays keeps what else the server has in it.
            let whole = wanted.into_iter().map(|value| {
                held.iter()
                    .find(|(other, _)| *other == value)
                    .map_or_else(|| made(value.clone()), |(_, element)| element.clone())
            });
            edits.push(Edit::Set(list, whole.collect()));
        }
        Delta::Patch { add, remove } => {
            let (add, remove) = (wired(add)?, wired(remove)?);
            let is_held = |value: &Json| held.iter().any(|(other, _)| other == value);
            let new: Vec<Json> = add.into_iter().filter(|value| !is_held(value)).collect();
            let gone: Vec<Json> = remove.into_iter().filter(is_held).collect();
            match &path.sub {
                Some(sub) => {
                    edits.extend(gone.into_iter().map(|value| Edit::Remove(list.clone(), vec![(sub.clone(), value)])));
                    if !new.is_empty() {
                        edits.push(Edit::Add(list, new.into_iter().map(made).collect()));
                    }
                }
                // The RFC has no path for one value of a simple list.
                None if !gone.is_empty() => {
                    let stays = held.iter().map(|(value, _)| value.clone()).filter(|value| !gone.contains(value));
                    edits.push(Edit::Set(list, stays.chain(new).collect()));
                }
                None if !new.is_empty() => edits.push(Edit::Add(list, new)),
                None => {}
            }
        }
    }
    Ok(())
}

/// The edit that gives an entitlement of a list of the User; nothing where it is held.
///
/// # Errors
/// `Invalid` for a scope that the list cannot hold.
pub(crate) fn give(list: UserList, one: &Entitlement, raw: &Json) -> Result<Option<Edit>> {
    let path = list_of(list);
    let held =
        path.elements(raw).iter().filter_map(|element| entitlement(list, element)).any(|held| held.same_grant(one));
    let element = element(one)?;
    Ok((!held).then(|| Edit::Add(path, vec![element])))
}

/// The edit that takes an entitlement of a list of the User; nothing where it is absent.
pub(crate) fn take(list: UserList, one: &Entitlement, raw: &Json) -> Option<Edit> {
    let path = list_of(list);
    let all = path.elements(raw);
    let is_it = |element: &&Json| entitlement(list, element).is_some_and(|held| held.same_grant(one));
    all.iter().find(is_it)?;
    let mut fits = vec![("value".to_owned(), json!(one.value.as_str()))];
    if let Some(ty) = one.scope.get("type") {
        fits.push(("type".to_owned(), json!(ty)));
    }
    let hit = all.iter().filter(|element| fits_all(element, &fits)).count();
    if hit == all.iter().filter(is_it).count() {
        return Some(Edit::Remove(path, fits));
    }
    // The same value is held with a type too, and a path with eq cannot say "without a type".
    let stays: Vec<Json> = all.iter().filter(|element| !is_it(element)).cloned().collect();
    Some(if stays.is_empty() { Edit::Clear(path) } else { Edit::Set(path, Json::Array(stays)) })
}

fn fits_all(element: &Json, fits: &[(String, Json)]) -> bool {
    let held = |name: &str| element.as_object().and_then(|element| member(element, name));
    fits.iter().all(|(name, value)| held(name) == Some(value))
}

/// A PATCH body.
pub(crate) fn patch_body(edits: &[Edit]) -> Json {
    let operations: Vec<Json> = edits.iter().flat_map(operations).collect();
    json!({ "schemas": [PATCH], "Operations": operations })
}

/// A PATCH body of operations that are made already.
pub(crate) fn patch_of(operations: &[Json]) -> Json {
    json!({ "schemas": [PATCH], "Operations": operations })
}

fn operations(edit: &Edit) -> Vec<Json> {
    match edit {
        Edit::Set(path, value) => vec![json!({ "op": "replace", "path": path.to_string(), "value": value })],
        Edit::Clear(path) => vec![json!({ "op": "remove", "path": path.to_string() })],
        Edit::Add(list, elements) => vec![json!({ "op": "add", "path": list.to_string(), "value": elements })],
        Edit::Remove(list, fits) => {
            let terms: Vec<String> = fits.iter().map(|(name, value)| format!("{name} eq {value}")).collect();
            vec![json!({ "op": "remove", "path": format!("{list}[{}]", terms.join(" and ")) })]
        }
        Edit::Element { list, pick, set, there: false, .. } if !set.is_empty() => {
            vec![json!({ "op": "add", "path": list.to_string(), "value": [made(pick, set)] })]
        }
        Edit::Element { there: false, .. } => Vec::new(),
        Edit::Element { list, pick, clear, .. } if ends(clear) => {
            vec![json!({ "op": "remove", "path": format!("{list}[{} eq {}]", pick.sub, pick.value) })]
        }
        Edit::Element { list, pick, set, clear, .. } => {
            let at = |sub: &str| format!("{list}[{} eq {}].{sub}", pick.sub, pick.value);
            let set = set.iter().map(|(sub, value)| json!({ "op": "replace", "path": at(sub), "value": value }));
            set.chain(clear.iter().map(|sub| json!({ "op": "remove", "path": at(sub) }))).collect()
        }
    }
}

/// An element without its `value` says nothing.
fn ends(clear: &[String]) -> bool {
    clear.iter().any(|sub| sub.eq_ignore_ascii_case("value"))
}

fn made(pick: &Pick, set: &BTreeMap<String, Json>) -> Json {
    let mut element = Map::from_iter([(pick.sub.clone(), pick.value.clone())]);
    element.extend(set.iter().map(|(sub, value)| (sub.clone(), value.clone())));
    Json::Object(element)
}

/// Makes the edits in a document.
pub(crate) fn apply(document: &mut Map<String, Json>, edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::Set(path, value) => within(document, path, |place, key| match &path.sub {
                None => drop(place.insert(key, value.clone())),
                Some(sub) => {
                    if let Some(whole) = place.entry(key).or_insert_with(|| json!({})).as_object_mut() {
                        whole.insert(spelled(whole, sub), value.clone());
                    }
                }
            }),
            Edit::Clear(path) => within(document, path, |place, key| {
                match (&path.sub, place.get_mut(&key).and_then(Json::as_object_mut)) {
                    (Some(sub), Some(whole)) => drop(whole.remove(&spelled(whole, sub))),
                    _ => drop(place.remove(&key)),
                }
            }),
            Edit::Add(list, more) => with_list(document, list, |all| all.extend(more.iter().cloned())),
            Edit::Remove(list, fits) => with_list(document, list, |all| all.retain(|one| !fits_all(one, fits))),
            Edit::Element { list, pick, set, clear, .. } => with_list(document, list, |all| {
                if ends(clear) {
                    return all.retain(|one| !pick.fits(one));
                }
                match all.iter_mut().find(|one| pick.fits(one)).and_then(Json::as_object_mut) {
                    Some(one) => {
                        for sub in clear {
                            one.remove(&spelled(one, sub));
                        }
                        for (sub, value) in set {
                            one.insert(spelled(one, sub), value.clone());
                        }
                    }
                    None if !set.is_empty() => all.push(made(pick, set)),
                    None => {}
                }
            }),
        }
    }
}

/// Changes the object that a path's attribute stands in, by the attribute's name as the document spells it. An extension is
/// made where it is not there.
fn within(document: &mut Map<String, Json>, path: &Path, change: impl FnOnce(&mut Map<String, Json>, String)) {
    match &path.urn {
        None => {
            let key = spelled(document, &path.name);
            change(document, key);
        }
        Some(urn) => {
            let slot = document.entry(spelled(document, urn)).or_insert_with(|| json!({}));
            if let Some(extension) = slot.as_object_mut() {
                let key = spelled(extension, &path.name);
                change(extension, key);
            }
        }
    }
}

fn spelled(object: &Map<String, Json>, name: &str) -> String {
    object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

fn with_list(document: &mut Map<String, Json>, list: &Path, change: impl FnOnce(&mut Vec<Json>)) {
    within(document, list, |place, key| {
        let mut all = place.get(&key).and_then(Json::as_array).cloned().unwrap_or_default();
        change(&mut all);
        if all.is_empty() {
            place.remove(&key);
        } else {
            place.insert(key, Json::Array(all));
        }
    });
}

/// A document that is ready to be sent: without what only the server writes, with the schemas that it uses.
pub(crate) fn finished(mut document: Map<String, Json>, resource: &Resource) -> Json {
    discovery::written_by_server(&mut document, resource);
    document.retain(|name, value| !(name.starts_with("urn:") && value.as_object().is_some_and(Map::is_empty)));
    let extensions = document.keys().filter(|name| name.to_ascii_lowercase().starts_with("urn:")).cloned();
    let schemas: Vec<String> = std::iter::once(resource.schema.clone()).chain(extensions).collect();
    document.insert("schemas".to_owned(), json!(schemas));
    Json::Object(document)
}

#[cfg(test)]
mod tests;
