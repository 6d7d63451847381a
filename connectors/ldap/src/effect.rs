//! Whether a closed account is really closed.
//!
//! A lock attribute without a password policy does nothing (`targets.md`, lesson 5), and a directory says so nowhere. So the
//! connector proves it: on a canary account of its own, once after each start; and on an account that it has just closed, by a
//! login with the random password that it gave it, which a lock that works answers with 49.

use crate::{
    config::CanaryConfig,
    directory::Directory,
    dn,
    session::Attributes,
    shape::{PASSWORD, Shape},
    subschema::Facts,
};
use async_trait::async_trait;
use connector_spi::{ConnError, Ctx, EffectFacet, Effective, Kind, NativeId, Result, Secret};
use ldap3::Mod;
use rustls::crypto::aws_lc_rs;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Passwords of closed accounts remembered for a proof. The oldest goes first; a restart forgets them all.
const MOST_REMEMBERED: usize = 10_000;

/// A date on which everything has ended.
const LONG_AGO: &str = "20000101000000Z";

/// What has been proven, and what proofs need.
#[derive(Default)]
pub struct Proofs {
    inner: Mutex<Inner>,
    proving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    passwords: HashMap<NativeId, Secret>,
    order: VecDeque<NativeId>,
    standing: Option<Standing>,
}

/// What the set-up check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the lock keeps an account from logging in.
    pub lock: Option<bool>,
    /// Whether the end date does.
    pub end_date: Option<bool>,
    /// For an operator.
    pub warnings: Vec<String>,
}

impl Proofs {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 128 random bits in hexadecimal.
    pub fn random(&self) -> Result<String> {
        let mut octets = [0_u8; 16];
        aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut octets)
            .map_err(|_| ConnError::transient("the system gives no random numbers"))?;
        Ok(octets.iter().fold(String::with_capacity(32), |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        }))
    }

    /// A password that nobody knows: 256 random bits, and a sign of each sort for policies that ask for one.
    pub fn password(&self) -> Result<Secret> {
        Ok(Secret::new(format!("{}{}-Aa1", self.random()?, self.random()?)))
    }

    /// Remembers the password that a closed account was given.
    pub fn scrambled(&self, id: &NativeId, password: Secret) {
        let mut inner = self.inner();
        if inner.passwords.insert(id.clone(), password).is_none() {
            inner.order.push_back(id.clone());
        }
        if inner.order.len() > MOST_REMEMBERED
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.passwords.remove(&oldest);
        }
    }

    pub(crate) fn password_of(&self, id: &NativeId) -> Option<Secret> {
        self.inner().passwords.get(id).cloned()
    }
}

#[async_trait]
impl EffectFacet for Directory {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let shape = self.shape(kind)?;
        if shape.has_flags() {
            return self.effective_by_flags(cx, shape, id).await;
        }
        let Some(lock) = shape.lock.as_ref().filter(|_| shape.is_account()) else {
            return Err(ConnError::unsupported("without account.lock the directory cannot tell who may log in"));
        };
        let facts = self.facts(cx).await?;
        let standing = self.standing(cx, &facts).await?;
        let wanted = self.wanted(shape, &facts);
        let mut session = self.pool.session(cx).await?;
        let entry = self.by_id(&mut session, shape, id, &wanted).await?;
        drop(session);
        let Some(entry) = entry else { return Ok(answer(Some(false), "the directory has no such entry")) };

        if entry.text(&lock.attribute) != Some(&lock.value) {
            let ends = shape.end_date.as_ref().and_then(|end| entry.text(end));
            return Ok(match ends {
                None => answer(Some(true), "the account is not locked"),
                Some(end) => answer(None, &format!("not locked; the directory refuses logins after {end}")),
            });
        }
        if let Some(password) = self.proofs.password_of(id) {
            match self.login_as(cx, &entry.dn, &password).await? {
                49 => return Ok(answer(Some(false), "a login with the account's own password is refused (49)")),
                0 => return Ok(answer(Some(true), "the account is locked and a login succeeds all the same")),
                // Somebody else changed the password, or the server refuses for another reason: no proof either way.
                _ => {}
            }
        }
        Ok(match standing.lock {
            Some(true) => answer(Some(false), "locked, and the lock is proven to take effect"),
            Some(false) => answer(Some(true), "locked, but the directory's lock has no effect"),
            None => answer(None, "locked, but nothing proves that the lock takes effect"),
        })
    }

    async fn revoke_sessions(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<()> {
        Err(ConnError::unsupported("a directory keeps no sessions of its accounts"))
    }
}

pub(crate) fn answer(can_login: Option<bool>, why: &str) -> Effective {
    Effective { can_login, sessions: None, why: vec![why.to_owned()] }
}

