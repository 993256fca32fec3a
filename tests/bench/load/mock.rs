//! A Chat provider in one thread. It reads nothing of a request but its length: what it answers is
//! set before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

use crate::poller::{Poller, find, now, send};

/// The listener's id; a connection's is its place and one.
const LISTENER: usize = 0;
/// How long a wait lasts when nothing is due.
const LONG: Duration = Duration::from_secs(1);
/// Stands in every whole answer.
pub(crate) const MARK: &str = "bench-ok";

/// What every request is answered with.
#[derive(Clone)]
pub(crate) enum Script {
    /// This, at once.
    Whole(Arc<[u8]>),
    /// Deltas at an interval. Each carries `[[NUMBER:TIME]]`, taken just before it is written.
    Stream { deltas: u64, interval: Duration },
}

/// A running provider; it ends with the process.
pub(crate) struct Mock {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

struct Service {
    listener: TcpListener,
    poller: Poller,
    script: Arc<Mutex<Script>>,
    connections: Vec<Option<Connection>>,
    /// When which connection's next delta is due.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    frame: Vec<u8>,
    event: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    head: Vec<u8>,
    /// Bytes of the request that are to come, once its head is there.
    missing: Option<usize>,
    /// Deltas that were sent, of how many, from when, at which interval.
    stream: Option<(u64, u64, u64, u64)>,
}

impl Script {
    /// An answer of so many characters.
    pub(crate) fn whole(characters: usize) -> Self {
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "bench",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": format!("{MARK} {}", "x".repeat(characters))},
                "logprobs": null,
                "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
        })
        .to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
        Self::Whole(format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes().into())
    }
}

impl Mock {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let script = Arc::new(Mutex::new(Script::whole(0)));
        let set = Arc::clone(&script);
        thread::Builder::new().name("mock".to_owned()).spawn(move || {
            let mut service = Service::new(listener, set).expect("a provider");
            service.run();
        })?;
        Ok(Self { address, script })
    }

    /// What is answered from now on.
    pub(crate) fn play(&self, script: Script) {
        *self.script.lock() = script;
    }
}

impl Service {
    fn new(listener: TcpListener, script: Arc<Mutex<Script>>) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&listener, LISTENER)?;
        let (connections, due) = (Vec::new(), BinaryHeap::new());
        Ok(Self { listener, poller, script, connections, due, frame: Vec::new(), event: Vec::new() })
    }

    fn run(&mut self) {
        let (mut ready, mut scratch) = (Vec::new(), vec![0; 128 * 1024]);
        loop {
            let wait = match self.due.peek() {
                Some(Reverse((at, _))) => Duration::from_nanos(at.saturating_sub(now())),
                None => LONG,
            };
            self.poller.wait(wait, &mut ready).expect("the provider waits");
            for &id in &ready {
                if id == LISTENER {
                    self.accept();
                } else if self.read(id, &mut scratch).is_err() {
                    self.connections[id - 1] = None;
                }
            }
            while let Some(&Reverse((at, id))) = self.due.peek()
                && at <= now()
            {
                self.due.pop();
                if self.go_on(id).is_err() {
                    self.connections[id - 1] = None;
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true).expect("a socket that does not block");
            socket.set_nodelay(true).expect("a socket without delay");
            self.poller.add(&socket, self.connections.len() + 1).expect("a socket to wait for");
            let connection = Connection { socket, head: Vec::new(), missing: None, stream: None };
            self.connections.push(Some(connection));
        }
    }

    /// Takes what came. Whoever closes is an error, and so gone.
    fn read(&mut self, id: usize, scratch: &mut [u8]) -> io::Result<()> {
        let Some(connection) = &mut self.connections[id - 1] else { return Ok(()) };
        loop {
            let count = match connection.socket.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if connection.take(&scratch[..count]) {
                return self.answer(id);
            }
            if count < scratch.len() {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, id: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[id - 1] else { return Ok(()) };
        let script = self.script.lock().clone();
        match script {
            Script::Whole(bytes) => send(&connection.socket, &bytes),
            Script::Stream { deltas, interval } => {
                self.frame.clear();
                self.frame.extend_from_slice(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
                      transfer-encoding: chunked\r\n\r\n",
                );
                chunk(&mut self.frame, &event(r#"{"role":"assistant","content":""}"#, "null"));
                send(&connection.socket, &self.frame)?;
                connection.stream = Some((0, deltas, now(), interval.as_nanos() as u64));
                self.go_on(id)
            }
        }
    }

    /// Sends the next delta, or the end.
    fn go_on(&mut self, id: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[id - 1] else { return Ok(()) };
        let Some((sent, of, since, interval)) = connection.stream else { return Ok(()) };
        self.frame.clear();
        self.event.clear();
        write!(
            self.event,
            "data: {HEAD}{{\"content\":\"[[{sent}:{}]]yyyyyyyyyyyyyyyy\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n",
            now()
        )?;
        chunk(&mut self.frame, &self.event);
        send(&connection.socket, &self.frame)?;
        if sent + 1 < of {
            connection.stream = Some((sent + 1, of, since, interval));
            self.due.push(Reverse((since + interval * (sent + 1), id)));
            return Ok(());
        }
        connection.stream = None;
        self.frame.clear();
        let mut end = event("{}", "\"stop\"");
        end.extend_from_slice(b"data: [DONE]\n\n");
        chunk(&mut self.frame, &end);
        self.frame.extend_from_slice(b"0\r\n\r\n");
        send(&connection.socket, &self.frame)
    }
}

impl Connection {
    /// Takes bytes of a request; true when it is whole.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let left = match self.missing {
            Some(missing) => missing.saturating_sub(bytes.len()),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(at) = find(&self.head, b"\r\n\r\n") else { return false };
                let text = String::from_utf8_lossy(&self.head[..at]).to_lowercase();
                let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
                (at + 4 + length).saturating_sub(self.head.len())
            }
        };
        self.missing = Some(left).filter(|left| *left > 0);
        if left == 0 {
            self.head.clear();
        }
        left == 0
    }
}

/// What all events of a stream begin with.
const HEAD: &str = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":"#;

fn event(delta: &str, finish: &str) -> Vec<u8> {
    format!("data: {HEAD}{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n").into_bytes()
}

fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    write!(out, "{:x}\r\n", bytes.len()).expect("room");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
