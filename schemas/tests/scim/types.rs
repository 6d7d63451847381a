use crate::given::{TYPES, group_type, user_type};
use scim::{AttrPath, Mutability, Returned, Type, TypeError, Types, Uniqueness};
use serde_json::{Value, json};

fn refused(file: Value) -> TypeError {
    Types::built_in().with_deployment(&[&file.to_string()]).unwrap_err()
}

fn schema(attributes: Value) -> Value {
    json!({"id": "urn:example:hospital:1.0:Badge", "name": "Badge", "attributes": attributes})
}

#[test]
fn the_errata_of_rfc_7643_are_in_the_schema_files() {
    let display_name = group_type().schema.attribute("displayName").unwrap();
    let group_ref = user_type().schema.attribute("groups").unwrap().sub("$ref").unwrap();
    let manager = user_type().extension(scim::ENTERPRISE_USER).unwrap().schema.attribute("manager").unwrap();
    let of = |schema: &scim::Schema, name: &str| schema.attribute(name).unwrap().clone();
    let [_, resource_type, schema] = TYPES.service_schemas() else { panic!() };
    let types = &of(schema, "attributes").sub("type").unwrap().canonical.clone();
    let nested = of(schema, "attributes").sub("subAttributes").unwrap().clone();

    assert!(display_name.required, "5368");
    assert!(types.contains(&"binary".into()) && types.contains(&"complex".into()), "5606");
    assert!(!nested.sub("type").unwrap().canonical.contains(&"complex".into()), "8415");
    assert!(of(schema, "attributes").sub("referenceTypes").unwrap().multi, "5607");
    assert!(of(resource_type, "schemaExtensions").multi, "7522");
    assert_eq!(group_ref.references, ["Group"], "8471");
    assert!(manager.sub("value").unwrap().case_exact, "8472");
    assert_eq!(
        user_type().schema.attribute("emails").unwrap().sub("display").unwrap().mutability,
        Mutability::ReadWrite,
        "8358"
    );
}

#[test]
fn the_user_has_the_characteristics_of_rfc_7643() {
    let user = &user_type().schema;
    let of = |name: &str| user.attribute(name).unwrap();

    assert!(of("userName").required && !of("userName").case_exact && of("userName").uniqueness == Uniqueness::Server);
    assert_eq!((of("password").mutability, of("password").returned), (Mutability::WriteOnly, Returned::Never));
    assert_eq!(of("groups").mutability, Mutability::ReadOnly);
    assert_eq!(
        (of("photos").sub("value").unwrap().ty, of("x509Certificates").sub("value").unwrap().ty),
        (Type::Reference, Type::Binary)
    );
    assert_eq!(of("emails").sub("type").unwrap().canonical, ["work", "home", "other"]);
    assert_eq!(user_type().unique_attributes().iter().map(ToString::to_string).collect::<Vec<_>>(), ["userName"]);
}

#[test]
fn what_the_rules_and_targets_say_is_read_only_and_returned_on_request() {
    for urn in [scim::GOVERNANCE_USER, scim::SYNC_USER] {
        for attribute in &user_type().extension(urn).unwrap().schema.attributes {
            assert_eq!(
                (attribute.mutability, attribute.returned),
                (Mutability::ReadOnly, Returned::Request),
                "{}",
                attribute.name
            );
        }
    }
    let targets = &group_type().extension(scim::SYNC_GROUP).unwrap().schema.attribute("targets").unwrap().sub;
    let names: Vec<&str> = targets.iter().map(|sub| sub.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "target",
            "kind",
            "state",
            "nativeId",
            "lastSuccess",
            "pendingSince",
            "lastErrorClass",
            "lastError",
            "warnings"
        ]
    );
}

#[test]
fn the_catalogue_is_flagged_and_read_only() {
    assert!(TYPES.role().catalogue && TYPES.entitlement().catalogue && !TYPES.user().catalogue);
    for ty in [TYPES.role(), TYPES.entitlement()] {
        assert!(ty.schema.attributes.iter().all(|attribute| attribute.mutability == Mutability::ReadOnly));
        assert!(ty.schema.attribute("supported").unwrap().required && ty.schema.attribute("value").unwrap().required);
    }
}

#[test]
fn a_path_is_found_in_any_letter_case_and_an_extension_needs_its_uri() {
    let found = |text: &str| user_type().resolve(&AttrPath::parse(text).unwrap()).map(|found| found.key().to_string());

    assert_eq!(found("EMAILS.VALUE").as_deref(), Some("emails.value"));
    assert_eq!(found("urn:ietf:params:scim:schemas:core:2.0:USER:name.givenname").as_deref(), Some("name.givenName"));
    assert_eq!(
        found("URN:ietf:params:scim:schemas:extension:Enterprise:2.0:user:MANAGER.value").as_deref(),
        Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value")
    );
    assert_eq!(found("department"), None);
    assert_eq!(found("emails.unknown"), None);
    assert_eq!(found("userName.value"), None);
}

