//! What is printed: columns, JSON, and complaints.

use super::Outcome;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write, stderr, stdout};

/// Prints to standard output. A reader that went away (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints as JSON, indented.
pub fn print_json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value)?;
    print(&format!("{text}\n"));
    Ok(true)
}

/// Prints what went wrong to standard error.
pub fn complain(text: &str) {
    let head = if stderr().is_terminal() { "\u{1b}[31merror:\u{1b}[0m" } else { "error:" };
    let _ = writeln!(stderr().lock(), "{head} {text}");
}

/// A colour, on a terminal only.
#[derive(Clone, Copy)]
pub enum Tone {
    Good,
    Bad,
    Aside,
}

/// The text in its colour, where standard output is a terminal.
pub fn tone(tone: Tone, text: &str) -> String {
    if !stdout().is_terminal() {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => 32,
        Tone::Bad => 31,
        Tone::Aside => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Rows in columns under their heads, wrapped to the width of the terminal.
pub fn columns<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    table.set_header(heads);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

fn width() -> u16 {
    let told = crate::environment::variable("COLUMNS").and_then(|text| text.parse().ok());
    told.filter(|width| *width >= 40).unwrap_or(120)
}

/// A timestamp to the second, or a dash.
pub fn moment(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) => match (text.split_once('.'), text.ends_with('Z')) {
            (Some((whole, _)), true) => format!("{whole}Z"),
            _ => text.to_owned(),
        },
        None => "-".to_owned(),
    }
}

/// A number that is not zero, or a dash.
pub fn count(value: &serde_json::Value) -> String {
    value.as_u64().filter(|number| *number > 0).map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// A text, or a dash.
pub fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
