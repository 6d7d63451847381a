//! From a file to everything the gateway is started with, or to everything that is wrong with it.

use super::files::{self, PROFILE, lay_files_under};
use super::meaning::wrong_store;
use super::tree::{Node, What};
use super::{Config, Problem, Target, shape};
use crate::kinds::Kinds;
use crate::secrets;
use connector_layers::LayerConfig;
use connector_spi::{ConfigIssue, SecretRef};
use gateway_domain::policy::{PolicyConfig, SourceConfig};
use gateway_domain::{Policy, UnknownEntitlements};
use scim::{Dialect, Types};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// What reading a configuration gave.
#[derive(Debug)]
pub struct Reading {
    /// What is wrong, in order of the file.
    pub problems: Vec<Problem>,
    /// Secrets that cannot be read at the moment: a reason for `check` to fail, not for `serve`, whose other targets work.
    pub unreachable: Vec<Problem>,
    /// What works and is dangerous.
    pub warnings: Vec<Problem>,
    /// What the gateway is started with; there is none when there are problems.
    pub loaded: Option<Loaded>,
}

impl Reading {
    fn of_problems(problems: Vec<Problem>) -> Self {
        Self { problems, unreachable: Vec::new(), warnings: Vec::new(), loaded: None }
    }
}

/// What the gateway is started with.
#[derive(Debug)]
pub struct Loaded {
    /// The file as it stands, with what the environment overrides.
    pub config: Config,
    /// Resource types, with those of the deployment.
    pub types: Arc<Types>,
    /// The rules, compiled.
    pub policy: Policy,
    /// Targets, in order of the file.
    pub targets: Vec<LoadedTarget>,
    /// A token that the environment gives, with the name of its source.
    pub fixed_token: Option<(String, String)>,
}

/// One target, ready to be opened.
#[derive(Debug, Clone)]
pub struct LoadedTarget {
    /// Its name.
    pub name: String,
    /// Its immutable id.
    pub id: String,
    /// The kind of connector.
    pub kind: String,
    /// The connector's settings, its file's included.
    pub settings: Value,
    /// How it is treated.
    pub layers: LayerConfig,
    /// Whether accounts with foreign entitlements are taken over.
    pub adopt_entitled: bool,
}

/// Reads a configuration file with everything it names. Nothing is opened and nothing is written.
#[must_use]
pub fn load(path: &str, kinds: &Kinds) -> Reading {
    match files::text(path) {
        Ok(text) => read(path, text, kinds),
        Err(message) => Reading::of_problems(vec![Problem::of_file(path, 1, message)]),
    }
}

/// As [`load`], for a text that stands in no file. `name` is what problems call it.
#[must_use]
pub fn read(name: &str, text: String, kinds: &Kinds) -> Reading {
    let (mut root, mut problems) = Node::parse(name, text);
    if !problems.is_empty() {
        return Reading::of_problems(problems);
    }
    let unread = lay_files_under(&mut root, kinds, &mut problems);
    let json = root.json();
    let mut load = Load { root: &root, kinds, unread, problems, unreachable: Vec::new(), warnings: Vec::new() };
    let config = load.typed(json);
    let loaded = load.resolve(config);
    let Load { mut problems, mut unreachable, mut warnings, .. } = load;
    let order = |problem: &Problem| (problem.file != name, problem.file.clone(), problem.line, problem.column);
    problems.sort_by_key(order);
    problems.dedup();
    unreachable.sort_by_key(order);
    warnings.sort_by_key(order);
    let loaded = loaded.filter(|_| problems.is_empty());
    Reading { problems, unreachable, warnings, loaded }
}

/// Reads one target apart from a configuration: `kind`, `profile` or `file`, and `settings`, as `[[target]]` has them. Secrets are
/// not asked for. An `Err` lists what is wrong.
pub fn one_target(path: &str, kinds: &Kinds) -> Result<(String, Value), Vec<Problem>> {
    let text = files::text(path).map_err(|message| vec![Problem::of_file(path, 1, message)])?;
    let (target, problems) = Node::parse(path, text);
    if !problems.is_empty() {
        return Err(problems);
    }
    let (key, value) = (target.key.clone(), target.value.clone());
    let node = |what| Node { key: key.clone(), value: value.clone(), what };
    let list = node(What::List(vec![target]));
    let mut root = node(What::Table(vec![("target".to_owned(), list)]));
    let mut problems = Vec::new();
    let unread = lay_files_under(&mut root, kinds, &mut problems);
    let json = root.json();
    let mut load = Load { root: &root, kinds, unread, problems, unreachable: Vec::new(), warnings: Vec::new() };
    let schema = schemars::schema_for!(Target).to_value();
    let target = json.pointer("/target/0").cloned().unwrap_or_default();
    let found = shape::walk(&schema, &target);
    load.misfits(found, "/target/0");
    let kind = target.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let settings = target.get("settings").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    load.settings(0, &kind, &settings);
    let Load { problems, .. } = load;
    if problems.is_empty() { Ok((kind, settings)) } else { Err(problems) }
}

/// The administration socket that a file names, whatever else is wrong with it.
#[must_use]
pub fn admin_socket(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (root, _) = Node::parse("", text);
    root.member("server")?.member("admin_socket")?.text().map(str::to_owned)
}

