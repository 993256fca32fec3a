//! As written -> as meant: the rules that look at more than one key, and the defaults. Every rule
//! notes what it finds and goes on, so that one run tells everything.

use std::path::PathBuf;

use super::errors::{Errors, Spot};
use super::raw::Root;
use super::read::{At, Field, Read, one_of};
use super::scalar::no_word_of;
use super::words::Words;
use super::{Compat, Config, LogLevel, Overrides, Source, UnknownModel, raw};
use crate::base::env::Env;
use crate::base::id::ModelName;
use crate::policy::class::{ClassRule, StatusPattern};

pub(super) use access::listens_on_loopback;

mod access;
mod alias;
mod bounds;
mod bucket;
mod fallback;
mod model;
mod provider;
mod records;

/// What a configuration is made of besides the file.
#[derive(Clone, Copy)]
pub(super) struct Outside<'a> {
    /// The environment.
    pub(super) env: &'a Env,
    /// The flags.
    pub(super) overrides: &'a Overrides,
}

/// Makes the configuration. It is only good when no error was noted.
pub(super) fn check(root: &Root, source: Source, outside: Outside<'_>, errors: &mut Errors) -> Config {
    version(&root.version, errors);
    let (listen, listen_spot) = access::listen(&root.listen, outside, errors);
    let session = outside.overrides.session.as_ref();
    let (client_auth, client_buckets) = match session {
        // One client, which nobody else pays for.
        Some(session) => (Some(super::ClientAuth::ProxyKey(vec![session.key.clone()])), Vec::new()),
        None => {
            let auth = access::client_auth(&root.client_auth, outside, errors);
            let buckets = access::client_buckets(&root.client_auth, auth.as_ref(), errors);
            (auth, buckets)
        }
    };
    access::exposure(&listen_spot, &listen, client_auth.as_ref(), errors);
    let test_mode = access::test_mode(&root.test_mode, &listen, errors);
    let default_model = default_model(&root.default_model, errors);
    let unknown_model = unknown_model(&root.unknown_model, default_model.as_ref(), errors);
    let mut timeouts = bounds::timeouts(&root.timeouts, errors);
    timeouts.drain = session.map_or(timeouts.drain, |session| session.drain);
    let mut access = access::access(&root.access, &listen, errors);
    if session.is_some() {
        // Its one client is on this machine; a second session must find no address in use.
        access = super::Access::default();
    }
    let providers = provider::providers(&root.providers, &timeouts, outside, errors);
    let models = alias::models(&root.models, &providers.names, errors);
    Config {
        source,
        listen,
        default_model,
        unknown_model,
        direct_routes: root.direct_routes.or(true),
        compat: compat(&root.compat, outside, errors),
        test_mode,
        response_headers: root.response_headers.or(super::ResponseHeaders::Auto),
        dashboard: root.dashboard.or(true),
        client_auth: client_auth.unwrap_or(super::ClientAuth::None),
        client_buckets,
        access,
        limits: bounds::limits(&root.limits, errors),
        timeouts,
        retry: bounds::retry(&root.retry, errors),
        cooldown: bounds::cooldown(&root.cooldown),
        breaker: bounds::breaker(&root.breaker, errors),
        classify: classify(&root.classify, errors),
        providers: providers.list,
        models,
        log: records::log(&root.log, outside, errors),
        usage: records::usage(&root.usage, errors),
        trace: records::trace(&root.trace, outside, errors),
        state: records::state(&root.state, outside, errors),
        ca_file: path(&root.tls.ca_file, errors),
        warnings: Vec::new(),
    }
}

/// The value of a key that takes no 0, or its default.
fn over_zero<T>(field: &Field<T>, default: T, errors: &mut Errors) -> T
where
    T: Clone + Default + PartialOrd,
{
    some_over_zero(field, errors).unwrap_or(default)
}

/// The value of a key that takes no 0 and has no default.
fn some_over_zero<T>(field: &Field<T>, errors: &mut Errors) -> Option<T>
where
    T: Clone + Default + PartialOrd,
{
    if let Some(at) = field.given().filter(|at| at.value <= T::default()) {
        errors.refuse(&at.spot, "must be more than 0");
    }
    field.value()
}

