//! What a write sees during its turn: the connection inside the open transaction, and the numbers that the writer alone hands out.

use super::ids::{IdKey, number};
use super::names::{Name, Names};
use super::tally::Tally;
use crate::chain;
use crate::error::Result;
use gateway_domain::{AuditEntry, Clock};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

/// What the writer and the readers share.
pub(super) struct Shared {
    /// All names.
    pub(super) names: Names,
    /// The gateway's clock.
    pub(super) clock: Arc<dyn Clock>,
    /// The policy epoch of the last commit.
    pub(super) epoch: AtomicU64,
    /// Why the last transaction failed; `None` after one that went well.
    pub(super) trouble: Mutex<Option<String>>,
    /// What the check after a crash found.
    pub(super) damage: Mutex<Option<String>>,
    /// The server's own key.
    pub(super) key: [u8; 32],
}

/// How many seqs one block counts.
pub(super) const BLOCK_BITS: u32 = 10;
/// Where a resource's type stands in its seq.
pub(super) const TYPE_BITS: u32 = 40;
/// Where a resource's seq stands in an assertion's id.
pub(super) const SOURCE_BITS: u32 = 12;

/// The number of the type of the resource with this seq.
pub(super) fn type_of(seq: i64) -> i64 {
    seq >> TYPE_BITS
}

/// Numbers that only the writer hands out. A copy is kept while a transaction runs, to go back to when it fails.
#[derive(Debug, Clone)]
pub(super) struct State {
    audit_seq: u64,
    audit_hash: [u8; 32],
    next: HashMap<i64, i64>,
    blocks: HashMap<i64, (i64, i64)>,
    success: HashMap<i64, i64>,
    /// The policy epoch.
    pub(super) epoch: u64,
    /// Changes of the counts of links.
    pub(super) tally: Tally,
    /// Groups in targets, whose members are followed.
    pub(super) rosters: u64,
    /// Names written in this transaction.
    pub(super) learned: Vec<(Name, i64)>,
}

impl State {
    /// Reads where the last process stopped.
    pub(super) fn load(conn: &Connection) -> Result<Self> {
        let last = conn
            .query_row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))
            })
            .optional()?;
        let (seq, hash) = last.unwrap_or((0, chain::GENESIS));
        let epoch: Option<i64> =
            conn.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0)).optional()?;
        let mut next = HashMap::new();
        let mut rows = conn.prepare("SELECT id, top FROM block ORDER BY id")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let top: i64 = row.get(1)?;
            next.insert(type_of(top), top + 1);
        }
        Ok(Self {
            audit_seq: u64::try_from(seq).unwrap_or(0),
            audit_hash: hash,
            next,
            blocks: HashMap::new(),
            success: HashMap::new(),
            epoch: epoch.and_then(|epoch| u64::try_from(epoch).ok()).unwrap_or(0),
            tally: Tally::default(),
            rosters: super::roll::count(conn)?,
            learned: Vec::new(),
        })
    }

    /// Writes what gathered over the whole transaction: many changes of one row become one statement.
    pub(super) fn flush(&mut self, conn: &Connection) -> Result<()> {
        for (block, (by, top)) in self.blocks.drain() {
            conn.prepare_cached(
                "INSERT INTO block (id, count, top) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count, top = max(top, excluded.top)",
            )?
            .execute((block, by, top))?;
        }
        for (target, at) in self.success.drain() {
            conn.prepare_cached(
                "INSERT INTO success (target, at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
            )?
            .execute((target, at))?;
        }
        self.tally.flush(conn)
    }
}

/// One write's turn.
pub(super) struct Turn<'a> {
    /// The connection, inside a transaction.
    pub(super) conn: &'a Connection,
    /// The writer's numbers.
    pub(super) state: &'a mut State,
    /// What readers see too.
    pub(super) shared: &'a Shared,
}

impl Turn<'_> {
    /// The present instant in microseconds.
    pub(super) fn now(&self) -> i64 {
        self.shared.clock.now().as_microsecond()
    }

    /// The number of the audit row that comes next; it grows with every change.
    pub(super) fn audit_seq(&self) -> u64 {
        self.state.audit_seq + 1
    }

    /// Writes an audit row and chains it.
    pub(super) fn audit(&mut self, entry: &AuditEntry) -> Result<()> {
        let seq = self.state.audit_seq + 1;
        let hash = chain::next(&self.state.audit_hash, seq, entry);
        self.conn
            .prepare_cached(
                "INSERT INTO audit (seq, at, actor, action, resource, subject, version, detail, hash) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                number(seq),
                entry.at.as_microsecond(),
                &entry.actor,
                entry.action.name(),
                entry.resource.as_ref().map(IdKey::from),
                &entry.subject,
                number(entry.version),
                &entry.detail,
                hash.as_slice(),
            ))?;
        self.state.audit_seq = seq;
        self.state.audit_hash = hash;
        Ok(())
    }

    /// A new resource's seq. One that is not used in the end leaves a gap, which harms nothing.
    pub(super) fn new_seq(&mut self, ty: i64) -> i64 {
        let next = self.state.next.entry(ty).or_insert((ty << TYPE_BITS) + 1);
        let seq = *next;
        *next += 1;
        seq
    }

    /// A resource came (`1`) or went (`-1`).
    pub(super) fn counted(&mut self, seq: i64, by: i64) {
        let block = self.state.blocks.entry(seq >> BLOCK_BITS).or_insert((0, seq));
        block.0 += by;
        block.1 = block.1.max(seq);
    }

    /// A target accepted everything for some link.
    pub(super) fn succeeded(&mut self, target: i64, at: i64) {
        let newest = self.state.success.entry(target).or_insert(at);
        *newest = (*newest).max(at);
    }
}
