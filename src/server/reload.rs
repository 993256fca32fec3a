//! file -> load, check, swap. A bad file changes nothing and is shown; a request keeps what it
//! began with.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::env::Env;
use crate::config::{self, Config, Overrides, Source};
use crate::gateway::live::Live;
use crate::server::site::Site;
use crate::server::watch::FileWatch;

/// How the configuration is loaded anew.
pub struct Reloader {
    env: Env,
    overrides: Overrides,
    source: Source,
    /// Where is listened as long as the process runs: for clients, and for the local endpoints.
    doors: (String, Option<SocketAddr>),
    watch: Option<FileWatch>,
    /// One reload at a time.
    turn: Mutex<()>,
    last_error: Mutex<Option<String>>,
}

impl Reloader {
    /// Loads from where `config` came from; `watch` says whether its file is looked at by itself.
    pub fn new(config: &Config, env: Env, overrides: Overrides, watch: bool) -> Self {
        let source = config.source.clone();
        let watch = match &source {
            Source::File(path) if watch => Some(FileWatch::new(path)),
            Source::File(_) | Source::Environment(_) | Source::Demo => None,
        };
        let doors = (config.listen.clone(), config.access.admin_listen);
        Self { env, overrides, source, doors, watch, turn: Mutex::new(()), last_error: Mutex::new(None) }
    }

    /// Why the last reload changed nothing, if it did not.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// Reloads when the file has changed.
    pub fn look(&self, site: &Site) {
        if self.watch.as_ref().is_some_and(FileWatch::has_changed) {
            // The error is kept and logged there.
            let _ = self.reload(site);
        }
    }

    /// Loads, checks and swaps; returns the new revision.
    ///
    /// # Errors
    /// All that is wrong with the file, one line each; nothing was changed.
    pub fn reload(&self, site: &Site) -> Result<u64, String> {
        let _turn = self.turn.lock();
        let result = self.load(&site.live()).map(|live| site.replace(live));
        match result {
            Ok(live) => {
                *self.last_error.lock() = None;
                log::info!("configuration reloaded: revision {}", live.revision);
                Ok(live.revision)
            }
            Err(error) => {
                for line in error.lines() {
                    log::error!("configuration not reloaded, the old one stays: {line}");
                }
                *self.last_error.lock() = Some(error.clone());
                Err(error)
            }
        }
    }

    fn load(&self, before: &Live) -> Result<Live, String> {
        if let Some(watch) = &self.watch {
            watch.is_read();
        }
        let config = match &self.source {
            Source::File(path) => config::load(Some(path), &self.env, &self.overrides),
            Source::Environment(_) => config::from_environment(&self.env, &self.overrides),
            Source::Demo => config::load(None, &self.env, &self.overrides),
        };
        let config = config.map_err(|errors| errors.to_string())?;
        self.tell(&config, before.config());
        Live::new(Arc::new(config), &self.env, Some(before)).map_err(|error| error.to_string())
    }

    /// What the new configuration cannot change, and what is odd in it.
    fn tell(&self, config: &Config, before: &Config) {
        let (listen, admin_listen) = &self.doors;
        if config.listen != *listen {
            log::warn!("`listen` has changed to {}: that needs a restart", config.listen);
        }
        if config.access.admin_listen != *admin_listen {
            log::warn!("`access.admin_listen` has changed: that needs a restart");
        }
        for warning in config.warnings.iter().filter(|warning| !before.warnings.contains(warning)) {
            log::warn!("{warning}");
        }
    }
}
