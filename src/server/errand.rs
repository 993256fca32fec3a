//! Which provider a request is handed on to, and with whose key (SPEC 3.3, 10.5).

use crate::base::secret::Secret;
use crate::config::{ClientAuth, Config, Provider};
use crate::gateway::errand::{Errand, Key};
use crate::gateway::headers::is_forwarded;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::{Protocol, listing};
use crate::server::body::BodyReader;
use crate::server::endpoint::Endpoint;
use crate::server::head::Head;
use crate::server::visit::Visit;

/// A provider that may be handed a path, the protocol it belongs to there, and the path below its
/// base URL.
type Taker<'c, 'p> = (&'c Provider, Protocol, &'p str);

/// Is there a provider that takes paths which are unknown here?
pub(super) fn is_taken(config: &Config, head: &Head) -> bool {
    takers(config, head).next().is_some()
}

/// Those that do (`passthrough`): a path belongs to the protocol of its prefix; on a shared one
/// headers tell.
fn takers<'c, 'p>(config: &'c Config, head: &'p Head) -> impl Iterator<Item = Taker<'c, 'p>> {
    let shape = listing::shape(None, false, |name| head.headers.first(name).is_some());
    let providers = config.providers.iter().filter(|provider| provider.enabled && provider.passthrough);
    providers.filter_map(move |provider| {
        provider.protocols.iter().find_map(|protocol| {
            let (prefix, path) = below(&head.path, *protocol)?;
            let owns = prefix != "/v1" || protocol.codec().prefixes() == shape.codec().prefixes();
            (owns && !prefix.is_empty()).then_some((provider, *protocol, path))
        })
    })
}

/// A path taken apart: the protocol's prefix, and what follows it.
fn below(path: &str, protocol: Protocol) -> Option<(&'static str, &str)> {
    protocol.codec().prefixes().iter().find_map(|prefix| {
        let rest = path.strip_prefix(prefix)?;
        rest.starts_with('/').then_some((*prefix, rest))
    })
}

impl Visit<'_> {
    /// Something that a provider keeps: it is where the only provider is that speaks the protocol.
    pub(super) fn fetch_stored(
        &self,
        protocol: Protocol,
        credential: Option<Secret>,
        body: &mut BodyReader<'_>,
    ) -> Result<(), Fault> {
        let config = self.live.config();
        let speaks = |provider: &&Provider| provider.enabled && provider.protocols.contains(&protocol);
        let mut speakers = config.providers.iter().filter(speaks);
        let provider = match (speakers.next(), speakers.next()) {
            (Some(provider), None) => provider,
            (None, _) => {
                let message = format!("No provider speaks {}: nothing is kept for it.", protocol.name());
                return Err(Fault::new(FaultKind::Degraded, message));
            }
            (Some(one), Some(other)) => {
                let (name, one, other) = (protocol.name(), &one.name, &other.name);
                let message = format!(
                    "Several providers speak {name} ({one}, {other}): nobody knows which of them keeps this."
                );
                return Err(Fault::new(FaultKind::BadRequest, message));
            }
        };
        let path = below(&self.head.path, protocol).map_or("", |(_, path)| path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let key = match config.client_auth {
            ClientAuth::ClientKey => Key::Clients(credential),
            ClientAuth::None | ClientAuth::ProxyKey(_) => Key::Ours,
        };
        self.hand_on((provider, protocol, path), key, body)
    }

    /// A path that is unknown here, for the provider that takes such.
    pub(super) fn pass_on(&self, endpoint: &Endpoint, body: &mut BodyReader<'_>) -> Result<(), Fault> {
        let config = self.live.config();
        let mut takers = takers(config, self.head);
        let (taker, other) = (takers.next(), takers.next());
        if let (Some((one, ..)), Some((other, ..))) = (taker, other) {
            let message = format!(
                "{} and {} both have `passthrough`: nobody knows which of them is meant.",
                one.name, other.name
            );
            return Err(Fault::new(FaultKind::BadRequest, message));
        }
        let key = Key::Clients(self.visitor.own_credential(config, endpoint));
        taker.map_or_else(|| Err(self.unknown()), |taker| self.hand_on(taker, key, body))
    }

    fn hand_on(
        &self,
        (provider, protocol, path): Taker<'_, '_>,
        key: Key,
        body: &mut BodyReader<'_>,
    ) -> Result<(), Fault> {
        let goes_along = |name: &str| is_forwarded(name) || matches!(name, "content-type" | "accept");
        let errand = Errand {
            id: &self.id,
            provider,
            protocol,
            method: self.head.method.as_str(),
            path,
            query: self.head.query.as_deref(),
            headers: self.head.headers.iter().filter(|(name, _)| goes_along(name)).collect(),
            key,
            body: self.body(body)?,
        };
        errand.run(self.live, &self.client())
    }
}
