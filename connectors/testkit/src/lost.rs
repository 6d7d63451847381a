//! The lost reply: the target has done what it was asked, and nobody knows.
//!
//! Contract, section 4: every write may be run twice. So a connector is put through each of its writes with the reply lost, and
//! then does what the gateway does: it looks, and sends the same once more. [`Losing`] does that as often as [`times`] says and
//! holds against it, each time: the first try says that nobody knows and nothing worse, the target was asked once for each try,
//! the second try fails in nothing, and the record is one, and as it was wanted.
//!
//! How a reply is lost is the target's own matter ([`Line`]): a simulator withholds it, a proxy ends the connection.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, Class, ConnError, Connector, Ctx, Delta, Effect, Entitlement, Host, Kind, NativeId,
    Record, Value,
};
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How often a test loses the reply to each operation: `CHARTGATE_LOST`, and a hundred times where it says nothing.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "how tests/soak talks to the tests")]
pub fn times() -> u32 {
    std::env::var("CHARTGATE_LOST").ok().and_then(|text| text.parse().ok()).filter(|times| *times > 0).unwrap_or(100)
}

/// What a call says whose reply was lost: the change may have happened, and that is all.
#[must_use]
pub fn is_unknown(error: &ConnError) -> bool {
    matches!(error.class, Class::Timeout | Class::Unknown) && error.effect == Effect::Maybe
}

/// The way to the target, on which replies are lost, and a look at the target that does not go through the connector.
#[async_trait]
pub trait Line: Send + Sync {
    /// From now on `operation` is carried out and the reply to it lost, as many times as there are [`times`].
    async fn lose(&self, operation: &str);
    /// Replies arrive again.
    async fn keep(&self);
    /// How often the target was asked for `operation` until now.
    async fn asked(&self, operation: &str) -> u64;
    /// What the target holds of each of these records, in its own words, and with the count of its changes where it keeps one.
    async fn seen(&self, ids: &[NativeId]) -> Vec<String>;
}

/// A connector whose replies are lost.
pub struct Losing<'a> {
    /// One for each call at a time: the same one several times where calls do not disturb each other, else each with
    /// connections of its own.
    pub connectors: Vec<Arc<dyn Connector>>,
    /// The gateway.
    pub host: Arc<dyn Host>,
    /// The sort of record.
    pub kind: Kind,
    /// The way to the target.
    pub line: &'a dyn Line,
}

/// Longest time of one call. Nothing here is a matter of speed: a call of a slow machine is not a lost one.
const PATIENCE: Duration = Duration::from_secs(60);

