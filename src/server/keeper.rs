//! Exchanges health with the state store, beside all requests (SPEC 14): before the first, each
//! 2 s, and at the end. Trouble with the store is told once and never stands in a request's way.

use std::sync::Arc;
use std::time::Duration;

use crate::base::channel::{Receiver, RecvTimeoutError, Sender, bounded};
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
    patience: Duration,
}

impl Keeper {
    /// Makes the first exchange, and begins.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(site: &Arc<Site>, env: &Env) -> std::io::Result<Self> {
        Self::with(store(site.live().config(), env), site, PATIENCE)
    }

    fn with(store: Box<dyn StateStore>, site: &Arc<Site>, patience: Duration) -> std::io::Result<Self> {
        let site = Arc::clone(site);
        let exchange = Exchange { store, site, outbox: Outbox::default(), is_told: false };
        let (stop, stopped) = bounded(0);
        let (begins, begun) = bounded(0);
        let (ends, over) = bounded(0);
        let thread = std::thread::Builder::new().name("state".to_owned()).stack_size(256 * 1024);
        thread.spawn(move || {
            exchange.run(begins, &stopped);
            drop::<Sender<()>>(ends);
        })?;
        wait(&begun, patience);
        Ok(Self { stop: Some(stop), over, patience })
    }
}

impl Drop for Keeper {
    /// The last exchange is waited for: it holds what the last requests spent.
    fn drop(&mut self) {
        self.stop = None;
        wait(&self.over, self.patience);
    }
}

/// Waits until nobody holds the other end any more, but not for ever.
fn wait(end: &Receiver<()>, patience: Duration) {
    // Nothing is ever sent on it.
    let _ = end.recv_timeout(patience);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Millis;
    use crate::config::{Overrides, load};
    use crate::server::reload::Reloader;
    use crate::state::{Delta, Shared, StoreError};

    /// A store that takes as long as somebody holds the other end.
    struct Stuck(Receiver<()>);

    impl StateStore for Stuck {
        fn exchange(&self, _: &Delta, _: Millis) -> Result<Shared, StoreError> {
            let _ = self.0.recv();
            Err(StoreError::Busy)
        }
    }

    #[test]
    fn a_store_that_never_answers_holds_neither_start_nor_stop() {
        let overrides = Overrides { demo: true, ..Overrides::default() };
        let config = Arc::new(load(None, &Env::default(), &overrides).unwrap());
        let reloader = Reloader::new(&config, Env::default(), overrides, false);
        let live = Live::new(config, &Env::default(), None).unwrap();
        let site = Arc::new(Site::new(live, reloader, bounded(1).0));
        let (hold, held) = bounded(0);
        let (tell, told) = bounded(1);
        std::thread::spawn(move || {
            drop(Keeper::with(Box::new(Stuck(held)), &site, Duration::from_millis(1)).unwrap());
            tell.send(()).unwrap();
        });
        told.recv_timeout(Duration::from_secs(30)).unwrap();
        drop(hold);
    }
}
