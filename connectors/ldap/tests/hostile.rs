//! Servers that lie, flood or fall silent: the connector reports an error, and the process lives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host;

use connector_spi::{AccountState, Attrs, Class, ConnError, Connector, Effect, Kind, NativeId, Value};
use host::{TestHost, cx, open};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag, 0x84];
    out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    out.extend(body);
    out
}

/// Nested sequences with correct, short lengths.
fn nested(levels: usize) -> Vec<u8> {
    let mut out = vec![0x30, 0x00];
    for _ in 0..levels {
        out = tlv(0x30, &out);
    }
    out
}

fn message(id: u8, operation: u8, body: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x02, &[id]), tlv(operation, body)].concat())
}

fn result(code: u8) -> Vec<u8> {
    [tlv(0x0a, &[code]), tlv(0x04, b""), tlv(0x04, b"")].concat()
}

fn entry(dn: &str) -> Vec<u8> {
    [tlv(0x04, dn.as_bytes()), tlv(0x30, b"")].concat()
}

/// What the server sends instead of an honest answer.
#[derive(Clone)]
enum Trick {
    Octets(Vec<u8>),
    /// These octets over and over, until the connection ends.
    Endless(Vec<u8>),
    /// One octet each 20 ms, of a message that never ends.
    Trickle,
}

/// Which request is answered by the trick; those before get honest answers.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Bind,
    Search,
    Add,
}

async fn serve(when: When, trick: impl Fn(u8) -> Trick + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let trick = Arc::new(trick);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse(stream, when, trick.clone()));
        }
    });
    port
}

async fn converse(mut stream: TcpStream, when: When, trick: Arc<impl Fn(u8) -> Trick>) -> Option<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        // One small request at a time: 30 len, perhaps 81 len, 02 01 id, tag.
        let at = buffer[..length].windows(2).position(|octets| octets == [0x02, 0x01])?;
        let (id, tag) = (buffer[at + 2], buffer[at + 3]);
        let now = match tag {
            0x60 => When::Bind,
            0x63 => When::Search,
            _ => When::Add,
        };
        if now == when {
            match trick(id) {
                Trick::Octets(octets) => stream.write_all(&octets).await.ok()?,
                Trick::Endless(octets) => loop {
                    stream.write_all(&octets).await.ok()?;
                },
                Trick::Trickle => {
                    stream.write_all(&[0x30, 0x83, 0x0f, 0xff, 0xff]).await.ok()?;
                    loop {
                        stream.write_all(&[0x02]).await.ok()?;
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
            continue;
        }
        let answer = match now {
            When::Bind => message(id, 0x61, &result(0)),
            When::Search => [message(id, 0x64, &entry("cn=x")), message(id, 0x65, &result(0))].concat(),
            When::Add => message(id, 0x69, &result(0)),
        };
        stream.write_all(&answer).await.ok()?;
    }
}

async fn connector(port: u16, host: &Arc<TestHost>) -> Arc<dyn Connector> {
    let config = json!({
        "url": format!("ldap://127.0.0.1:{port}"),
        "bind_dn": "cn=gateway,dc=hosp,dc=example",
        "bind_password": { "env": "UNUSED" },
        "account": { "base": "ou=people,dc=hosp,dc=example", "object_classes": ["person"] },
        "message_timeout_ms": 200,
        "operation_timeout_ms": 3_000,
    });
    open(config, host).await.unwrap()
}

async fn create(port: u16) -> ConnError {
    let host = TestHost::new(&["secret"]);
    let attrs = Attrs::from([("uid".to_owned(), vec![Value::from("test1")])]);
    let connector = connector(port, &host).await;
    connector.create(&cx(&host), &Kind::from("account"), &attrs, AccountState::Enabled, &[]).await.unwrap_err()
}

async fn get(port: u16) -> ConnError {
    let host = TestHost::new(&["secret"]);
    let connector = connector(port, &host).await;
    connector.get(&cx(&host), &Kind::from("account"), &NativeId::from("1-2-3")).await.unwrap_err()
}

/// Each of these overflows the stack, panics the driver or panics the caller in ldap3 0.12.1 without the guard.
fn killers(id: u8) -> Vec<Vec<u8>> {
    let unknown = tlv(0x30, &[tlv(0x02, &[id]), tlv(0x69, &result(0)), tlv(0xa0, &tlv(0x30, b""))].concat());
    vec![
        nested(8_000),
        vec![0x30, 0x00],
        nested(1_000),
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02],
        message(id, 0x69, b""),
        message(id, 0x69, &tlv(0x0a, &[0])),
        message(id, 0x78, &result(0)),
        message(id, 0x7f, b""),
        message(id, 0x79, b""),
        unknown,
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ]
}

