//! Which proxy leads to a provider (SPEC 15): its own, the environment's, or none. Loopback is
//! never reached through a proxy.

use std::net::IpAddr;

use crate::base::env::Env;
use crate::base::host::{bare, is_loopback};
use crate::base::secret::Secret;
use crate::config::Network;
use crate::upstream::Failure;

/// What was said about proxies.
#[derive(Clone, Debug)]
pub enum ProxySettings {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, upper or lower case.
    Environment(Env),
    /// None.
    Direct,
    /// This one.
    Through(Secret),
}

/// The proxy for a URL.
///
/// # Errors
/// Its address is none.
pub(super) fn choose(url: &str, settings: &ProxySettings) -> Result<Option<ureq::Proxy>, Failure> {
    let (scheme, host, port) = parts(url);
    if is_loopback(host) {
        return Ok(None);
    }
    let address = match settings {
        ProxySettings::Direct => None,
        ProxySettings::Through(address) => Some(address.expose().to_owned()),
        ProxySettings::Environment(env) => from_environment(env, scheme, host, port),
    };
    let Some(address) = address else { return Ok(None) };
    let address = match address.strip_prefix("socks5://") {
        // The proxy looks the name up: our own resolver is asked only where we connect ourselves.
        Some(rest) => format!("socks5h://{rest}"),
        None => address,
    };
    if address.starts_with("socks") && !cfg!(feature = "socks") {
        let why = "a SOCKS proxy is set, and this build has no SOCKS (cargo feature `socks`); \
                   set `proxy: direct` for this provider, or an http:// proxy";
        return Err(Failure::Unusable(format!("{host}: {why}")));
    }
    let proxy = ureq::Proxy::new(&address).map_err(|error| Failure::Unusable(format!("proxy: {error}")))?;
    Ok(Some(proxy))
}

/// Every credential in a proxy's address.
pub(super) fn secrets(settings: &ProxySettings) -> Vec<Secret> {
    let addresses = match settings {
        ProxySettings::Direct => Vec::new(),
        ProxySettings::Through(address) => vec![address.expose().to_owned()],
        ProxySettings::Environment(env) => {
            let names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];
            names.iter().filter_map(|name| either_case(env, name)).map(str::to_owned).collect()
        }
    };
    let password = |address: &String| {
        let (user, _) = address.split_once("://")?.1.rsplit_once('@')?;
        Some(Secret::new(user.split_once(':')?.1))
    };
    addresses.iter().filter_map(password).collect()
}

fn from_environment(env: &Env, scheme: &str, host: &str, port: Option<&str>) -> Option<String> {
    let (own, usual) = if scheme == "https" { ("HTTPS_PROXY", "443") } else { ("HTTP_PROXY", "80") };
    if either_case(env, "NO_PROXY").is_some_and(|list| is_excepted(list, host, port.unwrap_or(usual))) {
        return None;
    }
    either_case(env, own).or_else(|| either_case(env, "ALL_PROXY")).map(str::to_owned)
}

fn either_case<'e>(env: &'e Env, name: &str) -> Option<&'e str> {
    env.var(name).or_else(|| env.var(&name.to_lowercase()))
}

/// Does a list like `localhost,.corp.example,10.0.0.7:8080,10.0.0.0/8,*` except a host?
fn is_excepted(list: &str, host: &str, port: &str) -> bool {
    let host = host.to_lowercase();
    let address: Option<IpAddr> = bare(&host).parse().ok();
    list.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        let (name, only_port) = match entry.rsplit_once(':') {
            Some((name, digits)) if digits.chars().all(|c| c.is_ascii_digit()) => (name, Some(digits)),
            _ => (entry.as_str(), None),
        };
        if only_port.is_some_and(|only| only != port) {
            return false;
        }
        if let (Some(address), Some(range)) = (address, Network::parse(name)) {
            return range.contains(address);
        }
        let suffix = name.trim_start_matches("*.").trim_start_matches('.');
        name == "*" || host == suffix || host.ends_with(&format!(".{suffix}"))
    })
}

/// Scheme, host and port of a URL.
fn parts(url: &str) -> (&str, &str, Option<&str>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (scheme, host, Some(port)),
        _ => (scheme, authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(url: &str, pairs: &[(&str, &str)]) -> Option<String> {
        let settings = ProxySettings::Environment(Env::of(pairs.iter().copied()));
        choose(url, &settings).unwrap().map(|proxy| proxy.host().to_owned())
    }

    #[test]
    fn the_environment_chooses_by_scheme() {
        let pairs = [("https_proxy", "http://s:1"), ("HTTP_PROXY", "http://p:1")];
        assert_eq!(proxied("https://api.x.ai/v1", &pairs).as_deref(), Some("s"));
        assert_eq!(proxied("http://api.x.ai/v1", &pairs).as_deref(), Some("p"));
        assert_eq!(proxied("https://a.b/", &[("ALL_PROXY", "http://all:1")]).as_deref(), Some("all"));
    }

    #[test]
    fn loopback_and_exceptions_go_directly() {
        let here =
            ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:1/", "http://llm.localhost/v1"];
        for url in here {
            assert_eq!(proxied(url, &[("ALL_PROXY", "http://all:1")]), None, "{url}");
        }
        let except = |list| {
            proxied("https://api.corp.example:8443/v1", &[("ALL_PROXY", "http://all:1"), ("NO_PROXY", list)])
        };
        for list in ["*", "corp.example", ".corp.example", "x,API.corp.example:8443", "*.corp.example"] {
            assert_eq!(except(list), None, "{list}");
        }
        for list in ["rp.example", "api.corp.example:443", ""] {
            assert!(except(list).is_some(), "{list}");
        }
        let is_direct =
            |url, list| proxied(url, &[("ALL_PROXY", "http://all:1"), ("NO_PROXY", list)]).is_none();
        for (url, list) in [
            ("https://a.example/v1", "a.example:443"),
            ("http://a.example/v1", "a.example:80"),
            ("http://10.1.2.3:8000/v1", "x,10.0.0.0/8"),
            ("http://10.1.2.3:8000/v1", "10.1.2.3"),
            ("http://[fd00::7]:8000/v1", "fd00::/8"),
        ] {
            assert!(is_direct(url, list), "{url} {list}");
        }
        for (url, list) in [("https://a.example/v1", "a.example:80"), ("http://11.1.2.3/v1", "10.0.0.0/8")] {
            assert!(!is_direct(url, list), "{url} {list}");
        }
    }

    #[test]
    fn a_socks_proxy_is_never_left_out_in_silence() {
        let settings = ProxySettings::Environment(Env::of([("ALL_PROXY", "socks5://127.0.0.1:1080")]));
        assert_eq!(choose("https://api.x.ai/v1", &settings).is_ok(), cfg!(feature = "socks"));
    }

    #[test]
    fn a_proxys_password_is_a_secret() {
        let settings = ProxySettings::Through(Secret::new("http://me:pass-word@proxy:3128"));
        assert_eq!(secrets(&settings)[0].expose(), "pass-word");
    }
}
