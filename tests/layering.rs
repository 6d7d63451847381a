//! The ranks: a crate uses lower ranks only, never a neighbour, and outside crates stay in the rooms that they are for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Package, folder and rank of every crate of ours.
const RANKS: [(&str, &str, u8); 22] = [
    ("scim", "schemas", 0),
    ("connector-spi", "connectors/spi", 0),
    ("connector-expr", "connectors/expr", 0),
    ("fixtures", "fixtures", 0),
    ("chartgate-plugin", "connectors/plugin/sdk/rust", 1),
    ("gateway-domain", "gateway/domain", 1),
    ("gateway-store", "gateway/store", 2),
    ("connector-layers", "connectors/layers", 2),
    ("connector-testkit", "connectors/testkit", 2),
    ("connector-cases", "connectors/cases", 2),
    ("gateway-engine", "gateway/engine", 3),
    ("connector-http", "connectors/http", 3),
    ("connector-declared", "connectors/declared", 3),
    ("gateway-web", "gateway/web", 4),
    ("connector-ldap", "connectors/ldap", 4),
    ("connector-rest", "connectors/rest", 4),
    ("connector-sql", "connectors/sql", 4),
    ("connector-soap", "connectors/soap", 4),
    ("connector-scim", "connectors/scim", 4),
    ("connector-plugin", "connectors/plugin", 4),
    ("chartgate", "gateway/server", 5),
    ("chartgate-tests", "tests", 6),
];

/// Outside crates that only these packages may use, outside of tests.
const ROOMS: [(&str, &[&str]); 11] = [
    ("actix-web", &["gateway-web", "fixtures"]),
    ("rusqlite", &["gateway-store", "chartgate-tests"]),
    ("reqwest", &["connector-http", "chartgate", "chartgate-tests"]),
    ("sqlx", &["gateway-store", "connector-sql", "fixtures", "chartgate-tests"]),
    ("tiberius", &["connector-sql"]),
    ("quick-xml", &["connector-soap", "connector-cases", "fixtures", "chartgate"]),
    ("ldap3", &["connector-ldap", "chartgate", "chartgate-tests"]),
    ("cel", &["connector-expr"]),
    ("minijinja", &["connector-expr"]),
    ("clap", &["chartgate"]),
    ("tracing-subscriber", &["chartgate"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the workspace").to_path_buf()
}

/// The dependencies of a crate outside of its tests.
fn dependencies(folder: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn a_crate_uses_lower_ranks_only() {
    let ranks: BTreeMap<&str, u8> = RANKS.iter().map(|(name, _, rank)| (*name, *rank)).collect();
    for (name, folder, rank) in RANKS {
        for dependency in dependencies(folder) {
            if let Some(below) = ranks.get(dependency.as_str()) {
                assert!(*below < rank, "{name} (rank {rank}) must not use {dependency} (rank {below})");
            }
        }
    }
}

#[test]
fn every_crate_of_the_workspace_has_a_rank() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's manifest");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("members");
    for member in members.iter().filter_map(toml::Value::as_str) {
        assert!(RANKS.iter().any(|(_, folder, _)| *folder == member), "{member} has no rank in tests/layering.rs");
    }
    assert_eq!(members.len(), RANKS.len());
}

#[test]
fn outside_crates_stay_in_their_rooms() {
    for (outside, rooms) in ROOMS {
        for (name, folder, _) in RANKS {
            let uses = dependencies(folder).iter().any(|dependency| dependency == outside);
            assert!(!uses || rooms.contains(&name), "{name} must not use {outside}: only {rooms:?} may");
        }
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut long = Vec::new();
    for (_, folder, _) in RANKS {
        visit(&root().join(folder), &mut long);
    }
    assert!(long.is_empty(), "split these by idea: {long:?}");
}

fn visit(folder: &Path, long: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                visit(&path, long);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let lines = std::fs::read_to_string(&path).expect("source is UTF-8").lines().count();
            if lines > 800 {
                long.push(format!("{} ({lines} lines)", path.display()));
            }
        }
    }
}

#[test]
fn there_is_one_tls_stack() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    for banned in ["openssl", "openssl-sys", "native-tls", "backoff"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned} came in");
    }
    // The lock file also names what no feature in use brings in: `ring` is asked for of the tree itself.
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args(["tree", "--workspace", "--offline", "--invert", "ring"]).current_dir(root());
    let found = tree.output().expect("cargo runs");
    assert!(found.stdout.is_empty(), "ring came in: {}", String::from_utf8_lossy(&found.stdout));
}
