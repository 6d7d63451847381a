//! `chartgate links`.

use super::admin::query;
use super::paper::{columns, moment, print, print_json, text};
use super::{Outcome, Running};
use clap::Args;
use serde_json::Value;
use std::fmt::Write;

#[derive(Debug, Args)]
pub struct Links {
    /// Only those of this target.
    #[arg(long)]
    target: Option<String>,
    /// Only those of the resource with this id.
    #[arg(long)]
    resource: Option<String>,
    /// Only those in this state: unlinked, linked, parked, disputed, detached or tombstone; `due` for all that wait.
    #[arg(long)]
    state: Option<String>,
    /// Only those behind this number, which is the last one of the page before.
    #[arg(long)]
    after: Option<u64>,
    /// At most so many; 1,000 where it is not given.
    #[arg(long)]
    limit: Option<u32>,
    #[command(flatten)]
    gateway: Running,
}

impl Links {
    pub fn run(self) -> Outcome {
        let query = query(&[
            ("target", self.target),
            ("resource", self.resource),
            ("state", self.state),
            ("after", self.after.map(|after| after.to_string())),
            ("limit", self.limit.map(|limit| limit.to_string())),
        ]);
        let links = self.gateway.get(&format!("/links{query}"))?;
        if self.gateway.json {
            return print_json(&links);
        }
        let links = links.as_array().map(Vec::as_slice).unwrap_or_default();
        if links.is_empty() {
            print("no links\n");
            return Ok(true);
        }
        let heads =
            ["LINK", "RESOURCE", "TARGET", "KIND", "STATE", "LANE", "DUE", "ATTEMPT", "NATIVE ID", "LAST ERROR"];
        print(&columns(heads, links.iter().map(row)));
        print(&links.iter().map(details).collect::<String>());
        Ok(true)
    }
}

/// What stands in no column: what the target remarked on the last write, the ticket of work that it has taken on, and, where one person was asked for, what the account
/// holds and by whose doing.
fn details(link: &Value) -> String {
    let mut out = String::new();
    let list = |path: &str| link.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for warning in list("/warnings") {
        let _ = writeln!(out, "  warning  {}", text(warning));
    }
    if let Some(ticket) = link.get("ticket") {
        let _ = writeln!(out, "  ticket   {}, taken on by the target", text(ticket));
    }
    for how in ["owned", "shared", "foreign"] {
        for one in list(&format!("/entitlements/{how}")) {
            let because = one.get("because").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let because: Vec<String> = because.iter().map(text).collect();
            let because =
                if because.is_empty() { String::new() } else { format!(", because of {}", because.join(", ")) };
            let _ = writeln!(out, "  {how:<8} {}{because}", text(one.get("id").unwrap_or(&Value::Null)));
        }
    }
    if out.is_empty() {
        return out;
    }
    let field = |path: &str| text(link.pointer(path).unwrap_or(&Value::Null));
    format!("\nlink {} ({}, {})\n{out}", field("/id"), field("/key/target"), field("/key/kind"))
}

fn row(link: &Value) -> [String; 10] {
    let field = |path: &str| link.pointer(path).unwrap_or(&Value::Null);
    let state = match field("/because") {
        Value::Null => text(field("/state")),
        why => format!("{} ({})", text(field("/state")), text(why)),
    };
    let state = match field("/waitsFor") {
        Value::Null => state,
        kind => format!("{state}, waits for {}", text(kind)),
    };
    let error = match (field("/lastError/class"), field("/lastError/message")) {
        (Value::Null, _) => "-".to_owned(),
        (class, message) => format!("{}: {}", text(class), text(message)),
    };
    [
        text(field("/id")),
        text(field("/key/resource")),
        text(field("/key/target")),
        text(field("/key/kind")),
        state,
        text(field("/lane")),
        moment(field("/dueAt")),
        text(field("/attempt")),
        text(field("/nativeId")),
        error,
    ]
}
