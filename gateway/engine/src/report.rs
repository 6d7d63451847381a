//! What operators ask: how targets stand, whether they answer, and "try again".

use crate::targets::Target;
use crate::{Engine, Error};
use connector_layers::BreakerState;
use connector_spi::ConnError;
use gateway_domain::audit::{Action, AuditEntry};
use gateway_domain::catalogue::composite;
use gateway_domain::holdings::{self, Held};
use gateway_domain::link::{Link, LinkKey, LinkState};
use gateway_domain::{Lane, dependency};
use gateway_store::{LinkFilter, TargetStatus};
use jiff::Timestamp;
use serde::Serialize;

/// How one target stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// Its name.
    pub name: String,
    /// The kind of connector.
    pub kind: String,
    /// Its links.
    #[serde(flatten)]
    pub links: TargetStatus,
    /// `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// The class of error that opened the breaker.
    pub because: Option<&'static str>,
    /// What that error said, while the breaker is not closed.
    pub error: Option<String>,
    /// Calls under way.
    pub in_flight: u32,
    /// Most calls at a time.
    pub slots: u32,
}

/// One link, as operators see it: how it stands and why, and nothing of the person.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkReport {
    /// The store's number of it.
    pub id: i64,
    /// What it links.
    pub key: LinkKey,
    /// `unlinked`, `linked`, `parked`, `disputed`, `detached` or `tombstone`.
    pub state: &'static str,
    /// Why it is parked.
    pub because: Option<&'static str>,
    /// How urgent it is.
    pub lane: Lane,
    /// Counts changes of what is wanted.
    pub generation: u64,
    /// The generation that the target was last brought to.
    pub applied_generation: u64,
    /// The target's id of the object.
    pub native_id: Option<String>,
    /// When it is worked next.
    pub due_at: Option<Timestamp>,
    /// The kind of the person's other object in the target that goes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Attempts at the present generation that did not succeed.
    pub attempt: u32,
    /// Why the newest attempt failed.
    pub last_error: Option<LinkError>,
    /// When the target last accepted everything.
    pub last_success: Option<Timestamp>,
    /// Since when wanted and seen have differed.
    pub pending_since: Option<Timestamp>,
    /// Whether the target proved that a closing took effect.
    pub verified: Option<bool>,
    /// What the target remarked on the last write, although it succeeded.
    pub warnings: Vec<String>,
    /// The target's mark of work that it has taken on and not shown yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What the account was last seen to hold; told where the links of one resource are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<HeldReport>,
}

/// What an account holds, by whose doing.
#[derive(Debug, Clone, Serialize)]
pub struct HeldReport {
    /// Given here.
    pub owned: Vec<HeldEntitlement>,
    /// Found there and wanted here too: it stays when our reason ends.
    pub shared: Vec<HeldEntitlement>,
    /// Found there, and given by somebody else.
    pub foreign: Vec<HeldEntitlement>,
}

/// One entitlement that is held.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldEntitlement {
    /// `target:type:value[@key=value]`.
    pub id: String,
    /// Its place, where the target keeps an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// Until when the target holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// Why it is wanted here.
    pub because: Vec<String>,
}

/// A failed attempt.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkError {
    /// When.
    pub at: Timestamp,
    /// What the connector said: `class`, `message`, the target's own code.
    #[serde(flatten)]
    pub error: ConnError,
}

impl From<Link> for LinkReport {
    fn from(link: Link) -> Self {
        let because = match &link.state {
            LinkState::Parked(why) => Some(why.name()),
            LinkState::Unlinked
            | LinkState::Linked
            | LinkState::Disputed
            | LinkState::Detached
            | LinkState::Tombstone => None,
        };
        LinkReport {
            id: link.id,
            state: link.state.name(),
            because,
            lane: link.lane,
            generation: link.generation,
            applied_generation: link.applied_generation,
            native_id: link.native_id.map(|id| id.to_string()),
            due_at: link.due_at,
            waits_for: None,
            attempt: link.attempt,
            last_error: link.last_error.map(|last| LinkError { at: last.at, error: last.error }),
            last_success: link.last_success,
            pending_since: link.pending_since,
            verified: link.seen.as_ref().and_then(|seen| seen.verified),
            warnings: link.seen.map(|seen| seen.warnings).unwrap_or_default(),
            ticket: link.sent.and_then(|sent| sent.late?.ticket),
            entitlements: None,
            key: link.key,
        }
    }
}

/// The gateway's health.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// What is wrong with the store, if anything is.
    pub store: Option<String>,
    /// Each target.
    pub targets: Vec<TargetHealth>,
}

/// One target's health, as far as its calls tell.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetHealth {
    /// Its name.
    pub name: String,
    /// Calls pass.
    pub up: bool,
    /// Why not.
    pub why: Option<String>,
}

