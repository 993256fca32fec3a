//! `ai-help`: what a coding agent must know to set llmgate up or to point a client at it. No keys.

mod playbooks;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::base::env::Env;
use crate::base::object::{Object, object};
use crate::cli::args::{Given, Mistake};
use crate::cli::control::{Door, running_at};
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, CONFIG, Command, Flag, JSON, Row, URL};
use crate::cli::{USAGE, say};
use crate::config::{self, Bucket, ClientAuth, Config, Overrides, Words};
use crate::upstream::probe;

pub(super) static ROW: Row = Row {
    name: "ai-help",
    aliases: &[],
    summary: "what an agent must know to set llmgate up, as text for it",
    about: "The present state, whether each client may be pointed at llmgate now (health, model lists and the \
            Responses endpoint are asked of the running one; no model is), and what to do for each. Never a key.",
    words: &[],
    rest: None,
    flags: &[&SKIP, &LIMIT, &TOKEN, &URL, &CONFIG, &JSON],
    codes: CODES,
    command: read,
};

static SKIP: Flag = Flag::switch("skip-live-test", "ask nothing of the running llmgate");
static LIMIT: Flag =
    Flag::text("live-test-timeout-ms", "N", "for each question, 500 to 60000 milliseconds (default: 6000)");
static TOKEN: Flag =
    Flag::text("gateway-auth-token", "T", "a client key of the running llmgate (default: LLMGATE_KEY)");

struct AiHelp {
    skip: bool,
    limit: Duration,
    token: Option<String>,
    url: Option<String>,
    config: Option<PathBuf>,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let takes = "must be a number from 500 to 60000";
    let limit = given.read::<u64>(&LIMIT, takes)?.unwrap_or(6000);
    if !(500..=60_000).contains(&limit) {
        return Err(Mistake::Value("--live-test-timeout-ms".to_owned(), limit.to_string(), takes.to_owned()));
    }
    Ok(Box::new(AiHelp {
        skip: given.has(&SKIP),
        limit: Duration::from_millis(limit),
        token: given.text(&TOKEN)?,
        url: given.text(&URL)?,
        config: given.path(&CONFIG),
        json: given.has(&JSON),
    }))
}

impl Command for AiHelp {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let config = config::load(self.config.as_deref(), &env, &Overrides::default());
        let base = running_at(self.url.as_deref(), self.config.as_deref(), &env, Door::Data).ok();
        let token = self.token.as_deref().or_else(|| env.var("LLMGATE_KEY"));
        let gate = match base.as_deref().filter(|_| !self.skip) {
            Some(base) => Gate::asked(base, token, &env, self.limit),
            None if self.skip => Gate::pending(),
            None => Gate::closed("there is no configuration that can be read"),
        };
        let state = config.as_ref().ok().map(|config| State::of(config, gate.is_running()));
        let errors: Vec<String> =
            config.as_ref().err().map(|errors| errors.to_string()).into_iter().collect();
        let base = base.unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
        if self.json {
            let told = object! {
                "state": state.map(State::object), "config_errors": errors, "gate": gate.object(),
            };
            say(&told.to_string());
        } else {
            say(text(state.as_ref(), &errors, &gate, &base).trim_end());
        }
        Ok(if config.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(USAGE) })
    }
}

/// What is there.
struct State {
    config_path: String,
    providers: Vec<String>,
    models: Vec<String>,
    model_aliases: Vec<String>,
    alias_strategies: Vec<String>,
    rate_limit_buckets: Vec<String>,
    default_model: Option<String>,
    master_key_configured: bool,
    /// `None`: nobody looked.
    local_server_running: Option<bool>,
}

