//! Reasoning state of clients that have no field for it (Chat), by the id of the tool call that it
//! led to (SPEC 8.6). In memory only, bounded in number, size and time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::base::table::Table;
use crate::ir::carrier::Kept;

/// So many calls are remembered,
const MOST_ENTRIES: usize = 1024;
/// in so many bytes,
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// for so long.
const LIFE: Duration = Duration::from_secs(3600);

/// What is remembered.
#[derive(Debug, Default)]
pub struct Recall(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    entries: Table<String, Entry>,
    /// Ids in the order in which they came.
    order: VecDeque<String>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    since: Instant,
    size: usize,
}

impl Recall {
    /// Remembers; what is oldest goes when there is no room.
    pub fn keep(&self, kept: Kept, now: Instant) {
        if kept.is_empty() {
            return;
        }
        let size = kept.size();
        let mut memory = self.0.lock();
        memory.forget(&kept.call_id);
        memory.bytes += size;
        memory.order.push_back(kept.call_id.clone());
        memory.entries.insert(kept.call_id.clone(), Entry { kept, since: now, size });
        while memory.order.len() > MOST_ENTRIES || memory.bytes > MOST_BYTES {
            let Some(oldest) = memory.order.front().cloned() else { return };
            memory.forget(&oldest);
        }
    }

    /// What led to that call.
    pub fn of(&self, call_id: &str, now: Instant) -> Option<Kept> {
        let memory = self.0.lock();
        let entry = memory.entries.get(call_id)?;
        (now.saturating_duration_since(entry.since) < LIFE).then(|| entry.kept.clone())
    }
}

impl Memory {
    fn forget(&mut self, call_id: &str) {
        if let Some(entry) = self.entries.remove(call_id) {
            self.bytes = self.bytes.saturating_sub(entry.size);
            self.order.retain(|known| known != call_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;
    use crate::ir::carrier::State;

    fn kept(id: &str, text: &str) -> Kept {
        Kept { call_id: id.into(), reasoning: vec![State::of_text("anthropic", text)], own: None }
    }

    #[test]
    fn it_remembers_for_an_hour_and_not_without_bound() {
        let (recall, now) = (Recall::default(), clock::now());
        recall.keep(kept("a", "x"), now);
        assert_eq!(recall.of("a", now), Some(kept("a", "x")));
        assert_eq!(recall.of("a", now + LIFE), None);
        for number in 0..MOST_ENTRIES {
            recall.keep(kept(&number.to_string(), "x"), now);
        }
        assert_eq!(recall.of("a", now), None);
        recall.keep(kept("big", &"x".repeat(MOST_BYTES)), now);
        assert_eq!(recall.of("big", now), None);
        // What went makes room.
        for number in 0..20 {
            recall.keep(kept(&number.to_string(), &"x".repeat(MOST_BYTES / 4)), now);
        }
        assert_eq!([17, 18, 19].map(|number| recall.of(&number.to_string(), now).is_some()), [true; 3]);
    }
}
