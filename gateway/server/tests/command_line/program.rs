//! Running the program.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program in a folder, with nothing of this machine's environment that means something to it.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartgate"));
    command.current_dir(folder).env_clear().env("SAMPLE_PASSWORD", "sample").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Ran {
    Ran::of(program(folder).args(arguments).output().unwrap())
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
