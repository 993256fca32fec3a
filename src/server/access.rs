//! Who may do what, from where (SPEC 10.1 to 10.3). Pure: a head and an address in, a verdict out.

use std::net::SocketAddr;

use crate::base::host::{is_loopback, is_loopback_address};
use crate::base::secret::Secret;
use crate::config::{ClientAuth, Config};
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::percent_decoded;
use crate::server::endpoint::Endpoint;
use crate::server::head::{Head, Method};

/// Headers that may carry a client's key.
const KEY_HEADERS: [&str; 6] =
    ["authorization", "x-api-key", "api-key", "openai-api-key", "anthropic-api-key", "x-goog-api-key"];

/// A client that asks for something.
#[derive(Clone, Copy)]
pub struct Visitor<'a> {
    /// What it sent.
    pub head: &'a Head,
    /// Its address.
    pub peer: SocketAddr,
}

/// May this visitor use this endpoint? Returns its credential, if it has one.
///
/// # Errors
/// It may not: 401 or 403.
pub fn check(config: &Config, endpoint: &Endpoint, visitor: Visitor<'_>) -> Result<Option<Secret>, Fault> {
    let allowed = &config.access.allowed_ips;
    if !allowed.is_empty() && !allowed.iter().any(|network| network.contains(visitor.peer.ip())) {
        return Err(forbidden("This address is not among `access.allowed_ips`."));
    }
    let credential = visitor.credential(endpoint);
    if endpoint.is_public() {
        return Ok(credential);
    }
    if endpoint.is_local() {
        if let Err(fault) = visitor.check_local() {
            // Whoever collects metrics may be elsewhere, with a key of ours.
            let collects = *endpoint == Endpoint::Metrics && visitor.key(config, endpoint).is_some();
            return if collects { Ok(credential) } else { Err(fault) };
        }
        // The page itself tells nothing; what it shows it asks for with the key it is given.
        if *endpoint == Endpoint::Dashboard {
            return Ok(credential);
        }
    } else if config.client_auth == ClientAuth::None {
        visitor.check_open(&config.access.cors_origins)?;
    }
    if visitor.holds_key(config, endpoint) {
        Ok(credential)
    } else {
        let message =
            "A valid key is needed: send it as `Authorization: Bearer KEY`, `x-api-key` or `x-goog-api-key`.";
        Err(Fault::new(FaultKind::ClientKey, message))
    }
}

impl Visitor<'_> {
    /// Does it have a key where one is needed?
    pub fn holds_key(&self, config: &Config, endpoint: &Endpoint) -> bool {
        match &config.client_auth {
            ClientAuth::None => true,
            ClientAuth::ClientKey => self.credential(endpoint).is_some(),
            ClientAuth::ProxyKey(_) => self.key(config, endpoint).is_some(),
        }
    }

    /// The place of its key among those of `proxy_key`: of several the first.
    pub fn key(&self, config: &Config, endpoint: &Endpoint) -> Option<usize> {
        let ClientAuth::ProxyKey(keys) = &config.client_auth else { return None };
        // No early end: the time must not tell which key it was.
        let offered = self.credentials(endpoint);
        keys.iter().enumerate().fold(None, |first, (place, valid)| {
            let is_known = offered.iter().fold(false, |known, key| known | (key == valid));
            let place = is_known.then_some(place);
            first.or(place)
        })
    }

    /// Are the peer and the `Host` it asked for on this machine, and did nobody hand the request on?
    pub fn is_local(&self) -> bool {
        let headers = &self.head.headers;
        let came_through =
            |name: &str| matches!(name, "forwarded" | "x-real-ip") || name.starts_with("x-forwarded-");
        is_loopback_address(self.peer.ip())
            && headers.first("host").is_some_and(means_this_machine)
            && !headers.iter().any(|(name, _)| came_through(name))
    }

    /// The first credential there is.
    fn credential(&self, endpoint: &Endpoint) -> Option<Secret> {
        self.credentials(endpoint).into_iter().next()
    }

    /// The first credential that is no key of ours: what a provider may be shown as the client's own.
    pub fn own_credential(&self, config: &Config, endpoint: &Endpoint) -> Option<Secret> {
        let ours = match &config.client_auth {
            ClientAuth::None | ClientAuth::ClientKey => [].as_slice(),
            ClientAuth::ProxyKey(keys) => keys.as_slice(),
        };
        self.credentials(endpoint).into_iter().find(|key| !ours.contains(key))
    }

    /// `?key=` is Google's way, and taken on its paths only.
    fn credentials(&self, endpoint: &Endpoint) -> Vec<Secret> {
        let in_headers = KEY_HEADERS.iter().filter_map(|name| self.head.headers.first(name));
        let bare = in_headers.map(|value| {
            let (scheme, rest) = value.split_at_checked(6).unwrap_or(("", value));
            // Without a space behind it, it is a key that begins so; without anything, it is none.
            let is_scheme =
                scheme.eq_ignore_ascii_case("bearer") && (rest.is_empty() || rest.starts_with(' '));
            Secret::new(if is_scheme { rest } else { value }.trim())
        });
        let query = self.head.query.as_deref().filter(|_| endpoint.takes_key_in_query());
        let in_query = crate::gateway::inbound::parameter(query, "key");
        let in_query = in_query.map(|key| Secret::new(&percent_decoded(key)));
        bare.chain(in_query).filter(|key| !key.expose().is_empty()).collect()
    }

    /// Without keys any web page could spend the user's: the `Host` must be this machine, and a page
    /// must be a listed one.
    fn check_open(&self, origins: &[String]) -> Result<(), Fault> {
        if !self.head.headers.first("host").is_none_or(means_this_machine) {
            return Err(forbidden("Without `client_auth` the Host must be a loopback address."));
        }
        match self.head.headers.first("origin") {
            Some(origin) if !origins.iter().any(|known| known == origin) => {
                Err(forbidden("This Origin is not among `access.cors_origins`."))
            }
            _ => Ok(()),
        }
    }

    fn check_local(&self) -> Result<(), Fault> {
        let headers = &self.head.headers;
        if !self.is_local() {
            return Err(forbidden("This endpoint answers this machine only."));
        }
        let own = headers.first("host").map(|host| format!("http://{host}"));
        if headers.first("origin").is_some_and(|origin| Some(origin) != own.as_deref()) {
            return Err(forbidden("This endpoint answers no web page but its own."));
        }
        if self.head.method == Method::Post && headers.first("x-llmgate-admin") != Some("1") {
            return Err(forbidden("This endpoint wants the header `x-llmgate-admin: 1`."));
        }
        Ok(())
    }
}

