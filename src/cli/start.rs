//! `start`: the proxy as a process of its own.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};
use serde_json::json;

use crate::base::clock;
use crate::base::env::Env;
use crate::cli::args::Start;
use crate::cli::config::source;
use crate::cli::{FAILURE, USAGE, complain, say};
use crate::config::{self, Config, LogLevel, Overrides};
use crate::server::{Server, Setup};

/// How often the parent is looked at.
const PARENT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(options: &Start, env: Env) -> ExitCode {
    // First of all: a parent that has gone by the time it is asked for is never missed.
    let parent = parent_id();
    let overrides = Overrides {
        listen: options.listen.clone(),
        log_level: options.log_level,
        compat: options.compat,
        require_auth: options.require_auth,
        local: options.local,
        demo: options.demo,
    };
    let config = match config::load(options.config.as_deref(), &env, &overrides) {
        Ok(config) => config,
        Err(errors) => {
            complain(&errors.to_string());
            return ExitCode::from(USAGE);
        }
    };
    log_to_stderr(config.log.level);
    for warning in &config.warnings {
        complain(&format!("warning: {warning}"));
    }
    // Before the first thread is made, so that every thread inherits how signals are handled.
    let signals = match signals() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("cannot handle signals: {error}"));
            return ExitCode::from(FAILURE);
        }
    };
    let setup = Setup { env, overrides, watch: !options.no_watch };
    let server = match Server::start(config, setup) {
        Ok(server) => server,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(FAILURE);
        }
    };
    let live = server.live();
    greet(live.config(), &server);
    if let Some(file) = &options.ready_file
        && let Err(error) = write_ready_file(file, live.config(), &server)
    {
        complain(&format!("{}: {error}", file.display()));
        return ExitCode::from(FAILURE);
    }
    drop(live);
    wait(&server, &signals, options.exit_with_parent.then_some(parent));
    server.drain();
    ExitCode::SUCCESS
}

/// Until somebody asks for the end.
fn wait(server: &Server, signals: &Receiver<()>, parent: Option<u32>) {
    let tick =
        if parent.is_some() { crossbeam_channel::tick(PARENT_INTERVAL) } else { crossbeam_channel::never() };
    loop {
        select! {
            recv(signals) -> _ => return,
            recv(server.stop_asked()) -> _ => return,
            recv(tick) -> _ => {
                if parent.is_some_and(|parent| parent != parent_id()) {
                    log::info!("the parent process has ended");
                    return;
                }
            }
        }
    }
}

fn greet(config: &Config, server: &Server) {
    for address in server.addresses() {
        say(&format!("listening on http://{address}"));
    }
    say(&format!("configuration: {}", source(&config.source)));
    if config::unused_local_file(config) {
        say("note: ./llmgate.yaml is not in use; name it with --config");
    }
    let names = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let providers = config.providers.iter().filter(|provider| provider.enabled);
    say(&format!("providers: {}", names(providers.map(|provider| provider.name.as_str()).collect())));
    let aliases = config.models.iter().filter(|route| route.enabled);
    say(&format!("models: {}", names(aliases.map(|route| route.alias.as_str()).collect())));
}

/// Written beside and renamed into place, so that a reader sees all of it or nothing.
fn write_ready_file(file: &Path, config: &Config, server: &Server) -> std::io::Result<()> {
    let url = server.addresses().first().map(|address| format!("http://{address}"));
    let facts = json!({
        "url": url, "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"),
        "config": source(&config.source),
    });
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut out = fs::File::create(&beside)?;
    writeln!(out, "{facts}")?;
    drop(out);
    fs::rename(&beside, file)
}

/// Only our own lines: what ureq and rustls say at debug level may hold headers.
fn log_to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Debug => log::LevelFilter::Debug,
        LogLevel::Info => log::LevelFilter::Info,
        LogLevel::Warn => log::LevelFilter::Warn,
        LogLevel::Error => log::LevelFilter::Error,
    };
    let mut builder = env_logger::Builder::new();
    builder.filter_module("llmgate", level).format(|out, record| {
        let level = record.level().as_str().to_lowercase();
        writeln!(out, "{} {level} {}", clock::rfc3339(clock::wall()), record.args())
    });
    // A logger that is there already (a test's) stays.
    let _ = builder.try_init();
}

/// A message for the first INT or TERM; the second one ends the process at once.
#[cfg(unix)]
fn signals() -> std::io::Result<Receiver<()>> {
    use std::sync::atomic::AtomicBool;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    let armed = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&armed))?;
        flag::register(signal, Arc::clone(&armed))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (sender, receiver) = crossbeam_channel::bounded(1);
    std::thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024).spawn(move || {
        for _ in signals.forever() {
            // The first one is enough.
            let _ = sender.try_send(());
        }
    })?;
    Ok(receiver)
}

#[cfg(not(unix))]
fn signals() -> std::io::Result<Receiver<()>> {
    Ok(crossbeam_channel::never())
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}
