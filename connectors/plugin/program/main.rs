//! The programs of the tests: a connector whose target is reached through the gateway's door, the sample of the SDK (`pager`),
//! one that answers at once for the benchmarks (`steady`), and plugins that do harm (`hostile HARM`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a program of tests")]

mod far;
mod hostile;
#[path = "../sdk/rust/examples/pager/main.rs"]
mod pager;
mod steady;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The SDK reads the arguments; the program's own choice is therefore in the environment.
    #[allow(clippy::disallowed_methods)] // A program of tests; the gateway clears the environment and sets this.
    let mode = std::env::var("MODE").unwrap_or_default();
    match mode.strip_prefix("hostile ") {
        Some(harm) => hostile::run(harm),
        None if mode == "steady" => chartgate_plugin::serve::<steady::Steady>(),
        None if mode == "pager" => chartgate_plugin::serve::<pager::Pager>(),
        None => chartgate_plugin::serve::<far::Far>(),
    }
}
