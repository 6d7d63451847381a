//! Changing and deleting entries.

use crate::{
    directory::{Directory, Place, Write},
    dn, error,
    groups::{self, Membership},
    session::Entry,
    shape::Shape,
    subschema::{Facts, control},
    translate,
};
use connector_spi::{
    AccountState, Change, Class, ConnError, Ctx, Delta, Effect, Entitlement, NativeId, PartFailure, Result, Updated,
};
use ldap3::{LdapResult, Mod};
use std::collections::{BTreeMap, HashSet};

/// Memberships given or taken at the same time.
const AT_ONCE: usize = 8;

/// What became of the parts of a change.
#[derive(Default)]
pub(crate) struct Parts {
    /// How many succeeded.
    pub(crate) done: usize,
    /// Those that did not.
    pub(crate) failed: Vec<PartFailure>,
}

impl Parts {
    /// Notes the outcome of a part. An error that the next part would meet too ends the change.
    pub(crate) fn note(&mut self, part: &str, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => {
                self.done += 1;
                Ok(())
            }
            Err(error) if groups::ends_all(error.class) => Err(match error.effect {
                Effect::None if self.done > 0 => error.effect(Effect::Partial),
                Effect::None | Effect::Partial | Effect::Maybe => error,
            }),
            Err(error) => {
                let part = error.attribute.clone().unwrap_or_else(|| part.to_owned());
                self.failed.push(PartFailure { part, error });
                Ok(())
            }
        }
    }

    /// As [`Parts::note`], where what is done must not be forgotten over an error: everything becomes a failed part.
    pub(crate) fn keep(&mut self, part: &str, outcome: Result<()>) {
        if let Err(error) = self.note(part, outcome) {
            self.failed.push(PartFailure { part: part.to_owned(), error });
        }
    }
}

impl Directory {
    pub(crate) async fn change(&self, cx: &Ctx, shape: &Shape, id: &NativeId, change: &Change) -> Result<Updated> {
        let facts = self.facts(cx).await?;
        let closing = change.state.filter(|state| *state != AccountState::Enabled);
        let mods = translate::change(shape, &facts, &plain(shape, &change.attrs));
        // What is wrong with an attribute never holds up a closing; otherwise nothing is begun that cannot be finished.
        let mods = match (mods, closing) {
            (Err(error), None) => return Err(error),
            (mods, _) => mods,
        };
        if let Some(state) = change.state {
            translate::standing(shape, state, None)?;
        }
        // An account that is not there is closed, and holds nothing.
        let opens = change.state == Some(AccountState::Enabled);
        let ends = change.attrs.is_empty() && change.entitlements.add.is_empty() && !opens;
        if !cx.dry_run {
            self.catch_up(cx, shape, id).await?;
        }
        let mut session = self.pool.session(cx).await?;
        let place = self.place(&mut session, &facts, shape, id).await?;
        let Some(mut place) = place else {
            return if ends { Ok(Updated::default()) } else { Err(ConnError::not_found("there is no such entry")) };
        };
        if let Some(version) = &change.if_version {
            let (true, Some(attribute)) = (facts.has(control::ASSERTION), &shape.version) else {
                return Err(ConnError::unsupported("the directory cannot hold a change against a version"));
            };
            let wanted = [shape.id.clone(), attribute.clone()];
            let entry = self.by_id(&mut session, shape, id, &wanted).await?;
            if entry.as_ref().and_then(|entry| entry.text(attribute)) != Some(version) {
                return Err(ConnError::stale_version("the entry changed since it was read"));
            }
            place.version = Some(version.clone());
        }
        drop(session);
        if cx.dry_run {
            self.rehearse(cx, id, change);
            return mods.map(|_| Updated::default());
        }

        let mut parts = Parts::default();
        if let Some(state) = closing {
            let outcome = self.stand(cx, &facts, &mut place, state).await;
            match outcome {
                Err(gone) if ends && gone.class == Class::NotFound => return Ok(Updated::default()),
                outcome => parts.note("state", outcome)?,
            }
        }
        if !change.entitlements.is_empty() {
            // A group takes a name as it is, so the name must be this account's own and not that of one which took it over.
            let wanted = [shape.id.clone()];
            let mut session = self.pool.session(cx).await?;
            let entry = self.by_id(&mut session, shape, id, &wanted).await?;
            match entry {
                Some(entry) => place.dn = entry.dn,
                None if ends => return Ok(Updated::default()),
                None => parts.note("entitlements", Err(ConnError::not_found("the entry is gone")))?,
            }
        }
        for (list, what) in
            [(&change.entitlements.remove, Membership::Take), (&change.entitlements.add, Membership::Give)]
        {
            let mut these = Parts::default();
            self.memberships(cx, &place.dn, list, what, &mut these).await;
            parts.done += these.done;
            for failure in these.failed {
                parts.note(&failure.part, Err(failure.error))?;
            }
        }
        match mods {
            Ok(mods) => self.attributes(cx, &facts, &mut place, mods, &change.attrs, &mut parts).await?,
            Err(error) => parts.note("attributes", Err(error))?,
        }
        if opens {
            let outcome = if parts.failed.is_empty() {
                self.stand(cx, &facts, &mut place, AccountState::Enabled).await
            } else {
                Err(not_opened())
            };
            parts.note("state", outcome)?;
        }
        if parts.done == 0 && !parts.failed.is_empty() {
            let first = parts.failed.remove(0);
            return Err(if first.error.attribute.is_none() { first.error.attribute(first.part) } else { first.error });
        }
        Ok(Updated { failed: parts.failed, ..Updated::default() })
    }

