//! Floor 6: the client's side of the proxy. An HTTP/1.1 server of our own on `std::net`, a thread for
//! each connection, no more and no less of RFC 9110 and 9112 than agents use.
//!
//! ```text
//! listener ──socket──> worker: connection ──bytes──> head ──> Handler ──> reply ──> the client
//!                                            inlet ──> body ──^
//! ```
//!
//! Rules that hold for all of it: no input can panic it; nothing that a client declares is believed
//! before it is there; whatever is in doubt about the frame of a request ends the connection, so
//! that body bytes are never taken for a next request.

pub mod access;
pub mod admin;
pub mod body;
pub mod connection;
pub mod dashboard;
pub mod debug;
pub mod endpoint;
mod errand;
mod guest;
pub mod head;
mod inlet;
mod keeper;
pub mod listener;
pub mod models;
pub mod reload;
pub mod reply;
pub mod site;
pub mod slots;
mod visit;
pub mod watch;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::channel::{Receiver, Sender, bounded};
use crate::base::env::Env;
use crate::base::os;
use crate::config::{Config, Overrides};
use crate::gateway::live::Live;
use crate::upstream::Failure;
use keeper::Keeper;
use listener::{Listener, Running};
use reload::Reloader;
use site::{Door, Entrance, Site};

/// After the time for draining, running requests have this long to tell their clients so.
const FAREWELL: Duration = Duration::from_secs(2);

/// Files that are open besides connections, generously.
const OWN_FILES: usize = 16;

/// A server at work.
pub struct Server {
    site: Arc<Site>,
    doors: Vec<Arc<Running>>,
    ask: Sender<()>,
    stop: Receiver<()>,
    /// Ends last, when no request spends any more.
    _keeper: Keeper,
}

/// Why a server does not start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened on.
    Listen(String, io::Error),
    /// A proxy's address or the file with private roots cannot be used.
    Upstream(Failure),
    /// The system gives no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: {error}. Choose another with --listen, or port 0 for any"
                )
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Upstream(failure) => write!(f, "{failure}"),
            Self::Thread(error) => write!(f, "cannot make a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The variables of the process.
    pub env: Env,
    /// What the command line says about single values.
    pub overrides: Overrides,
    /// Is the configuration's file looked at by itself?
    pub watch: bool,
}

impl Server {
    /// Binds, and answers from then on.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(config: impl Into<Arc<Config>>, setup: Setup) -> Result<Self, StartError> {
        let config = config.into();
        let (ask, stop) = bounded(1);
        let main = bind(&config.listen)?;
        let admin = config.access.admin_listen.map(|address| bind(&address.to_string())).transpose()?;
        let connections = affordable(config.limits.connections);
        let reloader = Reloader::new(&config, setup.env.clone(), setup.overrides, setup.watch);
        let live = Live::new(config, &setup.env, None).map_err(StartError::Upstream)?;
        let site = Arc::new(Site::new(live, reloader, ask.clone()));
        let keeper = Keeper::start(&site, &setup.env).map_err(StartError::Thread)?;
        let door = if admin.is_some() { Door::Data } else { Door::All };
        let mut doors = Vec::new();
        for (listener, door) in std::iter::once((main, door)).chain(admin.map(|admin| (admin, Door::Admin))) {
            let entrance = Arc::new(Entrance::new(Arc::clone(&site), door));
            let address = format!("{:?}", listener.addresses());
            let running = listener.start(entrance, connections, Timings::default());
            let running = Arc::new(running.map_err(|error| StartError::Listen(address, error))?);
            site.attach(&running);
            doors.push(running);
        }
        Ok(Self { site, doors, ask, stop, _keeper: keeper })
    }

    /// Where it listens for clients.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.doors.first().map(|door| door.addresses()).unwrap_or_default()
    }

    /// Where the local endpoints are (SPEC 10.3): at their own door, or at the one for all.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        self.doors.last().map(|door| door.addresses()).unwrap_or_default()
    }

    /// What requests use now.
    pub fn live(&self) -> Arc<Live> {
        self.site.live()
    }

    /// Told when somebody asks the process to stop (`POST /admin/stop`).
    pub fn stop_asked(&self) -> &Receiver<()> {
        &self.stop
    }

    /// For whoever may ask for that beside it.
    pub fn asks_to_stop(&self) -> Sender<()> {
        self.ask.clone()
    }

    /// Refuses what is new, waits for what runs, `timeouts.drain` long; then tells the clients of
    /// what still runs that it ends.
    pub fn drain(&self) {
        self.site.draining.store(true, Ordering::Relaxed);
        self.site.slots.stop();
        for door in &self.doors {
            door.stop();
        }
        let live = self.site.live();
        let limit = live.config().timeouts.drain;
        if !self.doors.iter().all(|door| door.wait_quiet(limit)) {
            log::warn!("requests still run after {limit:?}: they end now");
            live.cut_off();
            self.doors.iter().for_each(|door| {
                door.wait_quiet(FAREWELL);
            });
        }
        live.sinks.files.finish();
    }
}

/// A client's connection may need one to a provider: with few files open clients would take them
/// all, and calls would fail for want of one. Of those that are wanted, so many may be had.
fn affordable(connections: usize) -> usize {
    let files = os::file_limit().and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    let most = (files.saturating_sub(OWN_FILES) / 2).max(1);
    if most < connections {
        log::warn!(
            "only {files} files may be open: {most} connections instead of {connections} (`ulimit -n`)"
        );
    }
    connections.min(most)
}

fn bind(address: &str) -> Result<Listener, StartError> {
    Listener::bind(address).map_err(|error| StartError::Listen(address.to_owned(), error))
}

/// Bounds of waiting on a client's socket. The default is SPEC 7.2; tests make them short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// For the first byte of a request, on a new connection and between two requests.
    pub idle: Duration,
    /// For a whole head, from its first byte.
    pub head: Duration,
    /// Silence inside a request body.
    pub body: Duration,
    /// One blocked write.
    pub write: Duration,
    /// For the client to close after an answer that ends the connection, while its bytes are
    /// thrown away.
    pub linger: Duration,
    /// Before a thread without a connection ends.
    pub worker: Duration,
    /// After a failed accept.
    pub accept_rest: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            worker: Duration::from_secs(10),
            accept_rest: Duration::from_millis(50),
        }
    }
}
