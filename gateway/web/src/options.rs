//! What the door is opened with.

use crate::tls::Certificate;
use prometheus_client::registry::Registry;
use std::{net::TcpListener, sync::Arc, time::Duration};

/// Where and how to listen.
pub struct Options {
    /// The socket, bound already: whoever starts the gateway knows best where, and port 0 is for tests.
    pub listener: TcpListener,
    /// With a certificate: HTTPS by TLS 1.2 and 1.3. Without: plain HTTP, for a loopback address or behind a proxy.
    pub tls: Option<Arc<Certificate>>,
    /// What clients call this service, such as `https://scim.hosp.example`; `meta.location` and `Location` are made of it.
    /// Without it they are made of each request's `Host` header, which is right as long as nothing rewrites that header.
    pub public_url: Option<String>,
    /// Threads that serve requests; 0 is one per processor.
    pub workers: usize,
    /// What is taken and for how long it is waited.
    pub limits: Limits,
    /// Figures that others have registered, the connectors' among them; `/metrics` shows them beside those of the door.
    pub registry: Registry,
}

impl Options {
    /// Plain HTTP on this socket with default limits.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            tls: None,
            public_url: None,
            workers: 0,
            limits: Limits::default(),
            registry: Registry::default(),
        }
    }
}

/// Bounds on what one client can take from the others.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes in the body of a single request; 8 MiB.
    pub body: usize,
    /// Bytes in the body of a Bulk request; 1 MiB.
    pub bulk_body: usize,
    /// Operations in a Bulk request; 1,000.
    pub bulk_operations: usize,
    /// Time for a request's head to arrive, counted from the connection; 5 s.
    pub head: Duration,
    /// Time for a request's whole body to arrive; 30 s.
    pub body_deadline: Duration,
    /// Time that a connection stays open between requests; 60 s.
    pub idle: Duration,
    /// Time that a client may leave sent bytes unread before its connection is cut; 30 s.
    pub unread: Duration,
    /// Connections at a time, over all workers; 10,000.
    pub connections: usize,
    /// Time that a running listing may take before it is answered 400 `tooMany`; 5 s.
    pub query: Duration,
    /// Resources on a page where the client does not say; 100.
    pub page: u32,
    /// Most resources on a page; 1,000.
    pub max_page: u32,
    /// Time that running requests have to finish once the gateway is told to stop; 9 s.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            bulk_body: 1 << 20,
            bulk_operations: 1_000,
            head: Duration::from_secs(5),
            body_deadline: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            unread: Duration::from_secs(30),
            connections: 10_000,
            query: Duration::from_secs(5),
            page: 100,
            max_page: 1_000,
            stop: Duration::from_secs(9),
        }
    }
}
