//! The story of a request as it goes, told at its end to `observe`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::base::cut::cut;
use crate::base::id::{RequestId, TargetId};
use crate::config::{AliasRoute, Price};
use crate::gateway::headers::shown;
use crate::gateway::inbound::Inbound;
use crate::gateway::line::{Headers, Line};
use crate::gateway::live::Live;
use crate::gateway::outgoing::Outgoing;
use crate::gateway::trouble::Trouble;
use crate::observe::record::{Outcome, Record};
use crate::policy::budget::{self, Tokens};
use crate::policy::class::Class;
use crate::protocol::tap::Facts;
use crate::route::plan::Plan;
use crate::route::snapshot::LONGEST_NAME;

/// What has happened so far.
pub struct Story {
    record: Record,
    facts: Facts,
    since: Instant,
    /// When the last call began.
    called: Instant,
    price: Option<Price>,
    /// The spent share of the tightest budget, when it is to be told.
    budget: Option<f64>,
    is_paid: bool,
    /// The targets that were passed over, and why, as a header tells it.
    skipped: Option<String>,
    tell_all: bool,
}

impl Story {
    /// The story of a request begins.
    pub fn begin(inbound: &Inbound) -> Self {
        let record = Record {
            id: inbound.id.clone(),
            at: clock::millis(),
            client: inbound.client.clone(),
            session: inbound.session.as_deref().map(|session| cut(session, LONGEST_NAME).to_owned()),
            ingress: inbound.protocol,
            asked: inbound
                .asked
                .as_deref()
                .map_or_else(String::new, |name| cut(name, LONGEST_NAME).to_owned()),
            target: None,
            translated: false,
            stream: inbound.ask.stream,
            status: 0,
            outcome: Outcome::Success,
            class: None,
            detail: None,
            attempts: 0,
            answered: false,
            alias: None,
            failures: Vec::new(),
            losses: Vec::new(),
            cost: None,
            usage: Default::default(),
            first_byte: None,
            answered_in: None,
            total: Duration::ZERO,
        };
        Self {
            record,
            facts: Facts::default(),
            since: inbound.since,
            called: inbound.since,
            price: None,
            budget: None,
            is_paid: false,
            skipped: None,
            tell_all: inbound.tell_all,
        }
    }

    /// Its name led to this alias.
    pub fn asks_for(&mut self, route: &AliasRoute) {
        self.record.alias = Some(route.alias.clone());
    }

    /// Its targets are known.
    pub fn plans(&mut self, plan: &Plan<'_>) {
        if let Some(route) = plan.alias {
            self.asks_for(route);
        }
        self.skipped = None;
        if plan.skipped.is_empty() {
            return;
        }
        let mut text = String::new();
        for skipped in plan.skipped.iter().take(8) {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{}={}", skipped.candidate.target, skipped.why);
        }
        self.skipped = Some(text);
    }

    /// The answer has lost something on its way, worth a warning.
    pub fn loses(&mut self, lost: impl IntoIterator<Item = String>) {
        self.record.losses.extend(lost);
    }

    /// What was lost so far.
    pub fn lost(&self) -> &[String] {
        &self.record.losses
    }

    /// A target is called.
    pub fn attempts(&mut self, outgoing: &Outgoing<'_>) {
        self.record.translated = outgoing.is_translated();
        self.record.attempts += 1;
        self.record.answered = false;
        self.called = clock::now();
        self.record.target = Some(outgoing.target().clone());
        self.record.losses.clone_from(&outgoing.warnings);
        self.price = outgoing.candidate.spec.and_then(|spec| spec.price);
        // What an earlier target told before it failed is not this one's.
        self.facts = Facts::default();
    }

    /// The call gave an answer.
    pub fn answers(&mut self) {
        self.record.answered = true;
    }

    /// The call failed.
    pub fn attempt_fails(&mut self, target: &TargetId, trouble: &Trouble) {
        self.record.failures.push((target.clone(), trouble.class));
    }

