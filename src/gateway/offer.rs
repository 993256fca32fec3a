//! What a provider offers: its own list of models.

use std::time::Duration;

use crate::config::Provider;
use crate::gateway::live::Live;
use crate::gateway::outgoing_headers::credential;
use crate::protocol::{Codec, listing};
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
    let headers = headers(provider, codec);
    let url = format!("{}{}", provider.base_url, codec.upstream_models_path());
    match probe::get_from(agent, &url, &headers, limit)? {
        (200, body) => Ok(listing::names(&body)),
        (status, _) => Err(Failure::NoAnswer(format!("status {status}"))),
    }
}

/// The headers of a question to a provider: its key, what its protocol demands, its own.
pub(super) fn headers(provider: &Provider, codec: &dyn Codec) -> Vec<(String, String)> {
    let key = provider.key.as_ref().and_then(|key| credential(provider, codec, &key.secret));
    let key = key.iter().map(|(name, value)| (*name, value.as_str()));
    let ours = key.chain(codec.required_header()).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = provider.headers.iter().map(|own| (own.name.clone(), own.value.expose().to_owned()));
    ours.chain(own).collect()
}