impl State {
    fn of(config: &Config, running: Option<bool>) -> Self {
        let off = |enabled: bool| if enabled { "" } else { " (disabled)" };
        let providers = config.providers.iter().map(|it| format!("{}{}", it.name, off(it.enabled)));
        let models = config.providers.iter().flat_map(|provider| {
            provider.models.iter().map(|model| format!("{}/{}", provider.name, model.name))
        });
        let of_providers = config.providers.iter().map(|it| (it.name.as_str(), &it.buckets));
        let buckets =
            of_providers.chain([("client_auth", &config.client_buckets)]).flat_map(|(owner, buckets)| {
                buckets.iter().map(move |it| format!("{owner}.{}: {}", it.name, limits(it)))
            });
        let aliases = config.models.iter();
        Self {
            config_path: config.source.to_string(),
            providers: providers.collect(),
            models: models.collect(),
            model_aliases: aliases.clone().map(|it| format!("{}{}", it.alias, off(it.enabled))).collect(),
            alias_strategies: aliases.map(|it| format!("{}={}", it.alias, it.strategy.word())).collect(),
            rate_limit_buckets: buckets.collect(),
            default_model: config.default_model.as_ref().map(ToString::to_string),
            master_key_configured: matches!(config.client_auth, ClientAuth::ProxyKey(_)),
            local_server_running: running,
        }
    }

    fn object(self) -> Object {
        object! {
            "config_path": self.config_path,
            "providers": self.providers,
            "models": self.models,
            "model_aliases": self.model_aliases,
            "alias_strategies": self.alias_strategies,
            "rate_limit_buckets": self.rate_limit_buckets,
            "default_model": self.default_model,
            "master_key_configured": self.master_key_configured,
            "local_server_running": self.local_server_running,
        }
    }
}

fn limits(bucket: &Bucket) -> String {
    let requests = bucket.requests.map(|count| format!("{count} requests"));
    let tokens = bucket.tokens.map(|count| format!("{count} tokens"));
    let both: Vec<String> = requests.into_iter().chain(tokens).collect();
    format!("{} per {}", both.join(" and "), bucket.shown_window())
}

/// May a client be pointed at llmgate now?
struct Gate {
    health: Probe,
    openai_models: Probe,
    anthropic_models: Probe,
    responses: Probe,
    patch_gate_claude_code: &'static str,
    patch_gate_opencode: &'static str,
    patch_gate_codex_cli: &'static str,
}

/// What came of one question.
#[derive(Clone)]
enum Probe {
    /// Not asked.
    Skipped,
    /// The status.
    Status(u16),
    /// Not reached.
    Failed(String),
}

impl Gate {
    fn asked(base: &str, token: Option<&str>, env: &Env, limit: Duration) -> Self {
        let ask = |path: &str| match probe::get(&format!("{base}{path}"), token, env, limit) {
            Ok((status, _)) => Probe::Status(status),
            Err(failure) => Probe::Failed(failure.to_string()),
        };
        let health = ask("/health");
        if !matches!(health, Probe::Status(200)) {
            return Self { health, ..Self::closed("llmgate does not answer") };
        }
        let (openai, anthropic) = (ask("/openai/v1/models"), ask("/anthropic/v1/models"));
        // It takes POST only, and nobody is to be asked for an answer: 405 says that it is there.
        let responses = ask("/openai/v1/responses");
        Self {
            patch_gate_claude_code: gate(&anthropic, 200, "blocked"),
            patch_gate_opencode: gate(&openai, 200, "blocked"),
            patch_gate_codex_cli: gate(&responses, 405, "blocked-responses-endpoint-missing"),
            health,
            openai_models: openai,
            anthropic_models: anthropic,
            responses,
        }
    }

    fn object(&self) -> Object {
        let mut told = Object::default();
        for (name, probe) in [
            ("health", &self.health),
            ("openai_models", &self.openai_models),
            ("anthropic_models", &self.anthropic_models),
            ("responses", &self.responses),
        ] {
            match probe {
                Probe::Skipped => told.put(name, "skipped"),
                Probe::Status(status) => told.put(name, object! {"status": *status}),
                Probe::Failed(why) => told.put(name, object! {"failed": why.as_str()}),
            }
        }
        told.put("patch_gate_claude_code", self.patch_gate_claude_code);
        told.put("patch_gate_opencode", self.patch_gate_opencode);
        told.put("patch_gate_codex_cli", self.patch_gate_codex_cli);
        told
    }

    /// Nothing was asked.
    fn pending() -> Self {
        Self::all(&Probe::Skipped, "pending-live-test")
    }

    /// Nobody answers.
    fn closed(why: &str) -> Self {
        Self::all(&Probe::Failed(why.to_owned()), "blocked")
    }

