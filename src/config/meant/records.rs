//! What is written down of requests: log, ledger, trace.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::secret::Secret;

/// The log (SPEC 11.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least level that is written.
    pub level: LogLevel,
    /// A file; `None` is stderr.
    pub file: Option<PathBuf>,
    /// When the file is changed for a new one.
    pub rotate: Rotate,
    /// Are secrets masked in headers that are logged?
    pub mask: bool,
    /// A file for each request.
    pub requests_dir: Option<PathBuf>,
    /// A file for each failed request.
    pub errors_dir: Option<PathBuf>,
    /// Prompts and answers into those files?
    pub bodies: bool,
}

/// Levels of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Headers (masked), plans, each attempt.
    Debug,
    /// A line for each request.
    Info,
    /// Failovers, losses, budgets.
    Warn,
    /// Final failures.
    Error,
}

/// When a log file is changed for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// Each UTC day.
    pub daily: bool,
    /// At this size in bytes.
    pub max_size: u64,
    /// How many old ones are kept.
    pub keep: u32,
}

/// The ledger and the budgets (SPEC 11.5, 7.5).
#[derive(Clone, Debug, PartialEq)]
pub struct UsageLog {
    /// Where the ledger is written.
    pub ledger: Ledger,
    /// USD for this process.
    pub session_budget: Option<f64>,
    /// USD for a UTC day.
    pub day_budget: Option<f64>,
    /// Where each line is posted.
    pub hook: Option<UsageHook>,
}

/// Where the ledger is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// Nowhere.
    Off,
    /// Into the state directory.
    StateDir,
    /// Into this file.
    File(PathBuf),
}

/// Where each ledger line is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageHook {
    /// The address.
    pub url: String,
    /// Value of the `Authorization` header.
    pub authorization: Option<Secret>,
    /// How long a post may take.
    pub timeout: Duration,
}

/// The trace (SPEC 11.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Characters of a text that are kept.
    pub max_text: usize,
}
