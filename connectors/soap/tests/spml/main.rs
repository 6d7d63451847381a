//! Plain XML without an envelope: the shipped profile for the XML face of the oracle-health-like EHR.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod foreign;
mod lost;
#[path = "../support/mod.rs"]
mod support;

use connector_soap::{Config, PROFILES, Soap};
use connector_spi::{
    AccountState, Attrs, Change, Class, Connector, ConnectorType, Delta, Effect, Entitlement, EntitlementChange,
    NativeId, Value,
};
use connector_testkit::TestHost;
use fixtures::ehr_rest::{EhrRest, Options};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use support::{account, attrs, cx, grant, key, laid_over};

struct Stage {
    ehr: EhrRest,
    host: Arc<TestHost>,
    target: Arc<dyn Connector>,
}

impl Stage {
    async fn set(more: Json) -> Self {
        Self::with(Options { rate_limit: None, ..Options::default() }, more).await
    }

    async fn with(options: Options, more: Json) -> Self {
        let ehr = EhrRest::start(options).unwrap();
        let text = PROFILES.iter().find(|(name, _)| *name == "oracle-health-like-spml").unwrap().1;
        let mut file: Json = toml::from_str(text).unwrap();
        for apart in ["kind", "test", "test_setup"] {
            file.as_object_mut().unwrap().remove(apart);
        }
        laid_over(
            &mut file,
            json!({
                "http": {
                    "url": ehr.base_url(), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 3,
                    "requests_per_second": 2000, "auth": {"client_id": "gateway", "client_secret": {"env": "EHR"}},
                },
                "tables": {"target": {"id": "EAST-PROD"}},
            }),
        );
        laid_over(&mut file, more);
        let host = TestHost::of("test-only");
        let config: Config = serde_json::from_value(file).unwrap();
        assert_eq!(Soap::check_config(&config), []);
        let target = Soap::open(config, host.clone()).await.unwrap();
        Self { ehr, host, target }
    }

    async fn create(&self, number: u32, with: &[Entitlement]) -> Result<NativeId, connector_spi::ConnError> {
        let cx = cx(&self.host, "create");
        let created = self.target.create(&cx, &account(), &person(number), AccountState::Enabled, with).await?;
        assert_eq!(created.failed, []);
        Ok(created.id)
    }

    async fn change(&self, id: &NativeId, change: Change) -> Result<connector_spi::Updated, connector_spi::ConnError> {
        self.target.update(&cx(&self.host, "change"), &account(), id, &change).await
    }

    async fn read(&self, id: &NativeId) -> connector_spi::Record {
        self.target.get(&cx(&self.host, "read"), &account(), id).await.unwrap().unwrap()
    }

    fn accounts(&self) -> Vec<Json> {
        self.ehr.state()["accounts"].as_array().unwrap().clone()
    }
}

fn person(number: u32) -> Attrs {
    let mut who = attrs(&[
        ("username", &format!("t{number}")),
        ("givenName", "Testperson <&> \"1\""),
        ("familyName", "Example"),
        ("employeeNumber", &format!("{}", 100_000 + number)),
        ("confidentialityLevel", "ROUTINE"),
    ]);
    who.insert("physician".into(), vec![Value::from(true)]);
    let at = |text: &str| vec![Value::At { at: text.parse().unwrap() }];
    who.insert("endEffective".into(), at("2099-07-01T03:59:59Z"));
    who
}

fn change(add: Vec<Entitlement>, remove: Vec<Entitlement>) -> Change {
    Change { entitlements: EntitlementChange { add, remove, whole: None }, ..Change::default() }
}

#[tokio::test]
async fn what_is_written_is_what_is_read_and_found() {
    let stage = Stage::set(json!({})).await;
    stage.target.check(&cx(&stage.host, "c")).await.unwrap();
    let group = Entitlement {
        valid_to: Some("2099-12-01T05:00:00Z".parse().unwrap()),
        ..grant("organization-group", "EAST_ALL")
    };
    let with = [grant("position", "RN"), group, grant("personnel-group", "CS_RX")];
    let id = stage.create(1, &with).await.unwrap();

    let record = stage.read(&id).await;
    assert_eq!((record.attrs, record.state, record.incomplete), (person(1), AccountState::Enabled, false));
    let mut held = record.entitlements.unwrap();
    held.sort();
    let mut wanted = with.to_vec();
    wanted.sort();
    assert_eq!(held, wanted);
    for (name, value) in [("employeeNumber", "100001"), ("username", "t1")] {
        let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key(name, value)).await.unwrap();
        assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&id]);
    }
    let effective = stage.target.effect().unwrap().effective(&cx(&stage.host, "e"), &account(), &id).await.unwrap();
    assert_eq!(effective.can_login, Some(true));
}

