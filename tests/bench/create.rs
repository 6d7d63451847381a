//! A durable create over HTTP, held against rusqlite writing the same rows.

use crate::figure::{Figure, Goal, median, size};
use crate::load::{self, Door};
use crate::people;
use crate::rows::Rows;
use harness::Gateway;

/// Creates before the clock starts.
const WARM: usize = 300;

/// At 64 callers and at one.
pub fn measure() -> Vec<Figure> {
    vec![at(64, size("CREATES", 8_000), 0.6), at(1, size("CREATES_ALONE", 500), 0.8)]
}

fn at(callers: usize, count: usize, goal: f64) -> Figure {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut each = 0.0;
    for _ in 0..size("ROUNDS", 5) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.db");
        let through = gateway(&file, callers, count);
        let rows = Rows::of(&file);
        each = rows.each();
        let raw = rows.write(&folder.path().join("raw.db"), callers, WARM);
        eprintln!("   {callers} callers: {through:.0}/s over HTTP, {raw:.0}/s by rusqlite");
        ours.push(through);
        theirs.push(raw);
        ratios.push(through / raw);
    }
    let name = format!("durable create at {callers} callers / rusqlite group commit of the same rows");
    Figure::of(name, Some(Goal::AtLeast(goal)), "", ratios).with(format!(
        "{:.0}/s over HTTP, {:.0}/s by rusqlite; {count} creates of {each:.0} rows",
        median(&ours),
        median(&theirs)
    ))
}

fn gateway(file: &std::path::Path, callers: usize, count: usize) -> f64 {
    let store = format!("sqlite:{}", file.display());
    let gateway = Gateway::plain(&store, "test-only-token", &[], &file.with_extension("log"));
    let door = Door::new(&gateway.base, "test-only-token");
    let bodies = |range: std::ops::Range<usize>| -> Vec<Vec<u8>> {
        range.map(|n| door.request("POST", "/Users", &people::user("a", n).to_string())).collect()
    };
    let rate = load::runtime().block_on(async {
        door.drive(callers, bodies(0..WARM)).await;
        door.drive(callers, bodies(WARM..WARM + count)).await.rate()
    });
    // In order, so that the log is moved into the file before it is read.
    gateway.terminate();
    rate
}
