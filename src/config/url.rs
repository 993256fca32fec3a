//! The little of URLs that a configuration needs: scheme, host, port and path of an `http`
//! address, and what kind of host it is.

use std::net::IpAddr;

/// The parts of `scheme://host[:port][/path]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    /// As written, often lower case.
    pub(super) scheme: &'a str,
    /// Name or address; without the brackets of IPv6.
    pub(super) host: &'a str,
    /// The port, if one is written.
    pub(super) port: Option<u16>,
    /// From the first `/` on, without a final one; perhaps empty.
    pub(super) path: &'a str,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// There is no `://`.
    NoScheme,
    /// The host is missing or holds what no host may hold.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// A user name or password stands before the host.
    Credentials,
    /// A `?` or `#` stands in it.
    Query,
    /// A space or control character stands in it.
    Character,
}

impl<'a> Url<'a> {
    /// Reads an address.
    pub(super) fn parse(text: &'a str) -> Result<Self, Flaw> {
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Flaw::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Flaw::NoScheme)?;
        if rest.contains(['?', '#']) {
            return Err(Flaw::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Flaw::Credentials);
        }
        let (host, port) = host_and_port(authority)?;
        Ok(Self { scheme, host, port, path: path.trim_end_matches('/') })
    }
}

/// Reads `host[:port]`; IPv6 addresses stand in brackets.
pub(super) fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), Flaw> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(Flaw::Host)?;
            let _: std::net::Ipv6Addr = host.parse().map_err(|_| Flaw::Host)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(Flaw::Host),
            }
        }
        None => {
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            if host.is_empty() || !host.chars().all(fits) {
                return Err(Flaw::Host);
            }
            (host, port)
        }
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let port = match port {
        Some(port) if digits(port) => Some(port.parse().map_err(|_| Flaw::Port)?),
        Some(_) => return Err(Flaw::Port),
        None => None,
    };
    Ok((host, port))
}

/// The `user:password` of `scheme://user:password@host`, if it is there.
pub(super) fn credentials(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    rest.rsplit_once('@').map(|(credentials, _)| credentials)
}

/// Is this host in a network of its own: a private address, or a name that no public DNS knows?
pub(super) fn is_private(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, ..] = v4.octets();
            // 100.64.0.0/10 is what Tailscale and carriers use inside.
            v4.is_private() || v4.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        Ok(IpAddr::V6(v6)) => v6.is_unique_local() || v6.is_unicast_link_local(),
        Err(_) => {
            const INSIDE: [&str; 5] = [".local", ".internal", ".lan", ".home.arpa", ".test"];
            // A name without a dot is a container's or a neighbour's.
            !host.contains('.') || INSIDE.iter().any(|end| ends_with(host, end))
        }
    }
}

fn ends_with(host: &str, end: &str) -> bool {
    host.to_ascii_lowercase().ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let url = Url::parse("https://Api.Example.com:8443/v1/").unwrap();
        assert_eq!(
            (url.scheme, url.host, url.port, url.path),
            ("https", "Api.Example.com", Some(8443), "/v1")
        );
        let url = Url::parse("http://[::1]:80").unwrap();
        assert_eq!((url.host, url.port, url.path), ("::1", Some(80), ""));
        let bad = [
            ("api.example.com", Flaw::NoScheme),
            ("https:///v1", Flaw::Host),
            ("https://a b/", Flaw::Character),
            ("https://a:b", Flaw::Port),
            ("https://a:65536", Flaw::Port),
            ("https://u:p@a", Flaw::Credentials),
            ("https://a/?x=1", Flaw::Query),
            ("https://[::1", Flaw::Host),
            ("https://[x]", Flaw::Host),
            ("https://a,b", Flaw::Host),
        ];
        for (text, flaw) in bad {
            assert_eq!(Url::parse(text), Err(flaw), "{text}");
        }
    }

    #[test]
    fn hosts_are_near_or_far() {
        for host in
            ["10.0.0.1", "192.168.1.1", "100.100.1.1", "169.254.1.1", "fd00::1", "ollama", "nas.local"]
        {
            assert!(is_private(host), "{host}");
        }
        for host in ["8.8.8.8", "api.openai.com", "2606:4700::1", "172.32.0.1", "100.128.1.1", "8.64.0.1"] {
            assert!(!is_private(host), "{host}");
        }
    }
}
