//! Where log lines go, and their form.

use std::fs::File;
use std::io::Write;

use env_logger::{Builder, Target};

use crate::base::clock;
use crate::config::LogLevel;

/// Log lines go to stderr.
pub(super) fn to_stderr(level: LogLevel) {
    begin(level, Target::Stderr);
}

/// Log lines go to a file.
pub(super) fn to_file(level: LogLevel, file: File) {
    begin(level, Target::Pipe(Box::new(file)));
}

/// Only our own lines: what ureq and rustls say at debug level may hold headers.
fn begin(level: LogLevel, target: Target) {
    let level = match level {
        LogLevel::Debug => log::LevelFilter::Debug,
        LogLevel::Info => log::LevelFilter::Info,
        LogLevel::Warn => log::LevelFilter::Warn,
        LogLevel::Error => log::LevelFilter::Error,
    };
    let mut builder = Builder::new();
    builder.filter_module("llmgate", level).target(target).format(|out, record| {
        let level = record.level().as_str().to_lowercase();
        writeln!(out, "{} {level} {}", clock::rfc3339(clock::wall()), record.args())
    });
    // A logger that is there already (a test's) stays.
    let _ = builder.try_init();
}
