//! One candidate: its request made, its call made, its error answer understood.

use std::borrow::Cow;
use std::rc::Rc;

use crate::base::id::TargetId;
use crate::base::secret::{Secret, masked};
use crate::config::{AuthForm, ClientAuth, ModelSpec, Provider, StripBilling};
use crate::gateway::headers;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::record::Story;
use crate::gateway::trouble::{NativeError, Report, Trouble, cut};
use crate::observe::log::harmless;
use crate::policy::class::Class;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::{Codec, error};
use crate::route::plan::Candidate;
use crate::translate::{self, Source, Wants, pipe};
use crate::upstream::{self, Agent, Call, Failure, Hook, Incoming, Patience};

/// A request as one target gets it, and what must be known of it when the answer comes.
pub struct Outgoing<'a> {
    /// The target.
    pub target: TargetId,
    /// How its stream goes to the client.
    pub options: pipe::Options,
    /// The most bytes of a whole answer.
    pub response_body: usize,
    /// What knows the protocol of both sides.
    pub codec: &'static dyn Codec,
    provider: &'a Provider,
    agent: &'a Agent,
    url: String,
    headers: Vec<(String, String)>,
    body: Cow<'a, str>,
    patience: Patience,
    client_key: bool,
}

/// Makes the request for a candidate.
///
/// # Errors
/// The provider has no connections: our own fault.
pub fn prepare<'a>(
    live: &'a Live,
    inbound: &'a Inbound,
    candidate: &Candidate<'a>,
) -> Result<Outgoing<'a>, Trouble> {
    let provider = candidate.provider;
    let codec = inbound.protocol.codec();
    let model = candidate.target.model.as_str();
    let agent = live.agent(&provider.name).ok_or_else(|| {
        Trouble::own(Fault::new(FaultKind::Internal, format!("Provider {} has no agent.", provider.name)))
    })?;
    let source = Source { codec, text: &inbound.text, members: &inbound.members, ask: &inbound.ask };
    let body = translate::outgoing(&source, &wants(provider, candidate));
    let client_key = live.config().client_auth == ClientAuth::ClientKey;
    let limits = &live.config().limits;
    let asked = inbound.asked.as_deref().unwrap_or_default();
    Ok(Outgoing {
        options: pipe::Options {
            rename: (!asked.is_empty() && asked != model).then(|| asked.to_owned()),
            hide_usage: codec.ask_for_usage(&inbound.ask).is_some(),
            framing: inbound.framing,
            limit: limits.sse_frame,
        },
        response_body: limits.response_body,
        codec,
        provider,
        agent,
        url: url(provider, inbound, model),
        headers: request_headers(provider, inbound, client_key),
        body,
        patience: patience(candidate, inbound.ask.stream),
        client_key,
        target: candidate.target.clone(),
    })
}

/// Calls the target and waits for the head of its answer.
///
/// # Errors
/// It was not reached, or answered with an error.
pub fn call(
    live: &Live,
    outgoing: &Outgoing<'_>,
    hook: &Rc<dyn Hook>,
    story: &mut Story,
) -> Result<Incoming, Trouble> {
    story.attempts_target(&outgoing.target);
    log::debug!("{} calls {}: {} {}", story.id(), outgoing.target, outgoing.url, outgoing.shown_headers());
    let call = Call {
        url: &outgoing.url,
        headers: &outgoing.headers,
        body: outgoing.body.as_bytes(),
        patience: outgoing.patience,
    };
    let mut incoming = upstream::send(outgoing.agent, &call, hook)
        .map_err(|failure| Trouble::of_failure(&failure, &outgoing.target))?;
    story.hears();
    match incoming.status {
        200..=299 => Ok(incoming),
        300..=399 => {
            let what = format!("answered with a redirect ({}), which is never followed", incoming.status);
            Err(Trouble::bad_answer(Class::BadUpstream, &outgoing.target, &what))
        }
        _ => Err(refused(live, outgoing, &mut incoming)),
    }
}

/// Reads at most `limit` bytes of a body; whether that was all of it.
///
/// # Errors
/// The body broke.
pub fn read_up_to(incoming: &mut Incoming, limit: usize) -> Result<(Vec<u8>, bool), Failure> {
    let mut body = Vec::new();
    let mut part = vec![0_u8; 16 * 1024];
    loop {
        let count = incoming.read(&mut part)?;
        if count == 0 {
            return Ok((body, true));
        }
        body.extend_from_slice(part.get(..count).unwrap_or_default());
        if body.len() > limit {
            body.truncate(limit);
            return Ok((body, false));
        }
    }
}

