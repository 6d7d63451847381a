//! A server whose filters are "starts with" on the display name or the mail address: how accounts are found there all the same.

use super::*;
use connector_spi::{Connector, Result};
use connector_testkit::TestHost;
use fixtures::ehr_scim::{self, EhrScim};
use futures_util::future::join_all;
use std::sync::Arc;

pub const EMPLOYEE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
const MAIL: &str = "emails[type eq \"work\"].value";

/// The record system, and a connector with the shipped profile that is open to it.
pub struct Ward {
    pub ehr: EhrScim,
    pub host: Arc<TestHost>,
    pub target: Arc<dyn Connector>,
}

impl Ward {
    pub async fn set(options: ehr_scim::Options, more: Json) -> Self {
        let ehr = EhrScim::start(options).unwrap();
        let host = TestHost::of("test-only");
        let target = support::open(support::meditech(&ehr.base_url(), more), &host).await;
        Self { ehr, host, target }
    }

    fn cx(&self, attempt: u32) -> Ctx {
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        Ctx { attempt, ..Ctx::new("op", until, self.host.clone()) }
    }

    /// Puts people in by SQL, as somebody at the ward does.
    fn people(&self, count: u32) {
        let people = format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) \
             INSERT INTO user_dict (user_mnemonic, last_name, first_name, email, employee_no, begin_date, changed_by, changed_at) \
             SELECT 'W' || n, 'Example', 'Testperson ' || n, 'w' || n || '@hosp.example', 'w' || n, '2026-07-01', 'WARDCLERK', \
             '2026-07-01 00:00:00' FROM n WHERE true"
        );
        self.ehr.run(&people).unwrap();
    }

    async fn find(&self, name: &str, value: &str) -> Result<Vec<Record>> {
        self.target.find(&self.cx(1), &account(), &key(name, value)).await
    }

    async fn create(&self, number: u32, attempt: u32) -> Result<connector_spi::Created> {
        let cx = Ctx { deadline: tokio::time::Instant::now() + Duration::from_millis(1500), ..self.cx(attempt) };
        self.target.create(&cx, &account(), &clinician(number), ENABLED, &[]).await
    }

    fn rows(&self) -> usize {
        self.ehr.state()["accounts"].as_array().unwrap().len()
    }

    fn lists(&self) -> usize {
        self.ehr.journal().count_of("ListUsers")
    }
}

pub fn clinician(number: u32) -> connector_spi::Attrs {
    attrs(&[
        ("userName", &format!("T{number}")),
        ("name.familyName", "Example"),
        ("name.givenName", &format!("Testperson {number}")),
        (MAIL, &format!("t{number}@hosp.example")),
        (EMPLOYEE, &format!("{number}")),
    ])
}

fn small_pages() -> Json {
    json!({"page_size": 10})
}

#[tokio::test]
async fn a_key_that_no_filter_knows_is_looked_up_in_every_page_and_compared_exactly() {
    let ward = Ward::set(ehr_scim::Options::default(), small_pages()).await;
    ward.people(25);

    let found = ward.find(EMPLOYEE, "w2").await.unwrap();

    // `w20` to `w25` begin like it, and somebody without a number is nobody's.
    let found: Vec<&Value> = found.iter().map(|record| &record.attrs["userName"][0]).collect();
    assert_eq!((found, ward.lists()), (vec![&Value::from("W2")], 3));
    assert_eq!(ward.find("userName", "W25").await.unwrap().len(), 1);
    assert_eq!(ward.find(EMPLOYEE, "nobody").await.unwrap(), []);
    ward.ehr.run("UPDATE user_dict SET employee_no = NULL").unwrap();
    assert_eq!(ward.find(EMPLOYEE, "w2").await.unwrap(), []);
}

