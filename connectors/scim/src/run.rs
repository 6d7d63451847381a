//! Carrying a change out: its acts in the order that the contract asks for (connector contract, section 4, rule 9), what
//! failed, and what is left.

use crate::{
    connector::ScimConnector,
    edit::{self, Edit},
    exchange::Ready,
    lookup::label,
    members::Moves,
    path::Path,
    plan::{GROUP, KindPlan, MEMBERS, Plan, Sort},
    record,
};
use connector_spi::{AccountState, Change, Class, ConnError, Ctx, Delta, Entitlement, NativeId, PartFailure, Result};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// One step of a change, and the parts of the change that it carries out.
pub(crate) struct Act {
    pub(crate) parts: Vec<String>,
    pub(crate) sense: Sense,
    pub(crate) what: What,
}

/// Whether an act takes access away, gives it, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    Closes,
    Changes,
    Opens,
}

/// What an act does.
pub(crate) enum What {
    Active(bool),
    Attributes(BTreeMap<String, Delta>),
    Members(Delta),
    Give(Entitlement),
    Take(Entitlement),
    /// Cannot be done, and why.
    Cannot(ConnError),
}

/// The acts of a change: a closing state, removals, attributes, additions, a state that opens.
pub(crate) fn acts(kind: &KindPlan, change: &Change) -> Vec<Act> {
    let mut acts = Vec::new();
    let opens = change.state == Some(AccountState::Enabled);
    let state = |active: bool, sense: Sense| Act { parts: vec!["state".to_owned()], sense, what: What::Active(active) };
    match change.state {
        None | Some(AccountState::Enabled) => {}
        Some(AccountState::Unknown) => acts.push(Act {
            parts: vec!["state".to_owned()],
            sense: Sense::Changes,
            what: What::Cannot(ConnError::invalid("nobody can be brought to an unknown state").attribute("state")),
        }),
        // All that a User has is `active`; to refuse a closing for its name would leave the account open.
        Some(AccountState::Disabled | AccountState::Blocked | AccountState::Expired) => {
            acts.push(state(false, Sense::Closes));
        }
    }
    let one = |one: &Entitlement, sense: Sense, what: fn(Entitlement) -> What| Act {
        parts: vec![part_of(one)],
        sense,
        what: what(one.clone()),
    };
    acts.extend(change.entitlements.remove.iter().map(|gone| one(gone, Sense::Closes, What::Take)));
    let mut attrs = change.attrs.clone();
    let members = (kind.sort == Sort::Group).then(|| attrs.remove(MEMBERS)).flatten();
    if !attrs.is_empty() {
        acts.push(Act { parts: attrs.keys().cloned().collect(), sense: Sense::Changes, what: What::Attributes(attrs) });
    }
    acts.extend(members.map(|delta| Act {
        parts: vec![MEMBERS.to_owned()],
        sense: Sense::Changes,
        what: What::Members(delta),
    }));
    acts.extend(change.entitlements.add.iter().map(|new| one(new, Sense::Changes, What::Give)));
    if opens {
        acts.push(state(true, Sense::Opens));
    }
    acts
}

/// The name of an entitlement as a part.
pub(crate) fn part_of(entitlement: &Entitlement) -> String {
    format!("{}:{}", entitlement.kind, entitlement.value)
}

/// One change on its way through its acts.
pub(crate) struct Run<'a> {
    pub(crate) connector: &'a ScimConnector,
    pub(crate) cx: &'a Ctx,
    pub(crate) plan: &'a Plan,
    pub(crate) kind: &'a KindPlan,
    pub(crate) id: NativeId,
    /// The resource as it was last seen.
    pub(crate) raw: Option<Json>,
    /// The version that the next write must find.
    pub(crate) version: Option<String>,
}

/// How far a change came.
#[derive(Default)]
pub(crate) struct Through {
    pub(crate) done: usize,
    pub(crate) failed: Vec<PartFailure>,
    /// What ended it early, and the parts that were left.
    pub(crate) ended: Option<(ConnError, Vec<String>)>,
}

