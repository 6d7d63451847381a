//! `chartgate target record`: a call against a live target becomes a case.

use super::asked::{Asked, Found};
use crate::cli::paper::{complain, print};
use crate::cli::{Failure, Outcome};
use crate::kinds::Kinds;
use crate::target_file::{self, live::Live, live::Remembering, live::Sending};
use clap::Args;
use connector_cases::{Case, case_text, filled, without_persons, without_strangers};
use connector_spi::TargetSchema;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    asked: Asked,
    /// What is to be seen, as a sentence: the case's name.
    #[arg(long)]
    name: String,
    /// Write values as they are, personal ones too: for a test system whose people are invented. Secrets are left out always.
    #[arg(long)]
    keep_values: bool,
    /// Append the case to this file instead of printing it.
    #[arg(long, value_name = "FILE")]
    to: Option<String>,
}

impl Record {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        let found = self.asked.find(kinds)?;
        let runtime = super::runtime()?;
        let (case, problems) = runtime.block_on(self.recorded(&found, kinds))?;
        let text = case_text(&case);
        match &self.to {
            None => print(&text),
            Some(path) => {
                let mut file = OpenOptions::new().append(true).open(path).map_err(|error| cannot(path, &error))?;
                file.write_all(format!("\n{text}").as_bytes()).map_err(|error| cannot(path, &error))?;
                print(&format!("{path}: one case more, {:?}\n", case.name));
            }
        }
        for problem in &problems {
            complain(&format!("the case does not pass as it is written: {problem}"));
        }
        Ok(problems.is_empty())
    }

    /// The case, and what is wrong with it where it does not pass.
    async fn recorded(&self, found: &Found, kinds: &Kinds) -> Result<(Case, Vec<String>), Failure> {
        let (Some(kind), Some(stand)) = (kinds.named(&found.kind), target_file::stand(&found.kind)) else {
            return Err(Failure(format!("targets of kind {} have no cases", found.kind)));
        };
        let (setup, prefixes) = (&found.suite.test_setup, target_file::prefixes(&found.settings));
        if found.kind == "sql" {
            // What a hospital's database holds is nobody's to copy: the case is filled from the one that the file makes itself.
            let case = found.case.clone().unwrap_or_else(|| self.empty(found));
            let case = Case { name: self.name.clone(), ..case };
            let case =
                filled(&case, setup, &found.settings, kind.as_ref(), &stand, &prefixes).await.map_err(Failure)?;
            return Ok((case, Vec::new()));
        }
        if !found.left_open.is_empty() {
            let open = found.left_open.iter().map(|pointer| pointer.trim_start_matches('/').replace('/', "."));
            let open = open.collect::<Vec<_>>().join(", ");
            return Err(Failure(format!(
                "the file leaves {open} to the deployment\n  hint: name a target of a configuration"
            )));
        }
        let host = Remembering::new(Arc::clone(&found.host));
        let live =
            Live::open(&found.kind, &found.settings, kinds, host.clone(), Sending::All).await.map_err(Failure)?;
        let case = live.record(&self.name, found.call.clone(), found.cx.clone()).await;
        let mut case = host.redacted(&case);
        let standing = |path: &str| setup.standing.iter().any(|known| known.request.path == path);
        case.exchange.retain(|one| !standing(&one.request.path));
        let verdict = async |case: &Case| {
            connector_cases::run(case, setup, &found.settings, kind.as_ref(), &stand, &prefixes).await.problems
        };
        if self.keep_values {
            let problems = verdict(&case).await;
            return Ok((case, problems));
        }
        let schema = live.schema().await.map_err(|error| Failure(format!("what is personal is not known: {error}")))?;
        let case = without_persons(&case, &personal(&schema, &case));
        // What a target tells beside what it was asked for goes too, unless the connector turns out to need it.
        let bare = without_strangers(&case, &found.known, &prefixes);
        let problems = verdict(&bare).await;
        if problems.is_empty() {
            return Ok((bare, problems));
        }
        complain("replies are written whole: without what was not asked for the case comes out otherwise. Read them.");
        let problems = verdict(&case).await;
        Ok((case, problems))
    }

    fn empty(&self, found: &Found) -> Case {
        Case {
            name: self.name.clone(),
            settings: Map::new(),
            call: found.call.clone(),
            cx: found.cx.clone(),
            sql: None,
            exchange: Vec::new(),
            expect: connector_cases::expected(&Ok(Value::Null)),
            after: Vec::new(),
        }
    }
}

fn cannot(path: &str, error: &std::io::Error) -> Failure {
    Failure(format!("{path} cannot be written: {}", error.kind()))
}

/// The values of a case that are personal, by attribute: what the target's schema calls sensitive, in the call and in what
/// came of it.
fn personal(schema: &TargetSchema, case: &Case) -> BTreeMap<String, Vec<String>> {
    let of_kind = schema.kinds.values().flat_map(|kind| &kind.attrs);
    let names: BTreeSet<&str> = of_kind.filter(|(_, attr)| attr.sensitive).map(|(name, _)| name.as_str()).collect();
    let mut found = BTreeMap::new();
    for part in [json!(case.call), json!(case.expect)] {
        gather(&part, &names, &mut found);
    }
    found
}

fn gather(value: &Value, names: &BTreeSet<&str>, found: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if names.contains(name.as_str()) {
                    texts(value, found.entry(name.clone()).or_default());
                }
                gather(value, names, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, names, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        Value::Number(number) => found.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}
