//! `delivery = "confirm"`: the answer waits for the targets.
//!
//! The change is committed first; the wait holds no transaction. A create that every target refuses is taken back by a change
//! of its own, and the reason is the answer. An outage is never an answer: the change stands and is pending.

use crate::intake::Written;
use crate::{Caller, Engine, Error};
use connector_spi::Class;
use gateway_domain::audit::Action;
use gateway_domain::link::{Link, LinkState};
use gateway_domain::{Delivery, ResourceId};
use gateway_store::LinkFilter;
use scim::{ResourceType, ScimError, ScimType};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Who waits for which link.
#[derive(Default)]
pub(crate) struct Waits(Mutex<HashMap<i64, Arc<Notify>>>);

impl Waits {
    /// A link was settled.
    pub(crate) fn settled(&self, link: i64) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&link);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
            waiting.notify_one();
        }
    }

    fn wait_for(&self, link: i64) -> Arc<Notify> {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(waits.entry(link).or_default())
    }

    fn forget(&self, link: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&link);
    }
}

/// A target's refusal.
struct Refusal {
    target: String,
    class: Class,
    message: String,
    attribute: Option<String>,
}

impl Engine {
    /// Waits for the targets of a create; takes it back when every one of them refuses.
    pub(crate) async fn confirm_create(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        written: &Written,
    ) -> Result<(), Error> {
        let Some(links) = self.outcome(caller, written).await? else { return Ok(()) };
        let refusals: Vec<Refusal> = links.iter().filter_map(|link| self.refusal(link)).collect();
        if refusals.len() < links.len() {
            return Ok(());
        }
        self.take_back(caller, ty, id, Action::TakeBack).await?;
        refusals.first().map_or(Ok(()), |first| Err(Error::Scim(answer(first, "refused by"))))
    }

    /// Waits for the targets of a change; what one of them refuses stays stored, and the answer says so.
    pub(crate) async fn confirm_change(&self, caller: &Caller, written: &Written) -> Result<(), Error> {
        let Some(links) = self.outcome(caller, written).await? else { return Ok(()) };
        let refusal = links.iter().find_map(|link| self.refusal(link));
        refusal.map_or(Ok(()), |refusal| Err(Error::Scim(answer(&refusal, "stored, refused by"))))
    }

    /// The links as they are once each was tried, or when the time is up; `None` when nobody waits.
    async fn outcome(&self, caller: &Caller, written: &Written) -> Result<Option<Vec<Link>>, Error> {
        let Delivery::Confirm(longest) = caller.source.delivery else { return Ok(None) };
        if written.links.is_empty() {
            return Ok(None);
        }
        let until = Instant::now() + longest;
        for id in &written.links {
            self.tried(&written.stored.id, *id, until).await?;
        }
        let filter = LinkFilter { resource: Some(written.stored.id.clone()), ..LinkFilter::default() };
        let links = self.store().links(filter).await?;
        Ok(Some(links.into_iter().filter(|link| written.links.contains(&link.id)).collect()))
    }

    /// Waits until a link was brought to what is wanted, or was tried and failed.
    async fn tried(&self, resource: &ResourceId, id: i64, until: Instant) -> Result<(), Error> {
        loop {
            // Asked for before the state is read: a settlement between the two wakes us.
            let waiting = self.waits().wait_for(id);
            let filter = LinkFilter { resource: Some(resource.clone()), ..LinkFilter::default() };
            let link = self.store().links(filter).await?.into_iter().find(|link| link.id == id);
            let done =
                link.is_none_or(|link| !link.pending() || link.last_error.is_some_and(|last| out(last.error.class)));
            // A settlement of another process, or one that got lost, is found by looking again.
            let step = until.min(Instant::now() + Duration::from_secs(1));
            if done || Instant::now() >= until {
                self.waits().forget(id);
                return Ok(());
            }
            let _timed_out = timeout_at(step, waiting.notified()).await.is_err();
        }
    }

    fn refusal(&self, link: &Link) -> Option<Refusal> {
        let error = &link.last_error.as_ref()?.error;
        let final_state = matches!(link.state, LinkState::Parked(_) | LinkState::Disputed);
        final_state.then(|| Refusal {
            target: self.target_name(link),
            class: error.class,
            message: error.message.clone(),
            attribute: error.attribute.clone(),
        })
    }

    fn target_name(&self, link: &Link) -> String {
        let target = self.targets().get(&link.key.target);
        target.map_or_else(|| link.key.target.to_string(), |target| target.name().to_owned())
    }
}

/// Whether an error of this class means that the target is out: then nobody waits for it. The others are read and tried once
/// more at once, and the answer waits for that.
fn out(class: Class) -> bool {
    match class {
        Class::Transient | Class::Throttled | Class::Timeout | Class::Unknown | Class::Auth | Class::Config => true,
        Class::AlreadyExists
        | Class::NotFound
        | Class::Conflict
        | Class::StaleVersion
        | Class::Invalid
        | Class::Forbidden
        | Class::Unsupported
        | Class::Permanent => false,
    }
}

/// The answer that tells a target's refusal (decision 16).
fn answer(refusal: &Refusal, how: &str) -> ScimError {
    let attribute = refusal.attribute.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let detail = format!("{how} {}{attribute}: {}", refusal.target, refusal.message);
    match refusal.class {
        Class::Invalid => ScimError::bad_request(ScimType::InvalidValue, detail),
        Class::Transient
        | Class::Throttled
        | Class::Timeout
        | Class::Unknown
        | Class::AlreadyExists
        | Class::NotFound
        | Class::Conflict
        | Class::StaleVersion
        | Class::Auth
        | Class::Forbidden
        | Class::Config
        | Class::Unsupported
        | Class::Permanent => ScimError::conflict(detail),
    }
}
