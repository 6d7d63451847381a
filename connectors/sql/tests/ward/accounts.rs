//! Making and changing accounts.

use crate::support::{Server, Ward, account, attrs, give, group, key, menu, person, set, state, take};
use connector_spi::{AccountState, Change, Class, Delta, Effect, Entitlement, Kind, Value};
use futures_util::future::join_all;
use serde_json::json;

fn at(text: &str) -> Value {
    Value::At { at: text.parse().unwrap() }
}

#[tokio::test]
async fn the_database_allocates_the_id_and_the_name_is_made_unique_and_never_used_again() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let named = |number: u32| {
            let mut person = person(number);
            person.insert("familyName".to_owned(), vec!["Łukaszewicz-Example".into()]);
            person
        };
        let make = async |number| {
            stage.target.create(&stage.cx("c"), &account(), &named(number), AccountState::Enabled, &[]).await.unwrap()
        };
        let first = make(1).await;
        stage.change(&first.id, state(AccountState::Disabled)).await.unwrap();
        let names: Vec<String> = [first.record.unwrap(), make(2).await.record.unwrap(), make(3).await.record.unwrap()]
            .iter()
            .map(|record| record.attrs["mnemonic"][0].to_string())
            .collect();

        assert_eq!(names, ["TLUKASZEWICZ", "TLUKASZEWIC2", "TLUKASZEWIC3"]);
    }
}

#[tokio::test]
async fn twenty_people_of_one_name_at_a_time_get_twenty_names() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let same = |number: u32| {
            let mut person = person(number);
            person.insert("familyName".to_owned(), vec!["Example".into()]);
            person
        };
        let all: Vec<_> = (0..20).map(same).collect();
        let contexts: Vec<_> = (0..20).map(|number| stage.cx(&format!("c{number}"))).collect();
        let calls = all
            .iter()
            .zip(&contexts)
            .map(|(one, cx)| stage.target.create(cx, &ACCOUNT, one, AccountState::Enabled, &[]));
        let made = join_all(calls).await;

        let mut names: Vec<String> =
            made.into_iter().map(|made| made.unwrap().record.unwrap().attrs["mnemonic"][0].to_string()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 20);
    }
}

static ACCOUNT: std::sync::LazyLock<Kind> = std::sync::LazyLock::new(account);

#[tokio::test]
async fn a_name_that_must_not_be_changed_is_disputed() {
    let more = json!({"kinds": {"account": {"create": {"name": {"on_collision": "dispute"}}}}});
    let stage = Ward::sqlite().await.stage_with(more).await;
    let twin = |number: u32| {
        let mut person = person(number);
        person.insert("mnemonic".to_owned(), vec!["TWIN".into()]);
        person
    };
    stage.target.create(&stage.cx("a"), &account(), &twin(1), AccountState::Enabled, &[]).await.unwrap();

    let error =
        stage.target.create(&stage.cx("b"), &account(), &twin(2), AccountState::Enabled, &[]).await.unwrap_err();

    assert_eq!((error.class, error.existing.is_some()), (Class::AlreadyExists, true));
}

#[tokio::test]
async fn a_correlation_key_without_a_constraint_is_given_once() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let person = person(7);
        let contexts: Vec<_> = (0..8).map(|number| stage.cx(&format!("c{number}"))).collect();
        let calls = contexts.iter().map(|cx| stage.target.create(cx, &ACCOUNT, &person, AccountState::Enabled, &[]));

        let outcomes = join_all(calls).await;

        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().err().is_none_or(|e| e.class == Class::AlreadyExists)));
        assert_eq!(stage.find(7).await.len(), 1);
    }
}

