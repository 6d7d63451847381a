//! Plugins that do harm. Each is contained: its calls end in time with a class that says what is known, nothing false is
//! believed, and the gateway's own memory and log stay bounded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use connector_spi::{AccountState, Attrs, BatchOp, Class, ConnError, Connector, Effect, Kind, NativeId, Value};
use connector_testkit::TestHost;
use serde_json::json;
use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};
use support::{child, hostile, open, within};
use tokio::time::{Instant, sleep};

fn account() -> Kind {
    Kind::from("account")
}

async fn get(connector: &Arc<dyn Connector>, host: &Arc<TestHost>, id: &str, millis: u64) -> Result<String, ConnError> {
    let found = connector.get(&within(host, millis), &account(), &NativeId::from(id)).await?;
    Ok(found.unwrap().id.0)
}

async fn create(connector: &Arc<dyn Connector>, host: &Arc<TestHost>, millis: u64) -> ConnError {
    let made = connector.create(&within(host, millis), &account(), &Attrs::new(), AccountState::Enabled, &[]).await;
    made.unwrap_err()
}

fn is(error: &ConnError, class: Class, effect: Effect, words: &str) {
    assert_eq!((error.class, error.effect), (class, effect), "{error}");
    assert!(error.message.contains(words) && error.message.contains("hostile"), "{error}");
}

