//! Requests and tokens per window, for one bucket (SPEC 7.4).
//!
//! ```text
//!   reserve ──> in flight ──settle──> used      the answer came: what was really used counts
//!                   └──────release──> nothing   (or the request alone, when an answer came after all)
//! ```
//!
//! Rules:
//! - Used and reserved together never pass the limit, but for one exception: where no token is
//!   counted yet, a request passes whatever its estimate. Else a large prompt would never pass.
//! - When the window turns everything starts from nothing. What is settled or released later
//!   belongs to a window that nobody asks about any more, and is left alone.
//! - Windows are aligned in UTC: multiples of the window since 1970 for seconds to days (`5h` is
//!   not aligned to the day), for weeks since the Monday before it, whole calendar months for
//!   months.
//! - Several processes share a bucket by exchanging what each has used (SPEC 14).

use crate::base::calendar;
use crate::base::clock::Millis;

/// A window aligned to UTC: so many of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub count: u32,
    /// Of what.
    pub unit: WindowUnit,
}

/// The unit of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowUnit {
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Calendar months.
    Month,
}

/// From where to where a window lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub start: Millis,
    /// The first moment of the next one.
    pub end: Millis,
}

/// What a bucket holds in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Requests.
    pub requests: Option<u64>,
    /// Input tokens.
    pub tokens: Option<u64>,
    /// The window.
    pub window: Window,
}

/// The counts of one bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// The start of the window that is counted.
    start: Millis,
    /// By all processes, as far as this one knows.
    used: Counts,
    /// By this process, not yet told to the others.
    untold: Counts,
    /// By requests that are on their way.
    reserved: Counts,
}

/// Requests and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Input tokens.
    pub tokens: u64,
}

/// A place in a bucket; it is settled or released.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is neither settled nor released stays reserved until the window turns"]
pub struct Reservation {
    start: Millis,
    tokens: u64,
}

/// What a release gives back, the less first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refund {
    /// The tokens: upstream answered with an error of its own (5xx), which counts as a request.
    TokensOnly,
    /// All: upstream was not reached.
    RequestAndTokens,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Requests.
    Requests,
    /// Input tokens.
    Tokens,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// What there is not enough of.
    pub metric: Metric,
    /// How much of it a window holds.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// When the next window begins.
    pub resets_at: Millis,
}

