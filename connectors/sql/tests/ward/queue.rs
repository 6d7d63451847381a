//! A target that works a table of requests off: what is written there is done when its own job has run.

use crate::support::{account, attrs, give, key};
use connector_spi::{
    AccountState, Change, Class, Connector, ConnectorType, Ctx, Delta, Effect, Entitlement, NativeId, TicketState,
    Value,
};
use connector_sql::{Config, Sql};
use connector_testkit::{TestHost, laid_over};
use serde_json::{Value as Json, json};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

const TABLES: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, login TEXT UNIQUE, title TEXT, active INTEGER NOT NULL DEFAULT 1);
    CREATE TABLE held (person INTEGER, role TEXT, PRIMARY KEY (person, role));
    CREATE TABLE requests (no INTEGER PRIMARY KEY, op TEXT, what TEXT, person INTEGER, login TEXT, value TEXT,
                           state TEXT NOT NULL DEFAULT 'open', reason TEXT);";

/// The target's own job: requests for a unit that is not there are refused, the others are done.
const JOB: &str = "
    UPDATE requests SET state = 'refused', reason = 'no such unit' WHERE state = 'open' AND value = 'nowhere';
    INSERT INTO people (login, title) SELECT login, value FROM requests WHERE what = 'add' AND state = 'open';
    UPDATE requests SET person = (SELECT id FROM people p WHERE p.login = requests.login)
        WHERE what = 'add' AND state = 'open';
    UPDATE people SET active = 0 WHERE id IN (SELECT person FROM requests WHERE what = 'off' AND state = 'open');
    UPDATE people SET title = (SELECT value FROM requests WHERE what = 'title' AND state = 'open' AND person = people.id)
        WHERE id IN (SELECT person FROM requests WHERE what = 'title' AND state = 'open');
    INSERT OR IGNORE INTO held SELECT person, value FROM requests WHERE what = 'give' AND state = 'open';
    UPDATE requests SET state = 'done' WHERE state = 'open';";

fn config(path: &Path, more: Json) -> Json {
    let ask = |what: &str, value: &str| json!([{"sql": format!("INSERT INTO requests (op, what, person, value) VALUES (:op, '{what}', :id, {value})")}]);
    let mut all = json!({
        "database": {"engine": "sqlite", "path": path},
        "kinds": {
            "account": {
                "role": "account", "natural_keys": [["login"]], "id": {"type": "integer"},
                "attributes": {"login": {"max_length": 20, "required": true, "updatable": false}, "title": {"max_length": 40}},
                "record": "SELECT id, login, title, CASE active WHEN 1 THEN 'enabled' ELSE 'disabled' END AS state FROM people",
                "get": "WHERE id = :id",
                "find": [{"key": ["login"], "sql": "WHERE login = :login"}],
                "create": {"insert": "INSERT INTO requests (op, what, login, value) VALUES (:op, 'add', :login, :title)"},
                "update": ask("title", ":title"),
                "states": {"disabled": ask("off", "NULL")},
                "entitlements": {"role": {
                    "read": {"sql": "SELECT person AS id, role AS value FROM held WHERE person BETWEEN :first AND :last"},
                    "add": ask("give", ":value"), "remove": ask("take", ":value"),
                }},
                "queue": {
                    "poll_after_seconds": 20,
                    "ticket": "SELECT state, CASE what WHEN 'add' THEN person END AS id,
                                      CASE reason WHEN 'no such unit' THEN 'Invalid' END AS class, reason AS code,
                                      CASE reason WHEN 'no such unit' THEN 'title' END AS attribute
                               FROM requests WHERE op = :ticket ORDER BY no DESC LIMIT 1",
                },
            },
            "role": {"role": "entitlement", "record": "SELECT role AS id FROM held", "id": {"type": "text"}},
        },
    });
    laid_over(&mut all, more);
    all
}

struct Stage {
    _room: tempfile::TempDir,
    pool: SqlitePool,
    target: Arc<dyn Connector>,
    host: Arc<TestHost>,
}

