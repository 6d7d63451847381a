//! The connector against a real slapd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod closing;
mod foreign;
mod groups;
#[path = "../host/mod.rs"]
mod host;
mod lost;
mod network;
mod proxy;
#[path = "../slapd/mod.rs"]
#[allow(dead_code)]
mod slapd;

use connector_spi::{
    AccountState, Attrs, Change, Class, Connector, Delta, Effect, Entitlement, EntitlementChange, Kind, NativeId, Value,
};
use host::{TestHost, cx, open};
use ldap3::Mod;
use serde_json::json;
use slapd::{PASSWORD, PEOPLE, Setup, Slapd};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

fn account() -> Kind {
    "account".into()
}

fn person(number: u32) -> Attrs {
    let one = |value: String| vec![Value::from(value)];
    Attrs::from([
        ("uid".to_owned(), one(format!("test{number}"))),
        ("cn".to_owned(), one(format!("Testperson {number} Example"))),
        ("sn".to_owned(), one("Example".to_owned())),
        ("employeeNumber".to_owned(), one(format!("E{number}"))),
        ("clinGatewayId".to_owned(), one(format!("gateway-{number}"))),
    ])
}

fn dn(number: u32) -> String {
    format!("uid=test{number},{PEOPLE}")
}

fn role(value: &str) -> Entitlement {
    Entitlement::new("role", value)
}

fn to_state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}

fn set(attribute: &str, value: &str) -> Change {
    Change { attrs: BTreeMap::from([(attribute.to_owned(), Delta::Set(vec![value.into()]))]), ..Change::default() }
}

fn give(values: &[&str]) -> Change {
    let add = values.iter().map(|value| role(value)).collect();
    Change { entitlements: EntitlementChange { add, ..EntitlementChange::default() }, ..Change::default() }
}

fn take(values: &[&str]) -> Change {
    let remove = values.iter().map(|value| role(value)).collect();
    Change { entitlements: EntitlementChange { remove, ..EntitlementChange::default() }, ..Change::default() }
}

fn key(attribute: &str, value: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([(attribute.to_owned(), Value::from(value))])
}

struct Target {
    slapd: Slapd,
    host: Arc<TestHost>,
    connector: Arc<dyn Connector>,
}

impl Target {
    async fn new() -> Option<Self> {
        Self::with(Setup::default(), |_| {}).await
    }

    async fn with(setup: Setup, change: impl FnOnce(&mut serde_json::Value)) -> Option<Self> {
        let slapd = slapd::start_with(setup)?;
        let mut config = slapd.config();
        change(&mut config);
        let host = TestHost::new(&[PASSWORD]);
        let connector = open(config, &host).await.unwrap();
        Some(Self { slapd, host, connector })
    }

    async fn make(&self, number: u32) -> NativeId {
        let made =
            self.connector.create(&cx(&self.host), &account(), &person(number), AccountState::Enabled, &[]).await;
        made.unwrap().id
    }

    async fn update(&self, id: &NativeId, change: &Change) -> connector_spi::Result<connector_spi::Updated> {
        self.connector.update(&cx(&self.host), &account(), id, change).await
    }

    async fn read(&self, id: &NativeId) -> connector_spi::Record {
        self.connector.get(&cx(&self.host), &account(), id).await.unwrap().unwrap()
    }

    async fn give_password(&self, number: u32, password: &str) {
        let mods = vec![Mod::Replace("userPassword", HashSet::from([password]))];
        self.slapd.admin().await.modify(&dn(number), mods).await.unwrap().success().unwrap();
    }
}

#[tokio::test]
async fn a_new_account_is_read_back_as_it_was_written() {
    let Some(target) = Target::new().await else { return };
    let mut attrs = person(12);
    attrs.insert("clinFacility".into(), vec!["EAST".into(), "WEST".into()]);
    attrs.insert("clinAccessEnd".into(), vec!["2026-09-21T04:00:00Z".parse::<jiff::Timestamp>().unwrap().into()]);

    let made =
        target.connector.create(&cx(&target.host), &account(), &attrs, AccountState::Enabled, &[]).await.unwrap();
    let record = target.read(&made.id).await;

    assert!(made.failed.is_empty());
    for (name, values) in &attrs {
        let read: BTreeSet<_> = record.attrs[name].iter().collect();
        assert_eq!(read, values.iter().collect(), "{name}");
    }
    assert_eq!(record.attrs["parent"], [Value::from(PEOPLE)]);
    assert_eq!((record.state, record.entitlements.as_deref()), (AccountState::Enabled, Some(&[][..])));
    assert_eq!(record.natural_key["employeeNumber"], Value::from("E12"));
}