impl Run<'_> {
    /// Carries the acts out, one after the other. Nothing is opened when a part that closes failed.
    pub(crate) async fn through(&mut self, acts: &[Act]) -> Through {
        let (mut through, mut held) = (Through::default(), false);
        for (index, act) in acts.iter().enumerate() {
            if act.sense == Sense::Opens && held {
                through.fail(act, &ConnError::conflict("not opened, since a part that closes failed"));
                continue;
            }
            match self.act(act).await {
                Ok(()) => through.done += 1,
                Err(error) if ends_all(error.class, act) => {
                    let left = acts.iter().skip(index).flat_map(|act| act.parts.iter().cloned()).collect();
                    through.ended = Some((error, left));
                    return through;
                }
                Err(error) => {
                    held |= act.sense == Sense::Closes;
                    through.fail(act, &error);
                }
            }
        }
        through
    }

    async fn act(&mut self, act: &Act) -> Result<()> {
        match &act.what {
            What::Cannot(error) => Err(error.clone()),
            What::Active(active) => {
                let path = Path { urn: None, name: "active".to_owned(), pick: None, sub: None };
                self.write(&[Edit::Set(path, json!(active))]).await
            }
            What::Attributes(deltas) => {
                let raw = match edit::needs_resource(self.kind, deltas) {
                    true => self.resource().await?.clone(),
                    false => Json::Null,
                };
                let edits = edit::of_attributes(self.kind, deltas, &raw)?;
                if edits.is_empty() { Ok(()) } else { self.write(&edits).await }
            }
            What::Members(delta) => {
                let raw = match delta {
                    Delta::Patch { .. } => Json::Null,
                    Delta::Set(_) | Delta::Clear => self.resource().await?.clone(),
                };
                let moves = self.connector.moves(delta, &raw)?;
                self.connector.move_members(self.cx, self.plan, self.kind, &self.id, &moves).await?;
                self.forget();
                Ok(())
            }
            What::Give(one) => self.entitlement(one, true).await,
            What::Take(one) => self.entitlement(one, false).await,
        }
    }

    async fn entitlement(&mut self, one: &Entitlement, give: bool) -> Result<()> {
        let part = part_of(one);
        let named = |error: ConnError| error.attribute(part.clone());
        if let Some(list) = self.plan.list(&one.kind) {
            let raw = self.resource().await?.clone();
            let edit = if give { edit::give(list, one, &raw)? } else { edit::take(list, one, &raw) };
            return match edit {
                Some(edit) => self.write(&[edit]).await.map_err(named),
                None => Ok(()),
            };
        }
        let group = self.plan.kinds.get(&one.kind).filter(|kind| kind.sort == Sort::GroupCatalogue);
        let Some(group) = group.filter(|_| one.kind.as_str() == GROUP) else {
            return Err(named(ConnError::invalid("the server has no such type of entitlement")));
        };
        if !one.scope.is_empty() {
            return Err(named(ConnError::invalid("a group cannot be held for one place only")));
        }
        let mut moves = Moves::default();
        (if give { &mut moves.add } else { &mut moves.remove }).push(self.id.0.clone());
        // The version of a User that shows its groups changes with them.
        self.forget();
        match self.connector.move_members(self.cx, self.plan, group, &one.value, &moves).await {
            Err(error) if error.class == Class::NotFound && give => {
                Err(named(ConnError::invalid("the server has no such group").code("404")))
            }
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map_err(named),
        }
    }

    /// The resource as it is.
    pub(crate) async fn resource(&mut self) -> Result<&Json> {
        if self.raw.is_none() {
            let fetched = self.connector.fetch(self.cx, self.plan, self.kind, &self.id).await?;
            let fetched = fetched.ok_or_else(|| ConnError::not_found("the resource is not there"))?;
            self.compare(fetched.record.version.as_deref())?;
            self.raw = Some(fetched.raw);
        }
        self.raw.as_ref().ok_or_else(|| ConnError::not_found("the resource is not there"))
    }

    /// Refuses when the version is another than the change was computed for.
    pub(crate) fn compare(&self, version: Option<&str>) -> Result<()> {
        match (self.version.as_deref(), version) {
            (Some(wanted), Some(found)) if wanted != found => {
                Err(ConnError::stale_version("the resource changed since it was read"))
            }
            _ => Ok(()),
        }
    }

    fn forget(&mut self) {
        self.raw = None;
        self.version = None;
    }

    /// Sends edits by PATCH, or the whole document by PUT.
    async fn write(&mut self, edits: &[Edit]) -> Result<()> {
        let exchange = self.connector.exchange(self.cx);
        let url = exchange.address(&self.kind.resource.endpoint, Some(self.id.as_str()))?;
        let (method, body, version) = if self.plan.patch {
            ("PATCH", edit::patch_body(edits), self.version.clone())
        } else {
            let raw = self.resource().await?;
            let read = record::version(raw, None);
            let mut document: Map<String, Json> = raw.as_object().cloned().unwrap_or_default();
            edit::apply(&mut document, edits);
            let version = self.version.clone().or(read).filter(|_| self.plan.etag);
            ("PUT", edit::finished(document, &self.kind.resource), version)
        };
        let label = format!("{method} {}", label(self.kind, true));
        let answer =
            exchange.write(Ready { method, label, url, body: Some(&body), version: version.as_deref() }).await?;
        let pinned = self.version.is_some();
        self.forget();
        if let Some(answer) = answer {
            let is_it = record::id_of(&answer.body).as_deref() == Some(self.id.as_str());
            if pinned {
                self.version = record::version(&answer.body, answer.etag.as_deref());
            }
            // Servers may answer with a part only; what is edited next is read again unless all of it can be there.
            self.raw = (is_it && self.connector.config.account.lists_whole).then_some(answer.body);
        }
        Ok(())
    }
}

impl Through {
    fn fail(&mut self, act: &Act, error: &ConnError) {
        self.failed.extend(act.parts.iter().map(|part| PartFailure { part: part.clone(), error: error.clone() }));
    }
}

/// Whether a failure concerns the whole server or the whole resource rather than the act's own part.
fn ends_all(class: Class, act: &Act) -> bool {
    match class {
        Class::Transient | Class::Throttled | Class::Timeout | Class::Unknown | Class::Auth | Class::Config => true,
        Class::NotFound | Class::StaleVersion => !matches!(act.what, What::Give(_) | What::Take(_)),
        Class::AlreadyExists
        | Class::Conflict
        | Class::Invalid
        | Class::Forbidden
        | Class::Unsupported
        | Class::Permanent => false,
    }
}