#[allow(clippy::expect_used, reason = "the assertions of a test")]
impl Losing<'_> {
    /// The call of a number: the same operation id for every attempt.
    #[must_use]
    pub fn cx(&self, name: &str, number: u32, attempt: u32) -> Ctx {
        let cx = Ctx::new(format!("{name}-{number}"), Instant::now() + PATIENCE, Arc::clone(&self.host));
        Ctx { attempt, ..cx }
    }

    /// Does something for each of [`times`] numbers, as many at a time as there are connectors; the outcomes in order.
    pub async fn each<T, F: Future<Output = T>>(&self, what: impl Fn(Arc<dyn Connector>, u32) -> F) -> Vec<T> {
        let lanes = u32::try_from(self.connectors.len()).unwrap_or(u32::MAX).max(1);
        let what = &what;
        let lane = async |(first, connector): (u32, &Arc<dyn Connector>)| {
            let mut done = Vec::new();
            for number in (first..times()).step_by(lanes as usize) {
                done.push((number, what(Arc::clone(connector), number).await));
            }
            done
        };
        let mut all: Vec<(u32, T)> =
            join_all((0..lanes).zip(&self.connectors).map(lane)).await.into_iter().flatten().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Makes the call for each number, with the reply to `operation` lost each time.
    ///
    /// # Panics
    /// When a call says anything but that nobody knows, or the target was asked more or less than once by each.
    pub async fn lose<T: Debug, F: Future<Output = Result<T, ConnError>>>(
        &self,
        operation: &str,
        what: impl Fn(Arc<dyn Connector>, u32) -> F,
    ) {
        let before = self.line.asked(operation).await;
        self.line.lose(operation).await;
        let outcomes = self.each(what).await;
        self.line.keep().await;
        for (number, outcome) in outcomes.iter().enumerate() {
            assert!(outcome.as_ref().is_err_and(is_unknown), "{operation} {number}: {outcome:?}");
        }
        let asked = self.line.asked(operation).await - before;
        let said: BTreeSet<String> =
            outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.to_string())).collect();
        assert_eq!(asked, u64::from(times()), "{operation}: a connector repeats no write by itself; said was {said:?}");
    }

    /// A create whose reply is lost, then found by its key, and made again without looking: one record, the same id, and as
    /// wanted. Gives the ids.
    ///
    /// # Panics
    /// When it is not so.
    pub async fn create(
        &self,
        operation: &str,
        attrs: impl Fn(u32) -> Attrs,
        key: &str,
        with: &[Entitlement],
    ) -> Vec<NativeId> {
        let (attrs, with) = (&attrs, with);
        let create = async |connector: Arc<dyn Connector>, number: u32, attempt: u32| {
            let cx = self.cx("create", number, attempt);
            connector.create(&cx, &self.kind, &attrs(number), AccountState::Enabled, with).await
        };
        self.lose(operation, |connector, number| create(connector, number, 1)).await;
        self.each(async |connector, number| {
            let wanted = attrs(number);
            let key: BTreeMap<String, Value> = wanted
                .get(key)
                .and_then(|values| values.first())
                .map(|value| (key.to_owned(), value.clone()))
                .into_iter()
                .collect();
            let find = async || connector.find(&self.cx("find", number, 1), &self.kind, &key).await;
            let found = find().await.expect("a record is looked up");
            assert_eq!(found.len(), 1, "{operation} {number}");
            let id = found.into_iter().next().map(|record| record.id).expect("one was found");
            // Sent again without looking: the same record, or word of who stands there.
            match create(Arc::clone(&connector), number, 2).await {
                Ok(made) => assert_eq!((&made.id, &made.failed[..]), (&id, &[][..]), "{operation} {number}"),
                Err(error) => {
                    assert_eq!((error.class, error.existing.as_ref()), (Class::AlreadyExists, Some(&id)), "{error}");
                }
            }
            // Adopted, it is brought to what is wanted, as far as it is not so.
            let stands = find().await.expect("a record is looked up").into_iter().next().expect("one was found");
            let state = Some(AccountState::Enabled).filter(|_| stands.state != AccountState::Unknown);
            // Not every target shows all that it takes.
            let shown = wanted.into_iter().filter(|(name, _)| stands.attrs.contains_key(name));
            let attrs = shown.map(|(name, values)| (name, Delta::Set(values))).collect();
            let mut change = Change { attrs, state, ..Change::default() };
            change.entitlements.add = with.to_vec();
            if !is_so(&stands, &change) {
                let updated = connector.update(&self.cx("adopt", number, 1), &self.kind, &id, &change).await;
                assert_eq!(updated.expect("an adopted record is changed").failed, [], "{operation} {number}");
            }
            let found = find().await.expect("a record is looked up");
            assert!(found.len() == 1 && found.iter().all(|record| is_so(record, &change)), "{operation}: {found:?}");
            id
        })
        .await
    }

    /// A change whose reply is lost, then read, and sent again: nothing fails, and what is wanted is there. Where one request
    /// carries the whole change (`at_once`), it was there before the second try, which changes nothing more.
    ///
    /// # Panics
    /// When it is not so.
    pub async fn change(&self, operation: &str, ids: &[NativeId], change: &Change, at_once: bool) {
        self.changes(operation, ids, |_| change.clone(), at_once).await;
    }

    /// As [`change`](Self::change), with a change for each number.
    ///
    /// # Panics
    /// When it is not so.
    pub async fn changes(&self, operation: &str, ids: &[NativeId], change: impl Fn(u32) -> Change, at_once: bool) {
        let change = &change;
        let id = |number: u32| ids.get(number as usize).expect("an id for each number");
        let update = async |connector: Arc<dyn Connector>, number: u32, attempt: u32| {
            connector.update(&self.cx(operation, number, attempt), &self.kind, id(number), &change(number)).await
        };
        self.lose(operation, |connector, number| update(connector, number, 1)).await;
        let seen = self.line.seen(ids).await;
        self.each(async |connector, number| {
            let read = async || {
                let read = connector.get(&self.cx("read", number, 1), &self.kind, id(number)).await;
                read.expect("a record is read").expect("the record is there")
            };
            let lost = read().await;
            assert!(!at_once || is_so(&lost, &change(number)), "{operation} was not carried out: {lost:?}");
            let updated = update(Arc::clone(&connector), number, 2).await;
            let failed = updated.map(|updated| updated.failed);
            assert!(failed.as_ref().is_ok_and(Vec::is_empty), "{operation} {number}: a false failure: {failed:?}");
            let now = read().await;
            assert!(is_so(&now, &change(number)), "{operation} {number}: {now:?}");
        })
        .await;
        if at_once {
            let now = self.line.seen(ids).await;
            let twice = seen.iter().zip(&now).find(|(before, after)| before != after);
            assert!(seen.len() == now.len() && twice.is_none(), "{operation} had a second effect: {twice:?}");
        }
    }

    /// A delete whose reply is lost, then sent again: success, and nothing is there.
    ///
    /// # Panics
    /// When it is not so.
    pub async fn delete(&self, operation: &str, ids: &[NativeId]) {
        let id = |number: u32| ids.get(number as usize).expect("an id for each number");
        let delete = async |connector: Arc<dyn Connector>, number: u32, attempt: u32| {
            connector.delete(&self.cx("delete", number, attempt), &self.kind, id(number)).await
        };
        self.lose(operation, |connector, number| delete(connector, number, 1)).await;
        self.each(async |connector, number| {
            let left = connector.get(&self.cx("read", number, 1), &self.kind, id(number)).await;
            assert_eq!(left.expect("a record is looked up"), None, "{operation} {number}");
            delete(connector, number, 2).await.expect("what is gone is deleted");
        })
        .await;
    }

    /// Ending sessions with the reply lost, then once more: none open is success.
    ///
    /// # Panics
    /// When it is not so.
    pub async fn end_sessions(&self, operation: &str, ids: &[NativeId]) {
        let revoke = async |connector: Arc<dyn Connector>, number: u32, attempt: u32| {
            let effect = connector.effect().expect("sessions can be ended");
            let id = ids.get(number as usize).expect("an id for each number");
            effect.revoke_sessions(&self.cx(operation, number, attempt), &self.kind, id).await
        };
        self.lose(operation, |connector, number| revoke(connector, number, 1)).await;
        for again in self.each(|connector, number| revoke(connector, number, 2)).await {
            again.expect("none open is success");
        }
    }
}

/// Whether a record is as a change wants it. An entitlement counts once, and values in any order.
#[must_use]
pub fn is_so(record: &Record, change: &Change) -> bool {
    let held = |name: &String| crate::bench::sorted(record.attrs.get(name));
    let attrs = change.attrs.iter().all(|(name, delta)| match delta {
        Delta::Set(values) => held(name) == crate::bench::sorted(Some(values)),
        Delta::Clear => held(name).is_empty(),
        Delta::Patch { add, remove } => {
            add.iter().all(|value| held(name).contains(value)) && remove.iter().all(|value| !held(name).contains(value))
        }
    });
    let all = record.entitlements.as_deref().unwrap_or_default();
    let times = |one: &Entitlement| all.iter().filter(|other| other.same_grant(one)).count();
    let given = change.entitlements.add.iter().all(|one| times(one) == 1);
    let taken = change.entitlements.remove.iter().all(|one| times(one) == 0);
    attrs && given && taken && change.state.is_none_or(|state| record.state == state)
}
