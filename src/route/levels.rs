//! What is in the buckets, and how providers are, for those who look on. A look changes nothing.

use crate::base::clock::Millis;
use crate::base::id::{ModelName, ProviderName};
use crate::config::{Config, Provider};
use crate::policy::breaker::CircuitState;
use crate::policy::bucket::Counts;
use crate::route::health::Health;

/// What is in a bucket in the window of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level<'c> {
    /// The bucket.
    pub rule: &'c crate::config::Bucket,
    /// Used and reserved.
    pub taken: Counts,
    /// The start of the next window.
    pub resets_at: Millis,
}

impl Health {
    /// What is in the buckets that count a model.
    pub fn levels<'c>(&self, provider: &'c Provider, model: &ModelName, now: Millis) -> Vec<Level<'c>> {
        let rules = provider.buckets.iter().filter(|rule| rule.counts(model));
        self.with(|inner| {
            let level = |rule: &'c crate::config::Bucket| {
                let bucket = inner.buckets.get(&(provider.name.clone(), rule.name.clone()));
                let taken = bucket.map(|bucket| bucket.taken(now, &rule.limit())).unwrap_or_default();
                Level { rule, taken, resets_at: rule.window.around(now).end }
            };
            rules.map(level).collect()
        })
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
