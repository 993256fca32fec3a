//! `config validate`.

use std::process::ExitCode;

use serde_json::json;

use crate::base::env::Env;
use crate::cli::args::ConfigFile;
use crate::cli::{USAGE, complain, say};
use crate::config::{self, Overrides, Source};

pub(super) fn validate(options: &ConfigFile, env: &Env) -> ExitCode {
    match config::load(options.config.as_deref(), env, &Overrides::default()) {
        Ok(config) => {
            for warning in &config.warnings {
                complain(&format!("warning: {warning}"));
            }
            if config::unused_local_file(&config) {
                complain("note: ./llmgate.yaml is not in use; name it with --config");
            }
            let (providers, models) = (config.providers.len(), config.models.len());
            if options.json {
                say(&json!({"ok": true, "source": source(&config.source), "providers": providers, "models": models,
                    "warnings": config.warnings}).to_string());
            } else {
                say(&format!("ok: {providers} providers, {models} models"));
            }
            ExitCode::SUCCESS
        }
        Err(errors) => {
            let lines = errors.to_string();
            if options.json {
                say(&json!({"ok": false, "errors": lines.lines().collect::<Vec<_>>()}).to_string());
            } else {
                complain(&lines);
            }
            ExitCode::from(USAGE)
        }
    }
}

/// The source in use, in words.
pub(super) fn source(source: &Source) -> String {
    match source {
        Source::File(path) => path.display().to_string(),
        Source::Demo => "the built-in demo (--demo)".to_owned(),
        Source::Environment(variables) => format!("environment ({})", variables.join(", ")),
    }
}
