//! Health, probes and operation (SPEC 3.5).

use crate::base::clock;
use crate::base::object::{Object, object};
use crate::config::{Config, show};
use crate::gateway::explain;
use crate::gateway::inbound::parameter;
use crate::gateway::live::Live;
use crate::gateway::trouble::Trouble;
use crate::policy::breaker::CircuitState;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::{Protocol, percent_decoded};
use crate::route::explain::Told;
use crate::server::site::Site;

/// `/health`: `ok` while serving. With providers, each as its worst target, for whoever may know.
pub fn health(live: &Live, tells_providers: bool) -> String {
    if !tells_providers {
        return "{\"status\":\"ok\"}".to_owned();
    }
    let (now, config) = (clock::millis(), live.config());
    let mut providers = Object::default();
    for provider in &config.providers {
        let (state, failures) = live.health.worst(&provider.name, now, config);
        let until = match state {
            CircuitState::Open { until } => Some(until.0),
            CircuitState::Closed | CircuitState::HalfOpen => None,
        };
        providers.put(
            provider.name.as_str(),
            object! {
                "enabled": provider.enabled,
                "circuit_state": state.name(),
                "circuit_failures": failures,
                "circuit_cooldown_until": until,
            },
        );
    }
    object! {"status": "ok", "providers": providers}.to_string()
}

/// `/ready`: not while no target is enabled or the process drains.
pub fn ready(config: &Config, draining: bool) -> (u16, String) {
    let enabled = config.providers.iter().any(|provider| provider.enabled);
    match (draining, enabled) {
        (true, _) => (503, "{\"status\":\"draining\"}".to_owned()),
        (false, false) => (503, "{\"status\":\"no target is enabled\"}".to_owned()),
        (false, true) => (200, "{\"status\":\"ready\"}".to_owned()),
    }
}

/// What clients look for before they begin.
pub fn hello() -> String {
    concat!("{\"name\":\"llmgate\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}").to_owned()
}

/// `/debug/routes`: where a name leads, or every listed one (SPEC 5.6); `as=text` is for people.
///
/// # Errors
/// The name leads nowhere, or there is no such protocol.
pub fn routes(live: &Live, query: Option<&str>) -> Result<(&'static str, String), Fault> {
    let given = |name| parameter(query, name).map(percent_decoded).filter(|value| !value.is_empty());
    let protocol = match given("protocol") {
        None => Protocol::OpenaiChat,
        Some(name) => Protocol::named(&name).ok_or_else(|| {
            let known = Protocol::ALL.map(Protocol::name).join(", ");
            Fault::new(FaultKind::BadRequest, format!("There is no protocol {name:?}: it is one of {known}."))
        })?,
    };
    let told = match given("model") {
        None => Told::All(explain::of_listed(live, protocol)),
        Some(model) => {
            let told = explain::of_name(live, Some(&model), protocol);
            Told::One(Box::new(told.map_err(|unresolved| Trouble::unresolved(&unresolved).fault)?))
        }
    };
    Ok(match parameter(query, "as") {
        Some("text") => ("text/plain; charset=utf-8", told.text()),
        Some(_) | None => ("application/json", told.json()),
    })
}

/// `/admin/state`: the configuration in force, secrets masked.
pub fn state(live: &Live) -> String {
    object! {"revision": live.revision, "config": show::masked(live.config())}.to_string()
}

/// `/admin/reload`: the new revision, or 400 with all errors.
pub fn reload(site: &Site) -> (u16, String) {
    match site.reloader.reload(site) {
        Ok(revision) => (200, object! {"revision": revision}.to_string()),
        Err(error) => (400, object! {"errors": error.each()}.to_string()),
    }
}
