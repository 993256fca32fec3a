//! The tries of one request (SPEC 6): from candidate to candidate until one answers, each with its
//! own retries, until something was sent to the client.
//!
//! ```text
//! candidate --permit, buckets--> try --answer--> done
//!     ^                           |
//!     |                        failure --after the commit point, or nothing may be tried--> told
//!     |                           |--same target: a delay, or without the refused parameter--> try
//!     '------another target-------'
//! ```

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::base::chance;
use crate::base::clock;
use crate::config::RetriedFailures;
use crate::gateway::attempt;
use crate::gateway::inbound::{Inbound, TestMode};
use crate::gateway::line::Line;
use crate::gateway::live::Live;
use crate::gateway::outgoing::{self, Outgoing};
use crate::gateway::record::Story;
use crate::gateway::trouble::Trouble;
use crate::gateway::{headers, nothing, relay, wait};
use crate::policy::backoff;
use crate::policy::breaker::{self, Change};
use crate::policy::bucket::Refund;
use crate::policy::class::Class;
use crate::policy::outcome::{Others, Rest as Rests, Retry, Verdict};
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::health::{Health, Rest};
use crate::route::plan::{Candidate, Plan, Skip};
use crate::route::visit::{Hold, Visit};

/// A rate limit is waited for so often in one request.
const MOST_WAITS: u32 = 2;
/// So many calls of one request may be made without what a target refused.
const MOST_CONCESSIONS: u32 = 3;

/// The silence of test mode's `force_slow`.
const SLOW: Duration = Duration::from_secs(20);

/// The tries of one request.
pub struct Tries<'a, 's> {
    live: &'a Live,
    inbound: &'a Inbound,
    line: &'a Rc<Line>,
    story: &'s mut Story,
    plan: Plan<'a>,
    queue: VecDeque<Candidate<'a>>,
    made: u32,
    waits: u32,
    concessions: u32,
    /// A larger context is looked for once.
    looked_for_room: bool,
}

/// How a visit at one target ended.
enum Left {
    /// With an answer.
    Answered,
    /// The next candidate may be tried.
    Next(Trouble),
    /// It was not called.
    Skipped(Skip),
    /// Nothing more may be tried.
    Stop(Trouble),
}

/// What follows from a failure.
enum Step {
    Again(Duration),
    Next,
    Stop,
}

impl<'a, 's> Tries<'a, 's> {
    /// The tries of a request that has a plan.
    pub fn new(
        live: &'a Live,
        inbound: &'a Inbound,
        line: &'a Rc<Line>,
        story: &'s mut Story,
        mut plan: Plan<'a>,
    ) -> Self {
        let queue = std::mem::take(&mut plan.candidates).into();
        Self {
            live,
            inbound,
            line,
            story,
            plan,
            queue,
            made: 0,
            waits: 0,
            concessions: 0,
            looked_for_room: false,
        }
    }

    /// Makes them.
    ///
    /// # Errors
    /// No candidate answered: the last failure.
    pub fn run(mut self) -> Result<(), Trouble> {
        let mut last = None;
        while let Some(candidate) = self.queue.pop_front() {
            match self.visit(&candidate) {
                Left::Answered => return Ok(()),
                Left::Stop(trouble) => return Err(self.story.sums_up(trouble)),
                Left::Next(trouble) => {
                    let to =
                        self.queue.front().map_or_else(String::new, |next| format!(" -> {}", next.target));
                    log::warn!("{} failover: {}{to}: {}", self.inbound.id, candidate.target, trouble.shown());
                    last = Some(trouble);
                }
                Left::Skipped(why) => {
                    self.plan.skip(candidate, why);
                    self.story.plans(&self.plan);
                }
            }
        }
        match last {
            Some(trouble) => Err(self.story.sums_up(trouble)),
            None => Err(nothing::trouble(self.live, &self.plan, clock::millis())),
        }
    }

