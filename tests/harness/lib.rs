//! Starts what the tests look at from outside: the gateway as a process of its own, servers as private instances, clients.
//!
//! Nothing here knows the inside of the gateway: it speaks HTTP, LDAP and the command line, and reads what they answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod client;
pub mod directory;
pub mod gateway;
pub mod hospital;
pub mod slapd;

pub use client::{Answer, Client};
pub use directory::TestDirectory;
pub use gateway::Gateway;
pub use hospital::Hospital;
pub use slapd::Slapd;
