//! From a resource to a record, and values there and back. Pure.

use crate::{
    config::{Memberships, UserList},
    path::{Path, member, text_of},
    plan::{Attribute, GROUP, KindPlan, Plan, Sort},
};
use connector_spi::{AccountState, Attrs, ConnError, Entitlement, NativeId, Record, Result, Value, ValueType};
use scim::Type;
use serde_json::{Map, Number, Value as Json, json};

/// Reads a resource. `None` when it has no id: then it cannot be spoken of at all.
///
/// The groups of an account are read only where the User shows them; see [`crate::lookup`] for the other way.
pub(crate) fn read(plan: &Plan, kind: &KindPlan, raw: &Json, etag: Option<&str>) -> Option<Record> {
    let object = raw.as_object()?;
    let id = match kind.sort {
        Sort::Catalogue => member(object, "value").and_then(text_of)?,
        Sort::Account | Sort::Group | Sort::GroupCatalogue => id_of(raw)?,
    };
    let mut incomplete = false;
    let mut attrs = Attrs::new();
    for (name, attribute) in kind.attrs.iter().filter(|(_, attribute)| attribute.schema.readable) {
        let found = attribute.path.values(raw);
        let values: Vec<Value> = found.iter().filter_map(|json| value(attribute.schema.ty, json)).collect();
        incomplete |= values.len() != found.len() || (values.len() > 1 && !attribute.schema.multi);
        if !values.is_empty() {
            attrs.insert(name.clone(), values);
        }
    }
    let natural_key = kind
        .natural_keys
        .iter()
        .flatten()
        .filter_map(|name| Some((name.clone(), attrs.get(name)?.first()?.clone())))
        .collect();
    let mut record = Record {
        kind: kind.name.clone(),
        id: NativeId(id),
        natural_key,
        attrs,
        state: AccountState::Enabled,
        entitlements: None,
        incomplete,
        version: version(raw, etag).filter(|_| plan.etag),
    };
    if kind.sort == Sort::Account {
        record.state = match member(object, "active") {
            Some(Json::Bool(true)) => AccountState::Enabled,
            Some(Json::Bool(false)) => AccountState::Disabled,
            _ => AccountState::Unknown,
        };
        held(plan, raw, &mut record);
    }
    Some(record)
}

/// The id of a resource.
pub(crate) fn id_of(raw: &Json) -> Option<String> {
    member(raw.as_object()?, "id").and_then(text_of).filter(|id| !id.is_empty())
}

/// The version of a resource: `meta.version`, or the entity tag that came with it.
pub(crate) fn version(raw: &Json, etag: Option<&str>) -> Option<String> {
    let meta = raw.as_object().and_then(|object| member(object, "meta")).and_then(Json::as_object);
    let inside = meta.and_then(|meta| member(meta, "version")).and_then(text_of);
    etag.map(str::to_owned).or(inside)
}

/// What the User itself tells of its entitlements.
fn held(plan: &Plan, raw: &Json, record: &mut Record) {
    let mut found = Vec::new();
    for list in &plan.lists {
        for element in list_of(*list).elements(raw) {
            match entitlement(*list, element) {
                Some(one) => found.push(one),
                None => record.incomplete = true,
            }
        }
    }
    match plan.memberships {
        Some(Memberships::User) => {
            let groups = Path { urn: None, name: "groups".to_owned(), pick: None, sub: None };
            for group in groups.elements(raw).iter().filter_map(Json::as_object) {
                let indirect =
                    member(group, "type").and_then(Json::as_str).is_some_and(|ty| ty.eq_ignore_ascii_case("indirect"));
                match member(group, "value").and_then(text_of) {
                    Some(_) if indirect => {}
                    Some(id) => found.push(Entitlement::new(GROUP, id)),
                    None => record.incomplete = true,
                }
            }
        }
        // Completed by a search.
        Some(Memberships::Groups) => {}
        None => {
            record.incomplete |= plan.kinds.get(&GROUP.into()).is_some_and(|kind| kind.sort == Sort::GroupCatalogue)
        }
    }
    record.entitlements = Some(found);
}

/// The path of a list of the User.
pub(crate) fn list_of(list: UserList) -> Path {
    Path { urn: None, name: list.attribute().to_owned(), pick: None, sub: None }
}

/// One element of a list of the User. Its `type` is the scope.
pub(crate) fn entitlement(list: UserList, element: &Json) -> Option<Entitlement> {
    if let Json::String(value) = element {
        return Some(Entitlement::new(list.kind(), value.as_str()));
    }
    let element = element.as_object()?;
    let mut made = Entitlement::new(list.kind(), member(element, "value").and_then(text_of)?);
    if let Some(ty) = member(element, "type").and_then(text_of) {
        made.scope.insert("type".to_owned(), ty);
    }
    Some(made)
}

/// An entitlement as an element of a list of the User.
///
/// # Errors
/// `Invalid` for a scope other than `type`.
pub(crate) fn element(one: &Entitlement) -> Result<Json> {
    let mut made = Map::from_iter([("value".to_owned(), json!(one.value.as_str()))]);
    for (name, value) in &one.scope {
        if name != "type" {
            let part = format!("{}:{}", one.kind, one.value);
            return Err(ConnError::invalid("the only scope is type").attribute(part));
        }
        made.insert(name.clone(), json!(value));
    }
    Ok(Json::Object(made))
}

fn value(ty: ValueType, json: &Json) -> Option<Value> {
    match ty {
        ValueType::Text => text_of(json).map(Value::Text),
        ValueType::Integer => json.as_i64().or_else(|| json.as_str()?.parse().ok()).map(Value::Int),
        ValueType::Boolean => match json {
            Json::Bool(truth) => Some(Value::Bool(*truth)),
            Json::String(text) => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
            Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
        },
        ValueType::Timestamp => json.as_str()?.parse().ok().map(|at| Value::At { at }),
        ValueType::Bytes => serde_json::from_value(json!({ "bytes": json.as_str()? })).ok(),
    }
}

/// A value as JSON of the attribute's type.
///
/// # Errors
/// `Invalid` with the attribute's name for a value of another type.
pub(crate) fn wire(name: &str, attribute: &Attribute, value: &Value) -> Result<Json> {
    let bytes = || serde_json::to_value(value).ok().and_then(|wire| wire.get("bytes").cloned());
    let fits = match (attribute.ty, value) {
        (Type::Boolean, Value::Bool(truth)) => Some(json!(truth)),
        (Type::Integer, Value::Int(number)) => Some(json!(number)),
        (Type::Decimal, Value::Int(number)) => Some(json!(number)),
        (Type::Decimal, Value::Text(text)) => text.parse::<f64>().ok().and_then(Number::from_f64).map(Json::Number),
        (Type::DateTime, Value::At { at }) => Some(json!(at.to_string())),
        (Type::Binary, Value::Bytes { .. }) => bytes(),
        (Type::String | Type::Reference, Value::Text(text)) => Some(json!(text)),
        (Type::String | Type::Reference, Value::Int(_) | Value::Bool(_) | Value::At { .. }) => {
            Some(json!(value.to_string()))
        }
        _ => None,
    };
    fits.ok_or_else(|| ConnError::invalid(format!("{name} has a value of another type")).attribute(name))
}
