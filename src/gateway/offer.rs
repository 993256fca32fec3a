//! What a provider offers: its own list of models.

use std::time::Duration;

use crate::config::Provider;
use crate::gateway::live::Live;
use crate::gateway::outgoing::credential;
use crate::protocol::listing;
use crate::upstream::{Failure, probe};

/// The names of a provider's models, by one GET within `limit`. An answer that is no list has none.
///
/// # Errors
/// It was not reached, or did not answer with 200 in time.
pub fn names(live: &Live, provider: &Provider, limit: Duration) -> Result<Vec<String>, Failure> {
    let (Some(agent), Some(protocol)) = (live.agent(&provider.name), provider.protocols.first()) else {
        return Ok(Vec::new());
    };
    let codec = protocol.codec();
    let mut headers: Vec<(String, String)> = Vec::new();
    let key = provider.key.as_ref().and_then(|key| credential(provider, codec, &key.secret));
    for (name, value) in
        key.iter().map(|(name, value)| (*name, value.as_str())).chain(codec.required_header())
    {
        headers.push((name.to_owned(), value.to_owned()));
    }
    headers.extend(provider.headers.iter().cloned());
    let url = format!("{}{}", provider.base_url, codec.upstream_models_path());
    match probe::get_from(agent, &url, &headers, limit)? {
        (200, body) => Ok(listing::names(&body)),
        (status, _) => Err(Failure::NoAnswer(format!("status {status}"))),
    }
}
