//! Taking persons out of a recording.

use crate::{Case, Exchange, JsonText, Prefixes, QueryValue, xml};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What stands in place of a text that nobody asked for.
const LEFT_OUT: &str = "left out";
/// Shorter values are found in too many places to be taken out of texts.
const SHORTEST: usize = 2;

/// The case with every one of these values replaced by an invented one, the same everywhere: in the call, in requests, in
/// replies and in what is expected. `personal` is by attribute: the invented value tells which it was.
#[must_use]
pub fn without_persons(case: &Case, personal: &BTreeMap<String, Vec<String>>) -> Case {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (attribute, values) in personal {
        for value in values.iter().filter(|value| value.chars().count() >= SHORTEST) {
            if !pairs.iter().any(|(known, _)| known == value) {
                pairs.push((value.clone(), invented(attribute, value, pairs.len() + 1)));
            }
        }
    }
    without(case, pairs)
}

/// The case with the first text of each pair replaced by the second, wherever it stands.
#[must_use]
pub fn without(case: &Case, mut pairs: Vec<(String, String)>) -> Case {
    pairs.retain(|(value, _)| !value.is_empty());
    // The longest first: one value may be a part of another.
    pairs.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    let change = |text: &mut String| replace(text, &pairs);
    let mut case = case.clone();
    change(&mut case.name);
    case.exchange.iter_mut().for_each(|exchange| in_exchange(exchange, &change));
    through(&mut case.call, &change);
    through(&mut case.expect, &change);
    case
}

/// The case without the texts in replies that nobody knows: neither the call nor what came of it, no request, and not `known`
/// (the target's file). They are what a target tells beside what it was asked for.
#[must_use]
pub fn without_strangers(case: &Case, known: &str, prefixes: &Prefixes) -> Case {
    let asked = case.exchange.iter().map(|exchange| &exchange.request).collect::<Vec<_>>();
    let told = serde_json::to_string(&(&case.call, &case.expect, asked)).unwrap_or_default();
    let is_known = |text: &str| {
        let plain = text.trim();
        plain.is_empty()
            || known.contains(plain)
            || told.contains(plain)
            || plain.parse::<f64>().is_ok_and(|n| n.abs() < 10_000.0)
    };
    let mut case = case.clone();
    for reply in case.exchange.iter_mut().map(|exchange| &mut exchange.reply) {
        if let Some(json) = &mut reply.json {
            let mut value = json.value().clone();
            blank(&mut value, &is_known);
            *json = JsonText::of(value);
        }
        if let Some(text) = &mut reply.xml
            && let Ok(mut document) = xml::parse(text, prefixes, Some(xml::ENVELOPES[1]))
        {
            document.texts_mut(&mut |text| {
                if !is_known(text) {
                    LEFT_OUT.clone_into(text);
                }
            });
            *text = document.written(&xml::with_soap(prefixes, xml::ENVELOPES[1]), false) + "\n";
        }
    }
    case
}

fn blank(value: &mut Json, is_known: &dyn Fn(&str) -> bool) {
    match value {
        Json::String(text) if !is_known(text) => LEFT_OUT.clone_into(text),
        Json::Number(number) if !is_known(&number.to_string()) => *value = Json::from(0),
        Json::Array(items) => items.iter_mut().for_each(|item| blank(item, is_known)),
        Json::Object(members) => members.values_mut().for_each(|value| blank(value, is_known)),
        Json::String(_) | Json::Number(_) | Json::Null | Json::Bool(_) => {}
    }
}

/// What stands for a value: of the same sort, since a target's own rules (digits only) hold in the file too.
fn invented(attribute: &str, value: &str, number: usize) -> String {
    let length = value.chars().count();
    if value.chars().all(|c| c.is_ascii_digit()) {
        let digits = format!("9{number:0>width$}", width = length.saturating_sub(1));
        return digits.chars().take(length).collect();
    }
    match value.split_once('@') {
        Some(_) => format!("invented{number}@hosp.example"),
        None if length < 12 => format!("Invented{number}"),
        None => format!("Invented {attribute} {number}"),
    }
}

fn replace(text: &mut String, pairs: &[(String, String)]) {
    let mut rest = text.as_str();
    let mut out = String::new();
    while !rest.is_empty() {
        match pairs.iter().find(|(value, _)| rest.starts_with(value.as_str())) {
            Some((value, invented)) => {
                out.push_str(invented);
                rest = rest.get(value.len()..).unwrap_or_default();
            }
            None => {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(rest.get(..next).unwrap_or_default());
                rest = rest.get(next..).unwrap_or_default();
            }
        }
    }
    *text = out;
}

