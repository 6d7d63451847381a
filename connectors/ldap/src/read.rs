//! Reading entries as records.

use crate::{
    config::EntitlementConfig,
    directory::Directory,
    dn::Filter,
    session::{Entry, Query},
    shape::{self, Shape},
    subschema::Facts,
    translate,
};
use connector_spi::{AccountState, Attrs, ConnError, Ctx, Kind, NativeId, Record, Result, Value, ValueType};
use ldap3::Scope;
use std::collections::BTreeMap;

/// Most records that one natural key may have; more is a fault of the configuration.
const MOST_FOUND: i32 = 100;

impl Directory {
    pub(crate) async fn read(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        if let Some(config) = shape::entitlement(&self.config, kind) {
            let found = self.catalogue(cx, config, Some(id.as_str())).await?;
            return Ok(found.into_iter().next());
        }
        let shape = self.shape(kind)?;
        let facts = self.facts(cx).await?;
        let wanted = self.wanted(shape, &facts);
        let mut session = self.pool.session(cx).await?;
        let entry = self.by_id(&mut session, shape, id, &wanted).await?;
        drop(session);
        match entry {
            None => Ok(None),
            Some(entry) => self.record(cx, shape, &facts, &entry).await.map(Some),
        }
    }

    pub(crate) async fn search(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        if let Some(config) = shape::entitlement(&self.config, kind) {
            return match key.iter().next() {
                Some((name, value)) if key.len() == 1 && name.eq_ignore_ascii_case(&config.value) => {
                    self.catalogue(cx, config, Some(&value.to_string())).await
                }
                _ => Err(unknown_key(kind)),
            };
        }
        let shape = self.shape(kind)?;
        let fits = |names: &Vec<String>| {
            names.len() == key.len() && names.iter().all(|name| key.keys().any(|key| key.eq_ignore_ascii_case(name)))
        };
        if shape.keys.iter().any(fits) { self.by_key(cx, shape, key).await } else { Err(unknown_key(kind)) }
    }

    /// All entries with these values, in whatever state.
    pub(crate) async fn by_key(&self, cx: &Ctx, shape: &Shape, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let facts = self.facts(cx).await?;
        let mut tests = shape.recognised_by();
        for (name, value) in key {
            let ty = translate::value_type(shape, &facts, name);
            // A value that no entry can have is found nowhere; that is an answer, not an error.
            let Ok(octets) = translate::octets(name, value, ty) else { return Ok(Vec::new()) };
            tests.push((name.clone(), octets));
        }
        let (wanted, filter) = (self.wanted(shape, &facts), Filter::All(tests));
        let query = Query {
            base: &shape.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &wanted,
            limit: MOST_FOUND,
            controls: Vec::new(),
        };
        let found = self.pool.session(cx).await?.entries(query, "finding entries").await?;
        let mut records = Vec::with_capacity(found.len());
        for entry in found {
            records.push(self.record(cx, shape, &facts, &entry).await?);
        }
        Ok(records)
    }

    /// An entry as a record, with what it holds.
    pub(crate) async fn record(&self, cx: &Ctx, shape: &Shape, facts: &Facts, entry: &Entry) -> Result<Record> {
        let mut record = translate::record(shape, facts, entry)
            .ok_or_else(|| ConnError::config("an entry has no lasting id that may be read").attribute(&shape.id))?;
        self.names.learn(record.id.as_str(), &entry.dn);
        if shape.is_account() {
            record.entitlements = self.held(cx, entry, shape).await?;
            record.incomplete = record.entitlements.is_none();
        }
        if let Some((member, placeholder)) = &shape.members {
            let ranged = |name: &str| name.split(';').next().is_some_and(|name| shape.is_member(name));
            record.attrs.retain(|name, _| !ranged(name));
            let held = self.pool.session(cx).await?.all_values(entry, member).await?;
            let members = self.names_to_members(cx, placeholder.as_deref(), &held).await?;
            record.attrs.insert(member.clone(), members);
        }
        Ok(record)
    }

    async fn catalogue(&self, cx: &Ctx, config: &EntitlementConfig, value: Option<&str>) -> Result<Vec<Record>> {
        let mut tests = vec![("objectClass".to_owned(), config.object_class.clone().into_bytes())];
        tests.extend(value.map(|value| (config.value.clone(), value.as_bytes().to_vec())));
        let (wanted, filter) = (catalogue_attributes(config), Filter::All(tests));
        let query = Query {
            base: &config.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &wanted,
            limit: MOST_FOUND,
            controls: Vec::new(),
        };
        let found = self.pool.session(cx).await?.entries(query, "reading the catalogue").await?;
        Ok(found.iter().filter_map(|entry| catalogue_record(config, entry)).collect())
    }
}

/// Attributes to ask for when reading a type's catalogue. Never its members.
pub fn catalogue_attributes(config: &EntitlementConfig) -> Vec<String> {
    let mut wanted = vec![config.value.clone(), "description".to_owned()];
    wanted.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    wanted
}

/// A group as an entry of the catalogue.
pub fn catalogue_record(config: &EntitlementConfig, entry: &Entry) -> Option<Record> {
    let value = entry.text(&config.value)?;
    let attrs: Attrs = entry
        .attributes
        .iter()
        .map(|(name, values)| (name.clone(), values.iter().map(|v| translate::value(v, ValueType::Text)).collect()))
        .collect();
    Some(Record {
        kind: Kind(config.kind.clone()),
        id: NativeId(value.to_owned()),
        natural_key: BTreeMap::from([(config.value.clone(), Value::from(value))]),
        attrs,
        state: AccountState::Enabled,
        entitlements: None,
        incomplete: false,
        version: None,
    })
}

fn unknown_key(kind: &Kind) -> ConnError {
    ConnError::unsupported(format!("records of kind {kind} are not found by these attributes"))
}
