//! The bench on which a check is done: the connector, fresh values, and a record of every call.

use crate::{
    capture::Captured,
    checks::config_schema,
    faults::{Fault, FaultProxy},
    host::TestHost,
    subject::{KindFixture, Subject},
};
use connector_spi::{
    AccountState, AttrSchema, Attrs, Change, ConnError, Connector, Created, Ctx, Delta, Entitlement, Kind, KindCaps,
    KindRole, KindSchema, NativeId, Op, ReadAfterWrite, Record, Result, TargetSchema, Updated, Value,
};
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Why a check did not pass.
pub(crate) enum Stop {
    Failed(String),
    NotApplicable(String),
    Untested { because: String, add: String },
}

impl From<ConnError> for Stop {
    fn from(error: ConnError) -> Self {
        Stop::Failed(format!("unexpected error {error} (effect {:?})", error.effect))
    }
}

/// How a check ends.
pub(crate) type Ending = std::result::Result<(), Stop>;

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err($crate::bench::Stop::Failed(format!($($reason)+)));
        }
    };
}
/// Ends the check: what the connector declares leaves nothing to look at.
macro_rules! not_applicable {
    ($($because:tt)+) => {
        return Err($crate::bench::Stop::NotApplicable(format!($($because)+)))
    };
}
/// Ends the check: the run lacks something that it takes to try it.
macro_rules! untested {
    ($because:expr; add $add:expr) => {
        return Err($crate::bench::Stop::Untested { because: $because.into(), add: $add.into() })
    };
}
pub(crate) use {ensure, not_applicable, untested};

/// What all checks of one run share.
pub(crate) struct Run<'s> {
    pub subject: &'s Subject,
    pub host: Arc<TestHost>,
    pub connector: Arc<dyn Connector>,
    pub schema: TargetSchema,
    pub captured: Captured,
    pub numbers: AtomicU64,
    /// Texts that the run made up and gave to the target.
    pub given: Mutex<Vec<String>>,
    pub made: Mutex<Vec<(Kind, NativeId)>>,
}

/// The bench of one check.
pub(crate) struct Bench<'s> {
    pub run: &'s Run<'s>,
    pub subject: &'s Subject,
    pub connector: Arc<dyn Connector>,
    pub schema: &'s TargetSchema,
    pub account: &'s KindFixture,
    exchange: Mutex<Vec<String>>,
}

/// Longest line of an exchange in characters.
const LINE: usize = 400;

impl<'s> Bench<'s> {
    pub fn new(run: &'s Run<'s>) -> Self {
        Self {
            run,
            subject: run.subject,
            connector: Arc::clone(&run.connector),
            schema: &run.schema,
            account: &run.subject.fixture.account,
            exchange: Mutex::default(),
        }
    }

    /// The calls so far, without secrets.
    pub fn exchange(&self) -> Vec<String> {
        let mut lines = self.exchange.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for line in &mut lines {
            for secret in self.subject.secrets.values() {
                *line = line.replace(secret.as_str(), "***");
            }
        }
        lines
    }

    /// Writes a call and its outcome down, and passes the outcome on.
    pub fn note<T: fmt::Debug>(&self, op: Op, asked: impl fmt::Debug, outcome: Result<T>) -> Result<T> {
        let line: String = format!("{op} {asked:?} -> {outcome:?}").chars().take(LINE).collect();
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        outcome
    }

    pub fn ctx(&self) -> Ctx {
        self.run.host.ctx()
    }

    /// A call with this much time.
    pub fn within(&self, time: Duration) -> Ctx {
        Ctx { deadline: Instant::now() + time, ..self.ctx() }
    }

    /// Another connector over the same target, as after a restart.
    pub async fn open(&self, config: Json) -> Result<Arc<dyn Connector>> {
        self.subject.kind.open_json(config, Arc::clone(&self.run.host) as Arc<dyn connector_spi::Host>).await
    }

