//! The environment and the invented person that the tests of this crate share.

#![allow(dead_code)] // each test binary uses its part

use connector_expr::{Env, Type};
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

/// The variables of a gateway in small.
pub fn env() -> Env {
    let element = || {
        Type::list(Type::object([
            ("value", Type::Text),
            ("display", Type::Text),
            ("type", Type::Text),
            ("primary", Type::Boolean),
        ]))
    };
    let user = Type::object([
        ("userName", Type::Text),
        ("nickName", Type::Text),
        ("title", Type::Text),
        ("active", Type::Boolean),
        ("suspended", Type::Boolean),
        ("logins", Type::Integer),
        ("score", Type::Decimal),
        ("endDate", Type::Timestamp),
        ("startDate", Type::Timestamp),
        ("name", Type::object([("familyName", Type::Text), ("givenName", Type::Text)])),
        ("clinician", Type::object([("kind", Type::Text), ("npi", Type::Text)])),
        ("manager", Type::object([("displayName", Type::Text), ("kind", Type::Text)])),
        ("emails", element()),
        ("phoneNumbers", element()),
        ("groups", element()),
        ("addresses", Type::list(Type::object([("locality", Type::Text)]))),
        ("aliases", Type::list(Type::Text)),
        ("noted", Type::list(Type::Text)),
        ("costs", Type::map(Type::Text)),
        ("free", Type::Any),
    ]);
    Env::new()
        .variable("user", user)
        .table("jobs", [("rn", json!("EMP NURSE")), ("md", json!("EMP PHYSICIAN"))])
        .table("lists", [("7", json!(["a", "b"]))])
        .zone("east", TimeZone::fixed(Offset::constant(-4)))
}

/// One visibly invented person.
pub fn person() -> Value {
    json!({"user": {
        "userName": "t12example",
        "title": "rn",
        "active": true,
        "logins": 41,
        "endDate": "2026-07-15T00:00:00-04:00",
        "name": {"familyName": "Example-Größe", "givenName": "Testperson 12"},
        "clinician": {"kind": "human"},
        "emails": [
            {"value": "t12@home.example", "type": "home"},
            {"value": "t12@work.example", "type": "work", "primary": true}
        ],
        "phoneNumbers": [{"value": "(555) 010-0199", "type": "work"}],
        "groups": [
            {"value": "g-1", "display": "Nurses"},
            {"value": "g-2", "display": "Ward 7"}
        ],
        "noted": [],
        "costs": {"ward7": "4711"},
        "free": "text"
    }})
}

/// The instant that the tests stand at.
pub fn now() -> jiff::Timestamp {
    "2026-07-01T03:30:00Z".parse().unwrap()
}
