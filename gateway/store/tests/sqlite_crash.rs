//! A crash, modelled: file and log are copied at random moments while many callers write, and each copy is opened. What the
//! copy cuts off in the middle of a frame fails its checksum and is left out whole.
//!
//! That an answered frame is also on the disk is `synchronous = FULL`'s promise, which `schema.rs` tests to be set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use gateway_store::conformance::{TestClock, World, as_members};
use gateway_store::sqlite::Options;
use gateway_store::{Sqlite, Store, chain};
use scim::MemberOp;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const COPIES: usize = 6;
const CALLERS: u64 = 16;

/// Copies both as of one moment: the main file only changes in a checkpoint, and when one came between, it is done again.
fn copy(from: &Path, to: &Path) {
    let touched = || std::fs::metadata(from).unwrap().modified().unwrap();
    for _ in 0..1_000 {
        let before = touched();
        std::fs::copy(from.with_extension("db-wal"), to.with_extension("db-wal")).unwrap();
        std::fs::copy(from, to).unwrap();
        if touched() == before {
            return;
        }
    }
    panic!("checkpoints without end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_answered_change_is_in_every_later_copy() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let store = Arc::new(Sqlite::open(&path, TestClock::new(), Options::default()).unwrap());
    World::new(store.as_ref(), TestClock::new()).group("g", &[]).await;
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let answered: Arc<Mutex<Vec<u64>>> = Arc::default();
    let writers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (store, stop, next, answered) = (store.clone(), stop.clone(), next.clone(), answered.clone());
            tokio::spawn(async move {
                let world = World::new(store.as_ref(), TestClock::new());
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let attrs = json!({ "userName": format!("u{n}"), "title": "x".repeat((n % 7) as usize * 700) });
                    store
                        .commit(world.named_creation("User", &format!("u{n}"), attrs, &format!("e{n}")))
                        .await
                        .unwrap();
                    answered.lock().unwrap().push(n);
                }
            })
        })
        .collect();
    let mut seen = 0;
    for n in 0..COPIES {
        tokio::time::sleep(Duration::from_millis(37 + 61 * (n as u64 % 5))).await;
        let before = answered.lock().unwrap().clone();
        let to = dir.path().join(format!("copy{n}.db"));
        copy(&path, &to);
        seen += check(&to, &before).await;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen > 100, "too little was written to mean anything: {seen}");
    store.check().unwrap();
}

/// Opens a copy and looks for what had been answered before it was made; how many that were.
async fn check(path: &Path, answered: &[u64]) -> usize {
    let clock = TestClock::new();
    let store = Sqlite::open(path, clock.clone(), Options::default()).unwrap();
    store.check().unwrap();
    let world = World::new(&store, clock);
    for n in answered {
        assert!(world.view("User", &format!("u{n}")).await.is_some(), "u{n} was answered and is gone");
    }
    let (mut at, mut rows) = ((0, chain::GENESIS), 0);
    loop {
        let part = store.audit(at.0, 1_000).await.unwrap();
        if part.is_empty() {
            break;
        }
        rows += part.len();
        at = chain::verify(at, &part).unwrap();
    }
    assert!(rows > answered.len());
    // It goes on from there.
    world.person("after").await;
    world.members("g", vec![MemberOp::Add(as_members(&["after"]))]).await.unwrap();
    answered.len()
}
