//! What happens between a request and the targets.
//!
//! A request is computed into one [`gateway_store::Change`] by `compose`, written by the store, and answered. Workers
//! (`converge`) take due links and bring targets to what is wanted. Between the two there is nothing but link rows: no
//! queue in memory whose loss would matter, no task that owns work. Whatever this crate keeps in memory (wake-ups, waits of
//! `confirm`) only makes things happen sooner.
//!
//! The key decision is optimistic: what a change is computed from is read without a lock, and the writer refuses the change
//! if it no longer holds. So rules and expressions never run inside a write transaction.

mod acquaint;
mod act;
mod assignments;
mod bulk;
mod catalogue;
mod compose;
mod confirm;
mod converge;
mod delete;
mod discovery;
mod error;
mod intake;
mod lanes;
mod manners;
mod plan;
mod prepare;
mod report;
mod sweep;
mod targets;
mod tokens;

pub use assignments::Assignments;
pub use bulk::BulkAnswer;
pub use catalogue::{Grantable, TargetCatalogue};
pub use converge::Workers;
pub use discovery::{CatalogueSeen, TargetTest};
pub use error::Error;
pub use intake::{Precondition, Saved};
pub use manners::{BreachCount, SourceManners};
pub use plan::{Plan, PlannedLink};
pub use report::{Health, LinkError, LinkReport, TargetHealth, TargetReport};
pub use targets::{Target, Targets};

use arc_swap::ArcSwap;
use gateway_domain::index::Plan as IndexPlan;
use gateway_domain::{Clock, Policy, Source};
use gateway_store::{Store, StoreError};
use scim::{ResourceType, Types};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The source that speaks.
    pub source: Arc<Source>,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) types: Arc<Types>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) epoch: AtomicU64,
    pub(crate) indexes: BTreeMap<String, IndexPlan>,
    pub(crate) targets: Targets,
    pub(crate) waits: confirm::Waits,
    pub(crate) manners: manners::Seen,
    pub(crate) counted: assignments::Counted,
    pub(crate) sweeper: tokio::sync::Notify,
    pub(crate) tokens: tokens::Tokens,
}

/// What an engine is made of.
pub struct Parts {
    /// Resource types, with those of the deployment.
    pub types: Arc<Types>,
    /// Memory.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Rules.
    pub policy: Policy,
    /// Targets, opened.
    pub targets: Vec<Target>,
    /// A token given by the environment instead of the store, with the name of its source.
    pub fixed_token: Option<(String, String)>,
}

impl Engine {
    /// Puts an engine together and tells the store which policy and targets are in force. Nothing is worked before
    /// [`Engine::start`].
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn open(parts: Parts) -> Result<Engine, StoreError> {
        let Parts { types, store, clock, policy, targets, fixed_token } = parts;
        let ids: Vec<_> = policy.targets.iter().map(|target| target.id.clone()).collect();
        store.set_targets(&ids).await?;
        let epoch = store.set_policy(&policy.hash).await?;
        let indexes = types.all().map(|ty| (ty.name.clone(), IndexPlan::of(ty))).collect();
        Ok(Engine(Arc::new(Inner {
            types,
            store,
            clock,
            policy: ArcSwap::from_pointee(policy),
            epoch: AtomicU64::new(epoch),
            indexes,
            targets: Targets::new(targets),
            waits: confirm::Waits::default(),
            manners: manners::Seen::default(),
            counted: assignments::Counted::default(),
            sweeper: tokio::sync::Notify::new(),
            tokens: tokens::Tokens::new(fixed_token),
        })))
    }

    /// Resource types.
    #[must_use]
    pub fn types(&self) -> &Arc<Types> {
        &self.0.types
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.0.policy.load_full()
    }

    /// The targets, opened.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.0.targets
    }

    /// Whether resources of this type are people.
    pub(crate) fn is_user(&self, ty: &ResourceType) -> bool {
        ty.name == self.types().user().name
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    pub(crate) fn index(&self, ty: &ResourceType) -> Result<&IndexPlan, Error> {
        self.0.indexes.get(&ty.name).ok_or(Error::Internal("a resource type without an index plan"))
    }

    pub(crate) fn waits(&self) -> &confirm::Waits {
        &self.0.waits
    }

    pub(crate) fn sweeper(&self) -> &tokio::sync::Notify {
        &self.0.sweeper
    }
}
