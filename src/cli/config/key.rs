//! `config key`: a new key for clients.

use std::process::ExitCode;

use serde_json::json;

use crate::base::chance;
use crate::base::env::Env;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, Command, Flag, JSON, Row};

pub(in crate::cli) static ROW: Row = Row {
    name: "config key",
    aliases: &[],
    summary: "make a key for clients",
    about: "`gw_` and random bytes in base64url, for client_auth.keys or LLMGATE_KEY.",
    words: &[],
    rest: None,
    flags: &[&BYTES, &JSON],
    codes: CODES,
    command: read,
};

static BYTES: Flag = Flag::text("bytes", "N", "how many random bytes (default: 32, at least 24)");

const LEAST: usize = 24;
const MOST: usize = 1024;

struct Key {
    bytes: usize,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let takes = "must be a number from 24 to 1024";
    let bytes = given.read(&BYTES, takes)?.unwrap_or(32);
    if !(LEAST..=MOST).contains(&bytes) {
        return Err(Mistake::Value("--bytes".to_owned(), bytes.to_string(), takes.to_owned()));
    }
    Ok(Box::new(Key { bytes, json: given.has(&JSON) }))
}

impl Command for Key {
    fn run(self: Box<Self>, _env: Env) -> Result<ExitCode, Refusal> {
        // The one place that is asked to show a key.
        match chance::key_of(self.bytes) {
            Some(key) if self.json => say(&json!({"key": key.expose()}).to_string()),
            Some(key) => say(key.expose()),
            None => {
                return Err(Refusal::Failure("the system has no random bytes for a key".to_owned()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
