//! What bad input gets: always a SCIM error that says what to mend, never a 5xx, and nothing is stored.

mod together;

use crate::conformance::given::{GROUP, TOKEN, USER, fails, house, made, query, user};
use harness::{Answer, Client, Gateway};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A plain server of one's own: its totals are nobody else's.
struct Own {
    gateway: Gateway,
    client: Client,
    folder: TempDir,
}

fn own(dialect: &str) -> Own {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("own.db").display());
    let gateway = Gateway::plain(&store, TOKEN, &["--dialect", dialect], &folder.path().join("own.log"));
    let client = gateway.client(TOKEN);
    Own { gateway, client, folder }
}

impl Own {
    async fn total(&self) -> u64 {
        self.client.get("/?count=0").await.body["totalResults"].as_u64().unwrap()
    }

    async fn octets(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        self.client.raw(method, path, &[("content-type", "application/scim+json")], Some(body)).await.unwrap()
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_400_invalid_syntax_and_stores_nothing() {
    for dialect in ["rfc", "tolerant", "interop"] {
        let own = own(dialect);
        let id = made(&own.client, "/Users", &user("Testperson 1")).await;
        let before = own.total().await;
        let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000)).into_bytes();
        let bodies: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b" ".to_vec(),
            b"{".to_vec(),
            b"{\"userName\":\"a\"".to_vec(),
            b"{\"userName\":\"a\"} trailing".to_vec(),
            b"{'userName':'a'}".to_vec(),
            b"{\"userName\":\"a\",}".to_vec(),
            b"{\"userName\":\"a\",\"userName\":\"b\"}".to_vec(),
            b"{\"userName\":\"a\",\"name\":{\"familyName\":\"a\",\"familyName\":\"b\"}}".to_vec(),
            b"{\"userName\":\"\xff\xfe\"}".to_vec(),
            b"{\"userName\":\"a\xc3\"}".to_vec(),
            b"{\"userName\":\"\\ud800\"}".to_vec(),
            b"{\"userName\":1e999}".to_vec(),
            b"\xef\xbb\xbf{".to_vec(),
            b"NaN".to_vec(),
            b"[]".to_vec(),
            b"null".to_vec(),
            b"\"text\"".to_vec(),
            deep("[", "]"),
            deep("{\"a\":", "1}"),
            [b"{\"schemas\":[\"".as_slice(), USER.as_bytes(), b"\"],\"userName\":\"a\",\"x\":", &deep("[", "]"), b"}"]
                .concat(),
        ];
        for body in bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            for (method, path) in [
                ("POST", "/Users"),
                ("PUT", &format!("/Users/{id}")),
                ("PATCH", &format!("/Users/{id}")),
                ("POST", "/Bulk"),
                ("POST", "/.search"),
            ] {
                let answer = own.octets(method, path, body.clone()).await;
                assert_eq!(answer.status, 400, "{dialect} {method} {path} {shown}: {}", answer.body);
                fails(&answer, 400, Some("invalidSyntax"));
            }
        }
        assert_eq!(own.total().await, before);
        assert_eq!(own.client.get(&format!("/Users/{id}")).await.header("etag"), Some("W/\"1\""));
    }
}

#[tokio::test]
async fn a_member_of_the_wrong_type_is_400_in_every_dialect_and_stores_nothing() {
    for dialect in ["rfc", "tolerant", "interop"] {
        let own = own(dialect);
        for (name, value) in [
            ("userName", json!({})),
            ("userName", json!(["a"])),
            ("name", json!(7)),
            ("name", json!({ "familyName": {} })),
            ("emails", json!(7)),
            ("emails", json!([7])),
            ("emails", json!([{ "value": {} }])),
            ("active", json!("perhaps")),
            ("active", json!({})),
            ("schemas", json!({})),
            ("schemas", json!([{}])),
            ("externalId", json!([])),
            ("displayName", json!("a".repeat(2_000_000))),
            ("displayName", json!("a\u{0}b")),
        ] {
            // A list of one is how some providers write a single value, and an empty one says that there is none (RFC 7643, 2.5).
            if dialect == "tolerant" && (value == json!(["a"]) || value == json!([])) {
                continue;
            }
            let mut body = user("Testperson 2");
            body[name] = value;
            let answer = own.client.post("/Users", &body).await;
            let shown = name;
            // What a string may hold is not limited by the RFC: those two may be stored, and then come back as they were.
            if name == "displayName" && answer.status == 201 {
                assert_eq!(answer.body["displayName"], body["displayName"]);
                assert_eq!(own.client.delete(&format!("/Users/{}", answer.id())).await.status, 204);
                continue;
            }
            assert_eq!(answer.status, 400, "{dialect} {shown}: {}", answer.body);
            fails(&answer, 400, answer.body["scimType"].as_str());
        }
        for body in [
            json!({ "schemas": [GROUP], "displayName": "Ward", "members": 7 }),
            json!({ "schemas": [GROUP], "displayName": "Ward", "members": [{ "value": 7 }] }),
            json!({ "schemas": [GROUP], "displayName": "Ward", "members": [{}] }),
            json!({ "schemas": [GROUP], "displayName": "Ward", "members": [["a"]] }),
        ] {
            let answer = own.client.post("/Groups", &body).await;
            fails(&answer, 400, answer.body["scimType"].as_str());
        }
        assert_eq!(own.total().await, 0, "{dialect}");
    }
}

