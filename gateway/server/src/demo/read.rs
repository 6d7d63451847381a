//! A client apart from the gateway that reads each target over the target's own protocol.

use super::truth::{Account, Accounts};
use ldap3::{LdapConnAsync, Scope, SearchEntry};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Anything that goes wrong while reading; the demo only prints it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PEOPLE: &str = "ou=people,dc=hosp,dc=example";
const GROUPS: &str = "ou=entitlements,dc=hosp,dc=example";

/// Reads the directory by LDAP. Accounts without the gateway's mark are not ours and are left out.
pub async fn directory(url: &str, password: &str) -> Outcome<Accounts> {
    let (connection, mut ldap) = LdapConnAsync::new(url).await?;
    ldap3::drive!(connection);
    ldap.simple_bind("cn=admin,dc=hosp,dc=example", password).await?.success()?;
    let wanted = vec!["employeeNumber", "sn", "departmentNumber", "clinAccountStatus", "pwdAccountLockedTime"];
    let (people, _) = ldap.search(PEOPLE, Scope::OneLevel, "(clinGatewayId=*)", wanted).await?.success()?;
    let (groups, _) =
        ldap.search(GROUPS, Scope::OneLevel, "(objectClass=groupOfNames)", vec!["cn", "member"]).await?.success()?;
    ldap.unbind().await?;

    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in groups.into_iter().map(SearchEntry::construct) {
        let name = first(&group, "cn");
        for member in group.attrs.get("member").into_iter().flatten() {
            held.entry(member.to_lowercase()).or_default().insert(format!("group:{name}"));
        }
    }
    Ok(people
        .into_iter()
        .map(SearchEntry::construct)
        .map(|entry| {
            let locked = entry.attrs.contains_key("pwdAccountLockedTime");
            let account = Account {
                enabled: !locked && first(&entry, "clinAccountStatus") == "active",
                facts: BTreeMap::from([
                    ("family name", first(&entry, "sn")),
                    ("department", first(&entry, "departmentNumber")),
                ]),
                holds: held.remove(&entry.dn.to_lowercase()).unwrap_or_default(),
            };
            (first(&entry, "employeeNumber"), account)
        })
        .collect())
}

fn first(entry: &SearchEntry, name: &str) -> String {
    entry.attrs.get(name).and_then(|values| values.first()).cloned().unwrap_or_default()
}

/// Reads the EHR over its REST face, page by page.
pub async fn ehr(base: &str, secret: &str) -> Outcome<Accounts> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let scopes = "grant_type=client_credentials&scope=personnel.read";
    let token: Value = client
        .post(format!("{base}/oauth2/token"))
        .basic_auth("gateway", Some(secret))
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
