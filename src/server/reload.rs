//! file -> load, check, swap. A bad file changes nothing and is shown; a request keeps what it
//! began with.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::env::Env;
use crate::config::{self, Config, ConfigErrors, Log, Overrides, Source, State};
use crate::gateway::live::Live;
use crate::server::site::Site;
use crate::server::watch::FileWatch;
use crate::upstream::Failure;

/// How the configuration is loaded anew.
pub struct Reloader {
    env: Env,
    overrides: Overrides,
    source: Source,
    /// What the process began with.
    began: Began,
    watch: Option<FileWatch>,
    /// One reload at a time.
    turn: Mutex<()>,
    last_error: Mutex<Option<String>>,
}

/// Why the configuration that was there stays.
#[derive(Debug)]
pub enum ReloadError {
    /// What is wrong with the new one.
    Config(ConfigErrors),
    /// A proxy's address or the file with private roots cannot be used.
    Upstream(Failure),
}

/// What holds as long as the process runs.
struct Began {
    listen: String,
    admin_listen: Option<SocketAddr>,
    log: Log,
    state: State,
}

impl ReloadError {
    /// All that is wrong, each as one text.
    pub fn each(&self) -> Vec<String> {
        match self {
            Self::Config(errors) => errors.each(),
            Self::Upstream(failure) => vec![failure.to_string()],
        }
    }
}

impl Reloader {
    /// Loads from where `config` came from; `watch` says whether its file is looked at by itself.
    pub fn new(config: &Config, env: Env, overrides: Overrides, watch: bool) -> Self {
        let source = config.source.clone();
        let watch = match &source {
            Source::File(path) if watch => Some(FileWatch::new(path)),
            Source::File(_) | Source::Environment(_) | Source::Demo => None,
        };
        let began = Began {
            listen: config.listen.clone(),
            admin_listen: config.access.admin_listen,
            log: config.log.clone(),
            state: config.state.clone(),
        };
        Self { env, overrides, source, began, watch, turn: Mutex::new(()), last_error: Mutex::new(None) }
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
    /// The new configuration cannot be used; nothing was changed.
    pub fn reload(&self, site: &Site) -> Result<u64, ReloadError> {
        let _turn = self.turn.lock();
        let result = self.load(&site.live()).map(|live| site.replace(live));
        match result {
            Ok(live) => {
                *self.last_error.lock() = None;
                log::info!("configuration reloaded: revision {}", live.revision);
                Ok(live.revision)
            }
            Err(error) => {
                let each = error.each();
                for line in each.iter().flat_map(|one| one.lines()) {
                    log::error!("configuration not reloaded, the old one stays: {line}");
                }
                *self.last_error.lock() = Some(each.join("\n"));
                Err(error)
            }
        }
    }

    fn load(&self, before: &Live) -> Result<Live, ReloadError> {
        if let Some(watch) = &self.watch {
            watch.is_read();
        }
        let config = match &self.source {
            Source::File(path) => config::load(Some(path), &self.env, &self.overrides),
            Source::Environment(_) => config::from_environment(&self.env, &self.overrides),
            Source::Demo => config::load(None, &self.env, &self.overrides),
        };
        let config = config.map_err(ReloadError::Config)?;
        self.tell(&config, before.config());
        Live::new(Arc::new(config), &self.env, Some(before)).map_err(ReloadError::Upstream)
    }

    /// What the new configuration cannot change, and what is odd in it.
    fn tell(&self, config: &Config, before: &Config) {
        let Began { listen, admin_listen, log, state } = &self.began;
        if config.listen != *listen {
            log::warn!("`listen` has changed to {}: that needs a restart", config.listen);
        }
        for (key, has_changed) in [
            ("access.admin_listen", config.access.admin_listen != *admin_listen),
            ("log.level", config.log.level != log.level),
            ("log.file", config.log.file != log.file),
            ("log.rotate", config.log.rotate != log.rotate),
            ("state", config.state != *state),
        ] {
            if has_changed {
                log::warn!("`{key}` has changed: that needs a restart");
            }
        }
        for warning in config.warnings.iter().filter(|warning| !before.warnings.contains(warning)) {
            log::warn!("{warning}");
        }
    }
}
