//! The reference of the configuration, as Markdown. The README holds it between two markers, and a test compares.

use super::{Config, Row, rows};
use crate::environment::VARIABLES;
use std::fmt::Write;

/// Every setting of the file, section by section, and every environment variable.
#[must_use]
pub fn reference() -> String {
    let all = rows(&schemars::schema_for!(Config).to_value());
    let mut out = String::new();
    let mut sections: Vec<(&Row, Vec<&Row>)> = Vec::new();
    for row in &all {
        match sections.last_mut().filter(|_| row.name.contains(['.', '['])) {
            Some((_, inside)) => inside.push(row),
            None => sections.push((row, Vec::new())),
        }
    }
    for (section, inside) in sections {
        let header = match section.ty.as_str() {
            list if list.starts_with("list") => format!("[[{}]]", section.name),
            by_name if by_name.ends_with("by name") => format!("[{}.NAME]", section.name),
            _ => format!("[{}]", section.name),
        };
        let _ = writeln!(out, "#### `{header}`\n\n{}\n", section.meaning);
        if inside.is_empty() {
            continue;
        }
        out.push_str("| Setting | Value | Default | Meaning |\n|---|---|---|---|\n");
        for row in inside {
            let name = row.name.strip_prefix(&section.name).unwrap_or(&row.name);
            let name = name.trim_start_matches("[]").trim_start_matches(".NAME").trim_start_matches('.');
            let default = if row.default.is_empty() || row.default == "required" {
                row.default.clone()
            } else {
                format!("`{}`", row.default)
            };
            let _ = writeln!(out, "| `{name}` | {} | {default} | {} |", cell(&row.ty), cell(&row.meaning));
        }
        out.push('\n');
    }
    out.push_str("#### Environment\n\n| Variable | Meaning |\n|---|---|\n");
    for (name, meaning) in VARIABLES {
        let _ = writeln!(out, "| `{name}` | {meaning} |");
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
