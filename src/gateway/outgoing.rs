//! A request as one target gets it: body, address, headers, patience.

use std::borrow::Cow;
use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::base::clock;
use crate::base::id::{TargetId, stable_hash};
use crate::base::secret::masked;
use crate::base::splice::{self, Edit};
use crate::config::{ClientAuth, Compat, ModelSpec, StripBilling, vendors};
use crate::gateway::inbound::{Decoded, Inbound};
use crate::gateway::live::Live;
use crate::gateway::outgoing_headers;
use crate::gateway::tape::Mask;
use crate::gateway::trouble::{Report, Trouble};
use crate::ir::loss::Severity;
use crate::ir::names::NameMap;
use crate::observe::log::harmless;
use crate::policy::class::Class;
use crate::policy::outcome::KeyOwner;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::wire::{AnswerContext, TargetContext};
use crate::protocol::{Codec, Task};
use crate::route::plan::Candidate;
use crate::translate::again::Recipe;
use crate::translate::concession::{self, Concession};
use crate::translate::cross::{self, Crossing};
use crate::translate::verbatim::Options;
use crate::translate::{self, Source, Wants};
use crate::upstream::{self, Agent, Call, Failure, Header, Hook, Incoming, Patience, Speech};

/// A request as one target gets it, and what must be known of it when the answer comes.
pub struct Outgoing<'a> {
    /// Where it goes.
    pub candidate: &'a Candidate<'a>,
    /// How its answer goes to the client.
    pub lane: Lane,
    /// The most bytes of a whole answer.
    pub response_body: usize,
    /// The longest event of a stream.
    pub sse_frame: usize,
    /// What was lost on the way, worth a warning.
    pub warnings: Vec<String>,
    /// What is needed to make it again, when somebody wants to know.
    pub recipe: Option<Box<Recipe>>,
    agent: &'a Agent,
    url: String,
    headers: Vec<Header<'a>>,
    body: RefCell<Cow<'a, str>>,
    patience: Patience,
    stream: bool,
    task: Task,
    client_key: bool,
    mask: Mask,
}

/// How an answer goes to the client.
pub enum Lane {
    /// Client and target speak the same protocol.
    Verbatim(Options),
    /// They do not.
    Translated(Box<Crossing>),
}

/// Makes the request for a candidate; `conceded` is what it refused of this request.
///
/// # Errors
/// The request cannot be carried to the target's protocol.
pub fn prepare<'a>(
    live: &'a Live,
    inbound: &'a Inbound,
    candidate: &'a Candidate<'a>,
    conceded: &[Edit],
) -> Result<Outgoing<'a>, Trouble> {
    let (body, lane, warnings) = if candidate.protocol == inbound.protocol {
        verbatim(live, inbound, candidate)
    } else {
        translated(live, inbound, candidate, conceded)?
    };
    let codec = candidate.protocol.codec();
    let path = codec.task_path(inbound.task).map_or_else(
        || codec.upstream_path(candidate.target.model.as_str(), inbound.ask.stream),
        str::to_owned,
    );
    let client_key = live.config().client_auth == ClientAuth::ClientKey;
    Ok(Outgoing {
        candidate,
        lane,
        warnings,
        response_body: live.config().limits.response_body,
        sse_frame: live.config().limits.sse_frame,
        agent: agent(live, candidate)?,
        url: url(candidate, inbound, &path),
        headers: outgoing_headers::all(candidate, inbound, client_key),
        body: RefCell::new(body),
        patience: patience(candidate, inbound.ask.stream),
        stream: inbound.ask.stream,
        task: inbound.task,
        recipe: None,
        client_key,
        mask: header_mask(live),
    })
}

/// Makes the request for a count of its input tokens, for a candidate of the client's own protocol;
/// `None` where there is nobody to ask.
pub fn prepare_count<'a>(
    live: &'a Live,
    inbound: &'a Inbound,
    candidate: &'a Candidate<'a>,
    patience: Duration,
) -> Option<Outgoing<'a>> {
    let path = candidate.protocol.codec().count_path(candidate.target.model.as_str())?;
    let agent = agent(live, candidate).ok().filter(|agent| !agent.is_demo())?;
    if candidate.protocol != inbound.protocol {
        return None;
    }
    // A count takes less than a generation does: no limits, no fields of the user's own.
    let wants = Wants { max_output: None, edits: Vec::new(), ..wants(candidate) };
    let client_key = live.config().client_auth == ClientAuth::ClientKey;
    Some(Outgoing {
        candidate,
        lane: Lane::Verbatim(options(live, inbound, candidate)),
        warnings: Vec::new(),
        response_body: live.config().limits.error_body,
        sse_frame: live.config().limits.sse_frame,
        agent,
        url: url(candidate, inbound, &path),
        headers: outgoing_headers::all(candidate, inbound, client_key),
        body: RefCell::new(translate::outgoing(&source(inbound), &wants).text),
        patience: Patience { connect: patience, head: patience, idle: patience },
        stream: false,
        task: Task::Answer,
        recipe: None,
        client_key,
        mask: header_mask(live),
    })
}

