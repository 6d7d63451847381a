//! One case, from its settings to its verdict.

use crate::{Answer, Case, Expect, ExpectedError, Prefixes, Replay, Setup, carry_out, difference, of_results};
use async_trait::async_trait;
use connector_spi::{ConnError, ErasedType, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use serde::Serialize;
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Longest time that a call of a case may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What a case came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The case.
    pub name: String,
    /// The call.
    pub op: String,
    /// Everything was as it is written.
    pub passed: bool,
    /// What was not.
    pub problems: Vec<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// What a kind's settings say of where the target is, and how cases are put in its place.
#[async_trait]
pub trait Stand: Send + Sync {
    /// Names of the settings that hold an address over HTTP: `http`, `services.core`.
    fn doors(&self, settings: &Json) -> Vec<String>;
    /// Points these doors at other addresses, and takes credentials, trust and limits of rate out of the settings.
    fn aim(&self, settings: &mut Json, at: &BTreeMap<String, String>);
    /// A database of the case's own, made by these statements; `None` for a kind without one.
    async fn sandbox(&self, statements: &[&str]) -> std::result::Result<Option<Box<dyn Sandbox>>, String>;
}

/// A database of a case's own; it is gone when this is dropped.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Points the settings at it.
    fn aim(&self, settings: &mut Json);
    /// The rows of a query by column, at most a thousand; what is NULL is left out.
    async fn rows(&self, query: &str) -> std::result::Result<Vec<BTreeMap<String, Json>>, String>;
}

/// Runs a case. `settings` are the file's own, those of the setup included.
pub async fn run(
    case: &Case,
    setup: &Setup,
    settings: &Json,
    kind: &dyn ErasedType,
    stand: &dyn Stand,
    prefixes: &Prefixes,
) -> Verdict {
    let began = Instant::now();
    let problems = match judged(case, setup, settings, kind, stand, prefixes).await {
        Ok(problems) => problems,
        Err(problem) => vec![problem],
    };
    Verdict {
        name: case.name.clone(),
        op: case.call.op().to_string(),
        passed: problems.is_empty(),
        problems,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

async fn judged(
    case: &Case,
    setup: &Setup,
    settings: &Json,
    kind: &dyn ErasedType,
    stand: &dyn Stand,
    prefixes: &Prefixes,
) -> std::result::Result<Vec<String>, String> {
    let outcomes = [case.expect.result.is_some(), case.expect.nothing, case.expect.error.is_some()];
    if outcomes.iter().filter(|given| **given).count() != 1 {
        return Err("expect says exactly one of result, nothing and error".to_owned());
    }
    let came = came_of(case, setup, settings, kind, stand, prefixes).await?;
    // The first thing that went otherwise explains what follows from it.
    let mut problems = came.problems;
    problems.extend(of_results(&case.expect, &came.answer).iter().map(|difference| format!("result {difference}")));
    for (look, rows) in case.after.iter().zip(&came.rows) {
        let value = |rows: &Rows| serde_json::to_value(rows).unwrap_or_default();
        let found = difference::of_json(&value(&look.rows), &value(rows), difference::Strictness::Exact);
        problems.extend(found.iter().map(|difference| format!("{}: row {difference}", look.query.trim())));
    }
    Ok(problems)
}

/// The case with what really comes of it: for a database, whose answers stand nowhere but in itself.
///
/// # Errors
/// What is in the way of running it.
pub async fn filled(
    case: &Case,
    setup: &Setup,
    settings: &Json,
    kind: &dyn ErasedType,
    stand: &dyn Stand,
    prefixes: &Prefixes,
) -> std::result::Result<Case, String> {
    let came = came_of(case, setup, settings, kind, stand, prefixes).await?;
    if let Some(problem) = came.problems.into_iter().next() {
        return Err(problem);
    }
    let mut case = Case { expect: expected(&came.answer), ..case.clone() };
    for (look, rows) in case.after.iter_mut().zip(came.rows) {
        look.rows = rows;
    }
    Ok(case)
}

type Rows = Vec<BTreeMap<String, Json>>;

/// What came of a case.
struct Came {
    answer: Answer,
    problems: Vec<String>,
    /// Of each look into the tables.
    rows: Vec<Rows>,
}

async fn came_of(
    case: &Case,
    setup: &Setup,
    settings: &Json,
    kind: &dyn ErasedType,
    stand: &dyn Stand,
    prefixes: &Prefixes,
) -> std::result::Result<Came, String> {
    let mut settings = settings.clone();
    lay_over(&mut settings, &Json::Object(case.settings.clone()));
    let replay = Replay::start(&stand.doors(&settings), &case.exchange, &setup.standing, prefixes).await;
    let replay = replay.map_err(|error| format!("no port on the loopback: {error}"))?;
    stand.aim(&mut settings, replay.addresses());
    let statements: Vec<&str> = [&setup.sql, &case.sql].into_iter().filter_map(|sql| sql.as_deref()).collect();
    let sandbox = stand.sandbox(&statements).await?;
    match &sandbox {
        Some(sandbox) => sandbox.aim(&mut settings),
        None if !statements.is_empty() || !case.after.is_empty() => {
            return Err("statements are for kinds with a database".to_owned());
        }
        None => {}
    }
    let host: Arc<dyn Host> = Arc::new(QuietHost);
    let cx = case.cx.ctx(LIMIT, Arc::clone(&host));
    let opened = kind.open_json(settings, host).await;
    let connector = opened.map_err(|error| format!("the file does not open: {error}"))?;
    let answer = carry_out(connector.as_ref(), &cx, &case.call).await;
    let mut rows = Vec::new();
    if let Some(sandbox) = &sandbox {
        for look in &case.after {
            rows.push(sandbox.rows(&look.query).await?);
        }
    }
    Ok(Came { answer, problems: replay.problems(), rows })
}

/// What a call gave, as a case expects it: what is null, false or empty is left out, and words for an operator are.
#[must_use]
pub fn expected(answer: &Answer) -> Expect {
    match answer {
        Ok(Json::Null) => Expect { nothing: true, ..Expect::default() },
        Ok(result) => {
            let mut result = result.clone();
            prune(&mut result);
            Expect { result: Some(result), ..Expect::default() }
        }
        Err(error) => Expect {
            error: Some(ExpectedError {
                class: error.class,
                effect: (error.effect != error.class.default_effect()).then_some(error.effect),
                attribute: error.attribute.clone(),
                code: error.native_code.clone(),
                existing: error.existing.clone(),
                retry_after_ms: error.retry_after_ms,
            }),
            ..Expect::default()
        },
    }
}

fn prune(value: &mut Json) {
    match value {
        Json::Object(members) => {
            members.values_mut().for_each(prune);
            members.retain(|name, value| name != "message" && !difference::is_nothing(value));
        }
        Json::Array(items) => items.iter_mut().for_each(prune),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Lays one value over another: tables member by member, everything else whole.
fn lay_over(under: &mut Json, over: &Json) {
    match (under, over) {
        (Json::Object(under), Json::Object(over)) => {
            for (name, value) in over {
                lay_over(under.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// A gateway for cases: every secret is the same word, and nothing is logged.
#[derive(Debug, Clone, Copy)]
pub struct QuietHost;

#[async_trait]
impl Host for QuietHost {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        Ok(Secret::new("no-secret".to_owned()))
    }

    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(ConnError::config("a case has no network"))
    }

    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}
