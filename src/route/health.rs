//! How the targets are now: breakers, cooldowns, buckets, rotations, sessions, what was learnt of
//! them. Shared by all requests and carried over a reload.
//!
//! One lock for all of it, held for look-ups and counts only: nothing is decoded, called or written
//! while it is held.

use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};

use crate::base::clock::Millis;
use crate::base::id::{Alias, ProviderName, TargetId};
use crate::base::table::Table;
use crate::config::{AliasRoute, Bucket as BucketRule, Config, Provider, Strategy};
use crate::ir::estimate::Size;
use crate::policy::breaker::{Breaker, CircuitState, Memory, Settings};
use crate::policy::bucket::Bucket;
use crate::policy::strategy::{Contender, Rotation};
use crate::route::groups::Place;
use crate::route::plan::{Candidate, Skip};
use crate::route::planning::{Moment, Purpose};
use crate::route::rest::Streak;
use crate::route::spend::Spend;
use crate::state::affinity::{Affinity, Session};
use crate::state::{BucketId, Owner};
use crate::translate::concession::Concession;

pub use crate::route::rest::Rest;

/// How the targets are.
#[derive(Default)]
pub struct Health {
    inner: Mutex<Inner>,
    affinity: Affinity,
}

/// The same while it is looked at.
pub(super) struct View<'h>(MutexGuard<'h, Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub(super) targets: HashMap<TargetId, Entry>,
    /// Providers that rest as a whole: a refused key, a limit of the whole account.
    pub(super) providers: Table<ProviderName, Rest>,
    pub(super) buckets: Table<BucketId, Bucket>,
    rotations: Table<(String, u32), Rotation>,
    pub(super) spend: Spend,
    /// Providers that have answered nothing but 429 of late.
    pub(super) streaks: Table<ProviderName, Streak>,
}

/// One target.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) breaker: Breaker,
    pub(super) rest: Option<Rest>,
    /// What its estimates are multiplied by, learnt from the usage it reports.
    pub(super) factor: Option<Factor>,
    /// When a request was last let through to it although its key or quota had failed.
    pub(super) let_through: Option<Millis>,
    /// What it refused once, and is not given again.
    learnt: Vec<Concession>,
    /// What other processes were told.
    pub(super) told: Told,
}

/// What other processes were told of a target: the dates of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub(super) breaker: Millis,
    pub(super) rest: Millis,
    pub(super) factor: Millis,
}

/// What a target's estimates are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factor {
    pub(super) value: f64,
    pub(super) at: Millis,
}

