//! The model's state and what each call does to it: pure, without time or faults.

use super::{
    hospital::Catalogue,
    values::{apply_delta, check_values, fold, normal},
};
use connector_spi::{
    AccountState, AttrSchema, Attrs, Change, ConnError, Created, Cursor, Entitlement, EntitlementChange, Kind,
    KindCaps, KindRole, KindSchema, NativeId, Page, PartFailure, Record, Result, SyncEvent, SyncToken, TargetSchema,
    Updated, Value,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ops::Bound,
};

/// Changes of which the model still knows; a token from before is answered with `Resync`.
const HISTORY_LIMIT: usize = 100_000;

/// A record and what no read shows.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub record: Record,
    pub sessions: u32,
    pub passwords_set: u32,
}

/// The whole state.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub schema: TargetSchema,
    pub catalogue: Catalogue,
    /// Kinds whose id is built from the first natural key and changes with it.
    pub named: BTreeSet<Kind>,
    rows: BTreeMap<(Kind, NativeId), Row>,
    keys: HashMap<NaturalKey, NativeId>,
    made: HashMap<String, (Kind, NativeId)>,
    history: VecDeque<(u64, Kind, NativeId)>,
    forgotten: u64,
    clock: u64,
    ids: u64,
}

type NaturalKey = (Kind, Vec<(String, Value)>);

impl Table {
    pub fn new(schema: TargetSchema, catalogue: Catalogue, named: BTreeSet<Kind>) -> Self {
        Self {
            schema,
            catalogue,
            named,
            rows: BTreeMap::new(),
            keys: HashMap::new(),
            made: HashMap::new(),
            history: VecDeque::new(),
            forgotten: 0,
            clock: 0,
            ids: 0,
        }
    }

