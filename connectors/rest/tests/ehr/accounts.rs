//! Accounts: made once, found by every key, changed by the right path.

use crate::support::{account, cx, grant, key, person};
use crate::{Stage, give, set, state};
use connector_spi::{AccountState, Change, Class, Delta, Effect, NativeId, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

#[tokio::test]
async fn what_was_created_is_read_back_and_found_by_every_key() {
    let stage = Stage::set().await;
    let grants = [grant("position", "RN"), grant("organization", "EAST"), grant("personnel-group", "BG_ED")];

    let created = stage.create("op", 1, AccountState::Enabled, &grants).await.unwrap();

    assert_eq!(created.failed, []);
    let record = stage.target.get(&cx(&stage.host, "r"), &account(), &created.id).await.unwrap().unwrap();
    assert_eq!((record.state, record.incomplete), (AccountState::Enabled, false));
    for (name, values) in person(1) {
        assert_eq!(record.attrs[&name], values, "{name}");
    }
    assert_eq!(record.entitlements.clone().unwrap().len(), 3);
    assert!(grants.iter().all(|grant| record.entitlements.as_ref().unwrap().contains(grant)));
    assert!(record.version.is_some());
    for key in [key("employeeNumber", "100001"), key("username", "T1")] {
        let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key).await.unwrap();
        assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&created.id]);
    }
}

#[tokio::test]
async fn a_repeated_create_makes_one_account() {
    let stage = Stage::set().await;
    let first = stage.create("same", 2, AccountState::Enabled, &[]).await.unwrap();
    let second = stage.create("same", 2, AccountState::Enabled, &[]).await.unwrap();

    assert_eq!(first.id, second.id);
    assert_eq!(stage.accounts().len(), 1);
}

#[tokio::test]
async fn a_taken_name_says_who_has_it_and_nothing_is_adopted() {
    let stage = Stage::set().await;
    let first = stage.create("a", 4, AccountState::Enabled, &[]).await.unwrap();
    let mut other = person(5);
    other.insert("username".into(), vec![Value::from("t4")]);

    let error =
        stage.target.create(&cx(&stage.host, "b"), &account(), &other, AccountState::Enabled, &[]).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::AlreadyExists, Effect::None));
    assert_eq!((error.existing, error.attribute.as_deref()), (Some(first.id), Some("username")));
    assert_eq!(error.native_code.as_deref(), Some("USERNAME_TAKEN"));
}

#[tokio::test]
async fn inactive_accounts_are_found_and_listed() {
    let stage = Stage::set().await;
    let id = stage.create("a", 6, AccountState::Disabled, &[]).await.unwrap().id;

    for key in [key("employeeNumber", "100006"), key("username", "t6")] {
        let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key).await.unwrap();
        assert_eq!((found.len(), found[0].state), (1, AccountState::Disabled));
    }
    let page = stage.target.lister().unwrap().list(&cx(&stage.host, "l"), &account(), None, 50).await.unwrap();
    assert_eq!(page.items[0].id, id);
}

#[tokio::test]
async fn each_attribute_goes_by_its_own_path_and_the_other_aliases_stay() {
    let stage = Stage::set().await;
    let mut attributes = person(7);
    attributes.insert("npi".into(), vec![Value::from("1900000013")]);
    let cx1 = cx(&stage.host, "a");
    let id = stage.target.create(&cx1, &account(), &attributes, AccountState::Enabled, &[]).await.unwrap().id;

    let mut change = set("employeeNumber", "200007");
    change.attrs.insert("familyName".into(), Delta::Set(vec![Value::from("Example-Ü漢🦉")]));
    change.attrs.insert("endEffective".into(), Delta::Clear);
    let updated = stage.change(&id, change).await.unwrap();

    assert_eq!(updated.failed, []);
    let record = stage.target.get(&cx1, &account(), &id).await.unwrap().unwrap();
    assert_eq!(record.attrs["employeeNumber"], [Value::from("200007")]);
    assert_eq!(record.attrs["npi"], [Value::from("1900000013")]);
    assert_eq!(record.attrs["familyName"], [Value::from("Example-Ü漢🦉")]);
    assert_eq!(record.attrs.get("endEffective"), None);

    let cleared = Change { attrs: [("npi".to_owned(), Delta::Clear)].into(), ..Change::default() };
    stage.change(&id, cleared.clone()).await.unwrap();
    stage.change(&id, cleared).await.expect("clearing what is absent succeeds");
    assert_eq!(stage.target.get(&cx1, &account(), &id).await.unwrap().unwrap().attrs.get("npi"), None);
}

