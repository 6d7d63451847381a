//! How many people hold what the catalogue offers.

use crate::{Engine, Error};
use gateway_domain::catalogue::composite;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Counting reads every link. It takes at most one part in so many of the time: a count serves for as many times as long as it
/// took, which with a hospital's workforce is a fraction of a second.
const SHARE: u32 = 20;

/// How many people hold each thing that we give, by what is wanted of their accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignments {
    entitlements: BTreeMap<String, u64>,
    roles: BTreeMap<String, u64>,
}

impl Assignments {
    /// People who hold the entitlement of this id; of one without a scope, in any scope.
    #[must_use]
    pub fn of_entitlement(&self, id: &str) -> u64 {
        self.entitlements.get(id).copied().unwrap_or(0)
    }

    /// People to whom this role gives an entitlement.
    #[must_use]
    pub fn of_role(&self, role: &str) -> u64 {
        self.roles.get(role).copied().unwrap_or(0)
    }
}

/// The newest count, and until when it serves.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<Option<(Instant, Arc<Assignments>)>>);

impl Engine {
    /// Counts, or tells what was counted a moment ago. Who asks while it is being counted waits for that count.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn assignments(&self) -> Result<Arc<Assignments>, Error> {
        let mut counted = self.0.counted.0.lock().await;
        let began = Instant::now();
        if let Some((_, known)) = counted.as_ref().filter(|(until, _)| began < *until) {
            return Ok(Arc::clone(known));
        }
        let stored = self.store().assignments().await?;
        let policy = self.policy();
        let name = |id: &gateway_domain::TargetId| {
            policy.targets.iter().find(|target| target.id == *id).map(|target| target.name.clone())
        };
        let entitlements = stored
            .entitlements
            .iter()
            .filter_map(|(target, entitlement, people)| Some((composite(&name(target)?, entitlement), *people)))
            .collect();
        let fresh = Arc::new(Assignments { entitlements, roles: stored.roles });
        let took = began.elapsed();
        let until = Instant::now() + took.saturating_mul(SHARE).min(Duration::from_secs(600));
        *counted = Some((until, Arc::clone(&fresh)));
        Ok(fresh)
    }
}
