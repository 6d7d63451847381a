//! A connector that does as the test says: one step per call, whatever the call.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::around::{Around, Layer};
use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, BatchOp, Batcher, Change, ConnError, Connector, Created, Ctx, Entitlement, Health, Host,
    HttpRequest, HttpResponse, Kind, Level, NativeId, Outcome, Record, Result, Secret, SecretRef, TargetSchema,
    Updated, Value,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep};

pub enum Step {
    Ok,
    Fail(ConnError),
    Slow(Duration),
    SlowFail(ConnError),
    Panic,
}

#[derive(Default)]
pub struct Sample {
    pub steps: Mutex<VecDeque<Step>>,
    pub started: Mutex<Vec<Instant>>,
    pub schema: Mutex<Option<TargetSchema>>,
    under_way: Mutex<(u32, u32)>,
}

pub struct NoHost;

#[async_trait]
impl Host for NoHost {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        Err(ConnError::config("no secrets here"))
    }
    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(ConnError::config("no network here"))
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

/// A call with this many seconds left.
pub fn within(seconds: u64) -> Ctx {
    Ctx::new("op", Instant::now() + Duration::from_secs(seconds), Arc::new(NoHost))
}

pub fn leaver(seconds: u64) -> Ctx {
    Ctx { leaver: true, ..within(seconds) }
}

pub fn bulk(seconds: u64) -> Ctx {
    Ctx { bulk: true, ..within(seconds) }
}

pub fn account() -> Kind {
    Kind::from("account")
}

impl Sample {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        Arc::new(Self { steps: Mutex::new(steps.into_iter().collect()), ..Self::default() })
    }

    pub fn calls(&self) -> usize {
        self.started.lock().unwrap().len()
    }

    /// The most calls that ran at a time.
    pub fn most_at_a_time(&self) -> u32 {
        self.under_way.lock().unwrap().1
    }

    async fn step(&self) -> Result<()> {
        struct Leave<'a>(&'a Sample);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.under_way.lock().unwrap().0 -= 1;
            }
        }
        self.started.lock().unwrap().push(Instant::now());
        let _leave = {
            let mut under_way = self.under_way.lock().unwrap();
            under_way.0 += 1;
            under_way.1 = under_way.1.max(under_way.0);
            Leave(self)
        };
        let step = self.steps.lock().unwrap().pop_front().unwrap_or(Step::Ok);
        match step {
            Step::Ok => Ok(()),
            Step::Fail(error) => Err(error),
            Step::Slow(time) => {
                sleep(time).await;
                Ok(())
            }
            Step::SlowFail(error) => {
                sleep(Duration::from_secs(1)).await;
                Err(error)
            }
            Step::Panic => panic!("on command"),
        }
    }
}

/// One layer over the sample.
pub fn layer<A: Around>(around: A) -> Arc<Layer<A>> {
    Arc::new(Layer(around))
}

#[async_trait]
impl Connector for Sample {
    async fn check(&self, _: &Ctx) -> Result<Health> {
        self.step().await.map(|()| Health::default())
    }
    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        self.step().await?;
        Ok(self.schema.lock().unwrap().clone().unwrap())
    }
    async fn get(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<Option<Record>> {
        self.step().await.map(|()| None)
    }
    async fn find(&self, _: &Ctx, _: &Kind, _: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.step().await.map(|()| Vec::new())
    }
    async fn create(&self, _: &Ctx, _: &Kind, _: &Attrs, _: AccountState, _: &[Entitlement]) -> Result<Created> {
        self.step().await.map(|()| Created::new("1"))
    }
    async fn update(&self, _: &Ctx, _: &Kind, _: &NativeId, _: &Change) -> Result<Updated> {
        self.step().await.map(|()| Updated::default())
    }
    async fn delete(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<()> {
        self.step().await
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        Some(self)
    }
}

#[async_trait]
impl Batcher for Sample {
    async fn apply(&self, _: &Ctx, ops: &[BatchOp]) -> Vec<Result<Outcome>> {
        let one = self.step().await.map(|()| Outcome::Created(Box::new(Created::new("1"))));
        vec![one; ops.len()]
    }
}
