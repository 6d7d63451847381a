//! Taking persons out of a recording.

use crate::{Case, Exchange, JsonText, QueryValue};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value as Json;
use std::collections::BTreeMap;

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
