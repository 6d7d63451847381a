//! The trait, method by method.

use super::writer::lock;
use super::{Sqlite, assignments, claim, commit, links, list, names, prepare, status, sweeps, tokens, views};
use crate::Store;
use crate::audit::AuditRow;
use crate::change::{Change, Committed, Snapshot};
use crate::error::{Result, StoreError};
use crate::query::{ListPage, ListRequest, Needs, View};
use crate::token::Token;
use crate::work::{Assignments, ClaimAsk, LinkFilter, Settle, Settled, Sweep, Swept, TargetStatus};
use async_trait::async_trait;
use gateway_domain::{AuditEntry, Link, LinkKey, ResourceId, SourceId, TargetId};
use jiff::Timestamp;
use rusqlite::Connection;
use std::sync::PoisonError;
use std::time::Duration;

/// A health check gives up after this long.
const PROBE: Duration = Duration::from_secs(3);

impl Sqlite {
    /// Runs a read that may take long on a thread of its own. Such reads never hold all connections: short ones come through.
    async fn slowly<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection, &super::Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.scans.clone().acquire_owned().await;
        let (readers, shared) = (self.readers.clone(), self.shared.clone());
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            readers.consistent(|conn| act(conn, &shared))
        })
        .await
        .map_err(|_| StoreError::Unavailable("a read did not end".into()))?
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn snapshot(&self, ty: &str, id: &ResourceId) -> Result<Snapshot> {
        self.readers.consistent(|conn| views::snapshot(conn, &self.shared, ty, id))
    }

    async fn view(&self, ty: &str, id: &ResourceId, needs: Needs) -> Result<Option<View>> {
        let read = |conn: &Connection| views::view(conn, &self.shared, ty, id, needs);
        if needs == Needs::default() { self.readers.read(read) } else { self.readers.consistent(read) }
    }

    async fn list(&self, request: ListRequest) -> Result<ListPage> {
        if list::quick(&request) {
            let budget = request.budget.min(list::INLINE);
            match self.readers.consistent(|conn| list::list(conn, &self.shared, &request, budget)) {
                // More than it looked like: once more, where it stands in nobody's way.
                Err(StoreError::TooSlow) if budget < request.budget => {}
                done => return done,
            }
        }
        let budget = request.budget;
        let slow = self.slowly(move |conn, shared| list::list(conn, shared, &request, budget));
        // The read itself ends at its deadline; this one bounds the wait for its turn.
        tokio::time::timeout(budget.saturating_mul(2), slow).await.unwrap_or(Err(StoreError::TooSlow))
    }

    async fn commit(&self, change: Change) -> Result<Committed> {
        // Twice at most: index keys are numbered within their type, which must have its number first.
        for _ in 0..2 {
            let new = prepare::unknown(&change, &self.shared.names);
            if new.is_empty() {
                break;
            }
            self.learn(new).await?;
        }
        let prepared = prepare::prepare(change, &self.shared.names)?;
        self.writer.ask(move |turn| commit::commit(turn, &prepared)).await
    }

    async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Link>> {
        self.writer.ask_patiently(move |turn| claim::claim(turn, &ask)).await
    }

    async fn settle(&self, settle: Settle) -> Result<Settled> {
        self.writer.ask_patiently(move |turn| claim::settle(turn, &settle)).await
    }

    async fn release_leases(&self) -> Result<u64> {
        self.writer.ask(claim::release).await
    }

    async fn next_due(&self, target: &TargetId) -> Result<Option<Timestamp>> {
        self.readers.consistent(|conn| status::next_due(conn, &self.shared, target))
    }

    async fn link(&self, key: &LinkKey) -> Result<Option<Link>> {
        self.readers.read(|conn| status::link(conn, &self.shared, key))
    }

    async fn links(&self, filter: LinkFilter) -> Result<Vec<Link>> {
        if let Some(resource) = &filter.resource
            && filter == (LinkFilter { resource: Some(resource.clone()), ..LinkFilter::default() })
        {
            return self.readers.read(|conn| links::of_resource(conn, &self.shared.names, &resource.into()));
        }
        self.slowly(move |conn, shared| status::links(conn, shared, &filter)).await
    }

    async fn holder(&self, target: &TargetId, kind: &str, native_id: &str) -> Result<Option<LinkKey>> {
        self.readers.read(|conn| status::holder(conn, &self.shared, target, kind, native_id))
    }

    async fn retry(&self, filter: LinkFilter, audit: AuditEntry) -> Result<u64> {
        self.writer.ask(move |turn| status::retry(turn, &filter, &audit)).await
    }

    async fn status(&self) -> Result<Vec<TargetStatus>> {
        self.slowly(status::status).await
    }

    async fn assignments(&self) -> Result<Assignments> {
        self.slowly(assignments::assignments).await
    }

    async fn next_sweep(&self) -> Result<Option<Sweep>> {
        self.readers.read(sweeps::next)
    }

    async fn swept(&self, sweep: &Sweep, limit: u32) -> Result<(Vec<Swept>, Option<i64>)> {
        let sweep = sweep.clone();
        self.slowly(move |conn, shared| sweeps::swept(conn, shared, &sweep, limit)).await
    }

    async fn advance_sweep(&self, id: i64, cursor: Option<i64>) -> Result<()> {
        self.writer.ask(move |turn| sweeps::advance(turn, id, cursor)).await
    }

    async fn changes_due(&self, now: Timestamp, limit: u32) -> Result<Vec<ResourceId>> {
        self.readers.read(|conn| sweeps::changes_due(conn, now, limit))
    }

    async fn next_change(&self) -> Result<Option<Timestamp>> {
        self.readers.read(sweeps::next_change)
    }

    async fn set_policy(&self, hash: &str) -> Result<u64> {
        let hash = hash.to_owned();
        self.writer.ask(move |turn| sweeps::set_policy(turn, &hash)).await
    }

    async fn set_targets(&self, configured: &[TargetId]) -> Result<()> {
        let configured = configured.to_vec();
        self.writer.ask(move |turn| status::set_targets(turn, &configured)).await
    }

    fn server_key(&self) -> [u8; 32] {
        self.shared.key
    }

    async fn put_token(&self, token: Token, audit: AuditEntry) -> Result<()> {
        self.writer.ask(move |turn| tokens::put(turn, &token, &audit)).await
    }

    async fn token(&self, id: &str) -> Result<Option<Token>> {
        self.readers.read(|conn| tokens::by_id(conn, id))
    }

    async fn tokens(&self, source: &SourceId) -> Result<Vec<Token>> {
        self.readers.read(|conn| tokens::of_source(conn, source))
    }

    async fn revoke_token(&self, id: &str, audit: AuditEntry) -> Result<bool> {
        let id = id.to_owned();
        self.writer.ask(move |turn| tokens::revoke(turn, &id, &audit)).await
    }

    async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>> {
        self.slowly(move |conn, _| tokens::audit(conn, after, limit)).await
    }

    async fn health(&self) -> std::result::Result<(), String> {
        let damage = self.shared.damage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(why) = damage {
            return Err(format!("the check after the last crash found damage: {why}"));
        }
        // A real write: only that tells whether the disk takes one.
        let probe = self.writer.ask(|turn| {
            turn.conn
                .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?1)")?
                .execute([turn.now()])?;
            Ok(())
        });
        match tokio::time::timeout(PROBE, probe).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(StoreError::Full)) => Err("the intake is full".into()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("a write takes longer than {} s", PROBE.as_secs())),
        }
    }
}

impl Sqlite {
    async fn learn(&self, new: Vec<names::Name>) -> Result<()> {
        self.writer
            .ask(move |turn| {
                let written = turn.shared.names.write(turn.conn, &new, &turn.state.learned)?;
                turn.state.learned.extend(written);
                Ok(())
            })
            .await
    }

    /// Checks the whole file now: what the check after a crash does in the background.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<()> {
        let said: String = lock(&self.write_connection).query_row("PRAGMA quick_check", [], |row| row.get(0))?;
        if said == "ok" { Ok(()) } else { Err(StoreError::Corrupt(said)) }
    }
}
