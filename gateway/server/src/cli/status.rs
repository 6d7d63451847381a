//! `chartgate status`.

use super::paper::{columns, count, moment, print, print_json, text};
use super::{Outcome, Running};
use clap::Args;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Status {
    /// How the sources' requests are, in place of how the targets stand: which sections of the interoperability profile they break,
    /// and which attributes were dropped because no schema knows them. Since the gateway started.
    #[arg(long)]
    sources: bool,
    #[command(flatten)]
    gateway: Running,
}

impl Status {
    pub fn run(self) -> Outcome {
        if self.sources {
            let sources = self.gateway.get("/sources")?;
            if self.gateway.json {
                return print_json(&sources);
            }
            print(&manners(&sources, true));
            return Ok(true);
        }
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
        print(&manners(&self.gateway.get("/sources")?, false));
        Ok(true)
    }
}

/// A line for each thing that a source does beside the profile; for those that keep it only where `all` are asked for.
fn manners(sources: &Value, all: bool) -> String {
    let mut out = String::new();
    for of in sources.as_array().into_iter().flatten() {
        let (source, dialect) = (text(&of["source"]), text(&of["dialect"]));
        let breaches = of["breaches"].as_array().map(Vec::as_slice).unwrap_or_default();
        for breach in breaches {
            let (section, what) = (text(&breach["section"]), text(&breach["what"]));
            out +=
                &format!("{source} ({dialect}): section {section}, {what}: {} requests\n", text(&breach["requests"]));
        }
        let ignored: Vec<String> =
            of["ignored"].as_object().into_iter().flatten().map(|(name, n)| format!("{name} ({n})")).collect();
        if !ignored.is_empty() {
            out += &format!("{source} ({dialect}): dropped {}\n", ignored.join(", "));
        }
        if all && breaches.is_empty() && ignored.is_empty() {
            out += &format!("{source} ({dialect}): nothing beside the interoperability profile\n");
        }
    }
    out
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
