//! `chartgate plan`.

use super::admin::escape;
use super::paper::{moment, print, print_json, text};
use super::{Outcome, Running};
use clap::Args;
use serde_json::Value;
use std::fmt::Write;

#[derive(Debug, Args)]
pub struct Plan {
    /// The user's id.
    user: String,
    #[command(flatten)]
    gateway: Running,
}

impl Plan {
    pub fn run(self) -> Outcome {
        let plan = self.gateway.get(&format!("/plan/{}", escape(&self.user)))?;
        if self.gateway.json {
            return print_json(&plan);
        }
        print(&shown(&plan));
        Ok(true)
    }
}

fn shown(plan: &Value) -> String {
    let field = |of: &Value, name: &str| of.get(name).cloned().unwrap_or(Value::Null);
    let mut out = format!("user {}: access {}", text(&field(plan, "user")), text(&field(plan, "access")));
    if !field(plan, "nextChangeAt").is_null() {
        let _ = write!(out, ", changes by itself at {}", moment(&field(plan, "nextChangeAt")));
    }
    out.push('\n');
    let targets = field(plan, "targets");
    for target in targets.as_array().into_iter().flatten() {
        let of = |name: &str| text(&field(target, name));
        let _ = writeln!(out, "\n{} ({}, {}): {}", of("target"), of("kind"), of("state"), of("would"));
        if !field(target, "because").is_null() {
            let _ = writeln!(out, "  because  {}", of("because"));
        }
        let lists = [
            ("attributes", "writes"),
            ("give", "gives"),
            ("take", "takes"),
            ("shared", "shared, stays"),
            ("foreign", "foreign, stays"),
        ];
        for (name, title) in lists {
            let list = field(target, name);
            for item in list.as_array().into_iter().flatten() {
                let _ = writeln!(out, "  {title}  {}", text(item));
            }
        }
    }
    out
}
