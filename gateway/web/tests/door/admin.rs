use crate::house::{Answer, House, head};
use gateway_web::serve_admin;
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

async fn ask(socket: &Path, method: &str, path: &str, body: &Value) -> Answer {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("content-type", "application/json")];
    stream.write_all(&head(method, path, &headers, Some(body.len()))).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::parse(&bytes)
}

#[tokio::test]
async fn a_token_made_here_opens_the_door_until_it_is_revoked() {
    let house = House::open().await;
    let room = tempfile::tempdir().unwrap();
    let socket = room.path().join("admin.sock");
    let admin = serve_admin(&socket, house.engine.clone()).unwrap();

    let made = ask(&socket, "POST", "/admin/tokens", &json!({ "source": "hr" })).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let id = token.strip_prefix("cg_").unwrap().split('.').next().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let users = async || {
        crate::house::send(house.addr(), "GET", "/scim/v2/Users", &[("authorization", &bearer)], b"").await.status
    };

    assert_eq!((made.status, users().await), (201, 200));
    let listed = ask(&socket, "GET", "/admin/tokens?source=hr", &Value::Null).await;
    assert!(listed.json().as_array().unwrap().iter().any(|known| known["id"] == id.as_str()));
    assert!(!String::from_utf8_lossy(&listed.body).contains(token.split('.').nth(1).unwrap()), "never the secret");
    assert_eq!(ask(&socket, "DELETE", &format!("/admin/tokens/{id}"), &Value::Null).await.status, 204);
    assert_eq!(users().await, 401);
    let rows = house.engine.store().audit(0, 1_000).await.unwrap();
    let revoked = rows.iter().find(|row| row.entry.detail.contains("revoked")).expect("an audit row");
    assert!(revoked.entry.actor.starts_with("operator:uid:"), "the kernel says who it was: {}", revoked.entry.actor);
    admin.stop().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn operators_see_status_and_links_and_their_slips_are_refused() {
    let house = House::open().await;
    let room = tempfile::tempdir().unwrap();
    let socket = room.path().join("admin.sock");
    let admin = serve_admin(&socket, house.engine.clone()).unwrap();
    let user = house.user("testperson.12").await;

    assert_eq!(ask(&socket, "GET", "/admin/status", &Value::Null).await.status, 200);
    assert_eq!(ask(&socket, "GET", "/admin/links?state=due", &Value::Null).await.json(), json!([]));
    assert_eq!(ask(&socket, "GET", &format!("/admin/plan/{user}"), &Value::Null).await.json()["user"], user.as_str());
    assert_eq!(ask(&socket, "POST", "/admin/retry", &json!({ "state": "parked" })).await.json(), json!({ "links": 0 }));
    for (method, path, body, status) in [
        ("POST", "/admin/retry", json!({}), 400),
        ("POST", "/admin/retry", json!({ "targets": "all" }), 400),
        ("GET", "/admin/links?after=x", Value::Null, 400),
        ("POST", "/admin/tokens", json!({ "source": "nobody" }), 404),
        ("POST", "/admin/targets/none/test", Value::Null, 404),
        ("GET", "/admin/nothing", Value::Null, 404),
        ("DELETE", "/admin/status", Value::Null, 405),
        ("GET", "/scim/v2/Users", Value::Null, 404),
    ] {
        let answer = ask(&socket, method, path, &body).await;
        assert_eq!((answer.status, &answer.json()["status"]), (status, &json!(status)), "{method} {path}");
    }
    admin.stop().await;
}
