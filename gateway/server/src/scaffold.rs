//! What `chartgate connector new` writes: projects that work before anything was changed in them.
//!
//! The files are those under `scaffold/`, compiled in, with five words replaced. Key decision: a scaffold is a small connector
//! that passes the contract's checks, over a stand-in for a target, and not a form with gaps: its author changes one thing
//! at a time and sees each time what broke. A Python project gets the SDK itself, so that it needs no registry.

use clap::ValueEnum;
use std::path::PathBuf;

/// What is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// A plugin in Rust.
    Rust,
    /// A plugin in Python.
    Python,
    /// A description of a target with a REST interface.
    Rest,
    /// A description of a target with SOAP services.
    Soap,
    /// A description of a database.
    Sql,
}

/// What stands in place of the words of a template.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The connector's name: lower-case words with hyphens.
    pub name: String,
    /// The new folder, as an absolute path.
    pub folder: String,
    /// The checkout of Chartgate, as an absolute path; for Rust.
    pub chartgate: String,
    /// Python, as an absolute path; for Python.
    pub python: String,
    /// SHA-256 of the program, in hexadecimal, where it is there already.
    pub sha256: String,
}

/// A file's path within the new folder, and its text.
pub type Leaf = (PathBuf, String);

macro_rules! files {
    ($($folder:literal: $($path:literal),+;)+) => {
        &[$($(($path, include_str!(concat!("scaffold/", $folder, "/", $path)))),+),+]
    };
}

type Files = &'static [(&'static str, &'static str)];

const RUST: Files = files! {
    "rust": "Cargo.toml", "README.md", "kit.toml", "target.toml", "src/connector.rs", "src/kinds.rs", "src/lib.rs", "src/main.rs",
        "src/shelf.rs", "tests/contract.rs";
};
const PYTHON: Files =
    files! { "python": "README.md", "connector.py", "kit.toml", "shelf.py", "target.toml", "test_connector.py"; };
const REST: Files = files! { "rest": "README.md", "description.toml", "kit.toml", "target.toml"; };
const SOAP: Files = files! { "soap": "README.md", "description.toml", "kit.toml", "target.toml"; };
const SQL: Files = files! { "sql": "README.md", "description.toml", "kit.toml", "schema.sql", "target.toml"; };

macro_rules! sdk {
    ($($name:literal),+) => {
        &[$((
            concat!("chartgate_plugin/", $name),
            include_str!(concat!("../../../connectors/plugin/sdk/python/chartgate_plugin/", $name)),
        )),+]
    };
}

/// The SDK for Python, as it is.
const SDK: Files = sdk![
    "__init__.py",
    "calls.py",
    "connector.py",
    "errors.py",
    "guard.py",
    "host.py",
    "py.typed",
    "records.py",
    "schema.py",
    "serving.py",
    "session.py",
    "settings.py",
    "testing.py",
    "values.py"
];

/// The files of a new connector.
#[must_use]
pub fn files(sort: Sort, words: &Words) -> Vec<Leaf> {
    let (own, more): (Files, Files) = match sort {
        Sort::Rust => (RUST, &[]),
        Sort::Python => (PYTHON, SDK),
        Sort::Rest => (REST, &[]),
        Sort::Soap => (SOAP, &[]),
        Sort::Sql => (SQL, &[]),
    };
    let path = |path: &str| {
        // The file that describes the target has its name.
        PathBuf::from(if path == "description.toml" { format!("{}.toml", words.name) } else { path.to_owned() })
    };
    let filled = own.iter().map(|(at, text)| (path(at), words.fill(text)));
    filled.chain(more.iter().map(|(at, text)| (path(at), (*text).to_owned()))).collect()
}

impl Words {
    fn fill(&self, text: &str) -> String {
        let parts: Vec<&str> = self.name.split('-').filter(|part| !part.is_empty()).collect();
        let snake = parts.join("_");
        let class: String = parts.iter().map(|part| capital(part)).collect();
        let variable = format!("{}_TOKEN", snake.to_uppercase());
        let words = [
            ("@NAME@", &self.name),
            ("@SNAKE@", &snake),
            ("@CLASS@", &class),
            ("@VARIABLE@", &variable),
            ("@FOLDER@", &self.folder),
            ("@CHARTGATE@", &self.chartgate),
            ("@PYTHON@", &self.python),
            ("@SHA256@", &self.sha256),
        ];
        words.iter().fold(text.to_owned(), |text, (word, by)| text.replace(word, by))
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn words() -> Words {
        Words { name: "night-desk".to_owned(), folder: "/x/night-desk".to_owned(), ..Words::default() }
    }

    #[test]
    fn no_word_of_a_template_is_left() {
        for sort in Sort::value_variants() {
            for (path, text) in files(*sort, &words()) {
                let left =
                    ["@NAME@", "@SNAKE@", "@CLASS@", "@VARIABLE@", "@FOLDER@", "@CHARTGATE@", "@PYTHON@", "@SHA256@"];
                assert!(left.iter().all(|word| !text.contains(word)), "{}", path.display());
            }
        }
    }

    #[test]
    fn a_name_of_two_words_is_written_as_each_place_wants_it() {
        let all: String = files(Sort::Rust, &words()).into_iter().map(|(_, text)| text).collect();
        for wanted in
            ["name = \"night-desk\"", "night_desk::NightDesk", "NIGHT_DESK_TOKEN", "/x/night-desk/target/release"]
        {
            assert!(all.contains(wanted), "{wanted}");
        }
        let paths: Vec<PathBuf> = files(Sort::Rest, &words()).into_iter().map(|(path, _)| path).collect();
        assert!(paths.contains(&PathBuf::from("night-desk.toml")));
    }

    #[test]
    fn a_python_project_has_the_whole_sdk() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../connectors/plugin/sdk/python/chartgate_plugin");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "__pycache__")
            .collect();
        let given = files(Sort::Python, &words())
            .into_iter()
            .filter_map(|(path, _)| path.strip_prefix("chartgate_plugin").ok().map(|name| name.display().to_string()));
        assert_eq!(given.collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn every_toml_file_parses() {
        for sort in Sort::value_variants() {
            for (path, text) in files(*sort, &words()) {
                if path.extension().is_some_and(|end| end == "toml") {
                    let parsed = toml::from_str::<toml::Table>(&text);
                    assert!(parsed.is_ok(), "{sort:?} {}: {parsed:?}", path.display());
                }
            }
        }
    }
}
