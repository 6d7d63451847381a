//! `chartgate target trace`: one call, request by request.

use super::asked::{Asked, Found};
use crate::cli::paper::{self, Tone, print, print_json};
use crate::cli::{Failure, Outcome};
use crate::kinds::Kinds;
use crate::target_file::{self, live::Live, live::Remembering, live::Sending};
use clap::Args;
use connector_cases::{Answer, Case, Exchange, JsonText, QueryValue, Replay, expected};
use serde_json::{Map, json};
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Trace {
    #[command(flatten)]
    asked: Asked,
    /// Really write. Without it the call ends at the first request that would change something, which is shown and not sent.
    #[arg(long)]
    send: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was seen of a call.
struct Seen {
    /// What was asked and said, in order.
    exchanges: Vec<Exchange>,
    /// The last request was shown and not sent.
    withheld: bool,
    answer: Answer,
}

impl Trace {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        let found = self.asked.find(kinds)?;
        let host = Remembering::new(Arc::clone(&found.host));
        if !over_http(&found.kind) {
            return super::runtime()?.block_on(self.step_by_step(&found, kinds, &host));
        }
        let seen = super::runtime()?.block_on(self.seen(&found, kinds, &host))?;
        // What is shown is what would be recorded, secrets taken out.
        let case = host.redacted(&Case {
            name: String::new(),
            settings: Map::new(),
            call: found.call.clone(),
            cx: found.cx.clone(),
            sql: None,
            exchange: seen.exchanges,
            expect: expected(&seen.answer),
            after: Vec::new(),
        });
        let outcome = match &seen.answer {
            _ if seen.withheld => None,
            Ok(result) => Some(json!({ "result": result })),
            Err(error) => Some(json!({ "error": error })),
        };
        if self.json {
            print_json(&json!({ "exchanges": case.exchange, "withheld": seen.withheld, "outcome": outcome }))?;
            return Ok(seen.withheld || seen.answer.is_ok());
        }
        let last = case.exchange.len();
        for (place, exchange) in case.exchange.iter().enumerate() {
            print(&shown(place + 1, exchange, seen.withheld && place + 1 == last));
        }
        match (&seen.answer, seen.withheld) {
            (_, true) => {
                print(&format!(
                    "{}\n",
                    paper::tone(Tone::Aside, "ends here: the last request would change the target (--send sends it)")
                ));
            }
            (Ok(result), false) => print(&format!("{}\n{result:#}\n", paper::tone(Tone::Good, "result"))),
            (Err(error), false) => print(&format!("{}\n", paper::tone(Tone::Bad, &format!("error {error}")))),
        }
        Ok(seen.withheld || seen.answer.is_ok())
    }

    /// A call of a database, a directory or a plugin: the steps as the connector tells them, in a dry run unless it may write.
    async fn step_by_step(&self, found: &Found, kinds: &Kinds, host: &Arc<Remembering>) -> Outcome {
        if !found.left_open.is_empty() {
            return Err(left_open(found));
        }
        let mut cx = found.cx.clone();
        cx.dry_run = found.call.op().writes() && !self.send;
        let live =
            Live::open(&found.kind, &found.settings, kinds, host.clone(), Sending::All).await.map_err(Failure)?;
        let (answer, _) = live.call(&found.call, &cx).await;
        let steps = host.told();
        if self.json {
            let outcome = match &answer {
                Ok(result) => json!({ "result": result }),
                Err(error) => json!({ "error": error }),
            };
            print_json(&json!({ "steps": steps, "withheld": cx.dry_run, "outcome": outcome }))?;
            return Ok(answer.is_ok());
        }
        for (place, step) in steps.iter().enumerate() {
            print(&format!("{}\n", paper::tone(Tone::Good, &format!("{}. {}", place + 1, step.message))));
            for (name, value) in &step.fields {
                print(&format!("     {name}: {value}\n"));
                for label in value.split(' ').filter(|_| name == "statements") {
                    print(&statement(&found.settings, label));
                }
            }
        }
        match &answer {
            Ok(result) => print(&format!("{}\n{result:#}\n", paper::tone(Tone::Good, "result"))),
            Err(error) => print(&format!("{}\n", paper::tone(Tone::Bad, &format!("error {error}")))),
        }
        if cx.dry_run {
            print(&format!(
                "{}\n",
                paper::tone(Tone::Aside, "a dry run: the target was not changed (--send changes it)")
            ));
        }
        Ok(answer.is_ok())
    }

    async fn seen(&self, found: &Found, kinds: &Kinds, host: &Arc<Remembering>) -> Result<Seen, Failure> {
        if !found.left_open.is_empty() {
            return offline(found, kinds, host).await;
        }
        let open = async |sending| {
            let host: Arc<dyn connector_spi::Host> = host.clone();
            Live::open(&found.kind, &found.settings, kinds, host, sending).await.map_err(Failure)
        };
        if self.send || !found.call.op().writes() {
            let live = open(Sending::All).await?;
            let (answer, recordings) = live.call(&found.call, &found.cx).await;
            return Ok(Seen { exchanges: live.exchanges(&found.call, &recordings), withheld: false, answer });
        }
        // First as a dry run, in which a connector sends nothing that writes: what it asks then may be asked again. In a second,
        // real run everything else is held back.
        let mut dry = found.cx.clone();
        dry.dry_run = true;
        let live = open(Sending::All).await?;
        let (answer, recordings) = live.call(&found.call, &dry).await;
        let reads = live.exchanges(&found.call, &recordings);
        if answer.is_err() {
            return Ok(Seen { exchanges: reads, withheld: false, answer });
        }
        let live = open(Sending::Only(reads)).await?;
        let (answer, recordings) = live.call(&found.call, &found.cx).await;
        let withheld = recordings.last().is_some_and(|last| last.answer.is_none() && last.error.is_none());
        Ok(Seen { exchanges: live.exchanges(&found.call, &recordings), withheld, answer })
    }
}

