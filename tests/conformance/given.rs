//! The gateways, the clients and the data that the suites stand on.

use harness::{Answer, Client, Gateway};
use serde_json::{Map, Value, json};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tempfile::TempDir;

pub const TOKEN: &str = "conformance-token-0123456789abcdef";
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
pub const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
pub const WORKSTATION: &str = "urn:example:hospital:1.0:Workstation";
const WORKSTATION_EXTENSION: &str = "urn:example:hospital:extension:1.0:Workstation";

/// A gateway that the tests running at the same time share; it ends with the last of them.
fn shared<T>(place: &Mutex<Weak<T>>, start: impl FnOnce() -> T) -> Arc<T> {
    let mut place = place.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    place.upgrade().unwrap_or_else(|| {
        let started = Arc::new(start());
        *place = Arc::downgrade(&started);
        started
    })
}

/// `chartgate serve --listen --store --dialect rfc`: no file, one source.
pub struct Plain {
    pub gateway: Gateway,
    _folder: TempDir,
}

/// The plain server.
pub fn plain() -> Arc<Plain> {
    static PLACE: Mutex<Weak<Plain>> = Mutex::new(Weak::new());
    shared(&PLACE, || {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", folder.path().join("plain.db").display());
        let gateway = Gateway::plain(&store, TOKEN, &["--dialect", "rfc"], &folder.path().join("plain.log"));
        Plain { gateway, _folder: folder }
    })
}

impl Plain {
    pub fn client(&self) -> Client {
        self.gateway.client(TOKEN)
    }
}

/// A gateway with a configuration: one source for each dialect, and a resource type of its own.
pub struct House {
    pub gateway: Gateway,
    pub rfc: String,
    pub tolerant: String,
    pub interop: String,
    pub folder: TempDir,
}

/// The configured gateway.
pub fn house() -> Arc<House> {
    static PLACE: Mutex<Weak<House>> = Mutex::new(Weak::new());
    shared(&PLACE, || {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display().to_string();
        fs::write(folder.path().join("workstation.json"), include_str!("workstation.json")).unwrap();
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_socket = \"{here}/admin.sock\"\n\n[store]\nurl = \"sqlite:{here}/house.db\"\n\n\
             [[resource_types]]\nfile = \"{here}/workstation.json\"\n"
        );
        for dialect in ["rfc", "tolerant", "interop"] {
            text.push_str(&format!(
                "\n[[source]]\nname = \"{dialect}\"\ndialect = \"{dialect}\"\nunknown_entitlements = \"record\"\n"
            ));
        }
        let config = folder.path().join("house.toml");
        fs::write(&config, text).unwrap();
        let gateway = Gateway::serve(&config);
        let [rfc, tolerant, interop] = ["rfc", "tolerant", "interop"].map(|source| gateway.token(source));
        House { gateway, rfc, tolerant, interop, folder }
    })
}

/// A text that no other test has, and no other call.
pub fn fresh(stem: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{stem}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A user that has what a user must have.
pub fn user(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name })
}

/// A group of this name with these members.
pub fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "members": members })
}

/// Creates it and returns its id.
pub async fn made(client: &Client, endpoint: &str, body: &Value) -> String {
    let answer = client.post(endpoint, body).await;
    assert_eq!(answer.status, 201, "{body}: {}", answer.body);
    answer.id()
}

/// The answer is a SCIM error of this status and keyword, whole (RFC 7644, section 3.12).
#[track_caller]
pub fn fails(answer: &Answer, status: u16, keyword: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let media_type = answer.header("content-type").unwrap_or_default();
    assert!(media_type.starts_with("application/scim+json"), "{media_type:?}");
    assert_eq!(answer.body["schemas"], json!([ERROR]), "{}", answer.body);
    assert_eq!(answer.body["status"], status.to_string(), "the status is a text");
    assert_eq!(answer.body.get("scimType").and_then(Value::as_str), keyword, "{}", answer.body);
    assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{}", answer.body);
}

/// The resources of a list, each as this attribute of it.
pub fn column<'a>(answer: &'a Answer, attribute: &str) -> Vec<&'a str> {
    let listed = answer.body["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    listed.iter().map(|one| one[attribute].as_str().unwrap_or_default()).collect()
}

/// A query string of these parameters.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    format!("?{}", pairs.join("&"))
}

/// What one resource type calls the kinds of attribute that the suites are about.
pub struct Subject {
    pub client: Client,
    pub endpoint: &'static str,
    pub name: &'static str,
    pub urn: &'static str,
    pub unique: &'static str,
    pub complex: (&'static str, &'static str, &'static str),
    pub list: &'static str,
    pub reference: &'static str,
    pub note: &'static str,
    pub flag: &'static str,
    pub secret: &'static str,
    pub read_only: &'static str,
    pub extension: &'static str,
    _house: Arc<House>,
}

/// User, and the type that the deployment added: both must do the same.
pub fn subjects() -> [Subject; 2] {
    let house = house();
    [
        Subject {
            client: house.gateway.client(&house.rfc),
            endpoint: "/Users",
            name: "User",
            urn: USER,
            unique: "userName",
            complex: ("name", "familyName", "givenName"),
            list: "emails",
            reference: "profileUrl",
            note: "nickName",
            flag: "active",
            secret: "password",
            read_only: "groups",
            extension: ENTERPRISE,
            _house: Arc::clone(&house),
        },
        Subject {
            client: house.gateway.client(&house.rfc),
            endpoint: "/Workstations",
            name: "Workstation",
            urn: WORKSTATION,
            unique: "assetTag",
            complex: ("place", "building", "room"),
            list: "contacts",
            reference: "manual",
            note: "note",
            flag: "inUse",
            secret: "unlockCode",
            read_only: "sightings",
            extension: WORKSTATION_EXTENSION,
            _house: house,
        },
    ]
}

impl Subject {
    /// A resource with a value of every kind.
    pub fn body(&self, unique: &str) -> Value {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
        set("schemas", json!([self.urn, self.extension]));
        set("externalId", unique.to_uppercase().into());
        set(self.unique, unique.into());
        set(self.complex.0, json!({ self.complex.1: "Example", self.complex.2: "Testperson" }));
        set(
            self.list,
            json!([
                { "value": "a@hosp.example", "type": "work", "primary": true },
                { "value": "b@hosp.example", "type": "home", "display": "B" },
            ]),
        );
        set(self.reference, "https://hosp.example/one".into());
        set(self.note, "first note".into());
        set(self.flag, true.into());
        set(self.extension, json!({ "department": "Imaging", "costCenter": "4711" }));
        body.into()
    }

    /// The smallest resource.
    pub fn bare(&self, unique: &str) -> Value {
        json!({ "schemas": [self.urn], self.unique: unique })
    }

    /// Creates a full one; its path.
    pub async fn made(&self, unique: &str) -> String {
        format!("{}/{}", self.endpoint, made(&self.client, self.endpoint, &self.body(unique)).await)
    }

    /// How many there are whose unique name begins so.
    pub async fn count(&self, stem: &str) -> u64 {
        let filter = format!("{} sw \"{stem}\"", self.unique);
        let answer =
            self.client.get(&format!("{}{}", self.endpoint, query(&[("filter", &filter), ("count", "0")]))).await;
        answer.body["totalResults"].as_u64().unwrap_or_else(|| panic!("no total: {}", answer.body))
    }
}