    fn visit(&mut self, candidate: &Candidate<'a>) -> Left {
        if !candidate.target.model.is_safe_in_path() {
            let message =
                format!("The model name {:?} cannot stand in a path.", candidate.target.model.as_str());
            return Left::Stop(Trouble::own(Fault::new(FaultKind::ModelNotFound, message)));
        }
        let health = &*self.live.health;
        let mut visit = if self.inbound.wishes.bypass {
            None
        } else {
            match health.enter(candidate, clock::millis(), self.live.config()) {
                Ok(visit) => Some(visit),
                Err(why) => return Left::Skipped(why),
            }
        };
        let mut tries = 0;
        loop {
            let outgoing = match outgoing::prepare(self.live, self.inbound, candidate) {
                Ok(outgoing) => outgoing,
                Err(trouble) => return self.refused(trouble),
            };
            let hold = match health.hold(candidate, self.tokens(candidate), clock::millis()) {
                Ok(hold) => hold,
                Err(why) => return Left::Skipped(why),
            };
            self.made += 1;
            tries += 1;
            let Err(trouble) = self.attempt(&outgoing) else {
                self.succeeds(candidate, hold, visit);
                return Left::Answered;
            };
            self.refunds(hold, &trouble);
            if self.concedes(&outgoing, &trouble) {
                (self.made, tries) = (self.made - 1, tries - 1);
                continue;
            }
            let verdict = trouble.verdict(outgoing.key_owner(), self.live.config().retry.policy_fallback);
            self.rests(candidate, &trouble, &verdict);
            let step = self.step(candidate, &trouble, &verdict, tries);
            if let Step::Again(delay) = step {
                self.retried(&mut visit, candidate, &trouble);
                match wait::for_time(self.line, delay) {
                    Ok(()) => continue,
                    Err(stop) => return Left::Stop(Trouble::of_stop(stop, &candidate.target)),
                }
            }
            self.leaves(visit, candidate, verdict.breaker);
            return if matches!(step, Step::Next) { Left::Next(trouble) } else { Left::Stop(trouble) };
        }
    }

    /// One call, and its answer on its way to the client.
    fn attempt(&mut self, outgoing: &Outgoing<'_>) -> Result<(), Trouble> {
        self.story.attempts(outgoing);
        let result = self.call(outgoing);
        if let Err(trouble) = &result {
            self.story.attempt_fails(outgoing.target(), trouble);
        }
        result
    }

    fn call(&mut self, outgoing: &Outgoing<'_>) -> Result<(), Trouble> {
        self.played(outgoing)?;
        let incoming = attempt::call(self.live, outgoing, self.line, self.story)?;
        let headers = headers::of_answer(self.inbound, self.story, outgoing, &incoming);
        let relay =
            relay::Relay { live: self.live, inbound: self.inbound, outgoing, line: self.line, headers };
        if self.inbound.ask.stream {
            relay.stream(incoming, self.story)
        } else {
            relay.whole(incoming, self.story)
        }
    }

    /// The fault that is played instead of, or before, a call (SPEC 6.8).
    fn played(&self, outgoing: &Outgoing<'_>) -> Result<(), Trouble> {
        let target = outgoing.target();
        match self.inbound.wishes.test {
            Some(TestMode::TransientRecover) if self.made == 1 => {
                Err(Trouble::played(Class::Transient, 503, FaultKind::Overloaded, target))
            }
            Some(TestMode::RateLimit) => {
                Err(Trouble::played(Class::RateLimit, 429, FaultKind::RateLimit, target))
            }
            Some(TestMode::Slow) => {
                wait::for_time(self.line, SLOW).map_err(|stop| Trouble::of_stop(stop, target))
            }
            Some(TestMode::TransientRecover | TestMode::Degraded | TestMode::StreamCut) | None => Ok(()),
        }
    }

    /// The lane to this target would refuse the request; another's may not.
    fn refused(&self, trouble: Trouble) -> Left {
        match &trouble.refuses {
            Some(path) if !self.queue.is_empty() => Left::Skipped(Skip::Refusal(path.to_string())),
            Some(_) | None => Left::Stop(trouble),
        }
    }

    fn succeeds(&self, candidate: &Candidate<'_>, hold: Hold<'_>, visit: Option<Visit<'_>>) {
        let now = clock::millis();
        let health = &self.live.health;
        let usage = &self.story.facts().usage;
        hold.settle(usage.input);
        if let (Some(size), Some(input)) = (self.inbound.size(), usage.input) {
            health.reports(&candidate.target, size.tokens(candidate.characters_per_token()), input, now);
        }
        health.answers(&candidate.target, now);
        self.leaves(visit, candidate, breaker::Outcome::Success);
        if let Some(route) =
            self.plan.alias.filter(|route| !route.affinity.is_zero() && route.leads_to_several())
            && let Some(session) = self.live.session(self.inbound)
        {
            health.keeps(session, route, &candidate.target, now);
        }
    }

    fn leaves(&self, visit: Option<Visit<'_>>, candidate: &Candidate<'_>, outcome: breaker::Outcome) {
        let Some(visit) = visit else { return };
        tell(visit.ends(outcome, clock::millis()), candidate);
    }

    /// A failure that is retried counts only where the configuration says so.
    fn retried(&self, visit: &mut Option<Visit<'_>>, candidate: &Candidate<'_>, trouble: &Trouble) {
        match self.live.config().breaker.retried_failures {
            RetriedFailures::Ignore => {}
            RetriedFailures::Log => {
                log::info!("{} tries {} again: {}", self.inbound.id, candidate.target, trouble.shown());
            }
            RetriedFailures::Count => {
                if let Some(visit) = visit {
                    tell(visit.counts_retried(clock::millis(), self.live.config(), candidate), candidate);
                }
            }
        }
    }

