//! `chartgate catalogue`.

use super::admin::escape;
use super::paper::{print, print_json};
use super::{Failure, Outcome, Running, place};
use crate::config::{CatalogueCsv, read_catalogue, written_catalogue};
use clap::{Args, Subcommand};
use gateway_domain::policy::CatalogueConfig;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Entries named in what is printed; a whole new catalogue is a number.
const NAMED: usize = 20;

#[derive(Debug, Subcommand)]
pub enum Catalogue {
    /// Write what a target can grant into the file that `[target.catalogue_csv]` names: from the running gateway's target, or from a
    /// CSV file where the target cannot list it. What people wrote there about owner and care stays.
    Import(Import),
}

#[derive(Debug, Args)]
pub struct Import {
    /// The target's name.
    target: String,
    /// The file to write; entries that stand in it of types that are not imported stay.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// In place of the target: a CSV file (RFC 4180) that was exported there, with the names of its columns in the first line.
    /// Columns `scope.NAME` say where an entitlement holds; of the others those that are named below count, where they are there.
    #[arg(long, value_name = "FILE")]
    csv: Option<String>,
    /// The type of all entries of `--csv`; without it each line tells its own in the column `type`.
    #[arg(long = "type", value_name = "TYPE", requires = "csv")]
    ty: Option<String>,
    /// The column of `--csv` with the target's name or id.
    #[arg(long, value_name = "COLUMN", default_value = "value")]
    value: String,
    /// The column of `--csv` with what people call it.
    #[arg(long, value_name = "COLUMN", default_value = "display")]
    display: String,
    /// The column of `--csv` with who answers for it.
    #[arg(long, value_name = "COLUMN", default_value = "owner")]
    owner: String,
    /// The column of `--csv` that says `true`, `yes`, `y` or `1` where holding it needs care.
    #[arg(long, value_name = "COLUMN", default_value = "sensitive")]
    sensitive: String,
    /// The column of `--csv` that says `retired` where the target gives it to nobody new.
    #[arg(long, value_name = "COLUMN", default_value = "state")]
    state: String,
    /// The column of `--csv` that says `false`, `no`, `n` or `0` where the target gives it to nobody new.
    #[arg(long, value_name = "COLUMN", default_value = "active")]
    active: String,
    /// The column of `--csv` with how many people may hold it, where that is limited.
    #[arg(long, value_name = "COLUMN", default_value = "assignments")]
    assignments: String,
    /// Say what would change, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    gateway: Running,
}

impl Catalogue {
    pub fn run(self) -> Outcome {
        match self {
            Catalogue::Import(command) => command.run(),
        }
    }
}

type Key = (String, String, BTreeMap<String, String>);

fn key(entry: &CatalogueConfig) -> Key {
    (entry.ty.clone(), entry.value.clone(), entry.scope.clone())
}

impl Import {
    fn run(self) -> Outcome {
        let Found { types, entries, unlisted } = self.found()?;
        let out = self.out.display().to_string();
        let before = if self.out.exists() { read(&as_written(&out))? } else { Vec::new() };
        let after = merged(&before, &types, entries);
        let change = Change::between(&before, &after);
        if !self.dry_run {
            write(&self.out, &written_catalogue(&after))?;
        }
        if self.gateway.json {
            return print_json(&json!({
                "target": self.target, "file": out, "written": !self.dry_run, "entries": after.len(), "types": types,
                "unlisted": unlisted, "new": change.new, "gone": change.gone, "changed": change.changed,
            }));
        }
        let verb = if self.dry_run { "would have" } else { "has" };
        print(&format!(
            "{out} {verb} {} entries of {}: {change}\n",
            after.len(),
            types.iter().cloned().collect::<Vec<_>>().join(", ")
        ));
        for ty in unlisted {
            print(&format!("{} cannot list {ty}: import it from a file with --csv\n", self.target));
        }
        Ok(true)
    }

