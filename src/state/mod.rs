//! Floor 3: what outlives a request, and what outlives a process (SPEC 14).
//!
//! Several processes run beside each other, one per session of an agent. Each keeps what it knows
//! in memory and, every now and then, exchanges it with the others through a [`StateStore`]: it
//! gives a [`Delta`] (what has changed since the last time) and gets a [`Shared`] (what all know
//! together). Counts add up; of everything else the newest is right.
//!
//! [`affinity`] and [`recall`] stay in memory.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use crate::base::calendar;
use crate::base::clock::Millis;
use crate::base::id::{ProviderName, TargetId};
use crate::base::sort;
use crate::base::table::Table;
use crate::policy::breaker::Memory;
use crate::policy::bucket::{Counts, Span};
use crate::policy::class::Class;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use file::FileStore;
pub use memory::MemoryStore;
pub use outbox::Outbox;

pub mod affinity;
mod file;
mod json;
mod memory;
mod outbox;
pub mod recall;
#[cfg(feature = "redis")]
mod redis;
mod stored;

#[cfg(test)]
mod tests;

/// Where processes exchange what they know.
pub trait StateStore: Send + Sync {
    /// Adds what has changed here to what all know, and returns that. It counts once.
    ///
    /// # Errors
    /// The store cannot be reached for now, or its answer was lost: nobody knows whether it counts.
    /// The caller keeps `delta` and gives it again, unchanged, before anything else; then it counts
    /// once, whatever happened. [`Outbox`] does that.
    fn exchange(&self, delta: &Delta, now: Millis) -> Result<Shared, StoreError>;
}

/// Why there was no exchange.
#[derive(Debug)]
pub enum StoreError {
    /// Others held the lock, or wrote, all the time. The next exchange will do.
    Busy,
    /// The system refused something: no room, no permission, no such folder.
    Io {
        /// What was tried, with the path.
        what: String,
        /// The system's reason.
        error: std::io::Error,
    },
}

/// What all processes know together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared {
    /// Breakers that have something to tell.
    pub breakers: Table<TargetId, BreakerEntry>,
    /// Targets that rest. `auth` is never among them: a corrected key works at once (SPEC 6.4).
    pub cooldowns: Table<TargetId, CooldownEntry>,
    /// What is used of buckets in their current windows.
    pub buckets: Table<BucketId, BucketEntry>,
    /// Money spent, by UTC day as [`calendar::day`] names it.
    pub spend: Table<String, SpendEntry>,
    /// What the estimate of input tokens is multiplied with (SPEC 7.3).
    pub factors: Table<TargetId, FactorEntry>,
}

/// What has changed in one process: entries that are new, and counts that came on top.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta(pub Shared);

/// One bucket, written `owner/bucket`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketId {
    /// Whose it is.
    pub owner: Owner,
    /// The bucket's name.
    pub name: String,
}

/// Whose calls or requests a bucket counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The calls to a provider.
    Provider(ProviderName),
    /// The requests with a client key, known by its place in `client_auth.keys`: nothing of the key
    /// itself is written down, and one that is changed keeps its counts.
    Key(usize),
}

/// A breaker (SPEC 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerEntry {
    /// Failures inside the window, while it is closed.
    pub failures: u32,
    /// Terminal failures in a row.
    pub in_a_row: u32,
    /// The end of the cooldown; `None` while it is closed.
    pub open_until: Option<Millis>,
    /// How long it was open last, in milliseconds.
    pub cooldown_ms: u64,
    /// When this was so.
    pub at: Millis,
}

/// A cooldown (SPEC 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownEntry {
    /// Why the target rests.
    pub class: Class,
    /// Until when. An end that has come is kept for a while, so that an older entry does not return.
    pub until: Millis,
    /// When this was so.
    pub at: Millis,
}

/// What is used of a bucket in one window (SPEC 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketEntry {
    /// The start of the window.
    pub start: Millis,
    /// Its end.
    pub end: Millis,
    /// Requests.
    pub requests: u64,
    /// Input tokens.
    pub tokens: u64,
}

/// Money spent on a day (SPEC 7.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpendEntry {
    /// The sum in USD.
    pub usd: f64,
    /// Requests whose price is not known.
    pub unpriced: u64,
}

/// An estimate's factor (SPEC 7.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FactorEntry {
    /// The factor.
    pub factor: f64,
    /// When this was so.
    pub at: Millis,
}

/// So many targets are remembered; of more, which only odd names make, the newest.
pub const MOST_TARGETS: usize = 2048;

/// Clocks of one machine agree; what is dated later than this comes from one that was set back.
const AHEAD: Duration = Duration::from_secs(60);

impl Shared {
    /// Adds what has changed somewhere.
    pub fn merge(&mut self, delta: &Delta) {
        self.add(&delta.0);
    }

    /// Adds what has changed somewhere to what is still true. What no longer is goes first: an entry of
    /// a clock that was set back since would take the place of a new one, and both were lost.
    pub fn renew(&mut self, delta: &Delta, now: Millis, ttl: Duration) {
        self.expire(now, ttl);
        self.merge(delta);
        self.expire(now, ttl);
    }

