//! One request of ours.

use super::{GIVEN_UP, Line};
use crate::{
    frame::{self, RpcError},
    wire::{Cancel, MAX_FRAME},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{fmt, sync::Arc};
use tokio::sync::oneshot;

/// Why a request has no result.
#[derive(Debug, Clone)]
pub enum CallError {
    /// It was not sent: it is longer than a message may be.
    TooLong,
    /// It was not sent: the connection had ended.
    NotSent(Arc<str>),
    /// It was sent, or may have been, and the connection ended before the answer.
    Lost(Arc<str>),
    /// The other end refused it.
    Refused(RpcError),
    /// The answer does not have the form that the method says; the text names the place, never a value.
    Odd(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::TooLong => write!(f, "the request is longer than {MAX_FRAME} octets"),
            CallError::NotSent(why) | CallError::Lost(why) => f.write_str(why),
            CallError::Refused(error) => write!(f, "{} ({})", error.message, error.code),
            CallError::Odd(place) => write!(f, "the answer does not have the form of the contract{place}"),
        }
    }
}

impl std::error::Error for CallError {}

type Answer = Result<Box<RawValue>, CallError>;

/// Somebody who waits for an answer.
pub(super) struct Waiting(oneshot::Sender<Answer>);

impl Waiting {
    // Whoever waited may have gone: then nobody wants to know.
    pub fn answered(self, answer: Result<Box<RawValue>, RpcError>) {
        let _gone = self.0.send(answer.map_err(CallError::Refused));
    }
    pub fn lost(self, why: &Arc<str>) {
        let _gone = self.0.send(Err(CallError::Lost(Arc::clone(why))));
    }
}

/// A request under way; when it is dropped the other end is told.
struct UnderWay<'a> {
    line: &'a Line,
    id: u64,
    sent: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.line.0.state();
            let left = state.waiting.remove(&self.id).is_some();
            if left && self.sent {
                if state.given_up.len() == GIVEN_UP {
                    state.given_up.pop_front();
                }
                state.given_up.push_back(self.id);
            }
            left
        };
        if left && self.sent {
            // If so much waits to be written that there is no room, the other end is not reading anyway.
            self.line.tell("cancel", &Cancel { id: self.id });
        }
    }
}

pub(super) async fn call<P, T>(line: &Line, method: &str, params: &P) -> Result<T, CallError>
where
    P: Serialize + Sync + ?Sized,
    T: DeserializeOwned,
{
    let (waiting, answer) = oneshot::channel();
    let id = {
        let mut state = line.0.state();
        if state.over {
            drop(state);
            let why = line.over().unwrap_or_else(|| Arc::from("it was closed"));
            return Err(CallError::NotSent(why));
        }
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, Waiting(waiting));
        id
    };
    let mut under_way = UnderWay { line, id, sent: false };
    let frame = frame::request(Some(id), method, params).ok_or(CallError::TooLong)?;
    if line.0.out.send(frame).await.is_err() {
        return Err(CallError::NotSent(line.over().unwrap_or_else(|| Arc::from("it was closed"))));
    }
    under_way.sent = true;
    match answer.await {
        Ok(Ok(result)) => read(&result),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(CallError::Lost(Arc::from("it was closed"))),
    }
}

fn read<T: DeserializeOwned>(result: &RawValue) -> Result<T, CallError> {
    serde_json::from_str(result.get()).map_err(|_| {
        // Read again, slowly, for the place: serde's own words would repeat the value that stands there.
        let mut slow = serde_json::Deserializer::from_str(result.get());
        let place = serde_path_to_error::deserialize::<_, T>(&mut slow).err().map(|error| error.path().to_string());
        CallError::Odd(place.filter(|path| path != ".").map(|path| format!(" at {path}")).unwrap_or_default())
    })
}
