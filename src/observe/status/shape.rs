//! The status as JSON (SPEC 11.3). Times are milliseconds since 1970; what nobody knows is `null`.

use std::sync::Arc;

use crate::base::clock::Millis;
use crate::base::id::TargetId;
use crate::base::pen::{self, Pen, Put, members};
use crate::observe::live::{Running, milliseconds};
use crate::observe::record::Record;
use crate::observe::status::{NAME_CHARACTERS, TEXT_CHARACTERS, known_as, next_step, short};
use crate::policy::class::Class;

/// Everything that is shown.
#[derive(Debug)]
pub struct Status {
    /// Of this binary.
    pub version: &'static str,
    /// Of this process.
    pub pid: u32,
    /// Seconds since it began.
    pub uptime_s: u64,
    /// When this was so.
    pub now: Millis,
    /// The configuration in force.
    pub config: Loaded,
    /// Generations that run.
    pub in_flight: usize,
    /// Generations that wait for a slot.
    pub queued: usize,
    /// What this process came to.
    pub session: Session,
    /// Money against its limits.
    pub budget: Budgets,
    /// The targets.
    pub targets: Vec<Target>,
    /// The client keys whose requests are counted.
    pub clients: Vec<Client>,
    /// What requests lost on their way to targets.
    pub losses: Losses,
    /// The requests that run.
    pub running: Vec<Running>,
    /// The last requests, newest first.
    pub recent: Recent,
}

/// The configuration in force.
#[derive(Debug)]
pub struct Loaded {
    /// Where it came from.
    pub source: String,
    /// Which one; counts up with each reload.
    pub revision: u64,
    /// When it came into force.
    pub loaded_at: Millis,
    /// Why the last reload changed nothing, if it did not.
    pub last_error: Option<String>,
}

/// What this process came to.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Times that a request went on to another target.
    pub failovers: u64,
    /// Tokens of all answers.
    pub tokens: Tokens,
    /// USD, of the answers that have a price.
    pub cost: f64,
    /// Answers whose price nobody knows.
    pub unpriced: u64,
}

/// Tokens of answers, as far as they were reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens {
    /// Input, cached and cache-written ones included.
    pub input: u64,
    /// Input that was read from a prompt cache.
    pub cached: u64,
    /// Input that was written to a prompt cache.
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
}

/// Money against its limits.
#[derive(Debug)]
pub struct Budgets {
    /// This process's.
    pub session: Money,
    /// This UTC day's, of all processes that share the state.
    pub day: Money,
}

/// Money against its limit, in USD.
#[derive(Debug)]
pub struct Money {
    /// What is spent.
    pub spent: f64,
    /// Answers whose price nobody knows.
    pub unpriced: u64,
    /// What may be.
    pub limit: Option<f64>,
}

/// One target.
#[derive(Debug)]
pub struct Target {
    /// Provider and model.
    pub target: TargetId,
    /// Are its three switches on?
    pub enabled: bool,
    /// `closed`, `half_open` or `open`.
    pub circuit_state: &'static str,
    /// Terminal failures inside the breaker's window.
    pub failures: u32,
    /// The end of the breaker's cooldown.
    pub open_until: Option<Millis>,
    /// Why and until when it rests.
    pub cooldown: Option<Cooldown>,
    /// Its buckets: one entry for requests, one for tokens.
    pub buckets: Vec<Bucket>,
    /// Calls.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// The last of them.
    pub last_error: Option<Mistake>,
    /// From the call to the first byte, of the last answers.
    pub first_byte_ms: Percentiles,
    /// Output tokens a second, of the last streams.
    pub tokens_per_s: Option<f64>,
    /// Tokens of its answers.
    pub tokens: Tokens,
    /// The cached share of the input, 0 to 1.
    pub cache_hit: Option<f64>,
    /// What its answers cost in USD.
    pub cost: Option<f64>,
    /// What estimates of input tokens are multiplied by.
    pub estimate_factor: f64,
}

/// Why and until when a target rests.
#[derive(Debug)]
pub struct Cooldown {
    /// After which failure.
    pub class: Class,
    /// Until when.
    pub until: Millis,
    /// What to do about it.
    pub next: &'static str,
}

/// What the holders of a client key have used.
#[derive(Debug)]
pub struct Client {
    /// The place of the key: `client_auth.keys[0]`.
    pub key: String,
    /// Its buckets: one entry for requests, one for tokens.
    pub buckets: Vec<Bucket>,
}

/// What is taken of a bucket in its window.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// `requests` or `tokens`.
    pub metric: &'static str,
    /// Used and reserved.
    pub used: u64,
    /// What a window holds.
    pub limit: u64,
    /// The start of the next window.
    pub resets_at: Millis,
}

/// Half of the values, and nearly all of them, are not above these.
#[derive(Debug)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<u64>,
    /// The 95th percentile.
    pub p95: Option<u64>,
}

/// A failure and what to do about it.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// Its class; `refused` when the request did not fit.
    pub class: &'static str,
    /// What was said.
    pub text: String,
    /// When its request came.
    pub at: Millis,
    /// What to do about it.
    pub next: &'static str,
}

/// A call that failed.
#[derive(Clone, Debug)]
pub struct Met {
    /// Where.
    pub target: TargetId,
    /// How; `refused` when the request did not fit.
    pub class: &'static str,
}

/// Losses by their text.
#[derive(Debug)]
pub struct Losses(pub Vec<(String, u64)>);

