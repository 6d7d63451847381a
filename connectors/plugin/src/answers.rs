//! What a plugin answers, held against what it was asked.
//!
//! The form of an answer is checked by its type. This is about its sense: a record of another account that comes as the answer
//! for this one would be compared with what this one should hold, and then closed or stripped. Such an answer is `Unknown`; it
//! never gets further.

use chartgate_plugin::wire::Feature;
use connector_spi::{
    BatchOp, Created, Cursor, Kind, NativeId, Outcome, Page, ReadAfterWrite, Record, SyncEvent, TargetSchema, Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with an answer, in words without any of its values.
pub(crate) type Checked = Result<(), &'static str>;

fn ensure(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(otherwise) }
}

pub(crate) fn got(kind: &Kind, id: &NativeId, found: Option<&Record>) -> Checked {
    let Some(record) = found else { return Ok(()) };
    ensure(record.kind == *kind, "it answered with a record of another kind")?;
    ensure(record.id == *id, "it answered with the record of another id")
}

/// Letter case and surrounding blanks may be the target's own way of writing a key; another value is another record.
pub(crate) fn found(kind: &Kind, key: &BTreeMap<String, Value>, found: &[Record]) -> Checked {
    let same = |asked: &Value, held: &Value| match (asked, held) {
        (Value::Text(asked), Value::Text(held)) => asked.trim().to_lowercase() == held.trim().to_lowercase(),
        // A target may hold a number as text; what cannot be compared is not judged here.
        (asked, held) => std::mem::discriminant(asked) != std::mem::discriminant(held) || asked == held,
    };
    let fits = |record: &Record| {
        key.iter().all(|(name, asked)| match (record.natural_key.get(name), record.attrs.get(name)) {
            (Some(held), _) => same(asked, held),
            (None, Some(held)) if !held.is_empty() => held.iter().any(|held| same(asked, held)),
            (None, _) => true,
        })
    };
    for record in found {
        ensure(record.kind == *kind, "it found a record of another kind")?;
        ensure(fits(record), "it found a record with another key")?;
    }
    Ok(())
}

pub(crate) fn created(kind: &Kind, created: &Created) -> Checked {
    // What a target has only taken on may have no id yet.
    ensure(created.pending.is_some() || !created.id.as_str().is_empty(), "it created a record without an id")?;
    match &created.record {
        Some(record) => got(kind, &created.id, Some(record)),
        None => Ok(()),
    }
}

pub(crate) fn listed(kind: &Kind, cursor: Option<&Cursor>, size: u32, page: &Page<Record>) -> Checked {
    let count = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
    ensure(count <= size, "its page holds more records than were asked for")?;
    ensure(page.items.iter().all(|record| record.kind == *kind), "its page holds a record of another kind")?;
    ensure(page.next.is_none() || page.next.as_ref() != cursor, "its next page is the same page again")
}

pub(crate) fn changed(kind: &Kind, events: &[SyncEvent]) -> Checked {
    let of_kind = |event: &SyncEvent| match event {
        SyncEvent::Upsert(record) => record.kind == *kind,
        SyncEvent::Gone { kind: of, .. } => of == kind,
        SyncEvent::Resync => true,
    };
    ensure(events.iter().all(of_kind), "it tells of a change of another kind")
}

pub(crate) fn applied<E>(ops: &[BatchOp], outcomes: &[Result<Outcome, E>]) -> Checked {
    ensure(ops.len() == outcomes.len(), "it answered a batch with another number of outcomes")?;
    for (op, outcome) in ops.iter().zip(outcomes) {
        match (op, outcome) {
            (BatchOp::Create { kind, .. }, Ok(Outcome::Created(made))) => created(kind, made)?,
            (BatchOp::Update { .. }, Ok(Outcome::Updated(_))) | (_, Err(_)) => {}
            (BatchOp::Create { .. }, Ok(Outcome::Updated(_))) | (BatchOp::Update { .. }, Ok(Outcome::Created(_))) => {
                return Err("it answered a batch in another order");
            }
        }
    }
    Ok(())
}

