//! The line to the client: what was sent on it, what may be sent now.
//!
//! ```text
//!           commit_after has passed             first content, or a whole answer
//!   Held ---------------------------> HeadSent --------------------------------> Committed
//!     \______________________________________________________________________________^
//! ```
//! - *Held*: nothing was sent. A failure is a real status.
//! - *HeadSent*: the 200 head and signs of life were sent, of streams only. A failure is told
//!   inside the stream.
//! - *Committed*: content was sent. A failure is told inside the stream, and nothing is retried.
//!
//! While upstream is silent the transport asks the line, as its [`Hook`], whether to go on. The
//! line is shared between the two by `Rc`, and the client is borrowed for one write at a time.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::base::id::RequestId;
use crate::base::secret::{Secret, mask_known};
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::record::Story;
use crate::gateway::tape::Tape;
use crate::gateway::trouble::Trouble;
use crate::observe::live::{self, Run};
use crate::protocol::{Codec, Stage};
use crate::translate::framing::Framing;
use crate::upstream::{Hook, Stop};

/// The client's side of one answer, as the server gives it.
pub trait Client {
    /// Has the client left?
    fn is_gone(&self) -> bool;
    /// Sends a whole answer.
    ///
    /// # Errors
    /// The client cannot be written to.
    fn whole(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()>;
    /// Begins a streamed answer; the head goes out with the first flush.
    ///
    /// # Errors
    /// The client cannot be written to.
    fn start(&mut self, status: u16, headers: &[(&str, &str)]) -> io::Result<()>;
    /// Adds to the stream.
    fn bytes(&mut self, part: &[u8]);
    /// Sends what was added, in one write.
    ///
    /// # Errors
    /// The client cannot be written to.
    fn flush(&mut self) -> io::Result<()>;
    /// Ends the stream.
    ///
    /// # Errors
    /// The client cannot be written to.
    fn end(&mut self) -> io::Result<()>;
}

/// A client that the line and the server share.
pub type SharedClient = Rc<RefCell<dyn Client>>;

/// Headers of an answer: names in lower case, and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    /// None yet, with room for those of an answer.
    pub fn roomy() -> Self {
        const MOST: usize = 16;
        Self(Vec::with_capacity(MOST))
    }

    /// Adds a header.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Is there a header of that name?
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Names and values, borrowed.
    pub fn borrowed(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Held,
    HeadSent,
    Committed,
}

/// The line to one client.
pub struct Line {
    /// What goes over the wire.
    pub tape: Tape,
    client: SharedClient,
    codec: &'static dyn Codec,
    framing: Framing,
    streamed: bool,
    id: RequestId,
    asked: String,
    credential: Option<Secret>,
    since: Instant,
    total: Duration,
    commit_after: Duration,
    keepalive: Duration,
    cut_off: Arc<AtomicBool>,
    phase: Cell<Phase>,
    /// Was anything of the answer sent? Events that have no word in the client's protocol commit, too.
    begun: Cell<bool>,
    last_sent: Cell<Instant>,
    /// Was the last byte a carriage return, whose line feed has not come?
    in_line_end: Cell<bool>,
    status: Cell<u16>,
    broken: Cell<bool>,
    /// The request, for those who look on.
    pub run: Arc<Run>,
}

impl Line {
    /// The line for a request.
    pub fn new(live: &Live, inbound: &Inbound, client: SharedClient) -> Self {
        let timeouts = &live.config().timeouts;
        Self {
            tape: Tape::new(live),
            client,
            codec: inbound.protocol.codec(),
            framing: inbound.framing,
            streamed: inbound.ask.stream,
            id: inbound.id.clone(),
            asked: inbound.asked.clone().unwrap_or_default(),
            credential: inbound.credential.clone(),
            since: inbound.since,
            total: inbound.total(timeouts),
            commit_after: timeouts.commit_after,
            keepalive: timeouts.keepalive,
            cut_off: live.cut_off_switch(),
            phase: Cell::new(Phase::Held),
            begun: Cell::new(false),
            last_sent: Cell::new(inbound.since),
            in_line_end: Cell::new(false),
            status: Cell::new(0),
            broken: Cell::new(false),
            run: Arc::clone(&inbound.run),
        }
    }

    /// Sends a whole answer.
    ///
    /// # Errors
    /// The client left.
    pub fn whole(&self, status: u16, headers: &Headers, body: &[u8]) -> Result<(), Stop> {
        self.phase.set(Phase::Committed);
        self.status.set(status);
        let headers = headers.borrowed();
        self.tape.answers(status, &headers);
        self.tape.sends(body);
        let result = self.client.borrow_mut().whole(status, &headers, body);
        self.check(result)
    }

    /// From now on content may be sent: the commit point.
    ///
    /// # Errors
    /// The client left.
    pub fn commit(&self, headers: &Headers) -> Result<(), Stop> {
        let before = self.phase.replace(Phase::Committed);
        if before != Phase::Committed {
            self.run.is(live::Phase::Streaming);
        }
        if before == Phase::Held { self.start(headers) } else { Ok(()) }
    }