/// The value of a key that takes no empty text.
fn filled<'f>(field: &'f Field<String>, errors: &mut Errors) -> Option<&'f At<String>> {
    if let Some(at) = field.given().filter(|at| at.value.is_empty()) {
        errors.refuse(&at.spot, "must not be empty: leave the key out instead");
    }
    field.given()
}

fn path(field: &Field<String>, errors: &mut Errors) -> Option<PathBuf> {
    filled(field, errors).map(|at| file(&at.value, &at.spot, errors))
}

/// A path as written. Taken literally, a shell's `~` would make a folder of that name.
fn file(text: &str, spot: &Spot, errors: &mut Errors) -> PathBuf {
    if text == "~" || text.starts_with("~/") {
        errors.refuse(spot, "`~` means something to a shell only: write ${HOME}");
    }
    PathBuf::from(text)
}

fn version(field: &Field<u64>, errors: &mut Errors) {
    match field {
        Field::Given(at) if at.value != 1 => {
            errors.refuse(&at.spot, "only version 1 is known: set it to 1");
        }
        Field::Missing => {
            errors.missing(&Spot::default(), "version", "1");
        }
        Field::Given(_) | Field::Broken => {}
    }
}

fn default_model(field: &Field<String>, errors: &mut Errors) -> Option<ModelName> {
    filled(field, errors).and_then(|at| ModelName::parse(&at.value))
}

fn unknown_model(
    field: &Field<UnknownModel>,
    default_model: Option<&ModelName>,
    errors: &mut Errors,
) -> UnknownModel {
    if let Some(at) = field.given()
        && at.value == UnknownModel::UseDefault
        && default_model.is_none()
        && !errors.has_about("default_model")
    {
        errors.refuse(&at.spot, "needs a default_model: set one, or use error");
    }
    field.or(UnknownModel::Refuse)
}

/// The environment's word for a choice; a wrong one is noted.
fn from_variable<T: Words>(name: &str, env: &Env, errors: &mut Errors) -> Option<T> {
    let word = env.var(name)?;
    let choice = T::named(word);
    if choice.is_none() {
        no_word_of(word, T::WORDS, &Spot::outside(name, word), errors);
    }
    choice
}

fn compat(field: &Field<Compat>, outside: Outside<'_>, errors: &mut Errors) -> Compat {
    let variable = from_variable("LLMGATE_COMPAT", outside.env, errors);
    let outer = outside.overrides.compat.or(variable);
    outer.unwrap_or_else(|| field.or(Compat::Max))
}

fn log_level(field: &Field<LogLevel>, outside: Outside<'_>, errors: &mut Errors) -> LogLevel {
    let variable = from_variable("LLMGATE_LOG", outside.env, errors);
    let outer = outside.overrides.log_level.or(variable);
    outer.unwrap_or_else(|| field.or(LogLevel::Info))
}

fn classify(rules: &[At<raw::ClassRule>], errors: &mut Errors) -> Vec<ClassRule> {
    let read = rules.iter().filter_map(|At { value: rule, spot }| {
        if matches!((&rule.status, &rule.r#match), (Field::Missing, Field::Missing)) {
            errors.refuse(spot, "needs a status or a match: without both it takes every failure");
        }
        let status = match &rule.status {
            Field::Given(at) => status(at, errors),
            Field::Missing | Field::Broken => Some(StatusPattern::Any),
        };
        let text = filled(&rule.r#match, errors).map(|at| at.value.clone());
        let class = rule.r#as.required(spot, "as", errors);
        Some(ClassRule { status: status?, text, class: class?.value })
    });
    read.collect()
}

fn status(at: &At<raw::StatusText>, errors: &mut Errors) -> Option<StatusPattern> {
    let exactly = |number: u64| {
        let status = u16::try_from(number).ok()?;
        (100..=599).contains(&status).then_some(StatusPattern::Exactly(status))
    };
    let pattern = match &at.value {
        raw::StatusText::Number(number) => exactly(*number),
        raw::StatusText::Text(text) if text == "*" => Some(StatusPattern::Any),
        raw::StatusText::Text(text) => match text.strip_suffix("xx") {
            Some(hundred) => match hundred.parse() {
                Ok(hundred @ 1..=5) => Some(StatusPattern::Hundred(hundred)),
                _ => None,
            },
            None => text.parse().ok().and_then(exactly),
        },
    };
    if pattern.is_none() {
        errors.refuse(&at.spot, &format!("must be {}", one_of(raw::StatusText::TAKES)));
    }
    pattern
}
