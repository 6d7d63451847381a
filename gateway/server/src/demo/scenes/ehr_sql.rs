//! The meditech-like departmental database, by SQL.

use super::{Account, Accounts, Scene, accounts};
use crate::demo::Outcome;
use async_trait::async_trait;
use fixtures::ehr_sql::EhrSql;
use fixtures::workforce::{Person, Workforce};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A database file beside the gateway's own.
pub struct Sql {
    ehr: EhrSql,
    file: PathBuf,
}

impl Sql {
    /// Makes its tables and its catalogue.
    pub async fn start(folder: &Path) -> Outcome<Self> {
        let file = folder.join("ward.db");
        let ehr = EhrSql::load(&format!("sqlite://{}?mode=rwc", file.display())).await?;
        Ok(Self { ehr, file })
    }
}

#[async_trait]
impl Scene for Sql {
    fn name(&self) -> &'static str {
        "ehr-sql"
    }

    fn what(&self) -> &'static str {
        "a departmental database (SQL)"
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("@EHR_SQL@", self.file.display().to_string())]
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }

    async fn read(&self) -> Outcome<Accounts> {
        let state = self.ehr.state().await?;
        let rows = |table: &str| state.get(table).and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |row: &Value, column: &str| row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        // A row that has an end is one that ended: the demo gives nothing for a time.
        for row in rows("user_menu").iter().filter(|row| text(row, "end_date").is_empty()) {
            let menu = format!("menu:{}@{}", text(row, "menu_mnemonic"), text(row, "facility_id"));
            held.entry(text(row, "user_mnemonic")).or_default().insert(menu);
        }
        let providers: BTreeMap<String, String> =
            rows("provider_dict").iter().map(|row| (text(row, "provider_mnemonic"), text(row, "npi"))).collect();
        let ours = rows("user_dict").into_iter().filter(|row| !text(row, "employee_no").is_empty());
        Ok(ours
            .map(|row| {
                let provider = providers.get(&text(&row, "provider_mnemonic")).cloned();
                let facts =
                    BTreeMap::from([("family name", text(&row, "last_name")), ("npi", provider.unwrap_or_default())]);
                let holds = held.remove(&text(&row, "user_mnemonic")).unwrap_or_default();
                (text(&row, "employee_no"), Account { enabled: text(&row, "status") == "A", facts, holds })
            })
            .collect())
    }

    fn wanted(&self, workforce: &Workforce) -> Accounts {
        accounts(workforce, |person| {
            let facility = person.facility();
            let menus: &[&str] = match person.title.as_str() {
                "Registered Nurse" => &["NUR.VIEW", "NUR.FLOOR"],
                "Resident" | "Attending Physician" => &["ED.BOARD"],
                _ => &["NUR.VIEW"],
            };
            let facts = BTreeMap::from([("family name", person.family_name.clone()), ("npi", npi(person))]);
            (facts, menus.iter().map(|menu| format!("menu:{menu}@{facility}")).collect())
        })
    }

    async fn stop(self: Box<Self>) {}
}

/// Who prescribes has a provider record, to which the account refers.
fn npi(person: &Person) -> String {
    person.npi.clone().unwrap_or_default()
}
