//! Who may reach the proxy, and where it listens (SPEC 10.1 to 10.3).

use std::net::SocketAddr;

use super::{Outside, from_variable};
use crate::base::host::{is_loopback, is_loopback_address};
use crate::base::secret::Secret;
use crate::config::errors::{Errors, Spot};
use crate::config::raw::{self, AuthMode};
use crate::config::read::{At, Field};
use crate::config::url::{self, Url};
use crate::config::{Access, Bucket, ClientAuth, Network};

const LISTEN: &str = "127.0.0.1:8080";

/// Where to listen: flag, variable, file, `PORT`, default; with the place it was read from.
pub(super) fn listen(field: &Field<String>, outside: Outside<'_>, errors: &mut Errors) -> (String, Spot) {
    let env = outside.env;
    let port = env.var("PORT");
    let (text, spot) = if let Some(flag) = &outside.overrides.listen {
        (flag.clone(), Spot::outside("--listen", flag))
    } else if let Some(text) = env.var("LLMGATE_LISTEN") {
        (text.to_owned(), Spot::outside("LLMGATE_LISTEN", text))
    } else if let Some(at) = field.given() {
        (at.value.clone(), Spot::clone(&at.spot))
    } else if let Some(port) = port {
        (format!("127.0.0.1:{port}"), Spot::outside("PORT", port))
    } else {
        (LISTEN.to_owned(), Spot::of("listen", None))
    };
    match url::host_and_port(&text) {
        Ok((_, Some(_))) => (text, spot),
        Ok(_) | Err(_) => {
            let form = match spot.path.as_str() {
                "PORT" => "must be a port, 0 to 65535",
                _ => "must be host:port, such as 127.0.0.1:8080 or [::1]:0",
            };
            errors.refuse(&spot, form);
            (LISTEN.to_owned(), spot)
        }
    }
}

/// Who may use it; `None` when that cannot be told.
pub(super) fn client_auth(
    field: &Field<raw::ClientAuth>,
    outside: Outside<'_>,
    errors: &mut Errors,
) -> Option<ClientAuth> {
    let broken = matches!(field, Field::Broken);
    let unsaid = raw::ClientAuth::default();
    let written = field.given().map_or(&unsaid, |at| &at.value);
    let broken = broken || matches!(written.mode, Field::Broken);
    let variable = from_variable::<AuthMode>("LLMGATE_AUTH_MODE", outside.env, errors);
    let extra = outside.env.var("LLMGATE_KEY");
    let spot = match (variable, written.mode.given()) {
        (Some(mode), _) => Spot::outside("LLMGATE_AUTH_MODE", crate::config::Words::word(mode)),
        (None, Some(at)) => Spot::clone(&at.spot),
        (None, None) => Spot::of("client_auth.mode", None),
    };
    let default = if extra.is_some() { AuthMode::ProxyKey } else { AuthMode::None };
    let mode = variable.unwrap_or_else(|| written.mode.or(default));
    let mut keys = keys(&written.keys, errors);
    if let Some(key) = extra {
        let key = Secret::new(key);
        let at = Spot::outside("LLMGATE_KEY", "");
        check_key(&key, &Spot { shown: None, ..at }, errors);
        errors.secrets.push(key.clone());
        keys.push(key);
    }
    let auth = match mode {
        AuthMode::None => {
            if !keys.is_empty() {
                errors.warn("client_auth.mode is none: client keys are given but not asked for");
            }
            ClientAuth::None
        }
        AuthMode::ProxyKey => {
            if keys.is_empty() && !errors.has_about("client_auth.keys") {
                let reason = "proxy_key needs a key: add one to client_auth.keys or set LLMGATE_KEY";
                errors.refuse(&spot, reason);
            }
            ClientAuth::ProxyKey(keys)
        }
        AuthMode::ClientKey => ClientAuth::ClientKey,
    };
    if outside.overrides.require_auth && auth == ClientAuth::None && !broken {
        let reason = "--require-auth refuses none: use proxy_key or client_key";
        errors.refuse(&spot, reason);
    }
    (!broken).then_some(auth)
}