impl Bucket {
    /// Is there room for a request of about so many tokens? A look that changes nothing.
    ///
    /// # Errors
    /// There is none before the window turns.
    pub fn room(&self, now: Millis, limit: &Limit, tokens: u64) -> Result<(), Exhausted> {
        let (span, taken) = self.seen(now, limit);
        // No request is smaller than a token, so that what is full is full.
        let wanted = taken.tokens.saturating_add(tokens.max(1));
        let exhausted =
            |metric, limit, remaining| Err(Exhausted { metric, limit, remaining, resets_at: span.end });
        if let Some(most) = limit.requests.filter(|most| taken.requests >= *most) {
            return exhausted(Metric::Requests, most, 0);
        }
        match limit.tokens {
            Some(most) if taken.tokens > 0 && wanted > most => {
                exhausted(Metric::Tokens, most, most.saturating_sub(taken.tokens))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes room for a request of about so many tokens.
    ///
    /// # Errors
    /// There is none before the window turns.
    pub fn reserve(&mut self, now: Millis, limit: &Limit, tokens: u64) -> Result<Reservation, Exhausted> {
        self.room(now, limit, tokens)?;
        self.turn(now, limit.window);
        self.reserved.add(Counts { requests: 1, tokens });
        Ok(Reservation { start: self.start, tokens })
    }

    /// The answer came: its input tokens as reported, or as estimated where nothing was, are used.
    pub fn settle(&mut self, reservation: Reservation, actual: Option<u64>) {
        let tokens = actual.unwrap_or(reservation.tokens);
        self.end(&reservation, Counts { requests: 1, tokens });
    }

    /// No answer came.
    pub fn release(&mut self, reservation: Reservation, refund: Refund) {
        let kept = match refund {
            Refund::RequestAndTokens => Counts::default(),
            Refund::TokensOnly => Counts { requests: 1, tokens: 0 },
        };
        self.end(&reservation, kept);
    }

    /// The smallest share of its limits that is left, 0.0 to 1.0.
    pub fn remaining_share(&self, now: Millis, limit: &Limit) -> f64 {
        let (_, taken) = self.seen(now, limit);
        let share = |most: Option<u64>, taken: u64| match most {
            Some(0) => 0.0,
            Some(most) => most.saturating_sub(taken) as f64 / most as f64,
            None => 1.0,
        };
        share(limit.requests, taken.requests).min(share(limit.tokens, taken.tokens))
    }

    /// What is used and reserved in the window of `now`.
    pub fn taken(&self, now: Millis, limit: &Limit) -> Counts {
        self.seen(now, limit).1
    }

    /// What this process has used since it was last asked, and in which window; `None` when there
    /// is nothing to tell the others.
    pub fn tell(&mut self, window: Window) -> Option<(Span, Counts)> {
        let untold = std::mem::take(&mut self.untold);
        (untold != Counts::default()).then(|| (window.around(self.start), untold))
    }

    /// Takes over what all processes together have used in the window that starts at `start`, with
    /// everything in it that [`Bucket::tell`] gave. What is known already is never forgotten: the
    /// shared state may have been lost.
    pub fn adopt(&mut self, start: Millis, mut total: Counts, now: Millis, window: Window) {
        self.turn(now, window);
        if start == self.start {
            total.add(self.untold);
            self.used.requests = self.used.requests.max(total.requests);
            self.used.tokens = self.used.tokens.max(total.tokens);
        }
    }

    fn end(&mut self, reservation: &Reservation, used: Counts) {
        if reservation.start != self.start {
            return;
        }
        self.reserved.requests = self.reserved.requests.saturating_sub(1);
        self.reserved.tokens = self.reserved.tokens.saturating_sub(reservation.tokens);
        self.used.add(used);
        self.untold.add(used);
    }

    /// The window of `now` and what is taken in it.
    fn seen(&self, now: Millis, limit: &Limit) -> (Span, Counts) {
        let mut taken = self.used;
        taken.add(self.reserved);
        let span = limit.window.around(now);
        (span, if self.has_turned(span) { Counts::default() } else { taken })
    }

    fn turn(&mut self, now: Millis, window: Window) {
        let span = window.around(now);
        if self.has_turned(span) {
            *self = Self { start: span.start, ..Self::default() };
        }
    }

    /// Is what is counted of another window? Threads read the clock before they get here, so that a
    /// time shortly before the window is nothing new. Longer before it, the clock was set back.
    fn has_turned(&self, span: Span) -> bool {
        span.start > self.start || span.end < self.start
    }
}

impl Window {
    /// The window that holds a moment.
    pub fn around(self, at: Millis) -> Span {
        let count = u64::from(self.count.max(1));
        match self.unit {
            WindowUnit::Second => multiple(at, count * SECOND, 0),
            WindowUnit::Minute => multiple(at, count * 60 * SECOND, 0),
            WindowUnit::Hour => multiple(at, count * 3600 * SECOND, 0),
            WindowUnit::Day => multiple(at, count * DAY, 0),
            WindowUnit::Week => multiple(at, count * 7 * DAY, FIRST_MONDAY),
            WindowUnit::Month => {
                let month = calendar::month(at);
                let first = month - month % count;
                Span { start: calendar::month_start(first), end: calendar::month_start(first + count) }
            }
        }
    }
}

/// In milliseconds.
const SECOND: u64 = 1000;
const DAY: u64 = 24 * 3600 * SECOND;
/// 1970-01-01 was a Thursday.
const FIRST_MONDAY: u64 = 4 * DAY;

/// The multiple of a length that holds a moment, counted from `first`.
fn multiple(at: Millis, length: u64, first: u64) -> Span {
    let inside = at.0.saturating_sub(first) % length;
    Span { start: Millis(at.0 - inside), end: Millis(at.0.saturating_add(length - inside)) }
}

impl Counts {
    /// Adds; the largest number is not passed.
    pub fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.tokens = self.tokens.saturating_add(more.tokens);
    }
}

impl Metric {
    /// Its name, as `X-RateLimit-Metric` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

#[cfg(test)]
mod tests;
