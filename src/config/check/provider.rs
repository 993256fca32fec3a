//! Providers: where they are, how they are reached, with which key.

use super::access::check_key;
use super::{Outside, bounds, bucket, model};
use crate::base::host::is_loopback;
use crate::base::id::ProviderName;
use crate::base::secret::Secret;
use crate::config::errors::{Errors, Problem, Spot};
use crate::config::expand::is_variable;
use crate::config::read::{At, Entries, Entry, Field, Read, one_of};
use crate::config::scalar::{HeaderValue, Key};
use crate::config::url::{self, Flaw, Url};
use crate::config::vendors;
use crate::config::{
    AuthForm, DEMO_URL, OwnHeader, Provider, ProviderKey, ProxyChoice, Timeouts, is_credential, raw,
};
use crate::protocol::Protocol;

/// The providers that are right, and the names of all, so that a wrong one is still known.
pub(super) struct Providers {
    pub(super) list: Vec<Provider>,
    pub(super) names: Vec<String>,
}

pub(super) fn providers(
    field: &Field<Entries<raw::Provider>>,
    timeouts: &Timeouts,
    outside: Outside<'_>,
    errors: &mut Errors,
) -> Providers {
    let entries = field.given().map_or(&[][..], |at| &at.value.0);
    if entries.is_empty() && !matches!(field, Field::Broken) {
        let takes = "a map with at least one provider, each with its base_url";
        errors.missing(&Spot::default(), "providers", takes);
    }
    let names = entries.iter().map(|entry| entry.name.clone()).collect();
    let list = entries.iter().filter_map(|entry| provider(entry, timeouts, outside, errors)).collect();
    Providers { list, names }
}

fn provider(
    entry: &Entry<raw::Provider>,
    timeouts: &Timeouts,
    outside: Outside<'_>,
    errors: &mut Errors,
) -> Option<Provider> {
    let spot = &entry.spot;
    let name = ProviderName::parse(&entry.name);
    if name.is_none() {
        let reason = "a provider's name begins with a letter and goes on with letters, digits, _ and -";
        errors.refuse(spot, reason);
    }
    let written = entry.value.as_ref()?;
    let enabled = written.enabled.or(true);
    let base_url = base_url(&written.base_url, spot, errors);
    let protocols = protocols(&written.protocol, base_url.as_deref(), spot, errors);
    let key = key(&written.api_key, &written.api_key_env, enabled.then_some(outside), errors);
    let provider_timeouts = bounds::provider_timeouts(&written.timeouts, timeouts, errors);
    let proxy = proxy(&written.proxy, errors);
    let headers = headers(&written.headers, errors);
    let models = model::models(&written.models, errors);
    let buckets = bucket::buckets(&written.buckets, errors);
    let passthrough = written.passthrough.or(false);
    // What a disabled provider left unexpanded is not there and not missed.
    Some(Provider {
        name: name?,
        protocols: protocols.or_else(|| (!enabled).then(|| vec![Protocol::OpenaiChat]))?,
        base_url: base_url.or_else(|| (!enabled).then(String::new))?,
        key,
        auth: written.auth.or(AuthForm::Auto),
        enabled,
        proxy,
        passthrough,
        headers,
        timeouts: provider_timeouts,
        models,
        buckets,
    })
}

/// The base URL in its plain form: scheme and host in small letters, no final slash.
fn base_url(field: &Field<String>, provider: &Spot, errors: &mut Errors) -> Option<String> {
    let at = match field {
        Field::Missing => {
            let takes = "the server's URL with its version segment, such as https://api.example.com/v1";
            errors.missing(provider, "base_url", takes);
            return None;
        }
        Field::Broken => return None,
        Field::Given(at) => at,
    };
    if at.value == DEMO_URL {
        return Some(at.value.clone());
    }
    let reason = if at.value.starts_with("demo:") {
        "the built-in demo has the URL `demo:` and nothing after it"
    } else {
        match Url::parse(&at.value).map(|url| (url, url.scheme.to_ascii_lowercase())) {
            Ok((url, scheme)) if scheme == "http" || scheme == "https" => {
                if scheme == "http" && !is_loopback(url.host) && !url::is_private(url.host) {
                    let path = &at.spot.path;
                    let host = url.host;
                    errors.warn(&format!(
                        "{path}: http to {host} sends keys and prompts in the clear: use https"
                    ));
                }
                return Some(plain(url, &scheme));
            }
            Ok(_) | Err(Flaw::NoScheme) => "must begin with http:// or https://",
            Err(Flaw::Host) => "has no usable host",
            Err(Flaw::Port) => "the port must be a number up to 65535",
            Err(Flaw::Credentials) => "must not hold a user or password: use api_key",
            Err(Flaw::Query) => "must not hold `?` or `#`",
            Err(Flaw::Character) => "holds a space or another character that no URL has",
        }
    };
    errors.refuse(&at.spot, reason);
    None
}

fn plain(url: Url<'_>, scheme: &str) -> String {
    let host = url.host.to_ascii_lowercase();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let port = url.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", url.path)
}

