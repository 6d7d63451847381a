//! The one door to the network for everything that speaks HTTP: the REST, SOAP and SCIM connectors, and, through
//! `Host::http`, plugins that may not open connections themselves.
//!
//! What it owns: the client and its connections, TLS, the gateway's credentials at a target, and every limit that keeps a
//! target from hurting the gateway. What it does not know: JSON, XML, kinds, attributes. It sends an
//! [`HttpRequest`](connector_spi::HttpRequest) and gives back an [`HttpResponse`](connector_spi::HttpResponse); what a status
//! means is asked separately ([`refusal`]), because a declarative target may know better than the table.
//!
//! Decisions:
//!
//! * **The address is checked where it is used.** A name is resolved by our own resolver, forbidden addresses are taken out of
//!   the answer, and the connection is made to what is left. A check before the request would be a second resolution, which a
//!   hostile name server answers differently.
//! * **Private networks are opened by name.** Most hospital systems have private addresses, so `allow_networks` will be set
//!   nearly always; but it is set to *their* network, and neither loopback nor a cloud's metadata service is part of it.
//! * **Redirects are off**, and where they are on they are followed here and not by the client, so that each hop passes the same
//!   checks and no credential leaves the origin it was configured for.
//! * **Nothing is sent twice**, with one exception: an answer of 401 means that nothing was done, so the secret is read anew
//!   and the request repeated once. That is how a rotated secret is noticed without a restart.
//! * **Whether the target may have changed is decided here**, since only here is known whether a request left
//!   ([`Effect`](connector_spi::Effect)).
//!
//! The wall clock is not read: an HTTP date in `Retry-After` is measured against the answer's own `Date` field, and what must be
//! fresh is made by the clock of the server that checks it ([`ServerTime`]).

mod address;
mod assertion;
mod auth;
mod clock;
mod config;
mod door;
mod error;
mod pace;
mod request;
mod tls;
mod wait;
mod wire;

pub use address::{Names, Network, SystemNames};
pub use clock::{ServerTime, told};
pub use config::{Address, Algorithm, Auth, HttpConfig, OauthStyle, Proxy, Tls};
pub use door::Door;
pub use error::{is_safe, refusal};
pub use request::Request;
pub use wait::retry_after;
