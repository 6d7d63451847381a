//! The socket's file: never open to others, not even for a moment.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Binds the socket. It is made inside a directory that only we may enter, and moved to its place when its mode is right:
/// between `bind` and `chmod` anybody could connect.
pub(crate) fn bind(path: &Path) -> Result<UnixListener> {
    clear(path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Short, since a socket's whole path may have 107 bytes only.
    let room = parent.join(format!(".cg{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&room).or_else(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            fs::remove_dir_all(&room).and_then(|()| DirBuilder::new().mode(0o700).create(&room))
        }
        _ => Err(error),
    })?;
    let inside = room.join("s");
    let bound = UnixListener::bind(&inside).and_then(|listener| {
        fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
        fs::rename(&inside, path)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    // A failure here leaves an empty directory, which the next start removes.
    let _ = fs::remove_dir_all(&room);
    bound
}

/// Makes way: a socket that nobody answers is a dead gateway's.
fn clear(path: &Path) -> Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?.file_type(),
    };
    if !kind.is_socket() {
        let detail = "there is a file in the socket's place; it is not ours to remove";
        return Err(Error::new(ErrorKind::AlreadyExists, detail));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another gateway answers on this socket")),
        Err(_) => fs::remove_file(path),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_its_owner_only_and_nothing_is_left_beside_it() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("admin.sock");

        let _listener = bind(&path).unwrap();

        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_dead_gateways_socket_is_replaced_and_a_living_ones_is_not() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("admin.sock");
        drop(bind(&path).unwrap());

        let living = bind(&path).unwrap();

        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(living);
    }

    #[test]
    fn a_file_in_the_way_is_not_removed() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("admin.sock");
        fs::write(&path, "notes").unwrap();

        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
    }
}
