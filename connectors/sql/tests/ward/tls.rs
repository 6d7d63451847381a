//! Whom the connector trusts, on PostgreSQL and MariaDB.

use crate::support::{laid_over, profile};
use connector_spi::{Class, ConnectorType, Ctx, Result};
use connector_sql::Sql;
use connector_testkit::TestHost;
use fixtures::servers::{Certificate, DATABASE, Mariadb, PASSWORD, Postgres, USER};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value as Json, json};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// An authority's certificate, and one that it gave to this name.
fn certificate(name: &str) -> (String, Certificate) {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let authority = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (authority, Certificate { certificate: leaf.pem(), key: key.serialize_pem() })
}

fn written(dir: &Path, name: &str, pem: &str) -> Json {
    let path = dir.join(name);
    std::fs::write(&path, pem).unwrap();
    json!({"tls": {"ca_file": path}, "allow_plaintext": false})
}

async fn check(database: &Json, more: Json) -> Result<()> {
    let mut database = database.clone();
    laid_over(&mut database, more);
    let host = TestHost::of(PASSWORD);
    let config = serde_json::from_value(profile(database, json!({}))).unwrap();
    let target = Sql::open(config, host.clone()).await.unwrap();
    target.check(&Ctx::new("c", Instant::now() + Duration::from_secs(10), host)).await.map(drop)
}

fn database(engine: &str, port: u16) -> Json {
    json!({
        "engine": engine, "host": "localhost", "port": port, "name": DATABASE, "user": USER, "password": {"env": "WARD"},
        "allow_plaintext": true,
    })
}

async fn trusts_only_what_it_is_told_to(
    engine: &str,
    start: impl Fn(Option<&Certificate>) -> Option<(u16, Box<dyn Send>)>,
) {
    let dir = tempfile::tempdir().unwrap();
    let ((ours, known), (theirs, _)) = (certificate("localhost"), certificate("localhost"));
    let Some((port, server)) = start(Some(&known)) else { return };
    let here = database(engine, port);
    check(&here, written(dir.path(), "ours.pem", &ours)).await.unwrap();
    let strange = check(&here, written(dir.path(), "theirs.pem", &theirs)).await.unwrap_err();
    assert_eq!(strange.class, Class::Config, "{strange}");
    let unnamed = check(&here, json!({"allow_plaintext": false})).await.unwrap_err();
    assert_eq!(unnamed.class, Class::Config, "{unnamed}");
    drop(server);

    let (other, elsewhere) = certificate("elsewhere.example");
    let Some((port, server)) = start(Some(&elsewhere)) else { return };
    let wrong_name = check(&database(engine, port), written(dir.path(), "other.pem", &other)).await.unwrap_err();
    assert_eq!(wrong_name.class, Class::Config, "{wrong_name}");
    drop(server);

    let Some((port, _server)) = start(None) else { return };
    let plain = database(engine, port);
    check(&plain, json!({})).await.unwrap();
    let none = check(&plain, json!({"allow_plaintext": false})).await.unwrap_err();
    assert_eq!(none.class, Class::Config, "a server without TLS is not spoken to in the clear: {none}");
}

#[tokio::test]
async fn a_postgresql_is_trusted_by_its_certificate_only() {
    let start = |tls: Option<&Certificate>| {
        Postgres::start_with(tls).unwrap().map(|server| (server.addr.port(), Box::new(server) as Box<dyn Send>))
    };
    trusts_only_what_it_is_told_to("postgres", start).await;
}

#[tokio::test]
async fn a_mariadb_is_trusted_by_its_certificate_only() {
    let start = |tls: Option<&Certificate>| {
        Mariadb::start_with(tls).unwrap().map(|server| (server.addr.port(), Box::new(server) as Box<dyn Send>))
    };
    trusts_only_what_it_is_told_to("mysql", start).await;
}
