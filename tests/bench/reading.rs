//! Every account of a target read by its connector, held against the same pages read by a client that throws them away.

use crate::calls::{Again, Call, Listener};
use crate::connectors::{Target, host, within};
use crate::figure::{Figure, Goal, median, size};
use crate::process::memory;
use crate::ward::{self, RECORD, Ward};
use connector_ldap::Ldap;
use connector_spi::{Connector, ConnectorType, Cursor, Kind};
use fixtures::ehr_rest::{self, EhrRest};
use fixtures::scim_server::ScimServer;
use harness::Slapd;
use ldap3::Scope;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use serde_json::{Value as Json, json};
use sqlx::Row;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

/// Records asked for at a time.
const PAGE: u32 = 500;
const PEOPLE: &str = "ou=people,dc=hosp,dc=example";

/// What came of one full read.
struct Read {
    seconds: f64,
    /// MB by which the process was larger at its largest than after the first tenth.
    grown: f64,
}

/// Full reads of targets that can be had with as many accounts.
pub fn measure() -> Vec<Figure> {
    let count = size("ACCOUNTS", 100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut figures = Vec::new();
        let rest = filled_ehr(count);
        figures.extend(over_http(&rest, count).await);
        drop(rest);
        let scim = ScimServer::start(Default::default()).expect("the simulator starts");
        scim.seed_users(u32::try_from(count - scim.accounts()).expect("a small number"));
        figures.extend(over_http(&scim, count).await);
        drop(scim);
        figures.extend(of_ward(count).await);
        figures.extend(of_directory(count).await);
        figures
    })
}

fn filled_ehr(count: usize) -> EhrRest {
    let person = |number: usize| {
        json!({
            "name": { "first": "Testperson", "last": "Example" }, "username": format!("t{number}"),
            "aliases": [{ "pool": "EMPLOYEE", "type": "EXTERNAL", "value": (100_000 + number).to_string() }],
        })
    };
    let seed: Vec<Json> = (0..count).map(person).collect();
    EhrRest::start(ehr_rest::Options { rate_limit: None, seed, ..Default::default() }).expect("the simulator starts")
}

async fn over_http<T: Target>(target: &T, count: usize) -> [Figure; 2] {
    let listener = Listener::before(target.addr()).await;
    everything(&T::connector(listener.addr).await, count).await;
    let calls = listener.calls();
    let connector = T::connector(target.addr()).await;
    let again = Again::to(target.addr(), &calls).await;
    let raw = async || replayed(&again, &calls).await;
    rounds(T::NAME, "reqwest", &connector, count, raw).await
}

async fn replayed(again: &Again, calls: &[Call]) {
    for call in calls.iter().filter(|call| !call.asks_for_token()) {
        again.send(call).await;
    }
}

