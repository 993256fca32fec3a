//! `config show`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::pen;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::start::{LISTEN, LOG_LEVEL};
use crate::cli::table::{CODES, COMPAT, CONFIG, Command, DEMO, Flag, JSON, LOCAL, Row};
use crate::cli::{complain, say};
use crate::config::{self, Compat, Config, LogLevel, Overrides, Source, Words, origin, show};

pub(in crate::cli) static ROW: Row = Row {
    name: "config show",
    aliases: &[],
    summary: "the configuration in effect, keys masked",
    about: "As YAML, defaults filled in. With --origin a line for each value: where it \
            comes from (flag, environment, line of the file, default).",
    words: &[],
    rest: None,
    flags: &[&ORIGIN, &CONFIG, &LISTEN, &LOG_LEVEL, &COMPAT, &LOCAL, &DEMO, &JSON],
    codes: CODES,
    command: read,
};

static ORIGIN: Flag = Flag::switch("origin", "tell where each value comes from");

struct Show {
    origin: bool,
    config: Option<PathBuf>,
    overrides: Overrides,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let overrides = Overrides {
        listen: given.text(&LISTEN)?,
        log_level: given.text(&LOG_LEVEL)?.as_deref().and_then(LogLevel::named),
        compat: given.text(&COMPAT)?.as_deref().and_then(Compat::named),
        local: given.has(&LOCAL),
        demo: given.has(&DEMO),
        ..Overrides::default()
    };
    let (origin, json) = (given.has(&ORIGIN), given.has(&JSON));
    Ok(Box::new(Show { origin, config: given.path(&CONFIG), overrides, json }))
}

impl Command for Show {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let config = config::load(self.config.as_deref(), &env, &self.overrides)?;
        for warning in &config.warnings {
            complain(&format!("warning: {warning}"));
        }
        if config::unused_local_file(&config) {
            complain("note: ./llmgate.yaml is not in use; name it with --config");
        }
        match (self.origin, self.json) {
            (false, false) => say(show::text(&config).trim_end()),
            (false, true) => say(&show::masked(&config).to_string()),
            (true, _) => self.tell_origins(&config, &env),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Show {
    fn tell_origins(&self, config: &Config, env: &Env) {
        let text = match &config.source {
            // It was read a moment ago; if it has gone since, only its lines are missing.
            Source::File(path) => std::fs::read_to_string(path).ok(),
            Source::Environment(_) | Source::Demo => None,
        };
        let list = origin::origins(config, text.as_deref(), env, &self.overrides);
        if self.json {
            say(&pen::written(&list));
            return;
        }
        say(&format!("# from {}", config.source));
        let left: Vec<String> =
            list.iter().map(|it| format!("{}: {}", it.path, pen::written(&it.value))).collect();
        let width =
            left.iter().map(|line| line.chars().count()).filter(|width| *width < 60).max().unwrap_or(0);
        for (line, it) in left.iter().zip(&list) {
            say(&format!("{line:width$}  # {}", it.origin));
        }
    }
}
