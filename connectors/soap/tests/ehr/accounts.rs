//! Making, finding, reading and changing.

use crate::support::{account, attrs, cx, grant, key, open, orderer, placed, profile, provider};
use crate::{Stage, clear, set};
use connector_spi::{AccountState, Change, Class, Delta, Value};
use serde_json::json;

#[tokio::test]
async fn an_account_is_made_in_one_request_with_all_that_it_holds() {
    let stage = Stage::set().await;
    let doctor = stage.provider(1).await;
    let mut who = crate::person(1);
    who.insert("provider".into(), vec![Value::from(doctor.as_str())]);
    who.insert("startDate".into(), vec![Value::from("2026-07-01")]);
    let with = [
        placed("template", "T9200", 1),
        placed("sub-template", "ST311", 2),
        placed("sub-template", "ST310", 1),
        placed("department", "10501", 1),
        grant("in-basket-class", "RESULTS"),
    ];

    let created =
        stage.target.create(&cx(&stage.host, "a"), &account(), &who, AccountState::Enabled, &with).await.unwrap();

    assert_eq!((created.id.as_str(), created.failed.as_slice()), ("E000123", [].as_slice()));
    assert_eq!(created.warnings, ["Template T9200 will be retired on 2027-01-31"]);
    assert_eq!(stage.writes(), ["CreateProvider", "CreateUser"]);
    let made = &stage.accounts()[0];
    assert_eq!(made["employee"], "100001");
    assert_eq!(made["end"], "2029-06-30");
    assert_eq!(made["provider"], "P000045");
    assert_eq!(made["defaultTemplate"], "T9200");
    assert_eq!(made["subTemplates"], json!(["ST310", "ST311"]));
    assert_eq!(made["defaultDepartment"], "10501");
    assert_eq!(stage.ehr.obstacles("t1"), Vec::<&str>::new());

    // and what is read back is what was asked for
    let record = stage.read(&created.id).await;
    let mut held = record.entitlements.clone().unwrap();
    let mut wanted = with.to_vec();
    held.sort();
    wanted.sort();
    assert_eq!(held, wanted);
    assert_eq!((record.attrs, record.state, record.incomplete), (who, AccountState::Enabled, false));
}

#[tokio::test]
async fn an_account_is_found_by_either_key_also_when_it_is_inactive() {
    let stage = Stage::set().await;
    let id = stage.create("a", 2, AccountState::Disabled, &[]).await.unwrap().id;

    for (name, value) in [("employeeNumber", "100002"), ("login", "T2")] {
        let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key(name, value)).await.unwrap();
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!((&found[0].id, found[0].state), (&id, AccountState::Disabled));
    }
    let nobody = stage.target.find(&cx(&stage.host, "f"), &account(), &key("login", "nobody")).await.unwrap();
    assert_eq!(nobody, []);
}

