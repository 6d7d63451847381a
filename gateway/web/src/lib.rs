//! The doors: SCIM for identity providers, operations for machines that watch, administration for the command line.
//!
//! A handler here is a sentence: parse, ask, answer. Whatever decides something about a person stands in `domain`, whatever
//! writes stands behind `engine`; reads go to the store directly.
//!
//! The key decision is that there is **one function through which every request passes** (`serve.rs`): it finds the place
//! that a path names, asks who speaks, reads the body within its limits, catches a panic and turns every outcome, whichever
//! layer it came from, into an answer that a SCIM client can read. The framework's own routing, extractors and error pages
//! stay unused: they compile a pattern per route, match it for each request, and answer a bad query or an unknown method in a
//! form of their own. A `match` over a handful of path segments is quicker, shows all routes on one page, and knows which
//! methods to name in `Allow`.
//!
//! What is written to the log about a request is its method, the pattern of its route, status, duration, source and a number;
//! never its path, query or body, which are full of names.

mod admin;
mod answer;
mod body;
mod caller;
mod error;
mod ops;
mod options;
mod place;
mod scim;
mod serve;
mod tls;

pub use admin::{Admin, serve_admin};
pub use options::{Limits, Options};
pub use place::{ROUTES, Route};
pub use serve::{Running, serve};
pub use tls::Certificate;
