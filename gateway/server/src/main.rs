//! The program `chartgate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_server::builder().run()
}
