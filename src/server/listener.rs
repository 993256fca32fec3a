//! Accepts connections and hands each to a thread of its own.
//!
//! A channel of capacity 0 reaches a worker only if one waits at this moment; else a new one is
//! made. So no connection ever queues behind another, and a burst is served at once.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::base::channel::{Receiver, Sender, bounded};
use crate::base::{clock, os};
use crate::server::Timings;
use crate::server::connection::{self, Handler, Service};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// Stack of a worker; untouched pages cost nothing.
const STACK: usize = 512 * 1024;
/// So many workers wait for ever.
const WARM: usize = 2;
/// With port 0: how often another port is tried, when one of the addresses has it in use.
const PORT_TRIES: usize = 16;
/// A failure to accept that lasts is told again after this time.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// So many clients over the limit wait for their 503; others are closed at once.
const TURNED_AWAY: usize = 64;

/// Sockets that listen, and nobody who accepts yet.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// A server at work. Dropping it stops it.
pub struct Running {
    pool: Arc<Pool>,
    sockets: Vec<Arc<TcpListener>>,
    addresses: Vec<SocketAddr>,
}

impl Listener {
    /// Listens on every address that `host:port` resolves to, on the same port of each. Port 0
    /// means any free one. An address that this machine does not have (`::1` without IPv6) is left
    /// out while another is left; one in use by somebody else is an error.
    pub fn bind(listen: &str) -> io::Result<Self> {
        let mut wanted: Vec<SocketAddr> = Vec::new();
        for address in listen.to_socket_addrs()? {
            if !wanted.contains(&address) {
                wanted.push(address);
            }
        }
        let any_port = wanted.iter().any(|address| address.port() == 0);
        let mut tries = if any_port { PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            match Self::bind_all(&wanted) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                met => return met,
            }
        }
    }

    fn bind_all(wanted: &[SocketAddr]) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut addresses: Vec<SocketAddr> = Vec::new();
        let mut absent = None;
        for address in wanted {
            let mut address = *address;
            if let (0, Some(first)) = (address.port(), addresses.first()) {
                address.set_port(first.port());
            }
            match os::listen(address, BACKLOG) {
                Ok(socket) => {
                    addresses.push(socket.local_addr()?);
                    sockets.push(socket);
                }
                Err(error) if os::is_absent(&error) => absent = Some(error),
                Err(error) => return Err(error),
            }
        }
        if sockets.is_empty() {
            let nothing = || io::Error::new(io::ErrorKind::NotFound, "no address to listen on");
            return Err(absent.unwrap_or_else(nothing));
        }
        Ok(Self { sockets, addresses })
    }

    /// Where it listens, ports filled in.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Starts to accept, a thread for each address. `connections` bounds how many are open at once.
    /// Fails when the system has no threads left.
    pub fn start(
        self,
        handler: Arc<dyn Handler>,
        connections: usize,
        timings: Timings,
    ) -> io::Result<Running> {
        let service = Arc::new(Service::new(handler, timings));
        let pool = Pool::new(service, connections)?;
        let running = Running {
            pool,
            sockets: self.sockets.into_iter().map(Arc::new).collect(),
            addresses: self.addresses,
        };
        for socket in &running.sockets {
            let socket = Arc::clone(socket);
            let pool = Arc::clone(&running.pool);
            thread::Builder::new()
                .name("accept".to_owned())
                .stack_size(STACK)
                .spawn(move || accept_all(|| socket.accept(), &pool))?;
        }
        Ok(running)
    }
}

impl Running {
    /// Where it listens, ports filled in.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many connections are open, idle ones included.
    pub fn connections(&self) -> usize {
        self.pool.open.load(Ordering::Relaxed)
    }

    /// How many requests the handler has in hand.
    pub fn requests(&self) -> usize {
        self.pool.service.requests()
    }

    /// Changes how many connections may be open, for a reload. Open ones stay.
    pub fn set_connections(&self, most: usize) {
        self.pool.most.store(most, Ordering::Relaxed);
    }

    /// Refuses new connections from now on. Requests in hand go on; a connection ends with its next
    /// answer. May be called again.
    pub fn stop(&self) {
        self.pool.service.stop();
        for socket in &self.sockets {
            os::stop_listening(socket);
        }
    }

