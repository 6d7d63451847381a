//! What a create costs: through the store, and as raw rusqlite with the same rows.
//!
//! `cargo run --release -p gateway-store --example create_cost [seconds]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use gateway_domain::index::Plan;
use gateway_domain::{Action, AuditEntry, Clock, Lane, LinkKey, SourceId};
use gateway_store::{AssertionWrite, Change, Expect, LinkWrite, Needs, Sqlite, Store, Write, chain};
use jiff::Timestamp;
use rusqlite::Connection;
use scim::{Object, Resource, Types};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

/// CPU seconds of this process so far, user and system.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn attrs(n: u64) -> Object {
    let value = json!({
        "userName": format!("testperson.{n}@hosp.example"),
        "displayName": format!("Testperson {n} Example"),
        "name": { "familyName": format!("Example{n}"), "givenName": "Testperson", "formatted": format!("Testperson Example{n}") },
        "emails": [{ "value": format!("testperson.{n}@hosp.example"), "type": "work", "primary": true }],
        "active": true, "title": "Nurse", "userType": "Employee", "preferredLanguage": "en-US",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": n.to_string(), "department": "Ward 7", "costCenter": "4130" }
    });
    value.as_object().unwrap().clone()
}

fn change(plan: &Plan, n: u64) -> Change {
    let attrs = attrs(n);
    // Version 7: they grow with time, as the gateway's own do.
    let id = uuid::Uuid::now_v7().to_string();
    let external: std::collections::BTreeMap<_, _> = [(SourceId::from("feed"), format!("ext-{n}"))].into();
    let index = plan.entries(&Resource { attrs: attrs.clone() }, &external);
    let now = Fixed.now();
    let wanted = json!({ "state": "enabled", "attrs": { "cn": [format!("Testperson {n} Example")], "sn": ["Example"],
        "mail": [format!("testperson.{n}@hosp.example")] }, "key": { "uid": format!("testperson.{n}") } });
    Change {
        ty: "User".into(),
        id: id.as_str().into(),
        expect: Expect::Absent,
        policy_epoch: 0,
        write: Write::Put { attrs: attrs.clone(), index, unindex: Vec::new() },
        source: "feed".into(),
        assertion: Some(AssertionWrite::Put { attrs, external_id: Some(format!("ext-{n}")) }),
        members: Vec::new(),
        sweep_members: false,
        sweep: None,
        links: vec![LinkWrite {
            key: LinkKey {
                resource: id.as_str().into(),
                target: "directory".into(),
                kind: "account".into(),
                purpose: String::new(),
            },
            expect_generation: 0,
            wanted: Some(serde_json::from_value(wanted).unwrap()),
            state: None,
            lane: Lane::Interactive,
            due_at: Some(now),
            error: None,
            order_key: format!("uid=testperson.{n}"),
        }],
        next_change_at: None,
        audit: AuditEntry {
            at: now,
            actor: "source:feed".into(),
            action: Action::Create,
            resource: Some(id.as_str().into()),
            subject: "User".into(),
            version: 1,
            detail: "userName, displayName, name, emails, active".into(),
        },
        now,
    }
}

struct Rate {
    per_second: f64,
    cpu_micros: f64,
}

