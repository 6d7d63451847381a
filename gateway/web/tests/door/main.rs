//! The doors, over sockets, on an engine with a store in memory and no targets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod admin;
mod bounds;
mod discovery;
mod faults;
mod house;
mod log;
mod ops;
mod paging;
mod refusals;
mod resources;
mod tls;
