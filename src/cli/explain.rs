//! `route explain`: where a name or a request would go, and why (SPEC 5.6).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::base::env::Env;
use crate::base::id::RequestId;
use crate::cli::args::{Given, Mistake, alternatives};
use crate::cli::control::reasons;
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, CONFIG, Command, DEMO, Flag, JSON, LOCAL, MODEL, Row, URL as CONFIGURED};
use crate::cli::{complain, say};
use crate::config::{self, Overrides};
use crate::gateway::explain;
use crate::gateway::inbound::{Envelope, Inbound};
use crate::gateway::live::Live;
use crate::observe::log::harmless;
use crate::protocol::fault::Fault;
use crate::protocol::{Protocol, percent_encoded};
use crate::route::explain::{Explanation, Told};
use crate::upstream::probe;

pub(super) static ROW: Row = Row {
    name: "route explain",
    aliases: &[],
    summary: "where a model's name or a request would go, and why",
    about: "Candidates in order and skipped targets with their reasons, made by the code that serves requests; \
            nothing is called. With --url a running llmgate tells, with its cooldowns, breakers and buckets. \
            Without --model and --file: every listed name.",
    words: &[],
    rest: None,
    flags: &[&MODEL, &FILE, &PROTOCOL, &URL, &CONFIG, &LOCAL, &DEMO, &JSON],
    codes: CODES,
    command: read,
};

static FILE: Flag = Flag::path("file", "F", "the body of a request; its model may be named by --model");
static PROTOCOL: Flag = Flag::one_of("protocol", "P", PROTOCOLS, "the client's (default: openai-chat)");
static URL: Flag = Flag { help: "ask a running llmgate (default: none, the configuration)", ..CONFIGURED };

/// The names of the protocols.
pub(super) const PROTOCOLS: &[&str] = &["openai-chat", "openai-responses", "anthropic", "gemini"];
const PATIENCE: Duration = Duration::from_secs(10);

struct Explain {
    model: Option<String>,
    file: Option<PathBuf>,
    protocol: Protocol,
    url: Option<String>,
    config: Option<PathBuf>,
    overrides: Overrides,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Explain {
        model: given.text(&MODEL)?,
        file: given.path(&FILE),
        protocol: given.text(&PROTOCOL)?.as_deref().and_then(Protocol::named).unwrap_or(Protocol::OpenaiChat),
        url: given.text(&URL)?,
        config: given.path(&CONFIG),
        overrides: Overrides { local: given.has(&LOCAL), demo: given.has(&DEMO), ..Overrides::default() },
        json: given.has(&JSON),
    }))
}

impl Command for Explain {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let told = match &self.url {
            Some(_) if self.file.is_some() => {
                let said = "a running llmgate is asked about names only: leave --file or --url out";
                return Err(Refusal::Usage(said.to_owned()));
            }
            Some(url) => self.of_running(url, &env)?,
            None => self.printed(&self.of_configuration(&env)?),
        };
        if told.is_empty() {
            complain("no names are listed: ask for one with --model");
        } else {
            say(&told);
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Explain {
    fn printed(&self, told: &Told) -> String {
        if self.json { told.json() } else { told.text().trim_end().to_owned() }
    }

    fn of_configuration(&self, env: &Env) -> Result<Told, Refusal> {
        let config = config::load(self.config.as_deref(), env, &self.overrides)?;
        let live = Live::new(Arc::new(config), env, None)?;
        if let Some(file) = &self.file {
            let body = std::fs::read(file).map_err(|error| Refusal::of_file(file, &error))?;
            return self
                .of_request(&live, body)
                .map(|told| Told::One(Box::new(told)))
                .map_err(|fault| Refusal::Failure(in_file(file, &fault.message)));
        }
        match &self.model {
            Some(model) => explain::of_name(&live, Some(model), self.protocol)
                .map(|told| Told::One(Box::new(told)))
                .map_err(|unresolved| Refusal::Failure(unresolved.to_string())),
            None => Ok(Told::All(explain::of_listed(&live, self.protocol))),
        }
    }

    fn of_request(&self, live: &Live, body: Vec<u8>) -> Result<Explanation, Fault> {
        let envelope =
            Envelope { model: self.model.clone(), tell_all: true, ..Envelope::plain(self.protocol) };
        let inbound = Inbound::read(envelope, RequestId::random(), body)?;
        explain::of_request(live, &inbound).map_err(|trouble| trouble.fault)
    }

    fn of_running(&self, url: &str, env: &Env) -> Result<String, Refusal> {
        let base = url.trim_end_matches('/');
        let model = self.model.as_ref().map(|model| format!("&model={}", percent_encoded(model)));
        let form = if self.json { "json" } else { "text" };
        let protocol = self.protocol.name();
        let asked = format!("{base}/debug/routes?as={form}&protocol={protocol}{}", model.unwrap_or_default());
        let (status, body) = probe::get(&asked, env.var("LLMGATE_KEY"), env, PATIENCE)
            .map_err(|failure| Refusal::Failure(format!("{base}: {failure}. Is llmgate running there?")))?;
        if status != 200 {
            let said = reasons(&body).unwrap_or_else(|| format!("{base} answers {status}"));
            return Err(Refusal::Failure(said));
        }
        let lines: Vec<String> = body.trim_end().lines().map(|line| harmless(line).into_owned()).collect();
        Ok(lines.join("\n"))
    }
}

fn in_file(file: &Path, said: &str) -> String {
    let known = alternatives(PROTOCOLS);
    format!("{}: {said} Is it a request of this protocol? --protocol takes {known}.", file.display())
}