/// How much one report moves the factor.
const FACTOR_SHARE: f64 = 0.2;
/// It never leaves these bounds.
const FACTOR_BOUNDS: (f64, f64) = (0.5, 2.0);
impl Health {
    pub(super) fn lock(&self) -> View<'_> {
        View(self.inner.lock())
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock())
    }

    /// Estimated input tokens of a request for a target (SPEC 7.3); what is more than nothing stays so.
    pub fn estimate(&self, candidate: &Candidate<'_>, size: Size) -> u64 {
        let factor = self.with(|inner| inner.targets.get(&candidate.target)?.factor);
        let tokens = candidate.tokens(size);
        // Saturates: no request has 2^53 tokens.
        ((tokens as f64 * factor.map_or(1.0, |factor| factor.value)) as u64).max(tokens.min(1))
    }

    /// A target has reported its input tokens, `estimated` before (without the factor).
    pub fn reports(&self, target: &TargetId, estimated: u64, reported: u64, now: Millis) {
        // One token is the least that any text is estimated at: no measure.
        if estimated < 2 || reported == 0 {
            return;
        }
        let met = reported as f64 / estimated as f64;
        self.with(|inner| {
            let entry = inner.targets.entry(target.clone()).or_default();
            let before = entry.factor.map_or(1.0, |factor| factor.value);
            let (least, most) = FACTOR_BOUNDS;
            let value = (before * (1.0 - FACTOR_SHARE) + met * FACTOR_SHARE).clamp(least, most);
            entry.factor = Some(Factor { value, at: now });
        });
    }

    /// What a target is not given, learnt from what it refused.
    pub fn learnt(&self, target: &TargetId) -> Vec<Concession> {
        self.with(|inner| inner.targets.get(target).map(|entry| entry.learnt.clone())).unwrap_or_default()
    }

    /// From now on the target is not given this.
    pub fn learn(&self, target: &TargetId, refused: Concession) {
        self.with(|inner| {
            let learnt = &mut inner.targets.entry(target.clone()).or_default().learnt;
            learnt.retain(|known| !known.gives_way_to(&refused));
            learnt.push(refused);
        });
    }

    /// The session's last answer came from this target.
    pub fn keeps(&self, session: u64, route: &AliasRoute, target: &TargetId, now: Millis) {
        let session = Session { key: session, alias: route.alias.clone() };
        self.affinity.set(session, target.clone(), route.affinity, now);
    }

    /// The target that last answered a session.
    pub(super) fn last_of(
        &self,
        session: u64,
        alias: &Alias,
        purpose: Purpose,
        now: Millis,
    ) -> Option<TargetId> {
        let session = Session { key: session, alias: alias.clone() };
        match purpose {
            Purpose::Serve => self.affinity.get(&session, now),
            Purpose::Show => self.affinity.peek(&session, now),
        }
    }

    /// The configuration has changed: what was known of providers that are other ones now, and what
    /// was learnt of any, is forgotten. Other processes are told, so that they do not bring it back.
    pub fn reloads(&self, before: &Config, after: &Config, now: Millis) {
        let settings = after.breaker.settings();
        self.with(|inner| {
            inner.targets.retain(|target, _| after.provider(&target.provider).is_some());
            for (target, entry) in &mut inner.targets {
                entry.learnt.clear();
                if settings.threshold == 0 {
                    // It is switched off: what it was keeps nobody away.
                    entry.breaker = Breaker::default();
                }
                let providers = before.provider(&target.provider).zip(after.provider(&target.provider));
                let is_same = providers.is_some_and(|(before, after)| is_same(before, after));
                if !is_same {
                    entry.forget(now, &settings);
                }
                if !is_same || providers.is_some_and(|(before, after)| before.key != after.key) {
                    entry.end_rest(now);
                }
            }
            let same = |name: &ProviderName| {
                let providers = before.provider(name).zip(after.provider(name));
                providers.filter(|(before, after)| is_same(before, after))
            };
            inner.buckets.retain(|id, _| match &id.owner {
                Owner::Provider(name) => same(name).is_some(),
                Owner::Key(_) => true,
            });
            let same_key =
                |name: &ProviderName| same(name).is_some_and(|(before, after)| before.key == after.key);
            inner.providers.retain(|name, _| same_key(name));
            inner.streaks.retain(|name, _| same_key(name));
        });
    }
}

impl Entry {
    /// Is there anything of it that must not be forgotten?
    pub(super) fn is_ill(&self, now: Millis) -> bool {
        let Memory { failures, open_until, .. } = self.breaker.memory();
        failures > 0 || open_until.is_some() || self.rest.as_ref().is_some_and(|rest| rest.holds(now))
    }

    /// Begins anew, from now on.
    fn forget(&mut self, now: Millis, settings: &Settings) {
        self.breaker = Breaker::default();
        self.breaker.adopt(&Memory { at: now, ..Memory::default() }, settings);
        if let Some(factor) = &mut self.factor {
            *factor = Factor { value: 1.0, at: now };
        }
    }

    /// It rests no longer. The end is kept, so that others are told of it.
    pub(super) fn end_rest(&mut self, now: Millis) {
        if let Some(rest) = self.rest.as_mut().filter(|rest| now < rest.until) {
            (rest.until, rest.at) = (now, now);
        }
    }
}

/// Is it the same account at the same place?
fn is_same(before: &Provider, after: &Provider) -> bool {
    before.base_url == after.base_url && before.protocols == after.protocols
}

impl Inner {
    /// The buckets of a candidate with what is in them.
    fn buckets_of<'b>(
        &'b self,
        candidate: &'b Candidate<'_>,
    ) -> impl Iterator<Item = (&'b BucketRule, Option<&'b Bucket>)> {
        let own = candidate.provider.buckets.iter();
        own.filter(|rule| rule.counts(&candidate.target.model)).map(|rule| {
            let owner = Owner::Provider(candidate.provider.name.clone());
            (rule, self.buckets.get(&BucketId { owner, name: rule.name.clone() }))
        })
    }
}

