//! Listening in: a server on the loopback between a connector and the door to its target.
//!
//! The connector is pointed here and has no credentials; the door, behind, has them. So what is recorded never held any, but
//! for what a connector writes into the message itself (a UsernameToken), and that is taken out here.

use crate::{
    Exchange, Heard, JsonText, Prefixes, QueryValue, Reply, Request,
    wire::{Connection, Said},
    xml,
};
use async_trait::async_trait;
use connector_spi::{HttpResponse, Result};
use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, task::JoinSet};

/// Header fields of a request that a case keeps, besides those that begin with `x-`.
const ASKED: [&str; 4] = ["if-match", "if-none-match", "idempotency-key", "soapaction"];
/// Header fields of an answer that mean something to a connector.
const TOLD: [&str; 4] = ["etag", "location", "link", "retry-after"];

/// Sends a request on to the real target.
#[async_trait]
pub trait Forward: Send + Sync {
    /// Sends it; `None` where the request is not to be sent, and then there is no answer.
    ///
    /// # Errors
    /// As the door says; the connector then sees a lost connection.
    async fn send(&self, heard: &Heard) -> Result<Option<HttpResponse>>;
}

/// One exchange as it was.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The request.
    pub heard: Heard,
    /// The answer; `None` where there was none.
    pub answer: Option<HttpResponse>,
    /// Why there was none.
    pub error: Option<String>,
}

/// A recorder that runs until it is dropped.
pub struct Recorder {
    recordings: Arc<Mutex<Vec<Recording>>>,
    addresses: BTreeMap<String, String>,
    _serving: JoinSet<()>,
}

impl Recorder {
    /// Listens on a port for each of these doors.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(doors: BTreeMap<String, Arc<dyn Forward>>) -> io::Result<Self> {
        let recordings = Arc::new(Mutex::new(Vec::new()));
        let mut addresses = BTreeMap::new();
        let mut serving = JoinSet::new();
        for (door, forward) in doors {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.insert(door.clone(), format!("http://{}/", listener.local_addr()?));
            let recordings = Arc::clone(&recordings);
            serving.spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let connection = Connection::new(stream);
                    connections.spawn(serve(connection, door.clone(), Arc::clone(&forward), Arc::clone(&recordings)));
                    while connections.try_join_next().is_some() {}
                }
            });
        }
        Ok(Self { recordings, addresses, _serving: serving })
    }

    /// The address of each door.
    #[must_use]
    pub fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    /// What was asked and said so far.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.recordings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    mut connection: Connection,
    door: String,
    forward: Arc<dyn Forward>,
    recordings: Arc<Mutex<Vec<Recording>>>,
) {
    while let Ok(Some(heard)) = connection.hear(&door).await {
        let outcome = forward.send(&heard).await;
        let (answer, error) = match outcome {
            Ok(answer) => (answer, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let said = answer.as_ref().map(|answer| Said {
            status: answer.status,
            headers: answer.headers.iter().filter(|(name, _)| !is_of_the_connection(name)).cloned().collect(),
            body: answer.body.clone(),
        });
        recordings.lock().unwrap_or_else(PoisonError::into_inner).push(Recording { heard, answer, error });
        match said {
            Some(said) if connection.say(&said).await.is_ok() => {}
            _ => return,
        }
    }
}

/// Fields that belong to one connection and not to the message (RFC 9110, section 7.6.1), and the length, which is written anew.
fn is_of_the_connection(name: &str) -> bool {
    matches!(name, "connection" | "keep-alive" | "transfer-encoding" | "te" | "upgrade" | "content-length")
}

impl Recording {
    /// As it is written in a file. `date` keeps the time of the answer, which some calls are judged by.
    #[must_use]
    pub fn exchange(&self, prefixes: &Prefixes, date: bool) -> Exchange {
        let Heard { door, method, path, query, headers, .. } = &self.heard;
        let mut members: BTreeMap<String, QueryValue> = BTreeMap::new();
        for (name, value) in query {
            members
                .entry(name.clone())
                .and_modify(|held| {
                    let mut all = match held {
                        QueryValue::One(one) => vec![std::mem::take(one)],
                        QueryValue::Many(many) => std::mem::take(many),
                    };
                    all.push(value.clone());
                    *held = QueryValue::Many(all);
                })
                .or_insert_with(|| QueryValue::One(value.clone()));
        }
        let kept = |name: &str| ASKED.contains(&name) || name.starts_with("x-");
        let mut request = Request {
            door: (door != "http").then(|| door.clone()),
            method: method.clone(),
            path: path.clone(),
            query: members,
            headers: headers.iter().filter(|(name, _)| kept(name)).cloned().collect(),
            ..Request::default()
        };
        let body = Body::of(&self.heard.body, prefixes);
        (request.json, request.xml, request.text) = (body.json, body.xml, body.text);
        let reply = match &self.answer {
            None => Reply { lost: true, ..Reply::default() },
            Some(answer) => {
                let told = |name: &str| TOLD.contains(&name) || (date && name == "date");
                let body = Body::of(&answer.body, prefixes);
                Reply {
                    status: answer.status,
                    headers: answer.headers.iter().filter(|(name, _)| told(name)).cloned().collect(),
                    json: body.json,
                    xml: body.xml,
                    text: body.text,
                    lost: false,
                }
            }
        };
        Exchange { request, reply }
    }
}

/// A body in the form that fits it.
#[derive(Default)]
struct Body {
    json: Option<JsonText>,
    xml: Option<String>,
    text: Option<String>,
}

impl Body {
    fn of(octets: &[u8], prefixes: &Prefixes) -> Self {
        if octets.is_empty() {
            return Self::default();
        }
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(octets) {
            return Self { json: Some(JsonText::of(json)), ..Self::default() };
        }
        let text = String::from_utf8_lossy(octets).into_owned();
        match xml::parse(&text, &Prefixes::new(), None) {
            // What is in an envelope finds one of the same version again; so does `soap` in it.
            Ok(document) => {
                let known = match document.envelope() {
                    Some(namespace) => xml::with_soap(prefixes, namespace),
                    None => prefixes.clone(),
                };
                let mut written = document.essence().written(&known, false);
                written.push('\n');
                Self { xml: Some(written), ..Self::default() }
            }
            Err(_) => Self { text: Some(text), ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_keeps_what_counts_and_nothing_of_who_calls() {
        let soap = "http://www.w3.org/2003/05/soap-envelope";
        let security = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
        let body = format!(
            "<e:Envelope xmlns:e='{soap}'><e:Header><s:Security xmlns:s='{security}'><s:Password>hunter2</s:Password>\
             </s:Security></e:Header><e:Body><a xmlns='urn:p'><b>1</b></a></e:Body></e:Envelope>"
        );
        let heard = Heard {
            door: "services.core".into(),
            method: "POST".into(),
            path: "/core".into(),
            query: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
            raw_query: None,
            headers: vec![("authorization".into(), "Basic hunter2".into()), ("if-match".into(), "7".into())],
            body: body.into_bytes(),
        };
        let recording = Recording { heard, answer: None, error: None };

        let exchange = recording.exchange(&[("p".to_owned(), "urn:p".to_owned())].into(), false);

        let written = toml::to_string(&exchange).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
        assert_eq!(exchange.request.xml.as_deref(), Some("<p:a><p:b>1</p:b></p:a>\n"));
        assert_eq!(exchange.request.headers.keys().collect::<Vec<_>>(), ["if-match"]);
        assert_eq!(exchange.request.query["a"], QueryValue::Many(vec!["1".into(), "2".into()]));
        assert!(exchange.reply.lost);
    }
}
