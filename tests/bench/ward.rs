//! The SQL connector on a PostgreSQL whose commits wait for the disk, held against sqlx with the same statements in the same
//! transactions over as many connections.

use crate::connectors::{CALLERS, host, made, settings, shipped, within};
use crate::figure::{Figure, Goal, median, size};
use connector_spi::{Attrs, Connector, ConnectorType, Value};
use connector_sql::Sql;
use fixtures::ehr_sql::EhrSql;
use fixtures::servers::{DATABASE, Postgres, USER};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use std::sync::Arc;
use std::time::Instant;

const WARM: usize = 100;

/// A database with the tables in it.
pub struct Ward {
    pub server: Postgres,
    pub ehr: EhrSql,
}

impl Ward {
    /// `None` where there is no PostgreSQL.
    pub async fn start() -> Option<Ward> {
        let server = Postgres::durable().expect("PostgreSQL starts")?;
        let ehr = EhrSql::load(&server.url(server.addr)).await.expect("the tables are made");
        Some(Ward { server, ehr })
    }

    /// The connector with the shipped file.
    pub async fn connector(&self) -> Arc<dyn Connector> {
        let database = json!({
            "engine": "postgres", "host": "127.0.0.1", "port": self.server.addr.port(), "name": DATABASE, "user": USER,
            "password": { "env": "WARD" }, "allow_plaintext": true, "pool": { "connections": CALLERS },
        });
        let file = shipped(&connector_sql::PROFILES, "meditech-like");
        let config = settings(file, json!({ "zone": "America/New_York", "database": database }));
        let config = serde_json::from_value(config).expect("settings");
        let connector: Arc<dyn Connector> = Sql::open(config, host()).await.expect("the connector opens");
        connector.check(&within("check")).await.expect("the target is as the file says");
        connector
    }

    pub async fn connection(&self) -> PgConnection {
        let options: PgConnectOptions = self.server.url(self.server.addr).parse().expect("an address");
        options.disable_statement_logging().connect().await.expect("PostgreSQL answers")
    }
}

/// Creates by the connector and by sqlx.
pub async fn creates() -> Option<Figure> {
    let (count, rounds) = (size("CREATES_BY_CONNECTOR", 3_000), size("ROUNDS", 5));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for first in [round % 2 == 0, round % 2 != 0] {
            let Some(ward) = Ward::start().await else {
                eprintln!("   left out: there is no PostgreSQL");
                return None;
            };
            let rate = if first { connector(&ward, count).await } else { direct(&ward, count).await };
            let there = ward.ehr.count("SELECT count(*) FROM user_dict").await.expect("a count");
            assert_eq!(usize::try_from(there), Ok(WARM + count), "every account stands");
            if first { ours.push(rate) } else { theirs.push(rate) }
        }
    }
    let each: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    let name = "create by the connector until it stands in durable PostgreSQL / the same statements by sqlx";
    Some(Figure::of(name, Some(Goal::AtLeast(0.9)), "", each).with(format!(
        "{:.0}/s / {:.0}/s; {count} creates, {CALLERS} at a time",
        median(&ours),
        median(&theirs)
    )))
}

async fn connector(ward: &Ward, count: usize) -> f64 {
    let connector = ward.connector().await;
    made(&connector, (0..WARM).map(person).collect()).await;
    let people = (WARM..WARM + count).map(person).collect();
    let began = Instant::now();
    made(&connector, people).await;
    count as f64 / began.elapsed().as_secs_f64()
}

fn person(number: usize) -> Attrs {
    [("givenName", "Testperson".to_owned()), ("familyName", family(number)), ("employeeNumber", employee(number))]
        .map(|(name, text)| (name.to_owned(), vec![Value::from(text.as_str())]))
        .into()
}

fn family(number: usize) -> String {
    // The number first: what is cut off a long name is its end.
    format!("E{number}xample")
}

fn employee(number: usize) -> String {
    (100_000 + number).to_string()
}