    pub(crate) async fn end(&self, cx: &Ctx, shape: &Shape, id: &NativeId) -> Result<()> {
        if !shape.delete {
            return Err(ConnError::unsupported("deleting is switched off (allow_delete): charts keep their authors"));
        }
        let facts = self.facts(cx).await?;
        let mut session = self.pool.session(cx).await?;
        // Looked up and not guessed: a group takes a name as it is.
        let wanted = [shape.id.clone()];
        let Some(entry) = self.by_id(&mut session, shape, id, &wanted).await? else { return Ok(()) };
        let mut place = Place { shape, id, dn: entry.dn, version: None };
        if cx.dry_run {
            self.would_send(cx, "delete", id.as_str(), &[]);
            return Ok(());
        }
        drop(session);
        // Where the server keeps no referential integrity, the name would stay in its groups for whoever gets it next. Before the
        // entry goes: when the answer to the delete is lost, nobody knows its name any more.
        if shape.is_account() {
            self.leave(cx, &place.dn).await?;
            self.follow_in_objects(cx, &place.dn, None).await?;
        }
        let mut session = self.pool.session(cx).await?;
        let outcome = self.write(&mut session, &facts, &mut place, &Write::Delete).await;
        drop(session);
        self.names.forget(id.as_str());
        match outcome {
            Err(gone) if gone.class == Class::NotFound => {}
            Err(error) => return Err(error),
            Ok(result) if matches!(result.rc, 0 | 32) => {}
            Ok(result) => return Err(error::refused(result.rc, &result.text, "deleting an entry", &self.pool.codes)),
        }
        Ok(())
    }

    /// Takes an account out of its groups.
    async fn leave(&self, cx: &Ctx, dn: &str) -> Result<()> {
        for config in &self.config.entitlements {
            for held in self.held_of_type(cx, config, dn).await?.unwrap_or_default() {
                self.membership(cx, dn, &held, Membership::Take).await?;
            }
        }
        Ok(())
    }

    /// Brings lock and status to a state, in one operation. The password that nobody knows goes before it and apart: the policy
    /// overlay of OpenLDAP takes the lock away from an account whose password is changed, so an account that is closed for the
    /// second time would be left unlocked.
    pub(crate) async fn stand(
        &self,
        cx: &Ctx,
        facts: &Facts,
        place: &mut Place<'_>,
        state: AccountState,
    ) -> Result<()> {
        let shape = place.shape;
        let scramble = shape.scramble && state != AccountState::Enabled;
        let secret = if scramble { Some(self.proofs.password()?) } else { None };
        if shape.has_flags() {
            return self.stand_by_flags(cx, place, state, secret).await;
        }
        let replaced = |(name, values)| Mod::Replace(name, values);
        let standing = translate::standing(shape, state, secret.as_ref())?.into_iter();
        let (password, rest): (Vec<_>, Vec<_>) =
            standing.partition(|(name, _)| name.as_slice() == crate::shape::PASSWORD.as_bytes());
        for mods in [password, rest] {
            let mods: Vec<_> = mods.into_iter().map(replaced).collect();
            if mods.is_empty() {
                continue;
            }
            let mut session = self.pool.session(cx).await?;
            let result = self.write(&mut session, facts, place, &Write::Modify(mods)).await?;
            if result.rc != 0 {
                return Err(error::refused(result.rc, &result.text, "changing the state", &self.pool.codes));
            }
        }
        if let Some(secret) = secret {
            self.proofs.scrambled(place.id, secret);
        }
        Ok(())
    }

    pub(crate) async fn memberships(
        &self,
        cx: &Ctx,
        dn: &str,
        list: &[Entitlement],
        what: Membership,
        parts: &mut Parts,
    ) {
        let calls = list.iter().map(|entitlement| self.membership(cx, dn, entitlement, what)).collect();
        for (outcome, entitlement) in groups::some_at_once(calls, AT_ONCE).await.into_iter().zip(list) {
            parts.keep(&groups::part(entitlement), outcome);
        }
    }