    /// The last failure as the client is told it: with all targets that were tried.
    pub fn sums_up(&self, mut trouble: Trouble) -> Trouble {
        let mut targets: Vec<&TargetId> = self.record.failures.iter().map(|(target, _)| target).collect();
        targets.dedup();
        if targets.len() > 1 {
            let tried = self
                .record
                .failures
                .iter()
                .map(|(target, class)| format!("{target} ({})", Class::name_of(*class)));
            let tried = tried.collect::<Vec<_>>().join(", ");
            trouble.fault.message.push_str(&format!(" Tried: {tried}."));
        }
        trouble
    }

    /// The head of an answer has come.
    pub fn hears(&mut self) {
        let now = clock::now();
        self.record.first_byte = Some(now - self.since);
        self.record.answered_in = Some(now - self.called);
    }

    /// The answer told something.
    pub fn learns(&mut self, facts: &Facts) {
        self.facts = facts.clone();
    }

    /// It did not go well.
    pub fn fails(&mut self, trouble: &Trouble) {
        self.record.class = trouble.class;
        self.record.outcome = if trouble.is_gone() { Outcome::Cancelled } else { Outcome::Error };
        self.record.detail = Some(trouble.fault.message.clone());
    }

    /// What the answer told so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The request's id.
    pub fn id(&self) -> &RequestId {
        &self.record.id
    }

    /// Milliseconds until the head of the answer came.
    pub fn first_byte_ms(&self) -> u128 {
        self.record.first_byte.map_or(0, |time| time.as_millis())
    }

    /// Adds the spent share of a budget, asked model, target, tries and skipped targets to the headers
    /// of an answer (SPEC 11.2).
    pub fn tells_target(&self, headers: &mut Headers) {
        if let Some(share) = self.budget {
            headers.push("x-llmgate-budget", format!("{share:.2}"));
        }
        if !self.tell_all {
            return;
        }
        headers.push("x-llmgate-model", shown(&self.record.asked));
        if let Some(target) = &self.record.target {
            headers.push("x-llmgate-provider", shown(target.provider.as_str()));
            headers.push("x-llmgate-target", shown(&target.to_string()));
        }
        headers.push("x-llmgate-attempts", self.record.attempts.to_string());
        if let Some(skipped) = &self.skipped {
            headers.push("x-llmgate-skipped", shown(skipped));
        }
    }

    /// Adds the token counts to the headers of a whole answer.
    pub fn tells_usage(&self, headers: &mut Headers) {
        let usage = &self.facts.usage;
        let counts = [
            ("x-llmgate-input-tokens", usage.input),
            ("x-llmgate-output-tokens", usage.output),
            ("x-llmgate-cached-tokens", usage.cached),
        ];
        for (name, count) in counts {
            if let Some(count) = count.filter(|_| self.tell_all) {
                headers.push(name, shown(&count.to_string()));
            }
        }
    }

    /// What the answer cost; `None` when a price or a count is missing.
    fn cost(&self) -> Option<f64> {
        let usage = &self.facts.usage;
        let tokens = Tokens {
            input: usage.input?,
            cached: usage.cached.unwrap_or(0),
            cache_write: usage.cache_write.unwrap_or(0),
            output: usage.output?,
        };
        self.price.map(|price| budget::cost(&tokens, &price))
    }

    /// So much of a budget is spent.
    pub fn warns_of_budget(&mut self, share: f64) {
        self.budget = Some(share);
    }

    /// The answer is paid for, once.
    pub fn pays(&mut self, live: &Live) {
        if !std::mem::replace(&mut self.is_paid, true) {
            self.record.cost = self.cost();
            live.health.pays(self.record.cost, clock::millis());
        }
    }

    /// The story is over: it is told.
    #[inline(never)] // its frame would lie under each call, in each thread
    pub fn end(mut self, live: &Live, inbound: &Inbound, line: &Line) {
        self.record.status = line.status();
        self.record.usage = self.facts.usage;
        if self.record.usage.output.is_some() {
            self.pays(live);
        }
        self.record.total = clock::now() - self.since;
        if self.record.outcome == Outcome::Success && self.facts.error.is_some() {
            self.record.outcome = Outcome::Error;
        } else if self.record.outcome == Outcome::Success && self.facts.incomplete {
            self.record.outcome = Outcome::Incomplete;
        }
        live.sinks.tell(&self.record);
        if let Some(exchange) = line.tape.exchange(inbound, &self.record, &|text| line.masked(live, text)) {
            live.sinks.files.keep(exchange);
        }
    }
}
