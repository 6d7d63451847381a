//! The hospital's identity providers: who pushes whom, in whose shape.

use super::Outcome;
use fixtures::traffic::{self, Flavour, Push};
use fixtures::workforce::{Movement, Person, Workforce};
use indicatif::ProgressBar;
use serde_json::Value;
use std::collections::BTreeMap;

/// The identity providers and what they know of the gateway.
pub struct Providers {
    client: reqwest::Client,
    base: String,
    entra: String,
    okta: String,
    users: BTreeMap<usize, String>,
    groups: BTreeMap<(Tenant, String), String>,
}

/// One provider's tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tenant {
    Entra,
    Okta,
}

/// Each person belongs to one provider: two of three to Entra, which sends both of its flavours, the rest to Okta.
fn flavour(person: &Person) -> Flavour {
    match person.number % 3 {
        0 => Flavour::EntraDefault,
        1 => Flavour::EntraOptscim,
        _ => Flavour::Okta,
    }
}

/// The group of a name exists once per provider, and both of Entra's flavours speak of the same one.
fn owner(flavour: Flavour) -> Tenant {
    match flavour {
        Flavour::EntraDefault | Flavour::EntraOptscim => Tenant::Entra,
        Flavour::Okta => Tenant::Okta,
    }
}

impl Providers {
    /// Providers that push to `base`, each with its own token.
    pub fn new(base: &str, entra: String, okta: String) -> Outcome<Providers> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Providers { client, base: base.to_owned(), entra, okta, users: BTreeMap::new(), groups: BTreeMap::new() })
    }

    /// Pushes everybody who works there at the start, then their groups.
    pub async fn start(&mut self, workforce: &Workforce, bar: &ProgressBar) -> Outcome<()> {
        for person in &workforce.people {
            self.join(person).await?;
            bar.inc(1);
        }
        for name in workforce.groups() {
            let members: Vec<&Person> = workforce.members(&name).collect();
            for of in [Flavour::EntraDefault, Flavour::Okta] {
                let theirs = members.iter().filter(|person| owner(flavour(person)) == owner(of));
                let ids: Vec<String> = theirs.filter_map(|person| self.users.get(&person.number).cloned()).collect();
                self.add(of, &name, &ids).await?;
            }
        }
        Ok(())
    }

    /// Pushes what happened since.
    pub async fn go_on(&mut self, workforce: &Workforce, movements: &[Movement], bar: &ProgressBar) -> Outcome<()> {
        for movement in movements {
            match movement {
                Movement::Joined(person) => {
                    self.join(person).await?;
                    let id = self.id(person.number)?;
                    for name in &person.groups {
                        self.add(flavour(person), name, std::slice::from_ref(&id)).await?;
                    }
                }
                Movement::Moved { number, .. } => self.update(person(workforce, *number)?).await?,
                Movement::Left { number } => {
                    let leaver = person(workforce, *number)?;
                    let id = self.id(*number)?;
                    self.send(flavour(leaver), traffic::set_active(flavour(leaver), &id, false)).await?;
                }
            }
            bar.inc(1);
        }
        Ok(())
    }

    async fn join(&mut self, person: &Person) -> Outcome<()> {
        let flavour = flavour(person);
        let found = self.send(flavour, traffic::match_user(flavour, person)).await?;
        if found.get("totalResults").and_then(Value::as_u64) != Some(0) {
            return Err("a joiner was known already".into());
        }
        let manager = person.manager.and_then(|number| self.users.get(&number).cloned());
        let made = self.send(flavour, traffic::create_user(flavour, person, manager.as_deref())).await?;
        let id = made.get("id").and_then(Value::as_str).ok_or("a created user has no id")?;
        self.users.insert(person.number, id.to_owned());
        Ok(())
    }

    async fn update(&mut self, person: &Person) -> Outcome<()> {
        let flavour = flavour(person);
        let id = self.id(person.number)?;
        let read = match flavour {
            Flavour::Okta => {
                Some(self.send(flavour, Push { method: "GET", path: format!("/Users/{id}"), body: None }).await?)
            }
            Flavour::EntraDefault | Flavour::EntraOptscim => None,
        };
        self.send(flavour, traffic::update_user(flavour, &id, person, read.as_ref())).await?;
        Ok(())
    }

    async fn add(&mut self, flavour: Flavour, name: &str, ids: &[String]) -> Outcome<()> {
        let key = (owner(flavour), name.to_owned());
        let group = match self.groups.get(&key) {
            Some(group) => group.clone(),
            None => {
                let made = self.send(flavour, traffic::create_group(flavour, name)).await?;
                let id = made.get("id").and_then(Value::as_str).ok_or("a created group has no id")?.to_owned();
                self.groups.insert(key, id.clone());
                id
            }
        };
        for some in ids.chunks(100) {
            self.send(flavour, traffic::add_members(flavour, &group, name, some)).await?;
        }
        Ok(())
    }

    async fn send(&self, flavour: Flavour, push: Push) -> Outcome<Value> {
        let token = match owner(flavour) {
            Tenant::Entra => &self.entra,
            Tenant::Okta => &self.okta,
        };
        let method = reqwest::Method::from_bytes(push.method.as_bytes())?;
        let mut request = self.client.request(method, format!("{}{}", self.base, push.path)).bearer_auth(token);
        if let Some(body) = &push.body {
            request = request.header("content-type", "application/scim+json").body(serde_json::to_vec(body)?);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if !status.is_success() {
            return Err(format!(
                "{} {} was answered {status}: {}",
                push.method,
                push.path,
                String::from_utf8_lossy(&body)
            )
            .into());
        }
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? })
    }

    fn id(&self, number: usize) -> Outcome<String> {
        self.users.get(&number).cloned().ok_or_else(|| "a person was never pushed".into())
    }
}

fn person(workforce: &Workforce, number: usize) -> Outcome<&Person> {
    workforce.people.get(number).ok_or_else(|| "a movement of nobody".into())
}
