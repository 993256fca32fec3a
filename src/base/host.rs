//! Hosts of addresses and URLs: which of them mean this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Does this address mean the machine itself? An IPv4 address may be written as IPv6.
pub fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Does this host, without its port, mean the machine itself? Names below `localhost` do, too
/// (RFC 6761, section 6.3).
pub fn is_loopback(host: &str) -> bool {
    match bare(host).parse() {
        Ok(address) => is_loopback_address(address),
        Err(_) => {
            let name = host.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// An IPv6 address without its brackets; any other host as it is.
pub fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Where a listener is reached from this machine: one that takes all of its addresses, by loopback.
pub fn reachable(mut listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => listener.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => listener.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listener
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_here_or_elsewhere() {
        let here = ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "LocalHost", "a.localhost", "::ffff:127.0.0.1"];
        for host in here {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "::", "localhost.example.com", "alocalhost", "10.0.0.1", "", "[", "[]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn what_listens_everywhere_is_reached_by_loopback() {
        let cases = [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.1.2.3:80", "10.1.2.3:80"),
            ("[::1]:0", "[::1]:0"),
        ];
        for (listener, reached) in cases {
            assert_eq!(reachable(listener.parse().unwrap()), reached.parse().unwrap(), "{listener}");
        }
    }
}
