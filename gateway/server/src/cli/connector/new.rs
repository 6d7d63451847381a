//! `chartgate connector new`.

use super::super::paper::print;
use super::super::{Failure, Outcome};
use crate::scaffold::{self, Sort, Words};
use clap::Args;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What Python is asked: whether it is new enough, which program it really is, and the sum of its file.
const PYTHON: &str = "import hashlib, os, sys; assert sys.version_info >= (3, 11); \
     path = os.path.realpath(sys.executable); print(path); print(hashlib.sha256(open(path, 'rb').read()).hexdigest())";

#[derive(Debug, Args)]
pub struct New {
    /// What to begin: a plugin in a language, or the description of a target by its protocol.
    #[arg(long, value_enum)]
    kind: Sort,
    /// Its name: lower-case letters, digits and hyphens. The new folder is called so.
    #[arg(value_parser = name)]
    name: String,
    /// The folder in which the new one is made.
    #[arg(long = "in", value_name = "DIR", default_value = ".")]
    within: PathBuf,
    /// For Rust: the checkout of Chartgate whose crates are used; the one in which the current folder stands where it is not given.
    #[arg(long, value_name = "PATH")]
    chartgate: Option<PathBuf>,
}

fn name(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && !text.ends_with('-') && !text.contains("--") && text.len() <= 40 && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("a name is lower-case letters, digits and single hyphens, begins with a letter and has at most 40 characters"
        .to_owned())
}

impl New {
    pub fn run(self) -> Outcome {
        let within = |error: std::io::Error| Failure(format!("{}: {}", self.within.display(), error.kind()));
        let folder = fs::canonicalize(&self.within).map_err(within)?.join(&self.name);
        let shown = self.within.join(&self.name);
        let mut words = Words { name: self.name.clone(), folder: text(&folder)?, ..Words::default() };
        let mut copied = None;
        match self.kind {
            Sort::Rust => {
                let checkout = checkout(self.chartgate.as_deref())?;
                words.chartgate = text(&checkout)?;
                copied = Some(checkout.join("Cargo.lock"));
            }
            Sort::Python => (words.python, words.sha256) = python()?,
            Sort::Rest | Sort::Soap | Sort::Sql => {}
        }
        fs::create_dir(&folder).map_err(|error| Failure(format!("{}: {}", shown.display(), error.kind())))?;
        for (path, text) in scaffold::files(self.kind, &words) {
            let path = folder.join(path);
            let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
            written.map_err(|error| Failure(format!("{}: {}", path.display(), error.kind())))?;
        }
        // The versions that the checkout was tested with. It may lack the file; Cargo then chooses.
        if let Some(lock) = copied.filter(|lock| lock.exists()) {
            fs::copy(lock, folder.join("Cargo.lock"))?;
        }
        print(&format!("{}\n\n{}", shown.display(), next(self.kind)));
        Ok(true)
    }
}

fn next(kind: Sort) -> String {
    let mut lines = String::new();
    let steps: &[&str] = match kind {
        Sort::Rust => &["cargo test", "cargo build --release"],
        Sort::Python => &["python3 -m unittest"],
        Sort::Rest | Sort::Soap | Sort::Sql => &["chartgate connector test"],
    };
    for step in steps {
        // Writing to a String cannot fail.
        let _written = writeln!(lines, "  {step}");
    }
    format!("It works as it is. In that folder:\n\n{lines}\nREADME.md says where to write.\n")
}

/// A path that can stand in a TOML text.
fn text(path: &Path) -> Result<String, Failure> {
    let plain = |text: &&str| !text.contains(['"', '\\', '\n', '\r', '@']);
    let text = path.to_str().filter(plain);
    text.map(str::to_owned).ok_or_else(|| {
        Failure(format!("{}: quotes, backslashes, @ and line breaks cannot stand in this path", path.display()))
    })
}

/// The checkout of Chartgate: the one that is named, or the one in which the current folder stands.
fn checkout(named: Option<&Path>) -> Result<PathBuf, Failure> {
    const SDK: &str = "connectors/plugin/sdk/rust/Cargo.toml";
    let hint = "name it with --chartgate PATH";
    let found = match named {
        Some(path) => path.join(SDK).exists().then(|| path.to_path_buf()),
        None => std::env::current_dir()?.ancestors().find(|folder| folder.join(SDK).exists()).map(Path::to_path_buf),
    };
    let missing = || match named {
        Some(path) => Failure(format!("{} is no checkout of Chartgate: it has no {SDK}", path.display())),
        None => Failure(format!(
            "a connector in Rust uses the crates of a checkout of Chartgate, and this is none\n  hint: {hint}"
        )),
    };
    Ok(fs::canonicalize(found.ok_or_else(missing)?)?)
}

/// Python's own path, and the sum of its file.
fn python() -> Result<(String, String), Failure> {
    for candidate in ["python3", "python3.14", "python3.13", "python3.12", "python3.11"] {
        let asked = Command::new(candidate).args(["-c", PYTHON]).stdin(Stdio::null()).stderr(Stdio::null()).output();
        let Ok(told) = asked else { continue };
        let told_text = String::from_utf8_lossy(&told.stdout).into_owned();
        if let (true, Some((path, sum))) = (told.status.success(), told_text.trim().split_once('\n')) {
            return Ok((text(Path::new(path))?, sum.to_owned()));
        }
    }
    Err(Failure("a connector in Python needs Python 3.11 or later, and there is none on the search path".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_name_is_one_that_folders_crates_and_variables_can_have() {
        for good in ["pager", "night-desk-2", "a"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "Pager", "2nd", "-a", "a-", "a--b", "a b", "a/b", "..", "ä", &"a".repeat(41)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
