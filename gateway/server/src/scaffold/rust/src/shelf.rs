//! The stand-in for a target: accounts in a file. Throw it away when your own target is in its place.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::PathBuf,
};

pub const ROLES: [&str; 3] = ["nurse", "physician", "registrar"];
pub const TOKEN: &str = "test-only-token";

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub attrs: BTreeMap<String, Vec<String>>,
    pub active: bool,
    pub roles: Vec<String>,
    pub version: u64,
}

impl Row {
    pub fn login(&self) -> &str {
        self.attrs.get("login").and_then(|values| values.first()).map_or("", String::as_str)
    }
}

/// The stand-in says no.
#[derive(Debug)]
pub enum Refused {
    Taken(String),
    Missing,
    Broken(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Refused::Broken(error)
    }
}

type Rows = BTreeMap<String, Row>;

/// Accounts by id. Several threads and processes may use one file.
pub struct Shelf(pub PathBuf);

impl Shelf {
    pub fn rows(&self) -> Result<Rows, Refused> {
        Ok(self.open()?.1)
    }

    pub fn add(&self, row: Row) -> Result<String, Refused> {
        let (file, mut rows) = self.open()?;
        free(&rows, "", row.login())?;
        let last = rows.last_key_value().and_then(|(id, _)| id.trim_start_matches('A').parse::<u64>().ok());
        let id = format!("A{:08}", last.unwrap_or(0) + 1);
        rows.insert(id.clone(), row);
        write(file, &rows)?;
        Ok(id)
    }

    /// Changes one account; `Err` of the change leaves it as it was.
    pub fn edit<E: From<Refused>>(&self, id: &str, change: impl FnOnce(&mut Row) -> Result<(), E>) -> Result<(), E> {
        let (file, mut rows) = self.open()?;
        let before = rows.get(id).cloned().ok_or(Refused::Missing)?;
        let mut row = before.clone();
        change(&mut row)?;
        free(&rows, id, row.login())?;
        if row != before {
            row.version += 1;
            rows.insert(id.to_owned(), row);
            write(file, &rows)?;
        }
        Ok(())
    }

    pub fn remove(&self, id: &str) -> Result<(), Refused> {
        let (file, mut rows) = self.open()?;
        rows.remove(id);
        write(file, &rows)
    }

    /// The file, locked until it is dropped, and what it holds.
    fn open(&self) -> Result<(File, Rows), Refused> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.0)?;
        file.lock()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let rows = if text.is_empty() { Rows::new() } else { serde_json::from_str(&text).map_err(io::Error::from)? };
        Ok((file, rows))
    }
}

fn free(rows: &Rows, id: &str, login: &str) -> Result<(), Refused> {
    let login = login.to_lowercase();
    match rows.iter().find(|(other, row)| other.as_str() != id && row.login().to_lowercase() == login) {
        Some((other, _)) => Err(Refused::Taken(other.clone())),
        None => Ok(()),
    }
}

fn write(mut file: File, rows: &Rows) -> Result<(), Refused> {
    let text = serde_json::to_vec(rows).map_err(io::Error::from)?;
    file.rewind()?;
    file.set_len(0)?;
    Ok(file.write_all(&text)?)
}
