//! The benchmarks: what the gateway must reach, measured from outside on this machine.
//!
//! `tests/bench/run` builds and starts this. Every figure that is a rate or a time is a ratio within one run: rounds of the
//! gateway and of what it is held against alternate, and the median of the rounds' ratios counts. So a slow or busy machine
//! changes the numbers and hardly the verdicts. Nothing here is a test: nobody's merge waits for a clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod calls;
mod connectors;
mod cpu;
mod create;
mod directory;
mod figure;
mod group;
mod load;
mod loading;
mod people;
mod plugin;
mod process;
mod reading;
mod rows;
mod scale;
mod slow;
mod start;
mod ward;

use figure::{Figure, size};
use std::time::Instant;

// The gateway's own: connectors are measured within this process, and with another they would be other connectors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One part of a run.
type Part = fn() -> Vec<Figure>;

/// Every part by name, in the order of a whole run.
const PARTS: [(&str, Part); 9] = [
    ("create", create::measure),
    ("directory", directory::measure),
    ("cpu", cpu::measure),
    ("start", start::measure),
    ("plugin", plugin::measure),
    ("connectors", connectors::measure),
    ("reading", reading::measure),
    ("slow", slow::measure),
    ("scale", scale::measure),
];

fn main() -> std::process::ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = asked.iter().find(|name| !names.contains(&name.as_str())) {
        eprintln!("there is no part {unknown:?}; there are: {}", names.join(" "));
        return std::process::ExitCode::from(2);
    }
    let mut figures = Vec::new();
    for (name, measure) in PARTS {
        if asked.is_empty() || asked.iter().any(|one| one == name) {
            eprintln!("== {name}");
            let began = Instant::now();
            figures.extend(measure());
            eprintln!("== {name}: {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("Machine: {cores} processors, load {}; rounds: {}.\n", process::load(), size("ROUNDS", 5));
    print!("{}", figure::table(&figures));
    if figures.iter().all(Figure::is_met) { 0.into() } else { 1.into() }
}
