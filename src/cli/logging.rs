//! Where log lines go, and their form.

use std::io::{self, Write};
use std::path::Path;

use env_logger::{Builder, Target};
use log::{Level, LevelFilter};

use crate::base::clock;
use crate::config::{Log, LogLevel};
use crate::observe::log::{DETAIL, harmless};
use crate::observe::rotate::Rotating;

/// Log lines go where the configuration says: to its file, else to stderr.
pub(super) fn begin(log: &Log) -> io::Result<()> {
    match &log.file {
        Some(file) => to_file(log, file)?,
        None => to(log.level, Target::Stderr),
    }
    Ok(())
}

/// Log lines go to a file of our own choice.
pub(super) fn to_file(log: &Log, file: &Path) -> io::Result<()> {
    let file = Rotating::open(file, log.rotate, Box::new(clock::millis))?;
    to(log.level, Target::Pipe(Box::new(file)));
    Ok(())
}

/// Only our own lines: what ureq and rustls say at debug level may hold headers.
fn to(level: LogLevel, target: Target) {
    let (level, detail) = match level {
        LogLevel::Debug => (LevelFilter::Info, LevelFilter::Info),
        LogLevel::Info => (LevelFilter::Info, LevelFilter::Off),
        LogLevel::Warn => (LevelFilter::Warn, LevelFilter::Off),
        LogLevel::Error => (LevelFilter::Error, LevelFilter::Off),
    };
    let mut builder = Builder::new();
    builder.filter_module("llmgate", level).filter_module(DETAIL, detail).target(target).format(
        |out, record| {
            let level = if record.target() == DETAIL { Level::Debug } else { record.level() };
            let level = level.as_str().to_lowercase();
            // Here, since names that clients chose are in lines of many places.
            let message = record.args().to_string();
            writeln!(out, "{} {level} {}", clock::rfc3339(clock::wall()), harmless(&message))
        },
    );
    // A logger that is there already (a test's) stays.
    if builder.try_init().is_ok() {
        // Not what it says, in which a request's words may stand, nor on a screen that may be an agent's.
        std::panic::set_hook(Box::new(|panic| match panic.location() {
            Some(place) => log::error!("a panic at {place}"),
            None => log::error!("a panic"),
        }));
    }
}