#[tokio::test]
async fn a_key_with_a_mail_address_is_narrowed_by_it_and_compared_exactly() {
    let keys = json!({"page_size": 10, "account": {"natural_keys": [[EMPLOYEE, MAIL], [MAIL]]}});
    let ward = Ward::set(ehr_scim::Options::default(), keys).await;
    ward.people(25);
    ward.ehr.run("UPDATE user_dict SET email = 'w2@hosp.example.org' WHERE user_mnemonic = 'W3'").unwrap();

    let found = ward.find(MAIL, "w2@hosp.example").await.unwrap();
    assert_eq!((found.len(), found[0].attrs["userName"][0].clone(), ward.lists()), (1, "W2".into(), 1));
    let both = [(EMPLOYEE, "w3"), (MAIL, "w2@hosp.example")].map(|(name, value)| (name.to_owned(), value.into()));
    let found = ward.target.find(&ward.cx(1), &account(), &both.into()).await.unwrap();
    assert_eq!((found, ward.lists()), (vec![], 2));
}

#[tokio::test]
async fn a_list_that_is_longer_than_may_be_read_is_a_failure_and_never_nobody() {
    let ward = Ward::set(ehr_scim::Options::default(), json!({"page_size": 10, "search": {"scan_pages": 2}})).await;
    ward.people(25);
    let error = ward.find(EMPLOYEE, "nobody").await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None));
    let error = ward.create(1, 1).await.unwrap_err();
    assert_eq!((error.class, error.effect, ward.rows()), (Class::Unknown, Effect::None, 25));
}

#[tokio::test]
async fn a_file_that_reads_no_pages_says_which_look_ups_there_are_not() {
    let ward = Ward::set(ehr_scim::Options::default(), json!({"search": {"scan_pages": 0}})).await;
    assert_eq!(ward.find(EMPLOYEE, "w2").await.unwrap_err().class, Class::Unsupported);
    let health = ward.target.check(&ward.cx(1)).await.unwrap();
    assert!(health.warnings.iter().any(|warning| warning.contains("employeeNumber")), "{:?}", health.warnings);
}

#[tokio::test]
async fn creates_whose_replies_are_lost_make_one_account_each_and_the_mail_address_finds_it() {
    let ward = Ward::set(ehr_scim::Options::default(), small_pages()).await;
    ward.people(25);
    ward.target.check(&ward.cx(1)).await.unwrap();
    ward.ehr.fail("CreateUser", Fault::TimeoutAfterCommit, 20);

    let lost = join_all((0..20).map(|number| ward.create(number, 1))).await;
    let before = ward.lists();
    let again = join_all((0..20).map(|number| ward.create(number, 2))).await;

    assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
    let ids: BTreeSet<NativeId> =
        again.into_iter().map(|one| one.unwrap()).filter(|one| one.adopted).map(|one| one.id).collect();
    assert_eq!((ids.len(), ward.rows(), ward.ehr.journal().count_of("CreateUser")), (20, 45, 20));
    // One search each, none of all pages.
    assert_eq!(ward.lists() - before, 20);

    // Where somebody changed the address meanwhile, all pages are read, and it is the same account.
    ward.ehr.run("UPDATE user_dict SET email = 'other@hosp.example' WHERE user_mnemonic = 'T7'").unwrap();
    let found = ward.create(7, 2).await.unwrap();
    assert!(found.adopted && ids.contains(&found.id));
}

#[tokio::test]
async fn a_second_account_of_an_employee_is_not_made_and_a_namesake_is_not_adopted() {
    let ward = Ward::set(ehr_scim::Options::default(), json!({})).await;
    ward.people(2);
    let mut attrs = clinician(1);
    attrs.insert(EMPLOYEE.to_owned(), vec!["w1".into()]);
    let error = ward.target.create(&ward.cx(1), &account(), &attrs, ENABLED, &[]).await.unwrap_err();
    assert_eq!((error.class, error.existing, ward.rows()), (Class::AlreadyExists, Some("1".into()), 2));

    // The same name and mail address, and another employee: another person.
    ward.ehr
        .run("UPDATE user_dict SET first_name = 'Testperson 5', email = 't5@hosp.example' WHERE user_mnemonic = 'W2'")
        .unwrap();
    let made = ward.create(5, 2).await.unwrap();
    assert!(!made.adopted && made.id.as_str() == "3");

    let taken = Ctx { attempt: 1, ..ward.cx(1) };
    let mut attrs = clinician(9);
    attrs.insert("userName".to_owned(), vec!["T5".into()]);
    let error = ward.target.create(&taken, &account(), &attrs, ENABLED, &[]).await.unwrap_err();
    assert_eq!((error.class, error.existing, ward.rows()), (Class::AlreadyExists, Some("3".into()), 3));
}

