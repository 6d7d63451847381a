//! A stored resource as SCIM shows it.

use super::condition::etag;
use gateway_domain::{Link, LinkState, Policy, Source};
use gateway_store::{MemberRow, Needs, View};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use scim::{Meta, Object, Projection, Resource, ResourceType, Returned, SYNC_GROUP, SYNC_USER, Types};
use serde_json::{Value, json};

/// What an answer needs beside the resource.
pub(crate) struct Frame<'a> {
    /// The address of SCIM, without a slash at the end.
    pub base: &'a str,
    /// Who asks: it sees its own `externalId`, and our extensions under its names for them.
    pub source: &'a Source,
    /// All resource types.
    pub types: &'a Types,
    /// For the names of targets.
    pub policy: &'a Policy,
}

/// What must be read for this answer, and no more: the members of a large group are the costliest rows there are.
pub(crate) fn needs(ty: &ResourceType, projection: &Projection) -> Needs {
    Needs {
        members: ty.accepts_members() && projection.wants("members", Returned::Default),
        groups: ty.schema.id == scim::USER && projection.wants("groups", Returned::Default),
        links: sync(ty).is_some_and(|urn| projection.wants(urn, Returned::Request)),
    }
}

/// The Sync extension of the type.
fn sync(ty: &ResourceType) -> Option<&str> {
    ty.extensions.iter().map(|extension| extension.schema.id.as_str()).find(|urn| [SYNC_USER, SYNC_GROUP].contains(urn))
}

impl Frame<'_> {
    /// The address of a resource.
    pub fn location(&self, ty: &ResourceType, id: &str) -> String {
        [self.base, &ty.endpoint, "/", &escaped(id)].concat()
    }

    /// The whole answer for one resource.
    pub fn compose(&self, view: View, ty: &ResourceType, projection: &Projection) -> Object {
        let View { resource: stored, members, groups, links } = view;
        let needs = needs(ty, projection);
        let mut attrs = stored.attrs;
        let stored_only = match sync(ty).filter(|_| needs.links) {
            None => Vec::new(),
            Some(SYNC_GROUP) => self.policy.group_stored_only(&attrs),
            Some(_) => self.policy.stored_only(&attrs),
        };
        if let Some(external_id) = stored.external_ids.get(&self.source.id) {
            attrs.insert("externalId".into(), external_id.as_str().into());
        }
        // An empty group has no `members` (RFC 7643, section 2.5: unassigned and empty are one).
        if needs.members && !members.is_empty() {
            attrs.insert("members".into(), members.into_iter().map(|member| self.member(member)).collect());
        }
        if needs.groups && !groups.is_empty() {
            let endpoint = &self.types.group().endpoint;
            let groups = groups.into_iter().map(|group| {
                let place = [self.base, endpoint, "/", group.id.as_str()].concat();
                json!({
                    "value": group.id.as_str(),
                    "$ref": place,
                    "display": group.display,
                    "type": if group.direct { "direct" } else { "indirect" },
                })
            });
            attrs.insert("groups".into(), groups.collect());
        }
        if needs.links
            && let Some(urn) = sync(ty)
        {
            let targets: Vec<Value> = links.iter().map(|link| self.target(link)).collect();
            attrs.insert(urn.into(), json!({ "targets": targets, "storedOnly": stored_only }));
        }
        let id = stored.id.as_str();
        let meta = Meta {
            created: stored.created,
            last_modified: stored.modified,
            location: &self.location(ty, id),
            version: &etag(stored.version),
        };
        let document = scim::document(ty, id, Resource { attrs }, meta);
        self.source.aliases.reverse(projection.apply(document, ty))
    }

    fn member(&self, member: MemberRow) -> Value {
        let mut out = Object::new();
        if let Some(ty) = self.types.by_name(&member.ty) {
            out.insert("$ref".into(), [self.base, &ty.endpoint, "/", member.id.as_str()].concat().into());
        }
        out.insert("type".into(), member.ty.into());
        if let Some(display) = member.display {
            out.insert("display".into(), display.into());
        }
        out.insert("value".into(), member.id.as_str().into());
        Value::Object(out)
    }

    /// How far one target has followed.
    fn target(&self, link: &Link) -> Value {
        let name =
            self.policy.targets.iter().find(|target| target.id == link.key.target).map(|target| target.name.as_str());
        let mut out = Object::new();
        let mut say = |member: &str, value: Option<String>| {
            if let Some(value) = value {
                out.insert(member.into(), value.into());
            }
        };
        say("target", Some(name.unwrap_or(link.key.target.as_str()).to_owned()));
        say("kind", Some(link.key.kind.to_string()));
        say("state", Some(state(link).to_owned()));
        say("nativeId", link.native_id.as_ref().map(ToString::to_string));
        say("lastSuccess", link.last_success.map(|at| at.to_string()));
        say("pendingSince", link.pending_since.map(|at| at.to_string()));
        say("lastErrorClass", link.last_error.as_ref().map(|last| last.error.class.name().to_owned()));
        say("lastError", link.last_error.as_ref().map(|last| last.error.message.clone()));
        if let Some(seen) = link.seen.as_ref().filter(|seen| !seen.warnings.is_empty()) {
            out.insert("warnings".into(), json!(seen.warnings));
        }
        Value::Object(out)
    }
}

/// The state of a link as the Sync extension names it: what is due is told as such, whether or not there is an object yet.
fn state(link: &Link) -> &'static str {
    match link.state {
        LinkState::Unlinked | LinkState::Linked if link.pending() => "due",
        LinkState::Unlinked
        | LinkState::Linked
        | LinkState::Parked(_)
        | LinkState::Disputed
        | LinkState::Detached
        | LinkState::Tombstone => link.state.name(),
    }
}

/// An id as a path segment. Our own need no escapes; those of the catalogue may (RFC 3986, section 3.3).
pub(crate) fn escaped(id: &str) -> std::borrow::Cow<'_, str> {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b':')
        .remove(b'@')
        .remove(b'=')
        .remove(b',');
    utf8_percent_encode(id, ESCAPED).into()
}
