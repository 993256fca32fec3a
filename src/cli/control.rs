//! `reload`, `stop`: what a running llmgate is asked.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::base::env::Env;
use crate::cli::args::Control;
use crate::cli::{FAILURE, USAGE, complain, say};
use crate::config::{self, Overrides};
use crate::upstream::probe;

pub(super) fn reload(options: &Control, env: &Env) -> ExitCode {
    ask(options, env, "/admin/reload", |answer| match answer.get("revision") {
        Some(revision) => format!("reloaded: revision {revision}"),
        None => "reloaded".to_owned(),
    })
}

pub(super) fn stop(options: &Control, env: &Env) -> ExitCode {
    ask(options, env, "/admin/stop", |_| "stopping".to_owned())
}

fn ask(options: &Control, env: &Env, path: &str, done: impl Fn(&Value) -> String) -> ExitCode {
    let base = match base_url(options, env) {
        Ok(base) => base,
        Err(message) => {
            complain(&message);
            return ExitCode::from(USAGE);
        }
    };
    let url = format!("{}{path}", base.trim_end_matches('/'));
    let (status, body) = match probe::post(&url, env.var("LLMGATE_KEY")) {
        Ok(answer) => answer,
        Err(failure) => {
            complain(&format!("{base}: {failure}. Is llmgate running there? Name another place with --url."));
            return ExitCode::from(FAILURE);
        }
    };
    let answer: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    if options.json {
        say(&body);
    }
    if (200..300).contains(&status) {
        if !options.json {
            say(&done(&answer));
        }
        return ExitCode::SUCCESS;
    }
    complain(&reasons(&answer).unwrap_or_else(|| format!("{base} answered {status}: {body}")));
    ExitCode::from(FAILURE)
}

/// What an error answer says: a list of errors, or one message.
fn reasons(answer: &Value) -> Option<String> {
    let list = answer.get("errors").and_then(Value::as_array);
    let lines = list.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"));
    lines.or_else(|| answer.pointer("/error/message")?.as_str().map(str::to_owned))
}

fn base_url(options: &Control, env: &Env) -> Result<String, String> {
    if let Some(url) = &options.url {
        return Ok(url.clone());
    }
    if let Some(file) = &options.ready_file {
        return url_in(file);
    }
    let config = config::load(options.config.as_deref(), env, &Overrides::default());
    let config = config.map_err(|errors| format!("{errors}\nOr name the running llmgate with --url."))?;
    Ok(match config.access.admin_listen {
        Some(address) => format!("http://{address}"),
        None => format!("http://{}", config.listen),
    })
}

fn url_in(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let facts: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let url = facts.get("url").and_then(Value::as_str).map(str::to_owned);
    url.ok_or_else(|| format!("{}: no `url` in it", file.display()))
}
