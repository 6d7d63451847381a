#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    around::Layer,
    sample::{Sample, Step, account, layer, within},
};
use connector_spi::Change;

fn timed(steps: impl IntoIterator<Item = Step>) -> (Arc<Sample>, Arc<Layer<Timeout>>) {
    let sample = Sample::new(steps);
    let inner: Arc<dyn Connector> = sample.clone();
    (sample, layer(Timeout::new(inner, Timeouts::default())))
}

fn busy() -> Step {
    Step::Fail(ConnError::transient("busy"))
}

#[tokio::test(start_paused = true)]
async fn a_write_that_gets_no_answer_may_have_happened() {
    let (_, timed) = timed([Step::Slow(Duration::from_secs(600))]);
    let begun = Instant::now();

    let error = timed.update(&within(100), &account(), &"1".into(), &Change::default()).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe));
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_ends_a_call_before_its_class_does() {
    let (_, timed) = timed([Step::Slow(Duration::from_secs(600))]);
    let begun = Instant::now();

    let error = timed.check(&within(2)).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::None));
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_three_times_and_no_more() {
    let (sample, timed) = timed([busy(), busy(), busy(), busy()]);

    let error = timed.get(&within(60), &account(), &"1".into()).await.unwrap_err();

    assert_eq!((error.class, sample.calls()), (Class::Transient, 3));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_works_the_second_time_is_a_success() {
    let (sample, timed) = timed([busy()]);
    assert_eq!(timed.get(&within(60), &account(), &"1".into()).await, Ok(None));
    assert_eq!(sample.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_is_tried_once() {
    let (sample, timed) = timed([busy()]);
    assert!(timed.delete(&within(60), &account(), &"1".into()).await.is_err());
    assert_eq!(sample.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_other_class_repeats_a_read() {
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Transient) {
        let (sample, timed) = timed([Step::Fail(ConnError::new(class, "no"))]);
        assert_eq!(timed.get(&within(60), &account(), &"1".into()).await.unwrap_err().class, class);
        assert_eq!(sample.calls(), 1, "{class}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_becomes_unknown_and_the_next_call_works() {
    let (_, timed) = timed([Step::Panic]);

    let error = timed.delete(&within(60), &account(), &"1".into()).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe));
    assert_eq!(timed.delete(&within(60), &account(), &"1".into()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_not_begun() {
    let (sample, timed) = timed([]);
    let error = timed.delete(&within(0), &account(), &"1".into()).await.unwrap_err();
    assert_eq!((error.effect, sample.calls()), (Effect::None, 0));
}
