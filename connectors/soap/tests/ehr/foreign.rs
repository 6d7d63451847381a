//! What others gave stays, through a thousand changes of ours: here every list is written whole.

use crate::support::{account, cx, grant, person};
use crate::{Stage, give, take};
use async_trait::async_trait;
use connector_spi::{AccountState, Change, Class, Effect, Entitlement, NativeId};
use connector_testkit::foreign::{Foreign, OtherHand};
use fixtures::ehr_soap::{Options, model::TemplateLink};
use serde_json::{Value as Json, json};

/// Somebody in the hospital.
#[async_trait]
impl OtherHand for Stage {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let value = one.value.0.clone();
        let by_hand = self.ehr.by_hand(id.as_str(), |user| match one.kind.as_str() {
            "template" => user.templates.push(TemplateLink {
                template: value,
                login_type: None,
                default_for_login: None,
                start: "2026-07-01".parse().ok(),
                end: "2099-06-30".parse().ok(),
            }),
            "sub-template" => user.sub_templates.push(value),
            "in-basket-class" => user.in_basket.push(value),
            _ => user.departments.push(value),
        });
        by_hand.unwrap();
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let all = self.accounts();
        let user = all.iter().find(|user| user["id"] == id.as_str()).unwrap();
        let list = |kind: &'static str, list: &str| {
            let named = move |one: &Json| (format!("{kind}:{}", one.as_str().unwrap()), String::new());
            user[list].as_array().unwrap().iter().map(named).collect::<Vec<_>>()
        };
        let template = |link: &Json| (format!("template:{}", link["id"].as_str().unwrap()), link.to_string());
        let mut held: Vec<_> = user["templates"].as_array().unwrap().iter().map(template).collect();
        held.extend(list("sub-template", "subTemplates"));
        held.extend(list("in-basket-class", "inBasket"));
        held.extend(list("department", "departments"));
        held
    }
}

/// Everything but the templates that only a provider may have.
fn catalogue() -> Vec<Entitlement> {
    let all = [
        ("template", &["T9100"][..]),
        ("sub-template", &["ST100", "ST310", "ST311", "ST320", "ST330", "ST340", "ST400", "ST401", "ST900"]),
        ("in-basket-class", &["COSIGN", "RESULTS", "RXREFILL", "STAFFMSG"]),
        ("department", &["10200", "10410", "10501", "20120"]),
    ];
    all.iter().flat_map(|(kind, values)| values.iter().map(|value| grant(kind, value))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes() {
    let options = Options { rate_limit: None, ..Options::default() };
    let stage = Stage::with(options, json!({"http": {"timeout": 60}})).await;
    let suite = Foreign {
        connector: stage.target.clone(),
        host: stage.host.clone(),
        kind: account(),
        person: &person,
        key: "employeeNumber",
        text: "comment",
        catalogue: catalogue(),
        single: &[],
        each: 8,
        at_once: 8,
        hand: &stage,
    };
    suite.survive().await.unwrap();
}

/// An account with sub-templates of others, and what is asked of it.
async fn with_foreign(stage: &Stage) -> NativeId {
    let id = stage.create("a", 1, AccountState::Enabled, &[]).await.unwrap().id;
    for value in ["ST330", "ST340", "ST900"] {
        OtherHand::give(stage, &id, &grant("sub-template", value)).await;
    }
    id
}

#[tokio::test]
async fn a_list_that_is_cut_short_is_no_basis_for_writing_it() {
    let stage = Stage::set().await;
    let id = with_foreign(&stage).await;
    for (change, fault) in [
        (give(vec![grant("sub-template", "ST100")]), "malformed"),
        (take(vec![grant("sub-template", "ST330")]), "malformed"),
        (give(vec![grant("sub-template", "ST100")]), "timeout-before"),
    ] {
        let writes = stage.writes();
        stage.ehr.faults().plan("ViewUser", fault.parse().unwrap(), 1);
        let error = stage.change(&id, change).await.unwrap_err();
        assert_eq!(error.effect, Effect::None, "{fault}: {error}");
        assert_eq!(stage.writes(), writes, "{fault}: nothing was written");
    }
    assert_eq!(stage.accounts()[0]["subTemplates"], json!(["ST330", "ST340", "ST900"]));
}

#[tokio::test]
async fn a_list_with_an_entry_that_cannot_be_read_is_no_basis_for_writing_it() {
    // given an entry of which this target's file says that it has a date, and it has none that can be read
    let odd = json!({"kinds": {"account": {"entitlements": {"sub-template": {"read": {
        "at": "p:SubTemplates", "value": "p:NoSuchElement", "order": "p:Index",
    }}}}}});
    let stage = Stage::with(Options { rate_limit: None, ..Options::default() }, odd).await;
    let id = with_foreign(&stage).await;
    let record = stage.target.get(&cx(&stage.host, "r"), &account(), &id).await.unwrap().unwrap();
    assert!(record.incomplete);

    for change in [give(vec![grant("sub-template", "ST100")]), take(vec![grant("sub-template", "ST330")])] {
        let writes = stage.writes();
        let outcome = stage.change(&id, Change { state: None, ..change }).await;
        let error = match outcome {
            Ok(updated) => updated.failed.into_iter().next().unwrap().error,
            Err(error) => error,
        };
        assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None), "{error}");
        assert_eq!(stage.writes(), writes);
    }
    assert_eq!(stage.accounts()[0]["subTemplates"], json!(["ST330", "ST340", "ST900"]));
}
