//! Floor 4: one call to one target. Bytes in, bytes out; protocols' insides are not known here.
//!
//! [`send`] makes a call and returns its head; [`Incoming::read`] gives the body as it comes. All
//! waiting happens in slices of at most 250 ms, and after each the caller's [`Hook`] is asked
//! whether to go on: so a call ends within a slice when its client leaves, with no second thread.

mod connect;
mod demo;
mod failure;
mod lanes;
mod outgoing_proxy;
pub mod probe;
mod tls;
mod transport;
mod watch;

use std::borrow::Cow;
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use ureq::http::header::{CONNECTION, CONTENT_TYPE};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::base::secret::Secret;
use crate::config::DEMO_URL;
use crate::protocol::{Codec, Task};
use crate::upstream::lanes::{Lane, Lanes};

pub use demo::STEADY as DEMO_MODEL;
pub use failure::{Failure, Phase};
pub use outgoing_proxy::ProxySettings;
pub use tls::Tls;
pub use watch::{Hook, SLICE, Stop};

/// The longest line of a request's head that can be sent; most servers take no longer one.
pub const LONGEST_LINE: usize = 16 * 1024;

/// One provider's connections: its pool, the way to it, its roots.
#[derive(Clone, Debug)]
pub struct Agent {
    to: Upstream,
}

#[derive(Clone, Debug)]
enum Upstream {
    Http(Lanes),
    /// The built-in upstream: no connection at all.
    Demo,
}

/// A header that is sent: its name in lower case, its value.
pub type Header<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A call about to be made.
#[derive(Clone)]
pub struct Call<'a> {
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: &'a str,
    /// The headers; the credential is among them.
    pub headers: &'a [Header<'a>],
    /// The body; where a method needs none, an empty one is none.
    pub body: &'a [u8],
    /// How long to wait for what.
    pub patience: Patience,
    /// What is said in it, for an upstream that has no address.
    pub speech: Speech<'a>,
}

/// What a call asks for, beside its bytes.
#[derive(Clone, Copy)]
pub struct Speech<'a> {
    /// The protocol that is spoken.
    pub codec: &'static dyn Codec,
    /// The model's name at the provider.
    pub model: &'a str,
    /// Is a stream asked for?
    pub stream: bool,
    /// What is asked for.
    pub task: Task,
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
    headers: HeaderMap,
    body: Body,
    /// Does the connection outlive it?
    stays: bool,
    watch: watch::Guard,
}

enum Body {
    Http { reader: ureq::BodyReader<'static>, lane: Lane },
    Demo(demo::Body),
}

impl Agent {
    /// An agent for a provider at `base_url`.
    ///
    /// # Errors
    /// The proxy's address cannot be used.
    pub fn new(base_url: &str, proxy: &ProxySettings, tls: &Tls) -> Result<Self, Failure> {
        if base_url == DEMO_URL {
            return Ok(Self { to: Upstream::Demo });
        }
        let proxy = outgoing_proxy::choose(base_url, proxy)?;
        Ok(Self { to: Upstream::Http(Lanes::new(proxy, tls)) })
    }

    /// Is the provider reached through a proxy?
    pub fn has_proxy(&self) -> bool {
        match &self.to {
            Upstream::Http(lanes) => lanes.has_proxy(),
            Upstream::Demo => false,
        }
    }

    /// Is it the built-in upstream?
    pub fn is_demo(&self) -> bool {
        matches!(self.to, Upstream::Demo)
    }
}

/// Makes a call and waits for the head of its answer. A pooled connection that dies before the
/// first byte of an answer is replaced by a fresh one, once.
///
/// # Errors
/// The provider was not reached or did not answer in time, or the hook said stop.
pub fn send(agent: &Agent, call: &Call<'_>, hook: &Rc<dyn Hook>) -> Result<Incoming, Failure> {
    let watch = watch::begin(hook, &call.patience);
    let lane = match &agent.to {
        Upstream::Http(lanes) => lanes.take(),
        Upstream::Demo => return Ok(played(call, watch)),
    };
    let mut answer = attempt(lane.agent(), call);
    if answer.as_ref().is_err_and(|error| watch.was_stale() && failure::is_broken_connection(error)) {
        watch.demand_fresh();
        answer = attempt(lane.agent(), call);
    }
    match answer {
        Ok(response) => Ok(heard(response, lane, watch)),
        Err(error) => Err(failure::of_ureq(&error)),
    }
}

#[inline(never)] // Its frame would lie under each call, in each thread.
fn heard(response: ureq::http::Response<ureq::Body>, lane: Lane, watch: watch::Guard) -> Incoming {
    let (parts, body) = response.into_parts();
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    let stays = !parts.headers.get(CONNECTION).is_some_and(closes);
    watch.body_begins();
    Incoming {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: Body::Http { reader: body.into_with_config().limit(u64::MAX).reader(), lane },
        stays,
        watch,
    }
}

#[inline(never)] // as `heard`
fn played(call: &Call<'_>, watch: watch::Guard) -> Incoming {
    let answer = demo::play(&call.speech, call.body);
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(answer.content_type))]);
    watch.body_begins();
    Incoming { status: answer.status, headers, body: Body::Demo(answer.body), stays: false, watch }
}

fn attempt(agent: &ureq::Agent, call: &Call<'_>) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let mut request = Request::builder().method(call.method).uri(call.url).body(call.body)?;
    let headers = request.headers_mut();
    headers.reserve(call.headers.len());
    for (name, value) in call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(ureq::http::Error::from)?;
        headers.append(name, HeaderValue::from_str(value).map_err(ureq::http::Error::from)?);
    }
    let has_body = !call.body.is_empty() || matches!(call.method, "POST" | "PUT" | "PATCH");
    if has_body { agent.run(request) } else { agent.run(request.map(|_| ())) }
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

    /// They were read: a long stream need not hold them.
    pub fn forget_headers(&mut self) {
        self.headers = HeaderMap::new();
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
        match &mut self.body {
            Body::Http { reader, lane } => {
                let count = reader.read(into).map_err(|error| failure::of_io(&error))?;
                if count == 0 && self.stays {
                    lane.keep();
                }
                Ok(count)
            }
            Body::Demo(body) => body.read(into).map_err(|error| failure::of_io(&error)),
        }
    }
}

impl ProxySettings {
    /// Every credential in a proxy's address.
    pub fn secrets(&self) -> Vec<Secret> {
        outgoing_proxy::secrets(self)
    }
}
