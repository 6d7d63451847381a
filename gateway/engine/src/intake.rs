//! Requests of sources: create, replace, patch.

use crate::compose::{self, Intent, Scene};
use crate::{Caller, Engine, Error};
use gateway_domain::{ResourceId, SourceId};
use gateway_store::{Change, Committed, GroupRef, Needs, Snapshot, StoreError, Stored, View, Write};
use scim::{MemberOp, Parsed, Patch, Resource, ResourceType, ScimError};
use std::sync::Arc;
use std::time::Duration;

/// How often a change is computed anew because somebody else was faster, before the caller is asked to come back.
const TRIES: u32 = 40;

/// The caller's condition on the version (RFC 7644, section 3.14).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// None.
    #[default]
    Any,
    /// `If-Match: *`, or one of these versions.
    Versions(Vec<u64>),
}

impl Precondition {
    /// Whether it holds for a resource of this version.
    ///
    /// # Errors
    /// 412.
    pub fn check(&self, version: u64) -> Result<(), ScimError> {
        match self {
            Precondition::Any => Ok(()),
            Precondition::Versions(versions) if versions.contains(&version) => Ok(()),
            Precondition::Versions(_) => {
                Err(ScimError::precondition_failed(format!("the resource is at version W/\"{version}\"")))
            }
        }
    }
}

/// What was stored.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The resource as it is now.
    pub view: View,
    /// Whether anything changed.
    pub changed: bool,
    /// Attributes that were dropped because no schema knows them.
    pub ignored: Vec<String>,
}

/// A change that was written, with what the answer needs.
pub(crate) struct Written {
    pub stored: Stored,
    /// The groups of a user, which no change of the user itself touches.
    pub groups: Vec<GroupRef>,
    pub links: Vec<i64>,
    pub changed: bool,
}

impl Engine {
    /// Creates a resource.
    ///
    /// # Errors
    /// 400 or 409 as RFC 7644 says; under `confirm` also the reason of the targets when all of them refuse it.
    pub async fn create(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        parsed: Parsed,
        needs: Needs,
    ) -> Result<Saved, Error> {
        let id = self.mint();
        let Parsed { resource, members, ignored, breaches } = parsed;
        self.hear(caller, &breaches, &ignored);
        let external_id = resource.external_id().map(str::to_owned);
        let attrs = storable(resource, ty);
        let members: Vec<MemberOp> =
            members.filter(|members| !members.is_empty()).map(MemberOp::Add).into_iter().collect();
        // Nothing can stand under an id that was made this instant: there is nothing to read.
        let nothing = Snapshot { policy_epoch: self.epoch(), ..Snapshot::default() };
        let written = self
            .write(caller, ty, &id, Some(nothing), |_: &Snapshot| {
                Ok(Intent { attrs: attrs.clone(), external_id: external_id.clone(), members: members.clone() })
            })
            .await?;
        let written = written.ok_or(Error::Internal("a create that changes nothing"))?;
        self.confirm_create(caller, ty, &id, &written).await?;
        self.saved(written, ignored, needs).await
    }

    /// Replaces a resource.
    ///
    /// # Errors
    /// 400, 404, 409 or 412 as RFC 7644 says.
    pub async fn replace(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        when: Precondition,
        parsed: Parsed,
        needs: Needs,
    ) -> Result<Saved, Error> {
        let Parsed { resource, members, ignored, breaches } = parsed;
        self.hear(caller, &breaches, &ignored);
        let external_id = resource.external_id().map(str::to_owned);
        let members: Vec<MemberOp> = match members {
            _ if !ty.accepts_members() => Vec::new(),
            Some(members) => vec![MemberOp::ReplaceAll(members)],
            None => Vec::new(),
        };
        let resource = Resource { attrs: storable(resource, ty) };
        self.change(caller, ty, id, ignored, needs, |old, own_name| {
            when.check(old.version)?;
            let before = Resource { attrs: old.attrs.clone() };
            let after = resource.clone().replace_into(&before, ty)?;
            // A PUT that leaves externalId out does not take the name away: several clients never send it again.
            let external_id = external_id.clone().or_else(|| own_name.map(str::to_owned));
            Ok(Intent { attrs: after.attrs, external_id, members: members.clone() })
        })
        .await
    }

    /// Changes a resource.
    ///
    /// # Errors
    /// 400, 404, 409 or 412 as RFC 7644 says.
    pub async fn patch(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        when: Precondition,
        patch: Patch,
        needs: Needs,
    ) -> Result<Saved, Error> {
        self.hear(caller, patch.breaches(), patch.ignored());
        let ignored = patch.ignored().to_vec();
        self.change(caller, ty, id, ignored, needs, |old, own_name| {
            when.check(old.version)?;
            let before = with_external_id(old.attrs.clone(), own_name);
            let after = patch.apply(&before, ty)?.unwrap_or(before);
            let external_id = after.external_id().map(str::to_owned);
            Ok(Intent { attrs: storable(after, ty), external_id, members: patch.members().to_vec() })
        })
        .await
    }

    /// One change of a resource that must exist.
    async fn change(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        ignored: Vec<String>,
        needs: Needs,
        intent: impl Fn(&Stored, Option<&str>) -> Result<Intent, Error>,
    ) -> Result<Saved, Error> {
        let source = &caller.source.id;
        let found = |snapshot: &Snapshot| match &snapshot.resource {
            Some(old) => intent(old, old.external_ids.get(source).map(String::as_str)),
            None => Err(absent(ty, id)),
        };
        match self.write(caller, ty, id, None, found).await? {
            Some(written) => {
                self.confirm_change(caller, &written).await?;
                self.saved(written, ignored, needs).await
            }
            None => {
                let view = self.store().view(&ty.name, id, needs).await?.ok_or_else(|| absent(ty, id))?;
                Ok(Saved { view, changed: false, ignored })
            }
        }
    }

