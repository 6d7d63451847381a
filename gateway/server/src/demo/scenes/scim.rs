//! An application that speaks SCIM itself.

use super::{Account, Accounts, Scene, accounts};
use crate::demo::Outcome;
use async_trait::async_trait;
use fixtures::scim_server::{Options, ScimServer};
use fixtures::workforce::Workforce;
use serde_json::Value;
use std::collections::BTreeMap;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A server that can do everything that SCIM knows.
pub struct Application {
    server: ScimServer,
    token: String,
}

impl Application {
    /// Starts it.
    pub fn start() -> Outcome<Self> {
        // Nobody is there who was not pushed.
        let options = Options { users: Vec::new(), ..Options::default() };
        let token = options.token.clone();
        Ok(Self { server: ScimServer::start(options)?, token })
    }
}

#[async_trait]
impl Scene for Application {
    fn name(&self) -> &'static str {
        "application"
    }

    fn what(&self) -> &'static str {
        "an application (SCIM)"
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("@SCIM@", self.server.base_url())]
    }

    fn place(&self) -> String {
        format!("{}/Users", self.server.base_url())
    }

    async fn read(&self) -> Outcome<Accounts> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut held = Accounts::new();
        loop {
            let address = format!("{}/Users?startIndex={}&count=100", self.server.base_url(), held.len() + 1);
            let request = client.get(address).bearer_auth(&self.token);
            let page: Value = request.send().await?.error_for_status()?.json().await?;
            let users = page.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
            if users.is_empty() {
                return Ok(held);
            }
            held.extend(users.iter().map(account));
        }
    }

    fn wanted(&self, workforce: &Workforce) -> Accounts {
        accounts(workforce, |person| {
            let group = match person.title.as_str() {
                "Registered Nurse" => "group:grp-ward",
                "Resident" | "Attending Physician" => "group:grp-er",
                _ => "group:grp-lab",
            };
            let facts = BTreeMap::from([
                ("family name", person.family_name.clone()),
                ("department", person.department().to_owned()),
            ]);
            (facts, [group.to_owned()].into())
        })
    }

    async fn stop(self: Box<Self>) {
        self.server.stop().await;
    }
}

fn account(user: &Value) -> (String, Account) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let enterprise = user.get(ENTERPRISE);
    let of_enterprise = |name: &str| text(enterprise.and_then(|extension| extension.get(name)));
    let groups = user.get("groups").and_then(Value::as_array).into_iter().flatten();
    let account = Account {
        enabled: user.get("active").and_then(Value::as_bool) == Some(true),
        facts: BTreeMap::from([
            ("family name", text(user.pointer("/name/familyName"))),
            ("department", of_enterprise("department")),
        ]),
        holds: groups.map(|group| format!("group:{}", text(group.get("value")))).collect(),
    };
    (of_enterprise("employeeNumber"), account)
}
