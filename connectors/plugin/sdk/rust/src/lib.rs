//! The SDK for plugins in Rust: turns a connector into a process that the gateway starts or dials.
//!
//! A plugin is any [`ConnectorType`], so what was written to be linked into the gateway runs out of it without a change:
//!
//! ```no_run
//! # use connector_spi::{Connector, ConnectorType, Host, Result};
//! # #[derive(serde::Deserialize, schemars::JsonSchema)] struct Settings {}
//! # struct Pager;
//! # #[async_trait::async_trait] impl ConnectorType for Pager {
//! #     type Config = Settings; const NAME: &'static str = "pager";
//! #     async fn open(_: Settings, _: std::sync::Arc<dyn Host>) -> Result<std::sync::Arc<dyn Connector>> {
//! #         Err(connector_spi::ConnError::config("there is no pager"))
//! #     }
//! # }
//! fn main() -> std::process::ExitCode {
//!     chartgate_plugin::serve::<Pager>()
//! }
//! ```
//!
//! Without arguments it serves standard input and output (the gateway's child process); with `--socket PATH` a Unix socket,
//! where each connection is a connector of its own. The SDK does the rest of the wire: calls run concurrently, a call that the
//! gateway gives up is dropped where it waits, a deadline is kept, a panic becomes an `Unknown`, and
//! [`Host`](connector_spi::Host) is the gateway at the other end. Whatever the program prints goes to standard error, which
//! the gateway writes to its log: no secrets and no person's data there.
//!
//! Decisions:
//!
//! * **One [`Line`](line::Line) for both ends.** The gateway's side (`connector-plugin`) uses the same code for messages,
//!   bounds and cancelling, and the same [`wire`] types. Two implementations would be two protocols.
//! * **Nothing of ours but the contract.** An author's dependency tree is this crate, `connector-spi`, serde and tokio.
//! * **No state outlives a connection**, so a gateway that starts anew finds a plugin as it found it first.

mod far;
pub mod frame;
pub mod line;
mod serve;
mod session;
pub mod wire;

use connector_spi::{ConnectorType, Erase, ErasedType};
use std::{process::ExitCode, sync::Arc};

/// Serves a connector until the gateway ends it. To be called from `main`, with nothing printed before.
pub fn serve<T: ConnectorType>() -> ExitCode {
    Plugin::new(Arc::new(Erase::<T>::new())).serve()
}

/// A plugin: a kind of connector, with what it says of itself in the handshake.
pub struct Plugin {
    pub(crate) kind: Arc<dyn ErasedType>,
    pub(crate) name: String,
    pub(crate) version: String,
}

impl Plugin {
    /// A plugin of this kind, named as the kind is; its version is the contract's until [`Plugin::version`] says better.
    #[must_use]
    pub fn new(kind: Arc<dyn ErasedType>) -> Self {
        let (major, minor) = connector_spi::SPI;
        Self { name: kind.name().to_owned(), version: format!("{major}.{minor}"), kind }
    }

    /// With its own version: `env!("CARGO_PKG_VERSION")` of the plugin's crate.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Serves until the gateway ends it. To be called from `main`, with nothing printed before.
    pub fn serve(self) -> ExitCode {
        serve::run(self)
    }
}
