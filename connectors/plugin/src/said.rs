//! A child's standard error, line by line into the log.

use crate::gateway::Gateway;
use connector_spi::Level;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Longest line in octets; the rest of a longer one is not logged.
const LINE: u64 = 4_096;

/// Logs until the process closes it. It is always read, however much is dropped: a full pipe would stop the plugin.
pub(crate) async fn log(said: impl AsyncRead + Send + Unpin, gateway: Arc<Gateway>) {
    let mut said = BufReader::new(said);
    let (mut line, mut cut) = (Vec::new(), false);
    loop {
        line.clear();
        match (&mut said).take(LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let whole = line.last() == Some(&b'\n');
        let text = String::from_utf8_lossy(&line);
        if !cut && !text.trim().is_empty() {
            gateway.log(Level::Info, text.trim_end(), &[("from", "stderr")]);
        }
        cut = !whole;
    }
}
