//! The workers: one task per target claims due links and carries them out.
//!
//! A worker owns nothing. If it dies in the middle of a call, the lease runs out, the link is given out again, and what may
//! have happened is read before anything else is sent.

use crate::lanes::{self, Busy};
use crate::targets::Target;
use crate::{Engine, act, prepare};
use connector_spi::Class;
use gateway_domain::{Lane, Link};
use gateway_store::{ClaimAsk, Settle, Settled, Slots, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Look for due work this often even when nobody woke the worker: a wake-up that got lost must not matter.
const BACKSTOP: Duration = Duration::from_secs(5);

/// Attempts at a closing after which even a fault that should pass by itself is an alarm.
const ALARM: u32 = 5;

/// The running workers, sweeper and timer.
pub struct Workers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Claims nothing more and waits until the calls under way are settled, at most `grace`. What is still under way then is
    /// found by its lease after the next start.
    pub async fn stop(mut self, grace: Duration) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("Calls were still under way at the end; their links are read after the next start.");
        }
    }
}

impl Engine {
    /// Takes up the work: gives back leases that a former process left behind, then starts a worker per target and the sweeper.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn start(&self) -> Result<Workers, StoreError> {
        let found = self.store().release_leases().await?;
        if found > 0 {
            tracing::info!(links = found, "Links were under way when the last process ended; they are read first.");
        }
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for target in self.targets().iter() {
            tasks.spawn(work(self.clone(), target.clone(), stop.clone()));
            tasks.spawn(crate::acquaint::run(target.clone(), stop.clone()));
        }
        tasks.spawn(crate::sweep::run(self.clone(), stop.clone()));
        Ok(Workers { stop, tasks })
    }
}

async fn work(engine: Engine, target: Target, stop: CancellationToken) {
    let mut calls: JoinSet<Lane> = JoinSet::new();
    let mut lanes: Vec<Lane> = Vec::new();
    while !stop.is_cancelled() {
        reap(&mut calls, &mut lanes);
        let (slots, probe) = room(&target, &lanes);
        if probe {
            let target = target.clone();
            tokio::spawn(async move {
                let cx = target.ctx("probe", 1, Lane::Interactive);
                if let Err(error) = target.connector().check(&cx).await {
                    tracing::debug!(target = target.name(), %error, "The target is still out of order.");
                }
                target.woken().notify_one();
            });
        }
        let claimed = claim(&engine, &target, slots).await;
        let more = !claimed.is_empty() && u32::try_from(claimed.len()).is_ok_and(|taken| taken >= slots.total);
        for link in claimed {
            lanes.push(link.lane);
            calls.spawn(one(engine.clone(), target.clone(), link));
        }
        if more && slots.total > 0 && room(&target, &lanes).0.total > 0 {
            continue;
        }
        let wait = pause(&engine, &target, slots).await;
        tokio::select! {
            () = stop.cancelled() => break,
            () = target.woken().notified() => {}
            Some(done) = calls.join_next(), if !calls.is_empty() => finished(&mut lanes, done),
            () = sleep_until(wait) => {}
        }
    }
    while calls.join_next().await.is_some() {}
}

/// The slots to claim for, and whether the breaker waits for a trying call.
fn room(target: &Target, lanes: &[Lane]) -> (Slots, bool) {
    let count =
        |of: &dyn Fn(&Lane) -> bool| u32::try_from(lanes.iter().filter(|lane| of(lane)).count()).unwrap_or(u32::MAX);
    let busy = Busy {
        total: count(&|_| true),
        other: count(&|lane| *lane != Lane::Leaver),
        bulk: count(&|lane| *lane == Lane::Bulk),
    };
    let (leaver, ordinary) = (target.ready(true), target.ready(false));
    let narrow = |slots: usize| u32::try_from(slots).unwrap_or(u32::MAX);
    let mut slots = lanes::slots(target.size(), busy, narrow(leaver.slots.max(ordinary.slots)));
    slots.other = slots.other.min(narrow(ordinary.slots));
    slots.bulk = slots.bulk.min(slots.other);
    (slots, ordinary.probe_due)
}

async fn claim(engine: &Engine, target: &Target, slots: Slots) -> Vec<Link> {
    if slots.total == 0 {
        return Vec::new();
    }
    let ask =
        ClaimAsk { target: target.id().clone(), slots, lease: target.lease(), prepare: Arc::new(prepare::prepare) };
    match engine.store().claim(ask).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::error!(target = target.name(), %error, "No work could be claimed.");
            Vec::new()
        }
    }
}

/// Until when there is nothing to do unless somebody wakes the worker.
async fn pause(engine: &Engine, target: &Target, slots: Slots) -> Instant {
    let now = Instant::now();
    let backstop = now + BACKSTOP;
    if slots.total == 0 {
        return target
            .ready(false)
            .not_before
            .map_or(backstop, |at| at.clamp(now + Duration::from_millis(10), backstop));
    }
    match engine.store().next_due(target.id()).await {
        Ok(Some(due)) => {
            let wait = Duration::try_from(due.duration_since(engine.clock().now())).unwrap_or(Duration::ZERO);
            (now + wait.max(Duration::from_millis(20))).min(backstop)
        }
        Ok(None) | Err(_) => backstop,
    }
}

fn reap(calls: &mut JoinSet<Lane>, lanes: &mut Vec<Lane>) {
    while let Some(done) = calls.try_join_next() {
        finished(lanes, done);
    }
    if calls.is_empty() {
        lanes.clear();
    }
}

fn finished(lanes: &mut Vec<Lane>, done: Result<Lane, tokio::task::JoinError>) {
    match done {
        Ok(lane) => {
            if let Some(place) = lanes.iter().position(|busy| *busy == lane) {
                lanes.swap_remove(place);
            }
        }
        // The connector's panics are caught around it; one here is ours. The lease brings the link back.
        Err(error) => tracing::error!(%error, "A worker failed."),
    }
}

async fn one(engine: Engine, target: Target, link: Link) -> Lane {
    let lane = link.lane;
    let id = link.id;
    let clock = Arc::clone(engine.clock());
    let settle = act::carry_out(&target, engine.store().as_ref(), link, move || clock.now()).await;
    if let Some(error) = &settle.error {
        let (target, error, attempt) = (target.name(), &error.error, settle.attempt);
        // What passes by itself alarms nobody at once; that somebody who left may still get in must.
        if lane == Lane::Leaver && (attempt > ALARM || !passes(error.class)) {
            tracing::error!(target, link = id, attempt, %error, "A leaver's access is not ended in the target; it is tried again until it is.");
        } else {
            tracing::warn!(target, link = id, attempt, %error, "The target did not take a change.");
        }
    }
    written(&engine, &target, settle).await;
    lane
}

/// Whether it is of the kind that passes by itself.
fn passes(class: Class) -> bool {
    matches!(class, Class::Transient | Class::Timeout | Class::Unknown | Class::Throttled)
}

/// Writes the outcome down; a store that is out for a moment is asked again, for the call itself cannot be taken back.
async fn written(engine: &Engine, target: &Target, settle: Settle) {
    let id = settle.link;
    for pause in [50, 200, 1_000, 3_000] {
        match engine.store().settle(settle.clone()).await {
            Ok(Settled::Done | Settled::MovedOn) => break,
            Ok(Settled::Superseded) => {
                tracing::warn!(
                    target = target.name(),
                    link = id,
                    "A call came back after its lease; the link is read again."
                );
                break;
            }
            Err(error) => {
                tracing::error!(target = target.name(), link = id, %error, "An outcome could not be written.");
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    }
    engine.waits().settled(id);
    target.woken().notify_one();
}
