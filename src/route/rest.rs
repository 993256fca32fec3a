//! Who rests after a failure, until when (SPEC 6.3, 6.4): a target, or a whole provider.

use std::time::Duration;

use crate::base::clock::Millis;
use crate::base::id::{ProviderName, TargetId};
use crate::policy::breaker::SET_BACK;
use crate::policy::class::Class;
use crate::route::health::{Health, Inner};

/// A target, or a whole provider, rests after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// After which failure.
    pub class: Class,
    /// Until when.
    pub until: Millis,
    /// Since when.
    pub at: Millis,
    /// What upstream said.
    pub said: String,
}

/// A provider that answers nothing but 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Streak {
    /// The first of them.
    since: Millis,
    /// When the last of them is over.
    until: Millis,
}

/// Between two requests that are let through to a target whose key or quota failed.
const LET_THROUGH: Duration = Duration::from_secs(30);
/// A provider that answers nothing but 429 for so long rests as a whole. One that nobody has asked
/// for so long, after the last 429 was over, begins anew.
const STREAK: Duration = Duration::from_secs(60);

impl Health {
    /// A target rests; the longer of two rests counts.
    pub fn rest_target(&self, target: &TargetId, rest: Rest) {
        self.with(|inner| inner.rest_target(target, rest));
    }

    /// A provider rests with all its targets.
    pub fn rest_provider(&self, provider: &ProviderName, rest: Rest) {
        self.with(|inner| inner.rest_provider(provider, rest));
    }

    /// A target rests after a 429; with all others of its provider, when that has answered nothing
    /// else for a while.
    pub fn rest_limited(&self, target: &TargetId, rest: Rest) {
        self.with(|inner| {
            let new = Streak { since: rest.at, until: rest.until };
            let mut streak = inner.streaks.get(&target.provider).copied().unwrap_or(new);
            if rest.at.since(streak.until) > STREAK || streak.since.since(rest.at) >= SET_BACK {
                streak = new;
            }
            streak.until = streak.until.max(rest.until);
            inner.streaks.insert(target.provider.clone(), streak);
            if rest.at.since(streak.since) >= STREAK {
                inner.rest_provider(&target.provider, rest.clone());
            }
            inner.rest_target(target, rest);
        });
    }

    /// A target has answered: neither it nor its provider rests any longer.
    pub fn answers(&self, target: &TargetId, now: Millis) {
        self.with(|inner| {
            if let Some(entry) = inner.targets.get_mut(target) {
                entry.end_rest(now);
            }
            inner.providers.remove(&target.provider);
            inner.streaks.remove(&target.provider);
        });
    }

    /// What a target that rests was told last.
    pub fn rest_of(&self, target: &TargetId, now: Millis) -> Option<Rest> {
        self.with(|inner| inner.resting(target, now).cloned())
    }

    /// May a request go to a target that rests for its key or quota? One each 30 s.
    pub fn lets_through(&self, target: &TargetId, now: Millis) -> bool {
        self.with(|inner| {
            let last = &mut inner.targets.entry(target.clone()).or_default().let_through;
            let is_due = last.is_none_or(|last| now.since(last) >= LET_THROUGH || now < last);
            if is_due {
                *last = Some(now);
            }
            is_due
        })
    }
}

impl Inner {
    /// The rest of a target or of its provider, whichever is longer.
    pub(super) fn resting(&self, target: &TargetId, now: Millis) -> Option<&Rest> {
        let own = self.targets.get(target).and_then(|entry| entry.rest.as_ref());
        let shared = self.providers.get(&target.provider);
        own.into_iter().chain(shared).filter(|rest| rest.holds(now)).max_by_key(|rest| rest.until)
    }

    fn rest_target(&mut self, target: &TargetId, rest: Rest) {
        let known = &mut self.targets.entry(target.clone()).or_default().rest;
        if known.as_ref().is_none_or(|known| !known.outlasts(&rest)) {
            *known = Some(rest);
        }
    }

    fn rest_provider(&mut self, provider: &ProviderName, rest: Rest) {
        if self.providers.get(provider).is_none_or(|known| !known.outlasts(&rest)) {
            self.providers.insert(provider.clone(), rest);
        }
    }
}

