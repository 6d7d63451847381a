//! Expressions, body templates and typed builders: how a value gets from a resource into a target's language.
//!
//! The crate is pure: no I/O, no clock (`now` is an argument), no thread, nothing of ours below it.
//!
//! - [`Expr`]: CEL expressions, compiled against an [`Env`] of declared variables, evaluated over [`Vars`].
//! - [`Template`]: request bodies in minijinja, in which a value can never change the structure around it.
//! - [`build`]: DNs, LDAP filter values, URLs, XML text and JSON members from values, each escaped by its own rules.
//!
//! # The key decision: CEL's grammar, our checker, our evaluator
//! The `cel` crate is used for its parser only. Its interpreter has no budget and cannot be stopped (four nested `map`s
//! over 100 elements take minutes), makes an error of selecting from null, and copies each element that a macro visits.
//! Wrapping every operator to cure that would have left nothing of it but the dispatch. So the parser's tree is checked
//! and turned into our own, which borrows from the variables and spends from a budget. `tests/agreement.rs` holds it
//! against cel's interpreter: wherever that gives a value, ours gives the same; where it fails, so does ours.
//!
//! # Null
//! What is absent is null, and null is no error:
//!
//! | with null | gives |
//! |---|---|
//! | selecting, indexing; an index or key that is not there | null |
//! | `==`, `!=` | null equals only null |
//! | `<`, `<=`, `>`, `>=` | false |
//! | `&&`, `\|\|`, `!`, the condition of `?:` and of macros | null counts as false |
//! | `+ - * / %`, negation | null: a half-made value is never written; use `coalesce` |
//! | `x in null`; macros over null | false; as over an empty list |
//! | `startsWith`, `endsWith`, `contains`, `matches` | false |
//! | `size(null)` | 0 |
//! | `has(x.y)` | false, and also for an empty list (RFC 7643 section 2.5) |
//! | `coalesce`, `first`, `join`, `lookup` | pass over nulls; `lookup` of null gives the default |
//! | every other function | null |
//!
//! # The library
//! Every function may be written `f(x, y)` or `x.f(y)`.
//!
//! | function | gives |
//! |---|---|
//! | `lower(t)` `upper(t)` `trim(t)` | Unicode case; without white space at both ends |
//! | `left(t, n)` `right(t, n)` | the first or last n characters |
//! | `pad(t, width, fill)` | filled up on the left, with a space if `fill` is left out; at most 1,024 characters |
//! | `replace(t, from, to)` `split(t, by)` `join(list, by)` | every occurrence; parts; without nulls |
//! | `matches(t, pattern)` | the `regex` crate's syntax, found anywhere; the pattern is literal; t up to 8 KiB |
//! | `ascii_fold(t)` `slug(t)` `digits(t)` | without marks, in ASCII; `a-z0-9-`; ASCII digits only |
//! | `e164(t, country)` | `+` and 7 to 15 digits, or null; `country` is a calling code such as `'1'` |
//! | `timestamp(t)` | the instant of RFC 3339 text or of a date (midnight UTC) |
//! | `date(x, format, zone)` | strftime's letters; zone by its name in the [`Env`], UTC if left out; a bare date stays its day |
//! | `add_days(x, n)` | calendar days on a date (gives a date), 24 hours each on an instant |
//! | `lookup(table, key, default)` | the table's row; its name is literal |
//! | `coalesce(x, …)` | the first that is not null |
//! | `first(list)` `primary(list)` | the first that is not null; the one marked primary, else the first |
//! | `unique_suffix(n)` | nothing for candidate 0, then 2, 3, … with at least n digits ([`Vars::candidate`]) |
//! | `hash8(t)` | the first 8 hexadecimal digits of SHA-256 |
//! | `startsWith` `endsWith` `contains` `size` `string` `int` | as in CEL; `contains` also for lists |
//! | `all` `exists` `exists_one` `map` `filter` `has` | CEL's macros, one deep |
//! | `now` | a variable: the instant of the evaluation |
//!
//! Timestamps are compared with text that spells one. Unsigned numbers, byte strings, durations, messages and optional
//! values of CEL do not exist here; integers and decimals may be mixed.
//!
//! # Limits
//! Source 8 KiB, brackets 9 deep, 100 operators in a chain and 1,000 in all; lists 1,000 elements; texts 64 KiB each and
//! 1 MiB per evaluation; 200,000 steps. The nesting limit is so low because the parser recurses deeply.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod arguments;
pub mod build;
mod check;
mod env;
mod error;
mod eval;
mod expr;
mod functions;
mod node;
mod shape;
mod template;
mod text;
mod value;

pub use env::{Env, Type};
pub use error::{EvalError, EvalErrorKind, ExprError};
pub use expr::{Expr, Vars};
pub use functions::names as function_names;
pub use template::{Format, Template};
