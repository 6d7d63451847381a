//! A record system behind a SCIM face of its own: what others gave at the ward stays, and a reply that is lost does no harm to
//! any write.

use super::lookup::{EMPLOYEE, Ward, clinician};
use super::*;
use async_trait::async_trait;
use connector_testkit::foreign::{Foreign, OtherHand};
use connector_testkit::lost::{Line, Losing, times};
use fixtures::ehr_scim;

const GIVEN_NAME: &str = "name.givenName";

impl Ward {
    /// The mnemonic of an account, which is its name in all other tables.
    fn mnemonic(&self, id: &NativeId) -> String {
        self.ehr.text(&format!("SELECT user_mnemonic FROM user_dict WHERE user_seq = {id}")).unwrap()
    }

    /// The rows of this account that have not ended.
    fn holdings(&self, id: &NativeId) -> Vec<(String, String)> {
        let (state, mnemonic) = (self.ehr.state(), self.mnemonic(id));
        let rows = |table: &str| state[table].as_array().unwrap().clone().into_iter();
        let held = |row: &Json| row["user_mnemonic"] == mnemonic.as_str() && row["end_date"].is_null();
        let text = |row: &Json, column: &str| row[column].as_str().unwrap().to_owned();
        let menus = rows("menus").filter(held).map(|row| {
            (format!("role:{}@{}", text(&row, "menu_mnemonic"), text(&row, "facility_id")), row.to_string())
        });
        let groups = rows("accessGroups").filter(held);
        let groups = groups.map(|row| (format!("group:{}", text(&row, "group_mnemonic")), row.to_string()));
        menus.chain(groups).collect()
    }
}

/// Somebody at the ward, by SQL.
#[async_trait]
impl OtherHand for Ward {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let (mnemonic, value) = (self.mnemonic(id), &one.value);
        let Some(facility) = one.scope.get("type") else {
            let columns = "user_mnemonic, group_mnemonic, begin_date, granted_by";
            let row = format!("('{mnemonic}', '{value}', '2026-07-01', 'WARD')");
            self.ehr.run(&format!("INSERT INTO user_access_group ({columns}) VALUES {row}")).unwrap();
            return;
        };
        let facility_row = format!("('{mnemonic}', '{facility}', '2026-07-01')");
        let columns = "user_mnemonic, facility_id, begin_date";
        self.ehr
            .run(&format!("INSERT INTO user_facility ({columns}) VALUES {facility_row} ON CONFLICT DO NOTHING"))
            .unwrap();
        let columns = "user_mnemonic, facility_id, menu_mnemonic, begin_date, granted_by";
        let row = format!("('{mnemonic}', '{facility}', '{value}', '2026-07-01', 'WARD')");
        self.ehr.run(&format!("INSERT INTO user_menu ({columns}) VALUES {row}")).unwrap();
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        self.holdings(id)
    }
}

fn menu(value: &str, facility: &str) -> Entitlement {
    let mut menu = Entitlement::new("role", value);
    menu.scope.insert("type".to_owned(), facility.to_owned());
    menu
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_menus_and_groups_survive_a_thousand_changes() {
    let ward = Ward::set(ehr_scim::Options::default(), json!({"http": {"timeout": 60}})).await;
    ward.target.check(&ward.patient()).await.unwrap();
    let menus = ["NUR.VIEW", "NUR.FLOOR", "NUR.CHARGE", "ED.BOARD", "PHA.ADMIN"];
    let menus = menus.iter().flat_map(|value| ["EAST", "WEST"].map(|facility| menu(value, facility)));
    let groups = ["CSRX", "CSAPPR"].map(|value| Entitlement::new("group", value));
    let suite = Foreign {
        connector: ward.target.clone(),
        host: ward.host.clone(),
        kind: account(),
        person: &clinician,
        key: EMPLOYEE,
        text: GIVEN_NAME,
        catalogue: menus.chain(groups).collect(),
        single: &[],
        each: 5,
        at_once: 4,
        hand: &ward,
    };
    suite.survive().await.unwrap();
}

#[async_trait]
impl Line for Ward {
    async fn lose(&self, operation: &str) {
        self.ehr.fail(operation, Fault::TimeoutAfterCommit, times());
    }

    async fn keep(&self) {
        self.ehr.faults().clear();
    }

    async fn asked(&self, operation: &str) -> u64 {
        self.ehr.journal().count_of(operation) as u64
    }

    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        let state = self.ehr.state();
        let tables = ["accounts", "menus", "accessGroups", "facilities"].map(|table| state[table].as_array().unwrap());
        let of = |id: &NativeId| {
            let mnemonic = self.mnemonic(id);
            let rows = tables.iter().flat_map(|rows| rows.iter());
            let rows: Vec<String> =
                rows.filter(|row| row["user_mnemonic"] == mnemonic.as_str()).map(Json::to_string).collect();
            rows.join("\n")
        };
        ids.iter().map(of).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_an_account_is_made_once_however_often_its_reply_is_lost() {
    let options = ehr_scim::Options { silence: Duration::from_millis(5), ..ehr_scim::Options::default() };
    let ward = &Ward::set(options, json!({"http": {"timeout": 60}})).await;
    ward.target.check(&ward.patient()).await.unwrap();
    let losing =
        Losing { connectors: vec![ward.target.clone(); 8], host: ward.host.clone(), kind: account(), line: ward };
    let ids = losing.create("CreateUser", clinician, EMPLOYEE, &[menu("NUR.VIEW", "EAST")]).await;
    let give = |one: Entitlement| {
        let mut change = Change::default();
        change.entitlements.add = vec![one];
        change
    };
    let take = |one: Entitlement| {
        let mut change = Change::default();
        change.entitlements.remove = vec![one];
        change
    };
    let state = |state| Change { state: Some(state), ..Change::default() };
    for (operation, change) in [
        ("PatchUser", with_attr(GIVEN_NAME, Delta::Set(vec!["Changed".into()]))),
        ("PatchUser", with_attr("emails[type eq \"work\"].value", Delta::Clear)),
        ("PatchUser", give(menu("ED.BOARD", "WEST"))),
        ("PatchUser", take(menu("NUR.VIEW", "EAST"))),
        ("PatchGroup", give(Entitlement::new("group", "CSRX"))),
        ("PatchGroup", take(Entitlement::new("group", "CSRX"))),
        ("PatchUser", state(AccountState::Disabled)),
        ("PatchUser", state(ENABLED)),
    ] {
        losing.change(operation, &ids, &change, true).await;
    }
    assert_eq!(ward.ehr.state()["accounts"].as_array().unwrap().len(), times() as usize);
}

impl Ward {
    fn patient(&self) -> Ctx {
        Ctx::new("check", tokio::time::Instant::now() + Duration::from_secs(60), self.host.clone())
    }
}
