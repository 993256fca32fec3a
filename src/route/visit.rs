//! A request at one target: what it takes of the breaker and the buckets, and gives back exactly
//! once, also when it is dropped halfway.

use std::cell::Cell;

use crate::base::clock::{self, Millis};
use crate::base::id::TargetId;
use crate::config::{Bucket as BucketRule, Config};
use crate::policy::breaker::{Change, Permit, Settings, Signal, Ticket};
use crate::policy::bucket::{Bucket, Exhausted, Refund, Reservation};
use crate::route::health::Health;
use crate::route::plan::{Candidate, Skip};
use crate::state::{BucketId, MOST_TARGETS, Owner};

/// A request that was permitted by a target's breaker: all its tries there, until it goes on.
pub struct Visit<'h> {
    health: &'h Health,
    target: TargetId,
    /// In a cell, since whoever relays the answer looks at a visit that its tries own.
    ticket: Cell<Option<Ticket>>,
    settings: Settings,
}

/// What one try holds of a target's buckets, or one request of its client's.
pub struct Hold<'h> {
    health: &'h Health,
    held: Vec<(BucketId, Reservation)>,
}

impl Health {
    /// Asks a target's breaker.
    ///
    /// # Errors
    /// It is open, or its probe is out.
    pub fn enter(&self, candidate: &Candidate<'_>, now: Millis, config: &Config) -> Result<Visit<'_>, Skip> {
        let permit = self.with(|inner| {
            if inner.targets.len() >= MOST_TARGETS {
                // A pattern such as `*` makes targets of whatever names clients think of.
                inner.targets.retain(|_, entry| entry.is_ill(now));
            }
            inner.targets.entry(candidate.target.clone()).or_default().breaker.permit(now)
        });
        match permit {
            Permit::Pass(ticket) | Permit::Probe(ticket) => Ok(Visit {
                health: self,
                target: candidate.target.clone(),
                ticket: Cell::new(Some(ticket)),
                settings: config.breaker.settings(),
            }),
            Permit::Refuse { until } => Err(Skip::Breaker(until)),
        }
    }

    /// Reserves a request of so many tokens in all buckets of a target, or in none.
    ///
    /// # Errors
    /// One of them is exhausted.
    pub fn hold(&self, candidate: &Candidate<'_>, tokens: u64, now: Millis) -> Result<Hold<'_>, Skip> {
        let rules = candidate.provider.buckets.iter();
        let rules: Vec<&BucketRule> = rules.filter(|rule| rule.counts(&candidate.target.model)).collect();
        let owner = Owner::Provider(candidate.provider.name.clone());
        let hold = self.reserve(&owner, &rules, tokens, now);
        hold.map_err(|(rule, exhausted)| Skip::Bucket(rule.name.clone(), exhausted))
    }

    /// Reserves a request of so many tokens in all of these buckets of an owner, or in none.
    ///
    /// # Errors
    /// One of them is exhausted: the first.
    pub fn reserve<'r>(
        &self,
        owner: &Owner,
        rules: &[&'r BucketRule],
        tokens: u64,
        now: Millis,
    ) -> Result<Hold<'_>, (&'r BucketRule, Exhausted)> {
        let mut hold = Hold { health: self, held: Vec::new() };
        if rules.is_empty() {
            return Ok(hold);
        }
        let refused = self.with(|inner| {
            rules.iter().find_map(|rule| {
                let id = BucketId { owner: owner.clone(), name: rule.name.clone() };
                let bucket = inner.buckets.get_or_default(id.clone());
                match bucket.reserve(now, &rule.limit(), tokens) {
                    Ok(reservation) => {
                        hold.held.push((id, reservation));
                        None
                    }
                    Err(exhausted) => Some((*rule, exhausted)),
                }
            })
        });
        match refused {
            None => Ok(hold),
            Some(why) => {
                hold.refund(Refund::RequestAndTokens);
                Err(why)
            }
        }
    }
}

impl Visit<'_> {
    /// A failure that was retried counts, too (`breaker.retried_failures: on`).
    pub fn counts_retried(&self, now: Millis, config: &Config, candidate: &Candidate<'_>) -> Change {
        let change = self.give_back(Signal::Failure, now);
        if let Ok(again) = self.health.enter(candidate, now, config) {
            self.ticket.set(again.ticket.take());
        }
        change
    }

    /// Content of the answer has come; costs nothing but for the probe, and for that once.
    pub fn answers(&self, now: Millis) -> Change {
        let Some(mut ticket) = self.ticket.take() else { return Change::None };
        let mut change = Change::None;
        if ticket.is_probe() {
            change = self.health.with(|inner| {
                let entry = inner.targets.entry(self.target.clone()).or_default();
                entry.breaker.answers(&mut ticket, now)
            });
        }
        self.ticket.set(Some(ticket));
        change
    }

    /// The visit is over.
    pub fn ends(self, signal: Signal, now: Millis) -> Change {
        self.give_back(signal, now)
    }

