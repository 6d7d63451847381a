//! What is wrong with a configuration, and where.

use super::tree::Place;
use serde::Serialize;
use std::fmt;

/// One problem, as `chartgate check` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named on the command line or in the configuration.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// JSON pointer to the setting; empty where there is none.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn at(place: &Place, pointer: String, message: String) -> Self {
        let (line, column) = place.line_and_column();
        Self { file: place.text.name.clone(), line, column, pointer, message, hint: None }
    }

    /// A problem with a whole file, or with a line of one that is no TOML.
    pub(crate) fn of_file(file: &str, line: usize, message: String) -> Self {
        Self { file: file.to_owned(), line, column: 1, pointer: String::new(), message, hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
