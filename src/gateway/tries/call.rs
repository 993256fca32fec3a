//! One call of a request: what it takes with it, and what it leaves with those who look on, in the
//! buckets and in the ledger.

use std::time::Duration;

use crate::base::clock;
use crate::base::id::TargetId;
use crate::config::{Bucket, Compat};
use crate::gateway::inbound::TestMode;
use crate::gateway::outgoing::{self, Outgoing};
use crate::gateway::relay::{Ending, Relay};
use crate::gateway::tries::Tries;
use crate::gateway::trouble::Trouble;
use crate::gateway::{attempt, headers, tally, tape, wait};
use crate::policy::bucket::Refund;
use crate::policy::class::Class;
use crate::protocol::fault::{FaultKind, Overflow};
use crate::route::plan::Candidate;
use crate::route::visit::{Hold, Visit};
use crate::translate::concession::Concession;

/// So many calls of one request may be made without what a target refused.
const MOST_CONCESSIONS: u32 = 3;
/// The silence of test mode's `force_slow`.
const SLOW: Duration = Duration::from_secs(20);

impl<'a> Tries<'a, '_> {
    /// The request as a candidate gets it, with what it takes to make it again when that is wanted.
    pub(super) fn prepare<'o>(
        &self,
        candidate: &'o Candidate<'o>,
        conceded: &[Concession],
    ) -> Result<Outgoing<'o>, Trouble>
    where
        'a: 'o,
    {
        let mut outgoing = outgoing::prepare(self.live, self.inbound, candidate, conceded)?;
        if self.line.tape.runs() {
            outgoing.recipe = Some(Box::new(tape::recipe(self.live, self.inbound, &outgoing)));
        }
        Ok(outgoing)
    }

    /// The tokens that a try reserves: none where no bucket counts them.
    pub(super) fn tokens(&self, candidate: &Candidate<'_>) -> u64 {
        let counts = |rule: &Bucket| rule.tokens.is_some() && rule.counts(&candidate.target.model);
        if !candidate.provider.buckets.iter().any(counts) {
            return 0;
        }
        let size = self.live.decoded(self.inbound).map(|decoded| decoded.size).unwrap_or_default();
        self.live.health.estimate(candidate, size)
    }

    /// One call, and its answer on its way to the client, up to its end.
    pub(super) fn attempt(
        &mut self,
        outgoing: &Outgoing<'_>,
        visit: Option<&Visit<'_>>,
    ) -> Result<Ending, Trouble> {
        self.story.attempts(outgoing);
        self.line.run.calls(outgoing.target());
        self.played(outgoing)?;
        let incoming = attempt::call(self.live, outgoing, self.line, self.story)?;
        let headers = headers::of_answer(self.inbound, self.story, &incoming);
        let (live, inbound, line) = (self.live, self.inbound, self.line);
        let relay = Relay { live, inbound, outgoing, visit, line, headers };
        if self.inbound.ask.stream {
            relay.stream(incoming, self.story)
        } else {
            relay.whole(incoming, self.story)
        }
    }

    /// The fault that is played instead of, or before, a call (SPEC 6.8).
    #[inline(never)] // as `Story::end`
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

    #[inline(never)] // as `Story::end`
    pub(super) fn succeeds(&mut self, candidate: &Candidate<'_>, hold: Hold<'_>) {
        let input = self.story.facts().usage.input;
        hold.settle(input);
        if let Some(allowance) = self.allowance.take() {
            allowance.settle(input);
        }
        tally::answered(self.live, self.inbound, candidate, input);
        self.story.pays(self.live);
        if let (Some(route), Some(session)) = (self.plan.alias, self.plan.session) {
            self.live.health.keeps(session, route, &candidate.target, clock::millis());
        }
    }

    /// An exceeded context as the client's protocol says it: agents read the words.
    #[inline(never)] // as `Story::end`
    pub(super) fn in_clients_words(&self, candidate: &Candidate<'_>, mut trouble: Trouble) -> Trouble {
        let Some(error) = trouble.upstream.as_ref().filter(|_| trouble.class == Some(Class::Context)) else {
            return trouble;
        };
        let known = Overflow {
            input: self.inbound.size().map(|size| self.live.health.estimate(candidate, size)),
            context: candidate.spec.and_then(|spec| spec.context),
        };
        if let Some(words) = self.inbound.protocol.codec().overflow(&error.message, known) {
            trouble.fault.message = format!("{words}. {}", trouble.fault.message);
        }
        trouble
    }

    /// Tells those who look on that a call failed.
    #[inline(never)] // as `Story::end`
    pub(super) fn tells_failure(&mut self, target: &TargetId, trouble: &Trouble) {
        self.story.attempt_fails(target, trouble);
        self.line.run.fails(target, trouble.class);
        self.live.sinks.stats.fails(target, trouble.class, &trouble.fault.message);
    }

    pub(super) fn refunds(&mut self, hold: Hold<'_>, trouble: &Trouble) {
        let refund = match self.inbound.wishes.test {
            Some(_) => Some(Refund::RequestAndTokens),
            None => tally::refund(trouble),
        };
        hold.fails(refund, self.story.facts().usage.input);
        if let Some(allowance) = &mut self.allowance {
            allowance.tried(refund);
        }
    }

    /// Does the target refuse a parameter that may be lost? Then it is asked once more without it.
    #[inline(never)] // as `Story::end`
    pub(super) fn concedes(&mut self, outgoing: &Outgoing<'_>, trouble: &Trouble) -> Option<Concession> {
        let may = outgoing.is_translated()
            && !self.line.is_committed()
            && self.concessions < MOST_CONCESSIONS
            && self.live.config().compat == Compat::Max;
        let concession = may.then(|| outgoing.concession(trouble)).flatten()?;
        self.concessions += 1;
        let (id, target, path) = (&self.inbound.id, outgoing.target(), concession.path());
        // A call like any other, but no failure: what was refused may be lost.
        self.story.attempt_fails(target, trouble);
        self.live.sinks.stats.calls(target);
        log::warn!("{id} {target} refuses {path}: asked once more without it");
        Some(concession)
    }
}
