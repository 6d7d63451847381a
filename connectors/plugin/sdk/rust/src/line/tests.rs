#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::wire::{Done, IN_FLIGHT, MAX_FRAME};
use serde_json::{Value as Json, json, value::to_raw_value};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    time::timeout,
};

/// Answers `echo` with its parameters, panics on `panic`, hangs on everything else.
struct Echo;

#[async_trait]
impl Service for Echo {
    async fn answer(&self, _: &Line, _: u64, method: &str, params: &RawValue) -> Result<Box<RawValue>, RpcError> {
        match method {
            "echo" => Ok(params.to_owned()),
            "long" => Ok(to_raw_value(&"x".repeat(MAX_FRAME)).unwrap()),
            #[allow(clippy::panic)]
            "panic" => panic!("on command"),
            _ => std::future::pending().await,
        }
    }
    fn notice(&self, _: &Line, _: &str, _: &RawValue) {}
    fn failed(&self, failure: Failure) -> RpcError {
        RpcError { code: -1, message: format!("{failure:?}"), data: None }
    }
}

/// The other end, by hand.
struct Other {
    from: BufReader<ReadHalf<DuplexStream>>,
    to: WriteHalf<DuplexStream>,
}

impl Other {
    async fn says(&mut self, line: &str) {
        // A connection that is cut off in the middle of this is what some tests are about.
        let _cut_off = self
            .to
            .write_all(
                format!(
                    "{line}
"
                )
                .as_bytes(),
            )
            .await;
    }
    async fn hears(&mut self) -> Json {
        let mut line = String::new();
        timeout(Duration::from_secs(5), self.from.read_line(&mut line)).await.unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

fn pair() -> (Line, Other) {
    let (ours, theirs) = duplex(64 << 10);
    let ((from, to), (from_us, to_us)) = (split(ours), split(theirs));
    let line = Line::start(from, to, Arc::new(Echo), IN_FLIGHT, Box::pin(async { None }));
    (line, Other { from: BufReader::new(from_us), to: to_us })
}

fn asked(line: &Line) -> tokio::task::JoinHandle<Result<Json, CallError>> {
    let line = line.clone();
    tokio::spawn(async move { line.call("get", &Done {}).await })
}

#[tokio::test]
async fn answers_in_any_order_find_their_requests() {
    let (line, mut other) = pair();
    let first = asked(&line);
    let one = other.hears().await["id"].clone();
    let second = asked(&line);
    let two = other.hears().await["id"].clone();

    other.says(&json!({"id": two, "result": "second", "fromTheFuture": 1}).to_string()).await;
    other.says(&json!({"id": one, "result": null}).to_string()).await;

    assert_eq!(first.await.unwrap().unwrap(), Json::Null);
    assert_eq!(second.await.unwrap().unwrap(), "second");
}

#[tokio::test]
async fn a_dropped_request_is_cancelled_and_its_late_answer_ignored() {
    let (line, mut other) = pair();
    let given_up = asked(&line);
    let id = other.hears().await["id"].clone();
    given_up.abort();

    let cancel = other.hears().await;
    other.says(&json!({"id": id, "result": "late"}).to_string()).await;
    let next = asked(&line);
    let id_of_next = other.hears().await["id"].clone();
    other.says(&json!({"id": id_of_next, "result": "in time"}).to_string()).await;

    assert_eq!((&cancel["method"], &cancel["params"]["id"]), (&json!("cancel"), &id));
    assert_eq!(next.await.unwrap().unwrap(), "in time");
    assert_eq!(line.over(), None);
}

#[tokio::test]
async fn what_cannot_be_trusted_ends_the_connection_and_fails_what_is_under_way() {
    let twice = |id: &Json| format!("{}\n{}", json!({"id": id, "result": 1}), json!({"id": id, "result": 2}));
    type Says = fn(&Json) -> String;
    let cases: [(&str, Says); 6] = [
        ("never made", |_| json!({"id": 77, "result": 1}).to_string()),
        ("neither result nor error", |id| json!({ "id": id }).to_string()),
        ("no message of JSON-RPC", |_| "[1,2]".to_owned()),
        ("no message of JSON-RPC", |_| "<html>".to_owned()),
        ("could not read", |_| json!({"id": null, "error": {"code": -32700}}).to_string()),
        ("longer than", |_| " ".repeat(MAX_FRAME)),
    ];
    for (because, says) in cases {
        let (line, mut other) = pair();
        let under_way = asked(&line);
        let id = other.hears().await["id"].clone();
        other.says(&says(&id)).await;
        let outcome = under_way.await.unwrap();
        assert!(matches!(&outcome, Err(CallError::Lost(why)) if why.contains(because)), "{because}: {outcome:?}");
    }
    let (line, mut other) = pair();
    let under_way = asked(&line);
    let id = other.hears().await["id"].clone();
    other.says(&twice(&id)).await;
    assert_eq!(under_way.await.unwrap().unwrap(), 1);
    assert!(line.ended().await.contains("twice"));
}

#[tokio::test]
async fn a_request_is_served_a_panic_is_an_answer_and_a_long_answer_is_refused() {
    let (_line, mut other) = pair();
    other.says(r#"{"id":1,"method":"echo","params":{"a":1}}"#).await;
    assert_eq!(other.hears().await["result"], json!({"a": 1}));
    other.says(r#"{"id":2,"method":"panic"}"#).await;
    assert_eq!(other.hears().await["error"]["message"], "Panicked");
    other.says(r#"{"id":3,"method":"long"}"#).await;
    assert_eq!(other.hears().await["error"]["message"], "TooLong");
}

#[tokio::test]
async fn more_requests_than_allowed_are_refused_and_cancelling_makes_room() {
    let (line, mut other) = pair();
    for id in 0..IN_FLIGHT {
        other.says(&json!({"id": id, "method": "hang"}).to_string()).await;
    }
    other.says(r#"{"id":900,"method":"echo","params":1}"#).await;
    assert_eq!(other.hears().await["error"]["message"], "TooMany");

    other.says(r#"{"method":"cancel","params":{"id":0}}"#).await;
    other.says(r#"{"id":901,"method":"echo","params":1}"#).await;

    assert_eq!(other.hears().await["result"], 1);
    assert_eq!(line.serving(), IN_FLIGHT - 1);
}

#[tokio::test]
async fn who_asks_without_reading_is_cut_off() {
    let (line, mut other) = pair();
    let flood = async {
        for id in 0.. {
            let line = json!({"id": id, "method": "echo", "params": "x".repeat(8_000)}).to_string();
            if other.to.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), async {
        tokio::select! { () = flood => {}, _ = line.ended() => {} }
    })
    .await
    .unwrap();
    assert!(line.ended().await.contains("does not read the answers"));
}

#[tokio::test]
async fn an_answer_of_another_form_names_the_place_and_not_the_value() {
    let (line, mut other) = pair();
    let under_way = {
        let line = line.clone();
        tokio::spawn(async move { line.call::<_, crate::wire::CheckedConfig>("check_config", &Done {}).await })
    };
    let id = other.hears().await["id"].clone();
    other.says(&json!({"id": id, "result": {"issues": [{"pointer": {"s3cret": 1}, "message": ""}]}}).to_string()).await;
    let error = under_way.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("issues[0].pointer") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn ending_writes_what_waits_and_closes() {
    let (line, mut other) = pair();
    assert!(line.tell("last", &Done {}));
    line.end("it is time");
    let mut rest = String::new();
    timeout(Duration::from_secs(5), other.from.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert!(rest.contains("last"));
    assert!(
        matches!(line.call::<_, Json>("get", &Done {}).await, Err(CallError::NotSent(why)) if &*why == "it is time")
    );
}