    async fn attributes(
        &self,
        cx: &Ctx,
        facts: &Facts,
        place: &mut Place<'_>,
        mut mods: translate::Mods,
        deltas: &BTreeMap<String, Delta>,
        parts: &mut Parts,
    ) -> Result<()> {
        mods.mods.extend(self.member_mods(cx, place, deltas).await?);
        // Groups that list the account by a value that is about to change.
        let listed = self.listed_by_value(cx, place, facts, deltas).await?;
        if !mods.mods.is_empty() {
            let all = std::mem::take(&mut mods.mods);
            match self.modify(cx, facts, place, all.clone()).await {
                // One refused value refuses the whole operation. Apart, the others still arrive, and the bad one is known.
                Err(error) if all.len() > 1 && !groups::ends_all(error.class) => {
                    for (name, group) in by_attribute(all) {
                        let outcome = self.modify(cx, facts, place, group).await;
                        parts.note(&name, outcome.map_err(|error| error.attribute(name.clone())))?;
                    }
                }
                outcome => {
                    let name = deltas.keys().next().cloned().unwrap_or_default();
                    parts.note(
                        &name,
                        outcome.map_err(|e| if e.attribute.is_none() { e.attribute(name.clone()) } else { e }),
                    )?;
                }
            }
        }
        if !listed.is_empty() {
            let outcome = self.follow_value(cx, &place.dn, &listed).await;
            parts.note("entitlements", outcome)?;
        }
        if mods.rdn.is_some() || mods.parent.is_some() {
            let outcome = self.move_to(cx, facts, place, mods.rdn.as_ref(), mods.parent.as_deref()).await;
            let part = if mods.rdn.is_some() { place.shape.rdn.clone() } else { crate::shape::PARENT.to_owned() };
            parts.note(&part, outcome.map_err(|error| error.attribute(part.clone())))?;
        }
        Ok(())
    }

    async fn modify(&self, cx: &Ctx, facts: &Facts, place: &mut Place<'_>, mods: Vec<Mod<Vec<u8>>>) -> Result<()> {
        let mut session = self.pool.session(cx).await?;
        let names: Vec<String> = by_attribute(mods.clone()).into_keys().collect();
        let mut result = self.write(&mut session, facts, place, &Write::Modify(mods.clone())).await?;
        // An Active Directory says it otherwise for members, whatever it is asked to permit.
        let so_already = matches!(result.rc, 16 | 20) || (place.shape.active && matches!(result.rc, 53 | 68));
        if so_already {
            // A value to add is there or one to remove is absent: that much is done. Send the rest.
            let wanted: Vec<String> = names.iter().cloned().chain([place.shape.id.clone()]).collect();
            let entry = self.by_id(&mut session, place.shape, place.id, &wanted).await?;
            let Some(mut entry) = entry else { return Err(ConnError::not_found("the entry is gone")) };
            let mut whole = Vec::with_capacity(names.len());
            for name in &names {
                whole.push((name.clone(), session.all_values(&entry, name).await?));
            }
            entry.attributes = whole;
            let rest = still_to_do(mods.clone(), &entry);
            if rest.is_empty() {
                return Ok(());
            }
            // The refusal was about something else: to send the same again would bring the same answer.
            if rest == mods {
                return Err(self.refused(result.rc, &result, "changing attributes", facts, place.shape, names.iter()));
            }
            result = self.write(&mut session, facts, place, &Write::Modify(rest)).await?;
        }
        match result.rc {
            0 => Ok(()),
            code => Err(self.refused(code, &result, "changing attributes", facts, place.shape, names.iter())),
        }
    }

