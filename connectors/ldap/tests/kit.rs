//! The conformance kit over a real slapd, with a proxy between that does harm on command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[allow(dead_code)]
mod slapd;

use async_trait::async_trait;
use connector_spi::{Erase, Kind};
use connector_testkit::{Fault, FaultProxy, StateProbe, Subject, assert_required, run};
use ldap3::{LdapConnAsync, Scope, SearchEntry};
use serde_json::json;
use slapd::{PASSWORD, PEOPLE, Setup};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;

/// A proxy that knows where a message of LDAP begins and ends.
struct Proxy {
    port: u16,
    fault: Arc<Mutex<Fault>>,
    cut: watch::Sender<u32>,
}

impl Proxy {
    async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(Mutex::new(Fault::Off));
        let (cut, cuts) = watch::channel(0);
        let shared = fault.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if *shared.lock().unwrap() != Fault::ResetBeforeSend {
                    let (shared, mut cuts) = (shared.clone(), cuts.clone());
                    tokio::spawn(async move {
                        cuts.mark_unchanged();
                        tokio::select! {
                            _ = cuts.changed() => {}
                            _ = converse(client, server, shared) => {}
                        }
                    });
                }
            }
        });
        Self { port, fault, cut }
    }
}

#[async_trait]
impl FaultProxy for Proxy {
    fn supports(&self, fault: Fault) -> bool {
        // LDAP has no answer that names a time to wait.
        !matches!(fault, Fault::Throttled { .. })
    }

    async fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        if matches!(fault, Fault::ResetBeforeSend | Fault::Unauthorized | Fault::Off) {
            self.cut.send_modify(|cuts| *cuts += 1);
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn converse(client: TcpStream, server: u16, fault: Arc<Mutex<Fault>>) -> Option<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(("127.0.0.1", server)).await.ok()?.into_split();
    loop {
        tokio::select! {
            request = message(&mut from_client) => {
                let (whole, id, tag) = request?;
                let now = *fault.lock().unwrap();
                match now {
                    Fault::Unavailable if tag != BIND => to_client.write_all(&refusal(id, tag, 52)).await.ok()?,
                    Fault::Unauthorized if tag == BIND => to_client.write_all(&refusal(id, tag, 49)).await.ok()?,
                    Fault::Html => {
                        to_client.write_all(b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html><html></html>").await.ok()?;
                        return None;
                    }
                    Fault::SlowBody if tag != BIND => trickle(&mut to_client).await?,
                    _ => to_server.write_all(&whole).await.ok()?,
                }
            }
            answer = message(&mut from_server) => {
                let (mut whole, _, tag) = answer?;
                match *fault.lock().unwrap() {
                    // Done, and nobody is told.
                    Fault::ResetAfterSend if matches!(tag, 0x67 | 0x69 | 0x6b | 0x6d) => return None,
                    Fault::TruncatedPage if tag == 0x65 => {
                        if let Some(at) = whole.windows(3).position(|octets| octets == [0x0a, 0x01, 0x00]) {
                            whole[at + 2] = 4;
                        }
                    }
                    _ => {}
                }
                to_client.write_all(&whole).await.ok()?;
            }
        }
    }
}

/// One whole message, its id and the tag of its operation. Not safe to drop half-way; slapd and ldap3 write whole messages.
async fn message(from: &mut OwnedReadHalf) -> Option<(Vec<u8>, Vec<u8>, u8)> {
    from.readable().await.ok()?;
    let mut whole = vec![0; 2];
    from.read_exact(&mut whole).await.ok()?;
    let length = match whole[1] {
        short @ 0..=0x7f => usize::from(short),
        long => {
            let mut digits = vec![0; usize::from(long & 0x7f)];
            from.read_exact(&mut digits).await.ok()?;
            whole.extend(&digits);
            digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit))
        }
    };
    let head = whole.len();
    whole.resize(head + length, 0);
    from.read_exact(&mut whole[head..]).await.ok()?;
    let id_length = usize::from(whole[head + 1]);
    let id = whole[head..head + 2 + id_length].to_vec();
    let tag = whole[head + 2 + id_length];
    Some((whole, id, tag))
}

