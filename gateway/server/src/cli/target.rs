//! `chartgate target`.

mod asked;
mod import;
mod record;
mod test;
mod trace;

use super::paper::{columns, print, print_json};
use super::{Failure, Outcome};
use crate::config::{nearest_hint, rows};
use crate::kinds::Kinds;
use crate::target_file;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub enum Target {
    /// Ask a target whether it answers, what it consists of and what it cannot do; or check a target's file and run its
    /// cases, without a gateway and without a network.
    Test(test::Test),
    /// Every setting of a kind of connector; without a kind, the kinds and profiles that there are.
    Describe(Describe),
    /// The JSON Schema of a kind's settings, and of a target's file with its cases.
    Schema(Schema),
    /// Carry one call out and show every request and every answer, secrets left out. Nothing is written unless it is told to.
    Trace(trace::Trace),
    /// Carry one call out against a live target and write it down as a case of the target's file, without secrets and with
    /// invented values in place of personal ones.
    Record(record::Record),
    /// Make a starting file from a target's WSDL or OpenAPI description.
    Import(import::Import),
}

#[derive(Debug, Args)]
pub struct Describe {
    /// The kind, such as `ldap`.
    kind: Option<String>,
    /// Print JSON: one object for each setting.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// The kind, such as `ldap`.
    kind: String,
}

impl Target {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        match self {
            Target::Test(command) => command.run(kinds),
            Target::Describe(command) => command.run(kinds),
            Target::Trace(command) => command.run(kinds),
            Target::Import(command) => command.run(kinds),
            Target::Record(command) => command.run(kinds),
            Target::Schema(command) => print_json(&schema(kinds, &command.kind)?),
        }
    }
}

fn schema(kinds: &Kinds, name: &str) -> Result<Value, Failure> {
    kinds.named(name).map(|kind| target_file::schema(kind.as_ref())).ok_or_else(|| {
        let hint = nearest_hint(name, kinds.names()).map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        Failure(format!("there is no kind of connector {name:?}{hint}"))
    })
}

impl Describe {
    fn run(self, kinds: &Kinds) -> Outcome {
        let Some(name) = self.kind else {
            if self.json {
                let profiles: Vec<Value> =
                    kinds.profiles().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
                return print_json(&json!({ "kinds": kinds.names().collect::<Vec<_>>(), "profiles": profiles }));
            }
            let each = kinds.names().map(|kind| {
                let profiles: Vec<&str> =
                    kinds.profiles().filter(|(_, of)| *of == kind).map(|(name, _)| name).collect();
                [kind.to_owned(), profiles.join(", ")]
            });
            print(&columns(["KIND", "PROFILES"], each));
            return Ok(true);
        };
        let schema = schema(kinds, &name)?;
        let rows = rows(&schema);
        if self.json {
            return print_json(&rows);
        }
        if let Some(about) = schema.get("description").and_then(Value::as_str) {
            print(&format!("{about}\n\n"));
        }
        let rows = rows.into_iter().map(|row| [row.name, row.ty, row.default, row.meaning]);
        print(&columns(["SETTING", "VALUE", "DEFAULT", "MEANING"], rows));
        Ok(true)
    }
}

/// What carries a command out that calls a connector in this process.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
    made.map_err(|error| Failure(format!("the system gives no runtime: {}", error.kind())))
}
