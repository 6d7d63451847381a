//! The plugin: the connector as a process.

use connector_spi::Erase;
use std::{process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    let kind = Arc::new(Erase::<@SNAKE@::@CLASS@>::new());
    chartgate_plugin::Plugin::new(kind).version(env!("CARGO_PKG_VERSION")).serve()
}
