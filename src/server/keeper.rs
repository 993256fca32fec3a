//! Exchanges health with the state store, beside all requests (SPEC 14): before the first, each
//! 2 s, and at the end. Trouble with the store is told once and never stands in a request's way.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::base::clock;
use crate::base::env::Env;
use crate::config::{Config, Store};
use crate::gateway::live::Live;
use crate::server::site::Site;
#[cfg(feature = "redis")]
use crate::state::RedisStore;
use crate::state::{FileStore, MemoryStore, Outbox, StateStore};

/// Between two exchanges.
const INTERVAL: Duration = Duration::from_secs(2);
/// The first exchange and the last are waited for so long. A store takes a second at most; a system
/// that looks up a host's name may take any time.
const PATIENCE: Duration = Duration::from_secs(3);
const FILE: &str = "state.json";

/// Keeps health and store together until it is dropped.
pub(super) struct Keeper {
    stop: Option<Sender<()>>,
    /// Closed when the last exchange is over.
    over: Receiver<()>,
}

impl Keeper {
    /// Makes the first exchange, and begins.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(site: &Arc<Site>, env: &Env) -> std::io::Result<Self> {
        let exchange = Exchange {
            store: store(site.live().config(), env),
            site: Arc::clone(site),
            outbox: Outbox::default(),
            is_told: false,
        };
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let (begins, begun) = crossbeam_channel::bounded(0);
        let (ends, over) = crossbeam_channel::bounded(0);
        let thread = std::thread::Builder::new().name("state".to_owned()).stack_size(256 * 1024);
        thread.spawn(move || {
            exchange.run(begins, &stopped);
            drop::<Sender<()>>(ends);
        })?;
        wait(&begun);
        Ok(Self { stop: Some(stop), over })
    }
}

impl Drop for Keeper {
    /// The last exchange is waited for: it holds what the last requests spent.
    fn drop(&mut self) {
        self.stop = None;
        wait(&self.over);
    }
}

/// Waits until nobody holds the other end any more, but not for ever.
fn wait(end: &Receiver<()>) {
    // Nothing is ever sent on it.
    let _ = end.recv_timeout(PATIENCE);
}

fn store(config: &Config, env: &Env) -> Box<dyn StateStore> {
    let state = &config.state;
    let file = state.file.clone().or_else(|| Some(env.state_dir()?.join(FILE)));
    match (state.store, file, &state.url) {
        (Store::File, Some(file), _) => Box::new(FileStore::new(file, state.ttl)),
        #[cfg(feature = "redis")]
        (Store::Redis, _, Some(url)) => Box::new(RedisStore::new(url.clone(), state.ttl)),
        // Without a home there is no place for a file.
        (Store::File, None, _) | (Store::Memory | Store::Redis, _, _) => {
            Box::new(MemoryStore::new(state.ttl))
        }
    }
}

struct Exchange {
    store: Box<dyn StateStore>,
    site: Arc<Site>,
    outbox: Outbox,
    /// Was the user told that the store gives trouble?
    is_told: bool,
}

impl Exchange {
    fn run(mut self, begins: Sender<()>, stopped: &Receiver<()>) {
        self.once();
        drop(begins);
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(INTERVAL) {
            self.once();
        }
        self.once();
    }

    fn once(&mut self) {
        let live: Arc<Live> = self.site.live();
        let news = live.health.tell(live.config());
        match self.outbox.exchange(&news, &*self.store, clock::millis()) {
            Ok(shared) => {
                live.health.adopt(&shared, clock::millis(), live.config());
                if std::mem::take(&mut self.is_told) {
                    log::info!("state is shared again");
                }
            }
            Err(error) if !self.is_told => {
                log::warn!("state is not shared for now: {error}");
                self.is_told = true;
            }
            Err(_) => {}
        }
    }
}
