//! What the network does, and many calls at a time.

use super::*;
use crate::proxy::Proxy;

#[tokio::test]
async fn logins_that_fail_say_why() {
    let Some(target) = Target::new().await else { return };
    let wrong = TestHost::new(&["wrong"]);
    let connector = open(target.slapd.config(), &wrong).await.unwrap();
    assert_eq!(connector.check(&cx(&wrong)).await.unwrap_err().class, Class::Auth);

    let rotated = TestHost::new(&["old", PASSWORD]);
    let connector = open(target.slapd.config(), &rotated).await.unwrap();
    connector.check(&cx(&rotated)).await.unwrap();

    let empty = TestHost::new(&[""]);
    let connector = open(target.slapd.config(), &empty).await.unwrap();
    assert_eq!(connector.check(&cx(&empty)).await.unwrap_err().class, Class::Config);

    let nowhere = open(target.slapd.config_at(1), &target.host).await.unwrap();
    let error = nowhere.check(&cx(&target.host)).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Transient, Effect::None));
}

#[tokio::test]
async fn tls_is_checked_and_start_tls_is_tls() {
    let Some(target) = Target::new().await else { return };
    let ca = target.slapd.folder().join("ca.pem");
    let config = |url: String, starttls: bool, name: &str, ca: Option<&std::path::Path>| {
        let mut config = target.slapd.config();
        config["url"] = json!(url);
        config["starttls"] = json!(starttls);
        config["server_name"] = json!(name);
        config["ca_file"] = json!(ca);
        config
    };
    let (plain, tls) =
        (format!("ldap://127.0.0.1:{}", target.slapd.port), format!("ldaps://127.0.0.1:{}", target.slapd.tls_port));
    for (url, starttls) in [(plain, true), (tls, false)] {
        let check = async |name: &str, ca| {
            let connector = open(config(url.clone(), starttls, name, ca), &target.host).await.unwrap();
            connector.check(&cx(&target.host)).await.map(|_| ()).map_err(|error| error.class)
        };
        assert_eq!(check("directory.example", Some(ca.as_path())).await, Ok(()), "{url}");
        assert_eq!(check("other.example", Some(ca.as_path())).await, Err(Class::Config), "{url}");
        assert_eq!(check("directory.example", None).await, Err(Class::Config), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_a_time_do_not_disturb_each_other() {
    let Some(target) = Target::new().await else { return };
    let calls = (0..200_u32).map(|number| {
        let (connector, cx) = (target.connector.clone(), cx(&target.host));
        tokio::spawn(async move {
            let made = connector.create(&cx, &account(), &person(number), AccountState::Enabled, &[]).await.unwrap();
            connector.update(&cx, &account(), &made.id, &set("title", &format!("Title {number}"))).await.unwrap();
            let record = connector.get(&cx, &account(), &made.id).await.unwrap().unwrap();
            assert_eq!(record.attrs["uid"], [Value::from(format!("test{number}"))]);
            assert_eq!(record.attrs["title"], [Value::from(format!("Title {number}"))]);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_creates_of_one_account_one_wins() {
    let Some(target) = Target::new().await else { return };
    let create = || {
        let (connector, cx) = (target.connector.clone(), cx(&target.host));
        async move { connector.create(&cx, &account(), &person(1), AccountState::Enabled, &[]).await }
    };
    let (one, other) = tokio::join!(create(), create());
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    let lost = lost.unwrap_err();
    assert_eq!((lost.class, lost.existing), (Class::AlreadyExists, Some(won.unwrap().id)));
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_is_replaced() {
    let Some(target) = Target::new().await else { return };
    let proxy = Proxy::start(target.slapd.port).await;
    let connector = open(target.slapd.config_at(proxy.port), &target.host).await.unwrap();
    connector.check(&cx(&target.host)).await.unwrap();
    proxy.cut_all();
    tokio::time::sleep(Duration::from_millis(100)).await;
    connector.check(&cx(&target.host)).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_next_attempt_finds_the_account() {
    let Some(target) = Target::new().await else { return };
    let proxy = Proxy::start(target.slapd.port).await;
    let connector = open(target.slapd.config_at(proxy.port), &target.host).await.unwrap();
    connector.check(&cx(&target.host)).await.unwrap();
    for number in 0..100 {
        proxy.swallow_answer_to(0x68);
        let mut cx = cx(&target.host);
        let lost = connector.create(&cx, &account(), &person(number), AccountState::Enabled, &[]).await.unwrap_err();
        assert_eq!((lost.class, lost.effect), (Class::Timeout, Effect::Maybe), "{number}: {lost}");
        cx.attempt = 2;
        let found = connector.create(&cx, &account(), &person(number), AccountState::Enabled, &[]).await.unwrap();
        assert!(found.adopted, "{number}");
    }
    for number in 0..100 {
        let found = connector.find(&cx(&target.host), &account(), &key("uid", &format!("test{number}"))).await.unwrap();
        assert_eq!(found.len(), 1);
    }
}

#[tokio::test]
async fn a_request_that_never_left_has_no_effect() {
    let Some(target) = Target::new().await else { return };
    let proxy = Proxy::start(target.slapd.port).await;
    let mut config = target.slapd.config_at(proxy.port);
    config["connections"] = json!(1);
    let connector = open(config, &target.host).await.unwrap();
    connector.check(&cx(&target.host)).await.unwrap();
    proxy.refuse();
    let error =
        connector.create(&cx(&target.host), &account(), &person(1), AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Transient, Effect::None));
    assert_eq!(target.slapd.values(&dn(1), "uid").await, None);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout_by_the_deadline() {
    let Some(target) = Target::new().await else { return };
    let proxy = Proxy::start(target.slapd.port).await;
    let connector = open(target.slapd.config_at(proxy.port), &target.host).await.unwrap();
    connector.check(&cx(&target.host)).await.unwrap();
    proxy.hold_answer_to(0x68);
    let mut short = cx(&target.host);
    short.deadline = tokio::time::Instant::now() + Duration::from_millis(500);
    let started = tokio::time::Instant::now();
    let error = connector.create(&short, &account(), &person(1), AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe));
    assert!(started.elapsed() < Duration::from_secs(2));
}
