//! A target that says what was recorded.

use crate::{
    Difference, Exchange, Heard, Prefixes, QueryValue, Reply, Request,
    difference::{Strictness, of_json},
    wire::{Connection, Said},
    xml,
};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A replay that runs until it is dropped or ended. There is one address for each door of the target.
pub struct Replay {
    state: Arc<Mutex<State>>,
    addresses: BTreeMap<String, String>,
    /// Ends everything that serves when it is dropped.
    _serving: JoinSet<()>,
}

struct State {
    expected: VecDeque<(usize, Exchange)>,
    standing: Vec<Exchange>,
    prefixes: Prefixes,
    problems: Vec<String>,
}

impl Replay {
    /// Listens on a port for each of these doors.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(
        doors: &[String],
        exchanges: &[Exchange],
        standing: &[Exchange],
        prefixes: &Prefixes,
    ) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            expected: exchanges.iter().cloned().enumerate().collect(),
            standing: standing.to_vec(),
            prefixes: prefixes.clone(),
            problems: Vec::new(),
        }));
        let mut addresses = BTreeMap::new();
        let mut serving = JoinSet::new();
        for door in doors {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.insert(door.clone(), format!("http://{}/", listener.local_addr()?));
            serving.spawn(listen(listener, door.clone(), Arc::clone(&state)));
        }
        Ok(Self { state, addresses, _serving: serving })
    }

    /// The address of each door.
    #[must_use]
    pub fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    /// What went otherwise than recorded: requests that nobody expected, and exchanges that nobody asked for.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left = state.expected.iter().map(|(number, exchange)| {
            format!(
                "exchange {} ({} {}) was never asked for",
                number + 1,
                exchange.request.method,
                exchange.request.path
            )
        });
        state.problems.iter().cloned().chain(left).collect()
    }
}

async fn listen(listener: TcpListener, door: String, state: Arc<Mutex<State>>) {
    // Connections end with the listener: they are its own tasks.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, door.clone(), Arc::clone(&state)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, door: String, state: Arc<Mutex<State>>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(heard)) = connection.hear(&door).await {
        let said = state.lock().unwrap_or_else(PoisonError::into_inner).answer(&heard);
        // Without an answer the connection ends: what comes after an unexpected request proves nothing.
        let Some(said) = said else { return };
        if connection.say(&said).await.is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&mut self, heard: &Heard) -> Option<Said> {
        let next = self.expected.front();
        let differences = next.map(|(_, exchange)| differences(&exchange.request, heard, &self.prefixes));
        let reply = match (differences, next) {
            (Some(differences), Some((_, exchange))) if differences.is_empty() => {
                let reply = exchange.reply.clone();
                self.expected.pop_front();
                reply
            }
            (differences, next) => {
                let standing = self.standing.iter();
                let mut fits = standing.filter(|one| self::differences(&one.request, heard, &self.prefixes).is_empty());
                if let Some(exchange) = fits.next() {
                    exchange.reply.clone()
                } else {
                    let mut problem = format!("{} was asked", heard.title());
                    match next {
                        Some((number, exchange)) => {
                            let Request { method, path, .. } = &exchange.request;
                            problem.push_str(&format!(", exchange {} ({method} {path}) expects:", number + 1));
                        }
                        None => problem.push_str(", and no exchange is left"),
                    }
                    for difference in differences.unwrap_or_default() {
                        problem.push_str(&format!("\n  {difference}"));
                    }
                    self.problems.push(problem);
                    return None;
                }
            }
        };
        match said(&reply, heard, &self.prefixes) {
            Ok(said) => said,
            Err(problem) => {
                self.problems.push(format!("the reply to {}: {problem}", heard.title()));
                None
            }
        }
    }
}

/// What differs between a request that is expected and one that came.
fn differences(expected: &Request, heard: &Heard, prefixes: &Prefixes) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |at: &str, expected: Option<&str>, heard: Option<&str>| {
        if expected != heard {
            found.push(Difference::new(at, expected, heard));
        }
    };
    compare("method", Some(&expected.method), Some(&heard.method));
    let door = expected.door.as_deref().unwrap_or("http");
    compare("door", Some(door), Some(&heard.door));
    let path = format!("/{}", expected.path.trim_start_matches('/'));
    compare("path", Some(&path), Some(&heard.path));
    let mut query: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &heard.query {
        query.entry(name).or_default().push(value);
    }
    for (name, value) in &expected.query {
        let wanted: Vec<&str> = match value {
            QueryValue::One(one) => vec![one],
            QueryValue::Many(many) => many.iter().map(String::as_str).collect(),
        };
        let got = query.remove(name.as_str());
        compare(&format!("query {name}"), Some(&wanted.join(", ")), got.map(|got| got.join(", ")).as_deref());
    }
    for (name, values) in query {
        compare(&format!("query {name}"), None, Some(&values.join(", ")));
    }
    for (name, value) in &expected.headers {
        compare(&format!("header {name}"), Some(value), heard.header(&name.to_ascii_lowercase()));
    }
    let body = body_differences(expected, heard, prefixes);
    found.extend(body.into_iter().map(|difference| Difference { at: format!("body {}", difference.at), ..difference }));
    found
}

