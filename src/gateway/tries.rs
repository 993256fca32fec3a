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
//! What is done next, [`policy::step`](crate::policy::step) decides; what a try leaves behind,
//! `gateway/tally` writes down. `tries/call` is one of them.

mod call;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::{chance, clock};
use crate::gateway::allowance::Allowance;
use crate::gateway::inbound::Inbound;
use crate::gateway::line::Line;
use crate::gateway::live::Live;
use crate::gateway::outgoing::Outgoing;
use crate::gateway::record::Story;
use crate::gateway::trouble::Trouble;
use crate::gateway::{nothing, tally, wait};
use crate::policy::breaker::Signal;
use crate::policy::outcome::{Rest, Verdict};
use crate::policy::step::{Step, Tried};
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::plan::{Candidate, Plan, Skip};
use crate::route::visit::Visit;
use crate::translate::concession::Concession;

/// The tries of one request.
pub struct Tries<'a, 's> {
    live: &'a Live,
    inbound: &'a Inbound,
    line: &'a Rc<Line>,
    story: &'s mut Story,
    plan: Plan<'a>,
    queue: VecDeque<Turn<'a>>,
    made: u32,
    waits: u32,
    concessions: u32,
    /// A larger context is looked for once.
    looked_for_room: bool,
    /// A target that rests is tried once.
    rescued: bool,
    /// The last failure of a target that was left.
    last: Option<Trouble>,
    /// What the request takes of its client's buckets, if of any.
    allowance: Option<Allowance<'a>>,
}

/// One candidate's turn.
struct Turn<'a> {
    candidate: Candidate<'a>,
    /// Its tries in earlier turns, and when it may have the next.
    tries: u32,
    due: Option<Instant>,
    /// What it refused of this request; learnt once an answer shows that it was this.
    conceded: Vec<Concession>,
    /// It rests, and is tried once for want of another.
    is_last_resort: bool,
}

