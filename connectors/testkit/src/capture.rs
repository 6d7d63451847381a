//! Everything that is logged while the kit runs, whatever its level.

use std::{
    fmt::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Lines kept. A run that logs more fails the checks of the log: what was not kept was not looked at.
pub(crate) const LINE_LIMIT: usize = 500_000;

/// The lines of one run.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<(Level, String)>>>);

impl Captured {
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, level: Level, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINE_LIMIT {
            lines.push((level, line));
        }
    }
}

/// Writes spans and events into [`Captured`].
#[derive(Default)]
pub(crate) struct Recorder {
    captured: Captured,
    spans: AtomicU64,
}

impl Recorder {
    pub fn new(captured: Captured) -> Self {
        Self { captured, spans: AtomicU64::new(1) }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _: fmt::Result = write!(self.0, " {}={value:?}", field.name());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        let _: fmt::Result = write!(self.0, " {}={value}", field.name());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.captured.add(*span.metadata().level(), line.0);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.captured.add(Level::INFO, line.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.captured.add(*event.metadata().level(), line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The forms in which a secret may slip out: as it is, in hexadecimal, in base64 at any alignment, percent-encoded.
pub(crate) fn disguises(secret: &str) -> Vec<String> {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    let percent: String = secret
        .bytes()
        .map(
            |octet| if octet.is_ascii_alphanumeric() { char::from(octet).to_string() } else { format!("%{octet:02X}") },
        )
        .collect();
    let mut all = vec![secret.to_owned(), hex.clone(), hex.to_uppercase(), percent];
    for before in 0..3_usize {
        let mut octets = vec![0_u8; before];
        octets.extend(secret.bytes());
        // Characters that also hold bits of what stands before or after say nothing.
        let text = STANDARD_NO_PAD.encode(&octets);
        let from = (before * 8).div_ceil(6);
        let whole = octets.len() * 8 / 6;
        if let Some(middle) = text.get(from..whole).filter(|middle| middle.len() >= 8) {
            all.push(middle.to_owned());
        }
    }
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_inside_a_basic_header_at_any_alignment() {
        use base64::{Engine, engine::general_purpose::STANDARD};
        for user in ["u", "us", "use", "user"] {
            let header = STANDARD.encode(format!("{user}:s3cret-canary!"));
            assert!(disguises("s3cret-canary!").iter().any(|form| header.contains(form)), "{user}");
        }
    }
}
