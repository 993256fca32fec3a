//! `version`: what this binary is. No build time: builds are reproducible.

use std::process::ExitCode;

use crate::base::env::Env;
use crate::base::object::object;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, Command, JSON, Row};

pub(super) static ROW: Row = Row {
    name: "version",
    aliases: &[],
    summary: "version, commit, compiler, features",
    about: "",
    words: &[],
    rest: None,
    flags: &[&JSON],
    codes: CODES,
    command: read,
};

struct Version {
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    Ok(Box::new(Version { json: given.has(&JSON) }))
}

impl Command for Version {
    fn run(self: Box<Self>, _env: Env) -> Result<ExitCode, Refusal> {
        Ok(tell(self.json))
    }
}

const COMMIT: &str = env!("LLMGATE_COMMIT");
const RUSTC: &str = env!("LLMGATE_RUSTC");

fn tell(as_json: bool) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    let built = [("redis", cfg!(feature = "redis")), ("socks", cfg!(feature = "socks"))];
    let features: Vec<_> = built.iter().filter(|(_, is_in)| *is_in).map(|(name, _)| *name).collect();
    if as_json {
        let facts = object! {"version": version, "commit": COMMIT, "rustc": RUSTC, "features": features};
        say(&facts.to_string());
    } else {
        let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
        say(&format!("llmgate {version}\ncommit: {COMMIT}\nrustc: {RUSTC}\nfeatures: {features}"));
    }
    ExitCode::SUCCESS
}
