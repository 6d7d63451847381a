//! Where a kind's settings say that its target is: what a deployment adds to a file, and what a case replaces.

use async_trait::async_trait;
use connector_cases::{Sandbox, Stand};
use connector_sql::Sandbox as Tables;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// Members of the settings of a connection that say who calls, whom we trust and how fast we may go.
const NOT_FOR_CASES: [&str; 7] =
    ["auth", "tls", "proxy", "allow_hosts", "requests_per_second", "max_concurrent", "redirects"];

/// How cases are put in the place of a target of this kind; `None` where they cannot be.
#[must_use]
pub fn stand(kind: &str) -> Option<InPlace> {
    matches!(kind, "rest" | "scim" | "soap" | "sql").then(|| InPlace { kind: kind.to_owned() })
}

/// Whether the setting at this pointer is a deployment's affair, so that a file need not have it.
#[must_use]
pub fn is_deployment(kind: &str, pointer: &str) -> bool {
    let places: &[&str] = match kind {
        "rest" | "scim" => &["/http"],
        "soap" => &["/http", "/services/*/username_token", "/services/*/auth", "/services/*/tls"],
        "sql" => &["/database", "/replica", "/http"],
        // A directory's tree is its own: bases and names are all over the file.
        _ => return true,
    };
    let within = |place: &&str| {
        let mut segments = pointer.split('/');
        place.split('/').all(|part| segments.next().is_some_and(|segment| part == "*" || part == segment))
    };
    places.iter().any(within)
}

/// Names of the settings that hold an address over HTTP.
#[must_use]
pub fn doors(kind: &str, settings: &Value) -> Vec<String> {
    let named = |table: &str, with: Option<&str>| {
        let members = settings.get(table).and_then(Value::as_object).into_iter().flatten();
        let fits = members.filter(|(_, value)| with.is_none_or(|with| value.get(with).is_some()));
        fits.map(|(name, _)| format!("{table}.{name}")).collect::<Vec<_>>()
    };
    match kind {
        "rest" | "scim" => vec!["http".to_owned()],
        "soap" => [vec!["http".to_owned()], named("services", Some("url"))].concat(),
        "sql" => named("http", None),
        _ => Vec::new(),
    }
}

/// Points doors at other addresses, and takes out of the settings who calls and whom we trust.
pub fn aim(kind: &str, settings: &mut Value, at: &BTreeMap<String, String>) {
    let Some(all) = settings.as_object_mut() else { return };
    match kind {
        "rest" | "scim" | "soap" => {
            let http = all.entry("http").or_insert_with(|| json!({}));
            if let (Some(http), Some(address)) = (http.as_object_mut(), at.get("http")) {
                connection(http, address);
            }
        }
        "sql" => {
            for (name, http) in all.get_mut("http").and_then(Value::as_object_mut).into_iter().flatten() {
                if let (Some(http), Some(address)) = (http.as_object_mut(), at.get(&format!("http.{name}"))) {
                    connection(http, address);
                }
            }
        }
        _ => {}
    }
    for (name, service) in all.get_mut("services").and_then(Value::as_object_mut).into_iter().flatten() {
        let Some(service) = service.as_object_mut() else { continue };
        NOT_FOR_CASES.iter().chain(&["username_token"]).for_each(|member| drop(service.remove(*member)));
        if let Some(address) = at.get(&format!("services.{name}")) {
            service.insert("url".to_owned(), json!(address));
        }
    }
}

/// A member of every service that has it, by the service's name.
pub(super) fn within_deployment(settings: &Value, member: &str) -> BTreeMap<String, Value> {
    let services = settings.get("services").and_then(Value::as_object).into_iter().flatten();
    services.filter_map(|(name, service)| Some((name.clone(), service.get(member)?.clone()))).collect()
}

/// Puts the settings of a case's own database in the place of the target's.
pub(super) fn into_sandbox(settings: &mut Value, database: Value) {
    if let Some(all) = settings.as_object_mut() {
        all.insert("database".to_owned(), database);
        all.remove("replica");
    }
}

fn connection(http: &mut Map<String, Value>, address: &str) {
    NOT_FOR_CASES.iter().for_each(|member| drop(http.remove(*member)));
    http.insert("url".to_owned(), json!(address));
    http.insert("allow_plaintext".to_owned(), json!(true));
    http.insert("allow_networks".to_owned(), json!(["127.0.0.0/8"]));
    http.insert("connect_timeout".to_owned(), json!(5));
    // Where a door stands behind the new address, it is the one whose patience ends first.
    let patience = http.get("timeout").and_then(Value::as_u64).unwrap_or(30);
    http.insert("timeout".to_owned(), json!((patience + 10).min(600)));
}

/// Cases of one kind.
#[derive(Debug, Clone)]
pub struct InPlace {
    kind: String,
}

#[async_trait]
impl Stand for InPlace {
    fn doors(&self, settings: &Value) -> Vec<String> {
        doors(&self.kind, settings)
    }

    fn aim(&self, settings: &mut Value, at: &BTreeMap<String, String>) {
        aim(&self.kind, settings, at);
    }

    async fn sandbox(&self, statements: &[&str]) -> Result<Option<Box<dyn Sandbox>>, String> {
        if self.kind != "sql" {
            return Ok(None);
        }
        let room = tempfile::tempdir().map_err(|error| format!("no place for a database: {}", error.kind()))?;
        let tables = Tables::make(&room.path().join("case.db"), statements).await?;
        Ok(Some(Box::new(Room { tables, _room: room })))
    }
}

/// A case's own database and the folder that it is in.
struct Room {
    tables: Tables,
    _room: TempDir,
}

#[async_trait]
impl Sandbox for Room {
    fn aim(&self, settings: &mut Value) {
        into_sandbox(settings, self.tables.settings());
    }

    async fn rows(&self, query: &str) -> Result<Vec<BTreeMap<String, Value>>, String> {
        self.tables.rows(query).await
    }
}
