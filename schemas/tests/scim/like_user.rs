//! A type that a deployment adds behaves exactly like User: one suite, run over both.

use crate::given::{DIALECTS, TYPES, keyword, patch_body};
use scim::{
    Aliases, Context, Dialect, Doc, Filter, ListQuery, Meta, Patch, Projection, Resource, ResourceType, ScimError,
    ScimType, Types, document, matches,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What one type calls the kinds of attribute that the suite is about.
struct Subject {
    ty: Arc<ResourceType>,
    unique: &'static str,
    complex: (&'static str, &'static str, &'static str),
    list: &'static str,
    reference: &'static str,
    flag: &'static str,
    secret: &'static str,
    read_only: &'static str,
    extension: (&'static str, &'static str),
}

const DEVICE: &str = "urn:example:hospital:1.0:Workstation";
const DEVICE_EXTENSION: &str = "urn:example:hospital:extension:1.0:Workstation";

fn deployment() -> String {
    let plural = |name: &str| {
        json!({"name": name, "type": "complex", "multiValued": true, "subAttributes": [
        {"name": "value", "type": "string"}, {"name": "display", "type": "string"},
        {"name": "type", "type": "string", "canonicalValues": ["work", "home"]}, {"name": "primary", "type": "boolean"}]})
    };
    json!({
        "schemas": [
            {"id": DEVICE, "name": "Workstation", "attributes": [
                {"name": "assetTag", "type": "string", "required": true, "uniqueness": "server"},
                {"name": "place", "type": "complex", "subAttributes": [{"name": "building", "type": "string"}, {"name": "room", "type": "string"}]},
                plural("addresses"),
                {"name": "manual", "type": "reference", "referenceTypes": ["external"]},
                {"name": "inUse", "type": "boolean"},
                {"name": "unlockCode", "type": "string", "mutability": "writeOnly", "returned": "never"},
                {"name": "sightings", "type": "complex", "multiValued": true, "mutability": "readOnly",
                    "subAttributes": [{"name": "value", "type": "string", "mutability": "readOnly"}]},
                {"name": "serial", "type": "string", "mutability": "immutable", "caseExact": true}]},
            {"id": DEVICE_EXTENSION, "name": "WorkstationExtension", "attributes": [{"name": "department", "type": "string"}]},
        ],
        "resourceTypes": [{"name": "Workstation", "endpoint": "/Workstations", "schema": DEVICE,
            "schemaExtensions": [{"schema": DEVICE_EXTENSION, "required": false}]}],
    })
    .to_string()
}

fn workstation() -> Arc<ResourceType> {
    Types::built_in().with_deployment(&[&deployment()]).unwrap().by_name("Workstation").unwrap().clone()
}

fn subjects() -> [Subject; 2] {
    let user = Subject {
        ty: TYPES.user().clone(),
        unique: "userName",
        complex: ("name", "familyName", "givenName"),
        list: "emails",
        reference: "profileUrl",
        flag: "active",
        secret: "password",
        read_only: "groups",
        extension: (scim::ENTERPRISE_USER, "department"),
    };
    let device = Subject {
        ty: workstation(),
        unique: "assetTag",
        complex: ("place", "building", "room"),
        list: "addresses",
        reference: "manual",
        flag: "inUse",
        secret: "unlockCode",
        read_only: "sightings",
        extension: (DEVICE_EXTENSION, "department"),
    };
    [user, device]
}

impl Subject {
    fn body(&self) -> Value {
        json!({
            "schemas": [self.ty.schema.id, self.extension.0],
            "externalId": "X-1",
            self.unique: "One",
            self.complex.0: {self.complex.1: "A", self.complex.2: "B"},
            self.list: [{"value": "a@x", "type": "work", "primary": true}, {"value": "b@x", "type": "home"}],
            self.reference: "https://hosp.example/one",
            self.flag: true,
            self.extension.0: {self.extension.1: "Imaging"},
        })
    }

    fn read(&self, body: Value, dialect: Dialect) -> Result<Resource, ScimError> {
        Resource::parse(body, &self.ty, dialect, Context::Create, Aliases::NONE).map(|parsed| parsed.resource)
    }

    fn given(&self) -> Resource {
        self.read(self.body(), Dialect::Rfc).unwrap()
    }

    fn patched(&self, operations: Value, dialect: Dialect) -> Result<Value, ScimError> {
        let old = self.given();
        let new = Patch::parse(patch_body(operations), &self.ty, dialect, Aliases::NONE)?.apply(&old, &self.ty)?;
        Ok(Value::Object(new.unwrap_or(old).attrs))
    }

    fn meta() -> Meta<'static> {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        Meta { created: at, last_modified: at, location: "x", version: "W/\"1\"" }
    }
}

#[test]
fn a_resource_is_read_in_any_letter_case_and_stored_in_the_schemas() {
    for subject in subjects() {
        let mut upper = serde_json::Map::new();
        for (name, value) in subject.body().as_object().unwrap() {
            upper.insert(name.to_uppercase(), value.clone());
        }
        for dialect in DIALECTS {
            assert_eq!(
                subject.read(Value::Object(upper.clone()), dialect).unwrap(),
                subject.given(),
                "{}",
                subject.ty.name
            );
        }
    }
}

#[test]
fn required_attributes_types_and_undefined_names_are_held_to() {
    for subject in subjects() {
        let with = |name: &str, value: Value| {
            let mut body = subject.body();
            body[name] = value;
            body
        };
        assert_eq!(
            keyword(subject.read(with(subject.unique, json!("")), Dialect::Tolerant)),
            Some(ScimType::InvalidValue)
        );
        assert_eq!(
            keyword(subject.read(with(subject.flag, json!("no")), Dialect::Tolerant)),
            Some(ScimType::InvalidValue)
        );
        assert_eq!(
            keyword(subject.read(with(subject.complex.0, json!("A B")), Dialect::Tolerant)),
            Some(ScimType::InvalidValue)
        );
        assert_eq!(keyword(subject.read(with("unknown", json!(1)), Dialect::Interop)), Some(ScimType::InvalidSyntax));
        assert_eq!(subject.read(with("unknown", json!(1)), Dialect::Tolerant).unwrap(), subject.given());
        assert_eq!(
            subject.read(with(subject.read_only, json!([{"value": "x"}])), Dialect::Rfc).unwrap(),
            subject.given()
        );
        assert_eq!(subject.read(with(subject.flag, json!("True")), Dialect::Tolerant).unwrap(), subject.given());
    }
}

#[test]
fn unique_values_are_named_for_the_store() {
    for subject in subjects() {
        let keys = subject.ty.unique_attributes();
        assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), [subject.unique]);
        assert_eq!(subject.given().get(&keys[0]).collect::<Vec<_>>(), ["One"]);
    }
}