    /// Changes of a group's members, from ids to names, by value.
    async fn member_mods(
        &self,
        cx: &Ctx,
        place: &Place<'_>,
        deltas: &BTreeMap<String, Delta>,
    ) -> Result<Vec<Mod<Vec<u8>>>> {
        let shape = place.shape;
        let Some((member, placeholder)) = &shape.members else { return Ok(Vec::new()) };
        let Some((name, delta)) = deltas.iter().find(|(name, _)| shape.is_member(name)) else { return Ok(Vec::new()) };
        let (add, remove) = match delta {
            Delta::Patch { add, remove } => {
                (self.members_to_names(cx, name, add).await?, self.leavers_to_names(cx, name, remove).await?)
            }
            Delta::Set(_) | Delta::Clear => {
                let wanted = match delta {
                    Delta::Set(values) => self.members_to_names(cx, name, values).await?,
                    Delta::Clear | Delta::Patch { .. } => Vec::new(),
                };
                let mut session = self.pool.session(cx).await?;
                let entry = session.entry(&place.dn, std::slice::from_ref(member), "reading a group").await?;
                let held = match entry {
                    Some(entry) => session.all_values(&entry, member).await?,
                    None => Vec::new(),
                };
                let folded = |list: &[Vec<u8>]| -> HashSet<String> {
                    list.iter().map(|dn| dn::folded(&String::from_utf8_lossy(dn))).collect()
                };
                let (now, then) = (folded(&held), folded(&wanted));
                let missing = |list: Vec<Vec<u8>>, from: &HashSet<String>| {
                    list.into_iter().filter(|dn| !from.contains(&dn::folded(&String::from_utf8_lossy(dn)))).collect()
                };
                (missing(wanted, &now), missing(held, &then))
            }
        };
        let stays = placeholder.as_deref().map(dn::folded);
        let leaves = |dn: &Vec<u8>| Some(dn::folded(&String::from_utf8_lossy(dn))) != stays;
        let (add, remove): (HashSet<_>, HashSet<_>) =
            (add.into_iter().collect(), remove.into_iter().filter(leaves).collect());
        let member = member.clone().into_bytes();
        let mut mods = Vec::new();
        if !remove.is_empty() {
            mods.push(Mod::Delete(member.clone(), remove));
        }
        if !add.is_empty() {
            mods.push(Mod::Add(member, add));
        }
        Ok(mods)
    }

    pub(crate) fn refused<'n>(
        &self,
        code: u32,
        result: &LdapResult,
        doing: &str,
        facts: &Facts,
        shape: &Shape,
        names: impl Iterator<Item = &'n String>,
    ) -> ConnError {
        let error = error::refused(code, &result.text, doing, &self.pool.codes);
        let content = facts.of_classes(&shape.classes);
        let names: Vec<&String> = names.collect();
        let candidates = names.iter().map(|name| name.as_str()).chain(content.must.iter().map(String::as_str));
        match (error::named(&result.text, candidates), names.as_slice()) {
            (Some(name), _) => error.attribute(name),
            (None, [only]) => error.attribute(*only),
            (None, _) => error,
        }
    }

    fn rehearse(&self, cx: &Ctx, id: &NativeId, change: &Change) {
        if let Some(state) = change.state {
            self.would_send(cx, &format!("state {state:?}"), id.as_str(), &[]);
        }
        for (list, word) in [(&change.entitlements.remove, "take"), (&change.entitlements.add, "give")] {
            for entitlement in list {
                self.would_send(cx, word, &groups::part(entitlement), &[]);
            }
        }
        if !change.attrs.is_empty() {
            self.would_send(cx, "modify", id.as_str(), &change.attrs.keys().cloned().collect::<Vec<_>>());
        }
    }
}

/// Why an account stays closed.
pub(crate) fn not_opened() -> ConnError {
    ConnError::conflict("not opened, because a part of the change failed").attribute("state")
}

/// The changes that are not about members.
fn plain(shape: &Shape, deltas: &BTreeMap<String, Delta>) -> BTreeMap<String, Delta> {
    deltas.iter().filter(|(name, _)| !shape.is_member(name)).map(|(n, d)| (n.clone(), d.clone())).collect()
}

fn name_of(change: &Mod<Vec<u8>>) -> String {
    match change {
        Mod::Add(name, _) | Mod::Delete(name, _) | Mod::Replace(name, _) | Mod::Increment(name, _) => {
            String::from_utf8_lossy(name).into_owned()
        }
    }
}

fn by_attribute(mods: Vec<Mod<Vec<u8>>>) -> BTreeMap<String, Vec<Mod<Vec<u8>>>> {
    let mut groups: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for change in mods {
        groups.entry(name_of(&change)).or_default().push(change);
    }
    groups
}

/// What is left of changes once the values that are so already are taken out.
fn still_to_do(mods: Vec<Mod<Vec<u8>>>, entry: &Entry) -> Vec<Mod<Vec<u8>>> {
    let rest = mods.into_iter().filter_map(|change| {
        let held = entry.values(&name_of(&change)).to_vec();
        let has = |value: &Vec<u8>| held.iter().any(|held| held.eq_ignore_ascii_case(value));
        match change {
            Mod::Add(name, values) => {
                let values: HashSet<_> = values.into_iter().filter(|value| !has(value)).collect();
                (!values.is_empty()).then_some(Mod::Add(name, values))
            }
            Mod::Delete(name, values) => {
                let values: HashSet<_> = values.into_iter().filter(has).collect();
                (!values.is_empty()).then_some(Mod::Delete(name, values))
            }
            other => Some(other),
        }
    });
    rest.collect()
}
