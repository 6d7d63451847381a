//! What is done once a change is committed: a statement, a procedure, a call over HTTP. And where listings are read.

use crate::support::{Stage, Ward, account, give, group, laid_over, profile, set, state};
use connector_spi::{AccountState, Change, Class, ConnectorType, Cursor, Effect};
use connector_sql::Sql;
use serde_json::{Value as Json, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server that answers with this status and keeps the requests.
async fn listens(status: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut block = vec![0; 8192];
            let mut got = 0;
            while let Ok(read @ 1..) = stream.read(&mut block[got..]).await {
                got += read;
                let text = String::from_utf8_lossy(&block[..got]).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    keep.lock().unwrap().push(format!("{} {body}", head.lines().next().unwrap()));
                    break;
                }
            }
            if status.is_empty() {
                continue;
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (addr, heard)
}

fn calls(addr: SocketAddr, on: &[&str]) -> Json {
    json!({
        "http": {"ehr": {"url": format!("http://{addr}/admin"), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 5}},
        "kinds": {"account": {"after": [{
            "name": "cache", "on": on,
            "http": {"place": "ehr", "method": "POST", "path": "/users/{mnemonic}/refresh", "body": {"seq": "id", "state": "state"}, "also_ok": [404]},
        }]}},
    })
}

#[tokio::test]
async fn a_call_follows_the_commit_and_values_in_it_are_values() {
    let (addr, heard) = listens("204 No Content").await;
    let stage = Ward::sqlite().await.stage_with(calls(addr, &["closed", "given"])).await;
    let mut person = crate::support::person(1);
    person.insert("mnemonic".to_owned(), vec!["A/B?C=D".into()]);
    let made = stage.target.create(&stage.cx("c"), &account(), &person, AccountState::Enabled, &[]).await.unwrap();
    stage.change(&made.id, set("email", "x@hosp.example")).await.unwrap();
    assert!(heard.lock().unwrap().is_empty());

    let updated = stage.change(&made.id, state(AccountState::Disabled)).await.unwrap();

    assert_eq!(updated.failed, []);
    let heard = heard.lock().unwrap().join("\n");
    assert!(heard.starts_with("POST /admin/users/A%2FB%3FC%3DD/refresh HTTP/1.1 "), "{heard}");
    assert!(heard.contains(&format!("{{\"seq\":\"{}\",\"state\":\"disabled\"}}", made.id)), "{heard}");
}

#[tokio::test]
async fn a_call_that_fails_is_a_part_that_failed_and_the_change_stays() {
    let (addr, heard) = listens("503 Busy").await;
    let stage = Ward::sqlite().await.stage_with(calls(addr, &["closed"])).await;
    let id = stage.create(1, &[]).await.unwrap().id;

    for (times, change) in [(1, state(AccountState::Disabled)), (2, Change { again: true, ..Change::default() })] {
        let updated = stage.change(&id, change).await.unwrap();
        let failed: Vec<_> =
            updated.failed.iter().map(|part| (part.part.as_str(), part.error.class, part.error.effect)).collect();
        assert_eq!(failed, [("after:cache", Class::Transient, Effect::Partial)]);
        assert_eq!(heard.lock().unwrap().len(), times, "what failed is done again when it is asked for");
        assert!(heard.lock().unwrap().iter().all(|call| call.contains("\"state\":\"disabled\"")));
    }
    assert_eq!(stage.read(&id).await.state, AccountState::Disabled);
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_made_again_with_the_change_and_the_change_stands_once() {
    // A server that hears the call and hangs up without a word.
    let (addr, heard) = listens("").await;
    let stage = Ward::sqlite().await.stage_with(calls(addr, &["closed"])).await;
    let id = stage.create(1, &[]).await.unwrap().id;
    let mut before = None;
    for times in 1..=3 {
        let updated = stage.change(&id, state(AccountState::Disabled)).await.unwrap();
        let failed: Vec<_> = updated.failed.iter().map(|part| (part.part.as_str(), part.error.class)).collect();
        assert_eq!(failed, [("after:cache", Class::Timeout)]);
        assert_eq!(heard.lock().unwrap().len(), times);
        let mut now = stage.ehr().state().await.unwrap();
        for row in now["user_dict"].as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|column, _| !matches!(column.as_str(), "row_version" | "changed_at"));
        }
        assert_eq!(before.get_or_insert_with(|| now.clone()), &now, "the change stands as it stood");
    }
}

