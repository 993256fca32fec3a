//! Health and the store: what has changed here is told, what others know is taken over (SPEC 14).

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::config::Config;
use crate::policy::breaker::Memory;
use crate::policy::class::Class;
use crate::route::health::{Factor, Health, Rest};
use crate::state::{BreakerEntry, BucketEntry, BucketId, CooldownEntry, Delta, FactorEntry, Shared};

impl Health {
    /// What has changed since it was last told. Counts are taken out: they are told once.
    pub fn tell(&self, config: &Config) -> Delta {
        self.with(|inner| {
            let mut news = Shared::default();
            for (target, entry) in &inner.targets {
                let breaker = BreakerEntry::from(entry.breaker.memory());
                if breaker.at > Millis::default() {
                    news.breakers.insert(target.clone(), breaker);
                }
                if let Some(rest) = entry.rest.as_ref().filter(|rest| rest.class != Class::Auth) {
                    let entry = CooldownEntry { class: rest.class, until: rest.until, at: rest.at };
                    news.cooldowns.insert(target.clone(), entry);
                }
                if let Some(factor) = entry.factor {
                    news.factors.insert(target.clone(), FactorEntry { factor: factor.value, at: factor.at });
                }
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
                let breaker = &mut inner.targets.entry(target.clone()).or_default().breaker;
                breaker.adopt(&Memory::from(*entry), &settings);
            }
            for (target, entry) in shared.cooldowns.iter().filter(|(target, _)| known(target)) {
                let rest = &mut inner.targets.entry(target.clone()).or_default().rest;
                if rest.as_ref().is_none_or(|rest| rest.at < entry.at) {
                    let said = format!("{target} rests: {}.", entry.class.name());
                    *rest = Some(Rest { class: entry.class, until: entry.until, at: entry.at, said });
                }
            }
            for (target, entry) in shared.factors.iter().filter(|(target, _)| known(target)) {
                let factor = &mut inner.targets.entry(target.clone()).or_default().factor;
                if factor.is_none_or(|factor| factor.at < entry.at) {
                    *factor = Some(Factor { value: entry.factor, at: entry.at });
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