impl Directory {
    /// What is proven of locks and end dates; found out once.
    pub(crate) async fn standing(&self, cx: &Ctx, facts: &Facts) -> Result<Standing> {
        let known = || self.proofs.inner().standing.clone();
        if let Some(known) = known() {
            return Ok(known);
        }
        let _one_at_a_time = self.proofs.proving.lock().await;
        if let Some(known) = known() {
            return Ok(known);
        }
        let mut standing = Standing::default();
        let Some(shape) = self.shapes.first() else { return Ok(standing) };
        if shape.has_flags() {
            // Its own rules, no policy of anybody's: a disabled account is refused with 533, an ended one with 701.
            standing = Standing { lock: Some(true), end_date: Some(true), warnings: Vec::new() };
        }
        if let Some(lock) = &shape.lock
            && let Some(policy) = &lock.policy_dn
        {
            let wanted = ["pwdLockout".to_owned()];
            let entry = self.pool.session(cx).await?.entry(policy, &wanted, "reading the password policy").await?;
            standing.lock = entry.map(|entry| entry.text("pwdLockout") == Some("TRUE"));
            match standing.lock {
                Some(true) => {}
                Some(false) => {
                    standing.warnings.push("the password policy does not lock (pwdLockout is not TRUE)".into())
                }
                None => standing.warnings.push("the password policy cannot be read, or does not exist".into()),
            }
        }
        match &self.config.canary {
            Some(canary) if !cx.dry_run => self.prove(cx, shape, facts, canary, &mut standing).await?,
            _ => {}
        }
        if shape.lock.is_some() && standing.lock.is_none() {
            let advice = "nothing proves that the lock takes effect: set account.lock.policy_dn or canary";
            standing.warnings.push(advice.into());
        }
        if shape.end_date.is_some() && standing.end_date != Some(true) {
            standing.warnings.push("the end date is written, but not proven to end access: set canary".into());
        }
        if !cx.dry_run {
            self.proofs.inner().standing = Some(standing.clone());
        }
        Ok(standing)
    }

    async fn prove(
        &self,
        cx: &Ctx,
        shape: &Shape,
        facts: &Facts,
        canary: &CanaryConfig,
        standing: &mut Standing,
    ) -> Result<()> {
        let password = self.proofs.password()?;
        let give = |name: &str, value: &str| {
            Mod::Replace(name.as_bytes().to_vec(), HashSet::from([value.as_bytes().to_vec()]))
        };
        let clear = |name: &str| Mod::Replace(name.as_bytes().to_vec(), HashSet::new());
        let exists = self.pool.session(cx).await?.entry(&canary.dn, &["1.1".to_owned()], "reading the canary").await?;
        if exists.is_none() {
            let attributes = newborn(canary, facts);
            let result = self.pool.session(cx).await?.add(&canary.dn, attributes, Vec::new()).await?;
            if result.rc != 0 {
                standing.warnings.push(format!("the canary account cannot be made (result code {})", result.rc));
                return Ok(());
            }
        }
        let mut open = vec![give(PASSWORD, password.expose())];
        open.extend(shape.lock.iter().map(|lock| clear(&lock.attribute)));
        open.extend(shape.end_date.iter().map(|end| clear(end)));
        let first = self.set(cx, canary, open).await?;
        let login = if first == 0 { self.login_as(cx, &canary.dn, &password).await? } else { first };
        if login != 0 {
            standing
                .warnings
                .push(format!("the canary account cannot log in (result code {login}): nothing is proven"));
            return Ok(());
        }
        if let Some(lock) = &shape.lock {
            if self.set(cx, canary, vec![give(&lock.attribute, &lock.value)]).await? == 0 {
                standing.lock = refused(self.login_as(cx, &canary.dn, &password).await?);
            }
            if standing.lock == Some(false) {
                standing.warnings.push("the lock has no effect: a locked account still logs in".into());
            }
            self.set(cx, canary, vec![clear(&lock.attribute)]).await?;
        }
        if let Some(end) = &shape.end_date {
            if self.set(cx, canary, vec![give(end, LONG_AGO)]).await? == 0 {
                standing.end_date = refused(self.login_as(cx, &canary.dn, &password).await?);
            }
            self.set(cx, canary, vec![clear(end)]).await?;
        }
        // Left closed, with a password that is forgotten here.
        let forgotten = self.proofs.password()?;
        let mut close = vec![give(PASSWORD, forgotten.expose())];
        close.extend(shape.lock.iter().map(|lock| give(&lock.attribute, &lock.value)));
        self.set(cx, canary, close).await?;
        Ok(())
    }

    async fn set(&self, cx: &Ctx, canary: &CanaryConfig, mods: Vec<Mod<Vec<u8>>>) -> Result<u32> {
        Ok(self.pool.session(cx).await?.modify(&canary.dn, mods, Vec::new()).await?.rc)
    }

    pub(crate) async fn login_as(&self, cx: &Ctx, dn: &str, password: &Secret) -> Result<u32> {
        self.pool.login_as(cx, dn, password).await
    }
}

/// Whether a login was refused as a lock refuses it; other codes prove nothing.
fn refused(code: u32) -> Option<bool> {
    match code {
        49 => Some(true),
        0 => Some(false),
        _ => None,
    }
}

/// The attributes of a new canary: its name, and its name again wherever its classes demand something.
fn newborn(canary: &CanaryConfig, facts: &Facts) -> Attributes {
    let (name, value) = dn::first_part(&canary.dn).unwrap_or_else(|| ("cn".to_owned(), "canary".to_owned()));
    let content = facts.of_classes(&canary.object_classes);
    let mut attributes: Attributes =
        vec![(b"objectClass".to_vec(), canary.object_classes.iter().map(|class| class.clone().into_bytes()).collect())];
    let others =
        content.must.iter().filter(|other| !other.eq_ignore_ascii_case("objectClass") && !facts.same(other, &name));
    for name in std::iter::once(&name).chain(others) {
        attributes.push((name.clone().into_bytes(), HashSet::from([value.clone().into_bytes()])));
    }
    attributes
}