/// Takes away what the schema promises and the plugin has no facet for.
pub(crate) fn narrow(schema: &mut TargetSchema, features: &BTreeSet<Feature>) {
    let has = |feature| features.contains(&feature);
    for kind in schema.kinds.values_mut() {
        let caps = &mut kind.caps;
        caps.list &= has(Feature::List);
        caps.sync &= has(Feature::Sync);
        caps.set_password &= has(Feature::Passwords);
        caps.effective &= has(Feature::Effect);
        caps.revoke_sessions &= has(Feature::Effect);
        if !has(Feature::Batch) {
            caps.max_batch = 0;
        }
        // Nobody waits longer for a write to be readable, whatever a plugin claims.
        if let ReadAfterWrite::EventualMs(wait) = &mut caps.read_after_write {
            *wait = (*wait).min(LONGEST_WAIT_MS);
        }
    }
}

/// Ten minutes.
const LONGEST_WAIT_MS: u32 = 600_000;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(id: &str, login: &str) -> Record {
        let record = json!({"kind": "account", "id": id, "state": "enabled", "attrs": {"login": [login]}});
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn another_accounts_record_is_not_the_answer() {
        let kind = Kind::from("account");
        assert_eq!(got(&kind, &"1".into(), Some(&record("1", "a"))), Ok(()));
        assert!(got(&kind, &"1".into(), Some(&record("2", "a"))).is_err());
        assert!(got(&"group".into(), &"1".into(), Some(&record("1", "a"))).is_err());
    }

    #[test]
    fn a_key_may_differ_in_case_and_nothing_else() {
        let key = BTreeMap::from([("login".to_owned(), Value::from("Ab"))]);
        let kind = Kind::from("account");
        assert_eq!(found(&kind, &key, &[record("1", "aB ")]), Ok(()));
        assert!(found(&kind, &key, &[record("1", "ab"), record("2", "ac")]).is_err());
        let number = BTreeMap::from([("login".to_owned(), Value::from(7))]);
        assert_eq!(found(&kind, &number, &[record("1", "007")]), Ok(()));
    }

    #[test]
    fn a_page_keeps_to_what_was_asked() {
        let page = |items: Vec<Record>, next: Option<&str>| Page {
            items,
            next: next.map(Cursor::from),
            total_hint: None,
            complete: true,
        };
        let (kind, here) = (Kind::from("account"), Cursor::from("2"));
        assert_eq!(listed(&kind, Some(&here), 1, &page(vec![record("1", "a")], Some("3"))), Ok(()));
        assert!(listed(&kind, Some(&here), 0, &page(vec![record("1", "a")], None)).is_err());
        assert!(listed(&kind, Some(&here), 1, &page(vec![], Some("2"))).is_err());
    }

    #[test]
    fn a_batch_is_answered_one_by_one_and_in_order() {
        let op: BatchOp =
            serde_json::from_value(json!({"op": "update", "opId": "1", "kind": "account", "id": "1", "change": {}}))
                .unwrap();
        let fine = || Ok::<_, ()>(Outcome::Updated(Box::default()));
        assert_eq!(applied(std::slice::from_ref(&op), &[fine()]), Ok(()));
        assert!(applied(std::slice::from_ref(&op), &[fine(), fine()]).is_err());
        assert!(applied(&[op], &[Ok::<_, ()>(Outcome::Created(Box::new(Created::new("1"))))]).is_err());
    }

    #[test]
    fn a_schema_is_narrowed_to_the_facets_and_never_widened() {
        let mut schema: TargetSchema = serde_json::from_value(json!({"revision": "1", "kinds": {"account": {
            "role": "account", "attrs": {}, "naturalKeys": [],
            "caps": {"list": true, "maxBatch": 9, "effective": true, "sync": false},
        }}}))
        .unwrap();
        narrow(&mut schema, &BTreeSet::from([Feature::List, Feature::Sync]));
        let caps = &schema.kinds.values().next().unwrap().caps;
        assert_eq!((caps.list, caps.sync, caps.max_batch, caps.effective), (true, false, 0, false));
    }
}