    /// The kind, if it is declared and can do this; else `Unsupported`.
    pub fn able(&self, kind: &Kind, what: &str, able: impl Fn(&KindCaps) -> bool) -> Result<&KindSchema> {
        self.schema
            .kinds
            .get(kind)
            .filter(|schema| able(&schema.caps))
            .ok_or_else(|| ConnError::unsupported(format!("{kind}: {what} is not offered")))
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub fn row(&self, kind: &Kind, id: &NativeId) -> Option<&Row> {
        self.rows.get(&(kind.clone(), id.clone()))
    }

    pub fn row_mut(&mut self, kind: &Kind, id: &NativeId) -> Option<&mut Row> {
        self.rows.get_mut(&(kind.clone(), id.clone()))
    }

    pub fn get(&self, kind: &Kind, id: &NativeId) -> Option<Record> {
        match self.row(kind, id) {
            Some(row) => Some(row.record.clone()),
            None => self.catalogue.get(kind).filter(|values| values.contains(id)).map(|_| entry(kind, id)),
        }
    }

    pub fn find(&self, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let names: Vec<&String> = key.keys().collect();
        let schema = self.able(kind, "find by these attributes", |caps| {
            caps.find_by.iter().any(|set| set.len() == names.len() && set.iter().all(|name| key.contains_key(name)))
        })?;
        let wanted: Vec<(String, Value)> =
            key.iter().map(|(name, value)| (name.clone(), fold(schema.attrs.get(name), value))).collect();
        if schema.natural_keys.iter().any(|set| set.len() == names.len() && set.iter().all(|n| key.contains_key(n))) {
            let hit = self.keys.get(&(kind.clone(), wanted)).and_then(|id| self.get(kind, id));
            return Ok(hit.into_iter().collect());
        }
        let agrees = |record: &Record| {
            wanted.iter().all(|(name, value)| {
                record
                    .attrs
                    .get(name)
                    .is_some_and(|held| held.iter().any(|v| fold(schema.attrs.get(name), v) == *value))
            })
        };
        Ok(self.of_kind(kind).map(|row| &row.record).filter(|record| agrees(record)).cloned().collect())
    }

    /// Makes a record, or finds the one this `op_id` made already. The flag says whether anything is different now.
    pub fn create(
        &mut self,
        op_id: &str,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<(Created, bool)> {
        let schema = self.able(kind, "create", |caps| caps.create)?.clone();
        if let Some((_, id)) = self.made.get(op_id).filter(|(of, id)| of == kind && self.row(kind, id).is_some()) {
            return Ok((Created { record: self.get(kind, id), ..Created::new(id.clone()) }, false));
        }
        let attrs = self.checked(&schema, attrs)?;
        let keys = natural_keys(kind, &schema, &attrs);
        if let Some(id) = keys.iter().find_map(|key| self.keys.get(key)) {
            return Err(ConnError::already_exists("a natural key is taken").existing(id.clone()));
        }
        let id = self.mint(kind, &schema, &attrs);
        let mut record = Record {
            kind: kind.clone(),
            id: id.clone(),
            natural_key: natural_key_of(&schema, &attrs),
            attrs,
            state,
            entitlements: (schema.role == KindRole::Account).then(Vec::new),
            incomplete: false,
            version: None,
        };
        let change =
            EntitlementChange { add: entitlements.to_vec(), remove: Vec::new(), whole: Some(entitlements.to_vec()) };
        let failed = self.change_entitlements(&schema, &mut record, &change)?;
        self.made.insert(op_id.to_owned(), (kind.clone(), id.clone()));
        self.write(record);
        Ok((Created { record: self.get(kind, &id), failed, ..Created::new(id) }, true))
    }

    /// Carries a change out. The flag says whether anything is different now.
    pub fn update(&mut self, kind: &Kind, id: &NativeId, change: &Change) -> Result<(Updated, bool)> {
        let schema = self.able(kind, "update", |caps| caps.update)?.clone();
        if change.state.is_some() && !schema.caps.disable {
            return Err(ConnError::unsupported(format!("{kind}: state is not offered")));
        }
        let before =
            self.row(kind, id).map(|row| row.record.clone()).ok_or_else(|| ConnError::not_found("no such record"))?;
        if change.if_version.is_some() && change.if_version != before.version {
            return Err(ConnError::stale_version("the record has changed since it was read"));
        }
        let mut record = before.clone();
        for (name, delta) in &change.attrs {
            let attr = declared(&schema, name)?;
            let values = apply_delta(attr, record.attrs.get(name), delta);
            if normal(attr, Some(&values)) == normal(attr, record.attrs.get(name)) {
                continue;
            }
            if !attr.updatable {
                return Err(ConnError::invalid("cannot be changed").attribute(name));
            }
            if values.is_empty() {
                record.attrs.remove(name);
            } else {
                record.attrs.insert(name.clone(), values);
            }
        }
        record.attrs = self.checked_update(&schema, &record.attrs)?;
        record.natural_key = natural_key_of(&schema, &record.attrs);
        let taken = natural_keys(kind, &schema, &record.attrs);
        if let Some(other) = taken.iter().find_map(|key| self.keys.get(key).filter(|holder| *holder != id)) {
            return Err(ConnError::already_exists("a natural key is taken").existing(other.clone()));
        }
        let failed = self.change_entitlements(&schema, &mut record, &change.entitlements)?;
        if let Some(state) = change.state {
            record.state = state;
        }
        if record == before {
            // Nothing else was asked for: then the failure is the answer, and not a footnote to a success.
            return match failed.into_iter().next() {
                Some(part) if change.attrs.is_empty() && change.state.is_none() => Err(part.error),
                Some(part) => Ok((Updated { failed: vec![part], ..Updated::default() }, false)),
                None => Ok((Updated::default(), false)),
            };
        }
        let new_id = self.named.contains(kind).then(|| self.mint(kind, &schema, &record.attrs)).filter(|new| new != id);
        if let Some(new) = &new_id {
            let row = self.erase(kind, id);
            record.id = new.clone();
            self.write(record);
            if let (Some(old), Some(row)) = (row, self.row_mut(kind, new)) {
                (row.sessions, row.passwords_set) = (old.sessions, old.passwords_set);
            }
        } else {
            self.write(record);
        }
        Ok((Updated { new_id, failed, ..Updated::default() }, true))
    }

    /// Removes a record. The flag says whether there was one.
    pub fn delete(&mut self, kind: &Kind, id: &NativeId) -> Result<bool> {
        self.able(kind, "delete", |caps| caps.delete)?;
        Ok(self.erase(kind, id).is_some())
    }

    /// The page after `cursor`, which is the last id of the page before: it outlives restarts and inserts.
    pub fn list(&self, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let schema = self.able(kind, "list", |caps| caps.list)?;
        let most = if schema.caps.max_page == 0 { size } else { size.min(schema.caps.max_page) };
        let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
        let after = cursor.map(|cursor| NativeId(cursor.0.clone()));
        let (mut items, total): (Vec<Record>, usize) = match self.catalogue.get(kind) {
            Some(values) => {
                let rest = values.iter().filter(|value| after.as_ref().is_none_or(|after| *value > after));
                (rest.take(most + 1).map(|value| entry(kind, value)).collect(), values.len())
            }
            None => {
                let from = match after {
                    Some(after) => Bound::Excluded((kind.clone(), after)),
                    None => Bound::Included((kind.clone(), NativeId(String::new()))),
                };
                let rest = self.rows.range((from, Bound::Unbounded)).take_while(|((of, _), _)| of == kind);
                (rest.take(most + 1).map(|(_, row)| row.record.clone()).collect(), 0)
            }
        };
        let more = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| more).map(|last| Cursor(last.id.0.clone()));
        let total_hint = (total > 0).then(|| u64::try_from(total).unwrap_or(u64::MAX));
        Ok(Page { items, next, total_hint, complete: true })
    }

    pub fn latest(&self, kind: &Kind) -> Result<SyncToken> {
        self.able(kind, "sync", |caps| caps.sync)?;
        Ok(SyncToken(self.clock.to_string()))
    }

    pub fn changes(&self, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        let latest = self.latest(kind)?;
        let Some(since) = token.0.parse::<u64>().ok().filter(|since| *since >= self.forgotten) else {
            return Ok((vec![SyncEvent::Resync], latest));
        };
        let touched: BTreeSet<&NativeId> =
            self.history.iter().filter(|(at, of, _)| *at > since && of == kind).map(|(_, _, id)| id).collect();
        let event = |id: &NativeId| match self.row(kind, id) {
            Some(row) => SyncEvent::Upsert(Box::new(row.record.clone())),
            None => SyncEvent::Gone { kind: kind.clone(), id: id.clone() },
        };
        Ok((touched.into_iter().map(event).collect(), latest))
    }

    /// Forgets the history of changes: every token handed out so far has expired.
    pub fn expire_tokens(&mut self) {
        self.clock += 1;
        self.forgotten = self.clock;
        self.history.clear();
    }

    /// Puts a record in as it is, whatever the rules say: what somebody does in the target behind the gateway's back.
    pub fn put(&mut self, record: Record) {
        self.write(record);
    }

    pub fn erase(&mut self, kind: &Kind, id: &NativeId) -> Option<Row> {
        let row = self.rows.remove(&(kind.clone(), id.clone()))?;
        self.release_keys(&row.record);
        self.remember(kind, id);
        Some(row)
    }

    fn of_kind<'a>(&'a self, kind: &'a Kind) -> impl Iterator<Item = &'a Row> {
        let from = Bound::Included((kind.clone(), NativeId(String::new())));
        self.rows.range((from, Bound::Unbounded)).take_while(move |((of, _), _)| of == kind).map(|(_, row)| row)
    }

    fn checked(&self, schema: &KindSchema, attrs: &Attrs) -> Result<Attrs> {
        for (name, values) in attrs {
            if !values.is_empty() && !declared(schema, name)?.creatable {
                return Err(ConnError::invalid("cannot be given").attribute(name));
            }
        }
        self.checked_update(schema, attrs)
    }

    fn checked_update(&self, schema: &KindSchema, attrs: &Attrs) -> Result<Attrs> {
        for (name, attr) in &schema.attrs {
            check_values(name, attr, attrs.get(name))?;
        }
        if let Some(name) = attrs.keys().find(|name| !schema.attrs.contains_key(*name)) {
            return Err(ConnError::invalid("no such attribute").attribute(name));
        }
        Ok(attrs.iter().filter(|(_, values)| !values.is_empty()).map(|(n, v)| (n.clone(), v.clone())).collect())
    }

    fn change_entitlements(
        &self,
        schema: &KindSchema,
        record: &mut Record,
        change: &EntitlementChange,
    ) -> Result<Vec<PartFailure>> {
        if change.is_empty() {
            return Ok(Vec::new());
        }
        let Some(held) = record.entitlements.as_mut() else {
            return Err(ConnError::unsupported("this kind holds no entitlements"));
        };
        let add = if schema.caps.replaces_entitlements {
            let whole = change.whole.as_ref().ok_or_else(|| {
                ConnError::conflict("the list is replaced as a whole and no complete read of it was given")
            })?;
            held.retain(|one| whole.iter().any(|other| other.same_grant(one)));
            whole
        } else {
            held.retain(|one| !change.remove.iter().any(|other| other.same_grant(one)));
            &change.add
        };
        let mut failed = Vec::new();
        for one in add {
            if !self.catalogue.get(&one.kind).is_some_and(|values| values.contains(&one.value)) {
                let part = format!("{}:{}", one.kind, one.value);
                let error = ConnError::invalid("no such entitlement").attribute(&part);
                failed.push(PartFailure { part, error });
                continue;
            }
            match held.iter_mut().find(|other| other.same_grant(one)) {
                Some(other) => *other = one.clone(),
                None => held.push(one.clone()),
            }
        }
        held.sort();
        Ok(failed)
    }

    fn mint(&mut self, kind: &Kind, schema: &KindSchema, attrs: &Attrs) -> NativeId {
        if self.named.contains(kind) {
            let name: Vec<String> =
                schema.natural_keys.iter().take(1).flatten().filter_map(|n| text(attrs, n)).collect();
            return NativeId(format!("{kind}/{}", name.join("+").to_lowercase()));
        }
        self.ids += 1;
        NativeId(format!("{}{:08}", kind.0.chars().take(1).collect::<String>().to_uppercase(), self.ids))
    }

    fn write(&mut self, mut record: Record) {
        let place = (record.kind.clone(), record.id.clone());
        if let Some(old) = self.rows.get(&place).map(|row| row.record.clone()) {
            self.release_keys(&old);
        }
        if let Some(schema) = self.schema.kinds.get(&record.kind) {
            for key in natural_keys(&record.kind, schema, &record.attrs) {
                self.keys.entry(key).or_insert_with(|| record.id.clone());
            }
        }
        self.remember(&place.0, &place.1);
        record.version = Some(self.clock.to_string());
        match self.rows.get_mut(&place) {
            Some(row) => row.record = record,
            None => {
                self.rows.insert(place, Row { record, sessions: 0, passwords_set: 0 });
            }
        }
    }

    fn release_keys(&mut self, record: &Record) {
        let Some(schema) = self.schema.kinds.get(&record.kind) else { return };
        for key in natural_keys(&record.kind, schema, &record.attrs) {
            if self.keys.get(&key) == Some(&record.id) {
                self.keys.remove(&key);
            }
        }
    }

    fn remember(&mut self, kind: &Kind, id: &NativeId) {
        self.clock += 1;
        self.history.push_back((self.clock, kind.clone(), id.clone()));
        if self.history.len() > HISTORY_LIMIT {
            self.forgotten = self.history.pop_front().map_or(self.forgotten, |(at, _, _)| at);
        }
    }
}

fn declared<'a>(schema: &'a KindSchema, name: &str) -> Result<&'a AttrSchema> {
    schema.attrs.get(name).ok_or_else(|| ConnError::invalid("no such attribute").attribute(name))
}