    fn give_back(&self, signal: Signal, now: Millis) -> Change {
        let Some(ticket) = self.ticket.take() else { return Change::None };
        self.health.with(|inner| {
            let breaker = &mut inner.targets.entry(self.target.clone()).or_default().breaker;
            breaker.record(ticket, signal, now, &self.settings)
        })
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.give_back(Signal::Release, clock::millis());
    }
}

impl Hold<'_> {
    /// The target answered; `input` tokens as it reports them, cached ones included.
    pub fn settle(mut self, input: Option<u64>) {
        self.end(|bucket, reservation| bucket.settle(reservation, input));
    }

    /// It did not answer, or with an error.
    pub fn refund(mut self, refund: Refund) {
        self.end(|bucket, reservation| bucket.release(reservation, refund));
    }

    /// It did not answer, or with an error: what is not refunded is used, as [`Hold::settle`] says.
    pub fn fails(self, refund: Option<Refund>, input: Option<u64>) {
        match refund {
            Some(refund) => self.refund(refund),
            None => self.settle(input),
        }
    }

    fn end(&mut self, f: impl Fn(&mut Bucket, Reservation)) {
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.health.with(|inner| {
            for (id, reservation) in held {
                // A reload may have forgotten it.
                if let Some(bucket) = inner.buckets.get_mut(&id) {
                    f(bucket, reservation);
                }
            }
        });
    }
}

impl Drop for Hold<'_> {
    /// Whoever forgot it was stopped in the middle of a call: the estimate stands.
    fn drop(&mut self) {
        self.end(|bucket, reservation| bucket.settle(reservation, None));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};
    use crate::policy::bucket::Counts;
    use crate::protocol::Protocol;
    use crate::route::groups;
    use crate::route::snapshot::{Resolved, Snapshot};

    const CONFIG: &str = "version: 1
breaker: {threshold: 1}
providers:
  a:
    protocol: anthropic
    base_url: 'http://127.0.0.1:1/v1'
    buckets:
      - {name: first, tokens: 100, window: 1d}
      - {name: second, requests: 2, window: 1d}
";

    /// What a test does with the health of one target.
    fn with_target(test: impl FnOnce(&Health, &Candidate<'_>, &Config)) {
        let config = from_text(CONFIG, Path::new("t.yaml"), &Env::default(), &Overrides::default()).unwrap();
        let snapshot = Snapshot::new(Arc::new(config));
        let target = TargetId::parse("a/x").unwrap();
        let protocol = Protocol::ALL[0];
        let groups = groups::expand(&snapshot, Resolved::Direct(target), protocol);
        test(&Health::default(), &groups[0].members[0].candidate, &snapshot.config);
    }

    /// What is used of the buckets, as the store is told.
    fn used(health: &Health, config: &Config) -> Vec<Counts> {
        let mut told: Vec<_> =
            health.tell(config).0.buckets.iter().map(|(_, entry)| entry.counts()).collect();
        told.sort_by_key(|counts| counts.tokens);
        told
    }

    #[test]
    fn a_probe_that_is_dropped_can_be_had_again() {
        with_target(|health, target, config| {
            let now = clock::millis();
            let visit = health.enter(target, now, config).unwrap();
            visit.ends(Signal::Failure, now);
            let later = now.plus(Duration::from_secs(3600));
            let probe = health.enter(target, later, config).unwrap();
            assert!(health.enter(target, later, config).is_err());
            drop(probe);
            assert!(health.enter(target, later, config).is_ok());
        });
    }

    #[test]
    fn names_that_clients_think_of_do_not_pile_up() {
        with_target(|health, target, config| {
            let now = clock::millis();
            let named = |number: usize| Candidate {
                target: TargetId::parse(&format!("a/{number}")).unwrap(),
                ..target.clone()
            };
            health.enter(&named(0), now, config).unwrap().ends(Signal::Failure, now);
            for number in 1..3 * MOST_TARGETS {
                health.enter(&named(number), now, config).unwrap().ends(Signal::Success, now);
            }
            assert!(health.with(|inner| inner.targets.len()) <= MOST_TARGETS);
            // What keeps a target away is not forgotten.
            assert!(health.enter(&named(0), now, config).is_err());
        });
    }

    #[test]
    fn what_is_dropped_halfway_was_used() {
        with_target(|health, target, config| {
            drop(health.hold(target, 60, clock::millis()).unwrap());
            let both = Counts { requests: 1, tokens: 60 };
            assert_eq!(used(health, config), [both, both]);
        });
    }

    #[test]
    fn all_buckets_have_room_or_none_is_used() {
        with_target(|health, target, config| {
            let now = clock::millis();
            for _ in 0..2 {
                health.hold(target, 10, now).unwrap().settle(None);
            }
            used(health, config);
            assert!(matches!(health.hold(target, 10, now), Err(Skip::Bucket(name, _)) if name == "second"));
            assert_eq!(used(health, config), []);
        });
    }
}
