//! `doctor`: what stands between a configuration and an answer, one line a check.

mod client;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "redis")]
use crate::base::clock;
use crate::base::env::Env;
use crate::base::object::list;
use crate::base::os;
use crate::cli::args::{Given, Mistake};
use crate::cli::finding::{Finding, State, tell, worst};
use crate::cli::inspect::{Wish, inspect};
use crate::cli::refusal::Refusal;
use crate::cli::run::client::{Client, NAMES, named};
use crate::cli::table::{CODES, CONFIG, Command, DEMO, Flag, JSON, LOCAL, Row};
use crate::cli::{FAILURE, USAGE, say};
use crate::config::{self, Config, Overrides, Provider};
use crate::gateway::live::Live;
#[cfg(feature = "redis")]
use crate::state::{Delta, RedisStore, StateStore};
use crate::upstream::probe;

pub(super) static ROW: Row = Row {
    name: "doctor",
    aliases: &[],
    summary: "look for what is wrong, and say what to do",
    about: "One line a check: configuration, environment, port; for each provider DNS, TLS, key, protocol, model, \
            stream (one question for its models and one request of one token); with --client the client's version, \
            and whether it takes our catalogue.",
    words: &[],
    rest: None,
    flags: &[&OFFLINE, &CLIENT, &CONFIG, &LOCAL, &DEMO, &JSON],
    codes: CODES,
    command: read,
};

static OFFLINE: Flag = Flag::switch("offline", "ask no provider");
static CLIENT: Flag = Flag::one_of("client", "CLIENT", NAMES, "look at this coding agent, too");

/// For one question.
const PATIENCE: Duration = Duration::from_secs(10);

struct Doctor {
    offline: bool,
    client: Option<&'static Client>,
    config: Option<PathBuf>,
    overrides: Overrides,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Doctor {
        offline: given.has(&OFFLINE),
        client: given.text(&CLIENT)?.as_deref().and_then(named),
        config: given.path(&CONFIG),
        overrides: Overrides { local: given.has(&LOCAL), demo: given.has(&DEMO), ..Overrides::default() },
        json: given.has(&JSON),
    }))
}

impl Command for Doctor {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let mut told = Vec::new();
        let config = config::load(self.config.as_deref(), &env, &self.overrides);
        let is_config = config.is_ok();
        // Each group is told as soon as it is known: providers take their time.
        let mut add = |found: Vec<Finding>| {
            if !self.json {
                tell(&found);
            }
            told.extend(found);
        };
        match config {
            Err(errors) => {
                let next = "mend these, then run `llmgate config validate`";
                add(vec![Finding::fail("configuration", errors.to_string(), next), environment(&env)]);
            }
            Ok(config) => {
                let mut found = configuration(&config);
                found.extend([environment(&env), port(&config, &env)]);
                add(found);
                if !self.offline {
                    add(shared_state(&config).into_iter().collect());
                }
                match Live::new(Arc::new(config), &env, None) {
                    Ok(live) if !self.offline => providers(&live, &mut add),
                    Ok(_) => {}
                    Err(failure) => {
                        let next = "check tls.ca_file, SSL_CERT_FILE and the addresses of proxies";
                        add(vec![Finding::fail("connections", failure.to_string(), next)]);
                    }
                }
            }
        }
        if let Some(client) = self.client {
            add(client::findings(client, &env));
        }
        if self.json {
            say(&list(told.iter().map(Finding::object).collect()));
        }
        Ok(match worst(&told) {
            _ if !is_config => ExitCode::from(USAGE),
            State::Fail => ExitCode::from(FAILURE),
            State::Ok | State::Warn => ExitCode::SUCCESS,
        })
    }
}

fn providers(live: &Live, add: &mut impl FnMut(Vec<Finding>)) {
    let wish = Wish { model: None, stream: true, asks: true, limit: PATIENCE };
    for provider in live.config().providers.iter().filter(|provider| provider.enabled) {
        let name = |check: &str| format!("{} {check}", provider.name);
        let dns = dns(live, provider, name("dns"));
        let found = dns.as_ref().is_none_or(|finding| finding.state != State::Fail);
        let mut findings: Vec<Finding> = dns.into_iter().collect();
        if found {
            findings.extend(inspect(live, provider, wish).findings(&name, wish));
        }
        add(findings);
    }
}

fn configuration(config: &Config) -> Vec<Finding> {
    let (providers, models) = (config.providers.len(), config.models.len());
    let said = format!("{}: {providers} providers, {models} models", config.source);
    let mut found = vec![Finding::ok("configuration", said)];
    for warning in &config.warnings {
        found.push(Finding::warn("configuration", warning, "see `llmgate config show --origin`"));
    }
    if config::unused_local_file(config) {
        let next = "name it with --config, if it is meant";
        found.push(Finding::warn("configuration", "./llmgate.yaml is not in use", next));
    }
    found
}

/// Is the server there that machines share state through?
#[cfg(feature = "redis")]
fn shared_state(config: &Config) -> Option<Finding> {
    let url = config.state.url.as_ref().filter(|_| config.state.store == config::Store::Redis)?;
    let store = RedisStore::new(url.clone(), config.state.ttl);
    Some(match store.exchange(&Delta::default(), clock::millis()) {
        Ok(_) => Finding::ok("state", format!("redis at {} answers", store.server())),
        Err(error) => {
            let next = "start that server, or correct state.url; requests are answered without it, too";
            Finding::warn("state", error.to_string(), next)
        }
    })
}

