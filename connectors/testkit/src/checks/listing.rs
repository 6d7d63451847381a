//! listing: every record once, also while others work; and the target's own changes.

use crate::{
    bench::{Bench, Ending, Stop, change_attr, ensure, untested},
    faults::Fault,
};
use connector_spi::{Connector, Cursor, Delta, Kind, Lister, NativeId, Op, Page, Record, SyncEvent, SyncToken, Syncer};
use std::collections::BTreeSet;

/// More pages than any target of a test has.
const PAGES: u32 = 50_000;

fn lister<'c>(b: &Bench<'_>, connector: &'c dyn Connector) -> Result<&'c dyn Lister, Stop> {
    b.needs("list", |caps| caps.list)?;
    match connector.lister() {
        Some(lister) => Ok(lister),
        None => Err(Stop::Failed("list is declared, but the connector has no lister".into())),
    }
}

async fn page(
    b: &Bench<'_>,
    connector: &dyn Connector,
    cursor: Option<&Cursor>,
    size: u32,
) -> Result<Page<Record>, Stop> {
    let kind = &b.account.kind;
    let outcome = lister(b, connector)?.list(&b.ctx(), kind, cursor, size).await;
    let told = outcome.as_ref().map(|page| (page.items.len(), &page.next, page.complete)).map_err(Clone::clone);
    b.note(Op::List, (kind, cursor, size), told)?;
    Ok(outcome?)
}

/// The ids from `cursor` to the end, page by page.
async fn rest(
    b: &Bench<'_>,
    connector: &dyn Connector,
    mut cursor: Option<Cursor>,
    size: u32,
) -> Result<Vec<NativeId>, Stop> {
    let mut ids = Vec::new();
    for _ in 0..PAGES {
        let page = page(b, connector, cursor.as_ref(), size).await?;
        ensure!(page.complete, "a page of a healthy target is not complete");
        ids.extend(page.items.into_iter().map(|record| record.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(ids),
        }
    }
    Err(Stop::Failed("the listing has no end".into()))
}

async fn make_some(b: &Bench<'_>, count: usize) -> Result<BTreeSet<NativeId>, Stop> {
    let mut made = BTreeSet::new();
    for _ in 0..count {
        made.insert(b.make(b.account).await?.0);
    }
    b.settle(&b.account.kind).await;
    Ok(made)
}

fn missing<'m>(made: &'m BTreeSet<NativeId>, seen: &[NativeId]) -> Vec<&'m NativeId> {
    made.iter().filter(|id| !seen.contains(id)).collect()
}

pub(super) async fn every_record_once(b: &Bench<'_>) -> Ending {
    lister(b, &*b.connector)?;
    let made = make_some(b, 5).await?;
    let seen = rest(b, &*b.connector, None, 2).await?;
    let lost = missing(&made, &seen);
    ensure!(lost.is_empty(), "the listing lacks {lost:?}");
    let distinct: BTreeSet<&NativeId> = seen.iter().collect();
    ensure!(distinct.len() == seen.len(), "{} records are listed as {}", distinct.len(), seen.len());
    Ok(())
}

pub(super) async fn stable_under_inserts(b: &Bench<'_>) -> Ending {
    lister(b, &*b.connector)?;
    let made = make_some(b, 5).await?;
    let first = page(b, &*b.connector, None, 2).await?;
    make_some(b, 2).await?;
    let mut seen: Vec<NativeId> = first.items.into_iter().map(|record| record.id).collect();
    if first.next.is_some() {
        seen.extend(rest(b, &*b.connector, first.next, 2).await?);
    }
    let lost = missing(&made, &seen);
    ensure!(lost.is_empty(), "records were made during the listing, and it lost {lost:?}");
    Ok(())
}

pub(super) async fn truncated_page_is_not_complete(b: &Bench<'_>) -> Ending {
    b.needs("list", |caps| caps.list)?;
    let proxy = b.proxy(Fault::TruncatedPage)?;
    make_some(b, 3).await?;
    proxy.set(Fault::TruncatedPage).await;
    let outcome = lister(b, &*b.connector)?.list(&b.ctx(), &b.account.kind, None, 100).await;
    proxy.set(Fault::Off).await;
    match b.note(Op::List, "cut off", outcome) {
        Ok(page) => {
            ensure!(!page.complete, "a page that was cut off says that it is complete");
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

pub(super) async fn cursor_survives_restart(b: &Bench<'_>) -> Ending {
    lister(b, &*b.connector)?;
    let made = make_some(b, 5).await?;
    let first = page(b, &*b.connector, None, 2).await?;
    let Some(cursor) = first.next else { return Err(Stop::Failed("five records fit on a page of two".into())) };
    let restarted = b.open(b.subject.config.clone()).await?;
    let mut seen: Vec<NativeId> = first.items.into_iter().map(|record| record.id).collect();
    seen.extend(rest(b, &*restarted, Some(cursor), 2).await?);
    let lost = missing(&made, &seen);
    ensure!(lost.is_empty(), "after a restart of the connector the listing lacks {lost:?}");
    Ok(())
}

fn syncer<'b>(b: &'b Bench<'_>) -> Result<&'b dyn Syncer, Stop> {
    b.needs("sync", |caps| caps.sync)?;
    match b.connector.syncer() {
        Some(syncer) => Ok(syncer),
        None => Err(Stop::Failed("sync is declared, but the connector has no syncer".into())),
    }
}

/// What happened since the token; the next token replaces it.
async fn since(b: &Bench<'_>, kind: &Kind, token: &mut SyncToken) -> Result<Vec<SyncEvent>, Stop> {
    b.settle(kind).await;
    let (events, next) = b.note(Op::Changes, &token, syncer(b)?.changes(&b.ctx(), kind, token).await)?;
    *token = next;
    Ok(events)
}

pub(super) async fn sees_create_update_delete(b: &Bench<'_>) -> Ending {
    let kind = &b.account.kind;
    let mut token = b.note(Op::Latest, kind, syncer(b)?.latest(&b.ctx(), kind).await)?;
    let upserts = |events: &[SyncEvent], id: &NativeId| {
        events.iter().filter(|event| matches!(event, SyncEvent::Upsert(record) if record.id == *id)).count()
    };

    let (id, _) = b.make(b.account).await?;
    let created = since(b, kind, &mut token).await?;
    ensure!(upserts(&created, &id) > 0, "a create is not told");

    b.update(kind, &id, &change_attr(&b.account.text, Delta::Set(vec!["Testperson 15 Example".into()]))).await?;
    let updated = since(b, kind, &mut token).await?;
    ensure!(upserts(&updated, &id) > 0, "an update is not told");

    if b.caps()?.delete {
        b.connector.delete(&b.ctx(), kind, &id).await?;
        let deleted = since(b, kind, &mut token).await?;
        let told = deleted.iter().any(|event| matches!(event, SyncEvent::Gone { id: gone, .. } if *gone == id));
        ensure!(told, "a delete is not told");
    }
    let quiet = since(b, kind, &mut token).await?;
    ensure!(quiet.is_empty(), "nothing happened, and {} events are told", quiet.len());
    Ok(())
}

pub(super) async fn expired_token_is_resync(b: &Bench<'_>) -> Ending {
    let syncer = syncer(b)?;
    let Some(old) = &b.subject.fixture.expired_token else {
        untested!("no token is given that is too old"; add "expired_token to the legal values")
    };
    let (events, _) = b.note(Op::Changes, old, syncer.changes(&b.ctx(), &b.account.kind, old).await)?;
    ensure!(events.contains(&SyncEvent::Resync), "an expired token is answered with {events:?}, not Resync");
    Ok(())
}