    pub fn kind(&self, fixture: &KindFixture) -> std::result::Result<&'s KindSchema, Stop> {
        let missing =
            || Stop::Failed(format!("the fixture speaks of {}, which the schema does not have", fixture.kind));
        self.schema.kinds.get(&fixture.kind).ok_or_else(missing)
    }

    pub fn caps(&self) -> std::result::Result<&'s KindCaps, Stop> {
        self.kind(self.account).map(|kind| &kind.caps)
    }

    /// Ends the check as not applicable unless the account kind has the capability.
    pub fn needs(&self, capability: &str, has: impl Fn(&KindCaps) -> bool) -> Ending {
        if has(self.caps()?) {
            return Ok(());
        }
        not_applicable!("{} does not declare {capability}", self.account.kind)
    }

    pub fn attr(&self, fixture: &KindFixture, name: &str) -> std::result::Result<&'s AttrSchema, Stop> {
        let missing =
            || Stop::Failed(format!("the fixture names the attribute {name}, which the schema does not have"));
        self.kind(fixture)?.attrs.get(name).ok_or_else(missing)
    }

    /// A number that no other record of the run has; always of eight digits.
    pub fn number(&self) -> u64 {
        self.run.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub fn filled(&self, text: &str, number: u64) -> String {
        text.replace("{n}", &number.to_string())
    }

    fn fill(&self, values: &[Value], number: u64) -> Vec<Value> {
        let one = |value: &Value| match value {
            Value::Text(text) => {
                let text = self.filled(text, number);
                self.given(&text);
                Value::Text(text)
            }
            other => other.clone(),
        };
        values.iter().map(one).collect()
    }

    /// Remembers a text that is given to the target, for the checks of hygiene.
    pub fn given(&self, text: &str) {
        self.run.given.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }

    /// Values for every attribute that can be given.
    pub fn full(&self, fixture: &KindFixture) -> Attrs {
        let number = self.number();
        fixture.attrs.iter().map(|(name, values)| (name.clone(), self.fill(values, number))).collect()
    }

    /// Values for natural keys and required attributes only.
    pub fn minimal(&self, fixture: &KindFixture) -> std::result::Result<Attrs, Stop> {
        let schema = self.kind(fixture)?;
        let needed = |name: &String| {
            schema.attrs.get(name).is_some_and(|attr| attr.required)
                || schema.natural_keys.iter().flatten().any(|key| key == name)
        };
        let mut attrs = self.full(fixture);
        attrs.retain(|name, _| needed(name));
        Ok(attrs)
    }

    /// The values of the first natural key.
    pub fn key(&self, fixture: &KindFixture, attrs: &Attrs) -> std::result::Result<BTreeMap<String, Value>, Stop> {
        let set = self.kind(fixture)?.natural_keys.first();
        let key = set.and_then(|set| key_of(set, attrs));
        key.ok_or_else(|| {
            Stop::Failed(format!("the fixture has no values for the first natural key of {}", fixture.kind))
        })
    }

    pub async fn create_as(
        &self,
        cx: &Ctx,
        fixture: &KindFixture,
        attrs: &Attrs,
        with: &[Entitlement],
    ) -> Result<Created> {
        let outcome = self.connector.create(cx, &fixture.kind, attrs, AccountState::Enabled, with).await;
        if let Ok(created) = &outcome {
            self.remember(&fixture.kind, &created.id);
        }
        self.note(Op::Create, (&fixture.kind, attrs, with), outcome)
    }

    /// To be cleared away at the end.
    pub fn remember(&self, kind: &Kind, id: &NativeId) {
        self.run.made.lock().unwrap_or_else(PoisonError::into_inner).push((kind.clone(), id.clone()));
    }

    /// A new record with the least that it needs.
    pub async fn make(&self, fixture: &KindFixture) -> std::result::Result<(NativeId, Attrs), Stop> {
        let attrs = self.minimal(fixture)?;
        let created = self.create_as(&self.ctx(), fixture, &attrs, &[]).await?;
        Ok((created.id, attrs))
    }

    /// A new account that holds these.
    pub async fn make_with(&self, with: &[Entitlement]) -> std::result::Result<NativeId, Stop> {
        let attrs = self.minimal(self.account)?;
        let created = self.create_as(&self.ctx(), self.account, &attrs, with).await?;
        ensure!(created.failed.is_empty(), "a create with legal entitlements failed in part: {:?}", created.failed);
        Ok(created.id)
    }

    pub async fn update(&self, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        self.update_as(&self.ctx(), kind, id, change).await
    }

    pub async fn update_as(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        self.note(Op::Update, (kind, id, change), self.connector.update(cx, kind, id, change).await)
    }

    /// Sets one attribute.
    pub async fn set(&self, fixture: &KindFixture, id: &NativeId, name: &str, delta: Delta) -> Result<Updated> {
        self.update(&fixture.kind, id, &change_attr(name, delta)).await
    }

    pub async fn get(&self, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.note(Op::Get, (kind, id), self.connector.get(&self.ctx(), kind, id).await)
    }

    /// The record, which must be there, once the target lets writes be read.
    pub async fn read(&self, kind: &Kind, id: &NativeId) -> std::result::Result<Record, Stop> {
        self.settle(kind).await;
        match self.get(kind, id).await? {
            Some(record) => Ok(record),
            None => Err(Stop::Failed(format!("a record that was made ({id}) is not found by its id"))),
        }
    }

    /// Waits until a write can be read back.
    pub async fn settle(&self, kind: &Kind) {
        if let Some(ReadAfterWrite::EventualMs(wait)) =
            self.schema.kinds.get(kind).map(|kind| kind.caps.read_after_write)
        {
            sleep(Duration::from_millis(wait.into())).await;
        }
    }

    pub async fn find(&self, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.settle(kind).await;
        self.note(Op::Find, (kind, key), self.connector.find(&self.ctx(), kind, key).await)
    }

    /// How many records have the first natural key of these values.
    pub async fn count(&self, fixture: &KindFixture, attrs: &Attrs) -> std::result::Result<usize, Stop> {
        Ok(self.find(&fixture.kind, &self.key(fixture, attrs)?).await?.len())
    }

    /// The proxy, if it can bring this fault about.
    pub fn proxy(&self, fault: Fault) -> std::result::Result<&'s Arc<dyn FaultProxy>, Stop> {
        match &self.subject.faults {
            Some(proxy) if proxy.supports(fault) => Ok(proxy),
            Some(_) => untested!(
                format!("the proxy between cannot bring {fault:?} about");
                add "a proxy that can, where the target's protocol knows such a fault"
            ),
            None => match &self.subject.no_faults {
                Some(because) => untested!(because; add "a target of this kind that a proxy can stand before"),
                None => untested!(
                    "nothing stands between that does harm";
                    add "where the target's address stands: [harness] address (in a crate Subject::faults)"
                ),
            },
        }
    }

    /// Ends the check as not applicable where no kind of the schema is an entitlement.
    pub fn has_entitlements(&self) -> Ending {
        if self.schema.kinds.values().any(|kind| kind.role == KindRole::Entitlement) {
            return Ok(());
        }
        not_applicable!("the schema declares no entitlements")
    }

    /// Ends the check as not applicable where the configuration can hold no secret, and as untested where it holds none.
    pub fn has_secrets(&self) -> Ending {
        if !self.subject.secrets.is_empty() {
            return Ok(());
        }
        if !config_schema::marks_secrets(&self.subject.kind.config_schema()) {
            not_applicable!("the configuration's schema marks no secret")
        }
        untested!("the configuration refers to no secret"; add "a secret to the settings, and its value to [harness] secrets")
    }

    /// An entitlement that does not exist.
    pub fn unknown_entitlement(&self) -> std::result::Result<&'s Entitlement, Stop> {
        self.has_entitlements()?;
        match &self.subject.fixture.unknown_entitlement {
            Some(unknown) => Ok(unknown),
            None => {
                untested!("no entitlement is named that does not exist"; add "unknown_entitlement to the legal values")
            }
        }
    }

    /// Two different entitlements of one type.
    pub fn two_entitlements(&self) -> std::result::Result<(&'s Entitlement, &'s Entitlement), Stop> {
        self.has_entitlements()?;
        let all = &self.subject.fixture.entitlements;
        let pair = all.iter().enumerate().find_map(|(at, one)| {
            all.iter()
                .skip(at + 1)
                .find(|other| other.kind == one.kind && !other.same_grant(one))
                .map(|other| (one, other))
        });
        match pair {
            Some(pair) => Ok(pair),
            None => {
                untested!("there are no two entitlements of one type"; add "two to entitlements in the legal values")
            }
        }
    }
}

