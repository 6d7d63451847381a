//! What goes wrong with a file, and what the store makes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use gateway_domain::{Action, Lane};
use gateway_store::conformance::{TestClock, World};
use gateway_store::sqlite::Options;
use gateway_store::{Sqlite, Store, StoreError};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn open(path: &Path) -> Result<Sqlite, StoreError> {
    Sqlite::open(path, TestClock::new(), Options::default())
}

fn world(store: &Sqlite) -> World<'_> {
    World::new(store, TestClock::new())
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// Ends a store the way a crash does: nothing is closed, and only the operating system's lock is given back.
fn copy_as_after_a_crash(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    std::fs::copy(wal(from), wal(to)).unwrap();
    std::fs::copy(from.with_extension("db-lock"), to.with_extension("db-lock")).unwrap();
}

#[tokio::test]
async fn a_closed_store_opens_with_everything_in_one_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let store = open(&path).unwrap();
    let key = store.server_key();
    world(&store).linked("u1", "directory", Lane::Interactive).await;
    world(&store).group("g", &["u1"]).await;
    drop(store);
    assert!(!wal(&path).exists());
    let store = open(&path).unwrap();
    assert_eq!(store.server_key(), key);
    let world = world(&store);
    assert_eq!(world.member_ids("g").await, ["u1"]);
    // Numbers go on where they stopped: no seq, link or audit row is given twice.
    world.linked("u2", "directory", Lane::Interactive).await;
    let rows = store.audit(0, 10).await.unwrap();
    assert_eq!(rows.len(), 3);
    gateway_store::chain::verify((0, gateway_store::chain::GENESIS), &rows).unwrap();
    assert_eq!(store.status().await.unwrap()[0].due, 2);
    store.check().unwrap();
}

#[tokio::test]
async fn a_file_in_use_is_refused_to_a_second_process() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let first = open(&path).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("another process")), "{refused}");
    drop(first);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_crash_without_its_log_is_refused_loudly() {
    let dir = TempDir::new().unwrap();
    let (path, copy) = (dir.path().join("store.db"), dir.path().join("copy.db"));
    let store = open(&path).unwrap();
    world(&store).person("u1").await;
    copy_as_after_a_crash(&path, &copy);
    std::fs::remove_file(wal(&copy)).unwrap();
    let refused = open(&copy).unwrap_err();
    assert!(matches!(&refused, StoreError::Corrupt(why) if why.contains("-wal")), "{refused}");
}

#[tokio::test]
async fn a_crash_with_its_log_loses_nothing_and_is_checked() {
    let dir = TempDir::new().unwrap();
    let (path, copy) = (dir.path().join("store.db"), dir.path().join("copy.db"));
    let store = open(&path).unwrap();
    world(&store).person("u1").await;
    copy_as_after_a_crash(&path, &copy);
    let store = open(&copy).unwrap();
    assert!(world(&store).view("User", "u1").await.is_some());
    store.check().unwrap();
    assert_eq!(store.health().await, Ok(()));
}

#[tokio::test]
async fn a_damaged_page_shows_in_health_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let store = open(&path).unwrap();
    let world_one = world(&store);
    for n in 0..200 {
        world_one.person(&format!("u{n}")).await;
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let page = find(&bytes, b"u150").unwrap() / 4096 * 4096;
    bytes[page..page + 64].fill(0xEE);
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(path.with_extension("db-lock"), "open\n").unwrap();
    std::fs::write(wal(&path), "").unwrap();
    let Ok(store) = open(&path) else { return };
    let mut health = store.health().await;
    for _ in 0..100 {
        if health.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        health = store.health().await;
    }
    assert!(health.unwrap_err().contains("damage"));
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|window| window == what)
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_recovers_without_a_restart() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let options = Options { max_pages: Some(65), ..Options::default() };
    let store = Sqlite::open(&path, TestClock::new(), options).unwrap();
    let world = world(&store);
    let big = |n: usize| json!({ "userName": format!("u{n}"), "title": "x".repeat(9_000) });
    let mut there = 0;
    let error = loop {
        match store.commit(world.creation("User", &format!("u{there}"), big(there))).await {
            Ok(_) => there += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(there > 3);
    // What was answered is there, what was refused is not, and the chain has no gap.
    for n in 0..=there {
        assert_eq!(world.view("User", &format!("u{n}")).await.is_some(), n < there);
    }
    world.delete("User", "u0").await;
    assert_eq!(store.health().await, Ok(()));
    world.user("again", big(999)).await;
    let rows = store.audit(0, 1_000).await.unwrap();
    assert_eq!(rows.len(), there + 2);
    gateway_store::chain::verify((0, gateway_store::chain::GENESIS), &rows).unwrap();
    store.check().unwrap();
}

#[tokio::test]
async fn a_full_intake_says_so_at_once() {
    let store = Sqlite::memory(TestClock::new(), Options::default()).unwrap();
    let world = world(&store);
    world.linked("u", "directory", Lane::Interactive).await;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    // The writer is busy with this claim until the test lets go.
    let ask = gateway_store::ClaimAsk {
        target: "directory".into(),
        slots: gateway_store::Slots { total: 1, other: 1, bulk: 1 },
        lease: Duration::from_secs(1),
        prepare: std::sync::Arc::new(move |link| {
            let _ = wait.lock().unwrap().recv();
            serde_json::from_value(json!({ "generation": link.generation, "opId": "1", "delta": "read" })).unwrap()
        }),
    };
    let mut jobs: Vec<_> = vec![Box::pin(async { store.claim(ask).await.map(|_| ()) })
        as std::pin::Pin<Box<dyn Future<Output = Result<(), StoreError>>>>];
    for _ in 0..1_300 {
        jobs.push(Box::pin(async { store.advance_sweep(1, None).await }));
    }
    let mut full = 0;
    std::future::poll_fn(|context| {
        for job in &mut jobs {
            if let std::task::Poll::Ready(outcome) = job.as_mut().poll(context) {
                assert_eq!(outcome, Err(StoreError::Full));
                full += 1;
            }
        }
        std::task::Poll::Ready(())
    })
    .await;
    assert!((1..=1_300 - 1_023).contains(&full), "{full}");
    drop(go);
    let mut health = store.health().await;
    for _ in 0..100 {
        if health.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        health = store.health().await;
    }
    assert_eq!(health, Ok(()));
}

#[tokio::test]
async fn a_panic_in_a_write_ends_only_that_write() {
    let store = Sqlite::memory(TestClock::new(), Options::default()).unwrap();
    let world = world(&store);
    world.linked("u", "directory", Lane::Interactive).await;
    let ask = gateway_store::ClaimAsk {
        target: "directory".into(),
        slots: gateway_store::Slots { total: 1, other: 1, bulk: 1 },
        lease: Duration::from_secs(1),
        prepare: std::sync::Arc::new(|_| panic!("as asked")),
    };
    assert!(matches!(store.claim(ask).await, Err(StoreError::Unavailable(_))));
    store.revoke_token("none", world.entry(Action::Operate, "u")).await.unwrap();
    world.person("u1").await;
}
