//! What came from a client and was not used yet: a small buffer before the socket.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::base::spare::{Spares, lengthen};

/// The buffer's first size: a small request comes in one read.
const SMALL: usize = 4 * 1024;

/// Buffers that were given back.
static ROOMS: Spares = Spares::new(SMALL, 16);

/// A client's bytes, in order.
pub(super) struct Inlet<S = Arc<TcpStream>> {
    source: S,
    room: Vec<u8>,
    /// What waits lies in `room[start..end]`.
    start: usize,
    end: usize,
    /// The read timeout in force, so that it is set only when it changes.
    timeout: Option<Duration>,
}

/// Where bytes come from: a client's socket, or what stands for one.
pub(super) trait Source {
    /// Reads once; 0 is the end.
    fn receive(&mut self, out: &mut [u8]) -> io::Result<usize>;
    /// From now on no read waits longer.
    fn set_wait(&mut self, wait: Duration) -> io::Result<()>;
}

/// Bytes that come from anywhere and never keep anybody waiting.
pub(super) struct Given<R>(pub(super) R);

impl Inlet {
    /// The socket, for what goes the other way.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.source
    }
}

impl<S: Source> Inlet<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, room: Vec::new(), start: 0, end: 0, timeout: None }
    }

    /// What came and was not taken.
    pub(super) fn waiting(&self) -> &[u8] {
        self.room.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes the first bytes of what waits.
    pub(super) fn take(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Gives the room back if nothing waits in it: a connection that is idle or streams has none.
    pub(super) fn shrink(&mut self) {
        if self.start == self.end {
            ROOMS.give(std::mem::take(&mut self.room));
        }
    }

    /// Reads once from the socket, behind what waits. 0 is the end; nothing in time is
    /// [`io::ErrorKind::TimedOut`].
    pub(super) fn fill(&mut self, wait: Duration) -> io::Result<usize> {
        if self.end == self.room.len() {
            if self.room.is_empty() {
                self.room = ROOMS.take();
            } else if self.start > 0 {
                self.room.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                let length = self.room.len() * 2;
                lengthen(&mut self.room, length);
            }
        }
        self.limit(wait)?;
        let free = self.room.get_mut(self.end..).unwrap_or_default();
        let count = self.source.receive(free)?;
        self.end += count;
        Ok(count)
    }

    /// Reads into `out`: what waits, or else once from the socket, past the buffer.
    pub(super) fn read(&mut self, out: &mut [u8], wait: Duration) -> io::Result<usize> {
        let count = self.waiting().len().min(out.len());
        if count == 0 && !out.is_empty() {
            self.limit(wait)?;
            return self.source.receive(out);
        }
        if let (Some(to), Some(from)) = (out.get_mut(..count), self.waiting().get(..count)) {
            to.copy_from_slice(from);
        }
        self.take(count);
        Ok(count)
    }

    fn limit(&mut self, wait: Duration) -> io::Result<()> {
        // Zero would mean no limit at all.
        let wait = wait.max(Duration::from_millis(1));
        if self.timeout != Some(wait) {
            self.source.set_wait(wait)?;
            self.timeout = Some(wait);
        }
        Ok(())
    }
}

impl Source for Arc<TcpStream> {
    fn receive(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut socket: &TcpStream = self;
        loop {
            return match socket.read(out) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Unix says so when a read timeout is over.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Err(io::ErrorKind::TimedOut.into())
                }
                met => met,
            };
        }
    }

    fn set_wait(&mut self, wait: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(wait))
    }
}

impl<R: Read> Source for Given<R> {
    fn receive(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }

    fn set_wait(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }
}
