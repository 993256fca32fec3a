//! What a process has to tell, until the store has taken it.
//!
//! ```text
//! news -> later -> sent -> the store
//! ```
//!
//! What was sent without an answer stays as it is until it is answered: a store may have counted it
//! all the same, and can tell that it did when the very same comes again. What happens meanwhile
//! waits behind it.

use crate::base::clock::Millis;
use crate::state::{Delta, Shared, StateStore, StoreError};

/// What was not taken yet.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Given to the store, perhaps more than once.
    sent: Delta,
    /// What happened since.
    later: Delta,
}

impl Outbox {
    /// Adds news, gives the store what it has not taken yet, and returns what all know then.
    ///
    /// # Errors
    /// The store did not take all of it. The rest is kept for the next time.
    pub fn exchange(
        &mut self,
        news: &Delta,
        store: &dyn StateStore,
        now: Millis,
    ) -> Result<Shared, StoreError> {
        self.later.append(news);
        loop {
            if self.sent.is_empty() {
                self.sent = std::mem::take(&mut self.later);
            }
            let shared = store.exchange(&self.sent, now)?;
            self.sent = Delta::default();
            if self.later.is_empty() {
                return Ok(shared);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;
    use crate::state::{MemoryStore, SpendEntry};

    const NOW: Millis = Millis(1_794_999_330_000);

    /// A store that answers, or not, as it is told.
    struct Moody {
        /// Does it answer? `None` once it has said all.
        moods: Mutex<Vec<bool>>,
        heard: Mutex<Vec<Delta>>,
        memory: MemoryStore,
    }

    impl Moody {
        fn new(moods: &[bool]) -> Self {
            let moods = Mutex::new(moods.iter().rev().copied().collect());
            Self { moods, heard: Mutex::default(), memory: MemoryStore::new(Duration::from_secs(3600)) }
        }
    }

    impl StateStore for Moody {
        fn exchange(&self, delta: &Delta, now: Millis) -> Result<Shared, StoreError> {
            self.heard.lock().push(delta.clone());
            if self.moods.lock().pop().unwrap() {
                self.memory.exchange(delta, now)
            } else {
                Err(StoreError::Busy)
            }
        }
    }

    fn spent(usd: f64) -> Delta {
        let mut delta = Delta::default();
        delta.0.spend.insert("2026-11-18".to_owned(), SpendEntry { usd, unpriced: 0 });
        delta
    }

    #[test]
    fn what_was_not_answered_comes_again_unchanged_and_the_rest_behind_it() {
        let store = Moody::new(&[false, false, true, false, true, true]);
        let mut outbox = Outbox::default();
        let mut exchange = |news: &Delta| outbox.exchange(news, &store, NOW);
        assert!(exchange(&spent(1.0)).is_err());
        assert!(exchange(&spent(2.0)).is_err());
        assert!(exchange(&spent(4.0)).is_err());
        let shared = exchange(&spent(8.0)).unwrap();
        assert_eq!(shared, spent(15.0).0);
        let heard = [spent(1.0), spent(1.0), spent(1.0), spent(6.0), spent(6.0), spent(8.0)];
        assert_eq!(*store.heard.lock(), heard);
    }

    #[test]
    fn who_has_nothing_to_say_is_not_bound_by_it() {
        let store = Moody::new(&[false, true, true]);
        let mut outbox = Outbox::default();
        assert!(outbox.exchange(&Delta::default(), &store, NOW).is_err());
        assert_eq!(outbox.exchange(&spent(1.0), &store, NOW).unwrap(), spent(1.0).0);
        assert_eq!(outbox.exchange(&Delta::default(), &store, NOW).unwrap(), spent(1.0).0);
        assert_eq!(*store.heard.lock(), [Delta::default(), spent(1.0), Delta::default()]);
    }
}
