//! What only SQL Server's wire has: its numbers, its types, its way of being interrupted.

use crate::support::{Server, Stage, Ward, account, group, person, set};
use connector_spi::{AccountState, Class, Effect};
use fixtures::{
    proxy::Mischief,
    servers::{PASSWORD, USER, program, unpacked},
    tds::TdsServer,
};
use std::{io::Write, process::Stdio, sync::Arc, time::Duration};
use tokio::time::Instant;

async fn stage() -> (Stage, Arc<TdsServer>) {
    let ward = Ward::mssql().await;
    let Server::Tds(server, _) = &ward.server else { panic!() };
    let server = server.clone();
    (ward.stage().await, server)
}

#[tokio::test]
async fn a_number_is_a_class_and_nothing_is_left_behind() {
    let (stage, server) = stage().await;
    for (number, class) in [
        (1205, Class::Transient),
        (2628, Class::Invalid),
        (229, Class::Forbidden),
        (208, Class::Config),
        (51_000, Class::Permanent),
    ] {
        let before = stage.ehr().state().await.unwrap();
        server.fail_next(number);
        let error = stage.create(1, &[group("CSRX")]).await.unwrap_err();
        assert_eq!((error.class, error.effect), (class, Effect::None), "{number}: {error}");
        assert_eq!(error.native_code, Some(number.to_string()));
        assert_eq!(stage.ehr().state().await.unwrap(), before, "{number}");
    }
    stage.create(1, &[group("CSRX")]).await.unwrap();
}

#[tokio::test]
async fn values_go_beside_the_statement_and_never_into_it() {
    let (stage, server) = stage().await;
    let mut one = person(1);
    one.insert("email".to_owned(), vec!["'; DROP TABLE user_dict; --".into()]);
    stage.target.create(&stage.cx("c"), &account(), &one, AccountState::Enabled, &[]).await.unwrap();
    assert!(server.statements().iter().all(|text| !text.contains("DROP TABLE") && !text.contains("100001")));
    assert!(server.statements().iter().any(|text| text.contains("@P1")));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time_and_its_connection_is_not_used_again() {
    let (stage, _) = stage().await;
    let id = stage.create(1, &[]).await.unwrap().id;
    let proxy = stage.ward.proxy.clone().unwrap();
    proxy.set(Mischief::Swallow);
    let mut cx = stage.cx("late");
    cx.deadline = Instant::now() + Duration::from_millis(500);

    let begun = Instant::now();
    let error = stage.target.update(&cx, &account(), &id, &set("email", "x@hosp.example")).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::None));
    assert!(begun.elapsed() < Duration::from_secs(1));
    proxy.set(Mischief::None);
    let connections = proxy.counters().connections;
    stage.change(&id, set("email", "y@hosp.example")).await.unwrap();
    assert_eq!(proxy.counters().connections, connections + 1, "a connection that was left is not taken up again");
}

/// The server of these tests was written beside the client that it tests; FreeTDS knows neither of the two.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_another_hand_understands_the_server() {
    let Some(packages) = unpacked("usr/bin/tsql") else { return };
    let (stage, server) = stage().await;
    stage.create(1, &[]).await.unwrap();
    let mut tsql = program(&packages, "usr/bin/tsql");
    tsql.env("TDSVER", "7.4").args(["-H", "127.0.0.1", "-p", &server.addr().port().to_string()]);
    tsql.args(["-U", USER, "-P", PASSWORD]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = tsql.spawn().unwrap();
    let asks = "SELECT user_seq, user_mnemonic, begin_date FROM user_dict\nGO\nUPDATE nowhere SET a = 1\nGO\nexit\n";
    running.stdin.take().unwrap().write_all(asks.as_bytes()).unwrap();
    let said = tokio::task::spawn_blocking(move || running.wait_with_output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.contains("1\tTEXAMPLE1\t"), "{said}");
    assert!(said.contains("Msg 208"), "{said}");
}