#[tokio::test]
async fn hostile_filters_are_400_at_once() {
    let own = own("tolerant");
    made(&own.client, "/Users", &user("Testperson 3")).await;
    let parens = format!("{}userName pr{}", "(".repeat(10_000), ")".repeat(10_000));
    let nots = format!("{}userName pr{}", "not (".repeat(3_000), ")".repeat(3_000));
    let terms = vec!["userName eq \"a\""; 10_000].join(" or ");
    let brackets = format!("{}type eq \"work\"{}", "emails[".repeat(64), "]".repeat(64));
    let long = format!("userName eq \"{}\"", "a".repeat(1 << 20));
    let unclosed = format!("userName eq \"{}", "\\".repeat(10_000));
    for filter in [parens, nots, terms, brackets, long, unclosed, "userName eq \"\u{202e}".into()] {
        let began = Instant::now();
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter });
        fails(&own.client.post("/Users/.search", &body).await, 400, Some("invalidFilter"));
        assert!(began.elapsed() < Duration::from_secs(2));
        if filter.len() < 50_000 {
            let answer = own.client.get(&format!("/Users{}", query(&[("filter", &filter)]))).await;
            assert!([400, 413, 414, 431].contains(&answer.status), "{}", answer.status);
        }
        let patch = json!([{ "op": "remove", "path": format!("emails[{filter}]") }]);
        let answer = own.client.patch("/Users/none", patch).await;
        assert!((400..500).contains(&answer.status), "{}", answer.body);
    }
}

#[tokio::test]
async fn too_large_a_body_is_413_before_it_is_read_and_stores_nothing() {
    let own = own("tolerant");
    let mut large = user("Testperson 4");
    large["displayName"] = json!("a".repeat(9 << 20));
    fails(&own.client.post("/Users", &large).await, 413, None);
    let many: Vec<Value> = (0..1_000_000).map(|_| json!(1)).collect();
    let mut listed = user("Testperson 4");
    listed["emails"] = many.into();
    let answer = own.client.post("/Users", &listed).await;
    assert!([400, 413].contains(&answer.status));
    assert_eq!(own.total().await, 0);

    // The length alone is enough: nothing of the body is sent.
    let (status, text) = by_hand(
        &own,
        "POST /scim/v2/Users HTTP/1.1\r\n@\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n",
    );
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("application/scim+json") && text.contains("\"status\":\"413\""), "{text}");
}

#[tokio::test]
async fn a_chunked_body_without_end_is_413_as_soon_as_it_is_too_much() {
    let own = own("tolerant");
    let mut socket = socket(&own);
    let head = head(
        &own,
        "POST /scim/v2/Users HTTP/1.1\r\n@\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut sending = socket.try_clone().unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    // Without end: until the server hangs up.
    let sender = std::thread::spawn(move || while sending.write_all(chunk.as_bytes()).is_ok() {});
    let began = Instant::now();
    let mut answer = Vec::new();
    let _reset = socket.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    sender.join().unwrap();

    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"status\":\"413\""), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(own.total().await, 0);
}

#[tokio::test]
async fn a_compressed_body_is_415_whatever_it_would_become() {
    let own = own("tolerant");
    // RFC 1952: a header, and no more; it is not even looked at.
    let bomb = [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03].repeat(1_000);
    for coding in ["gzip", "deflate", "br", "gzip, gzip"] {
        let headers = [("content-type", "application/scim+json"), ("content-encoding", coding)];
        let answer = own.client.raw("POST", "/Users", &headers, Some(bomb.clone())).await.unwrap();
        fails(&answer, 415, None);
    }
    assert_eq!(own.total().await, 0);
}

