//! An account's state, password and primary group in an Active Directory.

use crate::{
    active,
    config::EntitlementConfig,
    directory::{Directory, Place},
    dn::Filter,
    effect::answer,
    error,
    pool::Session,
    session::{Entry, Query},
    shape::Shape,
};
use async_trait::async_trait;
use connector_spi::{AccountState, ConnError, Ctx, Effective, Entitlement, Kind, NativeId, Passwords, Result, Secret};
use ldap3::{Mod, Scope};
use std::collections::HashSet;

/// How often flags are read anew because somebody else changed them meanwhile.
const AGAIN: u32 = 3;

impl Directory {
    /// Sets or clears the one bit that disables an account. The old flags are taken out and the new ones put in by one
    /// operation, so flags that somebody else changed in between are not lost: then they are read again.
    pub(crate) async fn stand_by_flags(
        &self,
        cx: &Ctx,
        place: &mut Place<'_>,
        state: AccountState,
        secret: Option<Secret>,
    ) -> Result<()> {
        let enabled = state == AccountState::Enabled;
        let target = place.target();
        let mut session = self.pool.session(cx).await?;
        let wanted = [active::CONTROL, active::PASSWORD_SET].map(str::to_owned);
        for _ in 0..AGAIN {
            let entry = session.entry(&target, &wanted, "reading an account").await?;
            let entry = entry.ok_or_else(|| ConnError::not_found("the entry is gone"))?;
            let now = entry.text(active::CONTROL).and_then(active::read_flags);
            let now =
                now.ok_or_else(|| ConnError::config("the account's flags may not be read").attribute(active::CONTROL))?;
            let has_password = entry.text(active::PASSWORD_SET).is_some_and(|set| set != "0");
            if enabled && !has_password && active::needs_password(now) {
                return Err(ConnError::invalid("an account without a password is not enabled").attribute("state"));
            }
            let mods = changes(place.shape, now, state, secret.as_ref());
            if mods.is_empty() {
                return Ok(());
            }
            let result = session.modify(&target, mods, Vec::new()).await?;
            match result.rc {
                0 => {
                    if let Some(secret) = secret {
                        self.proofs.scrambled(place.id, secret);
                    }
                    return Ok(());
                }
                // The flags are others by now.
                16 | 19 | 20 => {}
                code => return Err(error::refused(code, &result.text, "changing the state", &self.pool.codes)),
            }
        }
        Err(ConnError::stale_version("the account's flags are changed by somebody else again and again"))
    }

    pub(crate) async fn effective_by_flags(&self, cx: &Ctx, shape: &Shape, id: &NativeId) -> Result<Effective> {
        let wanted = [active::CONTROL, active::END, active::ID].map(str::to_owned);
        let mut session = self.pool.session(cx).await?;
        let entry = self.by_id(&mut session, shape, id, &wanted).await?;
        drop(session);
        let Some(entry) = entry else { return Ok(answer(Some(false), "the directory has no such entry")) };
        let flags = entry.text(active::CONTROL).and_then(active::read_flags);
        let Some(flags) = flags else { return Ok(answer(None, "the account's flags may not be read")) };
        if !active::is_disabled(flags) {
            let end = entry.text(active::END).and_then(active::instant);
            return Ok(match end {
                None => answer(Some(true), "the account is not disabled"),
                Some(end) => answer(None, &format!("not disabled; the directory refuses logins after {end}")),
            });
        }
        if let Some(password) = self.proofs.password_of(id) {
            match self.login_as(cx, &entry.dn, &password).await? {
                49 => return Ok(answer(Some(false), "a login with the account's own password is refused (49)")),
                0 => return Ok(answer(Some(true), "the account is disabled and a login succeeds all the same")),
                // Somebody else changed the password, or the server refuses for another reason: no proof either way.
                _ => {}
            }
        }
        Ok(answer(Some(false), "disabled, which an Active Directory refuses by itself (533)"))
    }

    /// The account's primary group as an entitlement: nothing else lists it. `None` where it could not be read.
    pub(crate) async fn primary(&self, cx: &Ctx, account: &Entry, shape: &Shape) -> Result<Option<Vec<Entitlement>>> {
        if !shape.has_flags() {
            return Ok(Some(Vec::new()));
        }
        let group = account.text(active::PRIMARY).and_then(|text| text.parse::<u32>().ok());
        let sid = account.values(active::SID).first().zip(group);
        let Some(sid) = sid.and_then(|(sid, group)| active::primary_group(sid, group)) else { return Ok(None) };
        let mut held = Vec::new();
        let mut session = self.pool.session(cx).await?;
        for config in &self.config.entitlements {
            if let Some(value) = self.value_of_sid(&mut session, config, &sid).await? {
                held.push(Entitlement::new(config.kind.as_str(), value));
            }
        }
        Ok(Some(held))
    }

