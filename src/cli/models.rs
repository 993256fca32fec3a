//! `models`: the names that clients see, of a running llmgate or of a configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::env::Env;
use crate::base::object::object;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, CONFIG, Command, DEMO, Flag, JSON, LOCAL, Row, URL as CONFIGURED};
use crate::cli::{columns, complain, say};
use crate::config::{self, Overrides};
use crate::protocol::Protocol;
use crate::protocol::listing::{self, ListQuery, ModelCard};
use crate::server::models;
use crate::upstream::probe;

pub(super) static ROW: Row = Row {
    name: "models",
    aliases: &[],
    summary: "the names that clients see",
    about: "A table of the configuration's names, or with --url of those of a running llmgate. Patterns are \
            no names. A client key, where one is needed, is taken from LLMGATE_KEY.",
    words: &[],
    rest: None,
    flags: &[&URL, &CATALOG, &CONFIG, &LOCAL, &DEMO, &JSON],
    codes: CODES,
    command: read,
};

static URL: Flag = Flag { help: "a running llmgate (default: none, the configuration)", ..CONFIGURED };

static CATALOG: Flag = Flag::path(
    "codex-catalog",
    "F",
    "write them as a catalogue for Codex (`model_catalog_json`) into this file; - is stdout",
);

const NOTHING_TO_LIST: &str = "no names are listed, and Codex does not start with an empty catalogue: give a name \
                               without * under `models:`, such as `models: {coding: provider/model}`";

const PATIENCE: Duration = Duration::from_secs(10);

struct Models {
    url: Option<String>,
    catalog: Option<PathBuf>,
    config: Option<PathBuf>,
    overrides: Overrides,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Models {
        url: given.text(&URL)?,
        catalog: given.path(&CATALOG),
        config: given.path(&CONFIG),
        overrides: Overrides { local: given.has(&LOCAL), demo: given.has(&DEMO), ..Overrides::default() },
        json: given.has(&JSON),
    }))
}

impl Command for Models {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let cards = match &self.url {
            Some(url) => of_running(url, env.var("LLMGATE_KEY"), &env, PATIENCE)?,
            None => models::cards(&config::load(self.config.as_deref(), &env, &self.overrides)?),
        };
        self.tell(&cards)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Models {
    fn tell(&self, cards: &[ModelCard]) -> Result<(), Refusal> {
        match &self.catalog {
            // Codex ends at start when its catalogue is empty.
            Some(_) if cards.is_empty() => return Err(Refusal::Failure(NOTHING_TO_LIST.to_owned())),
            Some(file) if file == Path::new("-") => say(&listing::codex_catalogue(cards)),
            Some(file) => {
                let text = format!("{}\n", listing::codex_catalogue(cards));
                fs::write(file, text).map_err(|error| Refusal::of_file(file, &error))?;
                let (file, models) = (file.display().to_string(), cards.len());
                say(&match self.json {
                    true => object! {"path": file, "models": models}.to_string(),
                    false => format!("{file}: {models} models"),
                });
            }
            None if self.json => {
                say(&Protocol::OpenaiChat.codec().model_list(cards, &ListQuery::default()));
            }
            None if cards.is_empty() => {
                complain("no names are listed: clients may use patterns and provider/model")
            }
            None => say(table(cards).trim_end()),
        }
        Ok(())
    }
}

/// The names that a running llmgate lists, with what it tells of them.
///
/// # Errors
/// It does not tell them.
pub(super) fn of_running(
    base: &str,
    key: Option<&str>,
    env: &Env,
    limit: Duration,
) -> Result<Vec<ModelCard>, Refusal> {
    let base = base.trim_end_matches('/');
    let said = match probe::get(&format!("{base}/openai/v1/models"), key, env, limit) {
        Ok((200, body)) => match listing::cards(&body) {
            Some(cards) => return Ok(cards),
            None => format!("{base} answered something that is no list of models"),
        },
        Ok((401 | 403, _)) => format!("{base} refuses the key: set LLMGATE_KEY to one of its client keys"),
        Ok((status, _)) => format!("{base} answered {status} when asked for its models"),
        Err(failure) => format!("{base}: {failure}. Is llmgate running there?"),
    };
    Err(Refusal::Failure(said))
}

fn table(cards: &[ModelCard]) -> String {
    let heads = ["MODEL", "TARGET", "CONTEXT", "OUTPUT", "INPUT"].map(str::to_owned).to_vec();
    columns(&std::iter::once(heads).chain(cards.iter().map(row)).collect::<Vec<_>>())
}

fn row(card: &ModelCard) -> Vec<String> {
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let target = match (&card.upstream_name, &card.upstream_model) {
        (Some(provider), Some(model)) => format!("{provider}/{model}"),
        (Some(_) | None, Some(_) | None) => "?".to_owned(),
    };
    let input = card.input.as_ref().map_or_else(|| "?".to_owned(), |input| input.join(","));
    vec![card.id.clone(), target, count(card.context_window), count(card.max_output_tokens), input]
}
