//! What is written down: log, ledger, trace, state.

use super::{Outside, filled, log_level, over_zero, path, some_over_zero};
use crate::config::errors::Errors;
use crate::config::read::Field;
use crate::config::scalar::Size;
use crate::config::url::Url;
use crate::config::{Ledger, Log, Rotate, State, Store, Trace, UsageHook, UsageLog, raw};

pub(super) fn log(written: raw::Log, outside: Outside<'_>, errors: &mut Errors) -> Log {
    let default = Log::default();
    Log {
        level: log_level(written.level, outside, errors),
        file: path(written.file, errors),
        rotate: rotate(written.rotate.or_default(), default.rotate, errors),
        mask: written.mask.or(default.mask),
        requests_dir: path(written.requests_dir, errors),
        errors_dir: path(written.errors_dir, errors),
        bodies: written.bodies.or(default.bodies),
    }
}

fn rotate(written: raw::Rotate, default: Rotate, errors: &mut Errors) -> Rotate {
    let max_size = some_over_zero(written.max_size, errors);
    Rotate {
        daily: written.daily.or(default.daily),
        max_size: max_size.map_or(default.max_size, |Size(bytes)| bytes),
        keep: written.keep.or(default.keep),
    }
}

pub(super) fn usage(written: raw::Usage, errors: &mut Errors) -> UsageLog {
    let budget = written.budget.or_default();
    let ledger = match written.ledger {
        Field::Given(at) => match at.value {
            raw::Ledger::Switch(true) => Ledger::StateDir,
            raw::Ledger::Switch(false) => Ledger::Off,
            raw::Ledger::File(text) if text.is_empty() => {
                errors.refuse(&at.spot, "must not be empty: use false for no ledger");
                Ledger::Off
            }
            raw::Ledger::File(text) => Ledger::File(text.into()),
        },
        Field::Missing | Field::Broken => Ledger::StateDir,
    };
    UsageLog {
        ledger,
        session_budget: some_over_zero(budget.session, errors),
        day_budget: some_over_zero(budget.day, errors),
        hook: hook(written.hook.or_default(), errors),
    }
}

fn hook(written: raw::Hook, errors: &mut Errors) -> Option<UsageHook> {
    if let Some(at) = written.authorization.given() {
        super::access::check_key(&at.value, &at.spot, errors);
    }
    let timeout = over_zero(written.timeout, std::time::Duration::from_secs(30), errors);
    let url = filled(written.url, errors)?;
    let is_http = |url: Url<'_>| ["http", "https"].contains(&url.scheme);
    // A hook's address may carry a query.
    let plain = url.value.split('?').next().unwrap_or("");
    if !Url::parse(plain).is_ok_and(is_http) {
        errors.refuse(&url.spot, "must be an http or https URL, such as https://example.com/usage");
    }
    Some(UsageHook { url: url.value, authorization: written.authorization.value(), timeout })
}

pub(super) fn trace(written: raw::Trace, outside: Outside<'_>, errors: &mut Errors) -> Trace {
    let default = Trace::default();
    let max_text = written.max_text.value();
    let file = path(written.file, errors);
    Trace {
        file: outside.overrides.trace.clone().or(file),
        max_text: max_text.map_or(default.max_text, |n| usize::try_from(n).unwrap_or(usize::MAX)),
    }
}

pub(super) fn state(written: raw::State, errors: &mut Errors) -> State {
    let default = State::default();
    if let Some(at) = written.store.given().filter(|at| at.value == Store::Redis) {
        errors.refuse(&at.spot, "this build has no redis: use memory or file");
    }
    State {
        store: written.store.or(default.store),
        file: path(written.file, errors),
        ttl: over_zero(written.ttl, default.ttl, errors),
    }
}
