//! The gate of generations: so many at once, so many more waiting, in order of arrival (SPEC 7.2).
//!
//! A slot that comes free is handed to the first who waits, under one lock. So nobody who comes
//! later can take it, and no wake-up can be lost: whoever looks finds the slot already his.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// A waiting client is looked after this often.
const LOOK: Duration = Duration::from_millis(250);

/// The gate; clones are the same gate.
#[derive(Clone)]
pub struct Slots(Arc<Gate>);

/// The right to run one generation; it returns on drop, also in a panic.
#[must_use = "a slot is given back when it drops"]
pub struct Slot(Arc<Gate>);

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuse {
    /// All are taken and the queue is full.
    Busy,
    /// The client left while it waited, or its time was over.
    Gone,
    /// The proxy is about to end.
    Stopping,
}

struct Gate {
    state: Mutex<State>,
}

struct State {
    /// How many may be taken.
    requests: usize,
    /// How many may wait.
    queue: usize,
    taken: usize,
    waiting: VecDeque<Arc<Waiter>>,
    stopping: bool,
}

/// One who waits.
#[derive(Default)]
struct Waiter {
    bell: Condvar,
    /// Was a slot handed over? Changed under the gate's lock only.
    granted: AtomicBool,
}

/// A place in the queue. Left by any way out, a panic of the question included, it gives back what
/// it has: the place, or the slot it was handed meanwhile.
struct Place {
    gate: Arc<Gate>,
    waiter: Arc<Waiter>,
}

/// What somebody who arrives gets.
enum Turn {
    Now(Slot),
    Later(Place),
}

impl Slots {
    /// A gate for `requests` (at least one) at once and `queue` who wait.
    pub fn new(requests: usize, queue: usize) -> Self {
        Self(Arc::new(Gate {
            state: Mutex::new(State {
                requests: requests.max(1),
                queue,
                taken: 0,
                waiting: VecDeque::new(),
                stopping: false,
            }),
        }))
    }

    /// Takes a slot, waiting for its turn if it must. While it waits, `still_there` is asked each
    /// 250 ms whether it is to go on; it is never asked when a slot is free.
    ///
    /// # Errors
    /// There is none for it: see [`Refuse`].
    pub fn take(&self, mut still_there: impl FnMut() -> bool) -> Result<Slot, Refuse> {
        let place = match self.arrive()? {
            Turn::Now(slot) => return Ok(slot),
            Turn::Later(place) => place,
        };
        // A place takes the lock when it drops, so on every way out below the lock goes first.
        loop {
            let mut state = self.0.state.lock();
            if !place.is_granted() && !state.stopping {
                place.waiter.bell.wait_for(&mut state, LOOK);
            }
            if place.is_granted() {
                return Ok(place.into_slot(state));
            }
            let stopping = state.stopping;
            drop(state);
            if stopping {
                return Err(Refuse::Stopping);
            }
            if !still_there() {
                return Err(Refuse::Gone);
            }
        }
    }

    fn arrive(&self) -> Result<Turn, Refuse> {
        let mut state = self.0.state.lock();
        if state.stopping {
            return Err(Refuse::Stopping);
        }
        if state.taken < state.requests && state.waiting.is_empty() {
            state.taken += 1;
            return Ok(Turn::Now(Slot(Arc::clone(&self.0))));
        }
        if state.waiting.len() >= state.queue {
            return Err(Refuse::Busy);
        }
        let waiter = Arc::new(Waiter::default());
        state.waiting.push_back(Arc::clone(&waiter));
        Ok(Turn::Later(Place { gate: Arc::clone(&self.0), waiter }))
    }

    /// How many slots are taken.
    pub fn in_flight(&self) -> usize {
        self.0.state.lock().taken
    }

    /// How many wait.
    pub fn queued(&self) -> usize {
        self.0.state.lock().waiting.len()
    }

    /// Changes the sizes, for a reload. Who runs or waits already is not turned away.
    pub fn resize(&self, requests: usize, queue: usize) {
        let mut state = self.0.state.lock();
        state.requests = requests.max(1);
        state.queue = queue;
        state.grant();
    }

    /// Turns away all who wait and all who come; slots in use stay in use.
    pub fn stop(&self) {
        let mut state = self.0.state.lock();
        state.stopping = true;
        for waiter in &state.waiting {
            waiter.bell.notify_one();
        }
    }
}

impl State {
    /// Hands what is free to those who wait, first come first served.
    fn grant(&mut self) {
        while self.taken < self.requests && !self.stopping {
            let Some(waiter) = self.waiting.pop_front() else {
                return;
            };
            self.taken += 1;
            waiter.granted.store(true, Ordering::Relaxed);
            waiter.bell.notify_one();
        }
    }

    fn release(&mut self) {
        self.taken = self.taken.saturating_sub(1);
        self.grant();
    }
}

impl Place {
    fn is_granted(&self) -> bool {
        self.waiter.granted.load(Ordering::Relaxed)
    }

    /// The slot that was handed over becomes the caller's.
    fn into_slot(self, state: MutexGuard<'_, State>) -> Slot {
        self.waiter.granted.store(false, Ordering::Relaxed);
        drop(state);
        Slot(Arc::clone(&self.gate))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        if self.is_granted() {
            state.release();
        } else {
            state.waiting.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.state.lock().release();
    }
}

#[cfg(test)]
mod tests;
