use crate::house::House;
use gateway_web::Options;
use serde_json::{Value, json};

#[tokio::test]
async fn a_created_user_is_answered_with_its_place_its_version_and_its_body() {
    let house = House::open().await;
    let body = json!({ "schemas": [scim::USER], "userName": "testperson.12", "externalId": "E-12" });

    let answer = house.ask("POST", "/Users", &body).await;

    let user = answer.json();
    let place = format!("http://scim.hosp.example/scim/v2/Users/{}", user["id"].as_str().unwrap());
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/scim+json;charset=utf-8"));
    assert_eq!(answer.header("location"), Some(place.as_str()));
    assert_eq!(user["meta"]["location"], place.as_str());
    assert_eq!(answer.header("etag"), user["meta"]["version"].as_str());
    assert_eq!((&user["userName"], &user["externalId"]), (&json!("testperson.12"), &json!("E-12")));
    assert_eq!(house.get(&format!("/Users/{}", user["id"].as_str().unwrap())).await.json(), user);
}

#[tokio::test]
async fn places_are_made_of_the_public_address_where_one_is_configured() {
    let engine = crate::house::engine(false).await;
    let house = House::open_with(engine, |options: &mut Options| {
        options.public_url = Some("https://scim.hosp.example/".to_owned());
    })
    .await;

    let answer = house.ask("POST", "/Users", &json!({ "schemas": [scim::USER], "userName": "testperson.12" })).await;

    assert!(answer.header("location").unwrap().starts_with("https://scim.hosp.example/scim/v2/Users/"));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let house = House::open().await;
    let id = house.user("testperson.12").await;
    for path in
        [format!("/Users/{id}"), "/Users".to_owned(), "/Schemas".to_owned(), "/ServiceProviderConfig".to_owned()]
    {
        let get = house.get(&path).await;
        let head = house.ask("HEAD", &path, &Value::Null).await;

        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
    }
}

#[tokio::test]
async fn a_user_is_patched_with_200_and_a_group_with_204_unless_attributes_are_asked_for() {
    let house = House::open().await;
    let (user, group) = (house.user("testperson.12").await, house.group("Ward 3", &[]).await);
    let patch = |value: Value| {
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "replace", "path": "displayName", "value": value }] })
    };

    let of_user = house.ask("PATCH", &format!("/Users/{user}"), &patch("Testperson 12 Example".into())).await;
    let silent = house.ask("PATCH", &format!("/Groups/{group}"), &patch("Ward 4".into())).await;
    let excluding =
        house.ask("PATCH", &format!("/Groups/{group}?excludedAttributes=members"), &patch("Ward 5".into())).await;
    let asked = house.ask("PATCH", &format!("/Groups/{group}?attributes=displayName"), &patch("Ward 6".into())).await;

    assert_eq!((of_user.status, &of_user.json()["displayName"]), (200, &json!("Testperson 12 Example")));
    assert_eq!((silent.status, silent.body.len()), (204, 0));
    assert!(silent.header("etag").is_some());
    assert_eq!(excluding.status, 204);
    assert_eq!((asked.status, &asked.json()["displayName"]), (200, &json!("Ward 6")));
    assert!(asked.json().get("members").is_none());
}

#[tokio::test]
async fn a_write_to_another_version_is_412_and_a_read_of_a_known_one_is_304() {
    let house = House::open().await;
    let id = house.user("testperson.12").await;
    let path = format!("/Users/{id}");
    let put = |title: &str| json!({ "schemas": [scim::USER], "userName": "testperson.12", "title": title });
    let first = house.get(&path).await.header("etag").unwrap().to_owned();

    let changed = house.ask_as("hr", "PUT", &path, &[("if-match", &first)], &put("one")).await;
    let late = house.ask_as("hr", "PUT", &path, &[("if-match", &first)], &put("two")).await;
    let never = house.ask_as("hr", "PUT", &path, &[("if-none-match", "*")], &put("two")).await;
    let late_delete = house.ask_as("hr", "DELETE", &path, &[("if-match", &first)], &Value::Null).await;
    let now = changed.header("etag").unwrap().to_owned();
    let known = house.ask_as("hr", "GET", &path, &[("if-none-match", &now)], &Value::Null).await;
    let news = house.ask_as("hr", "GET", &path, &[("if-none-match", &first)], &Value::Null).await;

    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(late.error().0, 412);
    assert_eq!(never.error().0, 412);
    assert_eq!(late_delete.error().0, 412);
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(now.as_str())));
    assert_eq!((news.status, &news.json()["title"]), (200, &json!("one")));
}

#[tokio::test]
async fn a_deleted_user_is_204_and_then_404() {
    let house = House::open().await;
    let path = format!("/Users/{}", house.user("testperson.12").await);

    let gone = house.ask("DELETE", &path, &Value::Null).await;

    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(house.get(&path).await.error(), (404, String::new()));
    assert_eq!(house.ask("DELETE", &path, &Value::Null).await.error().0, 404);
}

