//! The headers with which a target is called (SPEC 8.1): what passes of the client's, what its
//! protocol demands, the credential, and the provider's own, which win.

use std::borrow::Cow;

use crate::base::secret::Secret;
use crate::config::{AuthForm, Provider};
use crate::gateway::errand::{Errand, Key};
use crate::gateway::inbound::Inbound;
use crate::protocol::Codec;
use crate::protocol::fault::{Fault, FaultKind};
use crate::route::plan::Candidate;
use crate::upstream::{Header, LONGEST_LINE};

/// A translated request says of its client no more than the idempotency key.
fn passes(name: &str, candidate: &Candidate<'_>, inbound: &Inbound) -> bool {
    candidate.protocol == inbound.protocol || name == "idempotency-key"
}

/// The headers of a request: names in lower case, one of a name.
pub(super) fn all<'a>(candidate: &Candidate<'a>, inbound: &'a Inbound, client_key: bool) -> Vec<Header<'a>> {
    let provider = candidate.provider;
    let codec = candidate.protocol.codec();
    let mut headers = Headers::default();
    for (name, value) in inbound.headers.iter().filter(|(name, _)| passes(name, candidate, inbound)) {
        headers.join(name, value);
    }
    headers.set("content-type", "application/json");
    headers.set("accept", if inbound.ask.stream { "text/event-stream" } else { "application/json" });
    headers.complete(codec);
    let own = provider.key.as_ref().map(|key| &key.secret);
    if let Some(key) = if client_key { inbound.credential.as_ref() } else { own }
        && let Some((name, value)) = credential(provider, codec, key)
    {
        headers.set(name, value);
    }
    for own in &provider.headers {
        headers.set(own.name.to_lowercase(), own.value.expose());
    }
    headers.0
}

/// The headers of a request that is handed on. With a client's own key goes nothing of ours: the
/// provider's own headers may hold a key.
pub(super) fn of_errand<'a>(errand: &'a Errand<'_>) -> Vec<Header<'a>> {
    let provider = errand.provider;
    let codec = errand.protocol.codec();
    let mut headers = Headers::default();
    for (name, value) in &errand.headers {
        headers.join(name, value);
    }
    headers.complete(codec);
    let (key, own) = match &errand.key {
        Key::Ours => (provider.key.as_ref().map(|key| &key.secret), provider.headers.as_slice()),
        Key::Clients(key) => (key.as_ref(), [].as_slice()),
    };
    if let Some((name, value)) = key.and_then(|key| credential(provider, codec, key)) {
        headers.set(name, value);
    }
    for own in own {
        headers.set(own.name.to_lowercase(), own.value.expose());
    }
    headers.0
}

/// Can a head with this address and these headers be sent? What is too long is the client's: no target
/// is to blame.
///
/// # Errors
/// One of its lines is too long.
pub(super) fn check_lines(url: &str, headers: &[Header<'_>]) -> Result<(), Fault> {
    // What stands in a line beside a name and a value, or an address.
    const AROUND: usize = 32;
    let is_long = |length: usize| length + AROUND > LONGEST_LINE;
    let what = match headers.iter().find(|(name, value)| is_long(name.len() + value.len())) {
        Some((name, _)) => format!("The header {name}"),
        None if is_long(url.len()) => "The path with its query".to_owned(),
        None => return Ok(()),
    };
    let message = format!("{what} is longer than {} KiB: it cannot be sent on.", LONGEST_LINE / 1024);
    Err(Fault::new(FaultKind::BadRequest, message).with_status(431))
}

pub(super) fn credential(
    provider: &Provider,
    codec: &dyn Codec,
    key: &Secret,
) -> Option<(&'static str, String)> {
    let key = key.expose();
    match provider.auth {
        AuthForm::Auto => Some(codec.credential(key)),
        AuthForm::Bearer => Some(("authorization", format!("Bearer {key}"))),
        AuthForm::XApiKey => Some(("x-api-key", key.to_owned())),
        AuthForm::XGoogApiKey => Some(("x-goog-api-key", key.to_owned())),
        AuthForm::None => None,
    }
}

/// Headers of a request; one of a name.
#[derive(Default)]
struct Headers<'a>(Vec<Header<'a>>);

impl<'a> Headers<'a> {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// What every request of ours has: no coding of the answer that we would not understand, a name,
    /// and what the protocol demands.
    fn complete(&mut self, codec: &dyn Codec) {
        let needed = codec.required_header().into_iter();
        for (name, value) in needed.chain([("user-agent", concat!("llmgate/", env!("CARGO_PKG_VERSION")))]) {
            if !self.has(name) {
                self.set(name, value);
            }
        }
        self.set("accept-encoding", "identity");
    }

    /// One of the client's; a list may come in several lines (RFC 9110, 5.3).
    fn join(&mut self, name: &'a str, value: &'a str) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if *known != value => {
                let known = known.to_mut();
                known.push_str(", ");
                known.push_str(value);
            }
            Some(_) => {}
            None => self.0.push((name.into(), value.into())),
        }
    }

    fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }
}
