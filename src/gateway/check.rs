//! Can a provider be used? Its list of models, and one request of one token.

use std::time::Duration;

use crate::base::clock;
use crate::base::id::ModelName;
use crate::base::sse::FrameReader;
use crate::config::Provider;
use crate::gateway::live::Live;
use crate::gateway::offer::headers;
use crate::ir::request::{Block, Request, Role, Turn};
use crate::ir::stream::StreamEvent;
use crate::observe::log::harmless;
use crate::policy::class::{Class, Evidence, classify};
use crate::protocol::wire::TargetContext;
use crate::protocol::{Protocol, Task, error, listing};
use crate::upstream::probe::{self, Heard};
use crate::upstream::{Call, Failure, Header, Patience, Speech};

/// What a provider said to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It answered.
    Yes,
    /// It refused: status, class, and its own words, secrets masked.
    No {
        /// The status.
        status: u16,
        /// The class (SPEC 6.1).
        class: Class,
        /// Its words.
        words: String,
    },
}

/// A provider's list of models.
#[derive(Clone, Debug)]
pub struct List {
    /// Did it give one?
    pub said: Said,
    /// The names.
    pub names: Vec<String>,
    /// Which protocol's list it is.
    pub guess: Option<Protocol>,
    /// Until the head of the answer.
    pub first_byte: Duration,
}

/// The answer to one small request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Did it give one?
    pub said: Said,
    /// Until the head of the answer.
    pub first_byte: Duration,
    /// Did it come as a stream that was told to its end?
    pub streamed: bool,
}

/// Asks for the list of models: one GET.
///
/// # Errors
/// The provider was not reached, or did not answer within `limit`.
pub fn list(live: &Live, provider: &Provider, limit: Duration) -> Result<List, Failure> {
    let (Some(agent), Some(protocol)) = (live.agent(&provider.name), provider.protocols.first()) else {
        return Ok(List { said: Said::Yes, names: Vec::new(), guess: None, first_byte: Duration::ZERO });
    };
    let codec = protocol.codec();
    let url = format!("{}{}", provider.base_url, codec.upstream_models_path());
    let since = clock::now();
    let (status, body) = probe::get_from(agent, &url, &headers(provider, codec), limit)?;
    let first_byte = clock::now() - since;
    let said = said(live, status, &body);
    Ok(List { names: listing::names(&body), guess: listing::guess(&body), said, first_byte })
}

/// Asks a model for one token: one POST, streamed or not.
///
/// # Errors
/// The provider was not reached, or did not answer within `limit`.
pub fn ask(
    live: &Live,
    provider: &Provider,
    model: &ModelName,
    stream: bool,
    limit: Duration,
) -> Result<Answer, Failure> {
    // The demo speaks them all.
    let protocol = provider.protocols.first().copied().unwrap_or(Protocol::OpenaiChat);
    let codec = protocol.codec();
    let Some(agent) = live.agent(&provider.name).filter(|_| model.is_safe_in_path()) else {
        return Err(Failure::Unreachable(format!("the model {model} cannot be asked for")));
    };
    let dialect = provider.dialect(protocol, model);
    let target = TargetContext { model: model.as_str(), dialect: &dialect, session: None };
    let (body, _) = codec.wire().encode_request(&one_token(stream), &target);
    let own = headers(provider, codec).into_iter();
    let mut headers: Vec<Header<'_>> = own.map(|(name, value)| (name.into(), value.into())).collect();
    for (name, value) in [
        ("content-type", "application/json"),
        ("accept", if stream { "text/event-stream" } else { "application/json" }),
        ("user-agent", concat!("llmgate/", env!("CARGO_PKG_VERSION"))),
    ] {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.push((name.into(), value.into()));
        }
    }
    let url = format!("{}{}", provider.base_url, codec.upstream_path(model.as_str(), stream));
    let call = Call {
        method: "POST",
        url: &url,
        headers: &headers,
        body: body.as_bytes(),
        patience: Patience { connect: limit, head: limit, idle: limit },
        speech: Speech { codec, model: model.as_str(), stream, task: Task::Answer },
    };
    let heard = probe::ask(agent, &call, limit)?;
    let said = said(live, heard.status, &heard.body);
    Ok(Answer { said, first_byte: heard.first_byte, streamed: is_whole_stream(&heard, protocol) })
}

/// The least that every protocol takes; Responses raises the limit to its own least.
fn one_token(stream: bool) -> Request {
    let turn = Turn { role: Role::User, blocks: vec![Block::Text("ping".to_owned())] };
    Request { stream, turns: vec![turn], limit: Some(1), ..Request::default() }
}

fn said(live: &Live, status: u16, body: &str) -> Said {
    if (200..300).contains(&status) {
        return Said::Yes;
    }
    let told = error::read(body);
    let evidence = Evidence {
        status,
        code: told.code.as_deref(),
        kind: told.kind.as_deref(),
        body,
        message: &told.message,
        tells_delay: told.retry_delay.is_some(),
        per_day: told.per_day,
    };
    let class = classify(&evidence, &live.config().classify);
    let words: String = live.masked(told.message.trim()).chars().take(300).collect();
    Said::No { status, class, words: harmless(&words).into_owned() }
}

/// Did the stream tell its own end?
fn is_whole_stream(heard: &Heard, protocol: Protocol) -> bool {
    if !heard.content_type.starts_with("text/event-stream") {
        return false;
    }
    let mut decoder = protocol.codec().wire().stream_decoder("check");
    let mut reader = FrameReader::new(heard.body.len() + 1);
    reader.push(heard.body.as_bytes());
    let mut events = Vec::new();
    while let Ok(Some(frame)) = reader.next_frame() {
        let Some(text) = frame.text() else { continue };
        if decoder.frame(frame.event_name(), &text, &mut events).is_err() {
            return false;
        }
    }
    decoder.finish(&mut events);
    events.iter().any(|event| matches!(event, StreamEvent::Finish { .. }))
}