#[tokio::test]
async fn sessions_that_only_the_target_can_end_are_ended_by_a_call() {
    let (addr, heard) = listens("404 Not Found").await;
    let mut more = calls(addr, &["sessions"]);
    laid_over(&mut more, json!({"session_revocation": "api", "kinds": {"account": {"revoke_sessions": []}}}));
    let stage = Ward::sqlite().await.stage_with(more).await;
    let id = stage.create(1, &[]).await.unwrap().id;
    stage.target.effect().unwrap().revoke_sessions(&stage.cx("r"), &account(), &id).await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_procedure_is_called_after_the_commit_with_bound_values() {
    let Some(ward) = Ward::postgres().await else { return };
    ward.ehr.run("CREATE TABLE refreshed (mnemonic TEXT, state TEXT)").await.unwrap();
    let procedure = "CREATE PROCEDURE refresh_user(who TEXT, what TEXT) LANGUAGE SQL AS \
                     'INSERT INTO refreshed VALUES (who, what)'";
    ward.ehr.run(procedure).await.unwrap();
    let step = json!({"sql": "CALL refresh_user(:mnemonic, :state)", "rows": "any"});
    let more = json!({"kinds": {"account": {"after": [{"name": "refresh", "on": ["closed"], "step": step}]}}});
    let stage = ward.stage_with(more).await;
    let id = stage.create(1, &[]).await.unwrap().id;

    assert_eq!(stage.change(&id, state(AccountState::Disabled)).await.unwrap().failed, []);

    let found =
        stage.ehr().count("SELECT COUNT(*) FROM refreshed WHERE mnemonic = 'TEXAMPLE1' AND state = 'disabled'").await;
    assert_eq!(found.unwrap(), 1);
}

#[tokio::test]
async fn a_dry_run_says_which_statements_it_would_run_and_none_of_the_values() {
    let stage = Ward::sqlite().await.stage().await;
    let id = stage.create(1, &[]).await.unwrap().id;
    let before = stage.ehr().state().await.unwrap();
    let mut cx = stage.cx("dry");
    cx.dry_run = true;
    let mut change = give(vec![group("CSRX")]);
    change.state = Some(AccountState::Disabled);
    change.attrs = set("email", "secret@hosp.example").attrs;
    stage.target.update(&cx, &account(), &id, &change).await.unwrap();
    let told = stage.host.heard();
    assert!(told.contains("account.states.disabled.0.sql") && told.contains("account.update.0.sql"), "{told}");
    assert!(!told.contains("secret@"));
    assert_eq!(stage.ehr().state().await.unwrap(), before);
}

async fn with_copy() -> (Stage, Ward) {
    let copy = Ward::sqlite().await;
    let more = json!({"replica": {"database": copy.database.clone(), "lag": 86_400}});
    (Ward::sqlite().await.stage_with(more).await, copy)
}

#[tokio::test]
async fn listings_come_from_the_copy_and_nothing_may_be_removed_on_their_word() {
    let (stage, copy) = with_copy().await;
    let id = stage.create(1, &[group("CSRX")]).await.unwrap().id;
    let old = "INSERT INTO user_dict (user_mnemonic, last_name, first_name, begin_date, changed_by, changed_at) \
               VALUES ('YESTERDAY', 'Example', 'Testperson', '2026-01-01', 'X', '2026-01-01 00:00:00')";
    copy.ehr.run(old).await.unwrap();

    let page = stage.target.lister().unwrap().list(&stage.cx("l"), &account(), None, 10).await.unwrap();

    let names: Vec<String> = page.items.iter().map(|record| record.attrs["mnemonic"][0].to_string()).collect();
    assert_eq!(names, ["YESTERDAY"]);
    assert!(page.items.iter().all(|record| record.incomplete));
    let record = stage.read(&id).await;
    assert!(!record.incomplete, "what decisions rest on is read from the database itself");
    assert_eq!(stage.find(1).await.len(), 1);
}

#[tokio::test]
async fn a_copy_that_does_not_answer_is_told_and_stops_nothing_but_listings() {
    let more = json!({"replica": {"database": {"engine": "sqlite", "path": "/nonexistent/copy.db"}, "lag": 60}});
    let stage = Ward::sqlite().await.stage_with(more).await;
    let health = stage.target.check(&stage.cx("c")).await.unwrap();
    assert!(health.warnings.iter().any(|warning| warning.contains("does not answer")), "{:?}", health.warnings);
    stage.create(1, &[]).await.unwrap();
    assert!(stage.target.lister().unwrap().list(&stage.cx("l"), &account(), None, 10).await.is_err());
}

#[tokio::test]
async fn a_target_that_is_read_only_takes_no_write() {
    let stage = Ward::sqlite().await.stage_with(json!({"read_only": true})).await;
    assert_eq!(stage.create(1, &[]).await.unwrap_err().class, Class::Unsupported);
    let schema = stage.target.schema(&stage.cx("s")).await.unwrap();
    let caps = &schema.kinds[&account()].caps;
    assert!(!caps.create && !caps.update && !caps.disable && caps.list);
}

#[tokio::test]
async fn a_listing_goes_on_where_it_was_and_reads_what_each_account_holds() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        for number in 0..7 {
            stage.create(number, &[group(if number % 2 == 0 { "CSRX" } else { "CSAPPR" })]).await.unwrap();
        }
        let lister = stage.target.lister().unwrap();
        let (mut cursor, mut seen): (Option<Cursor>, Vec<String>) = (None, Vec::new());
        loop {
            let page = lister.list(&stage.cx("l"), &account(), cursor.as_ref(), 3).await.unwrap();
            assert!(page.complete && page.items.len() <= 3);
            seen.extend(page.items.iter().map(|record| record.entitlements.as_ref().unwrap()[0].value.to_string()));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["CSRX", "CSAPPR", "CSRX", "CSAPPR", "CSRX", "CSAPPR", "CSRX"]);
        let strange = lister.list(&stage.cx("l"), &account(), Some(&Cursor::from("x'; --")), 3).await.unwrap_err();
        assert_eq!(strange.class, Class::Invalid);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_a_matter_of_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(
        &path,
        "visibly no database, but long enough to be read as one by somebody who does not look at it".repeat(10),
    )
    .unwrap();
    let stage = Ward::sqlite().await.stage().await;
    let config = serde_json::from_value(profile(json!({"engine": "sqlite", "path": path}), json!({}))).unwrap();
    let target = Sql::open(config, stage.host.clone()).await.unwrap();
    assert_eq!(target.check(&stage.cx("c")).await.unwrap_err().class, Class::Config);
}
