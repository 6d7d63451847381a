//! Values that mean something to SQL stay values, on every engine.

use crate::support::{Stage, Ward, account, person};
use connector_spi::{AccountState, Class, Delta, Value};
use fixtures::hostile_values::{Hostile, corpus};
use std::collections::BTreeMap;

/// The length of the column that takes them.
const COLUMN: usize = 40;

/// Created, found, changed to and read back as it is; or refused by name, and nothing is there.
async fn round_trip(stage: &Stage, index: u32, one: &Hostile, fits: bool) {
    let mut attrs = person(index);
    attrs.insert("givenName".to_owned(), vec![Value::from(one.text.as_str())]);
    let key = BTreeMap::from([("employeeNumber".to_owned(), attrs["employeeNumber"][0].clone())]);
    let made = stage.target.create(&stage.cx("h"), &account(), &attrs, AccountState::Enabled, &[]).await;
    match made {
        Ok(made) => {
            assert!(fits, "{:?} was taken", one.text);
            assert_eq!(stage.read(&made.id).await.attrs["givenName"], [Value::from(one.text.as_str())]);
            let mut change = crate::support::set("familyName", &one.text);
            change.attrs.insert("email".to_owned(), Delta::Set(vec![Value::from(one.text.as_str())]));
            stage.change(&made.id, change).await.unwrap();
            let record = stage.read(&made.id).await;
            for name in ["familyName", "email"] {
                assert_eq!(record.attrs[name], [Value::from(one.text.as_str())], "{name}");
            }
        }
        Err(error) => {
            assert!(!fits, "{:?}: {error}", one.text);
            assert_eq!(
                (error.class, error.attribute.as_deref()),
                (Class::Invalid, Some("givenName")),
                "{:?}",
                one.text
            );
            assert!(!error.message.contains(&one.text));
            assert_eq!(stage.target.find(&stage.cx("f"), &account(), &key).await.unwrap(), []);
        }
    }
}

/// As a key, a value finds its own record and no other.
async fn as_key(stage: &Stage, one: &Hostile) {
    let mut attrs = person(0);
    let short: String = one.text.chars().take(20).collect();
    attrs.insert("employeeNumber".to_owned(), vec![Value::from(short.as_str())]);
    let key = BTreeMap::from([("employeeNumber".to_owned(), Value::from(short.as_str()))]);
    match stage.target.create(&stage.cx("h"), &account(), &attrs, AccountState::Enabled, &[]).await {
        Ok(made) => {
            let found = stage.target.find(&stage.cx("f"), &account(), &key).await.unwrap();
            assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&made.id], "{short:?}");
        }
        Err(error) if short.contains('\0') => assert_eq!(error.class, Class::Invalid),
        // Cut to the length of a key, two of the corpus are alike: the second is the first.
        Err(error) => assert_eq!(error.class, Class::AlreadyExists, "{short:?}: {error}"),
    }
}

async fn three_hundred(ward: Ward, length: fn(&str) -> usize) {
    let fits = |text: &str| length(text) <= COLUMN && !text.contains('\0');
    let before = ward.ehr.state().await.unwrap();
    let stage = ward.stage().await;
    let corpus = corpus(COLUMN);
    assert!(corpus.len() >= 300);
    for (index, one) in corpus.iter().enumerate() {
        round_trip(&stage, u32::try_from(index).unwrap(), one, fits(&one.text)).await;
    }
    let after = stage.ehr().state().await.unwrap();
    for table in ["menu_dict", "access_group", "provider_dict", "user_menu", "user_session"] {
        assert_eq!(before[table], after[table], "{table}");
    }
    let kept = corpus.iter().filter(|one| fits(&one.text)).count();
    assert_eq!(after["user_dict"].as_array().unwrap().len(), kept, "these and no others");
    for one in corpus.iter().step_by(5) {
        as_key(&stage, one).await;
    }
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

#[tokio::test]
async fn three_hundred_hostile_values_are_nothing_but_values_over_the_wire_of_sql_server() {
    // Its columns count UTF-16 code units.
    three_hundred(Ward::mssql().await, |text| text.encode_utf16().count()).await;
}

#[tokio::test]
async fn three_hundred_hostile_values_are_nothing_but_values_in_sqlite() {
    three_hundred(Ward::sqlite().await, characters).await;
}

#[tokio::test]
async fn three_hundred_hostile_values_are_nothing_but_values_in_postgresql() {
    let Some(ward) = Ward::postgres().await else { return };
    three_hundred(ward, characters).await;
}

#[tokio::test]
async fn three_hundred_hostile_values_are_nothing_but_values_in_mariadb() {
    let Some(ward) = Ward::mariadb().await else { return };
    three_hundred(ward, characters).await;
}
