//! What is in the buckets, and how providers are, for those who look on. A look changes nothing.

use crate::base::clock::Millis;
use crate::base::id::ProviderName;
use crate::config::{Bucket as BucketRule, Config};
use crate::policy::breaker::CircuitState;
use crate::policy::bucket::Counts;
use crate::route::health::Health;
use crate::state::{BucketId, Owner};

impl Health {
    /// What is used and reserved of a bucket of an owner, and when its next window begins.
    pub fn level(&self, owner: &Owner, rule: &BucketRule, now: Millis) -> (Counts, Millis) {
        let id = BucketId { owner: owner.clone(), name: rule.name.clone() };
        let taken = self.with(|inner| inner.buckets.get(&id).map(|bucket| bucket.taken(now, &rule.limit())));
        (taken.unwrap_or_default(), rule.window.around(now).end)
    }

    /// The worst breaker of a provider, with its failures inside the window.
    pub fn worst(&self, provider: &ProviderName, now: Millis, config: &Config) -> (CircuitState, u32) {
        let rank = |state: CircuitState| match state {
            CircuitState::Closed => (0, Millis::default()),
            CircuitState::HalfOpen => (1, Millis::default()),
            CircuitState::Open { until } => (2, until),
        };
        let settings = config.breaker.settings();
        self.with(|inner| {
            let own = inner.targets.iter().filter(|(target, _)| target.provider == *provider);
            let states =
                own.map(|(_, entry)| (entry.breaker.peek(now), entry.breaker.failures(now, &settings)));
            states.max_by_key(|(state, failures)| (rank(*state), *failures))
        })
        .unwrap_or((CircuitState::Closed, 0))
    }
}
