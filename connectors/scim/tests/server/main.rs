//! The connector against the simulator: limits, pages, hostile values, lost replies, ownership.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod foreign;
mod hostile;
mod lookup;
mod lost;
mod members;
mod order;
mod pages;
mod record_system;
#[path = "../support/mod.rs"]
mod support;
mod word;

use connector_spi::{
    AccountState, Change, Class, Ctx, Cursor, Delta, Effect, Entitlement, Kind, NativeId, ReadAfterWrite, Record, Value,
};
use fixtures::faults::Fault;
use fixtures::scim_server::{Options, Paging};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, time::Duration};
use support::{Stage, account, attrs, group, key, person, strict};

const ENABLED: AccountState = AccountState::Enabled;

fn with_attr(name: &str, delta: Delta) -> Change {
    Change { attrs: [(name.to_owned(), delta)].into(), ..Change::default() }
}

fn texts(all: &[String]) -> Vec<Value> {
    all.iter().map(|one| Value::from(one.as_str())).collect()
}

/// Makes accounts and gives their ids.
async fn people(stage: &Stage, count: u32) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let made = stage.target.create(&stage.cx("p"), &account(), &person(number), ENABLED, &[]).await.unwrap();
        ids.push(made.id.0);
    }
    ids
}

/// The members that the server holds.
fn members(stage: &Stage, id: &str) -> BTreeSet<String> {
    let group = stage.one("groups", id);
    let all = group["members"].as_array().cloned().unwrap_or_default();
    all.iter().map(|one| one["value"].as_str().unwrap().to_owned()).collect()
}

async fn people_as(stage: &Stage, name: &str) -> String {
    let values = attrs(&[("userName", name), ("externalId", name), ("title", "Dr")]);
    stage.target.create(&stage.cx("c"), &account(), &values, ENABLED, &[]).await.unwrap().id.0
}
