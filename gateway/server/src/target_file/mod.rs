//! A target's file as its author sees it: read, checked, and tested by the cases in it.
//!
//! The same file is laid under a `[target]` of a configuration (`file`, or built in as `profile`); there its cases are left
//! out. Here it stands alone. What only a deployment knows (address, credentials, database) may be missing: it is what
//! differs between two hospitals that have the same system. Everything else is held to the same schema and the same checks
//! that the gateway starts with.

pub mod import;
pub mod live;
mod schema;
mod stand;

pub use schema::schema;
pub use stand::{aim, doors, is_deployment, stand};

use crate::config::shape::{self, Findings};
use crate::config::tree::{Node, What};
use crate::config::{Problem, files, nearest_hint};
use crate::kinds::Kinds;
use connector_cases::{Case, Prefixes, Suite, Verdict};
use connector_spi::ConfigIssue;
use serde_json::{Map, Value, json};

/// The version of the connector contract that files are read in.
const SPI: &str = "1";
/// Parts of the file that are no settings.
pub const APART: [&str; 3] = ["kind", "test", "test_setup"];

/// What reading a target's file gave.
#[derive(Debug)]
pub struct Reading {
    /// What is wrong, in order of the file.
    pub problems: Vec<Problem>,
    /// What works and is dangerous.
    pub warnings: Vec<Problem>,
    /// What the file leaves to the deployment, as pointers.
    pub left_open: Vec<String>,
    /// The file, where nothing is wrong with it.
    pub file: Option<TargetFile>,
}

/// A target's file that is sound.
#[derive(Debug)]
pub struct TargetFile {
    /// Its kind.
    pub kind: String,
    /// Its settings, with those that its cases need.
    pub settings: Value,
    /// Its cases.
    pub suite: Suite,
}

/// Reads and checks a file from the disk. `kind` is what the file itself need not say.
#[must_use]
pub fn load(path: &str, kind: Option<&str>, kinds: &Kinds) -> Reading {
    match files::text(path) {
        Ok(text) => read(path, text, kind, kinds),
        Err(message) => Reading::of_problems(vec![Problem::of_file(path, 1, message)]),
    }
}

/// As [`load`], for a text. `name` is what problems call it.
#[must_use]
pub fn read(name: &str, text: String, kind: Option<&str>, kinds: &Kinds) -> Reading {
    let (root, problems) = Node::parse(name, text);
    if !problems.is_empty() {
        return Reading::of_problems(problems);
    }
    let mut lint = Lint { root, problems, warnings: Vec::new(), left_open: Vec::new() };
    let file = lint.file(kind, kinds);
    let Lint { mut problems, warnings, left_open, .. } = lint;
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.dedup();
    let file = file.filter(|_| problems.is_empty());
    Reading { problems, warnings, left_open, file }
}

impl Reading {
    fn of_problems(problems: Vec<Problem>) -> Self {
        Self { problems, warnings: Vec::new(), left_open: Vec::new(), file: None }
    }
}

impl TargetFile {
    /// The prefixes of its namespaces, for cases in XML.
    #[must_use]
    pub fn prefixes(&self) -> Prefixes {
        prefixes(&self.settings)
    }

    /// Runs a case.
    pub async fn run(&self, case: &Case, kinds: &Kinds) -> Verdict {
        let failed = |problem: &str| Verdict {
            name: case.name.clone(),
            op: case.call.op().to_string(),
            passed: false,
            problems: vec![problem.to_owned()],
            milliseconds: 0,
        };
        let (Some(kind), Some(stand)) = (kinds.named(&self.kind), stand(&self.kind)) else {
            return failed("targets of this kind have no cases");
        };
        connector_cases::run(case, &self.suite.test_setup, &self.settings, kind.as_ref(), &stand, &self.prefixes())
            .await
    }
}

/// The prefixes of the namespaces that settings declare.
#[must_use]
pub fn prefixes(settings: &Value) -> Prefixes {
    let declared = settings.get("namespaces").and_then(Value::as_object);
    let text = |(prefix, namespace): (&String, &Value)| Some((prefix.clone(), namespace.as_str()?.to_owned()));
    declared.into_iter().flatten().filter_map(text).collect()
}

/// A reading under way.
struct Lint {
    /// The whole file, with its places.
    root: Node,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    left_open: Vec<String>,
}

impl Lint {
    fn say(&mut self, pointer: &str, key: bool, message: impl Into<String>, hint: Option<String>) {
        let (node, exact) = self.root.nearest(pointer);
        let place = if key && exact { &node.key } else { &node.value };
        let problem = Problem::at(place, pointer.to_owned(), message.into());
        self.problems.push(Problem { hint, ..problem });
    }