#[tokio::test]
async fn a_groups_members_have_their_places_and_are_left_out_when_excluded() {
    let house = House::open().await;
    let user = house.user("testperson.12").await;
    let group = house.group("Ward 3", &[&user]).await;

    let whole = house.get(&format!("/Groups/{group}")).await.json();
    let slim = house.get(&format!("/Groups/{group}?excludedAttributes=members")).await.json();
    let of_user = house.get(&format!("/Users/{user}")).await.json();

    let place = format!("http://scim.hosp.example/scim/v2/Users/{user}");
    assert_eq!(whole["members"][0]["value"], user.as_str());
    assert_eq!(whole["members"][0]["$ref"], place.as_str());
    assert_eq!(whole["members"][0]["type"], "User");
    assert!(slim.get("members").is_none() && slim["displayName"] == "Ward 3");
    assert_eq!(of_user["groups"][0]["value"], group.as_str());
    assert_eq!(of_user["groups"][0]["type"], "direct");
}

#[tokio::test]
async fn each_source_sees_its_own_external_id() {
    let house = House::open().await;
    let body = json!({ "schemas": [scim::USER], "userName": "testperson.12", "externalId": "HR-12" });
    let id = house.ask("POST", "/Users", &body).await.json()["id"].as_str().unwrap().to_owned();

    let other = house.ask_as("strict", "GET", &format!("/Users/{id}"), &[], &Value::Null).await.json();

    assert!(other.get("externalId").is_none(), "{other}");
}

#[tokio::test]
async fn the_sync_extension_is_there_when_it_is_asked_for_by_name() {
    let house = House::open().await;
    let id = house.user("testperson.12").await;

    let usual = house.get(&format!("/Users/{id}")).await.json();
    let asked = house.get(&format!("/Users/{id}?attributes=userName,{}", scim::SYNC_USER)).await.json();

    assert!(usual.get(scim::SYNC_USER).is_none());
    assert_eq!(asked[scim::SYNC_USER]["targets"], json!([]), "{asked}");
    assert_eq!(asked["userName"], "testperson.12");
}

#[tokio::test]
async fn attributes_are_projected_in_the_answers_of_writes_too() {
    let house = House::open().await;
    let body = json!({ "schemas": [scim::USER], "userName": "testperson.12", "title": "RN", "displayName": "T 12" });

    let made = house.ask("POST", "/Users?attributes=title", &body).await.json();

    assert_eq!(made["title"], "RN");
    assert!(made.get("displayName").is_none() && made["id"].is_string());
}

#[tokio::test]
async fn bulk_answers_each_operation_with_status_place_and_version() {
    let house = House::open().await;
    let request = json!({ "schemas": [scim::BULK_REQUEST], "Operations": [
        { "method": "POST", "path": "/Users", "bulkId": "a", "data": { "schemas": [scim::USER], "userName": "testperson.12" } },
        { "method": "POST", "path": "/Users", "bulkId": "b", "data": { "schemas": [scim::USER] } },
        { "method": "POST", "path": "/Groups", "bulkId": "c",
          "data": { "schemas": [scim::GROUP], "displayName": "Ward 3", "members": [{ "value": "bulkId:a" }] } },
    ]});

    let answer = house.ask("POST", "/Bulk", &request).await;

    let body = answer.json();
    let results = body["Operations"].as_array().unwrap();
    assert_eq!(answer.status, 200, "{body}");
    assert_eq!((&results[0]["status"], &results[0]["bulkId"]), (&json!("201"), &json!("a")));
    assert!(results[0]["location"].as_str().unwrap().starts_with("http://scim.hosp.example/scim/v2/Users/"));
    assert!(results[0]["version"].as_str().unwrap().starts_with("W/\""));
    assert_eq!(results[1]["status"], "400");
    assert_eq!(results[1]["response"]["schemas"], json!([scim::ERROR]));
    let group = results[2]["location"].as_str().unwrap().rsplit('/').next().unwrap();
    let members = house.get(&format!("/Groups/{group}")).await.json()["members"].clone();
    assert_eq!(members[0]["$ref"], results[0]["location"]);
}

#[tokio::test]
async fn plain_json_is_taken_and_given_where_nothing_else_is_accepted() {
    let house = House::open().await;
    let body = json!({ "schemas": [scim::USER], "userName": "testperson.12" });

    let answer = house
        .ask_as(
            "hr",
            "POST",
            "/Users",
            &[("content-type", "application/json; charset=utf-8"), ("accept", "application/json")],
            &body,
        )
        .await;

    assert_eq!((answer.status, answer.header("content-type")), (201, Some("application/json;charset=utf-8")));
}
