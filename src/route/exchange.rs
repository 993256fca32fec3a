//! Health and the store: what has changed here is told, what others know is taken over (SPEC 14).

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::config::{Bucket as BucketRule, Config};
use crate::policy::breaker::Memory;
use crate::policy::class::Class;
use crate::route::health::{Entry, Factor, Health, Rest};
use crate::state::{BreakerEntry, BucketEntry, BucketId, CooldownEntry, Delta, FactorEntry, Owner, Shared};

impl Health {
    /// What has changed since it was last told. Counts are taken out: they are told once.
    pub fn tell(&self, config: &Config) -> Delta {
        self.with(|inner| {
            let mut news = Shared::default();
            for (target, entry) in &mut inner.targets {
                entry.tell(target, &mut news);
            }
            for (id, bucket) in inner.buckets.iter_mut() {
                if let Some((span, counts)) = rule(config, id).and_then(|rule| bucket.tell(rule.window)) {
                    news.buckets.insert(id.clone(), BucketEntry::of(span, counts));
                }
            }
            news.spend.extend(inner.spend.tell());
            Delta(news)
        })
    }

    /// Takes over what all processes know together.
    pub fn adopt(&self, shared: &Shared, now: Millis, config: &Config) {
        let settings = config.breaker.settings();
        let known = |target: &TargetId| config.provider(&target.provider).is_some();
        self.with(|inner| {
            for (target, entry) in shared.breakers.iter().filter(|(target, _)| known(target)) {
                let known = inner.targets.entry(target.clone()).or_default();
                known.breaker.adopt(&Memory::from(*entry), &settings);
                known.told.breaker = known.told.breaker.max(entry.at);
            }
            for (target, entry) in shared.cooldowns.iter().filter(|(target, _)| known(target)) {
                let known = inner.targets.entry(target.clone()).or_default();
                known.told.rest = known.told.rest.max(entry.at);
                if known.rest.as_ref().is_none_or(|rest| rest.at < entry.at) {
                    let said = format!("{target} rests: {}.", entry.class.name());
                    known.rest = Some(Rest { class: entry.class, until: entry.until, at: entry.at, said });
                }
            }
            for (target, entry) in shared.factors.iter().filter(|(target, _)| known(target)) {
                let known = inner.targets.entry(target.clone()).or_default();
                known.told.factor = known.told.factor.max(entry.at);
                if known.factor.is_none_or(|factor| factor.at < entry.at) {
                    known.factor = Some(Factor { value: entry.factor, at: entry.at });
                }
            }
            for (id, entry) in shared.buckets.iter() {
                if let Some(rule) = rule(config, id) {
                    let bucket = inner.buckets.get_or_default(id.clone());
                    bucket.adopt(entry.start, entry.counts(), now, rule.window);
                }
            }
            if let Some(entry) = shared.spend.get(inner.spend.turn(now)) {
                inner.spend.adopt(*entry);
            }
        });
    }
}

/// A bucket as the configuration knows it.
fn rule<'c>(config: &'c Config, id: &BucketId) -> Option<&'c BucketRule> {
    let rules = match &id.owner {
        Owner::Provider(name) => &config.provider(name)?.buckets,
        Owner::Key(_) => &config.client_buckets,
    };
    rules.iter().find(|rule| rule.name == id.name)
}

