//! One case on the translated lane: the same steps as in `gateway`, without sockets.

use llmgate::ir::calls::OwnIds;
use llmgate::ir::loss::{Losses, Severity};
use llmgate::ir::names::NameMap;
use llmgate::ir::request::{Block, Request};
use llmgate::ir::response::Response;
use llmgate::ir::schema::Schema;
use llmgate::ir::tool::{Tool, ToolForm};
use llmgate::protocol::Protocol;
use llmgate::protocol::Stage;
use llmgate::protocol::dialect::{Dialect, ReasoningStyle};
use llmgate::protocol::fault::{Fault, FaultKind};
use llmgate::protocol::wire::{AnswerContext, TargetContext};
use llmgate::translate::cross::{self, Crossing};
use llmgate::translate::framing::Framing;
use llmgate::translate::pipe::{PipeError, StreamEnd, StreamPipe};

/// The provider of every target.
pub(crate) const PROVIDER: &str = "up";
/// The id of every request.
pub(crate) const REQUEST_ID: &str = "req_0123456789abcdef01234567";
/// The longest event of a stream.
pub(crate) const FRAME: usize = 1 << 20;

/// Every client with every target.
pub(crate) fn pairs() -> impl Iterator<Item = (Protocol, Protocol)> {
    Protocol::ALL.into_iter().flat_map(|from| Protocol::ALL.into_iter().map(move |to| (from, to)))
}

/// The model of each protocol's target.
pub(crate) fn model(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenaiChat => "deepseek-v4",
        Protocol::OpenaiResponses => "gpt-5.5",
        Protocol::Anthropic => "claude-sonnet-5-5",
        Protocol::Gemini => "gemini-3.1-pro-preview",
    }
}

/// What each protocol's target wants.
pub(crate) fn dialect(protocol: Protocol) -> Dialect {
    Dialect {
        provider: PROVIDER.to_owned(),
        reasoning: ReasoningStyle::Effort,
        max_output: Some(64_000),
        is_openai: protocol == Protocol::OpenaiResponses,
        ..Dialect::default()
    }
}

/// A request read.
pub(crate) fn read(from: Protocol, text: &str) -> (Request, Losses) {
    let read = from.codec().wire().decode_request(text);
    read.unwrap_or_else(|error| panic!("{}: {error}", from.name()))
}

/// A request written for the target of a protocol.
pub(crate) fn write(request: &Request, to: Protocol) -> (String, Losses) {
    write_for(request, to, &dialect(to))
}

/// A request written for a target of that dialect.
pub(crate) fn write_for(request: &Request, to: Protocol, dialect: &Dialect) -> (String, Losses) {
    let target = TargetContext { model: model(to), dialect, session: Some("llmgate-0123456789abcdef") };
    let (text, losses, _) = cross::outgoing(request, to.codec().wire(), &target);
    (text, losses)
}

/// A client's request for the target of another protocol.
pub(crate) fn carry(from: Protocol, to: Protocol, text: &str) -> (String, Losses) {
    let (request, mut losses) = read(from, text);
    let (body, lost) = write(&request, to);
    losses.append(lost);
    (body, losses)
}

/// What the client of an answer is: it has shown reasoning, asked for usage, declared those tools.
pub(crate) fn answer(tools: Vec<Tool>) -> AnswerContext {
    AnswerContext {
        request_id: REQUEST_ID.to_owned(),
        model: "asked-name".to_owned(),
        created: 1_700_000_000,
        estimated_input: 100,
        wants_usage: true,
        show_reasoning: true,
        tools,
        compaction: None,
    }
}

/// The way back from a target of one protocol to a client of another.
pub(crate) fn crossing(from: Protocol, to: Protocol, answer: AnswerContext) -> Crossing {
    let target_wire = from.codec().wire();
    let names = answer.tools.iter().map(|tool| tool.name.as_str());
    Crossing {
        target: from.codec(),
        target_wire,
        client_wire: to.codec().wire(),
        names: NameMap::new(names, &target_wire.name_rule()),
        answer,
        provider: PROVIDER.to_owned(),
        model: model(from).to_owned(),
    }
}

