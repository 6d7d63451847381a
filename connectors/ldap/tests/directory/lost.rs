//! Replies that never come: every write to the directory, and each time one entry, no false failure, nothing done twice.

use super::*;
use async_trait::async_trait;
use connector_testkit::{
    Fault, FaultProxy, LdapProxy, StateProbe,
    lost::{Line, Losing, times},
};
use ldap3::{Scope, SearchEntry};
use std::net::SocketAddr;

const TEAMS: &str = "ou=teams,dc=hosp,dc=example";
const WEST: &str = "ou=west,ou=people,dc=hosp,dc=example";
/// Calls at a time, each on a connection of its own: a reply is lost with its connection, and with it all others on it.
const AT_ONCE: usize = 8;

/// A proxy that ends a connection in place of the answer to a write, and a look at the directory as its administrator.
struct Lossy {
    target: Target,
    proxy: Arc<LdapProxy>,
    connectors: Vec<Arc<dyn Connector>>,
}

impl Lossy {
    async fn new(setup: Setup) -> Option<Self> {
        let target = Target::with(setup, |_| {}).await?;
        let proxy = LdapProxy::before(SocketAddr::from(([127, 0, 0, 1], target.slapd.port))).await.unwrap();
        let mut config = target.slapd.config_at(proxy.addr().port());
        config["connections"] = json!(1);
        config["account"]["allow_delete"] = json!(true);
        config["group"] = json!({
            "base": TEAMS, "placeholder": "uid=placeholder,ou=services,dc=hosp,dc=example", "allow_delete": true,
        });
        let mut connectors = Vec::new();
        for _ in 0..AT_ONCE {
            connectors.push(open(config.clone(), &target.host).await.unwrap());
        }
        Some(Self { target, proxy, connectors })
    }

    fn losing(&self, kind: &str) -> Losing<'_> {
        Losing { connectors: self.connectors.clone(), host: self.target.host.clone(), kind: kind.into(), line: self }
    }

    /// How many entries stand directly or further below.
    async fn below(&self, base: &str, class: &str) -> usize {
        let filter = format!("(objectClass={class})");
        self.target.slapd.admin().await.search(base, Scope::Subtree, &filter, vec!["1.1"]).await.unwrap().0.len()
    }
}

#[async_trait]
impl Line for Lossy {
    async fn lose(&self, _: &str) {
        self.proxy.set(Fault::ResetAfterSend).await;
    }

    async fn keep(&self) {
        self.proxy.set(Fault::Off).await;
    }

    /// Writes of every sort: while replies are lost, no connection lives to carry a second.
    async fn asked(&self, _: &str) -> u64 {
        self.proxy.state().await.parse().unwrap()
    }

    /// Everything but what the server writes on its own and the password, which is another one each time an account is closed.
    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        let mut admin = self.target.slapd.admin().await;
        let wanted = vec!["*", "entryUUID", "memberOf", "pwdAccountLockedTime"];
        let found = admin.search("dc=hosp,dc=example", Scope::Subtree, "(objectClass=*)", wanted).await.unwrap().0;
        let entries = found.into_iter().map(|entry| {
            let mut entry = SearchEntry::construct(entry);
            entry.attrs.remove("userPassword");
            let attrs: BTreeMap<String, BTreeSet<String>> =
                entry.attrs.into_iter().map(|(name, values)| (name, values.into_iter().collect())).collect();
            (attrs["entryUUID"].first().unwrap().clone(), format!("{} {attrs:?}", entry.dn))
        });
        let entries: BTreeMap<String, String> = entries.collect();
        ids.iter().map(|id| entries[id.as_str()].clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_an_account_survives_lost_replies() {
    let Some(lossy) = Lossy::new(Setup::default()).await else { return };
    let losing = lossy.losing("account");
    let before = lossy.below(PEOPLE, "inetOrgPerson").await;
    let ids = losing.create("add", person, "employeeNumber", &[]).await;
    // Where a group stands is looked for once, by a write that finds nothing; then it is known.
    for change in [give(&["grp-inner"]), take(&["grp-inner"])] {
        let known = losing.each(async |connector, number| {
            let id = &ids[number as usize];
            connector.update(&losing.cx("known", number, 1), &account(), id, &change).await.unwrap()
        });
        known.await;
    }
    let patch = |add: &str, remove: &str| {
        let delta = Delta::Patch { add: vec![add.into()], remove: vec![remove.into()] };
        Change { attrs: BTreeMap::from([("clinFacility".to_owned(), delta)]), ..Change::default() }
    };
    let clear = Change { attrs: BTreeMap::from([("title".to_owned(), Delta::Clear)]), ..Change::default() };
    let moved =
        Change { attrs: BTreeMap::from([("parent".to_owned(), Delta::Set(vec![WEST.into()]))]), ..Change::default() };
    for (name, change) in [
        ("a value", set("title", "Resident")),
        ("no value", clear),
        ("one of several values", patch("EAST", "WEST")),
        ("another one of them", patch("WEST", "EAST")),
        ("a group", give(&["grp-ed"])),
        ("no group", take(&["grp-ed"])),
        ("a group further below", give(&["grp-inner"])),
        ("closing", to_state(AccountState::Disabled)),
        ("opening", to_state(AccountState::Enabled)),
        ("a block", to_state(AccountState::Blocked)),
        ("no block", to_state(AccountState::Enabled)),
        ("another place", moved),
    ] {
        losing.change(name, &ids, &change, true).await;
    }
    losing.changes("another name", &ids, |number| set("uid", &format!("renamed{number}")), true).await;
    assert_eq!(lossy.below(PEOPLE, "inetOrgPerson").await - before, times() as usize);
    let members = lossy.target.slapd.values("cn=grp-inner,ou=inner,ou=entitlements,dc=hosp,dc=example", "member").await;
    assert_eq!(members.unwrap().len(), times() as usize + 1, "every one of them and the placeholder");

    losing.delete("deleting", &ids).await;
    assert_eq!(lossy.below(PEOPLE, "inetOrgPerson").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_a_group_survives_lost_replies() {
    let Some(lossy) = Lossy::new(Setup::default()).await else { return };
    let member = lossy.target.make(1).await;
    let losing = lossy.losing("group");
    let named = |number: u32| Attrs::from([("cn".to_owned(), vec![Value::from(format!("Night shift {number}"))])]);
    let ids = losing.create("add", named, "cn", &[]).await;
    let members = |add: &[&NativeId], remove: &[&NativeId]| {
        let list = |ids: &[&NativeId]| ids.iter().map(|id| Value::from(id.as_str())).collect();
        let delta = Delta::Patch { add: list(add), remove: list(remove) };
        Change { attrs: BTreeMap::from([("member".to_owned(), delta)]), ..Change::default() }
    };
    losing.change("a member", &ids, &members(&[&member], &[]), true).await;
    losing.change("no member", &ids, &members(&[], &[&member]), true).await;
    losing.change("all members", &ids, &set("member", member.as_str()), true).await;
    losing.change("a value", &ids, &set("description", "Those who stay"), true).await;
    losing.changes("another name", &ids, |number| set("cn", &format!("Day shift {number}")), true).await;
    assert_eq!(lossy.below(TEAMS, "groupOfNames").await, times() as usize);

    losing.delete("deleting", &ids).await;
    assert_eq!(lossy.below(TEAMS, "groupOfNames").await, 0);
}
