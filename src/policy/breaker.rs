//! The circuit breaker of one target (SPEC 6.5).
//!
//! ```text
//!            `threshold` failures inside `window`
//!   Closed ─────────────────────────────────────────> Open { until }
//!     ^                                                 │ time passes `until`
//!     │ the probe's answer begins                       v
//!     │ (cooldown starts over)            ┌───────> half open: nobody may pass
//!     │                                   │         yet, one may try
//!     │                                   │ released    │ `permit` gives the probe away
//!     │                                   │             v
//!     └───────────────────────────────────┴───────── Probing ──> Open, cooldown doubled
//!                                                          the probe fails
//! ```
//!
//! Rules:
//! - Whoever was permitted gives the [`Ticket`] back exactly once, with what it met. A ticket that
//!   is lost while it is the probe keeps the target shut.
//! - A probe has succeeded with the first content of its answer: a stream may last for minutes, and
//!   others need not wait for its end. From then on it is a request like any other.
//! - Only the probe decides while the breaker is not closed. Requests that were permitted earlier
//!   and end now tell nothing new.
//! - Failures are counted in a sliding window; a success between them does not forgive them.
//! - Each process has its own probe: the shared state (SPEC 14) tells who is open, until when.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::clock::Millis;

/// When it opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// So many terminal failures open it; 0 is never.
    pub threshold: u32,
    /// Inside this time.
    pub window: Duration,
    /// Open for this long at first.
    pub cooldown: Duration,
    /// And at most for this long.
    pub max_cooldown: Duration,
}

/// The breaker of one target.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    state: State,
    /// Terminal failures in a row, whenever they were.
    in_a_row: u32,
    /// How long it was open last; zero once it was closed.
    cooldown: Duration,
    /// The last change of any of this.
    changed: Millis,
}

#[derive(Clone, Debug)]
enum State {
    /// With the times of the failures inside the window, oldest first.
    Closed { failures: VecDeque<Millis> },
    /// Half open once `until` has come.
    Open { until: Millis },
    /// The probe is out.
    Probing,
}

/// May a request go to the target?
#[derive(Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Pass(Ticket),
    /// Yes, as the one that finds out whether the target is well again.
    Probe(Ticket),
    /// No, and when it is worth asking again; now, when only the probe is awaited.
    Refuse {
        /// The end of the cooldown.
        until: Millis,
    },
}

/// What a permitted request gives back with what it met. There is one of each.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a probe that is not given back keeps its target shut"]
pub struct Ticket {
    is_probe: bool,
}

impl Ticket {
    /// Does it find out whether the target is well again?
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }
}

/// What a request tells the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The target is alive.
    Success,
    /// A terminal failure.
    Failure,
    /// Neither: the client left, the key was refused, a limit was reached.
    Release,
}

/// What a record has changed, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anybody would notice.
    None,
    /// It is open now.
    Opened {
        /// The end of the cooldown.
        until: Millis,
    },
    /// The probe succeeded.
    Closed,
}

/// The state as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// Requests pass.
    Closed,
    /// One probe may pass, or is on its way.
    HalfOpen,
    /// No request passes.
    Open {
        /// The end of the cooldown.
        until: Millis,
    },
}

/// What a breaker knows that is worth telling other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Failures inside the window, while it is closed.
    pub failures: u32,
    /// Terminal failures in a row.
    pub in_a_row: u32,
    /// The end of the cooldown; `None` while it is closed.
    pub open_until: Option<Millis>,
    /// How long it was open last.
    pub cooldown: Duration,
    /// When this was so.
    pub at: Millis,
}

/// A moment so long before the last change comes from a clock that was set back; a shorter time
/// before it, from a thread that read the clock before another came first.
pub const SET_BACK: Duration = Duration::from_secs(60);

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: VecDeque::new() }
    }
}

impl Breaker {
    /// Asks for a request. What is given must come back by [`Breaker::record`].
    pub fn permit(&mut self, now: Millis) -> Permit {
        if let Some(until) = self.refusal(now) {
            return Permit::Refuse { until };
        }
        match self.state {
            State::Closed { .. } => Permit::Pass(Ticket { is_probe: false }),
            State::Open { .. } | State::Probing => {
                self.state = State::Probing;
                Permit::Probe(Ticket { is_probe: true })
            }
        }
    }

    /// Until when [`Breaker::permit`] would refuse now; `None` when it would not. Changes nothing.
    pub fn refusal(&self, now: Millis) -> Option<Millis> {
        match self.peek(now) {
            CircuitState::Open { until } => Some(until),
            CircuitState::HalfOpen => matches!(self.state, State::Probing).then_some(now),
            CircuitState::Closed => None,
        }
    }

