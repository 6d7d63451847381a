//! Flaws of the calls.

use super::Flaw;
use crate::Memory;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use connector_spi::{
    AccountState, Attrs, BatchOp, Batcher, Change, Class, ConnError, Connector, Created, Ctx, Cursor, Delta,
    Discoverer, Effect, EffectFacet, Effective, Entitlement, Health, Host, Kind, Level, Lister, NativeId, Outcome,
    Page, Passwords, Record, Result, SecretRef, SyncEvent, SyncToken, Syncer, TargetSchema, Updated, Value,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, sleep_until};

/// The model with one flaw in front of it.
pub(super) struct Faulty {
    flaw: Flaw,
    memory: Memory,
    inner: Arc<dyn Connector>,
    host: Arc<dyn Host>,
    count: AtomicU64,
    under_way: Arc<()>,
    done: Mutex<HashSet<String>>,
    lost: Mutex<HashSet<String>>,
    listed: AtomicU64,
}

impl Faulty {
    pub fn over(flaw: Flaw, memory: Memory, inner: Arc<dyn Connector>, host: Arc<dyn Host>) -> Arc<dyn Connector> {
        Arc::new(Self {
            flaw,
            memory,
            inner,
            host,
            count: AtomicU64::new(0),
            under_way: Arc::new(()),
            done: Mutex::default(),
            lost: Mutex::default(),
            listed: AtomicU64::new(0),
        })
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    async fn secret(&self) -> String {
        let secret = self.host.secret(&SecretRef::Env("MODEL_SECRET".to_owned())).await;
        secret.map_or_else(|_| String::new(), |secret| secret.expose().to_owned())
    }

    /// A second account with the same key, behind the back of the model's own rules.
    fn double(&self, kind: &Kind, attrs: &Attrs) -> Created {
        let id = NativeId(format!("double-{}", self.number()));
        self.memory.put(Record {
            kind: kind.clone(),
            id: id.clone(),
            natural_key: BTreeMap::new(),
            attrs: attrs.clone(),
            state: AccountState::Enabled,
            entitlements: Some(Vec::new()),
            incomplete: false,
            version: None,
        });
        Created::new(id)
    }

    fn held(&self, kind: &Kind, id: &NativeId) -> Vec<Entitlement> {
        self.memory.record(kind.as_str(), id).and_then(|record| record.entitlements).unwrap_or_default()
    }

    fn blur(&self, mut record: Record) -> Record {
        if self.is(Flaw::ForgetsOnDisable) && record.state != AccountState::Enabled {
            record.entitlements = None;
        }
        record
    }

    /// What becomes of the attributes of a create.
    fn mangle(&self, attrs: &Attrs) -> Attrs {
        let mut attrs = attrs.clone();
        if self.is(Flaw::LosesPhone) {
            attrs.remove("phone");
        }
        for (name, values) in &mut attrs {
            for value in values {
                let Value::Text(text) = value else { continue };
                match self.flaw {
                    Flaw::Narrow => *text = text.chars().map(|c| if c > '\u{FFFF}' { '?' } else { c }).collect(),
                    Flaw::Unescapes => *text = text.replace("&amp;", "&").replace("&lt;", "<"),
                    Flaw::Truncates => {
                        let most = if name == "login" { 48 } else { 120 };
                        *text = text.chars().take(most).collect();
                    }
                    _ => {}
                }
            }
        }
        attrs
    }

    /// What becomes of a change before it is carried out.
    fn distort(&self, kind: &Kind, id: &NativeId, change: &Change) -> Change {
        let mut change = change.clone();
        match self.flaw {
            Flaw::LastWriter => change.if_version = None,
            Flaw::SilentReadOnly => drop(change.attrs.remove("employeeNumber")),
            Flaw::HalfSwap if !change.entitlements.add.is_empty() => change.entitlements.remove.clear(),
            Flaw::NoScope => {
                let gone = std::mem::take(&mut change.entitlements.remove);
                let same = |one: &&Entitlement| gone.iter().any(|g| g.kind == one.kind && g.value == one.value);
                change.entitlements.remove = self.held(kind, id).iter().filter(same).cloned().collect();
            }
            Flaw::Wipes if !change.entitlements.add.is_empty() && change.entitlements.remove.is_empty() => {
                self.memory.tamper(kind.as_str(), id, |record| record.entitlements = Some(Vec::new()));
            }
            _ => {}
        }
        for delta in change.attrs.values_mut() {
            match (self.flaw, &mut *delta) {
                (Flaw::NeverRemoves, Delta::Patch { remove, .. }) => remove.clear(),
                (Flaw::EmptyText, Delta::Clear) => *delta = Delta::Set(vec![Value::from("")]),
                _ => {}
            }
        }
        change
    }
}

/// Enters a call's id; whether it was new.
fn first(ids: &Mutex<HashSet<String>>, op_id: &str) -> bool {
    ids.lock().unwrap_or_else(PoisonError::into_inner).insert(op_id.to_owned())
}

fn seen(ids: &Mutex<HashSet<String>>, op_id: &str) -> bool {
    ids.lock().unwrap_or_else(PoisonError::into_inner).contains(op_id)
}

#[async_trait]
impl Connector for Faulty {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        match self.flaw {
            Flaw::BusyCheck => drop(self.double(&"account".into(), &Attrs::new())),
            Flaw::LateCheck => sleep_until(cx.deadline + Duration::from_secs(1)).await,
            Flaw::LogsSecret => {
                let header = STANDARD.encode(format!("gateway:{}", self.secret().await));
                tracing::trace!(authorization = %header, "Connecting.");
            }
            _ => {}
        }
        let cx = Ctx { deadline: cx.deadline + Duration::from_secs(60), ..cx.clone() };
        match self.inner.check(&cx).await {
            Err(error) if self.is(Flaw::SoftAuth) && error.class == Class::Auth => Err(ConnError::transient("busy")),
            Err(error) if self.is(Flaw::HardHost) && error.class == Class::Config => Err(ConnError::permanent("no")),
            Err(error) if self.is(Flaw::TellsSecret) && error.class == Class::Auth => {
                Err(ConnError::auth(format!("{} is refused", self.secret().await)))
            }
            outcome => outcome,
        }
    }

    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        let mut schema = self.inner.schema(cx).await?;
        if self.is(Flaw::Restless) {
            schema.revision = format!("{}-{}", schema.revision, self.number());
        }
        if let Some(account) = schema.kinds.get_mut(&Kind::from("account")).filter(|_| self.is(Flaw::GhostKey)) {
            account.natural_keys.push(vec!["ghost".to_owned()]);
        }
        if let Some(group) = schema.kinds.get_mut(&Kind::from("group")).filter(|_| self.is(Flaw::Dangling)) {
            group.depends_on.push(Kind::from("ghost"));
        }
        Ok(schema)
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        match self.inner.get(cx, kind, id).await {
            Ok(None) if self.is(Flaw::AbsentIsError) => Err(ConnError::not_found("no such record")),
            Ok(found) => Ok(found.map(|record| self.blur(record))),
            Err(error) => match (self.flaw, error.class) {
                (Flaw::NoRetryAfter, Class::Throttled) => Err(ConnError::throttled(error.message)),
                (Flaw::HardOutage, Class::Transient) => Err(ConnError::permanent("down")),
                (Flaw::HtmlIsNone, Class::Unknown) => Ok(None),
                (Flaw::AuthIsForbidden, Class::Auth) => Err(ConnError::forbidden("no")),
                (Flaw::Endless, Class::Timeout) => {
                    sleep(Duration::from_secs(60)).await;
                    Err(error)
                }
                _ => Err(error),
            },
        }
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let exact =
            |record: &Record| key.iter().all(|(name, value)| record.attrs.get(name).is_some_and(|v| v.contains(value)));
        let mut hits = self.inner.find(cx, kind, key).await?;
        match self.flaw {
            // The model knows one holder of a key; the doubles are found by looking at everything.
            Flaw::ReplayDoubles | Flaw::RetryDoubles => {
                let all = self.memory.snapshot();
                let double = |record: &&Record| record.id.as_str().starts_with("double-") && exact(record);
                hits.extend(all.of_kind(kind.as_str()).filter(double).cloned());
            }
            Flaw::OneKeyOnly if key.contains_key("employeeNumber") => hits.clear(),
            Flaw::ExactCase => hits.retain(exact),
            Flaw::HidesInactive => hits.retain(|record| record.state == AccountState::Enabled),
            _ => {}
        }
        Ok(hits.into_iter().map(|record| self.blur(record)).collect())
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let attrs = self.mangle(attrs);
        let mut entitlements = entitlements.to_vec();
        let mut cx = cx.clone();
        match self.flaw {
            Flaw::WrongRefusal if kind.as_str() != "account" && kind.as_str() != "group" => {
                return Err(ConnError::permanent("no"));
            }
            Flaw::ReplayDoubles if seen(&self.done, &cx.op_id) => return Ok(self.double(kind, &attrs)),
            Flaw::RetryDoubles if seen(&self.lost, &cx.op_id) => return Ok(self.double(kind, &attrs)),
            Flaw::NoOrder => entitlements.iter_mut().for_each(|one| one.order = None),
            Flaw::LogsValue => {
                let login = attrs.get("login").and_then(|values| values.first()).map(ToString::to_string);
                self.host.event(Level::Info, "Account created.", &[("login", login.as_deref().unwrap_or(""))]);
            }
            Flaw::FourAtATime => {
                let _under_way = Arc::clone(&self.under_way);
                sleep(Duration::from_millis(10)).await;
                if Arc::strong_count(&self.under_way) > 5 {
                    return Err(ConnError::unknown("the pool is confused"));
                }
            }
            Flaw::WetRun => cx.dry_run = false,
            _ => {}
        }
        if self.is(Flaw::GoesOn) {
            let (inner, kind) = (Arc::clone(&self.inner), kind.clone());
            let work = tokio::spawn(async move {
                sleep(Duration::from_millis(700)).await;
                inner.create(&cx, &kind, &attrs, state, &entitlements).await
            });
            return work.await.unwrap_or_else(|_| Err(ConnError::unknown("died")));
        }
        let outcome = self.inner.create(&cx, kind, &attrs, state, &entitlements).await;
        if outcome.is_ok() {
            first(&self.done, &cx.op_id);
        }
        outcome.map_err(|error| match (self.flaw, error.class) {
            (Flaw::NamelessRefusal, Class::Invalid) if error.message == "is required" => {
                ConnError::invalid(error.message)
            }
            (Flaw::LoserConflict, Class::AlreadyExists) => ConnError::conflict("taken"),
            (Flaw::FearfulReset, Class::Transient) => error.effect(Effect::Maybe),
            (Flaw::RecklessReset, Class::Timeout) => error.effect(Effect::None),
            (Flaw::RetryDoubles, Class::Timeout) => {
                first(&self.lost, &cx.op_id);
                error
            }
            _ => error,
        })
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let change = self.distort(kind, id, change);
        let held = self.held(kind, id);
        let holds = |one: &Entitlement| held.iter().any(|other| other.same_grant(one));
        match self.flaw {
            Flaw::AddOnce if change.entitlements.add.iter().any(&holds) => {
                return Err(ConnError::already_exists("is held"));
            }
            Flaw::RemoveOnce if !change.entitlements.remove.iter().all(&holds) => {
                return Err(ConnError::not_found("is not held"));
            }
            Flaw::ReplayChanges if !first(&self.done, &cx.op_id) => {
                let more = |record: &mut Record| drop(record.attrs.insert("title".to_owned(), vec!["again".into()]));
                self.memory.tamper(kind.as_str(), id, more);
            }
            _ => {}
        }
        match self.inner.update(cx, kind, id, &change).await {
            Ok(mut updated) => {
                if self.is(Flaw::KeepsId) {
                    updated.new_id = None;
                }
                if self.is(Flaw::SilentPart) {
                    updated.failed.clear();
                }
                Ok(updated)
            }
            Err(error) if self.is(Flaw::AnyEntitlement) && error.class == Class::Invalid && change.attrs.is_empty() => {
                Ok(Updated::default())
            }
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let there = self.memory.record(kind.as_str(), id).is_some();
        self.inner.delete(cx, kind, id).await?;
        if self.is(Flaw::AbsentDelete) && !there {
            return Err(ConnError::not_found("no such record"));
        }
        Ok(())
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        Some(self)
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        Some(self)
    }
    fn passwords(&self) -> Option<&dyn Passwords> {
        self.inner.passwords()
    }
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        self.inner.discoverer()
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        Some(self)
    }
}

