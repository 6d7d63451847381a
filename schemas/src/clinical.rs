//! The flat forms of the clinical extension (governance 4.1): providers map flat attributes easily, and complex lists hardly.
//!
//! `facility1`, `department1`, `licenseNumber` and `licenseExpiry` are not stored: they are another way to say the primary
//! assignment and the one licence. `jobCode`, `startDate` and `endDate` are stored as they are, for a person has them
//! without any assignment; the primary assignment takes them over, and follows them for as long as it says the same.

use crate::Object;
use crate::error::{ScimError, invalid};
use crate::filter::{Filter, Literal, Op};
use crate::path::AttrPath;
use crate::types::CLINICAL_USER;
use crate::value::is_primary;
use serde_json::{Value, json};

/// A flat attribute, the list that it stands for, and the sub-attribute there.
pub(crate) const FLAT: [(&str, &str, &str); 4] = [
    ("facility1", "assignments", "facility"),
    ("department1", "assignments", "department"),
    ("licenseNumber", "credentials", "number"),
    ("licenseExpiry", "credentials", "validTo"),
];

/// An attribute of the person, and the one of the primary assignment that follows it.
const FOLLOWED: [(&str, &str); 3] = [("jobCode", "jobCode"), ("startDate", "validFrom"), ("endDate", "validTo")];

/// The list for which a flat attribute stands, and the sub-attribute there.
pub(crate) fn flat(name: &str) -> Option<(&'static str, &'static str)> {
    FLAT.iter().find(|(flat, ..)| *flat == name).map(|(_, list, sub)| (*list, *sub))
}

pub(crate) fn mixed() -> ScimError {
    invalid(
        "A request has either the flat attributes of the clinical extension or its lists `assignments` and `credentials`.",
    )
}

/// The filter that picks the element for which a flat attribute stands.
pub(crate) fn chosen(list: &str) -> Filter {
    let (name, value) = match list {
        "credentials" => ("type", Literal::Text("license".into())),
        _ => ("primary", Literal::Bool(true)),
    };
    Filter::Compare { path: AttrPath::name(name), op: Op::Eq, value }
}

/// For a path to a flat attribute: the list that is stored, the filter that picks its element, and the sub-attribute there.
pub(crate) fn stored(path: &AttrPath) -> Option<(AttrPath, Filter, AttrPath)> {
    let urn = path.urn.as_deref().filter(|urn| urn.eq_ignore_ascii_case(CLINICAL_USER))?;
    let (_, list, sub) = FLAT.iter().find(|(name, ..)| name.eq_ignore_ascii_case(&path.name))?;
    let list_path = AttrPath { urn: Some(urn.to_owned()), name: (*list).to_owned(), sub: None };
    Some((list_path, chosen(list), AttrPath::name(*sub)))
}

/// Puts the flat attributes of a body where they belong.
pub(crate) fn unfold(extension: &mut Object) -> Result<(), ScimError> {
    let lists = extension.contains_key("assignments") || extension.contains_key("credentials");
    let mut made: [Object; 2] = [Object::new(), Object::new()];
    let mut flat = false;
    for (name, list, sub) in FLAT {
        if let Some(value) = extension.remove(name) {
            flat = true;
            let [assignment, credential] = &mut made;
            let target = if list == "assignments" { assignment } else { credential };
            target.insert(sub.to_owned(), value);
        }
    }
    if flat && lists {
        return Err(mixed());
    }
    let [assignment, mut credential] = made;
    if !extension.contains_key("assignments") && (!assignment.is_empty() || extension.contains_key("jobCode")) {
        let assignment = with_followed(assignment, extension);
        extension.insert("assignments".into(), json!([assignment]));
    }
    if !credential.is_empty() {
        credential.insert("type".into(), "license".into());
        extension.insert("credentials".into(), json!([credential]));
    }
    Ok(())
}

fn with_followed(mut assignment: Object, extension: &Object) -> Object {
    for (from, to) in FOLLOWED {
        if let Some(value) = extension.get(from) {
            assignment.entry(to).or_insert_with(|| value.clone());
        }
    }
    assignment.insert("primary".into(), true.into());
    assignment
}

/// After a PATCH: the primary assignment follows `jobCode`, `startDate` and `endDate` where it said the same before and the
/// PATCH did not change it itself. A rotation with dates of its own stays.
pub(crate) fn follow(before: Option<&Object>, after: &mut Object) {
    let none = Object::new();
    let before = before.unwrap_or(&none);
    let changed: Vec<(&str, &str)> =
        FOLLOWED.into_iter().filter(|(from, _)| before.get(*from) != after.get(*from)).collect();
    if changed.is_empty() {
        return;
    }
    if !after.contains_key("assignments") {
        if !before.contains_key("assignments") && after.contains_key("jobCode") {
            let assignment = with_followed(Object::new(), after);
            after.insert("assignments".into(), json!([assignment]));
        }
        return;
    }
    let old = primary(before).cloned().unwrap_or_default();
    let wanted: Vec<(&str, Option<Value>)> = changed
        .into_iter()
        .filter(|(from, to)| before.get(*from) == old.get(*to))
        .map(|(from, to)| (to, after.get(from).cloned()))
        .collect();
    let fresh = primary(before).is_none();
    let Some(assignment) = primary_mut(after) else { return };
    for (to, value) in wanted {
        // What the PATCH wrote into the assignment itself is meant as it stands.
        let untouched = if fresh { !assignment.contains_key(to) } else { assignment.get(to) == old.get(to) };
        match (untouched, value) {
            (true, Some(value)) => drop(assignment.insert(to.to_owned(), value)),
            (true, None) => drop(assignment.remove(to)),
            (false, _) => {}
        }
    }
}

fn primary(extension: &Object) -> Option<&Object> {
    let list = extension.get("assignments")?.as_array()?;
    list.iter().filter_map(Value::as_object).find(|assignment| is_primary(assignment))
}

fn primary_mut(extension: &mut Object) -> Option<&mut Object> {
    let list = extension.get_mut("assignments")?.as_array_mut()?;
    list.iter_mut().filter_map(Value::as_object_mut).find(|assignment| is_primary(assignment))
}

/// Says the flat attributes for an answer; they are returned on request.
pub(crate) fn fold(extension: &mut Object) {
    let mut made = Vec::new();
    for (name, list, sub) in FLAT {
        let element = match list {
            "assignments" => primary(extension),
            _ => only_license(extension),
        };
        if let Some(value) = element.and_then(|element| element.get(sub)) {
            made.push((name.to_owned(), value.clone()));
        }
    }
    extension.extend(made);
}

fn only_license(extension: &Object) -> Option<&Object> {
    let list = extension.get("credentials")?.as_array()?;
    let mut licenses =
        list.iter().filter_map(Value::as_object).filter(|c| c.get("type").and_then(Value::as_str) == Some("license"));
    match (licenses.next(), licenses.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// A service or an agent needs somebody who answers for it.
pub(crate) fn check(extension: &Object) -> Result<(), ScimError> {
    let kind = extension.get("kind").and_then(Value::as_str);
    if !matches!(kind, Some("service" | "agent")) {
        return Ok(());
    }
    match ["ownerId", "purpose", "reviewBy"].iter().find(|name| !extension.contains_key(**name)) {
        Some(name) => Err(invalid(format!("`{name}` is required for a service or an agent."))),
        None => Ok(()),
    }
}
