//! The store of a process that shares nothing: its own memory.

use std::time::Duration;

use parking_lot::Mutex;

use crate::base::clock::Millis;
use crate::state::{Delta, Shared, StateStore, StoreError};

/// State that ends with the process.
#[derive(Debug)]
pub struct MemoryStore {
    shared: Mutex<Shared>,
    ttl: Duration,
}

impl MemoryStore {
    /// Empty; entries live for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Self { shared: Mutex::default(), ttl }
    }
}

impl StateStore for MemoryStore {
    fn exchange(&self, delta: &Delta, now: Millis) -> Result<Shared, StoreError> {
        let mut shared = self.shared.lock();
        shared.renew(delta, now, self.ttl);
        Ok(shared.clone())
    }
}
