//! Replies that never come from an Active Directory: every write, and each time one entry, no false failure, nothing done twice.
//!
//! A reply cannot be told from others inside TLS, so a door of the test's own ends the connector's TLS with the certificate that
//! it trusts, and the proxy that loses replies stands behind it.

use super::*;
use async_trait::async_trait;
use connector_testkit::{
    LdapProxy, LdapWrite,
    lost::{Line, Losing, times},
};
use fixtures::servers::Certificate;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{collections::BTreeSet, net::SocketAddr};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Calls at a time, each on a connection of its own: a reply is lost with its connection, and with it all others on it.
const AT_ONCE: usize = 8;

struct Lossy<'d> {
    domain: &'d Domain,
    proxy: Arc<LdapProxy>,
    connectors: Vec<Arc<dyn Connector>>,
}

/// Ends TLS and passes on what was inside. The port.
async fn door(certificate: &Certificate, behind: SocketAddr) -> u16 {
    let chain = CertificateDer::pem_slice_iter(certificate.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let settings = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(settings.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await.ok()?;
                let mut server = TcpStream::connect(behind).await.ok()?;
                copy_bidirectional(&mut client, &mut server).await.ok()
            });
        }
    });
    port
}

impl<'d> Lossy<'d> {
    async fn new(domain: &'d Domain) -> Self {
        let proxy = LdapProxy::before(domain.samba.wrapped).await.unwrap();
        let mut settings = config(&domain.samba, door(&domain.certificate, proxy.addr()).await);
        settings["connections"] = json!(1);
        settings["account"]["allow_delete"] = json!(true);
        let mut connectors = Vec::new();
        for _ in 0..AT_ONCE {
            connectors.push(open(settings.clone(), &domain.host).await.unwrap());
        }
        Self { domain, proxy, connectors }
    }

    fn losing(&self, kind: &str) -> Losing<'_> {
        Losing { connectors: self.connectors.clone(), host: self.domain.host.clone(), kind: kind.into(), line: self }
    }
}

fn sort(operation: &str) -> LdapWrite {
    match operation {
        "add" => LdapWrite::Add,
        "modify" => LdapWrite::Modify,
        "rename" => LdapWrite::Rename,
        "delete" => LdapWrite::Delete,
        other => panic!("{other} is no write"),
    }
}

#[async_trait]
impl Line for Lossy<'_> {
    async fn lose(&self, operation: &str) {
        self.proxy.lose(Some(sort(operation)));
    }

    async fn keep(&self) {
        self.proxy.lose(None);
    }

    async fn asked(&self, operation: &str) -> u64 {
        self.proxy.passed(sort(operation))
    }

    /// Everything but what the server counts on its own.
    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        let mut admin = self.domain.admin().await;
        let found = admin.search("DC=hosp,DC=example", Scope::Subtree, "(|(info=gateway-*)(cn=shift-*))", vec!["*"]);
        let entries = found.await.unwrap().0.into_iter().map(|entry| {
            let mut entry = SearchEntry::construct(entry);
            let id = entry.bin_attrs["objectGUID"][0].clone();
            entry.attrs.retain(|name, _| !["uSNChanged", "whenChanged", "pwdLastSet"].contains(&name.as_str()));
            let attrs: BTreeMap<String, BTreeSet<String>> =
                entry.attrs.into_iter().map(|(name, values)| (name, values.into_iter().collect())).collect();
            (guid(&id), format!("{} {attrs:?}", entry.dn))
        });
        let entries: BTreeMap<String, String> = entries.collect();
        ids.iter().map(|id| entries[id.as_str()].clone()).collect()
    }
}

/// The octets of an objectGUID as text: the first three parts come with their low octet first.
fn guid(octets: &[u8]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let digits: String = order.iter().map(|at| format!("{:02x}", octets[*at])).collect();
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

fn numbered(number: u32) -> Attrs {
    person(&format!("lost{number}"))
}

fn value(attribute: &str, text: &str) -> Change {
    set(attribute, Delta::Set(vec![text.into()]))
}

pub async fn every_write_of_an_account_survives_lost_replies(domain: &Domain) {
    let lossy = Lossy::new(domain).await;
    let losing = lossy.losing("account");
    let ids = losing.create("add", numbered, "employeeNumber", &[Entitlement::new("role", "grp-ed")]).await;
    for change in [
        value("department", "MED"),
        set("otherTelephone", Delta::Patch { add: vec!["1".into(), "2".into()], remove: vec!["3".into()] }),
        roles(&[], &["grp-ed"]),
        roles(&["grp-ed"], &[]),
    ] {
        losing.change("modify", &ids, &change, true).await;
    }
    // Closing also sets a password that nobody knows, with a request of its own.
    losing.change("modify", &ids, &to_state(AccountState::Disabled), false).await;
    losing.change("modify", &ids, &to_state(AccountState::Enabled), true).await;
    losing.change("rename", &ids, &value("parent", "OU=west,OU=people,DC=hosp,DC=example"), true).await;
    losing.changes("rename", &ids, |number| value("cn", &format!("Testperson renamed {number} Example")), true).await;
    let passwords = async |connector: Arc<dyn Connector>, number: u32| {
        let secret = connector_spi::Secret::new(format!("S0me-test-Password-{number}!"));
        let (cx, id) = (losing.cx("password", number, 1), &ids[number as usize]);
        connector.passwords().unwrap().set_password(&cx, &account(), id, &secret).await
    };
    losing.lose("modify", passwords).await;
    for again in losing.each(passwords).await {
        again.unwrap();
    }
    let members = domain.values(&format!("CN=grp-ed,{GROUPS}"), "member").await;
    assert_eq!(members.iter().filter(|member| member.contains("renamed")).count(), times() as usize);
    losing.delete("delete", &ids).await;
}

pub async fn every_write_of_a_group_survives_lost_replies(domain: &Domain) {
    let member = domain.make("shifted").await;
    let lossy = Lossy::new(domain).await;
    let losing = lossy.losing("group");
    let named = |number: u32| {
        let one = |text: String| vec![Value::from(text)];
        Attrs::from([
            ("cn".to_owned(), one(format!("shift-{number}"))),
            ("sAMAccountName".to_owned(), one(format!("shift-{number}"))),
            ("info".to_owned(), one(format!("gateway-shift-{number}"))),
        ])
    };
    let ids = losing.create("add", named, "cn", &[]).await;
    let list = || vec![Value::from(member.as_str())];
    losing.change("modify", &ids, &set("member", Delta::Patch { add: list(), remove: vec![] }), true).await;
    losing.change("modify", &ids, &set("member", Delta::Patch { add: vec![], remove: list() }), true).await;
    losing.delete("delete", &ids).await;
}
