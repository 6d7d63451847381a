//! A target that answers after half a minute, beside one that answers at once: what it costs the people of the second.

use crate::figure::{Figure, Goal, median, size};
use crate::load::{self, Door};
use crate::people;
use fixtures::faults::Fault;
use fixtures::scim_server::{self, ScimServer};
use harness::Gateway;
use std::path::Path;
use std::time::{Duration, Instant};

/// How late the slow one answers.
const LATE: Duration = Duration::from_secs(30);
/// Creates before the clock runs.
const WARM: usize = 100;
/// So many creates come every tenth of a second: far fewer than it takes to keep the gateway busy, or they would wait for each
/// other.
const AT_ONCE: usize = 10;
const TICK: Duration = Duration::from_millis(100);

/// With and without the delay, in turns.
pub fn measure() -> Vec<Figure> {
    let count = size("BESIDE_SLOW", 1_000);
    let (mut each, mut quick, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size("ROUNDS", 5) {
        let (alone, late) = (waits(None, count), waits(Some(Fault::Slow(LATE)), count));
        eprintln!("   p99 of {alone:.1} ms, and of {late:.1} ms beside a target that is late");
        each.push(late / alone);
        quick.push(alone);
        beside.push(late);
    }
    let name = "p99 from a create to its target, beside a target that answers after 30 s / beside one that is quick";
    vec![Figure::of(name, Some(Goal::AtMost(1.2)), "", each).with(format!(
        "{:.1} ms / {:.1} ms; {count} creates, {AT_ONCE} every tenth of a second",
        median(&beside),
        median(&quick)
    ))]
}

/// The 99th of a hundred waits in milliseconds, from the commit of a create to the target's answer.
fn waits(fault: Option<Fault>, count: usize) -> f64 {
    let options = || scim_server::Options { port: 0, ..scim_server::Options::default() };
    let start = || ScimServer::start(options()).expect("the simulator starts");
    let (good, bad) = (start(), start());
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::serve(&config(folder.path(), &good.base_url(), &bad.base_url()));
    if let Some(fault) = fault {
        bad.fail("*", fault, 0);
    }
    let door = Door::new(&gateway.base, &gateway.token("entra"));
    let callers = load::runtime();
    let create = |numbers: std::ops::Range<usize>| {
        numbers.map(|n| door.request("POST", "/Users", &people::user("s", n).to_string())).collect::<Vec<_>>()
    };
    let store = folder.path().join("chartgate.db");
    let paced = |numbers: std::ops::Range<usize>| {
        let mut due = Instant::now();
        for some in create(numbers).chunks(AT_ONCE) {
            callers.block_on(door.drive(AT_ONCE, some.to_vec()));
            due += TICK;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    };
    paced(0..WARM);
    arrived(&store, WARM);
    paced(WARM..WARM + count);
    let mut all = arrived(&store, WARM + count).split_off(WARM);
    all.sort_by(f64::total_cmp);
    all[(all.len() * 99).div_ceil(100) - 1]
}

/// Waits until so many accounts stand in the good target, and tells how long each took, in milliseconds, the oldest first.
fn arrived(store: &Path, count: usize) -> Vec<f64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(store, flags).expect("the gateway's store");
    let sql = "SELECT (link.success - resource.created) / 1000.0 FROM link \
        JOIN resource ON resource.id = link.resource JOIN name ON name.id = link.target \
        WHERE name.text = 'good' AND link.success IS NOT NULL ORDER BY link.id";
    for _ in 0..1_200 {
        let mut statement = conn.prepare(sql).expect("the store's form");
        let all: Vec<f64> = statement.query_map([], |row| row.get(0)).expect("links").map(Result::unwrap).collect();
        if all.len() == count {
            return all;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the accounts do not arrive");
}

fn config(folder: &Path, good: &str, bad: &str) -> std::path::PathBuf {
    std::fs::write(folder.join("token"), scim_server::Options::default().token).expect("a file");
    let target = |name: &str, url: &str| {
        format!(
            r#"
[[target]]
name = "{name}"
kind = "scim"
profile = "scim"

[target.settings.http]
url = "{url}"
allow_plaintext = true
allow_networks = ["127.0.0.0/8"]
requests_per_second = 10000
auth = {{ type = "bearer", token = {{ file = "{here}/token" }} }}

[target.layers.limit]
rate = 1000000.0
burst = 1000000

[target.account]
when = "true"
key = ["userName"]
strong = ["externalId"]

[target.account.attributes]
userName = "user.userName"
externalId = "user.id"
displayName = "user.displayName"
"#,
            here = folder.display()
        )
    };
    let here = folder.display();
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_socket = "{here}/admin.sock"

[store]
url = "sqlite:{here}/chartgate.db"

[log]
level = "warn"

[[source]]
name = "entra"
{}{}"#,
        target("good", good),
        target("bad", bad)
    );
    let path = folder.join("chartgate.toml");
    std::fs::write(&path, text).expect("a file");
    path
}