    fn found(&self) -> Result<Found, Failure> {
        if let Some(file) = &self.csv {
            let entries = read(&CatalogueCsv {
                file: file.clone(),
                ty: self.ty.clone(),
                value: self.value.clone(),
                display: self.display.clone(),
                owner: self.owner.clone(),
                sensitive: self.sensitive.clone(),
                state: self.state.clone(),
                active: self.active.clone(),
                assignments: self.assignments.clone(),
            })?;
            let types = entries.iter().map(|entry| entry.ty.clone()).chain(self.ty.clone()).collect();
            return Ok(Found { types, entries, unlisted: Vec::new() });
        }
        let catalogue = self.gateway.get(&format!("/targets/{}/catalogue", escape(&self.target)))?;
        let words = |name: &str| -> Vec<String> {
            let list = catalogue.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let entries = serde_json::from_value(catalogue.get("entries").cloned().unwrap_or_default())?;
        Ok(Found { types: words("types").into_iter().collect(), entries, unlisted: words("unlisted") })
    }
}

/// What an import found.
struct Found {
    /// Types that were looked at.
    types: BTreeSet<String>,
    /// What there is of them.
    entries: Vec<CatalogueConfig>,
    /// Types that the target has and cannot list.
    unlisted: Vec<String>,
}

/// How this command writes: with the columns that `[target.catalogue_csv]` looks for.
fn as_written(file: &str) -> CatalogueCsv {
    let column = str::to_owned;
    CatalogueCsv {
        file: file.to_owned(),
        ty: None,
        value: column("value"),
        display: column("display"),
        owner: column("owner"),
        sensitive: column("sensitive"),
        state: column("state"),
        active: column("active"),
        assignments: column("assignments"),
    }
}

fn read(config: &CatalogueCsv) -> Result<Vec<CatalogueConfig>, Failure> {
    read_catalogue(config).map_err(|problems| Failure(place::list(&problems).trim_end().to_owned()))
}

/// What was there of other types, and what was found, with what people wrote about it.
fn merged(before: &[CatalogueConfig], types: &BTreeSet<String>, found: Vec<CatalogueConfig>) -> Vec<CatalogueConfig> {
    let known: BTreeMap<Key, &CatalogueConfig> = before.iter().map(|entry| (key(entry), entry)).collect();
    let told = found.into_iter().map(|entry| match known.get(&key(&entry)) {
        None => entry,
        Some(known) => CatalogueConfig {
            display: entry.display.or_else(|| known.display.clone()),
            owner: entry.owner.or_else(|| known.owner.clone()),
            sensitive: entry.sensitive || known.sensitive,
            assignments: entry.assignments.or(known.assignments),
            ..entry
        },
    });
    before.iter().filter(|entry| !types.contains(&entry.ty)).cloned().chain(told).collect()
}

/// What an import changes in the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    new: Vec<String>,
    gone: Vec<String>,
    changed: Vec<String>,
}

impl Change {
    fn between(before: &[CatalogueConfig], after: &[CatalogueConfig]) -> Self {
        let shown = |(ty, value, scope): &Key| {
            let scope: Vec<String> = scope.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let at = if scope.is_empty() { "" } else { "@" };
            format!("{ty}:{value}{at}{}", scope.join(","))
        };
        let (old, new): (BTreeMap<Key, _>, BTreeMap<Key, _>) = (
            before.iter().map(|entry| (key(entry), entry)).collect(),
            after.iter().map(|entry| (key(entry), entry)).collect(),
        );
        let changed = new.iter().filter(|(key, entry)| old.get(*key).is_some_and(|old| old != *entry));
        Self {
            new: new.keys().filter(|key| !old.contains_key(*key)).map(shown).collect(),
            gone: old.keys().filter(|key| !new.contains_key(*key)).map(shown).collect(),
            changed: changed.map(|(key, _)| shown(key)).collect(),
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} new, {} gone, {} changed", self.new.len(), self.gone.len(), self.changed.len())?;
        for (sign, list) in [('+', &self.new), ('-', &self.gone), ('~', &self.changed)] {
            for id in list.iter().take(NAMED) {
                write!(f, "\n  {sign} {id}")?;
            }
            if list.len() > NAMED {
                write!(f, "\n  {sign} and {} more", list.len() - NAMED)?;
            }
        }
        Ok(())
    }
}

/// Whole or not at all: a gateway that starts meanwhile reads the old file or the new one.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure(format!("{}: {}", path.display(), error.kind()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(ty: &str, value: &str, owner: Option<&str>) -> CatalogueConfig {
        CatalogueConfig {
            ty: ty.to_owned(),
            value: value.to_owned(),
            owner: owner.map(str::to_owned),
            ..CatalogueConfig::default()
        }
    }

    #[test]
    fn what_people_wrote_stays_and_other_types_are_left_alone() {
        let before = [entry("role", "A", Some("ward")), entry("role", "GONE", None), entry("menu", "M", None)];
        let types = BTreeSet::from(["role".to_owned()]);

        let after = merged(&before, &types, vec![entry("role", "A", None), entry("role", "B", None)]);

        assert_eq!(after, [entry("menu", "M", None), entry("role", "A", Some("ward")), entry("role", "B", None)]);
        let change = Change::between(&before, &after);
        assert_eq!(
            (change.new, change.gone, change.changed),
            (vec!["role:B".into()], vec!["role:GONE".into()], vec![])
        );
    }
}