impl Engine {
    /// How each target stands.
    ///
    /// # Errors
    /// When the store is out.
    pub async fn status(&self) -> Result<Vec<TargetReport>, Error> {
        let mut stored = self.store().status().await?;
        let mut reports: Vec<TargetReport> = self
            .targets()
            .iter()
            .map(|target| {
                let place = stored.iter().position(|status| status.target == target.id().as_str());
                let links = place.map(|place| stored.swap_remove(place));
                report(
                    target,
                    links.unwrap_or_else(|| TargetStatus { target: target.id().to_string(), ..Default::default() }),
                )
            })
            .collect();
        // Targets that left the configuration still have links: they must not vanish from sight.
        reports.extend(stored.into_iter().map(|links| TargetReport {
            name: links.target.clone(),
            kind: "detached".to_owned(),
            links,
            breaker: "closed",
            because: None,
            error: None,
            in_flight: 0,
            slots: 0,
        }));
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(reports)
    }

    /// Links, by what is asked.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the target is not there.
    pub async fn links(&self, filter: LinkFilter) -> Result<Vec<Link>, Error> {
        Ok(self.store().links(filter).await?)
    }

    /// Links as operators see them.
    ///
    /// # Errors
    /// When the store is out.
    pub async fn link_reports(&self, filter: LinkFilter) -> Result<Vec<LinkReport>, Error> {
        let mut reports = Vec::new();
        let of_one = filter.resource.is_some();
        for link in self.store().links(filter).await? {
            // What waits for another object is pending and not due.
            let waits_for = if link.pending() && link.due_at.is_none() && dependency::is_ordered(&link) {
                let of_person = LinkFilter { resource: Some(link.key.resource.clone()), ..LinkFilter::default() };
                let others: Vec<Link> =
                    self.store().links(of_person).await?.into_iter().filter(|other| other.id != link.id).collect();
                dependency::waits_for(&link, &others).map(ToString::to_string)
            } else {
                None
            };
            let entitlements = of_one.then(|| self.held(&link));
            reports.push(LinkReport { waits_for, entitlements, ..LinkReport::from(link) });
        }
        Ok(reports)
    }

    fn held(&self, link: &Link) -> HeldReport {
        let name = self.targets().get(&link.key.target).map_or(link.key.target.as_str(), Target::name);
        let told = |held: Vec<Held>| -> Vec<HeldEntitlement> {
            held.into_iter()
                .map(|Held { entitlement, because }| HeldEntitlement {
                    id: composite(name, &entitlement),
                    order: entitlement.order,
                    valid_to: entitlement.valid_to,
                    because: because.iter().map(holdings::in_words).collect(),
                })
                .collect()
        };
        let holdings::Holdings { owned, shared, foreign } = holdings::holdings(link);
        HeldReport { owned: told(owned), shared: told(shared), foreign: told(foreign) }
    }

    /// Makes links due at once. Returns how many.
    ///
    /// # Errors
    /// When the store is out.
    pub async fn retry(&self, filter: LinkFilter, operator: &str) -> Result<u64, Error> {
        let now = self.clock().now();
        let audit = AuditEntry {
            at: now,
            actor: format!("operator:{operator}"),
            action: Action::Operate,
            resource: filter.resource.clone(),
            subject: filter.target.as_ref().map_or_else(|| "every target".to_owned(), ToString::to_string),
            version: 0,
            detail: "retry".to_owned(),
        };
        let count = self.store().retry(filter, audit).await?;
        self.targets().iter().for_each(|target| target.layered().try_again());
        self.targets().wake_all();
        Ok(count)
    }

    /// Whether the store and the targets work, as far as is known without asking them.
    pub async fn health(&self) -> Health {
        let targets = self
            .targets()
            .iter()
            .map(|target| {
                let breaker = target.layered().breaker();
                let up = breaker.state == BreakerState::Closed;
                let why = (!up).then(|| {
                    let class = breaker.because.map_or("several errors", |class| class.name());
                    let words = target.layered().breaker_words();
                    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
                    format!("calls are held back after {class}{words}")
                });
                TargetHealth { name: target.name().to_owned(), up, why }
            })
            .collect();
        Health { store: self.store().health().await.err(), targets }
    }
}

fn report(target: &Target, links: TargetStatus) -> TargetReport {
    let (breaker, limits) = (target.layered().breaker(), target.layered().limits());
    TargetReport {
        name: target.name().to_owned(),
        kind: target.kind().to_owned(),
        links,
        breaker: match breaker.state {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        },
        because: breaker.because.map(|class| class.name()),
        error: target.layered().breaker_words().map(|words| words.to_string()),
        in_flight: limits.in_flight,
        slots: limits.slots,
    }
}
