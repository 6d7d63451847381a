//! From an answer to a record. Pure.

use crate::{
    config::{Attribute, Condition, EntitlementRead},
    plan::KindPlan,
};
use connector_spi::{AccountState, Attrs, Entitlement, Kind, NativeId, Record, Value, ValueType};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

/// From the last second at which something holds to the first at which it does not.
pub(crate) const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Reads one record. `None` when it has no id: then it cannot be spoken of at all.
pub(crate) fn read(plan: &KindPlan, raw: &Json, etag: Option<&str>) -> Option<Record> {
    let map = &plan.config.record;
    let id = text_of(map.id.read(raw)?)?;
    let mut incomplete = false;
    let mut attrs = Attrs::new();
    for (name, attribute) in plan.config.attributes.iter().filter(|(_, attribute)| attribute.readable) {
        match values(attribute, raw) {
            Some(values) if values.is_empty() => {}
            Some(values) => {
                attrs.insert(name.clone(), values);
            }
            None => incomplete = true,
        }
    }
    let natural_key = plan
        .config
        .natural_keys
        .iter()
        .flatten()
        .filter_map(|name| Some((name.clone(), attrs.get(name)?.first()?.clone())))
        .collect();
    let inside = map.version.as_ref().and_then(|at| at.read(raw)).and_then(text_of);
    let version = inside.or_else(|| etag.map(str::to_owned));
    let mut record = Record {
        kind: plan.name.clone(),
        id: NativeId(id),
        natural_key,
        attrs,
        state: state(plan, raw),
        entitlements: None,
        incomplete,
        version,
    };
    embedded(plan, raw, &mut record);
    Some(record)
}

/// Reads the entitlements that stand in the record itself. They count as read only when every type does.
fn embedded(plan: &KindPlan, raw: &Json, record: &mut Record) {
    let mut found = Vec::new();
    for (kind, entitlement) in &plan.entitlements {
        match &entitlement.config.read {
            Some(read) if read.request.is_none() => match entitlements(kind, read, raw) {
                Some(more) => found.extend(more),
                None => return record.incomplete = true,
            },
            // Read by a request of its own, or not at all: see `connector`.
            Some(_) | None => return,
        }
    }
    record.entitlements = Some(found);
}

/// Reads the entitlements of one type from a document; `None` when one of them cannot be understood.
pub(crate) fn entitlements(kind: &Kind, read: &EntitlementRead, document: &Json) -> Option<Vec<Entitlement>> {
    match read.at.read(document) {
        None => Some(Vec::new()),
        Some(Json::Array(items)) => items
            .iter()
            .filter(|item| read.only.as_ref().is_none_or(|only| holds(only, item)))
            .map(|item| entitlement(kind, read, item))
            .collect(),
        Some(one) => Some(vec![entitlement(kind, read, one)?]),
    }
}

fn entitlement(kind: &Kind, read: &EntitlementRead, item: &Json) -> Option<Entitlement> {
    let mut made = Entitlement::new(kind.clone(), text_of(read.value.read(item)?)?);
    for (name, at) in &read.scope {
        if let Some(part) = at.read(item) {
            made.scope.insert(name.clone(), text_of(part)?);
        }
    }
    let instant = |at: &Option<crate::config::Pointer>| match at.as_ref().and_then(|at| at.read(item)) {
        Some(value) => Some(Some(value.as_str()?.parse::<Timestamp>().ok()?)),
        None => Some(None),
    };
    made.valid_from = instant(&read.valid_from)?;
    made.valid_to = match instant(&read.valid_to)? {
        Some(last) if read.valid_to_included => Some(last.checked_add(SECOND).ok()?),
        end => end,
    };
    if let Some(order) = read.order.as_ref().and_then(|at| at.read(item)) {
        made.order = Some(u32::try_from(order.as_u64()?).ok()?);
    }
    Some(made)
}

/// The values of an attribute; `None` when something stands there that is not of its type.
pub(crate) fn values(attribute: &Attribute, raw: &Json) -> Option<Vec<Value>> {
    let found = match (attribute.at.read(raw), &attribute.listed) {
        (None, _) => return Some(Vec::new()),
        (Some(list), Some(listed)) => {
            let picks = |member: &&Json| {
                listed.with.iter().all(|(name, wanted)| member.get(name).and_then(Json::as_str) == Some(wanted))
            };
            match list.as_array()?.iter().find(picks).and_then(|member| listed.value.read(member)) {
                Some(value) => value,
                None => return Some(Vec::new()),
            }
        }
        (Some(found), None) => found,
    };
    match found {
        Json::Array(items) if attribute.multi => items.iter().map(|item| value(attribute.ty, item)).collect(),
        one => Some(vec![value(attribute.ty, one)?]),
    }
}

fn value(ty: ValueType, json: &Json) -> Option<Value> {
    match ty {
        ValueType::Text => text_of(json).map(Value::Text),
        ValueType::Integer => json.as_i64().or_else(|| json.as_str()?.parse().ok()).map(Value::Int),
        ValueType::Boolean => match json {
            Json::Bool(truth) => Some(Value::Bool(*truth)),
            Json::String(text) => text.parse().ok().map(Value::Bool),
            _ => None,
        },
        ValueType::Timestamp => json.as_str()?.parse().ok().map(|at| Value::At { at }),
        ValueType::Bytes => serde_json::from_value(serde_json::json!({ "bytes": json.as_str()? })).ok(),
    }
}

/// A scalar as text.
pub(crate) fn text_of(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn state(plan: &KindPlan, raw: &Json) -> AccountState {
    let rules = &plan.config.record.state;
    rules.iter().find(|rule| holds(&rule.when, raw)).map_or(AccountState::Unknown, |rule| rule.is)
}

/// Whether a condition holds of a document. A condition without a test asks whether something stands there.
pub(crate) fn holds(condition: &Condition, document: &Json) -> bool {
    let found = condition.at.read(document);
    let equals = condition.equals.as_ref().is_none_or(|wanted| found == Some(wanted));
    let contains = condition
        .contains
        .as_ref()
        .is_none_or(|wanted| found.and_then(Json::as_array).is_some_and(|items| items.contains(wanted)));
    let bare = condition.equals.is_none() && condition.contains.is_none();
    let present = match (condition.present, bare) {
        (Some(wanted), _) => found.is_some() == wanted,
        (None, true) => found.is_some(),
        (None, false) => true,
    };
    equals && contains && present
}
