//! The door in front of targets that hang, flood, cut, redirect and rotate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_http::{Door, Names, refusal};
use connector_spi::{Class, ConnError, Effect};
use serde_json::json;
use std::{io, net::IpAddr, sync::Arc, sync::Mutex, time::Duration, time::Instant};
use support::{Act, Gateway, Server, answer, ask, door, settings};

const TOKEN: &str = r#"{"access_token":"T1","token_type":"Bearer","expires_in":600}"#;

fn kind(error: &ConnError) -> (Class, Effect) {
    (error.class, error.effect)
}

fn oauth(style: &str) -> serde_json::Value {
    json!({"auth": {"type": "oauth2", "token_url": "/token", "client_id": "a b", "client_secret": {"env": "S"},
                    "style": style, "scopes": ["x", "y"]}})
}

#[tokio::test]
async fn a_target_that_never_answers_costs_the_deadline_and_may_have_changed() {
    let server = Server::start([Act::Hang]).await;
    let door = door(&server.url(), json!({}), &[]).await;
    let start = Instant::now();

    assert_eq!(kind(&ask(&door, "POST", "x").await.unwrap_err()), (Class::Timeout, Effect::Maybe));
    assert!(start.elapsed() < Duration::from_millis(1500));
    assert_eq!(kind(&ask(&door, "GET", "x").await.unwrap_err()), (Class::Timeout, Effect::None));
}

