//! Ways to reach a plugin: a child process, a socket.

use async_trait::async_trait;
use connector_spi::{ConnError, Result};
use std::path::PathBuf;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};

/// A way to reach a plugin, again and again.
#[async_trait]
pub(crate) trait Way: Send + Sync + 'static {
    /// What it is called before it has said its name.
    fn shown(&self) -> String;
    /// Starts or dials it. `Config` when an operator must act, `Transient` when a later try may succeed.
    async fn reach(&self) -> Result<Reached>;
}

/// A plugin that was reached.
pub(crate) struct Reached {
    /// What it writes.
    pub from: Box<dyn AsyncRead + Send + Unpin>,
    /// What it reads.
    pub to: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard error.
    pub said: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its process, where that is the gateway's own.
    pub fate: Option<Box<dyn Fate>>,
}

/// A process that is ours to end.
#[async_trait]
pub(crate) trait Fate: Send {
    /// Waits until it ends, and says how.
    async fn ended(&mut self) -> String;
    /// Ends it, with everything that it started.
    async fn end(&mut self);
}

/// A plugin that a service manager runs, at a Unix socket.
pub(crate) struct Socket {
    pub path: PathBuf,
    pub uid: u32,
}

#[async_trait]
impl Way for Socket {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    async fn reach(&self) -> Result<Reached> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| {
            ConnError::transient(format!("nobody answers at {}: {}", self.path.display(), error.kind()))
        })?;
        // Whoever can put a socket in this place would be given the target's secrets: the kernel says who it is.
        let peer = stream.peer_cred().map_err(|_| ConnError::transient("the other end of the socket is gone"))?;
        if peer.uid() != self.uid {
            let message = format!(
                "the process at {} runs as user {}, not as {} as the settings say",
                self.path.display(),
                peer.uid(),
                self.uid
            );
            return Err(ConnError::config(message));
        }
        let (from, to) = stream.into_split();
        Ok(Reached { from: Box::new(from), to: Box::new(to), said: None, fate: None })
    }
}
