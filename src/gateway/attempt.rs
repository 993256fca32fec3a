//! One candidate: its request made, its call made, its error answer understood.

use std::borrow::Cow;
use std::rc::Rc;

use crate::base::clock;
use crate::base::id::{TargetId, stable_hash};
use crate::base::secret::{Secret, masked};
use crate::config::{AuthForm, ClientAuth, Compat, ModelSpec, Provider, StripBilling};
use crate::gateway::headers;
use crate::gateway::inbound::Inbound;
use crate::gateway::live::Live;
use crate::gateway::record::Story;
use crate::gateway::trouble::{NativeError, Report, Trouble, cut};
use crate::ir::estimate;
use crate::ir::loss::Severity;
use crate::observe::log::harmless;
use crate::policy::class::Class;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::wire::{AnswerContext, TargetContext};
use crate::protocol::{Codec, error};
use crate::route::plan::Candidate;
use crate::translate::cross::{self, Crossing};
use crate::translate::verbatim::Options;
use crate::translate::{self, Source, Wants};
use crate::upstream::{self, Agent, Call, Failure, Hook, Incoming, Patience, Speech};

/// A request as one target gets it, and what must be known of it when the answer comes.
pub struct Outgoing<'a> {
    /// The target.
    pub target: TargetId,
    /// How its answer goes to the client.
    pub lane: Lane,
    /// The most bytes of a whole answer.
    pub response_body: usize,
    /// The longest event of a stream.
    pub sse_frame: usize,
    /// What knows the target's protocol.
    pub codec: &'static dyn Codec,
    /// What was lost on the way, worth a warning.
    pub warnings: Vec<String>,
    provider: &'a Provider,
    agent: &'a Agent,
    url: String,
    headers: Vec<(String, String)>,
    body: Cow<'a, str>,
    patience: Patience,
    stream: bool,
    client_key: bool,
}

/// How an answer goes to the client.
pub enum Lane {
    /// Client and target speak the same protocol.
    Verbatim(Options),
    /// They do not.
    Translated(Box<Crossing>),
}

/// Makes the request for a candidate.
///
/// # Errors
/// The request cannot be carried to the target's protocol.
pub fn prepare<'a>(
    live: &'a Live,
    inbound: &'a Inbound,
    candidate: &Candidate<'a>,
) -> Result<Outgoing<'a>, Trouble> {
    let provider = candidate.provider;
    let agent = live.agent(&provider.name).ok_or_else(|| {
        Trouble::own(Fault::new(FaultKind::Internal, format!("Provider {} has no agent.", provider.name)))
    })?;
    let (body, lane, warnings) = if candidate.protocol == inbound.protocol {
        verbatim(live, inbound, candidate)
    } else {
        translated(live, inbound, candidate)?
    };
    let client_key = live.config().client_auth == ClientAuth::ClientKey;
    Ok(Outgoing {
        lane,
        warnings,
        response_body: live.config().limits.response_body,
        sse_frame: live.config().limits.sse_frame,
        codec: candidate.protocol.codec(),
        provider,
        agent,
        url: url(candidate, inbound),
        headers: request_headers(candidate, inbound, client_key),
        body,
        patience: patience(candidate, inbound.ask.stream),
        stream: inbound.ask.stream,
        client_key,
        target: candidate.target.clone(),
    })
}

fn verbatim<'a>(
    live: &Live,
    inbound: &'a Inbound,
    candidate: &Candidate<'_>,
) -> (Cow<'a, str>, Lane, Vec<String>) {
    let codec = inbound.protocol.codec();
    let source = Source { codec, text: &inbound.text, members: &inbound.members, ask: &inbound.ask };
    let body = translate::outgoing(&source, &wants(candidate));
    let asked = inbound.asked.as_deref().unwrap_or_default();
    let options = Options {
        rename: (!asked.is_empty() && asked != candidate.target.model.as_str()).then(|| asked.to_owned()),
        hide_usage: codec.ask_for_usage(&inbound.ask).is_some(),
        framing: inbound.framing,
        limit: live.config().limits.sse_frame,
    };
    (body, Lane::Verbatim(options), Vec::new())
}

