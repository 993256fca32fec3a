//! A provider that does what the model's name says: `script.number`.
//!
//! | script | answer |
//! |---|---|
//! | `quick` | at once: a stream of three events, or a whole answer; then the connection is closed |
//! | `kept` | the same, on a connection that stays open |
//! | `head` | never a head |
//! | `first` | a head and one event, then silence |
//! | `trickle` | a head, then an event each 100 ms |
//! | `beat` | a head, then a comment each 100 ms, never an event |
//! | `slow` | a whole answer, a byte of it each 100 ms |
//! | `big` | 64 MiB of events, as fast as they are taken |
//! | `busy` | 503, to be asked again after five seconds |
//! | `stale` | as `kept`, but the connection is closed right after |
//! | `split` | a whole answer with headers that want to be two |
//! | `long-head`, `long-event`, `long-answer`, `long-error` | one of these without an end |
//! | `garbage-N` | the Nth of [`GARBAGE`] |
//!
//! On the path `/deaf` it reads the head of a request, and the body only much later.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::client::is_late;

/// No script waits longer for the proxy.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two drops of a slow answer.
const DROP: Duration = Duration::from_millis(100);
/// How long `/deaf` takes nothing.
const DEAF: Duration = Duration::from_secs(3);
/// The size of a `big` answer and of an event of it.
pub(crate) const BIG: usize = 64 * 1024 * 1024;
const BIG_EVENT: usize = 16 * 1024;
const STACK: usize = 128 * 1024;
/// Values that could be read as a line of their own.
const SPLIT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
    x-request-id: a\rset-cookie: evil=1\r\nrequest-id: b\u{85}set-cookie: evil=2\r\n\
    openai-processing-ms: 1\u{1b}[2J\r\n\r\n";
/// What is no answer of this protocol.
pub(crate) const GARBAGE: [&str; 10] = [
    "",
    "\0\0\0\0",
    "SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>a captive portal</html>",
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"choices\": [[[[",
    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {\"choices\":[{\"delta\":7}]}\n\n",
];

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time since the program began, as events carry it.
pub(crate) fn micros() -> u64 {
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What the provider saw.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A whole request, or on `/deaf` its head, for this model.
    Request(String),
    /// The proxy closed the connection of this model's request before its answer was complete.
    Closed(String, Instant),
}

/// The provider.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// What it saw, in order.
    pub(crate) seen: Receiver<Seen>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    written: AtomicU64,
    /// Silent scripts that began before the last change of it end.
    hung_up: AtomicUsize,
}

impl Upstream {
    /// Serves until the program ends.
    pub(crate) fn start() -> io::Result<Self> {
        LazyLock::force(&START);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        // std asks for a backlog of 128; a burst needs more.
        rustix::net::listen(&listener, 2048)?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let (tell, seen) = unbounded();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let era = shared.hung_up.load(Ordering::Relaxed);
                let counts = Arc::clone(&shared);
                let guest = Guest { socket, tell: tell.clone(), counts, era, came: Vec::new() };
                guest.counts.connections.fetch_add(1, Ordering::Relaxed);
                let thread = thread::Builder::new().stack_size(STACK);
                // The proxy sees a connection that ends.
                let _ = thread.spawn(move || guest.serve());
            }
        });
        Ok(Self { address, seen, counts })
    }

    /// Forgets what was seen so far.
    pub(crate) fn forget(&self) {
        while self.seen.try_recv().is_ok() {}
    }

    /// Ends all scripts that wait for the proxy to close.
    pub(crate) fn hang_up(&self) {
        self.counts.hung_up.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections and whole requests came so far.
    pub(crate) fn arrived(&self) -> (usize, usize) {
        (self.counts.connections.load(Ordering::Relaxed), self.counts.requests.load(Ordering::Relaxed))
    }

    /// How many bytes of `big` answers were taken so far.
    pub(crate) fn written(&self) -> u64 {
        self.counts.written.load(Ordering::Relaxed)
    }
}

/// A connection of the proxy's.
struct Guest {
    socket: TcpStream,
    tell: Sender<Seen>,
    counts: Arc<Counts>,
    /// `hung_up` when its script began.
    era: usize,
    came: Vec<u8>,
}

/// What was asked.
struct Asked {
    model: String,
    stream: bool,
}

impl Guest {
    fn serve(mut self) {
        let ready = self.socket.set_nodelay(true).is_ok()
            && self.socket.set_read_timeout(Some(PATIENCE)).is_ok()
            && self.socket.set_write_timeout(Some(PATIENCE)).is_ok();
        while ready && let Ok(Some(asked)) = self.request() {
            self.counts.requests.fetch_add(1, Ordering::Relaxed);
            self.era = self.counts.hung_up.load(Ordering::Relaxed);
            let _ = self.tell.send(Seen::Request(asked.model.clone()));
            let played = self.play(&asked);
            if played.is_err_and(|error| !is_late(&error)) {
                let _ = self.tell.send(Seen::Closed(asked.model.clone(), Instant::now()));
            }
            if !asked.model.starts_with("kept") {
                return;
            }
        }
    }

