//! What reads and what writes.

use super::{Failure, Line, Service};
use crate::{
    frame::{self, Broken, Frames, Incoming, RpcError},
    wire::{Cancel, MAX_FRAME},
};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::value::RawValue;
use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Duration, timeout},
};

/// Messages are written together up to this many octets.
const TOGETHER: usize = 64 << 10;
/// What waits when the connection ends is still written, within this time.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Writes until the connection ends.
pub(super) async fn write<W: AsyncWrite + Unpin>(line: Line, mut to: W, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut over = pin!(line.ended());
    loop {
        let mut octets = tokio::select! {
            biased;
            frame = queue.recv() => match frame {
                Some(frame) => frame,
                None => break,
            },
            _ = &mut over => break,
        };
        while octets.len() < TOGETHER
            && let Ok(more) = queue.try_recv()
        {
            octets.extend_from_slice(&more);
        }
        let mut writing = pin!(to.write_all(&octets));
        let (written, ending) = tokio::select! {
            biased;
            written = &mut writing => (written.is_ok(), false),
            // Whoever does not read is not waited for much longer.
            _ = &mut over => (timeout(LAST_WORDS, writing).await.is_ok_and(|written| written.is_ok()), true),
        };
        if !written {
            // The reader knows better why: it sees the end as well, and asks for the reason.
            queue.close();
            return;
        }
        if ending {
            break;
        }
    }
    queue.close();
    let rest = async {
        while let Some(frame) = queue.recv().await {
            if to.write_all(&frame).await.is_err() {
                break;
            }
        }
    };
    // Whatever is not written by then is lost; the connection is over.
    let _late = timeout(LAST_WORDS, rest).await;
}

/// Reads until the connection ends.
pub(super) async fn read<R: AsyncRead + Unpin>(
    line: Line,
    from: R,
    service: Arc<dyn Service>,
    served: usize,
    fate: BoxFuture<'static, Option<String>>,
) {
    let mut frames = Frames::new(from);
    let mut over = pin!(line.ended());
    let broken = loop {
        let text = tokio::select! {
            biased;
            _ = &mut over => return,
            text = frames.next() => text,
        };
        match text {
            Ok(text) => {
                if let Err(why) = take(&line, text, &service, served) {
                    return line.end(&why);
                }
            }
            Err(broken) => break broken,
        }
    };
    match broken {
        Broken::TooLong => line.end(&format!("it sent a message longer than {MAX_FRAME} octets")),
        Broken::NotText => line.end("it sent octets that are no UTF-8"),
        Broken::Ended => {
            let why = fate.await;
            line.end(&why.unwrap_or_else(|| "it closed the connection".to_owned()));
        }
    }
}

/// One message; an error ends the connection.
fn take(line: &Line, text: &str, service: &Arc<dyn Service>, served: usize) -> Result<(), String> {
    let message: Incoming<'_> =
        serde_json::from_str(text).map_err(|_| "it sent a line that is no message of JSON-RPC".to_owned())?;
    let none = RawValue::NULL;
    match (message.id, message.method) {
        (Some(id), Some(method)) => {
            request(line, id, method, message.params.unwrap_or(none).to_owned(), service, served)
        }
        (None, Some(method)) if method == "cancel" => {
            let cancelled = serde_json::from_str::<Cancel>(message.params.unwrap_or(none).get());
            let Cancel { id } = cancelled.map_err(|_| "its cancel names no request".to_owned())?;
            if let Some(task) = line.0.state().serving.remove(&id) {
                task.abort();
            }
            Ok(())
        }
        (None, Some(method)) => {
            service.notice(line, &method, message.params.unwrap_or(none));
            Ok(())
        }
        (Some(id), None) => {
            let answer = match (message.result, message.error) {
                (Some(result), None) => Ok(result.to_owned()),
                (None, Some(error)) => Err(error),
                (Some(_), Some(_)) | (None, None) => return Err("its answer is neither result nor error".to_owned()),
            };
            answered(line, id, answer)
        }
        (None, None) => Err("it could not read a message, or sent one that is neither request nor answer".to_owned()),
    }
}

fn answered(line: &Line, id: u64, answer: Result<Box<RawValue>, RpcError>) -> Result<(), String> {
    let mut state = line.0.state();
    if let Some(waiting) = state.waiting.remove(&id) {
        drop(state);
        waiting.answered(answer);
        return Ok(());
    }
    if let Some(place) = state.given_up.iter().position(|given_up| *given_up == id) {
        state.given_up.remove(place);
        return Ok(());
    }
    let known = id <= state.last;
    Err(if known { "it answered a request twice" } else { "it answered a request that was never made" }.to_owned())
}

fn request(
    line: &Line,
    id: u64,
    method: String,
    params: Box<RawValue>,
    service: &Arc<dyn Service>,
    served: usize,
) -> Result<(), String> {
    let mut state = line.0.state();
    if state.over {
        return Ok(());
    }
    if state.serving.contains_key(&id) {
        return Err("it used the id of a request that is under way".to_owned());
    }
    if state.serving.len() >= served {
        drop(state);
        let refusal = frame::answer(id, &Err(service.failed(Failure::TooMany)));
        let told = refusal.is_some_and(|frame| line.0.out.try_send(frame).is_ok());
        return if told { Ok(()) } else { Err("it sends requests and does not read the answers".to_owned()) };
    }
    let (owner, service) = (line.clone(), Arc::clone(service));
    let task = tokio::spawn(async move {
        let work = AssertUnwindSafe(service.answer(&owner, id, &method, &params)).catch_unwind().await;
        let outcome = work.unwrap_or_else(|_panic| Err(service.failed(Failure::Panicked)));
        let frame = frame::answer(id, &outcome).or_else(|| frame::answer(id, &Err(service.failed(Failure::TooLong))));
        // It counts as under way until there is room for its answer: else who does not read could ask without end.
        let place = owner.0.out.reserve().await;
        owner.0.state().serving.remove(&id);
        if let (Ok(place), Some(frame)) = (place, frame) {
            place.send(frame);
        }
    });
    state.serving.insert(id, task.abort_handle());
    Ok(())
}
