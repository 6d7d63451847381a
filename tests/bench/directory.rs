//! From a create at the door until the entry stands in OpenLDAP, held against the same entries written by ldap3 directly,
//! over as many connections and with as many operations under way.

use crate::figure::{Figure, Goal, median, size};
use crate::load::{self, Door};
use crate::people;
use harness::slapd::PASSWORD;
use harness::{Gateway, Slapd};
use ldap3::{Ldap, LdapConnAsync, Mod, Scope, SearchEntry};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const CALLERS: usize = 64;
const CONNECTIONS: usize = 4;
const WARM: usize = 100;
const PEOPLE: &str = "ou=people,dc=hosp,dc=example";

/// Creates and PATCHes of `active`, with slapd's fsync on and off.
pub fn measure() -> Vec<Figure> {
    let durable = rounds(true, size("ENTRIES", 1_500), size("ROUNDS", 5));
    let loose = rounds(false, size("ENTRIES", 1_500), 3);
    let (Some(durable), Some(loose)) = (durable, loose) else {
        eprintln!("   left out: there is no slapd");
        return Vec::new();
    };
    vec![
        durable.figure("create until the entry stands in OpenLDAP / direct adds", Some(0.85), 0),
        durable.figure("PATCH active=false until it stands in OpenLDAP / direct modifies", Some(0.8), 1),
        durable.figure("PATCH active=true until it stands in OpenLDAP / direct modifies", Some(0.8), 2),
        loose.figure("the same create with slapd's fsync off", None, 0),
        loose.figure("the same PATCH active=false with slapd's fsync off", None, 1),
    ]
}

/// Rates of the gateway and of ldap3, of each round, of creates, closings and openings.
struct Rounds {
    entries: usize,
    each: Vec<[(f64, f64); 3]>,
}

impl Rounds {
    fn figure(&self, name: &str, goal: Option<f64>, which: usize) -> Figure {
        let of = |value: fn(&(f64, f64)) -> f64| self.each.iter().map(|round| value(&round[which])).collect::<Vec<_>>();
        Figure::of(name, goal.map(Goal::AtLeast), "", of(|(ours, theirs)| ours / theirs)).with(format!(
            "{:.0}/s / {:.0}/s; {} entries, {CALLERS} at a time over {CONNECTIONS} connections",
            median(&of(|r| r.0)),
            median(&of(|r| r.1)),
            self.entries
        ))
    }
}

fn rounds(durable: bool, entries: usize, count: usize) -> Option<Rounds> {
    let mut each = Vec::new();
    for _ in 0..count {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let (ours, states) = through(&runtime, &Slapd::start("the benchmark", durable)?, entries);
        let theirs = runtime.block_on(direct(&Slapd::start("the benchmark", durable)?, &states));
        let pairs = [0, 1, 2].map(|which| (ours[which], theirs[which]));
        eprintln!("   durable {durable}: {}", pairs.map(|(a, b)| format!("{a:.0}/s / {b:.0}/s")).join(", "));
        each.push(pairs);
    }
    Some(Rounds { entries, each })
}

/// What the directory held: by name, attributes and values.
type State = BTreeMap<String, BTreeMap<String, HashSet<Vec<u8>>>>;

/// By the gateway. Returns the three rates, and what the directory held after each step.
fn through(runtime: &Runtime, slapd: &Slapd, entries: usize) -> ([f64; 3], [State; 3]) {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::serve(&config(folder.path(), &slapd.url()));
    let door = Door::new(&gateway.base, &gateway.token("entra"));
    let store = folder.path().join("chartgate.db");
    let callers = load::runtime();
    let run = |requests: Vec<Vec<u8>>| {
        let began = Instant::now();
        let count = requests.len();
        let outcome = callers.block_on(door.drive(CALLERS, requests));
        settled(&store);
        (count as f64 / began.elapsed().as_secs_f64(), outcome.ids)
    };
    let creates = |range: std::ops::Range<usize>| -> Vec<Vec<u8>> {
        range.map(|n| door.request("POST", "/Users", &people::user("l", n).to_string())).collect()
    };
    let (_, warm) = run(creates(0..WARM));
    let (created, ids) = run(creates(WARM..WARM + entries));
    let made = runtime.block_on(state(slapd));
    assert_eq!(made.len(), WARM + entries, "every entry stands");
    let switch = |ids: &[String], active: bool| -> Vec<Vec<u8>> {
        let body = people::replace("active", &json!(active));
        ids.iter().map(|id| door.request("PATCH", &format!("/Users/{id}"), &body)).collect()
    };
    run(switch(&warm, false));
    let (closed, _) = run(switch(&ids, false));
    let ended = runtime.block_on(state(slapd));
    run(switch(&warm, true));
    let (opened, _) = run(switch(&ids, true));
    let again = runtime.block_on(state(slapd));
    for (before, after) in [(&made, &ended), (&ended, &again)] {
        assert!(after.iter().all(|(name, entry)| before.get(name) != Some(entry)), "every entry was changed");
    }
    ([created, closed, opened], [made, ended, again])
}

/// Waits until no link is due or under way.
fn settled(store: &Path) {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(store, flags).expect("the gateway's store");
    let sql = "SELECT count(*) FROM link WHERE due IS NOT NULL OR leased IS NOT NULL OR generation <> applied";
    let began = Instant::now();
    loop {
        let left: i64 = conn.query_row(sql, [], |row| row.get(0)).expect("a count");
        if left == 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{left} links do not come to rest");
        // A scan of so few rows; far from the end it is not worth looking often.
        std::thread::sleep(Duration::from_millis(if left > 200 { 50 } else { 5 }));
    }
}

