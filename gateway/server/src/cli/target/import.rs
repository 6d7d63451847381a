//! `chartgate target import`: a starting file from a WSDL or an OpenAPI description.

use crate::cli::paper::{Tone, print, tone};
use crate::cli::{Failure, Outcome, place};
use crate::config::files;
use crate::kinds::Kinds;
use crate::target_file::{self, import};
use clap::Args;
use std::fs::OpenOptions;
use std::io::Write;

#[derive(Debug, Args)]
pub struct Import {
    /// A WSDL 1.1, or OpenAPI 3 in JSON or YAML. Nothing that it refers to is fetched.
    file: String,
    /// Write to this file, which must not be there yet, instead of printing.
    #[arg(long, value_name = "FILE")]
    to: Option<String>,
}

impl Import {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        let text = files::text(&self.file).map_err(|error| Failure(format!("{}: {error}", self.file)))?;
        let imported = import::import(&text).map_err(|error| Failure(format!("{} {error}", self.file)))?;
        let Some(path) = &self.to else {
            print(&imported.text);
            return Ok(true);
        };
        let cannot = |error: std::io::Error| Failure(format!("{path} cannot be written: {}", error.kind()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(cannot)?;
        file.write_all(imported.text.as_bytes()).map_err(cannot)?;
        let reading = target_file::read(path, imported.text, None, kinds);
        print(&place::list(&reading.problems));
        let sound = reading.problems.is_empty();
        let (mark, verdict) = if sound { (Tone::Good, "sound") } else { (Tone::Bad, "not sound") };
        print(&format!("{}\n", tone(mark, &format!("{path}: kind {}, {verdict}; read its comments", imported.kind))));
        Ok(sound)
    }
}
