#![allow(clippy::unwrap_used)]

use super::*;
use crate::{kind::Nobody, reach::Reached};
use async_trait::async_trait;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex, split};

/// A plugin that answers `initialize` and `open`, lives for `life` and then closes; the first `refusals` times it is not there.
struct Mayfly {
    life: Duration,
    refusals: u32,
    class: Class,
    begun: Arc<AtomicU32>,
}

#[async_trait]
impl Way for Mayfly {
    fn shown(&self) -> String {
        "mayfly".to_owned()
    }

    async fn reach(&self) -> Result<Reached> {
        if self.begun.fetch_add(1, Ordering::SeqCst) < self.refusals {
            return Err(ConnError::new(self.class, "not there"));
        }
        let (ours, theirs) = duplex(64 << 10);
        let ((from, to), (heard, mut says), life) = (split(ours), split(theirs), self.life);
        tokio::spawn(async move {
            let mut heard = BufReader::new(heard).lines();
            let answers = async {
                while let Ok(Some(line)) = heard.next_line().await {
                    let id = serde_json::from_str::<Json>(&line).unwrap().get("id").cloned();
                    let result = json!({"spi": [1, 0], "name": "mayfly", "version": "1", "configSchema": true});
                    says.write_all(format!("{}\n", json!({"id": id, "result": result})).as_bytes()).await.unwrap();
                }
            };
            let _ended = timeout_at(Instant::now() + life, answers).await;
        });
        Ok(Reached { from: Box::new(from), to: Box::new(to), said: None, fate: None })
    }
}

fn keeper(life: Duration, refusals: u32, class: Class) -> (Keeper, Arc<AtomicU32>) {
    let begun = Arc::new(AtomicU32::new(0));
    let way = Mayfly { life, refusals, class, begun: Arc::clone(&begun) };
    let start = Duration::from_secs(10);
    (Keeper::new(Box::new(way), Arc::new(Nobody), json!({}), "t".to_owned(), start), begun)
}

fn soon(time: u64) -> Instant {
    Instant::now() + Duration::from_millis(time)
}

#[tokio::test(start_paused = true)]
async fn it_is_started_once_for_many_calls() {
    let (keeper, begun) = keeper(Duration::from_secs(3_600), 0, Class::Transient);
    let (one, two) = tokio::join!(keeper.session(soon(5_000)), keeper.session(soon(5_000)));
    assert!(Arc::ptr_eq(&one.unwrap(), &two.unwrap()));
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    assert_eq!(keeper.name(), "mayfly");
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_a_call_waits_for_them_if_it_has_the_time() {
    let (keeper, begun) = keeper(Duration::from_secs(3_600), 3, Class::Transient);
    let mut waited = Vec::new();
    for _ in 0..4 {
        let before = Instant::now();
        let session = keeper.session(soon(60_000)).await;
        waited.push((before.elapsed().as_secs(), session.is_ok()));
    }
    assert_eq!(waited, [(0, false), (1, false), (2, false), (4, true)]);
    assert_eq!(begun.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_the_time_is_told_when() {
    let (keeper, begun) = keeper(Duration::from_secs(3_600), 1, Class::Transient);
    keeper.session(soon(500)).await.err().unwrap();
    let error = keeper.session(soon(500)).await.err().unwrap();
    assert_eq!((error.class, error.effect, error.retry_after_ms), (Class::Transient, Effect::None, Some(1_000)));
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn five_ends_within_a_minute_are_a_matter_for_an_operator_for_a_minute() {
    let (keeper, begun) = keeper(Duration::from_secs(3_600), 5, Class::Transient);
    for _ in 0..5 {
        assert_eq!(keeper.session(soon(60_000)).await.err().unwrap().class, Class::Transient);
    }
    let error = keeper.session(soon(60_000)).await.err().unwrap();
    assert_eq!((error.class, begun.load(Ordering::SeqCst)), (Class::Config, 5));
    assert!(error.message.starts_with("plugin mayfly: it ended 5 times"), "{error}");

    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(keeper.session(soon(1_000)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_must_put_right_counts_as_no_end() {
    let (keeper, begun) = keeper(Duration::from_secs(3_600), 9, Class::Config);
    for _ in 0..9 {
        assert_eq!(keeper.session(soon(100)).await.err().unwrap().class, Class::Config);
    }
    // As soon as it is right it is started, without a pause.
    assert!(keeper.session(soon(100)).await.is_ok());
    assert_eq!(begun.load(Ordering::SeqCst), 10);
}

#[tokio::test(start_paused = true)]
async fn one_that_lived_long_is_started_again_after_a_second() {
    let (keeper, begun) = keeper(Duration::from_secs(120), 0, Class::Transient);
    for round in 1..=7 {
        let before = Instant::now();
        let session = keeper.session(soon(5_000)).await.unwrap();
        assert!(before.elapsed() <= Duration::from_secs(1));
        assert_eq!(begun.load(Ordering::SeqCst), round);
        session.line.ended().await;
    }
}
