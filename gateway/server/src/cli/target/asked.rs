//! Which target is meant, and which call: what `trace` and `record` have in common.

use crate::cli::{ConfigFile, Failure};
use crate::clock::SystemClock;
use crate::config::LoadedTarget;
use crate::host::TargetHost;
use crate::kinds::Kinds;
use crate::target_file::{self, TargetFile};
use clap::Args;
use connector_cases::{Call, Case, Circumstances, Suite};
use connector_spi::Host;
use gateway_domain::Clock;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Asked {
    /// The name of a target in the configuration, or a target's file, whose name ends in .toml.
    target: String,
    #[command(flatten)]
    file: ConfigFile,
    /// For a file that does not say it: the kind of connector.
    #[arg(long)]
    kind: Option<String>,
    /// The call, as in a case, in TOML or JSON: { op = "get", kind = "account", id = "7" }.
    #[arg(long, value_name = "CALL", required_unless_present = "case")]
    call: Option<String>,
    /// The call of the file's case whose name holds this text.
    #[arg(long, value_name = "TEXT", conflicts_with = "call")]
    case: Option<String>,
    /// The call closes access for good.
    #[arg(long)]
    leaver: bool,
    /// The change's own id, the same for every attempt; a new one without it.
    #[arg(long, value_name = "ID")]
    op_id: Option<String>,
}

/// A target and a call.
pub struct Found {
    /// Its kind.
    pub kind: String,
    /// Its settings.
    pub settings: Value,
    /// The whole text that describes it, as far as it is known.
    pub known: String,
    /// The cases of its file.
    pub suite: Suite,
    /// The case that the call is from.
    pub case: Option<Case>,
    /// The call.
    pub call: Call,
    /// What comes with it.
    pub cx: Circumstances,
    /// What the file leaves to a deployment: it can be called only where that is nothing.
    pub left_open: Vec<String>,
    /// The gateway as its connector sees it.
    pub host: Arc<dyn Host>,
}

impl Asked {
    /// Finds both.
    pub fn find(&self, kinds: &Kinds) -> Result<Found, Failure> {
        let (TargetFile { kind, settings, suite }, left_open) = if self.target.ends_with(".toml") {
            self.of_file(kinds)?
        } else {
            (self.of_configuration(kinds)?, Vec::new())
        };
        let case = match &self.case {
            None => None,
            Some(text) => {
                let found = suite.test.iter().find(|case| case.name.contains(text)).cloned();
                Some(found.ok_or_else(|| Failure(format!("there is no case whose name holds {text:?}")))?)
            }
        };
        let (call, cx) = match (&self.call, &case) {
            (Some(text), _) => {
                let fresh = || format!("call-{}", SystemClock.now().as_microsecond());
                let op_id = self.op_id.clone().unwrap_or_else(fresh);
                let cx = Circumstances { op_id, leaver: self.leaver, ..Circumstances::default() };
                (call(text)?, cx)
            }
            (None, Some(case)) => (case.call.clone(), case.cx.clone()),
            (None, None) => return Err(Failure("name a call by --call or --case".to_owned())),
        };
        let host = Arc::new(TargetHost::new(&self.target, None));
        Ok(Found { known: settings.to_string(), kind, settings, suite, case, call, cx, left_open, host })
    }

    fn of_file(&self, kinds: &Kinds) -> Result<(TargetFile, Vec<String>), Failure> {
        let reading = target_file::load(&self.target, self.kind.as_deref(), kinds);
        let file =
            reading.file.ok_or_else(|| Failure(crate::cli::place::list(&reading.problems).trim_end().to_owned()))?;
        Ok((file, reading.left_open))
    }

    fn of_configuration(&self, kinds: &Kinds) -> Result<TargetFile, Failure> {
        let reading = self.file.enter()?.load(kinds);
        let loaded = reading.loaded.ok_or_else(|| {
            Failure(format!("{}the configuration is not sound", crate::cli::place::list(&reading.problems)))
        })?;
        let names: Vec<String> = loaded.targets.iter().map(|target| target.name.clone()).collect();
        let found = loaded.targets.into_iter().find(|target| target.name == self.target);
        let LoadedTarget { kind, settings, .. } = found.ok_or_else(|| {
            let hint = crate::config::nearest_hint(&self.target, names.iter().map(String::as_str));
            let hint = hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            Failure(format!("the configuration has no target {:?}{hint}", self.target))
        })?;
        Ok(TargetFile { kind, settings, suite: Suite::default() })
    }
}

/// A call as people write it.
fn call(text: &str) -> Result<Call, Failure> {
    #[derive(Deserialize)]
    struct Holder {
        call: Call,
    }
    if let Ok(call) = serde_json::from_str(text) {
        return Ok(call);
    }
    match toml::from_str::<Holder>(&format!("call = {text}")) {
        Ok(holder) => Ok(holder.call),
        Err(error) => Err(Failure(format!("the call is none: {}", error.message()))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_in_toml_and_in_json() {
        for text in [r#"{ op = "get", kind = "account", id = "7" }"#, r#"{"op": "get", "kind": "account", "id": "7"}"#]
        {
            assert!(matches!(call(text).unwrap(), Call::Get { .. }), "{text}");
        }
        assert!(call("{ op = 'gett' }").unwrap_err().0.contains("the call is none"));
    }
}