impl Stage {
    async fn new() -> Stage {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("interface.db");
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path).create_if_missing(true));
        let pool = pool.await.unwrap();
        sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
        let config: Config = serde_json::from_value(config(&path, json!({}))).unwrap();
        assert_eq!(Sql::check_config(&config), []);
        let host = TestHost::of("unused");
        let target = Sql::open(config, host.clone()).await.unwrap();
        Stage { _room: room, pool, target, host }
    }

    fn cx(&self, op: &str) -> Ctx {
        Ctx::new(op, Instant::now() + Duration::from_secs(10), self.host.clone())
    }

    /// The target's job runs.
    async fn work_off(&self) {
        sqlx::raw_sql(JOB).execute(&self.pool).await.unwrap();
    }

    async fn ask(&self, ticket: &str) -> connector_spi::Result<TicketState> {
        self.target.tickets().unwrap().ticket(&self.cx("t"), &account(), ticket).await
    }

    /// Asks for an account, and gives its ticket.
    async fn order(&self, op: &str, login: &str, title: &str) -> String {
        let (attrs, roles) = (attrs(&[("login", login), ("title", title)]), [Entitlement::new("role", "rn")]);
        let created =
            self.target.create(&self.cx(op), &account(), &attrs, AccountState::Enabled, &roles).await.unwrap();
        assert_eq!((created.id.as_str(), created.failed), ("", vec![]));
        let pending = created.pending.unwrap();
        assert_eq!(pending.poll_after, Duration::from_secs(20));
        pending.ticket
    }

    /// Asks for a change, and gives its ticket.
    async fn change(&self, op: &str, id: &NativeId, change: &Change) -> Option<String> {
        let updated = self.target.update(&self.cx(op), &account(), id, change).await.unwrap();
        updated.pending.map(|pending| pending.ticket)
    }
}

#[tokio::test]
async fn what_is_asked_for_is_pending_until_the_target_has_done_it() {
    let stage = Stage::new().await;
    let ticket = stage.order("op-1", "nurse7", "Nurse").await;
    assert_eq!(stage.ask(&ticket).await.unwrap(), TicketState::Open);
    let found = async || stage.target.find(&stage.cx("f"), &account(), &key("login", "nurse7")).await.unwrap();
    assert!(found().await.is_empty());
    stage.work_off().await;
    let id = found().await.remove(0).id;
    assert_eq!(stage.ask(&ticket).await.unwrap(), TicketState::Done { id: Some(id.clone()) });

    let roles = give(vec![Entitlement::new("role", "rn"), Entitlement::new("role", "icu")]);
    let closing = Change {
        state: Some(AccountState::Disabled),
        attrs: [("title".to_owned(), Delta::Set(vec![Value::from("Left")]))].into(),
        ..roles
    };
    let ticket = stage.change("op-2", &id, &closing).await.unwrap();
    assert_eq!(ticket, "op-2", "one ticket for all parts of a change");
    assert_eq!(found().await[0].state, AccountState::Enabled, "nothing is done yet");
    stage.work_off().await;
    assert_eq!(stage.ask(&ticket).await.unwrap(), TicketState::Done { id: None });
    let record = found().await.remove(0);
    assert_eq!(record.attrs["title"], ["Left".into()]);
    assert_eq!((record.state, record.entitlements.unwrap().len()), (AccountState::Disabled, 2));
    let so_already = Change { attrs: closing.attrs.clone(), ..Change::default() };
    assert_eq!(stage.change("op-3", &id, &so_already).await, None, "what is so already needs no request");
}

#[tokio::test]
async fn what_the_target_refuses_is_told_with_its_class_and_a_strange_ticket_is_not_found() {
    let stage = Stage::new().await;
    let ticket = stage.order("op-1", "nurse7", "nowhere").await;
    stage.work_off().await;
    let TicketState::Refused(error) = stage.ask(&ticket).await.unwrap() else { panic!("it is refused") };
    assert_eq!((error.class, error.effect), (Class::Invalid, Effect::None));
    assert_eq!((error.attribute.as_deref(), error.native_code.as_deref()), (Some("title"), Some("no such unit")));
    // The same change, tried again: the newest request counts.
    assert_eq!(stage.order("op-1", "nurse7", "Nurse").await, ticket);
    assert_eq!(stage.ask(&ticket).await.unwrap(), TicketState::Open);
    assert_eq!(stage.ask("op-9").await.unwrap_err().class, Class::NotFound);
}

#[test]
fn a_queue_goes_with_nothing_that_is_done_at_once() {
    let issues = |more: Json| {
        let config: Config = serde_json::from_value(config(Path::new("/nowhere/x.db"), more)).unwrap();
        Sql::check_config(&config).into_iter().map(|issue| issue.pointer).collect::<Vec<_>>()
    };
    let of = |what: Json| issues(json!({"kinds": {"account": what}}));
    assert_eq!(of(json!({"touch": "UPDATE people SET active = active WHERE id = :id"})), ["/kinds/account/touch"]);
    assert_eq!(of(json!({"delete": [{"sql": "DELETE FROM people WHERE id = :id"}]})), ["/kinds/account/delete"]);
    let insert = "INSERT INTO requests (what, login, value) VALUES ('add', :login, :title)";
    assert_eq!(of(json!({"create": {"insert": insert}})), ["/kinds/account/create/insert"], "no ticket could be found");
    let ticket = "SELECT state FROM requests ORDER BY no DESC LIMIT 1";
    assert_eq!(of(json!({"queue": {"ticket": ticket}})), ["/kinds/account/queue/ticket"]);
}
