use crate::house::House;
use serde_json::{Value, json};

#[tokio::test]
async fn each_source_discovers_the_service_in_its_own_form() {
    let house = House::with_catalogue().await;
    let ask = async |source: &str, path: &str| house.ask_as(source, "GET", path, &[], &Value::Null).await;

    let tolerant = ask("hr", "/ServiceProviderConfig").await.json();
    let interop = ask("new", "/ServiceProviderConfig").await.json();
    let okta = ask("okta", "/ServiceProviderConfig").await.json();

    assert_eq!(tolerant["RolesAndEntitlements"]["entitlements"]["types"], json!(["license", "menu", "position"]));
    assert!(tolerant.get("interopProfileConformant").is_none());
    assert_eq!(interop["interopProfileConformant"], true);
    assert!(okta.get("RolesAndEntitlements").is_none());
    assert_eq!(ask("hr", "/ResourceTypes/Role").await.json()["schema"], scim::ROLE);
    assert_eq!(ask("okta", "/ResourceTypes/Role").await.json()["schema"], "urn:okta:scim:schemas:core:1.0:Role");
    assert_eq!(ask("okta", "/ResourceTypes/Position").await.json()["endpoint"], "/Positions");
    assert_eq!(ask("hr", "/ResourceTypes/Position").await.error().0, 404);
}

#[tokio::test]
async fn every_announced_schema_can_be_read_by_its_uri() {
    let house = House::with_catalogue().await;
    let schemas = house.get("/Schemas").await.json();

    for schema in schemas["Resources"].as_array().unwrap() {
        let id = schema["id"].as_str().unwrap();
        assert_eq!(house.get(&format!("/Schemas/{id}")).await.json(), *schema);
    }
    assert_eq!(schemas["totalResults"], schemas["Resources"].as_array().unwrap().len());
    assert_eq!(house.get("/Schemas/urn:none").await.error().0, 404);
    assert_eq!(house.get("/Schemas?filter=id+pr").await.error().0, 403);
    assert_eq!(house.get("/ResourceTypes?filter=id+pr").await.error().0, 403);
}

#[tokio::test]
async fn the_catalogue_is_read_filtered_and_paged_and_never_written() {
    let house = House::with_catalogue().await;

    let all = house.get("/Entitlements").await.json();
    let one = house.get("/Entitlements?filter=value+eq+%22ehr:position:P1%22").await.json();
    let of_type = house.get("/Entitlements?filter=type+eq+%22menu%22").await.json();
    let by_id = house.get("/Entitlements/ehr:position:P1").await.json();
    let page = house.get("/Entitlements?count=4&cursor=").await.json();
    let rest =
        house.get(&format!("/Entitlements?count=4&cursor={}", page["nextCursor"].as_str().unwrap())).await.json();
    let sorted = house.get("/Entitlements?sortBy=value&sortOrder=descending&count=1").await.json();
    let write = house.ask("POST", "/Entitlements", &json!({})).await;

    assert_eq!(all["totalResults"], 7);
    assert_eq!((&one["totalResults"], &one["Resources"][0]), (&json!(1), &by_id));
    assert_eq!(by_id["schemas"], json!([scim::ENTITLEMENT, scim::CATALOG_ENTITLEMENT]));
    assert_eq!(by_id["meta"]["location"], "http://scim.hosp.example/scim/v2/Entitlements/ehr:position:P1");
    assert_eq!(of_type["totalResults"], 1);
    assert_eq!((&page["itemsPerPage"], &rest["itemsPerPage"]), (&json!(4), &json!(3)));
    assert!(rest.get("nextCursor").is_none() && rest["previousCursor"].is_string());
    assert_eq!(sorted["Resources"][0]["value"], "ehr:position:P4");
    assert_eq!((write.error().0, write.header("allow")), (405, Some("GET, HEAD")));
}

/// Asks until the answer has this value there: a count may be as old as a few times the counting took.
async fn counted(house: &House, path: &str, used: u64) -> Value {
    for _ in 0..200 {
        let answer = house.get(path).await.json();
        if answer["totalAssignmentsUsed"] == used {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{path}: {used} of it never shown: {}", house.get(path).await.json());
}

#[tokio::test]
async fn what_is_limited_is_shown_with_how_many_people_hold_it() {
    let house = House::with_catalogue().await;
    let (license, role) = ("/Entitlements/ehr:license:L1", "/Roles/nurse");
    let free = house.get("/Entitlements/ehr:position:P0").await.json();
    assert_eq!((&free["limitedAssignmentsPermitted"], free.get("totalAssignmentsUsed")), (&json!(false), None));

    let mut made = Vec::new();
    for n in 1..=2 {
        let user = json!({ "userName": format!("kit{n}"), "active": true, "roles": [{ "value": "nurse" }] });
        made.push(house.ask("POST", "/Users", &user).await.json()["id"].as_str().unwrap().to_owned());
    }
    let shown = counted(&house, license, 2).await;
    assert_eq!(
        (&shown["limitedAssignmentsPermitted"], &shown["totalAssignmentsPermitted"]),
        (&json!(true), &json!(25))
    );
    assert_eq!(counted(&house, role, 2).await["totalAssignmentsPermitted"], 10);
    let scarce = house.get("/Entitlements?filter=totalAssignmentsUsed+gt+1").await.json();
    assert_eq!((&scarce["totalResults"], &scarce["Resources"][0]["id"]), (&json!(1), &json!("ehr:license:L1")));

    let gone = json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] });
    assert_eq!(house.ask("PATCH", &format!("/Users/{}", made[0]), &gone).await.status, 200);
    counted(&house, license, 1).await;
    counted(&house, role, 1).await;
}

#[tokio::test]
async fn okta_reads_one_endpoint_per_type_of_entitlement() {
    let house = House::with_catalogue().await;
    let ask = async |path: &str| house.ask_as("okta", "GET", path, &[], &Value::Null).await;

    let positions = ask("/Positions?startIndex=1&count=100").await.json();
    let roles = ask("/Roles").await.json();

    assert_eq!(positions["totalResults"], 5);
    let first = &positions["Resources"][0];
    assert_eq!(first["schemas"], json!(["urn:okta:scim:schemas:core:1.0:Entitlement"]));
    assert_eq!((&first["id"], &first["type"]), (&json!("ehr:position:P0"), &json!("position")));
    assert!(first["displayName"].is_string());
    assert_eq!(roles["Resources"][0]["schemas"], json!(["urn:okta:scim:schemas:core:1.0:Role"]));
    assert_eq!(ask("/Entitlements").await.error().0, 404);
}
