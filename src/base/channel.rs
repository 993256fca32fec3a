//! Channels: a queue under a lock, with room for a few things. Nothing here is asked for often enough
//! to be worth the code of a lock-free one for every type that is sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::base::clock;

/// A channel with room for so many. One without room passes a thing on to somebody who waits for it.
pub fn bounded<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    let ends = Ends { queue: VecDeque::new(), senders: 1, receivers: 1, waiting: 0 };
    let channel = Channel { ends: Mutex::new(ends), room, came: Condvar::new(), went: Condvar::new() };
    let channel = Arc::new(channel);
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

/// Where things are put in.
#[derive(Debug)]
pub struct Sender<T>(Arc<Channel<T>>);

/// Where they are taken out. When the last one is dropped, what is left is dropped, too.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Channel<T>>);

/// Why nothing was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// Nothing came in time.
    Timeout,
    /// Nobody can send any more.
    Disconnected,
}

#[derive(Debug)]
struct Channel<T> {
    ends: Mutex<Ends<T>>,
    room: usize,
    /// Something came, or nothing will.
    came: Condvar,
    /// There is room, or nobody who would take it.
    went: Condvar,
}

#[derive(Debug)]
struct Ends<T> {
    queue: VecDeque<T>,
    senders: usize,
    receivers: usize,
    /// Receivers that wait.
    waiting: usize,
}

impl<T> Sender<T> {
    /// Puts something in and waits for room; gives it back when nobody would take it.
    pub fn send(&self, item: T) -> Result<(), T> {
        self.put(item, None)
    }

    /// The same, waiting so long at most.
    pub fn send_timeout(&self, item: T, limit: Duration) -> Result<(), T> {
        self.put(item, clock::now().checked_add(limit))
    }

    /// The same without waiting.
    pub fn try_send(&self, item: T) -> Result<(), T> {
        self.send_timeout(item, Duration::ZERO)
    }

    fn put(&self, item: T, end: Option<Instant>) -> Result<(), T> {
        let mut ends = self.0.ends.lock();
        while ends.receivers > 0 {
            if !self.0.is_full(&ends) {
                ends.queue.push_back(item);
                self.0.came.notify_one();
                return Ok(());
            }
            if wait(&self.0.went, &mut ends, end).is_err() {
                break;
            }
        }
        Err(item)
    }
}

impl<T> Receiver<T> {
    /// Waits for the next; `None` when nobody can send any more.
    pub fn recv(&self) -> Option<T> {
        self.take(None).ok()
    }

    /// Waits for the next, so long at most.
    ///
    /// # Errors
    /// Nothing came, or nobody can send any more.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.take(clock::now().checked_add(limit))
    }

    /// What is there already.
    pub fn try_recv(&self) -> Option<T> {
        self.recv_timeout(Duration::ZERO).ok()
    }

    /// How many things are in it.
    pub fn len(&self) -> usize {
        self.0.ends.lock().queue.len()
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&self, end: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut ends = self.0.ends.lock();
        let mut waited = Ok(());
        loop {
            // Looked for after the last wait, too: a sender may have counted on this one.
            if let Some(item) = ends.queue.pop_front() {
                self.0.went.notify_one();
                return Ok(item);
            }
            if ends.senders == 0 {
                return Err(RecvTimeoutError::Disconnected);
            }
            waited?;
            ends.waiting += 1;
            if self.0.room == 0 {
                self.0.went.notify_one();
            }
            waited = wait(&self.0.came, &mut ends, end);
            ends.waiting -= 1;
        }
    }
}

impl<T> Channel<T> {
    fn is_full(&self, ends: &Ends<T>) -> bool {
        ends.queue.len() >= if self.room == 0 { ends.waiting } else { self.room }
    }
}

/// Waits, until then at most.
fn wait<T>(
    bell: &Condvar,
    ends: &mut MutexGuard<'_, T>,
    end: Option<Instant>,
) -> Result<(), RecvTimeoutError> {
    match end {
        None => bell.wait(ends),
        Some(end) if clock::now() >= end || bell.wait_until(ends, end).timed_out() => {
            return Err(RecvTimeoutError::Timeout);
        }
        Some(_) => {}
    }
    Ok(())
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.ends.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut ends = self.0.ends.lock();
        ends.senders -= 1;
        if ends.senders == 0 {
            self.0.came.notify_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut ends = self.0.ends.lock();
        ends.receivers -= 1;
        if ends.receivers == 0 {
            let left = std::mem::take(&mut ends.queue);
            self.0.went.notify_all();
            // Dropping them may reach for this lock.
            drop(ends);
            drop(left);
        }
    }
}

impl<T> Iterator for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.recv()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const GUARD: Duration = Duration::from_secs(30);

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let (sender, receiver) = bounded(2);
        assert_eq!(receiver.try_recv(), None);
        assert_eq!(sender.try_send(1), Ok(()));
        assert_eq!(sender.send(2), Ok(()));
        assert_eq!(sender.try_send(3), Err(3));
        let other = sender.clone();
        let late = thread::spawn(move || other.send(3));
        assert_eq!([receiver.recv(), receiver.recv()], [Some(1), Some(2)]);
        assert_eq!(late.join().unwrap(), Ok(()));
        drop(sender);
        assert_eq!(receiver.recv_timeout(GUARD), Ok(3));
        assert_eq!(receiver.recv_timeout(GUARD), Err(RecvTimeoutError::Disconnected));
        assert_eq!(receiver.count(), 0);
    }

    #[test]
    fn without_room_only_who_waits_is_given_something() {
        let (sender, receiver) = bounded(0);
        assert_eq!(sender.try_send(1), Err(1));
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let waiting = thread::spawn(move || (receiver.recv(), receiver));
        assert_eq!(sender.send_timeout(2, GUARD), Ok(()));
        let (got, receiver) = waiting.join().unwrap();
        assert_eq!(got, Some(2));
        drop(receiver);
        assert_eq!(sender.send(3), Err(3));
    }

    #[test]
    fn an_end_that_is_dropped_wakes_the_other() {
        let (sender, receiver) = bounded::<u8>(0);
        let waiting = thread::spawn(move || receiver.recv());
        drop(sender);
        assert_eq!(waiting.join().unwrap(), None);
        // Inside it lies its own other end: nothing may wait for itself.
        #[allow(dead_code, reason = "only dropped")]
        struct Knot(Sender<u8>, Sender<Self>);
        let (sender, receiver) = bounded(1);
        let (inner, mark) = bounded(0);
        assert!(sender.try_send(Knot(inner, sender.clone())).is_ok());
        drop(receiver);
        assert_eq!(mark.recv(), None);
    }
}