/// Whether the kind's exchanges are those of HTTP.
fn over_http(kind: &str) -> bool {
    kind != "sql" && target_file::stand(kind).is_some()
}

fn left_open(found: &Found) -> Failure {
    let open = found.left_open.iter().map(|pointer| pointer.trim_start_matches('/').replace('/', "."));
    let open = open.collect::<Vec<_>>().join(", ");
    let hint = if over_http(&found.kind) { ", or one of the file's cases by --case" } else { "" };
    Failure(format!("the file leaves {open} to the deployment\n  hint: name a target of a configuration{hint}"))
}

/// The text of a statement that a step names by its kind and its place there.
fn statement(settings: &serde_json::Value, label: &str) -> String {
    let text = label.split_once('.').and_then(|(kind, place)| {
        let place = settings.pointer(&format!("/kinds/{kind}/{}", place.replace('.', "/")))?;
        let engine = settings.pointer("/database/engine").and_then(serde_json::Value::as_str).unwrap_or_default();
        place.as_str().or_else(|| place.get(engine).or_else(|| place.get("any"))?.as_str())
    });
    text.into_iter().flat_map(str::lines).map(|line| format!("       {}\n", line.trim())).collect()
}

/// A file without an address is traced on what its case recorded.
async fn offline(found: &Found, kinds: &Kinds, host: &Arc<Remembering>) -> Result<Seen, Failure> {
    let Some(case) = &found.case else { return Err(left_open(found)) };
    let doors = target_file::doors(&found.kind, &found.settings);
    let prefixes = target_file::prefixes(&found.settings);
    let replay = Replay::start(&doors, &case.exchange, &found.suite.test_setup.standing, &prefixes).await?;
    let settings = target_file::live::at(&found.kind, &found.settings, replay.addresses());
    let host: Arc<dyn connector_spi::Host> = host.clone();
    let live = Live::open(&found.kind, &settings, kinds, host, Sending::All).await.map_err(Failure)?;
    let (answer, recordings) = live.call(&found.call, &found.cx).await;
    Ok(Seen { exchanges: live.exchanges(&found.call, &recordings), withheld: false, answer })
}

/// An exchange as it went over the wire, without what belongs to the connection.
fn shown(number: usize, exchange: &Exchange, withheld: bool) -> String {
    let Exchange { request, reply } = exchange;
    let mut query = Vec::new();
    for (name, value) in &request.query {
        match value {
            QueryValue::One(one) => query.push(format!("{name}={one}")),
            QueryValue::Many(many) => query.extend(many.iter().map(|one| format!("{name}={one}"))),
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("  ({})", query.join(", ")) };
    let door = request.door.as_ref().map(|door| format!(" at {door}")).unwrap_or_default();
    let head = paper::tone(Tone::Good, &format!("{number}. {} {}{query}{door}", request.method, request.path));
    let mut out = format!("{head}\n");
    out.push_str(&message(&request.headers, &request.json, &request.xml, &request.text));
    if reply.lost {
        let word = if withheld { "not sent" } else { "no answer" };
        out.push_str(&format!("{}\n\n", paper::tone(Tone::Bad, &format!("   {word}"))));
        return out;
    }
    out.push_str(&format!("   {}\n", paper::tone(Tone::Aside, &format!("answer {}", reply.status))));
    out.push_str(&message(&reply.headers, &reply.json, &reply.xml, &reply.text));
    out.push('\n');
    out
}

fn message(
    headers: &std::collections::BTreeMap<String, String>,
    json: &Option<JsonText>,
    xml: &Option<String>,
    text: &Option<String>,
) -> String {
    let fields = headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let json = json.as_ref().map(|json| format!("{:#}", json.value()));
    let bodies = [json, xml.clone(), text.clone()].into_iter().flatten();
    let lines = fields.chain(bodies.flat_map(|body| body.lines().map(str::to_owned).collect::<Vec<_>>()));
    lines.map(|line| format!("     {line}\n")).collect()
}
