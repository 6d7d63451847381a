//! `chartgate retry`.

use super::paper::{print, print_json};
use super::{Outcome, Running};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = true, args = ["target", "resource", "state"])]
pub struct Retry {
    /// Those of this target.
    #[arg(long)]
    target: Option<String>,
    /// Those of the resource with this id.
    #[arg(long)]
    resource: Option<String>,
    /// Those in this state, such as `parked`.
    #[arg(long)]
    state: Option<String>,
    #[command(flatten)]
    gateway: Running,
}

impl Retry {
    pub fn run(self) -> Outcome {
        let mut order = serde_json::Map::new();
        for (name, value) in [("target", self.target), ("resource", self.resource), ("state", self.state)] {
            if let Some(value) = value {
                order.insert(name.to_owned(), json!(value));
            }
        }
        let done = self.gateway.post("/retry", &Value::Object(order))?;
        if self.gateway.json {
            return print_json(&done);
        }
        let links = done.get("links").and_then(Value::as_u64).unwrap_or(0);
        print(&format!("{links} link{} due now\n", if links == 1 { "" } else { "s" }));
        Ok(true)
    }
}
