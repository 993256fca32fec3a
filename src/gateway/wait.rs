//! Waiting between two calls, in slices, as a call itself waits: a client that leaves meanwhile, or
//! wants a sign of life, is not kept waiting for it.

use std::rc::Rc;
use std::time::Duration;

use crate::base::clock;
use crate::gateway::line::Line;
use crate::upstream::{Hook, SLICE, Stop};

/// Waits so long.
///
/// # Errors
/// The client left, the process stops, or the time for the request is over.
pub fn for_time(line: &Rc<Line>, time: Duration) -> Result<(), Stop> {
    let until = clock::now() + time;
    loop {
        line.go_on()?;
        let left = until.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(());
        }
        clock::rest(left.min(SLICE));
    }
}
