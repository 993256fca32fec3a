//! `config validate`; beside it the others of the group.

pub(super) mod add;
pub(super) mod import;
pub(super) mod key;
pub(super) mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::object::object;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, CONFIG, Command, JSON, Row};
use crate::cli::{USAGE, complain, say};
use crate::config::{self, Overrides};

pub(super) static VALIDATE: Row = Row {
    name: "config validate",
    aliases: &["config check"],
    summary: "check a configuration",
    about: "Prints `ok: N providers, M models`, or every error with its place.",
    words: &[],
    rest: None,
    flags: &[&CONFIG, &JSON],
    codes: CODES,
    command: read,
};

struct Validate {
    config: Option<PathBuf>,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Validate { config: given.path(&CONFIG), json: given.has(&JSON) }))
}

impl Command for Validate {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        Ok(validate(&self, &env))
    }
}

fn validate(options: &Validate, env: &Env) -> ExitCode {
    match config::load(options.config.as_deref(), env, &Overrides::default()) {
        Ok(config) => {
            for warning in &config.warnings {
                complain(&format!("warning: {warning}"));
            }
            if config::unused_local_file(&config) {
                complain("note: ./llmgate.yaml is not in use; name it with --config");
            }
            let (providers, models) = (config.providers.len(), config.models.len());
            if options.json {
                let told = object! {
                    "ok": true, "source": config.source.to_string(), "providers": providers,
                    "models": models, "warnings": config.warnings,
                };
                say(&told.to_string());
            } else {
                say(&format!("ok: {providers} providers, {models} models"));
            }
            ExitCode::SUCCESS
        }
        Err(errors) => {
            if options.json {
                say(&object! {"ok": false, "errors": errors.each()}.to_string());
            } else {
                complain(&errors.to_string());
            }
            ExitCode::from(USAGE)
        }
    }
}