#[tokio::test]
async fn another_media_type_or_charset_is_415() {
    let own = own("rfc");
    for media_type in [
        "text/xml",
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "nonsense",
    ] {
        let body = serde_json::to_vec(&user("Testperson 5")).unwrap();
        for (method, path) in [
            ("POST", "/Users"),
            ("POST", "/Bulk"),
            ("POST", "/Users/.search"),
            ("PUT", "/Users/x"),
            ("PATCH", "/Users/x"),
        ] {
            let answer =
                own.client.raw(method, path, &[("content-type", media_type)], Some(body.clone())).await.unwrap();
            fails(&answer, 415, None);
        }
    }
    assert_eq!(own.total().await, 0);
}

#[tokio::test]
async fn a_slow_body_is_cut_off_and_others_are_served_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    let config = folder.path().join("slow.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"{here}/admin.sock\"\n[server.limits]\nbody_seconds = 1\n\
         [store]\nurl = \"sqlite:{here}/slow.db\"\n[[source]]\nname = \"slow\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let gateway = Gateway::serve(&config);
    let token = gateway.token("slow");
    let address = gateway.base.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let mut socket = TcpStream::connect(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).unwrap();

    let served = gateway.client(&token).post("/Users", &user("Testperson 6")).await;
    let mut text = String::new();
    let _cut = socket.read_to_string(&mut text);

    assert_eq!(served.status, 201);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.contains("application/scim+json") && text.contains("\"status\":\"408\""), "{text}");
    assert_eq!(gateway.client(&token).get("/Users?count=0").await.body["totalResults"], 1);
}

