//! Exchanges health with the state store, beside all requests (SPEC 14): before the first, each
//! 2 s, and at the end. Trouble with the store is told once and never stands in a request's way.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;

use crate::base::clock;
use crate::base::env::Env;
use crate::config::{Config, Store};
use crate::gateway::live::Live;
use crate::server::site::Site;
use crate::state::{Delta, FileStore, MemoryStore, StateStore};

/// Between two exchanges.
const INTERVAL: Duration = Duration::from_secs(2);
const FILE: &str = "state.json";

/// Keeps health and store together until it is dropped.
pub(super) struct Keeper {
    stop: Option<Sender<()>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    /// Makes the first exchange, and begins.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(site: &Arc<Site>, env: &Env) -> std::io::Result<Self> {
        let mut exchange = Exchange {
            store: store(site.live().config(), env),
            site: Arc::clone(site),
            pending: Delta::default(),
            is_told: false,
        };
        exchange.once();
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let thread = std::thread::Builder::new().name("state".to_owned()).stack_size(256 * 1024);
        let thread = thread.spawn(move || exchange.run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Mutex::new(Some(thread)) })
    }
}

impl Drop for Keeper {
    /// The last exchange is waited for: it holds what the last requests spent.
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.lock().take() {
            // It has nothing to say; a panic of it was told by the panic itself.
            let _ = thread.join();
        }
    }
}

fn store(config: &Config, env: &Env) -> Box<dyn StateStore> {
    let state = &config.state;
    let file = state.file.clone().or_else(|| Some(env.state_dir()?.join(FILE)));
    match (state.store, file) {
        (Store::File, Some(file)) => Box::new(FileStore::new(file, state.ttl)),
        // Without a home there is no place for a file.
        (Store::File, None) | (Store::Memory | Store::Redis, _) => Box::new(MemoryStore::new(state.ttl)),
    }
}

struct Exchange {
    store: Box<dyn StateStore>,
    site: Arc<Site>,
    /// What was not taken by the store yet.
    pending: Delta,
    /// Was the user told that the store gives trouble?
    is_told: bool,
}

impl Exchange {
    fn run(mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) {
            self.once();
        }
        self.once();
    }

    fn once(&mut self) {
        let live: Arc<Live> = self.site.live();
        self.pending.append(&live.health.tell(live.config()));
        match self.store.exchange(&self.pending, clock::millis()) {
            Ok(shared) => {
                self.pending = Delta::default();
                self.is_told = false;
                live.health.adopt(&shared, clock::millis(), live.config());
            }
            Err(error) if !self.is_told => {
                log::warn!("state is not shared for now: {error}");
                self.is_told = true;
            }
            Err(_) => {}
        }
    }
}
