//! A stream on its way from a target to a client: bytes in, bytes out, no clock, no I/O; on the
//! native lane or on the translated one.
//!
//! Each frame is told with its kind, so that the relay can hold back what must not be seen before
//! the commit point. Input that stops before the provider said so is [`StreamEnd::Truncated`],
//! never a quiet success.

use crate::ir::carrier::Kept;
use crate::ir::loss::Losses;
use crate::protocol::Codec;
use crate::protocol::tap::{Facts, Kind};
use crate::protocol::wire::WireError;
use crate::translate::cross::Crossing;
use crate::translate::cross::stream::Translated;
use crate::translate::framing::Framing;
use crate::translate::verbatim::{Options, Verbatim};

/// Events that only open a stream are held back, up to this many; then it is committed.
pub const HELD_FRAMES: usize = 16;

/// One stream on its way.
pub enum StreamPipe {
    /// Client and target speak the same protocol.
    Verbatim(Box<Verbatim>),
    /// They do not.
    Translated(Box<Translated>),
}

/// Why a stream cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeError {
    /// A known frame is not what it must be.
    BrokenFrame,
    /// One that can be read tells no answer, and this is why.
    Unfit(WireError),
    /// A frame is longer than `limits.sse_frame`.
    FrameTooLong,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The provider said that it is at its end.
    Finished,
    /// The provider told an error inside it.
    Failed,
    /// It just stopped.
    Truncated,
}

impl StreamPipe {
    /// A pipe of the native lane.
    pub fn verbatim(codec: &'static dyn Codec, options: Options) -> Self {
        Self::Verbatim(Box::new(Verbatim::new(codec, options)))
    }

    /// A pipe of the translated lane.
    pub fn translated(crossing: &Crossing, limit: usize, framing: Framing) -> Self {
        Self::Translated(Box::new(Translated::new(crossing, limit, framing)))
    }

    /// Takes bytes from upstream.
    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Verbatim(pipe) => pipe.push(bytes),
            Self::Translated(pipe) => pipe.push(bytes),
        }
    }

    /// Adds what still belongs to the frame before; see [`Verbatim::settle`].
    pub fn settle(&mut self, out: &mut Vec<u8>) {
        if let Self::Verbatim(pipe) = self {
            pipe.settle(out);
        }
    }

    /// The next whole frame: what the client gets of it is added to `out`, its kind is returned.
    /// `None` when more bytes are needed.
    ///
    /// # Errors
    /// The frame breaks the protocol or the limit.
    pub fn pull(&mut self, out: &mut Vec<u8>) -> Result<Option<Kind>, PipeError> {
        match self {
            Self::Verbatim(pipe) => pipe.pull(out),
            Self::Translated(pipe) => pipe.pull(out),
        }
    }

    /// The input is at its end. A last frame without its blank line is taken when it is whole; an
    /// unfinished one only makes the stream truncated.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> StreamEnd {
        match self {
            Self::Verbatim(pipe) => pipe.finish(out),
            Self::Translated(pipe) => pipe.finish(out),
        }
    }

    /// Writes what closes a stream that ended well.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Verbatim(pipe) => pipe.close(out),
            Self::Translated(pipe) => pipe.close(out),
        }
    }

    /// What the stream told so far.
    pub fn facts(&self) -> &Facts {
        match self {
            Self::Verbatim(pipe) => pipe.facts(),
            Self::Translated(pipe) => pipe.facts(),
        }
    }

    /// State that the client has no field for.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        match self {
            Self::Verbatim(_) => Vec::new(),
            Self::Translated(pipe) => pipe.take_kept(),
        }
    }

    /// What was left out so far.
    pub fn losses(&self) -> Losses {
        match self {
            Self::Verbatim(_) => Losses::default(),
            Self::Translated(pipe) => pipe.losses(),
        }
    }

    /// Do errors inside the stream reach the client as they came?
    pub fn relays_errors(&self) -> bool {
        match self {
            Self::Verbatim(pipe) => pipe.relays_errors(),
            Self::Translated(_) => false,
        }
    }
}
