//! The declarative SOAP connector: a target that speaks XML over HTTP, with an envelope of SOAP 1.1 or 1.2 or with none, is
//! described in a file, and this crate carries the description out. No target has code of its own here.
//!
//! The parts, from pure to impure: [`Config`] is what is written in the file; `plan` is the same, checked and compiled;
//! `document` reads XML into a tree, within limits; `place` finds things in it; `template` is a request with places for
//! values; `envelope`, `security` and `fault` are SOAP's own; `record` turns an answer into a
//! [`Record`](connector_spi::Record) and `days` its dates into instants; `error` turns a refusal into a class; `service` is
//! an open service with its credentials, `exchange` sends one request through `connector-http`; `lookup` reads, `run` carries
//! a change out in the order that `connector-declared` gives; `work` knows what a target takes on for later, and creates of several
//! steps; `connector` and `facet` are the contract itself.
//!
//! Decisions:
//!
//! * **A value is never markup.** A template is read into a tree when the file is; filling it gives a tree of elements; the
//!   writer escapes what stands in it. There is no moment at which a value is spliced into text, so there is nothing to get
//!   wrong in a file either. What XML cannot carry at all is refused with the attribute's name, before anything is sent.
//! * **The contract is the file, not the WSDL.** Generators make code for one target, and real services differ from their
//!   WSDL. A request is an example of itself, which an integrator can read beside the vendor's manual.
//! * **An answer is believed only when it is the one that was asked for**: one element of the expected name in an envelope of
//!   the expected version. A login page, another namespace, a cut-off body are unknown outcomes, and a write is then looked up
//!   before it is tried again. A document type is refused unread: entities and outside files are what it is for.
//! * **A target may be several services** with several ways of telling who calls; all of them together are one target.
//! * **The target's clock counts**, for the freshness of a token and for whether an account has ended. It is read off its
//!   answers: a gateway whose clock is wrong is no reason for a refusal, and a connector has no clock.
//! * **SPML and its like are this connector too**: without an envelope, the failure stands inside a success.
//! * **A target's own words are not passed on** unless the file says that they hold no personal data, and even then the values
//!   that were sent are taken out.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod config;
mod connector;
mod days;
mod document;
mod envelope;
mod error;
mod exchange;
mod facet;
mod fault;
mod lookup;
mod place;
mod plan;
mod record;
mod request;
mod run;
mod security;
mod service;
mod template;
mod variables;
mod work;

pub use config::Config;

use async_trait::async_trait;
use connector_spi::{ConfigIssue, ConnError, Connector, ConnectorType, Declared, Host, Result};
use std::{collections::BTreeMap, sync::Arc};

/// Target files that come with the gateway, as `(profile, TOML)`: everything of a target but its address and its secrets.
pub const PROFILES: [(&str, &str); 2] = [
    ("epic-like", include_str!("../../profiles/epic-like.toml")),
    ("oracle-health-like-spml", include_str!("../../profiles/oracle-health-like-spml.toml")),
];

/// `kind = "soap"`.
#[derive(Debug, Clone, Copy)]
pub struct Soap;

#[async_trait]
impl ConnectorType for Soap {
    type Config = Config;
    const NAME: &'static str = "soap";

    fn check_config(config: &Config) -> Vec<ConfigIssue> {
        plan::Plan::compile(config).err().unwrap_or_default()
    }

    fn declared(config: &Config) -> Declared {
        plan::Plan::declared(config)
    }

    async fn open(config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let mut plan = plan::Plan::compile(&config).map_err(|issues| {
            let first = issues.into_iter().next();
            let text = first.map(|issue| format!("{}: {}", issue.pointer, issue.message)).unwrap_or_default();
            ConnError::config(text)
        })?;
        let mut services = BTreeMap::new();
        for (name, service) in std::mem::take(&mut plan.services) {
            services.insert(name, service::Service::open(service, &config.http, Arc::clone(&host)).await?);
        }
        Ok(Arc::new(connector::SoapConnector { services, plan }))
    }
}