#[test]
fn patch_has_every_path_form() {
    for subject in subjects() {
        let Subject { complex: (complex, first, second), list, extension: (urn, attribute), .. } = &subject;
        let after = subject
            .patched(
                json!([
                    {"op": "replace", "path": format!("{complex}.{first}"), "value": "C"},
                    {"op": "replace", "path": format!("{list}[type eq \"work\"].value"), "value": "c@x"},
                    {"op": "add", "path": format!("{list}[type eq \"other\"].value"), "value": "d@x"},
                    {"op": "add", "path": *list, "value": [{"value": "e@x", "primary": true}]},
                    {"op": "remove", "path": format!("{list}[type eq \"home\"]")},
                    {"op": "replace", "path": format!("{urn}:{attribute}"), "value": "Lab"},
                    {"op": "replace", "value": {subject.flag: false, *complex: {*second: "D"}}},
                ]),
                Dialect::Rfc,
            )
            .unwrap();

        assert_eq!(after[*complex], json!({*first: "C", *second: "D"}));
        assert_eq!(
            after[*list],
            json!([{"value": "c@x", "type": "work", "primary": false}, {"type": "other", "value": "d@x"}, {"value": "e@x", "primary": true}])
        );
        assert_eq!((&after[*urn][*attribute], &after[subject.flag]), (&json!("Lab"), &json!(false)));
    }
}

#[test]
fn patch_is_held_to_mutability_and_is_all_or_nothing() {
    for subject in subjects() {
        let refused = |operation: Value| keyword(subject.patched(json!([operation]), Dialect::Rfc));

        assert_eq!(
            refused(json!({"op": "replace", "path": subject.read_only, "value": []})),
            Some(ScimType::Mutability)
        );
        assert_eq!(refused(json!({"op": "remove", "path": subject.unique})), Some(ScimType::Mutability));
        assert_eq!(refused(json!({"op": "replace", "path": "unknown", "value": 1})), Some(ScimType::InvalidPath));
        assert_eq!(
            refused(
                json!({"op": "replace", "path": format!("{}[type eq \"none\"].value", subject.list), "value": "x"})
            ),
            Some(ScimType::NoTarget)
        );
        assert_eq!(
            refused(json!({"op": "replace", "path": subject.reference, "value": {}})),
            Some(ScimType::InvalidValue)
        );
    }
}

