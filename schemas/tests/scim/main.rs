//! The crate seen from outside: one binary, a module for each subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bulk;
mod clinical;
mod dialects;
mod filter;
mod filter_property;
mod given;
mod hostile;
mod like_user;
mod matching;
mod patch;
mod patch_property;
mod projection;
mod providers;
mod query;
mod resource;
mod samples;
mod types;
