//! For machines that watch: health and figures. Nothing here is about a person, and none of it needs a token.

pub(crate) mod health;
mod metrics;

pub(crate) use metrics::{Metrics, exposition};
