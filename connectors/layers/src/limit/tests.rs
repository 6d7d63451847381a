#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    around::Layer,
    is_refusal,
    sample::{Sample, Step, account, bulk, layer, leaver, within},
};
use connector_spi::{ConnError, Effect};
use tokio::task::JoinHandle;

struct Bench {
    sample: Arc<Sample>,
    limits: Arc<Limits>,
    connector: Arc<Layer<Limit>>,
}

fn bench(config: LimitConfig, steps: impl IntoIterator<Item = Step>) -> Bench {
    let sample = Sample::new(steps);
    let limits = Limits::new(&config);
    let inner: Arc<dyn Connector> = sample.clone();
    Bench { sample, limits: limits.clone(), connector: layer(Limit::new(inner, limits)) }
}

fn slow(count: usize) -> Vec<Step> {
    (0..count).map(|_| Step::Slow(Duration::from_secs(100))).collect()
}

fn three_slots() -> LimitConfig {
    LimitConfig { slots: 3, ..LimitConfig::default() }
}

impl Bench {
    fn start(&self, cx: Ctx) -> JoinHandle<Result<()>> {
        let connector = self.connector.clone();
        tokio::spawn(async move { connector.delete(&cx, &account(), &"1".into()).await })
    }
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_slot_is_the_leavers_own() {
    let bench = bench(three_slots(), slow(10));
    for _ in 0..5 {
        bench.start(within(300));
    }
    settle().await;
    assert_eq!(bench.sample.calls(), 2);

    bench.start(leaver(300));
    settle().await;
    assert_eq!(bench.sample.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn bulk_work_leaves_a_slot_to_everybody_else() {
    let bench = bench(three_slots(), slow(10));
    for _ in 0..5 {
        bench.start(bulk(300));
    }
    settle().await;
    assert_eq!(bench.sample.calls(), 1);

    bench.start(within(300));
    settle().await;
    assert_eq!(bench.sample.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_slot_in_time_was_not_sent() {
    let bench = bench(three_slots(), slow(2));
    bench.start(within(300));
    bench.start(within(300));
    settle().await;
    let begun = Instant::now();

    let refused = bench.start(within(10)).await.unwrap().unwrap_err();

    assert!(is_refusal(&refused));
    assert_eq!((refused.class, refused.effect), (Class::Transient, Effect::None));
    assert_eq!(begun.elapsed(), Duration::from_secs(5), "half of the time is left to whoever asks next");
    assert_eq!(bench.sample.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_comes_free_goes_to_the_leaver_in_the_queue_first() {
    let config = LimitConfig { slots: 1, ..LimitConfig::default() };
    let bench = bench(config, slow(3));
    bench.start(within(300));
    settle().await;
    let ordinary = bench.start(within(1000));
    settle().await;
    let leaver = bench.start(leaver(1000));

    leaver.await.unwrap().unwrap();

    assert!(!ordinary.is_finished());
    ordinary.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_walks_away_gives_its_slot_back() {
    let bench = bench(three_slots(), slow(2));
    let first = bench.start(within(300));
    bench.start(within(300));
    settle().await;
    first.abort();
    assert_eq!(bench.start(within(300)).await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn calls_never_pass_the_rate_once_the_burst_is_spent() {
    let config = LimitConfig { slots: 100, rate: 10.0, burst: 5, ..LimitConfig::default() };
    let bench = bench(config, []);
    let begun = Instant::now();
    let calls: Vec<_> = (0..24).map(|_| bench.start(within(60))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // Four of the five saved tokens are for everybody, the other twenty come at ten a second.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_990) && took <= Duration::from_millis(2_200), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_rate_is_kept_for_leavers() {
    let config = LimitConfig { slots: 100, rate: 1.0, burst: 10, ..LimitConfig::default() };
    let bench = bench(config, []);
    for _ in 0..50 {
        bench.start(within(2));
    }
    settle().await;
    assert_eq!(bench.sample.calls(), 8);
    bench.start(leaver(2));
    bench.start(leaver(2));
    settle().await;
    assert_eq!(bench.sample.calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_target_is_left_alone_as_a_whole_for_as_long_as_it_asks() {
    let throttled = ConnError::throttled("slow down").retry_after(Duration::from_secs(20));
    let bench = bench(three_slots(), [Step::Fail(throttled)]);
    bench.start(within(60)).await.unwrap().unwrap_err();
    let asked = Instant::now();

    let refused = bench.start(leaver(10)).await.unwrap().unwrap_err();
    assert!(is_refusal(&refused));
    assert_eq!(refused.retry_after_ms, Some(20_000));
    bench.start(within(60)).await.unwrap().unwrap();

    let second = *bench.sample.started.lock().unwrap().last().unwrap();
    assert!(second >= asked + Duration::from_secs(20));
    assert_eq!(bench.sample.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn throttling_halves_the_rate_and_time_gives_it_back() {
    let config = LimitConfig { rate: 40.0, ..LimitConfig::default() };
    let bench = bench(config, [Step::Fail(ConnError::throttled("slow down"))]);
    bench.start(within(60)).await.unwrap().unwrap_err();
    assert_eq!(bench.limits.gauge().status(Instant::now()).rate, 20.0);

    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(bench.limits.gauge().status(Instant::now()).rate, 30.0);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(bench.limits.gauge().status(Instant::now()).rate, 40.0);
}

#[tokio::test(start_paused = true)]
async fn answers_to_one_burst_halve_the_rate_once() {
    let config = LimitConfig { rate: 40.0, slots: 10, ..LimitConfig::default() };
    let bench = bench(config, (0..6).map(|_| Step::SlowFail(ConnError::throttled("slow down"))));
    let calls: Vec<_> = (0..6).map(|_| bench.start(within(60))).collect();
    for call in calls {
        call.await.unwrap().unwrap_err();
    }
    assert_eq!(bench.sample.most_at_a_time(), 6);
    assert_eq!(bench.limits.gauge().status(Instant::now()).rate, 20.0);
}

#[tokio::test(start_paused = true)]
async fn an_absurd_pause_is_cut_to_the_longest_that_is_believed() {
    let throttled = ConnError::throttled("slow down").retry_after(Duration::from_secs(100 * 365 * 86_400));
    let bench = bench(three_slots(), [Step::Fail(throttled)]);
    bench.start(within(60)).await.unwrap().unwrap_err();
    let until = bench.limits.gauge().status(Instant::now()).paused_until.unwrap();
    assert_eq!(until - Instant::now(), Duration::from_secs(3600));
}
