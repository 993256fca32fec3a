//! A request as the gateway takes it: looked at once, never decoded on the native lane.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::clock;
use crate::base::id::RequestId;
use crate::base::json::Members;
use crate::base::secret::Secret;
use crate::config::Timeouts;
use crate::ir::estimate::{self, Size};
use crate::ir::loss::Losses;
use crate::ir::request::Request;
use crate::observe::live::Run;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::tap::Ask;
use crate::protocol::wire::WireError;
use crate::protocol::{Protocol, Task};
use crate::translate::framing::Framing;

/// A request for a generation.
#[derive(Debug)]
pub struct Inbound {
    /// Its id.
    pub id: RequestId,
    /// When it came.
    pub since: Instant,
    /// The client's protocol.
    pub protocol: Protocol,
    /// The model's name as it was asked for.
    pub asked: Option<String>,
    /// What its body asks for; `stream` as the path says where it does.
    pub ask: Ask,
    /// The body.
    pub text: String,
    /// The body's members.
    pub members: Members,
    /// Headers that may go upstream (SPEC 8.1); names in lower case.
    pub headers: Vec<(String, String)>,
    /// The query, without the client's key.
    pub query: Option<String>,
    /// The client's credential, in `client_key` mode.
    pub credential: Option<Secret>,
    /// The place of the client's key in `client_auth.keys`, where its requests are counted by it.
    pub key: Option<usize>,
    /// How a stream is framed towards the client.
    pub framing: Framing,
    /// The session as a header names it, else as the body does.
    pub session: Option<String>,
    /// What the client calls itself: the name in its `user-agent`.
    pub client: Option<String>,
    /// Does the answer carry all `x-llmgate-` headers?
    pub tell_all: bool,
    /// What is asked of a target.
    pub task: Task,
    /// What is asked of this request beside an answer.
    pub wishes: Wishes,
    /// The request, for those who look on.
    pub run: Arc<Run>,
    decoded: OnceCell<Decoded>,
}

/// What may be asked of a request beside an answer, by headers of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// A fault that is played (SPEC 6.8).
    pub test: Option<TestMode>,
    /// Are breakers and cooldowns ignored?
    pub bypass: bool,
    /// A shorter `timeouts.total`.
    pub total: Option<Duration>,
}

/// A fault that is played (SPEC 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestMode {
    /// The answer when no target is left.
    Degraded,
    /// The first attempt fails with a 503, the next is real.
    TransientRecover,
    /// The answer to too many requests.
    RateLimit,
    /// The stream stops after three events.
    StreamCut,
    /// 20 s of silence before the call.
    Slow,
}

impl TestMode {
    /// All of them with their names.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("force_degraded", Self::Degraded),
        ("force_transient_recover", Self::TransientRecover),
        ("force_rate_limit", Self::RateLimit),
        ("force_stream_cut", Self::StreamCut),
        ("force_slow", Self::Slow),
    ];

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, mode)| *mode)
    }
}

/// A request in neutral words.
#[derive(Debug)]
pub struct Decoded {
    /// The request.
    pub request: Request,
    /// What the neutral model has no word for.
    pub losses: Losses,
    /// How much it holds.
    pub size: Size,
    /// Was state put in that its own text does not hold?
    pub restored: bool,
}

/// What the path and the head of a request say.
#[derive(Debug)]
pub struct Envelope {
    /// The client's protocol.
    pub protocol: Protocol,
    /// The model in the path.
    pub model: Option<String>,
    /// Whether the path asks for a stream.
    pub stream: Option<bool>,
    /// See [`Inbound::headers`].
    pub headers: Vec<(String, String)>,
    /// The query as it came.
    pub query: Option<String>,
    /// See [`Inbound::credential`].
    pub credential: Option<Secret>,
    /// See [`Inbound::key`].
    pub key: Option<usize>,
    /// The session as a header names it.
    pub session: Option<String>,
    /// See [`Inbound::client`].
    pub client: Option<String>,
    /// See [`Inbound::tell_all`].
    pub tell_all: bool,
    /// See [`Inbound::task`].
    pub task: Task,
    /// See [`Inbound::wishes`].
    pub wishes: Wishes,
}

impl Envelope {
    /// Of a request of which nothing is known but its protocol.
    pub fn plain(protocol: Protocol) -> Self {
        Self {
            protocol,
            model: None,
            stream: None,
            headers: Vec::new(),
            query: None,
            credential: None,
            key: None,
            session: None,
            client: None,
            tell_all: false,
            task: Task::Answer,
            wishes: Wishes::default(),
        }
    }
}