    /// Forgets what is older than `ttl`, but for what is still in force: a window that has not
    /// ended, a target that rests.
    pub fn expire(&mut self, now: Millis, ttl: Duration) {
        let is_fresh = |at: Millis, until: Option<Millis>| {
            let in_force = until.is_some_and(|until| until > now);
            at <= now.plus(AHEAD) && (in_force || now.since(at) < ttl)
        };
        self.breakers.retain(|_, entry| is_fresh(entry.at, entry.open_until));
        self.cooldowns.retain(|_, entry| is_fresh(entry.at, Some(entry.until)));
        self.factors.retain(|_, entry| is_fresh(entry.at, None));
        keep_newest(&mut self.breakers);
        keep_newest(&mut self.cooldowns);
        keep_newest(&mut self.factors);
        self.buckets.retain(|_, entry| entry.end > now && entry.start <= now.plus(AHEAD));
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let days = calendar::day(Millis(now.0.saturating_sub(ttl)))..=calendar::day(now.plus(AHEAD));
        self.spend.retain(|day, _| days.contains(day));
    }

    fn add(&mut self, news: &Self) {
        take_newest(&mut self.breakers, &news.breakers, |_| true);
        take_newest(&mut self.cooldowns, &news.cooldowns, |entry| entry.class != Class::Auth);
        // A number that is none cannot be written down.
        take_newest(&mut self.factors, &news.factors, |entry| entry.factor.is_finite());
        for (id, more) in news.buckets.iter() {
            match self.buckets.get_mut(id) {
                Some(known) => known.add(*more),
                None => self.buckets.insert(id.clone(), *more),
            }
        }
        for (day, more) in news.spend.iter() {
            match self.spend.get_mut(day) {
                Some(known) => known.add(*more),
                None => {
                    let mut spent = SpendEntry::default();
                    spent.add(*more);
                    self.spend.insert(day.clone(), spent);
                }
            }
        }
    }
}

impl Delta {
    /// Has nothing changed?
    pub fn is_empty(&self) -> bool {
        self.0 == Shared::default()
    }

    /// Adds what changed later.
    pub fn append(&mut self, later: &Self) {
        self.0.add(&later.0);
    }
}

/// What is dated.
trait Dated: Copy {
    fn at(&self) -> Millis;
}

/// Takes over what is as new as what is known, or newer.
fn take_newest<E: Dated>(
    known: &mut Table<TargetId, E>,
    news: &Table<TargetId, E>,
    is_fit: impl Fn(&E) -> bool,
) {
    for (target, entry) in news.iter().filter(|(_, entry)| is_fit(entry)) {
        if known.get(target).is_none_or(|known| known.at() <= entry.at()) {
            known.insert(target.clone(), *entry);
        }
    }
}

/// Forgets all but the newest where there are too many.
fn keep_newest<E: Dated>(known: &mut Table<TargetId, E>) {
    let mut dates: Vec<Reverse<Millis>> = known.iter().map(|(_, entry)| Reverse(entry.at())).collect();
    if dates.len() > MOST_TARGETS {
        sort::by_key(&mut dates, |date| *date);
        let first_left_out = dates.get(MOST_TARGETS).map_or(Millis(0), |date| date.0);
        known.retain(|_, entry| entry.at() > first_left_out);
    }
}

impl Dated for BreakerEntry {
    fn at(&self) -> Millis {
        self.at
    }
}

impl Dated for CooldownEntry {
    fn at(&self) -> Millis {
        self.at
    }
}

impl Dated for FactorEntry {
    fn at(&self) -> Millis {
        self.at
    }
}

impl From<Memory> for BreakerEntry {
    fn from(memory: Memory) -> Self {
        Self {
            failures: memory.failures,
            in_a_row: memory.in_a_row,
            open_until: memory.open_until,
            cooldown_ms: u64::try_from(memory.cooldown.as_millis()).unwrap_or(u64::MAX),
            at: memory.at,
        }
    }
}

impl From<BreakerEntry> for Memory {
    fn from(entry: BreakerEntry) -> Self {
        Self {
            failures: entry.failures,
            in_a_row: entry.in_a_row,
            open_until: entry.open_until,
            cooldown: Duration::from_millis(entry.cooldown_ms),
            at: entry.at,
        }
    }
}

impl BucketEntry {
    /// What was used in a window.
    pub fn of(span: Span, counts: Counts) -> Self {
        Self { start: span.start, end: span.end, requests: counts.requests, tokens: counts.tokens }
    }

    /// The counts.
    pub fn counts(&self) -> Counts {
        Counts { requests: self.requests, tokens: self.tokens }
    }

    /// Adds what came on top; a newer window takes the place of an older one.
    fn add(&mut self, more: Self) {
        if more.start == self.start {
            let mut counts = self.counts();
            counts.add(more.counts());
            (self.requests, self.tokens) = (counts.requests, counts.tokens);
        } else if more.start > self.start {
            *self = more;
        }
    }
}

impl SpendEntry {
    /// Adds what came on top.
    pub fn add(&mut self, more: Self) {
        if more.usd.is_finite() {
            self.usd += more.usd;
        }
        self.unpriced = self.unpriced.saturating_add(more.unpriced);
    }
}

impl BucketId {
    /// Reads `owner/bucket`.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        Some(Self { owner: Owner::parse(owner)?, name: name.to_owned() })
    }
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// No provider is called as a key is: dots and brackets are in no name.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => name.fmt(f),
            Self::Key(place) => write!(f, "client_auth.keys[{place}]"),
        }
    }
}

impl Owner {
    fn parse(text: &str) -> Option<Self> {
        let place = text.strip_prefix("client_auth.keys[").and_then(|rest| rest.strip_suffix(']'));
        match place {
            Some(place) => place.parse().ok().map(Self::Key),
            None => ProviderName::parse(text).map(Self::Provider),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("others write all the time; the next exchange will do"),
            Self::Io { what, error } => write!(f, "{what}: {error}; state is not shared meanwhile"),
        }
    }
}

impl std::error::Error for StoreError {}
