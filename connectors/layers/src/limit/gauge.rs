//! Slots, tokens and the pause, as plain numbers: what is free for whom at a given instant.

use super::{LimitConfig, LimitStatus};
use connector_spi::Ctx;
use std::time::Duration;
use tokio::time::Instant;

/// Whose call it is, as far as the limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Leaver,
    Ordinary,
    Bulk,
}

impl Lane {
    pub fn of(cx: &Ctx) -> Self {
        match (cx.leaver, cx.bulk) {
            (true, _) => Lane::Leaver,
            (false, true) => Lane::Bulk,
            (false, false) => Lane::Ordinary,
        }
    }
}

/// The least that a throttled target is asked: one call in two seconds.
const FLOOR: f64 = 0.5;
/// Seconds from nothing back to the full rate.
const RECOVERY: f64 = 120.0;
/// Answers to one burst arrive together; they halve the rate once.
const ONE_BURST: Duration = Duration::from_secs(1);
/// The pause where a target asks for none.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// The state of the limits.
pub(crate) struct Gauge {
    slots: u32,
    /// Calls under way: leavers', ordinary, bulk.
    leavers: u32,
    ordinary: u32,
    bulk: u32,
    pub leavers_waiting: u32,
    ceiling: f64,
    rate: f64,
    burst: f64,
    /// Tokens that only leavers may take.
    kept: f64,
    tokens: f64,
    counted: Instant,
    halved: Option<Instant>,
    paused_until: Option<Instant>,
    longest_pause: Duration,
}

impl Gauge {
    pub fn new(config: &LimitConfig, now: Instant) -> Self {
        let burst = f64::from(config.burst.max(1));
        let ceiling = if config.rate.is_finite() { config.rate.max(FLOOR) } else { FLOOR };
        Self {
            slots: config.slots.max(1),
            leavers: 0,
            ordinary: 0,
            bulk: 0,
            leavers_waiting: 0,
            ceiling,
            rate: ceiling,
            burst,
            kept: if burst > 1.0 { (burst / 5.0).max(1.0) } else { 0.0 },
            tokens: burst,
            counted: now,
            halved: None,
            paused_until: None,
            longest_pause: Duration::from_secs(config.longest_pause),
        }
    }

    /// Takes a slot and a token, or says from when on a token could be had; `None` when a slot must come free first.
    pub fn take(&mut self, lane: Lane, now: Instant) -> Result<(), Option<Instant>> {
        self.refill(now);
        if let Some(until) = self.paused_until {
            return Err(Some(until));
        }
        if self.free(lane) == 0 || (lane != Lane::Leaver && self.leavers_waiting > 0) {
            return Err(None);
        }
        let short = 1.0 + self.kept_from(lane) - self.tokens;
        if short > 0.0 {
            return Err(Some(now + Duration::from_secs_f64(short / self.rate) + Duration::from_millis(1)));
        }
        self.tokens -= 1.0;
        *self.count(lane) += 1;
        Ok(())
    }

    pub fn give_back(&mut self, lane: Lane) {
        let count = self.count(lane);
        *count = count.saturating_sub(1);
    }

    /// The target said "too many": half the rate, and silence for as long as it asked.
    pub fn throttled(&mut self, asked: Option<Duration>, now: Instant) {
        self.refill(now);
        if self.halved.is_none_or(|at| now.saturating_duration_since(at) >= ONE_BURST) {
            self.rate = (self.rate / 2.0).max(FLOOR);
            self.halved = Some(now);
        }
        // The tokens saved up belong to the old rate.
        self.tokens = self.tokens.min(1.0 + self.kept);
        let until = now + asked.unwrap_or(SHORT_PAUSE).min(self.longest_pause);
        self.paused_until = Some(self.paused_until.map_or(until, |other| other.max(until)));
    }

    /// Calls that could start at once in this lane, and from when on if none.
    pub fn ready(&mut self, lane: Lane, now: Instant) -> (usize, Option<Instant>) {
        self.refill(now);
        if self.paused_until.is_some() {
            return (0, self.paused_until);
        }
        let free = self.free(lane);
        let spare = self.tokens - self.kept_from(lane);
        if free > 0 && spare < 1.0 {
            return (0, Some(now + Duration::from_secs_f64((1.0 - spare) / self.rate)));
        }
        // In range: 0 <= spare <= burst, a u32.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let tokens = spare.max(0.0) as usize;
        (usize::try_from(free).unwrap_or(usize::MAX).min(tokens), None)
    }

    pub fn status(&mut self, now: Instant) -> LimitStatus {
        self.refill(now);
        LimitStatus {
            slots: self.slots,
            in_flight: self.leavers + self.ordinary + self.bulk,
            rate: self.rate,
            paused_until: self.paused_until,
        }
    }

    fn refill(&mut self, now: Instant) {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        let seconds = now.saturating_duration_since(self.counted).as_secs_f64();
        self.counted = self.counted.max(now);
        self.tokens = (self.tokens + seconds * self.rate).min(self.burst);
        self.rate = (self.rate + seconds * self.ceiling / RECOVERY).min(self.ceiling);
    }

    fn free(&self, lane: Lane) -> u32 {
        let others = self.ordinary + self.bulk;
        let total = self.slots.saturating_sub(self.leavers + others);
        let not_leavers = if self.slots > 2 { self.slots - 1 } else { self.slots };
        let for_bulk = if self.slots > 2 { self.slots - 2 } else { self.slots };
        match lane {
            Lane::Leaver => total,
            Lane::Ordinary => total.min(not_leavers.saturating_sub(others)),
            Lane::Bulk => total.min(not_leavers.saturating_sub(others)).min(for_bulk.saturating_sub(self.bulk)),
        }
    }

    fn kept_from(&self, lane: Lane) -> f64 {
        match lane {
            Lane::Leaver => 0.0,
            Lane::Ordinary | Lane::Bulk => self.kept,
        }
    }

    fn count(&mut self, lane: Lane) -> &mut u32 {
        match lane {
            Lane::Leaver => &mut self.leavers,
            Lane::Ordinary => &mut self.ordinary,
            Lane::Bulk => &mut self.bulk,
        }
    }
}
