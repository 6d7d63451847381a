//! From a snapshot and what a source says to one change: pure.

use crate::error::Error;
use gateway_domain::audit::{Action, AuditEntry};
use gateway_domain::index::{self, Index, Plan, Unique};
use gateway_domain::lifecycle::{self, Cause};
use gateway_domain::link::{LinkWrite, Wanted};
use gateway_domain::resolve::{self, Assertion, Subject};
use gateway_domain::{Policy, ResourceId, Source, SourceId, UnknownEntitlements, group, roles};
use gateway_store::{AssertionWrite, Change, Expect, Snapshot, SweepCause, Write};
use jiff::Timestamp;
use scim::{Dialect, MemberOp, Object, Resource, ResourceType, ScimError, ScimType};
use std::collections::BTreeMap;

/// Everything that stays the same while one request is computed.
pub(crate) struct Scene<'a> {
    pub policy: &'a Policy,
    pub epoch: u64,
    pub ty: &'a ResourceType,
    pub plan: &'a Plan,
    pub source: &'a Source,
    pub now: Timestamp,
}

/// What the source wants the resource to be.
pub(crate) struct Intent {
    /// The attributes after its operation.
    pub attrs: Object,
    /// Its own name of the resource after its operation.
    pub external_id: Option<String>,
    /// Changes of members.
    pub members: Vec<MemberOp>,
}

/// The change that carries out `intent`, or `None` when everything is so already.
pub(crate) fn compose(
    scene: &Scene<'_>,
    id: &ResourceId,
    snapshot: &Snapshot,
    intent: Intent,
) -> Result<Option<Change>, Error> {
    let Intent { attrs, external_id, members } = intent;
    let empty = Object::new();
    let stored = snapshot.resource.as_ref();
    let before = stored.map_or(&empty, |stored| &stored.attrs);
    let said_before = snapshot.assertions.iter().find(|assertion| assertion.source == scene.source.id);
    let says = match said_before {
        None if stored.is_none() => attrs,
        _ => resolve::assert(said_before.map_or(&empty, |assertion| &assertion.attrs), before, &attrs),
    };
    refuse_unknown(scene, &says)?;
    let same_words = said_before.is_some_and(|said| said.attrs == says && said.external_id == external_id);
    let assertions = spoken(scene, snapshot, says, external_id);
    let mut resolved = resolve::attributes(&assertions, scene.policy);
    let (links, next_change_at) = links(scene, id, &assertions, &mut resolved, snapshot, Cause::Request);
    let changed =
        stored.is_none_or(|stored| stored.attrs != resolved || stored.external_ids != external_ids(&assertions));
    if !changed && same_words && members.is_empty() && links.is_empty() {
        return Ok(None);
    }
    let action = if stored.is_none() { Action::Create } else { Action::Update };
    let assertion = (!same_words).then(|| own(&assertions, &scene.source.id)).flatten();
    let change = resolved_with(scene, id, snapshot, &assertions, resolved, action, (links, next_change_at));
    let write = match change.write {
        Write::Keep if !members.is_empty() => Write::Members,
        write => write,
    };
    Ok(Some(Change { write, assertion, members, ..change }))
}

/// The change that brings a resource to what its assertions resolve to, with the links that follow.
pub(crate) fn resolved(
    scene: &Scene<'_>,
    id: &ResourceId,
    snapshot: &Snapshot,
    assertions: &[Assertion],
    mut attrs: Object,
    action: Action,
) -> Change {
    let links = links(scene, id, assertions, &mut attrs, snapshot, Cause::Sweep);
    resolved_with(scene, id, snapshot, assertions, attrs, action, links)
}

fn resolved_with(
    scene: &Scene<'_>,
    id: &ResourceId,
    snapshot: &Snapshot,
    assertions: &[Assertion],
    attrs: Object,
    action: Action,
    (links, next_change_at): (Vec<LinkWrite>, Option<Timestamp>),
) -> Change {
    let empty = Object::new();
    let stored = snapshot.resource.as_ref();
    let before = stored.map_or(&empty, |stored| &stored.attrs);
    let external_ids = external_ids(assertions);
    let changed = stored.is_none_or(|stored| stored.attrs != attrs || stored.external_ids != external_ids);
    let of_groups = scene.ty.accepts_members() && scene.policy.uses_groups;
    let renamed = of_groups && stored.is_some() && before.get("displayName") != attrs.get("displayName");
    let detail = if stored.is_none() { String::new() } else { changed_names(before, &attrs) };
    let write = if changed {
        let new = entries(scene, &attrs, &external_ids, assertions);
        let old = stored
            .map_or_else(Vec::new, |stored| entries(scene, &stored.attrs, &stored.external_ids, &snapshot.assertions));
        let (index, unindex) = index::difference(&old, &new);
        Write::Put { attrs, index, unindex }
    } else {
        Write::Keep
    };
    Change {
        ty: scene.ty.name.clone(),
        id: id.clone(),
        expect: expect(scene.policy, snapshot),
        policy_epoch: scene.epoch,
        write,
        source: scene.source.id.clone(),
        assertion: None,
        members: Vec::new(),
        sweep_members: of_groups,
        sweep: renamed.then(|| SweepCause::Group { id: id.clone() }),
        links,
        next_change_at,
        audit: AuditEntry {
            at: scene.now,
            actor: format!("source:{}", scene.source.name),
            action,
            resource: Some(id.clone()),
            subject: scene.ty.name.clone(),
            version: stored.map_or(1, |stored| stored.version + u64::from(changed)),
            detail,
        },
        now: scene.now,
    }
}

