//! The slice transport: the socket below TLS, read and written here.
//!
//! Waits at most a slice at a time and asks the watch in between. A write that a slice cuts
//! resumes where it stopped. What is to be sent is gathered first, so that a head and a small body
//! leave in one write; the buffers grow with need and are given back when the request is sent, for
//! the next one that is: an open stream costs a few KiB.
//!
//! A provider may answer and close before it has read a whole request (413). What is left of it then
//! goes nowhere, and the answer is read.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use crate::base::os::{self, Peek};
use crate::base::spare::{Spares, lengthen};
use crate::upstream::{LONGEST_LINE, watch};

/// A plain socket to a provider or its proxy.
#[derive(Debug)]
pub(super) struct SliceTransport {
    socket: TcpStream,
    buffers: GrowingBuffers,
    read_slice: Duration,
    write_slice: Duration,
    /// Bytes came since it was asked whether it is open.
    heard: bool,
    /// The other side takes no more. What it said before that is still to be read.
    refused: Option<io::Error>,
}

impl SliceTransport {
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(watch::SLICE))?;
        socket.set_write_timeout(Some(watch::SLICE))?;
        Ok(Self {
            socket,
            buffers: GrowingBuffers::default(),
            read_slice: watch::SLICE,
            write_slice: watch::SLICE,
            heard: false,
            refused: None,
        })
    }

    fn send_gathered(&mut self) -> io::Result<()> {
        let mut sent = 0;
        self.set_write_slice(watch::first_slice())?;
        while self.refused.is_none()
            && let Some(rest) = self.buffers.gathered().get(sent..).filter(|rest| !rest.is_empty())
        {
            match (&self.socket).write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    sent += count;
                    watch::look()?;
                }
                Err(error) if is_wait(&error) => self.set_write_slice(watch::next_slice()?)?,
                Err(error) => self.refused = Some(error),
            }
        }
        self.buffers.sent();
        Ok(())
    }

    fn receive(&mut self) -> io::Result<usize> {
        // Before the wait, not behind it: what has come is passed on first.
        watch::look()?;
        self.set_read_slice(watch::first_slice())?;
        loop {
            match (&self.socket).read(self.buffers.input_append_buf()) {
                Ok(0) => return self.refused().map_or(Ok(0), Err),
                Ok(count) => {
                    self.buffers.input_appended(count);
                    self.heard = true;
                    watch::heard();
                    return Ok(count);
                }
                Err(error) if is_wait(&error) => self.set_read_slice(watch::next_slice()?)?,
                Err(error) => return Err(self.refused().unwrap_or(error)),
            }
        }
    }

    /// Why nothing more could be sent, if nothing was said before that.
    fn refused(&mut self) -> Option<io::Error> {
        self.refused.take().filter(|_| !self.heard)
    }

    /// A system call only when the value changes.
    fn set_read_slice(&mut self, slice: Duration) -> io::Result<()> {
        if self.read_slice != slice {
            self.socket.set_read_timeout(Some(slice))?;
            self.read_slice = slice;
        }
        Ok(())
    }

    fn set_write_slice(&mut self, slice: Duration) -> io::Result<()> {
        if self.write_slice != slice {
            self.socket.set_write_timeout(Some(slice))?;
            self.write_slice = slice;
        }
        Ok(())
    }
}

fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl Transport for SliceTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.buffers.gather(amount);
        if self.buffers.is_crowded() {
            self.send_gathered()?;
            self.buffers.widen();
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        if !self.buffers.gathered().is_empty() {
            self.send_gathered()?;
        }
        self.buffers.give_back_output();
        Ok(self.receive()? > 0)
    }

    /// Asked when a connection goes back to the pool, right behind an answer, and again before it is
    /// used. The second time is looked: bytes that nobody asked for make it as useless as its end does.
    fn is_open(&mut self) -> bool {
        if std::mem::take(&mut self.heard) {
            return true;
        }
        let open = watch::may_reuse() && os::peek(&self.socket) == Peek::Quiet;
        if open {
            watch::reusing();
        }
        open
    }
}

