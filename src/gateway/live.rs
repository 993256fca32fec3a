//! Everything a request may use: the routes, the providers' connections, the known secrets.
//! Replaced whole by a reload; what did not change is carried over.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::base::clock::Millis;
use crate::base::env::Env;
use crate::base::id::ProviderName;
use crate::base::secret::{Secret, mask_known};
use crate::base::table::Table;
use crate::base::{chance, clock};
use crate::config::{Config, Provider, ProxyChoice};
use crate::gateway::hook;
use crate::gateway::inbound::{Decoded, Inbound};
use crate::gateway::question::Asking;
use crate::gateway::trouble::Trouble;
use crate::ir::carrier::{Kept, State};
use crate::ir::request::{Block, Reasoning, Request, Role, Turn};
use crate::observe::Sinks;
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::health::Health;
use crate::route::plan::Plan;
use crate::route::planning::{Moment, Purpose};
use crate::route::snapshot::Snapshot;
use crate::state::recall::Recall;
use crate::upstream::{Agent, Failure, ProxySettings, Tls};

/// Everything a request may use.
pub struct Live {
    /// The routes.
    pub snapshot: Snapshot,
    /// Which configuration this is; counts up with each reload.
    pub revision: u64,
    /// Since when.
    pub loaded_at: Millis,
    /// Who is told of requests; a reload does not begin anew.
    pub sinks: Arc<Sinks>,
    agents: Table<ProviderName, Connections>,
    secrets: Vec<Secret>,
    tls: Tls,
    roots: Vec<PathBuf>,
    /// How the targets are; shared with what this replaces.
    pub health: Arc<Health>,
    cut_off: Arc<AtomicBool>,
    /// The revision that new requests use.
    newest: Arc<AtomicU64>,
    recall: Arc<Recall>,
}

struct Connections {
    agent: Agent,
    /// What the agent was made for.
    base_url: String,
    proxy: ProxyChoice,
}

impl Live {
    /// Makes it of a configuration; `before` is what it replaces.
    ///
    /// # Errors
    /// A proxy's address or the file with private roots cannot be used.
    pub fn new(config: Arc<Config>, env: &Env, before: Option<&Self>) -> Result<Self, Failure> {
        let roots: Vec<PathBuf> =
            config.ca_file.clone().into_iter().chain(env.var("SSL_CERT_FILE").map(PathBuf::from)).collect();
        let kept = before.filter(|before| before.roots == roots);
        let tls = kept.map_or_else(|| Tls::new(roots.clone()), |before| before.tls.clone());
        tls.check()?;
        let mut agents = Table::default();
        for provider in &config.providers {
            let known = kept.and_then(|before| before.agents.get(&provider.name));
            let agent = match known.filter(|known| known.fits(provider)) {
                Some(known) => known.agent.clone(),
                None => Agent::new(&provider.base_url, &proxy_settings(provider, env), &tls)?,
            };
            let base_url = provider.base_url.clone();
            agents.insert(
                provider.name.clone(),
                Connections { agent, base_url, proxy: provider.proxy.clone() },
            );
        }
        if let Some(before) = before {
            before.health.reloads(before.config(), &config, clock::millis());
        }
        let mut secrets = config.secrets();
        secrets.extend(ProxySettings::Environment(env.clone()).secrets());
        let sinks: Arc<Sinks> = before.map_or_else(Arc::default, |before| Arc::clone(&before.sinks));
        sinks.files.change(&config, env, &|hook| hook::post(hook, env, &tls));
        let revision = before.map_or(1, |before| before.revision + 1);
        let newest: Arc<AtomicU64> = before.map_or_else(Arc::default, |before| Arc::clone(&before.newest));
        newest.store(revision, Ordering::Relaxed);
        Ok(Self {
            snapshot: Snapshot::new(config),
            revision,
            loaded_at: clock::millis(),
            sinks,
            agents,
            secrets,
            tls,
            roots,
            health: before.map_or_else(Arc::default, |before| Arc::clone(&before.health)),
            cut_off: before.map_or_else(Arc::default, |before| Arc::clone(&before.cut_off)),
            newest,
            recall: before.map_or_else(Arc::default, |before| Arc::clone(&before.recall)),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.snapshot.config
    }

    /// Is it what new requests use? One that runs keeps what it began with.
    pub fn is_newest(&self) -> bool {
        self.newest.load(Ordering::Relaxed) == self.revision
    }

    /// The connections of a provider.
    pub fn agent(&self, provider: &ProviderName) -> Option<&Agent> {
        self.agents.get(provider).map(|connections| &connections.agent)
    }

    /// A text of others with every known secret masked.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        mask_known(text, &self.secrets)
    }

    /// Remembers state that a client has no field for.
    pub fn remember(&self, kept: Vec<Kept>) {
        if !kept.is_empty() {
            let now = clock::now();
            kept.into_iter().for_each(|kept| self.recall.keep(kept, now));
        }
    }

    /// The targets that may serve a request, and those that may not.
    ///
    /// # Errors
    /// Its model's name leads nowhere.
    pub fn plan(&self, inbound: &Inbound, purpose: Purpose) -> Result<Plan<'_>, Trouble> {
        let mut draw = chance::share;
        let mut moment = Moment { health: &self.health, now: clock::millis(), draw: &mut draw, purpose };
        self.snapshot
            .plan(&Asking { live: self, inbound }, &mut moment)
            .map_err(|name| Trouble::unresolved(&name))
    }

