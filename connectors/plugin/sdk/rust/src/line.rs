//! One connection between a host and a plugin: requests in both directions, answers in any order.
//!
//! Both ends use this. It keeps the bounds (length of a message, requests under way, messages waiting to be written) and it
//! trusts nobody: what cannot be read, an answer to a request that was never made, a second answer and a flood end the
//! connection, and every request under way then fails as [`Lost`](CallError::Lost). A late answer to a request that was given
//! up is expected and ignored.

mod call;
mod run;

pub use call::CallError;

use crate::frame::{self, RpcError};
use async_trait::async_trait;
use call::Waiting;
use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{mpsc, watch},
    task::AbortHandle,
};

/// Messages that wait to be written. Whoever has one more waits.
const QUEUE: usize = 64;
/// Requests that were given up and may still be answered.
const GIVEN_UP: usize = 4_096;

/// Answers what the other end asks.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Carries a request out. Dropped in the middle when the other end cancels it or the connection ends.
    async fn answer(&self, line: &Line, id: u64, method: &str, params: &RawValue) -> Result<Box<RawValue>, RpcError>;

    /// Takes a notification; must not wait.
    fn notice(&self, line: &Line, method: &str, params: &RawValue);

    /// The answer to a request that fails before or outside of [`Service::answer`]: one too many, or a panic.
    fn failed(&self, failure: Failure) -> RpcError;
}

/// What kept a request from being carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// More requests are under way than the other end may have.
    TooMany,
    /// Carrying it out panicked.
    Panicked,
    /// The answer is longer than a message may be.
    TooLong,
}

/// One end of a connection. Clones are the same end.
#[derive(Clone)]
pub struct Line(Arc<Inner>);

pub(crate) struct Inner {
    out: mpsc::Sender<Vec<u8>>,
    state: Mutex<State>,
    over: watch::Sender<Option<Arc<str>>>,
}

#[derive(Default)]
struct State {
    last: u64,
    waiting: HashMap<u64, Waiting>,
    given_up: VecDeque<u64>,
    serving: HashMap<u64, AbortHandle>,
    over: bool,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Begins to read and write. At most `served` requests of the other end are under way at a time. `fate` is asked for words
    /// when the other end closes.
    pub fn start<R, W>(
        from: R,
        to: W,
        service: Arc<dyn Service>,
        served: usize,
        fate: BoxFuture<'static, Option<String>>,
    ) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (out, queue) = mpsc::channel(QUEUE);
        let line = Line(Arc::new(Inner { out, state: Mutex::default(), over: watch::Sender::new(None) }));
        tokio::spawn(run::write(line.clone(), to, queue));
        tokio::spawn(run::read(line.clone(), from, service, served, fate));
        line
    }

    /// Asks, and waits for the answer. Dropped before that, it tells the other end that nobody waits any more.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<P, T>(&self, method: &str, params: &P) -> Result<T, CallError>
    where
        P: Serialize + Sync + ?Sized,
        T: DeserializeOwned,
    {
        call::call(self, method, params).await
    }

    /// Tells, without an answer. Dropped when too much waits to be written already; `false` then.
    pub fn tell<P: Serialize + ?Sized>(&self, method: &str, params: &P) -> bool {
        frame::request(None, method, params).is_some_and(|frame| self.0.out.try_send(frame).is_ok())
    }

    /// How many requests of the other end are under way.
    #[must_use]
    pub fn serving(&self) -> usize {
        self.0.state().serving.len()
    }

    /// Why it ended, if it has.
    #[must_use]
    pub fn over(&self) -> Option<Arc<str>> {
        self.0.over.borrow().clone()
    }

    /// Waits until it has ended, and says why.
    pub async fn ended(&self) -> Arc<str> {
        let mut over = self.0.over.subscribe();
        match over.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => Arc::from("it was closed"),
        }
    }

    /// Ends it. What waits to be written is still written; requests under way fail.
    pub fn end(&self, why: &str) {
        let (waiting, serving) = {
            let mut state = self.0.state();
            if state.over {
                return;
            }
            state.over = true;
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.serving))
        };
        let why: Arc<str> = Arc::from(why);
        // Told before the waiting ones are woken: they look.
        self.0.over.send_replace(Some(Arc::clone(&why)));
        for (_, task) in serving {
            task.abort();
        }
        for (_, one) in waiting {
            one.lost(&why);
        }
    }
}

#[cfg(test)]
mod tests;
