//! One function per requirement of RFC 7643, RFC 7644 and RFC 9865, named by its section, over HTTP against a gateway that runs
//! as a process.
//!
//! What is true of every stored resource type is asked of User and of a type that a deployment added by a JSON file, in one
//! suite ([`given::subjects`]); what the dialects differ in stands in [`dialects`].

pub mod given;

mod bulk;
mod cursors;
mod dialects;
mod discovery;
mod filters;
mod groups;
mod lifecycle;
mod paging;
mod patches;
mod projections;
mod values;
mod versions;