#[tokio::test]
async fn a_body_that_trickles_hits_the_deadline() {
    let server = Server::start([Act::Trickle]).await;
    let door = door(&server.url(), json!({}), &[]).await;

    assert_eq!(kind(&ask(&door, "POST", "x").await.unwrap_err()), (Class::Timeout, Effect::Maybe));
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit() {
    let server = Server::start([Act::Flood]).await;
    let door = door(&server.url(), json!({"max_body": 100_000}), &[]).await;

    assert_eq!(kind(&ask(&door, "POST", "x").await.unwrap_err()), (Class::Unknown, Effect::Maybe));
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_before_the_body_is_read() {
    let server = Server::start([answer(200, &[], &"x".repeat(5000))]).await;
    let door = door(&server.url(), json!({"max_body": 1024}), &[]).await;

    assert_eq!(ask(&door, "GET", "x").await.unwrap_err().class, Class::Unknown);
}

#[tokio::test]
async fn a_connection_lost_after_sending_may_have_changed_the_target() {
    for act in [Act::Cut, Act::Truncate] {
        let server = Server::start([act]).await;
        let door = door(&server.url(), json!({}), &[]).await;
        assert_eq!(kind(&ask(&door, "POST", "x").await.unwrap_err()), (Class::Timeout, Effect::Maybe));
        assert_eq!(server.requests().len(), 1, "nothing is sent twice");
    }
}

#[tokio::test]
async fn a_refused_connection_changed_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let door = door(&url, json!({}), &[]).await;

    assert_eq!(kind(&ask(&door, "POST", "x").await.unwrap_err()), (Class::Transient, Effect::None));
}

#[tokio::test]
async fn addresses_of_the_machine_are_refused_in_every_spelling_unless_listed() {
    let server = Server::start([answer(200, &[], "")]).await;
    let port = server.address.port();
    for host in
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "localhost"]
    {
        let config = settings(&format!("http://{host}:{port}"), json!({"allow_networks": ["10.0.0.0/8"]}));
        let door = Door::open(config, Gateway::with(&[])).await.unwrap();
        assert_eq!(kind(&ask(&door, "GET", "x").await.unwrap_err()), (Class::Config, Effect::None), "{host}");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

/// A name server that gives a harmless answer first and a harmful one afterwards.
struct Rebinding(Mutex<Vec<Vec<&'static str>>>);

#[async_trait]
impl Names for Rebinding {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().unwrap();
        let now = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(now.iter().map(|text| text.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn a_name_that_is_bound_anew_does_not_reach_the_machine() {
    // given a name that first points to the allowed network and then to the forbidden server
    let forbidden = Server::start([answer(200, &[], "")]).await;
    let allowed = std::net::TcpListener::bind(("127.0.0.2", forbidden.address.port())).unwrap();
    let names = Arc::new(Rebinding(Mutex::new(vec![vec!["127.0.0.2", "127.0.0.1"], vec!["127.0.0.1"]])));
    let config = settings(
        &format!("http://rebind.example:{}", forbidden.address.port()),
        json!({"allow_networks": ["127.0.0.2/32"]}),
    );
    let door = Door::open_with_names(config, Gateway::with(&[]), names).await.unwrap();

    // when it is called twice
    let first = ask(&door, "GET", "x").await.unwrap_err();
    drop(allowed);
    let second = ask(&door, "GET", "x").await.unwrap_err();

    // then only the allowed address was ever connected to
    assert_eq!(first.class, Class::Timeout);
    assert_eq!(second.class, Class::Config);
    assert_eq!(forbidden.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_is_a_fault_of_the_configuration() {
    let trap = Server::start([answer(200, &[], "")]).await;
    for location in ["http://169.254.169.254/latest", &format!("{}/steal", trap.url())] {
        let server = Server::start([answer(302, &[&format!("location: {location}")], "")]).await;
        let door = door(&server.url(), json!({}), &[]).await;
        let response = ask(&door, "GET", "x").await.unwrap();
        assert_eq!(refusal("GET", &response).unwrap().class, Class::Config);
    }
    assert_eq!(trap.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_followed_redirect_passes_the_same_checks() {
    let server = Server::start([answer(302, &["location: http://169.254.169.254/latest"], "")]).await;
    let more = json!({"redirects": 3, "allow_hosts": ["169.254.169.254"]});
    assert_eq!(ask(&door(&server.url(), more, &[]).await, "GET", "x").await.unwrap_err().class, Class::Config);

    let more = json!({"redirects": 3});
    assert_eq!(ask(&door(&server.url(), more, &[]).await, "GET", "x").await.unwrap_err().class, Class::Config);
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let other = Server::start([answer(200, &[], "")]).await;
    let server = Server::start([answer(302, &[&format!("location: {}/there", other.url())], "")]).await;
    let more = json!({
        "redirects": 3, "allow_hosts": [other.address.to_string()], "headers": {"x-tenant": "EAST"},
        "auth": {"type": "header", "name": "x-api-key", "value": {"env": "S"}},
    });
    let door = door(&server.url(), more, &["canary-key"]).await;

    assert_eq!(ask(&door, "GET", "x").await.unwrap().status, 200);
    assert!(server.requests()[0].contains("canary-key"));
    assert!(!other.requests()[0].contains("canary-key"));
    assert!(!other.requests()[0].contains("EAST"));
}

#[tokio::test]
async fn a_host_that_is_not_listed_is_not_called() {
    let server = Server::start([answer(200, &[], "")]).await;
    let door = door(&server.url(), json!({}), &[]).await;
    let mut request = door.request("GET", door.base(), tokio::time::Instant::now() + Duration::from_secs(1));
    request.url = "http://127.0.0.9:1/".parse().unwrap();

    assert_eq!(kind(&door.send(request).await.unwrap_err()), (Class::Config, Effect::None));
}

#[tokio::test]
async fn many_requests_share_one_token() {
    let server = Server::start([answer(200, &[], TOKEN), answer(200, &[], "{}")]).await;
    let door = Arc::new(door(&server.url(), oauth("client_secret_basic"), &["p:w%"]).await);
    let asked: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let door = door.clone();
                async move { ask(&door, "GET", "x").await }
            })
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap().unwrap().status, 200);
    }

    let seen = server.requests();
    assert_eq!(seen.iter().filter(|request| request.starts_with("POST /token ")).count(), 1);
    // RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined: "a+b:p%3Aw%25"
    assert!(seen[0].contains("authorization: Basic YStiOnAlM0F3JTI1"));
    assert!(seen[0].ends_with("grant_type=client_credentials&scope=x+y"));
    assert_eq!(seen.iter().filter(|request| request.contains("authorization: Bearer T1")).count(), 8);
}

#[tokio::test]
async fn id_and_secret_can_travel_in_the_body() {
    let server = Server::start([answer(200, &[], TOKEN), answer(200, &[], "{}")]).await;
    let door = door(&server.url(), oauth("client_secret_post"), &["s&1"]).await;

    ask(&door, "GET", "x").await.unwrap();
    assert!(server.requests()[0].ends_with("&client_id=a+b&client_secret=s%261"));
    assert!(!server.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn a_token_refused_in_the_middle_is_renewed_once_with_the_secret_read_anew() {
    let acts = [
        answer(200, &[], TOKEN),
        answer(401, &[], ""),
        answer(200, &[], &TOKEN.replace("T1", "T2")),
        answer(201, &[], ""),
    ];
    let server = Server::start(acts).await;
    let door = door(&server.url(), oauth("client_secret_post"), &["old", "new"]).await;

    assert_eq!(ask(&door, "POST", "x").await.unwrap().status, 201);
    let seen = server.requests();
    assert!(seen[2].contains("client_secret=new"));
    assert!(seen[3].contains("Bearer T2"));
}

#[tokio::test]
async fn a_credential_that_stays_wrong_is_auth_and_is_not_tried_for_ever() {
    let server = Server::start([answer(401, &[], "")]).await;
    let more = json!({"auth": {"type": "bearer", "token": {"env": "S"}}});
    let door = door(&server.url(), more, &["same"]).await;

    let response = ask(&door, "POST", "x").await.unwrap();
    assert_eq!(refusal("POST", &response).unwrap().class, Class::Auth);
    assert_eq!(server.requests().len(), 1, "the same secret is not sent again");
}

#[tokio::test]
async fn a_rotated_secret_is_noticed_without_a_restart() {
    let server = Server::start([answer(401, &[], ""), answer(200, &[], "")]).await;
    let more = json!({"auth": {"type": "basic", "user": "gateway", "password": {"env": "S"}}});
    let door = door(&server.url(), more, &["old", "new"]).await;

    assert_eq!(ask(&door, "POST", "x").await.unwrap().status, 200);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_token_address_that_refuses_is_auth_and_its_outage_is_passing() {
    let refuses = Server::start([answer(400, &[], r#"{"error":"invalid_client"}"#)]).await;
    let error = ask(&door(&refuses.url(), oauth("client_secret_basic"), &["s"]).await, "POST", "x").await.unwrap_err();
    assert_eq!((kind(&error), error.native_code.as_deref()), ((Class::Auth, Effect::None), Some("invalid_client")));

    let broken = Server::start([answer(500, &[], "<html>"), answer(200, &[], "")]).await;
    let error = ask(&door(&broken.url(), oauth("client_secret_basic"), &["s"]).await, "POST", "x").await.unwrap_err();
    assert_eq!(error.effect, Effect::None);

    let odd = Server::start([answer(200, &[], "<html>")]).await;
    let error = ask(&door(&odd.url(), oauth("client_secret_basic"), &["s"]).await, "POST", "x").await.unwrap_err();
    assert_eq!(kind(&error), (Class::Transient, Effect::None));
}

#[tokio::test]
async fn a_value_cannot_break_out_of_its_header_field() {
    let server = Server::start([answer(200, &[], "")]).await;
    let door = door(&server.url(), json!({}), &[]).await;
    for value in ["a\r\nx-injected: 1", "a\nb", "a\0b", "\u{7f}"] {
        let mut request = door.request("GET", door.base(), tokio::time::Instant::now() + Duration::from_secs(1));
        request.headers.push(("x-name".to_owned(), value.to_owned()));
        assert_eq!(door.send(request).await.unwrap_err().class, Class::Invalid);
    }
    for field in ["host", "Content-Length", "transfer-encoding", "x y", "a\r\nb"] {
        let mut request = door.request("GET", door.base(), tokio::time::Instant::now() + Duration::from_secs(1));
        request.headers.push((field.to_owned(), "1".to_owned()));
        assert_eq!(door.send(request).await.unwrap_err().class, Class::Config);
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn no_error_holds_a_secret_or_the_query() {
    let acts = [Act::Hang, Act::Cut, Act::Truncate, Act::Flood];
    for act in acts {
        let server = Server::start([act]).await;
        let more = json!({"max_body": 2048, "auth": {"type": "bearer", "token": {"env": "S"}}});
        let door = door(&server.url(), more, &["canary-secret"]).await;
        let error = ask(&door, "POST", "x?username=canary-person").await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}

#[tokio::test]
async fn at_most_so_many_requests_are_under_way() {
    let server = Server::start([Act::Hang]).await;
    let door = Arc::new(door(&server.url(), json!({"max_concurrent": 2}), &[]).await);
    let ask = |limit: u64| {
        let door = door.clone();
        tokio::spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_millis(limit);
            door.send(door.request("POST", door.base(), deadline)).await.unwrap_err().effect
        })
    };
    let first = [ask(1500), ask(1500)];
    tokio::time::sleep(Duration::from_millis(200)).await;

    for waiting in [ask(200), ask(200)] {
        assert_eq!(waiting.await.unwrap(), Effect::None, "what waited never left");
    }
    assert_eq!(server.requests().len(), 2);
    for hanging in first {
        assert_eq!(hanging.await.unwrap(), Effect::Maybe);
    }
}
