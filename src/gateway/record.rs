//! The story of a request as it goes, told at its end to `observe`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::base::id::{RequestId, TargetId};
use crate::gateway::headers::shown;
use crate::gateway::inbound::Inbound;
use crate::gateway::line::{Headers, Line};
use crate::gateway::trouble::Trouble;
use crate::observe::log;
use crate::observe::record::{Outcome, Record};
use crate::observe::tally::Tally;
use crate::policy::class::Class;
use crate::protocol::tap::Facts;
use crate::route::plan::Plan;

/// What has happened so far.
pub struct Story {
    record: Record,
    facts: Facts,
    since: Instant,
    skipped: Option<String>,
    tell_all: bool,
}

impl Story {
    /// The story of a request begins.
    pub fn begin(inbound: &Inbound) -> Self {
        let record = Record {
            id: inbound.id.clone(),
            session: inbound.session.clone(),
            ingress: inbound.protocol,
            asked: inbound.asked.clone().unwrap_or_default(),
            target: None,
            translated: false,
            stream: inbound.ask.stream,
            status: 0,
            outcome: Outcome::Success,
            class: None,
            detail: None,
            attempts: 0,
            usage: Default::default(),
            first_byte: None,
            total: Duration::ZERO,
        };
        Self {
            record,
            facts: Facts::default(),
            since: inbound.since,
            skipped: None,
            tell_all: inbound.tell_all,
        }
    }

    /// Its targets are known.
    pub fn plans(&mut self, plan: &Plan<'_>) {
        if plan.skipped.is_empty() {
            return;
        }
        let mut text = String::new();
        for (target, why) in plan.skipped.iter().take(8) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{target}={why}", if text.is_empty() { "" } else { ", " });
        }
        self.skipped = Some(text);
    }

    /// A target is called.
    pub fn attempts_target(&mut self, target: &TargetId, translated: bool) {
        self.record.translated = translated;
        self.record.attempts += 1;
        self.record.target = Some(target.clone());
    }

    /// The head of an answer has come.
    pub fn hears(&mut self) {
        self.record.first_byte = Some(clock::now() - self.since);
    }

    /// The answer told something.
    pub fn learns(&mut self, facts: &Facts) {
        self.facts = facts.clone();
    }

    /// It did not go well.
    pub fn fails(&mut self, trouble: &Trouble) {
        self.record.class = trouble.class;
        self.record.outcome =
            if trouble.class == Some(Class::Gone) { Outcome::Cancelled } else { Outcome::Error };
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

    /// Adds asked model, target, tries and skipped targets to the headers of an answer (SPEC 11.2).
    pub fn tells_target(&self, headers: &mut Headers) {
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

    /// The story is over: it is told.
    pub fn end(mut self, line: &Line, tally: &Tally) {
        self.record.status = line.status();
        self.record.usage = self.facts.usage;
        self.record.total = clock::now() - self.since;
        if self.record.outcome == Outcome::Success && self.facts.error.is_some() {
            self.record.outcome = Outcome::Error;
        } else if self.record.outcome == Outcome::Success && self.facts.incomplete {
            self.record.outcome = Outcome::Incomplete;
        }
        log::request(&self.record);
        tally.add(&self.record);
    }
}