fn missing() -> ConnError {
    ConnError::unsupported("the model has no such facet")
}

#[async_trait]
impl Lister for Faulty {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let lister = self.inner.lister().ok_or_else(missing)?;
        if kind.as_str() != "account" {
            let mut page = lister.list(cx, kind, cursor, size).await?;
            if self.is(Flaw::ShortCatalogue) {
                page.items.retain(|record| record.id.as_str() != "MD");
            }
            return Ok(page);
        }
        match self.flaw {
            Flaw::Repeats if cursor.is_some() && size > 1 => {
                let mut page = lister.list(cx, kind, cursor, size - 1).await?;
                let last = cursor.map(|cursor| NativeId(cursor.0.clone())).unwrap_or_else(|| NativeId(String::new()));
                page.items.extend(self.inner.get(cx, kind, &last).await?);
                Ok(page)
            }
            Flaw::Skips => {
                let mut page = lister.list(cx, kind, cursor, size).await?;
                let records = u64::try_from(self.memory.size()).unwrap_or(u64::MAX);
                if cursor.is_none() {
                    self.listed.store(records, Ordering::Relaxed);
                } else if ![0, records].contains(&self.listed.load(Ordering::Relaxed)) {
                    page.items.pop();
                }
                Ok(page)
            }
            Flaw::Boasts => lister.list(cx, kind, cursor, size).await.map(|page| Page { complete: true, ..page }),
            Flaw::Forgets => {
                // The address of this very connector stands for what a restart loses.
                let mine = format!("{:p}/", Arc::as_ptr(&self.under_way));
                let known = cursor.map(|cursor| cursor.0.strip_prefix(&mine).map(|rest| Cursor(rest.to_owned())));
                let Some(known) = known.map_or(Some(None), |known| known.map(Some)) else {
                    return Err(ConnError::permanent("unknown cursor"));
                };
                let mut page = lister.list(cx, kind, known.as_ref(), size).await?;
                page.next = page.next.map(|next| Cursor(format!("{mine}{}", next.0)));
                Ok(page)
            }
            Flaw::OnePage if cursor.is_none() && size == 100 => {
                let mut all = lister.list(cx, kind, None, size).await?;
                while let Some(next) = all.next.take() {
                    let page = lister.list(cx, kind, Some(&next), size).await?;
                    all.items.extend(page.items);
                    all.next = page.next;
                }
                Ok(all)
            }
            _ => lister.list(cx, kind, cursor, size).await,
        }
    }
}