fn agent<'a>(live: &'a Live, candidate: &Candidate<'_>) -> Result<&'a Agent, Trouble> {
    let name = &candidate.provider.name;
    live.agent(name).ok_or_else(|| {
        Trouble::own(Fault::new(FaultKind::Internal, format!("Provider {name} has no agent.")))
    })
}

fn source(inbound: &Inbound) -> Source<'_> {
    let codec = inbound.protocol.codec();
    Source { codec, text: &inbound.text, members: &inbound.members, ask: &inbound.ask }
}

fn options(live: &Live, inbound: &Inbound, candidate: &Candidate<'_>) -> Options {
    let asked = inbound.asked.as_deref().unwrap_or_default();
    Options {
        rename: (!asked.is_empty() && asked != candidate.target.model.as_str()).then(|| asked.to_owned()),
        hide_usage: inbound.protocol.codec().ask_for_usage(&inbound.ask).is_some(),
        framing: inbound.framing,
        limit: live.config().limits.sse_frame,
    }
}

fn verbatim<'a>(
    live: &Live,
    inbound: &'a Inbound,
    candidate: &Candidate<'_>,
) -> (Cow<'a, str>, Lane, Vec<String>) {
    let body = translate::outgoing(&source(inbound), &wants(candidate));
    let lost = body.lost_state.then(|| "reasoning: foreign reasoning".to_owned());
    (body.text, Lane::Verbatim(options(live, inbound, candidate)), lost.into_iter().collect())
}

fn translated<'a>(
    live: &Live,
    inbound: &Inbound,
    candidate: &Candidate<'_>,
    conceded: &[Edit],
) -> Result<(Cow<'a, str>, Lane, Vec<String>), Trouble> {
    let target_wire = candidate.protocol.codec().wire();
    let decoded = live.decoded(inbound)?;
    let model = &candidate.target.model;
    let dialect = candidate.provider.dialect(candidate.protocol, model);
    let session = session_key(inbound);
    let target = TargetContext { model: model.as_str(), dialect: &dialect, session: session.as_deref() };
    let (body, lost, names) = cross::outgoing(&decoded.request, target_wire, &target);
    let mut losses = decoded.losses.clone();
    losses.append(lost);
    if let Some(loss) = cross::refusal(&losses, live.config().compat == Compat::Strict) {
        let message = format!("{} cannot be carried to {}: {}.", loss.path, candidate.target, loss.why);
        return Err(Trouble::refusal(&loss.path, message));
    }
    let mut learnt = live.health.learnt(&candidate.target);
    learnt.extend_from_slice(conceded);
    for edit in &learnt {
        losses.degrade(edit.path.join("."), format!("{} refuses it", candidate.target));
    }
    let mut edits = candidate.spec.map(ModelSpec::edits).unwrap_or_default();
    edits.extend(learnt);
    // What an encoder wrote can always be edited.
    let body = if edits.is_empty() { body } else { splice::apply(&body, &edits).unwrap_or(body) };
    let warnings = losses.iter().filter(|loss| loss.severity == Severity::Degrade).map(ToString::to_string);
    let warnings = warnings.collect();
    let crossing = crossing(live, inbound, candidate, decoded, names);
    Ok((Cow::Owned(body), Lane::Translated(Box::new(crossing)), warnings))
}

/// A key of the session for a target, from which nobody learns its name.
pub(super) fn session_key(inbound: &Inbound) -> Option<String> {
    inbound.session.as_ref().map(|key| format!("llmgate-{:016x}", stable_hash(key.as_bytes())))
}

fn header_mask(live: &Live) -> Mask {
    if live.config().log.mask { Mask::Credentials } else { Mask::Nothing }
}

fn crossing(
    live: &Live,
    inbound: &Inbound,
    candidate: &Candidate<'_>,
    decoded: &Decoded,
    names: NameMap,
) -> Crossing {
    let target = candidate.protocol.codec();
    Crossing {
        target,
        target_wire: target.wire(),
        client_wire: inbound.protocol.codec().wire(),
        answer: AnswerContext {
            request_id: inbound.id.as_str().to_owned(),
            model: inbound.asked.clone().unwrap_or_default(),
            created: clock::unix_seconds(clock::wall()),
            estimated_input: live.health.estimate(candidate, decoded.size),
            wants_usage: inbound.ask.wants_usage,
            show_reasoning: decoded.request.show_reasoning != Some(false),
            compaction: decoded.request.compaction.clone(),
            tools: decoded.request.tools.iter().filter(|tool| tool.identity.is_some()).cloned().collect(),
        },
        names,
        provider: candidate.provider.name.to_string(),
        model: candidate.target.model.to_string(),
    }
}