impl Rest {
    /// Is it not over? A clock that was set back must not keep a target away until it has caught up.
    pub(super) fn holds(&self, now: Millis) -> bool {
        now < self.until && self.at.since(now) < SET_BACK
    }

    fn outlasts(&self, new: &Self) -> bool {
        self.until > new.until && self.holds(new.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> TargetId {
        TargetId::parse(name).unwrap()
    }

    fn limited(health: &Health, name: &str, at: u64) {
        let (at, until) = (Millis(at * 1000), Millis((at + 30) * 1000));
        let rest = Rest { class: Class::RateLimit, until, at, said: String::new() };
        health.rest_limited(&target(name), rest);
    }

    fn rests(health: &Health, name: &str, at: u64) -> bool {
        health.rest_of(&target(name), Millis(at * 1000)).is_some()
    }

    #[test]
    fn a_provider_that_answers_nothing_but_429_rests_as_a_whole() {
        let health = Health::default();
        limited(&health, "a/x", 1000);
        limited(&health, "a/y", 1031);
        assert!(rests(&health, "a/x", 1029) && !rests(&health, "a/x", 1030));
        assert!(!rests(&health, "a/z", 1040));
        limited(&health, "a/x", 1060);
        assert!(rests(&health, "a/z", 1061) && !rests(&health, "b/z", 1061));
        // An answer ends it, and the streak.
        health.answers(&target("a/y"), Millis(1_070_000));
        assert!(!rests(&health, "a/z", 1071));
        limited(&health, "a/x", 1072);
        assert!(!rests(&health, "a/z", 1073));
    }

    #[test]
    fn the_longer_of_two_rests_counts() {
        let health = Health::default();
        let provider = target("a/x").provider;
        for until in [200, 400, 300] {
            let (at, until) = (Millis(100_000), Millis(until * 1000));
            let rest = Rest { class: Class::Auth, until, at, said: String::new() };
            health.rest_provider(&provider, rest.clone());
            health.rest_target(&target("b/x"), rest);
        }
        for name in ["a/x", "b/x"] {
            assert!(rests(&health, name, 399) && !rests(&health, name, 400));
        }
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_target_away() {
        let health = Health::default();
        let (year, name) = (365 * 24 * 3600, "a/x");
        limited(&health, name, year);
        assert!(rests(&health, name, year + 29));
        // A thread that read the clock a little before is no clock that was set back.
        assert!(rests(&health, name, year - 1));
        assert!(!rests(&health, name, 1000));
        // What it meets from now on counts again.
        limited(&health, name, 1001);
        assert!(rests(&health, name, 1030) && !rests(&health, name, 1031));
        let rest = |at: u64| {
            let (at, until) = (Millis(at * 1000), Millis((at + 600) * 1000));
            Rest { class: Class::Auth, until, at, said: String::new() }
        };
        health.rest_provider(&target("b/x").provider, rest(year));
        health.rest_provider(&target("b/x").provider, rest(1000));
        assert!(rests(&health, "b/y", 1599) && !rests(&health, "b/y", 1600));
    }

    #[test]
    fn a_streak_that_nobody_has_seen_is_none() {
        let health = Health::default();
        limited(&health, "a/x", 1000);
        limited(&health, "a/x", 5000);
        assert!(!rests(&health, "a/z", 5001));
        limited(&health, "a/x", 5060);
        assert!(rests(&health, "a/z", 5061));
        // The last 429 counts, not the first.
        for at in [1000, 1050, 1100] {
            limited(&health, "b/x", at);
        }
        assert!(rests(&health, "b/z", 1101));
        // One of a clock that was set back since is none either.
        limited(&health, "c/x", 9000);
        limited(&health, "c/x", 1000);
        limited(&health, "c/x", 1060);
        assert!(rests(&health, "c/z", 1061));
    }

    #[test]
    fn one_request_each_30_s_is_let_through_to_each_target() {
        let health = Health::default();
        let lets = |name: &str, at: u64| health.lets_through(&target(name), Millis(at * 1000));
        assert!(lets("a/x", 100) && !lets("a/x", 129) && lets("b/x", 129) && lets("a/x", 130));
        // A clock that was set back keeps nobody away.
        assert!(lets("a/x", 50));
    }
}
