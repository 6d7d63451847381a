//! From rows to records.

use crate::{
    config::On,
    database::{Bound, Row},
    plan::{EntitlementPlan, KindPlan},
    transaction::{Args, Tx, id_bound},
    value::{self, Shape, Zones},
};
use connector_spi::{
    AccountState, Attrs, ConnError, Effect, Entitlement, Kind, NativeId, Record, Result, Value, ValueType,
};
use std::collections::BTreeMap;

/// Most records that one natural key may find.
const HITS: usize = 100;
/// Most rows of entitlements of one type that one reading takes; with more the records are incomplete.
const GRANTS: usize = 50_000;

impl Tx<'_> {
    /// Reads one record, without its entitlements.
    pub(crate) async fn get(&mut self, kind: &KindPlan, id: &NativeId) -> Result<Option<Record>> {
        let get = kind.get.as_ref().ok_or_else(|| cannot(kind, "be read by id"))?;
        if id_bound(kind, id).is_none() {
            return Ok(None);
        }
        let done = self.run(On::Read, kind, get, &Args { id: Some(id), ..Args::default() }, 2).await?;
        match done.rows.as_slice() {
            [] => Ok(None),
            [row] => {
                let record = record(kind, row, &self.connector.plan.zones, &get.label)?;
                // A collation may find another id than the one that was asked for.
                Ok((record.id == *id).then_some(record))
            }
            _ => Err(ConnError::permanent(format!("{} finds more than one record", get.label))),
        }
    }

    /// Reads the records with this natural key, without their entitlements.
    pub(crate) async fn find(
        &mut self,
        kind: &KindPlan,
        search: usize,
        key: &BTreeMap<String, Value>,
    ) -> Result<Vec<Record>> {
        let Some((_, named)) = kind.find.get(search) else { return Err(cannot(kind, "be looked up by this key")) };
        let attrs = key.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let done = match self.run(On::Read, kind, named, &Args { attrs, ..Args::default() }, HITS).await {
            // A value that does not fit the column is one that no record has.
            Err(error) if error.class == connector_spi::Class::Invalid && error.native_code.is_none() => {
                return Ok(Vec::new());
            }
            other => other?,
        };
        if done.cut {
            return Err(ConnError::permanent(format!("{} finds more than {HITS} records", named.label)));
        }
        let mut found = Vec::with_capacity(done.rows.len());
        for row in &done.rows {
            let record = record(kind, row, &self.connector.plan.zones, &named.label)?;
            if agrees(kind, &record, key) {
                found.push(record);
            }
        }
        Ok(found)
    }

    /// Reads the entitlements of these records, which stand in the order of their ids.
    pub(crate) async fn entitlements(&mut self, kind: &KindPlan, records: &mut [Record]) -> Result<()> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let range = [("first", first.id.clone()), ("last", last.id.clone())];
        let more: Vec<(&'static str, Bound)> =
            range.iter().filter_map(|(name, id)| Some((*name, id_bound(kind, id)?))).collect();
        let mut held: BTreeMap<NativeId, Vec<Entitlement>> = BTreeMap::new();
        let mut incomplete = false;
        for (name, entitlement) in &kind.entitlements {
            let Some(named) = &entitlement.read else {
                incomplete = true;
                continue;
            };
            let done = self.run(On::Read, kind, named, &Args { more: more.clone(), ..Args::default() }, GRANTS).await?;
            incomplete |= done.cut;
            for row in &done.rows {
                match grant(name, entitlement, row, &self.connector.plan.zones) {
                    Some((id, one)) => held.entry(id).or_default().push(one),
                    None => incomplete = true,
                }
            }
        }
        for record in records {
            record.entitlements = Some(held.remove(&record.id).unwrap_or_default());
            record.incomplete |= incomplete;
        }
        Ok(())
    }
}

