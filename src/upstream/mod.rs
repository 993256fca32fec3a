//! Floor 4: one call to one target. Bytes in, bytes out; protocols' insides are not known here.
//!
//! [`send`] makes a call and returns its head; [`Incoming::read`] gives the body as it comes. All
//! waiting happens in slices of at most 250 ms, and after each the caller's [`Hook`] is asked
//! whether to go on: so a call ends within a slice when its client leaves, with no second thread.

mod connect;
mod failure;
mod outgoing_proxy;
mod tls;
mod transport;
mod watch;

use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use ureq::http::Request;

use crate::base::secret::Secret;

pub use failure::{Failure, Phase};
pub use outgoing_proxy::ProxySettings;
pub use tls::Tls;
pub use watch::{Hook, Stop};

/// One provider's connections: its pool, the way to it, its roots.
#[derive(Clone, Debug)]
pub struct Agent {
    inner: ureq::Agent,
}

/// A call about to be made.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The whole URL.
    pub url: &'a str,
    /// Header names (lower case) and values; the credential is among them.
    pub headers: &'a [(String, String)],
    /// The body of a POST.
    pub body: &'a [u8],
    /// How long to wait for what.
    pub patience: Patience,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the connection stands.
    pub connect: Duration,
    /// From then until the head of the answer.
    pub head: Duration,
    /// Between two reads of the body.
    pub idle: Duration,
}

/// An answer whose head has come.
pub struct Incoming {
    /// Its status.
    pub status: u16,
    headers: ureq::http::HeaderMap,
    body: ureq::BodyReader<'static>,
    watch: watch::Guard,
}

impl Agent {
    /// An agent for a provider at `base_url`.
    ///
    /// # Errors
    /// The proxy's address cannot be used.
    pub fn new(base_url: &str, proxy: &ProxySettings, tls: &Tls) -> Result<Self, Failure> {
        let proxy = outgoing_proxy::choose(base_url, proxy)?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .max_idle_age(Duration::from_secs(30))
            .input_buffer_size(32 * 1024)
            .output_buffer_size(16 * 1024)
            .build();
        let resolver = connect::Unresolved;
        Ok(Self { inner: ureq::Agent::with_parts(config, connect::chain(tls), resolver) })
    }
}

/// Makes a call and waits for the head of its answer. A pooled connection that dies before the
/// first byte of an answer is replaced by a fresh one, once.
///
/// # Errors
/// The provider was not reached or did not answer in time, or the hook said stop.
pub fn send(agent: &Agent, call: &Call<'_>, hook: &Rc<dyn Hook>) -> Result<Incoming, Failure> {
    let watch = watch::begin(hook, &call.patience);
    match attempt(agent, call) {
        Err(error) if watch.was_stale() && failure::is_broken_connection(&error) => {
            watch.demand_fresh();
            attempt(agent, call)
        }
        result => result,
    }
    .map_err(|error| failure::of_ureq(&error))
    .map(|response| {
        let (parts, body) = response.into_parts();
        watch.body_begins();
        Incoming {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.into_with_config().limit(u64::MAX).reader(),
            watch,
        }
    })
}

fn attempt(agent: &Agent, call: &Call<'_>) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let mut request = Request::post(call.url);
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    agent.inner.run(request.body(call.body)?)
}

impl Incoming {
    /// The first header of that name (lower case) whose value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers whose values are text.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// From now on silence in the body may only last this long.
    pub fn hurry(&mut self, limit: Duration) {
        self.watch.hurry(limit);
    }

    /// Reads what has come of the body, at least one byte; 0 at its end.
    ///
    /// # Errors
    /// The body ended early, was silent for too long, or the hook said stop.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        self.body.read(into).map_err(|error| failure::of_io(&error))
    }
}

impl ProxySettings {
    /// Every credential in a proxy's address.
    pub fn secrets(&self) -> Vec<Secret> {
        outgoing_proxy::secrets(self)
    }
}