const INPUT_START: usize = 4 * 1024;
const INPUT_FULL: usize = 32 * 1024;
/// The longest head of an answer that is read.
const INPUT_LIMIT: usize = 128 * 1024;
const OUTPUT_FULL: usize = 256 * 1024;
/// Room that ureq always finds in the output: the longest line of a head.
const OUTPUT_ROOM: usize = LONGEST_LINE;
/// So many bytes are gathered before they are sent.
const OUTPUT_START: usize = 8 * 1024;
/// An output's first size: what is gathered, and room behind it.
const OUTPUT_SMALL: usize = OUTPUT_START + OUTPUT_ROOM;

/// Outputs of requests that were sent, for those that come.
static OUTPUTS: Spares = Spares::new(OUTPUT_SMALL, 8);

/// Buffers that grow with need.
#[derive(Debug, Default)]
struct GrowingBuffers {
    input: Vec<u8>,
    /// So many bytes of the input have come.
    filled: usize,
    /// So many of them were read by ureq.
    consumed: usize,
    /// Did ureq read any of them when it last looked?
    progress: bool,
    output: Vec<u8>,
    /// So many bytes of the output wait to be sent.
    gathered: usize,
    /// How much of the output may wait; behind that there is room.
    output_size: usize,
}

impl GrowingBuffers {
    fn gathered(&self) -> &[u8] {
        self.output.get(..self.gathered).unwrap_or_default()
    }

    fn gather(&mut self, amount: usize) {
        self.gathered = (self.gathered + amount).min(self.output.len());
    }

    fn sent(&mut self) {
        self.gathered = 0;
    }

    fn is_crowded(&self) -> bool {
        self.gathered >= self.output_size
    }

    /// More is to come than is gathered at a time: fewer, larger writes.
    fn widen(&mut self) {
        self.output_size = (self.output_size * 4).min(OUTPUT_FULL);
    }

    fn give_back_output(&mut self) {
        OUTPUTS.give(std::mem::take(&mut self.output));
        self.output_size = 0;
    }

    fn make_output(&mut self) {
        if self.output.is_empty() {
            self.output = OUTPUTS.take();
        }
        self.output_size = self.output_size.max(OUTPUT_START);
        lengthen(&mut self.output, self.output_size + OUTPUT_ROOM);
    }

    fn make_input(&mut self) {
        if self.consumed == self.filled {
            // A read that filled the buffer is likely to be followed by another one.
            if self.filled == self.input.len() && self.input.len() < INPUT_FULL {
                let length = (self.input.len() * 4).clamp(INPUT_START, INPUT_FULL);
                lengthen(&mut self.input, length);
            }
            self.filled = 0;
            self.consumed = 0;
        } else if self.filled == self.input.len() {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
            lengthen(&mut self.input, (self.filled * 2).clamp(INPUT_START, INPUT_LIMIT));
        }
    }
}

impl Buffers for GrowingBuffers {
    fn output(&mut self) -> &mut [u8] {
        self.make_output();
        self.output.get_mut(self.gathered..).unwrap_or_default()
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.consumed..self.filled).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.make_input();
        self.input.get_mut(self.filled..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.make_input();
        self.make_output();
        let tmp = self.input.get_mut(self.filled..).unwrap_or_default();
        (tmp, self.output.get_mut(self.gathered..).unwrap_or_default())
    }

    fn can_use_input(&self) -> bool {
        !self.input().is_empty() && self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_grows_until_a_head_fits() {
        let mut buffers = GrowingBuffers::default();
        let mut total = 0;
        for _ in 0..5 {
            let room = buffers.input_append_buf().len();
            assert!(room > 0);
            buffers.input_appended(room);
            total += room;
        }
        assert_eq!(buffers.input().len(), total);
        assert!(total <= INPUT_LIMIT);
        buffers.input_consume(total);
        assert!(buffers.input().is_empty() && !buffers.can_use_input());
    }

    #[test]
    fn output_is_gathered_and_given_back() {
        let mut buffers = GrowingBuffers::default();
        buffers.output()[..3].copy_from_slice(b"abc");
        buffers.gather(3);
        buffers.output()[..2].copy_from_slice(b"de");
        buffers.gather(2);
        assert_eq!(buffers.gathered(), b"abcde");
        buffers.sent();
        buffers.give_back_output();
        assert!(buffers.gathered().is_empty() && buffers.output.capacity() == 0);
    }
}