    /// The value of the group with this security id, if it is one of the type's. Ids are never given twice, so an answer
    /// that was found holds for ever; one that was not is asked for again.
    async fn value_of_sid(
        &self,
        session: &mut Session<'_>,
        config: &EntitlementConfig,
        sid: &[u8],
    ) -> Result<Option<String>> {
        let filter = Filter::All(vec![
            ("objectClass".into(), config.object_class.clone().into_bytes()),
            (active::SID.into(), sid.to_vec()),
        ]);
        let wanted = [config.value.clone()];
        let query = Query {
            base: &config.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes: &wanted,
            limit: 2,
            controls: Vec::new(),
        };
        let found = session.entries(query, "looking for a primary group").await?;
        Ok(found.first().and_then(|entry| entry.text(&config.value)).map(str::to_owned))
    }

    /// Whether a group is the account's primary one.
    pub(crate) async fn primary_is(
        &self,
        session: &mut Session<'_>,
        config: &EntitlementConfig,
        group: &str,
        account: &str,
    ) -> Result<bool> {
        if config.member_value.is_some() {
            return Ok(false);
        }
        let wanted = [active::PRIMARY, active::SID].map(str::to_owned);
        let group = session.entry(group, &wanted, "reading a group").await?;
        let account = session.entry(account, &wanted, "reading an account").await?;
        let (Some(group), Some(account)) = (group, account) else { return Ok(false) };
        let number = account.text(active::PRIMARY).and_then(|text| text.parse::<u32>().ok());
        let primary = account.values(active::SID).first().zip(number);
        let primary = primary.and_then(|(sid, number)| active::primary_group(sid, number));
        Ok(primary.is_some() && group.values(active::SID).first() == primary.as_ref())
    }

    /// Makes Domain Users the account's primary group again and takes it out of the group that was.
    pub(crate) async fn leave_primary(
        &self,
        session: &mut Session<'_>,
        config: &EntitlementConfig,
        group: &str,
        account: &str,
    ) -> Result<()> {
        let number = active::DOMAIN_USERS.to_string().into_bytes();
        let change = vec![Mod::Replace(active::PRIMARY.into(), HashSet::from([number]))];
        let result = session.modify(account, change, Vec::new()).await?;
        if result.rc != 0 {
            let doing = "making Domain Users the primary group";
            return Err(error::refused(result.rc, &result.text, doing, &self.pool.codes));
        }
        // The one that was primary lists the account from now on.
        let one = HashSet::from([account.as_bytes().to_vec()]);
        let change = vec![Mod::Delete(config.member.clone().into_bytes(), one)];
        let result = session.modify(group, change, Vec::new()).await?;
        match result.rc {
            0 | 16 | 53 => Ok(()),
            code => Err(error::refused(code, &result.text, "changing a group", &self.pool.codes)),
        }
    }
}

/// Flags, status word and password of a state; nothing where all is so already and no password is to be set.
fn changes(shape: &Shape, now: u32, state: AccountState, secret: Option<&Secret>) -> Vec<Mod<Vec<u8>>> {
    let wanted = active::flags(now, state == AccountState::Enabled);
    let one = |number: u32| HashSet::from([number.cast_signed().to_string().into_bytes()]);
    let mut mods = Vec::new();
    if wanted != now {
        mods.push(Mod::Delete(active::CONTROL.into(), one(now)));
        mods.push(Mod::Add(active::CONTROL.into(), one(wanted)));
    }
    if let Some(status) = &shape.status {
        let word = HashSet::from([status.word(state).as_bytes().to_vec()]);
        mods.push(Mod::Replace(status.attribute.clone().into_bytes(), word));
    }
    if let Some(secret) = secret {
        mods.push(Mod::Replace(active::PASSWORD.into(), HashSet::from([active::password(secret)])));
    }
    mods
}

#[async_trait]
impl Passwords for Directory {
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()> {
        let shape = self.shape(kind)?;
        if !shape.has_flags() {
            return Err(ConnError::unsupported("passwords are set for accounts of an Active Directory only"));
        }
        let target = active::by_id(id.as_str()).ok_or_else(|| ConnError::not_found("there is no such entry"))?;
        if cx.dry_run {
            self.would_send(cx, "password", id.as_str(), &[]);
            return Ok(());
        }
        let change = vec![Mod::Replace(active::PASSWORD.into(), HashSet::from([active::password(password)]))];
        let result = self.pool.session(cx).await?.modify(&target, change, Vec::new()).await?;
        match result.rc {
            0 => Ok(()),
            // The words of a refusal are the policy's; the password is not among them.
            code => {
                Err(error::refused(code, &result.text, "setting a password", &self.pool.codes).attribute("password"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::account;

    #[test]
    fn flags_that_are_right_are_not_written() {
        let mut shape = account();
        shape.status = None;
        assert_eq!(changes(&shape, 0x1_0200, AccountState::Enabled, None), []);
        assert_eq!(changes(&shape, 0x1_0202, AccountState::Blocked, None), []);
        let closing = changes(&shape, 0x1_0200, AccountState::Disabled, None);
        let text = |number: &str| HashSet::from([number.as_bytes().to_vec()]);
        let expected =
            [Mod::Delete(active::CONTROL.into(), text("66048")), Mod::Add(active::CONTROL.into(), text("66050"))];
        assert_eq!(closing, expected);
    }
}
