//! Replies that never come: every write to the directory, and each time one entry, no false failure, nothing done twice.

use super::*;
use async_trait::async_trait;
use connector_testkit::{
    LdapProxy, LdapWrite,
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
    async fn new(setup: Setup, scramble: bool) -> Option<Self> {
        let target = Target::with(setup, |_| {}).await?;
        let proxy = LdapProxy::before(SocketAddr::from(([127, 0, 0, 1], target.slapd.port))).await.unwrap();
        let mut config = target.slapd.config_at(proxy.addr().port());
        config["connections"] = json!(1);
        config["account"]["allow_delete"] = json!(true);
        config["account"]["scramble_password"] = json!(scramble);
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

    async fn members(&self, group: &str) -> Vec<String> {
        self.target.slapd.values(group, "member").await.unwrap()
    }

    /// How many entries stand directly or further below.
    async fn below(&self, base: &str, class: &str) -> usize {
        let filter = format!("(objectClass={class})");
        self.target.slapd.admin().await.search(base, Scope::Subtree, &filter, vec!["1.1"]).await.unwrap().0.len()
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
impl Line for Lossy {
    async fn lose(&self, operation: &str) {
        self.proxy.lose(Some(sort(operation)));
    }

    async fn keep(&self) {
        self.proxy.lose(None);
    }

    async fn asked(&self, operation: &str) -> u64 {
        self.proxy.passed(sort(operation))
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
    let Some(lossy) = Lossy::new(Setup::default(), false).await else { return };
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
    for change in [
        set("title", "Resident"),
        clear,
        patch("EAST", "WEST"),
        patch("WEST", "EAST"),
        give(&["grp-ed"]),
        take(&["grp-ed"]),
        give(&["grp-inner"]),
        to_state(AccountState::Disabled),
        to_state(AccountState::Enabled),
        to_state(AccountState::Blocked),
        to_state(AccountState::Enabled),
    ] {
        losing.change("modify", &ids, &change, true).await;
    }
    losing.change("rename", &ids, &moved, true).await;
    losing.changes("rename", &ids, |number| set("uid", &format!("renamed{number}")), true).await;
    assert_eq!(lossy.below(PEOPLE, "inetOrgPerson").await - before, times() as usize);
    let members = lossy.members("cn=grp-inner,ou=inner,ou=entitlements,dc=hosp,dc=example").await;
    assert_eq!(members.len(), times() as usize + 1, "every one of them and the placeholder");

    losing.delete("delete", &ids).await;
    assert_eq!(lossy.below(PEOPLE, "inetOrgPerson").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_closed_with_a_password_nobody_knows_is_closed_however_often_the_reply_is_lost() {
    let Some(lossy) = Lossy::new(Setup::default(), true).await else { return };
    let losing = lossy.losing("account");
    let ids = losing.create("add", person, "employeeNumber", &[]).await;
    for state in [AccountState::Disabled, AccountState::Blocked, AccountState::Enabled] {
        losing.change("modify", &ids, &to_state(state), false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_whose_change_or_end_was_not_told_stays_in_no_group_without_the_servers_help() {
    let Some(lossy) = Lossy::new(Setup { bare: true, ..Setup::default() }, false).await else { return };
    let losing = lossy.losing("account");
    let ids = losing.create("add", person, "employeeNumber", &[role("grp-ed")]).await;
    let group = "cn=grp-ed,ou=entitlements,dc=hosp,dc=example";

    // when accounts move and get other names
    let moved = Delta::Set(vec![WEST.into()]);
    let moved = Change { attrs: BTreeMap::from([("parent".to_owned(), moved)]), ..Change::default() };
    losing.change("rename", &ids, &moved, false).await;
    losing.changes("rename", &ids, |number| set("uid", &format!("renamed{number}")), false).await;

    // then the group has the new names and no old one
    let members = lossy.members(group).await;
    let new = members.iter().filter(|member| member.starts_with("uid=renamed") && member.ends_with(WEST)).count();
    assert_eq!((members.len(), new), (times() as usize + 1, times() as usize));

    // and when they are deleted, none at all
    losing.delete("delete", &ids).await;
    assert_eq!(lossy.members(group).await, ["uid=placeholder,ou=services,dc=hosp,dc=example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_a_group_survives_lost_replies() {
    let Some(lossy) = Lossy::new(Setup::default(), false).await else { return };
    let member = lossy.target.make(1).await;
    let losing = lossy.losing("group");
    let named = |number: u32| Attrs::from([("cn".to_owned(), vec![Value::from(format!("Night shift {number}"))])]);
    let ids = losing.create("add", named, "cn", &[]).await;
    let members = |add: &[&NativeId], remove: &[&NativeId]| {
        let list = |ids: &[&NativeId]| ids.iter().map(|id| Value::from(id.as_str())).collect();
        let delta = Delta::Patch { add: list(add), remove: list(remove) };
        Change { attrs: BTreeMap::from([("member".to_owned(), delta)]), ..Change::default() }
    };
    losing.change("modify", &ids, &members(&[&member], &[]), true).await;
    losing.change("modify", &ids, &members(&[], &[&member]), true).await;
    losing.change("modify", &ids, &set("member", member.as_str()), true).await;
    losing.change("modify", &ids, &set("description", "Those who stay"), true).await;
    losing.changes("rename", &ids, |number| set("cn", &format!("Day shift {number}")), true).await;
    assert_eq!(lossy.below(TEAMS, "groupOfNames").await, times() as usize);

    losing.delete("delete", &ids).await;
    assert_eq!(lossy.below(TEAMS, "groupOfNames").await, 0);
}