async fn rounds(
    name: &str,
    client: &str,
    connector: &Arc<dyn Connector>,
    count: usize,
    raw: impl AsyncFn(),
) -> [Figure; 2] {
    let (mut times, mut ours, mut theirs, mut grown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    raw().await;
    for _ in 0..size("ROUNDS", 5).min(3) {
        let began = Instant::now();
        raw().await;
        let took = began.elapsed().as_secs_f64();
        let read = everything(connector, count).await;
        times.push(read.seconds / took);
        ours.push(read.seconds);
        theirs.push(took);
        grown.push(read.grown);
    }
    let what = format!("all {count} accounts of {name} read by the connector / the same pages by {client}");
    [
        Figure::of(what, Some(Goal::AtMost(2.0)), "", times).with(format!(
            "{:.2} s / {:.2} s",
            median(&ours),
            median(&theirs)
        )),
        Figure::of(format!("memory that grows while they are read from {name}"), Some(Goal::AtMost(8.0)), "MB", grown)
            .with("the process at its largest / after the first tenth"),
    ]
}

/// Reads all accounts, page by page, keeping none.
async fn everything(connector: &Arc<dyn Connector>, count: usize) -> Read {
    let lister = connector.lister().expect("the target can be listed");
    let kind = Kind::from("account");
    let (mut read, mut cursor, mut first) = (0, None::<Cursor>, None);
    let (mut largest, began) = (0.0_f64, Instant::now());
    loop {
        let page = lister.list(&within("read"), &kind, cursor.as_ref(), PAGE).await.expect("a page");
        assert!(page.complete && page.items.iter().all(|record| !record.incomplete), "a whole page");
        read += page.items.len();
        let (now, _) = memory(std::process::id());
        largest = largest.max(now);
        if first.is_none() && read * 10 >= count {
            first = Some(now);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(read, count, "every account was read");
    Read { seconds: began.elapsed().as_secs_f64(), grown: (largest - first.unwrap_or(largest)).max(0.0) }
}

async fn of_ward(count: usize) -> Vec<Figure> {
    let Some(ward) = Ward::start().await else {
        eprintln!("   left out: there is no PostgreSQL");
        return Vec::new();
    };
    let fill = format!(
        "INSERT INTO user_dict (user_mnemonic, last_name, first_name, employee_no, user_kind, begin_date, auth_source, \
         changed_by, changed_at) SELECT 'T' || n, 'Example', 'Testperson', (100000 + n)::text, 'P', CURRENT_DATE, 'LDAP', \
         'CHARTGATE', LOCALTIMESTAMP FROM generate_series(1, {count}) AS n"
    );
    ward.ehr.run(&fill).await.expect("people");
    ward.ehr.run("ANALYZE").await.expect("statistics");
    let connector = ward.connector().await;
    let connection = tokio::sync::Mutex::new(Some(ward.connection().await));
    let raw = async || {
        let mut held = connection.lock().await;
        pages(held.as_mut().expect("a connection"), count).await.expect("PostgreSQL answers");
    };
    let figures = rounds("PostgreSQL", "sqlx", &connector, count, raw).await;
    ward::closed(connection.into_inner().expect("a connection")).await;
    figures.into()
}

const MENUS: &str =
    "SELECT u.user_seq AS id, m.menu_mnemonic AS value, m.facility_id AS scope_facility, m.begin_date AS valid_from,
  m.end_date AS valid_to FROM user_menu m JOIN user_dict u ON u.user_mnemonic = m.user_mnemonic
  WHERE u.user_seq BETWEEN $1 AND $2 AND (m.end_date IS NULL OR m.end_date > $3)";

const GROUPS: &str =
    "SELECT u.user_seq AS id, g.group_mnemonic AS value, g.begin_date AS valid_from, g.end_date AS valid_to
  FROM user_access_group g JOIN user_dict u ON u.user_mnemonic = g.user_mnemonic
  WHERE u.user_seq BETWEEN $1 AND $2 AND (g.end_date IS NULL OR g.end_date > $3)";

/// The pages with what accounts hold, each in a transaction.
async fn pages(connection: &mut sqlx::postgres::PgConnection, count: usize) -> sqlx::Result<()> {
    use sqlx::Executor;
    let today: sqlx::types::time::Date = sqlx::query_scalar("SELECT CURRENT_DATE").fetch_one(&mut *connection).await?;
    let page = [RECORD, "WHERE $2 IS NULL OR u.user_seq > $2 ORDER BY u.user_seq LIMIT 500"].concat();
    let (mut after, mut read) = (None::<i64>, 0);
    loop {
        connection.execute(sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")).await?;
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(page.clone())).bind(today).bind(after).fetch_all(&mut *connection).await?;
        let Some(last) = rows.last() else { break };
        let (first, last): (i64, i64) = (rows[0].try_get(0)?, last.try_get(0)?);
        for held in [MENUS, GROUPS] {
            sqlx::query(held).bind(first).bind(last).bind(today).fetch_all(&mut *connection).await?;
        }
        connection.execute(sqlx::raw_sql("COMMIT")).await?;
        read += rows.len();
        after = Some(last);
    }
    connection.execute(sqlx::raw_sql("COMMIT")).await?;
    assert_eq!(read, count);
    Ok(())
}

async fn of_directory(count: usize) -> Vec<Figure> {
    let Some(slapd) = Slapd::start("the benchmark", false) else {
        eprintln!("   left out: there is no slapd");
        return Vec::new();
    };
    // The directory comes with one person in it.
    fill(&slapd, count - 1).await;
    let connector = directory(&slapd).await;
    let raw = async || searched(&slapd, count).await;
    rounds("OpenLDAP", "ldap3", &connector, count, raw).await.into()
}

async fn directory(slapd: &Slapd) -> Arc<dyn Connector> {
    let config = json!({
        "url": slapd.url(), "bind_dn": "cn=admin,dc=hosp,dc=example", "bind_password": { "env": "DIRECTORY" },
        "account": {
            "base": PEOPLE, "object_classes": ["inetOrgPerson", "clinPerson"], "owned_mark": "clinGatewayId", "lock": {},
            "status": { "attribute": "clinAccountStatus", "enabled": "active", "disabled": "ended" },
        },
    });
    let config = serde_json::from_value(config).expect("settings");
    Ldap::open(config, host()).await.expect("the connector opens")
}

async fn fill(slapd: &Slapd, count: usize) {
    let mut all = tokio::task::JoinSet::new();
    for place in 0..8 {
        let mut admin = slapd.admin().await;
        all.spawn(async move {
            for number in (place..count).step_by(8) {
                let one = |text: String| HashSet::from([text]);
                let entry = vec![
                    ("objectClass".to_owned(), HashSet::from(["inetOrgPerson".to_owned(), "clinPerson".to_owned()])),
                    ("uid".to_owned(), one(format!("t{number}"))),
                    ("cn".to_owned(), one(format!("Testperson {number} Example"))),
                    ("sn".to_owned(), one("Example".to_owned())),
                    ("employeeNumber".to_owned(), one((100_000 + number).to_string())),
                    ("clinAccountStatus".to_owned(), one("active".to_owned())),
                ];
                let added = admin.add(&format!("uid=t{number},{PEOPLE}"), entry).await.expect("slapd answers");
                added.success().expect("slapd does it");
            }
        });
    }
    all.join_all().await;
}

async fn searched(slapd: &Slapd, count: usize) {
    let mut admin = slapd.admin().await;
    let adapters: Vec<Box<dyn Adapter<'_, &str, Vec<&str>>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(i32::try_from(PAGE).expect("a small number")))];
    let attributes = vec!["*", "entryUUID", "modifyTimestamp", "pwdAccountLockedTime", "memberOf"];
    let found =
        admin.streaming_search_with(adapters, PEOPLE, Scope::Subtree, "(objectClass=inetOrgPerson)", attributes);
    let mut found = found.await.expect("slapd answers");
    let mut read = 0;
    while found.next().await.expect("slapd answers").is_some() {
        read += 1;
    }
    assert_eq!(read, count);
}