fn protocols(
    field: &Field<raw::Protocols>,
    base_url: Option<&str>,
    provider: &Spot,
    errors: &mut Errors,
) -> Option<Vec<Protocol>> {
    let At { value, spot } = match field {
        Field::Given(at) => at,
        Field::Broken => return None,
        Field::Missing if base_url == Some(DEMO_URL) => return Some(Vec::new()),
        Field::Missing => {
            // Without a readable URL the host is not known either; that was noted.
            let host = Url::parse(base_url?).ok()?.host;
            let vendor = vendors::at_host(host);
            if vendor.is_none() {
                let takes = one_of(raw::Protocols::TAKES);
                let takes = format!("{takes} ({host} is not a known vendor's host, which would tell)");
                errors.missing(provider, "protocol", &takes);
            }
            return Some(vendor?.protocols.to_vec());
        }
    };
    let list = match value {
        raw::Protocols::One(protocol) => return Some(vec![*protocol]),
        raw::Protocols::Several(list) => list,
    };
    if list.is_empty() && !errors.has_about(&spot.path) {
        errors.refuse(spot, &format!("must be {}", one_of(raw::Protocols::TAKES)));
    }
    let mut protocols = Vec::new();
    for at in list {
        if protocols.contains(&at.value) {
            errors.refuse(&at.spot, "stands in this list twice");
        }
        protocols.push(at.value);
    }
    Some(protocols)
}

/// The key, from the file or a variable. A disabled provider's variable is not looked at.
fn key(
    written: &Field<Key>,
    variable: &Field<String>,
    outside: Option<Outside<'_>>,
    errors: &mut Errors,
) -> Option<ProviderKey> {
    if let (Some(_), Some(at)) = (written.given(), variable.given()) {
        errors.refuse(&at.spot, "api_key is given as well: keep one of them");
    }
    if let Field::Given(at) = written {
        // `${NAME:-}` is how a file says that the key may be missing.
        if at.value.secret.expose().is_empty() {
            return None;
        }
        check_key(&at.value.secret, &at.spot, errors);
        return Some(ProviderKey { secret: at.value.secret.clone(), variable: at.value.variable.clone() });
    }
    let Field::Given(At { value: name, spot }) = variable else {
        return None;
    };
    // It may be the key itself.
    let spot = Spot { shown: None, ..Spot::clone(spot) };
    if !is_variable(name) {
        let reason = "takes the name of an environment variable, such as OPENAI_API_KEY; \
                      a key itself belongs into api_key";
        errors.refuse(&spot, reason);
        return None;
    }
    let Some(key) = outside?.env.var(name) else {
        errors.push(&spot, Problem::UnsetKey(name.clone()), None);
        return None;
    };
    let secret = Secret::new(key);
    errors.secrets.push(secret.clone());
    check_key(&secret, &spot, errors);
    Some(ProviderKey { secret, variable: Some(name.clone()) })
}

fn proxy(field: &Field<String>, errors: &mut Errors) -> ProxyChoice {
    let Field::Given(At { value, spot }) = field else {
        return ProxyChoice::Environment;
    };
    match value.as_str() {
        "env" => return ProxyChoice::Environment,
        "direct" => return ProxyChoice::Direct,
        _ => {}
    }
    let bare = match (value.split_once("://"), value.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => value.clone(),
    };
    match Url::parse(&bare) {
        Ok(url) if url.scheme == "socks5" && !cfg!(feature = "socks") => {
            let reason =
                "this build has no SOCKS5: use an http:// proxy, or build with the cargo feature `socks`";
            errors.refuse(spot, reason);
        }
        Ok(url) if ["http", "socks5"].contains(&url.scheme) && url.port.is_some() && url.path.is_empty() => {}
        Ok(_) | Err(_) => {
            let reason = "must be env, direct, http://host:port or socks5://host:port";
            errors.refuse(spot, reason);
        }
    }
    ProxyChoice::Through(Secret::new(value))
}

fn headers(written: &Entries<HeaderValue>, errors: &mut Errors) -> Vec<OwnHeader> {
    // These frame the message or name the host: another value would break the call.
    const OURS: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];
    let mut headers: Vec<OwnHeader> = Vec::new();
    for entry in &written.0 {
        let name = &entry.name;
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            errors.refuse(&entry.spot, "this is no name of a header");
        } else if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            errors.refuse(&entry.spot, "this header is llmgate's own: remove it");
        } else if headers.iter().any(|known| name.eq_ignore_ascii_case(&known.name)) {
            errors.refuse(&entry.spot, "this header stands here twice: remove one");
        }
        let Some(value) = &entry.value else { continue };
        if !value.text.expose().chars().all(|c| c.is_ascii_graphic() || c == ' ' || c == '\t') {
            let reason = "holds a character that no header can carry, such as a line break";
            errors.refuse(&entry.spot, reason);
        }
        headers.push(OwnHeader {
            name: name.clone(),
            value: value.text.clone(),
            is_secret: value.is_from_variable || is_credential(name),
        });
    }
    headers
}