#[tokio::test]
async fn a_menu_brings_its_facility_and_what_was_granted_by_hand_stays_by_hand() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[menu("NUR.VIEW", "EAST"), menu("NUR.VIEW", "WEST")]).await.unwrap().id;
        let by_hand = "INSERT INTO user_menu (user_mnemonic, facility_id, menu_mnemonic, begin_date, granted_by) \
                       VALUES ('TEXAMPLE1', 'EAST', 'PHA.ADMIN', '2026-01-01', 'WARDCLERK')";
        stage.ehr().run(by_hand).await.unwrap();

        stage.change(&id, give(vec![menu("PHA.ADMIN", "EAST"), menu("NUR.CHARGE", "EAST")])).await.unwrap();
        stage.change(&id, take(vec![menu("NUR.VIEW", "EAST"), menu("NUR.CHARGE", "WEST")])).await.unwrap();

        let state = stage.ehr().state().await.unwrap();
        let held = stage.held(&id).await;
        assert_eq!(held, ["menu:NUR.CHARGE@EAST", "menu:NUR.VIEW@WEST", "menu:PHA.ADMIN@EAST"]);
        let menus = state["user_menu"].as_array().unwrap();
        assert_eq!(menus.len(), 4, "an ended row stays: {menus:?}");
        let granted = |name: &str| menus.iter().find(|row| row["menu_mnemonic"] == name).unwrap()["granted_by"].clone();
        assert_eq!((granted("PHA.ADMIN"), granted("NUR.CHARGE")), (json!("WARDCLERK"), json!("CHARTGATE")));
        assert_eq!(state["user_facility"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn an_ended_grant_is_revived_and_its_dates_are_written_as_days() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[group("CSRX")]).await.unwrap().id;
        stage.change(&id, take(vec![group("CSRX")])).await.unwrap();
        assert!(stage.held(&id).await.is_empty());
        // An inclusive last day, 20 September 2099: the first instant without access is the midnight after it.
        let mut dated = group("CSRX");
        dated.valid_to = Some("2099-09-21T04:00:00Z".parse().unwrap());

        stage.change(&id, give(vec![dated.clone()])).await.unwrap();

        let state = stage.ehr().state().await.unwrap();
        assert_eq!(state["user_access_group"][0]["end_date"], "2099-09-21");
        let held: Vec<Entitlement> = stage.read(&id).await.entitlements.unwrap();
        assert_eq!(held[0].valid_to, dated.valid_to);
    }
}

#[tokio::test]
async fn an_end_of_access_is_pushed_down_and_read_back() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let mut person = person(1);
        person.insert("beginDate".to_owned(), vec![at("2026-07-01T04:00:00Z")]);
        person.insert("endDate".to_owned(), vec![at("2029-07-01T04:00:00Z")]);
        let made = stage.target.create(&stage.cx("c"), &account(), &person, AccountState::Enabled, &[]).await.unwrap();

        let state = stage.ehr().state().await.unwrap();
        assert_eq!(
            (&state["user_dict"][0]["begin_date"], &state["user_dict"][0]["end_date"]),
            (&json!("2026-07-01"), &json!("2029-07-01"))
        );
        let record = stage.read(&made.id).await;
        assert_eq!(record.attrs["endDate"], person["endDate"]);
        let (in_time, why) = stage.ehr().can_login("TEXAMPLE1", "2029-06-30").await.unwrap();
        assert!(in_time, "{why:?}");
        assert!(!stage.ehr().can_login("TEXAMPLE1", "2029-07-01").await.unwrap().0);
    }
}

#[tokio::test]
async fn an_end_before_the_beginning_is_refused_by_the_database_and_changes_nothing() {
    for ward in Ward::every().await {
        let postgres = matches!(ward.server, Server::Postgres(_));
        let stage = ward.stage().await;
        let id = stage.create(1, &[]).await.unwrap().id;
        let before = stage.ehr().state().await.unwrap();
        let mut change = set("email", "after@hosp.example");
        change.attrs.insert("endDate".to_owned(), Delta::Set(vec![at("2001-07-01T04:00:00Z")]));

        let error = stage.change(&id, change).await.unwrap_err();

        assert_eq!((error.class, error.effect), (Class::Invalid, Effect::None));
        // Only where the engine names the constraint does the file's rule name the attribute.
        assert_eq!(error.attribute.as_deref(), Some(if postgres { "endDate" } else { "email" }));
        assert!(!error.message.contains("after@"));
        assert_eq!(stage.ehr().state().await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_part_that_is_refused_leaves_the_rest_done_and_is_told_by_name() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[group("CSRX")]).await.unwrap().id;
        let mut change = give(vec![menu("NO.SUCH", "EAST"), menu("NUR.VIEW", "NOWHERE"), group("CSAPPR")]);
        change.entitlements.remove = vec![group("CSRX")];
        change.attrs.insert("email".to_owned(), Delta::Set(vec!["after@hosp.example".into()]));
        change.attrs.insert("mnemonic".to_owned(), Delta::Set(vec!["OTHER".into()]));

        let updated = stage.change(&id, change).await.unwrap();

        let mut failed: Vec<(&str, Class)> =
            updated.failed.iter().map(|part| (part.part.as_str(), part.error.class)).collect();
        failed.sort();
        assert_eq!(
            failed,
            [("menu:NO.SUCH", Class::Invalid), ("menu:NUR.VIEW", Class::Invalid), ("mnemonic", Class::Invalid)]
        );
        assert_eq!(stage.held(&id).await, ["access-group:CSAPPR@"]);
        assert_eq!(stage.read(&id).await.attrs["email"], [Value::from("after@hosp.example")]);
    }
}