/// Reads one record.
///
/// # Errors
/// `Config` when the statement does not show what a record needs.
pub(crate) fn record(plan: &KindPlan, row: &Row, zones: &Zones, label: &str) -> Result<Record> {
    let column = |name: &str| {
        row.get(name).ok_or_else(|| ConnError::config(format!("{label} shows no column {name}")).effect(Effect::None))
    };
    let id = value::text(column("id")?).ok_or_else(|| ConnError::config(format!("{label}: the id cannot be read")))?;
    let mut incomplete = false;
    let mut attrs = Attrs::new();
    for (name, attribute) in plan.config.attributes.iter().filter(|(_, attribute)| attribute.readable) {
        match value::read(Shape::from(attribute), column(name)?, zones) {
            Ok(None) => {}
            Ok(Some(value)) => {
                attrs.insert(name.clone(), vec![value]);
            }
            Err(_) => incomplete = true,
        }
    }
    let natural_key = plan
        .config
        .natural_keys
        .iter()
        .flatten()
        .filter_map(|name| Some((name.clone(), attrs.get(name)?.first()?.clone())))
        .collect();
    Ok(Record {
        kind: plan.name.clone(),
        id: NativeId(id),
        natural_key,
        attrs,
        state: row.get("state").and_then(value::text).map_or(AccountState::Unknown, |name| state(&name)),
        entitlements: None,
        incomplete,
        version: row.get("version").and_then(value::text),
    })
}

fn grant(kind: &Kind, plan: &EntitlementPlan, row: &Row, zones: &Zones) -> Option<(NativeId, Entitlement)> {
    let id = NativeId(value::text(row.get("id")?)?);
    let mut one = Entitlement::new(kind.clone(), value::text(row.get("value")?)?);
    for part in &plan.config.scope {
        match row.get(&format!("scope_{part}"))? {
            crate::database::Cell::Null => {}
            cell => {
                one.scope.insert(part.clone(), value::text(cell)?);
            }
        }
    }
    let instant = |name: &str, form| match row.get(name) {
        None => Some(None),
        Some(cell) => match value::read(Shape::instant(form), cell, zones) {
            Ok(Some(Value::At { at })) => Some(Some(at)),
            Ok(None) => Some(None),
            Ok(Some(_)) | Err(_) => None,
        },
    };
    one.valid_from = instant("valid_from", plan.config.begins_as)?;
    one.valid_to = instant("valid_to", plan.config.ends_as)?;
    if let Some(cell) = row.get("place").filter(|cell| **cell != crate::database::Cell::Null) {
        one.order = Some(u32::try_from(value::integer(cell)?).ok()?);
    }
    Some((id, one))
}

fn state(name: &str) -> AccountState {
    match name.trim() {
        "enabled" => AccountState::Enabled,
        "disabled" => AccountState::Disabled,
        "blocked" => AccountState::Blocked,
        "expired" => AccountState::Expired,
        _ => AccountState::Unknown,
    }
}

/// Whether a record that a look-up found has the key: collations differ in letter case, accents and spaces at the end. What a
/// record does not show is not held against it.
fn agrees(kind: &KindPlan, record: &Record, key: &BTreeMap<String, Value>) -> bool {
    key.iter().all(|(name, wanted)| {
        let exact = kind.config.attributes.get(name).is_some_and(|attribute| attribute.case_exact);
        record.attrs.get(name).and_then(|held| held.first()).is_none_or(|held| same(held, wanted, exact))
    })
}

/// Whether two values are the same to a target that does or does not tell letter case.
pub(crate) fn same(one: &Value, other: &Value, exact: bool) -> bool {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) if !exact => one.to_lowercase() == other.to_lowercase(),
        (one, other) => one == other,
    }
}

/// The cursor of a listing as it is bound; null at its beginning.
pub(crate) fn after(kind: &KindPlan, cursor: Option<&str>) -> Result<Bound> {
    match cursor {
        None if kind.config.id.ty == ValueType::Integer => Ok(Bound::Int(None)),
        None => Ok(Bound::Text(None)),
        Some(cursor) => id_bound(kind, &NativeId::from(cursor))
            .ok_or_else(|| ConnError::invalid("the cursor is not one of this listing")),
    }
}

pub(crate) fn cannot(kind: &KindPlan, what: &str) -> ConnError {
    ConnError::unsupported(format!("records of kind {} cannot {what} by the target's file", kind.name))
}
