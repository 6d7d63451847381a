//! The oracle-health-like EHR, by its REST face.

use super::{Account, Accounts, SECRET, Scene, accounts};
use crate::demo::Outcome;
use async_trait::async_trait;
use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::workforce::Workforce;
use serde_json::Value;
use std::collections::BTreeMap;

/// The simulator.
pub struct Rest(EhrRest);

impl Rest {
    /// Starts it, without the limits that would only make the demo longer.
    pub fn start() -> Outcome<Self> {
        Ok(Self(EhrRest::start(Options { rate_limit: None, maintenance: false, ..Default::default() })?))
    }
}

#[async_trait]
impl Scene for Rest {
    fn name(&self) -> &'static str {
        "ehr-rest"
    }

    fn what(&self) -> &'static str {
        "an EHR (REST)"
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("@EHR_REST@", self.0.base_url())]
    }

    fn place(&self) -> String {
        format!("{}/sim/state", self.0.base_url())
    }

    async fn read(&self) -> Outcome<Accounts> {
        read(&self.0.base_url()).await
    }

    fn wanted(&self, workforce: &Workforce) -> Accounts {
        accounts(workforce, |person| {
            let holds: &[&str] = match (person.title.as_str(), person.department()) {
                ("Registered Nurse", "NUR-CL2") => &["position:RN", "organization:WEST"],
                ("Registered Nurse", _) => &["position:RN", "organization:EAST"],
                ("Resident", "ED-10200") => &["position:RESIDENT_ED", "organization-group:EAST_ALL"],
                ("Resident", _) => &["position:RESIDENT_IM", "organization-group:EAST_ALL"],
                ("Attending Physician", _) => &["position:ATTENDING_IM", "organization-group:EAST_ALL"],
                _ => &["role-profile:REGISTRAR", "organization:EAST"],
            };
            let facts =
                BTreeMap::from([("family name", person.family_name.clone()), ("user name", person.user_name.clone())]);
            (facts, holds.iter().map(|one| (*one).to_owned()).collect())
        })
    }

    async fn stop(self: Box<Self>) {
        self.0.stop().await;
    }
}

/// Reads the EHR over its REST face, page by page.
async fn read(base: &str) -> Outcome<Accounts> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let scopes = "grant_type=client_credentials&scope=personnel.read";
    let token: Value = client
        .post(format!("{base}/oauth2/token"))
        .basic_auth("gateway", Some(SECRET))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(scopes)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let token = token.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut accounts = Accounts::new();
    let mut cursor = String::new();
    loop {
        let address = format!("{base}/v1/personnel?includeInactive=true&limit=200{cursor}");
        let request = client.get(address).bearer_auth(&token).header("X-Target-Id", "EAST-PROD");
        let page: Value = request.send().await?.error_for_status()?.json().await?;
        for person in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            let (number, account) = personnel(person);
            accounts.insert(number, account);
        }
        match page.get("nextCursor").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(accounts),
        }
    }
}

fn personnel(person: &Value) -> (String, Account) {
    let text = |pointer: &str| person.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |name: &str| person.get(name).and_then(Value::as_array).into_iter().flatten();
    let of = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = list("aliases").find(|alias| of(alias, "pool") == "EMPLOYEE").map(|alias| of(alias, "value"));
    let position = person.pointer("/position/code").and_then(Value::as_str).map(|code| format!("position:{code}"));
    // The collection's name is plural, an entitlement's type is singular.
    let links = list("links").map(|link| format!("{}:{}", of(link, "type").trim_end_matches('s'), of(link, "code")));
    let account = Account {
        enabled: person.get("active").and_then(Value::as_bool) == Some(true),
        facts: BTreeMap::from([("family name", text("/name/last")), ("user name", text("/username"))]),
        holds: position.into_iter().chain(links).collect(),
    };
    (number.unwrap_or_default(), account)
}
