//! What a durable create is held against: the very rows that the gateway wrote, written again by rusqlite with prepared
//! statements into an empty file of the same form, with group commit and nothing else.

use gateway_domain::Clock;
use gateway_store::Sqlite;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Tables that a create writes, with the expression that tells whose row it is, by the resource's `seq`.
const TABLES: [(&str, &str); 5] = [
    ("resource", "seq"),
    ("assertion", "id >> 12"),
    ("lookup", "resource"),
    ("link", "(SELECT seq FROM resource r WHERE r.id = link.resource)"),
    ("audit", "(SELECT seq FROM resource r WHERE r.id = audit.resource)"),
];

/// One table's insertion.
struct Insert {
    sql: String,
}

/// Everything that some creates wrote.
pub struct Rows {
    inserts: Vec<Insert>,
    /// Of each create: (table, row).
    creates: Vec<Vec<(usize, Vec<Value>)>>,
    first_block: i64,
}

struct Now;

impl Clock for Now {
    #[allow(clippy::disallowed_methods)] // the store's clock, which nothing here looks at
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The clock of a store that is opened here.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(Now)
}

impl Rows {
    /// Reads them from a gateway's file.
    pub fn of(file: &Path) -> Rows {
        let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the gateway's file");
        let mut by_seq: HashMap<i64, Vec<(usize, Vec<Value>)>> = HashMap::new();
        let mut inserts = Vec::new();
        for (number, (table, seq)) in TABLES.iter().enumerate() {
            let mut statement = conn.prepare(&format!("SELECT *, {seq} FROM {table}")).expect("a table of the store");
            let columns = statement.column_count() - 1;
            let places = vec!["?"; columns].join(", ");
            inserts.push(Insert { sql: format!("INSERT INTO {table} VALUES ({places})") });
            let mut rows = statement.query([]).expect("rows");
            while let Some(row) = rows.next().expect("a row") {
                let Some(seq) = row.get::<_, Option<i64>>(columns).expect("a number") else { continue };
                let values = (0..columns).map(|column| row.get(column).expect("a value")).collect();
                by_seq.entry(seq).or_default().push((number, values));
            }
        }
        let mut in_order: Vec<_> = by_seq.into_iter().collect();
        in_order.sort_by_key(|(seq, _)| *seq);
        let first_block = in_order.first().map_or(0, |(seq, _)| seq >> 10);
        Rows { inserts, creates: in_order.into_iter().map(|(_, rows)| rows).collect(), first_block }
    }

    /// How many rows a create writes.
    pub fn each(&self) -> f64 {
        self.creates.iter().map(Vec::len).sum::<usize>() as f64 / self.creates.len() as f64
    }

    /// Writes them into a new file, `callers` at a time: each waits for the commit of its own before the next. The first
    /// `warm` are not counted. Returns creates a second.
    pub fn write(self, file: &Path, callers: usize, warm: usize) -> f64 {
        drop(Sqlite::open(file, clock(), Default::default()).expect("an empty store"));
        let rows = Arc::new(self);
        let (ask, asked) = mpsc::channel::<(usize, oneshot::Sender<()>)>();
        let writer = std::thread::spawn({
            let (rows, file) = (Arc::clone(&rows), file.to_owned());
            move || rows.work(&file, &asked)
        });
        let count = rows.creates.len();
        let runtime = crate::load::runtime();
        let _warmed = runtime.block_on(call(&ask, 0..warm, callers));
        let elapsed = runtime.block_on(call(&ask, warm..count, callers));
        drop(ask);
        writer.join().expect("the writer ends");
        (count - warm) as f64 / elapsed.as_secs_f64()
    }

    /// One transaction for whatever waits.
    fn work(&self, file: &Path, asked: &mpsc::Receiver<(usize, oneshot::Sender<()>)>) {
        let conn = Connection::open(file).expect("the file");
        conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")
            .expect("settings");
        conn.set_prepared_statement_cache_capacity(32);
        let mut waiting = Vec::new();
        while let Ok(first) = asked.recv() {
            conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.execute([])).expect("a transaction");
            let mut next = Some(first);
            while let Some((create, reply)) = next {
                for (table, values) in &self.creates[create] {
                    let mut insert = conn.prepare_cached(&self.inserts[*table].sql).expect("a statement");
                    insert.execute(params_from_iter(values)).expect("a row");
                }
                waiting.push(reply);
                next = asked.try_recv().ok();
            }
            conn.prepare_cached(
                "INSERT INTO block (id, count, top) VALUES (?1, ?2, 0) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )
            .and_then(|mut s| s.execute((self.first_block, i64::try_from(waiting.len()).unwrap_or(i64::MAX))))
            .expect("a count");
            conn.prepare_cached("COMMIT").and_then(|mut s| s.execute([])).expect("a commit");
            for reply in waiting.drain(..) {
                let _ = reply.send(());
            }
        }
    }
}

async fn call(
    ask: &mpsc::Sender<(usize, oneshot::Sender<()>)>,
    creates: std::ops::Range<usize>,
    callers: usize,
) -> Duration {
    let left = std::cell::RefCell::new(creates);
    let began = Instant::now();
    let one = || async {
        loop {
            let next = left.borrow_mut().next();
            let Some(create) = next else { break };
            let (reply, answer) = oneshot::channel();
            ask.send((create, reply)).expect("the writer runs");
            answer.await.expect("the writer answers");
        }
    };
    futures_util::future::join_all((0..callers).map(|_| one())).await;
    began.elapsed()
}