impl Outgoing<'_> {
    /// What knows the target's protocol.
    pub fn codec(&self) -> &'static dyn Codec {
        self.candidate.protocol.codec()
    }

    /// The target.
    pub fn target(&self) -> &TargetId {
        &self.candidate.target
    }

    /// Is it translated for the target?
    pub fn is_translated(&self) -> bool {
        matches!(self.lane, Lane::Translated(_))
    }

    /// The way back through the neutral model, also for a target of the client's own protocol: for
    /// an answer that came whole instead of streamed, or the other way round.
    ///
    /// # Errors
    /// The request is none of its protocol.
    pub fn crossing(&self, live: &Live, inbound: &Inbound) -> Result<Crossing, Trouble> {
        match &self.lane {
            Lane::Translated(crossing) => Ok(Crossing::clone(crossing)),
            // Its answer is none of its protocol's, as far as the decoders know.
            Lane::Verbatim(_) if self.task == Task::Complete => {
                let what = "sent a stream in place of a whole answer, or the other way round";
                Err(Trouble::bad_answer(Class::BadUpstream, self.target(), what))
            }
            Lane::Verbatim(_) => {
                let decoded = live.decoded(inbound)?;
                Ok(crossing(live, inbound, self.candidate, decoded, NameMap::default()))
            }
        }
    }

    /// Calls the target and waits for the head of its answer, whatever it is.
    ///
    /// # Errors
    /// It was not reached, or did not answer.
    pub fn send(&self, hook: &Rc<dyn Hook>) -> Result<Incoming, Failure> {
        if log::log_enabled!(log::Level::Debug) {
            let headers = self.shown_headers(self.mask).join(", ");
            log::debug!("calls {}: {} {headers}", self.target(), self.url);
        }
        let body = self.body();
        let call = Call {
            method: "POST",
            url: &self.url,
            headers: &self.headers,
            body: body.as_bytes(),
            patience: self.patience,
            speech: Speech {
                codec: self.codec(),
                model: self.target().model.as_str(),
                stream: self.stream,
                task: self.task,
            },
        };
        upstream::send(self.agent, &call, hook)
    }

    /// Whose key is used?
    pub fn key_owner(&self) -> KeyOwner {
        if self.client_key { KeyOwner::Client } else { KeyOwner::Proxy }
    }

    /// What an error asks to be changed of the request, if it refuses a parameter that may be lost.
    pub fn concession(&self, trouble: &Trouble) -> Option<Concession> {
        if !matches!(trouble.status, 400 | 422) {
            return None;
        }
        let error = trouble.upstream.as_ref()?;
        concession::of_refusal(self.codec(), &self.body(), error.param.as_deref(), &error.message)
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The body.
    pub fn body(&self) -> Ref<'_, str> {
        Ref::map(self.body.borrow(), |body| &**body)
    }

    /// It was answered for good: a long stream need not hold its body.
    pub fn forget_body(&self) {
        self.body.replace(Cow::Borrowed(""));
    }

    /// The headers for people, `name: value`.
    pub fn shown_headers(&self, mask: Mask) -> Vec<String> {
        let is_secret = |name: &str| {
            matches!(name, "authorization" | "x-api-key" | "x-goog-api-key")
                || self.candidate.provider.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        let shown = |(name, value): &Header<'_>| match is_secret(name) && mask == Mask::Credentials {
            true => format!("{name}: {}", masked(value.trim_start_matches("Bearer "))),
            false => format!("{name}: {}", harmless(value)),
        };
        self.headers.iter().map(shown).collect()
    }

    /// What is known of an error with this status, besides its text.
    pub fn report<'r>(&'r self, live: &'r Live, status: u16, retry_after: Option<u64>) -> Report<'r> {
        Report {
            target: self.target(),
            status,
            retry_after,
            rules: &live.config().classify,
            client_key: self.client_key,
            key_variable: self.candidate.provider.key.as_ref().and_then(|key| key.variable.as_deref()),
        }
    }
}

/// What a target wants of a request in its own protocol.
pub(super) fn wants<'a>(candidate: &'a Candidate<'_>) -> Wants<'a> {
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
        strip_call_ids: !vendors::takes_call_ids(candidate.provider.host()),
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

fn url(candidate: &Candidate<'_>, inbound: &Inbound, path: &str) -> String {
    let mut url = candidate.provider.base_url.clone();
    url.push_str(path);
    if let Some(query) = inbound.query.as_ref().filter(|_| candidate.protocol == inbound.protocol) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(query);
    }
    url
}