fn refusal(id: Vec<u8>, request: u8, code: u8) -> Vec<u8> {
    let answer = match request {
        SEARCH => 0x65,
        0x4a => 0x6b,
        other => other + 1,
    };
    let result = [answer, 7, 0x0a, 1, code, 4, 0, 4, 0];
    let length = u8::try_from(id.len() + result.len()).unwrap();
    [&[0x30, length][..], &id, &result].concat()
}

async fn trickle(to: &mut OwnedWriteHalf) -> Option<()> {
    to.write_all(&[0x30, 0x83, 0x0f, 0xff, 0xff]).await.ok()?;
    loop {
        to.write_all(&[0x02]).await.ok()?;
        sleep(Duration::from_millis(50)).await;
    }
}

/// A look at the directory as its administrator.
struct Probe {
    port: u16,
}

impl Probe {
    async fn admin(&self) -> ldap3::Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", self.port)).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind("cn=admin,dc=hosp,dc=example", PASSWORD).await.unwrap().success().unwrap();
        ldap
    }
}

#[async_trait]
impl StateProbe for Probe {
    async fn state(&self) -> String {
        let mut admin = self.admin().await;
        let found = admin.search("dc=hosp,dc=example", Scope::Subtree, "(objectClass=*)", vec!["*", "entryCSN"]).await;
        let mut lines: Vec<String> = found
            .unwrap()
            .0
            .into_iter()
            .map(|entry| {
                let entry = SearchEntry::construct(entry);
                format!("{} {:?}", entry.dn, entry.attrs.into_iter().collect::<BTreeMap<_, _>>())
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }

    async fn seed(&self, _: &Kind, count: u32) -> bool {
        let mut admin = self.admin().await;
        for number in 0..count {
            let one = |value: String| HashSet::from([value]);
            let attributes = vec![
                ("objectClass".to_owned(), one("inetOrgPerson".into())),
                ("uid".to_owned(), one(format!("seed{number}"))),
                ("cn".to_owned(), one(format!("Testperson {number} Example"))),
                ("sn".to_owned(), one("Example".into())),
            ];
            admin.add(&format!("uid=seed{number},{PEOPLE}"), attributes).await.unwrap().success().unwrap();
        }
        true
    }
}

#[tokio::test]
async fn the_connector_keeps_every_promise_of_the_contract() {
    let Some(slapd) = slapd::start_with(Setup::default()) else { return };
    let proxy = Proxy::start(slapd.port).await;
    let config = |port: u16| {
        let mut config = slapd.config_at(port);
        config["bind_password"] = json!({ "env": "DIRECTORY_PASSWORD" });
        config["account"]["allow_delete"] = json!(true);
        config["account"]["attributes"] = json!(["displayName", "title", "clinFacility", "clinAccessEnd"]);
        config
    };
    let fixture = json!({
        "account": {
            "kind": "account",
            "attrs": {
                "uid": ["kit{n}"],
                "cn": ["Testperson {n} Example"],
                "sn": ["Example"],
                "employeeNumber": ["K{n}"],
                "clinGatewayId": ["gateway-{n}"],
                "displayName": ["Testperson {n} Example"],
                "title": ["Resident"],
                "clinFacility": ["EAST", "WEST"],
                "clinAccessEnd": [{ "at": "2026-09-21T04:00:00Z" }],
                "pwdEndTime": [{ "at": "2099-09-21T04:00:00Z" }],
                "parent": ["ou=west,ou=people,dc=hosp,dc=example"],
            },
            "text": "displayName",
            "multi": ["clinFacility", ["NORTH", "SOUTH", "CENTRE"]],
            "renames": "uid",
            "absent": "00000000-0000-0000-0000-0000{n}",
        },
        "entitlements": [{ "type": "role", "value": "grp-ed" }, { "type": "role", "value": "grp-inner" }],
        "unknown_entitlement": { "type": "role", "value": "no-such-group" },
    });
    let settings = config(proxy.port);
    let subject = Subject {
        wrong_host: Some(config(1)),
        secrets: BTreeMap::from([("DIRECTORY_PASSWORD".to_owned(), PASSWORD.to_owned())]),
        faults: Some(Arc::new(proxy)),
        probe: Some(Arc::new(Probe { port: slapd.port })),
        ..Subject::new(
            Arc::new(Erase::<connector_ldap::Ldap>::new()),
            settings,
            serde_json::from_value(fixture).unwrap(),
        )
    };
    let report = run(&subject).await;
    println!("{report}");
    assert_required("ldap", &report);
}
