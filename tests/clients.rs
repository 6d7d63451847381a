//! Identity providers' conversations, replayed against a running gateway, with and without targets; at the end the
//! targets hold what the SCIM side says.

use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::replay::scenario::{Level, Scenario};
use fixtures::replay::{Conversation, Outcome, Replay, Request, Response};
use harness::hospital::Wiring;
use harness::{Client, Gateway, Hospital, TestDirectory};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// All conversations of one client, also of its several flavours, come from one source.
const SOURCES: [&str; 7] = ["bugs", "entra", "jumpcloud", "okta", "onelogin", "ping", "sailpoint"];

const ROLES: &str = r#"
[[role]]
name = "ward"
display = "Ward nurse"
type = "clinical"
when = "user.title == 'Nurse'"
entitlements = ["directory:group:grp-nursing", "ehr:position:RN", "ehr:organization:EAST"]

[[role]]
name = "grouped"
when = "size(user.groups) > 0"
entitlements = ["directory:group:grp-ed"]
"#;

const DIRECTORY_CATALOGUE: &str = r#"
[[target.catalogue]]
type = "group"
value = "ehr-login"
display = "EHR log-in"
[[target.catalogue]]
type = "group"
value = "grp-nursing"
[[target.catalogue]]
type = "group"
value = "grp-ed"
"#;

const EHR_CATALOGUE: &str = r#"
[[target.catalogue]]
type = "position"
value = "RN"
display = "Registered nurse"
[[target.catalogue]]
type = "organization"
value = "EAST"
"#;

/// A person, as the SCIM side wants them or as a target holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    user_name: String,
    family_name: String,
    entitlements: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conversation_passes_and_both_targets_hold_what_scim_says() {
    let tree = TestDirectory::start("conversations with targets").await;
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let sources: String = SOURCES.iter().map(|name| source(name)).collect();
    let wiring = Wiring {
        directory: Some(tree.url()),
        ehr: Some(&ehr),
        sources: Some(&sources),
        by_id: true,
        directory_more: DIRECTORY_CATALOGUE,
        ehr_more: EHR_CATALOGUE,
        more: ROLES,
        ..Wiring::default()
    };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);

    let mut failures = Vec::new();
    let mut held = Vec::new();
    for name in SOURCES {
        let token = gateway.token(name);
        let client = gateway.client(&token);
        let mut replay = Replay::new(move |request| send(client.clone(), request), &token);
        replay.discover().await;
        let mine: Vec<Scenario> = scenarios().into_iter().filter(|scenario| source_of(scenario) == name).collect();
        for scenario in mine {
            let conversation = replay.converse(&scenario).await;
            note(&scenario, &conversation, &mut failures);
            held.push((replay_of(&gateway, &token), scenario, conversation));
        }
    }
    gateway.settled(Duration::from_secs(60)).await;
    let scim = gateway.client(&gateway.token("entra"));
    let before = compare(&gateway, &scim, &tree, &ehr).await;
    for (replay, scenario, conversation) in &mut held {
        replay.clean_up(scenario, conversation).await;
    }
    gateway.settled(Duration::from_secs(60)).await;
    let after = compare(&gateway, &scim, &tree, &ehr).await;

    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(before.differences.is_empty(), "before the clean-up: {:#?}\n{}", before.differences, stuck(&gateway));
    assert!(after.differences.is_empty(), "after the clean-up: {:#?}\n{}", after.differences, stuck(&gateway));
    assert!(before.enabled >= 50, "too few people stood in both targets for this to show anything: {}", before.enabled);
    assert!(after.closed >= before.enabled, "the clean-up closed {} of {}", after.closed, before.enabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conversation_that_needs_no_catalogue_passes_against_a_plain_server() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("plain.db").display());
    let gateway = Gateway::plain(&store, "plain-token", &[], &folder.path().join("log"));
    let mut replay = replay_of(&gateway, "plain-token");
    replay.discover().await;

    let mut failures = Vec::new();
    let mut skipped = BTreeSet::new();
    for scenario in scenarios() {
        let mut conversation = replay.converse(&scenario).await;
        replay.clean_up(&scenario, &mut conversation).await;
        if let Outcome::Skipped(_) = conversation.outcome {
            skipped.insert(scenario.requires.join(" "));
        } else {
            note(&scenario, &conversation, &mut failures);
        }
    }

    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let needs_a_catalogue = BTreeSet::from(["okta-entitlement".to_owned(), "okta-role".to_owned()]);
    assert_eq!(skipped, needs_a_catalogue);
}

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data/idp");
    let all = Scenario::load(&folder).unwrap();
    assert!(all.len() >= 90, "conversations were lost: {}", all.len());
    all
}

