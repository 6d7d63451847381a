//! What others gave survives whatever the gateway does.
//!
//! Two hundred entitlements are given by the target's own means ([`OtherHand`]), half of them before and the rest while a thousand
//! random changes go through the connector: entitlements given, taken and swapped, attributes and states changed, accounts
//! adopted, closed with everything of ours taken, and revived. The changes are made as the gateway makes them: a reading, and from
//! it both forms of the change, or, as often, the difference alone, so that a target whose lists are written whole must be read by
//! the connector. Every reading on the way, and at the end the target's own word, must show every foreign one as it was given,
//! and of ours exactly what the model says.
//!
//! The changes follow from a seed, which a failure names and `CHARTGATE_SEED` sets.

mod person;
mod walk;

pub use person::named;

use async_trait::async_trait;
use connector_spi::{Attrs, Connector, Ctx, Entitlement, Host, Kind, NativeId};
use futures_util::{StreamExt, TryStreamExt, stream};
use person::Person;
use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::Arc, time::Duration};
use tokio::time::Instant;
use walk::Chance;

/// Foreign entitlements, over all accounts.
pub const FOREIGN: usize = 200;
/// Changes, over all accounts.
pub const CHANGES: usize = 1_000;
/// Longest time of one call.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody else at the target, who never goes through the connector.
#[async_trait]
pub trait OtherHand: Send + Sync {
    /// Gives an account one of the entitlements.
    async fn give(&self, id: &NativeId, one: &Entitlement);
    /// Everything that an account holds: its name as [`named`] makes it, and what else the target keeps of it (dates, who gave
    /// it), but for its place in an order. One that is held twice is here twice.
    async fn held(&self, id: &NativeId) -> Vec<(String, String)>;
}

/// A target with entitlements that others give.
pub struct Foreign<'a> {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// The gateway.
    pub host: Arc<dyn Host>,
    /// The kind of accounts.
    pub kind: Kind,
    /// The attributes of the account of a number.
    pub person: &'a (dyn Fn(u32) -> Attrs + Sync),
    /// The attribute by which an account is found when it is adopted.
    pub key: &'a str,
    /// An attribute that takes any text.
    pub text: &'a str,
    /// What can be held. Each account has a part of it from others; the rest is what the gateway may give it.
    pub catalogue: Vec<Entitlement>,
    /// Types of which one at most is held.
    pub single: &'a [&'a str],
    /// Foreign ones of each account; as many accounts are made as it takes for [`FOREIGN`].
    pub each: usize,
    /// Accounts that are changed at the same time.
    pub at_once: usize,
    /// Somebody else.
    pub hand: &'a dyn OtherHand,
}

impl Foreign<'_> {
    /// Makes the accounts and walks through the changes.
    ///
    /// # Errors
    /// In words, with the seed and the last changes of the account: a foreign entitlement that is gone or another, one of ours
    /// that is not as the model says, or a change that failed.
    pub async fn survive(&self) -> Result<(), String> {
        let seed = seed();
        let people = FOREIGN.div_ceil(self.each.max(1));
        let walks = (0..people).map(|at| async move {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let share = CHANGES / people + usize::from(at < CHANGES % people);
            let foreign = self.each.min(FOREIGN - at * self.each);
            let chance = Chance::new(seed.wrapping_add(at as u64));
            let mut person = Person::new(self, number, foreign, chance).await?;
            let walked = walk::walk(self, &mut person, share).await;
            walked.map(|()| person.planted()).map_err(|why| format!("{why}\nof account {number}: {}", person.story()))
        });
        let planted: Result<Vec<usize>, String> =
            stream::iter(walks).buffer_unordered(self.at_once.max(1)).try_collect().await;
        let planted: usize =
            planted.map_err(|why| format!("{why}\nCHARTGATE_SEED={seed} walks the same way again"))?.iter().sum();
        if planted == FOREIGN {
            Ok(())
        } else {
            Err(format!("{planted} foreign entitlements were given, not {FOREIGN}"))
        }
    }

    fn cx(&self, name: String) -> Ctx {
        Ctx::new(name, Instant::now() + PATIENCE, Arc::clone(&self.host))
    }
}

/// Where the walk begins: another place each time, unless it is said.
#[allow(clippy::disallowed_methods, reason = "how whoever looks into a failure talks to the test")]
fn seed() -> u64 {
    let said = std::env::var("CHARTGATE_SEED").ok().and_then(|text| text.parse().ok());
    said.unwrap_or_else(|| RandomState::new().hash_one(0) >> 16)
}

#[cfg(test)]
mod tests;
