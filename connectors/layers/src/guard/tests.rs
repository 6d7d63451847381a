#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    around::Layer,
    sample::{Sample, Step, account, layer, leaver, within},
};
use connector_spi::{AccountState, Batcher, Change, Class, KindRole, KindSchema, Provenance};
use std::collections::BTreeMap;

fn guarded(narrow: Narrow, steps: impl IntoIterator<Item = Step>) -> (Arc<Sample>, Arc<Layer<Guard>>) {
    let sample = Sample::new(steps);
    let inner: Arc<dyn Connector> = sample.clone();
    (sample, layer(Guard::new(inner, narrow)))
}

fn schema(caps: KindCaps) -> TargetSchema {
    let kind = KindSchema {
        role: KindRole::Account,
        attrs: BTreeMap::new(),
        natural_keys: Vec::new(),
        depends_on: Vec::new(),
        caps,
        provenance: Provenance::Declared,
    };
    TargetSchema { revision: "1".into(), kinds: BTreeMap::from([(account(), kind)]) }
}

fn all() -> KindCaps {
    KindCaps { create: true, update: true, delete: true, disable: true, max_batch: 2, ..KindCaps::default() }
}

#[tokio::test]
async fn an_operation_that_the_schema_does_not_offer_is_not_sent() {
    let (sample, guarded) = guarded(Narrow::default(), []);
    guarded.0.learn(schema(KindCaps::default()));

    let error = guarded.delete(&within(10), &account(), &"1".into()).await.unwrap_err();
    let unknown = guarded.delete(&within(10), &"ghost".into(), &"1".into()).await.unwrap_err();

    assert_eq!((error.class, unknown.class, sample.calls()), (Class::Unsupported, Class::Unsupported, 0));
}

#[tokio::test]
async fn a_state_is_not_sent_to_a_kind_without_states() {
    let (sample, guarded) = guarded(Narrow::default(), []);
    guarded.0.learn(schema(KindCaps { disable: false, ..all() }));
    let off = Change { state: Some(AccountState::Disabled), ..Change::default() };

    let error = guarded.update(&within(10), &account(), &"1".into(), &off).await.unwrap_err();
    assert_eq!((error.class, sample.calls()), (Class::Unsupported, 0));
    guarded.update(&within(10), &account(), &"1".into(), &Change::default()).await.unwrap();
}

#[tokio::test]
async fn a_schema_that_passes_is_learnt_and_narrowed() {
    let (sample, guarded) = guarded(Narrow { read_only: true, without: vec![] }, []);
    *sample.schema.lock().unwrap() = Some(schema(all()));

    let seen = guarded.schema(&within(10)).await.unwrap();

    let caps = &seen.kinds.get(&account()).unwrap().caps;
    assert!(!caps.create && !caps.update && !caps.delete && !caps.disable && caps.max_batch == 0);
    let error = guarded.delete(&leaver(10), &account(), &"1".into()).await.unwrap_err();
    assert_eq!((error.class, sample.calls()), (Class::Unsupported, 1));
}

#[tokio::test]
async fn one_operation_can_be_switched_off_before_any_schema_is_known() {
    let (sample, guarded) = guarded(Narrow { read_only: false, without: vec![Op::Delete] }, []);
    let error = guarded.delete(&within(10), &account(), &"1".into()).await.unwrap_err();
    assert_eq!((error.class, sample.calls()), (Class::Unsupported, 0));
    guarded.update(&within(10), &account(), &"1".into(), &Change::default()).await.unwrap();
}

#[tokio::test]
async fn a_batch_larger_than_the_target_takes_is_refused_item_by_item() {
    let (sample, guarded) = guarded(Narrow::default(), []);
    guarded.0.learn(schema(all()));
    let item = || BatchOp::Update { op_id: "1".into(), kind: account(), id: "1".into(), change: Box::default() };

    let answers = guarded.apply(&within(10), &[item(), item(), item()]).await;

    assert_eq!((answers.len(), sample.calls()), (3, 0));
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap_err().class == Class::Unsupported));
}

#[tokio::test(start_paused = true)]
async fn a_call_with_less_time_than_it_usually_takes_is_not_begun() {
    let slow = (0..20).map(|_| Step::Slow(Duration::from_secs(3)));
    let (sample, guarded) = guarded(Narrow::default(), slow);
    for _ in 0..8 {
        guarded.delete(&within(10), &account(), &"1".into()).await.unwrap();
    }

    let error = guarded.delete(&within(2), &account(), &"1".into()).await.unwrap_err();
    assert_eq!((error.class, error.effect, sample.calls()), (Class::Timeout, Effect::None, 8));

    guarded.delete(&leaver(2), &account(), &"1".into()).await.unwrap();
    tokio::time::advance(SAMPLE_AGE).await;
    guarded.delete(&within(2), &account(), &"1".into()).await.unwrap();
}