/// The same by ldap3: adds, then the changes that lead from each state to the next.
async fn direct(slapd: &Slapd, states: &[State; 3]) -> [f64; 3] {
    let mut handles = Vec::new();
    for _ in 0..CONNECTIONS {
        let (connection, mut ldap) = LdapConnAsync::new(&slapd.url()).await.expect("slapd listens");
        tokio::spawn(connection.drive());
        let bound = ldap.simple_bind("cn=admin,dc=hosp,dc=example", PASSWORD).await.expect("slapd answers");
        bound.success().expect("the administrator is let in");
        handles.push(ldap);
    }
    let adds: Vec<Write> = states[0]
        .iter()
        .map(|(dn, entry)| {
            let attributes = entry.iter().map(|(name, values)| (name.clone().into_bytes(), values.clone())).collect();
            Write::Add(dn.clone(), attributes)
        })
        .collect();
    let mut rates = [0.0; 3];
    rates[0] = write(&handles, adds).await;
    for step in [1, 2] {
        let mods = |(dn, after): (&String, &BTreeMap<String, HashSet<Vec<u8>>>)| {
            let before = &states[step - 1][dn];
            let names: HashSet<&String> = before.keys().chain(after.keys()).collect();
            let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
            let replace = changed
                .map(|name| Mod::Replace(name.clone().into_bytes(), after.get(name).cloned().unwrap_or_default()));
            Write::Modify(dn.clone(), replace.collect())
        };
        rates[step] = write(&handles, states[step].iter().map(mods).collect()).await;
    }
    rates
}

#[derive(Clone)]
enum Write {
    Add(String, Vec<(Vec<u8>, HashSet<Vec<u8>>)>),
    Modify(String, Vec<Mod<Vec<u8>>>),
}

/// Writes a second, the first ones left out.
async fn write(handles: &[Ldap], mut writes: Vec<Write>) -> f64 {
    let rest = writes.split_off(WARM);
    let count = rest.len();
    at_once(handles, writes).await;
    let began = Instant::now();
    at_once(handles, rest).await;
    count as f64 / began.elapsed().as_secs_f64()
}

async fn at_once(handles: &[Ldap], writes: Vec<Write>) {
    let left = std::sync::Arc::new(std::sync::Mutex::new(writes.into_iter()));
    let callers = (0..CALLERS).map(|caller| {
        let (mut ldap, left) = (handles[caller % CONNECTIONS].clone(), left.clone());
        tokio::spawn(async move {
            loop {
                let next = left.lock().expect("callers do not panic").next();
                let done = match next {
                    None => return,
                    Some(Write::Add(dn, attributes)) => ldap.add(&dn, attributes).await,
                    Some(Write::Modify(dn, mods)) => ldap.modify(&dn, mods).await,
                };
                done.expect("slapd answers").success().expect("slapd does it");
            }
        })
    });
    for caller in futures_util::future::join_all(callers).await {
        caller.expect("a caller ends");
    }
}

async fn state(slapd: &Slapd) -> State {
    let mut admin = slapd.admin().await;
    let wanted = vec!["*", "pwdAccountLockedTime"];
    let found = admin.search(PEOPLE, Scope::OneLevel, "(clinGatewayId=*)", wanted).await.expect("slapd answers");
    let (entries, _) = found.success().expect("a search");
    let one = |entry| {
        let entry = SearchEntry::construct(entry);
        let texts = entry
            .attrs
            .into_iter()
            .map(|(name, values)| (name, values.into_iter().map(String::into_bytes).collect::<HashSet<Vec<u8>>>()));
        let octets = entry.bin_attrs.into_iter().map(|(name, values)| (name, values.into_iter().collect()));
        (entry.dn, texts.chain(octets).collect())
    };
    entries.into_iter().map(one).collect()
}

/// Writes the configuration of a gateway with this directory as its only target, and as many slots as the direct way has
/// operations under way.
pub fn config(folder: &Path, directory: &str) -> PathBuf {
    let here = folder.display().to_string();
    std::fs::write(folder.join("directory.secret"), PASSWORD).expect("a file");
    let text = CONFIG.replace("@DIR@", &here).replace("@URL@", directory);
    let text = text.replace("@SLOTS@", &CALLERS.to_string()).replace("@CONNECTIONS@", &CONNECTIONS.to_string());
    let path = folder.join("chartgate.toml");
    std::fs::write(&path, text).expect("a file");
    path
}

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
admin_socket = "@DIR@/admin.sock"

[store]
url = "sqlite:@DIR@/chartgate.db"

[log]
level = "warn"

[[source]]
name = "entra"

[[target]]
name = "directory"
kind = "ldap"

[target.layers.limit]
slots = @SLOTS@
rate = 1000000.0
burst = 1000000

[target.settings]
url = "@URL@"
bind_dn = "cn=admin,dc=hosp,dc=example"
bind_password = { file = "@DIR@/directory.secret" }
connections = @CONNECTIONS@

[target.settings.account]
base = "ou=people,dc=hosp,dc=example"
object_classes = ["inetOrgPerson", "clinPerson"]
owned_mark = "clinGatewayId"
lock = {}
status = { attribute = "clinAccountStatus", enabled = "active", disabled = "ended" }

[target.account]
when = "true"
key = ["uid"]
strong = ["employeeNumber"]

[target.account.attributes]
uid = "user.userName"
cn = "user.displayName"
sn = "user.name.familyName"
givenName = "user.name.givenName"
title = "user.title"
mail = "user.emails.primary().value"
employeeNumber = "user.enterprise.employeeNumber"
departmentNumber = "user.enterprise.department"
clinGatewayId = "user.id"
"#;