    /// A request is kept when upstream answered at all; tokens only when there was an answer.
    fn refunds(&self, hold: Hold<'_>, trouble: &Trouble) {
        if self.line.is_committed() {
            hold.settle(self.story.facts().usage.input);
        } else if trouble.class == Some(Class::Network) {
            hold.refund(Refund::RequestAndTokens);
        } else {
            hold.refund(Refund::TokensOnly);
        }
    }

    fn tokens(&self, candidate: &Candidate<'_>) -> u64 {
        let counts =
            |rule: &&crate::config::Bucket| rule.tokens.is_some() && rule.counts(&candidate.target.model);
        if candidate.provider.buckets.iter().find(counts).is_none() {
            return 0;
        }
        let size = self.live.decoded(self.inbound).map(|decoded| decoded.size).unwrap_or_default();
        let tokens = size.tokens(candidate.characters_per_token()) as f64;
        // Saturates: no request has 2^53 tokens.
        (tokens * self.live.health.factor(&candidate.target)) as u64
    }

    /// Does the target refuse a parameter that may be lost? Then it is asked once more without it.
    fn concedes(&mut self, outgoing: &Outgoing<'_>, trouble: &Trouble) -> bool {
        if !outgoing.is_translated() || self.line.is_committed() || self.concessions == MOST_CONCESSIONS {
            return false;
        }
        let Some(concession) = outgoing.concession(trouble) else { return false };
        self.concessions += 1;
        log::warn!(
            "{} {} refuses {}: asked without it from now on",
            self.inbound.id,
            outgoing.target(),
            concession.path
        );
        for edit in concession.edits {
            self.live.health.learn(outgoing.target(), edit);
        }
        true
    }

    fn rests(&self, candidate: &Candidate<'_>, trouble: &Trouble, verdict: &Verdict) {
        let Some(class) = trouble.class.filter(|_| verdict.rest != Rests::None) else { return };
        let after = trouble.fault.retry_after.map(Duration::from_secs);
        let Some(time) = backoff::cooldown(class, after, &self.live.config().cooldown) else { return };
        let now = clock::millis();
        let rest = Rest { class, until: now.plus(time), at: now, said: trouble.fault.message.clone() };
        let health: &Health = &self.live.health;
        match verdict.rest {
            Rests::None => {}
            Rests::Target => health.rest_target(&candidate.target, rest),
            Rests::Provider => health.rest_provider(&candidate.provider.name, rest),
        }
    }

    fn step(&mut self, candidate: &Candidate<'_>, trouble: &Trouble, verdict: &Verdict, tries: u32) -> Step {
        let retry = &self.live.config().retry;
        let spent = retry.total != 0 && self.made >= retry.total;
        if self.line.is_committed() || trouble.is_final || spent {
            return Step::Stop;
        }
        let others_left = !self.queue.is_empty();
        match verdict.others {
            Others::LargerContext => return self.look_for_room(candidate),
            Others::First if others_left => return Step::Next,
            Others::Never | Others::Yes | Others::First => {}
        }
        let after = trouble.fault.retry_after.map(Duration::from_secs);
        let attempts = candidate.attempts.unwrap_or(retry.attempts);
        match verdict.own_target {
            Retry::Yes if tries < attempts => {
                let delay = backoff::delay(tries, &retry.backoff(), after, &mut chance::share);
                if delay <= retry.max_wait || !others_left {
                    return Step::Again(delay.min(retry.max_wait));
                }
            }
            Retry::RateLimit if self.waits < MOST_WAITS => {
                let delay = backoff::delay(self.waits + 1, &retry.backoff(), after, &mut chance::share);
                if delay <= retry.max_wait {
                    self.waits += 1;
                    return Step::Again(delay);
                }
            }
            Retry::Yes | Retry::RateLimit | Retry::Never => {}
        }
        if others_left && verdict.others == Others::Yes { Step::Next } else { Step::Stop }
    }

    /// The request does not fit: the next candidate with a larger context, once.
    fn look_for_room(&mut self, candidate: &Candidate<'_>) -> Step {
        let context = |candidate: &Candidate<'_>| candidate.spec.and_then(|spec| spec.context);
        let own = context(candidate).unwrap_or_else(|| {
            self.inbound.size().map_or(0, |size| size.tokens(candidate.characters_per_token()))
        });
        if std::mem::replace(&mut self.looked_for_room, true) {
            return Step::Stop;
        }
        let larger = self.queue.iter().position(|other| context(other).is_some_and(|other| other > own));
        self.queue = larger.and_then(|index| self.queue.remove(index)).into_iter().collect();
        if self.queue.is_empty() { Step::Stop } else { Step::Next }
    }
}

fn tell(change: Change, candidate: &Candidate<'_>) {
    match change {
        Change::None => {}
        Change::Opened { until } => {
            let time = until.since(clock::millis()).as_secs();
            log::warn!("breaker of {} opens for {time} s", candidate.target);
        }
        Change::Closed => log::warn!("breaker of {} closes", candidate.target),
    }
}
