//! Arguments -> [`Command`].

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::base::id::nearest;
use crate::cli::help::Topic;
use crate::config::{Compat, LogLevel};

/// What the user asks for.
#[derive(Debug)]
pub(super) enum Command {
    Help(Topic),
    Version { json: bool },
    Start(Start),
    ConfigValidate(ConfigFile),
    Reload(Control),
    Stop(Control),
}

/// Options of `start`.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) config: Option<PathBuf>,
    pub(super) listen: Option<String>,
    pub(super) ready_file: Option<PathBuf>,
    pub(super) exit_with_parent: bool,
    pub(super) no_watch: bool,
    pub(super) require_auth: bool,
    pub(super) log_level: Option<LogLevel>,
    pub(super) compat: Option<Compat>,
    pub(super) local: bool,
    pub(super) demo: bool,
}

/// Options of commands that read a configuration.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) config: Option<PathBuf>,
    pub(super) json: bool,
}

/// Options of commands that speak to a running llmgate.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) config: Option<PathBuf>,
    pub(super) url: Option<String>,
    pub(super) ready_file: Option<PathBuf>,
    pub(super) json: bool,
}

/// Reads the command line; the first argument is the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = Parser::from_iter(arguments);
    match parser.next().map_err(text)? {
        None => Ok(Command::Help(Topic::All)),
        Some(Arg::Short('h') | Arg::Long("help")) => Ok(Command::Help(Topic::All)),
        Some(Arg::Short('V') | Arg::Long("version")) => version(&mut parser),
        Some(Arg::Value(word)) => command(&word.string().map_err(text)?, &mut parser),
        Some(other) => Err(unexpected(&other, &["--help", "--version"])),
    }
}

fn command(word: &str, parser: &mut Parser) -> Result<Command, String> {
    match word {
        "start" | "serve" => start(parser),
        "config" => {
            let next = parser.next().map_err(text)?;
            match next {
                Some(Arg::Value(word)) if word == "validate" || word == "check" => validate(parser),
                Some(Arg::Value(word)) => Err(unknown(&word.to_string_lossy(), &["validate", "check"])),
                _ => Ok(Command::Help(Topic::Config)),
            }
        }
        "reload" => control(parser, Topic::Reload, Command::Reload),
        "stop" => control(parser, Topic::Stop, Command::Stop),
        "version" => version(parser),
        "help" => Ok(Command::Help(Topic::All)),
        other => Err(unknown(other, &["start", "serve", "config", "reload", "stop", "version", "help"])),
    }
}

fn start(parser: &mut Parser) -> Result<Command, String> {
    let mut options = Start::default();
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Arg::Long("config") => options.config = Some(path(parser)?),
            Arg::Long("listen") => options.listen = Some(value(parser)?),
            Arg::Long("ready-file") => options.ready_file = Some(path(parser)?),
            Arg::Long("exit-with-parent") => options.exit_with_parent = true,
            Arg::Long("no-watch") => options.no_watch = true,
            Arg::Long("require-auth") => options.require_auth = true,
            Arg::Long("local") => options.local = true,
            Arg::Long("demo") => options.demo = true,
            Arg::Long("log-level") => options.log_level = Some(log_level(&value(parser)?)?),
            Arg::Long("compat") => options.compat = Some(compat(&value(parser)?)?),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(Topic::Start)),
            other => return Err(unexpected(&other, Topic::Start.options())),
        }
    }
    Ok(Command::Start(options))
}

fn validate(parser: &mut Parser) -> Result<Command, String> {
    let mut options = ConfigFile::default();
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Arg::Long("config") => options.config = Some(path(parser)?),
            Arg::Long("json") => options.json = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(Topic::Config)),
            other => return Err(unexpected(&other, Topic::Config.options())),
        }
    }
    Ok(Command::ConfigValidate(options))
}

fn control(parser: &mut Parser, topic: Topic, command: fn(Control) -> Command) -> Result<Command, String> {
    let mut options = Control::default();
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Arg::Long("config") => options.config = Some(path(parser)?),
            Arg::Long("url" | "admin-url") => options.url = Some(value(parser)?),
            Arg::Long("ready-file") => options.ready_file = Some(path(parser)?),
            Arg::Long("json") => options.json = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(topic)),
            other => return Err(unexpected(&other, topic.options())),
        }
    }
    Ok(command(options))
}

fn version(parser: &mut Parser) -> Result<Command, String> {
    let mut json = false;
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Arg::Long("json") => json = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help(Topic::Version)),
            other => return Err(unexpected(&other, Topic::Version.options())),
        }
    }
    Ok(Command::Version { json })
}

fn value(parser: &mut Parser) -> Result<String, String> {
    parser.value().map_err(text)?.string().map_err(text)
}

fn path(parser: &mut Parser) -> Result<PathBuf, String> {
    parser.value().map(PathBuf::from).map_err(text)
}

fn log_level(word: &str) -> Result<LogLevel, String> {
    match word {
        "debug" => Ok(LogLevel::Debug),
        "info" => Ok(LogLevel::Info),
        "warn" => Ok(LogLevel::Warn),
        "error" => Ok(LogLevel::Error),
        _ => Err(format!("--log-level {word:?}: debug, info, warn or error")),
    }
}

fn compat(word: &str) -> Result<Compat, String> {
    match word {
        "max" => Ok(Compat::Max),
        "strict" => Ok(Compat::Strict),
        _ => Err(format!("--compat {word:?}: max or strict")),
    }
}

fn unexpected(arg: &Arg<'_>, known: &[&str]) -> String {
    match arg {
        Arg::Long(name) => unknown(&format!("--{name}"), known),
        Arg::Short(name) => unknown(&format!("-{name}"), known),
        Arg::Value(word) => unknown(&word.to_string_lossy(), known),
    }
}

fn unknown(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("unknown: {word}. Did you mean {near}?"),
        None => format!("unknown: {word}"),
    }
}

fn text(error: lexopt::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Command, String> {
        parse(std::iter::once("llmgate").chain(words.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn commands_and_their_other_names_are_read() {
        assert!(matches!(read("start --listen 127.0.0.1:0 --compat=strict"), Ok(Command::Start(_))));
        assert!(matches!(read("serve"), Ok(Command::Start(_))));
        assert!(matches!(read("config check --json"), Ok(Command::ConfigValidate(_))));
        assert!(matches!(read("reload --admin-url http://127.0.0.1:1"), Ok(Command::Reload(_))));
        assert!(matches!(read("--version"), Ok(Command::Version { json: false })));
        assert!(matches!(read("stop -h"), Ok(Command::Help(Topic::Stop))));
        assert!(matches!(read(""), Ok(Command::Help(Topic::All))));
    }

    #[test]
    fn a_mistyped_word_gets_the_nearest_known_one() {
        assert_eq!(read("strat").unwrap_err(), "unknown: strat. Did you mean start?");
        assert_eq!(read("start --lisen x").unwrap_err(), "unknown: --lisen. Did you mean --listen?");
        assert_eq!(read("config valdate").unwrap_err(), "unknown: valdate. Did you mean validate?");
        assert!(read("start --log-level loud").unwrap_err().contains("debug, info, warn or error"));
    }
}
