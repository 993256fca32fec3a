//! One connection: its requests in turn.
//!
//! ```text
//!            first byte          whole head           answered, may go on
//! Idle ──────────────────> Head ────────────> Answer ─────────────────────> Idle
//!   │ 60 s, end              │ refused, 30 s     │ must end
//!   └─────────> Close <──────┴─> Linger <────────┘
//! ```
//!
//! `Linger`: the client may still be sending. A close now would reset the connection and could take
//! the answer with it (RFC 9112, 9.6), so the sending side is shut down and what comes is thrown
//! away, in bounds.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::base::{clock, os};
use crate::server::Timings;
use crate::server::body::{BodyReader, rest_at_start};
use crate::server::head::{self, Head, Refusal, Scan};
use crate::server::inlet::Inlet;
use crate::server::reply::{Exchange, Reply, Rest};

/// So many bytes are thrown away before a close, at most.
const MAX_DRAIN: usize = 64 * 1024;

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. It must end the reply (or abort it); one that was not begun is answered
    /// with 500, one that was begun and not ended is cut. A panic is caught and ends this
    /// connection only.
    fn handle(&self, request: &Head, peer: SocketAddr, body: &mut BodyReader<'_>, reply: &Rc<RefCell<Reply>>);

    /// Answers where no `handle` did: bytes that are no request, a body error that `handle` left
    /// alone, too many connections (503; `retry-after: 1` is added), a panic. In the protocol of
    /// `path`, when it is known. The connection ends with it.
    fn refuse(&self, path: Option<&str>, status: u16, message: &str, reply: &mut Reply);
}

/// What all connections of a server share.
pub(super) struct Service {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) timings: Timings,
    stopping: AtomicBool,
    /// Requests in the hands of the handler.
    requests: Mutex<usize>,
    quiet: Condvar,
}

impl Service {
    pub(super) fn new(handler: Arc<dyn Handler>, timings: Timings) -> Self {
        Self {
            handler,
            timings,
            stopping: AtomicBool::new(false),
            requests: Mutex::new(0),
            quiet: Condvar::new(),
        }
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn requests(&self) -> usize {
        *self.requests.lock()
    }

    /// Waits until no request is in hand; `false` when that took too long.
    pub(super) fn wait_quiet(&self, limit: Duration) -> bool {
        let mut requests = self.requests.lock();
        let wait = self.quiet.wait_while_for(&mut requests, |count| *count > 0, limit);
        !wait.timed_out()
    }
}

/// A request in hand; it is counted until this drops.
struct InHand<'a>(&'a Service);

impl<'a> InHand<'a> {
    fn new(service: &'a Service) -> Self {
        *service.requests.lock() += 1;
        Self(service)
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut requests = self.0.requests.lock();
        *requests = requests.saturating_sub(1);
        if *requests == 0 {
            self.0.quiet.notify_all();
        }
    }
}

/// Serves a connection to its end.
pub(super) fn serve(socket: TcpStream, peer: SocketAddr, service: &Service) {
    if prepare(&socket, &service.timings).is_err() {
        return;
    }
    let socket = Arc::new(socket);
    let mut connection = Connection { inlet: Inlet::new(Arc::clone(&socket)), socket, peer, service };
    loop {
        let after = match connection.next_head() {
            Came::Head(head) => connection.answer(&head),
            Came::Refusal(refusal) => connection.refuse(refusal),
            Came::Nothing => After::Close,
        };
        match after {
            After::Next => {}
            After::Close => return,
            After::Linger => return linger(&connection.socket, &service.timings),
        }
    }
}

/// Tells a client that there are too many connections, and closes.
pub(super) fn turn_away(socket: TcpStream, service: &Service) {
    if prepare(&socket, &service.timings).is_err() {
        return;
    }
    let socket = Arc::new(socket);
    let mut reply = Reply::refusing(Arc::clone(&socket), exchange(Rest::Ahead));
    reply.say_busy();
    refuse(service, None, (503, "too many connections to this proxy"), &mut reply);
    linger(&socket, &service.timings);
}

fn prepare(socket: &TcpStream, timings: &Timings) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(timings.write))
}

struct Connection<'a> {
    inlet: Inlet,
    socket: Arc<TcpStream>,
    peer: SocketAddr,
    service: &'a Service,
}

enum Came {
    Head(Head),
    Refusal(Refusal),
    /// The client closed, or was silent for too long.
    Nothing,
}

enum After {
    Next,
    Close,
    Linger,
}

