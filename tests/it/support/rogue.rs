//! A provider that does with each connection whatever the test says: cut, reset, hang, stall.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::support::GUARD;
use crate::support::provider::Received;

/// What is done with one connection.
pub(crate) type Act = Box<dyn FnOnce(&mut Visit) + Send>;

/// A provider whose connections are scripts. It listens as long as it has acts left.
pub(crate) struct Rogue {
    address: SocketAddr,
    told: Receiver<&'static str>,
    go: Sender<()>,
}

/// One connection, as the script sees it.
pub(crate) struct Visit {
    reader: BufReader<TcpStream>,
    tell: Sender<&'static str>,
    go: Receiver<()>,
}

impl Rogue {
    /// Starts one that does these acts, one for each connection in turn.
    pub(crate) fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = unbounded();
        let (go, waits) = unbounded();
        thread::spawn(move || {
            let mut acts = VecDeque::from(acts);
            while let Some(act) = acts.pop_front() {
                let (socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(GUARD)).unwrap();
                socket.set_nodelay(true).unwrap();
                let mut visit =
                    Visit { reader: BufReader::new(socket), tell: tell.clone(), go: waits.clone() };
                thread::spawn(move || act(&mut visit));
            }
        });
        Self { address, told, go }
    }

    /// Starts one with a single act.
    pub(crate) fn once(act: impl FnOnce(&mut Visit) + Send + 'static) -> Self {
        Self::start(vec![Box::new(act)])
    }

    /// Where it is, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a script tells next; waits for it.
    pub(crate) fn told(&self) -> &'static str {
        self.told.recv_timeout(GUARD).unwrap()
    }

    /// Was everything told that was to be told?
    pub(crate) fn is_silent(&self) -> bool {
        self.told.is_empty()
    }

    /// Lets a script that waits go on.
    pub(crate) fn go(&self) {
        self.go.send(()).unwrap();
    }
}

impl Visit {
    /// Reads a request, its body included.
    pub(crate) fn request(&mut self) -> Received {
        let mut received =
            Received { method: String::new(), path: String::new(), headers: Vec::new(), body: Vec::new() };
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let mut words = line.split(' ');
        received.method = words.next().unwrap_or_default().to_owned();
        received.path = words.next().unwrap_or_default().to_owned();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            received.headers.push((name.to_lowercase(), value.to_owned()));
        }
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        received.body.resize(length, 0);
        self.reader.read_exact(&mut received.body).unwrap();
        received
    }

    /// Reads a request's first line, and nothing behind it but what came with it.
    pub(crate) fn line(&mut self) {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
    }

    /// Sends bytes. The proxy may have left.
    pub(crate) fn send(&mut self, text: &str) {
        let _ = self.reader.get_mut().write_all(text.as_bytes());
    }

    /// Sends a whole answer; the connection may be used again.
    pub(crate) fn answer(&mut self, body: &str) {
        let length = body.len();
        self.send(&format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ));
    }

    /// Begins an event stream.
    pub(crate) fn begin(&mut self) {
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    }

    /// Sends a chunk of it.
    pub(crate) fn chunk(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len()));
    }

    /// Sends a chunk if the other side is still there.
    pub(crate) fn try_chunk(&mut self, text: &str) -> bool {
        self.reader.get_mut().write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).is_ok()
    }

    /// Ends it properly.
    pub(crate) fn end(&mut self) {
        self.send("0\r\n\r\n");
    }

    /// Tells the test something.
    pub(crate) fn tell(&self, what: &'static str) {
        // The test may have ended.
        let _ = self.tell.send(what);
    }

    /// Waits until the test says go.
    pub(crate) fn wait(&self) {
        let _ = self.go.recv_timeout(GUARD);
    }

    /// Does nothing more come? Waits for the next byte, which is not taken.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.reader.fill_buf().map_or(true, <[u8]>::is_empty)
    }

    /// Has the other side left? Waits for it; what it still sends is thrown away.
    pub(crate) fn is_left(&mut self) -> bool {
        let mut sink = [0; 4096];
        loop {
            match self.reader.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// Closes the connection properly.
    pub(crate) fn close(&self) {
        let _ = self.reader.get_ref().shutdown(Shutdown::Both);
    }

    /// Closes it so that the other side sees a reset.
    pub(crate) fn reset(&mut self) {
        let socket = self.reader.get_ref();
        rustix::net::sockopt::set_socket_linger(socket, Some(std::time::Duration::ZERO)).unwrap();
        let _ = std::mem::replace(&mut self.reader, BufReader::new(unconnected()));
    }
}

/// A socket that nobody uses.
fn unconnected() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).unwrap()
}
