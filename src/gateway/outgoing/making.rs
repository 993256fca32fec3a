//! How a request for one target is made: on the native lane by splices, on the other by decoding and
//! encoding.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use super::{Lane, Outgoing};
use crate::base::clock;
use crate::base::id::stable_hash;
use crate::base::splice::{self, Edit};
use crate::config::{ClientAuth, Compat, ModelSpec, StripBilling, vendors};
use crate::gateway::inbound::{Decoded, Inbound};
use crate::gateway::live::Live;
use crate::gateway::outgoing_headers;
use crate::gateway::tape::Mask;
use crate::gateway::trouble::Trouble;
use crate::ir::loss::Severity;
use crate::ir::names::NameMap;
use crate::protocol::Task;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::wire::{AnswerContext, TargetContext};
use crate::route::plan::Candidate;
use crate::translate::concession::Concession;
use crate::translate::cross::{self, Crossing};
use crate::translate::verbatim::Options;
use crate::translate::{self, Source, Wants};
use crate::upstream::{Agent, Patience};

/// Makes the request for a candidate; `conceded` is what it refused of this request.
///
/// # Errors
/// The request cannot be carried to the target's protocol.
pub fn prepare<'a>(
    live: &'a Live,
    inbound: &'a Inbound,
    candidate: &'a Candidate<'a>,
    conceded: &[Concession],
) -> Result<Outgoing<'a>, Trouble> {
    let Made { body, lane, warnings, conceded } = if candidate.protocol == inbound.protocol {
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
    let url = url(candidate, inbound, &path);
    let headers = outgoing_headers::all(candidate, inbound, client_key);
    outgoing_headers::check_lines(&url, &headers).map_err(Trouble::own)?;
    Ok(Outgoing {
        candidate,
        lane,
        warnings,
        conceded,
        response_body: live.config().limits.response_body,
        sse_frame: live.config().limits.sse_frame,
        agent: agent(live, candidate)?,
        url,
        headers,
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
    let model = &candidate.target.model;
    let path = candidate.protocol.codec().count_path(model.as_str())?;
    let agent = agent(live, candidate).ok().filter(|agent| !agent.is_demo())?;
    if candidate.protocol != inbound.protocol || !model.is_safe_in_path() {
        return None;
    }
    // A count takes less than a generation does: no limits, no fields of the user's own.
    let wants = Wants { max_output: None, edits: Vec::new(), ..wants(candidate) };
    let client_key = live.config().client_auth == ClientAuth::ClientKey;
    let url = url(candidate, inbound, &path);
    let headers = outgoing_headers::all(candidate, inbound, client_key);
    outgoing_headers::check_lines(&url, &headers).ok()?;
    Some(Outgoing {
        candidate,
        lane: Lane::Verbatim(options(live, inbound, candidate)),
        warnings: Vec::new(),
        conceded: Vec::new(),
        response_body: live.config().limits.error_body,
        sse_frame: live.config().limits.sse_frame,
        agent,
        url,
        headers,
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

/// What depends on the lane.
struct Made<'a> {
    body: Cow<'a, str>,
    lane: Lane,
    warnings: Vec<String>,
    conceded: Vec<Edit>,
}

fn verbatim<'a>(live: &Live, inbound: &'a Inbound, candidate: &Candidate<'_>) -> Made<'a> {
    let body = translate::outgoing(&source(inbound), &wants(candidate));
    let lost = body.lost_state.then(|| "reasoning: foreign reasoning".to_owned());
    Made {
        body: body.text,
        lane: Lane::Verbatim(options(live, inbound, candidate)),
        warnings: lost.into_iter().collect(),
        conceded: Vec::new(),
    }
}

fn translated<'a>(
    live: &Live,
    inbound: &Inbound,
    candidate: &Candidate<'_>,
    conceded: &[Concession],
) -> Result<Made<'a>, Trouble> {
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
    let edits = candidate.spec.map(ModelSpec::edits).unwrap_or_default();
    // What an encoder wrote can always be edited.
    let mut body = if edits.is_empty() { body } else { splice::apply(&body, &edits).unwrap_or(body) };
    let mut made = Vec::new();
    for refused in live.health.learnt(&candidate.target).iter().chain(conceded) {
        let edits = refused.edits(&body);
        if edits.is_empty() {
            continue;
        }
        if refused.loses() {
            losses.degrade(refused.path(), format!("{} refuses it", candidate.target));
        }
        body = splice::apply(&body, &edits).unwrap_or(body);
        made.extend(edits);
    }
    let warnings = losses.iter().filter(|loss| loss.severity == Severity::Degrade).map(ToString::to_string);
    let warnings = warnings.collect();
    let crossing = crossing(live, inbound, candidate, decoded, names);
    let lane = Lane::Translated(Box::new(crossing));
    Ok(Made { body: Cow::Owned(body), lane, warnings, conceded: made })
}

/// A key of the session for a target, from which nobody learns its name.
pub(in crate::gateway) fn session_key(inbound: &Inbound) -> Option<String> {
    inbound.session.as_ref().map(|key| format!("llmgate-{:016x}", stable_hash(key.as_bytes())))
}

fn header_mask(live: &Live) -> Mask {
    if live.config().log.mask { Mask::Credentials } else { Mask::Nothing }
}

pub(super) fn crossing(
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

/// What a target wants of a request in its own protocol.
pub(in crate::gateway) fn wants<'a>(candidate: &'a Candidate<'_>) -> Wants<'a> {
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