/// What each client key may use: only where clients have keys of ours can they be told apart.
pub(super) fn client_buckets(
    field: &Field<raw::ClientAuth>,
    auth: Option<&ClientAuth>,
    errors: &mut Errors,
) -> Vec<Bucket> {
    let Field::Given(At { value: written, .. }) = field else {
        return Vec::new();
    };
    let buckets = super::bucket::buckets(&written.buckets, errors);
    match auth {
        Some(ClientAuth::None | ClientAuth::ClientKey) if !buckets.is_empty() => {
            // Nobody may believe in a limit that is not there.
            let warning =
                "client_auth.buckets limits nobody: it counts by key, which needs `mode: proxy_key`";
            errors.warn(warning);
            Vec::new()
        }
        Some(ClientAuth::None | ClientAuth::ClientKey | ClientAuth::ProxyKey(_)) | None => buckets,
    }
}

fn keys(list: &[At<Secret>], errors: &mut Errors) -> Vec<Secret> {
    for at in list {
        check_key(&at.value, &at.spot, errors);
    }
    list.iter().map(|at| at.value.clone()).collect()
}

/// A key travels in a header: it may hold visible ASCII only.
pub(super) fn check_key(key: &Secret, spot: &Spot, errors: &mut Errors) {
    if key.expose().is_empty() {
        errors.refuse(spot, "this key is empty: remove it or fill it");
    } else if !key.expose().chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        let reason = "this key holds a character that no header can carry, such as a line break";
        errors.refuse(spot, reason);
    }
}

/// An address that others reach must ask for a key (SPEC 10.2).
pub(super) fn exposure(spot: &Spot, listen: &str, auth: Option<&ClientAuth>, errors: &mut Errors) {
    if auth == Some(&ClientAuth::None) && !listens_on_loopback(listen) {
        let reason = "an address that is not loopback needs client_auth.mode proxy_key or \
                      client_key: without it anyone could spend your keys";
        errors.refuse(spot, reason);
    }
}

pub(super) fn test_mode(field: &Field<bool>, listen: &str, errors: &mut Errors) -> bool {
    if let Some(at) = field.given().filter(|at| at.value)
        && !listens_on_loopback(listen)
    {
        errors.refuse(&at.spot, &format!("needs a loopback `listen`, but that is {listen}"));
    }
    field.or(false)
}

/// Does this `host:port` mean this machine only?
pub(in crate::config) fn listens_on_loopback(listen: &str) -> bool {
    url::host_and_port(listen).is_ok_and(|(host, _)| is_loopback(host))
}

pub(super) fn access(written: &raw::Access, listen: &str, errors: &mut Errors) -> Access {
    let networks = written.allowed_ips.iter();
    let allowed_ips = networks.filter_map(|at| network(at, errors)).collect();
    let origins = &written.cors_origins;
    for at in origins {
        origin(at, errors);
    }
    Access {
        allowed_ips,
        cors_origins: origins.iter().map(|at| at.value.clone()).collect(),
        admin_listen: written.admin_listen.given().and_then(|at| admin_listen(at, listen, errors)),
    }
}

fn network(at: &At<String>, errors: &mut Errors) -> Option<Network> {
    let network = Network::parse(&at.value);
    if network.is_none() {
        let reason = "must be an address or a range, such as 10.0.0.7 or 10.0.0.0/8";
        errors.refuse(&at.spot, reason);
    }
    network
}

fn origin(at: &At<String>, errors: &mut Errors) {
    if at.value.contains('*') {
        errors.refuse(&at.spot, "origins are exact: name each one, `*` is not allowed");
        return;
    }
    let exact = Url::parse(&at.value).is_ok_and(|url| url.path.is_empty() && !at.value.ends_with('/'));
    if !exact {
        let reason = "must be scheme://host or scheme://host:port, such as http://localhost:3000";
        errors.refuse(&at.spot, reason);
    }
}

fn admin_listen(at: &At<String>, listen: &str, errors: &mut Errors) -> Option<SocketAddr> {
    let address: Option<SocketAddr> = at.value.parse().ok();
    if address.is_none_or(|address| !is_loopback_address(address.ip())) {
        let reason = "must be a loopback address with a port, such as 127.0.0.1:8081";
        errors.refuse(&at.spot, reason);
    } else if address.is_some_and(|address| address.port() != 0) && address == listen.parse().ok() {
        errors.refuse(&at.spot, "must be another address than `listen`: leave it out, or change its port");
    }
    address
}
