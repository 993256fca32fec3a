//! Floor 7: words on a terminal, signals, child processes. The only place that prints.

mod args;
mod config;
mod control;
mod help;
mod start;
mod version;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use args::Command;

use crate::base::env::Env;

/// A command failed.
const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Runs the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = Env::of_process();
    let command = match args::parse(arguments) {
        Ok(command) => command,
        Err(message) => {
            complain(&format!("{message}\nTry: llmgate --help"));
            return ExitCode::from(USAGE);
        }
    };
    match command {
        Command::Help(topic) => help::run(topic),
        Command::Version { json } => version::run(json),
        Command::Start(options) => start::run(&options, env),
        Command::ConfigValidate(options) => config::validate(&options, &env),
        Command::Reload(options) => control::reload(&options, &env),
        Command::Stop(options) => control::stop(&options, &env),
    }
}

/// Writes a line to stdout. A reader that has gone (`| head`) is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line to stderr.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