/// A plain SCIM server: one source with the token that the environment gives, no targets, no catalogue.
///
/// # Errors
/// What is wrong with the arguments.
pub fn plain(listen: String, store: String, dialect: Dialect, token: String) -> Result<Loaded, String> {
    if listen.parse::<SocketAddr>().is_err() {
        return Err(format!("{listen:?} is no address with a port, such as 127.0.0.1:8480"));
    }
    if let Some(wrong) = wrong_store(&store) {
        return Err(wrong.to_owned());
    }
    let source = SourceConfig {
        name: "scim".to_owned(),
        dialect,
        unknown_entitlements: UnknownEntitlements::Record,
        ..SourceConfig::default()
    };
    let types = Arc::new(Types::built_in());
    let policy = PolicyConfig { sources: vec![source.clone()], ..PolicyConfig::default() };
    let policy = Policy::compile(&policy, &types)
        .map_err(|issues| issues.into_iter().map(|issue| issue.message).collect::<Vec<_>>().join("; "))?;
    let mut config = Config { source: vec![source], ..Config::default() };
    config.server.listen = listen;
    config.store.url = store;
    Ok(Loaded { config, types, policy, targets: Vec::new(), fixed_token: Some((token, "scim".to_owned())) })
}

/// A reading under way.
pub(super) struct Load<'a> {
    pub(super) root: &'a Node,
    pub(super) kinds: &'a Kinds,
    /// Places of targets whose file could not be read.
    pub(super) unread: BTreeSet<usize>,
    pub(super) problems: Vec<Problem>,
    unreachable: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Load<'_> {
    pub(super) fn say(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        let problem = self.problem(pointer, false, message.into());
        self.problems.push(Problem { hint, ..problem });
    }

    /// A problem at the value (or key) that a pointer names. Nobody can edit a built-in file: what is wrong or missing there
    /// is told where the profile is named.
    pub(super) fn problem(&self, pointer: &str, key: bool, message: String) -> Problem {
        let (node, exact) = self.root.nearest(pointer);
        let place = if key && exact { &node.key } else { &node.value };
        if !place.text.name.starts_with(PROFILE) {
            return Problem::at(place, pointer.to_owned(), message);
        }
        let (target, inside) = pointer.split_once("/settings").unwrap_or((pointer, ""));
        let (named, _) = self.root.nearest(&format!("{target}/profile"));
        let inside = inside.trim_start_matches('/').replace('/', ".");
        let message = if inside.is_empty() { message } else { format!("{inside}: {message}") };
        Problem::at(&named.value, pointer.to_owned(), message)
    }

    /// What a kind says of its settings. A switch that is called dangerous is one that works.
    pub(super) fn issue(&mut self, at: &str, issue: ConfigIssue) {
        let setting = issue.pointer.trim_start_matches('/').replace('/', ".");
        let message = if setting.is_empty() { issue.message } else { format!("{setting}: {}", issue.message) };
        self.say(&format!("{at}{}", issue.pointer), message, issue.hint);
        if issue.pointer.rsplit('/').next().is_some_and(|name| name.starts_with("danger_")) {
            self.warnings.extend(self.problems.pop());
        }
    }

    /// Something was already said about this place, about one above it or about one inside it.
    pub(super) fn said(&self, pointer: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.problems
            .iter()
            .filter(|problem| !problem.pointer.is_empty())
            .any(|problem| within(pointer, &problem.pointer) || within(&problem.pointer, pointer))
    }

    pub(super) fn misfits(&mut self, found: shape::Findings, at: &str) {
        for misfit in found.misfits {
            let problem = self.problem(&format!("{at}{}", misfit.pointer), misfit.key, misfit.message);
            self.problems.push(Problem { hint: misfit.hint, ..problem });
        }
        for (pointer, reference) in found.secrets {
            self.secret(&format!("{at}{pointer}"), &reference);
        }
    }

    fn secret(&mut self, pointer: &str, reference: &SecretRef) {
        let Err(message) = secrets::read(reference) else { return };
        let hint = match reference {
            SecretRef::Env(_) => "set it in the gateway's own environment, or keep the secret in a file",
            SecretRef::File(_) => "write the secret into this file, readable for the gateway's own user",
        };
        self.unreachable.push(self.problem(pointer, false, message).hint(hint));
    }

    /// The file as its types. Each value that does not fit is told, taken out, and the rest is read on.
    fn typed(&mut self, mut json: Value) -> Config {
        let schema = schemars::schema_for!(Config).to_value();
        let found = shape::walk(&schema, &json);
        let wrong: Vec<String> = found.misfits.iter().map(|misfit| misfit.pointer.clone()).collect();
        self.misfits(found, "");
        for pointer in wrong.iter().rev() {
            take_out(&mut json, pointer);
        }
        for _ in 0..100 {
            let error = match serde_path_to_error::deserialize::<_, Config>(&json) {
                Ok(config) => return config,
                Err(error) => error,
            };
            let pointer = pointer_of(error.path());
            if pointer.is_empty() || !self.said(&pointer) {
                self.say(&pointer, error.inner().to_string(), None);
            }
            if pointer.is_empty() || !take_out(&mut json, &pointer) {
                break;
            }
        }
        Config::default()
    }
}

/// Takes out what a pointer names, and tells whether there was such a thing. An element of a list that others are counted by
/// leaves an empty table in its place.
fn take_out(json: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    let counted = matches!(parent, "/source" | "/target" | "/role");
    let name = name.replace("~1", "/").replace("~0", "~");
    match json.pointer_mut(parent) {
        Some(Value::Object(members)) => members.remove(&name).is_some(),
        Some(Value::Array(items)) => match name.parse::<usize>().ok().filter(|n| *n < items.len()) {
            Some(n) if counted => {
                let before =
                    items.get_mut(n).map(|item| std::mem::replace(item, Value::Object(serde_json::Map::new())));
                before.is_some_and(|before| before != Value::Object(serde_json::Map::new()))
            }
            Some(n) => {
                items.remove(n);
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// The path as a JSON pointer (RFC 6901).
pub(crate) fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => Some(format!("/{}", shape::escape(key))),
            Segment::Unknown => None,
        })
        .collect()
}