/// The last requests.
#[derive(Debug)]
pub struct Recent(pub Vec<Arc<Told>>);

/// The fields of a log line.
#[derive(Debug)]
pub struct Told {
    /// The request's id.
    pub id: String,
    /// When it came.
    pub at: Millis,
    /// What the client calls itself.
    pub client: Option<String>,
    /// Its session, eight characters of it.
    pub session: Option<String>,
    /// The client's protocol.
    pub ingress: &'static str,
    /// The asked name.
    pub model: String,
    /// The target that served it, or was tried last.
    pub target: Option<TargetId>,
    /// `native` or `translated`.
    pub lane: Option<&'static str>,
    /// The status the client got.
    pub status: u16,
    /// How it ended.
    pub outcome: &'static str,
    /// The class of the last failure.
    pub class: Option<Class>,
    /// Calls to targets.
    pub attempts: u32,
    /// Did the last of them give an answer?
    pub answered: bool,
    /// Input tokens.
    pub input: Option<u64>,
    /// Output tokens.
    pub output: Option<u64>,
    /// Cached input tokens.
    pub cached: Option<u64>,
    /// USD.
    pub cost: Option<f64>,
    /// From the request to the first byte.
    pub first_byte_ms: Option<u64>,
    /// From the request to its end.
    pub total_ms: u64,
    /// How many things were lost on the way.
    pub losses: usize,
    /// The calls that failed.
    pub failed: Vec<Met>,
    /// Why it failed.
    pub detail: Option<String>,
}

members! {
    Status {
        version, pid, uptime_s, now, config, in_flight, queued, session, budget, targets, clients,
        losses, running, recent,
    }
    Loaded { source, revision, loaded_at, last_error }
    Session { requests, failovers, tokens, cost, unpriced }
    Tokens { input, cached, cache_write, output, reasoning }
    Budgets { session, day }
    Money { spent, unpriced, limit }
    Target {
        target, enabled, circuit_state, failures, open_until, cooldown, buckets, requests, errors,
        last_error, first_byte_ms, tokens_per_s, tokens, cache_hit, cost, estimate_factor,
    }
    Cooldown { class, until, next }
    Client { key, buckets }
    Bucket { name, metric, used, limit, resets_at }
    Percentiles { p50, p95 }
    Mistake { class, text, at, next }
    Met { target, class }
    Told {
        id, at, client, session, ingress, model, target, lane, status, outcome, class, attempts,
        answered, input as "in", output as "out", cached, cost, first_byte_ms, total_ms, losses, failed,
        detail,
    }
}

/// So many failed calls of a request are shown.
const MOST_FAILED: usize = 16;

impl Told {
    /// What is shown of a record.
    pub fn of(record: &Record) -> Self {
        let named = |text: &String| short(text, NAME_CHARACTERS);
        let failed = record.failures.iter().take(MOST_FAILED);
        Self {
            id: record.id.as_str().to_owned(),
            at: record.at,
            client: record.client.as_ref().map(named),
            session: record.session.as_deref().map(|session| session.chars().take(8).collect()),
            ingress: record.ingress.name(),
            model: named(&record.asked),
            target: record.target.as_ref().map(known_as),
            lane: record.lane(),
            status: record.status,
            outcome: record.outcome.name(),
            class: record.class,
            attempts: record.attempts,
            answered: record.answered,
            input: record.usage.input,
            output: record.usage.output,
            cached: record.usage.cached,
            cost: record.cost,
            first_byte_ms: record.first_byte.map(milliseconds),
            total_ms: milliseconds(record.total),
            losses: record.losses.len(),
            failed: failed.map(|(target, class)| Met::new(target, *class)).collect(),
            detail: record.detail.as_deref().map(|text| short(text, TEXT_CHARACTERS)),
        }
    }
}

impl Met {
    /// A call to a target failed.
    pub fn new(target: &TargetId, class: Option<Class>) -> Self {
        Self { target: known_as(target), class: Class::name_of(class) }
    }
}

impl Mistake {
    /// A failure with what was said of it.
    pub fn new(class: Option<Class>, text: &str, at: Millis) -> Self {
        let text = short(text, TEXT_CHARACTERS);
        Self { class: Class::name_of(class), text, at, next: next_step(class) }
    }
}

impl Tokens {
    /// Adds those of a record.
    pub(super) fn add(&mut self, record: &Record) {
        let usage = &record.usage;
        self.input = self.input.saturating_add(usage.input.unwrap_or(0));
        self.cached = self.cached.saturating_add(usage.cached.unwrap_or(0));
        self.cache_write = self.cache_write.saturating_add(usage.cache_write.unwrap_or(0));
        self.output = self.output.saturating_add(usage.output.unwrap_or(0));
        self.reasoning = self.reasoning.saturating_add(usage.reasoning.unwrap_or(0));
    }

    /// The cached share of the input, 0 to 1.
    pub fn cache_hit(&self) -> Option<f64> {
        (self.input > 0).then(|| (self.cached as f64 * 1000.0 / self.input as f64).round() / 1000.0)
    }
}

impl Status {
    /// As JSON.
    pub fn json(&self) -> String {
        pen::written(self)
    }
}

impl Put for Losses {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.object(|pen| self.0.iter().for_each(|(text, count)| pen.put_named(text, count)));
    }
}

impl Put for Recent {
    fn write(&self, pen: &mut Pen<'_>) {
        pen.list(|pen| self.0.iter().for_each(|told| pen.add(&**told)));
    }
}