#[tokio::test]
async fn an_unknown_route_is_404_and_a_wrong_method_405_with_allow() {
    let own = own("rfc");
    for path in [
        "/Nowhere",
        "/users",
        "/Users/a/b",
        "/Users/a/b/c/d/e/f",
        "/Schemas/a/b",
        "/%ff",
        "/Users/%00",
        "/Users/..%2f..%2fetc",
        "/Bulk/x",
        "/Me/x",
    ] {
        fails(&own.client.get(path).await, 404, None);
    }
    for (method, path, allow) in [
        ("DELETE", "/Users", "GET, HEAD, POST"),
        ("PUT", "/Users", "GET, HEAD, POST"),
        ("PATCH", "/Groups", "GET, HEAD, POST"),
        ("POST", "/Users/x", "GET, HEAD, PUT, PATCH, DELETE"),
        ("GET", "/Bulk", "POST"),
        ("DELETE", "/Bulk", "POST"),
        ("GET", "/Users/.search", "POST"),
        ("GET", "/.search", "POST"),
        ("OPTIONS", "/Users", "GET, HEAD, POST"),
        ("TRACE", "/Users/x", "GET, HEAD, PUT, PATCH, DELETE"),
        ("BREW", "/Users", "GET, HEAD, POST"),
        ("POST", "/", "GET, HEAD"),
    ] {
        let answer = own.client.raw(method, path, &[], None).await.unwrap();
        fails(&answer, 405, None);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    // Outside SCIM too: nothing answers in another form.
    let root = own.client.at(own.gateway.base.strip_suffix("/scim/v2").unwrap());
    fails(&root.get("/").await, 404, None);
    fails(&root.get("/admin").await, 404, None);
    assert_eq!(root.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn without_a_good_token_everything_is_401_with_a_challenge() {
    let own = own("rfc");
    let id = made(&own.client, "/Users", &user("Testperson 7")).await;
    let long = format!("Bearer {}", "a".repeat(8_000));
    let prefix = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
    let longer = format!("Bearer {TOKEN}x");
    let wrong = [
        "Bearer wrong",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        TOKEN,
        &long,
        &prefix,
        &longer,
        "Bearer cg_1.abcdef",
        "Bearer \u{1}",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ];
    let mut bodies = Vec::new();
    for (method, path) in [
        ("GET", "/Users".to_owned()),
        ("GET", format!("/Users/{id}")),
        ("POST", "/Users".into()),
        ("DELETE", format!("/Users/{id}")),
        ("POST", "/Bulk".into()),
        ("GET", "/Schemas".into()),
        ("GET", "/Nowhere".into()),
        ("POST", "/.search".into()),
        ("GET", "/Me".into()),
        ("GET", "/ServiceProviderConfig".into()),
    ] {
        for authorization in wrong {
            let Ok(answer) = bearer(&own, method, &path, authorization).await else { continue };
            fails(&answer, 401, None);
            assert!(
                answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer ")),
                "{authorization}"
            );
            bodies.push(answer.body);
        }
        // None at all.
        let bare = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = bare.request(method.parse().unwrap(), format!("{}{path}", own.gateway.base)).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
    }
    assert_eq!(own.total().await, 1);
}

async fn bearer(own: &Own, method: &str, path: &str, authorization: &str) -> Result<Answer, String> {
    if reqwest::header::HeaderValue::from_str(authorization).is_err() {
        return Err("no header can hold it".into());
    }
    own.client.raw(method, path, &[("authorization", authorization)], None).await.map_err(|error| error.to_string())
}

#[allow(clippy::disallowed_methods)] // the gateway's own clock is the machine's
#[tokio::test]
async fn an_expired_token_is_401_and_two_tokens_are_good_at_a_time() {
    let house = house();
    let ends = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3)).to_string();
    let created = house.gateway.cli(&["token", "create", "interop", "--expires", &ends]);
    let text = String::from_utf8_lossy(&created.stdout).into_owned();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let short = text.split_whitespace().find(|word| word.starts_with("cg_")).unwrap().to_owned();
    assert_eq!(house.gateway.client(&short).get("/Users?count=0").await.status, 200);
    assert_eq!(house.gateway.client(&house.interop).get("/Users?count=0").await.status, 200, "the older one as well");

    tokio::time::sleep(Duration::from_millis(3_500)).await;

    let late = house.gateway.client(&short).get("/Users?count=0").await;
    fails(&late, 401, None);
    assert!(late.header("www-authenticate").unwrap().contains("invalid_token"));
}

#[tokio::test]
async fn strange_queries_are_400_and_never_more() {
    let own = own("tolerant");
    made(&own.client, "/Users", &user("Testperson 8")).await;
    for pairs in [
        "filter=%",
        "filter=%ff",
        "filter=a&filter=b",
        "count=x",
        "startIndex=x",
        "sortOrder=up",
        "attributes=userName&excludedAttributes=name",
        "cursor=nonsense",
        "sortBy=%00",
    ] {
        let answer = own.client.get(&format!("/Users?{pairs}")).await;
        assert_eq!(answer.status, 400, "{pairs}: {}", answer.body);
        fails(&answer, 400, answer.body["scimType"].as_str());
    }
    for pairs in
        ["%00=%00", "attributes=,,,", "unknown=1", "filter", "a=b&&&c", "attributes=noSuch", "excludedAttributes=%20"]
    {
        let answer = own.client.get(&format!("/Users?{pairs}")).await;
        assert!(answer.status < 500, "{pairs}: {}", answer.body);
    }
}

#[tokio::test]
async fn values_that_are_dangerous_elsewhere_are_stored_and_found_as_they_are() {
    let own = own("rfc");
    for value in [
        "' OR 1=1 --",
        "\"; DROP TABLE resource; --",
        "a%b_c",
        "*)(uid=*",
        "<script>",
        "../../etc/passwd",
        "\u{202e}evil",
        "e\u{301}",
        "日本語",
        "a\r\nb: c",
        "\\",
        "${jndi:x}",
        "{{7*7}}",
        "İ",
        "ß",
    ] {
        let id = made(&own.client, "/Users", &user(value)).await;
        let read = own.client.get(&format!("/Users/{id}")).await;
        assert_eq!(read.body["userName"], value);
        let quoted = serde_json::to_string(value).unwrap();
        for filter in [format!("userName eq {quoted}"), format!("userName sw {quoted} and userName ew {quoted}")] {
            let found = own.client.get(&format!("/Users{}", query(&[("filter", &filter)]))).await;
            assert_eq!(found.body["totalResults"], 1, "{value}: {}", found.body);
            assert_eq!(found.body["Resources"][0]["id"], id);
        }
    }
}

fn socket(own: &Own) -> TcpStream {
    let address = own.gateway.base.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// `@` stands for host and token.
fn head(_own: &Own, text: &str) -> String {
    text.replace('@', &format!("host: localhost\r\nauthorization: Bearer {TOKEN}"))
}

/// Sends this as it stands and returns the status and all that comes back.
fn by_hand(own: &Own, text: &str) -> (u16, String) {
    let mut socket = socket(own);
    socket.write_all(head(own, text).as_bytes()).unwrap();
    let mut answer = String::new();
    let _closed = socket.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}
