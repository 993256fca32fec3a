//! What a try leaves behind: in the target's breaker and cooldown (SPEC 6.4, 6.5), in its buckets
//! (7.4), in the factor of its estimates (7.3).

use std::time::Duration;

use crate::base::clock::{self, Millis};
use crate::config::RetriedFailures;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::trouble::Trouble;
use crate::policy::backoff;
use crate::policy::breaker::{Change, Signal};
use crate::policy::bucket::Refund;
use crate::policy::class::Class;
use crate::policy::outcome::{self, Late, Verdict};
use crate::route::health::Rest;
use crate::route::plan::Candidate;
use crate::route::visit::Visit;

/// A target has answered, with `input` tokens as it reports them.
pub(super) fn answered(live: &Live, inbound: &Inbound, candidate: &Candidate<'_>, input: Option<u64>) {
    let (health, now) = (&live.health, clock::millis());
    if let (Some(size), Some(input)) = (inbound.size(), input) {
        health.reports(&candidate.target, candidate.tokens(size), input, now);
    }
    health.answers(&candidate.target, now);
}

/// What a try that failed gives back of the buckets: nothing where upstream has worked for it.
pub(super) fn refund(trouble: &Trouble) -> Option<Refund> {
    match trouble.class {
        Some(Class::Network) => Some(Refund::RequestAndTokens),
        Some(Class::Timeout) if trouble.late == Late::Connect => Some(Refund::RequestAndTokens),
        // It may have read the request, and nobody knows what it counted.
        Some(Class::Timeout | Class::BadUpstream | Class::Cut | Class::Gone) => None,
        Some(
            Class::Context
            | Class::Quota
            | Class::RateLimit
            | Class::Auth
            | Class::Forbidden
            | Class::Policy
            | Class::NotFound
            | Class::TooLarge
            | Class::BadRequest
            | Class::Transient,
        )
        | None => Some(Refund::TokensOnly),
    }
}

/// The cooldown that follows from a failure. One that an older configuration met follows from its key,
/// or from where its provider was: it says nothing of those that are in force.
pub(super) fn rests(live: &Live, candidate: &Candidate<'_>, trouble: &Trouble, verdict: &Verdict) {
    if !live.is_newest() {
        return;
    }
    let Some(class) = trouble.class.filter(|_| verdict.rest != outcome::Rest::None) else { return };
    let Some(time) = backoff::cooldown(class, trouble.retry_after(), &live.config().cooldown) else { return };
    let now = clock::millis();
    let rest = Rest { class, until: now.plus(time), at: now, said: trouble.fault.message.clone() };
    match verdict.rest {
        outcome::Rest::None => {}
        outcome::Rest::Target if trouble.is_of_account => {
            live.health.rest_provider(&candidate.provider.name, rest);
        }
        outcome::Rest::Target if class == Class::RateLimit => {
            live.health.rest_limited(&candidate.target, rest);
        }
        outcome::Rest::Target => live.health.rest_target(&candidate.target, rest),
        outcome::Rest::Provider => live.health.rest_provider(&candidate.provider.name, rest),
    }
}

/// Seconds that a rate limit is told to last where upstream does not say: as long as the target
/// rests. Codex does not come back without it.
pub(super) fn told_wait(live: &Live, trouble: &Trouble) -> Option<u64> {
    if trouble.class != Some(Class::RateLimit) {
        return None;
    }
    let rest = backoff::cooldown(Class::RateLimit, None, &live.config().cooldown);
    Some(rest.unwrap_or(Duration::ZERO).as_secs().max(1))
}

/// Content of an answer has come.
pub(super) fn begins(visit: Option<&Visit<'_>>, candidate: &Candidate<'_>) {
    if let Some(visit) = visit {
        let now = clock::millis();
        tell(visit.answers(now), candidate, now);
    }
}

/// A visit is over: its breaker is told.
pub(super) fn leaves(visit: Option<Visit<'_>>, candidate: &Candidate<'_>, signal: Signal) {
    if let Some(visit) = visit {
        let now = clock::millis();
        tell(visit.ends(signal, now), candidate, now);
    }
}

/// A failure that is retried counts only where the configuration says so.
pub(super) fn retried(
    live: &Live,
    inbound: &Inbound,
    visit: Option<&Visit<'_>>,
    candidate: &Candidate<'_>,
    trouble: &Trouble,
) {
    match live.config().breaker.retried_failures {
        RetriedFailures::Ignore => {}
        RetriedFailures::Log => {
            log::info!("{} tries {} again: {}", inbound.id, candidate.target, trouble.shown());
        }
        RetriedFailures::Count => {
            if let Some(visit) = visit {
                let now = clock::millis();
                tell(visit.counts_retried(now, live.config(), candidate), candidate, now);
            }
        }
    }
}

fn tell(change: Change, candidate: &Candidate<'_>, now: Millis) {
    match change {
        Change::None => {}
        Change::Opened { until } => {
            let time = until.since(now).as_secs();
            log::warn!("breaker of {} opens for {time} s", candidate.target);
        }
        Change::Closed => log::warn!("breaker of {} closes", candidate.target),
    }
}
