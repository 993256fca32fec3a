//! `run CLIENT`: the proxy inside, the client as a child in front of it (SPEC 13); `exec PROGRAM`: the
//! same for any program.
//!
//! ```text
//! options -> Ground (own configuration, or a running llmgate) -> model -> Launch (as data)
//!         -> server -> files -> child -> its end: drain, files away, one line
//! ```

mod child;
mod claude;
pub(super) mod client;
mod codex;
pub(super) mod command;
mod copilot;
pub(super) mod exec;
mod gemini;
mod ground;
mod home;
mod kilo;
mod kimi;
pub(super) mod model;
mod opencode;
mod options;
mod qwen;
mod vibe;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::clock;
use crate::base::env::Env;
use crate::cli::args::Mistake;
use crate::cli::refusal::Refusal;
use crate::cli::table::{Command, Row, Word};
use crate::cli::{complain, logging, say};
use crate::config;
use crate::observe::rotate::Rotating;
use crate::server::Server;
use child::{Ended, Signals};
use client::Client;
use command::Plan;
use ground::Ground;
use home::SessionFiles;
use options::{Options, Starts};

pub(super) static ROW: Row = Row {
    name: "run",
    aliases: &[],
    summary: "start a coding agent with a proxy of its own",
    about: "The proxy listens on a free port of 127.0.0.1 with a random key and ends with the client. The \
            client is told of it by its environment and arguments alone: your own files of it are never \
            changed, and it does not see your providers' keys. Logs are in $XDG_STATE_HOME/llmgate/logs as \
            long as the session runs, and longer when it fails.",
    words: &[Word { name: "CLIENT", help: "the agent", optional: false, one_of: client::NAMES }],
    rest: Some("what follows is passed on to the client as it is"),
    flags: options::FLAGS,
    codes: CODES,
    command: |given| read(options::of_run(given)),
};

/// The exit codes of `run` and `exec`.
const CODES: &[(&str, &str)] = &[
    ("0", "it ended with 0"),
    ("1", "llmgate failed"),
    ("2", "wrong words on the command line, an invalid configuration, or no model"),
    ("127", "it is not installed"),
    ("128+n", "signal n ended it"),
    ("any other", "its own"),
];

fn read(options: Result<Options, Mistake>) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(options?))
}

impl Command for Options {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        session(&self, env).map(ExitCode::from)
    }
}

