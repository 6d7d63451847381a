//! The service's own words: what goes into a request, and what an answer means.

use connector_spi::{
    AccountState, Attrs, Class, ConnError, Effect, Entitlement, HttpResponse, NativeId, Record, Result, Value,
};
use serde_json::Value as Json;
use std::{collections::BTreeMap, time::Duration};

/// Percent-encoded, so that a value never becomes structure (RFC 3986 section 2).
pub fn encoded(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    text.bytes()
        .map(|octet| if plain(octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") })
        .collect()
}

pub fn odd() -> ConnError {
    ConnError::unknown("the answer is none of the service's own").effect(Effect::None)
}

/// The error that the service tells in its own words.
pub fn told(answer: &HttpResponse) -> Option<Json> {
    let body: Json = serde_json::from_slice(&answer.body).ok()?;
    body.get("error").filter(|_| answer.status >= 400).cloned()
}

pub fn code(answer: &HttpResponse) -> Option<String> {
    told(answer)?.get("code")?.as_str().map(str::to_owned)
}

/// The answer's body, or what its status means.
pub fn good(answer: &HttpResponse, reads: bool) -> Result<Json> {
    let unknown = || odd().effect(if reads { Effect::None } else { Effect::Maybe });
    let error = told(answer);
    let wait = answer.header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let class = match answer.status {
        204 => return Ok(Json::Null),
        200..=299 => return serde_json::from_slice(&answer.body).map_err(|_| unknown()),
        401 => Class::Auth,
        403 => Class::Forbidden,
        429 => Class::Throttled,
        503 if wait.is_some() => Class::Throttled,
        502 | 503 => Class::Transient,
        504 => Class::Timeout,
        // Not the service's own words: whatever stands in between has answered.
        404 | 409 | 422 if error.is_none() => return Err(unknown()),
        404 => Class::NotFound,
        409 => Class::AlreadyExists,
        412 => Class::StaleVersion,
        400 | 413 | 422 => Class::Invalid,
        500..=599 => Class::Unknown,
        300..=399 => Class::Config,
        _ => Class::Permanent,
    };
    let word = |name: &str| error.as_ref().and_then(|error| error.get(name)).and_then(Json::as_str);
    let mut refusal = ConnError::new(class, "the service refuses the request")
        .code(word("code").map_or_else(|| answer.status.to_string(), str::to_owned));
    if let Some(wait) = wait {
        refusal = refusal.retry_after(wait);
    }
    if reads {
        refusal = refusal.effect(Effect::None);
    }
    refusal.attribute = word("field").map(str::to_owned);
    refusal.existing = word("existing").map(NativeId::from);
    Err(refusal)
}

/// Values as the service has them: a list of phones, one text or nothing for everything else.
pub fn plain(name: &str, values: &[Value]) -> Json {
    let mut texts = values.iter().map(Value::to_string);
    if name == "phones" { texts.collect() } else { texts.next().map_or(Json::Null, Json::String) }
}

pub fn subscriber(one: &Json) -> Result<Record> {
    let word = |name: &str| one.get(name).and_then(Json::as_str);
    let mut attrs = Attrs::new();
    for name in ["login", "staffNumber", "displayName", "title", "pagerNumber"] {
        attrs.extend(word(name).map(|text| (name.to_owned(), vec![Value::from(text)])));
    }
    if let Some(phones) = one.get("phones").and_then(Json::as_array) {
        attrs.insert("phones".to_owned(), phones.iter().filter_map(Json::as_str).map(Value::from).collect());
    }
    let natural_key =
        ["login", "staffNumber"].into_iter().filter_map(|name| Some((name.to_owned(), word(name)?.into())));
    let mut held = Vec::new();
    for each in one.get("pools").and_then(Json::as_array).ok_or_else(odd)? {
        let pool = each.get("pool").and_then(Json::as_str).ok_or_else(odd)?;
        let mut entitlement = Entitlement::new("pool", pool);
        if let Some(site) = each.get("site").and_then(Json::as_str) {
            entitlement.scope.insert("site".to_owned(), site.to_owned());
        }
        held.push(entitlement);
    }
    let active = one.get("active").and_then(Json::as_bool).ok_or_else(odd)?;
    Ok(Record {
        kind: "subscriber".into(),
        id: word("id").ok_or_else(odd)?.into(),
        natural_key: natural_key.collect(),
        attrs,
        state: if active { AccountState::Enabled } else { AccountState::Disabled },
        entitlements: Some(held),
        incomplete: false,
        version: one.get("version").and_then(Json::as_u64).map(|version| format!("\"{version}\"")),
    })
}

pub fn pool(one: &Json) -> Result<Record> {
    let id = one.get("id").and_then(Json::as_str).ok_or_else(odd)?;
    Ok(Record {
        kind: "pool".into(),
        id: id.into(),
        natural_key: BTreeMap::from([("id".to_owned(), id.into())]),
        attrs: Attrs::from([("id".to_owned(), vec![id.into()])]),
        state: AccountState::Enabled,
        entitlements: None,
        incomplete: false,
        version: None,
    })
}
