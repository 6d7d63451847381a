//! Proof from outside: only public surfaces (HTTP, the command line, the targets).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod beginnings;
mod checker;
mod cli;
mod clients;
mod conformance;
mod crash;
mod doors;
mod ends;
mod external;
mod faults;
mod groups;
mod holdings;
mod hostile;
mod layering;
mod outage;
mod own_kind;
mod plugins;
mod requests;
mod tutorials;
