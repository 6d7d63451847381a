//! The demo's targets. Each knows how it is started, how a client apart from the gateway reads it over its own protocol, and
//! what it should hold according to the workforce alone: the verdict must not come from the gateway.

mod directory;
mod ehr_rest;
mod ehr_soap;
mod ehr_sql;
mod scim;

use super::Outcome;
use async_trait::async_trait;
use fixtures::workforce::{Person, Workforce};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One account as it should be, or as it was read. Equality is the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// It can be used.
    pub enabled: bool,
    /// What else it says of the person.
    pub facts: BTreeMap<&'static str, String>,
    /// What it holds, as `type:value`.
    pub holds: BTreeSet<String>,
}

/// Accounts by employee number.
pub type Accounts = BTreeMap<String, Account>;

/// One target of the demo.
#[async_trait]
pub trait Scene: Send + Sync {
    /// The target's name in the demo's configuration.
    fn name(&self) -> &'static str;
    /// What it is, in a few words.
    fn what(&self) -> &'static str;
    /// What the configuration is told of it: marks and what stands in their place.
    fn settings(&self) -> Vec<(&'static str, String)>;
    /// Where somebody may look at it.
    fn place(&self) -> String;
    /// Reads it over its own protocol.
    async fn read(&self) -> Outcome<Accounts>;
    /// What it should hold.
    fn wanted(&self, workforce: &Workforce) -> Accounts;
    /// Ends it.
    async fn stop(self: Box<Self>);
}

/// The password of all simulators: they listen on this machine only and hold nobody's data.
pub(super) const SECRET: &str = "test-only";

/// Starts all of them; what needs files keeps them in the folder.
pub(super) async fn start(folder: &Path) -> Outcome<Vec<Box<dyn Scene>>> {
    Ok(vec![
        Box::new(directory::Ldap::start().await?),
        Box::new(ehr_soap::Soap::start()?),
        Box::new(ehr_rest::Rest::start()?),
        Box::new(ehr_sql::Sql::start(folder).await?),
        Box::new(scim::Application::start()?),
    ])
}

/// Everybody who ever joined has an account; who left has a closed one that holds nothing of ours.
fn accounts(
    workforce: &Workforce,
    of: impl Fn(&Person) -> (BTreeMap<&'static str, String>, BTreeSet<String>),
) -> Accounts {
    workforce
        .people
        .iter()
        .map(|person| {
            let (facts, holds) = of(person);
            let holds = if person.active { holds } else { BTreeSet::new() };
            (person.employee_number.clone(), Account { enabled: person.active, facts, holds })
        })
        .collect()
}
