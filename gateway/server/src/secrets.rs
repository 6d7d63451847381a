//! Reading secrets from where the configuration says they are kept.

use crate::environment;
use connector_spi::{Secret, SecretRef};
use std::fs::File;
use std::io::{ErrorKind, Read};

/// No password, key or token is longer.
const MAX: u64 = 1 << 20;

/// Reads a secret anew. One newline at its end is dropped.
///
/// # Errors
/// A text that says what is wrong with the place; never with what stands there.
pub fn read(reference: &SecretRef) -> Result<Secret, String> {
    match reference {
        SecretRef::Env(name) => environment::variable(name)
            .map(Secret::new)
            .ok_or_else(|| format!("the environment variable {name} is not set, or empty")),
        SecretRef::File(path) => file(path),
    }
}

fn file(path: &str) -> Result<Secret, String> {
    let because = |kind: ErrorKind| match kind {
        ErrorKind::NotFound => format!("there is no file {path}"),
        ErrorKind::PermissionDenied => format!("the file {path} may not be read"),
        ErrorKind::InvalidData => format!("the file {path} holds no UTF-8 text"),
        other => format!("the file {path} cannot be read: {other}"),
    };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| because(error.kind()))?;
    file.take(MAX + 1).read_to_string(&mut text).map_err(|error| because(error.kind()))?;
    if text.len() as u64 > MAX {
        return Err(format!("the file {path} is larger than 1 MiB"));
    }
    for end in ["\n", "\r"] {
        if text.ends_with(end) {
            text.pop();
        }
    }
    if text.is_empty() { Err(format!("the file {path} is empty")) } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn one_newline_at_the_end_is_dropped() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("secret");
        let reference = SecretRef::File(path.to_string_lossy().into_owned());

        for (written, read_back) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("abc", "abc"), ("a\n\n", "a\n")] {
            fs::write(&path, written).unwrap();
            assert_eq!(read(&reference).unwrap().expose(), read_back);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_without_what_stands_there() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("secret");
        let reference = SecretRef::File(path.to_string_lossy().into_owned());

        assert!(read(&reference).unwrap_err().starts_with("there is no file"));
        fs::write(&path, "\n").unwrap();
        assert!(read(&reference).unwrap_err().ends_with("is empty"));
        fs::write(&path, b"\xff\xfehunter2").unwrap();
        assert!(read(&reference).unwrap_err().ends_with("holds no UTF-8 text"));
        let unset = SecretRef::Env("CHARTGATE_NO_SUCH_VARIABLE".to_owned());
        assert!(read(&unset).unwrap_err().contains("is not set"));
    }
}
