//! Wanted states computed anew without a request: the policy, a group or the date changed.
//!
//! A sweep is a durable row that is worked off in chunks on the bulk lane, so that a change that concerns everybody costs the
//! request that caused it one row.

use crate::compose::{self, Scene};
use crate::{Engine, Error};
use gateway_domain::audit::Action;
use gateway_domain::{ResourceId, Source, SourceId};
use gateway_store::{Change, Snapshot, Swept, Write};
use scim::ResourceType;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Users looked at in one go.
const CHUNK: u32 = 256;
/// Look for sweeps and dates this often even when nobody called.
const BACKSTOP: Duration = Duration::from_secs(5);

/// The sweeper and the timer.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let worked = match round(&engine).await {
            Ok(worked) => worked,
            Err(error) => {
                tracing::error!(%error, "A sweep stopped; it goes on in a moment.");
                false
            }
        };
        if worked {
            tokio::task::yield_now().await;
            continue;
        }
        let wait = until_next(&engine).await;
        tokio::select! {
            () = stop.cancelled() => break,
            () = engine.sweeper().notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One chunk of the oldest sweep and one of the dates that have come. Whether there was anything to do.
async fn round(engine: &Engine) -> Result<bool, Error> {
    let mut worked = false;
    if let Some(sweep) = engine.store().next_sweep().await? {
        let (swept, cursor) = engine.store().swept(&sweep, CHUNK).await?;
        for Swept { ty, id } in &swept {
            if let Some(ty) = engine.types().by_name(ty) {
                engine.decide_anew(ty, id, false).await?;
            }
        }
        engine.store().advance_sweep(sweep.id, cursor).await?;
        worked = true;
    }
    let due = engine.store().changes_due(engine.clock().now(), CHUNK).await?;
    for user in &due {
        engine.decide_anew(engine.types().user(), user, true).await?;
    }
    Ok(worked || !due.is_empty())
}

async fn until_next(engine: &Engine) -> Duration {
    match engine.store().next_change().await {
        Ok(Some(at)) => {
            let wait = Duration::try_from(at.duration_since(engine.clock().now())).unwrap_or(Duration::ZERO);
            wait.clamp(Duration::from_millis(20), BACKSTOP)
        }
        Ok(None) | Err(_) => BACKSTOP,
    }
}

impl Engine {
    /// Decides about one user or group again. `dated`: its date has come, and is written anew in any case.
    pub(crate) async fn decide_anew(&self, ty: &Arc<ResourceType>, id: &ResourceId, dated: bool) -> Result<(), Error> {
        let compute = |snapshot: &Snapshot| -> Result<Option<Change>, Error> {
            let Some(stored) = &snapshot.resource else { return Ok(None) };
            let policy = self.policy();
            let source = self.speaker(snapshot);
            let scene = Scene {
                policy: &policy,
                epoch: self.epoch(),
                ty,
                plan: self.index(ty)?,
                source: &source,
                now: self.clock().now(),
            };
            let attrs = match self.is_user(ty) {
                true => gateway_domain::resolve::attributes(&snapshot.assertions, &policy),
                // What a group is called is for its sources to say, not for a policy.
                false => stored.attrs.clone(),
            };
            let mut change = compose::resolved(&scene, id, snapshot, &snapshot.assertions, attrs, Action::Sweep);
            change.audit.actor = "gateway".to_owned();
            let same = change.write == Write::Keep;
            Ok((!same || !change.links.is_empty() || dated).then_some(change))
        };
        match self.commit_fresh(ty, id, None, compute).await {
            Ok(_) => Ok(()),
            // Who is written all the time is decided about by those writes.
            Err(Error::Busy(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The source in whose name a user is decided about: the first that said anything.
    fn speaker(&self, snapshot: &Snapshot) -> Arc<Source> {
        let policy = self.policy();
        let known = snapshot.assertions.iter().find_map(|assertion| policy.source(&assertion.source).cloned());
        known.unwrap_or_else(|| {
            let id = snapshot.assertions.first().map_or_else(|| SourceId::new("gateway"), |said| said.source.clone());
            Arc::new(Source {
                name: id.as_str().to_owned(),
                id,
                dialect: scim::Dialect::Tolerant,
                discovery: gateway_domain::Discovery::Ietf,
                delivery: gateway_domain::Delivery::Accept,
                unknown_entitlements: gateway_domain::UnknownEntitlements::Record,
                aliases: scim::Aliases::default(),
                requests_per_second: None,
            })
        })
    }
}
