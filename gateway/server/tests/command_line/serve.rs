//! A gateway that runs: its first line, its answers, its end.

use super::program::{Ran, program, run};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running gateway; killed when a test ends without it.
pub struct Serving {
    child: Child,
    pub ready: String,
}

impl Serving {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        if ready.is_empty() {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("the gateway did not start: {why}");
        }
        Self { child, ready }
    }

    /// A plain one in this folder, with the token `sample-token`.
    pub fn plain(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = program(folder);
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:plain.db"]).args(arguments);
        Self::start(command.env("CHARTGATE_TOKEN", "sample-token"))
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        self.ready.trim().strip_prefix("ready http://").unwrap().strip_suffix("/scim/v2").unwrap()
    }

    pub fn get(&self, path: &str, token: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let head = format!("GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", self.address());
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends the signal and waits for the end.
    pub fn end(mut self, signal: &str) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = self.child.wait().unwrap();
        (status.code(), began.elapsed())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn without_a_file_it_is_a_plain_scim_server_for_one_token() {
    let room = tempfile::tempdir().unwrap();

    let gateway = Serving::plain(room.path(), &["--dialect", "rfc"]);

    assert!(gateway.ready.starts_with("ready http://127.0.0.1:"), "{}", gateway.ready);
    assert!(gateway.get("/scim/v2/Users", "sample-token").starts_with("HTTP/1.0 200"));
    assert!(gateway.get("/scim/v2/Users", "another").starts_with("HTTP/1.0 401"));
    assert!(gateway.get("/health/ready", "").starts_with("HTTP/1.0 200"));
}

#[test]
fn a_signal_ends_it_in_order_and_in_time() {
    for signal in ["-TERM", "-INT"] {
        let room = tempfile::tempdir().unwrap();
        let gateway = Serving::plain(room.path(), &["--profile", "tolerant"]);
        gateway.get("/scim/v2/Users", "sample-token");
        // A client that holds its connection open does not hold up the end.
        let _idle = TcpStream::connect(gateway.address()).unwrap();

        let (code, took) = gateway.end(signal);

        assert_eq!(code, Some(0), "{signal}");
        assert!(took < Duration::from_secs(10), "{signal}: {took:?}");
        assert!(!room.path().join("plain.db.sock").exists());
    }
}

#[test]
fn without_a_token_or_a_file_it_does_not_start_and_says_why() {
    let room = tempfile::tempdir().unwrap();

    let without_token = run(room.path(), &["serve", "--listen", "127.0.0.1:0", "--store", "sqlite::memory:"]);
    let without_file = run(room.path(), &["serve"]);

    assert_eq!((without_token.code, without_file.code), (Some(1), Some(1)));
    assert!(without_token.err.contains("CHARTGATE_TOKEN"), "{}", without_token.err);
    assert!(without_file.err.contains("there is no configuration"), "{}", without_file.err);
}

#[test]
fn a_wrong_configuration_is_told_instead_of_served() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("chartgate.toml"), "[server]\nlisetn = \"127.0.0.1:0\"\n").unwrap();

    let ran = run(room.path(), &["serve"]);

    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("chartgate.toml:2:1: "), "{}", ran.err);
}

#[test]
fn a_second_gateway_on_the_same_store_is_refused() {
    let room = tempfile::tempdir().unwrap();
    let _first = Serving::plain(room.path(), &[]);

    let mut second = program(room.path());
    second.args(["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:plain.db", "--admin-socket", "other.sock"]);
    let ran = Ran::of(second.env("CHARTGATE_TOKEN", "sample-token").output().unwrap());

    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("another process uses this data base"), "{}", ran.err);
}

/// An ldap target on a port where nothing listens.
const UNREACHABLE: &str = r#"
[server]
listen = "127.0.0.1:0"

[[source]]
name = "hr"

[[target]]
name = "directory"
kind = "ldap"

[target.settings]
url = "ldap://127.0.0.1:9"
bind_dn = "cn=chartgate,dc=hosp,dc=example"
bind_password = { env = "SAMPLE_PASSWORD" }
account = { base = "ou=people,dc=hosp,dc=example", object_classes = ["inetOrgPerson"] }

[target.account]
key = ["uid"]
attributes = { uid = "user.userName" }
"#;

#[test]
fn a_running_gateway_answers_operators() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("chartgate.toml"), UNREACHABLE).unwrap();
    let _gateway = Serving::start(program(room.path()).arg("serve"));

    let status = run(room.path(), &["status"]);
    assert_eq!(status.code, Some(0), "{}", status.err);
    assert!(status.out.starts_with("TARGET"), "{}", status.out);
    assert!(status.out.lines().nth(1).is_some_and(|line| line.starts_with("directory") && line.contains("ldap")));

    let json = run(room.path(), &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json[0]["name"].as_str(), json[0]["breaker"].as_str()), (Some("directory"), Some("closed")));

    assert_eq!(run(room.path(), &["links"]).out, "no links\n");
    assert_eq!(run(room.path(), &["retry", "--target", "directory"]).out, "0 links due now\n");
    assert!(run(room.path(), &["plan", "nobody"]).err.contains("404"));

    let test = run(room.path(), &["target", "test", "directory"]);
    assert_eq!(test.code, Some(1));
    assert!(test.out.starts_with("directory (ldap): does not answer\n"), "{}", test.out);
    assert!(run(room.path(), &["target", "test", "other"]).err.contains("404"));
}
