//! The breaker as a state machine over instants: no waiting, no calls.

use super::{BreakerConfig, BreakerState, BreakerStatus};
use connector_spi::Class;
use std::time::Duration;
use tokio::time::Instant;

/// Parts of the window; the oldest is dropped as a whole.
const PARTS: usize = 10;

/// What an outcome says about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It works, whatever it thinks of the call.
    Good,
    /// It does not.
    Bad(Class),
    /// It does not let us in, or is not the right one.
    Refused(Class),
    /// Nothing.
    None,
}

impl Verdict {
    pub fn of(class: Class) -> Self {
        match class {
            Class::Transient | Class::Timeout | Class::Unknown => Verdict::Bad(class),
            Class::Auth | Class::Config => Verdict::Refused(class),
            Class::Throttled
            | Class::AlreadyExists
            | Class::NotFound
            | Class::Conflict
            | Class::StaleVersion
            | Class::Invalid
            | Class::Forbidden
            | Class::Unsupported
            | Class::Permanent => Verdict::Good,
        }
    }
}

/// Whether a call may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Pass,
    Probe,
    Refuse { until: Instant, because: Option<Class> },
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    number: u64,
    good: u32,
    bad: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Instant },
    Probing { begun: Instant },
}

/// The state of one breaker.
pub(crate) struct Circuit {
    config: BreakerConfig,
    phase: Phase,
    since: Instant,
    because: Option<Class>,
    born: Instant,
    parts: [Part; PARTS],
    row: u32,
}

impl Circuit {
    pub fn new(config: BreakerConfig, now: Instant) -> Self {
        Self {
            config,
            phase: Phase::Closed,
            since: now,
            because: None,
            born: now,
            parts: [Part::default(); PARTS],
            row: 0,
        }
    }

    /// A call arrives; `may_probe` for a health check or a leaver's call.
    pub fn enter(&mut self, may_probe: bool, now: Instant) -> Gate {
        match self.phase {
            Phase::Closed => Gate::Pass,
            Phase::Open { until } if now >= until && may_probe => {
                self.phase = Phase::Probing { begun: now };
                Gate::Probe
            }
            Phase::Open { until } => Gate::Refuse { until, because: self.because },
            Phase::Probing { begun } => Gate::Refuse { until: begun + Duration::from_secs(1), because: self.because },
        }
    }

    /// A call that passed has ended.
    pub fn settle(&mut self, verdict: Verdict, probe: bool, now: Instant) {
        if !probe && self.phase != Phase::Closed {
            // It started before the breaker opened: what it says is old.
            return;
        }
        match verdict {
            Verdict::Refused(class) => self.open(class, self.config.open_after_refusal, now),
            Verdict::Bad(class) if probe => self.open(class, self.config.open, now),
            Verdict::Bad(class) => {
                self.row += 1;
                self.part(now).bad += 1;
                if self.row >= self.config.in_a_row || self.too_many(now) {
                    self.open(class, self.config.open, now);
                }
            }
            Verdict::Good if probe => self.close(now),
            Verdict::Good => {
                self.row = 0;
                self.part(now).good += 1;
            }
            Verdict::None if probe => self.phase = Phase::Open { until: now },
            Verdict::None => {}
        }
    }

    /// An operator wants it tried now.
    pub fn half_open(&mut self, now: Instant) {
        if let Phase::Open { .. } = self.phase {
            self.phase = Phase::Open { until: now };
        }
    }

    pub fn status(&self, now: Instant) -> BreakerStatus {
        let (state, not_before) = match self.phase {
            Phase::Closed => (BreakerState::Closed, None),
            Phase::Open { until } if until > now => (BreakerState::Open, Some(until)),
            Phase::Open { .. } | Phase::Probing { .. } => (BreakerState::HalfOpen, None),
        };
        BreakerStatus { state, since: self.since, not_before, because: self.because }
    }

    /// Whether a trying call would pass at once.
    pub fn probe_due(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Open { until } if until <= now)
    }

    fn open(&mut self, class: Class, seconds: u64, now: Instant) {
        if self.phase == Phase::Closed {
            self.since = now;
        }
        self.because = Some(class);
        self.phase = Phase::Open { until: now + Duration::from_secs(seconds) };
    }

    fn close(&mut self, now: Instant) {
        let (config, born) = (self.config.clone(), self.born);
        *self = Self { born, ..Self::new(config, now) };
    }

    fn too_many(&self, now: Instant) -> bool {
        let newest = self.number(now);
        let recent = || self.parts.iter().filter(|part| newest.saturating_sub(part.number) < PARTS as u64);
        let bad: u32 = recent().map(|part| part.bad).sum();
        let all: u32 = bad + recent().map(|part| part.good).sum::<u32>();
        all >= self.config.least_calls && f64::from(bad) >= self.config.ratio * f64::from(all)
    }

    fn number(&self, now: Instant) -> u64 {
        let part = Duration::from_secs(self.config.window.max(1)) / PARTS as u32;
        let number = now.saturating_duration_since(self.born).as_millis() / part.as_millis().max(1);
        u64::try_from(number).unwrap_or(u64::MAX)
    }

    fn part(&mut self, now: Instant) -> &mut Part {
        let number = self.number(now);
        let place = usize::try_from(number % PARTS as u64).unwrap_or(0);
        // PARTS is not zero and `place` is a remainder by it.
        #[allow(clippy::indexing_slicing)]
        let part = &mut self.parts[place];
        if part.number != number {
            *part = Part { number, good: 0, bad: 0 };
        }
        part
    }
}
