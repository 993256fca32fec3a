//! `health`: does a llmgate answer?

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::base::clock;
use crate::base::env::Env;
use crate::cli::args::{Given, Mistake};
use crate::cli::control::{Door, running_at};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, CONFIG, Command, Flag, JSON, Row, URL};
use crate::upstream::probe;

pub(super) static ROW: Row = Row {
    name: "health",
    aliases: &[],
    summary: "tell whether a llmgate is running",
    about: "Prints `ok` when it answers.",
    words: &[],
    rest: None,
    flags: &[&URL, &WAIT, &CONFIG, &JSON],
    codes: CODES,
    command: read,
};

static WAIT: Flag = Flag::text("wait", "SECONDS", "wait so long for it (default: 0, ask once)");

/// Between two questions.
const REST: Duration = Duration::from_millis(100);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(5);

struct Health {
    url: Option<String>,
    wait: Duration,
    config: Option<PathBuf>,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let seconds = given.read::<u32>(&WAIT, "a number of seconds")?.unwrap_or(0);
    Ok(Box::new(Health {
        url: given.text(&URL)?,
        wait: Duration::from_secs(seconds.into()),
        config: given.path(&CONFIG),
        json: given.has(&JSON),
    }))
}

impl Command for Health {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let base = running_at(self.url.as_deref(), self.config.as_deref(), &env, Door::Data)?;
        let until = clock::now() + self.wait;
        let why = loop {
            let why = match probe::get(&format!("{base}/health"), None, &env, PATIENCE) {
                Ok((200, _)) => break None,
                Ok((status, _)) => format!("{base} answers {status}: that is no llmgate"),
                Err(failure) => format!("{base}: {failure}. Is llmgate running there?"),
            };
            if clock::now() >= until {
                break Some(why);
            }
            clock::rest(REST);
        };
        if self.json {
            say(&json!({"ok": why.is_none(), "url": base, "error": why}).to_string());
        }
        match why {
            None if self.json => {}
            None => say("ok"),
            Some(why) => return Err(Refusal::Failure(why)),
        }
        Ok(ExitCode::SUCCESS)
    }
}
