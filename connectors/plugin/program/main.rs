//! The programs of the tests: a connector whose target is reached through the gateway's door (`far`), and plugins that do harm
//! (`hostile MODE`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program of tests")]

mod far;
mod hostile;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The SDK reads the arguments too; the program's own choice is therefore in the environment.
    #[allow(clippy::disallowed_methods)] // A program of tests; the gateway clears the environment and sets this.
    let mode = std::env::var("MODE").unwrap_or_default();
    match mode.strip_prefix("hostile ") {
        Some(harm) => hostile::run(harm),
        None => chartgate_plugin::serve::<far::Far>(),
    }
}
