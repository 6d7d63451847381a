//! Finding the configuration, and going to its folder.

use super::{ConfigFile, Failure};
use crate::config::{Problem, Reading, load};
use crate::kinds::Kinds;
use std::path::{Path, PathBuf};

const DEFAULT: &str = "chartgate.toml";

/// A configuration whose folder is now the current one.
pub struct Found {
    /// Its name in that folder.
    name: String,
    /// The folder as it was written on the command line; empty where none was.
    folder: PathBuf,
}

impl ConfigFile {
    /// Whether a file was named, or stands where it is looked for.
    pub fn is_there(&self) -> bool {
        self.config.is_some() || Path::new(DEFAULT).is_file()
    }

    /// Goes to the configuration's folder, so that every relative path in it, those that connectors open included, starts
    /// there. Nothing else may run yet.
    pub fn enter(&self) -> Result<Found, Failure> {
        let path = Path::new(self.config.as_deref().unwrap_or(DEFAULT));
        if !path.is_file() {
            let named = path.display();
            return Err(Failure(match self.config {
                Some(_) => format!("there is no file {named}"),
                None => format!("there is no {named} here; name the configuration by --config FILE"),
            }));
        }
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !folder.as_os_str().is_empty() {
            std::env::set_current_dir(&folder)
                .map_err(|error| Failure(format!("{}: {}", folder.display(), error.kind())))?;
        }
        Ok(Found { name, folder })
    }
}

impl Found {
    /// Reads it. Files in what is told are named as they are seen from where the command was given.
    pub fn load(&self, kinds: &Kinds) -> Reading {
        let mut reading = load(&self.name, kinds);
        let all = [&mut reading.problems, &mut reading.unreachable, &mut reading.warnings];
        for problem in all.into_iter().flatten() {
            let of_file = !problem.file.starts_with("profile ") && !problem.file.starts_with("CHARTGATE_");
            if of_file {
                problem.file = self.folder.join(&problem.file).display().to_string();
            }
        }
        reading
    }

    /// The file as it was named.
    pub fn shown(&self) -> String {
        self.folder.join(&self.name).display().to_string()
    }
}

/// Problems, one after the other, and how many there are.
pub fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}