fn source_of(scenario: &Scenario) -> &str {
    scenario.idp.split('-').next().unwrap_or(&scenario.idp)
}

fn source(name: &str) -> String {
    let discovery = if name == "okta" { "okta" } else { "ietf" };
    format!("\n[[source]]\nname = \"{name}\"\ndiscovery = \"{discovery}\"\nunknown_entitlements = \"record\"\n")
}

fn replay_of(gateway: &Gateway, token: &str) -> Replay<impl fixtures::replay::Sender + use<>> {
    let client = gateway.client(token);
    Replay::new(move |request| send(client.clone(), request), token)
}

async fn send(client: Client, request: Request) -> Result<Response, String> {
    // The step may mean to come without a token: then the field must be absent, not the client's own.
    let headers: Vec<(&str, &str)> = request.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let answer = client.bare(&request.method, &request.path, &headers, request.body).await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(Response { status: answer.status, headers: answer.headers, body: answer.raw })
}

/// Notes what failed; a `should` is told, and fails nothing.
fn note(scenario: &Scenario, conversation: &Conversation, failures: &mut Vec<String>) {
    let told: Vec<String> = match &conversation.outcome {
        Outcome::Passed => return,
        Outcome::Skipped(why) => vec![why.clone()],
        Outcome::Failed(failures) => failures.iter().map(ToString::to_string).collect(),
    };
    for line in told.iter().map(|line| format!("{}: {line}", scenario.id)) {
        match scenario.level {
            Level::Must => failures.push(line),
            Level::Should => println!("should: {line}"),
        }
    }
}

fn stuck(gateway: &Gateway) -> String {
    let links = gateway.links(&[]);
    let stuck = links.iter().filter(|link| !link["lastError"].is_null() || link["state"] == "parked");
    stuck.map(|link| format!("{} {} {}\n", link["key"], link["state"], link["lastError"])).collect()
}

struct Comparison {
    differences: Vec<String>,
    /// People with an enabled account in both targets, as wanted.
    enabled: usize,
    /// Accounts in the directory that are closed.
    closed: usize,
}

async fn compare(gateway: &Gateway, scim: &Client, tree: &TestDirectory, ehr: &EhrRest) -> Comparison {
    let users = users(scim).await;
    let (in_directory, in_ehr) = (directory(tree).await, records(&ehr.state()));
    let links = gateway.links(&[]);
    let mut differences = Vec::new();
    for (name, held) in [("directory", &in_directory), ("ehr", &in_ehr)] {
        let wanted = wanted(&users, name);
        let enabled: BTreeMap<&String, &Person> =
            held.iter().filter(|(_, (_, enabled))| *enabled).map(|(id, (person, _))| (id, person)).collect();
        for (id, person) in &wanted {
            match enabled.get(id) {
                Some(found) if *found == person => {}
                // A name alone does not revive a leaver's account: that is told, and left to people.
                None if is_a_leavers_name(held, person) && waits_for_people(&links, id, name) => {}
                found => differences.push(format!("{name} {id}: wanted {person:?}, found {found:?}")),
            }
        }
        let open = enabled.keys().filter(|id| !wanted.contains_key(**id));
        differences.extend(open.map(|id| format!("{name} {id}: nobody who is active, and enabled")));
    }
    let closed = in_directory.values().filter(|(_, enabled)| !enabled).count();
    Comparison { differences, enabled: wanted(&users, "directory").len(), closed }
}

/// Whether a closed account of somebody else has the name.
fn is_a_leavers_name(held: &BTreeMap<String, (Person, bool)>, person: &Person) -> bool {
    held.values().any(|(other, enabled)| !enabled && other.user_name.eq_ignore_ascii_case(&person.user_name))
}

/// Whether the link says in public that somebody must look at it.
fn waits_for_people(links: &[Value], resource: &str, target: &str) -> bool {
    let mut of = links.iter().filter(|link| link["key"]["resource"] == resource && link["key"]["target"] == target);
    of.any(|link| (link["state"] == "disputed" || link["state"] == "parked") && !link["lastError"].is_null())
}

/// Every user, page by page.
async fn users(scim: &Client) -> Vec<Value> {
    let mut users = Vec::new();
    loop {
        let page = scim.get(&format!("/Users?count=100&startIndex={}", users.len() + 1)).await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        let found = page.body["Resources"].as_array().cloned().unwrap_or_default();
        if found.is_empty() {
            return users;
        }
        users.extend(found);
    }
}

