//! The command table: every command is a row of it. Parsing, `--help`, completions and
//! docs/COMMANDS.md are made of the rows; a new command is a file with its row and a line here.

use std::process::ExitCode;

use crate::base::env::Env;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::{
    ai_help, completions, config, control, doctor, explain, health, help, init, models, providers, replay,
    run, service, start, status, usage, version,
};

/// Every command, in the order in which they are shown.
pub(super) static COMMANDS: &[&Row] = &[
    &start::ROW,
    &run::ROW,
    &run::exec::ROW,
    &init::ROW,
    &config::VALIDATE,
    &config::show::ROW,
    &config::import::ROW,
    &config::add::PROVIDER,
    &config::add::ALIAS,
    &config::key::ROW,
    &doctor::ROW,
    &providers::ROW,
    &explain::ROW,
    &models::ROW,
    &status::ROW,
    &usage::ROW,
    &control::RELOAD,
    &control::STOP,
    &health::ROW,
    &replay::ROW,
    &service::ROW,
    &ai_help::ROW,
    &completions::ROW,
    &version::ROW,
    &help::ROW,
];

/// One command.
pub(super) struct Row {
    /// One word, or two: a group and the command in it.
    pub(super) name: &'static str,
    /// Its other names, whole.
    pub(super) aliases: &'static [&'static str],
    /// One line, for lists.
    pub(super) summary: &'static str,
    /// What more there is to say, in sentences; may be empty.
    pub(super) about: &'static str,
    /// The words it takes, in order.
    pub(super) words: &'static [Word],
    /// What stands after `--`, when something may.
    pub(super) rest: Option<&'static str>,
    /// Its options, but for `--help`.
    pub(super) flags: &'static [&'static Flag],
    /// Its exit codes.
    pub(super) codes: &'static [(&'static str, &'static str)],
    /// As written -> as meant.
    pub(super) command: fn(&Given) -> Result<Box<dyn Command>, Mistake>,
}

/// A word that is no option.
pub(super) struct Word {
    /// How help calls it; the last one may come again when this ends in `...`.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) help: &'static str,
    /// May it be left out?
    pub(super) optional: bool,
    /// The words it may be; empty means any.
    pub(super) one_of: &'static [&'static str],
}

/// An option. One name means the same wherever it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// Its name, without the dashes.
    pub(super) name: &'static str,
    /// Its other name.
    pub(super) alias: Option<&'static str>,
    /// What it takes.
    pub(super) takes: Takes,
    /// What it does.
    pub(super) help: &'static str,
}

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// No value.
    Nothing,
    /// A text or number; how help calls it.
    Text(&'static str),
    /// The path of a file or directory; how help calls it.
    Path(&'static str),
    /// One of these words; how help calls it.
    OneOf(&'static str, &'static [&'static str]),
}

/// What the user asks for, as meant.
pub(super) trait Command {
    /// Does it; the code is the program's.
    ///
    /// # Errors
    /// Why it cannot, which is still to be told.
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal>;
}

impl Flag {
    /// An option without a value.
    pub(super) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self { name, alias: None, takes: Takes::Nothing, help }
    }

    /// An option with a text or number.
    pub(super) const fn text(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, alias: None, takes: Takes::Text(value), help }
    }

    /// An option with a path.
    pub(super) const fn path(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, alias: None, takes: Takes::Path(value), help }
    }

    /// An option with one of some words.
    pub(super) const fn one_of(
        name: &'static str,
        value: &'static str,
        words: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, alias: None, takes: Takes::OneOf(value, words), help }
    }

    /// How help calls its value.
    pub(super) fn value(&self) -> Option<&'static str> {
        match self.takes {
            Takes::Nothing => None,
            Takes::Text(value) | Takes::Path(value) | Takes::OneOf(value, _) => Some(value),
        }
    }

    /// The words it takes, if it takes only some.
    pub(super) fn words(&self) -> &'static [&'static str] {
        match self.takes {
            Takes::OneOf(_, words) => words,
            Takes::Nothing | Takes::Text(_) | Takes::Path(_) => &[],
        }
    }
}

impl Row {
    /// The group that it is in.
    pub(super) fn group(&self) -> Option<&'static str> {
        self.name.split_once(' ').map(|(group, _)| group)
    }

    /// May its last word be followed by others of its kind?
    pub(super) fn takes_more(&self) -> bool {
        self.words.last().is_some_and(|word| word.name.ends_with("..."))
    }

    /// All its names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// The exit codes of SPEC 12.
pub(super) const CODES: &[(&str, &str)] =
    &[("0", "ok"), ("1", "it failed"), ("2", "wrong words on the command line, or an invalid configuration")];

/// `--config FILE`.
pub(super) static CONFIG: Flag = Flag {
    alias: Some("config-source"),
    ..Flag::path(
        "config",
        "FILE",
        "the configuration (default: $LLMGATE_CONFIG, then $XDG_CONFIG_HOME/llmgate/config.yaml, then the \
         environment)",
    )
};

/// `--json`.
pub(super) static JSON: Flag = Flag::switch("json", "print JSON");

/// `--url U`.
pub(super) static URL: Flag = Flag {
    alias: Some("admin-url"),
    ..Flag::text("url", "URL", "the running llmgate (default: the configured `listen`)")
};

/// `--model M`.
pub(super) static MODEL: Flag = Flag::text("model", "NAME", "the model's name");

/// `--local`.
pub(super) static LOCAL: Flag = Flag::switch("local", "without a file: use Ollama on this machine");

/// `--demo`.
pub(super) static DEMO: Flag =
    Flag::switch("demo", "no file, no key: a built-in model that answers and calls tools");

/// `--compat C`.
pub(super) static COMPAT: Flag = Flag::one_of(
    "compat",
    "C",
    &["max", "strict"],
    "what a protocol cannot carry is dropped and told, or refused (default: max)",
);

/// `--trace F`.
pub(super) static TRACE: Flag =
    Flag::path("trace", "F", "write what goes over the wire into this file, for `llmgate replay`");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_row_is_whole() {
        let mut seen = Vec::new();
        for row in COMMANDS {
            assert!(!row.summary.is_empty() && !row.codes.is_empty(), "{}", row.name);
            for name in row.names() {
                assert!(!seen.contains(&name), "{name} is there twice");
                assert!(name.split(' ').count() <= 2, "{name}");
                seen.push(name);
            }
            let mut flags: Vec<&str> =
                row.flags.iter().flat_map(|flag| std::iter::once(flag.name).chain(flag.alias)).collect();
            let all = flags.len();
            flags.sort_unstable();
            flags.dedup();
            assert!(flags.len() == all && !flags.contains(&"help"), "{}: an option twice", row.name);
            assert!(row.flags.iter().all(|flag| !flag.help.is_empty()), "{}", row.name);
        }
        for row in COMMANDS.iter().filter(|row| row.group().is_some()) {
            assert!(!seen.contains(&row.group().unwrap()), "a group is no command");
        }
    }

    #[test]
    fn an_option_takes_the_same_everywhere() {
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        for flag in COMMANDS.iter().flat_map(|row| row.flags) {
            let takes = format!("{:?} {:?}", flag.takes, flag.alias);
            assert_eq!(*known.entry(flag.name).or_insert_with(|| takes.clone()), takes, "{}", flag.name);
        }
    }
}