impl Connection<'_> {
    fn next_head(&mut self) -> Came {
        let timings = &self.service.timings;
        let mut scan = Scan::default();
        let mut deadline: Option<Instant> = None;
        self.inlet.shrink();
        loop {
            let waiting = self.inlet.waiting();
            match scan.find(waiting) {
                Err(refusal) => return Came::Refusal(refusal),
                Ok(None) => {}
                Ok(Some(span)) => {
                    let end = span.end;
                    return match head::read(waiting.get(span).unwrap_or_default()) {
                        Err(refusal) => Came::Refusal(refusal),
                        Ok(head) => {
                            self.inlet.take(end);
                            Came::Head(head)
                        }
                    };
                }
            }
            if scan.is_blank() {
                // Some clients end a body with an empty line; that begins no request.
                let lines = waiting.len();
                self.inlet.take(lines);
                scan = Scan::default();
            }
            let wait = if self.inlet.waiting().is_empty() {
                timings.idle
            } else {
                // The clock is asked only for a head that does not come in one piece.
                let now = clock::now();
                let deadline = *deadline.get_or_insert_with(|| now + timings.head);
                deadline.saturating_duration_since(now)
            };
            if wait.is_zero() {
                return Came::Refusal(Refusal::Slow);
            }
            match self.inlet.fill(wait) {
                Ok(0) => return Came::Nothing,
                Ok(_) => {}
                Err(error) if error.kind() != std::io::ErrorKind::TimedOut => return Came::Nothing,
                Err(_) if self.inlet.waiting().is_empty() => return Came::Nothing,
                Err(_) => return Came::Refusal(Refusal::Slow),
            }
        }
    }

    fn answer(&mut self, head: &Head) -> After {
        let in_hand = InHand::new(self.service);
        let exchange = exchange(rest_at_start(head, &self.inlet));
        let socket = Arc::clone(&self.socket);
        let reply = Reply::new(socket, Rc::clone(&exchange), head);
        let reply = Rc::new(RefCell::new(reply));
        if self.service.is_stopping() {
            reply.borrow_mut().close_after();
        }
        let stall = self.service.timings.body;
        let mut body = BodyReader::new(&mut self.inlet, Rc::clone(&exchange), head, stall);
        let handler = &self.service.handler;
        let handled = catch_unwind(AssertUnwindSafe(|| {
            handler.handle(head, self.peer, &mut body, &reply);
        }));
        let failure = match handled {
            Err(_) => Some((500, "the proxy failed; its log says more".to_owned())),
            Ok(()) => body.failure().map(|failure| (failure.status(), failure.message())),
        };
        // Nobody holds a borrow here, unless a handler forgot one on purpose.
        let Ok(mut reply) = reply.try_borrow_mut() else {
            return After::Close;
        };
        if handled.is_err() || !reply.is_ended() {
            self.settle(&head.path, failure, &mut reply);
        }
        drop(in_hand);
        self.after(&reply, &exchange)
    }

    /// Makes an end of an answer that the handler did not end.
    fn settle(&self, path: &str, failure: Option<(u16, String)>, reply: &mut Reply) {
        reply.close_after();
        // A client that left is told nothing: a false error would be read by one that only closed its
        // sending side.
        let is_unanswered = failure.is_none() && reply.is_gone();
        if !reply.is_unsent() || is_unanswered {
            return reply.abort();
        }
        let (status, message) = failure.unwrap_or_else(|| (500, "the proxy gave no answer".to_owned()));
        refuse(self.service, Some(path), (status, &message), reply);
    }

    fn after(&mut self, reply: &Reply, exchange: &Exchange) -> After {
        if !reply.is_ended() {
            return After::Close;
        }
        match exchange.rest.get() {
            Rest::Here(count) if reply.keeps_alive() => {
                self.inlet.take(count);
                After::Next
            }
            Rest::Read if reply.keeps_alive() => After::Next,
            Rest::Here(_) | Rest::Ahead => After::Linger,
            Rest::Read if !self.inlet.waiting().is_empty() => After::Linger,
            Rest::Read if os::peek(&self.socket) == os::Peek::Bytes => After::Linger,
            Rest::Read => After::Close,
        }
    }

    fn refuse(&self, refusal: Refusal) -> After {
        let mut reply = Reply::refusing(Arc::clone(&self.socket), exchange(Rest::Ahead));
        let path = head::path_of(self.inlet.waiting());
        let what = (refusal.status(), refusal.message());
        refuse(self.service, path, what, &mut reply);
        if reply.is_broken() { After::Close } else { After::Linger }
    }
}

fn exchange(rest: Rest) -> Rc<Exchange> {
    Rc::new(Exchange { rest: Cell::new(rest), answered: Cell::new(false) })
}

/// Lets the handler refuse, and cuts what it does not end.
fn refuse(service: &Service, path: Option<&str>, what: (u16, &str), reply: &mut Reply) {
    let (status, message) = what;
    let refused = catch_unwind(AssertUnwindSafe(|| {
        service.handler.refuse(path, status, message, reply);
    }));
    if refused.is_err() || !reply.is_ended() {
        reply.abort();
    }
}

fn linger(mut socket: &TcpStream, timings: &Timings) {
    let _ = socket.shutdown(Shutdown::Write);
    let deadline = clock::now() + timings.linger;
    let mut left = MAX_DRAIN;
    let mut sink = [0; 4096];
    while left > 0 {
        let wait = deadline.saturating_duration_since(clock::now());
        if wait.is_zero() || socket.set_read_timeout(Some(wait)).is_err() {
            return;
        }
        match socket.read(&mut sink) {
            Ok(0) => return,
            Ok(count) => left = left.saturating_sub(count),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
