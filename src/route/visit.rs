//! A request at one target: what it takes of the breaker and the buckets, and gives back exactly
//! once, also when it is dropped halfway.

use crate::base::clock::{self, Millis};
use crate::base::id::{ProviderName, TargetId};
use crate::config::{Bucket as BucketRule, Config};
use crate::policy::breaker::{Change, Outcome, Permit, Settings, Ticket};
use crate::policy::bucket::{Refund, Reservation};
use crate::route::health::Health;
use crate::route::plan::{Candidate, Skip};

/// A request that was permitted by a target's breaker: all its tries there, until it goes on.
pub struct Visit<'h> {
    health: &'h Health,
    target: TargetId,
    ticket: Option<Ticket>,
    settings: Settings,
}

/// What one try holds of a target's buckets.
pub struct Hold<'h> {
    health: &'h Health,
    provider: ProviderName,
    held: Vec<(String, Reservation)>,
}

impl Health {
    /// Asks a target's breaker.
    ///
    /// # Errors
    /// It is open, or its probe is out.
    pub fn enter(&self, candidate: &Candidate<'_>, now: Millis, config: &Config) -> Result<Visit<'_>, Skip> {
        let permit =
            self.with(|inner| inner.targets.entry(candidate.target.clone()).or_default().breaker.permit(now));
        match permit {
            Permit::Pass(ticket) | Permit::Probe(ticket) => Ok(Visit {
                health: self,
                target: candidate.target.clone(),
                ticket: Some(ticket),
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
        let provider = &candidate.provider.name;
        let rules = candidate.provider.buckets.iter();
        let rules: Vec<&BucketRule> = rules.filter(|rule| rule.counts(&candidate.target.model)).collect();
        let mut hold = Hold { health: self, provider: provider.clone(), held: Vec::new() };
        if rules.is_empty() {
            return Ok(hold);
        }
        let refused = self.with(|inner| {
            rules.into_iter().find_map(|rule| {
                let bucket = inner.buckets.entry((provider.clone(), rule.name.clone())).or_default();
                match bucket.reserve(now, &rule.limit(), tokens) {
                    Ok(reservation) => {
                        hold.held.push((rule.name.clone(), reservation));
                        None
                    }
                    Err(exhausted) => Some(Skip::Bucket(rule.name.clone(), exhausted)),
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
    pub fn counts_retried(&mut self, now: Millis, config: &Config, candidate: &Candidate<'_>) -> Change {
        let change = self.give_back(Outcome::Failure, now);
        if let Ok(mut again) = self.health.enter(candidate, now, config) {
            self.ticket = again.ticket.take();
        }
        change
    }

    /// The visit is over.
    pub fn ends(mut self, outcome: Outcome, now: Millis) -> Change {
        self.give_back(outcome, now)
    }

    fn give_back(&mut self, outcome: Outcome, now: Millis) -> Change {
        let Some(ticket) = self.ticket.take() else { return Change::None };
        self.health.with(|inner| {
            let breaker = &mut inner.targets.entry(self.target.clone()).or_default().breaker;
            breaker.record(ticket, outcome, now, &self.settings)
        })
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.give_back(Outcome::Release, clock::millis());
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

    fn end(&mut self, f: impl Fn(&mut crate::policy::bucket::Bucket, Reservation)) {
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.health.with(|inner| {
            for (name, reservation) in held {
                f(inner.buckets.entry((self.provider.clone(), name)).or_default(), reservation);
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