/// Headers for a page of a listed origin (Fetch standard, CORS protocol).
pub fn cors(config: &Config, head: &Head) -> Vec<(&'static str, String)> {
    let origin =
        head.headers.first("origin").filter(|origin| config.access.cors_origins.iter().any(|o| o == origin));
    match origin {
        Some(origin) => {
            vec![("access-control-allow-origin", origin.to_owned()), ("vary", "origin".to_owned())]
        }
        None => Vec::new(),
    }
}

/// The answer to a preflight of a listed origin, else `None`. `allow` are the methods that the path
/// takes, none where nobody knows it: that is said to the request itself.
pub fn preflight(config: &Config, head: &Head, allow: &str) -> Option<Vec<(&'static str, String)>> {
    let asked = head.headers.first("access-control-request-method");
    if head.method != Method::Options || asked.is_none() {
        return None;
    }
    let mut headers = cors(config, head);
    if headers.is_empty() {
        return None;
    }
    let wanted = head.headers.first("access-control-request-headers").unwrap_or("*");
    let allow = if allow.is_empty() { "GET, POST" } else { allow };
    headers.push(("access-control-allow-methods", allow.to_owned()));
    headers.push(("access-control-allow-headers", wanted.to_owned()));
    headers.push(("access-control-max-age", "600".to_owned()));
    Some(headers)
}

fn forbidden(message: &str) -> Fault {
    Fault::new(FaultKind::Forbidden, message)
}