/// What is started, with the model that it is told of.
enum Chosen {
    Client(&'static Client, String),
    Program(Option<String>),
}

/// One session, from the options to the exit code of what was started.
fn session(options: &Options, env: Env) -> Result<u8, Refusal> {
    let own = match &options.env_file {
        Some(file) => options::variables(file)?,
        None => Vec::new(),
    };
    let env = env.with(own.clone());
    let workspace = workspace(options)?;
    let state = env.state_dir().ok_or_else(|| Refusal::Failure(NO_STATE.to_owned()))?;
    let mut ground = Ground::find(options, &env)?;
    let program = command::find(options.starts.program(), &env).ok_or_else(|| options.starts.missing())?;
    let chosen = match &options.starts {
        Starts::Client(client) => Chosen::Client(client, ground.model(client, options, &env)?),
        Starts::Program(_) => Chosen::Program(ground.model_of_program(options)?),
    };
    let log = if options.print { None } else { Some(Log::begin(&state, options, ground.log())?) };
    let server = if options.print { None } else { ground.serve(options, &env)? };

    let files = SessionFiles::place(&state);
    let launch = match &chosen {
        Chosen::Program(model) => exec::launch(&ground.url, &ground.key, model.as_deref()),
        Chosen::Client(client, model) => {
            let known = ground.known(model);
            (client.prepare)(&client::Session {
                url: &ground.url,
                key: &ground.key,
                model: &known.card,
                listed: &known.listed,
                hosts: &known.hosts,
                resolves: &|name| ground.resolves(name),
                workspace: &workspace,
                dangerous: options.dangerous,
                home: &options.home.of(client, &state, &files),
                files: &files,
                env: &env,
            })
        }
    };
    for note in ground.notes().iter().chain(&launch.notes) {
        complain(&format!("note: {note}"));
    }
    let plan = Plan::new(options, &env, ground.config(), &own, launch);
    if options.print {
        say(&plan.shown(&program, &workspace, &ground.key));
        return Ok(0);
    }
    let code = play(&plan, &program, &workspace, files, options.grace);
    if let Some(server) = &server {
        server.drain();
        tell(server);
    }
    if let Some(log) = log {
        log.end(options.keep_logs, &code);
    }
    code
}

const NO_STATE: &str = "there is no place for files: set HOME or XDG_STATE_HOME";

/// Files, the client, files away.
fn play(
    plan: &Plan,
    program: &Path,
    workspace: &Path,
    files: PathBuf,
    grace: Duration,
) -> Result<u8, Refusal> {
    let failed = |what: &str, error: std::io::Error| Refusal::Failure(format!("{what}: {error}"));
    // Before the first file, so that no signal leaves one behind.
    let signals = Signals::catch().map_err(|error| failed("cannot handle signals", error))?;
    let shown = files.display().to_string();
    let kept = SessionFiles::make(files).map_err(|error| failed(&shown, error))?;
    home::lay(&plan.launch).map_err(|error| failed("cannot write the session's files", error))?;
    let ended = child::run(plan.command(program, workspace), &signals, grace)
        .map_err(|error| failed(&program.display().to_string(), error))?;
    drop(kept);
    Ok(match ended {
        Ended::Status(status) => child::code(status),
        Ended::BeforeStart(signal) => 128 + u8::try_from(signal).unwrap_or(0),
    })
}

/// Where the client works.
fn workspace(options: &Options) -> Result<PathBuf, Refusal> {
    let asked = options.workspace.as_deref().unwrap_or_else(|| Path::new("."));
    match asked.canonicalize() {
        Ok(path) if path.is_dir() => Ok(path),
        Ok(_) => Err(Refusal::Usage(format!("--workspace {}: it is no directory", asked.display()))),
        Err(error) => Err(Refusal::Usage(format!("--workspace {}: {error}", asked.display()))),
    }
}

/// What the session came to, for who sits at the terminal.
fn tell(server: &Server) {
    let live = server.live();
    let spent = live.health.spent(clock::millis()).session;
    // A session of which no price is known costs an unknown sum, not nothing.
    let cost = (spent.usd > 0.0 || spent.unpriced == 0).then_some(spent.usd);
    let line = live.sinks.tally.sums().line(cost);
    log::info!("session: {line}");
    if std::io::stderr().is_terminal() {
        complain(&format!("llmgate: {line}"));
    }
}

/// The log of one session, a file of its own: the client's screen owns the terminal.
struct Log(PathBuf);

impl Log {
    fn begin(state: &Path, options: &Options, log: config::Log) -> Result<Self, Refusal> {
        let now = clock::rfc3339(clock::wall()).replace(':', "");
        let name = format!("run-{}-{now}-{}.log", options.starts.name(), std::process::id());
        let path = state.join("logs").join(name);
        logging::to_file(&log, &path).map_err(|error| Refusal::of_file(&path, &error))?;
        Ok(Self(path))
    }

    /// It is kept when something went wrong, and where that is wanted.
    fn end(self, keep: bool, code: &Result<u8, Refusal>) {
        if matches!(code, Ok(0)) && !keep {
            for file in Rotating::all(&self.0) {
                // One that cannot be removed harms nobody.
                let _ = std::fs::remove_file(file);
            }
        } else if std::io::stderr().is_terminal() || code.is_err() {
            complain(&format!("llmgate: the log is in {}", self.0.display()));
        }
    }
}
