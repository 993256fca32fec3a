//! `version`: what this binary is. No build time: builds are reproducible.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::say;

const COMMIT: &str = env!("LLMGATE_COMMIT");
const RUSTC: &str = env!("LLMGATE_RUSTC");

pub(super) fn run(as_json: bool) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    let features: &[&str] = if cfg!(feature = "socks") { &["socks"] } else { &[] };
    if as_json {
        let facts = json!({"version": version, "commit": COMMIT, "rustc": RUSTC, "features": features});
        say(&facts.to_string());
    } else {
        let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
        say(&format!("llmgate {version}\ncommit: {COMMIT}\nrustc: {RUSTC}\nfeatures: {features}"));
    }
    ExitCode::SUCCESS
}
