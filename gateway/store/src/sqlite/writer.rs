//! The one thread that writes, and how many writes share one fsync.
//!
//! It takes whatever waits, runs each write in one transaction, and answers after the commit. Writes run without savepoints:
//! one that fails has as a rule written nothing yet, which `total_changes` proves. When one fails after it wrote, the whole
//! transaction is rolled back and run again with a savepoint for each: the dear way is taken only when it is needed.
//!
//! A caller waits for a change; nobody waits for a claim or a settlement. So while the writer is busy, those that come alone
//! wait a moment for company: the disk is the targets' too, and every fsync that is shared is one that they need not wait for.

use super::schema;
use super::turn::{Shared, State, Turn};
use crate::error::{Result, StoreError};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Most writes that wait; one more is [`StoreError::Full`].
const INTAKE: usize = 1_024;
/// Most writes of one transaction.
const BATCH: usize = 256;

/// How long after a transaction a write that nobody waits for gathers company.
const GATHER: Duration = Duration::from_millis(2);

/// One write.
trait Job: Send {
    /// Nobody waits for it.
    fn patient(&self) -> bool;
    /// Does it; may be called again after a rollback.
    fn run(&mut self, turn: &mut Turn<'_>) -> Result<()>;
    /// Tells what became of it.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Asked<T, F> {
    act: F,
    made: Option<T>,
    patient: bool,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&mut Turn<'_>) -> Result<T> + Send> Job for Asked<T, F> {
    fn patient(&self) -> bool {
        self.patient
    }

    fn run(&mut self, turn: &mut Turn<'_>) -> Result<()> {
        self.made = None;
        // What runs here is partly the caller's (`ClaimAsk::prepare`): its panic must not end the only writer.
        let made = catch_unwind(AssertUnwindSafe(|| (self.act)(turn)));
        self.made = Some(made.unwrap_or_else(|_| Err(StoreError::Unavailable("a write panicked".into())))?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let made = self.made;
        let unmade = || StoreError::Unavailable("the write was not run".into());
        // Whoever asked may have gone; the write stands all the same.
        let _ = self.reply.send(outcome.and_then(|()| made.ok_or_else(unmade)));
    }
}

/// How the write connection is opened again after a failure that leaves it unusable.
pub(super) struct Reopen {
    /// The file; `None` in memory.
    pub(super) path: Option<PathBuf>,
    /// The page cache in KiB.
    pub(super) cache_kib: u32,
    /// The most pages the file may have.
    pub(super) max_pages: Option<u32>,
}

/// What the writer tells the checkpoint thread, and the other way round.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Counts transactions.
    pub(super) commits: AtomicU64,
    /// The log has grown long: the writer finishes the checkpoint between two transactions, so that it starts again.
    pub(super) finish: AtomicBool,
}

/// The write thread.
pub(super) struct Writer {
    intake: Option<mpsc::SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts it.
    pub(super) fn start(
        conn: Arc<Mutex<Connection>>,
        state: State,
        shared: Arc<Shared>,
        pulse: Arc<Pulse>,
        reopen: Reopen,
    ) -> Result<Self> {
        let (intake, jobs) = mpsc::sync_channel(INTAKE);
        let work = Work { conn, state, shared, pulse, reopen };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work.run(&jobs))
            .map_err(|error| StoreError::Unavailable(format!("no thread for the writer: {}", error.kind())))?;
        Ok(Self { intake: Some(intake), thread: Some(thread) })
    }

    /// Has a write run and waits until it is durable.
    pub(super) async fn ask<T, F>(&self, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Turn<'_>) -> Result<T> + Send + 'static,
    {
        self.send(act, false).await
    }

    /// The same for a write that may wait a moment for others.
    pub(super) async fn ask_patiently<T, F>(&self, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Turn<'_>) -> Result<T> + Send + 'static,
    {
        self.send(act, true).await
    }

    async fn send<T, F>(&self, act: F, patient: bool) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Turn<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::Unavailable("the writer has stopped".into());
        let intake = self.intake.as_ref().ok_or_else(gone)?;
        intake.try_send(Box::new(Asked { act, made: None, patient, reply })).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => StoreError::Full,
            mpsc::TrySendError::Disconnected(_) => gone(),
        })?;
        answer.await.map_err(|_| gone())?
    }

    /// Lets the waiting writes end and stops.
    pub(super) fn stop(&mut self) {
        self.intake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("The store's writer ended in a panic.");
        }
    }
}

struct Work {
    conn: Arc<Mutex<Connection>>,
    state: State,
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    reopen: Reopen,
}