    fn request(&mut self) -> io::Result<Option<Asked>> {
        let end = loop {
            if let Some(at) = self.came.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more()? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.came[..end]).to_lowercase();
        if head.contains(" /deaf/") {
            return Ok(Some(Asked { model: "deaf".to_owned(), stream: false }));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        while self.came.len() < end + length {
            if !self.more()? {
                return Ok(None);
            }
        }
        let body: serde_json::Value = serde_json::from_slice(&self.came[end..end + length])?;
        self.came.drain(..end + length);
        Ok(Some(Asked {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            stream: body["stream"].as_bool().unwrap_or(false),
        }))
    }

    fn play(&mut self, asked: &Asked) -> io::Result<()> {
        let script = asked.model.split('.').next().unwrap_or_default();
        match script {
            "quick" | "kept" if asked.stream => {
                let more = if script == "kept" { "" } else { "connection: close\r\n" };
                self.write(&head("text/event-stream", &format!("{more}transfer-encoding: chunked\r\n")))?;
                self.write(&chunk(&event(&micros().to_string())))?;
                self.write(&chunk(&event("two")))?;
                self.write(&[chunk(&last()), chunk("data: [DONE]\n\n"), "0\r\n\r\n".to_owned()].concat())
            }
            "quick" | "kept" => {
                let more = if script == "kept" { "" } else { "connection: close\r\n" };
                let body = whole();
                self.write(
                    &(head("application/json", &format!("{more}content-length: {}\r\n", body.len())) + &body),
                )
            }
            "head" => self.until_closed(PATIENCE),
            "deaf" => {
                thread::sleep(DEAF);
                self.until_closed(PATIENCE)
            }
            "first" => {
                self.write(&head("text/event-stream", "connection: close\r\n"))?;
                self.write(&event("one"))?;
                self.until_closed(PATIENCE)
            }
            "trickle" => self.drip("text/event-stream", &event("drop")),
            "beat" => self.drip("text/event-stream", ": beat\n\n"),
            "slow" => self.drip("application/json", " "),
            "big" => self.flood(),
            "busy" => self.write(
                "HTTP/1.1 503 Busy\r\nretry-after: 5\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
            ),
            "stale" => {
                let body = whole();
                self.write(
                    &(head("application/json", &format!("content-length: {}\r\n", body.len())) + &body),
                )
            }
            "split" => self.write(&(SPLIT.to_owned() + &whole())),
            "long-head" => self.pour("HTTP/1.1 200 OK\r\n", "x-more: y\r\n"),
            "long-event" => self.pour(&head("text/event-stream", "connection: close\r\n"), "data: \"x"),
            "long-answer" => self.pour(&head("application/json", "connection: close\r\n"), "[\"x\", "),
            "long-error" => self.pour("HTTP/1.1 400 Bad\r\nconnection: close\r\n\r\n", "{\"x\": "),
            _ if script.starts_with("garbage-") => {
                let number = script.trim_start_matches("garbage-").parse().ok();
                self.write(number.and_then(|number: usize| GARBAGE.get(number)).copied().unwrap_or_default())
            }
            _ => Err(io::Error::other("no such script")),
        }
    }

    fn drip(&mut self, kind: &str, drop: &str) -> io::Result<()> {
        self.write(&head(kind, "connection: close\r\n"))?;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            self.write(drop)?;
            match self.until_closed(DROP) {
                Err(error) if is_late(&error) => {}
                met => return met,
            }
        }
        Ok(())
    }

    fn flood(&mut self) -> io::Result<()> {
        self.write(&head("text/event-stream", "connection: close\r\n"))?;
        let event = event(&"x".repeat(BIG_EVENT));
        for _ in 0..BIG / BIG_EVENT {
            self.write(&event)?;
            let length = u64::try_from(event.len()).unwrap_or(0);
            self.counts.written.fetch_add(length, Ordering::Relaxed);
        }
        self.write(&(last() + "data: [DONE]\n\n"))
    }

    /// Writes without end, until the proxy closes.
    fn pour(&mut self, start: &str, more: &str) -> io::Result<()> {
        self.write(start)?;
        let part = more.repeat(64 * 1024 / more.len());
        for _ in 0..4 * BIG / part.len() {
            self.write(&part)?;
        }
        Ok(())
    }

    /// Waits for the proxy to close: that is always an error, of kind late when it did not.
    fn until_closed(&mut self, limit: Duration) -> io::Result<()> {
        let until = Instant::now() + limit;
        self.socket.set_read_timeout(Some(limit.min(DROP)))?;
        loop {
            match self.more() {
                Ok(true) => self.came.clear(),
                Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if !is_late(&error) => return Err(error),
                Err(_) if self.counts.hung_up.load(Ordering::Relaxed) != self.era => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                Err(error) if Instant::now() >= until => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.socket.write_all(text.as_bytes())
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut part = [0; 16 * 1024];
        let count = self.socket.read(&mut part)?;
        self.came.extend_from_slice(&part[..count]);
        Ok(count > 0)
    }
}

fn head(kind: &str, more: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}\r\n")
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn event(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":\
         [{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn last() -> String {
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":\
     [{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        .to_owned()
}

fn whole() -> String {
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
     \"message\":{\"role\":\"assistant\",\"content\":\"hello\"},\"finish_reason\":\"stop\"}],\
     \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}"
        .to_owned()
}
