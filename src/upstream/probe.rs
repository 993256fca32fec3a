//! What commands ask of a running llmgate or of a provider.

use std::io::Read;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ureq::http::Request;
use ureq::http::request::Builder;

use crate::base::channel::bounded;
use crate::base::clock;
use crate::base::env::Env;
use crate::upstream::failure::{of_io, of_ureq};
use crate::upstream::{
    Agent, Call, Failure, Hook, Patience, ProxySettings, Stop, Tls, Upstream, send, watch,
};

/// A question takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a local endpoint to do something; returns the status and the body.
///
/// # Errors
/// It was not reached, or did not answer within 10 s.
pub fn post(url: &str, key: Option<&str>) -> Result<(u16, String), Failure> {
    let agent = Agent::new(url, &ProxySettings::Direct, &Tls::new(Vec::new()))?;
    let mut headers = vec![("x-llmgate-admin".to_owned(), "1".to_owned())];
    headers.extend(key.map(bearer));
    whole(&agent, Request::post(url), &headers, PATIENCE)
}

/// Asks a running llmgate for something, as `env` says it is reached; returns the status and the body.
///
/// # Errors
/// It was not reached, or did not answer within `limit`.
pub fn get(url: &str, key: Option<&str>, env: &Env, limit: Duration) -> Result<(u16, String), Failure> {
    let roots = env.var("SSL_CERT_FILE").map(PathBuf::from);
    let agent =
        Agent::new(url, &ProxySettings::Environment(env.clone()), &Tls::new(roots.into_iter().collect()))?;
    let key = key.map(bearer);
    get_from(&agent, url, key.as_slice(), limit)
}

/// Asks a local endpoint for something, past any proxy; returns the status and the body.
///
/// # Errors
/// It was not reached, or did not answer within `limit`.
pub fn look(url: &str, key: Option<&str>, limit: Duration) -> Result<(u16, String), Failure> {
    let agent = Agent::new(url, &ProxySettings::Direct, &Tls::new(Vec::new()))?;
    let key = key.map(bearer);
    get_from(&agent, url, key.as_slice(), limit)
}

/// Asks a provider for something, with these headers; returns the status and the body. The built-in
/// demo has nothing to give.
///
/// # Errors
/// It was not reached, or did not answer within `limit`.
pub fn get_from(
    agent: &Agent,
    url: &str,
    headers: &[(String, String)],
    limit: Duration,
) -> Result<(u16, String), Failure> {
    whole(agent, Request::get(url), headers, limit)
}

fn bearer(key: &str) -> (String, String) {
    ("authorization".to_owned(), format!("Bearer {key}"))
}

/// The status and the whole body of an answer.
fn whole(
    agent: &Agent,
    mut request: Builder,
    headers: &[(String, String)],
    limit: Duration,
) -> Result<(u16, String), Failure> {
    let mut lane = match &agent.to {
        Upstream::Http(lanes) => lanes.take(),
        Upstream::Demo => return Ok((404, String::new())),
    };
    let hook: Rc<dyn Hook> = Rc::new(Until(clock::now() + limit));
    let watch = watch::begin(&hook, &Patience { connect: limit, head: limit, idle: limit });
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(()).map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let response = lane.agent().run(request).map_err(|error| of_ureq(&error).within(limit))?;
    watch.body_begins();
    let status = response.status().as_u16();
    let mut body = String::new();
    let mut reader = response.into_body().into_with_config().limit(MOST).reader();
    reader.read_to_string(&mut body).map_err(|error| of_io(&error).within(limit))?;
    lane.keep();
    Ok((status, body))
}

/// Posts something, with these headers; returns the status. The answer's body is not read.
///
/// # Errors
/// It was not reached, or did not answer within `limit`.
pub fn post_to(
    agent: &Agent,
    url: &str,
    headers: &[(String, String)],
    body: &[u8],
    limit: Duration,
) -> Result<u16, Failure> {
    let lane = match &agent.to {
        Upstream::Http(lanes) => lanes.take(),
        Upstream::Demo => return Ok(404),
    };
    let hook: Rc<dyn Hook> = Rc::new(Until(clock::now() + limit));
    let _watch = watch::begin(&hook, &Patience { connect: limit, head: limit, idle: limit });
    let mut request = Request::post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(body).map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let response = lane.agent().run(request).map_err(|error| of_ureq(&error).within(limit))?;
    Ok(response.status().as_u16())
}

/// What was heard of a provider.
#[derive(Debug)]
pub struct Heard {
    /// The status.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// From the call to the head of the answer.
    pub first_byte: Duration,
}

/// Makes one call within `limit`, and reads its answer to the end.
///
/// # Errors
/// It was not reached, or did not answer in time.
pub fn ask(agent: &Agent, call: &Call<'_>, limit: Duration) -> Result<Heard, Failure> {
    let since = clock::now();
    let hook: Rc<dyn Hook> = Rc::new(Until(since + limit));
    let mut incoming = send(agent, call, &hook).map_err(|failure| failure.within(limit))?;
    let first_byte = clock::now() - since;
    let mut body = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    while body.len() < MOST as usize {
        let count = incoming.read(&mut piece).map_err(|failure| failure.within(limit))?;
        if count == 0 {
            break;
        }
        body.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    Ok(Heard {
        status: incoming.status,
        content_type: incoming.header("content-type").unwrap_or_default().to_owned(),
        body: String::from_utf8_lossy(&body).into_owned(),
        first_byte,
    })
}

/// The addresses of a URL's host, looked up within `limit`.
///
/// # Errors
/// It has none, or they were not found in time.
pub fn look_up(url: &str, limit: Duration) -> Result<Vec<IpAddr>, Failure> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let (sender, receiver) = bounded(1);
    let name = host.to_owned();
    // The system's look-up cannot be interrupted.
    std::thread::Builder::new()
        .name("look-up".to_owned())
        .spawn(move || {
            // Nobody may be waiting any more.
            let _ = sender.send((name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
        })
        .map_err(|error| Failure::Unreachable(error.to_string()))?;
    match receiver.recv_timeout(limit) {
        Ok(Ok(found)) if !found.is_empty() => {
            let mut addresses: Vec<IpAddr> = found.iter().map(std::net::SocketAddr::ip).collect();
            addresses.dedup();
            Ok(addresses)
        }
        Ok(Ok(_)) => Err(Failure::Unreachable(format!("{host} has no address"))),
        Ok(Err(error)) => Err(Failure::Unreachable(format!("{host}: {error}"))),
        Err(_) => {
            Err(Failure::Unreachable(format!("{host}: the look-up took longer than {} s", limit.as_secs())))
        }
    }
}

/// A list of models is no longer than this.
const MOST: u64 = 8 * 1024 * 1024;

/// Goes on until then.
struct Until(Instant);

impl Hook for Until {
    fn go_on(&self) -> Result<(), Stop> {
        if clock::now() < self.0 { Ok(()) } else { Err(Stop::Total) }
    }
}
