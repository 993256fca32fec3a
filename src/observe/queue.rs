//! A bounded queue with a thread of its own at its end: whoever puts something in never waits.
//! What finds no room is dropped and counted.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::base::channel::{Receiver, Sender, bounded};
use crate::observe::trace::Exchange;

const STACK_BYTES: usize = 512 * 1024;

/// The end where things are put in. When it is dropped the thread takes what is there and ends.
#[derive(Debug)]
pub struct Queue {
    sender: Sender<Item>,
    what: &'static str,
    dropped: AtomicU64,
}

/// What comes out of it.
#[derive(Debug)]
pub enum Item {
    /// A line.
    Line(Vec<u8>),
    /// What went over the wire for a request.
    Exchange(Box<Exchange>),
    /// Everything before this was taken: the other side is told by dropping it.
    Mark(Sender<()>),
}

impl Queue {
    /// A queue of that length; `what` is in it, in words, and the thread's name.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        what: &'static str,
        length: usize,
        run: Box<dyn FnOnce(Receiver<Item>) + Send>,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(length);
        let thread = thread::Builder::new().name(what.to_owned()).stack_size(STACK_BYTES);
        thread.spawn(move || run(receiver))?;
        Ok(Self { sender, what, dropped: AtomicU64::new(0) })
    }

    /// Puts something in, if there is room; was there?
    pub fn put(&self, item: Item) -> bool {
        let is_in = self.sender.try_send(item).is_ok();
        if !is_in {
            self.drops();
        }
        is_in
    }

    /// Something was dropped: that is told at the first one, and then each thousand.
    pub fn drops(&self) {
        let before = self.dropped.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(1000) {
            log::warn!("{}: {} dropped so far", self.what, before + 1);
        }
    }

    /// How many were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until the thread has done with all that is in it, or so long.
    pub fn finish(&self, patience: Duration) {
        let (mark, done) = bounded::<()>(0);
        if self.sender.send_timeout(Item::Mark(mark), patience).is_ok() {
            // It ends by the mark being dropped; nothing is ever sent.
            let _ = done.recv_timeout(patience);
        }
    }
}
