//! `providers check`: can each provider be used?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::base::env::Env;
use crate::base::id::nearest;
use crate::base::object::{Object, list, object};
use crate::cli::args::{Given, Mistake};
use crate::cli::finding::{Finding, State, tell, worst};
use crate::cli::inspect::{Inspected, Wish, inspect};
use crate::cli::refusal::Refusal;
use crate::cli::table::{CODES, CONFIG, Command, DEMO, Flag, JSON, LOCAL, MODEL, Row};
use crate::cli::{FAILURE, complain, say};
use crate::config::{self, Overrides, Provider};
use crate::gateway::live::Live;

pub(super) static ROW: Row = Row {
    name: "providers check",
    aliases: &[],
    summary: "ask each provider whether it can be used",
    about: "Reached, key valid, a guess at its protocol, time to the first byte: one question for its list of \
            models and at most one request of one token each. With --models its own names are listed instead.",
    words: &[],
    rest: None,
    flags: &[&PROVIDER, &MODEL, &MODELS, &TIMEOUT, &CONFIG, &LOCAL, &DEMO, &JSON],
    codes: CODES,
    command: read,
};

static PROVIDER: Flag = Flag::text("provider", "P", "only this provider");
static MODELS: Flag = Flag::switch("models", "list the provider's own names; no request is made");
static TIMEOUT: Flag = Flag::text("timeout", "TIME", "for each question (default: 6s)");

const PATIENCE: Duration = Duration::from_secs(6);

struct Check {
    provider: Option<String>,
    model: Option<String>,
    models: bool,
    limit: Duration,
    config: Option<PathBuf>,
    overrides: Overrides,
    json: bool,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let limit = match given.text(&TIMEOUT)? {
        None => PATIENCE,
        // A bare number is seconds.
        Some(text) => match config::duration(&text).or_else(|| config::duration(&format!("{text}s"))) {
            Some(limit) if !limit.is_zero() => limit,
            Some(_) | None => {
                let takes = "must be a time such as 6s or 500ms".to_owned();
                return Err(Mistake::Value("--timeout".to_owned(), text, takes));
            }
        },
    };
    Ok(Box::new(Check {
        provider: given.text(&PROVIDER)?,
        model: given.text(&MODEL)?,
        models: given.has(&MODELS),
        limit,
        config: given.path(&CONFIG),
        overrides: Overrides { local: given.has(&LOCAL), demo: given.has(&DEMO), ..Overrides::default() },
        json: given.has(&JSON),
    }))
}

impl Command for Check {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        Ok(match self.check(&env)? {
            State::Ok | State::Warn => ExitCode::SUCCESS,
            State::Fail => ExitCode::from(FAILURE),
        })
    }
}

impl Check {
    fn check(&self, env: &Env) -> Result<State, Refusal> {
        let config = config::load(self.config.as_deref(), env, &self.overrides)?;
        let live = Live::new(Arc::new(config), env, None)?;
        let providers = self.chosen(&live)?;
        let wish =
            Wish { model: self.model.as_deref(), stream: false, asks: !self.models, limit: self.limit };
        let mut told = Vec::new();
        let mut state = State::Ok;
        for provider in providers {
            let inspected = inspect(&live, provider, wish);
            let findings = inspected.findings(&|check| format!("{} {check}", provider.name), wish);
            state = state.max(worst(&findings));
            if self.json {
                told.push(self.value(&inspected, &findings));
            } else if self.models {
                tell_names(&inspected, &findings);
            } else {
                tell(&[joined(provider, &findings)]);
            }
        }
        if self.json {
            say(&list(told));
        }
        Ok(state)
    }

    fn chosen<'l>(&self, live: &'l Live) -> Result<Vec<&'l Provider>, Refusal> {
        let all = &live.config().providers;
        let Some(name) = &self.provider else {
            return Ok(all.iter().filter(|provider| provider.enabled).collect());
        };
        let found = all.iter().find(|provider| provider.name.as_str() == name);
        found.map(|provider| vec![provider]).ok_or_else(|| {
            let near = nearest(name, all.iter().map(|provider| provider.name.as_str()));
            let near = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
            let names: Vec<&str> = all.iter().map(|provider| provider.name.as_str()).collect();
            let names = names.join(", ");
            Refusal::Usage(format!(
                "--provider {name:?}: there is no such provider.{near} There are: {names}"
            ))
        })
    }

    fn value(&self, inspected: &Inspected<'_>, findings: &[Finding]) -> Object {
        let list = inspected.list.as_ref().ok();
        let answer = inspected.answer.as_ref().and_then(|answer| answer.as_ref().ok());
        let first_byte = answer.map(|answer| answer.first_byte).or_else(|| list.map(|list| list.first_byte));
        object! {
            "provider": inspected.provider.name.as_str(),
            "state": worst(findings).word(),
            "reachable": list.is_some(),
            "protocol_guess": list.and_then(|list| list.guess).map(|guess| guess.name()),
            "model": inspected.model.as_ref().filter(|_| !self.models).map(|model| model.as_str()),
            "first_byte_ms": first_byte.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            "models": list.filter(|_| self.models).map(|list| list.names.as_slice()),
            "checks": findings.iter().map(Finding::object).collect::<Vec<_>>(),
        }
    }
}

/// All that was found about a provider in one line.
fn joined(provider: &Provider, findings: &[Finding]) -> Finding {
    let state = worst(findings);
    // What is wrong is told alone.
    let told = findings.iter().filter(|finding| state != State::Fail || finding.state == State::Fail);
    let said: Vec<&str> = told.map(|finding| finding.said.as_str()).collect();
    let next: Vec<&str> = findings.iter().filter_map(|finding| finding.next.as_deref()).collect();
    Finding {
        check: provider.name.to_string(),
        state,
        said: said.join("; "),
        next: (!next.is_empty()).then(|| next.join("\n")),
    }
}

fn tell_names(inspected: &Inspected<'_>, findings: &[Finding]) {
    let names = inspected.list.as_ref().map(|list| list.names.as_slice()).unwrap_or_default();
    for name in names {
        say(&format!("{}/{name}", inspected.provider.name));
    }
    for finding in findings.iter().filter(|finding| finding.state == State::Fail) {
        complain(&format!("{}: {}", finding.check, finding.said));
        complain(&format!("next: {}", finding.next.as_deref().unwrap_or_default()));
    }
    if names.is_empty() && worst(findings) != State::Fail {
        complain(&format!("{} lists no models", inspected.provider.name));
    }
}