    /// How a stream is framed towards the client.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Was the commit point passed?
    pub fn is_committed(&self) -> bool {
        self.phase.get() == Phase::Committed
    }

    /// Sends events, in one write.
    ///
    /// # Errors
    /// The client left.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Stop> {
        self.begun.set(self.begun.get() || !bytes.is_empty());
        self.tape.sends(bytes);
        self.push(bytes)
    }

    /// Sends what is no part of the answer, too.
    fn push(&self, bytes: &[u8]) -> Result<(), Stop> {
        let result = {
            let mut client = self.client.borrow_mut();
            client.bytes(bytes);
            client.flush()
        };
        self.last_sent.set(clock::now());
        if let Some(last) = bytes.last() {
            self.in_line_end.set(*last == b'\r');
        }
        self.check(result)
    }

    /// Ends a stream; `last` goes before its end, in the same write.
    ///
    /// # Errors
    /// The client left.
    pub fn finish(&self, last: &[u8]) -> Result<(), Stop> {
        self.tape.sends(last);
        let mut client = self.client.borrow_mut();
        client.bytes(last);
        let result = client.end();
        drop(client);
        self.check(result)
    }

    /// Tells the client of trouble: with a status while nothing was sent, inside the stream after.
    #[inline(never)] // as `Story::end`
    pub fn fail(&self, trouble: &Trouble, story: &Story) {
        if self.broken.get() || trouble.is_gone() {
            return;
        }
        // A client that cannot be written to has left: there is nobody to tell.
        let _ = match self.phase.get() {
            Phase::Held => {
                let (status, mut headers, body) = trouble.answer(self.codec, &self.id);
                story.tells_target(&mut headers);
                self.whole(status, &headers, body.as_bytes())
            }
            Phase::HeadSent | Phase::Committed if self.streamed => {
                let stage = Stage {
                    running: self.begun.get(),
                    model: &self.asked,
                    request_id: self.id.as_str(),
                    created: clock::unix_seconds(clock::wall()),
                    facts: story.facts(),
                };
                // Clients that look for whole line ends would not see where the error begins.
                let line_feed = if self.in_line_end.get() { "\n" } else { "" };
                let fault = self.framing.fault(self.codec, &trouble.fault, &stage);
                self.finish(format!("{line_feed}{fault}").as_bytes())
            }
            // A whole answer was being written: what is left of it cannot be told from an error.
            Phase::HeadSent | Phase::Committed => Ok(()),
        };
    }

    /// A text of others with every known secret masked, the client's own credential too.
    pub fn masked<'t>(&self, live: &Live, text: &'t str) -> Cow<'t, str> {
        match live.masked(text) {
            Cow::Borrowed(text) => mask_known(text, self.credential.as_slice()),
            Cow::Owned(text) => Cow::Owned(mask_known(&text, self.credential.as_slice()).into_owned()),
        }
    }

    /// Bytes of the longest secret that may be in a text.
    pub fn longest_secret(&self, live: &Live) -> usize {
        self.credential.as_ref().map_or(0, |key| key.expose().len()).max(live.longest_secret())
    }

    /// The status the client got; 499 when it left before one.
    pub fn status(&self) -> u16 {
        if self.status.get() == 0 { 499 } else { self.status.get() }
    }

    fn start(&self, headers: &Headers) -> Result<(), Stop> {
        self.status.set(200);
        let mut all = headers.borrowed();
        all.push(("content-type", self.framing.content_type()));
        all.push(("cache-control", "no-cache"));
        all.push(("x-accel-buffering", "no"));
        self.tape.answers(200, &all);
        let result = self.client.borrow_mut().start(200, &all);
        self.check(result)
    }

    fn check(&self, result: io::Result<()>) -> Result<(), Stop> {
        result.map_err(|_| {
            self.broken.set(true);
            Stop::Gone
        })
    }

    /// The head alone goes out, so that signs of life are possible.
    fn send_head_early(&self) -> Result<(), Stop> {
        self.phase.set(Phase::HeadSent);
        self.run.is(live::Phase::HeadSent);
        let mut headers = Headers::default();
        headers.push("x-llmgate-request-id", self.id.as_str());
        self.start(&headers)?;
        self.push(b"")
    }
}

impl Hook for Line {
    fn go_on(&self) -> Result<(), Stop> {
        if self.broken.get() || self.client.borrow().is_gone() {
            return Err(Stop::Gone);
        }
        if self.cut_off.load(Ordering::Relaxed) {
            return Err(Stop::Shutdown);
        }
        let now = clock::now();
        if now - self.since >= self.total {
            return Err(Stop::Total);
        }
        if !self.streamed {
            return Ok(());
        }
        if self.phase.get() == Phase::Held {
            let due = !self.commit_after.is_zero() && now - self.since >= self.commit_after;
            return if due { self.send_head_early() } else { Ok(()) };
        }
        if !self.keepalive.is_zero() && now - self.last_sent.get() >= self.keepalive {
            self.push(self.framing.keepalive(self.codec, self.begun.get()).as_bytes())?;
        }
        Ok(())
    }
}