/// Who must have an enabled account in a target, and with what: a function of what SCIM says and of the roles above.
fn wanted(users: &[Value], target: &str) -> BTreeMap<String, Person> {
    let active = users.iter().filter(|user| user["active"] != false);
    active
        .map(|user| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let user_name = text(&user["userName"]).unwrap();
            let family_name = text(&user["name"]["familyName"]).unwrap_or_else(|| user_name.clone());
            let values = |name: &str| -> Vec<String> {
                let list = user[name].as_array().cloned().unwrap_or_default();
                list.iter().filter_map(|one| text(&one["value"])).collect()
            };
            let roles = values("roles");
            let ward = user["title"] == "Nurse" || roles.iter().any(|role| role == "ward");
            let grouped = !values("groups").is_empty() || roles.iter().any(|role| role == "grouped");
            let nurse = user["title"] == "Registered Nurse";
            let staff = ["group:ehr-login"];
            let mut given: BTreeSet<String> = match target {
                "directory" => {
                    let ward = ["group:grp-nursing"]
                        .iter()
                        .filter(|_| ward || nurse || roles.iter().any(|role| role == "nurse-directory"));
                    staff
                        .iter()
                        .chain(ward)
                        .chain(["group:grp-ed"].iter().filter(|_| grouped))
                        .map(|one| (*one).to_owned())
                        .collect()
                }
                _ => {
                    let ward = ward || nurse || roles.iter().any(|role| role == "nurse-ehr");
                    ["position:RN", "organization:EAST"].iter().filter(|_| ward).map(|one| (*one).to_owned()).collect()
                }
            };
            let asked = values("entitlements").into_iter();
            given.extend(asked.filter_map(|id| id.strip_prefix(&format!("{target}:")).map(str::to_owned)));
            (text(&user["id"]).unwrap(), Person { user_name, family_name, entitlements: given })
        })
        .collect()
}

/// People in the directory by the gateway's id, and whether they can log in.
async fn directory(tree: &TestDirectory) -> BTreeMap<String, (Person, bool)> {
    let base = "dc=hosp,dc=example";
    let groups = tree.search(&format!("ou=entitlements,{base}"), "(member=*)", &["cn", "member"]).await;
    let attributes = ["uid", "sn", "clinGatewayId", "pwdAccountLockedTime", "clinAccountStatus"];
    let people = tree.search(&format!("ou=people,{base}"), "(clinGatewayId=*)", &attributes).await;
    let mut held = BTreeMap::new();
    for entry in people {
        let first = |name: &str| entry.attrs.get(name).and_then(|values| values.first()).cloned().unwrap_or_default();
        let holds = |group: &&ldap3::SearchEntry| {
            let members = group.attrs.get("member");
            members.is_some_and(|members| members.iter().any(|member| member.eq_ignore_ascii_case(&entry.dn)))
        };
        let entitlements = groups.iter().filter(holds).map(|group| format!("group:{}", group.attrs["cn"][0])).collect();
        let enabled = first("pwdAccountLockedTime").is_empty() && first("clinAccountStatus") == "active";
        let person = Person { user_name: first("uid"), family_name: first("sn"), entitlements };
        let twice = held.insert(first("clinGatewayId"), (person, enabled));
        assert!(twice.is_none(), "two accounts of {}", first("clinGatewayId"));
    }
    held
}

/// People in the EHR by the gateway's id.
fn records(state: &Value) -> BTreeMap<String, (Person, bool)> {
    let mut held = BTreeMap::new();
    for account in state["accounts"].as_array().unwrap() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let aliases = account["aliases"].as_array().unwrap();
        let employee = aliases.iter().find(|alias| alias["pool"] == "EMPLOYEE").map(|alias| text(&alias["value"]));
        let links = account["links"].as_array().unwrap().iter();
        let organizations = links
            .filter(|link| link["type"] == "organizations")
            .map(|link| format!("organization:{}", text(&link["code"])));
        let mut entitlements: BTreeSet<String> = organizations.collect();
        entitlements.extend(account["position"]["code"].as_str().map(|code| format!("position:{code}")));
        let person =
            Person { user_name: text(&account["username"]), family_name: text(&account["name"]["last"]), entitlements };
        let id = employee.unwrap_or_else(|| panic!("an account that nobody here made: {account}"));
        let twice = held.insert(id, (person, account["active"] == true));
        assert!(twice.is_none(), "two accounts of one person");
    }
    held
}