fn body_differences(expected: &Request, heard: &Heard, prefixes: &Prefixes) -> Vec<Difference> {
    let text = String::from_utf8_lossy(&heard.body);
    let other =
        |what: &str| vec![Difference::new("", Some(what), Some(if text.is_empty() { "no body" } else { &text }))];
    if let Some(json) = &expected.json {
        return match serde_json::from_slice(&heard.body) {
            Ok(found) => of_json(json.value(), &found, Strictness::Exact),
            Err(_) => other("JSON"),
        };
    }
    if let Some(written) = &expected.xml {
        let Ok(found) = xml::parse(&text, &Prefixes::new(), None) else { return other("XML") };
        return match xml::parse(written, prefixes, found.envelope()) {
            Ok(expected) => xml::differences(&expected.essence(), &found.essence()),
            Err(problem) => vec![Difference::new(&format!("(as expected) {problem}"), None, None)],
        };
    }
    match &expected.text {
        Some(expected) if *expected == text => Vec::new(),
        Some(expected) => other(&format!("{expected:?}")),
        None if heard.body.is_empty() => Vec::new(),
        None => vec![Difference::new("", None, Some(&text))],
    }
}

/// The answer as it goes; `None` where it is lost.
fn said(reply: &Reply, heard: &Heard, prefixes: &Prefixes) -> Result<Option<Said>, String> {
    if reply.lost {
        return Ok(None);
    }
    let asked = xml::parse(&String::from_utf8_lossy(&heard.body), &Prefixes::new(), None).ok();
    let envelope = asked.as_ref().and_then(xml::Element::envelope);
    let (body, usual) = match (&reply.json, &reply.xml, &reply.text) {
        (Some(json), None, None) => (json.value().to_string(), "application/json"),
        (None, Some(text), None) => {
            let document = xml::parse(text, prefixes, envelope)?;
            let document = match envelope {
                Some(namespace) if document.envelope().is_none() => document.wrapped(namespace),
                _ => document,
            };
            let soap12 = envelope.is_some_and(|namespace| namespace.starts_with("http://www.w3.org/"));
            (document.written(prefixes, true), if soap12 { "application/soap+xml" } else { "text/xml" })
        }
        (None, None, Some(text)) => (text.clone(), "text/plain"),
        (None, None, None) => (String::new(), ""),
        _ => return Err("has more than one body".to_owned()),
    };
    let mut headers: Vec<(String, String)> =
        reply.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    if !usual.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push(("content-type".to_owned(), usual.to_owned()));
    }
    headers.retain(|(name, _)| !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection"));
    Ok(Some(Said { status: reply.status, headers, body: body.into_bytes() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(value: serde_json::Value) -> Request {
        serde_json::from_value(value).unwrap()
    }

    fn heard(method: &str, path: &str, query: &[(&str, &str)], body: &str) -> Heard {
        Heard {
            door: "http".into(),
            method: method.into(),
            path: path.into(),
            query: query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            raw_query: None,
            headers: vec![("if-match".into(), "\"3\"".into())],
            body: body.into(),
        }
    }

    fn told(expected: serde_json::Value, heard: &Heard) -> Vec<String> {
        differences(&request(expected), heard, &Prefixes::new()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_request_is_compared_by_what_is_written_of_it() {
        let came = heard("PATCH", "/a/b%20c", &[("x", "1"), ("y", "a"), ("y", "b")], r#"{"k": [1, null]}"#);
        let fits = json!({
            "method": "PATCH", "path": "/a/b%20c", "query": {"x": "1", "y": ["a", "b"]},
            "headers": {"If-Match": "\"3\""}, "json": "{\"k\":[1,null]}",
        });
        assert_eq!(told(fits, &came), Vec::<String>::new());
        let other = json!({"path": "/a", "query": {"x": "2"}, "headers": {"if-match": "4", "accept": "x"}});
        assert_eq!(
            told(other, &came),
            [
                "method: expected GET, found PATCH",
                "path: expected /a, found /a/b%20c",
                "query x: expected 2, found 1",
                "query y: expected nothing, found a, b",
                "header accept: expected x, found nothing",
                "header if-match: expected 4, found \"3\"",
                "body : expected nothing, found {\"k\": [1, null]}",
            ]
        );
    }

    #[test]
    fn an_answer_in_xml_is_wrapped_as_the_request_was() {
        let soap = "http://schemas.xmlsoap.org/soap/envelope/";
        let asked = format!("<e:Envelope xmlns:e=\"{soap}\"><e:Body><a/></e:Body></e:Envelope>");
        let reply = Reply { xml: Some("<soap:Fault/>".into()), ..Reply::default() };
        let said = said(&reply, &heard("POST", "/", &[], &asked), &Prefixes::new()).unwrap().unwrap();
        let text = String::from_utf8(said.body).unwrap();
        assert!(text.contains("Envelope") && text.contains(soap), "{text}");
        let plain = self::said(&reply, &heard("POST", "/", &[], "<a/>"), &Prefixes::new());
        assert!(plain.is_err(), "without an envelope nobody knows what soap is");
        let lost = Reply { lost: true, ..Reply::default() };
        assert_eq!(self::said(&lost, &heard("GET", "/", &[], ""), &Prefixes::new()), Ok(None));
    }
}
