//! From a URL to a connection: look-up, TCP, then TLS, with a proxy in between where one is set.
//!
//! Neither `getaddrinfo` nor `connect` can be interrupted, so that both run on a short-lived helper
//! thread for which the caller waits in slices; a loopback address, which answers at once or not at
//! all, is tried in place for a slice first.

use std::io::ErrorKind;
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
use crate::base::table::Table;
use crate::upstream::failure::{NotReached, not_reached};
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
        let tunnel = watch::tunnelling(|| Connector::<()>::connect(&self.0, details, None))?;
        Ok(tunnel.map(|tunnel| Box::new(tunnel) as Box<dyn Transport>))
    }
}

/// The addresses that names had a while ago.
pub(super) type Addresses = Arc<Mutex<Table<String, Known>>>;

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
            match TcpStream::connect_timeout(&address, watch::first_slice()) {
                // Whoever listens there takes nobody at the moment: waited for like any other.
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                met => return met.map_err(|error| not_reached(format!("{address}: {error}"))),
            }
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
                Ok(result) => return result.map_err(ureq::Error::from),
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
) -> Result<TcpStream, NotReached> {
    let addresses = match known {
        Some(addresses) => addresses,
        None => look_up(host, *port, store)?,
    };
    let mut last = format!("{host} has no address");
    let until = clock::now() + limit;
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        // One that is silent, as IPv6 often is where there is none, leaves time for the others.
        let share = until.saturating_duration_since(clock::now()) / u32::try_from(left).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(socket) => {
                put_first(*address, &format!("{host}:{port}"), store);
                return Ok(socket);
            }
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    // Perhaps the name has moved: ask again next time.
    store.lock().remove(&format!("{host}:{port}"));
    Err(NotReached(last))
}

/// The address that answered is asked first from now on, as long as it is remembered.
fn put_first(address: SocketAddr, name: &str, store: &Addresses) {
    if let Some(Known { addresses, .. }) = store.lock().get_mut(name)
        && let Some(place) = addresses.iter().position(|known| *known == address)
        && let Some(upto) = addresses.get_mut(..=place)
    {
        upto.rotate_right(1);
    }
}

fn look_up(host: &str, port: u16, store: &Addresses) -> Result<Vec<SocketAddr>, NotReached> {
    let found = (host, port).to_socket_addrs().map_err(|error| NotReached(format!("{host}: {error}")))?;
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::TcpListener;
    use std::rc::Rc;

    use super::*;
    use crate::base::os;
    use crate::upstream::failure::{Failure, Phase, of_ureq};
    use crate::upstream::{Hook, Patience, Stop};

    struct Stays;

    impl Hook for Stays {
        fn go_on(&self) -> Result<(), Stop> {
            Ok(())
        }
    }

    /// A listener that takes no more connections and refuses none; it has them as long as it is kept.
    fn full() -> (TcpListener, Vec<TcpStream>) {
        let listener = os::listen("127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_millis(100);
        let filled = std::iter::from_fn(|| TcpStream::connect_timeout(&address, limit).ok());
        let filled = filled.take(64).collect();
        (listener, filled)
    }

    /// Connects, with so long for it.
    fn open(
        connector: &SliceConnector,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<TcpStream, Failure> {
        let hook: Rc<dyn Hook> = Rc::new(Stays);
        let _guard = watch::begin(&hook, &Patience { connect: limit, head: limit, idle: limit });
        watch::connecting();
        connector.open(host, port).map_err(|error| of_ureq(&error))
    }

    #[test]
    fn a_server_on_this_machine_that_takes_nobody_is_not_waited_for_for_ever() {
        let connector = SliceConnector { known: Addresses::default() };
        let (listener, _filled) = full();
        let port = listener.local_addr().unwrap().port();
        let met = open(&connector, "127.0.0.1", port, Duration::from_millis(400));
        assert_eq!(met.err(), Some(Failure::Late(Phase::Connect)));
    }

    #[test]
    fn an_address_that_is_silent_leaves_time_for_the_next() {
        let ((silent, _filled), good) = (full(), TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [&silent, &good].map(|listener| listener.local_addr().unwrap()).to_vec();
        let known = Known { addresses, since: clock::now() };
        let connector = SliceConnector { known: Addresses::default() };
        connector.known.lock().insert("two.example:443".to_owned(), known);
        let met = open(&connector, "two.example", 443, Duration::from_secs(2));
        let good = good.local_addr().unwrap();
        assert_eq!(met.map(|socket| socket.peer_addr().unwrap()), Ok(good));
        // The next connection does not wait for the silent one again.
        assert_eq!(connector.recall("two.example", 443).unwrap().first(), Some(&good));
    }
}
