//! Serving: over the process's own input and output, or over a Unix socket.

use crate::{Plugin, line::Line, session::Session, wire::IN_FLIGHT};
use std::{
    fs::File,
    io::{self, ErrorKind, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{UnixListener, UnixStream, unix::pipe},
};

/// Requests of the host under way at a time: its calls, and room for a ping and a shutdown.
const SERVED: usize = IN_FLIGHT + 8;
/// A connection that cannot be taken (no file left) is tried again after this long.
const BREATHE: Duration = Duration::from_millis(100);

/// Where to serve, as the command line says.
enum Place {
    Stdio,
    Socket(PathBuf),
}

pub(crate) fn run(plugin: Plugin) -> ExitCode {
    let place = match place(std::env::args_os().skip(1)) {
        Ok(place) => place,
        Err(usage) => return said(&usage),
    };
    // Two threads: a connector that computes for a while must not keep a ping from being answered.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return said(&format!("no runtime: {error}")),
    };
    let plugin = Arc::new(plugin);
    let ended = match place {
        Place::Stdio => runtime.block_on(stdio(plugin)),
        Place::Socket(path) => runtime.block_on(socket(plugin, &path)),
    };
    // What a connector still does in the background ends with the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => said(&error.to_string()),
    }
}

fn said(what: &str) -> ExitCode {
    // There is nobody else to tell when even this cannot be written.
    let _written = writeln!(io::stderr(), "{what}");
    ExitCode::FAILURE
}

fn place(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Place, String> {
    let usage = || "usage: without arguments over standard input and output, or --socket PATH".to_owned();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(Place::Stdio),
        (Some(flag), Some(path), None) if flag == "--socket" => Ok(Place::Socket(path.into())),
        _ => Err(usage()),
    }
}

fn serve(
    plugin: Arc<Plugin>,
    from: impl AsyncRead + Send + Unpin + 'static,
    to: impl AsyncWrite + Send + Unpin + 'static,
) -> Line {
    Line::start(from, to, Arc::new(Session::new(plugin)), SERVED, Box::pin(async { None }))
}

/// Serves the one connection of a child process. Standard output belongs to the wire, so whatever else the program prints
/// goes to standard error from here on.
async fn stdio(plugin: Arc<Plugin>) -> io::Result<()> {
    let (from, to) = (io::stdin().as_fd().try_clone_to_owned()?, io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdout(io::stderr().as_fd())?;
    // A pipe is read and written without a thread of its own; anything else (a file in a test by hand) with one.
    let line = match (reading(from)?, writing(to)?) {
        (Ok(from), Ok(to)) => serve(plugin, from, to),
        (Ok(from), Err(to)) => serve(plugin, from, tokio::fs::File::from_std(File::from(to))),
        (Err(from), Ok(to)) => serve(plugin, tokio::fs::File::from_std(File::from(from)), to),
        (Err(from), Err(to)) => {
            serve(plugin, tokio::fs::File::from_std(File::from(from)), tokio::fs::File::from_std(File::from(to)))
        }
    };
    line.ended().await;
    // The writer still has the last answer.
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

fn reading(end: OwnedFd) -> io::Result<Result<pipe::Receiver, OwnedFd>> {
    let kept = end.try_clone()?;
    Ok(pipe::Receiver::from_owned_fd(end).map_err(|_| kept))
}

fn writing(end: OwnedFd) -> io::Result<Result<pipe::Sender, OwnedFd>> {
    let kept = end.try_clone()?;
    Ok(pipe::Sender::from_owned_fd(end).map_err(|_| kept))
}

/// Serves every connection to a socket, until the process is ended. Who may connect is decided by the rights of the socket's
/// folder and by the process's umask.
async fn socket(plugin: Arc<Plugin>, path: &Path) -> io::Result<()> {
    clear(path).await?;
    let listener = UnixListener::bind(path)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (from, to) = stream.into_split();
                serve(Arc::clone(&plugin), from, to);
            }
            Err(_) => tokio::time::sleep(BREATHE).await,
        }
    }
}

/// Removes the socket that an earlier process left behind; one that is served is not touched, nor is any other file.
async fn clear(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is no socket", path.display())))
        }
        Ok(_) => match UnixStream::connect(path).await {
            Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, format!("{} is served already", path.display()))),
            Err(_) => std::fs::remove_file(path),
        },
    }
}