impl Outgoing<'_> {
    /// The headers for the log: credentials and the provider's own headers masked.
    fn shown_headers(&self) -> String {
        let is_secret = |name: &str| {
            matches!(name, "authorization" | "x-api-key" | "x-goog-api-key")
                || self.provider.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        let shown = self.headers.iter().map(|(name, value)| match is_secret(name) {
            true => format!("{name}={}", masked(value.trim_start_matches("Bearer "))),
            false => format!("{name}={}", harmless(value)),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// What is known of an error with this status, besides its text.
    pub fn report<'r>(&'r self, live: &'r Live, status: u16, retry_after: Option<u64>) -> Report<'r> {
        Report {
            target: &self.target,
            status,
            retry_after,
            rules: &live.config().classify,
            client_key: self.client_key,
            key_variable: self.provider.key.as_ref().and_then(|key| key.variable.as_deref()),
        }
    }
}

fn refused(live: &Live, outgoing: &Outgoing<'_>, incoming: &mut Incoming) -> Trouble {
    let limit = live.config().limits.error_body;
    // A key that lies across the limit must be seen whole to be masked. What came before the body
    // broke may still tell the reason.
    let (body, _) = read_up_to(incoming, limit + live.longest_secret()).unwrap_or_default();
    let body = live.masked(&String::from_utf8_lossy(&body));
    let body = cut(&body, limit).to_owned();
    let error = error::read(&body);
    let report = outgoing.report(live, incoming.status, headers::retry_after(incoming));
    let trouble = Trouble::of_provider(&error, &body, &report);
    if trouble.class == Some(Class::Auth) && !outgoing.client_key {
        return trouble;
    }
    let mut headers = headers::returned(incoming);
    headers.push("content-type", incoming.header("content-type").unwrap_or("application/json"));
    trouble.with_native(NativeError { status: incoming.status, headers, body })
}

fn wants<'a>(provider: &'a Provider, candidate: &'a Candidate<'a>) -> Wants<'a> {
    let spec = candidate.spec;
    let strip_attribution = match spec.map_or(StripBilling::Auto, |spec| spec.strip_billing) {
        StripBilling::Always => true,
        StripBilling::Never => false,
        StripBilling::Auto => !is_anthropics(provider.host()),
    };
    Wants {
        model: candidate.target.model.as_str(),
        max_output: spec.and_then(|spec| spec.max_output),
        edits: spec.map(ModelSpec::edits).unwrap_or_default(),
        strip_attribution,
    }
}

fn is_anthropics(host: &str) -> bool {
    host == "anthropic.com" || host.ends_with(".anthropic.com")
}

fn patience(candidate: &Candidate<'_>, stream: bool) -> Patience {
    let own = &candidate.provider.timeouts;
    let streamed = candidate.first_byte.unwrap_or(own.first_byte);
    Patience {
        connect: own.connect,
        head: if stream { streamed } else { own.buffered },
        idle: own.stream_idle,
    }
}

fn url(provider: &Provider, inbound: &Inbound, model: &str) -> String {
    let mut url = provider.base_url.clone();
    url.push_str(&inbound.protocol.codec().upstream_path(model, inbound.ask.stream));
    if let Some(query) = &inbound.query {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(query);
    }
    url
}

fn request_headers(provider: &Provider, inbound: &Inbound, client_key: bool) -> Vec<(String, String)> {
    let codec = inbound.protocol.codec();
    let mut headers = Headers::default();
    for (name, value) in &inbound.headers {
        headers.set(name, value);
    }
    if let Some((name, value)) = codec.required_header()
        && !headers.has(name)
    {
        headers.set(name, value);
    }
    headers.set("content-type", "application/json");
    headers.set("accept-encoding", "identity");
    headers.set("accept", if inbound.ask.stream { "text/event-stream" } else { "application/json" });
    if !headers.has("user-agent") {
        headers.set("user-agent", concat!("llmgate/", env!("CARGO_PKG_VERSION")));
    }
    let own = provider.key.as_ref().map(|key| &key.secret);
    if let Some(key) = if client_key { inbound.credential.as_ref() } else { own }
        && let Some((name, value)) = credential(provider, codec, key)
    {
        headers.set(name, &value);
    }
    for (name, value) in &provider.headers {
        headers.set(&name.to_lowercase(), value);
    }
    headers.0
}

fn credential(provider: &Provider, codec: &dyn Codec, key: &Secret) -> Option<(&'static str, String)> {
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
struct Headers(Vec<(String, String)>);

impl Headers {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }
}