#[tokio::test]
async fn a_call_that_hangs_ends_at_its_deadline_and_others_go_on() {
    let host = TestHost::new();
    let connector = hostile("hangs", &host).await;
    let begun = Instant::now();

    let (slow, quick) = tokio::join!(get(&connector, &host, "slow", 500), get(&connector, &host, "quick", 5_000));
    let written = create(&connector, &host, 300).await;

    is(&slow.unwrap_err(), Class::Timeout, Effect::None, "no answer in time");
    assert_eq!(quick.unwrap(), "quick");
    is(&written, Class::Timeout, Effect::Maybe, "no answer in time");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_another_calls() {
    let host = TestHost::new();
    let connector = hostile("answers late", &host).await;
    get(&connector, &host, "slow", 200).await.unwrap_err();
    for _ in 0..20 {
        assert_eq!(get(&connector, &host, "quick", 5_000).await.unwrap(), "quick");
    }
}

#[tokio::test]
async fn answers_out_of_order_find_their_calls() {
    let host = TestHost::new();
    let connector = hostile("out of order", &host).await;
    let ids: Vec<String> = (0..8).map(|number| format!("id-{number}")).collect();
    let all = futures_util::future::join_all(ids.iter().map(|id| get(&connector, &host, id, 5_000))).await;
    assert_eq!(all.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn a_flood_ends_in_a_bounded_log_and_a_call_without_answer() {
    let host = TestHost::new();
    let connector = hostile("floods", &host).await;

    let error = get(&connector, &host, "1", 1_500).await.unwrap_err();

    is(&error, Class::Timeout, Effect::None, "no answer in time");
    assert!(host.events().len() < 400, "{}", host.events().len());
}

#[tokio::test]
async fn a_plugin_that_asks_without_end_and_never_listens_is_ended() {
    let host = TestHost::new();
    let connector = hostile("floods with requests", &host).await;
    let error = get(&connector, &host, "1", 20_000).await.unwrap_err();
    is(&error, Class::Unknown, Effect::None, "does not read the answers");
}

#[tokio::test]
async fn a_second_answer_and_an_answer_to_nobody_end_the_plugin() {
    let host = TestHost::new();
    for (harm, words) in [("answers twice", "twice"), ("answers nobody", "never made")] {
        let connector = hostile(harm, &host).await;
        let first = get(&connector, &host, "1", 5_000).await;
        assert!(first.is_ok() || harm == "answers nobody");
        sleep(Duration::from_millis(200)).await;
        let error = first.err().unwrap_or(get(&connector, &host, "1", 100).await.unwrap_err());
        assert!(error.message.contains(words), "{harm}: {error}");
        // It is started anew, after a pause.
        assert_eq!(get(&connector, &host, "1", 10_000).await.is_ok(), harm == "answers twice");
    }
}

#[tokio::test]
async fn an_answer_for_another_call_is_not_believed() {
    let host = TestHost::new();
    let connector = hostile("mixes up calls", &host).await;
    let (one, two) = tokio::join!(get(&connector, &host, "1", 5_000), get(&connector, &host, "2", 5_000));
    is(&one.unwrap_err(), Class::Unknown, Effect::None, "another id");
    is(&two.unwrap_err(), Class::Unknown, Effect::None, "another id");
}

#[tokio::test]
async fn another_accounts_record_is_never_passed_on() {
    let host = TestHost::new();
    let connector = hostile("another account", &host).await;
    let (cx, kind) = (within(&host, 5_000), account());

    let got = connector.get(&cx, &kind, &"1".into()).await.unwrap_err();
    let key = BTreeMap::from([("login".to_owned(), Value::from("me"))]);
    let found = connector.find(&cx, &kind, &key).await.unwrap_err();
    let listed = connector.lister().unwrap().list(&cx, &kind, None, 1).await.unwrap_err();
    let created = create(&connector, &host, 5_000).await;
    let op: BatchOp = serde_json::from_value(json!({"op": "update", "opId": "o", "kind": "account", "id": "1",
        "change": {}}))
    .unwrap();
    let applied = connector.batcher().unwrap().apply(&cx, &[op.clone(), op]).await;

    is(&got, Class::Unknown, Effect::None, "another id");
    is(&found, Class::Unknown, Effect::None, "another key");
    is(&listed, Class::Unknown, Effect::None, "more records");
    is(&created, Class::Unknown, Effect::Maybe, "another id");
    assert_eq!(applied.len(), 2);
    for outcome in applied {
        is(&outcome.unwrap_err(), Class::Unknown, Effect::Maybe, "another number of outcomes");
    }
}

#[tokio::test]
async fn a_message_too_long_and_octets_that_are_no_text_end_the_plugin() {
    let host = TestHost::new();
    for (harm, words) in [("5 MiB", "longer than"), ("broken text", "no UTF-8")] {
        let connector = hostile(harm, &host).await;
        let error = create(&connector, &host, 5_000).await;
        is(&error, Class::Unknown, Effect::Maybe, words);
    }
}

#[tokio::test]
async fn a_plugin_that_leaks_memory_meets_its_limit_and_not_the_machines() {
    let host = TestHost::new();
    let mut settings = child("hostile leaks memory");
    settings["limits"] = json!({"memory": 64});
    let connector = open(settings, &host).await.unwrap();

    let error = create(&connector, &host, 20_000).await;

    is(&error, Class::Unknown, Effect::Maybe, "its process");
}

#[tokio::test]
async fn a_plugin_that_opens_files_without_end_meets_its_limit_and_goes_on() {
    let host = TestHost::new();
    let mut settings = child("hostile opens files");
    settings["limits"] = json!({"open_files": 32});
    let connector = open(settings, &host).await.unwrap();

    for _ in 0..2 {
        let health = connector.check(&within(&host, 10_000)).await.unwrap();
        let opened: u32 = health.server.unwrap().parse().unwrap();
        // Its three streams are among the thirty-two, and what the language keeps.
        assert!((16..=29).contains(&opened), "{opened}");
    }
}

#[tokio::test]
async fn a_plugin_that_burns_processor_time_is_ended_and_started_again() {
    let host = TestHost::new();
    let mut settings = child("hostile burns time");
    settings["limits"] = json!({"cpu": 1});
    let connector = open(settings, &host).await.unwrap();

    for _ in 0..2 {
        let error = create(&connector, &host, 30_000).await;
        is(&error, Class::Unknown, Effect::Maybe, "ended by signal");
    }
}

/// Processes that sleep for the ten minutes of the test's program, in this group.
fn sleepers(group: &str) -> usize {
    let stat = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("stat")).ok();
    let of_group = |stat: &String| {
        let rest: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        stat.contains("(sleep)") && rest.get(2) == Some(&group) && rest.first() != Some(&"Z")
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(stat).filter(of_group).count()
}

#[tokio::test]
async fn a_plugin_that_becomes_many_processes_is_ended_with_all_of_them() {
    let host = TestHost::new();
    let mut settings = child("hostile starts without end");
    settings["limits"] = json!({"processes": 8});
    let connector = open(settings, &host).await.unwrap();
    // The group is named like its first process, which is a child of this one.
    let leader = |stat: &str| {
        let rest: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        (rest.get(1) == Some(&std::process::id().to_string().as_str())).then(|| (*rest.get(2).unwrap()).to_owned())
    };
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let own: Vec<String> = stats
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| leader(&stat))
        .collect();

    let error = create(&connector, &host, 30_000).await;

    is(&error, Class::Unknown, Effect::Maybe, "more than 8 processes");
    let begun = Instant::now();
    let left = || own.iter().map(|group| sleepers(group)).sum::<usize>();
    while left() > 0 && begun.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!own.is_empty() && left() == 0, "{own:?}: {}", left());
}

#[tokio::test]
async fn a_death_in_the_middle_of_a_write_may_have_changed_the_target() {
    let host = TestHost::new();
    let connector = hostile("dies mid-write", &host).await;
    let error = create(&connector, &host, 5_000).await;
    is(&error, Class::Unknown, Effect::Maybe, "status 9");
    // The next call starts it again.
    assert_eq!(get(&connector, &host, "1", 10_000).await.unwrap(), "1");
}

#[tokio::test]
async fn what_ends_again_and_again_becomes_a_configuration_to_mend() {
    let host = TestHost::new();
    let settings = child("hostile crash at once");
    // Opening does not fail: a plugin that is down does not hold up the start.
    let connector = open(settings, &host).await.unwrap();
    let begun = Instant::now();

    let mut last = connector.check(&within(&host, 20_000)).await.unwrap_err();
    while last.class == Class::Transient && begun.elapsed() < Duration::from_secs(50) {
        assert_eq!(last.effect, Effect::None);
        last = connector.check(&within(&host, 20_000)).await.unwrap_err();
    }

    // Pauses of 1, 2, 4 and 8 seconds lie between five ends.
    assert_eq!(last.class, Class::Config, "{last}");
    assert!(last.message.contains("chartgate-test-plugin") && last.message.contains("5 times"), "{last}");
    assert!(last.message.contains("status 3"), "{last}");
    assert!(begun.elapsed() >= Duration::from_secs(14));
}

#[tokio::test]
async fn a_program_that_changed_is_not_started() {
    let host = TestHost::new();
    let room = tempfile::tempdir().unwrap();
    let program = room.path().join("pager");
    std::fs::copy(support::PROGRAM, &program).unwrap();
    let mut settings = child("hostile ends after a call");
    settings["command"] = json!([program]);
    let connector = open(settings.clone(), &host).await.unwrap();
    assert_eq!(get(&connector, &host, "1", 5_000).await.unwrap(), "1");
    sleep(Duration::from_millis(200)).await;

    // It has ended; before it is started again, somebody puts another file in its place.
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, "#!/bin/sh\necho harm\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = get(&connector, &host, "1", 10_000).await.unwrap_err();
    let anew = open(settings, &host).await.err().unwrap();

    is(&error, Class::Config, Effect::None, "SHA-256");
    assert_eq!(anew.class, Class::Config);
}

#[tokio::test]
async fn a_program_or_a_file_that_everybody_may_write_is_not_started() {
    let host = TestHost::new();
    let room = tempfile::tempdir().unwrap();
    let module = room.path().join("module");
    std::fs::write(&module, "x").unwrap();
    let mut settings = child("hostile honest");
    settings["files"] = json!({module.to_str().unwrap(): support::digest(&module)});
    assert!(open(settings.clone(), &host).await.is_ok());

    std::fs::set_permissions(&module, std::fs::Permissions::from_mode(0o666)).unwrap();
    let writable = open(settings.clone(), &host).await.err().unwrap();
    std::fs::write(&module, "y").unwrap();
    std::fs::set_permissions(&module, std::fs::Permissions::from_mode(0o644)).unwrap();
    let changed = open(settings, &host).await.err().unwrap();

    assert!(writable.class == Class::Config && writable.message.contains("everybody"), "{writable}");
    assert!(changed.class == Class::Config && changed.message.contains("SHA-256"), "{changed}");
}

#[tokio::test]
async fn a_script_is_started_by_its_interpreter() {
    let host = TestHost::new();
    let room = tempfile::tempdir().unwrap();
    let script = room.path().join("pager");
    std::fs::write(&script, format!("#!/bin/sh\nMODE='hostile honest' exec {}\n", support::PROGRAM)).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = json!({"command": [script], "sha256": support::digest(&script)});
    let connector = open(settings, &host).await.unwrap();
    assert_eq!(get(&connector, &host, "1", 5_000).await.unwrap(), "1");
}

#[tokio::test]
async fn a_plugin_that_does_not_answer_a_ping_is_ended() {
    let host = TestHost::new();
    let connector = hostile("deaf to pings", &host).await;
    // The first ping comes after ten seconds and has three.
    sleep(Duration::from_secs(14)).await;
    let error = get(&connector, &host, "1", 50).await.unwrap_err();
    is(&error, Class::Transient, Effect::None, "ping");
}

#[tokio::test]
async fn only_secrets_that_the_settings_name_are_given() {
    let host = TestHost::new();
    let connector = hostile("asks for any secret", &host).await;
    let error = get(&connector, &host, "1", 5_000).await.unwrap_err();
    assert_eq!(error.class, Class::Config);
    assert!(error.message.contains("no such reference"), "{error}");
}

#[tokio::test]
async fn a_secret_that_it_tells_stands_neither_in_an_error_nor_in_the_log() {
    let host = TestHost::with([("TOKEN".to_owned(), "canary-4711-x".to_owned())].into(), None);
    let mut settings = child("hostile tells a secret");
    settings["config"] = json!({"token": {"env": "TOKEN"}});
    let connector = open(settings, &host).await.unwrap();

    let error = get(&connector, &host, "1", 5_000).await.unwrap_err();
    sleep(Duration::from_millis(200)).await;

    assert_eq!(error.message, "with ***");
    let lines: Vec<String> = host.events().iter().map(connector_testkit::host::Event::line).collect();
    assert!(lines.iter().any(|line| line.contains("the token is ***")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("canary")), "{lines:?}");
}

#[tokio::test]
async fn its_environment_is_what_the_settings_give_and_nothing_else() {
    let host = TestHost::new();
    let connector = hostile("shows its environment", &host).await;
    let health = connector.check(&within(&host, 5_000)).await.unwrap();
    assert_eq!(health.server.as_deref(), Some("MODE"));
}

#[tokio::test]
async fn a_noisy_standard_error_neither_stops_it_nor_fills_the_log() {
    let host = TestHost::new();
    let connector = hostile("noisy", &host).await;
    assert_eq!(get(&connector, &host, "1", 10_000).await.unwrap(), "1");
    assert!(host.events().len() < 600, "{}", host.events().len());
}

#[tokio::test]
async fn an_error_of_no_known_form_is_unknown_and_capabilities_are_never_widened() {
    let host = TestHost::new();
    let connector = hostile("an odd error", &host).await;
    is(&create(&connector, &host, 5_000).await, Class::Unknown, Effect::Maybe, "odd (-5)");

    let schema = connector.schema(&within(&host, 5_000)).await.unwrap();
    let caps = &schema.kinds[&account()].caps;
    assert_eq!((caps.list, caps.sync, caps.effective, caps.max_batch), (true, false, false, 10));
    assert!(connector.syncer().is_none() && connector.effect().is_none() && connector.batcher().is_some());
}

#[tokio::test]
async fn what_a_plugin_started_ends_with_it() {
    let host = TestHost::new();
    let connector = hostile("starts a child", &host).await;
    let process = connector.check(&within(&host, 5_000)).await.unwrap().server.unwrap();
    let running = |process: &str| {
        let stat = std::fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    assert!(running(&process));

    drop(connector);

    let begun = Instant::now();
    while running(&process) && begun.elapsed() < Duration::from_secs(8) {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!running(&process));
}
