//! A connector alone, from a create until the account stands in its target, held against the same calls by a client that does
//! nothing else, with as many of them under way.

use crate::calls::{Again, Call, Listener};
use crate::figure::{Figure, Goal, median, size};
use crate::ward;
use connector_rest::Rest;
use connector_scim::Scim;
use connector_soap::Soap;
use connector_spi::{AccountState, Attrs, Connector, ConnectorType, Ctx, Kind, Value};
use connector_testkit::{TestHost, laid_over};
use fixtures::ehr_rest::{self, EhrRest};
use fixtures::ehr_soap::{self, EhrSoap};
use fixtures::scim_server::{self, ScimServer};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Calls under way.
pub const CALLERS: usize = 16;
/// Creates before the clock runs.
const WARM: usize = 100;

/// Creates by every kind of connector.
pub fn measure() -> Vec<Figure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut figures = vec![over_http::<EhrRest>().await, over_http::<EhrSoap>().await];
        figures.push(over_http::<ScimServer>().await);
        figures.extend(ward::creates().await);
        figures
    })
}

/// A simulator over HTTP, with the connector for it.
pub trait Target: Sized {
    /// How the figure calls it.
    const NAME: &'static str;
    /// A fresh one that minds no rate.
    fn start() -> Self;
    fn addr(&self) -> SocketAddr;
    /// How many accounts there are.
    fn accounts(&self) -> usize;
    /// The connector, pointed at this address.
    async fn connector(addr: SocketAddr) -> Arc<dyn Connector>;
    /// An invented person.
    fn person(number: usize) -> Attrs;
}

async fn over_http<T: Target>() -> Figure {
    let (count, rounds) = (size("CREATES_BY_CONNECTOR", 3_000), size("ROUNDS", 5));
    let calls = heard::<T>(WARM + count).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Who comes first has the colder machine, so they take turns.
        for first in [round % 2 == 0, round % 2 != 0] {
            let target = T::start();
            let before = target.accounts();
            let rate =
                if first { connector::<T>(&target, count).await } else { direct(&target.addr(), &calls, count).await };
            assert_eq!(target.accounts() - before, WARM + count, "every account stands");
            if first { ours.push(rate) } else { theirs.push(rate) }
        }
    }
    let each: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    Figure::of(
        format!("create by the connector until it stands in {} / the same calls by reqwest", T::NAME),
        Some(Goal::AtLeast(0.9)),
        "",
        each,
    )
    .with(format!("{:.0}/s / {:.0}/s; {count} creates, {CALLERS} at a time", median(&ours), median(&theirs)))
}

/// What the connector asks to make so many people.
async fn heard<T: Target>(count: usize) -> Vec<Call> {
    let target = T::start();
    let listener = Listener::before(target.addr()).await;
    let connector = T::connector(listener.addr).await;
    create::<T>(&connector, 0..count).await;
    listener.calls()
}

async fn connector<T: Target>(target: &T, count: usize) -> f64 {
    let connector = T::connector(target.addr()).await;
    create::<T>(&connector, 0..WARM).await;
    let began = Instant::now();
    create::<T>(&connector, WARM..WARM + count).await;
    count as f64 / began.elapsed().as_secs_f64()
}

async fn create<T: Target>(connector: &Arc<dyn Connector>, numbers: std::ops::Range<usize>) {
    let people: Vec<Attrs> = numbers.map(T::person).collect();
    made(connector, people).await;
}

/// Makes people with a connector, [`CALLERS`] at a time.
pub async fn made(connector: &Arc<dyn Connector>, people: Vec<Attrs>) {
    let people = Arc::new(people);
    at_once(people.len(), |number| {
        let (connector, people) = (Arc::clone(connector), Arc::clone(&people));
        async move {
            let (cx, kind) = (within(&once()), Kind::from("account"));
            let created = connector.create(&cx, &kind, &people[number], AccountState::Enabled, &[]).await;
            created.expect("the account is made");
        }
    })
    .await;
}

/// The same calls, after those of the warm-up.
async fn direct(addr: &SocketAddr, calls: &[Call], count: usize) -> f64 {
    let again = Arc::new(Again::to(*addr, calls).await);
    let calls: Arc<Vec<Call>> = Arc::new(calls.iter().filter(|call| !call.asks_for_token()).cloned().collect());
    // Calls that are made once, such as discovery, are among those of the warm-up.
    let warm = calls.len() - count;
    let send = |from: usize| {
        let (again, calls) = (Arc::clone(&again), Arc::clone(&calls));
        move |number: usize| {
            let (again, calls) = (Arc::clone(&again), Arc::clone(&calls));
            async move {
                again.send(&calls[from + number]).await;
            }
        }
    };
    at_once(warm, send(0)).await;
    let began = Instant::now();
    at_once(count, send(warm)).await;
    count as f64 / began.elapsed().as_secs_f64()
}