#[tokio::test]
async fn an_interface_that_only_reads_is_read_and_refuses_each_write_as_forbidden() {
    let ward = Ward::set(ehr_scim::Options { read_only: true, ..ehr_scim::Options::default() }, json!({})).await;
    ward.people(3);
    let id = NativeId::from("2");
    let read = ward.target.get(&ward.cx(1), &account(), &id).await.unwrap().unwrap();
    assert_eq!(
        (read.version.as_deref(), &read.attrs["displayName"][0]),
        (Some("W/\"1\""), &"Example, Testperson 2".into())
    );
    assert_eq!(ward.find(EMPLOYEE, "w3").await.unwrap().len(), 1);
    let page = ward.target.lister().unwrap().list(&ward.cx(1), &account(), None, 10).await.unwrap();
    assert_eq!((page.items.len(), page.complete), (3, true));
    let roles = ward.target.lister().unwrap().list(&ward.cx(1), &Kind::from("role"), None, 10).await.unwrap();
    assert_eq!(roles.items.len(), 5);

    let before = ward.ehr.state()["accounts"].clone();
    let close = Change { state: Some(AccountState::Disabled), ..Change::default() };
    let mut give = Change::default();
    give.entitlements.add = vec![Entitlement::new("group", "CSRX")];
    let refused = [
        ward.create(1, 1).await.unwrap_err(),
        ward.target.update(&ward.cx(1), &account(), &id, &close).await.unwrap_err(),
        ward.target.update(&ward.cx(1), &account(), &id, &give).await.unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.class == Class::Forbidden && error.effect == Effect::None), "{refused:?}");
    assert_eq!(ward.ehr.state()["accounts"], before);
}

#[tokio::test]
async fn a_leaver_is_inactive_ends_today_and_loses_menus_and_groups() {
    let ward = Ward::set(ehr_scim::Options::default(), json!({})).await;
    let mut menu = Entitlement::new("role", "NUR.VIEW");
    menu.scope.insert("type".to_owned(), "EAST".to_owned());
    let holds = [menu, Entitlement::new("group", "CSRX")];
    let made = ward.target.create(&ward.cx(1), &account(), &clinician(1), ENABLED, &holds).await.unwrap();
    assert_eq!(made.failed, []);
    let held = ward.target.get(&ward.cx(1), &account(), &made.id).await.unwrap().unwrap();
    assert_eq!((held.state, held.entitlements.unwrap().len()), (ENABLED, 2));

    let mut close = Change { state: Some(AccountState::Disabled), ..Change::default() };
    close.entitlements.remove = holds.to_vec();
    ward.target.update(&ward.cx(1), &account(), &made.id, &close).await.unwrap();

    let state = ward.ehr.state();
    assert_eq!(
        (&state["accounts"][0]["status"], &state["accounts"][0]["end_date"]),
        (&json!("I"), &json!("2026-07-01"))
    );
    assert_eq!(
        (&state["menus"][0]["end_date"], &state["accessGroups"][0]["end_date"]),
        (&json!("2026-07-01"), &json!("2026-07-01"))
    );
    assert_eq!(state["menus"][0]["granted_by"], "gateway");
    let effect = ward.target.effect().unwrap().effective(&ward.cx(1), &account(), &made.id).await.unwrap();
    assert_eq!(effect.can_login, Some(false));
}
