//! A real redis server, started and killed by the test, behind a relay of the test's own: the relay
//! keeps its address when the server goes, and cuts where the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use llmgate::base::secret::Secret;
use parking_lot::Mutex;

use crate::support::GUARD;
use crate::support::proxy::Folder;

/// What its user needs; `apt-get` has it.
const BINARY: &str = "redis-server";

/// A server that can be killed, as clients reach it.
pub(crate) struct Redis {
    folder: Folder,
    options: Vec<String>,
    child: Option<Child>,
    relay: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    turned_away: Receiver<()>,
}

/// What the relay does.
#[derive(Default)]
struct Wire {
    /// Where the server is, while it runs.
    server: Option<SocketAddr>,
    fault: Fault,
    /// Clients' connections.
    open: Vec<TcpStream>,
}

/// What happens to the next transaction, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It does not reach the server.
    LoseRequest,
    /// It is done, and nobody hears of it.
    LoseAnswer,
    /// Nothing is ever answered.
    Silence,
}

impl Redis {
    /// Starts one that keeps nothing when it is killed.
    pub(crate) fn start(name: &str) -> Self {
        Self::with(name, &[])
    }

    /// Starts one that has its data again after a kill.
    pub(crate) fn durable(name: &str) -> Self {
        Self::with(name, &["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts one with options; `name` is used by one test only.
    pub(crate) fn with(name: &str, options: &[&str]) -> Self {
        let wire = Arc::new(Mutex::new(Wire::default()));
        let (tell, turned_away) = unbounded();
        let relay = relay(Arc::clone(&wire), tell);
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let folder = Folder::new(&format!("redis-{name}"));
        let mut redis = Self { folder, options, child: None, relay, wire, turned_away };
        redis.restart();
        redis
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> Secret {
        self.url_with("", "")
    }

    /// The same with `user:password@` and `/database`.
    pub(crate) fn url_with(&self, login: &str, database: &str) -> Secret {
        Secret::new(&format!("redis://{login}{}{database}", self.relay))
    }

    /// Kills it, as the kernel would.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        self.wire.lock().server = None;
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again, elsewhere, where it is found all the same.
    pub(crate) fn restart(&mut self) {
        self.kill();
        // Somebody else may take a port before it does.
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            if let Some(child) = run(free, &self.folder, &self.options) {
                self.child = Some(child);
                self.wire.lock().server = Some(free);
                return;
            }
        }
        panic!("{BINARY} finds no port");
    }

    /// Has this happen to the next transaction.
    pub(crate) fn fault(&self, fault: Fault) {
        self.wire.lock().fault = fault;
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for socket in self.wire.lock().open.drain(..) {
            // It may have gone.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Waits until somebody came while there was no server.
    pub(crate) fn turned_away(&self) {
        self.turned_away.recv_timeout(GUARD).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server that is ready; `None` when it ended instead.
fn run(address: SocketAddr, folder: &Folder, options: &[String]) -> Option<Child> {
    let mut command = Command::new(BINARY);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--dir"]);
    command.arg(&folder.0).args(options).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{BINARY}: {error}. The tests of the feature `redis` need it: apt-get install redis-server")
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.any(|line| line.contains("Ready to accept connections")) {
        thread::spawn(move || lines.for_each(drop));
        return Some(child);
    }
    child.wait().unwrap();
    None
}

/// Starts the relay; it lives as long as the process.
fn relay(wire: Arc<Mutex<Wire>>, tell: Sender<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = wire.lock().server.and_then(|address| TcpStream::connect(address).ok());
            let Some(server) = server else {
                // The test may be over.
                let _ = tell.send(());
                continue;
            };
            wire.lock().open.push(client.try_clone().unwrap());
            let (wire, gone) = (Arc::clone(&wire), Arc::new(Mutex::new(false)));
            let (from, to, mark) = (client.try_clone().unwrap(), server.try_clone().unwrap(), gone.clone());
            thread::spawn(move || requests(from, to, &wire, &mark));
            thread::spawn(move || answers(server, client, &gone));
        }
    });
    address
}

/// Client to server, up to the fault.
fn requests(mut client: TcpStream, mut server: TcpStream, wire: &Mutex<Wire>, loses_answer: &Mutex<bool>) {
    let (mut buffer, mut tail) = ([0; 4096], Vec::new());
    while let Ok(size @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..size];
        tail.extend_from_slice(bytes);
        if wire.lock().fault == Fault::Silence {
            continue;
        }
        // Bytes may come in any parts.
        if tail.windows(6).any(|part| part == b"EXEC\r\n") {
            match std::mem::take(&mut wire.lock().fault) {
                Fault::LoseRequest => break,
                Fault::LoseAnswer => *loses_answer.lock() = true,
                Fault::None | Fault::Silence => {}
            }
            tail.clear();
        }
        tail.drain(..tail.len().saturating_sub(5));
        if server.write_all(bytes).is_err() {
            break;
        }
    }
    close(&client, &server);
}

/// Server to client, until an answer is lost.
fn answers(mut server: TcpStream, mut client: TcpStream, loses_answer: &Mutex<bool>) {
    let (mut buffer, mut lost) = ([0; 4096], Vec::new());
    while let Ok(size @ 1..) = server.read(&mut buffer) {
        if *loses_answer.lock() {
            lost.extend_from_slice(&buffer[..size]);
            // The answer to a transaction is the one list here: then it is done.
            if lost.contains(&b'*') && lost.ends_with(b"\r\n") {
                break;
            }
        } else if client.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    close(&client, &server);
}

fn close(client: &TcpStream, server: &TcpStream) {
    // One of them has gone already.
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