    /// Waits until the handler has no request in hand; `false` when `limit` passed first.
    pub fn wait_quiet(&self, limit: Duration) -> bool {
        self.pool.service.wait_quiet(limit)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The workers and the way to them.
struct Pool {
    service: Arc<Service>,
    door: Sender<Visitor>,
    queue: Receiver<Visitor>,
    /// Clients over the limit, on their way to a 503.
    outside: Sender<TcpStream>,
    /// Workers that wait.
    idle: AtomicUsize,
    /// Connections that are open, and how many may be.
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A connection on its way to a worker.
struct Visitor {
    socket: TcpStream,
    peer: SocketAddr,
    _ticket: Ticket,
}

/// Counts a connection until it drops.
struct Ticket(Arc<Pool>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts until the service stops; no error ends it.
fn accept_all(mut accept: impl FnMut() -> io::Result<(TcpStream, SocketAddr)>, pool: &Arc<Pool>) {
    let mut told: Option<((io::ErrorKind, Option<i32>), Instant)> = None;
    loop {
        let met = accept();
        if pool.service.is_stopping() {
            return;
        }
        match met {
            Ok((socket, peer)) => pool.admit(socket, peer),
            // The client left before its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                // Out of descriptors, most likely: once in the log, not twenty times a second. One that
                // comes free between two failures changes nothing.
                let kind = (error.kind(), error.raw_os_error());
                let now = clock::now();
                if told.is_none_or(|(before, at)| before != kind || now.duration_since(at) >= TELL_AGAIN) {
                    log::warn!("cannot accept connections, trying again: {error}");
                    told = Some((kind, now));
                }
                clock::rest(pool.service.timings.accept_rest);
            }
        }
    }
}

impl Pool {
    fn new(service: Arc<Service>, connections: usize) -> io::Result<Arc<Self>> {
        let (door, queue) = bounded(0);
        let (outside, waiting) = bounded(TURNED_AWAY);
        let ours = Arc::clone(&service);
        // One at a time: who is over the limit may wait a little for the 503, the loop may not.
        thread::Builder::new().name("full".to_owned()).stack_size(STACK).spawn(move || {
            for socket in waiting {
                connection::turn_away(socket, &ours);
            }
        })?;
        Ok(Arc::new(Self {
            service,
            door,
            queue,
            outside,
            idle: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most: AtomicUsize::new(connections),
        }))
    }

    fn admit(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let Some(ticket) = self.ticket() else {
            return self.turn_away(socket);
        };
        let visitor = Visitor { socket, peer, _ticket: ticket };
        let Err(visitor) = self.door.try_send(visitor) else {
            return;
        };
        if let Err(visitor) = self.hire(visitor) {
            self.turn_away(visitor.socket);
        }
    }

    fn ticket(self: &Arc<Self>) -> Option<Ticket> {
        let most = self.most.load(Ordering::Relaxed);
        let more = |open: usize| (open < most).then_some(open + 1);
        let counted = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok().map(|_| Ticket(Arc::clone(self)))
    }

    /// Dropped when too many are being turned away already: then the client sees a reset.
    fn turn_away(&self, socket: TcpStream) {
        let _ = self.outside.try_send(socket);
    }

    /// Makes a worker for a connection; gives the connection back when that fails.
    fn hire(self: &Arc<Self>, visitor: Visitor) -> Result<(), Visitor> {
        // A thread that cannot be made takes its closure with it, so the connection lies outside.
        let parcel = Arc::new(Mutex::new(Some(visitor)));
        let theirs = Arc::clone(&parcel);
        let pool = Arc::clone(self);
        let made = thread::Builder::new().name("client".to_owned()).stack_size(STACK).spawn(move || {
            let first = theirs.lock().take();
            drop(theirs);
            pool.work(first);
        });
        let Err(error) = made else {
            return Ok(());
        };
        log::warn!("cannot make a thread for a connection: {error}");
        let back = parcel.lock().take();
        back.map_or(Ok(()), Err)
    }

    /// A worker's life: one connection after the other.
    fn work(&self, first: Option<Visitor>) {
        let mut next = first;
        while let Some(visitor) = next.take().or_else(|| self.wait()) {
            let Visitor { socket, peer, _ticket } = visitor;
            let serve = || connection::serve(socket, peer, &self.service);
            if catch_unwind(AssertUnwindSafe(serve)).is_err() {
                log::error!("a connection from {peer} ended in a panic");
            }
        }
    }

    fn wait(&self) -> Option<Visitor> {
        self.idle.fetch_add(1, Ordering::Relaxed);
        loop {
            if let Ok(visitor) = self.queue.recv_timeout(self.service.timings.worker) {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                return Some(visitor);
            }
            let warm = if self.service.is_stopping() { 0 } else { WARM };
            let less = |idle: usize| (idle > warm).then(|| idle - 1);
            let left = self.idle.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            if left.is_ok() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
