//! The client's side of one answer.
//!
//! ```text
//! Fresh ──start──> Held ──flush──> Streaming ──end──> Ended
//!   └──────whole────┴───────────────────────────────────^
//! any but Ended ──a write failed, abort──> Broken
//! ```
//!
//! `Held` has queued its head, but nothing is on the wire: it may still become another answer. Only
//! this file writes answers, and it writes as seldom as it can: a whole answer is one write, and so
//! is each flush of a stream.

use std::cell::Cell;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use self::wire::{is_ours, line, status_line, write_both};
use crate::base::os;
use crate::server::head::{Head, Method, Version};

mod wire;

/// Room for a chunk's size line before the bytes of the chunk: 16 digits, CR and LF.
const GAP: usize = 18;
/// Most heads are not longer.
const HEAD_BYTES: usize = 1024;
/// A queue is no larger between flushes: the events of most streams are short, but for the first ones.
const KEPT: usize = 1024;
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One answer to one request. It owns what it needs, so that it can be kept in an
/// `Rc<RefCell<Reply>>`; let go of it when `handle` returns.
pub struct Reply {
    socket: Arc<TcpStream>,
    exchange: Rc<Exchange>,
    state: State,
    version: Version,
    body: Body,
    keep_alive: bool,
    busy: bool,
    head: Vec<u8>,
    /// [`GAP`] bytes and what is to go out, or nothing.
    queue: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Held,
    Streaming,
    Ended,
    Broken,
}

/// How the body of a streamed answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// In chunks.
    Chunks,
    /// As it is; the end of the connection ends it.
    Plain,
    /// Not at all: an answer to HEAD.
    None,
}

/// What the two halves of one exchange, request body and answer, tell each other.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Where the request body is.
    pub(super) rest: Cell<Rest>,
    /// Is any byte of the answer on the wire?
    pub(super) answered: Cell<bool>,
}

/// Where the rest of a request body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Read, or there is none.
    Read,
    /// So many bytes that lie in the buffer.
    Here(usize),
    /// Still to come, in whole or in part: the connection cannot be used again.
    Ahead,
}

enum Last {
    No,
    Yes,
}

impl Reply {
    /// An answer to a request, on a connection that may be used again.
    pub(super) fn new(socket: Arc<TcpStream>, exchange: Rc<Exchange>, head: &Head) -> Self {
        let body = match (&head.method, head.version) {
            (Method::Head, _) => Body::None,
            (_, Version::Http10) => Body::Plain,
            (_, Version::Http11) => Body::Chunks,
        };
        Self { version: head.version, body, keep_alive: head.keep_alive, ..Self::refusing(socket, exchange) }
    }

    /// An answer to bytes that are no request; the connection ends with it.
    pub(super) fn refusing(socket: Arc<TcpStream>, exchange: Rc<Exchange>) -> Self {
        Self {
            socket,
            exchange,
            state: State::Fresh,
            version: Version::Http11,
            body: Body::Chunks,
            keep_alive: false,
            busy: false,
            head: Vec::new(),
            queue: Vec::new(),
        }
    }

    /// Sends a whole answer: head, `content-length` and body in one write; to HEAD without the
    /// body. The framing headers and `connection` are ours; such headers of the caller are left
    /// out. Fails when an answer is already on the wire, and when the client does not take it.
    pub fn whole(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        self.may_begin()?;
        self.queue.clear();
        self.open_head(status, headers);
        // RFC 9110, 8.6 and 15.3.5: these two have no length and no body.
        let has_body = !matches!(status, 204 | 304);
        if has_body {
            let length = body.len();
            line(&mut self.head, "content-length", &length.to_string());
        }
        self.close_head();
        let body = if has_body && self.body != Body::None { body } else { b"" };
        let head = std::mem::take(&mut self.head);
        self.send(&head, body, State::Ended)
    }

    /// Begins a streamed answer: in chunks, or on HTTP/1.0 up to the end of the connection. It is
    /// only queued; the next flush takes it along. Fails when an answer is already on the wire.
    pub fn start(&mut self, status: u16, headers: &[(&str, &str)]) -> io::Result<()> {
        self.may_begin()?;
        self.queue.clear();
        if self.body == Body::Plain {
            self.keep_alive = false;
        }
        self.open_head(status, headers);
        if self.version == Version::Http11 {
            line(&mut self.head, "transfer-encoding", "chunked");
        }
        self.close_head();
        self.state = State::Held;
        Ok(())
    }

    /// Queues a part of a streamed answer. Outside of one, and to HEAD, nothing is queued.
    pub fn bytes(&mut self, part: &[u8]) {
        let open = matches!(self.state, State::Held | State::Streaming);
        if part.is_empty() || !open || self.body == Body::None {
            return;
        }
        if self.queue.is_empty() {
            self.queue.resize(GAP, 0);
        }
        self.queue.extend_from_slice(part);
    }