async fn direct(ward: &Ward, count: usize) -> f64 {
    let mut connections = Vec::new();
    for _ in 0..CALLERS {
        connections.push(ward.connection().await);
    }
    let connections = run(connections, 0..WARM).await;
    let began = Instant::now();
    run(connections, WARM..WARM + count).await;
    count as f64 / began.elapsed().as_secs_f64()
}

async fn run(connections: Vec<PgConnection>, numbers: std::ops::Range<usize>) -> Vec<PgConnection> {
    let mut all = tokio::task::JoinSet::new();
    for (place, mut connection) in connections.into_iter().enumerate() {
        let numbers = numbers.clone().skip(place).step_by(CALLERS);
        all.spawn(async move {
            for number in numbers {
                insert(&mut connection, number).await.expect("PostgreSQL does it");
            }
            connection
        });
    }
    all.join_all().await
}

/// What a read of one record selects, as the shipped file does.
pub const RECORD: &str = r#"SELECT u.user_seq AS id, u.row_version AS version, u.changed_at AS changed_at, u.user_mnemonic AS mnemonic,
  u.last_name AS "familyName", u.first_name AS "givenName", u.email AS email, u.employee_no AS "employeeNumber",
  u.user_kind AS "userKind", u.provider_mnemonic AS provider, u.auth_source AS "authSource", u.begin_date AS "beginDate",
  u.end_date AS "endDate",
  CASE WHEN u.status = 'I' THEN 'disabled' WHEN u.status = 'L' THEN 'blocked'
    WHEN u.end_date IS NOT NULL AND u.end_date <= $1 THEN 'expired' ELSE 'enabled' END AS state
  FROM user_dict u "#;

const INSERT: &str =
    "INSERT INTO user_dict (user_mnemonic, last_name, first_name, email, employee_no, user_kind, provider_mnemonic,
  begin_date, end_date, auth_source, changed_by, changed_at)
  VALUES ($1, $2, $3, NULL, $4, 'P', NULL, $5, NULL, 'LDAP', 'CHARTGATE', $6) RETURNING user_seq AS id";

/// One person in one transaction: locks, the clock, the look for the key and for the name, the insert, the look at it.
async fn insert(connection: &mut PgConnection, number: usize) -> sqlx::Result<()> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";
    connection.execute(sqlx::raw_sql(begin)).await?;
    for lock in [2 * number, 2 * number + 1] {
        let lock = i64::try_from(lock).expect("a small number");
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(&mut *connection).await?;
    }
    let now: sqlx::types::time::OffsetDateTime =
        sqlx::query_scalar("SELECT CURRENT_TIMESTAMP").fetch_one(&mut *connection).await?;
    let today = now.date();
    let find = [RECORD, "WHERE u.employee_no = $2"].concat();
    let found = sqlx::query(sqlx::AssertSqlSafe(find)).bind(today).bind(employee(number));
    assert!(found.fetch_all(&mut *connection).await?.is_empty());
    let mnemonic: String = format!("T{}", family(number).to_uppercase()).chars().take(12).collect();
    let taken = sqlx::query("SELECT 1 AS taken FROM user_dict u WHERE u.user_mnemonic = $1").bind(&mnemonic);
    assert!(taken.fetch_all(&mut *connection).await?.is_empty());
    let insert = sqlx::query(INSERT).bind(&mnemonic).bind(family(number)).bind("Testperson").bind(employee(number));
    let moment = sqlx::types::time::PrimitiveDateTime::new(now.date(), now.time());
    let id: i64 = insert.bind(today).bind(moment).fetch_one(&mut *connection).await?.try_get(0)?;
    let get = [RECORD, "WHERE u.user_seq = $2"].concat();
    let made = sqlx::query(sqlx::AssertSqlSafe(get)).bind(today).bind(id).fetch_all(&mut *connection).await?;
    assert_eq!(made.len(), 1);
    connection.execute(sqlx::raw_sql("COMMIT")).await?;
    Ok(())
}

/// Closes what was opened.
pub async fn closed(connection: PgConnection) {
    connection.close().await.expect("PostgreSQL lets go");
}
