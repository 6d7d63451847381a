//! Discovery (RFC 7644, section 4; RFC 7643, sections 5 to 7; RFC 9865, section 4).

use super::given::{ENTERPRISE, GROUP, USER, WORKSTATION, column, fails, house, plain};
use serde_json::{Value, json};

#[tokio::test]
async fn rfc7643_5_the_service_tells_what_it_can_and_can_it() {
    let server = plain();

    let answer = server.client().get("/ServiceProviderConfig").await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]));
    for feature in ["patch", "bulk", "filter", "sort", "etag"] {
        assert_eq!(answer.body[feature]["supported"], true, "{feature}");
    }
    assert!(answer.body["changePassword"]["supported"].is_boolean());
    assert_eq!(answer.body["bulk"], json!({ "supported": true, "maxOperations": 1_000, "maxPayloadSize": 1 << 20 }));
    assert_eq!(answer.body["filter"]["maxResults"], 1_000);
    assert!(
        answer.body["authenticationSchemes"].as_array().unwrap().iter().any(|one| one["type"] == "oauthbearertoken")
    );
    assert!(answer.body["meta"]["location"].as_str().unwrap().ends_with("/scim/v2/ServiceProviderConfig"));
}

#[tokio::test]
async fn rfc9865_4_paging_is_announced_as_it_is() {
    let server = plain();

    let answer = server.client().get("/ServiceProviderConfig").await;

    let expected = json!({ "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100, "maxPageSize": 1_000 });
    assert_eq!(answer.body["pagination"], expected);
    for unused in ["interopProfileConformant", "RolesAndEntitlements", "securityEvents"] {
        assert_eq!(answer.body.get(unused), None, "{unused}");
    }
}

#[tokio::test]
async fn rfc7644_4_resource_types_are_listed_and_each_is_read_by_its_name() {
    let house = house();
    let client = house.gateway.client(&house.rfc);

    let all = client.get("/ResourceTypes").await;

    assert_eq!(column(&all, "name"), ["User", "Group", "Workstation"]);
    assert_eq!(all.body["totalResults"], 3);
    for one in all.body["Resources"].as_array().unwrap() {
        assert_eq!(one["id"], one["name"]);
        let read = client.get(&format!("/ResourceTypes/{}", one["name"].as_str().unwrap())).await;
        assert_eq!(&read.body, one);
        let endpoint = one["endpoint"].as_str().unwrap();
        assert_eq!(client.get(&format!("{endpoint}?count=0")).await.status, 200, "{endpoint}");
        let named = one["schemaExtensions"].as_array().into_iter().flatten().map(|extension| &extension["schema"]);
        for urn in named.chain([&one["schema"]]) {
            let schema = client.get(&format!("/Schemas/{}", urn.as_str().unwrap())).await;
            assert_eq!((schema.status, &schema.body["id"]), (200, urn));
        }
    }
}

#[tokio::test]
async fn rfc7643_7_schemas_are_listed_and_each_is_read_by_its_uri() {
    let house = house();
    let client = house.gateway.client(&house.rfc);

    let all = client.get("/Schemas").await;

    let ids = column(&all, "id");
    for urn in [USER, GROUP, ENTERPRISE, WORKSTATION] {
        assert!(ids.contains(&urn), "{urn} of {ids:?}");
    }
    for one in all.body["Resources"].as_array().unwrap() {
        let id = one["id"].as_str().unwrap();
        assert_eq!(one["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Schema"]), "erratum 8417");
        assert_eq!(one["meta"]["resourceType"], "Schema");
        assert_eq!(&client.get(&format!("/Schemas/{id}")).await.body, one);
        one["attributes"].as_array().unwrap().iter().for_each(|attribute| whole(id, attribute, false));
    }
}

/// RFC 7643, section 7: every characteristic is told, and no attribute is complex within a complex one.
fn whole(schema: &str, attribute: &Value, inner: bool) {
    let name = &attribute["name"];
    let one_of = |key: &str, words: &[&str]| {
        assert!(words.contains(&attribute[key].as_str().unwrap_or_default()), "{schema} {name} {key}");
    };
    one_of("type", &["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"]);
    one_of("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]);
    one_of("returned", &["always", "never", "default", "request"]);
    for flag in ["multiValued", "required"] {
        assert!(attribute[flag].is_boolean(), "{schema} {name} {flag}");
    }
    let complex = attribute["type"] == "complex";
    // The schema of schemas describes itself: its `subAttributes` are the one exception (RFC 7643, section 8.7.2).
    let itself = schema == "urn:ietf:params:scim:schemas:core:2.0:Schema";
    assert!(itself || !(inner && complex), "{schema} {name}");
    assert_eq!(attribute["subAttributes"].is_array(), complex, "{schema} {name}");
    attribute["subAttributes"].as_array().into_iter().flatten().for_each(|sub| whole(schema, sub, true));
}

#[tokio::test]
async fn rfc7643_errata_are_in_the_schemas() {
    let server = plain();
    let client = server.client();
    let attribute = async |urn: &str, name: &str, sub: &str| -> Value {
        let schema = client.get(&format!("/Schemas/{urn}")).await;
        let find = |list: &Value, name: &str| {
            list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap()
        };
        let found = find(&schema.body["attributes"], name);
        if sub.is_empty() { found } else { find(&found["subAttributes"], sub) }
    };

    assert_eq!(attribute(GROUP, "displayName", "").await["required"], true, "5368");
    assert_eq!(attribute(USER, "groups", "$ref").await["referenceTypes"], json!(["Group"]), "8471");
    assert_eq!(attribute(ENTERPRISE, "manager", "value").await["caseExact"], true, "8472");
    assert_eq!(attribute(USER, "x509Certificates", "value").await["type"], "binary", "5606");
    assert_eq!(attribute(USER, "userName", "").await["caseExact"], false);
    assert_eq!(attribute(USER, "emails", "type").await["canonicalValues"], json!(["work", "home", "other"]));
}

#[tokio::test]
async fn rfc7644_4_a_filter_on_discovery_is_403() {
    let server = plain();
    for path in ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"] {
        fails(&server.client().get(&format!("{path}?filter=id%20pr")).await, 403, None);
    }
}

#[tokio::test]
async fn rfc7644_4_what_is_not_known_is_404_and_what_is_served_cannot_be_written() {
    let server = plain();
    let client = server.client();
    fails(&client.get("/Schemas/urn:example:none").await, 404, None);
    fails(&client.get("/ResourceTypes/None").await, 404, None);
    for path in [
        "/Schemas",
        "/ResourceTypes",
        "/ServiceProviderConfig",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
        "/ResourceTypes/User",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = client.send(method, path, Some(&json!({}))).await.unwrap();
            fails(&answer, 405, None);
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn interop_4_only_a_source_on_the_profile_is_told_of_it() {
    let house = house();
    let told = house.gateway.client(&house.interop).get("/ServiceProviderConfig").await;
    let untold = house.gateway.client(&house.tolerant).get("/ServiceProviderConfig").await;

    assert_eq!(told.body["interopProfileConformant"], true);
    assert_eq!(untold.body.get("interopProfileConformant"), None);
}
