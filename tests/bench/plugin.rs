//! Plugins: what the process boundary costs. A child that answers at once, over standard input and output, as the gateway calls
//! it.

use crate::figure::{Figure, Goal, median, size};
use crate::process;
use connector_plugin::Plugin;
use connector_spi::{Connector, Erase, ErasedType, Host, Kind, NativeId};
use connector_testkit::TestHost;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

/// Records on a page of the listing.
const PAGE: u32 = 200;
/// Calls under way at a time in the pipelined part.
const TOGETHER: usize = 32;

/// The figures of every SDK that can be run here.
pub fn measure() -> Vec<Figure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let own = std::env::current_exe().expect("a program knows its own path");
    let program = own.with_file_name("chartgate-test-plugin");
    let mut figures = vec![floor()];
    let rust = json!({"command": [program], "sha256": digest(&program), "env": {"MODE": "steady"}});
    figures.extend(runtime.block_on(of("Rust", rust, 50.0)));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sdk = here.join("../connectors/plugin/sdk/python");
    if let Some(python) = fixtures::servers::python() {
        let script = here.join("bench/plugin.py");
        let settings = json!({
            "command": [python, "-B", script], "sha256": digest(&python),
            "files": { script.to_str().expect("a path in UTF-8"): digest(&script) }, "env": {"PYTHONPATH": sdk},
        });
        figures.extend(runtime.block_on(of("Python", settings, 150.0)));
    }
    figures
}

/// What the machine takes for a line to another process and back, with nothing done to it: no call can be faster.
fn floor() -> Figure {
    let mut echo = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat runs");
    let (mut to, mut from) = (echo.stdin.take().expect("a pipe"), echo.stdout.take().expect("a pipe"));
    let (line, calls) = ([b'x'; 800], size("CALLS", 20_000));
    let mut back = [0; 800];
    let mut rounds = Vec::new();
    for _ in 0..size("ROUNDS", 5) {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let began = Instant::now();
            to.write_all(&line).and_then(|()| from.read_exact(&mut back)).expect("it comes back");
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        rounds.push(median(&times));
    }
    drop(to);
    echo.wait().expect("it ends with its input");
    Figure::of("A line to another process and back", None, "µs", rounds)
        .with("800 octets through `cat`: the machine's floor")
}

fn digest(path: &PathBuf) -> String {
    let said = Command::new("sha256sum").arg(path).output().expect("sha256sum runs");
    let text = String::from_utf8(said.stdout).expect("text");
    text.split_whitespace().next().expect("a digest: is the program built?").to_owned()
}

async fn of(sdk: &str, mut settings: Value, goal: f64) -> Vec<Figure> {
    settings["limits"] = json!({"max_concurrent": TOGETHER});
    let host = TestHost::new();
    let opened = Erase::<Plugin>::new().open_json(settings, Arc::clone(&host) as Arc<dyn Host>).await;
    let connector = opened.expect("the plugin opens");
    let server = connector.check(&host.ctx()).await.expect("the plugin answers").server;
    let child = server.and_then(|pid| pid.parse().ok()).expect("the plugin tells its process");
    let calls = size("CALLS", 20_000);
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    one_by_one(&connector, &host, calls / 10).await;
    for _ in 0..size("ROUNDS", 5) {
        alone.push(one_by_one(&connector, &host, calls).await);
        together.push(pipelined(&connector, &host, calls).await);
    }
    let (listed, grown) = listing(&connector, &host, child).await;
    // Python's pipelining is bounded by its one interpreter lock: reported.
    let rate = (sdk == "Rust").then_some(Goal::AtLeast(5_000.0));
    vec![
        Figure::of(format!("{sdk} plugin: a get of 15 attributes"), Some(Goal::AtMost(goal)), "µs", alone)
            .with(format!("median of {calls} calls, one by one")),
        Figure::of(format!("{sdk} plugin: calls over one process"), rate, "/s", together)
            .with(format!("{TOGETHER} at a time")),
        Figure::of(format!("{sdk} plugin: list of 100,000 records"), None, "/s", vec![listed])
            .with(format!("pages of {PAGE}")),
        Figure::of(format!("{sdk} plugin: memory for that list"), Some(Goal::AtMost(16.0)), "MB", vec![grown])
            .with("growth of both processes after the first ten pages"),
    ]
}

/// The median time of a call in microseconds.
async fn one_by_one(connector: &Arc<dyn Connector>, host: &Arc<TestHost>, calls: usize) -> f64 {
    let (connector, host) = (Arc::clone(connector), Arc::clone(host));
    // On a worker of the runtime, as the gateway's own calls are.
    let measured = tokio::spawn(async move {
        let (kind, id) = (Kind::from("account"), NativeId::from("A000001"));
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let began = Instant::now();
            let found = connector.get(&host.ctx(), &kind, &id).await.expect("an answer");
            times.push(began.elapsed().as_secs_f64() * 1e6);
            assert_eq!(found.expect("a record").attrs.len(), 15);
        }
        median(&times)
    });
    measured.await.expect("no panic")
}

/// Calls in a second.
async fn pipelined(connector: &Arc<dyn Connector>, host: &Arc<TestHost>, calls: usize) -> f64 {
    let began = Instant::now();
    let each = calls / TOGETHER;
    let work = (0..TOGETHER).map(|number| {
        let (connector, host) = (Arc::clone(connector), Arc::clone(host));
        tokio::spawn(async move {
            let (kind, id) = (Kind::from("account"), NativeId(format!("A{number:06}")));
            for _ in 0..each {
                connector.get(&host.ctx(), &kind, &id).await.expect("an answer");
            }
        })
    });
    for one in futures_util::future::join_all(work).await {
        one.expect("no panic");
    }
    (each * TOGETHER) as f64 / began.elapsed().as_secs_f64()
}

/// Records in a second, and by how many MB both processes grew meanwhile.
async fn listing(connector: &Arc<dyn Connector>, host: &Arc<TestHost>, child: u32) -> (f64, f64) {
    let kind = Kind::from("account");
    let lister = connector.lister().expect("it lists");
    let held = || process::memory(std::process::id()).0 + process::memory(child).0;
    let (mut cursor, mut count, mut pages, mut before) = (None, 0, 0, 0.0);
    let began = Instant::now();
    loop {
        let page = lister.list(&host.ctx(), &kind, cursor.as_ref(), PAGE).await.expect("a page");
        count += page.items.len();
        pages += 1;
        if pages == 10 {
            before = held();
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(count, 100_000);
    (count as f64 / began.elapsed().as_secs_f64(), (held() - before).max(0.0))
}
