//! The HTTP server by raw sockets: what a client sends, byte for byte, and what it must get.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use llmgate::server::Timings;
use llmgate::server::body::BodyReader;
use llmgate::server::connection::Handler;
use llmgate::server::head::Head;
use llmgate::server::listener::{Listener, Running};
use llmgate::server::reply::Reply;

/// The body limit of the test handler.
const LIMIT: usize = 64 * 1024;

/// What the handler tells the test.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    ClientGone,
    Wrote(Result<(), std::io::ErrorKind>),
}

/// A handler that does what the path says.
struct Script {
    told: Sender<Told>,
    /// A stream on `/gate` goes on when the test says so.
    gate: Receiver<()>,
}

impl Handler for Script {
    fn handle(
        &self,
        request: &Head,
        _peer: SocketAddr,
        body: &mut BodyReader<'_>,
        reply: &Rc<RefCell<Reply>>,
    ) {
        let name = format!("{} {}", request.method.as_str(), request.path);
        let mut reply = reply.borrow_mut();
        match request.path.as_str() {
            "/echo" => {
                // An error is left to the server.
                let Ok(body) = body.read_all(LIMIT) else {
                    return;
                };
                let _ = reply.whole(200, &[("content-type", "text/plain")], &body);
            }
            "/early" => {
                let _ = reply.whole(401, &[], b"no");
            }
            "/late" => {
                let _ = reply.whole(401, &[], b"no");
                let _ = body.read_all(LIMIT);
            }
            "/stream" => stream(&mut reply),
            "/gate" => {
                reply.start(200, &[]).unwrap();
                reply.bytes(b"first");
                reply.flush().unwrap();
                let _ = self.gate.recv();
                reply.bytes(b"last");
                reply.end().unwrap();
            }
            "/silent" => {}
            "/headers" => {
                let evil = [
                    ("x-a", "a\r\nx-b: c\0\u{7f}\t\u{fc}"),
                    ("x c", "d"),
                    ("", "e"),
                ];
                let ours = [("Content-Length", "7"), ("Connection", "x")];
                reply
                    .whole(
                        200,
                        &[evil, [ours[0], ours[1], ("x-d", "")]].concat(),
                        b"ok",
                    )
                    .unwrap();
            }
            "/no-content" => reply.whole(204, &[], b"").unwrap(),
            _ if self.mishap(request, body, &mut reply) => {}
            _ => {
                let _ = reply.whole(200, &[], name.as_bytes());
            }
        }
    }

    fn refuse(&self, path: Option<&str>, status: u16, message: &str, reply: &mut Reply) {
        let text = format!("{}: {message}", path.unwrap_or("-"));
        let _ = reply.whole(status, &[], text.as_bytes());
    }
}

impl Script {
    /// What goes wrong on purpose; `false` when the path names nothing of it.
    fn mishap(&self, request: &Head, body: &mut BodyReader<'_>, reply: &mut Reply) -> bool {
        match request.path.as_str() {
            "/panic" => panic!("on purpose"),
            "/panic-held" => {
                reply.start(200, &[]).unwrap();
                reply.bytes(b"never seen");
                panic!("on purpose");
            }
            "/panic-stream" => {
                reply.start(200, &[]).unwrap();
                reply.bytes(b"part");
                reply.flush().unwrap();
                panic!("on purpose");
            }
            "/cut" => {
                reply.start(200, &[]).unwrap();
                reply.bytes(b"part");
                reply.flush().unwrap();
                reply.abort();
            }
            "/gone" => {
                let _ = body.read_all(LIMIT);
                while !reply.is_gone() {
                    thread::yield_now();
                }
                self.told.send(Told::ClientGone).unwrap();
            }
            "/here" => {
                let gone = reply.is_gone();
                let _ = reply.whole(200, &[], if gone { b"gone" } else { b"here" });
            }
            "/flood" => {
                reply.start(200, &[]).unwrap();
                let part = vec![b'x'; 1 << 20];
                let met = loop {
                    reply.bytes(&part);
                    if let Err(error) = reply.flush() {
                        break Err(error.kind());
                    }
                };
                self.told.send(Told::Wrote(met)).unwrap();
            }
            _ => return false,
        }
        true
    }
}

fn stream(reply: &mut Reply) {
    reply
        .start(200, &[("content-type", "text/event-stream")])
        .unwrap();
    assert!(reply.is_started() && !reply.is_ended());
    for part in ["a", "b", "c"] {
        reply.bytes(part.as_bytes());
        reply.bytes(b"!");
        reply.flush().unwrap();
        reply.flush().unwrap();
    }
    reply.bytes(b"end");
    reply.end().unwrap();
    assert!(reply.is_ended());
}

struct Server {
    running: Running,
    told: Receiver<Told>,
    gate: Sender<()>,
}

fn server_with(connections: usize, timings: Timings) -> Server {
    let (told_to, told) = unbounded();
    let (gate, waits) = unbounded();
    let handler = Script {
        told: told_to,
        gate: waits,
    };
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let running = listener
        .start(Arc::new(handler), connections, timings)
        .unwrap();
    Server {
        running,
        told,
        gate,
    }
}

fn server() -> Server {
    server_with(1000, Timings::default())
}

impl Server {
    fn connect(&self) -> Client {
        let socket = TcpStream::connect(self.running.addresses()[0]).unwrap();
        // Only so that a bug fails instead of hanging.
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client(socket)
    }

    /// Sends bytes, reads to the end of the connection.
    fn say(&self, bytes: &[u8]) -> String {
        let mut client = self.connect();
        client.send(bytes);
        client.rest()
    }
}

struct Client(TcpStream);

/// An answer of known length.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// A request without a body.
    fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        self.answer()
    }

    fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(end.as_bytes()) {
            let count = self.0.read(&mut byte).unwrap();
            assert!(
                count > 0,
                "closed after {:?}",
                String::from_utf8_lossy(&text)
            );
            text.push(byte[0]);
        }
        String::from_utf8(text).unwrap()
    }

    fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let status = head[9..12].parse().unwrap();
        let body = match head.split_once("content-length: ") {
            None => String::new(),
            Some((_, rest)) => {
                let length: usize = rest.split_once("\r\n").unwrap().0.parse().unwrap();
                let mut body = vec![0; length];
                self.0.read_exact(&mut body).unwrap();
                String::from_utf8(body).unwrap()
            }
        };
        Answer { status, head, body }
    }

    fn rest(&mut self) -> String {
        let mut text = Vec::new();
        self.0.read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}

fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

mod bodies;
mod life;
mod requests;
