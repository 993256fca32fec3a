//! The usage hook (SPEC 11.5): each line of the ledger as a POST, by a thread of its own. How a
//! post is made is given from above.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::base::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use crate::observe::queue::{Item, Queue};

/// Posts one line.
pub type Post = Box<dyn Fn(&[u8]) -> Result<(), NotPosted> + Send>;

/// Why a line did not arrive, in words.
#[derive(Debug)]
pub struct NotPosted(pub String);

/// So many lines wait.
const QUEUE: usize = 1000;
/// After so many failures in a row
const MOST_FAILURES: u32 = 3;
/// nothing is posted for so long.
const REST: Duration = Duration::from_secs(300);
/// At the end what waits is given so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The hook at work.
#[derive(Debug)]
pub struct Hook {
    lines: Queue,
    rests: Arc<AtomicBool>,
    /// Dropped with it, which ends a rest.
    _open: Sender<()>,
}

impl Hook {
    /// Starts its thread.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(post: Post) -> io::Result<Self> {
        let (open, closed) = bounded::<()>(0);
        let rests = Arc::new(AtomicBool::new(false));
        let resting = Arc::clone(&rests);
        let rest = move || {
            resting.store(true, Ordering::Relaxed);
            let goes_on = closed.recv_timeout(REST) == Err(RecvTimeoutError::Timeout);
            resting.store(false, Ordering::Relaxed);
            goes_on
        };
        let lines = Queue::start("usage hook", QUEUE, Box::new(move |lines| run(&lines, &post, &rest)))?;
        Ok(Self { lines, rests, _open: open })
    }

    /// Posts a line when its turn comes.
    pub fn post(&self, line: Vec<u8>) {
        self.lines.put(Item::Line(line));
    }

    /// Waits for the lines that are left; not while the hook rests.
    pub fn finish(&self) {
        if !self.rests.load(Ordering::Relaxed) {
            self.lines.finish(PATIENCE);
        }
    }

    /// How many lines found no room.
    pub fn dropped(&self) -> u64 {
        self.lines.dropped()
    }
}

/// Posts what comes. After some failures it rests; `rest` says whether to go on then.
fn run(lines: &Receiver<Item>, post: &Post, rest: &dyn Fn() -> bool) {
    let mut failures = 0;
    while let Some(item) = lines.recv() {
        let Item::Line(line) = item else { continue };
        match post(&line) {
            Ok(()) => failures = 0,
            Err(NotPosted(why)) => {
                failures += 1;
                log::warn!("usage.hook: a line is lost: {why}");
            }
        }
        if failures == MOST_FAILURES {
            log::warn!("usage.hook: nothing is posted for {} s", REST.as_secs());
            if !rest() {
                return;
            }
            failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    fn queued(count: u8) -> Receiver<Item> {
        let (sender, lines) = bounded(2 * QUEUE);
        (0..count).for_each(|line| sender.send(Item::Line(vec![line])).unwrap());
        lines
    }

    #[test]
    fn three_failures_in_a_row_make_it_rest() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (posts, rests) = (Arc::clone(&seen), Arc::clone(&seen));
        let post: Post = Box::new(move |line| {
            posts.lock().push(line[0]);
            if matches!(line[0], 0 | 1 | 3 | 4 | 5) { Err(NotPosted("no".to_owned())) } else { Ok(()) }
        });
        let rest = || {
            rests.lock().push(100);
            true
        };
        run(&queued(8), &post, &rest);
        assert_eq!(*seen.lock(), [0, 1, 2, 3, 4, 5, 100, 6, 7]);
    }

    #[test]
    fn a_hook_that_is_closed_while_it_rests_ends() {
        let post: Post = Box::new(|_| Err(NotPosted("no".to_owned())));
        let lines = queued(5);
        run(&lines, &post, &|| false);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (go, wait) = bounded::<()>(0);
        let (told, posted) = bounded(2 * QUEUE);
        let post: Post = Box::new(move |line| {
            told.send(line.len()).unwrap();
            // Ends when the test lets go.
            let _ = wait.recv();
            Ok(())
        });
        let hook = Hook::start(post).unwrap();
        hook.post(vec![0]);
        assert_eq!(posted.recv().unwrap(), 1);
        (0..QUEUE + 7).for_each(|_| hook.post(vec![0; 2]));
        assert_eq!(hook.dropped(), 7);
        drop(go);
        (0..QUEUE).for_each(|_| assert_eq!(posted.recv().unwrap(), 2));
        hook.finish();
        assert!(posted.is_empty());
    }
}
