//! The conformance kit over the SQL connector and the shipped profile, on SQLite, PostgreSQL and MariaDB.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_spi::{Erase, Kind};
use connector_sql::Sql;
use connector_testkit::database_proxy::{DatabaseProxy, MYSQL, POSTGRES};
use connector_testkit::{Fault, FaultProxy, Fixture, StateProbe, Subject, assert_required, run};
use fixtures::{
    ehr_sql::EhrSql,
    proxy::{Mischief, Proxy},
    servers::PASSWORD,
    tds::TdsServer,
};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use support::{COMMIT_MSSQL, Server, Ward, group, menu};

/// The same for the wire of SQL Server, where a login is refused only after a greeting: the server does that itself.
struct TdsHarm {
    proxy: Arc<Proxy>,
    server: Arc<TdsServer>,
}

#[async_trait]
impl FaultProxy for TdsHarm {
    fn supports(&self, fault: Fault) -> bool {
        !matches!(fault, Fault::Throttled { .. } | Fault::TruncatedPage | Fault::Html)
    }

    async fn set(&self, fault: Fault) {
        self.server.close_with(match fault {
            // It is starting; the login is not known.
            Fault::Unavailable => 18_401,
            Fault::Unauthorized => 18_456,
            _ => 0,
        });
        self.proxy.set(match fault {
            Fault::ResetBeforeSend => Mischief::Answer(b""),
            Fault::ResetAfterSend => Mischief::LoseReplyTo(COMMIT_MSSQL),
            Fault::SlowBody => Mischief::Swallow,
            Fault::Html => Mischief::None,
            Fault::Off | Fault::Throttled { .. } | Fault::TruncatedPage | Fault::Unavailable | Fault::Unauthorized => {
                Mischief::None
            }
        });
    }
}

/// A look at the tables.
struct Look(EhrSql);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        self.0.state().await.unwrap().to_string()
    }

    async fn seed(&self, kind: &Kind, count: u32) -> bool {
        if kind.as_str() != "account" {
            return false;
        }
        for block in 0..count.div_ceil(500) {
            let rows: Vec<String> = (block * 500..((block + 1) * 500).min(count))
                .map(|n| {
                    format!("('S{n:08}', 'Example', 'Seeded', 'S{n}', '2026-07-01', 'SEED', '2026-07-01 00:00:00')")
                })
                .collect();
            let columns = "user_mnemonic, last_name, first_name, employee_no, begin_date, changed_by, changed_at";
            self.0.run(&format!("INSERT INTO user_dict ({columns}) VALUES {}", rows.join(", "))).await.unwrap();
        }
        true
    }
}

fn fixture() -> Fixture {
    let at = |text: &str| json!({ "at": text });
    let unknown = menu("NO.SUCH", "EAST");
    let values: Json = json!({
        "account": {
            "kind": "account", "text": "email", "absent": "9{n}",
            "attrs": {
                "mnemonic": ["K{n}"], "givenName": ["Testperson {n}"], "familyName": ["Example"], "email": ["t{n}@hosp.example"],
                "employeeNumber": ["e{n}"], "userKind": ["P"], "provider": ["KITPROVIDER"], "authSource": ["LDAP"],
                "beginDate": [at("2026-07-01T04:00:00Z")], "endDate": [at("2029-07-01T04:00:00Z")],
            },
        },
        "other": {
            "kind": "provider", "text": "familyName", "absent": "P{n}",
            "attrs": {
                "providerMnemonic": ["P{n}"], "npi": ["19{n}"], "familyName": ["Example"], "givenName": ["Testperson {n}"],
                "providerType": ["PHYSICIAN"],
            },
        },
        "entitlements": [menu("NUR.VIEW", "EAST"), menu("NUR.FLOOR", "EAST"), group("CSRX")],
        "scoped": [menu("NUR.VIEW", "EAST"), menu("NUR.VIEW", "WEST")],
        "unknown_entitlement": unknown,
        "expired_token": "none of ours",
    });
    serde_json::from_value(values).unwrap()
}

async fn keeps_the_contract(ward: Ward, harm: Option<Arc<dyn FaultProxy>>) {
    // given the tables in a database, behind a proxy where there is a network, and a provider for accounts to point at
    let columns = "provider_mnemonic, last_name, first_name, provider_type";
    let values = "'KITPROVIDER', 'Example', 'Testperson', 'PHYSICIAN'";
    ward.ehr.run(&format!("INSERT INTO provider_dict ({columns}) VALUES ({values})")).await.unwrap();
    let mut subject = Subject::new(Arc::new(Erase::<Sql>::new()), ward.config(json!({})), fixture());
    subject.probe = Some(Arc::new(Look(ward.ehr.clone())));
    let kind = match harm {
        Some(harm) => {
            subject.wrong_host = Some(ward.config(json!({"database": {"port": 1}})));
            subject.secrets = [("WARD".to_owned(), PASSWORD.to_owned())].into();
            subject.faults = Some(harm);
            "sql"
        }
        None => {
            subject.wrong_host = Some(ward.config(json!({"database": {"path": "/nonexistent/ward.db"}})));
            "sql-embedded"
        }
    };

    // when the kit runs
    let report = run(&subject).await;

    // then everything that an SQL connector must do is done
    println!("{report}");
    assert_required(kind, &report);
}

#[tokio::test]
async fn the_connector_keeps_the_contract_over_sqlite() {
    keeps_the_contract(Ward::sqlite().await, None).await;
}

#[tokio::test]
async fn the_connector_keeps_the_contract_over_postgresql() {
    let Some(ward) = Ward::postgres().await else { return };
    let harm = DatabaseProxy::over(ward.proxy.clone().unwrap(), POSTGRES);
    keeps_the_contract(ward, Some(Arc::new(harm))).await;
}

#[tokio::test]
async fn the_connector_keeps_the_contract_over_mariadb() {
    let Some(ward) = Ward::mariadb().await else { return };
    let harm = DatabaseProxy::over(ward.proxy.clone().unwrap(), MYSQL);
    keeps_the_contract(ward, Some(Arc::new(harm))).await;
}

#[tokio::test]
async fn the_connector_keeps_the_contract_over_the_wire_of_sql_server() {
    let ward = Ward::mssql().await;
    let Server::Tds(server, _) = &ward.server else { panic!() };
    let harm = TdsHarm { proxy: ward.proxy.clone().unwrap(), server: server.clone() };
    keeps_the_contract(ward, Some(Arc::new(harm))).await;
}
