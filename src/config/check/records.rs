//! What is written down: log, ledger, trace, state.

use super::{Outside, file, filled, log_level, over_zero, path, some_over_zero};
use crate::config::errors::Errors;
use crate::config::read::Field;
use crate::config::scalar::Size;
use crate::config::url::{self, Url};
use crate::config::{Ledger, Log, Rotate, State, Store, Trace, UsageHook, UsageLog, raw};

pub(super) fn log(written: &raw::Log, outside: Outside<'_>, errors: &mut Errors) -> Log {
    let default = Log::default();
    Log {
        level: log_level(&written.level, outside, errors),
        file: path(&written.file, errors),
        rotate: rotate(&written.rotate, default.rotate, errors),
        mask: written.mask.or(default.mask),
        requests_dir: path(&written.requests_dir, errors),
        errors_dir: path(&written.errors_dir, errors),
        bodies: written.bodies.or(default.bodies),
    }
}

fn rotate(written: &raw::Rotate, default: Rotate, errors: &mut Errors) -> Rotate {
    let max_size = some_over_zero(&written.max_size, errors);
    Rotate {
        daily: written.daily.or(default.daily),
        max_size: max_size.map_or(default.max_size, |Size(bytes)| bytes),
        keep: written.keep.or(default.keep),
    }
}

pub(super) fn usage(written: &raw::Usage, errors: &mut Errors) -> UsageLog {
    let budget = &written.budget;
    let ledger = match &written.ledger {
        Field::Given(at) => match &at.value {
            raw::Ledger::Switch(true) => Ledger::StateDir,
            raw::Ledger::Switch(false) => Ledger::Off,
            raw::Ledger::File(text) if text.is_empty() => {
                errors.refuse(&at.spot, "must not be empty: use false for no ledger");
                Ledger::Off
            }
            raw::Ledger::File(text) => Ledger::File(file(text, &at.spot, errors)),
        },
        Field::Missing | Field::Broken => Ledger::StateDir,
    };
    UsageLog {
        ledger,
        session_budget: some_over_zero(&budget.session, errors),
        day_budget: some_over_zero(&budget.day, errors),
        hook: hook(&written.hook, errors),
    }
}

fn hook(written: &raw::Hook, errors: &mut Errors) -> Option<UsageHook> {
    if let Some(at) = written.authorization.given() {
        super::access::check_key(&at.value, &at.spot, errors);
    }
    let timeout = over_zero(&written.timeout, std::time::Duration::from_secs(30), errors);
    let url = filled(&written.url, errors)?;
    let is_http = |url: Url<'_>| ["http", "https"].contains(&url.scheme);
    // A hook's address may carry a query.
    let plain = url.value.split('?').next().unwrap_or("");
    if !Url::parse(plain).is_ok_and(is_http) {
        errors.refuse(&url.spot, "must be an http or https URL, such as https://example.com/usage");
    }
    Some(UsageHook { url: url.value.clone(), authorization: written.authorization.value(), timeout })
}

pub(super) fn trace(written: &raw::Trace, outside: Outside<'_>, errors: &mut Errors) -> Trace {
    let default = Trace::default();
    let max_text = written.max_text.value();
    let file = path(&written.file, errors);
    Trace {
        file: outside.overrides.trace.clone().or(file),
        max_text: max_text.map_or(default.max_text, |n| usize::try_from(n).unwrap_or(usize::MAX)),
    }
}

pub(super) fn state(written: &raw::State, outside: Outside<'_>, errors: &mut Errors) -> State {
    let default = State::default();
    let flag = &outside.overrides.state;
    if let Some(at) = written.store.given().filter(|at| at.value == Store::Redis) {
        if !cfg!(feature = "redis") {
            let reason = "this build has no redis: use memory or file, or build with the cargo feature \
                          `redis` (cargo build --release --features redis)";
            errors.refuse(&at.spot, reason);
        } else if matches!(written.url, Field::Missing) {
            errors.refuse(&at.spot, "needs the server's address: state.url, such as redis://10.0.0.5:6379");
        }
    }
    if let Some(at) = written.url.given()
        && let Err(reason) = redis_url(at.value.expose())
    {
        errors.refuse(&at.spot, reason);
    }
    let (store, file) = (written.store.or(default.store), path(&written.file, errors));
    State {
        store: if flag.is_some() { Store::File } else { store },
        file: flag.clone().or(file),
        url: written.url.value(),
        ttl: over_zero(&written.ttl, default.ttl, errors),
    }
}

/// Is this an address of a redis server? Why not, if it is none: without the address, which may hold
/// a password.
fn redis_url(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "must be redis://host, redis://host:port/database or \
                        redis://user:password@host; in a user or password write %40 for @, %2F for /";
    let credentials = url::credentials(text);
    let bare = match (text.split_once("://"), credentials) {
        (Some((scheme, rest)), Some(credentials)) => {
            format!("{scheme}://{}", rest.get(credentials.len() + 1..).unwrap_or_default())
        }
        (Some(_) | None, Some(_) | None) => text.to_owned(),
    };
    let url = Url::parse(&bare).map_err(|_| FORM)?;
    match url.scheme {
        "redis" => {}
        "rediss" => {
            return Err("redis is not spoken through TLS here: use redis:// inside a private network, or \
                        through a tunnel (ssh -L, stunnel, a VPN)");
        }
        _ => return Err(FORM),
    }
    let is_database = |text: &str| text.parse::<u16>().is_ok();
    let fits = |c: char| c.is_ascii_graphic() && !"/?#@[]".contains(c);
    let is_right = (url.path.is_empty() || url.path.strip_prefix('/').is_some_and(is_database))
        && credentials.is_none_or(|text| !text.is_empty() && text.chars().all(fits));
    if is_right { Ok(()) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_redis_servers() {
        for good in [
            "redis://10.0.0.5",
            "redis://state.lan:6380/",
            "redis://[::1]:6379/3",
            "redis://:p%40ss@host",
            "redis://user:pass@host:1/0",
        ] {
            assert_eq!(redis_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "host:6379",
            "http://host",
            "redis://",
            "redis://host/db",
            "redis://host/0/1",
            "redis://host/-1",
            "redis://host?db=1",
            "redis://host:port",
            "redis://@host",
            "redis://:a/b@host",
            "redis://:a@b@host",
            "redis://:a b@host",
            "redis://host/0@1",
        ] {
            assert!(redis_url(bad).is_err_and(|why| why.starts_with("must be redis://")), "{bad}");
        }
        assert!(redis_url("rediss://host").is_err_and(|why| why.contains("tunnel")));
    }
}
