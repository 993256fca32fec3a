//! Kilo Code CLI, made of OpenCode: what it is told is the same, by variables of its own.

use crate::cli::run::client::{Client, Launch, Session};
use crate::cli::run::opencode;

pub(super) static CLIENT: Client = Client {
    name: "kilo",
    program: "kilo",
    install: "npm install -g @kilocode/cli",
    tested: "7.7.7",
    default_model: None,
    prepare,
};

/// Its version, its telemetry, and its cloud, which keeps the sessions of who has signed in there.
const QUIET: &[(&str, &str)] = &[
    ("KILO_DISABLE_AUTOUPDATE", "1"),
    ("KILO_TELEMETRY_LEVEL", "off"),
    ("KILO_DISABLE_SESSION_INGEST", "1"),
];

fn prepare(session: &Session<'_>) -> Launch {
    let mut launch = opencode::launch(session, "KILO_CONFIG_CONTENT");
    QUIET.iter().for_each(|(name, value)| launch.set(name, *value));
    launch
}