/// Runs so many, [`CALLERS`] at a time.
pub async fn at_once<F: Future<Output = ()> + Send + 'static>(count: usize, work: impl Fn(usize) -> F) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut all = tokio::task::JoinSet::new();
    let mut works: Vec<Vec<F>> = (0..CALLERS).map(|_| Vec::new()).collect();
    for number in 0..count {
        works[number % CALLERS].push(work(number));
    }
    for work in works {
        let next = Arc::clone(&next);
        all.spawn(async move {
            for one in work {
                one.await;
                next.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("a caller ends");
    }
    assert_eq!(next.load(Ordering::Relaxed), count);
}

/// A name that no other change has: a target knows a repeated change again by it.
fn once() -> String {
    static CHANGES: AtomicUsize = AtomicUsize::new(0);
    format!("create-{}", CHANGES.fetch_add(1, Ordering::Relaxed))
}

/// The surroundings of a call.
pub fn within(op: &str) -> Ctx {
    Ctx::new(op, tokio::time::Instant::now() + Duration::from_secs(60), host())
}

/// A host that has the one secret of every simulator; one for all calls, as a gateway has one for each target.
pub fn host() -> Arc<TestHost> {
    static HOST: LazyLock<Arc<TestHost>> = LazyLock::new(|| {
        let secrets: BTreeMap<String, String> = [
            ("SIM", "test-only"),
            ("TOKEN", "test-only-token"),
            ("WARD", fixtures::servers::PASSWORD),
            ("DIRECTORY", harness::slapd::PASSWORD),
        ]
        .map(|(name, secret)| (name.to_owned(), secret.to_owned()))
        .into();
        TestHost::with(secrets, None)
    });
    Arc::clone(&HOST)
}

/// A shipped file as settings, with these over it.
pub fn settings(file: &str, over: Json) -> Json {
    connector_testkit::settings(file, over).expect("a shipped file")
}

/// A shipped file by name.
pub fn shipped(profiles: &[(&'static str, &'static str)], name: &str) -> &'static str {
    profiles.iter().find(|(known, _)| *known == name).expect("a shipped file").1
}

async fn open<C: ConnectorType>(settings: Json) -> Arc<dyn Connector>
where
    C::Config: serde::de::DeserializeOwned,
{
    let config = serde_json::from_value(settings).expect("settings");
    C::open(config, host()).await.expect("the connector opens")
}

fn door(url: String) -> Json {
    json!({
        "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 60, "connect_timeout": 5,
        "requests_per_second": null, "max_concurrent": 256,
    })
}

fn texts(pairs: &[(&str, String)]) -> Attrs {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), vec![Value::from(text.as_str())])).collect()
}

impl Target for EhrRest {
    const NAME: &'static str = "the REST EHR";
    fn start() -> Self {
        EhrRest::start(ehr_rest::Options { rate_limit: None, ..Default::default() }).expect("the simulator starts")
    }
    fn addr(&self) -> SocketAddr {
        self.addr()
    }
    fn accounts(&self) -> usize {
        self.state()["accounts"].as_array().expect("accounts").len()
    }
    async fn connector(addr: SocketAddr) -> Arc<dyn Connector> {
        let mut http = door(format!("http://{addr}"));
        laid_over(&mut http, json!({ "headers": { "X-Target-Id": "EAST-PROD" } }));
        laid_over(&mut http, json!({ "auth": { "client_id": "gateway", "client_secret": { "env": "SIM" } } }));
        let file = shipped(&connector_rest::PROFILES, "oracle-health-like");
        open::<Rest>(settings(file, json!({ "http": http }))).await
    }
    fn person(number: usize) -> Attrs {
        texts(&[
            ("username", format!("t{number}")),
            ("givenName", format!("Testperson {number}")),
            ("familyName", "Example".to_owned()),
            ("employeeNumber", (100_000 + number).to_string()),
        ])
    }
}

impl Target for EhrSoap {
    const NAME: &'static str = "the SOAP EHR";
    fn start() -> Self {
        EhrSoap::start(ehr_soap::Options { rate_limit: None, ..Default::default() }).expect("the simulator starts")
    }
    fn addr(&self) -> SocketAddr {
        self.addr()
    }
    fn accounts(&self) -> usize {
        self.state()["accounts"].as_array().expect("accounts").len()
    }
    async fn connector(addr: SocketAddr) -> Arc<dyn Connector> {
        let password = json!({ "env": "SIM" });
        let over = json!({
            "http": door(format!("http://{addr}")),
            "services": {
                "personnel": { "username_token": { "user": "local:gateway", "password": password } },
                "core": {
                    "auth": { "type": "basic", "user": "gateway", "password": password },
                    "requests_per_second": null, "max_concurrent": 256,
                },
            },
        });
        open::<Soap>(settings(shipped(&connector_soap::PROFILES, "epic-like"), over)).await
    }
    fn person(number: usize) -> Attrs {
        texts(&[
            ("login", format!("t{number}")),
            ("givenName", format!("Testperson {number}")),
            ("familyName", "Example".to_owned()),
            ("employeeNumber", (100_000 + number).to_string()),
        ])
    }
}

impl Target for ScimServer {
    const NAME: &'static str = "a SCIM server";
    fn start() -> Self {
        ScimServer::start(scim_server::Options::default()).expect("the simulator starts")
    }
    fn addr(&self) -> SocketAddr {
        self.addr()
    }
    fn accounts(&self) -> usize {
        self.state()["users"].as_array().expect("users").len()
    }
    async fn connector(addr: SocketAddr) -> Arc<dyn Connector> {
        let mut http = door(format!("http://{addr}/scim/v2"));
        laid_over(&mut http, json!({ "auth": { "type": "bearer", "token": { "env": "TOKEN" } } }));
        open::<Scim>(settings(shipped(&connector_scim::PROFILES, "scim"), json!({ "http": http }))).await
    }
    fn person(number: usize) -> Attrs {
        texts(&[
            ("userName", format!("t{number}")),
            ("externalId", format!("gateway-{number}")),
            ("displayName", format!("Testperson {number} Example")),
            ("name.familyName", "Example".to_owned()),
        ])
    }
}
