//! The answer to a commit is lost: the work is done, and nobody knows. A hundred times for every operation that writes.

use crate::support::{
    COMMIT_MARIADB, COMMIT_MSSQL, COMMIT_POSTGRES, Stage, Ward, account, attrs, give, group, key, menu, set, state,
    take,
};
use connector_spi::{AccountState, Change, Class, ConnError, Delta, Effect, Kind, NativeId};
use connector_testkit::lost::{is_so, is_unknown, times};
use fixtures::proxy::Mischief;
use serde_json::{Value as Json, json};

fn clear(name: &str) -> Change {
    Change { attrs: [(name.to_owned(), Delta::Clear)].into(), ..Change::default() }
}

struct Lost {
    stage: Stage,
    commit: &'static [u8],
}

/// What the shipped profile leaves out: an end by date, a delete, and a statement that follows the commit.
fn more() -> Json {
    let of_user = "WHERE user_mnemonic = (SELECT u.user_mnemonic FROM user_dict u WHERE u.user_seq = :id)";
    let rows = |table: &str| json!({"sql": format!("DELETE FROM {table} {of_user}"), "rows": "any"});
    let own = json!({"sql": "DELETE FROM user_dict WHERE user_seq = :id"});
    let delete: Vec<Json> = ["user_session", "user_menu", "user_facility", "user_access_group"]
        .iter()
        .map(|table| rows(table))
        .chain([own])
        .collect();
    let note = json!({"sql": "INSERT INTO refreshed (mnemonic, state) VALUES (:mnemonic, :state)"});
    json!({"kinds": {"account": {
        "delete": delete,
        "states": {"expired": [{"sql": "UPDATE user_dict SET end_date = :today WHERE user_seq = :id"}]},
        "after": [{"name": "refresh", "on": ["closed"], "step": note}],
    }}})
}

impl Lost {
    async fn on(ward: Ward, commit: &'static [u8]) -> Self {
        ward.ehr.run("CREATE TABLE refreshed (mnemonic VARCHAR(12), state VARCHAR(10))").await.unwrap();
        Self { stage: ward.stage_with(more()).await, commit }
    }

    /// What follows a commit was not done where its answer was lost, and is done with the change that is sent again.
    async fn refreshed(&self, state: &str) {
        let statement = format!("SELECT COUNT(*) FROM refreshed WHERE state = '{state}'");
        let done = self.stage.ehr().count(&statement).await.unwrap();
        assert_eq!(done, i64::from(times().div_ceil(2)), "{state}");
    }

    /// A delete whose answer is lost, then once more: success, and nothing is left of the account.
    async fn deletes(&self) {
        for number in 0..times() {
            let id = self.stage.find(number).await[0].id.clone();
            let delete = async || self.stage.target.delete(&self.stage.cx("d"), &account(), &id).await;
            self.cut(true);
            let lost = delete().await.unwrap_err();
            self.cut(false);
            Self::unknown(&lost);
            assert_eq!(self.stage.find(number).await, []);
            delete().await.unwrap();
        }
        for table in ["user_dict", "user_menu", "user_facility", "user_access_group", "user_session"] {
            assert_eq!(self.stage.ehr().count(&format!("SELECT COUNT(*) FROM {table}")).await.unwrap(), 0, "{table}");
        }
    }

    fn cut(&self, on: bool) {
        let mischief = if on { Mischief::LoseReplyTo(self.commit) } else { Mischief::None };
        self.stage.ward.proxy.as_ref().unwrap().set(mischief);
    }

    fn unknown(error: &ConnError) {
        assert!(is_unknown(error), "{error}");
    }

    /// A create whose answer is lost, then what the gateway does: it looks, and adopts what it finds.
    async fn creates(&self) {
        for number in 0..times() {
            self.cut(true);
            let lost = self.stage.create(number, &[menu("NUR.VIEW", "EAST")]).await.unwrap_err();
            self.cut(false);
            Self::unknown(&lost);
            let found = self.stage.find(number).await;
            assert_eq!(found.len(), 1, "{number}");
            // Who sends it again without looking is told what stands there, and makes no second one.
            let again = self.stage.create(number, &[]).await.unwrap_err();
            assert_eq!((again.class, again.existing), (Class::AlreadyExists, Some(found[0].id.clone())));
            assert_eq!(found[0].entitlements.as_ref().unwrap().len(), 1);
        }
        let all = self.stage.ehr().state().await.unwrap();
        assert_eq!(all["user_dict"].as_array().unwrap().len(), usize::try_from(times()).unwrap());
    }

    /// A change whose answer is lost, then the same change again: it is there once, and nothing is told as failed.
    async fn changes(&self, id: &NativeId, name: &str, changes: [Change; 2]) {
        for cut in 0..times() {
            let change = changes[usize::try_from(cut % 2).unwrap()].clone();
            self.cut(true);
            let lost = self.stage.change(id, change.clone()).await.expect_err(name);
            self.cut(false);
            Self::unknown(&lost);
            let done = self.stage.read(id).await;
            assert!(is_so(&done, &change), "{name}: {done:?}");
            let again = self.stage.change(id, change).await.unwrap();
            assert_eq!(again.failed, [], "{name}");
            let after = self.stage.read(id).await;
            assert_eq!(
                (&done.attrs, done.state, &done.entitlements),
                (&after.attrs, after.state, &after.entitlements),
                "{name}"
            );
        }
    }