async fn through_store(path: &Path, callers: usize, time: Duration) -> Rate {
    let store = Arc::new(Sqlite::open(path, Arc::new(Fixed), Default::default()).unwrap());
    let plan = Arc::new(Plan::of(Types::built_in().user()));
    let (next, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (began, cpu_before) = (Instant::now(), cpu());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (store, plan, next, stop) = (store.clone(), plan.clone(), next.clone(), stop.clone());
            tokio::spawn(async move {
                let mut made = 0;
                while !stop.load(Ordering::Relaxed) {
                    store.commit(change(&plan, next.fetch_add(1, Ordering::Relaxed))).await.unwrap();
                    made += 1;
                }
                made
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut made = 0u64;
    for task in tasks {
        made += task.await.unwrap();
    }
    rate(made, began, cpu_before)
}

fn rate(made: u64, began: Instant, cpu_before: f64) -> Rate {
    let made = made as f64;
    Rate { per_second: made / began.elapsed().as_secs_f64(), cpu_micros: (cpu() - cpu_before) * 1e6 / made }
}

/// The same rows by prepared statements in one thread, `batch` to a transaction; texts made as the store makes them.
fn raw(path: &Path, batch: u64, time: Duration) -> Rate {
    drop(Sqlite::open(path, Arc::new(Fixed), Default::default()).unwrap());
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;").unwrap();
    conn.set_prepared_statement_cache_capacity(64);
    let plan = Plan::of(Types::built_in().user());
    let (began, cpu_before) = (Instant::now(), cpu());
    let (mut made, mut hash) = (0u64, chain::GENESIS);
    while began.elapsed() < time {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..batch {
            made += 1;
            hash = one(&conn, &change(&plan, made), made, &hash);
        }
        conn.execute_batch("COMMIT").unwrap();
    }
    rate(made, began, cpu_before)
}

fn one(conn: &Connection, change: &Change, n: u64, hash: &[u8; 32]) -> [u8; 32] {
    let Write::Put { attrs, index, .. } = &change.write else { unreachable!() };
    let Some(AssertionWrite::Put { attrs: said, external_id }) = &change.assertion else { unreachable!() };
    let (seq, now, id) = ((1_i64 << 40) + n as i64, change.now.as_microsecond(), change.id.as_str());
    let id = *uuid::Uuid::parse_str(id).unwrap().as_bytes();
    let run = |sql: &str, params: &dyn Fn(&mut rusqlite::CachedStatement<'_>)| {
        params(&mut conn.prepare_cached(sql).unwrap());
    };
    run("SELECT seq, version FROM resource WHERE id = ?1", &|s| assert!(!s.exists([id]).unwrap()));
    for (key, entry) in index.iter().enumerate() {
        let holder = if entry.unique == gateway_store::Unique::Yes { 0 } else { seq };
        run("INSERT INTO lookup (key, value, holder, resource) VALUES (?1, ?2, ?3, ?4)", &|s| {
            s.execute((key as i64 + 1, &entry.value, holder, seq)).unwrap();
        });
    }
    let keys: Vec<u8> = index.iter().flat_map(|entry| entry.value.bytes()).collect();
    run(
        "INSERT INTO resource (seq, id, version, created, modified, display, external, keys, attrs) \
         VALUES (?1, ?2, 1, ?3, ?3, ?4, ?5, ?6, ?7)",
        &|s| {
            let display = attrs["displayName"].as_str();
            s.execute((seq, id, now, display, external_id, &keys, serde_json::to_string(attrs).unwrap())).unwrap();
        },
    );
    run("INSERT INTO assertion (id, observed, external, attrs) VALUES (?1, ?2, ?3, ?4)", &|s| {
        s.execute((seq << 12 | 1, now, external_id, serde_json::to_string(said).unwrap())).unwrap();
    });
    for link in &change.links {
        run(
            "INSERT INTO link (resource, target, kind, purpose, state, lane, generation, applied, fence, attempt, due, \
             dirty, pending, closing, verified, order_key, wanted) \
             VALUES (?1, 1, 1, '', 0, 2, 1, 0, 0, 0, ?2, 0, ?2, 0, 0, ?3, ?4)",
            &|s| {
                let wanted = serde_json::to_string(&link.wanted).unwrap();
                s.execute((id, now, &link.order_key, wanted)).unwrap();
            },
        );
    }
    let hash = chain::next(hash, n, &change.audit);
    run(
        "INSERT INTO audit (seq, at, actor, action, resource, subject, version, detail, hash) \
         VALUES (?1, ?2, ?3, 'create', ?4, 'User', 1, ?5, ?6)",
        &|s| {
            s.execute((n as i64, now, &change.audit.actor, id, &change.audit.detail, hash.as_slice())).unwrap();
        },
    );
    run("INSERT INTO block (id, count, top) VALUES (?1, 1, ?2) ON CONFLICT DO UPDATE SET count = count + 1", &|s| {
        s.execute((seq >> 10, seq)).unwrap();
    });
    hash
}

async fn reads(path: &Path) {
    let store = Sqlite::open(path, Arc::new(Fixed), Default::default()).unwrap();
    let plan = Plan::of(Types::built_in().user());
    let mut ids = Vec::new();
    for n in 0..1_000u64 {
        let change = change(&plan, n);
        ids.push(change.id.clone());
        store.commit(change).await.unwrap();
    }
    let (began, before) = (Instant::now(), cpu());
    for _ in 0..100 {
        for id in &ids {
            store.view("User", id, Needs::default()).await.unwrap().unwrap();
        }
    }
    told("view", began, before, 100 * ids.len());
    let (began, before) = (Instant::now(), cpu());
    for _ in 0..20 {
        for id in &ids {
            store.snapshot("User", id).await.unwrap();
        }
    }
    told("snapshot", began, before, 20 * ids.len());
}

fn told(what: &str, began: Instant, before: f64, times: usize) {
    let per = 1e6 / times as f64;
    println!("{what}: {:.1} µs, {:.1} µs CPU", began.elapsed().as_secs_f64() * per, (cpu() - before) * per);
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let time = Duration::from_secs(std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(5));
    let dir = TempDir::new_in(".").unwrap();
    let path = |name: &str| dir.path().join(name);
    for (callers, batch) in [(1, 1), (64, 64)] {
        let raw = raw(&path(&format!("raw{callers}.db")), batch, time);
        let store = through_store(&path(&format!("store{callers}.db")), callers, time).await;
        println!(
            "{callers:>2} callers: store {:>7.0}/s {:>5.0} µs CPU   raw {:>7.0}/s {:>5.0} µs CPU   ratio {:.2}",
            store.per_second,
            store.cpu_micros,
            raw.per_second,
            raw.cpu_micros,
            store.per_second / raw.per_second
        );
    }
    reads(&path("reads.db")).await;
}