fn translated<'a>(
    live: &Live,
    inbound: &Inbound,
    candidate: &Candidate<'_>,
) -> Result<(Cow<'a, str>, Lane, Vec<String>), Trouble> {
    let (client_wire, target_wire) = (inbound.protocol.codec().wire(), candidate.protocol.codec().wire());
    let wrong = |error| Trouble::own(Fault::new(FaultKind::BadRequest, format!("In the body, {error}.")));
    let (mut request, mut losses) = client_wire.decode_request(&inbound.text).map_err(wrong)?;
    request.stream = inbound.ask.stream;
    if !client_wire.carries_state() {
        live.recall(&mut request);
    }
    let model = &candidate.target.model;
    let dialect = candidate.provider.dialect(candidate.protocol, model);
    let session = inbound.session.as_ref().map(|key| format!("llmgate-{:016x}", stable_hash(key.as_bytes())));
    let target = TargetContext { model: model.as_str(), dialect: &dialect, session: session.as_deref() };
    let (body, lost, names) = cross::outgoing(&request, target_wire, &target);
    losses.append(lost);
    if let Some(loss) = cross::refusal(&losses, live.config().compat == Compat::Strict) {
        let message = format!("{} cannot be carried to {}: {loss}.", loss.path, candidate.target);
        return Err(Trouble::own(Fault::new(FaultKind::UnsupportedParameter, message)));
    }
    let warnings = losses.iter().filter(|loss| loss.severity == Severity::Degrade).map(ToString::to_string);
    let warnings = warnings.collect();
    let crossing = Crossing {
        target: candidate.protocol.codec(),
        target_wire,
        client_wire,
        answer: AnswerContext {
            request_id: inbound.id.as_str().to_owned(),
            model: inbound.asked.clone().unwrap_or_default(),
            created: clock::unix_seconds(clock::wall()),
            estimated_input: estimate::input_tokens(&request),
            wants_usage: inbound.ask.wants_usage,
            show_reasoning: request.show_reasoning != Some(false),
            tools: request.tools,
        },
        names,
        provider: candidate.provider.name.to_string(),
        model: model.to_string(),
    };
    Ok((Cow::Owned(body), Lane::Translated(Box::new(crossing)), warnings))
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
    story.attempts_target(&outgoing.target, matches!(outgoing.lane, Lane::Translated(_)));
    log::debug!("{} calls {}: {} {}", story.id(), outgoing.target, outgoing.url, outgoing.shown_headers());
    let call = Call {
        url: &outgoing.url,
        headers: &outgoing.headers,
        body: outgoing.body.as_bytes(),
        patience: outgoing.patience,
        speech: Speech {
            codec: outgoing.codec,
            model: outgoing.target.model.as_str(),
            stream: outgoing.stream,
        },
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
    let is_own_key = trouble.class == Some(Class::Auth) && !outgoing.client_key;
    if is_own_key || matches!(outgoing.lane, Lane::Translated(_)) {
        return trouble;
    }
    let mut headers = headers::returned(incoming);
    headers.push("content-type", incoming.header("content-type").unwrap_or("application/json"));
    trouble.with_native(NativeError { status: incoming.status, headers, body })
}

fn wants<'a>(candidate: &'a Candidate<'_>) -> Wants<'a> {
    let spec = candidate.spec;
    let strip_attribution = match spec.map_or(StripBilling::Auto, |spec| spec.strip_billing) {
        StripBilling::Always => true,
        StripBilling::Never => false,
        StripBilling::Auto => !is_anthropics(candidate.provider.host()),
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

fn url(candidate: &Candidate<'_>, inbound: &Inbound) -> String {
    let codec = candidate.protocol.codec();
    let mut url = candidate.provider.base_url.clone();
    url.push_str(&codec.upstream_path(candidate.target.model.as_str(), inbound.ask.stream));
    if let Some(query) = inbound.query.as_ref().filter(|_| candidate.protocol == inbound.protocol) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(query);
    }
    url
}

/// A translated request says of its client no more than the idempotency key.
fn passes(name: &str, candidate: &Candidate<'_>, inbound: &Inbound) -> bool {
    candidate.protocol == inbound.protocol || name == "idempotency-key"
}

fn request_headers(candidate: &Candidate<'_>, inbound: &Inbound, client_key: bool) -> Vec<(String, String)> {
    let provider = candidate.provider;
    let codec = candidate.protocol.codec();
    let mut headers = Headers::default();
    for (name, value) in inbound.headers.iter().filter(|(name, _)| passes(name, candidate, inbound)) {
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
