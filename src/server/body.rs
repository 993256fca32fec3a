//! The body of a request: its frame taken off, its compression undone, its limits kept.
//!
//! The limit counts what comes out, and it is asked all the time: a body that is too large is
//! refused before it is read to its end.

use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use self::coding::Coding;
use self::frame::Frame;
use crate::server::head::{Framing, Head};
use crate::server::inlet::{Given, Inlet, Source};
use crate::server::reply::{Exchange, Rest};

mod blocks;
mod coding;
mod frame;
mod fse;

/// No more than this is set aside for a body because its length was declared.
const BELIEVED: u64 = 1024 * 1024;

/// Reads the body of the request in hand.
pub struct BodyReader<'a> {
    inlet: &'a mut Inlet,
    exchange: Rc<Exchange>,
    framing: Framing,
    coding: Result<Coding, BodyError>,
    expects_continue: bool,
    /// How long it may be silent.
    stall: Duration,
    failure: Option<BodyError>,
}

/// Why there is no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It has more bytes than the limit, as sent or expanded.
    TooLarge,
    /// Its `Content-Encoding`, named here, is not known.
    Encoding(String),
    /// Nothing came for too long.
    Stalled,
    /// The client stopped before the end.
    Short,
    /// Its chunks or its compression are broken; the text says how.
    Broken(&'static str),
}

impl<'a> BodyReader<'a> {
    pub(super) fn new(inlet: &'a mut Inlet, exchange: Rc<Exchange>, head: &Head, stall: Duration) -> Self {
        Self {
            inlet,
            exchange,
            framing: head.framing,
            coding: Coding::of(&head.headers),
            expects_continue: head.expects_continue,
            stall,
            failure: None,
        }
    }

    /// Reads the whole body and expands it (`gzip`, `zstd`); empty when there is none, and when it
    /// was read before. `limit` is in bytes and counts after expansion. A client that waits for
    /// `100 Continue` gets it now, unless the body is refused or the answer has begun.
    ///
    /// After an error the connection ends with the answer; one that `handle` leaves unanswered is
    /// answered for it.
    #[inline(never)] // nor are the frames of the decoders
    pub fn read_all(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let body = self.read_checked(limit);
        self.failure = body.as_ref().err().cloned();
        body
    }

    /// What went wrong in reading, if something did.
    pub(super) fn failure(&self) -> Option<&BodyError> {
        self.failure.as_ref()
    }

    fn read_checked(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        if self.framing == Framing::None {
            return Ok(Vec::new());
        }
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.exchange.rest.get() == Rest::Read {
            return Ok(Vec::new());
        }
        let coding = self.coding.clone()?;
        believed(self.framing, limit)?;
        self.welcome()?;
        // From here on only the end of the body makes the connection fit for another request.
        self.exchange.rest.set(Rest::Ahead);
        let body = unframed(self.inlet, (self.framing, coding), limit, self.stall)?;
        self.inlet.shrink();
        self.exchange.rest.set(Rest::Read);
        Ok(body)
    }

    fn welcome(&self) -> Result<(), BodyError> {
        let waits = self.expects_continue && self.inlet.waiting().is_empty();
        if !waits || self.exchange.answered.get() {
            return Ok(());
        }
        let mut socket = self.inlet.socket();
        socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| BodyError::Short)
    }
}

/// The body that follows a head, and the bytes of the next request that came with it. It is read as
/// [`BodyReader::read_all`] reads it, but from anywhere.
///
/// # Errors
/// There is no such body within the limit.
pub fn decode(head: &Head, source: impl Read, limit: usize) -> Result<(Vec<u8>, Vec<u8>), BodyError> {
    let mut inlet = Inlet::new(Given(source));
    if head.framing == Framing::None {
        return Ok((Vec::new(), Vec::new()));
    }
    let coding = Coding::of(&head.headers)?;
    let body = unframed(&mut inlet, (head.framing, coding), limit, Duration::ZERO)?;
    Ok((body, inlet.waiting().to_vec()))
}

fn unframed<S: Source>(
    inlet: &mut Inlet<S>,
    (framing, coding): (Framing, Coding),
    limit: usize,
    stall: Duration,
) -> Result<Vec<u8>, BodyError> {
    let believed = believed(framing, limit)?;
    coding.read(&mut Frame::new(inlet, framing, stall), limit, believed)
}

/// How many bytes to set aside for a body, unless it is too large by its own word.
fn believed(framing: Framing, limit: usize) -> Result<usize, BodyError> {
    let declared = match framing {
        Framing::None | Framing::Chunked => 0,
        Framing::Length(length) => length,
    };
    if declared > as_u64(limit) {
        return Err(BodyError::TooLarge);
    }
    Ok(declared.min(BELIEVED).try_into().unwrap_or(0))
}

/// Where the body of a request is before anybody reads it.
pub(super) fn rest_at_start(head: &Head, inlet: &Inlet) -> Rest {
    match head.framing {
        Framing::None | Framing::Length(0) => Rest::Read,
        // A client that waits for a word may send the body or leave it out once it has the answer:
        // what follows cannot be told apart (RFC 9110, 10.1.1).
        _ if head.expects_continue => Rest::Ahead,
        Framing::Chunked => Rest::Ahead,
        Framing::Length(length) => match usize::try_from(length) {
            Ok(length) if length <= inlet.waiting().len() => Rest::Here(length),
            _ => Rest::Ahead,
        },
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl BodyError {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Encoding(_) => 415,
            Self::Stalled => 408,
            Self::Short | Self::Broken(_) => 400,
        }
    }

    /// What is wrong, for people.
    pub fn message(&self) -> String {
        match self {
            Self::TooLarge => "the request body is larger than limits.request_body allows".to_owned(),
            Self::Encoding(name) => {
                format!("content-encoding `{name}` is not known; send identity, gzip or zstd")
            }
            Self::Stalled => "the request body stopped arriving".to_owned(),
            Self::Short => "the request body ended before its end".to_owned(),
            Self::Broken(what) => format!("the request body is broken: {what}"),
        }
    }
}

impl From<&io::Error> for BodyError {
    /// What a socket's error means for a body.
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Stalled,
            _ => Self::Short,
        }
    }
}

/// Reads until the end, at most `limit` bytes.
fn read_within(mut source: impl Read, limit: usize, mut into: Vec<u8>) -> Result<Vec<u8>, ReadError> {
    let most = as_u64(limit).saturating_add(1);
    source.by_ref().take(most).read_to_end(&mut into)?;
    if into.len() > limit {
        return Err(ReadError::TooLarge);
    }
    Ok(into)
}

/// What stops [`read_within`].
enum ReadError {
    TooLarge,
    /// The frame failed, and knows why; else the compression is broken.
    Source,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Source
    }
}
