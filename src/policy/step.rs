//! What is done after a try that failed (SPEC 6.2, 6.3): what its verdict allows, as far as the
//! tries so far leave room for it.

use std::time::Duration;

use crate::policy::backoff;
use crate::policy::outcome::{Others, Retry, Verdict};

/// How often a request may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tries of one target.
    pub attempts: u32,
    /// Tries of one request; 0 is no limit.
    pub total: u32,
    /// How often a rate limit is waited for.
    pub waits: u32,
    /// The longest Retry-After that is waited for; zero is none.
    pub max_wait: Duration,
    /// Delays between two tries of one target.
    pub backoff: backoff::Settings,
}

/// What was tried so far, the try that failed included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Tries of this request.
    pub all: u32,
    /// Of this target.
    pub here: u32,
    /// Rate limits that were waited for.
    pub waits: u32,
    /// Are other candidates left?
    pub others_left: bool,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The same target, after this delay.
    Again(Duration),
    /// The same target, once its rate limit is over.
    WaitOut(Duration),
    /// The other candidates; if they fail too, this target again, not before this delay is over.
    Later(Duration),
    /// The other candidates.
    Next,
    /// Those of the other candidates with a larger context.
    Larger,
    /// Nothing: the client is told.
    Stop,
}

impl Limits {
    /// What is done after a failure; `retry_after` is what upstream said. `draw` gives numbers of
    /// 0.0..1.0.
    pub fn step(
        &self,
        verdict: &Verdict,
        tried: Tried,
        retry_after: Option<Duration>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Step {
        if self.total != 0 && tried.all >= self.total {
            return Step::Stop;
        }
        let has_tries = tried.here < self.attempts && retry_after.is_none_or(|after| after <= self.max_wait);
        let again = verdict.own_target == Retry::Yes && has_tries;
        let mut delay = |number| backoff::delay(number, &self.backoff, retry_after, draw);
        match verdict.others {
            Others::LargerContext => return Step::Larger,
            Others::First if tried.others_left && again => return Step::Later(delay(tried.here)),
            Others::First if tried.others_left => return Step::Next,
            Others::Never | Others::Yes | Others::First => {}
        }
        if again {
            return Step::Again(delay(tried.here));
        }
        if verdict.own_target == Retry::RateLimit && tried.waits < self.waits {
            let wait = delay(tried.waits + 1);
            if wait <= self.max_wait && !self.max_wait.is_zero() {
                return Step::WaitOut(wait);
            }
        }
        if tried.others_left && verdict.others == Others::Yes { Step::Next } else { Step::Stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::class::Class;
    use crate::policy::outcome::Met;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: Limits = Limits {
        attempts: 2,
        total: 6,
        waits: 2,
        max_wait: Duration::from_secs(30),
        backoff: backoff::Settings { base: SECOND, max: Duration::from_secs(3) },
    };
    const FIRST: Tried = Tried { all: 1, here: 1, waits: 0, others_left: false };
    const OF_SEVERAL: Tried = Tried { others_left: true, ..FIRST };

    #[track_caller]
    fn check(class: Class, status: u16, tried: Tried, after: Option<u64>, expected: Step) {
        let verdict = Met::of(class, status).verdict();
        let step = LIMITS.step(&verdict, tried, after.map(Duration::from_secs), &mut || 1.0);
        assert_eq!(step, expected, "{class:?} {status} {tried:?} {after:?}");
    }

    #[test]
    fn the_own_target_comes_first_but_for_one_that_is_overloaded() {
        check(Class::Transient, 500, OF_SEVERAL, None, Step::Again(SECOND));
        check(Class::Transient, 529, OF_SEVERAL, None, Step::Later(SECOND));
        check(Class::Transient, 503, OF_SEVERAL, Some(7), Step::Later(7 * SECOND));
        check(Class::Transient, 503, FIRST, Some(7), Step::Again(7 * SECOND));
        check(Class::NotFound, 404, OF_SEVERAL, None, Step::Next);
        check(Class::NotFound, 404, FIRST, None, Step::Stop);
        check(Class::BadRequest, 400, OF_SEVERAL, None, Step::Stop);
        check(Class::Context, 400, OF_SEVERAL, None, Step::Larger);
    }

    #[test]
    fn tries_are_counted() {
        let second = Tried { all: 2, here: 2, ..OF_SEVERAL };
        check(Class::Transient, 500, second, None, Step::Next);
        check(Class::Transient, 503, second, None, Step::Next);
        check(Class::Transient, 500, Tried { others_left: false, ..second }, None, Step::Stop);
        for (class, status) in [(Class::Transient, 500), (Class::Auth, 401), (Class::Context, 400)] {
            check(class, status, Tried { all: 6, ..OF_SEVERAL }, None, Step::Stop);
        }
        let endless = Limits { total: 0, ..LIMITS };
        let verdict = Met::of(Class::Auth, 401).verdict();
        let many = Tried { all: 1000, ..OF_SEVERAL };
        assert_eq!(endless.step(&verdict, many, None, &mut || 1.0), Step::Next);
    }

    #[test]
    fn nobody_waits_for_longer_than_the_longest_wait() {
        check(Class::Transient, 500, FIRST, Some(30), Step::Again(30 * SECOND));
        check(Class::Transient, 500, FIRST, Some(31), Step::Stop);
        check(Class::Transient, 500, OF_SEVERAL, Some(31), Step::Next);
        check(Class::Transient, 503, OF_SEVERAL, Some(31), Step::Next);
        check(Class::RateLimit, 429, FIRST, Some(30), Step::WaitOut(30 * SECOND));
        check(Class::RateLimit, 429, FIRST, Some(31), Step::Stop);
    }

    #[test]
    fn a_rate_limit_is_waited_for_twice_when_nobody_else_is_left() {
        check(Class::RateLimit, 429, OF_SEVERAL, Some(1), Step::Next);
        check(Class::RateLimit, 429, FIRST, Some(9), Step::WaitOut(9 * SECOND));
        check(
            Class::RateLimit,
            429,
            Tried { all: 2, here: 2, waits: 1, ..FIRST },
            None,
            Step::WaitOut(2 * SECOND),
        );
        check(Class::RateLimit, 429, Tried { all: 3, here: 3, waits: 2, ..FIRST }, None, Step::Stop);
    }

    #[test]
    fn no_wait_is_no_wait_at_all() {
        let none = Limits { max_wait: Duration::ZERO, ..LIMITS };
        let verdict = Met::of(Class::RateLimit, 429).verdict();
        let none = Limits { backoff: backoff::Settings { base: Duration::ZERO, ..none.backoff }, ..none };
        assert_eq!(none.step(&verdict, FIRST, None, &mut || 1.0), Step::Stop);
    }
}