#[tokio::test]
async fn a_failure_inside_a_success_has_the_class_of_its_word_or_code() {
    let stage = Stage::set(json!({})).await;
    let id = stage.create(1, &[]).await.unwrap();
    let error = stage.create(1, &[]).await.unwrap_err();
    assert_eq!((error.class, error.effect, error.existing), (Class::AlreadyExists, Effect::None, Some(id.clone())));
    assert_eq!(stage.target.get(&cx(&stage.host, "g"), &account(), &"99".into()).await.unwrap(), None);

    let error = stage.change(&id, change(vec![grant("position", "NO_SUCH")], vec![])).await.unwrap_err();
    assert_eq!((error.class, error.native_code.as_deref()), (Class::Invalid, Some("UNKNOWN_CODE")));
    assert!(error.message.starts_with("mapping"), "{error}");

    stage.change(&id, change(vec![grant("organization-group", "EAST_ALL")], vec![])).await.unwrap();
    let error = stage.change(&id, change(vec![], vec![grant("organization", "EAST")])).await.unwrap_err();
    assert_eq!((error.class, error.native_code.as_deref()), (Class::Conflict, Some("INHERITED_FROM_GROUP")));

    for (fault, class) in [
        ("throttle", Class::Throttled),
        ("fault:MAINTENANCE", Class::Transient),
        ("fault:NEVER_DELETE", Class::Unsupported),
    ] {
        stage.ehr.faults().plan("addRequest", fault.parse().unwrap(), 1);
        assert_eq!(stage.create(2, &[]).await.unwrap_err().class, class, "{fault}");
    }
}

#[tokio::test]
async fn a_request_for_another_target_is_a_fault_of_the_configuration() {
    let stage = Stage::set(json!({"tables": {"target": {"id": "WEST-PROD"}}})).await;
    assert_eq!(stage.target.check(&cx(&stage.host, "c")).await.unwrap_err().class, Class::Config);
}

#[tokio::test]
async fn members_change_and_are_cleared_one_by_one() {
    let stage = Stage::set(json!({})).await;
    let id = stage.create(1, &[grant("position", "RN")]).await.unwrap();
    let set = |name: &str, delta: Delta| Change { attrs: [(name.to_owned(), delta)].into(), ..Change::default() };
    stage.change(&id, set("logicalDomain", Delta::Set(vec!["EAST".into()]))).await.unwrap();
    stage.change(&id, set("npi", Delta::Set(vec!["1900000013".into()]))).await.unwrap();
    let read = stage.read(&id).await.attrs;
    assert_eq!((&read["logicalDomain"][0], &read["npi"][0]), (&"EAST".into(), &"1900000013".into()));
    assert_eq!(read["employeeNumber"], ["100001".into()], "an alias that was not named stays");

    for name in ["logicalDomain", "npi", "endEffective"] {
        stage.change(&id, set(name, Delta::Clear)).await.unwrap();
    }
    let record = stage.read(&id).await;
    assert!(["logicalDomain", "npi", "endEffective"].iter().all(|name| !record.attrs.contains_key(*name)));
    assert_eq!(record.entitlements, Some(vec![grant("position", "RN")]));
}

#[tokio::test]
async fn a_leaver_is_suspended_first_and_found_again() {
    let stage = Stage::set(json!({})).await;
    let id = stage.create(1, &[grant("position", "RN"), grant("organization", "EAST")]).await.unwrap();
    let mut ending = change(vec![], vec![grant("position", "RN"), grant("organization", "EAST")]);
    ending.state = Some(AccountState::Disabled);
    stage.change(&id, ending).await.unwrap();
    let ops: Vec<String> = stage.ehr.journal().entries().into_iter().map(|entry| entry.op).collect();
    assert_eq!(ops[ops.len() - 3..], ["suspendRequest", "modifyRequest", "modifyRequest"]);
    let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key("employeeNumber", "100001")).await.unwrap();
    assert_eq!((found[0].state, found[0].entitlements.clone()), (AccountState::Disabled, Some(vec![])));
    assert_eq!(stage.accounts()[0]["active"], false);
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_again() {
    let stage = Stage::set(json!({})).await;
    stage.ehr.faults().plan("addRequest", "timeout-after-commit".parse().unwrap(), 1);
    let error = stage.create(3, &[]).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe));
    let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key("employeeNumber", "100003")).await.unwrap();
    assert_eq!((found.len(), stage.accounts().len()), (1, 1));
}

#[tokio::test]
async fn everybody_is_listed_over_pages() {
    let stage = Stage::set(json!({})).await;
    for number in 1..=5 {
        stage.create(number, &[]).await.unwrap();
    }
    let lister = stage.target.lister().unwrap();
    let first = lister.list(&cx(&stage.host, "l"), &account(), None, 3).await.unwrap();
    assert!(first.complete && first.items.len() == 3);
    let rest = lister.list(&cx(&stage.host, "l"), &account(), first.next.as_ref(), 3).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (2, None));
}