#[tokio::test]
async fn an_account_is_found_by_each_natural_key_also_when_it_is_closed() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();

    for (attribute, value) in [("uid", "TEST1"), ("employeeNumber", "E1"), ("clinGatewayId", "gateway-1")] {
        let found = target.connector.find(&cx(&target.host), &account(), &key(attribute, value)).await.unwrap();
        assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&id], "{attribute}");
    }
    let none = target.connector.find(&cx(&target.host), &account(), &key("uid", "*")).await.unwrap();
    assert_eq!(none, []);
    let refused = target.connector.find(&cx(&target.host), &account(), &key("sn", "Example")).await.unwrap_err();
    assert_eq!(refused.class, Class::Unsupported);
}

#[tokio::test]
async fn a_taken_name_is_reported_with_the_account_that_has_it() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let error = target.connector.create(&cx(&target.host), &account(), &person(1), AccountState::Enabled, &[]).await;
    let error = error.unwrap_err();
    assert_eq!((error.class, error.existing, error.effect), (Class::AlreadyExists, Some(id), Effect::None));
}

#[tokio::test]
async fn a_later_attempt_recognises_the_account_that_an_earlier_one_made() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let mut again = cx(&target.host);
    again.attempt = 2;
    let made = target.connector.create(&again, &account(), &person(1), AccountState::Enabled, &[]).await.unwrap();
    assert_eq!((made.id, made.adopted), (id, true));
}

#[tokio::test]
async fn a_rename_keeps_the_id_and_the_groups() {
    for bare in [false, true] {
        let Some(target) = Target::with(Setup { bare, ..Setup::default() }, |_| {}).await else { return };
        let id = target.make(1).await;
        target.update(&id, &give(&["grp-ed"])).await.unwrap();
        let west = "ou=west,ou=people,dc=hosp,dc=example";
        let mut change = set("uid", "new, name+1");
        change.attrs.insert("parent".into(), Delta::Set(vec![west.into()]));

        let updated = target.update(&id, &change).await.unwrap();

        assert_eq!((updated.new_id, updated.failed.len()), (None, 0));
        let record = target.read(&id).await;
        assert_eq!(record.attrs["uid"], [Value::from("new, name+1")]);
        assert_eq!(record.attrs["parent"], [Value::from(west)]);
        assert_eq!(record.entitlements, Some(vec![role("grp-ed")]), "bare: {bare}");
        let members = target.slapd.values("cn=grp-ed,ou=entitlements,dc=hosp,dc=example", "member").await.unwrap();
        assert_eq!(members.len(), 2, "{members:?}");
    }
}

/// Memberships go by name. Who is given a name in the moment in which somebody else gives it up keeps what is given with it.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_given_a_name_that_is_just_given_up_keeps_the_groups_that_come_with_it() {
    let Some(target) = Target::with(Setup { bare: true, ..Setup::default() }, |_| {}).await else { return };
    for number in 1..=40 {
        let id = target.make(number).await;
        target.update(&id, &give(&["grp-ed"])).await.unwrap();
        let mut other = person(number);
        other.insert("employeeNumber".into(), vec![format!("X{number}").into()]);
        other.insert("clinGatewayId".into(), vec![format!("other {number}").into()]);

        let successor = async {
            for _ in 0..2_000 {
                let held = [role("grp-ed")];
                match target.connector.create(&cx(&target.host), &account(), &other, AccountState::Enabled, &held).await
                {
                    Ok(created) => return created,
                    Err(error) => assert!(matches!(error.class, Class::AlreadyExists | Class::Transient), "{error:?}"),
                }
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            panic!("the name is never given up");
        };
        let change = set("uid", &format!("renamed{number}"));
        let (renamed, created) = tokio::join!(target.update(&id, &change), successor);
        assert_eq!(renamed.unwrap().failed, []);
        assert_eq!(created.failed, []);

        for id in [&id, &created.id] {
            assert_eq!(target.read(id).await.entitlements, Some(vec![role("grp-ed")]), "number {number}");
        }
    }
}

