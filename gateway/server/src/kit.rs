//! The conformance kit for everybody who connects a target: the checks of `connector-testkit` over a target's file, a plugin or
//! the address of a SCIM server, with something in between that does harm.
//!
//! Two files say all there is to say: the target as the gateway's configuration has it, and legal values of the target with, in
//! `[harness]`, where the address stands among the settings. A connector is pointed at a proxy of its protocol, which also
//! counts the writes that reach the target: whether a dry run wrote is seen there, not asked of the connector. Before a target over
//! TLS the proxy takes TLS off with a certificate made for the run, which the connector is told to trust, and puts it on again as
//! the target's settings say. Where nothing can be put in between (a file, StartTLS, TLS within a database's protocol), the checks
//! of faults are untested, with the reason. A check that this kind of connector must pass and that was not tried spoils the
//! verdict, unless `[harness] left_out` names it with a reason.

mod address;
mod between;
mod file;
mod judged;
mod junit;
mod plugin;
mod simulator;
mod tls;

pub use file::{Case, Harness, case, scim};
pub use judged::Judged;
pub use junit::junit;

use crate::kinds::Kinds;
use crate::secrets;
use connector_spi::SecretRef;
use connector_testkit::{Subject, run_only};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs the checks whose name begins with one of `only`, or all where that is empty. The target is a test system: the kit writes
/// to it, and what the target cannot delete stays there.
///
/// # Errors
/// Why the checks cannot begin: a secret or a simulator that cannot be had, an address that is none.
pub async fn run(case: Case, kinds: &Kinds, only: &[String]) -> Result<Judged, String> {
    let Case { kind, mut settings, fixture, harness } = case;
    let erased = kinds.named(&kind).ok_or_else(|| format!("there is no kind of connector {kind:?}"))?;
    let mut known = harness.secrets.clone();
    let simulator = match &harness.simulator {
        Some(name) => {
            let simulator = simulator::start(name).await?;
            let pointer = harness.address.as_deref().unwrap_or("/http/url");
            address::point(&mut settings, pointer, json!(simulator.address))?;
            known.extend(simulator.secrets.clone());
            Some(simulator)
        }
        None => None,
    };
    read_secrets(&settings, &mut known)?;
    let demands = judged::demands(&kind, &settings);
    let mut subject = Subject::new(Arc::clone(erased), settings, fixture);
    subject.secrets = known;
    if let Some(pointer) = &harness.address {
        let mut nowhere = subject.config.clone();
        if address::nowhere(&mut nowhere, pointer).is_ok() {
            subject.wrong_host = Some(nowhere);
        }
        match between::put(&kind, &subject.config, pointer, &harness.reads, &subject.secrets).await? {
            Ok(between) => {
                subject.config = between.settings;
                subject.faults = Some(between.faults);
                subject.probe = between.probe;
            }
            Err(why) => subject.no_faults = Some(why),
        }
    }
    if kind == "plugin" {
        subject = plugin::itself(subject, harness.address.as_deref()).await?;
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|begin| name.starts_with(begin.as_str()));
    let report = run_only(&subject, wanted).await;
    drop(simulator);
    Ok(Judged::new(report, demands, &harness.left_out))
}

/// Reads every secret that the settings refer to and that `known` does not give.
fn read_secrets(settings: &Value, known: &mut BTreeMap<String, String>) -> Result<(), String> {
    let mut found = Vec::new();
    references(settings, &mut found);
    for reference in found {
        let (SecretRef::Env(name) | SecretRef::File(name)) = &reference;
        if !known.contains_key(name) {
            let secret = secrets::read(&reference)
                .map_err(|why| format!("{why}; give it there, or a value for tests in [harness] secrets"))?;
            known.insert(name.clone(), secret.expose().to_owned());
        }
    }
    Ok(())
}

/// Every `{ env = "…" }` and `{ file = "…" }`.
fn references(settings: &Value, found: &mut Vec<SecretRef>) {
    match settings {
        Value::Object(members) => match serde_json::from_value::<SecretRef>(settings.clone()) {
            Ok(reference) if members.len() == 1 => found.push(reference),
            _ => members.values().for_each(|value| references(value, found)),
        },
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
