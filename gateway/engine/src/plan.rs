//! What would change for one person, unwritten.

use crate::{Engine, Error, compose};
use gateway_domain::gates::Gate;
use gateway_domain::link::{Delta, Link, LinkState, Wanted};
use gateway_domain::resolve::{self, Decision};
use gateway_domain::{Lane, ResourceId, diff, holdings, link::LinkKey};
use jiff::Timestamp;
use serde::Serialize;

/// What would change for one person.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The user.
    pub user: String,
    /// `open`, `not-yet` or `closed`.
    pub access: &'static str,
    /// When the decision changes without anybody's doing.
    pub next_change_at: Option<Timestamp>,
    /// What would happen in each target.
    pub targets: Vec<PlannedLink>,
}

/// What would happen in one target.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedLink {
    /// The target's name.
    pub target: String,
    /// The kind of object.
    pub kind: String,
    /// Where the link stands: `none`, or its state.
    pub state: String,
    /// `nothing`, `create`, `change`, `close`, `delete`, `read` or `held`.
    pub would: &'static str,
    /// Why it is held.
    pub because: Option<String>,
    /// Attributes that would be written, by name.
    pub attributes: Vec<String>,
    /// Entitlements that would be given, with their reasons.
    pub give: Vec<String>,
    /// Entitlements that would be taken.
    pub take: Vec<String>,
    /// Entitlements found there that are wanted here too; they stay when our reason ends.
    pub shared: Vec<String>,
    /// Entitlements found there that nobody here gave or wants; they stay.
    pub foreign: Vec<String>,
}

impl Engine {
    /// Decides about one user as of now and compares it with what was last seen. Nothing is written and no target is asked.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such user.
    pub async fn plan(&self, user: &ResourceId) -> Result<Plan, Error> {
        let ty = self.types().user();
        let snapshot = self.store().snapshot(&ty.name, user).await?;
        if snapshot.resource.is_none() {
            return Err(Error::Unknown(format!("user {user}")));
        }
        let policy = self.policy();
        let attrs = resolve::attributes(&snapshot.assertions, &policy);
        let decided = compose::decide(&policy, user, &snapshot.assertions, &attrs, &snapshot, self.clock().now());
        let targets = decided
            .links
            .into_iter()
            .map(|one| {
                let key =
                    LinkKey { resource: user.clone(), target: one.target, kind: one.kind, purpose: String::new() };
                let link = snapshot.links.iter().find(|link| link.key == key);
                let name =
                    self.targets().get(&key.target).map_or_else(|| key.target.to_string(), |t| t.name().to_owned());
                planned(name, key, one.decision, link)
            })
            .collect();
        let access = match decided.gate {
            Gate::Open => "open",
            Gate::NotYet => "not-yet",
            Gate::Closed => "closed",
        };
        Ok(Plan { user: user.to_string(), access, next_change_at: decided.next_change_at, targets })
    }
}

fn planned(target: String, key: LinkKey, decision: Decision, link: Option<&Link>) -> PlannedLink {
    let mut planned = PlannedLink {
        target,
        kind: key.kind.to_string(),
        state: link.map_or("none", |link| link.state.name()).to_owned(),
        would: "nothing",
        because: None,
        attributes: Vec::new(),
        give: Vec::new(),
        take: Vec::new(),
        shared: Vec::new(),
        foreign: Vec::new(),
    };
    if let Some(link) = link {
        found(&mut planned, link);
    }
    match decision {
        Decision::Hold(error) => {
            planned.would = "held";
            planned.because = Some(error.message);
        }
        Decision::Close(_) if link.is_none() => {}
        Decision::Want(wanted) | Decision::Close(wanted) => would(&mut planned, key, wanted, link),
    }
    planned
}

fn would(planned: &mut PlannedLink, key: LinkKey, wanted: Wanted, link: Option<&Link>) {
    let closing = wanted.closing.is_some();
    let given = wanted.entitlements.clone();
    let link = Link { wanted: Some(wanted), ..link.cloned().unwrap_or_else(|| new_link(key)) };
    found(planned, &link);
    let reasons = |one: &connector_spi::Entitlement| -> String {
        let origins = given.iter().find(|wanted| wanted.entitlement.same_grant(one)).map(|wanted| &wanted.origins);
        let origins: Vec<String> = origins.into_iter().flatten().map(holdings::in_words).collect();
        format!("{}:{} because of {}", one.kind, one.value, origins.join(", "))
    };
    match diff::delta(&link) {
        Delta::Create => {
            planned.would = "create";
            planned.attributes = link.wanted.iter().flat_map(|wanted| wanted.attrs.keys().cloned()).collect();
            planned.give = given.iter().map(|one| reasons(&one.entitlement)).collect();
        }
        Delta::Update(change) => {
            planned.would = if closing { "close" } else { "change" };
            planned.attributes = change.attrs.keys().cloned().collect();
            planned.give = change.entitlements.add.iter().map(reasons).collect();
            planned.take = change.entitlements.remove.iter().map(|one| format!("{}:{}", one.kind, one.value)).collect();
        }
        Delta::Delete => planned.would = "delete",
        Delta::Read => planned.would = "read",
        Delta::Verify => {}
    }
}

/// What is held there that nobody here gave.
fn found(planned: &mut PlannedLink, link: &Link) {
    let named = |held: Vec<holdings::Held>| -> Vec<String> {
        held.iter().map(|one| format!("{}:{}", one.entitlement.kind, one.entitlement.value)).collect()
    };
    let holdings::Holdings { owned: _, shared, foreign } = holdings::holdings(link);
    (planned.shared, planned.foreign) = (named(shared), named(foreign));
}

fn new_link(key: LinkKey) -> Link {
    Link {
        id: 0,
        key,
        state: LinkState::Unlinked,
        lane: Lane::Interactive,
        generation: 0,
        applied_generation: 0,
        wanted: None,
        sent: None,
        seen: None,
        native_id: None,
        due_at: None,
        attempt: 0,
        last_error: None,
        last_success: None,
        pending_since: None,
        fence: 0,
        leased_until: None,
        members: None,
    }
}
