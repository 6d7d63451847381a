//! The conformance kit: the contract between Chartgate and its connectors as checks that can be run.
//!
//! The same checks test a connector in Rust, a declarative file and a plugin process. An integrator brings a [`Subject`]: the
//! connector's kind, a configuration that works, a [`Fixture`] of legal values and, where there is one, a [`FaultProxy`] between
//! the connector and its target. [`run`] gives a [`Report`]; [`assert_required`] also refuses a connector that passes only
//! because it declares less than its kind must have.
//!
//! ```
//! use connector_testkit::{Memory, Subject, assert_required, run};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // In place of the model: Subject::new(Arc::new(Erase::<MyType>::new()), my_config, my_fixture) and what else there is.
//! let subject: Subject = Memory::new().subject();
//! let report = run(&subject).await;
//! println!("{report}");
//! assert_required("memory", &report);
//! # }
//! ```
//!
//! Each check is one function, named by a sentence of the contract; `checks.rs` lists them all. A kit that finds no fault where
//! there is one is worse than none: [`faulty`] holds one deliberately wrong connector per check, and a test proves that
//! exactly that check fails for it. [`Memory`] is the model that passes them all, and a target for the tests of others.

mod bench;
mod capture;
mod checks;
#[cfg(feature = "databases")]
pub mod database_proxy;
pub mod faults;
pub mod faulty;
pub mod foreign;
pub mod host;
pub mod hostile;
mod http_proxy;
mod kit;
mod ldap_proxy;
pub mod lost;
pub mod memory;
pub mod odd;
pub mod report;
pub mod required;
mod shipped;
pub mod subject;

#[cfg(feature = "databases")]
pub use database_proxy::DatabaseProxy;
pub use faults::{Fault, FaultProxy};
pub use host::TestHost;
pub use http_proxy::{HttpProxy, Names};
pub use kit::{names, run, run_only};
pub use ldap_proxy::{LdapProxy, LdapWrite};
pub use memory::Memory;
pub use report::{Report, Row, Verdict, table};
pub use required::{assert_required, required};
pub use shipped::{laid_over, settings};
pub use subject::{Fixture, KindFixture, StateProbe, Subject, Wire};

#[cfg(test)]
mod tests;
