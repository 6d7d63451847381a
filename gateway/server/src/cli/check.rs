//! `chartgate check`.

use super::paper::{self, Tone};
use super::{ConfigFile, Outcome, place};
use crate::kinds::Kinds;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        let found = self.file.enter()?;
        let reading = found.load(kinds);
        let mut problems = reading.problems;
        problems.extend(reading.unreachable);
        problems.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
        let sound = problems.is_empty();
        if self.json {
            paper::print_json(&json!({
                "ok": sound, "file": found.shown(), "problems": problems, "warnings": reading.warnings,
            }))?;
            return Ok(sound);
        }
        paper::print(&place::list(&problems));
        for warning in &reading.warnings {
            let shown = warning.to_string().replacen(": ", ": warning: ", 1);
            paper::print(&format!("{}\n", paper::tone(Tone::Aside, &shown)));
        }
        let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let verdict = match &reading.loaded {
            Some(loaded) if sound => {
                let of = &loaded.config;
                let parts =
                    [count(of.source.len(), "source"), count(of.target.len(), "target"), count(of.role.len(), "role")];
                paper::tone(Tone::Good, &format!("{}: sound: {}", found.shown(), parts.join(", ")))
            }
            _ => paper::tone(Tone::Bad, &format!("{}: {}", found.shown(), count(problems.len(), "problem"))),
        };
        paper::print(&format!("{verdict}\n"));
        Ok(sound)
    }
}
