//! `chartgate status`.

use super::paper::{columns, count, moment, print, print_json, text};
use super::{Outcome, Running};
use clap::Args;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    gateway: Running,
}

impl Status {
    pub fn run(self) -> Outcome {
        let status = self.gateway.get("/status")?;
        if self.gateway.json {
            return print_json(&status);
        }
        let targets = status.as_array().map(Vec::as_slice).unwrap_or_default();
        if targets.is_empty() {
            print("no targets\n");
            return Ok(true);
        }
        let heads = [
            "TARGET",
            "KIND",
            "LINKED",
            "DUE",
            "PENDING SINCE",
            "PARKED",
            "DISPUTED",
            "UNVERIFIED",
            "BREAKER",
            "LAST SUCCESS",
        ];
        print(&columns(heads, targets.iter().map(row)));
        for target in targets {
            if let Some(error) = target.get("error").and_then(Value::as_str) {
                print(&format!("{}: {error}\n", text(target.get("name").unwrap_or(&Value::Null))));
            }
        }
        Ok(true)
    }
}

fn row(of: &Value) -> [String; 10] {
    let field = |name: &str| of.get(name).unwrap_or(&Value::Null);
    let parked = field("parked").as_object().into_iter().flatten();
    let parked: Vec<String> = parked.map(|(cause, links)| format!("{links} {cause}")).collect();
    let breaker = match field("because").as_str() {
        Some(class) => format!("{} ({class})", text(field("breaker"))),
        None => text(field("breaker")),
    };
    [
        text(field("name")),
        text(field("kind")),
        text(field("linked")),
        count(field("due")),
        moment(field("pendingSince")),
        if parked.is_empty() { "-".to_owned() } else { parked.join(", ") },
        count(field("disputed")),
        count(field("unverified")),
        breaker,
        moment(field("lastSuccess")),
    ]
}
