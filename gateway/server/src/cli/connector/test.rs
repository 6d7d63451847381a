//! `chartgate connector test`.

use super::super::paper::{print, print_json};
use super::super::{Failure, Outcome};
use crate::kinds::Kinds;
use crate::kit;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Test {
    /// The target: a TOML file with `kind`, `profile` or `file`, and `settings`, as [[target]] of the gateway's configuration
    /// has them. Relative paths in it start from its own folder.
    #[arg(default_value = "target.toml", conflicts_with = "scim")]
    target: PathBuf,
    /// Legal values of the target; `kit.toml` beside the target's file where it is not given.
    #[arg(long, value_name = "FILE")]
    kit: Option<PathBuf>,
    /// In place of a file: the base address of a SCIM 2.0 server.
    #[arg(long, value_name = "URL")]
    scim: Option<String>,
    /// The environment variable with the bearer token for `--scim`.
    #[arg(long, value_name = "NAME", default_value = "SCIM_TOKEN")]
    token_env: String,
    /// Only checks whose name begins so, such as `create.`; may be given several times.
    #[arg(long, value_name = "BEGINNING")]
    only: Vec<String>,
    /// Also write the report as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Test {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        // Before the folder is left that it is relative to.
        let junit = self.junit.map(std::path::absolute).transpose()?;
        let kit = self.kit.map(std::path::absolute).transpose()?;
        let case = match &self.scim {
            Some(url) => kit::scim(url, &self.token_env, kinds).map_err(Failure)?,
            None => {
                let name = self.target.file_name().map(|name| name.to_string_lossy().into_owned());
                let folder = self.target.parent().unwrap_or(Path::new(""));
                if !folder.as_os_str().is_empty() {
                    std::env::set_current_dir(folder)
                        .map_err(|error| Failure(format!("{}: {}", folder.display(), error.kind())))?;
                }
                let kit = kit.as_deref().unwrap_or(Path::new("kit.toml"));
                kit::case(folder, &name.unwrap_or_default(), kit, kinds).map_err(Failure)?
            }
        };
        // On one thread, so that what the connector's own tasks log is heard too.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let judged = runtime.block_on(kit::run(case, kinds, &self.only)).map_err(Failure)?;
        if let Some(path) = junit {
            let xml = kit::junit(&judged)?;
            fs::write(&path, xml).map_err(|error| Failure(format!("{}: {}", path.display(), error.kind())))?;
        }
        if self.json {
            print_json(&judged.json())?;
        } else {
            print(&format!("{judged}\n"));
        }
        Ok(judged.sound())
    }
}
