//! What the demo prints.

use super::{Options, Scene, Verdict};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table, TableComponent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::Path;

/// The first lines.
pub fn title(options: &Options, scenes: &[Box<dyn Scene>]) {
    println!(
        "Chartgate demo: {} invented people, then {} joiners, movers and leavers.",
        options.people, options.movements
    );
    let targets: Vec<&str> = scenes.iter().map(|scene| scene.what()).collect();
    println!("Pushed as Entra ID (both flavours) and Okta push them.\nTargets: {}.\n", targets.join(", "));
}

/// Progress, one line a step.
pub struct Bars(MultiProgress);

impl Bars {
    /// Bars on standard error; none where that is no terminal.
    pub fn new() -> Bars {
        Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
    }

    /// One step.
    pub fn step(&self, name: &'static str, length: usize) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new(length as u64));
        if let Ok(style) = ProgressStyle::with_template("  {msg:16} {bar:40.cyan/dim} {pos:>5}/{len}  {elapsed:.dim}") {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_message(name);
        bar
    }
}

/// The table and the verdict.
pub fn verdict(verdicts: &[Verdict], right: bool) {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    for between_rows in [TableComponent::HorizontalLines, TableComponent::MiddleIntersections] {
        table.remove_style(between_rows);
    }
    table.set_header([
        "target",
        "in use",
        "made",
        "changed",
        "ended",
        "given",
        "taken",
        "pending",
        "refused",
        "as wanted",
    ]);
    for Verdict { target, changes, pending, refused, differs } in verdicts {
        let wanted = if differs.is_empty() { "yes".to_owned() } else { format!("{} differ", differs.len()) };
        table.add_row([
            (*target).to_owned(),
            changes.in_use.to_string(),
            changes.made.to_string(),
            changes.changed.to_string(),
            changes.ended.to_string(),
            changes.given.to_string(),
            changes.taken.to_string(),
            pending.to_string(),
            refused.to_string(),
            wanted,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!(
        "Accounts (in use, made, changed, ended) and entitlements (given, taken), as read from each target itself:"
    );
    println!("{table}");
    for Verdict { target, differs, .. } in verdicts.iter().filter(|verdict| !verdict.differs.is_empty()) {
        let some: Vec<&str> = differs.iter().take(5).map(String::as_str).collect();
        let more = if differs.len() > some.len() { ", …" } else { "" };
        println!("{target}: not as wanted: employee {}{more}", some.join(", "));
    }
    println!(
        "{}",
        if right {
            "Everybody has exactly the access they should have."
        } else {
            "Some targets differ from what was wanted."
        }
    );
}

/// Where it goes on.
pub fn serving(scim: &str, scenes: &[Box<dyn Scene>], operators: &Path) {
    println!("\nStill serving until Ctrl-C:\n  {:12} {scim}", "SCIM");
    for scene in scenes {
        println!("  {:12} {}", scene.name(), scene.place());
    }
    println!("\nLook around:\n  chartgate status --socket {}", operators.display());
    println!("  chartgate target test ehr-soap --socket {}", operators.display());
}
