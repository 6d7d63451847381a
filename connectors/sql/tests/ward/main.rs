//! The shipped profile over real databases: what the tables hold afterwards, and what the system makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod after;
mod endings;
mod foreign;
mod hostile;
mod lost;
mod queue;
mod settings;
mod sql_server;
#[path = "../support/mod.rs"]
mod support;
mod tls;
