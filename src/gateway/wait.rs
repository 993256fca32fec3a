//! Waiting between two calls, in slices, as a call itself waits: a client that leaves meanwhile, or
//! wants a sign of life, is not kept waiting for it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::gateway::line::Line;
use crate::upstream::{Hook, SLICE, Stop};

/// Waits so long.
///
/// # Errors
/// See [`until`].
pub fn for_time(line: &Rc<Line>, time: Duration) -> Result<(), Stop> {
    until(line, clock::now() + time)
}

/// Waits until then; not at all when that has passed.
///
/// # Errors
/// The client left, the process stops, or the time for the request is over.
pub fn until(line: &Rc<Line>, then: Instant) -> Result<(), Stop> {
    loop {
        line.go_on()?;
        let left = then.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(());
        }
        clock::rest(left.min(SLICE));
    }
}
