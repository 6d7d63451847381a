//! The program as people and scripts use it: the built binary, its output and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "command_line/check.rs"]
mod check;
#[path = "command_line/connector.rs"]
mod connector;
#[path = "command_line/describe.rs"]
mod describe;
#[path = "command_line/program.rs"]
mod program;
#[path = "command_line/serve.rs"]
mod serve;
#[cfg(feature = "demo")]
#[path = "command_line/target.rs"]
mod target;
#[path = "command_line/token.rs"]
mod token;