/// How a turn ended.
enum Left {
    /// With an answer.
    Answered,
    /// The next candidate may be tried.
    Next(Trouble),
    /// The same, and this one again when they fail.
    Later(Trouble, Duration),
    /// It was not called.
    Skipped(Skip),
    /// Nothing more may be tried.
    Stop(Trouble),
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
        let candidates = std::mem::take(&mut plan.candidates).into_iter();
        Self {
            live,
            inbound,
            line,
            story,
            plan,
            queue: candidates.map(Turn::first).collect(),
            made: 0,
            waits: 0,
            concessions: 0,
            looked_for_room: false,
            rescued: false,
            last: None,
            allowance: None,
        }
    }

    /// The same, counted in its client's buckets.
    #[must_use]
    pub(super) fn within(mut self, allowance: Option<Allowance<'a>>) -> Self {
        self.allowance = allowance;
        self
    }

    /// Makes them.
    ///
    /// # Errors
    /// No candidate answered: the last failure.
    pub fn run(&mut self) -> Result<(), Trouble> {
        let served = self.go_on();
        if let Some(allowance) = self.allowance.take() {
            allowance.fails(self.story.facts().usage.input);
        }
        served
    }

    fn go_on(&mut self) -> Result<(), Trouble> {
        while let Some(mut turn) = self.next_turn() {
            match self.take(&mut turn) {
                Left::Answered => return Ok(()),
                Left::Stop(trouble) => return Err(self.sums_up(trouble)),
                Left::Next(trouble) => self.fails_over(&turn, trouble),
                Left::Later(trouble, delay) => {
                    turn.due = Some(clock::now() + delay);
                    self.fails_over(&turn, trouble);
                    self.queue.push_back(turn);
                }
                Left::Skipped(why) => {
                    self.plan.skip(turn.candidate, why);
                    self.story.plans(&self.plan);
                }
            }
        }
        match self.last.take() {
            Some(trouble) => Err(self.sums_up(trouble)),
            None => Err(nothing::trouble(self.live, &self.plan, clock::millis())),
        }
    }

    /// The next candidate; where none could be asked, the one that may be although it rests.
    fn next_turn(&mut self) -> Option<Turn<'a>> {
        if let Some(turn) = self.queue.pop_front() {
            return Some(turn);
        }
        if self.last.is_some() || std::mem::replace(&mut self.rescued, true) {
            return None;
        }
        let candidate = nothing::rescue(self.live, &mut self.plan, clock::millis())?;
        self.story.plans(&self.plan);
        Some(Turn { is_last_resort: true, ..Turn::first(candidate) })
    }

    #[inline(never)] // as `Story::end`
    fn fails_over(&mut self, turn: &Turn<'_>, trouble: Trouble) {
        if let Some(next) = self.queue.front() {
            let (id, from, to) = (&self.inbound.id, &turn.candidate.target, &next.candidate.target);
            log::warn!("{id} failover: {from} -> {to}: {}", trouble.shown());
        }
        self.last = Some(trouble);
    }

    #[inline(never)] // as `Story::end`
    fn sums_up(&self, mut trouble: Trouble) -> Trouble {
        trouble.fault.retry_after =
            trouble.fault.retry_after.or_else(|| tally::told_wait(self.live, &trouble));
        self.story.sums_up(trouble)
    }

    fn take(&mut self, turn: &mut Turn<'a>) -> Left {
        if !turn.candidate.target.model.is_safe_in_path() {
            let name = turn.candidate.target.model.as_str();
            let message = format!("The model name {name:?} cannot stand in a path.");
            return Left::Next(Trouble::own(Fault::new(FaultKind::ModelNotFound, message)));
        }
        if let Some(due) = turn.due
            && let Err(stop) = wait::until(self.line, due)
        {
            return Left::Stop(Trouble::of_stop(stop, &turn.candidate.target));
        }
        if self.inbound.wishes.bypass {
            return self.visit(turn, None);
        }
        match self.live.health.enter(&turn.candidate, clock::millis(), self.live.config()) {
            Ok(visit) => self.visit(turn, Some(visit)),
            Err(why) => Left::Skipped(why),
        }
    }

    /// All tries of one turn.
    fn visit(&mut self, turn: &mut Turn<'a>, visit: Option<Visit<'a>>) -> Left {
        // One request counts as one failure of a target at most.
        let is_counted = turn.tries > 0;
        let mut last = None;
        loop {
            let candidate = &turn.candidate;
            let outgoing = match self.prepare(candidate, &turn.conceded) {
                Ok(outgoing) => outgoing,
                Err(trouble) => return self.refused(trouble),
            };
            let hold = match self.live.health.hold(candidate, self.tokens(candidate), clock::millis()) {
                Ok(hold) => hold,
                Err(why) => {
                    let Some((trouble, signal)) = last else { return Left::Skipped(why) };
                    tally::leaves(visit, candidate, signal);
                    return Left::Next(trouble);
                }
            };
            self.made += 1;
            let trouble = match self.attempt(&outgoing, visit.as_ref()) {
                Ok(ending) => {
                    self.story.answers();
                    self.succeeds(candidate, hold);
                    for refused in turn.conceded.drain(..) {
                        self.live.health.learn(outgoing.target(), refused);
                    }
                    tally::leaves(visit, candidate, Signal::Success);
                    return match ending.send(self.line) {
                        Ok(()) => Left::Answered,
                        Err(stop) => Left::Stop(Trouble::of_stop(stop, outgoing.target())),
                    };
                }
                Err(trouble) => self.in_clients_words(candidate, trouble),
            };
            self.refunds(hold, &trouble);
            if let Some(concession) = self.concedes(&outgoing, &trouble) {
                self.made -= 1;
                turn.conceded.push(concession);
                continue;
            }
            self.tells_failure(outgoing.target(), &trouble);
            turn.tries += 1;
            let verdict = self.verdict(&outgoing, &trouble, is_counted);
            tally::rests(self.live, candidate, &trouble, &verdict);
            let delay = match self.step(turn, &trouble, &verdict) {
                Step::Again(delay) => delay,
                Step::WaitOut(delay) => {
                    self.waits += 1;
                    delay
                }
                step @ (Step::Later(_) | Step::Next | Step::Larger | Step::Stop) => {
                    tally::leaves(visit, &turn.candidate, verdict.breaker);
                    return self.left(step, turn, trouble);
                }
            };
            tally::retried(self.live, self.inbound, visit.as_ref(), &turn.candidate, &trouble);
            if let Err(stop) = wait::for_time(self.line, delay) {
                return Left::Stop(Trouble::of_stop(stop, &turn.candidate.target));
            }
            last = Some((trouble, verdict.breaker));
        }
    }

    /// The lane to this target would refuse the request; another's may not, now or when it is well.
    fn refused(&self, trouble: Trouble) -> Left {
        match &trouble.fault.refuses {
            Some(path) if !self.queue.is_empty() || self.last.is_some() || self.may_recover() => {
                Left::Skipped(Skip::Refusal(path.to_string()))
            }
            Some(_) | None => Left::Stop(trouble),
        }
    }

    /// Does a target rest that could carry the request? Then the refusal is not the last word.
    fn may_recover(&self) -> bool {
        let mut resting = self.plan.skipped.iter().filter(|skipped| skipped.why.recovers_at().is_some());
        resting.any(|skipped| self.prepare(&skipped.candidate, &[]).is_ok())
    }

    /// What follows from a failure. One that is played is no target's fault.
    fn verdict(&self, outgoing: &Outgoing<'_>, trouble: &Trouble, is_counted: bool) -> Verdict {
        let verdict = trouble.verdict(outgoing.key_owner(), self.live.config().retry.policy_fallback);
        if self.inbound.wishes.test.is_some() {
            return Verdict { rest: Rest::None, breaker: Signal::Release, ..verdict };
        }
        // Nor is a client's own impatience, which is final.
        let is_impatience = trouble.is_final && self.inbound.wishes.total.is_some();
        let is_none = (is_counted || is_impatience) && verdict.breaker == Signal::Failure;
        Verdict { breaker: if is_none { Signal::Release } else { verdict.breaker }, ..verdict }
    }

    fn step(&self, turn: &Turn<'_>, trouble: &Trouble, verdict: &Verdict) -> Step {
        if self.line.is_committed() || trouble.is_final {
            return Step::Stop;
        }
        let mut limits = self.live.config().retry.limits(turn.candidate.attempts);
        if turn.is_last_resort {
            (limits.attempts, limits.waits) = (1, 0);
        }
        let others_left = !self.queue.is_empty();
        let tried = Tried { all: self.made, here: turn.tries, waits: self.waits, others_left };
        limits.step(verdict, tried, trouble.retry_after(), &mut chance::share)
    }

    fn left(&mut self, step: Step, turn: &Turn<'_>, trouble: Trouble) -> Left {
        match step {
            Step::Later(delay) => Left::Later(trouble, delay),
            Step::Larger => {
                self.keep_larger(&turn.candidate);
                Left::Next(trouble)
            }
            Step::Again(_) | Step::WaitOut(_) | Step::Next => Left::Next(trouble),
            Step::Stop => Left::Stop(trouble),
        }
    }

    /// The request does not fit: from now on only candidates with a larger context, once.
    fn keep_larger(&mut self, candidate: &Candidate<'_>) {
        let context = |candidate: &Candidate<'_>| candidate.spec.and_then(|spec| spec.context);
        let own = context(candidate)
            .unwrap_or_else(|| self.inbound.size().map_or(0, |size| candidate.tokens(size)));
        let again = std::mem::replace(&mut self.looked_for_room, true);
        self.queue.retain(|turn| !again && context(&turn.candidate).is_some_and(|other| other > own));
    }
}

impl<'a> Turn<'a> {
    fn first(candidate: Candidate<'a>) -> Self {
        Self { candidate, tries: 0, due: None, conceded: Vec::new(), is_last_resort: false }
    }
}