#[tokio::test]
async fn an_entry_that_took_over_a_name_is_never_written() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    // Behind the connector's back the account moves, and somebody else gets its name.
    let mut admin = target.slapd.admin().await;
    admin.modifydn(&dn(1), "uid=moved", true, None).await.unwrap().success().unwrap();
    let mut other = person(1);
    other.insert("clinGatewayId".into(), vec!["somebody else".into()]);
    let second = open(target.slapd.config(), &target.host).await.unwrap();
    second.create(&cx(&target.host), &account(), &other, AccountState::Enabled, &[]).await.unwrap();

    target.update(&id, &give(&["grp-ed"])).await.unwrap();
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();

    assert_eq!(target.slapd.values(&dn(1), "clinAccountStatus").await.unwrap(), ["active"]);
    let moved = format!("uid=moved,{PEOPLE}");
    let members = target.slapd.values("cn=grp-ed,ou=entitlements,dc=hosp,dc=example", "member").await.unwrap();
    assert!(members.contains(&moved) && !members.contains(&dn(1)), "{members:?}");
    assert_eq!(target.slapd.values(&moved, "clinAccountStatus").await.unwrap(), ["ended"]);
}

#[tokio::test]
async fn a_refused_attribute_is_named_and_the_others_arrive() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let mut change = set("title", "Resident");
    change.attrs.extend(set("clinNpi", "no digits").attrs);
    change.state = Some(AccountState::Enabled);
    let updated = target.update(&id, &change).await.unwrap();
    let failed: Vec<_> = updated.failed.iter().map(|one| (one.part.as_str(), one.error.class)).collect();
    assert_eq!(failed, [("clinNpi", Class::Invalid), ("state", Class::Conflict)]);
    assert_eq!(target.read(&id).await.attrs["title"], [Value::from("Resident")]);

    let refused = target.update(&id, &set("entryUUID", "x")).await.unwrap_err();
    assert_eq!((refused.class, refused.attribute.as_deref()), (Class::Invalid, Some("entryUUID")));
    let mut nameless = person(3);
    nameless.remove("sn");
    let refused = target.connector.create(&cx(&target.host), &account(), &nameless, AccountState::Enabled, &[]).await;
    assert_eq!(refused.unwrap_err().attribute.as_deref(), Some("sn"));
}

#[tokio::test]
async fn values_are_added_and_removed_without_touching_the_others() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let patch = |add: &[&str], remove: &[&str]| {
        let list = |values: &[&str]| values.iter().map(|value| Value::from(*value)).collect();
        let delta = Delta::Patch { add: list(add), remove: list(remove) };
        Change { attrs: BTreeMap::from([("clinFacility".to_owned(), delta)]), ..Change::default() }
    };
    target.update(&id, &patch(&["EAST", "FOREIGN"], &[])).await.unwrap();
    for _ in 0..2 {
        target.update(&id, &patch(&["WEST"], &["EAST", "NORTH"])).await.unwrap();
    }
    assert_eq!(target.slapd.values(&dn(1), "clinFacility").await.unwrap(), ["FOREIGN", "WEST"]);
    let clear = Change { attrs: BTreeMap::from([("clinFacility".into(), Delta::Clear)]), ..Change::default() };
    target.update(&id, &clear).await.unwrap();
    assert_eq!(target.read(&id).await.attrs.get("clinFacility"), None);
}

#[tokio::test]
async fn a_change_against_an_old_version_is_refused() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let old = target.read(&id).await.version;
    target.update(&id, &Change { if_version: old.clone(), ..set("title", "one") }).await.unwrap();
    let stale = target.update(&id, &Change { if_version: old, ..set("title", "two") }).await.unwrap_err();
    assert_eq!(stale.class, Class::StaleVersion);
    assert_eq!(target.read(&id).await.attrs["title"], [Value::from("one")]);
}