    /// Sends everything that is queued: one chunk, one write. Nothing queued: nothing is done.
    /// Fails when the client is gone or takes nothing for too long.
    pub fn flush(&mut self) -> io::Result<()> {
        match self.state {
            State::Fresh | State::Ended => Ok(()),
            State::Streaming if self.queue.is_empty() => Ok(()),
            State::Held | State::Streaming => self.send_queue(Last::No),
            State::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Ends a streamed answer, in the same write as what is still queued.
    pub fn end(&mut self) -> io::Result<()> {
        match self.state {
            State::Fresh | State::Ended => Ok(()),
            State::Held | State::Streaming => self.send_queue(Last::Yes),
            State::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Has the client left? One system call, without waiting. A client that sent its whole request
    /// and closed its sending side counts as gone (SPEC 7.2).
    pub fn is_gone(&self) -> bool {
        self.state == State::Broken || os::is_gone(&self.socket)
    }

    /// Was an answer begun, even if only queued?
    pub fn is_started(&self) -> bool {
        self.state != State::Fresh
    }

    /// Was the answer sent to its end?
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Announces `connection: close` and does it; to be called before the answer begins.
    pub fn close_after(&mut self) {
        self.keep_alive = false;
    }

    /// Gives up an answer that cannot be ended properly, so that the client sees that it is cut.
    pub fn abort(&mut self) {
        if self.state == State::Ended {
            return;
        }
        self.state = State::Broken;
        self.keep_alive = false;
        // A chunked answer is seen to be cut by its missing end; one that lasts as long as the
        // connection only by a reset. Failure means that the connection is gone already.
        if self.body == Body::Plain && os::reset_on_close(&self.socket).is_ok() {
            return;
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Adds `retry-after: 1`, unless the caller sets one.
    pub(super) fn say_busy(&mut self) {
        self.busy = true;
    }

    /// May the connection carry another request?
    pub(super) fn keeps_alive(&self) -> bool {
        self.keep_alive && self.state == State::Ended
    }

    /// Was nothing sent? Then another answer may be given.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self.state, State::Fresh | State::Held)
    }

    /// Does the connection carry no bytes to the client any more?
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    fn may_begin(&self) -> io::Result<()> {
        match self.state {
            State::Fresh | State::Held => Ok(()),
            State::Broken => Err(io::ErrorKind::BrokenPipe.into()),
            State::Streaming | State::Ended => Err(io::Error::other("already answered")),
        }
    }

    fn open_head(&mut self, status: u16, headers: &[(&str, &str)]) {
        self.head.clear();
        self.head.reserve(HEAD_BYTES);
        status_line(&mut self.head, status);
        for (name, value) in headers {
            if !is_ours(name) {
                line(&mut self.head, name, value);
            }
        }
        let is_retry = |name: &str| name.eq_ignore_ascii_case("retry-after");
        if self.busy && !headers.iter().any(|(name, _)| is_retry(name)) {
            line(&mut self.head, "retry-after", "1");
        }
    }

    fn close_head(&mut self) {
        if self.exchange.rest.get() == Rest::Ahead {
            self.keep_alive = false;
        }
        match (self.keep_alive, self.version) {
            (false, _) => line(&mut self.head, "connection", "close"),
            (true, Version::Http10) => line(&mut self.head, "connection", "keep-alive"),
            (true, Version::Http11) => {}
        }
        self.head.extend_from_slice(b"\r\n");
    }

    fn send_queue(&mut self, last: Last) -> io::Result<()> {
        let mut queue = std::mem::take(&mut self.queue);
        let head = std::mem::take(&mut self.head);
        let begin = match self.body {
            Body::Chunks => frame(&mut queue, &last),
            Body::Plain | Body::None => GAP,
        };
        let state = match last {
            Last::No => State::Streaming,
            Last::Yes => State::Ended,
        };
        let sent = self.send(&head, queue.get(begin..).unwrap_or_default(), state);
        queue.clear();
        queue.shrink_to(KEPT);
        self.queue = queue;
        sent
    }

    fn send(&mut self, head: &[u8], body: &[u8], next: State) -> io::Result<()> {
        self.exchange.answered.set(true);
        let sent = write_both(&self.socket, head, body);
        self.state = if sent.is_ok() { next } else { State::Broken };
        sent
    }
}

/// Makes a chunk of what is queued; returns where it begins.
fn frame(queue: &mut Vec<u8>, last: &Last) -> usize {
    let mut begin = 0;
    if let Some(length) = queue.len().checked_sub(GAP) {
        begin = put_size(length, queue.get_mut(..GAP).unwrap_or_default());
        queue.extend_from_slice(b"\r\n");
    }
    if matches!(last, Last::Yes) {
        queue.extend_from_slice(LAST_CHUNK);
    }
    begin
}

/// Writes a chunk's size to the end of the gap before it, digit by digit; where it begins there.
fn put_size(mut length: usize, gap: &mut [u8]) -> usize {
    let mut slots = gap.iter_mut().rev();
    b"\n\r".iter().zip(slots.by_ref()).for_each(|(byte, slot)| *slot = *byte);
    for slot in slots.by_ref() {
        *slot = b"0123456789abcdef".get(length % 16).copied().unwrap_or_default();
        length /= 16;
        if length == 0 {
            break;
        }
    }
    slots.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_its_size() {
        for length in [1, 9, 10, 15, 16, 0xda, 0xfff, 0x1_0000, 0xdead_beef] {
            let mut gap = [0; GAP];
            let begin = put_size(length, &mut gap);
            assert_eq!(&gap[begin..], format!("{length:x}\r\n").as_bytes());
        }
        let mut queue = [&[0; GAP], b"abc".as_slice()].concat();
        let begin = frame(&mut queue, &Last::Yes);
        assert_eq!(&queue[begin..], b"3\r\nabc\r\n0\r\n\r\n");
    }
}
