//! A configuration file: any text is a configuration or a list of errors; neither tells a secret;
//! what is shown of one that was taken is one again. What is made of another tool's file can be read.

use std::path::Path;
use std::sync::Arc;

use llmgate::base::clock::Millis;
use llmgate::base::env::Env;
use llmgate::config::import::import;
use llmgate::config::{self, ClientAuth, Config, ConfigErrors, Overrides, Problem, ProxyChoice, show};
use llmgate::protocol::Protocol;
use llmgate::route::explain::NameOnly;
use llmgate::route::health::Health;
use llmgate::route::planning::{Moment, Purpose};
use llmgate::route::snapshot::Snapshot;
use serde_json::Value;

/// The value of every variable.
const SECRET: &str = "k-fuzz-secret-5f0e7d3c9b";

/// The bytes are the file; what is no UTF-8 is refused before.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    imported(text);
    match read(text) {
        Err(errors) => {
            assert!(!errors.list.is_empty());
            let told = errors.to_string();
            assert!(!told.contains(SECRET) || text.contains(SECRET), "{told}");
        }
        Ok(config) => {
            // Of a disabled provider what was not expanded cannot be shown.
            if config.providers.iter().all(|provider| provider.enabled) {
                again(&config);
            }
            planned(config);
        }
    }
}

fn read(text: &str) -> Result<Config, ConfigErrors> {
    let names = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "KEY", "A", "B"];
    let env = Env::of(names.map(|name| (name, SECRET)));
    config::from_text(text, Path::new("c.yaml"), &env, &Overrides::default())
}

/// Values may be wrong that were wrong there; the form is ours.
fn imported(text: &str) {
    let Ok(imported) = import(text, None) else { return };
    let errors = read(&imported.yaml).err().map(|errors| errors.list).unwrap_or_default();
    for error in errors {
        let is_of_form = matches!(
            error.problem,
            Problem::Syntax(_) | Problem::SecondDocument | Problem::DuplicateKey | Problem::UnknownKey
        );
        assert!(!is_of_form, "{error}\n{}", imported.yaml);
    }
}

fn again(config: &Config) {
    let shown = show::text(config);
    let met = read(&shown).unwrap_or_else(|errors| panic!("{errors}\n{shown}"));
    let (met, meant) = (stable(&met), stable(config));
    let other = meant.as_object().into_iter().flatten().find(|(name, value)| met.get(name) != Some(value));
    assert!(met == meant, "{other:?} became {:?}\n{shown}", other.and_then(|(name, _)| met.get(name)));
    for secret in config.secrets() {
        // One that is a common word may stand somewhere else.
        if secret.expose() == SECRET {
            assert!(!shown.contains(SECRET) || !is_only_a_key(config), "{shown}");
        }
    }
}

/// Does the secret stand in places of keys only?
fn is_only_a_key(config: &Config) -> bool {
    let mut rest = config.clone();
    if let ClientAuth::ProxyKey(keys) = &mut rest.client_auth {
        keys.clear();
    }
    rest.usage.hook = None;
    for provider in &mut rest.providers {
        provider.key = None;
        provider.headers.clear();
        provider.proxy = ProxyChoice::Direct;
    }
    !show::masked(&rest).to_string().contains(SECRET)
}

/// What is shown, but for the file's name, its warnings, and keys, of which a part is shown.
fn stable(config: &Config) -> Value {
    fn clear(value: &mut Value) {
        match value {
            Value::String(text) if text.contains("***") => *value = Value::Null,
            Value::Array(list) => list.iter_mut().for_each(clear),
            Value::Object(map) => map.values_mut().for_each(clear),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut shown = show::masked(config);
    clear(&mut shown);
    for name in ["source", "warnings"] {
        shown.as_object_mut().expect("an object").remove(name);
    }
    shown
}

/// Every name can be asked for.
fn planned(config: Config) {
    let (config, health) = (Arc::new(config), Health::default());
    let snapshot = Snapshot::new(Arc::clone(&config));
    let names = config.models.iter().map(|route| route.alias.to_string());
    for name in names.map(Some).chain([None]) {
        let question = NameOnly { name: name.as_deref(), protocol: Protocol::OpenaiChat };
        let now = Millis(1_794_999_330_000);
        let mut moment = Moment { health: &health, now, draw: &mut || 0.5, purpose: Purpose::Serve };
        let Ok(plan) = snapshot.plan(&question, &mut moment) else { continue };
        for candidate in &plan.candidates {
            let _ = health.enter(candidate, now, &config).map(drop);
            let _ = health.hold(candidate, u64::MAX, now).map(drop);
        }
    }
}
