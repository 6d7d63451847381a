//! What was measured, and whether it is enough.

use std::fmt::Write;

/// One line of the table.
pub struct Figure {
    /// What.
    pub name: String,
    /// At least, or at most, so much; `None` is reported only.
    pub goal: Option<Goal>,
    /// The value that counts.
    pub value: f64,
    /// Its unit; empty for a ratio.
    pub unit: &'static str,
    /// What it was made of.
    pub measured: String,
    /// The value of each round.
    pub rounds: Vec<f64>,
}

/// A bound.
#[derive(Clone, Copy)]
pub enum Goal {
    /// The value must not be lower.
    AtLeast(f64),
    /// The value must not be higher.
    AtMost(f64),
}

impl Figure {
    /// A figure whose value is the median of its rounds.
    pub fn of(name: impl Into<String>, goal: Option<Goal>, unit: &'static str, rounds: Vec<f64>) -> Figure {
        let value = median(&rounds);
        Figure { name: name.into(), goal, value, unit, measured: String::new(), rounds }
    }

    /// With what it was made of.
    pub fn with(mut self, measured: impl Into<String>) -> Figure {
        self.measured = measured.into();
        eprintln!("   {}: {} {} ({})", self.name, shown(self.value), self.unit, self.measured);
        self
    }

    /// Whether it reaches its goal; one without a goal does.
    pub fn is_met(&self) -> bool {
        match self.goal {
            None => true,
            Some(Goal::AtLeast(bound)) => self.value >= bound,
            Some(Goal::AtMost(bound)) => self.value <= bound,
        }
    }
}

/// The figures as one Markdown table.
pub fn table(figures: &[Figure]) -> String {
    let mut text =
        "| figure | goal | value | measured | each round | verdict |\n|---|---|---|---|---|---|\n".to_owned();
    for figure in figures {
        let goal = match figure.goal {
            None => "reported".to_owned(),
            Some(Goal::AtLeast(bound)) => format!("≥ {bound} {}", figure.unit),
            Some(Goal::AtMost(bound)) => format!("≤ {bound} {}", figure.unit),
        };
        let verdict = match (figure.goal, figure.is_met()) {
            (None, _) => "–",
            (Some(_), true) => "met",
            (Some(_), false) => "**missed**",
        };
        let rounds: Vec<String> = figure.rounds.iter().map(|value| shown(*value)).collect();
        let value = format!("{} {}", shown(figure.value), figure.unit);
        let cells = [&figure.name, goal.trim(), value.trim(), &figure.measured, &rounds.join(" "), verdict];
        writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes text");
    }
    text
}

fn shown(value: f64) -> String {
    match value.abs() {
        great if great >= 100.0 => format!("{value:.0}"),
        middling if middling >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The median; of nothing it is not a number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// How much of something: `CHARTGATE_BENCH_NAME`, or what a whole run takes.
#[allow(clippy::disallowed_methods)] // a measurement's sizes come from whoever starts it
pub fn size(name: &str, usual: usize) -> usize {
    let given = std::env::var(format!("CHARTGATE_BENCH_{name}")).ok();
    given.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("CHARTGATE_BENCH_{name} is a number")))
}
