use crate::given::{DIALECTS, full_user, group_type, patch_body, user, user_type};
use proptest::prelude::*;
use scim::{Aliases, Context, Dialect, Patch, Resource};
use serde_json::{Value, json};

/// Values of every shape, made of the words that mean something here.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "work",
            "home",
            "True",
            "U-1",
            "t12@hosp.example",
            "nurse",
            "{\"value\":\"x\"}",
            "2026-07-01"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(name(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "value",
        "type",
        "primary",
        "display",
        "$ref",
        "userName",
        "USERNAME",
        "active",
        "name",
        "givenName",
        "name.givenName",
        "emails",
        "roles",
        "addresses",
        "members",
        "displayName",
        "id",
        "meta",
        "schemas",
        "groups",
        "password",
        "manager",
        "department",
        "externalId",
        "unknown",
        "emails[type eq \"work\"].value",
        scim::ENTERPRISE_USER,
        scim::CLINICAL_USER,
        "facility1",
        "jobCode",
        "assignments",
        "kind",
    ])
    .prop_map(str::to_owned)
}

fn path() -> impl Strategy<Value = String> {
    let extension = name().prop_map(|name| format!("{}:{name}", scim::ENTERPRISE_USER));
    let clinical = name().prop_map(|name| format!("{}:{name}", scim::CLINICAL_USER));
    let filtered = (name(), name(), name()).prop_map(|(a, b, c)| format!("{a}[{b} eq \"work\"].{c}"));
    let element = (
        name(),
        prop::sample::select(vec![
            "type eq \"work\"",
            "value pr",
            "not (primary eq true)",
            "type ne \"x\" or value co \"@\"",
        ]),
    )
        .prop_map(|(a, filter)| format!("{a}[{filter}]"));
    prop_oneof![4 => name(), 2 => filtered, 2 => element, 1 => extension, 1 => clinical, 1 => "\\PC{0,12}"]
}

fn operations() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Add", "replace", "Replace", "remove", "Remove"]);
    let one = (op, prop::option::weighted(0.9, path()), prop::option::weighted(0.9, any_value())).prop_map(
        |(op, path, value)| {
            let mut operation = json!({ "op": op });
            if let Some(path) = path {
                operation["path"] = path.into();
            }
            if let Some(value) = value {
                operation["value"] = value;
            }
            operation
        },
    );
    prop::collection::vec(one, 1..5).prop_map(Value::Array)
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop::sample::select(DIALECTS.to_vec())
}

/// What is stored reads back, as it is, in the strictest reading but for what it says more than bodies may.
fn is_canonical(resource: &Resource) {
    let mut body = resource.attrs.clone();
    body.insert("schemas".into(), json!([scim::USER]));
    let again =
        Resource::parse(Value::Object(body), user_type(), Dialect::Interop, Context::Replace, Aliases::NONE).unwrap();
    let empty = |value: &Value| {
        value.is_null()
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(|o| o.is_empty())
    };
    assert_eq!(again.resource.attrs, resource.attrs);
    assert!(!resource.attrs.values().any(empty), "{:?}", resource.attrs);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_body_is_read_to_something_canonical_or_refused(body in any_value(), dialect in dialect()) {
        if let Ok(parsed) = Resource::parse(body.clone(), user_type(), dialect, Context::Create, Aliases::NONE) {
            is_canonical(&parsed.resource);
        }
        let _ = Resource::parse(body, group_type(), dialect, Context::Create, Aliases::NONE);
    }

    #[test]
    fn any_patch_gives_something_canonical_or_changes_nothing(operations in operations(), dialect in dialect()) {
        let old = user(full_user());
        let before = old.clone();
        if let Ok(patch) = Patch::parse(patch_body(operations), user_type(), dialect, Aliases::NONE) {
            match patch.apply(&old, user_type()) {
                Ok(Some(new)) => {
                    prop_assert_ne!(&new, &old);
                    is_canonical(&new);
                }
                Ok(None) => {}
                Err(error) => prop_assert!((400..500).contains(&error.status)),
            }
        }
        prop_assert_eq!(old, before);
    }

    #[test]
    fn a_patch_that_sets_values_changes_nothing_the_second_time(value in any_value(), attribute in prop::sample::select(vec!["title", "name", "emails", "roles", "active"])) {
        let operations = json!([{"op": "replace", "path": attribute, "value": value}]);
        let Ok(patch) = Patch::parse(patch_body(operations), user_type(), Dialect::Tolerant, Aliases::NONE) else { return Ok(()) };
        if let Ok(Some(once)) = patch.apply(&user(full_user()), user_type()) {
            prop_assert_eq!(patch.apply(&once, user_type()).unwrap(), None);
        }
    }

    #[test]
    fn any_patch_of_a_group_is_read_or_refused(operations in operations(), dialect in dialect()) {
        if let Ok(patch) = Patch::parse(patch_body(operations), group_type(), dialect, Aliases::NONE) {
            let old = Resource { attrs: json!({"displayName": "Nights"}).as_object().unwrap().clone() };
            let _ = patch.apply(&old, group_type());
        }
    }
}
