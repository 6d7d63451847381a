//! What becomes of people, through the engine and a target, with everything going wrong on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod dependencies;
mod groups;
mod odd;
mod people;
mod stage;
mod uncertain;
