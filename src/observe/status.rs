//! What `/debug/status` and the dashboard show (SPEC 11.3): sums by target, losses, the last
//! requests. Whatever grows with what clients send is bounded.

mod shape;
mod text;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::base::clock;
use crate::base::cut;
use crate::base::id::{ModelName, TargetId};
use crate::base::sort;
use crate::observe::live::milliseconds;
use crate::observe::record::{Outcome, Record};
use crate::policy::class::Class;

pub use shape::*;

/// Records that are shown.
const RECENT: usize = 100;
/// Targets that have sums of their own; beyond, those that were used longest ago are forgotten.
const MOST_TARGETS: usize = 100;
/// Different losses that are counted.
const MOST_LOSSES: usize = 64;
/// Answers of a target from which its speed is told.
const SAMPLES: usize = 64;
/// A name of others is kept so long.
pub(super) const NAME_CHARACTERS: usize = 120;
/// A text of others is kept so long.
pub(super) const TEXT_CHARACTERS: usize = 400;

/// The sums of this process.
#[derive(Debug)]
pub struct Stats {
    /// When it began.
    since: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    session: Session,
    /// The target that was used last stands last.
    targets: Vec<Sums>,
    losses: Vec<(String, u64)>,
    recent: VecDeque<Arc<Told>>,
}

/// What one target came to.
#[derive(Clone, Debug)]
pub struct Sums {
    /// The target.
    pub target: TargetId,
    /// Calls.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// The last of them.
    pub last_error: Option<Mistake>,
    /// Tokens of its answers.
    pub tokens: Tokens,
    /// What they cost; `None` while nobody can say.
    pub cost: Option<f64>,
    samples: VecDeque<Sample>,
}

/// How fast one answer was.
#[derive(Clone, Copy, Debug)]
struct Sample {
    first_byte_ms: u64,
    /// Output tokens of a stream, and how long they took after the first byte.
    stream: Option<(u64, u64)>,
}

/// A look at everything that was counted.
#[derive(Debug)]
pub struct Look {
    /// Seconds since the process began.
    pub uptime_s: u64,
    /// All requests together; what they cost is counted elsewhere.
    pub session: Session,
    /// By target.
    pub targets: Vec<Sums>,
    /// Losses and how often each was met.
    pub losses: Losses,
    /// The last requests, newest first.
    pub recent: Recent,
}

impl Default for Stats {
    fn default() -> Self {
        Self { since: clock::now(), inner: Mutex::default() }
    }
}

impl Stats {
    /// A call failed: that is told at once, however long its request lasts.
    pub fn fails(&self, target: &TargetId, class: Option<Class>, text: &str) {
        let mut inner = self.inner.lock();
        let mut sums = inner.take(target);
        sums.requests += 1;
        // A client that left is no failure of the target.
        if class != Some(Class::Gone) {
            sums.errors += 1;
            sums.last_error = Some(Mistake::new(class, text, clock::millis()));
        }
        inner.put(sums);
    }

    /// A call gave no answer, and that is no failure.
    pub fn calls(&self, target: &TargetId) {
        let mut inner = self.inner.lock();
        let mut sums = inner.take(target);
        sums.requests += 1;
        inner.put(sums);
    }

    /// Adds one request that is over; its failed calls are told already.
    pub fn add(&self, record: &Record) {
        // What must be made for it is made before the lock.
        let told = Arc::new(Told::of(record));
        let mut inner = self.inner.lock();
        inner.session.requests += 1;
        inner.session.failovers += record.failovers();
        inner.session.tokens.add(record);
        inner.add_answer(record);
        for loss in &record.losses {
            inner.add_loss(loss);
        }
        inner.recent.truncate(RECENT - 1);
        inner.recent.push_front(told);
    }

    /// What was counted so far.
    pub fn look(&self) -> Look {
        let inner = self.inner.lock();
        Look {
            uptime_s: (clock::now() - self.since).as_secs(),
            session: inner.session.clone(),
            targets: inner.targets.clone(),
            losses: Losses(inner.losses.clone()),
            recent: Recent(inner.recent.iter().cloned().collect()),
        }
    }
}

impl Inner {
    fn add_answer(&mut self, record: &Record) {
        let Some(target) = &record.target else { return };
        let mut sums = self.take(target);
        sums.tokens.add(record);
        if let Some(cost) = record.cost {
            *sums.cost.get_or_insert(0.0) += cost;
        }
        if record.answered {
            sums.requests += 1;
            sums.add_sample(record);
        }
        self.put(sums);
    }

    /// The sums of a target, to be put back.
    fn take(&mut self, target: &TargetId) -> Sums {
        let target = known_as(target);
        match self.targets.iter().position(|sums| sums.target == target) {
            Some(index) => self.targets.remove(index),
            None => Sums::new(&target),
        }
    }

