//! How the targets are now: breakers, cooldowns, buckets, rotations, sessions, what was learnt of
//! them. Shared by all requests and carried over a reload.
//!
//! One lock for all of it, held for look-ups and counts only: nothing is decoded, called or written
//! while it is held.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::base::clock::Millis;
use crate::base::id::{Alias, ProviderName, TargetId, stable_hash};
use crate::base::splice::Edit;
use crate::config::{AliasRoute, Config, Provider, Strategy};
use crate::policy::breaker::{Breaker, CircuitState};
use crate::policy::bucket::Bucket;
use crate::policy::class::Class;
use crate::policy::strategy::{Contender, Rotation};
use crate::route::groups::Place;
use crate::route::plan::{Candidate, Skip};
use crate::route::planning::{Moment, Purpose};
use crate::route::spend::Spend;
use crate::state::affinity::{Affinity, Session};

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
    pub(super) providers: HashMap<ProviderName, Rest>,
    pub(super) buckets: HashMap<(ProviderName, String), Bucket>,
    rotations: HashMap<(String, u32), Rotation>,
    pub(super) spend: Spend,
    /// When a request was last let through to a target that rests for its key or quota.
    let_through: Option<Millis>,
}

/// One target.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) breaker: Breaker,
    pub(super) rest: Option<Rest>,
    /// What its estimates are multiplied by, learnt from the usage it reports.
    pub(super) factor: Option<Factor>,
    /// What is left out of, or set in, each request for it, since it refused it once.
    learnt: Vec<Edit>,
}

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
/// Between two requests that are let through to targets whose key or quota failed.
const LET_THROUGH: Duration = Duration::from_secs(30);