/// Is a `Host` value this machine, whatever its port?
fn means_this_machine(host: &str) -> bool {
    is_loopback(match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::env::Env;
    use crate::config::{Overrides, from_text};
    use crate::server::head::parse;

    fn config(more: &str) -> Config {
        let text = format!(
            "version: 1\nproviders: {{p: {{protocol: anthropic, base_url: 'https://api.anthropic.com/v1'}}}}\n{more}"
        );
        from_text(&text, Path::new("test.yaml"), &Env::default(), &Overrides::default()).unwrap()
    }

    #[track_caller]
    fn check_status(more: &str, request: &str, status: Option<u16>) {
        check_from("127.0.0.1:5", more, request, status);
    }

    #[track_caller]
    fn check_from(peer: &str, more: &str, request: &str, status: Option<u16>) {
        let text = format!("{}\r\n\r\n", request.replace('\n', "\r\n"));
        let (head, _) = parse(text.as_bytes()).unwrap().unwrap();
        let visitor = Visitor { head: &head, peer: peer.parse().unwrap() };
        let verdict = check(&config(more), &Endpoint::of(&head.path), visitor);
        assert_eq!(verdict.err().map(|fault| fault.status), status, "{more} {request}");
    }

    const KEYED: &str = "client_auth: {mode: proxy_key, keys: [key-0123456789]}";

    #[test]
    fn any_form_of_a_valid_key_is_taken() {
        for line in [
            "authorization: Bearer key-0123456789",
            "Authorization: bearer key-0123456789",
            "authorization: key-0123456789",
            "x-api-key: key-0123456789",
            "api-key: key-0123456789",
            "openai-api-key: key-0123456789",
            "anthropic-api-key: key-0123456789",
            "x-goog-api-key: key-0123456789",
            "authorization: Bearer wrong\nx-api-key: key-0123456789",
        ] {
            check_status(KEYED, &format!("POST /v1/messages HTTP/1.1\nhost: x\n{line}"), None);
        }
        check_status(
            KEYED,
            "POST /v1beta/models/m:generateContent?key=key-0123456789 HTTP/1.1\nhost: x",
            None,
        );
        check_status(KEYED, "POST /v1/messages?key=key-0123456789 HTTP/1.1\nhost: x", Some(401));
        check_status(KEYED, "POST /v1/messages HTTP/1.1\nhost: x\nx-api-key: key-012345678", Some(401));
        check_status(KEYED, "POST /v1/messages HTTP/1.1\nhost: x", Some(401));
        check_status(KEYED, "GET /v1/models HTTP/1.1\nhost: x", Some(401));
        check_status(KEYED, "GET /health HTTP/1.1\nhost: x", None);
        let own = "client_auth: {mode: client_key}";
        check_status(own, "POST /v1/messages HTTP/1.1\nhost: x", Some(401));
        check_status(own, "POST /v1/messages HTTP/1.1\nhost: x\nauthorization: Bearer", Some(401));
        check_status(own, "POST /v1/messages HTTP/1.1\nhost: x\nauthorization: bearer-of-news", None);
    }

    #[test]
    fn without_keys_no_web_page_can_call() {
        check_status("", "POST /v1/messages HTTP/1.1\nhost: localhost:8080", None);
        check_status("", "POST /v1/messages HTTP/1.1\nhost: [::1]:8080", None);
        check_status("", "POST /v1/messages HTTP/1.1\nhost: [::1]", None);
        check_status("", "POST /v1/messages HTTP/1.1\nhost: llm.localhost", None);
        check_status("", "POST /v1/messages HTTP/1.1\nhost: evil.example", Some(403));
        check_status("", "POST /v1/messages HTTP/1.1\nhost: 127.0.0.1.evil.example", Some(403));
        check_status(
            "",
            "POST /v1/messages HTTP/1.1\nhost: 127.0.0.1\norigin: https://evil.example",
            Some(403),
        );
        let listed = "access: {cors_origins: ['https://ours.example']}";
        check_status(
            listed,
            "POST /v1/messages HTTP/1.1\nhost: 127.0.0.1\norigin: https://ours.example",
            None,
        );
    }

    #[test]
    fn only_listed_addresses_may_call() {
        let some = "access: {allowed_ips: [10.0.0.0/8]}";
        check_from("10.1.2.3:5", some, "GET /health HTTP/1.1\nhost: x", None);
        check_from("127.0.0.1:5", some, "GET /health HTTP/1.1\nhost: x", Some(403));
    }

    #[test]
    fn local_endpoints_answer_this_machine_only() {
        let state = "GET /admin/state HTTP/1.1\nhost: 127.0.0.1:8080";
        check_status("", state, None);
        check_from("10.0.0.1:5", "", state, Some(403));
        check_status("", "GET /admin/state HTTP/1.1\nhost: example.com", Some(403));
        check_status("", &format!("{state}\nx-forwarded-for: 1.2.3.4"), Some(403));
        check_status("", &format!("{state}\norigin: https://evil.example"), Some(403));
        check_status("", &format!("{state}\norigin: http://127.0.0.1:8080"), None);
        check_status("", "POST /admin/stop HTTP/1.1\nhost: 127.0.0.1", Some(403));
        check_status("", "POST /admin/stop HTTP/1.1\nhost: 127.0.0.1\nx-llmgate-admin: 1", None);
        check_status(KEYED, state, Some(401));
        check_status(KEYED, &format!("{state}\nx-api-key: key-0123456789"), None);
    }

    #[test]
    fn metrics_may_be_collected_from_elsewhere_with_a_key_of_ours() {
        let key = "x-api-key: key-0123456789";
        let metrics = "GET /metrics HTTP/1.1\nhost: proxy.example";
        check_from("10.0.0.1:5", KEYED, &format!("{metrics}\n{key}"), None);
        check_from("10.0.0.1:5", KEYED, &format!("{metrics}\nx-forwarded-for: 10.9.9.9\n{key}"), None);
        check_from("10.0.0.1:5", KEYED, metrics, Some(403));
        check_from("10.0.0.1:5", "", metrics, Some(403));
        check_from("10.0.0.1:5", "client_auth: {mode: client_key}", &format!("{metrics}\n{key}"), Some(403));
        for path in ["/debug/status", "/dashboard"] {
            let other = format!("GET {path} HTTP/1.1\nhost: proxy.example\n{key}");
            check_from("10.0.0.1:5", KEYED, &other, Some(403));
        }
    }
}
