//! What others gave stays, through a thousand changes of ours.

use crate::support::{Stage, Ward, account, group, menu, person};
use async_trait::async_trait;
use connector_spi::{Entitlement, NativeId};
use connector_testkit::foreign::{Foreign, OtherHand};
use serde_json::Value as Json;

/// Somebody at the ward.
#[async_trait]
impl OtherHand for Stage {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let (ehr, value) = (self.ehr(), one.value.as_str());
        let user = format!("SELECT user_mnemonic FROM user_dict WHERE user_seq = {id}");
        let days = "'2026-07-01', '2099-07-01', 'WARD'";
        let Some(facility) = one.scope.get("facility") else {
            let columns = "user_mnemonic, group_mnemonic, begin_date, end_date, granted_by";
            ehr.run(&format!("INSERT INTO user_access_group ({columns}) VALUES (({user}), '{value}', {days})"))
                .await
                .unwrap();
            return;
        };
        let at = format!("user_mnemonic = ({user}) AND facility_id = '{facility}'");
        if ehr.count(&format!("SELECT COUNT(*) FROM user_facility WHERE {at}")).await.unwrap() == 0 {
            let row = format!("(({user}), '{facility}', '2026-07-01')");
            ehr.run(&format!("INSERT INTO user_facility (user_mnemonic, facility_id, begin_date) VALUES {row}"))
                .await
                .unwrap();
        }
        let columns = "user_mnemonic, facility_id, menu_mnemonic, begin_date, end_date, granted_by";
        ehr.run(&format!("INSERT INTO user_menu ({columns}) VALUES (({user}), '{facility}', '{value}', {days})"))
            .await
            .unwrap();
    }

    /// An end that is not far off is the day on which something was taken: rows are never deleted.
    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let state = self.ehr().state().await.unwrap();
        let mnemonic = format!("SELECT user_mnemonic FROM user_dict WHERE user_seq = {id}");
        let mnemonic = self.ehr().text(&mnemonic).await.unwrap();
        let rows = |table: &str| state[table].as_array().unwrap().clone().into_iter();
        let held = |row: &Json| {
            let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            text("user_mnemonic") == mnemonic && (row["end_date"].is_null() || text("end_date").as_str() > "2098")
        };
        let menus = rows("user_menu").filter(held).map(|row| {
            let text = |column: &str| row[column].as_str().unwrap().to_owned();
            (format!("menu:{}@{}", text("menu_mnemonic"), text("facility_id")), row.to_string())
        });
        let groups = rows("user_access_group").filter(held);
        let groups =
            groups.map(|row| (format!("access-group:{}", row["group_mnemonic"].as_str().unwrap()), row.to_string()));
        menus.chain(groups).collect()
    }
}

async fn survive(ward: Ward, at_once: usize) {
    let stage = ward.stage().await;
    let menus = ["NUR.VIEW", "NUR.FLOOR", "NUR.CHARGE", "ED.BOARD", "PHA.ADMIN"];
    let menus = menus.iter().flat_map(|value| ["EAST", "WEST"].map(|facility| menu(value, facility)));
    let suite = Foreign {
        connector: stage.target.clone(),
        host: stage.host.clone(),
        kind: account(),
        person: &person,
        key: "employeeNumber",
        text: "email",
        catalogue: menus.chain([group("CSRX"), group("CSAPPR")]).collect(),
        single: &[],
        each: 5,
        at_once,
        hand: &stage,
    };
    suite.survive().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_in_sqlite() {
    survive(Ward::sqlite().await, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_in_postgresql() {
    let Some(ward) = Ward::postgres().await else { return };
    survive(ward, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_in_mariadb() {
    let Some(ward) = Ward::mariadb().await else { return };
    survive(ward, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_over_the_wire_of_sql_server() {
    survive(Ward::mssql().await, 1).await;
}