/// A file needs no look: it is made when it is needed.
#[cfg(not(feature = "redis"))]
fn shared_state(_config: &Config) -> Option<Finding> {
    None
}

/// Variables that change what happens, or what clients do.
fn environment(env: &Env) -> Finding {
    const OURS: [&str; 6] = [
        "LLMGATE_CONFIG",
        "LLMGATE_LISTEN",
        "LLMGATE_LOG",
        "LLMGATE_COMPAT",
        "LLMGATE_AUTH_MODE",
        "LLMGATE_KEY",
    ];
    const PROXIES: [&str; 6] =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let set = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| env.var(name).is_some()).collect()
    };
    let (ours, proxies) = (set(&OURS), set(&PROXIES));
    let direct = env.var("NO_PROXY").or_else(|| env.var("no_proxy")).unwrap_or_default();
    let covers = direct.split(',').map(str::trim).any(|host| ["*", "127.0.0.1", "localhost"].contains(&host));
    if !proxies.is_empty() && !covers {
        let said = format!("{} is set, and NO_PROXY does not hold 127.0.0.1", proxies.join(", "));
        let next = "clients may look for llmgate behind that proxy: add 127.0.0.1,localhost to NO_PROXY (`llmgate \
                    run` does it)";
        return Finding::warn("environment", said, next);
    }
    let all: Vec<&str> = ours.into_iter().chain(proxies).collect();
    let said = if all.is_empty() {
        "nothing that changes settings".to_owned()
    } else {
        format!("set: {}", all.join(", "))
    };
    Finding::ok("environment", said)
}

/// Can llmgate listen, or does it already?
fn port(config: &Config, env: &Env) -> Finding {
    let listen = &config.listen;
    let addresses: Vec<SocketAddr> = match listen.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return Finding::fail(
                "port",
                format!("{listen}: {error}"),
                "set `listen` to an address of this machine",
            );
        }
    };
    for address in addresses {
        let Err(error) = os::listen(address, 1) else { continue };
        if os::is_absent(&error) {
            continue;
        }
        if error.kind() != std::io::ErrorKind::AddrInUse {
            let next = "set `listen` to another address, or start with --listen";
            return Finding::fail("port", format!("{address}: {error}"), next);
        }
        let hello = probe::get(&format!("http://{address}/"), None, env, Duration::from_secs(2));
        return match hello {
            Ok((200, body)) if body.contains("\"llmgate\"") => {
                Finding::ok("port", format!("a llmgate listens on {address}"))
            }
            Ok(_) | Err(_) => {
                let next = "stop that program, or set `listen` to another port (0: any free one)";
                Finding::fail("port", format!("{address} is in use by another program"), next)
            }
        };
    }
    if listen.ends_with(":0") {
        return Finding::ok("port", format!("{listen}: any free one"));
    }
    Finding::ok("port", format!("{listen} is free"))
}

/// Is the host's name known? Not asked where an address is written or a proxy looks it up.
fn dns(live: &Live, provider: &Provider, check: String) -> Option<Finding> {
    let host = provider.host();
    let agent = live.agent(&provider.name)?;
    if agent.is_demo() || host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    if agent.has_proxy() {
        return Some(Finding::ok(check, format!("{host} is looked up by the proxy")));
    }
    Some(match probe::look_up(&provider.base_url, PATIENCE) {
        Ok(addresses) => {
            let shown: Vec<String> = addresses.iter().take(3).map(ToString::to_string).collect();
            Finding::ok(check, format!("{host}: {}", shown.join(", ")))
        }
        Err(failure) => {
            let next = format!(
                "check the host in providers.{}.base_url, and this machine's network and DNS",
                provider.name
            );
            Finding::fail(check, failure.to_string(), next)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_lead_clients_astray_are_told() {
        for (set, state, words) in [
            (&[][..], State::Ok, "nothing that changes settings"),
            (&[("LLMGATE_LOG", "debug"), ("PORT", "1")], State::Ok, "set: LLMGATE_LOG"),
            (&[("https_proxy", "http://p")], State::Warn, "https_proxy is set, and NO_PROXY does not hold"),
            (&[("HTTP_PROXY", "http://p"), ("NO_PROXY", "corp,127.0.0.2")], State::Warn, "HTTP_PROXY is set"),
            (&[("HTTP_PROXY", "http://p"), ("NO_PROXY", "corp, localhost")], State::Ok, "set: HTTP_PROXY"),
            (&[("ALL_PROXY", "http://p"), ("no_proxy", "127.0.0.1")], State::Ok, "set: ALL_PROXY"),
            (
                &[("LLMGATE_KEY", "k"), ("ALL_PROXY", "p"), ("NO_PROXY", "*")],
                State::Ok,
                "set: LLMGATE_KEY, ALL_PROXY",
            ),
        ] {
            let found = environment(&Env::of(set.iter().copied()));
            assert!(found.state == state && found.said.starts_with(words), "{set:?}: {found:?}");
        }
    }
}
