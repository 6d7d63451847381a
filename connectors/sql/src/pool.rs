//! A pool of connections for any engine.
//!
//! A connection goes back into the pool only when the one who had it says that it is clean; in every other case (an error, a
//! deadline, a call that was given up) it is closed, and the database undoes what was not committed. There is no health check:
//! a transaction's beginning is one.

use crate::{config, error::Failure};
use async_trait::async_trait;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// Opens connections.
#[async_trait]
pub(crate) trait Opens: Send + Sync + 'static {
    /// The connection.
    type Connection: Send + 'static;
    /// Opens one.
    async fn open(&self) -> Result<Self::Connection, Failure>;
}

type Idle<C> = Arc<Mutex<Vec<(C, Instant)>>>;

/// The pool.
pub(crate) struct Pool<O: Opens> {
    opens: O,
    idle: Idle<O::Connection>,
    slots: Arc<Semaphore>,
    connect_timeout: Duration,
    idle_timeout: Duration,
}

/// A connection that is in use.
pub(crate) struct Lease<C> {
    /// The connection itself.
    pub(crate) connection: C,
    /// It was opened for this use.
    pub(crate) fresh: bool,
    idle: Idle<C>,
    _slot: OwnedSemaphorePermit,
}

impl<O: Opens> Pool<O> {
    pub(crate) fn new(opens: O, config: &config::Pool) -> Self {
        Self {
            opens,
            idle: Arc::default(),
            slots: Arc::new(Semaphore::new(usize::try_from(config.connections).unwrap_or(1))),
            connect_timeout: Duration::from_secs(config.connect_timeout.into()),
            idle_timeout: Duration::from_secs(config.idle_timeout.into()),
        }
    }

    /// A connection: the one that was used last, else a new one.
    pub(crate) async fn take(&self) -> Result<Lease<O::Connection>, Failure> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Failure::Refused)?;
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(_, since)| since.elapsed() < self.idle_timeout);
            idle.pop()
        };
        let fresh = found.is_none();
        let connection = match found {
            Some((connection, _)) => connection,
            None => timeout(self.connect_timeout, self.opens.open()).await.map_err(|_| Failure::Refused)??,
        };
        Ok(Lease { connection, fresh, idle: Arc::clone(&self.idle), _slot: slot })
    }
}

impl<C> Lease<C> {
    /// Back into the pool: the connection is clean.
    pub(crate) fn give_back(self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((self.connection, Instant::now()));
    }
}