    /// The state as others see it; changes nothing.
    pub fn peek(&self, now: Millis) -> CircuitState {
        match self.state {
            State::Closed { .. } => CircuitState::Closed,
            State::Probing => CircuitState::HalfOpen,
            // A clock that was set back must not keep a target away until it has caught up.
            State::Open { until } if now < until && self.changed.since(now) < SET_BACK => {
                CircuitState::Open { until }
            }
            State::Open { .. } => CircuitState::HalfOpen,
        }
    }

    /// The answer of a request has begun: were it the probe, it has found out what it was to.
    pub fn answers(&mut self, ticket: &mut Ticket, now: Millis) -> Change {
        if !std::mem::take(&mut ticket.is_probe) || !matches!(self.state, State::Probing) {
            return Change::None;
        }
        self.in_a_row = 0;
        self.close(now)
    }

    /// Takes a ticket back, with what its request met.
    pub fn record(&mut self, ticket: Ticket, signal: Signal, now: Millis, settings: &Settings) -> Change {
        match signal {
            Signal::Success => self.in_a_row = 0,
            Signal::Failure => self.in_a_row = self.in_a_row.saturating_add(1),
            Signal::Release => {}
        }
        match &mut self.state {
            State::Closed { failures } if signal == Signal::Failure => {
                failures.push_back(now);
                while failures.front().is_some_and(|first| !is_recent(*first, now, settings)) {
                    failures.pop_front();
                }
                self.changed = self.changed.max(now);
                if settings.threshold == 0 || failures.len() < settings.threshold as usize {
                    return Change::None;
                }
                self.open(settings.cooldown, now, settings)
            }
            State::Probing if ticket.is_probe => match signal {
                Signal::Success => self.close(now),
                Signal::Failure => self.open(self.cooldown.saturating_mul(2), now, settings),
                Signal::Release => {
                    self.state = State::Open { until: now };
                    Change::None
                }
            },
            State::Closed { .. } | State::Open { .. } | State::Probing => Change::None,
        }
    }

    /// Terminal failures inside the window, as far as they are remembered; as many as open it while
    /// it is not closed.
    pub fn failures(&self, now: Millis, settings: &Settings) -> u32 {
        let State::Closed { failures } = &self.state else { return settings.threshold };
        let recent = failures.iter().filter(|at| is_recent(**at, now, settings)).count();
        u32::try_from(recent).unwrap_or(u32::MAX)
    }

    /// Terminal failures in a row, which lower a target's weight (SPEC 5.4).
    pub fn failures_in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// What is worth telling other processes. A probe that is out is told as half open.
    pub fn memory(&self) -> Memory {
        let (failures, open_until) = match &self.state {
            State::Closed { failures } => (u32::try_from(failures.len()).unwrap_or(u32::MAX), None),
            State::Open { until } => (0, Some(*until)),
            State::Probing => (0, Some(self.changed)),
        };
        Memory { failures, in_a_row: self.in_a_row, open_until, cooldown: self.cooldown, at: self.changed }
    }

    /// Takes over what another process knows, if it is newer and no probe of our own is about to
    /// tell still newer. Its failures count from when it told them.
    pub fn adopt(&mut self, theirs: &Memory, settings: &Settings) {
        let never_opens = settings.threshold == 0;
        if never_opens || theirs.at <= self.changed || matches!(self.state, State::Probing) {
            return;
        }
        self.state = match theirs.open_until {
            Some(until) => State::Open { until },
            None => {
                // One below the threshold: what opens it is a failure that this process sees.
                let most = settings.threshold.saturating_sub(1);
                let failures = theirs.failures.min(most);
                State::Closed { failures: (0..failures).map(|_| theirs.at).collect() }
            }
        };
        (self.in_a_row, self.cooldown, self.changed) = (theirs.in_a_row, theirs.cooldown, theirs.at);
    }

    fn close(&mut self, now: Millis) -> Change {
        (self.state, self.cooldown, self.changed) = (State::default(), Duration::ZERO, now);
        Change::Closed
    }

    fn open(&mut self, cooldown: Duration, now: Millis, settings: &Settings) -> Change {
        self.cooldown = cooldown.max(settings.cooldown).min(settings.max_cooldown);
        self.changed = now;
        let until = now.plus(self.cooldown);
        self.state = State::Open { until };
        Change::Opened { until }
    }
}

/// Is it inside the window? One of a clock that was set back since would never leave it.
fn is_recent(at: Millis, now: Millis, settings: &Settings) -> bool {
    now.since(at) < settings.window && at.since(now) < SET_BACK
}

impl CircuitState {
    /// The state's name, as `/health` and `/debug/status` write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open { .. } => "open",
        }
    }
}

#[cfg(test)]
mod tests;
