//! The frame of a body: so many bytes, or chunks (RFC 9112, 6.3 and 7.1).
//!
//! ```text
//! Bytes(n) ──────────────────────────────> Done
//! Size ──> Chunk(n) ──> ChunkEnd ──> Size
//!   └──0──> Trailer ─────────────────────> Done
//! any ──what comes is wrong──> Failed
//! ```

use std::io::{self, Read};
use std::time::Duration;

use crate::server::body::{BodyError, as_u64};
use crate::server::head::Framing;
use crate::server::inlet::{Inlet, Source};

/// A size line with its extensions, or a trailer line, may have so many bytes.
const MAX_LINE: usize = 4 * 1024;
const LONG_LINE: BodyError = BodyError::Broken("a line of its chunks is too long");
/// All trailers may have so many bytes.
const MAX_TRAILERS: usize = 64 * 1024;
/// A rest of this size is read past the buffer.
const LARGE: u64 = 4 * 1024;

/// The bytes inside the frame, and what went wrong with it.
pub(super) struct Frame<'a, S> {
    inlet: &'a mut Inlet<S>,
    stall: Duration,
    state: State,
    trailers: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Bytes(u64),
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    Done,
    Failed(BodyError),
}

impl<'a, S: Source> Frame<'a, S> {
    pub(super) fn new(inlet: &'a mut Inlet<S>, framing: Framing, stall: Duration) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Bytes(length),
            Framing::Chunked => State::Size,
        };
        Self { inlet, stall, state, trailers: 0 }
    }

    /// Why reading stopped, if the frame is to blame.
    pub(super) fn failure(&self) -> Option<BodyError> {
        if let State::Failed(failure) = &self.state { Some(failure.clone()) } else { None }
    }

    fn step(&mut self, out: &mut [u8]) -> Result<Option<usize>, BodyError> {
        match self.state.clone() {
            State::Bytes(left) => {
                let count = self.some(out, left)?;
                self.state = match left - as_u64(count) {
                    0 => State::Done,
                    left => State::Bytes(left),
                };
                return Ok(Some(count));
            }
            State::Chunk(left) => {
                let count = self.some(out, left)?;
                self.state = match left - as_u64(count) {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                };
                return Ok(Some(count));
            }
            State::Size => {
                self.state = match self.line(size)?? {
                    0 => State::Trailer,
                    size => State::Chunk(size),
                };
            }
            State::ChunkEnd => {
                if self.line(<[u8]>::len)? != 0 {
                    return Err(BodyError::Broken("a chunk is longer than its size"));
                }
                self.state = State::Size;
            }
            State::Trailer => {
                let length = self.line(<[u8]>::len)?;
                self.trailers += length;
                if length == 0 {
                    self.state = State::Done;
                } else if self.trailers > MAX_TRAILERS {
                    return Err(BodyError::Broken("its trailers are too long"));
                }
            }
            State::Done => return Ok(Some(0)),
            State::Failed(failure) => return Err(failure),
        }
        Ok(None)
    }

    /// Some bytes of a piece of which `left` are left; never more, since the next request follows.
    fn some(&mut self, out: &mut [u8], left: u64) -> Result<usize, BodyError> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        // Small chunks come by the buffer, many in one read.
        let by_buffer = matches!(self.state, State::Chunk(_)) && left < LARGE;
        if by_buffer && self.inlet.waiting().is_empty() {
            self.more()?;
        }
        let out = out.get_mut(..most).unwrap_or_default();
        match self.inlet.read(out, self.stall) {
            Ok(0) => Err(BodyError::Short),
            Ok(count) => Ok(count),
            Err(error) => Err(BodyError::from(&error)),
        }
    }

    /// Takes a line, without its CR and LF, and lets `judge` look at it.
    fn line<T>(&mut self, judge: impl Fn(&[u8]) -> T) -> Result<T, BodyError> {
        let mut seen = 0;
        loop {
            let waiting = self.inlet.waiting();
            let fresh = waiting.get(seen..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let end = seen + at;
                if end > MAX_LINE {
                    return Err(LONG_LINE);
                }
                let line = waiting.get(..end).and_then(|line| line.strip_suffix(b"\r"));
                let judged = line.filter(|line| !line.contains(&b'\r')).map(judge);
                self.inlet.take(end + 1);
                return judged.ok_or(BodyError::Broken("a line of its chunks ends without CR"));
            }
            seen = waiting.len();
            if seen > MAX_LINE {
                return Err(LONG_LINE);
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), BodyError> {
        match self.inlet.fill(self.stall) {
            Ok(0) => Err(BodyError::Short),
            Ok(_) => Ok(()),
            Err(error) => Err(BodyError::from(&error)),
        }
    }
}

impl<S: Source> Read for Frame<'_, S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self.step(out) {
                Ok(Some(count)) => return Ok(count),
                Ok(None) => {}
                Err(failure) => {
                    self.state = State::Failed(failure);
                    // The kind must not be one that a decoder takes for an end.
                    return Err(io::Error::other("the request body failed"));
                }
            }
        }
    }
}

/// The number of a size line: hex digits, then nothing or an extension, which says nothing to us.
fn size(line: &[u8]) -> Result<u64, BodyError> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (number, tail) = line.split_at_checked(digits.count()).unwrap_or((line, b""));
    let tail = tail.trim_ascii_start();
    let number = std::str::from_utf8(number).unwrap_or_default();
    // No digits, and more than 64 bits, are errors of this.
    let number = u64::from_str_radix(number, 16);
    match number {
        Ok(number) if tail.is_empty() || tail.first() == Some(&b';') => Ok(number),
        _ => Err(BodyError::Broken("a chunk size is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_line_is_hex_and_perhaps_an_extension() {
        for (line, number) in
            [("0", 0), ("1aF", 0x1af), ("005;name=\"a;b\"", 5), ("5 ;x", 5), ("ffffffffffffffff", u64::MAX)]
        {
            assert_eq!(size(line.as_bytes()), Ok(number), "{line}");
        }
        for line in ["", "+5", "-1", "0x5", "5 5", " 5", "g", "10000000000000000", ";a"] {
            assert!(size(line.as_bytes()).is_err(), "{line}");
        }
    }
}
