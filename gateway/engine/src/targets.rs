//! The targets, opened: name to wrapped connector.

use connector_layers::{Layered, Ready};
use connector_spi::{Connector, Ctx, Host, Kind, KindCaps, ReadAfterWrite};
use gateway_domain::{Lane, TargetId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// One opened target.
#[derive(Clone)]
pub struct Target {
    id: TargetId,
    name: Arc<str>,
    kind: Arc<str>,
    layered: Layered,
    host: Arc<dyn Host>,
    call: Duration,
    adopts_entitled: bool,
    wake: Arc<Notify>,
}

impl Target {
    /// A target. `call` is the longest time of one call; its claims are leased for more than twice as long. `adopts_entitled`
    /// says that an account which was there before may be taken over together with entitlements given elsewhere; without it
    /// such an account waits for review.
    pub fn new(
        id: TargetId,
        name: &str,
        kind: &str,
        layered: Layered,
        host: Arc<dyn Host>,
        call: Duration,
        adopts_entitled: bool,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        Self { id, name: name.into(), kind: kind.into(), layered, host, call, adopts_entitled, wake }
    }

    /// Its immutable id.
    #[must_use]
    pub fn id(&self) -> &TargetId {
        &self.id
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The kind of connector.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }
    /// The connector with everything that stands around it.
    #[must_use]
    pub fn connector(&self) -> &Arc<dyn Connector> {
        self.layered.connector()
    }
    /// What can be watched of it.
    #[must_use]
    pub fn layered(&self) -> &Layered {
        &self.layered
    }

    pub(crate) fn adopts_entitled(&self) -> bool {
        self.adopts_entitled
    }

    /// How many calls may be under way.
    pub(crate) fn size(&self) -> u32 {
        self.layered.limits().slots.max(1)
    }

    pub(crate) fn ready(&self, leaver: bool) -> Ready {
        self.layered.ready(leaver)
    }

    /// The lease of a claim: a call ends well before half of it.
    pub(crate) fn lease(&self) -> Duration {
        self.call * 5 / 2
    }

    /// How long a write may take until it can be read, as the target's schema says; nothing before the schema is known.
    pub(crate) fn settles_after(&self, kind: &Kind) -> Duration {
        match self.caps(kind).map(|caps| caps.read_after_write) {
            Some(ReadAfterWrite::EventualMs(wait)) => Duration::from_millis(wait.into()),
            Some(ReadAfterWrite::Immediate | ReadAfterWrite::Never) | None => Duration::ZERO,
        }
    }

    /// Whether the connector does something after a change and outside of it.
    pub(crate) fn follows_up(&self, kind: &Kind) -> bool {
        self.caps(kind).is_some_and(|caps| caps.follow_ups)
    }

    fn caps(&self, kind: &Kind) -> Option<KindCaps> {
        self.layered.schema()?.kinds.get(kind).map(|kind| kind.caps.clone())
    }

    pub(crate) fn ctx(&self, op_id: &str, attempt: u32, lane: Lane) -> Ctx {
        let mut cx = Ctx::new(op_id, Instant::now() + self.call, Arc::clone(&self.host));
        cx.attempt = attempt;
        cx.leaver = lane == Lane::Leaver;
        cx.bulk = lane == Lane::Bulk;
        cx
    }

    pub(crate) fn woken(&self) -> &Notify {
        &self.wake
    }
}

/// All targets of the configuration.
pub struct Targets(BTreeMap<TargetId, Target>);

impl Targets {
    pub(crate) fn new(targets: Vec<Target>) -> Self {
        Self(targets.into_iter().map(|target| (target.id.clone(), target)).collect())
    }

    /// By id.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.values()
    }

    /// The target of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Target> {
        self.0.values().find(|target| target.name() == name)
    }

    /// The target of this id.
    #[must_use]
    pub fn get(&self, id: &TargetId) -> Option<&Target> {
        self.0.get(id)
    }

    /// Something became due.
    pub(crate) fn wake(&self, id: &TargetId) {
        if let Some(target) = self.0.get(id) {
            target.wake.notify_one();
        }
    }

    pub(crate) fn wake_all(&self) {
        self.0.values().for_each(|target| target.wake.notify_one());
    }
}