#[tokio::test]
async fn ending_what_is_not_there_succeeds_and_changing_it_does_not() {
    let Some(target) = Target::with(Setup::default(), |c| c["account"]["allow_delete"] = json!(true)).await else {
        return;
    };
    let id = target.make(1).await;
    for _ in 0..2 {
        target.connector.delete(&cx(&target.host), &account(), &id).await.unwrap();
    }
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();
    target.update(&id, &take(&["grp-ed"])).await.unwrap();
    assert_eq!(target.update(&id, &set("title", "x")).await.unwrap_err().class, Class::NotFound);
    assert_eq!(target.connector.get(&cx(&target.host), &account(), &id).await.unwrap(), None);
}

#[tokio::test]
async fn deleting_is_refused_unless_it_is_allowed() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let refused = target.connector.delete(&cx(&target.host), &account(), &id).await.unwrap_err();
    assert_eq!(refused.class, Class::Unsupported);
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_tells_no_values() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let mut dry = cx(&target.host);
    dry.dry_run = true;
    target.connector.create(&dry, &account(), &person(2), AccountState::Enabled, &[role("grp-ed")]).await.unwrap();
    let change = Change { state: Some(AccountState::Disabled), ..set("title", "Secretvalue") };
    target.connector.update(&dry, &account(), &id, &change).await.unwrap();

    assert_eq!(target.slapd.values(&dn(2), "uid").await, None);
    assert_eq!(target.read(&id).await.state, AccountState::Enabled);
    let told = target.host.told.lock().unwrap().join("\n");
    assert!(told.contains("title") && told.contains("role:grp-ed"), "{told}");
    assert!(!told.contains("Secretvalue") && !told.contains("Testperson"), "{told}");
}

#[tokio::test]
async fn the_schema_is_detected_and_stable() {
    let Some(target) = Target::new().await else { return };
    let schema = target.connector.schema(&cx(&target.host)).await.unwrap();
    assert_eq!(schema, target.connector.schema(&cx(&target.host)).await.unwrap());
    let account = &schema.kinds[&account()];
    assert!(account.attrs["sn"].required && account.attrs["sn"].multi && !account.attrs["sn"].case_exact);
    assert!(account.attrs["clinGatewayId"].case_exact && !account.attrs["clinGatewayId"].multi);
    assert_eq!(account.attrs["clinAccessEnd"].ty, connector_spi::ValueType::Timestamp);
    assert!(!account.attrs.contains_key("userPassword") && !account.attrs.contains_key("clinAccountStatus"));
    assert!(account.caps.conditional_update && account.caps.disable && !account.caps.delete);
    assert_eq!(schema.kinds[&Kind::from("role")].role, connector_spi::KindRole::Entitlement);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_has_every_account_once_and_survives_a_restart() {
    let Some(target) = Target::new().await else { return };
    for chunk in (0..2_000_u32).collect::<Vec<_>>().chunks(100) {
        let calls = chunk.iter().map(|number| {
            let (connector, cx, number) = (target.connector.clone(), cx(&target.host), *number);
            tokio::spawn(
                async move { connector.create(&cx, &account(), &person(number), AccountState::Enabled, &[]).await },
            )
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap().unwrap();
        }
    }
    let (mut connector, mut cursor, mut seen) = (target.connector.clone(), None, Vec::new());
    for page in 0.. {
        if page == 3 {
            connector = open(target.slapd.config(), &target.host).await.unwrap();
        }
        let list = connector.lister().unwrap();
        let page = list.list(&cx(&target.host), &account(), cursor.as_ref(), 150).await.unwrap();
        assert!(page.complete && page.items.len() <= 150);
        seen.extend(page.items.into_iter().map(|record| record.natural_key["uid"].to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 2_001);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 2_001);

    let limited = target.slapd.config();
    let limited = open(
        {
            let mut config = limited;
            config["bind_dn"] = json!("cn=limited,ou=services,dc=hosp,dc=example");
            config
        },
        &target.host,
    );
    let limited = limited.await.unwrap();
    let mut cursor = None;
    let complete = loop {
        let page = limited.lister().unwrap().list(&cx(&target.host), &account(), cursor.as_ref(), 60).await.unwrap();
        match page.next {
            Some(next) if page.complete => cursor = Some(next),
            _ => break page.complete,
        }
    };
    assert!(!complete, "a listing that the server cut short is not complete");
}