fn in_exchange(exchange: &mut Exchange, change: &dyn Fn(&mut String)) {
    let Exchange { request, reply } = exchange;
    // A path is sent encoded: it is decoded segment by segment and encoded again.
    let segments = request.path.split('/').map(|segment| {
        let before = percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let mut text = before.clone();
        change(&mut text);
        if text == before { segment.to_owned() } else { utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string() }
    });
    request.path = segments.collect::<Vec<_>>().join("/");
    for value in request.query.values_mut() {
        match value {
            QueryValue::One(one) => change(one),
            QueryValue::Many(many) => many.iter_mut().for_each(change),
        }
    }
    request.headers.values_mut().chain(reply.headers.values_mut()).for_each(change);
    for json in [&mut request.json, &mut reply.json].into_iter().flatten() {
        let mut value = json.value().clone();
        texts(&mut value, change);
        *json = JsonText::of(value);
    }
    // In XML the markup is in the way of nothing: names of elements are no persons, and an invented value needs no escape.
    for text in [&mut request.xml, &mut request.text, &mut reply.xml, &mut reply.text].into_iter().flatten() {
        change(text);
    }
}

fn texts(value: &mut Json, change: &dyn Fn(&mut String)) {
    match value {
        Json::String(text) => change(text),
        Json::Array(items) => items.iter_mut().for_each(|item| texts(item, change)),
        Json::Object(members) => members.values_mut().for_each(|value| texts(value, change)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Every text in something that is written as JSON.
fn through<T: serde::Serialize + serde::de::DeserializeOwned>(of: &mut T, change: &dyn Fn(&mut String)) {
    let changed = serde_json::to_value(&*of).ok().and_then(|mut value| {
        texts(&mut value, change);
        serde_json::from_value(value).ok()
    });
    if let Some(changed) = changed {
        *of = changed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_nobody_asked_for_is_left_out_of_replies() {
        let case: Case = serde_json::from_value(json!({
            "name": "read", "call": {"op": "get", "kind": "account", "id": "7"},
            "exchange": [{
                "request": {"path": "/p/7"},
                "reply": {"json": "{\"id\": \"7\", \"active\": \"Y\", \"mother\": \"Realname\", \"phone\": 5551234}"},
            }, {
                "request": {"path": "/p/7"},
                "reply": {"xml": "<p:a born='1970-01-01'><p:b>Realname</p:b><p:c>Y</p:c></p:a>"},
            }],
            "expect": {"result": {"id": "7"}},
        }))
        .unwrap();
        let prefixes = [("p".to_owned(), "urn:p".to_owned())].into();

        let clean = without_strangers(&case, "equals = \"Y\"", &prefixes);

        let json = clean.exchange[0].reply.json.as_ref().unwrap().value();
        assert_eq!(*json, json!({"id": "7", "active": "Y", "mother": "left out", "phone": 0}));
        let xml = clean.exchange[1].reply.xml.as_ref().unwrap();
        assert!(
            xml.contains("born=\"left out\"") && xml.contains("<p:c>Y</p:c>") && !xml.contains("Realname"),
            "{xml}"
        );
    }

    #[test]
    fn a_person_is_gone_everywhere_and_is_the_same_invention_everywhere() {
        let case: Case = serde_json::from_value(json!({
            "name": "made",
            "call": {"op": "create", "kind": "account", "attrs": {"login": ["realname"], "number": ["4711"]}},
            "exchange": [{
                "request": {"method": "POST", "path": "/p/realname", "query": {"n": "4711"}, "json": "{\"l\":\"realname\"}"},
                "reply": {"xml": "<a>realname 4711</a>"},
            }],
            "expect": {"result": {"id": "realname"}},
        }))
        .unwrap();
        let personal =
            [("login".to_owned(), vec!["realname".to_owned()]), ("number".to_owned(), vec!["4711".to_owned()])];

        let written = serde_json::to_string(&without_persons(&case, &personal.into())).unwrap();

        assert!(!written.contains("realname") && !written.contains("4711"), "{written}");
        assert_eq!(written.matches("Invented1").count(), 5);
        assert_eq!(written.matches("9002").count(), 3);
    }
}
