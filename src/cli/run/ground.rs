//! What a session stands on: a configuration and a proxy of its own, or a llmgate that runs.

use std::sync::Arc;
use std::time::Duration;

use crate::base::env::Env;
use crate::base::host::reachable;
use crate::base::secret::Secret;
use crate::base::{chance, clock};
use crate::cli::models::of_running;
use crate::cli::refusal::Refusal;
use crate::cli::run::client::Client;
use crate::cli::run::model;
use crate::cli::run::options::Options;
use crate::config::{self, Config, Log, Overrides, Session};
use crate::protocol::listing::ModelCard;
use crate::route::snapshot::Snapshot;
use crate::server::{Server, Setup, StartError, models};
use crate::upstream::probe;

/// Between two looks at a llmgate that is not there yet.
const REST: Duration = Duration::from_millis(100);

/// What a session stands on.
pub(super) struct Ground {
    /// Where llmgate is, without a path.
    pub(super) url: String,
    /// The key it wants.
    pub(super) key: Secret,
    base: Base,
    notes: Vec<String>,
}

enum Base {
    /// A configuration, for a proxy of its own.
    Own(Snapshot, Overrides),
    /// A running llmgate: what it lists, and the configuration that is there, if one is.
    Running(Vec<ModelCard>, Option<Box<Config>>),
}

/// What is known of a model.
pub(super) struct Known {
    /// The model.
    pub(super) card: ModelCard,
    /// All names that are listed.
    pub(super) listed: Vec<ModelCard>,
    /// The hosts of its targets.
    pub(super) hosts: Vec<String>,
}

impl Ground {
    /// Loads the configuration, or asks the running llmgate.
    pub(super) fn find(options: &Options, env: &Env) -> Result<Self, Refusal> {
        match &options.running {
            Some((url, patience)) => Self::running(url, *patience, options, env),
            None => Self::own(options, env),
        }
    }

    fn own(options: &Options, env: &Env) -> Result<Self, Refusal> {
        let no_chance = || Refusal::Failure("the system has no random bytes for a key".to_owned());
        let key = chance::key().ok_or_else(no_chance)?;
        let bare_ipv6 = options.host.contains(':') && !options.host.starts_with('[');
        let host = if bare_ipv6 { format!("[{}]", options.host) } else { options.host.clone() };
        let overrides = Overrides {
            listen: Some(format!("{host}:{}", options.port)),
            compat: options.compat,
            trace: options.trace.clone(),
            local: options.local,
            demo: options.demo,
            session: Some(Session { key: key.clone(), drain: options.grace }),
            ..Overrides::default()
        };
        let config = config::load(options.config.as_deref(), env, &overrides)?;
        let mut notes = config.warnings.clone();
        if config::unused_local_file(&config) {
            notes.push("./llmgate.yaml is not in use; name it with --config".to_owned());
        }
        let port = if options.port == 0 { "PORT".to_owned() } else { options.port.to_string() };
        let url = format!("http://{host}:{port}");
        Ok(Self { url, key, base: Base::Own(Snapshot::new(Arc::new(config)), overrides), notes })
    }

    fn running(url: &str, patience: Duration, options: &Options, env: &Env) -> Result<Self, Refusal> {
        // Without keys it takes any; clients want one all the same.
        let key = Secret::new(env.var("LLMGATE_KEY").unwrap_or("llmgate"));
        let until = clock::now() + patience;
        while !probe::get(&format!("{url}/health"), None, env, patience)
            .is_ok_and(|(status, _)| status == 200)
        {
            if clock::now() >= until {
                let said = format!("no llmgate answers at {url} within {} s", patience.as_secs());
                return Err(Refusal::Failure(said));
            }
            clock::rest(REST);
        }
        let listed = of_running(url, Some(key.expose()), env, patience.max(REST))?;
        // Only for the names of variables that hold keys; here it need not be there.
        let config = config::load(options.config.as_deref(), env, &Overrides::default()).ok().map(Box::new);
        let notes = options
            .about_proxy
            .iter()
            .map(|flag| format!("--{flag} is for a proxy of its own: with --proxy-base it is not used"));
        Ok(Self { url: url.to_owned(), key, notes: notes.collect(), base: Base::Running(listed, config) })
    }

    /// The name of a client's model.
    pub(super) fn model(&self, client: &Client, options: &Options, env: &Env) -> Result<String, Refusal> {
        let asked = options.model.as_deref();
        match &self.base {
            Base::Own(snapshot, _) => model::choose(asked, client, snapshot, env),
            Base::Running(listed, _) => model::choose_listed(asked, client, listed),
        }
    }

    /// The name of the model that a program is told of, if there is one.
    pub(super) fn model_of_program(&self, options: &Options) -> Result<Option<String>, Refusal> {
        let asked = options.model.as_deref();
        match &self.base {
            Base::Own(snapshot, _) => model::for_program(asked, snapshot),
            Base::Running(..) => Ok(asked.map(str::to_owned)),
        }
    }

    /// Starts the proxy, if it is to be its own.
    pub(super) fn serve(&mut self, options: &Options, env: &Env) -> Result<Option<Server>, Refusal> {
        let Base::Own(snapshot, overrides) = &self.base else { return Ok(None) };
        let setup = Setup { env: env.clone(), overrides: overrides.clone(), watch: true };
        let server = Server::start(Arc::clone(&snapshot.config), setup).map_err(|error| {
            Refusal::Failure(match error {
                StartError::Listen(address, error) => format!(
                    "cannot listen on {address}: {error}. Choose another --proxy-port, or leave it out for any \
                     free one"
                ),
                error @ (StartError::Upstream(_) | StartError::Thread(_)) => error.to_string(),
            })
        })?;
        if let Some(address) = server.addresses().first() {
            self.url = format!("http://{}", reachable(*address));
        }
        log::info!("run {}: listening on {}", options.starts.name(), self.url);
        Ok(Some(server))
    }

    /// What is known of a model.
    pub(super) fn known(&self, name: &str) -> Known {
        let unknown = || ModelCard { id: name.to_owned(), ..ModelCard::default() };
        match &self.base {
            Base::Own(snapshot, _) => Known {
                card: models::card_of(snapshot, name).unwrap_or_else(unknown),
                listed: models::cards(&snapshot.config),
                hosts: models::targets_of(snapshot, name)
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|target| snapshot.provider(&target.to.provider))
                    .map(|provider| provider.host().to_owned())
                    .collect(),
            },
            Base::Running(listed, _) => Known {
                card: listed.iter().find(|card| card.id == name).cloned().unwrap_or_else(unknown),
                listed: listed.clone(),
                hosts: Vec::new(),
            },
        }
    }

    /// Does this name lead anywhere?
    pub(super) fn resolves(&self, name: &str) -> bool {
        match &self.base {
            Base::Own(snapshot, _) => model::covers(snapshot, name),
            Base::Running(listed, _) => listed.iter().any(|card| card.id == name),
        }
    }

    /// The configuration, for the names in it.
    pub(super) fn config(&self) -> Option<&Config> {
        match &self.base {
            Base::Own(snapshot, _) => Some(&snapshot.config),
            Base::Running(_, config) => config.as_deref(),
        }
    }

    /// How is logged?
    pub(super) fn log(&self) -> Log {
        self.config().map_or_else(Log::default, |config| config.log.clone())
    }

    /// What the user should know.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }
}
