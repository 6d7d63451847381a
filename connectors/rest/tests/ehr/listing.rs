//! Reading many records.

use crate::Stage;
use crate::support::{account, cx};
use connector_spi::{AccountState, Class, Cursor, Effect, Kind};
use fixtures::ehr_rest::Options;
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn every_record_is_listed_once_over_many_pages() {
    let stage = Stage::set().await;
    for number in 0..23 {
        stage.create(&format!("op{number}"), 100 + number, AccountState::Enabled, &[]).await.unwrap();
    }
    let lister = stage.target.lister().unwrap();
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<Cursor>, 0);
    loop {
        let page = lister.list(&cx(&stage.host, "l"), &account(), cursor.as_ref(), 5).await.unwrap();
        assert!(page.complete);
        seen.extend(page.items.into_iter().map(|record| record.id));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len(), pages), (23, 23, 5));
}

#[tokio::test]
async fn a_page_cut_in_the_middle_is_no_page() {
    let stage = Stage::set().await;
    stage.create("a", 30, AccountState::Enabled, &[]).await.unwrap();
    stage.ehr.faults().plan("SearchPersonnel", "malformed".parse().unwrap(), 1);

    let error = stage.target.lister().unwrap().list(&cx(&stage.host, "l"), &account(), None, 50).await.unwrap_err();
    assert!(matches!(error.class, Class::Unknown | Class::Timeout));
    assert_eq!(error.effect, Effect::None);
}

#[tokio::test]
async fn the_catalogue_holds_every_listed_type() {
    let stage = Stage::set().await;
    let lister = stage.target.lister().unwrap();
    for (kind, code) in [
        ("position", "RN"),
        ("organization", "EAST"),
        ("organization-group", "EAST_ALL"),
        ("personnel-group", "CS_RX"),
        ("role-profile", "CLINICIAN"),
        ("relationship", "NURSE"),
    ] {
        let page = lister.list(&cx(&stage.host, "l"), &Kind::from(kind), None, 100).await.unwrap();
        assert!(
            page.items.iter().any(|item| item.id.as_str() == code && item.attrs.contains_key("displayName")),
            "{kind}"
        );
    }
    assert_eq!(
        lister.list(&cx(&stage.host, "l"), &Kind::from("credential"), None, 1).await.unwrap_err().class,
        Class::Unsupported
    );
}

#[tokio::test]
async fn the_profile_stays_below_the_targets_rate() {
    let options = Options::default();
    let stage = Stage::with(options, json!({"http": {"requests_per_second": 15}})).await;
    for number in 0..30 {
        stage.create(&format!("op{number}"), 200 + number, AccountState::Enabled, &[]).await.unwrap();
    }
    assert_eq!(stage.accounts().len(), 30);
}