impl Health {
    pub(super) fn lock(&self) -> View<'_> {
        View(self.inner.lock())
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock())
    }

    /// What the estimates for a target are multiplied by.
    pub fn factor(&self, target: &TargetId) -> f64 {
        self.with(|inner| inner.targets.get(target)?.factor.map(|factor| factor.value)).unwrap_or(1.0)
    }

    /// A target has reported its input tokens, `estimated` before (without the factor).
    pub fn reports(&self, target: &TargetId, estimated: u64, reported: u64, now: Millis) {
        if estimated == 0 || reported == 0 {
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

    /// The edits that a target wants, learnt from what it refused.
    pub fn learnt(&self, target: &TargetId) -> Vec<Edit> {
        self.with(|inner| inner.targets.get(target).map(|entry| entry.learnt.clone())).unwrap_or_default()
    }

    /// From now on each request for the target gets this edit.
    pub fn learn(&self, target: &TargetId, edit: Edit) {
        self.with(|inner| {
            let learnt = &mut inner.targets.entry(target.clone()).or_default().learnt;
            learnt.retain(|known| known.path != edit.path);
            learnt.push(edit);
        });
    }

    /// A target rests; the longer of two rests counts.
    pub fn rest_target(&self, target: &TargetId, rest: Rest) {
        self.with(|inner| lengthen(&mut inner.targets.entry(target.clone()).or_default().rest, rest));
    }

    /// A provider rests with all its targets.
    pub fn rest_provider(&self, provider: &ProviderName, rest: Rest) {
        self.with(|inner| {
            let mut known = inner.providers.remove(provider);
            lengthen(&mut known, rest);
            inner.providers.extend(known.map(|rest| (provider.clone(), rest)));
        });
    }

    /// A target has answered: neither it nor its provider rests any longer. Others are told that it
    /// does not, so that the rest is ended, not forgotten.
    pub fn answers(&self, target: &TargetId, now: Millis) {
        self.with(|inner| {
            let rest = inner.targets.get_mut(target).and_then(|entry| entry.rest.as_mut());
            if let Some(rest) = rest.filter(|rest| now < rest.until) {
                (rest.until, rest.at) = (now, now);
            }
            inner.providers.remove(&target.provider);
        });
    }

    /// What a target that rests was told last.
    pub fn rest_of(&self, target: &TargetId, now: Millis) -> Option<Rest> {
        self.with(|inner| inner.resting(target, now).cloned())
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

    /// May a request go to a target that rests for its key or quota? One each 30 s.
    pub fn lets_through(&self, now: Millis) -> bool {
        self.with(|inner| {
            let is_due = inner.let_through.is_none_or(|last| now.since(last) >= LET_THROUGH || now < last);
            if is_due {
                inner.let_through = Some(now);
            }
            is_due
        })
    }

    /// The configuration has changed: what was known of providers that are other ones now, and what
    /// was learnt of any, is forgotten.
    pub fn reloads(&self, before: &Config, after: &Config) {
        let same = |name: &ProviderName| match (before.provider(name), after.provider(name)) {
            (Some(before), Some(after)) => is_same(before, after),
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        let same_key = |name: &ProviderName| {
            let key = |config: &Config| Some(config.provider(name)?.key.as_ref()?.secret.expose().to_owned());
            key(before) == key(after)
        };
        self.with(|inner| {
            inner.targets.retain(|target, _| same(&target.provider));
            inner.targets.values_mut().for_each(|entry| entry.learnt.clear());
            inner.buckets.retain(|(provider, _), _| same(provider));
            inner.providers.retain(|name, _| same(name) && same_key(name));
        });
    }
}

/// Is it the same account at the same place?
fn is_same(before: &Provider, after: &Provider) -> bool {
    before.base_url == after.base_url && before.protocols == after.protocols
}

fn lengthen(known: &mut Option<Rest>, rest: Rest) {
    if known.as_ref().is_none_or(|known| known.until <= rest.until) {
        *known = Some(rest);
    }
}

impl Inner {
    /// The rest of a target or of its provider, whichever is longer.
    fn resting(&self, target: &TargetId, now: Millis) -> Option<&Rest> {
        let own = self.targets.get(target).and_then(|entry| entry.rest.as_ref());
        let shared = self.providers.get(&target.provider);
        own.into_iter().chain(shared).filter(|rest| now < rest.until).max_by_key(|rest| rest.until)
    }

    /// The buckets of a candidate with what is in them.
    fn buckets_of<'b>(
        &'b self,
        candidate: &'b Candidate<'_>,
    ) -> impl Iterator<Item = (&'b crate::config::Bucket, Option<&'b Bucket>)> {
        let own = candidate.provider.buckets.iter();
        own.filter(|rule| rule.counts(&candidate.target.model)).map(|rule| {
            let key = (candidate.provider.name.clone(), rule.name.clone());
            (rule, self.buckets.get(&key))
        })
    }
}

impl View<'_> {
    /// Why a target may not be used now.
    pub(super) fn standing(&self, candidate: &Candidate<'_>, tokens: u64, now: Millis) -> Option<Skip> {
        for (rule, bucket) in self.0.buckets_of(candidate) {
            let empty = Bucket::default();
            if let Err(exhausted) = bucket.unwrap_or(&empty).room(now, &rule.limit(), tokens) {
                return Some(Skip::Bucket(rule.name.clone(), exhausted));
            }
        }
        if let Some(rest) = self.0.resting(&candidate.target, now) {
            return Some(Skip::Cooldown(rest.class, rest.until));
        }
        let breaker = &self.0.targets.get(&candidate.target)?.breaker;
        breaker.refusal(now).map(Skip::Breaker)
    }

    /// A target as its strategy sees it.
    pub(super) fn contender(&self, candidate: &Candidate<'_>, now: Millis) -> Contender {
        let shares = self
            .0
            .buckets_of(candidate)
            .map(|(rule, bucket)| bucket.map_or(1.0, |bucket| bucket.remaining_share(now, &rule.limit())));
        let entry = self.0.targets.get(&candidate.target);
        Contender {
            key: stable_hash(candidate.target.to_string().as_bytes()),
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
        let rotation = self.0.rotations.entry((place.alias.to_owned(), place.priority)).or_default();
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