#[test]
fn a_resource_type_has_an_id_equal_to_its_name_and_every_schema_it_names_is_served() {
    let served: Vec<String> = TYPES.schemas().iter().map(|schema| schema.id.clone()).collect();

    for ty in TYPES.all() {
        let document = ty.to_json();
        assert_eq!(document["id"], document["name"]);
        assert!(served.contains(&ty.schema.id) && ty.extensions.iter().all(|e| served.contains(&e.schema.id)));
    }
}

#[test]
fn a_schema_is_served_as_it_is_read_without_what_is_ours_alone() {
    for schema in TYPES.schemas().iter().chain(TYPES.service_schemas()) {
        let document = schema.to_json();
        assert_eq!(document["schemas"], json!([scim::SCHEMA]));
        let text = document.to_string();
        assert!(!text.contains("\"closed\"") && !text.contains("\"format\":\"day\""), "{}", schema.id);
    }
    let kept = Types::built_in().with_deployment(&[&json!({"schemas": [schema(json!([
        {"name": "number", "type": "string", "multiValued": false, "description": "", "required": true, "caseExact": true,
         "mutability": "immutable", "returned": "always", "uniqueness": "global"}]))],
        "resourceTypes": [{"name": "Badge", "endpoint": "/Badges", "schema": "urn:example:hospital:1.0:Badge"}]}).to_string()]).unwrap();
    let served = kept.by_endpoint("/Badges").unwrap().schema.to_json();
    assert_eq!(served["attributes"][0]["uniqueness"], "global");
    assert_eq!(kept.by_name("Badge").unwrap().unique_attributes()[0].to_string(), "number");
}

#[test]
fn a_deployment_extends_a_type_that_is_there() {
    let file = json!({"schemas": [schema(json!([{"name": "colour"}]))],
        "extensions": [{"resourceType": "User", "schema": "urn:example:hospital:1.0:Badge"}]});

    let types = Types::built_in().with_deployment(&[&file.to_string()]).unwrap();

    assert!(types.user().extension("urn:example:hospital:1.0:badge").is_some());
    assert_eq!(types.by_name("User"), Some(types.user()));
}

#[test]
fn a_wrong_deployment_file_is_refused_with_its_place() {
    let ty =
        |endpoint: &str| json!({"name": "Badge", "endpoint": endpoint, "schema": "urn:example:hospital:1.0:Badge"});
    let with = |attributes: Value| json!({"schemas": [schema(attributes)], "resourceTypes": [ty("/Badges")]});
    let nested = json!([{"name": "a", "type": "complex", "subAttributes": [{"name": "b", "type": "complex", "subAttributes": [{"name": "c"}]}]}]);

    assert_eq!(refused(with(json!([{"name": "a"}, {"name": "A"}]))).pointer, "/schemas/0/attributes");
    assert_eq!(refused(with(json!([{"name": "1a"}]))).pointer, "/schemas/0/attributes/0/name");
    assert_eq!(refused(with(json!([{"name": "a", "type": "text"}]))).pointer, "/schemas/0/attributes/0/type");
    assert_eq!(refused(with(json!([{"name": "a", "type": "complex"}]))).pointer, "/schemas/0/attributes/0/type");
    assert_eq!(refused(with(nested)).pointer, "/schemas/0/attributes/0/subAttributes/0/type");
    assert_eq!(refused(with(json!([{"name": "a", "mutable": true}]))).pointer, "/schemas/0/attributes/0/mutable");
    assert_eq!(
        refused(with(json!([{"name": "a", "type": "boolean", "uniqueness": "server"}]))).pointer,
        "/schemas/0/attributes/0/uniqueness"
    );
    assert_eq!(refused(with(json!([{"name": "Meta"}]))).pointer, "/resourceTypes/0/schema");
    for endpoint in ["/Users", "/Bulk", "Badges", "/a/b", "/"] {
        let file = json!({"schemas": [schema(json!([{"name": "a"}]))], "resourceTypes": [ty(endpoint)]});
        assert!(refused(file).pointer.starts_with("/resourceTypes/0"), "{endpoint}");
    }
    assert_eq!(refused(json!({"resourceTypes": [ty("/Badges")]})).pointer, "/resourceTypes/0/schema");
    let second = Types::built_in().with_deployment(&["{}", "{"]).unwrap_err();
    assert_eq!((second.file, second.pointer.as_str()), (1, ""));
}
