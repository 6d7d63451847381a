//! The suites pass over the model, and fail over connectors that are wrong: one that takes what others gave, one that repeats a
//! write, one that is told as failed what was done.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::{
    Memory, TestHost,
    lost::{Line, Losing, times},
    odd::{Odd, Oddity},
};
use connector_spi::{AccountState, Change, ConnError, Op, Result as Outcome, Updated, Value};
use std::sync::atomic::{AtomicU32, Ordering};

/// What is wrong with a connector.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    /// Every so often a change takes the oldest entitlement along.
    TakesAlong,
    /// A change that seems lost is sent once more.
    Repeats,
    /// A change that seems lost is told as refused.
    Refuses,
}

struct Flawed {
    wrong: Wrong,
    memory: Memory,
    calls: AtomicU32,
}

#[async_trait]
impl Oddity for Flawed {
    async fn update(
        &self,
        inside: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        id: &NativeId,
        change: &Change,
    ) -> Outcome<Updated> {
        let outcome = inside.update(cx, kind, id, change).await;
        match self.wrong {
            Wrong::TakesAlong if self.calls.fetch_add(1, Ordering::SeqCst) % 100 == 99 => {
                self.memory
                    .tamper("account", id, |record| drop(record.entitlements.as_mut().map(|all| all.drain(..1))));
                outcome
            }
            Wrong::Repeats if outcome.is_err() => inside.update(cx, kind, id, change).await.and(outcome),
            Wrong::Refuses => outcome.map_err(|_| ConnError::conflict("it did not work")),
            Wrong::Nothing | Wrong::TakesAlong | Wrong::Repeats => outcome,
        }
    }
}

fn flawed(wrong: Wrong, memory: &Memory) -> Arc<dyn Connector> {
    Odd::around(memory.connector(), Flawed { wrong, memory: memory.clone(), calls: AtomicU32::new(0) })
}

#[async_trait]
impl OtherHand for Memory {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        assert!(self.tamper("account", id, |record| record.entitlements.as_mut().unwrap().push(one.clone())));
    }
    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let held = self.record("account", id).unwrap().entitlements.unwrap();
        held.iter().map(|one| (named(one), format!("{:?}", one.valid_to))).collect()
    }
}

fn person(number: u32) -> Attrs {
    let one = |text: String| vec![Value::from(text)];
    [("login", format!("t{number}")), ("employeeNumber", format!("E{number}")), ("title", "Nurse".to_owned())]
        .map(|(name, text)| (name.to_owned(), one(text)))
        .into()
}

async fn walked(wrong: Wrong) -> Result<(), String> {
    let memory = Memory::new();
    let classes = ["ED", "MD", "PHARM", "RN"].map(|value| Entitlement::new("security-class", value));
    let placed = classes.iter().flat_map(|class| {
        ["EAST", "WEST"].map(|site| {
            let scope = [("facility".to_owned(), site.to_owned())].into();
            Entitlement { scope, ..class.clone() }
        })
    });
    let suite = Foreign {
        connector: flawed(wrong, &memory),
        host: TestHost::new(),
        kind: "account".into(),
        person: &person,
        key: "login",
        text: "title",
        catalogue: classes.iter().cloned().chain(placed).collect(),
        single: &[],
        each: 5,
        at_once: 4,
        hand: &memory,
    };
    suite.survive().await
}

#[tokio::test]
async fn the_model_keeps_what_others_gave() {
    walked(Wrong::Nothing).await.unwrap();
}

#[tokio::test]
async fn one_entitlement_that_is_taken_along_is_found_out() {
    let why = walked(Wrong::TakesAlong).await.unwrap_err();
    assert!(why.contains("missing are") || why.contains("not as it was"), "{why}");
    assert!(why.contains("CHARTGATE_SEED="), "{why}");
}

#[async_trait]
impl Line for Memory {
    async fn lose(&self, _: &str) {
        // Enough for whoever asks twice.
        for _ in 0..2 * times() {
            self.lose_next_reply(Op::Update);
        }
    }
    async fn keep(&self) {
        self.heal();
    }
    async fn asked(&self, _: &str) -> u64 {
        self.count(Op::Update) as u64
    }
    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        ids.iter().map(|id| format!("{:?}", self.record("account", id))).collect()
    }
}

async fn lost(wrong: Wrong) {
    let memory = &Memory::new();
    let connectors = vec![flawed(wrong, memory); 4];
    let losing = Losing { connectors, host: TestHost::new(), kind: "account".into(), line: memory };
    let made = losing.each(async |connector, number| {
        let cx = losing.cx("made", number, 1);
        connector.create(&cx, &losing.kind, &person(number), AccountState::Enabled, &[]).await.unwrap().id
    });
    let ids = made.await;
    let change = Change { state: Some(AccountState::Disabled), ..Change::default() };
    losing.change("update", &ids, &change, true).await;
}

#[tokio::test]
async fn the_model_survives_lost_replies() {
    lost(Wrong::Nothing).await;
}

#[tokio::test]
#[should_panic(expected = "repeats no write by itself")]
async fn a_write_that_is_repeated_is_found_out() {
    lost(Wrong::Repeats).await;
}

#[tokio::test]
#[should_panic(expected = "it did not work")]
async fn a_false_failure_is_found_out() {
    lost(Wrong::Refuses).await;
}
