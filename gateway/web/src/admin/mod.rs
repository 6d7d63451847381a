//! Administration: what `chartgate status`, `links`, `retry`, `plan` and `token` ask a running gateway, over a Unix socket.
//!
//! Whoever may open the socket may do all of it: the socket's mode is 0600, so that is the gateway's own user and root. The
//! kernel tells who it is, and the audit row says so. Over TCP the same handlers would need operators with roles, which is why
//! they are reached by no other way yet.

mod handle;
mod socket;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpServer, web};
use gateway_engine::Engine;
use handle::Desk;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

/// Largest body that is read; an order is a few words.
pub(crate) const BODY: usize = 64 << 10;
/// Time for it to arrive.
pub(crate) const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Who opened the connection, by the kernel's word.
#[derive(Debug, Clone)]
pub(crate) struct Operator(pub String);

/// Serves the administration API on a Unix socket at `path`, with mode 0600.
///
/// A socket that a dead gateway left behind is replaced; that of a living one is not.
///
/// # Errors
/// `AddrInUse` when another gateway answers there, `AlreadyExists` when something other than a socket is in the way, or
/// whatever the file system says.
pub fn serve_admin(path: &Path, engine: Engine) -> io::Result<Admin> {
    let listener = socket::bind(path)?;
    let server = HttpServer::new(move || {
        let engine = engine.clone();
        App::new().default_service(web::to(move |http: HttpRequest, payload: web::Payload| {
            let engine = engine.clone();
            async move { Desk { engine: &engine, http: &http, payload }.answer().await }
        }))
    })
    .on_connect(|connection, extensions| {
        let peer = connection.downcast_ref::<UnixStream>().and_then(|stream| stream.peer_cred().ok());
        let name = peer.map_or_else(|| "unknown".to_owned(), |peer| format!("uid:{}", peer.uid()));
        extensions.insert(Operator(name));
    })
    .workers(1)
    .shutdown_timeout(5)
    .disable_signals()
    .listen_uds(listener)?
    .run();
    let handle = server.handle();
    Ok(Admin { handle, path: path.to_owned(), task: tokio::spawn(server) })
}

/// The open socket. Its file goes when it is stopped.
pub struct Admin {
    handle: ServerHandle,
    path: PathBuf,
    task: JoinHandle<io::Result<()>>,
}

impl Admin {
    /// Closes it and removes the file.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::error!(%error, "The administration socket did not close in order.");
        }
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "The administration socket's file could not be removed.");
        }
    }
}