    /// Computes and writes until nobody else was faster. `None`: everything was so already.
    pub(crate) async fn write(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        known: Option<Snapshot>,
        intent: impl Fn(&Snapshot) -> Result<Intent, Error>,
    ) -> Result<Option<Written>, Error> {
        let fresh = |snapshot: &Snapshot| -> Result<Option<Change>, Error> {
            let policy = self.policy();
            let scene = Scene {
                policy: &policy,
                epoch: self.epoch(),
                ty,
                plan: self.index(ty)?,
                source: &caller.source,
                now: self.clock().now(),
            };
            compose::compose(&scene, id, snapshot, intent(snapshot)?)
        };
        self.commit_fresh(ty, id, known, fresh).await
    }

    /// The loop of optimistic writing: read (unless the first snapshot is `known`), compute, write; again when the ground moved.
    pub(crate) async fn commit_fresh(
        &self,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        mut known: Option<Snapshot>,
        compute: impl Fn(&Snapshot) -> Result<Option<Change>, Error>,
    ) -> Result<Option<Written>, Error> {
        for attempt in 0..TRIES {
            let snapshot = match known.take() {
                Some(snapshot) => snapshot,
                None => self.store().snapshot(&ty.name, id).await?,
            };
            let Some(change) = compute(&snapshot)? else { return Ok(None) };
            let attrs = match &change.write {
                Write::Put { attrs, .. } => Some(attrs.clone()),
                Write::Members | Write::Keep | Write::Delete => None,
            };
            let external_ids = external_ids_after(&snapshot, &change);
            let mut woken: Vec<_> = change.links.iter().map(|link| link.key.target.clone()).collect();
            if ty.accepts_members() {
                // Members are carried by links that the change itself need not name.
                let policy = self.policy();
                woken.extend(
                    policy.targets.iter().filter(|target| target.group.is_some()).map(|target| target.id.clone()),
                );
            }
            let sweeps = change.sweep.is_some() || change.sweep_members;
            match self.store().commit(change).await {
                Ok(committed) => {
                    woken.iter().for_each(|target| self.targets().wake(target));
                    if sweeps {
                        self.sweeper().notify_one();
                    }
                    let Committed { version, created, modified, changed, links } = committed;
                    let attrs = attrs.or_else(|| snapshot.resource.map(|old| old.attrs)).unwrap_or_default();
                    let stored =
                        Stored { id: id.clone(), ty: ty.name.clone(), version, created, modified, attrs, external_ids };
                    return Ok(Some(Written { stored, groups: snapshot.groups, links, changed }));
                }
                Err(StoreError::Stale) => {
                    // Somebody else was faster: the one who was has made progress, so this cannot go on for ever; a short
                    // pause keeps many writers of one resource from undoing each other's reads.
                    tokio::time::sleep(Duration::from_micros(200 * u64::from(attempt))).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy(Duration::from_secs(1)))
    }

    /// The answer's view: what was written is known, only what was not is read.
    async fn saved(&self, written: Written, ignored: Vec<String>, needs: Needs) -> Result<Saved, Error> {
        let Written { stored, groups, changed, .. } = written;
        let known = View { resource: stored, members: Vec::new(), groups, links: Vec::new() };
        let view = if needs.members || needs.links {
            let (ty, id) = (known.resource.ty.clone(), known.resource.id.clone());
            self.store().view(&ty, &id, needs).await?.unwrap_or(known)
        } else {
            known
        };
        Ok(Saved { view, changed, ignored })
    }

    /// A new id: UUID version 7, so that ids made one after the other stand side by side in the store.
    pub(crate) fn mint(&self) -> ResourceId {
        let now = self.clock().now();
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        let at = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
        ResourceId::new(uuid::Uuid::new_v7(at).to_string())
    }
}

/// 404 for one resource.
pub(crate) fn absent(ty: &ResourceType, id: &ResourceId) -> Error {
    Error::Scim(ScimError::not_found(format!("{} {id} not found", ty.name)))
}

/// What is kept of a resource. `externalId` is each source's own and stands beside it; a password is accepted, used for nothing
/// and never stored.
fn storable(mut resource: Resource, ty: &ResourceType) -> scim::Object {
    drop(resource.take_write_only(ty));
    resource.attrs.remove("externalId");
    resource.attrs
}

fn with_external_id(mut attrs: scim::Object, own_name: Option<&str>) -> Resource {
    if let Some(name) = own_name {
        attrs.insert("externalId".to_owned(), serde_json::Value::String(name.to_owned()));
    }
    Resource { attrs }
}

fn external_ids_after(snapshot: &Snapshot, change: &Change) -> std::collections::BTreeMap<SourceId, String> {
    let mut names = snapshot.resource.as_ref().map(|old| old.external_ids.clone()).unwrap_or_default();
    match &change.assertion {
        Some(gateway_store::AssertionWrite::Put { external_id: Some(name), .. }) => {
            names.insert(change.source.clone(), name.clone());
        }
        Some(
            gateway_store::AssertionWrite::Put { external_id: None, .. } | gateway_store::AssertionWrite::Withdraw,
        ) => {
            names.remove(&change.source);
        }
        None => {}
    }
    names
}
