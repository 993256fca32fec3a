//! From a URL to a connection: look-up, TCP, then TLS, with a proxy in between where one is set.
//!
//! Neither `getaddrinfo` nor `connect` can be interrupted, so that both run on a short-lived helper
//! thread for which the caller waits in slices; a loopback address is connected in place.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};

use crate::base::channel::{RecvTimeoutError, bounded};
use crate::base::clock;
use crate::base::host::{bare, is_loopback_address};
use crate::upstream::failure::not_reached;
use crate::upstream::tls::{Tls, TlsConnector};
use crate::upstream::transport::SliceTransport;
use crate::upstream::watch;

/// How long a name's addresses are believed.
const ADDRESS_LIFE: Duration = Duration::from_secs(30);

/// The way to a provider: through a proxy if one is set, over our own socket, into TLS.
pub(super) fn chain(tls: &Tls, addresses: &Addresses) -> impl Connector<(), Out = impl Transport> {
    let start = ();
    #[cfg(feature = "socks")]
    let start = start.chain(ureq::unversioned::transport::SocksConnector::default());
    start
        .chain(ProxyConnector::default())
        .chain(SliceConnector { known: Arc::clone(addresses) })
        .chain(TlsConnector::new(tls))
}

/// ureq asks for addresses on every call, even for a pooled connection. They are looked up where a
/// connection is made; until then any address will do.
#[derive(Debug)]
pub(super) struct Unresolved;

impl Resolver for Unresolved {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        if uri.scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) {
            // ureq's SOCKS connector connects by itself.
            let (host, port) = host_and_port(uri)?;
            (host.as_str(), port).to_socket_addrs()?.take(16).for_each(|address| addresses.push(address));
        }
        if addresses.is_empty() {
            addresses.push(SocketAddr::from(([0, 0, 0, 0], 0)));
        }
        Ok(addresses)
    }
}

/// ureq's connector for proxies, out of the way where there is none: its frames are large, and the
/// stack of a thread that serves a stream keeps every page it ever touched.
#[derive(Debug, Default)]
struct ProxyConnector(ConnectProxyConnector);

impl<In: Transport> Connector<In> for ProxyConnector {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        match chained {
            Some(transport) => Ok(Some(Box::new(transport))),
            None if details.config.proxy().is_none() => Ok(None),
            None => self.tunnel(details),
        }
    }
}

impl ProxyConnector {
    #[inline(never)]
    fn tunnel(&self, details: &ConnectionDetails<'_>) -> Result<Option<Box<dyn Transport>>, ureq::Error> {
        let tunnel = Connector::<()>::connect(&self.0, details, None)?;
        Ok(tunnel.map(|tunnel| Box::new(tunnel) as Box<dyn Transport>))
    }
}

/// The addresses that names had a while ago.
pub(super) type Addresses = Arc<Mutex<HashMap<String, Known>>>;

#[derive(Debug)]
struct SliceConnector {
    known: Addresses,
}

#[derive(Debug)]
pub(super) struct Known {
    addresses: Vec<SocketAddr>,
    since: Instant,
}

impl<In: Transport> Connector<In> for SliceConnector {
    type Out = Either<In, SliceTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        watch::connecting();
        let (host, port) = host_and_port(details.uri)?;
        let socket = self.open(&host, port)?;
        Ok(Some(Either::B(SliceTransport::new(socket)?)))
    }
}

impl SliceConnector {
    #[inline(never)]
    fn open(&self, host: &str, port: u16) -> Result<TcpStream, ureq::Error> {
        let literal: Option<IpAddr> = bare(host).parse().ok();
        if let Some(address) = literal.filter(|address| is_loopback_address(*address)) {
            let address = SocketAddr::new(address, port);
            return TcpStream::connect(address).map_err(|error| not_reached(format!("{address}: {error}")));
        }
        let known = match literal {
            Some(address) => Some(vec![SocketAddr::new(address, port)]),
            None => self.recall(host, port),
        };
        let (sender, receiver) = bounded(1);
        let name = (host.to_owned(), port);
        let store = Arc::clone(&self.known);
        let limit = watch::connect_limit();
        std::thread::Builder::new()
            .name("connect".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || {
                // Nobody may be waiting any more; then the socket is closed here.
                let _ = sender.send(look_up_and_connect(&name, known, limit, &store));
            })
            .map_err(ureq::Error::Io)?;
        let mut slice = watch::first_slice();
        loop {
            match receiver.recv_timeout(slice) {
                Ok(result) => return result.map_err(not_reached),
                Err(RecvTimeoutError::Timeout) => slice = watch::next_slice()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(not_reached("the connecting thread ended"));
                }
            }
        }
    }

    fn recall(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let known = self.known.lock();
        let entry = known.get(&format!("{host}:{port}"))?;
        (clock::now() - entry.since < ADDRESS_LIFE).then(|| entry.addresses.clone())
    }
}

fn look_up_and_connect(
    (host, port): &(String, u16),
    known: Option<Vec<SocketAddr>>,
    limit: Duration,
    store: &Addresses,
) -> Result<TcpStream, String> {
    let addresses = match known {
        Some(addresses) => addresses,
        None => look_up(host, *port, store)?,
    };
    let mut last = format!("{host} has no address");
    for address in &addresses {
        match TcpStream::connect_timeout(address, limit) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    // Perhaps the name has moved: ask again next time.
    store.lock().remove(&format!("{host}:{port}"));
    Err(last)
}

fn look_up(host: &str, port: u16, store: &Addresses) -> Result<Vec<SocketAddr>, String> {
    let found = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let addresses: Vec<SocketAddr> = found.collect();
    let entry = Known { addresses: addresses.clone(), since: clock::now() };
    store.lock().insert(format!("{host}:{port}"), entry);
    Ok(addresses)
}

fn host_and_port(uri: &Uri) -> Result<(String, u16), ureq::Error> {
    let host = uri.host().ok_or_else(|| not_reached(format!("no host in {uri}")))?;
    let default = match uri.scheme_str() {
        Some("https") => 443,
        Some(scheme) if scheme.starts_with("socks") => 1080,
        _ => 80,
    };
    Ok((host.to_owned(), uri.port_u16().unwrap_or(default)))
}
