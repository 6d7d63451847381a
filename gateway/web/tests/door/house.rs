//! A gateway without targets, and a client that speaks HTTP by hand: what is tested is bytes on a socket.

use gateway_domain::policy::{
    AccountConfig, CatalogueConfig, MappingConfig, PolicyConfig, RoleConfig, SourceConfig, TargetConfig,
};
use gateway_domain::{Clock, Discovery, Policy};
use gateway_engine::{Engine, Parts};
use gateway_store::Sqlite;
use gateway_web::{Options, Running, serve};
use jiff::Timestamp;
use scim::{Dialect, Types};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        "2026-11-02T08:00:00Z".parse().unwrap()
    }
}

/// Sources by name; each one's token is made by [`House::open`].
pub const SOURCES: [(&str, Dialect, Discovery, Option<u32>); 5] = [
    ("hr", Dialect::Tolerant, Discovery::Ietf, None),
    ("strict", Dialect::Rfc, Discovery::Ietf, None),
    ("new", Dialect::Interop, Discovery::Ietf, None),
    ("okta", Dialect::Tolerant, Discovery::Okta, None),
    ("slow", Dialect::Tolerant, Discovery::Ietf, Some(1)),
];

pub struct House {
    pub engine: Engine,
    pub door: Running,
    tokens: Vec<(String, String)>,
}

pub async fn engine(with_catalogue: bool) -> Engine {
    engine_of(with_catalogue, Arc::new(Fixed), gateway_store::sqlite::Options::default()).await
}

/// An engine with its own clock, on a store with these options.
pub async fn engine_of(with_catalogue: bool, clock: Arc<dyn Clock>, options: gateway_store::sqlite::Options) -> Engine {
    let types = Arc::new(Types::built_in());
    let mut config = PolicyConfig {
        sources: SOURCES
            .iter()
            .map(|(name, dialect, discovery, rate)| SourceConfig {
                name: (*name).to_owned(),
                dialect: *dialect,
                discovery: *discovery,
                requests_per_second: *rate,
                ..SourceConfig::default()
            })
            .collect(),
        ..PolicyConfig::default()
    };
    if with_catalogue {
        let entry = |ty: &str, value: &str| CatalogueConfig {
            ty: ty.to_owned(),
            value: value.to_owned(),
            ..CatalogueConfig::default()
        };
        let limited = CatalogueConfig { assignments: Some(25), ..entry("license", "L1") };
        config.targets.push(TargetConfig {
            name: "ehr".to_owned(),
            account: Some(AccountConfig {
                when: Some("true".to_owned()),
                key: vec!["login".to_owned()],
                attributes: [("login".to_owned(), MappingConfig::Expr("user.userName".to_owned()))].into(),
                ..AccountConfig::default()
            }),
            catalogue: (0..5)
                .map(|n| entry("position", &format!("P{n}")))
                .chain([entry("menu", "NUR"), limited])
                .collect(),
            ..TargetConfig::default()
        });
        config.roles.push(RoleConfig {
            name: "nurse".to_owned(),
            ty: Some("clinical".to_owned()),
            entitlements: vec!["ehr:position:P0".into(), "ehr:license:L1".into()],
            assignments: Some(10),
            ..RoleConfig::default()
        });
    }
    let policy = Policy::compile(&config, &types).expect("the configuration of the test is right");
    let store = Arc::new(Sqlite::memory(Arc::new(Fixed), options).unwrap());
    Engine::open(Parts { types, store, clock, policy, targets: Vec::new(), fixed_token: None }).await.unwrap()
}

impl House {
    pub async fn open() -> Self {
        Self::open_with(engine(false).await, |_| {}).await
    }

    pub async fn with_catalogue() -> Self {
        Self::open_with(engine(true).await, |_| {}).await
    }

    pub async fn open_with(engine: Engine, adjust: impl FnOnce(&mut Options)) -> Self {
        let mut tokens = Vec::new();
        for (name, ..) in SOURCES {
            tokens.push((name.to_owned(), engine.create_token(name, None, "test").await.unwrap()));
        }
        let mut options = Options::new(TcpListener::bind("127.0.0.1:0").unwrap());
        options.workers = 2;
        adjust(&mut options);
        let door = serve(options, engine.clone()).unwrap();
        Self { engine, door, tokens }
    }

    pub fn addr(&self) -> SocketAddr {
        self.door.addr()
    }

    pub fn token(&self, source: &str) -> &str {
        self.tokens.iter().find(|(name, _)| name == source).map(|(_, token)| token.as_str()).unwrap()
    }

    /// A request of the source `hr`.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as("hr", method, path, &[], body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &Value::Null).await
    }

    /// A request of a source with more headers; `path` is under `/scim/v2`.
    pub async fn ask_as(
        &self,
        source: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token(source));
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push(("content-type", "application/scim+json"));
        }
        send(self.addr(), method, &format!("/scim/v2{path}"), &all, body.as_bytes()).await
    }

    /// A new user's id.
    pub async fn user(&self, name: &str) -> String {
        let body = serde_json::json!({ "schemas": [scim::USER], "userName": name });
        let answer = self.ask("POST", "/Users", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// A new group's id.
    pub async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| serde_json::json!({ "value": id })).collect();
        let body = serde_json::json!({ "schemas": [scim::GROUP], "displayName": name, "members": members });
        let answer = self.ask("POST", "/Groups", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Status and keyword of a SCIM error, whose form is checked beside.
    pub fn error(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(self.header("content-type"), Some("application/scim+json;charset=utf-8"));
        assert_eq!(body["schemas"], serde_json::json!([scim::ERROR]));
        assert_eq!(body["status"], self.status.to_string());
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
        (self.status, body["scimType"].as_str().unwrap_or_default().to_owned())
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer: {:?}", String::from_utf8_lossy(bytes));
        });
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into())).collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }
}

/// One request on a connection of its own.
pub async fn send(addr: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(&head(method, path, headers, Some(body.len()))).await.unwrap();
    // The gateway may answer and close before it has read a body that it refuses.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Answer::parse(&bytes)
}

pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: Option<usize>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: scim.hosp.example\r\nconnection: close\r\n");
    if let Some(length) = length.filter(|length| *length > 0) {
        text.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}