#[tokio::test]
async fn a_taken_key_is_already_exists_and_names_who_has_it() {
    let stage = Stage::set().await;
    let id = stage.create("a", 3, AccountState::Enabled, &[]).await.unwrap().id;

    let error = stage.create("b", 3, AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!(
        (error.class, error.native_code.as_deref(), error.existing),
        (Class::AlreadyExists, Some("ID-IN-USE"), Some(id))
    );
    assert_eq!(error.attribute.as_deref(), Some("employeeNumber"));

    // a login that another person has: what the target names is the login
    let mut other = crate::person(4);
    other.insert("login".into(), vec![Value::from("T3")]);
    let error =
        stage.target.create(&cx(&stage.host, "c"), &account(), &other, AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!((error.class, error.attribute.as_deref()), (Class::AlreadyExists, Some("login")));
    assert_eq!(stage.accounts().len(), 1);
}

#[tokio::test]
async fn a_part_of_a_name_changes_and_the_rest_of_it_stays() {
    let stage = Stage::set().await;
    let id = stage.create("a", 5, AccountState::Enabled, &[]).await.unwrap().id;
    stage.change(&id, set("middleName", "Q")).await.unwrap();
    stage.change(&id, set("familyName", "After")).await.unwrap();
    let name = |stage: &Stage| stage.accounts()[0]["name"].clone();
    assert_eq!(
        name(&stage),
        json!({"last": "After", "first": "Testperson 5", "middle": "Q", "suffix": null, "degree": null})
    );

    stage.change(&id, clear("middleName")).await.unwrap();
    assert_eq!(name(&stage)["middle"], json!(null));
    assert_eq!(name(&stage)["first"], "Testperson 5");
}

#[tokio::test]
async fn what_is_cleared_is_gone_and_what_is_not_named_stays() {
    let stage = Stage::set().await;
    let id = stage.create("a", 6, AccountState::Enabled, &[]).await.unwrap().id;
    let groups = |values: &[&str]| Delta::Set(values.iter().map(|text| Value::from(*text)).collect());
    let change = Change {
        attrs: [("comment".to_owned(), groups(&["made by rule"])), ("userGroups".to_owned(), groups(&["A", "B"]))]
            .into(),
        ..Change::default()
    };
    stage.change(&id, change).await.unwrap();
    let patch = Delta::Patch { add: vec!["C".into()], remove: vec!["A".into()] };
    let change = Change { attrs: [("userGroups".to_owned(), patch)].into(), ..Change::default() };
    stage.change(&id, change).await.unwrap();
    let made = |stage: &Stage| stage.accounts()[0].clone();
    assert_eq!(made(&stage)["groups"], json!(["B", "C"]));

    for name in ["endDate", "comment", "userGroups"] {
        stage.change(&id, clear(name)).await.unwrap();
    }
    let made = made(&stage);
    assert_eq!((&made["end"], &made["contactComment"], &made["groups"]), (&json!(null), &json!(null), &json!([])));
    assert_eq!(made["employee"], "100006");
    let read = stage.read(&id).await;
    assert!(["endDate", "comment", "userGroups"].iter().all(|name| !read.attrs.contains_key(*name)));
}

#[tokio::test]
async fn a_provider_is_made_before_and_linked_and_unlinked_by_the_account() {
    let stage = Stage::set().await;
    let id = stage.create("a", 7, AccountState::Enabled, &[]).await.unwrap().id;
    let doctor = stage.provider(7).await;

    stage.change(&id, set("provider", doctor.as_str())).await.unwrap();
    assert_eq!(stage.accounts()[0]["provider"], json!(doctor));
    // a provider belongs to one account
    let other = stage.create("b", 8, AccountState::Enabled, &[]).await.unwrap().id;
    let error = stage.change(&other, set("provider", doctor.as_str())).await.unwrap_err();
    assert_eq!((error.class, error.native_code.as_deref()), (Class::Conflict, Some("PROVIDER-LINKED")));

    stage.change(&id, clear("provider")).await.unwrap();
    assert_eq!(stage.accounts()[0]["provider"], json!(null));
    stage.change(&other, set("provider", doctor.as_str())).await.unwrap();
}

#[tokio::test]
async fn a_provider_is_found_changed_and_switched_off() {
    let stage = Stage::set().await;
    let id = stage.provider(9).await;
    let cx = || cx(&stage.host, "p");
    let found = stage.target.find(&cx(), &provider(), &key("npi", "1900000009")).await.unwrap();
    assert_eq!(found[0].attrs, orderer(9));

    let mut change = set("degree", "MD");
    change.attrs.extend(set("specialty", "EM").attrs);
    change.state = Some(AccountState::Disabled);
    stage.target.update(&cx(), &provider(), &id, &change).await.unwrap();
    let read = stage.target.get(&cx(), &provider(), &id).await.unwrap().unwrap();
    assert_eq!(read.state, AccountState::Disabled);
    let mut wanted = orderer(9);
    wanted.extend(attrs(&[("degree", "MD"), ("specialty", "EM")]));
    assert_eq!(read.attrs, wanted);
}

#[tokio::test]
async fn records_and_the_catalogue_are_listed_over_pages() {
    let stage = Stage::set().await;
    for number in 10..17 {
        stage.create("a", number, AccountState::Enabled, &[]).await.unwrap();
    }
    let lister = stage.target.lister().unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = lister.list(&cx(&stage.host, "l"), &account(), cursor.as_ref(), 3).await.unwrap();
        assert!(page.complete);
        seen.extend(page.items.into_iter().map(|record| (record.id.0, record.attrs["login"].len())));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    let departments = lister.list(&cx(&stage.host, "l"), &"department".into(), None, 100).await.unwrap();
    let ids: Vec<_> = departments.items.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["10200", "10410", "10501", "20120"]);
    // templates come as a file only
    let error = lister.list(&cx(&stage.host, "l"), &"template".into(), None, 100).await.unwrap_err();
    assert_eq!(error.class, Class::Unsupported);
}

#[tokio::test]
async fn a_dry_run_names_what_it_would_send_and_sends_nothing() {
    let stage = Stage::set().await;
    let mut dry = cx(&stage.host, "dry");
    dry.dry_run = true;
    stage.target.create(&dry, &account(), &crate::person(20), AccountState::Enabled, &[]).await.unwrap();
    assert_eq!(stage.ehr.journal().count(), 0);
    let heard = stage.host.heard();
    assert!(heard.contains("personnel CreateUser") && heard.contains("SystemLogin"), "{heard}");
    assert!(!heard.contains("Testperson"), "{heard}");
}

#[tokio::test]
async fn a_read_only_target_is_not_written() {
    let stage = Stage::set().await;
    let target = open(profile(&stage.ehr.base_url(), json!({"read_only": true})), stage.host.clone()).await;
    let cx = cx(&stage.host, "x");
    let error = target.create(&cx, &account(), &crate::person(21), AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!(error.class, Class::Unsupported);
    assert_eq!(stage.accounts().len(), 0);
}
