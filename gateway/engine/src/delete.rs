//! Deleting a resource: it is gone from SCIM, and what it had in targets ends by their policies.

use crate::compose::{self, Scene};
use crate::intake::{Precondition, absent};
use crate::{Caller, Engine, Error};
use gateway_domain::audit::{Action, AuditEntry};
use gateway_domain::{Policy, ResourceId, lifecycle, resolve};
use gateway_store::{AssertionWrite, Change, Snapshot, Write};
use scim::ResourceType;
use std::sync::Arc;

impl Engine {
    /// Deletes a resource (RFC 7644, section 3.6). By the owner of `active` it ends the person; by any other source it only
    /// withdraws what that source said.
    ///
    /// # Errors
    /// 404 or 412.
    pub async fn delete(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        when: Precondition,
    ) -> Result<(), Error> {
        let written = self
            .commit_fresh(ty, id, None, |snapshot| {
                let stored = snapshot.resource.as_ref().ok_or_else(|| absent(ty, id))?;
                when.check(stored.version)?;
                let policy = self.policy();
                let ends = !self.is_user(ty) || policy.owns(&caller.source.id, "active");
                if ends {
                    Ok(Some(self.ending(&policy, caller, ty, id, snapshot, Action::Delete)))
                } else {
                    self.withdrawal(&policy, caller, ty, id, snapshot)
                }
            })
            .await?;
        match written {
            Some(written) => self.confirm_change(caller, &written).await,
            None => Ok(()),
        }
    }

    /// Takes a create back that every target refused.
    pub(crate) async fn take_back(
        &self,
        caller: &Caller,
        ty: &Arc<ResourceType>,
        id: &ResourceId,
        action: Action,
    ) -> Result<(), Error> {
        self.commit_fresh(ty, id, None, |snapshot| {
            if snapshot.resource.is_none() {
                return Ok(None);
            }
            Ok(Some(self.ending(&self.policy(), caller, ty, id, snapshot, action)))
        })
        .await?;
        Ok(())
    }

    fn ending(
        &self,
        policy: &Policy,
        caller: &Caller,
        ty: &ResourceType,
        id: &ResourceId,
        snapshot: &Snapshot,
        action: Action,
    ) -> Change {
        let now = self.clock().now();
        Change {
            ty: ty.name.clone(),
            id: id.clone(),
            expect: compose::expect(policy, snapshot),
            policy_epoch: self.epoch(),
            write: Write::Delete,
            source: caller.source.id.clone(),
            assertion: None,
            members: Vec::new(),
            sweep_members: ty.accepts_members() && policy.uses_groups,
            sweep: None,
            links: lifecycle::tombstones(&snapshot.links, |link| policy.close(link), now),
            next_change_at: None,
            audit: AuditEntry {
                at: now,
                actor: format!("source:{}", caller.source.name),
                action,
                resource: Some(id.clone()),
                subject: ty.name.clone(),
                version: snapshot.resource.as_ref().map_or(0, |stored| stored.version),
                detail: String::new(),
            },
            now,
        }
    }

    /// The change by which a source that does not own `active` takes back what it said. `None`: it never said anything.
    fn withdrawal(
        &self,
        policy: &Policy,
        caller: &Caller,
        ty: &ResourceType,
        id: &ResourceId,
        snapshot: &Snapshot,
    ) -> Result<Option<Change>, Error> {
        if !snapshot.assertions.iter().any(|assertion| assertion.source == caller.source.id) {
            return Ok(None);
        }
        let mut left = snapshot.clone();
        left.assertions.retain(|assertion| assertion.source != caller.source.id);
        let scene = Scene {
            policy,
            epoch: self.epoch(),
            ty,
            plan: self.index(ty)?,
            source: &caller.source,
            now: self.clock().now(),
        };
        let attrs = resolve::attributes(&left.assertions, policy);
        let change = compose::resolved(&scene, id, snapshot, &left.assertions, attrs, Action::Update);
        Ok(Some(Change { assertion: Some(AssertionWrite::Withdraw), ..change }))
    }
}
