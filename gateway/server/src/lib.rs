//! The one program: it reads the configuration, builds everything, opens the doors, and talks to a gateway that runs.
//!
//! Only this crate names concrete connectors ([`kinds`]), reads the environment, the machine's clock and secrets, and decides
//! what is printed.

mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod environment;
mod host;
pub mod kinds;
#[cfg(feature = "demo")]
pub mod kit;
mod late;
mod lines;
pub mod logging;
pub mod scaffold;
pub mod secrets;
pub mod target_file;
pub mod wire;

use connector_spi::ConnectorType;
use kinds::Kinds;
use std::process::ExitCode;

/// The program, to which kinds of connectors can be added before it runs:
/// `gateway_server::builder().register::<MyConnector>().run()`.
#[must_use]
pub fn builder() -> Builder {
    Builder { kinds: Kinds::built_in() }
}

/// See [`builder`].
#[derive(Clone)]
pub struct Builder {
    kinds: Kinds,
}

impl Builder {
    /// Adds a kind of connector; a built-in one of the same name is replaced.
    #[must_use]
    pub fn register<T: ConnectorType>(mut self) -> Self {
        self.kinds = self.kinds.with::<T>();
        self
    }

    /// Reads the command line and does what it says.
    #[must_use]
    pub fn run(self) -> ExitCode {
        // First of all: whatever speaks TLS takes its cryptography from here. A second one cannot be installed, and there is
        // none before it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let code = cli::run(&self.kinds);
        lines::flush();
        code
    }
}