#[tokio::test]
async fn a_hostile_answer_to_a_login_is_an_error_and_nothing_more() {
    for index in 0..killers(1).len() {
        let port = serve(When::Bind, move |id| Trick::Octets(killers(id)[index].clone())).await;
        let error = create(port).await;
        assert_eq!((error.class, error.effect), (Class::Transient, Effect::None), "{index}: {error}");
    }
}

#[tokio::test]
async fn a_hostile_answer_to_a_write_leaves_its_effect_unknown() {
    for index in 0..killers(1).len() {
        let port = serve(When::Add, move |id| Trick::Octets(killers(id)[index].clone())).await;
        let error = create(port).await;
        assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe), "{index}: {error}");
    }
}

#[tokio::test]
async fn a_hostile_answer_to_a_search_changes_nothing() {
    for index in 0..killers(1).len() {
        let port = serve(When::Search, move |id| Trick::Octets(killers(id)[index].clone())).await;
        let error = get(port).await;
        assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None), "{index}: {error}");
    }
}

#[tokio::test]
async fn entries_of_the_wrong_sort_do_not_reach_the_library() {
    let not_utf8 = tlv(0x04, &[0xff, 0xfe]);
    let bodies = [
        (0x64, b"".to_vec()),
        (0x64, tlv(0x04, b"cn=x")),
        (0x64, [not_utf8.clone(), tlv(0x30, b"")].concat()),
        (0x64, [tlv(0x04, b"cn=x"), tlv(0x30, &tlv(0x30, &not_utf8))].concat()),
        (0x73, not_utf8),
        (0x69, result(0)),
    ];
    for (operation, body) in bodies {
        let port = serve(When::Search, move |id| Trick::Octets(message(id, operation, &body))).await;
        let error = get(port).await;
        assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None), "{operation:x}: {error}");
    }
}

#[tokio::test]
async fn a_message_that_trickles_in_is_cut_off() {
    let port = serve(When::Add, |_| Trick::Trickle).await;
    let started = Instant::now();
    let error = create(port).await;
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_sends_entries_without_end_is_cut_off() {
    let port = serve(When::Search, |id| Trick::Endless(message(id, 0x64, &entry("cn=x")))).await;
    let error = get(port).await;
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None), "{error}");
}

#[tokio::test]
async fn a_referral_is_not_followed() {
    let elsewhere = [result(10), tlv(0xa3, &tlv(0x04, b"ldap://127.0.0.2/dc=x"))].concat();
    let port = serve(When::Add, move |id| Trick::Octets(message(id, 0x69, &elsewhere))).await;
    let error = create(port).await;
    assert_eq!((error.class, error.effect), (Class::Config, Effect::None), "{error}");
}

#[tokio::test]
async fn a_notice_of_disconnection_ends_the_connection() {
    let port = serve(When::Search, |_| {
        let notice = [result(52), tlv(0x8a, b"1.3.6.1.4.1.1466.20036")].concat();
        Trick::Octets(message(0, 0x78, &notice))
    });
    let error = get(port.await).await;
    assert_eq!((error.class, error.effect), (Class::Transient, Effect::None), "{error}");
}

#[tokio::test]
async fn an_answer_to_a_question_never_asked_ends_the_connection() {
    let port = serve(When::Add, |id| Trick::Octets(message(id + 1, 0x69, &result(0)))).await;
    let error = create(port).await;
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe), "{error}");
}

#[tokio::test]
async fn other_connections_live_on_beside_a_hostile_one() {
    let hostile = serve(When::Add, |_| Trick::Octets(nested(8_000))).await;
    let honest = serve(When::Bind, |id| Trick::Octets(message(id, 0x61, &result(0)))).await;
    let host = TestHost::new(&["secret"]);
    let good = connector(honest, &host).await;
    for _ in 0..3 {
        create(hostile).await;
        let health = good.check(&cx(&host)).await;
        assert!(health.is_ok(), "{health:?}");
    }
}
