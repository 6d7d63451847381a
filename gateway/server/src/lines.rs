//! Log lines on standard error, several at a time.
//!
//! A system call for each line of the access log would cost a busy gateway a twentieth of its time. So lines gather for a
//! tenth of a second; a warning or an error takes them all out at once. Nothing that must not be lost is only in the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits at most.
const WAIT: Duration = Duration::from_millis(100);
/// Bytes that are written out at once, without waiting.
const ENOUGH: usize = 64 << 10;

type Gathered = Arc<Mutex<Vec<u8>>>;

/// What waits, for [`flush`].
static WAITING: OnceLock<Gathered> = OnceLock::new();

/// Where lines gather.
#[derive(Debug, Clone)]
pub struct Lines(Gathered);

impl Lines {
    /// Gathers, with a thread that writes out what waits.
    pub fn start() -> Self {
        let gathered = Arc::clone(WAITING.get_or_init(Gathered::default));
        let waiting = Arc::clone(&gathered);
        // Without the thread lines still come out, when enough have gathered.
        let _ = std::thread::Builder::new().name("log".into()).spawn(move || {
            loop {
                std::thread::sleep(WAIT);
                write_out(&waiting);
            }
        });
        Self(gathered)
    }
}

/// Writes out what waits: before the process ends.
pub fn flush() {
    if let Some(gathered) = WAITING.get() {
        write_out(gathered);
    }
}

fn lock(gathered: &Gathered) -> MutexGuard<'_, Vec<u8>> {
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_out(gathered: &Gathered) {
    let mut lines = lock(gathered);
    if !lines.is_empty() {
        // Whoever closed standard error wants no log.
        let _ = io::stderr().lock().write_all(&lines);
        lines.clear();
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { to: Arc::clone(&self.0), at_once: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line { to: Arc::clone(&self.0), at_once: *meta.level() <= Level::WARN }
    }
}

/// One line.
#[derive(Debug)]
pub struct Line {
    to: Gathered,
    at_once: bool,
}

impl Write for Line {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let full = {
            let mut lines = lock(&self.to);
            lines.extend_from_slice(text);
            lines.len() >= ENOUGH
        };
        if self.at_once || full {
            write_out(&self.to);
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
