//! A proxy that does harm to a database, in the words of its own protocol. Of the feature `databases`.

use crate::faults::{Fault, FaultProxy};
use async_trait::async_trait;
use fixtures::proxy::{Mischief, Proxy};
use std::{io, net::SocketAddr, sync::Arc};

/// What a server says in place of letting a client in, and what a client sends to commit.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    unavailable: Mischief,
    refused: Mischief,
    cut: Mischief,
    lost: Mischief,
}

/// PostgreSQL's: `cannot_connect_now` and `invalid_password`.
pub const POSTGRES: Words = Words {
    unavailable: Mischief::Answer(b"E\0\0\0\x1eSFATAL\0VFATAL\0C57P03\0Mno\0\0"),
    refused: Mischief::Answer(b"E\0\0\0\x1eSFATAL\0VFATAL\0C28P01\0Mno\0\0"),
    cut: Mischief::Answer(b""),
    lost: Mischief::LoseReplyTo(b"COMMIT\0"),
};

/// MySQL's and MariaDB's: 1053, the server is shutting down, and 1045, access denied.
pub const MYSQL: Words = Words {
    unavailable: Mischief::Greet(b"\x0b\0\0\0\xff\x1d\x04#08S01no"),
    refused: Mischief::Greet(b"\x0b\0\0\0\xff\x15\x04#28000no"),
    cut: Mischief::Greet(b""),
    lost: Mischief::LoseReplyTo(b"\x03COMMIT"),
};

/// The proxy. Point the connector's host and port at [`addr`](DatabaseProxy::addr).
#[derive(Debug)]
pub struct DatabaseProxy {
    proxy: Arc<Proxy>,
    words: Words,
}

impl DatabaseProxy {
    /// Starts before a database that speaks these words, without TLS.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(there: SocketAddr, words: Words) -> io::Result<Self> {
        Ok(Self::over(Arc::new(Proxy::start(there).await?), words))
    }

    /// Over a proxy that stands before a database already.
    #[must_use]
    pub fn over(proxy: Arc<Proxy>, words: Words) -> Self {
        Self { proxy, words }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.proxy.addr()
    }
}

#[async_trait]
impl FaultProxy for DatabaseProxy {
    /// A database has no way to ask for fewer calls after so many seconds, no page that says it is cut, and a web page in its
    /// place is no greeting: it reads like a connection that never came about.
    fn supports(&self, fault: Fault) -> bool {
        !matches!(fault, Fault::Throttled { .. } | Fault::TruncatedPage | Fault::Html)
    }

    async fn set(&self, fault: Fault) {
        self.proxy.set(match fault {
            Fault::Unavailable => self.words.unavailable,
            Fault::Unauthorized => self.words.refused,
            Fault::ResetBeforeSend => self.words.cut,
            Fault::ResetAfterSend => self.words.lost,
            Fault::SlowBody => Mischief::Swallow,
            Fault::Off | Fault::Throttled { .. } | Fault::TruncatedPage | Fault::Html => Mischief::None,
        });
    }
}
