//! `reload`, `stop`: what a running llmgate is asked.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::host;
use crate::base::object::Object;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, CONFIG, Command, Flag, JSON, Row, URL};
use crate::config::{self, Overrides};
use crate::upstream::probe;

pub(super) static RELOAD: Row = Row {
    name: "reload",
    aliases: &[],
    summary: "make a running llmgate read its configuration again",
    about: "Prints the new revision, or every error of the file. A client key, where one is needed, is taken \
            from LLMGATE_KEY.",
    words: &[],
    rest: None,
    flags: FLAGS,
    codes: CODES,
    command: |given| read(given, Ask::Reload),
};

pub(super) static STOP: Row = Row {
    name: "stop",
    aliases: &[],
    summary: "ask a running llmgate to finish its requests and end",
    about: "Nothing is killed. A client key, where one is needed, is taken from LLMGATE_KEY.",
    words: &[],
    rest: None,
    flags: FLAGS,
    codes: CODES,
    command: |given| read(given, Ask::Stop),
};

const FLAGS: &[&Flag] = &[&URL, &READY_FILE, &CONFIG, &JSON];

pub(super) static READY_FILE: Flag = Flag::path(
    "ready-file",
    "F",
    "the file that `start --ready-file` writes: {\"url\",\"pid\",\"version\",\"config\"}",
);

/// What a running llmgate is asked, and where it is.
struct Control {
    ask: Ask,
    place: Place,
    json: bool,
}

/// Where a running llmgate is, as it was said.
pub(super) struct Place {
    config: Option<PathBuf>,
    url: Option<String>,
    ready_file: Option<PathBuf>,
}

impl Place {
    /// Reads `--url`, `--ready-file` and `--config`.
    pub(super) fn read(given: &Given) -> Result<Self, Mistake> {
        Ok(Self { config: given.path(&CONFIG), url: given.text(&URL)?, ready_file: given.path(&READY_FILE) })
    }
}

#[derive(Clone, Copy)]
enum Ask {
    Reload,
    Stop,
}

fn read(given: &Given, ask: Ask) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Control { ask, place: Place::read(given)?, json: given.has(&JSON) }))
}

impl Command for Control {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        match self.ask {
            Ask::Reload => ask(&self, &env, "/admin/reload", |body| {
                match Object::read(body).and_then(|told| told.number(&["revision"])) {
                    Some(revision) => format!("reloaded: revision {revision}"),
                    None => "reloaded".to_owned(),
                }
            }),
            Ask::Stop => ask(&self, &env, "/admin/stop", |_| "stopping".to_owned()),
        }
    }
}

fn ask(options: &Control, env: &Env, path: &str, done: fn(&str) -> String) -> Result<ExitCode, Refusal> {
    let base = base_url(&options.place, env)?;
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let (status, body) = probe::post(&url, env.var("LLMGATE_KEY")).map_err(|failure| {
        let next = "Is llmgate running there? Name another place with --url.";
        Refusal::Failure(format!("{base}: {failure}. {next}"))
    })?;
    if options.json {
        say(&body);
    }
    if (200..300).contains(&status) {
        if !options.json {
            say(&done(&body));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let said = reasons(&body).unwrap_or_else(|| format!("{base} answered {status}: {body}"));
    Err(Refusal::Failure(said))
}

/// What an error answer of a local endpoint says: a list of errors, or one message.
pub(super) fn reasons(body: &str) -> Option<String> {
    let told = Object::read(body)?;
    let list = told.texts(&["errors"]).map(|errors| errors.join("\n"));
    list.or_else(|| told.text(&["error", "message"]).map(str::to_owned))
}

/// The address of a running llmgate, without a path.
///
/// # Errors
/// It cannot be told.
pub(super) fn base_url(place: &Place, env: &Env) -> Result<String, Refusal> {
    match &place.ready_file {
        Some(file) if place.url.is_none() => url_in(file),
        Some(_) | None => running_at(place.url.as_deref(), place.config.as_deref(), env, Door::Admin),
    }
}

/// Which of its addresses is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Where clients ask.
    Data,
    /// Where the local endpoints are.
    Admin,
}

/// Where a llmgate is asked: at `--url`, else where the configuration says it listens.
///
/// # Errors
/// There is no configuration that could be read, and no URL.
pub(super) fn running_at(
    url: Option<&str>,
    config: Option<&Path>,
    env: &Env,
    door: Door,
) -> Result<String, Refusal> {
    if let Some(url) = url {
        return Ok(reachable_url(url));
    }
    let config = config::load(config, env, &Overrides::default());
    let config = config
        .map_err(|errors| Refusal::Usage(format!("{errors}\nOr name the running llmgate with --url.")))?;
    Ok(match config.access.admin_listen.filter(|_| door == Door::Admin) {
        Some(address) => format!("http://{address}"),
        None => format!("http://{}", reachable(&config.listen)),
    })
}

/// The same of a URL, such as the one that `start` tells.
fn reachable_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    match url.split_once("://") {
        Some((scheme, address)) => format!("{scheme}://{}", reachable(address)),
        None => url.to_owned(),
    }
}

/// Where a `listen` is reached, be it an address or a name.
fn reachable(listen: &str) -> String {
    listen.parse().map_or_else(|_| listen.to_owned(), |address| host::reachable(address).to_string())
}

fn url_in(file: &Path) -> Result<String, Refusal> {
    let refused = |why: &dyn Display| Refusal::Usage(format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| refused(&error))?;
    // The local endpoints may have a door of their own.
    let told = |facts: Object| facts.text(&["admin_url"]).or_else(|| facts.text(&["url"])).map(reachable_url);
    let url = Object::read(&text).and_then(told);
    url.ok_or_else(|| refused(&"it holds no `url`"))
}
