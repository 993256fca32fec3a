//! What follows from a failure: the columns of the table in SPEC 6.1, and of 6.5 for the breaker.
//!
//! Whatever a verdict allows holds before the commit point alone (SPEC 6.6): after it nothing is
//! retried. How often, the caller counts.

use crate::policy::breaker::Signal;
use crate::policy::class::Class;

/// A failure, with what its class does not say.
#[derive(Clone, Copy, Debug)]
pub struct Met {
    /// Its class.
    pub class: Class,
    /// The HTTP status, or the one that an error inside an answer stands for; 0 when there is none.
    pub status: u16,
    /// For timeouts: what took too long.
    pub late: Late,
    /// Whose key was used.
    pub key: KeyOwner,
    /// May a moderation refusal go to another target (`retry.policy_fallback`)?
    pub policy_fallback: bool,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// The connection: the request has not been sent.
    Connect,
    /// Anything else.
    Answer,
}

/// Whose key was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// The proxy's.
    Proxy,
    /// The client's own (`client_key` mode).
    Client,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// May the same target be asked again?
    pub own_target: Retry,
    /// May other targets be asked?
    pub others: Others,
    /// Who rests; how long, [`cooldown`](crate::policy::backoff::cooldown) tells.
    pub rest: Rest,
    /// What the breaker is told.
    pub breaker: Signal,
}

/// May the same target be asked again?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No.
    Never,
    /// Yes, after a delay.
    Yes,
    /// When no other candidate is left and the wait is short enough (SPEC 6.3).
    RateLimit,
}

/// May other targets be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// No.
    Never,
    /// Yes, once the own target has had its tries.
    Yes,
    /// Yes, and before the own target is asked again.
    First,
    /// The next one with a larger context, once.
    LargerContext,
}

/// Who rests after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nobody.
    None,
    /// The target.
    Target,
    /// All targets of its provider: they share the key.
    Provider,
}

impl Met {
    /// A failure that only its class and status tell about.
    pub fn of(class: Class, status: u16) -> Self {
        Self { class, status, late: Late::Answer, key: KeyOwner::Proxy, policy_fallback: false }
    }

    /// What follows from it.
    pub fn verdict(&self) -> Verdict {
        // What a client's own key may not do says nothing of the other clients' keys.
        let of_key = if self.key == KeyOwner::Client { Rest::None } else { Rest::Target };
        let (own_target, others, rest) = match self.class {
            Class::Context | Class::TooLarge => (Retry::Never, Others::LargerContext, Rest::None),
            Class::Quota | Class::Forbidden | Class::NotFound => (Retry::Never, Others::Yes, of_key),
            Class::RateLimit => (Retry::RateLimit, Others::First, of_key),
            Class::Auth => match self.key {
                KeyOwner::Proxy => (Retry::Never, Others::Yes, Rest::Provider),
                KeyOwner::Client => (Retry::Never, Others::Never, Rest::None),
            },
            Class::Policy if self.policy_fallback => (Retry::Never, Others::Yes, Rest::None),
            Class::Policy | Class::BadRequest | Class::Gone => (Retry::Never, Others::Never, Rest::None),
            Class::Transient if matches!(self.status, 503 | 529) => (Retry::Yes, Others::First, Rest::None),
            Class::Timeout if self.late == Late::Answer => (Retry::Never, Others::Yes, Rest::None),
            Class::Transient | Class::Network | Class::Timeout | Class::BadUpstream | Class::Cut => {
                (Retry::Yes, Others::Yes, Rest::None)
            }
        };
        Verdict { own_target, others, rest, breaker: self.breaker() }
    }

