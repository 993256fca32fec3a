//! Health and the store: what has changed here is told, what others know is taken over (SPEC 14).

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::config::Config;
use crate::policy::breaker::Memory;
use crate::policy::class::Class;
use crate::route::health::{Entry, Factor, Health, Rest};
use crate::state::{BreakerEntry, BucketEntry, BucketId, CooldownEntry, Delta, FactorEntry, Shared};

impl Health {
    /// What has changed since it was last told. Counts are taken out: they are told once.
    pub fn tell(&self, config: &Config) -> Delta {
        self.with(|inner| {
            let mut news = Shared::default();
            for (target, entry) in &mut inner.targets {
                entry.tell(target, &mut news);
            }
            for ((provider, name), bucket) in &mut inner.buckets {
                let rules = config.provider(provider).map(|provider| provider.buckets.as_slice());
                let rule = rules.unwrap_or_default().iter().find(|rule| rule.name == *name);
                if let Some((span, counts)) = rule.and_then(|rule| bucket.tell(rule.window)) {
                    let id = BucketId { provider: provider.clone(), name: name.clone() };
                    news.buckets.insert(id, BucketEntry::of(span, counts));
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
            for provider in &config.providers {
                for rule in &provider.buckets {
                    let id = BucketId { provider: provider.name.clone(), name: rule.name.clone() };
                    if let Some(entry) = shared.buckets.get(&id) {
                        let bucket = inner.buckets.entry((id.provider, id.name)).or_default();
                        bucket.adopt(entry.start, entry.counts(), now, rule.window);
                    }
                }
            }
            let today = inner.spend.turn(now).to_owned();
            if let Some(entry) = shared.spend.get(&today) {
                inner.spend.adopt(&today, *entry);
            }
        });
    }
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
