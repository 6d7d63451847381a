#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    around::Layer,
    is_refusal,
    sample::{Sample, Step, account, layer, leaver, within},
};
use connector_spi::{ConnError, Effect};
use std::time::Duration;

struct Bench {
    sample: Arc<Sample>,
    switch: Arc<Switch>,
    connector: Arc<Layer<Breaker>>,
}

fn bench(steps: impl IntoIterator<Item = Step>) -> Bench {
    let sample = Sample::new(steps);
    let switch = Switch::new(BreakerConfig::default());
    let inner: Arc<dyn Connector> = sample.clone();
    Bench { sample, switch: switch.clone(), connector: layer(Breaker::new(inner, switch)) }
}

fn failures(class: Class, count: usize) -> Vec<Step> {
    (0..count).map(|_| Step::Fail(ConnError::new(class, "no"))).collect()
}

impl Bench {
    async fn write(&self, cx: &Ctx) -> Result<()> {
        self.connector.delete(cx, &account(), &"1".into()).await
    }
    fn state(&self) -> BreakerState {
        self.switch.circuit().status(Instant::now()).state
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it_and_then_nothing_is_sent() {
    for class in [Class::Transient, Class::Timeout, Class::Unknown] {
        let bench = bench(failures(class, 5));
        for _ in 0..5 {
            bench.write(&within(10)).await.unwrap_err();
        }
        let refused = bench.write(&within(10)).await.unwrap_err();
        assert!(is_refusal(&refused));
        assert_eq!((refused.class, refused.effect, bench.sample.calls()), (Class::Transient, Effect::None, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_and_wrong_settings_open_it_at_once_and_for_longer() {
    for class in [Class::Auth, Class::Config] {
        let bench = bench(failures(class, 1));
        bench.write(&within(10)).await.unwrap_err();
        pass(299).await;
        assert!(is_refusal(&bench.connector.check(&within(10)).await.unwrap_err()));
        pass(1).await;
        bench.connector.check(&within(10)).await.unwrap();
        assert_eq!(bench.state(), BreakerState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn half_of_the_calls_failing_opens_it_although_none_fail_in_a_row() {
    let steps = (0..10).map(|n| if n % 2 == 0 { Step::Ok } else { Step::Fail(ConnError::transient("busy")) });
    let bench = bench(steps);
    for _ in 0..10 {
        let _: Result<()> = bench.write(&within(10)).await;
    }
    assert_eq!(bench.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn failures_from_before_the_window_do_not_count() {
    let mut steps = failures(Class::Transient, 4);
    steps.push(Step::Ok);
    steps.extend(failures(Class::Transient, 4));
    steps.push(Step::Ok);
    let bench = bench(steps);
    for _ in 0..5 {
        let _: Result<()> = bench.write(&within(10)).await;
    }
    pass(40).await;
    for _ in 0..5 {
        let _: Result<()> = bench.write(&within(10)).await;
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_the_target_thinks_of_a_call_does_not_open_it() {
    for class in Class::ALL.into_iter().filter(|class| Verdict::of(*class) == Verdict::Good) {
        let bench = bench(failures(class, 50));
        for _ in 0..50 {
            bench.write(&within(10)).await.unwrap_err();
        }
        assert_eq!(bench.state(), BreakerState::Closed, "{class}");
    }
}

async fn opened(mut then: Vec<Step>) -> Bench {
    let mut steps = failures(Class::Transient, 5);
    steps.append(&mut then);
    let bench = bench(steps);
    for _ in 0..5 {
        bench.write(&within(10)).await.unwrap_err();
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_tried_by_one_health_check_and_closes_when_it_works() {
    let bench = opened(vec![]).await;
    pass(30).await;
    assert!(bench.write(&within(10)).await.is_err(), "an ordinary call does not try");
    bench.connector.check(&within(10)).await.unwrap();
    assert_eq!((bench.state(), bench.sample.calls()), (BreakerState::Closed, 6));
}

#[tokio::test(start_paused = true)]
async fn a_leavers_own_call_may_be_the_one_that_tries() {
    let bench = opened(vec![]).await;
    pass(30).await;
    assert_eq!(bench.write(&leaver(10)).await, Ok(()));
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_try_opens_it_again_for_the_full_time() {
    let bench = opened(failures(Class::Timeout, 1)).await;
    pass(30).await;
    bench.connector.check(&within(10)).await.unwrap_err();
    pass(29).await;
    assert!(is_refusal(&bench.connector.check(&within(10)).await.unwrap_err()));
    assert_eq!(bench.sample.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_open_at_most_one_call_in_thirty_seconds_reaches_the_target() {
    let bench = opened(failures(Class::Transient, 1000)).await;
    for _ in 0..600 {
        pass(1).await;
        let _: Result<_> = bench.connector.check(&within(10)).await;
        let _: Result<()> = bench.write(&leaver(10)).await;
        let _: Result<()> = bench.write(&within(10)).await;
    }
    assert_eq!(bench.sample.calls() - 5, 20);
}

#[tokio::test(start_paused = true)]
async fn only_one_call_tries_at_a_time_and_one_that_is_dropped_makes_way() {
    let bench = opened(vec![Step::Slow(Duration::from_secs(100))]).await;
    pass(30).await;
    {
        let cx = leaver(300);
        let trying = bench.write(&cx);
        tokio::pin!(trying);
        assert!(tokio::time::timeout(Duration::from_millis(1), trying.as_mut()).await.is_err());
        assert!(is_refusal(&bench.write(&leaver(10)).await.unwrap_err()));
    }
    assert_eq!(bench.write(&leaver(10)).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn our_own_refusals_do_not_open_it() {
    let steps = (0..50).map(|_| Step::Fail(refusal("no slot")));
    let bench = bench(steps);
    for _ in 0..50 {
        bench.write(&within(10)).await.unwrap_err();
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}