impl Entry {
    /// Tells what is newer than what was told.
    fn tell(&mut self, target: &TargetId, news: &mut Shared) {
        let breaker = BreakerEntry::from(self.breaker.memory());
        if breaker.at > self.told.breaker {
            self.told.breaker = breaker.at;
            news.breakers.insert(target.clone(), breaker);
        }
        // `auth` is never told: a corrected key works at once.
        let rest = self.rest.as_ref().filter(|rest| rest.class != Class::Auth && rest.at > self.told.rest);
        if let Some(rest) = rest {
            self.told.rest = rest.at;
            let entry = CooldownEntry { class: rest.class, until: rest.until, at: rest.at };
            news.cooldowns.insert(target.clone(), entry);
        }
        if let Some(factor) = self.factor.filter(|factor| factor.at > self.told.factor) {
            self.told.factor = factor.at;
            news.factors.insert(target.clone(), FactorEntry { factor: factor.value, at: factor.at });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};
    use crate::policy::breaker::{CircuitState, Permit, Signal};

    const NOW: Millis = Millis(1_795_608_000_000);

    fn config(url: &str, key: &str) -> Config {
        let text = format!(
            "version: 1\nbreaker: {{threshold: 1}}\nproviders:\n  a: {{protocol: anthropic, base_url: '{url}', api_key: {key}}}\n"
        );
        from_text(&text, Path::new("t.yaml"), &Env::default(), &Overrides::default()).unwrap()
    }

    fn later(seconds: u64) -> Millis {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn target() -> TargetId {
        TargetId::parse("a/x").unwrap()
    }

    /// A target whose breaker is open and which rests.
    fn ill(config: &Config, class: Class) -> Health {
        let health = Health::default();
        health.with(|inner| {
            let breaker = &mut inner.targets.entry(target()).or_default().breaker;
            let (Permit::Pass(ticket) | Permit::Probe(ticket)) = breaker.permit(NOW) else {
                panic!("refused")
            };
            breaker.record(ticket, Signal::Failure, NOW, &config.breaker.settings());
        });
        health.rest_target(&target(), Rest { class, until: later(900), at: NOW, said: String::new() });
        health.reports(&target(), 100, 200, NOW);
        health
    }

    #[track_caller]
    fn check(health: &Health, config: &Config, at: Millis, is_open: bool, rests: bool) {
        let condition = health.condition(&target(), at, config);
        let open = matches!(condition.circuit, CircuitState::Open { .. });
        assert_eq!((open, condition.rest.is_some()), (is_open, rests));
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let config = config("http://127.0.0.1:1/v1", "k-1234567");
        let health = ill(&config, Class::Quota);
        let Delta(news) = health.tell(&config);
        assert_eq!((news.breakers.len(), news.cooldowns.len(), news.factors.len()), (1, 1, 1));
        assert!(health.tell(&config).is_empty());
        health.adopt(&news, NOW, &config);
        assert!(health.tell(&config).is_empty());
        // Nor what somebody else has told.
        let other = Health::default();
        other.adopt(&news, NOW, &config);
        check(&other, &config, later(1), true, true);
        let factor = |health: &Health| health.condition(&target(), NOW, &config).factor;
        assert!(factor(&other) == factor(&health) && factor(&health) > 1.0);
        assert!(other.tell(&config).is_empty());
        // The end of a rest is news.
        other.answers(&target(), later(2));
        let Delta(news) = other.tell(&config);
        assert_eq!((news.breakers.len(), news.cooldowns.len()), (0, 1));
        health.adopt(&news, later(3), &config);
        check(&health, &config, later(3), true, false);
    }

    #[test]
    fn a_refused_key_is_nobody_elses_business() {
        let config = config("http://127.0.0.1:1/v1", "k-1234567");
        let Delta(news) = ill(&config, Class::Auth).tell(&config);
        assert!(news.cooldowns.is_empty());
    }

    #[test]
    fn what_a_reload_forgets_the_store_does_not_bring_back() {
        let (before, other_key) =
            (config("http://127.0.0.1:1/v1", "k-1"), config("http://127.0.0.1:1/v1", "k-2"));
        let elsewhere = config("http://127.0.0.1:2/v1", "k-1");
        for (after, is_open, rests) in
            [(&before, true, true), (&other_key, true, false), (&elsewhere, false, false)]
        {
            let health = ill(&before, Class::Quota);
            let Delta(mut shared) = health.tell(&before);
            health.reloads(&before, after, later(1));
            check(&health, after, later(2), is_open, rests);
            health.adopt(&shared, later(2), after);
            check(&health, after, later(2), is_open, rests);
            shared.merge(&health.tell(after));
            health.adopt(&shared, later(3), after);
            check(&health, after, later(3), is_open, rests);
        }
    }
}