impl Inbound {
    /// Reads a request.
    ///
    /// # Errors
    /// The body is no UTF-8, no JSON object, or a member of it is not what it must be.
    pub fn read(envelope: Envelope, id: RequestId, body: Vec<u8>) -> Result<Self, Fault> {
        let bad = |message: String| Fault::new(FaultKind::BadRequest, message);
        let text = String::from_utf8(body).map_err(|error| bad(format!("The body is no UTF-8: {error}.")))?;
        let members =
            Members::read(&text).map_err(|error| bad(format!("The body is no JSON object: {error}.")))?;
        if envelope.query.as_deref().is_some_and(|query| query.contains(is_unfit)) {
            return Err(bad(
                "In the query, quotes, angle brackets and other than ASCII must be percent-encoded."
                    .to_owned(),
            ));
        }
        let codec = envelope.protocol.codec();
        let mut ask =
            codec.tap_request(&text, &members).map_err(|error| bad(format!("In the body, {error}.")))?;
        ask.stream = envelope.stream.unwrap_or(ask.stream);
        let events =
            codec.model_field().is_some() || parameter(envelope.query.as_deref(), "alt") == Some("sse");
        let since = clock::now();
        let asked = envelope.model.or_else(|| ask.model.clone());
        Ok(Self {
            run: Run::new(&id, envelope.protocol, asked.as_deref(), since),
            id,
            since,
            protocol: envelope.protocol,
            asked,
            session: envelope.session.or_else(|| ask.session.clone()),
            ask,
            text,
            members,
            headers: envelope.headers,
            query: envelope.query.as_deref().and_then(|query| forwarded_query(query, &OWN_PARAMETERS)),
            credential: envelope.credential,
            key: envelope.key,
            framing: if events { Framing::Events } else { Framing::Array },
            client: envelope.client,
            tell_all: envelope.tell_all,
            task: envelope.task,
            wishes: envelope.wishes,
            decoded: OnceCell::new(),
        })
    }

    /// How long it may last, all calls and what it waits for its turn included.
    pub fn total(&self, timeouts: &Timeouts) -> Duration {
        self.wishes.total.map_or(timeouts.total, |wished| wished.min(timeouts.total))
    }

    /// How much it holds, if it was decoded.
    pub fn size(&self) -> Option<Size> {
        self.decoded.get().map(|decoded| decoded.size)
    }

    /// The request in neutral words; read once, when somebody asks. `complete` adds what its client
    /// had no field for, and says whether it did.
    ///
    /// # Errors
    /// The body is no request of its protocol.
    pub fn decoded(&self, complete: impl FnOnce(&mut Request) -> bool) -> Result<&Decoded, WireError> {
        if let Some(decoded) = self.decoded.get() {
            return Ok(decoded);
        }
        let codec = self.protocol.codec();
        let body = codec.counted(&self.text, &self.members);
        let (mut request, losses) = codec.wire().decode_task(self.task, body)?;
        request.stream = self.ask.stream;
        let restored = complete(&mut request);
        let size = estimate::size(&request);
        Ok(self.decoded.get_or_init(|| Decoded { request, losses, size, restored }))
    }
}

/// No URL may hold it (RFC 3986), so that no provider can be called with it.
pub(super) fn is_unfit(c: char) -> bool {
    !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>')
}

/// The value of a query parameter, as it is written.
pub fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// What of a query is not for a provider: the client's key, our own parameters, and `alt`, which is
/// ours to choose.
const OWN_PARAMETERS: [&str; 3] = ["key", "llm_proxy_test_mode", "alt"];

/// A client's query as it goes upstream: without those parameters.
pub(super) fn forwarded_query(query: &str, own: &[&str]) -> Option<String> {
    let kept = |pair: &&str| !pair.is_empty() && !own.contains(&pair.split('=').next().unwrap_or_default());
    let kept: Vec<&str> = query.split('&').filter(kept).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_goes_on_without_the_clients_key() {
        assert_eq!(
            forwarded_query("beta=true&key=secret&alt=sse&llm_proxy_test_mode=x", &OWN_PARAMETERS),
            Some("beta=true".into())
        );
        assert_eq!(forwarded_query("key=secret", &OWN_PARAMETERS), None);
        assert_eq!(parameter(Some("a=1&alt=sse"), "alt"), Some("sse"));
    }
}
