//! A gateway that hears everything, the shipped profile, and the three engines that can be had for nothing.
#![allow(dead_code, reason = "each test file uses its part")]

use connector_spi::{
    AccountState, Attrs, Change, Connector, ConnectorType, Created, Ctx, Delta, Entitlement, Kind, NativeId, Record,
    Result, Updated, Value,
};
use connector_sql::{Config, PROFILES, Sql};
use connector_testkit::TestHost;
pub use connector_testkit::laid_over;
use connector_testkit::settings;
use fixtures::{
    ehr_sql::EhrSql,
    proxy::Proxy,
    servers::{DATABASE, Mariadb, PASSWORD, Postgres, USER},
    tds::{Account, TdsServer},
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::time::Instant;

/// The commit as it travels: one word of a message, and not the one in READ COMMITTED.
pub const COMMIT_POSTGRES: &[u8] = b"COMMIT\0";
pub const COMMIT_MARIADB: &[u8] = b"\x03COMMIT";
/// The end of the headers, and the transaction manager's number for it.
pub const COMMIT_MSSQL: &[u8] = b"\x01\0\0\0\x07\0\0\0";

/// The shipped profile for this database, with `more` on top.
pub fn profile(database: Json, more: Json) -> Json {
    let mut all = settings(PROFILES[0].1, json!({})).unwrap();
    laid_over(&mut all, json!({"zone": "America/New_York", "database": database}));
    laid_over(&mut all, more);
    all
}

/// Something that keeps a database alive.
pub enum Server {
    File(TempDir),
    Postgres(Postgres),
    Mariadb(Mariadb),
    /// SQL Server's protocol over a file.
    Tds(Arc<TdsServer>, TempDir),
}

/// A database with the tables in it, and a look at it that does not go through the connector.
pub struct Ward {
    pub server: Server,
    pub ehr: EhrSql,
    /// The proxy in front of it, where it has an address.
    pub proxy: Option<Arc<Proxy>>,
    /// The settings of the connector.
    pub database: Json,
}

fn networked(engine: &str, at: SocketAddr) -> Json {
    json!({
        "engine": engine, "host": "127.0.0.1", "port": at.port(), "name": DATABASE, "user": USER,
        "password": {"env": "WARD"}, "allow_plaintext": true,
    })
}

impl Ward {
    pub async fn sqlite() -> Ward {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ward.db");
        let ehr = EhrSql::load(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        let database = json!({"engine": "sqlite", "path": path});
        Ward { server: Server::File(dir), ehr, proxy: None, database }
    }

    pub async fn postgres() -> Option<Ward> {
        let server = Postgres::start().unwrap()?;
        let ehr = EhrSql::load(&server.url(server.addr)).await.unwrap();
        let proxy = Arc::new(Proxy::start(server.addr).await.unwrap());
        let database = networked("postgres", proxy.addr());
        Some(Ward { server: Server::Postgres(server), ehr, proxy: Some(proxy), database })
    }

    pub async fn mariadb() -> Option<Ward> {
        let server = Mariadb::start().unwrap()?;
        let ehr = EhrSql::load(&server.url(server.addr)).await.unwrap();
        let proxy = Arc::new(Proxy::start(server.addr).await.unwrap());
        let database = networked("mysql", proxy.addr());
        Some(Ward { server: Server::Mariadb(server), ehr, proxy: Some(proxy), database })
    }

    /// The wire of SQL Server, and not its engine.
    pub async fn mssql() -> Ward {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ward.db");
        let ehr = EhrSql::load(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        let account = Account { user: USER.to_owned(), password: PASSWORD.to_owned(), database: DATABASE.to_owned() };
        let server = Arc::new(TdsServer::start(&path, account).await.unwrap());
        let proxy = Arc::new(Proxy::start(server.addr()).await.unwrap());
        let database = networked("mssql", proxy.addr());
        Ward { server: Server::Tds(server, dir), ehr, proxy: Some(proxy), database }
    }

    /// Every engine that can be had here.
    pub async fn every() -> Vec<Ward> {
        let mut all = vec![Ward::sqlite().await, Ward::mssql().await];
        all.extend(Ward::postgres().await);
        all.extend(Ward::mariadb().await);
        all
    }

    /// The shipped profile, with `more` on top.
    pub fn config(&self, more: Json) -> Json {
        profile(self.database.clone(), more)
    }

    pub async fn stage(self) -> Stage {
        self.stage_with(json!({})).await
    }

    pub async fn stage_with(self, more: Json) -> Stage {
        let host = TestHost::of(PASSWORD);
        let config: Config = serde_json::from_value(self.config(more)).unwrap();
        assert_eq!(Sql::check_config(&config), []);
        let target = Sql::open(config, host.clone()).await.unwrap();
        Stage { ward: self, target, host }
    }
}

/// A target that is open.
pub struct Stage {
    pub ward: Ward,
    pub target: Arc<dyn Connector>,
    pub host: Arc<TestHost>,
}

impl Stage {
    pub fn cx(&self, op: &str) -> Ctx {
        Ctx::new(op, Instant::now() + Duration::from_secs(20), self.host.clone())
    }

    pub fn ehr(&self) -> &EhrSql {
        &self.ward.ehr
    }

    pub async fn create(&self, number: u32, with: &[Entitlement]) -> Result<Created> {
        self.target.create(&self.cx("c"), &account(), &person(number), AccountState::Enabled, with).await
    }

    pub async fn change(&self, id: &NativeId, change: Change) -> Result<Updated> {
        self.target.update(&self.cx("u"), &account(), id, &change).await
    }

    pub async fn read(&self, id: &NativeId) -> Record {
        self.target.get(&self.cx("g"), &account(), id).await.unwrap().unwrap()
    }

    pub async fn find(&self, number: u32) -> Vec<Record> {
        let key = key("employeeNumber", &format!("{}", 100_000 + number));
        self.target.find(&self.cx("f"), &account(), &key).await.unwrap()
    }

    /// What an account holds, as `type:value@facility`, sorted.
    pub async fn held(&self, id: &NativeId) -> Vec<String> {
        let mut held: Vec<String> = self.read(id).await.entitlements.unwrap().iter().map(named).collect();
        held.sort();
        held
    }
}

pub fn named(one: &Entitlement) -> String {
    let scope: Vec<&str> = one.scope.values().map(String::as_str).collect();
    format!("{}:{}@{}", one.kind, one.value, scope.join(","))
}

pub fn account() -> Kind {
    Kind::from("account")
}

pub fn attrs(pairs: &[(&str, &str)]) -> Attrs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![Value::from(*value)])).collect()
}

/// The attributes of an invented person.
pub fn person(number: u32) -> Attrs {
    attrs(&[
        ("givenName", "Testperson"),
        ("familyName", &format!("Example{number}")),
        ("employeeNumber", &format!("{}", 100_000 + number)),
    ])
}

pub fn key(name: &str, value: &str) -> BTreeMap<String, Value> {
    [(name.to_owned(), Value::from(value))].into()
}

pub fn menu(value: &str, facility: &str) -> Entitlement {
    let mut one = Entitlement::new("menu", value);
    one.scope.insert("facility".to_owned(), facility.to_owned());
    one
}

pub fn group(value: &str) -> Entitlement {
    Entitlement::new("access-group", value)
}

pub fn set(name: &str, value: &str) -> Change {
    Change { attrs: [(name.to_owned(), Delta::Set(vec![Value::from(value)]))].into(), ..Change::default() }
}

pub fn give(add: Vec<Entitlement>) -> Change {
    let mut change = Change::default();
    change.entitlements.add = add;
    change
}

pub fn take(remove: Vec<Entitlement>) -> Change {
    let mut change = Change::default();
    change.entitlements.remove = remove;
    change
}

pub fn state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}