/// The values of one natural key, if all are there.
pub(crate) fn key_of(set: &[String], attrs: &Attrs) -> Option<BTreeMap<String, Value>> {
    set.iter().map(|name| attrs.get(name)?.first().map(|value| (name.clone(), value.clone()))).collect()
}

pub(crate) fn change_attr(name: &str, delta: Delta) -> Change {
    Change { attrs: BTreeMap::from([(name.to_owned(), delta)]), ..Change::default() }
}

pub(crate) fn change_state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}

/// A change of what `held` was read to be, in both forms.
pub(crate) fn change_entitlements(held: &[Entitlement], add: &[Entitlement], remove: &[Entitlement]) -> Change {
    let mut whole: Vec<Entitlement> =
        held.iter().filter(|one| !remove.iter().any(|gone| gone.same_grant(one))).cloned().collect();
    for one in add {
        if !whole.iter().any(|other| other.same_grant(one)) {
            whole.push(one.clone());
        }
    }
    let mut change = Change::default();
    change.entitlements.add = add.to_vec();
    change.entitlements.remove = remove.to_vec();
    change.entitlements.whole = Some(whole);
    change
}

/// Values in an order in which they can be compared.
pub(crate) fn sorted(values: Option<&Vec<Value>>) -> Vec<Value> {
    let mut all = values.cloned().unwrap_or_default();
    all.sort();
    all
}
