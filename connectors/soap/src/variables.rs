//! The variables of a request, from what the gateway gave. Pure.

use crate::{days::Calendar, plan::KindPlan};
use connector_declared::wire;
use connector_spi::{Entitlement, Value};
use serde_json::{Map, Value as Json, json};

/// The attributes being sent, as `attrs`, and which of them are cleared, as `cleared`.
pub(crate) fn sent<'v>(
    kind: &KindPlan,
    attrs: impl IntoIterator<Item = (&'v str, Option<&'v [Value]>)>,
) -> [(&'static str, Json); 2] {
    let (mut plain, mut cleared) = (Map::new(), Map::new());
    for (name, values) in attrs {
        let values = values.unwrap_or_default();
        plain.insert(name.to_owned(), one(kind, name, values));
        cleared.insert(name.to_owned(), json!(values.is_empty()));
    }
    [("attrs", Json::Object(plain)), ("cleared", Json::Object(cleared))]
}

/// Attributes as expressions see them.
pub(crate) fn attributes<'v>(kind: &KindPlan, attrs: impl IntoIterator<Item = (&'v String, &'v Vec<Value>)>) -> Json {
    Json::Object(attrs.into_iter().map(|(name, values)| (name.clone(), one(kind, name, values))).collect())
}

fn one(kind: &KindPlan, name: &str, values: &[Value]) -> Json {
    let multi = kind.config.attributes.get(name).is_some_and(|attribute| attribute.multi);
    match values {
        [] => Json::Null,
        values if multi => Json::Array(values.iter().map(wire).collect()),
        [first, ..] => wire(first),
    }
}

/// An entitlement as expressions see it.
pub(crate) fn entitlement(calendar: &Calendar, one: &Entitlement) -> Json {
    let spelled = calendar.spell(one.valid_from, one.valid_to);
    json!({
        "type": one.kind.as_str(), "value": one.value.as_str(), "scope": one.scope, "order": one.order,
        "validFrom": one.valid_from.map(|at| at.to_string()), "validTo": one.valid_to.map(|at| at.to_string()),
        "lastSecond": spelled.last_second, "firstDay": spelled.first_day, "lastDay": spelled.last_day,
        "endDay": spelled.end_day,
    })
}