    fn all(probe: &Probe, gate: &'static str) -> Self {
        Self {
            health: probe.clone(),
            openai_models: probe.clone(),
            anthropic_models: probe.clone(),
            responses: probe.clone(),
            patch_gate_claude_code: gate,
            patch_gate_opencode: gate,
            patch_gate_codex_cli: gate,
        }
    }

    fn is_running(&self) -> Option<bool> {
        match &self.health {
            Probe::Skipped => None,
            Probe::Status(status) => Some(*status == 200),
            Probe::Failed(_) => Some(false),
        }
    }
}

/// What a client's gate says: `good` is the status of a path that is there, `missing` what is said of
/// one that is not.
fn gate(probe: &Probe, good: u16, missing: &'static str) -> &'static str {
    match probe {
        Probe::Status(status) if *status == good => "ready",
        Probe::Status(401 | 403) => "blocked-auth",
        Probe::Status(404) => missing,
        Probe::Status(_) | Probe::Failed(_) => "blocked",
        Probe::Skipped => "pending-live-test",
    }
}

fn text(state: Option<&State>, errors: &[String], gate: &Gate, base: &str) -> String {
    let mut text = format!(
        "# AI-HELP\nENTITY: llmgate {}\nMODE: cli\nPROFILE: agent-guide\n\n## CURRENT STATE\n",
        env!("CARGO_PKG_VERSION")
    );
    match state {
        Some(state) => push_state(&mut text, state),
        None => {
            text.push_str("config_path: (none that can be read)\nconfig_errors:\n");
            for line in errors.iter().flat_map(|error| error.lines()) {
                push(&mut text, format_args!("  {line}\n"));
            }
        }
    }
    text.push_str("\n## PRE-PATCH GATE\nChange a client's own files only when its gate says `ready`.\n");
    let shown = |probe: &Probe| match probe {
        Probe::Skipped => "not asked".to_owned(),
        Probe::Status(status) => format!("status {status}"),
        Probe::Failed(why) => format!("failed: {why}"),
    };
    push(&mut text, format_args!("health: {}\n", shown(&gate.health)));
    push(&mut text, format_args!("openai_models: {}\n", shown(&gate.openai_models)));
    push(&mut text, format_args!("anthropic_models: {}\n", shown(&gate.anthropic_models)));
    let there =
        if matches!(gate.responses, Probe::Status(405)) { " (it takes POST: it is there)" } else { "" };
    push(&mut text, format_args!("responses: {}{there}\n", shown(&gate.responses)));
    push(&mut text, format_args!("patch_gate_claude_code: {}\n", gate.patch_gate_claude_code));
    push(&mut text, format_args!("patch_gate_opencode: {}\n", gate.patch_gate_opencode));
    push(&mut text, format_args!("patch_gate_codex_cli: {}\n", gate.patch_gate_codex_cli));
    text.push_str(&playbooks::text(base));
    text
}

fn push_state(text: &mut String, state: &State) {
    let list = |items: &[String]| if items.is_empty() { "(none)".to_owned() } else { items.join(", ") };
    push(text, format_args!("config_path: {}\n", state.config_path));
    push(text, format_args!("providers: {}\n", list(&state.providers)));
    push(text, format_args!("models: {}\n", list(&state.models)));
    push(text, format_args!("model_aliases: {}\n", list(&state.model_aliases)));
    push(text, format_args!("alias_strategies: {}\n", list(&state.alias_strategies)));
    push(text, format_args!("rate_limit_buckets: {}\n", list(&state.rate_limit_buckets)));
    push(text, format_args!("default_model: {}\n", state.default_model.as_deref().unwrap_or("(none)")));
    push(text, format_args!("master_key_configured: {}\n", state.master_key_configured));
    let running =
        state.local_server_running.map_or_else(|| "not asked".to_owned(), |running| running.to_string());
    push(text, format_args!("local_server_running: {running}\n"));
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gate_has_its_word() {
        let words =
            [(200, "ready"), (401, "blocked-auth"), (403, "blocked-auth"), (404, "gone"), (500, "blocked")];
        for (status, word) in words {
            assert_eq!(gate(&Probe::Status(status), 200, "gone"), word);
        }
        assert_eq!(gate(&Probe::Skipped, 200, "gone"), "pending-live-test");
    }
}