#[test]
fn filters_and_projections_work_alike() {
    for subject in subjects() {
        let given = subject.given();
        let seen = Doc { id: "1", attrs: &given.attrs, meta: Subject::meta(), members: &[] };
        let Subject { unique, list, extension: (urn, attribute), complex, reference, .. } = &subject;
        for text in [
            format!(r#"{unique} eq "ONE""#),
            format!(r#"{list}[type eq "home" and value sw "b"]"#),
            format!(r#"{urn}:{attribute} co "mag""#),
            format!("{}.{} pr and not ({reference} ne \"https://hosp.example/one\")", complex.0, complex.1),
        ] {
            let pairs = [("filter".to_owned(), text.clone()), ("sortBy".to_owned(), (*list).to_owned())];
            let query = ListQuery::from_query(&pairs, Some(&subject.ty), Dialect::Rfc).unwrap();
            assert!(matches(&query.filter.unwrap(), &subject.ty, &seen), "{text}");
        }
        assert_eq!(
            Filter::parse(&format!("{} pr", subject.secret)).unwrap().check(&subject.ty).unwrap_err().status,
            403
        );

        let mut secret = given.clone();
        secret.attrs.insert(subject.secret.into(), json!("s3cret"));
        let whole = document(&subject.ty, "1", secret.clone(), Subject::meta());
        let part = Projection::parse(Some(&format!("{list}.value,{urn}:{attribute}")), None, &subject.ty)
            .unwrap()
            .apply(whole.clone(), &subject.ty);
        assert_eq!(Projection::default().apply(whole, &subject.ty).get(subject.secret), None);
        assert_eq!(
            Value::Object(part),
            json!({"schemas": [subject.ty.schema.id, urn], "id": "1", *list: [{"value": "a@x"}, {"value": "b@x"}], *urn: {*attribute: "Imaging"}})
        );
    }
}

#[test]
fn put_keeps_secrets() {
    for subject in subjects() {
        let mut old = subject.given();
        old.attrs.insert(subject.secret.into(), json!("s3cret"));
        old.attrs.insert(subject.read_only.into(), json!([{"value": "x"}]));

        let new = subject.given().replace_into(&old, &subject.ty).unwrap();

        assert_eq!(new, old);
    }
}

#[test]
fn an_immutable_attribute_is_set_once() {
    let ty = workstation();
    let read = |serial: Value| {
        Resource::parse(json!({"assetTag": "1", "serial": serial}), &ty, Dialect::Rfc, Context::Create, Aliases::NONE)
    };
    let plain = |serial: Value| {
        let body = json!({"schemas": [DEVICE], "assetTag": "1", "serial": serial});
        Resource::parse(body, &ty, Dialect::Rfc, Context::Create, Aliases::NONE).unwrap().resource
    };
    let patch = |old: &Resource, operation: Value| {
        Patch::parse(patch_body(json!([operation])), &ty, Dialect::Rfc, Aliases::NONE).unwrap().apply(old, &ty)
    };
    let set = json!({"op": "add", "path": "serial", "value": "S-2"});

    assert!(read(json!("S-1")).is_err(), "without its schema the body is not a workstation's");
    assert_eq!(patch(&plain(json!(null)), set.clone()).unwrap().unwrap().text("serial"), Some("S-2"));
    assert_eq!(patch(&plain(json!("S-2")), set.clone()), Ok(None));
    for operation in
        [set, json!({"op": "remove", "path": "serial"}), json!({"op": "replace", "path": "serial", "value": null})]
    {
        assert_eq!(keyword(patch(&plain(json!("S-1")), operation)), Some(ScimType::Mutability));
    }
    assert_eq!(keyword(plain(json!("S-3")).replace_into(&plain(json!("S-1")), &ty)), Some(ScimType::Mutability));
    assert_eq!(plain(json!(null)).replace_into(&plain(json!("S-1")), &ty).unwrap().text("serial"), Some("S-1"));
}