/// A function, as a client declares the tools that a recorded answer calls.
pub(crate) fn function(name: &str) -> Tool {
    let form = ToolForm::Function { schema: Schema::no_arguments(), strict: None };
    Tool { name: name.to_owned(), description: None, form, identity: None }
}

/// The tools that blocks call.
pub(crate) fn called(blocks: &[Block]) -> Vec<Tool> {
    let calls = blocks.iter().filter_map(|block| match block {
        Block::Call(call) if call.free_form => {
            let form = ToolForm::FreeForm { grammar: None };
            Some(Tool { form, ..function(&call.name) })
        }
        Block::Call(call) => Some(function(&call.name)),
        _ => None,
    });
    let mut tools: Vec<Tool> = Vec::new();
    calls.for_each(|tool| {
        if tools.iter().all(|known| known.name != tool.name) {
            tools.push(tool);
        }
    });
    tools
}

/// An answer with its calls' ids as clients of that protocol get them.
pub(crate) fn with_ids_for(to: Protocol, mut answered: Response) -> Response {
    let mut ids = OwnIds::default();
    for block in &mut answered.blocks {
        if let Block::Call(call) = block {
            call.id = ids.own(&call.id, |id| to.codec().wire().fit_call_id(id));
        }
    }
    answered
}

/// What became of a stream.
pub(crate) struct Streamed {
    /// What the client got.
    pub(crate) out: Vec<u8>,
    /// How it ended.
    pub(crate) end: Result<StreamEnd, PipeError>,
}

impl Streamed {
    /// What the client got, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }
}

/// Takes a stream across, as `gateway/relay` does.
pub(crate) fn stream<'p>(crossing: &Crossing, parts: impl IntoIterator<Item = &'p [u8]>) -> Streamed {
    let mut pipe = StreamPipe::translated(crossing, FRAME, Framing::Events);
    let mut out = Vec::new();
    let end = pump(&mut pipe, parts, &mut out);
    if end == Ok(StreamEnd::Finished) {
        pipe.close(&mut out);
    }
    Streamed { out, end }
}

fn pump<'p>(
    pipe: &mut StreamPipe,
    parts: impl IntoIterator<Item = &'p [u8]>,
    out: &mut Vec<u8>,
) -> Result<StreamEnd, PipeError> {
    for part in parts {
        pipe.push(part);
        while pipe.pull(out)?.is_some() {
            if pipe.facts().error.is_some() {
                return Ok(StreamEnd::Failed);
            }
        }
    }
    Ok(pipe.finish(out))
}

/// The same, with the error that ends a stream which fails.
pub(crate) fn told(crossing: &Crossing, to: Protocol, bytes: &[u8]) -> String {
    let mut pipe = StreamPipe::translated(crossing, FRAME, Framing::Events);
    let mut out = Vec::new();
    let end = pump(&mut pipe, [bytes], &mut out);
    let fault = match end {
        Ok(StreamEnd::Finished) => {
            pipe.close(&mut out);
            return String::from_utf8(out).unwrap();
        }
        Ok(StreamEnd::Failed) => {
            let message = pipe.facts().error.clone().unwrap_or_default().message;
            Fault::new(FaultKind::Transient, format!("up/model: {message}"))
        }
        Ok(StreamEnd::Truncated) => {
            Fault::new(FaultKind::Cut, "up/model: the stream ended before the answer was complete.")
        }
        Err(_) => {
            Fault::new(FaultKind::BadUpstream, "up/model: sent an event that is not what its protocol says.")
        }
    };
    let stage = Stage {
        running: !out.is_empty(),
        model: &crossing.answer.model,
        request_id: REQUEST_ID,
        created: crossing.answer.created,
        facts: pipe.facts(),
    };
    out.extend_from_slice(to.codec().error_frames(&fault, &stage).as_bytes());
    String::from_utf8(out).unwrap()
}

/// Losses as lines.
pub(crate) fn lines(losses: &Losses) -> String {
    let line = |severity: Severity, text: String| format!("{}: {text}\n", word(severity));
    losses.iter().map(|loss| line(loss.severity, loss.to_string())).collect()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Hint => "hint",
        Severity::Degrade => "degrade",
        Severity::Refuse => "refuse",
    }
}
