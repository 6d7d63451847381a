//! `chartgate target`.

use super::admin::escape;
use super::paper::{self, Tone, columns, print, print_json, text};
use super::{Failure, Outcome, Running, proposals};
use crate::config::{nearest_hint, rows};
use crate::kinds::Kinds;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub enum Target {
    /// Ask a target whether it answers, what it consists of and what it cannot do.
    Test(Test),
    /// Every setting of a kind of connector; without a kind, the kinds and profiles that there are.
    Describe(Describe),
    /// The JSON Schema of a kind's settings.
    Schema(Schema),
}

#[derive(Debug, Args)]
pub struct Test {
    /// The target's name.
    name: String,
    #[command(flatten)]
    gateway: Running,
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
            Target::Test(command) => command.run(),
            Target::Describe(command) => command.run(kinds),
            Target::Schema(command) => print_json(&schema(kinds, &command.kind)?),
        }
    }
}

fn schema(kinds: &Kinds, name: &str) -> Result<Value, Failure> {
    kinds.named(name).map(|kind| kind.config_schema()).ok_or_else(|| {
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

impl Test {
    fn run(self) -> Outcome {
        let test = self.gateway.post(&format!("/targets/{}/test", escape(&self.name)), &json!({}))?;
        let ok = test.get("ok").and_then(Value::as_bool).unwrap_or(false);
        if self.gateway.json {
            print_json(&test)?;
            return Ok(ok);
        }
        let field = |name: &str| test.get(name).unwrap_or(&Value::Null);
        let verdict = if ok { paper::tone(Tone::Good, "answers") } else { paper::tone(Tone::Bad, "does not answer") };
        print(&format!("{} ({}): {verdict}\n", text(field("name")), text(field("kind"))));
        if let Some(error) = field("error").as_str() {
            print(&format!("  error    {error}\n"));
        }
        for (name, value) in field("says").as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            print(&format!("  {name}  {}\n", text(value)));
        }
        for (name, title) in [("kinds", "kind"), ("consequences", "note")] {
            for line in field(name).as_array().into_iter().flatten() {
                print(&format!("  {title}  {}\n", text(line)));
            }
        }
        print(&proposals::shown(&test));
        Ok(ok)
    }
}
