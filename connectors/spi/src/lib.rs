//! The contract between Chartgate and everything that can hold an account.
//!
//! A connector speaks one protocol and knows nothing else: no policy, no schedule, no memory. The gateway decides what is
//! wanted, computes the difference to what was last seen and hands it over as one [`Change`]; the connector carries it out
//! and says what happened. Three decisions shape this crate:
//!
//! * **Entitlements are not attributes.** Access in a clinical system is a triple of type, value and scope; packed into a
//!   string it could not be compared, reviewed or limited in time.
//! * **"Not read" never looks like "empty".** [`Record::entitlements`] is an `Option`, a [`Page`] says whether it is
//!   complete, and a removal may only be computed from a complete read. The opposite is the fault that revokes a hospital.
//! * **An error says whether the target may have changed** ([`Effect`]), besides what kind it is ([`Class`]). Those two
//!   alone decide what the gateway does next; nobody parses a message.
//!
//! Every write may be run twice. A connector never retries a write and never sleeps: the due link is the retry.

pub mod connector;
pub mod entitlement;
pub mod error;
pub mod host;
pub mod kind;
pub mod op;
pub mod page;
mod plain;
pub mod record;
pub mod schema;
pub mod secret;
pub mod value;

pub use connector::{
    BatchOp, Batcher, Connector, Ctx, Discoverer, Effect as EffectFacet, Lister, Outcome, Passwords, Syncer, Tickets,
};
pub use entitlement::{Entitlement, EntitlementChange};
pub use error::{Class, ConnError, Effect, Result};
pub use host::{Host, HttpBody, HttpRequest, HttpResponse, Level};
pub use kind::{ConfigIssue, ConnectorType, Declared, DeclaredEntitlement, DeclaredKind, Erase, ErasedType};
pub use op::Op;
pub use page::{Cursor, Page, SyncEvent, SyncToken};
pub use record::{
    AccountState, Attrs, Change, Created, Delta, Effective, Health, Kind, NativeId, PartFailure, Pending, Record,
    TicketState, Updated,
};
pub use schema::{AttrSchema, KindCaps, KindRole, KindSchema, Provenance, ReadAfterWrite, TargetSchema, ValueType};
pub use secret::{Secret, SecretRef};
pub use value::Value;

/// The version of this contract, as (major, minor). A plugin or a declarative file states the major it was written for.
pub const SPI: (u16, u16) = (1, 0);
