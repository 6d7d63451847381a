use super::*;
use crate::{
    config::Config,
    discovery::{Documents, understand},
    plan::{ACCOUNT, Plan},
};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn plan() -> Plan {
    let department = format!("{ENTERPRISE}:department");
    let attributes = json!([
        "userName",
        "externalId",
        "name.familyName",
        "title",
        "emails[type eq \"work\"].value",
        "phoneNumbers.value",
        "addresses[type eq \"work\"].locality",
        "addresses[type eq \"work\"].country",
        department,
    ]);
    let config = json!({"http": {"url": "https://scim.example/v2"}, "account": {"attributes": attributes}});
    let config: Config = serde_json::from_value(config).unwrap();
    Plan::make(&config, understand(&Documents::default(), "/v2/"))
}

fn set(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Delta> {
    let values = |all: &[&str]| Delta::Set(all.iter().map(|one| Value::from(*one)).collect());
    pairs.iter().map(|(name, all)| ((*name).to_owned(), values(all))).collect()
}

/// Both ways to send a change of `raw`: the operations, and the document.
fn both(deltas: &BTreeMap<String, Delta>, raw: Json) -> (Json, Json) {
    let plan = plan();
    let edits = of_attributes(&plan.kinds[&ACCOUNT.into()], deltas, &raw).unwrap();
    let mut document = raw.as_object().unwrap().clone();
    apply(&mut document, &edits);
    (patch_body(&edits)["Operations"].clone(), Json::Object(document))
}

#[test]
fn an_element_is_changed_where_it_is_and_made_where_it_is_not() {
    let deltas = set(&[("emails[type eq \"work\"].value", &["b"])]);
    let (operations, document) =
        both(&deltas, json!({"emails": [{"type": "home", "value": "h"}, {"type": "Work", "value": "a"}]}));
    assert_eq!(operations, json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b"}]));
    assert_eq!(document["emails"], json!([{"type": "home", "value": "h"}, {"type": "Work", "value": "b"}]));
    let (operations, document) = both(&deltas, json!({"emails": [{"type": "home", "value": "h"}]}));
    assert_eq!(operations, json!([{"op": "add", "path": "emails", "value": [{"type": "work", "value": "b"}]}]));
    assert_eq!(document["emails"], json!([{"type": "home", "value": "h"}, {"type": "work", "value": "b"}]));
}

#[test]
fn two_parts_of_a_new_element_make_one_element() {
    let deltas =
        set(&[("addresses[type eq \"work\"].locality", &["East"]), ("addresses[type eq \"work\"].country", &["US"])]);
    let (operations, document) = both(&deltas, json!({}));
    let element = json!([{"type": "work", "locality": "East", "country": "US"}]);
    assert_eq!(operations, json!([{"op": "add", "path": "addresses", "value": element}]));
    assert_eq!(document["addresses"], element);
}

#[test]
fn an_element_without_its_value_goes_and_its_neighbours_stay() {
    let deltas = BTreeMap::from([("emails[type eq \"work\"].value".to_owned(), Delta::Clear)]);
    let raw = json!({"emails": [{"type": "work", "value": "a"}, {"type": "home", "value": "h"}]});
    let (operations, document) = both(&deltas, raw);
    assert_eq!(operations, json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]));
    assert_eq!(document["emails"], json!([{"type": "home", "value": "h"}]));
    assert_eq!(both(&deltas, json!({})), (json!([]), json!({})));
}

#[test]
fn a_simple_a_nested_and_an_extended_attribute_are_set_and_cleared() {
    let department = format!("{ENTERPRISE}:department");
    let (operations, document) = both(
        &set(&[("name.familyName", &["Example"]), ("title", &[]), (&department, &["MED"])]),
        json!({"title": "Dr"}),
    );
    assert_eq!(document, json!({"name": {"familyName": "Example"}, ENTERPRISE: {"department": "MED"}}));
    assert_eq!(operations[1], json!({"op": "remove", "path": "title"}));
    assert_eq!(operations[2]["path"], json!(department));
}

#[test]
fn values_of_a_list_come_and_go_one_by_one() {
    let patch = Delta::Patch { add: vec!["3".into(), "2".into()], remove: vec!["1".into(), "9".into()] };
    let raw = json!({"phoneNumbers": [{"value": "1"}, {"value": "2", "type": "work"}]});
    let (operations, document) = both(&BTreeMap::from([("phoneNumbers.value".to_owned(), patch)]), raw.clone());
    assert_eq!(document["phoneNumbers"], json!([{"value": "2", "type": "work"}, {"value": "3"}]));
    assert_eq!(operations[0], json!({"op": "remove", "path": "phoneNumbers[value eq \"1\"]"}));
    let (_, document) = both(&set(&[("phoneNumbers.value", &["2", "4"])]), raw);
    assert_eq!(document["phoneNumbers"], json!([{"value": "2", "type": "work"}, {"value": "4"}]));
}

#[test]
fn a_value_stays_a_value_in_a_path() {
    let hostile = "a\"] or value pr or value[x eq \"b\\";
    let raw = json!({"phoneNumbers": [{"value": hostile}, {"value": "2"}]});
    let patch = Delta::Patch { add: Vec::new(), remove: vec![hostile.into()] };
    let (operations, document) = both(&BTreeMap::from([("phoneNumbers.value".to_owned(), patch)]), raw);
    let path = scim::PatchPath::parse(operations[0]["path"].as_str().unwrap()).unwrap();
    let expected = scim::Filter::Compare {
        path: scim::AttrPath::name("value"),
        op: scim::Op::Eq,
        value: scim::Literal::Text(hostile.to_owned()),
    };
    assert_eq!(path.filter, Some(expected));
    assert_eq!(document["phoneNumbers"], json!([{"value": "2"}]));
}

#[test]
fn a_role_without_a_type_is_taken_and_the_same_role_with_one_stays() {
    let raw = json!({"roles": [{"value": "nurse"}, {"value": "nurse", "type": "EAST", "display": "x"}]});
    let mut one = Entitlement::new("role", "nurse");
    let edit = take(UserList::Roles, &one, &raw).unwrap();
    assert_eq!(edit, Edit::Set(list_of(UserList::Roles), json!([{"value": "nurse", "type": "EAST", "display": "x"}])));
    one.scope.insert("type".into(), "EAST".into());
    let operations = patch_body(&[take(UserList::Roles, &one, &raw).unwrap()]);
    assert_eq!(operations["Operations"][0]["path"], "roles[value eq \"nurse\" and type eq \"EAST\"]");
    assert_eq!(take(UserList::Roles, &Entitlement::new("role", "other"), &raw), None);
    assert_eq!(give(UserList::Roles, &one, &raw).unwrap(), None);
}

#[test]
fn what_only_the_server_writes_is_not_sent_back() {
    let plan = plan();
    let document =
        json!({"id": "1", "meta": {}, "groups": [], "userName": "a", "custom": 1, ENTERPRISE: {"department": "x"}});
    let sent = finished(document.as_object().unwrap().clone(), &plan.kinds[&ACCOUNT.into()].resource);
    let names: Vec<_> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["custom", "id", "schemas", ENTERPRISE, "userName"]);
    assert_eq!(sent["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]));
}
