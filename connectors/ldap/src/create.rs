//! Creating entries: one operation where the server can tell the new id with it.

use crate::{
    active, ber,
    directory::{Directory, Place},
    error,
    groups::{self, Membership},
    shape::Shape,
    subschema::{Facts, control},
    translate,
    write::{Parts, not_opened},
};
use connector_spi::{AccountState, Attrs, ConnError, Created, Ctx, Effect, Entitlement, NativeId, Result};
use ldap3::{LdapResult, controls::PostRead};
use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Between two looks at whether the memberships of somebody's old name have followed.
const FOLLOWS: Duration = Duration::from_millis(10);

impl Directory {
    pub(crate) async fn make(
        &self,
        cx: &Ctx,
        shape: &Shape,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let facts = self.facts(cx).await?;
        // Opened last: with entitlements to give, the account begins closed.
        let first_closed = shape.has_flags() || (!entitlements.is_empty() && shape.closes());
        let held_back = state == AccountState::Enabled && first_closed;
        let first = if held_back { AccountState::Disabled } else { state };
        // An Active Directory enables no account without a password, so a new one has one that nobody knows.
        let scramble = shape.has_flags() || (shape.scramble && first != AccountState::Enabled && !held_back);
        let secret = if scramble { Some(self.proofs.password()?) } else { None };
        let mut entry = if shape.is_account() {
            translate::create(shape, &facts, attrs, first, secret.as_ref())?
        } else {
            self.group_entry(cx, shape, &facts, attrs).await?
        };
        if cx.attempt > 1
            && let Some(ours) = self.recognise(cx, shape, &facts, attrs).await?
        {
            return Ok(ours);
        }
        if cx.dry_run {
            let names = entry.attributes.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned());
            self.would_send(cx, "add", shape.kind.as_str(), &names.collect::<Vec<_>>());
            for entitlement in entitlements {
                self.would_send(cx, "give", &groups::part(entitlement), &[]);
            }
            return Ok(Created::new("dry-run"));
        }
        let controls =
            if facts.has(control::POST_READ) { vec![PostRead::new(vec![shape.id.as_str()])] } else { vec![] };
        let attributes = std::mem::take(&mut entry.attributes);
        if self.moves.has(&entry.dn) {
            return Err(ConnError::transient("the entry of this name is being renamed: its memberships go first"));
        }
        let mut session = self.pool.session(cx).await?;
        let result = session.add(&entry.dn, attributes, controls).await?;
        drop(session);
        match result.rc {
            0 => {}
            68 => return Err(self.taken(cx, shape, &facts, &entry.dn, attrs, &result).await),
            // The entry above the new one is not there.
            32 => {
                let error = ConnError::invalid("the entry above the new one does not exist").code(32);
                return Err(error.attribute(crate::shape::PARENT));
            }
            code => return Err(self.refused(code, &result, "adding an entry", &facts, shape, attrs.keys())),
        }
        let id = self.id_of_new(cx, shape, &entry.dn, &result).await?;
        self.names.learn(id.as_str(), &entry.dn);
        if let Some(secret) = secret.filter(|_| !held_back) {
            self.proofs.scrambled(&id, secret);
        }
        let mut parts = Parts::default();
        // Whoever had the name a moment ago takes memberships along under it: what is given before that would go with them.
        while self.moves.has(&entry.dn) && Instant::now() + FOLLOWS < cx.deadline {
            sleep(FOLLOWS).await;
        }
        self.memberships(cx, &entry.dn, entitlements, Membership::Give, &mut parts).await;
        if held_back {
            let outcome = if parts.failed.is_empty() {
                let mut place = Place { shape, id: &id, dn: entry.dn, version: None };
                self.stand(cx, &facts, &mut place, AccountState::Enabled).await
            } else {
                Err(not_opened())
            };
            parts.keep("state", outcome);
        }
        Ok(Created { failed: parts.failed, ..Created::new(id.0) })
    }

    async fn group_entry(&self, cx: &Ctx, shape: &Shape, facts: &Facts, attrs: &Attrs) -> Result<translate::NewEntry> {
        let mut plain = attrs.clone();
        plain.retain(|name, _| !shape.is_member(name));
        let mut entry = translate::create(shape, facts, &plain, AccountState::Enabled, None)?;
        let Some((member, placeholder)) = &shape.members else { return Ok(entry) };
        let mut members = HashSet::new();
        for (name, values) in attrs.iter().filter(|(name, _)| shape.is_member(name)) {
            members.extend(self.members_to_names(cx, name, values).await?);
        }
        members.extend(placeholder.iter().map(|placeholder| placeholder.clone().into_bytes()));
        if !members.is_empty() {
            entry.attributes.push((member.clone().into_bytes(), members));
        }
        Ok(entry)
    }

    async fn id_of_new(&self, cx: &Ctx, shape: &Shape, dn: &str, result: &LdapResult) -> Result<NativeId> {
        let control = result.ctrls.iter().find(|control| control.1.ctype == control::POST_READ);
        let read = control.and_then(|control| ber::post_read(control.1.val.as_deref()?));
        let id = read.and_then(|mut read| read.remove(&shape.id.to_lowercase())?.into_iter().next());
        if let Some(id) = id.and_then(|id| String::from_utf8(id).ok()) {
            return Ok(NativeId(id));
        }
        // The entry is there, whatever happens now.
        let unknown = |error: ConnError| error.effect(Effect::Maybe);
        let wanted = [shape.id.clone()];
        let mut session = self.pool.session(cx).await.map_err(unknown)?;
        let entry = session.entry(dn, &wanted, "reading the new entry").await.map_err(unknown)?;
        entry
            .and_then(|entry| entry.text(&shape.id).map(|id| NativeId(id.to_owned())))
            .ok_or_else(|| ConnError::unknown("the new entry cannot be read back").attribute(&shape.id))
    }

    /// On a later attempt: the entry that an earlier one made, known by the gateway's id in it.
    async fn recognise(&self, cx: &Ctx, shape: &Shape, facts: &Facts, attrs: &Attrs) -> Result<Option<Created>> {
        let Some(mark) = &shape.owned_mark else { return Ok(None) };
        let Some((_, values)) = attrs.iter().find(|(name, _)| facts.same(name, mark)) else { return Ok(None) };
        let Some(value) = values.first() else { return Ok(None) };
        let key = BTreeMap::from([(mark.clone(), value.clone())]);
        let mut found = self.by_key(cx, shape, &key).await?;
        match (found.pop(), found.is_empty()) {
            (Some(record), true) => {
                Ok(Some(Created { adopted: true, record: Some(record.clone()), ..Created::new(record.id.0) }))
            }
            (Some(_), false) => Err(ConnError::conflict("several entries carry this account's mark").attribute(mark)),
            (None, _) => Ok(None),
        }
    }

    /// The error of an add whose name is taken, with the id of the entry that has it.
    async fn taken(
        &self,
        cx: &Ctx,
        shape: &Shape,
        facts: &Facts,
        dn: &str,
        attrs: &Attrs,
        result: &LdapResult,
    ) -> ConnError {
        let error = error::refused(68, &result.text, "adding an entry", &self.pool.codes);
        let error = error.attribute(facts.canonical(&shape.rdn));
        let wanted = [shape.id.clone()];
        let entry = match self.pool.session(cx).await {
            Ok(mut session) => session.entry(dn, &wanted, "reading the entry in the way").await.ok().flatten(),
            Err(_) => None,
        };
        if let Some(id) = entry.as_ref().and_then(|entry| entry.text(&shape.id)) {
            return error.existing(NativeId(id.to_owned()));
        }
        // Nobody has the name: in an Active Directory the login name is unique too, wherever the other entry is.
        let name = attrs.iter().find(|(name, _)| shape.active && name.eq_ignore_ascii_case(active::NAME));
        let Some(value) = name.and_then(|(_, values)| values.first()) else { return error };
        let error = error.attribute(active::NAME);
        let key = BTreeMap::from([(active::NAME.to_owned(), value.clone())]);
        match self.by_key(cx, shape, &key).await.ok().and_then(|mut found| found.pop()) {
            Some(record) => error.existing(record.id),
            None => error,
        }
    }
}