    /// 400, 404, 413, 422 and their like show that upstream is alive. A refused key, a spent quota
    /// and a client that left show nothing.
    fn breaker(&self) -> Signal {
        match self.class {
            Class::Transient | Class::Network | Class::Timeout | Class::BadUpstream | Class::Cut => {
                Signal::Failure
            }
            Class::Gone => Signal::Release,
            Class::Context
            | Class::Quota
            | Class::RateLimit
            | Class::Auth
            | Class::Forbidden
            | Class::Policy
            | Class::NotFound
            | Class::TooLarge
            | Class::BadRequest => match self.status {
                401 | 402 | 403 | 429 => Signal::Release,
                400..=499 => Signal::Success,
                // Own rules may give any class to any status.
                _ => Signal::Release,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::words::Words as _;

    /// The table of SPEC 6.1: class, status, own target, others, who rests, breaker.
    const TABLE: [(Class, u16, Retry, Others, Rest, Signal); 31] = {
        use Class::*;
        use Others::{First, LargerContext};
        use Rest::{Provider, Target};
        use Retry::Yes;
        use Signal::{Failure, Release, Success};
        const NO: Retry = Retry::Never;
        const NONE: Others = Others::Never;
        const NEXT: Others = Others::Yes;
        const NOBODY: Rest = Rest::None;
        [
            (Context, 400, NO, LargerContext, NOBODY, Success),
            (Context, 413, NO, LargerContext, NOBODY, Success),
            (Quota, 402, NO, NEXT, Target, Release),
            (Quota, 400, NO, NEXT, Target, Success),
            (Quota, 429, NO, NEXT, Target, Release),
            (RateLimit, 429, Retry::RateLimit, First, Target, Release),
            (Auth, 401, NO, NEXT, Provider, Release),
            (Auth, 400, NO, NEXT, Provider, Success),
            (Forbidden, 403, NO, NEXT, Target, Release),
            (Policy, 400, NO, NONE, NOBODY, Success),
            (Policy, 403, NO, NONE, NOBODY, Release),
            (NotFound, 404, NO, NEXT, Target, Success),
            (NotFound, 410, NO, NEXT, Target, Success),
            (TooLarge, 413, NO, LargerContext, NOBODY, Success),
            (BadRequest, 400, NO, NONE, NOBODY, Success),
            (BadRequest, 422, NO, NONE, NOBODY, Success),
            (BadRequest, 418, NO, NONE, NOBODY, Success),
            (Transient, 408, Yes, NEXT, NOBODY, Failure),
            (Transient, 500, Yes, NEXT, NOBODY, Failure),
            (Transient, 503, Yes, First, NOBODY, Failure),
            (Transient, 529, Yes, First, NOBODY, Failure),
            (Transient, 0, Yes, NEXT, NOBODY, Failure),
            (Network, 0, Yes, NEXT, NOBODY, Failure),
            (Timeout, 0, NO, NEXT, NOBODY, Failure),
            (Timeout, 200, NO, NEXT, NOBODY, Failure),
            (BadUpstream, 200, Yes, NEXT, NOBODY, Failure),
            (BadUpstream, 302, Yes, NEXT, NOBODY, Failure),
            (Cut, 200, Yes, NEXT, NOBODY, Failure),
            (Gone, 0, NO, NONE, NOBODY, Release),
            // As own rules may have it.
            (Quota, 500, NO, NEXT, Target, Release),
            (Transient, 400, Yes, NEXT, NOBODY, Failure),
        ]
    };

    #[test]
    fn every_class_has_its_row() {
        for (class, status, own_target, others, rest, breaker) in TABLE {
            let expected = Verdict { own_target, others, rest, breaker };
            assert_eq!(Met::of(class, status).verdict(), expected, "{class:?} {status}");
        }
        for (name, &class) in Class::WORDS.iter().zip(Class::CHOICES) {
            assert!(TABLE.iter().any(|row| row.0 == class), "{name} has no row");
        }
    }

    #[test]
    fn what_a_class_does_not_say_decides() {
        let connect = Met { late: Late::Connect, ..Met::of(Class::Timeout, 0) }.verdict();
        assert_eq!((connect.own_target, connect.others), (Retry::Yes, Others::Yes));
        for (class, status, ..) in TABLE {
            let theirs = Met { key: KeyOwner::Client, ..Met::of(class, status) }.verdict();
            let ours = Met::of(class, status).verdict();
            let others = if class == Class::Auth { Others::Never } else { ours.others };
            assert_eq!(theirs, Verdict { others, rest: Rest::None, ..ours }, "{class:?} {status}");
        }
        let fallback = Met { policy_fallback: true, ..Met::of(Class::Policy, 400) }.verdict();
        assert_eq!((fallback.own_target, fallback.others), (Retry::Never, Others::Yes));
    }

    #[test]
    fn whoever_rests_has_a_time_for_it() {
        use std::time::Duration;

        use crate::policy::backoff::{Cooldown, cooldown};
        let second = Duration::from_secs(1);
        let all = Cooldown {
            rate_limit: second,
            max_retry_after: second,
            quota: second,
            auth: second,
            not_found: second,
        };
        for &class in Class::CHOICES {
            let rests = Met::of(class, 400).verdict().rest != Rest::None;
            assert_eq!(cooldown(class, None, &all).is_some(), rests, "{}", class.name());
        }
    }
}
