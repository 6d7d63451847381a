#![allow(clippy::unwrap_used)]
use super::*;
use crate::sample::{Sample, Step, account, leaver, within};
use connector_spi::{BatchOp, Class};
use std::time::Duration;

fn wrapped(steps: impl IntoIterator<Item = Step>) -> (Arc<Sample>, Layered) {
    let sample = Sample::new(steps);
    let layered = wrap(sample.clone(), "directory", "ldap", LayerConfig::default(), Metrics::default());
    (sample, layered)
}

fn busy(count: usize) -> impl Iterator<Item = Step> {
    (0..count).map(|_| Step::Fail(ConnError::transient("busy")))
}

#[tokio::test(start_paused = true)]
async fn a_quiet_target_is_ready_with_a_slot_kept_for_leavers_and_one_from_bulk() {
    let (_, layered) = wrapped([]);
    assert_eq!(layered.ready(true).slots, 8);
    assert_eq!(layered.ready(false).slots, 7);
    assert_eq!(layered.ready_for_bulk().slots, 6);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_while_the_breaker_is_open_and_a_leaver_first_when_it_may_be_tried() {
    let (_, layered) = wrapped(busy(5));
    let opened = Instant::now();
    for _ in 0..5 {
        layered.connector().delete(&within(10), &account(), &"1".into()).await.unwrap_err();
    }

    let open = Ready { slots: 0, not_before: Some(opened + Duration::from_secs(30)), probe_due: false };
    assert_eq!((layered.ready(false), layered.ready(true)), (open, open));
    assert_eq!((layered.breaker().state, layered.breaker().because), (BreakerState::Open, Some(Class::Transient)));

    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(layered.ready(false), Ready { slots: 0, not_before: None, probe_due: true });
    assert_eq!(layered.ready(true).slots, 1);

    layered.connector().check(&within(10)).await.unwrap();
    assert_eq!(layered.ready(false).slots, 7);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_while_the_target_asked_for_a_pause() {
    let throttled = ConnError::throttled("slow down").retry_after(Duration::from_secs(9));
    let (_, layered) = wrapped([Step::Fail(throttled)]);
    layered.connector().delete(&within(10), &account(), &"1".into()).await.unwrap_err();
    let until = Instant::now() + Duration::from_secs(9);

    assert_eq!(layered.limits().paused_until, Some(until));
    for ready in [layered.ready(false), layered.ready(true), layered.ready_for_bulk()] {
        assert_eq!((ready.slots, ready.not_before), (0, Some(until)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_have_an_open_breaker_tried_at_once() {
    let (_, layered) = wrapped([Step::Fail(ConnError::auth("refused"))]);
    layered.connector().check(&within(10)).await.unwrap_err();
    assert_eq!(layered.breaker().state, BreakerState::Open);

    layered.try_again();
    layered.connector().check(&within(10)).await.unwrap();
    assert_eq!(layered.breaker().state, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_failures_counts_as_one_failed_call() {
    let (sample, layered) = wrapped(busy(5));
    let items = [0, 1].map(|n| BatchOp::Update {
        op_id: format!("{n}"),
        kind: account(),
        id: "1".into(),
        change: Box::default(),
    });
    for _ in 0..5 {
        let answers = layered.connector().batcher().unwrap().apply(&within(10), &items).await;
        assert_eq!(answers.len(), 2);
    }
    assert_eq!((sample.calls(), layered.breaker().state), (5, BreakerState::Open));
}

#[tokio::test]
async fn a_facet_that_the_connector_lacks_stays_visible() {
    let (_, layered) = wrapped([]);
    let connector = layered.connector();
    assert!(connector.batcher().is_some());
    assert!(connector.lister().is_none() && connector.effect().is_none() && connector.passwords().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_never_use_more_slots_than_there_are() {
    let (sample, layered) = wrapped((0..200).map(|_| Step::Slow(Duration::from_millis(10))));
    let calls = (0..100).map(|n| {
        let connector = layered.connector().clone();
        let cx = if n % 3 == 0 { leaver(300) } else { within(300) };
        tokio::spawn(async move { connector.delete(&cx, &account(), &"1".into()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!((sample.most_at_a_time(), layered.in_flight()), (8, 0));
}

#[test]
fn settings_have_defaults_and_refuse_what_they_do_not_know() {
    let partial = serde_json::json!({ "limit": { "slots": 2 }, "narrow": { "without": ["delete"] } });
    let config: LayerConfig = serde_json::from_value(partial).unwrap();
    assert_eq!((config.limit.slots, config.limit.burst), (2, LimitConfig::default().burst));
    assert!(serde_json::from_value::<LayerConfig>(serde_json::json!({ "limits": {} })).is_err());
}