    /// A request in neutral words, with the state that its client had no field for.
    ///
    /// # Errors
    /// The body is no request of its protocol.
    pub fn decoded<'i>(&self, inbound: &'i Inbound) -> Result<&'i Decoded, Trouble> {
        let complete =
            |request: &mut Request| !inbound.protocol.codec().wire().carries_state() && self.recall(request);
        let wrong = |error| Trouble::own(Fault::new(FaultKind::BadRequest, format!("In the body, {error}.")));
        inbound.decoded(complete).map_err(wrong)
    }

    /// Gives a history the state that its client had no field for: to each turn of the model the
    /// reasoning that led to its calls, to each call its own. Was there any?
    fn recall(&self, request: &mut Request) -> bool {
        let mut restored = false;
        let now = clock::now();
        for turn in request.turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
            let mut before: Vec<State> = Vec::new();
            let mut led: Vec<(usize, Vec<State>)> = Vec::new();
            for (place, block) in turn.blocks.iter_mut().enumerate() {
                let Block::Call(call) = block else { continue };
                let Some(kept) = self.recall.of(&call.id, now) else { continue };
                restored = true;
                call.state = kept.own.or_else(|| call.state.take());
                // A call remembers all that was thought before it; what led to an earlier one is there.
                let new = kept.reasoning.strip_prefix(before.as_slice()).unwrap_or(&kept.reasoning);
                led.push((if led.is_empty() { 0 } else { place }, new.to_vec()));
                before = kept.reasoning;
            }
            led.retain(|(_, states)| !states.is_empty());
            if !led.is_empty() {
                think(turn, led);
            }
        }
        restored
    }

    /// Bytes of the longest known secret.
    pub fn longest_secret(&self) -> usize {
        self.secrets.iter().map(|secret| secret.expose().len()).max().unwrap_or(0)
    }

    /// Running requests are to end now, with an error to their clients.
    pub fn cut_off(&self) {
        self.cut_off.store(true, Ordering::Relaxed);
    }

    /// The switch that [`Live::cut_off`] turns.
    pub fn cut_off_switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cut_off)
    }
}

impl Connections {
    fn fits(&self, provider: &Provider) -> bool {
        self.base_url == provider.base_url && self.proxy == provider.proxy
    }
}

/// Puts states of reasoning before the blocks at their places; they take the turn's words of reasoning.
fn think(turn: &mut Turn, mut led: Vec<(usize, Vec<State>)>) {
    let reasoning = turn.blocks.iter().filter_map(Block::as_reasoning);
    let mut words: String = reasoning.map(|reasoning| reasoning.text.as_str()).collect();
    for (place, block) in std::mem::take(&mut turn.blocks).into_iter().enumerate() {
        let states = led.iter_mut().filter(|(at, _)| *at == place).flat_map(|(_, states)| states.drain(..));
        turn.blocks.extend(states.map(|state| {
            Block::Reasoning(Reasoning { text: std::mem::take(&mut words), state: Some(state) })
        }));
        if !matches!(block, Block::Reasoning(_)) {
            turn.blocks.push(block);
        }
    }
}

fn proxy_settings(provider: &Provider, env: &Env) -> ProxySettings {
    match &provider.proxy {
        ProxyChoice::Environment => ProxySettings::Environment(env.clone()),
        ProxyChoice::Direct => ProxySettings::Direct,
        ProxyChoice::Through(address) => ProxySettings::Through(address.clone()),
    }
}