#[tokio::test]
async fn a_stale_version_changes_nothing() {
    let stage = Stage::set().await;
    let id = stage.create("a", 8, AccountState::Enabled, &[]).await.unwrap().id;
    let seen = stage.target.get(&cx(&stage.host, "r"), &account(), &id).await.unwrap().unwrap().version;
    stage.change(&id, set("familyName", "Between")).await.unwrap();

    for mut change in
        [set("familyName", "Late"), state(AccountState::Disabled), give(vec![grant("organization", "EAST")])]
    {
        change.if_version.clone_from(&seen);
        assert_eq!(stage.change(&id, change).await.unwrap_err().class, Class::StaleVersion);
    }
    assert_eq!(stage.accounts()[0]["name"]["last"], "Between");
    assert_eq!(stage.accounts()[0]["active"], true);

    let mut change = set("familyName", "Now");
    change.if_version = stage.target.get(&cx(&stage.host, "r"), &account(), &id).await.unwrap().unwrap().version;
    stage.change(&id, change).await.unwrap();
}

#[tokio::test]
async fn several_conditional_requests_of_one_change_follow_the_version() {
    let stage = Stage::set().await;
    let id = stage.create("a", 9, AccountState::Disabled, &[grant("position", "RN")]).await.unwrap().id;
    let mut change = give(vec![grant("position", "HOSPITALIST"), grant("organization-group", "EAST_ALL")]);
    change.entitlements.remove = vec![grant("position", "RN")];
    change.attrs = set("familyName", "Moved").attrs;
    change.state = Some(AccountState::Enabled);
    change.if_version = stage.target.get(&cx(&stage.host, "r"), &account(), &id).await.unwrap().unwrap().version;

    assert_eq!(stage.change(&id, change).await.unwrap().failed, []);

    let record = &stage.accounts()[0];
    assert_eq!((&record["position"]["code"], &record["active"]), (&json!("HOSPITALIST"), &json!(true)));
    assert_eq!(record["organizations"], json!(["EAST"]));
    let last = stage.ehr.journal().entries().into_iter().rev().find(|entry| entry.op != "ViewPersonnel").unwrap();
    assert_eq!(last.op, "EnablePersonnel", "enabling comes last");
}

#[tokio::test]
async fn refused_values_name_their_attribute() {
    let stage = Stage::set().await;
    let create = async |change: &dyn Fn(&mut connector_spi::Attrs)| {
        let mut attributes = person(15);
        change(&mut attributes);
        stage
            .target
            .create(&cx(&stage.host, "a"), &account(), &attributes, AccountState::Enabled, &[])
            .await
            .unwrap_err()
    };

    let long = create(&|a| drop(a.insert("username".into(), vec![Value::from("x".repeat(49))]))).await;
    let missing = create(&|a| drop(a.remove("familyName"))).await;
    let unknown = create(&|a| drop(a.insert("shoeSize".into(), vec![Value::from("44")]))).await;
    let by_target =
        create(&|a| drop(a.insert("beginEffective".into(), vec![Value::from("2100-01-01T00:00:00Z")]))).await;

    for (error, name) in
        [(long, "username"), (missing, "familyName"), (unknown, "shoeSize"), (by_target, "endEffective")]
    {
        assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some(name)));
    }
    assert_eq!(stage.accounts(), Vec::<Json>::new());
}

#[tokio::test]
async fn absent_records_are_none_empty_or_not_found() {
    let stage = Stage::set().await;
    let (cx, absent) = (cx(&stage.host, "a"), NativeId::from("424242"));

    assert_eq!(stage.target.get(&cx, &account(), &absent).await.unwrap(), None);
    assert_eq!(stage.target.find(&cx, &account(), &key("username", "nobody")).await.unwrap(), []);
    assert_eq!(stage.change(&absent, set("familyName", "X")).await.unwrap_err().class, Class::NotFound);
    assert_eq!(stage.change(&absent, state(AccountState::Disabled)).await.unwrap_err().class, Class::NotFound);
}

#[tokio::test]
async fn two_creates_at_once_make_one_account() {
    let stage = Arc::new(Stage::set().await);
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            tokio::spawn({
                let stage = stage.clone();
                async move { stage.create(&format!("c{number}"), 60, AccountState::Enabled, &[]).await }
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.class, Class::AlreadyExists),
        }
    }
    assert_eq!((made, stage.accounts().len()), (1, 1));
}
