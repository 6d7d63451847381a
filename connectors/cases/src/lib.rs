//! Cases of a target file: one call of the contract, what the target was asked and what it said, and what must come of it.
//!
//! A file that describes a target is a program, and its author has no other way to test it than against the target itself,
//! which is a hospital's. So the cases stand in the file (`[[test]]`), are recorded once against the real thing, and run
//! anywhere afterwards. The parts: `case` is what is written; `call` carries a call out; `replay` is the target that only
//! says what was recorded; `record` listens in on a real one; `difference` compares, and `xml` does where a body is XML; `run`
//! is one case from its settings to its [`Verdict`]; `invent` takes persons out of a recording, and `write` puts it into a file.
//!
//! Decisions:
//!
//! * **The connector under test is the one that serves, whole.** The replay is an HTTP server on the loopback, and the file's
//!   address is pointed at it. Escaping, header fields, connections that break: all of it is what the target would see, and no
//!   connector has a branch for tests. The price is a socket; no name is looked up and nothing leaves the machine.
//! * **A database is a database.** A case of `kind = "sql"` runs on an SQLite database that the case fills. A script of
//!   statements and canned rows would only say that the file says what the file says; a real engine finds the column that is
//!   misspelt and the constraint that is broken. What it cannot find is what only another engine would refuse.
//! * **Every exchange is used, in order, and nothing else is asked.** A request that no exchange expects fails the case with
//!   what differs from the next one; so does an exchange that nobody asked for. What any case may ask any number of times (a
//!   server's own description) stands once, in `[test_setup]`.
//! * **Who calls is not part of a case.** Credentials, tokens and trust are the door's affair, tested with it, and would put
//!   secrets into a file that is shared. They are taken out of the settings before a case runs, and a recording never sees
//!   them: it stands between the connector and the door.
//! * **JSON is compared by value, XML by name and place**: prefixes, white space between elements and the order of members
//!   say nothing. In a target with envelopes a case holds what stands in the body.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod call;
mod case;
mod difference;
mod invent;
mod record;
mod replay;
mod run;
mod wire;
mod write;
mod xml;

pub use call::{Answer, carry_out};
pub use case::{
    Call, Case, Circumstances, Exchange, Expect, ExpectedError, JsonText, Look, QueryValue, Reply, Request, Setup,
    Suite,
};
pub use difference::{Difference, of_results};
pub use invent::{without, without_persons, without_strangers};
pub use record::{Forward, Recorder, Recording};
pub use replay::Replay;
pub use run::{QuietHost, Sandbox, Stand, Verdict, expected, filled, run};
pub use wire::Heard;
pub use write::{case_text, setup_text};
pub use xml::Prefixes;