#[async_trait]
impl Syncer for Faulty {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        self.inner.syncer().ok_or_else(missing)?.latest(cx, kind).await
    }

    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        let (mut events, next) = self.inner.syncer().ok_or_else(missing)?.changes(cx, kind, token).await?;
        if self.is(Flaw::NoResync) && events.contains(&SyncEvent::Resync) {
            return Err(ConnError::permanent("unknown token"));
        }
        if self.is(Flaw::MissesDeletes) {
            events.retain(|event| !matches!(event, SyncEvent::Gone { .. }));
        }
        Ok((events, next))
    }
}

#[async_trait]
impl Batcher for Faulty {
    async fn apply(&self, cx: &Ctx, ops: &[BatchOp]) -> Vec<Result<Outcome>> {
        let Some(batcher) = self.inner.batcher() else { return vec![Err(missing()); ops.len()] };
        let mut answers = batcher.apply(cx, ops).await;
        let whole = answers.iter().all(Result::is_ok);
        if self.is(Flaw::Disorder) && whole {
            answers.reverse();
        }
        if self.is(Flaw::AllOrNothing) && !whole {
            return vec![Err(ConnError::invalid("the batch has a bad item")); ops.len()];
        }
        answers
    }
}

#[async_trait]
impl EffectFacet for Faulty {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let mut effective = self.inner.effect().ok_or_else(missing)?.effective(cx, kind, id).await?;
        if self.is(Flaw::AlwaysOpen) {
            effective.can_login = Some(true);
        }
        Ok(effective)
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        self.inner.effect().ok_or_else(missing)?.revoke_sessions(cx, kind, id).await?;
        if self.is(Flaw::NoSessions) {
            return Err(ConnError::not_found("no session is open"));
        }
        Ok(())
    }
}
