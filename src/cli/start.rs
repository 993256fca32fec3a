//! `start`: the proxy as a process of its own.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::channel::{Receiver, RecvTimeoutError, Sender};
use crate::base::env::Env;
use crate::base::object::object;
use crate::base::os;
use crate::cli::args::{Given, Mistake};
use crate::cli::control::READY_FILE;
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, COMPAT, CONFIG, Command, DEMO, Flag, LOCAL, Row, TRACE};
use crate::cli::{complain, logging, try_say};
use crate::config::{self, Compat, Config, LogLevel, Overrides, Words};
use crate::server::{Server, Setup};

/// How often the parent is looked at.
const PARENT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) static ROW: Row = Row {
    name: "start",
    aliases: &["serve"],
    summary: "run the proxy",
    about: "Prints where it listens and what it found; logs go to stderr or `log.file`. INT or TERM ends it after its requests, \
            a second one at once.",
    words: &[],
    rest: None,
    flags: &[
        &CONFIG,
        &LISTEN,
        &READY_FILE,
        &EXIT_WITH_PARENT,
        &NO_WATCH,
        &REQUIRE_AUTH,
        &TRACE,
        &LOG_LEVEL,
        &COMPAT,
        &STATE,
        &LOCAL,
        &DEMO,
    ],
    codes: CODES,
    command: read,
};

pub(super) static LISTEN: Flag = Flag::text("listen", "ADDR", "address and port; port 0 is any free one");
static EXIT_WITH_PARENT: Flag =
    Flag::switch("exit-with-parent", "end when the process that started it has ended");
static NO_WATCH: Flag =
    Flag::switch("no-watch", "do not look at the file by itself; `llmgate reload` still works");
static REQUIRE_AUTH: Flag = Flag::switch("require-auth", "refuse to start without client_auth");
static STATE: Flag =
    Flag::path("state", "F", "keep what outlives the process in this file (default: in the state directory)");
pub(super) static LOG_LEVEL: Flag =
    Flag::one_of("log-level", "L", &["debug", "info", "warn", "error"], "how much is logged (default: info)");

struct Start {
    config: Option<PathBuf>,
    ready_file: Option<PathBuf>,
    exit_with_parent: bool,
    no_watch: bool,
    overrides: Overrides,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let overrides = Overrides {
        listen: given.text(&LISTEN)?,
        log_level: given.text(&LOG_LEVEL)?.as_deref().and_then(LogLevel::named),
        compat: given.text(&COMPAT)?.as_deref().and_then(Compat::named),
        trace: given.path(&TRACE),
        state: given.path(&STATE),
        require_auth: given.has(&REQUIRE_AUTH),
        local: given.has(&LOCAL),
        demo: given.has(&DEMO),
        ..Overrides::default()
    };
    Ok(Box::new(Start {
        config: given.path(&CONFIG),
        ready_file: given.path(&READY_FILE),
        exit_with_parent: given.has(&EXIT_WITH_PARENT),
        no_watch: given.has(&NO_WATCH),
        overrides,
    }))
}

impl Command for Start {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        start(*self, env)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn start(options: Start, env: Env) -> Result<(), Refusal> {
    // First of all: a parent that has gone by the time it is asked for is never missed.
    let parent = parent_id();
    let overrides = options.overrides;
    let config = config::load(options.config.as_deref(), &env, &overrides)?;
    logging::begin(&config.log).map_err(|error| {
        let file = config.log.file.clone().unwrap_or_default();
        Refusal::Failure(format!("`log.file` {}: {error}", file.display()))
    })?;
    for warning in &config.warnings {
        complain(&format!("warning: {warning}"));
    }
    // Before the first thread is made, so that every thread inherits how signals are handled.
    let unheard = |error| Refusal::Failure(format!("cannot handle signals: {error}"));
    let signals = Signals::catch().map_err(unheard)?;
    // Connections need files; a child of `run` would inherit it, so that only this command does it.
    os::raise_file_limit();
    let setup = Setup { env, overrides, watch: !options.no_watch };
    let server = Server::start(config, setup).map_err(|error| Refusal::Failure(error.to_string()))?;
    let live = server.live();
    greet(live.config(), &server);
    if let Some(file) = &options.ready_file {
        write_ready_file(file, live.config(), &server).map_err(|error| Refusal::of_file(file, &error))?;
    }
    drop(live);
    signals.ask(server.asks_to_stop()).map_err(unheard)?;
    wait(server.stop_asked(), options.exit_with_parent.then_some(parent));
    server.drain();
    Ok(())
}

/// Until somebody asks for the end.
fn wait(stop: &Receiver<()>, parent: Option<u32>) {
    let Some(parent) = parent else {
        stop.recv();
        return;
    };
    while stop.recv_timeout(PARENT_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        if parent != parent_id() {
            log::info!("the parent process has ended");
            return;
        }
    }
}

/// A proxy serves whether its greeting is read or not.
fn greeting(line: &str) {
    let _ = try_say(line);
}

fn greet(config: &Config, server: &Server) {
    for address in server.addresses() {
        greeting(&format!("listening on http://{address}"));
    }
    greeting(&format!("configuration: {}", config.source));
    if config::unused_local_file(config) {
        greeting("note: ./llmgate.yaml is not in use; name it with --config");
    }
    let names = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let providers = config.providers.iter().filter(|provider| provider.enabled);
    greeting(&format!("providers: {}", names(providers.map(|provider| provider.name.as_str()).collect())));
    let aliases = config.models.iter().filter(|route| route.enabled);
    greeting(&format!("models: {}", names(aliases.map(|route| route.alias.as_str()).collect())));
    if let Some(address) = server.local_addresses().first().filter(|_| config.dashboard) {
        // It answers this machine only, wherever else is listened.
        let here = if address.is_ipv4() { "127.0.0.1" } else { "[::1]" };
        greeting(&format!("dashboard: http://{here}:{}/dashboard", address.port()));
    }
}

/// Written beside and renamed into place, so that a reader sees all of it or nothing.
fn write_ready_file(file: &Path, config: &Config, server: &Server) -> std::io::Result<()> {
    let url = |addresses: &[SocketAddr]| addresses.first().map(|address| format!("http://{address}"));
    let mut facts = object! {
        "url": url(server.addresses()), "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"),
        "config": config.source.to_string(),
    };
    if config.access.admin_listen.is_some() {
        facts.put("admin_url", url(server.local_addresses()));
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut out = fs::File::create(&beside)?;
    writeln!(out, "{facts}")?;
    drop(out);
    fs::rename(&beside, file)
}

/// INT and TERM: the first one asks for the end, the second one ends the process at once.
#[cfg(unix)]
struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    /// They are caught from now on.
    fn catch() -> std::io::Result<Self> {
        use std::sync::Arc;
        use std::sync::atomic::AtomicBool;

        use signal_hook::consts::{SIGINT, SIGTERM};
        use signal_hook::flag;

        let armed = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&armed))?;
            flag::register(signal, Arc::clone(&armed))?;
        }
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map(Self)
    }

    /// Asks for the end when one comes, or came.
    fn ask(mut self, stop: Sender<()>) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name("signals".to_owned()).stack_size(64 * 1024);
        thread.spawn(move || {
            for _ in self.0.forever() {
                // The first one is enough.
                let _ = stop.try_send(());
            }
        })?;
        Ok(())
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self)
    }

    fn ask(self, _stop: Sender<()>) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}
