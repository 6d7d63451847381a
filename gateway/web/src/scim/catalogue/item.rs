//! One role or entitlement, as filters see it and as each form of discovery shows it.

use super::{Shelf, okta};
use crate::scim::compose::escaped;
use gateway_domain::catalogue::{Catalogue, EntitlementEntry, RoleEntry};
use gateway_engine::Assignments;
use jiff::Timestamp;
use scim::{CATALOG_ENTITLEMENT, CATALOG_ROLE, Doc, ENTITLEMENT, Meta, Object, Projection, ROLE, ResourceType};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A role or an entitlement of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'a> {
    Role(&'a RoleEntry),
    Entitlement(&'a EntitlementEntry),
}

/// What is known of an item besides its entry in the catalogue.
#[derive(Debug, Default)]
pub(super) struct Around<'a> {
    /// Which roles contain an entitlement.
    parents: BTreeMap<&'a str, Vec<&'a str>>,
    /// How many people hold what. Nothing is limited where it is not counted.
    assignments: Arc<Assignments>,
}

impl<'a> Around<'a> {
    /// Around the items of this catalogue.
    pub fn of(catalogue: &'a Catalogue, assignments: Arc<Assignments>) -> Self {
        let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for role in catalogue.roles() {
            for id in &role.contains {
                parents.entry(id).or_default().push(&role.value);
            }
        }
        Self { parents, assignments }
    }
}

impl Item<'_> {
    pub fn id(&self) -> &str {
        match self {
            Item::Role(role) => &role.value,
            Item::Entitlement(entry) => &entry.id,
        }
    }

    fn display(&self) -> &str {
        match self {
            Item::Role(role) => &role.display,
            Item::Entitlement(entry) => &entry.display,
        }
    }

    fn retired(&self) -> bool {
        match self {
            Item::Role(_) => false,
            Item::Entitlement(entry) => entry.retired,
        }
    }

    /// How many people may hold it, where that is limited.
    pub fn permitted(&self) -> Option<u32> {
        match self {
            Item::Role(role) => role.assignments,
            Item::Entitlement(entry) => entry.assignments,
        }
    }

    fn used(&self, assignments: &Assignments) -> u64 {
        match self {
            Item::Role(role) => assignments.of_role(&role.value),
            Item::Entitlement(entry) => assignments.of_entitlement(&entry.id),
        }
    }

    /// Its attributes in the draft's form.
    pub fn attrs(&self, around: &Around<'_>) -> Object {
        let mut out = Object::new();
        let mut say = |member: &str, value: Value| {
            out.insert(member.into(), value);
        };
        say("value", self.id().into());
        say("display", self.display().into());
        say("displayName", self.display().into());
        say("supported", (!self.retired()).into());
        say("limitedAssignmentsPermitted", self.permitted().is_some().into());
        if let Some(permitted) = self.permitted() {
            say("totalAssignmentsPermitted", permitted.into());
            say("totalAssignmentsUsed", self.used(&around.assignments).into());
        }
        match self {
            Item::Role(role) => {
                if let Some(ty) = &role.ty {
                    say("type", ty.as_str().into());
                }
                say("contains", json!(role.contains));
                say("containedBy", json!([]));
                let mut extension = json!({ "timeBoundOnly": role.time_bound_only, "sensitive": role.sensitive });
                own(&mut extension, role.owner.as_deref());
                say(CATALOG_ROLE, extension);
            }
            Item::Entitlement(entry) => {
                say("type", entry.entitlement.kind.as_str().into());
                say("contains", json!([]));
                say("containedBy", json!(around.parents.get(self.id()).map(Vec::as_slice).unwrap_or_default()));
                let mut extension = json!({
                    "target": entry.target,
                    "ordered": entry.ordered,
                    "scoped": entry.scoped,
                    "source": entry.source,
                    "sensitive": entry.sensitive,
                });
                own(&mut extension, entry.owner.as_deref());
                say(CATALOG_ENTITLEMENT, extension);
            }
        }
        out
    }

    /// Hands the item to `look` as filters and sort orders see it.
    pub fn seen<T>(&self, around: &Around<'_>, look: impl FnOnce(&Doc<'_>) -> T) -> T {
        let attrs = self.attrs(around);
        // The configuration has no history, so every entry is as old as time.
        let meta =
            Meta { created: Timestamp::UNIX_EPOCH, last_modified: Timestamp::UNIX_EPOCH, location: "", version: "" };
        look(&Doc { id: self.id(), attrs: &attrs, meta, members: &[] })
    }
}

fn own(extension: &mut Value, owner: Option<&str>) {
    if let (Some(owner), Some(extension)) = (owner, extension.as_object_mut()) {
        extension.insert("owner".into(), owner.into());
    }
}

/// How items are shown.
pub(super) struct Shown<'a> {
    pub shelf: &'a Shelf,
    pub ty: &'a ResourceType,
    pub base: &'a str,
    pub around: &'a Around<'a>,
}

impl Shown<'_> {
    pub fn document(&self, item: Item<'_>, projection: &Projection) -> Object {
        let location = [self.base, &self.shelf.endpoint(), "/", &escaped(item.id())].concat();
        let mut document = match self.shelf {
            Shelf::Roles => {
                let mut attrs = item.attrs(self.around);
                attrs.insert("schemas".into(), json!([ROLE, CATALOG_ROLE]));
                attrs.insert("meta".into(), json!({ "resourceType": "Role", "location": location }));
                attrs
            }
            Shelf::Entitlements => {
                let mut attrs = item.attrs(self.around);
                attrs.insert("schemas".into(), json!([ENTITLEMENT, CATALOG_ENTITLEMENT]));
                attrs.insert("meta".into(), json!({ "resourceType": "Entitlement", "location": location }));
                attrs
            }
            Shelf::OktaRoles => okta::role(item.display(), &location),
            Shelf::OktaEntitlements(name) => {
                let mut attrs = item.attrs(self.around);
                okta::entitlement(name, attrs.remove("type").unwrap_or_default(), item.display(), &location)
            }
        };
        document.insert("id".into(), item.id().into());
        let mut shown = projection.apply(document, self.ty);
        // A projection names the schemas of the type that it works by, which in the other form is not the one shown.
        match self.shelf {
            Shelf::Roles | Shelf::Entitlements => {}
            Shelf::OktaRoles => okta::name(&mut shown, okta::ROLE),
            Shelf::OktaEntitlements(_) => okta::name(&mut shown, okta::ENTITLEMENT),
        }
        shown
    }
}
