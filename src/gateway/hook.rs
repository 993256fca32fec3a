//! How a line is posted to the usage hook.

use crate::base::env::Env;
use crate::config::UsageHook;
use crate::observe::hook::{NotPosted, Post};
use crate::upstream::{Agent, ProxySettings, Tls, probe};

/// What posts to a hook; `None` when it cannot be reached at all, which is told.
pub(super) fn post(hook: &UsageHook, env: &Env, tls: &Tls) -> Option<Post> {
    let agent = Agent::new(&hook.url, &ProxySettings::Environment(env.clone()), tls)
        .inspect_err(|failure| log::error!("usage.hook: {failure}"))
        .ok()?;
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let authorization = hook.authorization.as_ref();
    headers.extend(authorization.map(|value| ("authorization".to_owned(), value.expose().to_owned())));
    let (url, limit) = (hook.url.clone(), hook.timeout);
    Some(Box::new(move |line| match probe::post_to(&agent, &url, &headers, line, limit) {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(NotPosted(format!("status {status}"))),
        Err(failure) => Err(NotPosted(failure.to_string())),
    }))
}
