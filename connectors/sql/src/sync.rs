//! What changed since: by the instant that rows carry.
//!
//! A row's instant is that of its statement, but it shows only when its transaction is committed: whoever asks for what is newer
//! than the newest seen loses what was written before and committed after. So every look goes back by `overlap`, and the token
//! remembers what it saw there, to tell nothing twice.

use crate::{
    config::On,
    connector::SqlConnector,
    database::{Bound, Purpose, Row},
    plan::{KindPlan, Named},
    record::{cannot, record},
    transaction::{Args, Tx},
    value::{self, Shape},
};
use async_trait::async_trait;
use connector_spi::{ConnError, Ctx, Kind, Result, SyncEvent, SyncToken, Syncer, Value};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most rows of one look; with more everything is read anew.
const ROWS: usize = 10_000;
/// Most marks that a token remembers. What is beyond is told twice, which does no harm.
const MARKS: usize = 2_000;

/// A token's content.
#[derive(Serialize, Deserialize)]
struct Point {
    /// The newest instant seen.
    since: Timestamp,
    /// Marks of the rows seen within the overlap before it.
    seen: BTreeSet<String>,
}

/// One row that changed.
struct Seen {
    at: Timestamp,
    mark: String,
    row: Row,
}

#[async_trait]
impl Syncer for SqlConnector {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        let kind = self.kind(kind)?;
        let named = kind.changes.as_ref().ok_or_else(|| cannot(kind, "be watched"))?;
        let mut tx = self.looking(cx).await?;
        let now = tx.clock().await?;
        let (seen, _) = self.since(&mut tx, kind, named, now).await?;
        tx.rollback().await;
        token(kind, now, &seen)
    }

    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        let plan = self.kind(kind)?;
        let named = plan.changes.as_ref().ok_or_else(|| cannot(plan, "be watched"))?;
        let Ok(point) = serde_json::from_str::<Point>(token.as_str()) else {
            return Ok((vec![SyncEvent::Resync], self.latest(cx, kind).await?));
        };
        let mut tx = self.looking(cx).await?;
        let (seen, cut) = self.since(&mut tx, plan, named, point.since).await?;
        if cut {
            tx.rollback().await;
            return Ok((vec![SyncEvent::Resync], self.latest(cx, kind).await?));
        }
        let mut events = Vec::new();
        for one in seen.iter().filter(|one| !point.seen.contains(&one.mark)) {
            let mut record = [record(plan, &one.row, &self.plan.zones, &named.label)?];
            tx.entitlements(plan, &mut record).await?;
            let [mut record] = record;
            record.incomplete |= self.replica.is_some();
            events.push(SyncEvent::Upsert(Box::new(record)));
        }
        tx.rollback().await;
        Ok((events, self::token(plan, point.since, &seen)?))
    }
}

impl SqlConnector {
    async fn looking<'c>(&'c self, cx: &'c Ctx) -> Result<Tx<'c>> {
        let copy = self.replica.as_deref();
        Tx::begin_at(self, copy.unwrap_or(self.database.as_ref()), cx, Purpose::Read).await
    }

    /// The rows that changed since an instant less the overlap, and whether there were too many.
    async fn since(
        &self,
        tx: &mut Tx<'_>,
        kind: &KindPlan,
        named: &Named,
        since: Timestamp,
    ) -> Result<(Vec<Seen>, bool)> {
        let shape = Shape::instant(kind.config.changes.as_ref().map(|changes| changes.form).unwrap_or_default());
        let at = Value::At { at: back(kind, since) };
        let bound: Bound = value::bound(shape, Some(&at), &self.plan.zones).map_err(ConnError::config)?;
        let done =
            tx.run(On::Read, kind, named, &Args { more: vec![("since", bound)], ..Args::default() }, ROWS).await?;
        let mut all = Vec::with_capacity(done.rows.len());
        for row in done.rows {
            let told = row.get("changed_at").and_then(|cell| value::read(shape, cell, &self.plan.zones).ok().flatten());
            let Some(Value::At { at }) = told else {
                return Err(ConnError::config(format!("{} shows no instant as changed_at", named.label)));
            };
            let text = |name: &str| row.get(name).and_then(value::text).unwrap_or_default();
            let mark = format!("{}/{}/{at}", text("id"), text("version"));
            all.push(Seen { at, mark, row });
        }
        Ok((all, done.cut))
    }
}

fn back(kind: &KindPlan, since: Timestamp) -> Timestamp {
    let overlap = kind.config.changes.as_ref().map_or(0, |changes| changes.overlap);
    since.checked_sub(SignedDuration::from_secs(overlap.into())).unwrap_or(since)
}

/// The next token: as far as was seen, and what was seen shortly before.
fn token(kind: &KindPlan, since: Timestamp, seen: &[Seen]) -> Result<SyncToken> {
    let newest = seen.iter().map(|one| one.at).max().map_or(since, |newest| newest.max(since));
    let from = back(kind, newest);
    let mut marks: BTreeSet<String> = seen.iter().filter(|one| one.at >= from).map(|one| one.mark.clone()).collect();
    while marks.len() > MARKS {
        marks.pop_first();
    }
    let text = serde_json::to_string(&Point { since: newest, seen: marks });
    text.map(SyncToken).map_err(|_| ConnError::permanent("the token cannot be written"))
}
