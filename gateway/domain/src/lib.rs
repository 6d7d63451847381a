//! What Chartgate decides, as pure functions.
//!
//! Nothing in this crate reads a clock, a store or a network: facts and `now` come in, a decision comes out. That is why the
//! same [`resolve()`] answers a request, a replayed sweep, "what will she have on 1 August" and "who would change if this rule
//! were edited", and why it can be tested with properties instead of set-ups.
//!
//! The key decision is that **links converge**: [`resolve()`] says what each link should look like ([`Wanted`]), [`diff`] what
//! is missing to get there, [`retry`] when to try again. There is no list of calls to replay, hence no way for one to be lost,
//! repeated or run out of order.

pub mod audit;
pub mod catalogue;
pub mod clock;
pub mod dependency;
pub mod diff;
pub mod gates;
pub mod group;
pub mod holdings;
pub mod id;
pub mod index;
pub mod lifecycle;
pub mod link;
pub mod mapping;
pub mod native;
pub mod policy;
pub mod proposal;
pub mod resolve;
pub mod retry;
pub mod roles;
pub mod source;

pub use audit::{Action, AuditEntry};
pub use clock::Clock;
pub use id::{ResourceId, SourceId, TargetId};
pub use link::{
    Lane, LastError, Link, LinkKey, LinkState, MemberDelta, MemberRef, Members, Origin, Parked, Seen, Sent, Wanted,
    WantedEntitlement,
};
pub use policy::{Policy, PolicyConfig};
pub use resolve::{Resolution, resolve};
pub use source::{Delivery, Discovery, Source, UnknownEntitlements};
