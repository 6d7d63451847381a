//! A person with two objects in one target: a provider record and the account that refers to it.

use crate::stage::{Stage, policy};
use connector_spi::{AccountState, AttrSchema, ConnError, Kind, KindRole, Op, Record};
use connector_testkit::memory::Memory;
use gateway_domain::link::{Link, LinkState};
use gateway_domain::policy::{MappingConfig, MappingLink, ObjectConfig, ObjectEnd, PolicyConfig};
use gateway_store::LinkFilter;
use serde_json::json;
use std::collections::BTreeMap;

/// Every user has a provider record, whose number the account holds.
fn with_provider() -> PolicyConfig {
    let mut config = policy();
    for target in &mut config.targets {
        let expr = |text: &str| MappingConfig::Expr(text.to_owned());
        let provider = ObjectConfig {
            key: vec!["npi".to_owned()],
            attributes: BTreeMap::from([
                ("npi".to_owned(), expr("user.enterprise.employeeNumber")),
                ("name".to_owned(), expr("user.displayName")),
            ]),
            ..ObjectConfig::default()
        };
        target.objects.insert("provider".to_owned(), provider);
        if let Some(account) = &mut target.account {
            let link = MappingConfig::Link(MappingLink { link: "provider".to_owned() });
            account.attributes.insert("providerId".to_owned(), link);
        }
    }
    config
}

/// A stage whose target has provider records.
async fn stage_with(config: PolicyConfig) -> Stage {
    let ehr = Memory::new();
    ehr.alter_schema(|schema| {
        let account = schema.kinds.get_mut(&Kind::from("account")).expect("the model has accounts");
        let refers = AttrSchema { references: Some(Kind::from("provider")), ..AttrSchema::default() };
        account.attrs.insert("providerId".to_owned(), refers);
        let mut provider = account.clone();
        provider.role = KindRole::Other;
        let number = AttrSchema { required: true, case_exact: true, ..AttrSchema::default() };
        provider.attrs = BTreeMap::from([("npi".to_owned(), number), ("name".to_owned(), AttrSchema::default())]);
        provider.natural_keys = vec![vec!["npi".to_owned()]];
        provider.caps.find_by = provider.natural_keys.clone();
        schema.kinds.insert(Kind::from("provider"), provider);
    });
    Stage::before(config, ehr, |plain| plain).await
}

fn of_kind(stage: &Stage, kind: &str) -> Record {
    let all: Vec<Record> = stage.ehr.snapshot().of_kind(kind).cloned().collect();
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].clone()
}

fn link<'a>(links: &'a [Link], kind: &str) -> &'a Link {
    links.iter().find(|link| link.key.kind.as_str() == kind).expect("a link of the kind")
}

fn order_of_writes(stage: &Stage) -> Vec<String> {
    let kind = |kind: &Option<Kind>| kind.as_ref().map(ToString::to_string).unwrap_or_default();
    stage.ehr.writes().iter().map(|call| format!("{} {}", call.op.name(), kind(&call.kind))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_record_is_made_first_and_the_account_refers_to_it() {
    let stage = stage_with(with_provider()).await;
    stage.hire(1, "Nurse").await;
    stage.settled().await;

    let (provider, account) = (of_kind(&stage, "provider"), of_kind(&stage, "account"));
    assert_eq!(account.attrs["providerId"][0].as_text(), Some(provider.id.as_str()));
    assert_eq!(order_of_writes(&stage), ["create provider", "create account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_person_is_visible_as_such_and_made_whole_later() {
    let stage = stage_with(with_provider()).await;
    stage.ehr.fail_kind("provider", Op::Create, ConnError::invalid("the master file is closed"), 1);
    let id = stage.hire(1, "Nurse").await;
    stage.until("the record is refused", |links| matches!(link(links, "provider").state, LinkState::Parked(_))).await;
    stage.until("the account waits", |links| link(links, "account").due_at.is_none()).await;

    let reports = stage.engine.link_reports(LinkFilter::default()).await.unwrap();
    let waiting: Vec<_> =
        reports.iter().map(|report| (report.key.kind.as_str(), report.waits_for.as_deref())).collect();
    assert!(waiting.contains(&("account", Some("provider"))), "{waiting:?}");
    assert!(link(&stage.links().await, "account").pending());
    assert!(stage.accounts().is_empty());

    stage.engine.retry(LinkFilter { resource: Some(id), ..LinkFilter::default() }, "tester").await.unwrap();
    stage.settled().await;
    let (provider, account) = (of_kind(&stage, "provider"), of_kind(&stage, "account"));
    assert_eq!(account.attrs["providerId"][0].as_text(), Some(provider.id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_a_leaver_is_closed_before_the_provider_record() {
    let stage = stage_with(with_provider()).await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    stage.settled().await;

    assert_eq!(of_kind(&stage, "account").state, AccountState::Disabled);
    assert_eq!(of_kind(&stage, "provider").state, AccountState::Disabled);
    assert_eq!(order_of_writes(&stage)[2..], ["update account", "update provider"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_fails_does_not_hold_up_the_next() {
    let stage = stage_with(with_provider()).await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.ehr.fail_kind("account", Op::Update, ConnError::transient("busy"), 1_000);
    stage.delete(&id).await;
    stage
        .until("the provider record is closed", |links| {
            let provider = link(links, "provider");
            provider.state == LinkState::Tombstone && !provider.pending()
        })
        .await;

    assert_eq!(of_kind(&stage, "provider").state, AccountState::Disabled);
    assert!(link(&stage.links().await, "account").pending(), "it goes on being tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_record_that_is_kept_stays_as_it_is_and_asks_for_no_proof() {
    let mut config = with_provider();
    for target in &mut config.targets {
        target.objects.values_mut().for_each(|object| object.on_leave = ObjectEnd::Keep);
    }
    let stage = stage_with(config).await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.delete(&id).await;
    stage.settled().await;

    assert_eq!(of_kind(&stage, "account").state, AccountState::Disabled);
    assert_eq!(of_kind(&stage, "provider").state, AccountState::Enabled);
    assert!(stage.engine.status().await.unwrap().iter().all(|target| target.links.unverified == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_deleted_before_anything_stood_leaves_nothing_behind() {
    let stage = stage_with(with_provider()).await;
    stage.ehr.fail_kind("provider", Op::Create, ConnError::invalid("the master file is closed"), 1);
    let id = stage.hire(1, "Nurse").await;
    stage.until("the account waits", |links| link(links, "account").due_at.is_none()).await;
    stage.delete(&id).await;
    stage.settled().await;

    assert_eq!(stage.ehr.size(), 0);
}