    /// The target is now the one that was used last.
    fn put(&mut self, sums: Sums) {
        if self.targets.len() >= MOST_TARGETS {
            self.targets.remove(0);
        }
        self.targets.push(sums);
    }

    fn add_loss(&mut self, loss: &str) {
        let text = short(loss, NAME_CHARACTERS);
        if let Some((_, count)) = self.losses.iter_mut().find(|(known, _)| *known == text) {
            *count += 1;
        } else if self.losses.len() < MOST_LOSSES {
            self.losses.push((text, 1));
        } else if let Some((last, count)) = self.losses.last_mut() {
            "(others)".clone_into(last);
            *count += 1;
        }
    }
}

impl Sums {
    /// Nothing yet.
    pub fn new(target: &TargetId) -> Self {
        Self {
            target: target.clone(),
            requests: 0,
            errors: 0,
            last_error: None,
            tokens: Tokens::default(),
            cost: None,
            samples: VecDeque::new(),
        }
    }

    fn add_sample(&mut self, record: &Record) {
        match record.outcome {
            Outcome::Success | Outcome::Incomplete => {}
            // An error inside an answer that was relayed as it came.
            Outcome::Error => {
                self.errors += 1;
                let text = record.detail.as_deref().unwrap_or("It told an error inside its answer.");
                self.last_error = Some(Mistake::new(record.class, text, record.at));
                return;
            }
            Outcome::Cancelled => return,
        }
        let Some(first_byte) = record.answered_in else { return };
        let writing = record.first_byte.map(|first| milliseconds(record.total.saturating_sub(first)));
        let stream = record.usage.output.zip(writing).filter(|_| record.stream);
        self.samples.truncate(SAMPLES - 1);
        self.samples.push_front(Sample { first_byte_ms: milliseconds(first_byte), stream });
    }

    /// From the call to the first byte, of the last answers.
    pub fn first_byte_ms(&self) -> Percentiles {
        let mut times: Vec<u64> = self.samples.iter().map(|sample| sample.first_byte_ms).collect();
        sort::by_key(&mut times, |time| *time);
        let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Percentiles { p50: at(50), p95: at(95) }
    }

    /// Output tokens a second, of the last streams, once something was written.
    pub fn tokens_per_s(&self) -> Option<f64> {
        let streams = self.samples.iter().filter_map(|sample| sample.stream);
        let sum =
            |sum: (u64, u64), more: (u64, u64)| (sum.0.saturating_add(more.0), sum.1.saturating_add(more.1));
        let (tokens, ms) = streams.fold((0, 0), sum);
        // What came at once says nothing of speed.
        (ms >= 100).then(|| tenths(tokens as f64 * 1000.0 / ms as f64))
    }
}

/// A number as it is shown, with one decimal.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A target as it is kept: clients name models, too, and may name long ones.
pub(super) fn known_as(target: &TargetId) -> TargetId {
    if target.model.as_str().len() <= NAME_CHARACTERS {
        return target.clone();
    }
    let model = ModelName::parse(&short(target.model.as_str(), NAME_CHARACTERS));
    TargetId { provider: target.provider.clone(), model: model.unwrap_or_else(|| target.model.clone()) }
}

/// A text of others, cut.
pub(super) fn short(text: &str, characters: usize) -> String {
    cut::first(text, characters).map_or_else(|| text.to_owned(), |first| format!("{first}…"))
}

/// What a user may do about a failure.
pub fn next_step(class: Option<Class>) -> &'static str {
    let Some(class) = class else { return "The request does not fit this target: see the text." };
    match class {
        Class::Context => "Use a model with a larger context, or let the client compact.",
        Class::Quota => "Top up the account, or add a target of another provider.",
        Class::RateLimit => "It rests until the limit is over. Add a target, or `buckets` below the limit.",
        Class::Auth => "Check the `api_key` of the provider; a reload takes a new one at once.",
        Class::Forbidden => "Check what the key may use at the provider.",
        Class::Policy => "The provider's moderation refused it; `retry.policy_fallback` asks others.",
        Class::NotFound => "Check the model's name in the provider's own list.",
        Class::TooLarge => "Send less, or add a target that takes more.",
        Class::BadRequest => "The request itself is refused: see the text.",
        Class::Transient => "The provider has trouble of its own. Wait, or add a target.",
        Class::Network => "Check `base_url`, the network and `proxy` of the provider.",
        Class::Timeout => "Raise the limit under `timeouts`, or add a faster target.",
        Class::BadUpstream => "Check `base_url` and `protocol` of the provider.",
        Class::Cut => "The answer broke off. If it repeats, look at proxies in between.",
        Class::Gone => "The client left.",
    }
}

#[cfg(test)]
pub(super) mod tests;
