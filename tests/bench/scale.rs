//! What a thousand times as many users change.

use crate::figure::{Figure, Goal, size};
use crate::load;
use crate::loading::Loaded;
use crate::{group, people, process};
use serde_json::json;

const PAGE: usize = 100;
const TURNS: usize = 10;

/// Latencies with few and with very many users, memory, and groups.
pub fn measure() -> Vec<Figure> {
    let (few, many) = (size("USERS_FEW", 1_000), size("USERS", 1_000_000));
    let mut few = Side { loaded: Loaded::with(few), dice: 1, made: 0 };
    let mut many = Side { loaded: Loaded::with(many), dice: 2, made: 0 };
    let mut figures = Vec::new();
    for (name, goal, requests) in [
        ("get", 2.0, Side::gets as fn(&mut Side, usize) -> Vec<Vec<u8>>),
        ("indexed filter", 2.0, Side::filters),
        ("PATCH", 2.0, Side::patches),
        ("create", 2.0, Side::creates),
        ("page at any startIndex", 3.0, Side::pages),
    ] {
        figures.push(grows(name, goal, requests, &mut few, &mut many));
    }
    let (now, most) = process::memory(many.loaded.gateway.pid());
    figures.push(
        Figure::of(format!("memory with {} users", many.loaded.ids.len()), Some(Goal::AtMost(300.0)), "MB", vec![now])
            .with(format!("resident after the requests above; {most:.0} MB at most")),
    );
    drop(few);
    figures.extend(group::measure(&many.loaded));
    figures
}

fn grows(
    name: &str,
    goal: f64,
    requests: fn(&mut Side, usize) -> Vec<Vec<u8>>,
    few: &mut Side,
    many: &mut Side,
) -> Figure {
    let count = size("BLOCK", 200);
    let runtime = load::runtime();
    let times = |side: &mut Side, count: usize| {
        let requests = requests(side, count);
        runtime.block_on(side.loaded.door.drive(1, requests)).times
    };
    // What is read for the first time after the start is read from the disk: that is not what is asked here.
    times(few, count);
    times(many, count);
    let round = |_| {
        // Small turns, so that whatever else the machine does meets both alike.
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            one.extend(times(few, count / TURNS));
            other.extend(times(many, count / TURNS));
        }
        (load::p50(&one), load::p50(&other))
    };
    let rounds: Vec<(f64, f64)> = (0..size("ROUNDS", 5)).map(round).collect();
    let middle = |which: fn(&(f64, f64)) -> f64| crate::figure::median(&rounds.iter().map(which).collect::<Vec<_>>());
    let ratios = rounds.iter().map(|(few, many)| many / few).collect();
    Figure::of(
        format!("{name}: p50 with {} users / with {}", many.loaded.ids.len(), few.loaded.ids.len()),
        Some(Goal::AtMost(goal)),
        "",
        ratios,
    )
    .with(format!("{:.0} µs / {:.0} µs; blocks of {count}, one caller", middle(|r| r.1), middle(|r| r.0)))
}

struct Side {
    loaded: Loaded,
    dice: u64,
    made: usize,
}

impl Side {
    /// A number below `end`, the same in every run.
    fn below(&mut self, end: usize) -> usize {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).expect("31 bits") % end
    }

    fn somebody(&mut self) -> usize {
        self.below(self.loaded.ids.len())
    }

    fn gets(&mut self, count: usize) -> Vec<Vec<u8>> {
        let one = |_| {
            let n = self.somebody();
            self.loaded.door.request("GET", &format!("/Users/{}", self.loaded.ids[n]), "")
        };
        (0..count).map(one).collect()
    }

    fn filters(&mut self, count: usize) -> Vec<Vec<u8>> {
        let one = |_| {
            let name = people::user_name("s", self.somebody());
            self.loaded.door.request("GET", &format!("/Users?filter=userName%20eq%20%22{name}%22"), "")
        };
        (0..count).map(one).collect()
    }

    fn patches(&mut self, count: usize) -> Vec<Vec<u8>> {
        let one = |_| {
            let n = self.somebody();
            self.made += 1;
            let body = people::replace("title", &json!(format!("Title {}", self.made)));
            self.loaded.door.request("PATCH", &format!("/Users/{}", self.loaded.ids[n]), &body)
        };
        (0..count).map(one).collect()
    }

    fn creates(&mut self, count: usize) -> Vec<Vec<u8>> {
        let one = |_| {
            self.made += 1;
            self.loaded.door.request("POST", "/Users", &people::user("n", self.made).to_string())
        };
        (0..count).map(one).collect()
    }

    fn pages(&mut self, count: usize) -> Vec<Vec<u8>> {
        let last = self.loaded.ids.len() - PAGE;
        let one = |_| {
            let start = 1 + self.below(last + 1);
            self.loaded.door.request("GET", &format!("/Users?startIndex={start}&count={PAGE}"), "")
        };
        (0..count).map(one).collect()
    }
}
