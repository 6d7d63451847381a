//! How small it is, and how soon it is there.

use crate::figure::{Figure, Goal, size};
use crate::load::{self, Door};
use crate::{people, process};
use harness::{Gateway, gateway};
use std::path::Path;
use std::time::{Duration, Instant};

/// Memory and start of an empty gateway, the start after a crash with due links, the binary's size.
pub fn measure() -> Vec<Figure> {
    let mut figures = empty();
    figures.push(after_a_crash());
    let octets = std::fs::metadata(gateway::binary()).expect("the binary").len();
    let megabytes = octets as f64 / 1e6;
    figures.push(
        Figure::of("size of the binary", Some(Goal::AtMost(30.0)), "MB", vec![megabytes]).with("release, as built"),
    );
    figures
}

fn empty() -> Vec<Figure> {
    let (mut starts, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..size("ROUNDS", 5) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = format!("sqlite:{}", folder.path().join("gateway.db").display());
        let began = Instant::now();
        let gateway = Gateway::plain(&store, "test-only-token", &[], &folder.path().join("log"));
        starts.push(began.elapsed().as_secs_f64() * 1e3);
        let door = Door::new(&gateway.base, "test-only-token");
        load::runtime().block_on(door.once("GET", "/Users", ""));
        std::thread::sleep(Duration::from_secs(1));
        idle.push(process::memory(gateway.pid()).0);
    }
    vec![
        Figure::of("idle memory", Some(Goal::AtMost(25.0)), "MB", idle).with("resident, 1 s after the first request"),
        Figure::of("start with an empty store", Some(Goal::AtMost(100.0)), "ms", starts)
            .with("from exec to the ready line, the store's file made"),
    ]
}

fn after_a_crash() -> Figure {
    let links = size("DUE", 100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let config = crate::directory::config(folder.path(), "ldap://127.0.0.1:9");
    let gateway = Gateway::serve(&config);
    let token = gateway.token("entra");
    let door = Door::new(&gateway.base, &token);
    let runtime = load::runtime();
    for part in 0..links.div_ceil(5_000) {
        let from = part * 5_000;
        let people = (from..links.min(from + 5_000)).map(|n| people::user("d", n).to_string());
        let requests = people.map(|body| door.request("POST", "/Users", &body)).collect();
        runtime.block_on(door.drive(64, requests));
    }
    gateway.kill();
    let mut times = Vec::new();
    let mut due = 0;
    for _ in 0..3 {
        let began = Instant::now();
        let again = Gateway::serve(&config);
        times.push(began.elapsed().as_secs_f64());
        due = due_links(folder.path());
        again.kill();
    }
    Figure::of("ready after SIGKILL with due links", Some(Goal::AtMost(5.0)), "s", times)
        .with(format!("{due} due links; killed while it runs, three times"))
}

fn due_links(folder: &Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(folder.join("chartgate.db"), flags).expect("the store");
    conn.query_row("SELECT count(*) FROM link WHERE due IS NOT NULL", [], |row| row.get(0)).expect("a count")
}
