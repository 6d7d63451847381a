//! All of SCIM: what it means, and nothing about carrying it out. No I/O, no clock, no async.
//!
//! # What it owns
//! The schemas (`json/`, the source of truth: ours and a deployment's pass one reader), resource types, the reading of
//! bodies, PATCH, filters, queries and Bulk, the matching of a filter, the projection of an answer, and SCIM's errors.
//! RFC 7643, 7644 and 9865 with the errata that change something.
//!
//! # The key decision: one tolerant door, one strict model
//! Identity providers send a dozen dialects of the same thing: text for Booleans, bare ids for managers, JSON text for roles,
//! paths as names, elements that are not there. A [`Dialect`] is looked at while a request is parsed and never after it:
//! what leaves [`Resource::parse`] and [`Patch::parse`] is canonical, and every choice that a dialect makes for later (is an
//! element made, may a filter match several, is a complex value merged) is written into the change itself. So the store, the
//! rules and the connectors see RFC data only, and a dialect can be added without reading them. The other way, a flag that
//! travels along, ends in a condition in every crate.
//!
//! # Types are data, values are JSON
//! A User is not a Rust struct. A hospital adds resource types by file, and these must behave as User does, so everything
//! here works on a schema and `serde_json` values; `tests/scim/like_user.rs` holds both to one suite. What is stored is an
//! object with sorted names in the schema's spelling and nothing unassigned in it: equal resources are equal bytes. A group's
//! members are not part of it, for they are rows: PATCH reads them to [`MemberOp`]s, whose cost does not grow with the group.
//!
//! # Choices where the RFCs leave room
//! - `ne` is true of an absent attribute, see [`matches()`]. A filter on what is never returned is 403 `sensitive`.
//! - A remove with values takes out those values in every dialect: to take it for "all of them" would wipe by mistake.
//! - A remove whose filter matches nothing is no error in `tolerant` (providers deliver twice), and `noTarget` elsewhere.
//! - Read-only attributes in a path-less PATCH are ignored as in PUT (Okta sends a group's id with its name); a path to one
//!   is `mutability`.
//! - Adding a value that is there (the same `value`, and the same `type` where the new one has one) adds to that value.
//! - A new `value` in a complex attribute takes the old `$ref` and the read-only parts away: they said something of the old one.
//! - The flat attributes of the clinical extension are another way to say its lists; the module of that name tells how.
//!
//! # Bounds
//! JSON 64 levels; a filter 32 levels, 256 terms and 16 KiB; a PATCH 5,000 operations and four million comparisons; an
//! attribute 2,000 values (members are not counted). All of it runs on a stack of 256 kB, which the tests hold it to.

mod aliases;
mod bulk;
mod clinical;
mod complete;
mod config;
mod deployment;
mod dialect;
mod error;
mod filter;
mod filter_parse;
mod json;
mod load;
mod matches;
mod message;
mod names;
mod okta;
mod patch;
mod patch_apply;
mod patch_members;
mod patch_parse;
mod path;
mod project;
mod query;
mod resource;
mod schema;
mod sort;
mod types;
mod value;
mod written;

pub use aliases::*;
pub use bulk::*;
pub use config::*;
pub use dialect::{Breach, Context, Dialect, UnknownDialect};
pub use error::{ERROR, ScimError, ScimType};
pub use filter::{Filter, Literal, Op};
pub use json::{MAX_DEPTH, parse_json};
pub use load::TypeError;
pub use matches::{Doc, fold, matches};
pub use message::*;
pub use okta::{OKTA_ENTITLEMENT, OKTA_ROLE, okta_document, okta_types};
pub use patch::{MemberOp, Patch, member_matches};
pub use path::{AttrKey, AttrPath, PatchPath};
pub use project::{Meta, MetaOut, Projection, document};
pub use query::*;
pub use resource::{Member, Parsed, Resource};
pub use schema::{Attribute, Mutability, Returned, SCHEMA, Schema, Type, Uniqueness};
pub use sort::*;
pub use types::*;

/// A JSON object. Its members are sorted by name, which makes its text canonical.
pub type Object = serde_json::Map<String, serde_json::Value>;
