//! A rest that somebody else can end.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Whoever rests here goes on when the time is over, or when there is to be no more rest.
#[derive(Debug, Default)]
pub struct Pause {
    is_over: Mutex<bool>,
    told: Condvar,
}

impl Pause {
    /// Rests so long; not at all after [`Pause::end`].
    pub fn rest(&self, time: Duration) {
        let mut is_over = self.is_over.lock();
        self.told.wait_while_for(&mut is_over, |is_over| !*is_over, time);
    }

    /// No more rest, for those who rest now and for all later.
    pub fn end(&self) {
        *self.is_over.lock() = true;
        self.told.notify_all();
    }

    /// Rest is possible again.
    pub fn begin(&self) {
        *self.is_over.lock() = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_rest_ends_when_it_is_told_to() {
        let pause = Arc::new(Pause::default());
        let resting = Arc::clone(&pause);
        let thread = std::thread::spawn(move || resting.rest(Duration::MAX));
        pause.end();
        thread.join().unwrap();
        pause.rest(Duration::MAX);
        pause.begin();
        pause.rest(Duration::ZERO);
    }
}
