//! The configuration without a file: what the environment alone makes (SPEC 4.4), in the form of a
//! file, so that it is checked like one.

use serde_json::Value;

use super::errors::{Errors, Problem, Spot};
use super::vendors::VENDORS;
use super::{Overrides, url};
use crate::base::env::Env;
use crate::base::object::{Object, object};

/// The configuration that the environment alone makes, in the form of a file, with the variables
/// it was made of; `None` when something is missing, which is noted.
pub(super) fn file(env: &Env, overrides: &Overrides, errors: &mut Errors) -> Option<(Value, Vec<String>)> {
    match preset(env, errors) {
        Preset::Whole(config, variables) => return Some((config, variables)),
        Preset::Partial => return None,
        Preset::Absent => {}
    }
    let mut variables = Vec::new();
    let mut providers = Object::default();
    let mut models = Object::default();
    for vendor in &VENDORS {
        let Some(variable) = vendor.variables.iter().find(|name| env.var(name).is_some()) else {
            continue;
        };
        let protocols: Vec<_> = vendor.protocols.iter().map(|p| p.name()).collect();
        let provider = object! {
            "protocol": protocols, "base_url": vendor.base_url, "api_key_env": *variable,
        };
        providers.put(vendor.name, provider);
        variables.push((*variable).to_owned());
        for pattern in vendor.patterns {
            models.put(pattern, format!("{}/*", vendor.name));
        }
    }
    if overrides.local {
        providers.put("ollama", ollama(env, errors)?);
        let source = if env.var("OLLAMA_HOST").is_some() { "OLLAMA_HOST" } else { "--local" };
        variables.push(source.to_owned());
    }
    if providers.is_empty() {
        errors.push(&Spot::outside_whole(), Problem::NoProvider, None);
        return None;
    }
    if providers.len() == 1 {
        // Every name goes to the only provider (SPEC 5.2).
        models = Object::default();
    }
    Some((object! {"version": 1, "providers": providers, "models": models}.into(), variables))
}

fn ollama(env: &Env, errors: &mut Errors) -> Option<Object> {
    // Read as ollama's own programs do: a scheme brings its port, and a port alone is this machine's.
    let given = env.var("OLLAMA_HOST").unwrap_or("127.0.0.1");
    let address = match given.strip_prefix(':') {
        _ if given.contains("://") => given.to_owned(),
        Some(port) if !port.starts_with(':') => format!("http://127.0.0.1:{port}"),
        _ => format!("http://{given}"),
    };
    let Ok(read) = url::Url::parse(&address) else {
        let spot = Spot::outside("OLLAMA_HOST", given);
        errors.refuse(&spot, "must be a host, host:port or URL such as 127.0.0.1:11434");
        return None;
    };
    let host = match read.host {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let port = read.port.unwrap_or_else(|| match given.split_once("://") {
        None => 11434,
        Some(("https", _)) => 443,
        Some(_) => 80,
    });
    let base_url = format!("{}://{host}:{port}{}/v1", read.scheme, read.path);
    Some(object! {"protocol": "openai-chat", "base_url": base_url})
}

enum Preset {
    Absent,
    /// Some of its variables are set; noted.
    Partial,
    Whole(Value, Vec<String>),
}

const PRESET_MODEL: &str = "PRESET_ENDPOINT_MODEL";
const PRESET_KEY: &str = "PRESET_ENDPOINT_API_KEY";

/// A side of the preset: its name, its protocol, the variable of its address.
const PRESET_SIDES: [(&str, &str, &str); 2] = [
    ("openai", "openai-chat", "PRESET_OPENAI_ENDPOINT_BASE_URL"),
    ("anthropic", "anthropic", "PRESET_ANTHROPIC_ENDPOINT_BASE_URL"),
];

/// The `neutral` preset: one model behind one or two addresses, each in its own protocol.
fn preset(env: &Env, errors: &mut Errors) -> Preset {
    let is_set = |name: &&str| env.var(name).is_some();
    let (mut set, mut missing): (Vec<_>, Vec<_>) = [PRESET_MODEL, PRESET_KEY].into_iter().partition(is_set);
    let addresses = PRESET_SIDES.map(|(_, _, variable)| variable);
    let given: Vec<_> = addresses.into_iter().filter(is_set).collect();
    if given.is_empty() {
        missing.push("PRESET_OPENAI_ENDPOINT_BASE_URL or PRESET_ANTHROPIC_ENDPOINT_BASE_URL");
    }
    set.extend(given);
    if set.is_empty() {
        return Preset::Absent;
    }
    if let (Some(model), true) = (env.var(PRESET_MODEL), missing.is_empty()) {
        let variables = set.into_iter().map(str::to_owned).collect();
        return Preset::Whole(preset_file(env, model), variables);
    }
    let spot = Spot { path: set.join(", "), outside: true, ..Spot::default() };
    let missing = missing.join(" and ");
    errors.refuse(&spot, &format!("set, but the preset also needs {missing}: set it too"));
    Preset::Partial
}

fn preset_file(env: &Env, model: &str) -> Value {
    let mut providers = Object::default();
    for (side, protocol, variable) in PRESET_SIDES {
        if let Some(base_url) = env.var(variable) {
            let provider = object! {"protocol": protocol, "base_url": base_url, "api_key_env": PRESET_KEY};
            providers.put(&format!("preset-{side}"), provider);
        }
    }
    // With one address both aliases lead to it, the other one by translation.
    let only = providers.keys().next().filter(|_| providers.len() == 1);
    let mut models = Object::default();
    for (side, _, _) in PRESET_SIDES {
        let provider = only.map_or_else(|| format!("preset-{side}"), str::to_owned);
        models.put(&format!("preset-{side}-compatible"), format!("{provider}/{model}"));
    }
    object! {"version": 1, "providers": providers, "models": models}.into()
}