fn text(attrs: &Attrs, name: &str) -> Option<String> {
    attrs.get(name).and_then(|values| values.first()).map(ToString::to_string)
}

/// The values of all natural keys, as held.
pub(super) fn natural_key_of(schema: &KindSchema, attrs: &Attrs) -> BTreeMap<String, Value> {
    let first =
        |name: &String| attrs.get(name).and_then(|values| values.first()).map(|value| (name.clone(), value.clone()));
    schema.natural_keys.iter().flatten().filter_map(first).collect()
}

fn natural_keys(kind: &Kind, schema: &KindSchema, attrs: &Attrs) -> Vec<NaturalKey> {
    let of = |set: &Vec<String>| {
        let mut names: Vec<&String> = set.iter().collect();
        names.sort();
        names
            .into_iter()
            .map(|name| attrs.get(name)?.first().map(|value| (name.clone(), fold(schema.attrs.get(name), value))))
            .collect::<Option<Vec<_>>>()
    };
    schema.natural_keys.iter().filter_map(of).map(|key| (kind.clone(), key)).collect()
}

fn entry(kind: &Kind, value: &NativeId) -> Record {
    Record {
        kind: kind.clone(),
        id: value.clone(),
        natural_key: BTreeMap::new(),
        attrs: Attrs::from([("name".to_owned(), vec![Value::from(value.as_str())])]),
        state: AccountState::Unknown,
        entitlements: None,
        incomplete: false,
        version: None,
    }
}