/// What the resource must still be when the change is written.
pub(crate) fn expect(policy: &Policy, snapshot: &Snapshot) -> Expect {
    match &snapshot.resource {
        None => Expect::Absent,
        Some(stored) => {
            Expect::Version { version: stored.version, groups: policy.uses_groups.then(|| snapshot.groups.clone()) }
        }
    }
}

/// Links of a user or of a group as decided now; other resource types have none. What the rules give a user is put into the
/// attributes besides.
pub(crate) fn links(
    scene: &Scene<'_>,
    id: &ResourceId,
    assertions: &[Assertion],
    attrs: &mut Object,
    snapshot: &Snapshot,
    cause: Cause,
) -> (Vec<LinkWrite>, Option<Timestamp>) {
    if scene.ty.accepts_members() {
        let subject = group::Subject { id, assertions, attrs, links: &snapshot.links };
        let decided = group::resolve(subject, scene.policy, scene.now);
        return (lifecycle::steps(id, decided, &snapshot.links, cause, scene.now), None);
    }
    if scene.ty.name != "User" {
        return (Vec::new(), None);
    }
    let resolution = decide(scene.policy, id, assertions, attrs, snapshot, scene.now);
    roles::read_back(attrs, &resolution.ruled, scene.policy.catalogue());
    (lifecycle::steps(id, resolution.links, &snapshot.links, cause, scene.now), resolution.next_change_at)
}

/// What the policy decides about a user.
pub(crate) fn decide(
    policy: &Policy,
    id: &ResourceId,
    assertions: &[Assertion],
    attrs: &Object,
    snapshot: &Snapshot,
    now: Timestamp,
) -> resolve::Resolution {
    let wanted = |target: &gateway_domain::TargetId, kind: &connector_spi::Kind| -> Option<&Wanted> {
        let link = snapshot.links.iter().find(|link| link.key.target == *target && link.key.kind == *kind);
        link.and_then(|link| link.wanted.as_ref())
    };
    let subject = Subject { id, assertions, attrs, groups: &snapshot.groups, wanted: &wanted };
    resolve::resolve(subject, policy, now)
}

/// Roles and entitlements that no catalogue knows are refused, unless the source's setting says to record them.
fn refuse_unknown(scene: &Scene<'_>, says: &Object) -> Result<(), Error> {
    if scene.ty.name != "User" || scene.source.unknown_entitlements == UnknownEntitlements::Record {
        return Ok(());
    }
    match roles::unknown(scene.policy.catalogue(), says).first() {
        None => Ok(()),
        Some((attribute, value)) => Err(Error::Scim(ScimError::bad_request(
            ScimType::InvalidValue,
            format!(
                "{attribute}: the catalogue does not know {value:?}; GET /Roles and /Entitlements list what it knows"
            ),
        ))),
    }
}

/// All assertions, with the speaker's as it says now.
fn spoken(scene: &Scene<'_>, snapshot: &Snapshot, says: Object, external_id: Option<String>) -> Vec<Assertion> {
    let own = Assertion { source: scene.source.id.clone(), attrs: says, external_id, observed_at: scene.now };
    let mut all: Vec<Assertion> =
        snapshot.assertions.iter().filter(|assertion| assertion.source != own.source).cloned().collect();
    all.push(own);
    all
}

fn own(assertions: &[Assertion], source: &SourceId) -> Option<AssertionWrite> {
    let own = assertions.iter().find(|assertion| assertion.source == *source)?;
    Some(AssertionWrite::Put { attrs: own.attrs.clone(), external_id: own.external_id.clone() })
}

/// Each source's own name of the resource.
pub(crate) fn external_ids(assertions: &[Assertion]) -> BTreeMap<SourceId, String> {
    assertions.iter().filter_map(|assertion| Some((assertion.source.clone(), assertion.external_id.clone()?))).collect()
}

/// The index entries of a resource. A group's name is unique among the groups of one tolerant source besides: Entra and its
/// validator expect 409 for a second group of a name (`spec/scim-beyond-7644`, section 9).
fn entries(
    scene: &Scene<'_>,
    attrs: &Object,
    external_ids: &BTreeMap<SourceId, String>,
    assertions: &[Assertion],
) -> Vec<Index> {
    let resource = Resource { attrs: attrs.clone() };
    let mut entries = scene.plan.entries(&resource, external_ids);
    if scene.ty.accepts_members()
        && scene.source.dialect == Dialect::Tolerant
        && let Some(name) = resource.text("displayName")
    {
        let named = assertions.iter().filter(|assertion| assertion.attrs.contains_key("displayName"));
        entries.extend(named.map(|assertion| Index {
            key: format!("displayName@{}", assertion.source),
            value: name.to_lowercase(),
            unique: Unique::Yes,
        }));
        entries.sort_unstable();
    }
    entries
}

/// The names of attributes that differ, for the audit: names, never values.
fn changed_names(before: &Object, after: &Object) -> String {
    let mut names: Vec<&str> = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| gateway_domain::mapping::short_name(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(" ")
}
