//! What commands ask of a running llmgate or of a provider.

use std::io::Read;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ureq::http::Request;

use crate::base::clock;
use crate::base::env::Env;
use crate::upstream::failure::{of_io, of_ureq};
use crate::upstream::{Agent, Failure, Hook, Patience, ProxySettings, Stop, Tls, Upstream, watch};

/// A question takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a local endpoint to do something; returns the status and the body.
///
/// # Errors
/// It was not reached, or did not answer within 10 s.
pub fn post(url: &str, key: Option<&str>) -> Result<(u16, String), Failure> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build();
    let mut request = Request::post(url).header("x-llmgate-admin", "1");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let request = request.body(()).map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let mut response = ureq::Agent::new_with_config(config).run(request).map_err(|error| of_ureq(&error))?;
    let body = response.body_mut().read_to_string().map_err(|error| of_ureq(&error))?;
    Ok((response.status().as_u16(), body))
}

/// Asks a running llmgate for something, as `env` says it is reached; returns the status and the body.
///
/// # Errors
/// It was not reached, or did not answer within `limit`.
pub fn get(url: &str, key: Option<&str>, env: &Env, limit: Duration) -> Result<(u16, String), Failure> {
    let roots = env.var("SSL_CERT_FILE").map(PathBuf::from);
    let agent =
        Agent::new(url, &ProxySettings::Environment(env.clone()), &Tls::new(roots.into_iter().collect()))?;
    let key = key.map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
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
    let agent = match &agent.to {
        Upstream::Http(agent) => agent,
        Upstream::Demo => return Ok((404, String::new())),
    };
    let hook: Rc<dyn Hook> = Rc::new(Until(clock::now() + limit));
    let watch = watch::begin(&hook, &Patience { connect: limit, head: limit, idle: limit });
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(()).map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let response = agent.run(request).map_err(|error| of_ureq(&error))?;
    watch.body_begins();
    let status = response.status().as_u16();
    let mut body = String::new();
    let mut reader = response.into_body().into_with_config().limit(MOST).reader();
    reader.read_to_string(&mut body).map_err(|error| of_io(&error))?;
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
    let agent = match &agent.to {
        Upstream::Http(agent) => agent,
        Upstream::Demo => return Ok(404),
    };
    let hook: Rc<dyn Hook> = Rc::new(Until(clock::now() + limit));
    let _watch = watch::begin(&hook, &Patience { connect: limit, head: limit, idle: limit });
    let mut request = Request::post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(body).map_err(|error| Failure::NoAnswer(error.to_string()))?;
    let response = agent.run(request).map_err(|error| of_ureq(&error))?;
    Ok(response.status().as_u16())
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