impl Work {
    fn run(mut self, jobs: &mpsc::Receiver<Box<dyn Job>>) {
        let mut batch: Vec<(Box<dyn Job>, Result<()>)> = Vec::with_capacity(BATCH);
        let mut ended = Instant::now();
        while let Ok(first) = jobs.recv() {
            batch.push((first, Ok(())));
            gather(jobs, &mut batch, ended + GATHER);
            let outcome = self.transaction(jobs, &mut batch);
            ended = Instant::now();
            self.note(&outcome);
            for (job, result) in batch.drain(..) {
                job.answer(outcome.clone().and(result));
            }
            self.pulse.commits.fetch_add(1, Ordering::Release);
            if self.pulse.finish.swap(false, Ordering::AcqRel) {
                let conn = lock(&self.conn);
                if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
                    tracing::warn!(error = %StoreError::from(error), "The write-ahead log could not be checkpointed.");
                }
            }
        }
    }

    /// One transaction: the writes that are there and whatever comes while it runs.
    fn transaction(
        &mut self,
        jobs: &mpsc::Receiver<Box<dyn Job>>,
        batch: &mut Vec<(Box<dyn Job>, Result<()>)>,
    ) -> Result<()> {
        let conn = self.conn.clone();
        let mut conn = lock(&conn);
        let before = self.state.clone();
        let outcome = self.fill(&conn, jobs, batch);
        if outcome.is_ok() {
            self.shared.epoch.store(self.state.epoch, Ordering::Release);
            let learned = std::mem::take(&mut self.state.learned);
            self.shared.names.publish(&learned);
        } else {
            self.state = before;
            self.restore(&mut conn);
        }
        outcome
    }

    fn fill(
        &mut self,
        conn: &Connection,
        jobs: &mpsc::Receiver<Box<dyn Job>>,
        batch: &mut Vec<(Box<dyn Job>, Result<()>)>,
    ) -> Result<()> {
        begin(conn)?;
        let before = self.state.clone();
        let mut at = 0;
        while let Some((job, result)) = batch.get_mut(at) {
            let changes = conn.total_changes();
            *result = job.run(&mut Turn { conn, state: &mut self.state, shared: &self.shared });
            if result.is_err() && conn.total_changes() != changes {
                self.state = before;
                return self.again(conn, batch);
            }
            at += 1;
            if at == batch.len()
                && at < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                batch.push((job, Ok(())));
            }
        }
        self.state.flush(conn)?;
        commit(conn)
    }

    /// The same writes again, each in a savepoint of its own.
    fn again(&mut self, conn: &Connection, batch: &mut [(Box<dyn Job>, Result<()>)]) -> Result<()> {
        if !conn.is_autocommit() {
            conn.prepare_cached("ROLLBACK")?.execute([])?;
        }
        begin(conn)?;
        for (job, result) in batch {
            let before = self.state.clone();
            conn.prepare_cached("SAVEPOINT job")?.execute([])?;
            *result = job.run(&mut Turn { conn, state: &mut self.state, shared: &self.shared });
            if let Err(error) = result {
                if conn.is_autocommit() {
                    // A full disk or a failed write ended the transaction as a whole.
                    return Err(error.clone());
                }
                self.state = before;
                conn.prepare_cached("ROLLBACK TO job")?.execute([])?;
            }
            conn.prepare_cached("RELEASE job")?.execute([])?;
        }
        self.state.flush(conn)?;
        commit(conn)
    }

    /// Brings the connection back to where a transaction can begin.
    fn restore(&self, conn: &mut MutexGuard<'_, Connection>) {
        if conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok() {
            return;
        }
        let Some(path) = &self.reopen.path else { return };
        match schema::open_writer(Some(path), self.reopen.cache_kib, self.reopen.max_pages) {
            Ok(fresh) => **conn = fresh,
            Err(error) => tracing::error!(%error, "The data base cannot be opened again."),
        }
    }

    fn note(&self, outcome: &Result<()>) {
        let mut trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => *trouble = None,
            Err(error) => {
                tracing::error!(%error, "A transaction failed; everything in it was refused.");
                *trouble = Some(error.to_string());
            }
        }
    }
}

/// Waits until an instant for more writes, unless one is there for which somebody waits.
fn gather(jobs: &mpsc::Receiver<Box<dyn Job>>, batch: &mut Vec<(Box<dyn Job>, Result<()>)>, until: Instant) {
    while batch.len() < BATCH && batch.iter().all(|(job, _)| job.patient()) {
        match jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(job) => batch.push((job, Ok(()))),
            Err(_) => break,
        }
    }
}

fn begin(conn: &Connection) -> Result<()> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    Ok(())
}

fn commit(conn: &Connection) -> Result<()> {
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

pub(super) fn lock(conn: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}