    fn file(&mut self, kind: Option<&str>, kinds: &Kinds) -> Option<TargetFile> {
        let spi = self.root.member("spi").and_then(Node::text).map(str::to_owned);
        if let Some(spi) = spi.filter(|spi| spi != SPI) {
            // Nothing else that would be said of it helps: the words of another version mean other things.
            let message =
                format!("the file needs version {spi} of the connector contract; this program speaks version {SPI}");
            let hint = "use a program that speaks it, or a file for this one".to_owned();
            self.say("/spi", false, message, Some(hint));
            return None;
        }
        let kind = self.kind(kind, kinds)?;
        let suite = self.suite(&kind);
        let settings = self.settings(&kind, kinds);
        Some(TargetFile { kind, settings: settings?, suite: suite? })
    }

    fn kind(&mut self, told: Option<&str>, kinds: &Kinds) -> Option<String> {
        let own = self.root.member("kind").map(|node| node.text().unwrap_or_default().to_owned());
        let Some(kind) = told.map(str::to_owned).or_else(|| own.clone()) else {
            let hint = format!(
                "write kind = \"…\" at its top, or give --kind: {}",
                kinds.names().collect::<Vec<_>>().join(", ")
            );
            self.say("", false, "the file does not say for which kind of connector it is", Some(hint));
            return None;
        };
        if own.as_ref().is_some_and(|own| *own != kind) {
            self.say("/kind", false, format!("the file is for another kind than {kind:?}"), None);
            return None;
        }
        if kinds.named(&kind).is_none() {
            self.say(
                "/kind",
                false,
                format!("there is no kind of connector {kind:?}"),
                nearest_hint(&kind, kinds.names()),
            );
            return None;
        }
        Some(kind)
    }

    /// The cases, held to their own schema.
    fn suite(&mut self, kind: &str) -> Option<Suite> {
        let mut parts = Map::new();
        for name in ["test", "test_setup"] {
            parts.extend(self.root.member(name).map(|node| (name.to_owned(), node.json())));
        }
        if !parts.is_empty() && stand(kind).is_none() && parts.contains_key("test") {
            self.say(
                "/test",
                true,
                format!("targets of kind {kind} have no cases: they do not speak HTTP and are no database"),
                None,
            );
            return None;
        }
        let parts = Value::Object(parts);
        let found = shape::walk(&schemars::schema_for!(Suite).to_value(), &parts);
        let sound = found.misfits.is_empty();
        for misfit in found.misfits {
            self.say(&misfit.pointer, misfit.key, misfit.message, misfit.hint);
        }
        if !sound {
            return None;
        }
        match serde_path_to_error::deserialize(&parts) {
            Ok(suite) => Some(suite),
            Err(error) => {
                let pointer = crate::config::pointer_of(error.path());
                self.say(&pointer, false, error.inner().to_string(), None);
                None
            }
        }
    }

    /// The settings, held to the kind's schema and to its own checks.
    fn settings(&mut self, kind: &str, kinds: &Kinds) -> Option<Value> {
        let mut tree = self.root.clone();
        let extra = tree.take("test_setup").and_then(|mut setup| setup.take("settings"));
        for name in APART {
            tree.take(name);
        }
        // What the file says itself goes before: the rest is only what a deployment would add.
        if let Some(mut under) = extra.filter(|extra| matches!(extra.what, What::Table(_))) {
            under.overlay(tree);
            tree = under;
        }
        let settings = tree.json();
        // Places are looked up where the settings were laid together from.
        let whole = std::mem::replace(&mut self.root, tree);
        let sound = self.settings_are_sound(kind, &settings, kinds);
        self.root = whole;
        sound.then_some(settings)
    }

    fn settings_are_sound(&mut self, kind: &str, settings: &Value, kinds: &Kinds) -> bool {
        let Some(of) = kinds.named(kind) else { return false };
        let before = self.problems.len();
        let Findings { misfits, .. } = shape::walk(&of.config_schema(), settings);
        for misfit in misfits {
            let missing = misfit.message.strip_suffix(" is missing").map(|name| format!("{}/{name}", misfit.pointer));
            match missing.filter(|pointer| is_deployment(kind, pointer)) {
                Some(pointer) => self.left_open.push(pointer),
                None => self.say(&misfit.pointer, misfit.key, misfit.message, misfit.hint),
            }
        }
        if self.problems.len() > before {
            return false;
        }
        let mut issues = Vec::new();
        if self.left_open.is_empty() {
            issues.extend(of.check_json(settings));
        }
        if stand(kind).is_some() {
            let mut aimed = settings.clone();
            let nowhere =
                doors(kind, settings).into_iter().map(|door| (door, "http://127.0.0.1:9/".to_owned())).collect();
            aim(kind, &mut aimed, &nowhere);
            if aimed.get("database").is_none() && kind == "sql" {
                stand::into_sandbox(&mut aimed, json!({ "engine": "sqlite", "path": "case.db" }));
            }
            let more = of.check_json(&aimed);
            issues.extend(more.into_iter().filter(|issue| !issues.contains(issue)).collect::<Vec<_>>());
        }
        for ConfigIssue { pointer, message, hint } in issues {
            let dangerous = pointer.rsplit('/').next().is_some_and(|name| name.starts_with("danger_"));
            self.say(&pointer, false, message, hint);
            if dangerous {
                self.warnings.extend(self.problems.pop());
            }
        }
        self.problems.len() == before
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