impl View<'_> {
    /// Is a bucket of a target exhausted?
    pub(super) fn empty_bucket(&self, candidate: &Candidate<'_>, tokens: u64, now: Millis) -> Option<Skip> {
        let none = Bucket::default();
        self.0.buckets_of(candidate).find_map(|(rule, bucket)| {
            let room = bucket.unwrap_or(&none).room(now, &rule.limit(), tokens);
            room.err().map(|exhausted| Skip::Bucket(rule.name.clone(), exhausted))
        })
    }

    /// Does a target rest, or is its breaker open?
    pub(super) fn ill(&self, candidate: &Candidate<'_>, now: Millis) -> Option<Skip> {
        if let Some(rest) = self.0.resting(&candidate.target, now) {
            return Some(Skip::Cooldown(rest.class, rest.until));
        }
        self.0.targets.get(&candidate.target)?.breaker.refusal(now).map(Skip::Breaker)
    }

    /// A target as its strategy sees it.
    pub(super) fn contender(&self, candidate: &Candidate<'_>, now: Millis) -> Contender {
        let shares = self
            .0
            .buckets_of(candidate)
            .map(|(rule, bucket)| bucket.map_or(1.0, |bucket| bucket.remaining_share(now, &rule.limit())));
        let entry = self.0.targets.get(&candidate.target);
        Contender {
            key: candidate.target.stable_hash(),
            weight: candidate.weight,
            remaining: shares.fold(1.0, f64::min),
            recent_failures: entry.map_or(0, |entry| entry.breaker.failures_in_a_row()),
        }
    }

    /// The order of a strategy; only a plan that is carried out moves the rotation on.
    pub(super) fn order(
        &mut self,
        place: Place<'_>,
        strategy: Strategy,
        contenders: &[Contender],
        moment: &mut Moment<'_>,
    ) -> Vec<usize> {
        let rotation = self.0.rotations.get_or_default((place.alias.to_owned(), place.priority));
        match moment.purpose {
            Purpose::Serve => strategy.order(contenders, rotation, moment.draw),
            Purpose::Show => strategy.order(contenders, &mut rotation.clone(), moment.draw),
        }
    }
}

/// How a target is, for those who look on.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The breaker's state.
    pub circuit: CircuitState,
    /// Terminal failures inside the breaker's window.
    pub failures: u32,
    /// Why and until when it rests.
    pub rest: Option<Rest>,
    /// What its estimates are multiplied by.
    pub factor: f64,
}

impl Health {
    /// How a target is.
    pub fn condition(&self, target: &TargetId, now: Millis, config: &Config) -> Condition {
        self.with(|inner| {
            let rest = inner.resting(target, now).cloned();
            let entry = inner.targets.get(target);
            let failures = entry.map(|entry| entry.breaker.failures(now, &config.breaker.settings()));
            Condition {
                circuit: entry.map_or(CircuitState::Closed, |entry| entry.breaker.peek(now)),
                failures: failures.unwrap_or(0),
                rest,
                factor: entry.and_then(|entry| entry.factor).map_or(1.0, |factor| factor.value),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_follows_what_a_target_reports() {
        let (health, target) = (Health::default(), TargetId::parse("a/x").unwrap());
        for (estimated, reported, times, expected) in [
            (1, 100, 1, 1.0),
            (100, 0, 1, 1.0),
            (100, 200, 1, 1.2),
            (100, 200, 1, 1.36),
            (2, 1, 1, 1.188),
            (100, 1000, 9, 2.0),
            (100, 1, 9, 0.5),
        ] {
            for _ in 0..times {
                health.reports(&target, estimated, reported, Millis(1));
            }
            let factor = health.with(|inner| inner.targets.get(&target)?.factor);
            let value = factor.map_or(1.0, |factor| factor.value);
            assert!((value - expected).abs() < 1e-9, "{estimated} {reported}: {value}");
        }
    }
}
