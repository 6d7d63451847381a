//! From an answer to a record. Pure.

use crate::{
    config::{Attribute, Condition, EntitlementRead, Place},
    days::Calendar,
    document::Element,
    place::Names,
    plan::KindPlan,
};
use connector_spi::{AccountState, Attrs, Entitlement, Kind, NativeId, Record, Value, ValueType};

/// What reading needs to know of the whole file.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) names: Names,
    pub(crate) calendar: Calendar,
}

impl Reader {
    /// Reads one record. `None` when it has no id: then it cannot be spoken of at all.
    pub(crate) fn record(&self, plan: &KindPlan, raw: &Element) -> Option<Record> {
        let map = plan.config.record.as_ref()?;
        let id = self.text(&map.id, raw).filter(|id| !id.is_empty())?;
        let mut incomplete = false;
        let mut attrs = Attrs::new();
        for (name, attribute) in &plan.config.attributes {
            match self.values(attribute, raw) {
                Some(values) if values.is_empty() => {}
                Some(values) => drop(attrs.insert(name.clone(), values)),
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
        let mut held = Vec::new();
        for (kind, entitlement) in &plan.config.entitlements {
            match entitlement.read.as_ref().map(|read| self.entitlements(&Kind::from(kind.as_str()), read, raw)) {
                Some(Some(more)) => held.extend(more),
                Some(None) | None => incomplete = true,
            }
        }
        Some(Record {
            kind: plan.name.clone(),
            id: NativeId(id),
            natural_key,
            attrs,
            state: self.state(plan, raw),
            entitlements: Some(held),
            incomplete,
            version: map.version.as_ref().and_then(|at| self.text(at, raw)),
        })
    }

    /// The entitlements of one type; `None` when one of them cannot be understood.
    fn entitlements(&self, kind: &Kind, read: &EntitlementRead, raw: &Element) -> Option<Vec<Entitlement>> {
        let mut found: Vec<Entitlement> = Vec::new();
        for item in self.names.elements(&read.at, raw) {
            // An element without anything in it is how some systems write an empty list.
            let empty = item.children.is_empty() && item.attributes.is_empty() && item.text.trim().is_empty();
            if !empty && read.only.as_ref().is_none_or(|only| self.holds(only, item)) {
                found.push(self.entitlement(kind, read, item)?);
            }
        }
        if let Some(first) = read.first_at.as_ref().and_then(|at| self.text(at, raw)).filter(|text| !text.is_empty()) {
            match found.iter_mut().find(|one| one.value.as_str() == first) {
                Some(one) => one.order = Some(1),
                None => found.push(Entitlement { order: Some(1), ..Entitlement::new(kind.clone(), first) }),
            }
        }
        Some(found)
    }

    fn entitlement(&self, kind: &Kind, read: &EntitlementRead, item: &Element) -> Option<Entitlement> {
        let mut made = Entitlement::new(kind.clone(), self.text(&read.value, item).filter(|text| !text.is_empty())?);
        for (name, at) in &read.scope {
            if let Some(part) = self.text(at, item) {
                made.scope.insert(name.clone(), part);
            }
        }
        let there = |at: &Option<Place>| at.as_ref().and_then(|at| self.text(at, item)).filter(|text| !text.is_empty());
        if let Some(text) = there(&read.valid_from) {
            made.valid_from = Some(self.calendar.begin(&text)?);
        }
        if let Some(text) = there(&read.valid_to) {
            made.valid_to = Some(self.calendar.end(&text)?);
        }
        if let Some(text) = there(&read.order) {
            made.order = Some(text.parse().ok()?);
        }
        Some(made)
    }

    /// The values of an attribute; `None` when something stands there that is not of its type.
    fn values(&self, attribute: &Attribute, raw: &Element) -> Option<Vec<Value>> {
        let Some(at) = &attribute.at else { return Some(Vec::new()) };
        let texts = self.names.texts(at, raw);
        let most = if attribute.multi { usize::MAX } else { 1 };
        texts.into_iter().filter(|text| !text.is_empty()).take(most).map(|text| value(attribute.ty, text)).collect()
    }

    fn state(&self, plan: &KindPlan, raw: &Element) -> AccountState {
        let rules = plan.config.record.as_ref().map(|map| map.state.as_slice()).unwrap_or_default();
        rules.iter().find(|rule| self.holds(&rule.when, raw)).map_or(AccountState::Unknown, |rule| rule.is)
    }

    /// Whether a condition holds of an element.
    pub(crate) fn holds(&self, condition: &Condition, raw: &Element) -> bool {
        let found = self.names.texts(&condition.at, raw);
        let equals = condition.equals.as_ref().is_none_or(|wanted| found.iter().any(|text| text.trim() == wanted));
        let present = match (condition.present, &condition.equals) {
            (Some(wanted), _) => found.iter().any(|text| !text.trim().is_empty()) == wanted,
            (None, None) => found.iter().any(|text| !text.trim().is_empty()),
            (None, Some(_)) => true,
        };
        equals && present
    }

    /// The first text at a place, without the white space around it.
    pub(crate) fn text(&self, at: &Place, raw: &Element) -> Option<String> {
        self.names.texts(at, raw).first().map(|text| text.trim().to_owned())
    }
}

fn value(ty: ValueType, text: &str) -> Option<Value> {
    match ty {
        ValueType::Text => Some(Value::from(text)),
        ValueType::Integer => text.trim().parse().ok().map(Value::Int),
        ValueType::Boolean => match text.trim() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        ValueType::Timestamp => text.trim().parse().ok().map(|at| Value::At { at }),
        ValueType::Bytes => {
            serde_json::from_value(serde_json::json!({ "bytes": text.split_whitespace().collect::<String>() })).ok()
        }
    }
}