#[tokio::test]
async fn a_create_with_a_grant_that_is_refused_keeps_the_account_and_says_so() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let made = stage.create(1, &[menu("NO.SUCH", "EAST"), group("CSRX")]).await.unwrap();
        assert_eq!(made.failed.iter().map(|part| part.part.as_str()).collect::<Vec<_>>(), ["menu:NO.SUCH"]);
        assert_eq!(stage.held(&made.id).await, ["access-group:CSRX@"]);
    }
}

#[tokio::test]
async fn an_account_may_point_at_a_provider_that_is_there_and_waits_for_one_that_is_not() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let provider = Kind::from("provider");
        let mut values = person(5);
        values.insert("provider".to_owned(), vec!["TEXAMPLE5".into()]);
        let early =
            stage.target.create(&stage.cx("a"), &account(), &values, AccountState::Enabled, &[]).await.unwrap_err();
        assert_eq!((early.class, early.effect), (Class::Conflict, Effect::None));

        let doctor = attrs(&[
            ("npi", "1900100017"),
            ("givenName", "Testperson"),
            ("familyName", "Example5"),
            ("providerType", "PHYSICIAN"),
        ]);
        let made = stage.target.create(&stage.cx("p"), &provider, &doctor, AccountState::Enabled, &[]).await.unwrap();
        assert_eq!(made.id.as_str(), "TEXAMPLE5");
        stage.target.create(&stage.cx("a"), &account(), &values, AccountState::Enabled, &[]).await.unwrap();

        let twice =
            stage.target.create(&stage.cx("q"), &provider, &doctor, AccountState::Enabled, &[]).await.unwrap_err();
        assert_eq!((twice.class, twice.existing), (Class::AlreadyExists, Some(made.id.clone())));
        let found = stage.target.find(&stage.cx("f"), &provider, &key("npi", "1900100017")).await.unwrap();
        assert_eq!(found[0].id, made.id);
        stage.target.update(&stage.cx("e"), &provider, &made.id, &state(AccountState::Disabled)).await.unwrap();
        let ended = stage.target.get(&stage.cx("g"), &provider, &made.id).await.unwrap().unwrap();
        assert_eq!(ended.state, AccountState::Disabled);
    }
}

#[tokio::test]
async fn a_change_on_an_old_version_is_stale_and_two_at_a_time_are_one_after_the_other() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[]).await.unwrap().id;
        let seen = stage.read(&id).await.version;
        stage.change(&id, give(vec![group("CSRX")])).await.unwrap();
        let late = Change { if_version: seen, ..set("email", "late@hosp.example") };
        assert_eq!(stage.change(&id, late).await.unwrap_err().class, Class::StaleVersion);

        let changes: Vec<Change> = (0..6).map(|number| set("email", &format!("{number}@hosp.example"))).collect();
        let outcomes = join_all(changes.iter().map(|change| stage.change(&id, change.clone()))).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().err().is_none_or(|e| e.class == Class::StaleVersion)));
        assert!(outcomes.iter().any(Result::is_ok));
    }
}

#[tokio::test]
async fn a_statement_that_touches_two_rows_is_undone() {
    let wide = json!([{"sql": "UPDATE user_dict SET last_name = :familyName, first_name = :givenName, email = :email, \
        employee_no = :employeeNumber, provider_mnemonic = :provider, begin_date = :beginDate, end_date = :endDate WHERE user_seq = :id OR 1 = 1"}]);
    let stage = Ward::sqlite().await.stage_with(json!({"kinds": {"account": {"update": wide}}})).await;
    let id = stage.create(1, &[]).await.unwrap().id;
    stage.create(2, &[]).await.unwrap();
    let before = stage.ehr().state().await.unwrap();

    let error = stage.change(&id, set("email", "all@hosp.example")).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Permanent, Effect::None));
    assert_eq!(stage.ehr().state().await.unwrap(), before);
}

#[tokio::test]
async fn a_record_that_is_gone_is_not_found_and_no_record_has_an_id_of_another_form() {
    let stage = Ward::sqlite().await.stage().await;
    for id in ["4711", "TEXAMPLE1", "1 OR 1=1", ""] {
        assert!(stage.target.get(&stage.cx("g"), &account(), &id.into()).await.unwrap().is_none());
        assert_eq!(stage.change(&id.into(), set("email", "x")).await.unwrap_err().class, Class::NotFound);
    }
}
