//! `chartgate token`: over the running gateway, or, when none runs, on the store itself, which is then ours alone.

use super::admin::{Trouble, escape, operator, query};
use super::paper::{columns, moment, print, print_json, text};
use super::{Failure, Outcome, Running, place};
use crate::kinds::Kinds;
use crate::wire;
use clap::{Args, Subcommand};
use connector_layers::Metrics;
use gateway_domain::Clock;
use gateway_engine::{Engine, Error};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::future::Future;

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token for a source and show it: the only time that it is shown. A source has two at most.
    Create(Create),
    /// What is known of tokens; not the tokens themselves.
    List(List),
    /// Take a token out of use at once.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// The source's name.
    source: String,
    /// When it ends: after so many days or hours (`90d`, `12h`), or at a moment (`2027-01-31T00:00:00Z`). Never, where it is
    /// not given.
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    #[command(flatten)]
    gateway: Running,
}

#[derive(Debug, Args)]
pub struct List {
    /// The source's name; all where it is not given.
    source: Option<String>,
    #[command(flatten)]
    gateway: Running,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The token's id: the part between `cg_` and the dot.
    id: String,
    #[command(flatten)]
    gateway: Running,
}

impl Token {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        match self {
            Token::Create(command) => command.run(kinds),
            Token::List(command) => command.run(kinds),
            Token::Revoke(command) => command.run(kinds),
        }
    }
}

impl Create {
    fn run(self, kinds: &Kinds) -> Outcome {
        let expires =
            self.expires.as_deref().map(|text| moment_of(text, crate::clock::SystemClock.now())).transpose()?;
        let order = json!({ "source": self.source, "expires": expires });
        let made = match self.gateway.post("/tokens", &order) {
            Err(Trouble::NotRunning(_)) => {
                let source = self.source.clone();
                offline(&self.gateway, kinds, async move |engine| {
                    let token = engine.create_token(&source, expires, &operator()).await?;
                    Ok(json!({ "source": source, "token": token, "expires": expires }))
                })?
            }
            made => made?,
        };
        if self.gateway.json {
            return print_json(&made);
        }
        print(&format!("{}\n", text(made.get("token").unwrap_or(&Value::Null))));
        Ok(true)
    }
}

impl List {
    fn run(self, kinds: &Kinds) -> Outcome {
        let listed = match self.gateway.get(&format!("/tokens{}", query(&[("source", self.source.clone())]))) {
            Err(Trouble::NotRunning(_)) => {
                let source = self.source.clone();
                offline(&self.gateway, kinds, async move |engine| {
                    let policy = engine.policy();
                    let all = policy.sources.iter().map(|source| source.name.clone()).collect();
                    let mut listed = Vec::new();
                    for name in source.map_or(all, |name| vec![name]) {
                        for token in engine.tokens(&name).await? {
                            let (id, created, expires) = (token.id, token.created, token.expires);
                            listed.push(json!({ "id": id, "source": name, "created": created, "expires": expires }));
                        }
                    }
                    Ok(Value::Array(listed))
                })?
            }
            listed => listed?,
        };
        if self.gateway.json {
            return print_json(&listed);
        }
        let tokens = listed.as_array().map(Vec::as_slice).unwrap_or_default();
        if tokens.is_empty() {
            print("no tokens\n");
            return Ok(true);
        }
        let row = |token: &Value| {
            let field = |name: &str| token.get(name).unwrap_or(&Value::Null).clone();
            [text(&field("id")), text(&field("source")), moment(&field("created")), moment(&field("expires"))]
        };
        print(&columns(["TOKEN", "SOURCE", "CREATED", "EXPIRES"], tokens.iter().map(row)));
        Ok(true)
    }
}

impl Revoke {
    fn run(self, kinds: &Kinds) -> Outcome {
        match self.gateway.delete(&format!("/tokens/{}", escape(&self.id))) {
            Err(Trouble::NotRunning(_)) => {
                let id = self.id.clone();
                offline(&self.gateway, kinds, async move |engine| {
                    engine.revoke_token(&id, &operator()).await?;
                    Ok(Value::Null)
                })?;
            }
            done => drop(done?),
        }
        if self.gateway.json {
            return print_json(&json!({ "revoked": self.id }));
        }
        print(&format!("token {} is out of use\n", self.id));
        Ok(true)
    }
}

/// Does something with the store while no gateway runs. The store's lock keeps one from starting meanwhile.
fn offline<F, Fut>(gateway: &Running, kinds: &Kinds, work: F) -> Result<Value, Failure>
where
    F: FnOnce(Engine) -> Fut,
    Fut: Future<Output = Result<Value, Error>>,
{
    let found = gateway.file.enter()?;
    let reading = found.load(kinds);
    let Some(mut loaded) = reading.loaded else {
        return Err(Failure(format!("{} cannot be used:\n{}", found.shown(), place::list(&reading.problems))));
    };
    // No target is asked anything.
    loaded.targets.clear();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = wire::open(loaded, kinds, &Metrics::default()).await?;
        work(engine).await.map_err(|error| Failure(said(&error)))
    })
}

fn said(error: &Error) -> String {
    match error {
        Error::Scim(error) => error.detail.clone(),
        Error::Unknown(what) => format!("there is no {what}"),
        Error::Busy(_) | Error::Unavailable => "the store is not available".to_owned(),
        Error::Internal(why) => (*why).to_owned(),
        Error::Target(why) => why.clone(),
    }
}

fn moment_of(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong =
        || Failure(format!("{text:?} is neither a time such as 90d or 12h nor a moment such as 2027-01-31T00:00:00Z"));
    let hours = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => days.parse::<u32>().ok().map(|days| i64::from(days) * 24),
        (_, Some(hours)) => hours.parse::<u32>().ok().map(i64::from),
        (None, None) => None,
    };
    let moment = match hours {
        Some(hours) => now.checked_add(SignedDuration::from_hours(hours)).map_err(|_| wrong())?,
        None => text.parse().map_err(|_| wrong())?,
    };
    if moment <= now {
        return Err(Failure(format!("{text:?} has passed already")));
    }
    Ok(moment)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::moment_of;

    #[test]
    fn the_end_of_a_token_is_read() {
        let now = "2026-07-01T00:00:00Z".parse().unwrap();

        assert_eq!(moment_of("90d", now).unwrap().to_string(), "2026-09-29T00:00:00Z");
        assert_eq!(moment_of("12h", now).unwrap().to_string(), "2026-07-01T12:00:00Z");
        assert_eq!(moment_of("2027-01-31T00:00:00Z", now).unwrap().to_string(), "2027-01-31T00:00:00Z");
        for wrong in ["", "d", "0d", "-3d", "soon", "2020-01-01T00:00:00Z", "4294967295d"] {
            assert!(moment_of(wrong, now).is_err(), "{wrong}");
        }
    }
}
