//! The epic-like EHR, by its SOAP services.

use super::{Account, Accounts, SECRET, Scene, accounts};
use crate::demo::Outcome;
use async_trait::async_trait;
use fixtures::ehr_soap::{EhrSoap, Options};
use fixtures::workforce::Workforce;
use quick_xml::Reader;
use quick_xml::events::Event;
use std::collections::{BTreeMap, BTreeSet};

/// The simulator.
pub struct Soap(EhrSoap);

impl Soap {
    /// Starts it, without the limit that would only make the demo longer.
    pub fn start() -> Outcome<Self> {
        Ok(Self(EhrSoap::start(Options { rate_limit: None, ..Options::default() })?))
    }
}

#[async_trait]
impl Scene for Soap {
    fn name(&self) -> &'static str {
        "ehr-soap"
    }

    fn what(&self) -> &'static str {
        "an EHR (SOAP)"
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("@EHR_SOAP@", self.0.base_url())]
    }

    fn place(&self) -> String {
        format!("{}/sim/state", self.0.base_url())
    }

    async fn read(&self) -> Outcome<Accounts> {
        let client = Client { http: reqwest::Client::builder().no_proxy().build()?, base: self.0.base_url() };
        let providers = client.all("PROVIDER", "ViewProvider", "Provider").await?;
        let numbers: BTreeMap<String, String> =
            providers.into_iter().map(|(id, record)| (id, first(&record, "NPI"))).collect();
        let users = client.all("USER", "ViewUser", "User").await?;
        Ok(users.into_iter().map(|(_, record)| account(&record, &numbers)).collect())
    }

    fn wanted(&self, workforce: &Workforce) -> Accounts {
        let mut wanted = accounts(workforce, |person| {
            let template = match (person.title.as_str(), person.department()) {
                ("Registered Nurse", _) => "T9100",
                ("Resident", "ED-10200") => "T9210",
                ("Resident", _) => "T9200",
                _ => "T9310",
            };
            let department = match person.department() {
                "ED-10200" => "10200",
                "NUR-4W" => "10410",
                "NUR-CL2" => "20120",
                _ => "10501",
            };
            let facts = BTreeMap::from([
                ("family name", person.family_name.clone()),
                ("npi", person.npi.clone().unwrap_or_default()),
            ]);
            (facts, [format!("template:{template}"), format!("department:{department}")].into())
        });
        // Who registers patients works in another system.
        let elsewhere = workforce.people.iter().filter(|person| person.title == "Registrar");
        elsewhere.for_each(|person| {
            wanted.remove(&person.employee_number);
        });
        wanted
    }

    async fn stop(self: Box<Self>) {
        self.0.stop().await;
    }
}

/// What stands in one record: the path of each element with a text, in order.
type Record = Vec<(String, String)>;

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// Every record of a kind, by id.
    async fn all(&self, kind: &str, view: &str, name: &str) -> Outcome<Vec<(String, Record)>> {
        let mut ids = Vec::new();
        let mut token = String::new();
        loop {
            let body = format!(
                "<p:GetRecords><p:RecordType>{kind}</p:RecordType><p:PageSize>200</p:PageSize>{token}</p:GetRecords>"
            );
            let page = self.ask("core", "GetRecords", &body).await?;
            ids.extend(page.iter().filter(|(path, _)| path.ends_with("/Record/ID")).map(|(_, id)| id.clone()));
            match page.iter().find(|(path, _)| path.ends_with("/ContinuationToken")) {
                Some((_, next)) => token = format!("<p:ContinuationToken>{next}</p:ContinuationToken>"),
                None => break,
            }
        }
        let mut records = Vec::new();
        for id in ids {
            let body =
                format!("<p:{view}><p:{name}ID>{id}</p:{name}ID><p:{name}IDType>INTERNAL</p:{name}IDType></p:{view}>");
            records.push((id, self.ask("personnel", view, &body).await?));
        }
        Ok(records)
    }

    async fn ask(&self, service: &str, action: &str, body: &str) -> Outcome<Record> {
        let security = format!(
            "<w:Security xmlns:w=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\">\
             <w:UsernameToken><w:Username>local:gateway</w:Username><w:Password Type=\"http://docs.oasis-open.org/wss/\
             2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText\">{SECRET}</w:Password></w:UsernameToken>\
             </w:Security>"
        );
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:p=\"urn:example:ehr:epic-like:personnel:1\"><s:Header>{}</s:Header><s:Body>{body}</s:Body></s:Envelope>",
            if service == "personnel" { security.as_str() } else { "" }
        );
        let mut request = self
            .http
            .post(format!("{}/{service}", self.base))
            .header(
                "content-type",
                format!("application/soap+xml; action=\"urn:example:ehr:epic-like:personnel:1/{action}\""),
            )
            .body(envelope);
        if service == "core" {
            request = request.basic_auth("gateway", Some(SECRET));
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            return Err(format!("{action}: {status}: {text}").into());
        }
        texts(&text)
    }
}

/// Each element's text with its path of local names.
fn texts(xml: &str) -> Outcome<Record> {
    let mut reader = Reader::from_str(xml);
    let (mut path, mut found) = (Vec::new(), Record::new());
    loop {
        match reader.read_event()? {
            Event::Start(element) => {
                path.push(element.local_name().as_ref().to_owned());
                found.push((path.join("/"), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, value)) = found.last_mut() {
                    value.push_str(&text);
                }
            }
            Event::End(_) => {
                path.pop();
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn first(record: &Record, name: &str) -> String {
    let end = format!("/{name}");
    record.iter().find(|(path, _)| path.ends_with(&end)).map(|(_, text)| text.clone()).unwrap_or_default()
}

fn account(record: &Record, providers: &BTreeMap<String, String>) -> (String, Account) {
    let all =
        |end: &'static str| record.iter().filter(move |(path, _)| path.ends_with(end)).map(|(_, text)| text.clone());
    let number = record
        .windows(2)
        .find(|pair| matches!(pair, [(_, _), (path, kind)] if path.ends_with("/UserIDs/Type") && kind == "EMPLOYEE"))
        .and_then(|pair| pair.first())
        .map(|(_, id)| id.clone())
        .unwrap_or_default();
    let templates = all("/LinkedTemplates/TemplateID").map(|id| format!("template:{id}"));
    let departments = all("/DefaultLoginDepartmentID").filter(|id| !id.is_empty()).map(|id| format!("department:{id}"));
    let holds: BTreeSet<String> = templates.chain(departments).collect();
    let enabled = first(record, "IsActive") == "true" && first(record, "IsBlocked") != "true";
    let provider = providers.get(&first(record, "LinkedProviderID")).cloned();
    let facts = BTreeMap::from([("family name", first(record, "Last")), ("npi", provider.unwrap_or_default())]);
    (number, Account { enabled, facts, holds })
}
