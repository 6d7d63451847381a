//! Simulated targets in memory, for a connector that has no test system yet.

use fixtures::directory::{self, Directory};
use fixtures::ehr_rest::{self, EhrRest};
use fixtures::ehr_scim::{self, EhrScim};
use fixtures::ehr_soap::{self, EhrSoap};
use fixtures::ehr_sql::EhrSql;
use fixtures::pager::{self, Pager};
use fixtures::scim_server::{self, ScimServer};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use tempfile::TempDir;

/// The provider that the accounts of the kit point at.
const PROVIDER: &str = "INSERT INTO provider_dict (provider_mnemonic, last_name, first_name, provider_type) \
                        VALUES ('KITPROVIDER', 'Example', 'Testperson', 'PHYSICIAN')";

/// A simulator that runs until this is dropped.
pub(super) struct Simulator {
    /// Its URL, or the path of its file.
    pub address: String,
    /// The secrets it takes.
    pub secrets: BTreeMap<String, String>,
    _running: Box<dyn Any + Send>,
}

impl Simulator {
    fn new(address: String, running: impl Any + Send) -> Self {
        Self { address, secrets: BTreeMap::new(), _running: Box::new(running) }
    }
}

/// Starts the simulator of this name.
pub(super) async fn start(name: &str) -> Result<Simulator, String> {
    fn cannot(error: impl Display) -> String {
        format!("the simulator cannot be started: {error}")
    }
    match name {
        "pager" => {
            let pager = Pager::start(pager::Options::default()).map_err(cannot)?;
            Ok(Simulator::new(pager.base_url(), pager))
        }
        "ehr-rest" => {
            let ehr = EhrRest::start(ehr_rest::Options { rate_limit: None, ..Default::default() }).map_err(cannot)?;
            Ok(Simulator::new(ehr.base_url(), ehr))
        }
        "ehr-soap" => {
            let ehr = EhrSoap::start(ehr_soap::Options { rate_limit: None, ..Default::default() }).map_err(cannot)?;
            Ok(Simulator::new(ehr.base_url(), ehr))
        }
        "ehr-scim" => {
            let options = ehr_scim::Options { seed: vec![PROVIDER.to_owned()], ..Default::default() };
            let ehr = EhrScim::start(options).map_err(cannot)?;
            Ok(Simulator::new(ehr.base_url(), ehr))
        }
        "scim" => {
            let server = ScimServer::start(scim_server::Options::default()).map_err(cannot)?;
            Ok(Simulator::new(server.base_url(), server))
        }
        "directory" => {
            let directory = Directory::start(directory::Options::default()).await.map_err(cannot)?;
            Ok(Simulator::new(directory.url(), directory))
        }
        "ehr-sql" => ward().await,
        other => match other.strip_prefix("sqlite:") {
            Some(script) => sqlite(script).await,
            None => Err(format!(
                "there is no simulator {other:?}; there are pager, ehr-rest, ehr-scim, ehr-soap, ehr-sql, scim, directory and sqlite:FILE.sql"
            )),
        },
    }
}

/// A database in a temporary folder, filled by a script.
async fn sqlite(script: &str) -> Result<Simulator, String> {
    let text = fs::read_to_string(script).map_err(|error| format!("{script}: {}", error.kind()))?;
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let path = folder.path().join("target.db");
    fixtures::sqlite::filled(&path, &text).await.map_err(|error| format!("{script}: {error}"))?;
    Ok(Simulator::new(path.display().to_string(), folder))
}

/// The tables of the meditech-like system, with a provider that accounts can point at.
async fn ward() -> Result<Simulator, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let path = folder.path().join("target.db").display().to_string();
    let ehr = EhrSql::load(&format!("sqlite://{path}?mode=rwc")).await.map_err(|error| error.to_string())?;
    ehr.run(PROVIDER).await.map_err(|error| error.to_string())?;
    Ok(Simulator::new(path, folder))
}