    /// The same for the other kind of record that this target has.
    async fn providers(&self) {
        let (kind, target) = (Kind::from("provider"), &self.stage.target);
        for number in 0..times() {
            let who = attrs(&[
                ("providerMnemonic", &format!("LOST{number}")),
                ("npi", &format!("{}", 1_900_000_000 + number)),
                ("familyName", "Example"),
                ("givenName", "Testperson"),
                ("providerType", "PHYSICIAN"),
            ]);
            self.cut(true);
            let lost = target.create(&self.stage.cx("p"), &kind, &who, AccountState::Enabled, &[]).await.unwrap_err();
            self.cut(false);
            Self::unknown(&lost);
            let found = target.find(&self.stage.cx("p"), &kind, &key("npi", &who["npi"][0].to_string())).await.unwrap();
            assert_eq!(found.len(), 1, "{number}");
            for change in [set("familyName", "Changed"), state(AccountState::Disabled), state(AccountState::Enabled)] {
                self.cut(true);
                let lost = target.update(&self.stage.cx("p"), &kind, &found[0].id, &change).await.unwrap_err();
                self.cut(false);
                Self::unknown(&lost);
                let again = target.update(&self.stage.cx("p"), &kind, &found[0].id, &change).await.unwrap();
                assert_eq!(again.failed, []);
                let now = target.get(&self.stage.cx("p"), &kind, &found[0].id).await.unwrap().unwrap();
                assert!(is_so(&now, &change), "{now:?}");
            }
        }
        let count = self.stage.ehr().count("SELECT COUNT(*) FROM provider_dict").await.unwrap();
        assert_eq!(count, i64::from(times()));
    }

    async fn every_operation(&self) {
        self.creates().await;
        let id = self.stage.find(0).await[0].id.clone();
        self.changes(&id, "attributes", [set("email", "a@hosp.example"), set("email", "b@hosp.example")]).await;
        self.changes(&id, "a menu", [give(vec![menu("ED.BOARD", "WEST")]), take(vec![menu("ED.BOARD", "WEST")])]).await;
        self.changes(&id, "a group", [give(vec![group("CSRX")]), take(vec![group("CSRX")])]).await;
        self.changes(&id, "the state", [state(AccountState::Disabled), state(AccountState::Enabled)]).await;
        self.changes(&id, "a block", [state(AccountState::Blocked), state(AccountState::Enabled)]).await;
        self.refreshed("disabled").await;
        self.refreshed("blocked").await;
        self.changes(&id, "an end by date", [state(AccountState::Expired), state(AccountState::Enabled)]).await;
        self.refreshed("expired").await;
        self.changes(&id, "a value that goes", [clear("email"), set("email", "a@hosp.example")]).await;
        self.providers().await;
        self.changes(&id, "the provider", [set("provider", "LOST0"), clear("provider")]).await;
        let mnemonic = self.stage.read(&id).await.attrs["mnemonic"][0].to_string();
        let effect = self.stage.target.effect().unwrap();
        for _ in 0..times() {
            let session = self.stage.ehr().login(&mnemonic, "2099-01-01").await.unwrap().unwrap();
            self.cut(true);
            let lost = effect.revoke_sessions(&self.stage.cx("r"), &account(), &id).await.unwrap_err();
            self.cut(false);
            Self::unknown(&lost);
            assert!(!self.stage.ehr().session_works(&session).await.unwrap());
            effect.revoke_sessions(&self.stage.cx("r"), &account(), &id).await.unwrap();
        }
        assert_eq!(self.stage.ehr().count("SELECT COUNT(*) FROM user_dict").await.unwrap(), i64::from(times()));
        assert_eq!(self.stage.ehr().count("SELECT COUNT(*) FROM user_menu").await.unwrap(), i64::from(times()) + 1);
        self.deletes().await;
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_no_double_and_no_false_failure_in_postgresql() {
    let Some(ward) = Ward::postgres().await else { return };
    let lost = Lost::on(ward, COMMIT_POSTGRES).await;
    lost.every_operation().await;
}

#[tokio::test]
async fn a_lost_answer_leaves_no_double_and_no_false_failure_in_mariadb() {
    let Some(ward) = Ward::mariadb().await else { return };
    let lost = Lost::on(ward, COMMIT_MARIADB).await;
    lost.every_operation().await;
}

#[tokio::test]
async fn a_lost_answer_leaves_no_double_and_no_false_failure_over_the_wire_of_sql_server() {
    let lost = Lost::on(Ward::mssql().await, COMMIT_MSSQL).await;
    lost.every_operation().await;
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_changed_nothing() {
    let Some(ward) = Ward::postgres().await else { return };
    let stage = ward.stage().await;
    let before = stage.ehr().state().await.unwrap();
    stage.ward.proxy.as_ref().unwrap().set(Mischief::LoseReplyTo(b"INSERT INTO user_dict"));

    let error = stage.create(1, &[]).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Transient, Effect::None));
    stage.ward.proxy.as_ref().unwrap().set(Mischief::None);
    assert_eq!(stage.ehr().state().await.unwrap(), before);
    let made = stage.create(1, &[]).await.unwrap();
    assert_eq!(stage.find(1).await[0].id, made.id);
}
