//! Floor 7: words on a terminal, signals, child processes. The only place that prints.

mod ai_help;
mod args;
mod completions;
mod config;
mod control;
mod doctor;
mod explain;
mod files;
mod finding;
mod health;
mod help;
mod init;
mod inspect;
mod logging;
mod models;
mod providers;
mod refusal;
mod replay;
mod run;
mod service;
mod start;
mod status;
mod table;
mod usage;
mod version;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::env::Env;
use crate::base::os;

/// A command failed.
const FAILURE: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;
/// As of a shell that finds no program.
const NO_PROGRAM: u8 = 127;

/// Runs the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let env = Env::of_process();
    if let Err(error) = os::hide() {
        complain(&format!("other programs of yours can read the keys of this one: {error}"));
    }
    match args::parse(arguments) {
        Ok(command) => {
            let code = command.run(env).unwrap_or_else(|refusal| {
                complain(&refusal.to_string());
                refusal.code()
            });
            if UNSAID.load(Ordering::Relaxed) { ExitCode::from(FAILURE) } else { code }
        }
        Err(mistake) => {
            complain(&format!("{mistake}\nTry: llmgate --help"));
            ExitCode::from(USAGE)
        }
    }
}

/// docs/COMMANDS.md, made of the command table.
pub fn reference() -> String {
    help::reference()
}

/// Could something not be written to stdout? Then the command has failed, whatever else it did.
static UNSAID: AtomicBool = AtomicBool::new(false);

/// Writes a line to stdout. A reader that has gone (`| head`) is no failure; a full disk is.
fn say(text: &str) {
    if let Err(error) = try_say(text)
        && error.kind() != ErrorKind::BrokenPipe
        && !UNSAID.swap(true, Ordering::Relaxed)
    {
        complain(&format!("stdout: {error}"));
    }
}

fn try_say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Rows of cells, each column as wide as its longest cell.
fn columns(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
            text.push_str(&format!("{cell:<width$}  ", width = width.unwrap_or(0)));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Writes a line to stderr.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
